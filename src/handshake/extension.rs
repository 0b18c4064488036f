//! The value of Sec-WebSocket-Extensions (RFC 6455 section 9.1): its grammar, and bounds on how much
//! of it is looked at. What an extension means is not known here.

use super::header::{is_token_char, token};

/// The most extensions that a request may offer, and the most parameters of each. Browsers offer one
/// or two.
const MOST: usize = 16;

/// What is wrong with a list of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidExtensions {
    /// It does not follow the grammar, or is empty.
    Malformed,
    /// More than 16 extensions, or one with more than 16 parameters.
    TooMany,
}

/// Checks all fields of Sec-WebSocket-Extensions, if there are any: together they are one list.
pub(super) fn check<'a>(
    values: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<(), InvalidExtensions> {
    if values.clone().next().is_none() {
        return Ok(());
    }
    let mut count = 0;
    for extension in extensions(values) {
        extension?;
        count += 1;
        if count > MOST {
            return Err(InvalidExtensions::TooMany);
        }
    }
    if count == 0 {
        // extension-list = 1#extension
        return Err(InvalidExtensions::Malformed);
    }
    Ok(())
}

/// The extensions in the order of preference, up to the first mistake.
pub(crate) fn extensions<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<Extension<'a>, InvalidExtensions>> {
    values.flat_map(|value| {
        let mut cursor = Cursor(value);
        core::iter::from_fn(move || {
            let extension = cursor.extension().transpose();
            if let Some(Err(_)) = extension {
                cursor = Cursor(&[]);
            }
            extension
        })
    })
}

/// One extension: its name, and its parameters as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    params: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The parameters in order.
    #[cfg_attr(
        not(any(feature = "deflate", test)),
        expect(dead_code, reason = "no extension is supported")
    )]
    pub(crate) fn params(&self) -> impl Iterator<Item = Param<'a>> {
        let mut cursor = Cursor(self.params);
        // The grammar was checked when the extension was made.
        core::iter::from_fn(move || cursor.param().ok().flatten())
    }
}

/// A parameter of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Param<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Option<Value<'a>>,
}

/// The value of a parameter, which is a token, written as such or in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// The characters of the token, without quotes and escapes.
    #[cfg_attr(
        not(any(feature = "deflate", test)),
        expect(dead_code, reason = "no extension is supported")
    )]
    pub(crate) fn chars(self) -> impl Iterator<Item = u8> {
        let mut chars = self.0.iter().copied();
        // A backslash is no token character: it is an escape.
        core::iter::from_fn(move || match chars.next() {
            Some(b'\\') => chars.next(),
            char => char,
        })
    }
}

