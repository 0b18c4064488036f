//! Header values: tokens, lists, and the extensions of RFC 6455 section 9.1.

/// `token = 1*<any CHAR except CTLs or separators>`, as RFC 2616 section 2.2 has it.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_char)
}

fn is_token_char(byte: u8) -> bool {
    const SEPARATORS: &[u8] = b"()<>@,;:\\\"/[]?={} \t";
    (b' '..=b'~').contains(&byte) && !SEPARATORS.contains(&byte)
}

/// Without spaces and tabs at its ends.
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte != b' ' && *byte != b'\t';
    match (
        value.iter().position(is_text),
        value.iter().rposition(is_text),
    ) {
        (Some(first), Some(last)) => &value[first..=last],
        _ => b"",
    }
}

/// The elements of a list, in all fields that it is spread over. Empty ones are none.
pub(crate) fn list(fields: &[Vec<u8>]) -> Vec<Vec<u8>> {
    fields
        .join(&b","[..])
        .split(|&byte| byte == b',')
        .map(|element| trim(element).to_vec())
        .filter(|element| !element.is_empty())
        .collect()
}

/// Whether a list has this element, in any letter case.
pub(crate) fn has(fields: &[Vec<u8>], element: &str) -> bool {
    list(fields)
        .iter()
        .any(|one| one.eq_ignore_ascii_case(element.as_bytes()))
}

/// What is wrong with subprotocols that are offered (RFC 6455 sections 4.1 and 11.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Malformed,
    Repeated,
}

/// The offered subprotocols.
pub(crate) fn offers(fields: &[Vec<u8>]) -> Result<Vec<String>, Wrong> {
    let names = list(fields);
    if !fields.is_empty() && names.is_empty() || !names.iter().all(|name| is_token(name)) {
        return Err(Wrong::Malformed);
    }
    let names: Vec<_> = names
        .into_iter()
        .map(|name| String::from_utf8(name).expect("a token is ASCII"))
        .collect();
    for (n, name) in names.iter().enumerate() {
        if names[..n].contains(name) {
            return Err(Wrong::Repeated);
        }
    }
    Ok(names)
}

/// What is wrong with a list of extensions. It may be both; which is found first is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) malformed: bool,
    pub(crate) too_many: bool,
}

/// The most extensions, and the most parameters of one.
const MOST: usize = 16;

/// Reads all fields of Sec-WebSocket-Extensions.
pub(crate) fn extensions(fields: &[Vec<u8>]) -> Extensions {
    let mut wrong = Extensions::default();
    let mut count = 0;
    for field in fields {
        let symbols = symbols(field);
        wrong.malformed |= symbols.contains(&Symbol::Other);
        for extension in symbols.split(|symbol| *symbol == Symbol::Separator(b',')) {
            if extension.is_empty() {
                continue;
            }
            count += 1;
            let mut parts = extension.split(|symbol| *symbol == Symbol::Separator(b';'));
            wrong.malformed |= !matches!(parts.next(), Some([Symbol::Token]));
            wrong.too_many |= parts.clone().count() > MOST;
            wrong.malformed |= !parts.all(is_param);
        }
    }
    wrong.malformed |= !fields.is_empty() && count == 0;
    wrong.too_many |= count > MOST;
    wrong
}

/// `extension-param = token [ "=" (token / quoted-string) ]`
fn is_param(symbols: &[Symbol]) -> bool {
    match symbols {
        [Symbol::Token] => true,
        [Symbol::Token, Symbol::Separator(b'='), Symbol::Token] => true,
        // "the value after quoted-string unescaping MUST conform to the 'token' ABNF"
        [Symbol::Token, Symbol::Separator(b'='), Symbol::Quoted(text)] => is_token(text),
        _ => false,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Symbol {
    Token,
    /// Without its quotes and escapes.
    Quoted(Vec<u8>),
    /// One of `,;=`.
    Separator(u8),
    /// What belongs into no list of extensions.
    Other,
}

/// The symbols of a value. There may be whitespace between any two of them (RFC 2616 section 2.1).
fn symbols(value: &[u8]) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        symbols.push(match byte {
            b' ' | b'\t' => continue,
            b',' | b';' | b'=' => Symbol::Separator(byte),
            b'"' => {
                let mut text = Vec::new();
                loop {
                    match bytes.next() {
                        Some(b'"') => break Symbol::Quoted(text),
                        Some(b'\\') => text.extend(bytes.next()),
                        Some(byte) => text.push(byte),
                        None => break Symbol::Other,
                    }
                }
            }
            _ if is_token_char(byte) => {
                while bytes.next_if(|&byte| is_token_char(byte)).is_some() {}
                Symbol::Token
            }
            _ => Symbol::Other,
        });
    }
    symbols
}