/// What is left of a value.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// `extension = extension-token *( ";" extension-param )`, and the commas before it.
    fn extension(&mut self) -> Result<Option<Extension<'a>>, InvalidExtensions> {
        while self.eat(b',') {}
        if self.0.is_empty() {
            return Ok(None);
        }
        let name = self.token()?;
        let before = self.0;
        let mut count = 0;
        while self.param()?.is_some() {
            count += 1;
            if count > MOST {
                return Err(InvalidExtensions::TooMany);
            }
        }
        if !matches!(self.0, [] | [b',', ..]) {
            return Err(InvalidExtensions::Malformed);
        }
        let (params, _) = before.split_at(before.len() - self.0.len());
        Ok(Some(Extension { name, params }))
    }

    /// `";" token [ "=" (token | quoted-string) ]`
    fn param(&mut self) -> Result<Option<Param<'a>>, InvalidExtensions> {
        if !self.eat(b';') {
            return Ok(None);
        }
        let name = self.token()?;
        let value = if self.eat(b'=') {
            Some(self.value()?)
        } else {
            None
        };
        Ok(Some(Param { name, value }))
    }

    fn value(&mut self) -> Result<Value<'a>, InvalidExtensions> {
        if !self.eat(b'"') {
            return Ok(Value(self.token()?.as_bytes()));
        }
        let mut len = 0;
        let end = loop {
            match self.0.get(len..) {
                Some([b'"', ..]) => break len,
                Some([b'\\', char, ..]) if is_token_char(*char) => len += 2,
                // "the value after quoted-string unescaping MUST conform to the 'token' ABNF"
                Some([char, ..]) if is_token_char(*char) => len += 1,
                _ => return Err(InvalidExtensions::Malformed),
            }
        };
        let (value, rest) = self.0.split_at(end);
        self.0 = rest;
        if value.is_empty() || !self.eat(b'"') {
            return Err(InvalidExtensions::Malformed);
        }
        Ok(Value(value))
    }

    fn token(&mut self) -> Result<&'a str, InvalidExtensions> {
        let is_end = |&byte: &u8| !is_token_char(byte);
        let end = self.0.iter().position(is_end).unwrap_or(self.0.len());
        let (bytes, rest) = self.0.split_at(end);
        self.0 = rest;
        self.skip_whitespace();
        token(bytes).ok_or(InvalidExtensions::Malformed)
    }

    /// Takes `byte` and the whitespace around it. The grammar is that of RFC 2616, which implies
    /// whitespace between any two of its symbols.
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                // Inside of quotes whitespace would be content.
                if byte != b'"' {
                    self.skip_whitespace();
                }
                true
            }
            _ => false,
        }
    }

    fn skip_whitespace(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{
        format,
        string::{String, ToString},
        vec::Vec,
    };

    use super::*;

    /// Writes what was understood in the shortest form.
    fn canonical(fields: &[&str]) -> Result<String, InvalidExtensions> {
        let values = || fields.iter().map(|field| field.as_bytes());
        check(values())?;
        let text = |extension: Result<Extension<'_>, _>| {
            let extension = extension.expect("it was checked");
            let params = extension.params().map(|param| match param.value {
                None => format!(";{}", param.name),
                Some(value) => {
                    let value: Vec<u8> = value.chars().collect();
                    format!(";{}={}", param.name, String::from_utf8_lossy(&value))
                }
            });
            extension.name.to_string() + &params.collect::<String>()
        };
        Ok(extensions(values()).map(text).collect::<Vec<_>>().join(","))
    }

    // req: HS-28, HS-29, N-27, N-28
    #[test]
    fn extensions_are_understood_in_every_spelling() {
        for (fields, expected) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a,b"], "a,b"),
            (&["a", "b"], "a,b"),
            (&["", "b"], "b"),
            (&[" ,, a ;\tb = c , , d;e "], "a;b=c,d;e"),
            (&["a; b=\"c\""], "a;b=c"),
            (&["a; b=\"\\1\\0\""], "a;b=10"),
            (&["a;b = \"c\" ;d,e"], "a;b=c;d,e"),
            (&["a;b;b=1;b=2"], "a;b;b=1;b=2"),
            (
                &["permessage-deflate; client_max_window_bits=\"10\""],
                "permessage-deflate;client_max_window_bits=10",
            ),
        ] {
            assert_eq!(canonical(fields).as_deref(), Ok(expected), "{fields:?}");
        }
    }

    // req: HS-25, HS-29
    #[test]
    fn malformed_extensions_are_found() {
        for field in [
            "",
            " ",
            ",",
            ";a",
            "a;",
            "a;;b",
            "a; =1",
            "a=b",
            "a;b=",
            "a;b=c d",
            "a=b c",
            "a b",
            "a;b c",
            "a;b=\"",
            "a;b=\"x",
            "a=\"x",
            "a=\"x\\",
            "a;b=\"x\\",
            "a;b=\"x\\\"",
            "a;b=\"\"",
            "a;b=\"1 0\"",
            "a;b=\" 1\"",
            "a;b=\"1\\ 0\"",
            "a;b=\"1,0\"",
            "a;b=\"1\"0",
            "a;b=\"1\"\"0\"",
            "\"a\"",
            "a;\"b\"",
            "a;b==c",
            "a/b",
            "é",
            "a;é",
            "a;b=é",
            "a;b=\"é\"",
            "good, a;;b",
            "a;b=c,;",
        ] {
            let verdict = canonical(&[field]);
            assert_eq!(verdict, Err(InvalidExtensions::Malformed), "{field:?}");
        }
        assert_eq!(canonical(&["a;", "b"]), Err(InvalidExtensions::Malformed));
    }

    // req: N-30
    #[test]
    fn extensions_and_parameters_are_bounded() {
        let list = |n: usize| ["x"].repeat(n).join(",");
        let params = |n: usize| "x".to_string() + &";p=1".repeat(n);
        assert!(canonical(&[&list(16)]).is_ok());
        assert!(canonical(&[&params(16)]).is_ok());
        assert!(canonical(&[&list(8), &list(8)]).is_ok());
        assert_eq!(canonical(&[&list(17)]), Err(InvalidExtensions::TooMany));
        assert_eq!(
            canonical(&[&list(9), &list(8)]),
            Err(InvalidExtensions::TooMany)
        );
        assert_eq!(canonical(&[&params(17)]), Err(InvalidExtensions::TooMany));
    }

    // req: N-29
    #[test]
    fn long_nonsense_ends_at_once() {
        let open = "a;b=\"".to_string() + &"\\c".repeat(32 * 1024);
        assert_eq!(canonical(&[&open]), Err(InvalidExtensions::Malformed));
        let spaces = "b".to_string() + &" ".repeat(64 * 1024) + "x";
        assert_eq!(canonical(&[&spaces]), Err(InvalidExtensions::Malformed));
        let commas = ",".repeat(64 * 1024);
        assert_eq!(canonical(&[&commas]), Err(InvalidExtensions::Malformed));
    }
}
