//! Header values: tokens, lists, the key and the answer to it (RFC 6455 sections 4 and 11.3,
//! RFC 9110 section 5.6). Pure functions on bytes, whoever has taken the head of the message apart.

use alloc::{format, string::String, vec::Vec};
use core::str;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use thiserror::Error;

/// The key of a client: 16 random bytes in base64 (RFC 6455 section 4.1).
pub(super) fn encode_key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    STANDARD
        .encode_slice(nonce, &mut key)
        .expect("16 bytes are 24 characters of base64");
    key
}

/// A valid Sec-WebSocket-Key (RFC 6455 section 11.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<'a>(&'a [u8; 24]);

impl<'a> From<&'a [u8; 24]> for Key<'a> {
    /// Takes a key of our own.
    fn from(key: &'a [u8; 24]) -> Self {
        Self(key)
    }
}

impl<'a> Key<'a> {
    /// Takes 22 characters of the base64 alphabet and `==`: what decodes to 16 bytes.
    ///
    /// The four bits that the last character has too many are ignored, as they are set in the sample
    /// of RFC 6455 section 4.1 itself.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let key: &[u8; 24] = trim(value).try_into().ok()?;
        let digits = key.strip_suffix(b"==")?;
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        digits.iter().all(is_digit).then_some(Self(key))
    }

    /// The Sec-WebSocket-Accept that answers it: computed from the characters as they came
    /// (RFC 6455 section 4.2.2).
    pub(super) fn accept(self) -> [u8; 28] {
        const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let digest = Sha1::new_with_prefix(self.0).chain_update(GUID).finalize();
        let mut accept = [0; 28];
        STANDARD
            .encode_slice(digest, &mut accept)
            .expect("20 bytes are 28 characters of base64");
        accept
    }
}

/// The value that sends a user and a password (RFC 7617 section 2). `None`: the user has a colon or one
/// of the two a control character in it.
pub(crate) fn basic(user: &str, password: &str) -> Option<String> {
    if user.contains(':') || [user, password].concat().contains(char::is_control) {
        return None;
    }
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    Some(format!("Basic {credentials}"))
}

/// What is wrong with the Sec-WebSocket-Protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidSubprotocols {
    /// No list of tokens, or an empty one.
    Malformed,
    /// The same one twice.
    Repeated,
}

/// Checks all fields of Sec-WebSocket-Protocol, if there are any: together they are a list of tokens
/// without a repetition (RFC 6455 sections 4.1 and 11.3.4).
pub(super) fn check_subprotocols<'a>(
    values: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<(), InvalidSubprotocols> {
    if values.clone().next().is_none() {
        return Ok(());
    }
    let offers: Option<Vec<&str>> = values.flat_map(elements).map(token).collect();
    let mut offers = offers.ok_or(InvalidSubprotocols::Malformed)?;
    if offers.is_empty() {
        return Err(InvalidSubprotocols::Malformed);
    }
    // Sorted, because comparing each with each would be quadratic in what the peer sends.
    offers.sort_unstable();
    if offers
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
    {
        return Err(InvalidSubprotocols::Repeated);
    }
    Ok(())
}

/// The elements of a list without whitespace around them. Empty ones count for nothing
/// (RFC 9110 section 5.6.1).
pub(super) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    list.split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Whether a list has this element, in any letter case.
pub(super) fn has_element(list: &[u8], wanted: &str) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The values of all fields of this name, in any letter case.
pub(super) fn values<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    wanted: &'static str,
) -> impl Iterator<Item = &'a [u8]> + Clone {
    headers
        .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

/// A header that may be there once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Field<'a> {
    #[default]
    Missing,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Field<'a> {
    pub(super) fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Missing => Self::Once(trim(value)),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    pub(super) fn required<E>(self, missing: E, repeated: E) -> Result<&'a [u8], E> {
        self.optional(repeated)?.ok_or(missing)
    }

    pub(super) fn optional<E>(self, repeated: E) -> Result<Option<&'a [u8]>, E> {
        match self {
            Self::Missing => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Repeated => Err(repeated),
        }
    }
}

/// Takes spaces and tabs off both ends.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The whole of `bytes` as a token (RFC 9110 section 5.6.2).
pub(super) fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = !bytes.is_empty() && bytes.iter().copied().all(is_token_char);
    str::from_utf8(bytes).ok().filter(|_| is_token)
}

pub(super) fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The application gave a header field that must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The name is not a token (RFC 9110 section 5.1).
    #[error("header name that is not a token")]
    Name,
    /// The value has a line break or another control character in it (RFC 9110 section 5.5), or one
    /// that such a value can't have.
    #[error("header value with a character that must not be in it")]
    Value,
    /// The field belongs to the handshake or tells where the message ends: Connection, Upgrade,
    /// Content-Length, Transfer-Encoding, Trailer and all that begin with `Sec-WebSocket-`.
    #[error("header that belongs to the handshake itself")]
    Reserved,
    /// A request has this header once, and it was given before: Origin, Authorization or Cookie.
    #[error("header that may be given only once")]
    Repeated,
}

/// Appends a header line, if it may be added to a message of ours.
pub(super) fn push_field(
    message: &mut Vec<u8>,
    name: &str,
    value: &[u8],
) -> Result<(), InvalidHeader> {
    if token(name.as_bytes()).is_none() {
        return Err(InvalidHeader::Name);
    }
    if is_reserved(name) {
        return Err(InvalidHeader::Reserved);
    }
    if value
        .iter()
        .any(|&byte| byte != b'\t' && byte.is_ascii_control())
    {
        return Err(InvalidHeader::Value);
    }
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        message.extend_from_slice(part);
    }
    Ok(())
}

/// Whether it is the name of a field that belongs to the handshake, or tells where a message ends.
pub(super) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 5] = [
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "trailer",
    ];
    let is = |reserved| name.eq_ignore_ascii_case(reserved);
    RESERVED.into_iter().any(is) || is_websocket(name)
}

/// Whether it is the name of a field that RFC 6455 section 11.3 defines, or could have.
pub(super) fn is_websocket(name: &str) -> bool {
    const PREFIX: &str = "sec-websocket-";
    name.get(..PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(key: &[u8]) -> Option<[u8; 28]> {
        Key::parse(key).map(Key::accept)
    }

    // req: HS-01, HS-12, HS-13
    #[test]
    fn key_is_answered_from_its_characters() {
        assert_eq!(
            accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            Some(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert_eq!(
            accept(b" \t dGhlIHNhbXBsZSBub25jZQ== \t"),
            accept(b"dGhlIHNhbXBsZSBub25jZQ==")
        );
        let sample = accept(b"AQIDBAUGBwgJCgsMDQ4PEC==");
        let canonical = accept(b"AQIDBAUGBwgJCgsMDQ4PEA==");
        assert!(sample.is_some() && canonical.is_some());
        assert_ne!(sample, canonical);
    }

    // req: HS-11
    #[test]
    fn key_must_be_16_bytes_in_base64() {
        for key in [
            &b""[..],
            b"====",
            b"dGhlIHNhbXBsZSBub25j",
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZWU=",
            b"dGhlIHNhbXBsZSBub25jZWVl",
            b"dGhlIHNhbXBsZSBub25jZQ===",
            b"dGhlIHNhbXBsZSBub25jZWVlZQ==",
            b"dGhlIHNhbXBs-SBub25jZQ==",
            b"dGhlIHNhbXBs_SBub25jZQ==",
            b"dGhlIHNhbXBs SBub25jZQ==",
            b"dGhlIHNhbX=sZSBub25jZQ==",
            b"dGhlIHNhbXBs\xe9SBub25jZQ==",
            b"dGhlIHNhbXBsZSBub25jZQ= =",
        ] {
            assert_eq!(Key::parse(key), None, "{key:?}");
        }
    }

    #[test]
    fn lists_are_split_at_commas_and_empty_elements_vanish() {
        let split = |list| elements(list).collect::<Vec<_>>();
        assert_eq!(split(b"a"), [b"a"]);
        assert_eq!(split(b" ,, \t a b\t,c ,"), [&b"a b"[..], b"c"]);
        assert!(split(b"").is_empty() && split(b" , ,\t").is_empty());
        assert!(has_element(b",, \t upgrade ,", "Upgrade"));
        assert!(!has_element(b"notupgrade, Upgradex, up grade", "upgrade"));
    }

    #[test]
    fn tokens_are_what_the_rfc_lists() {
        let allowed =
            b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        for byte in 0..=255 {
            assert_eq!(is_token_char(byte), allowed.contains(&byte), "{byte:#04x}");
        }
        assert_eq!(token(b"chat.v2"), Some("chat.v2"));
        assert_eq!(token(b""), None);
        assert_eq!(token(b"a b"), None);
    }

    // req: HS-22, HS-23
    #[test]
    fn subprotocols_are_a_list_of_unique_tokens() {
        let check =
            |fields: &[&'static str]| check_subprotocols(fields.iter().map(|f| f.as_bytes()));
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&["a,,b"]), Ok(()));
        assert_eq!(check(&["a", "b"]), Ok(()));
        assert_eq!(check(&["", "b"]), Ok(()));
        assert_eq!(check(&["a, A"]), Ok(()));
        for malformed in ["", ",", "a b", "a;b", "\"a\"", "a/b", "é", "a, b c"] {
            let verdict = check(&[malformed]);
            assert_eq!(verdict, Err(InvalidSubprotocols::Malformed), "{malformed}");
        }
        let repeated = Err(InvalidSubprotocols::Repeated);
        assert_eq!(check(&["a, b, a"]), repeated);
        assert_eq!(check(&["a", "b, a"]), repeated);
    }

    // req: HS-51, HS-52
    #[test]
    fn only_harmless_fields_may_be_added() {
        let mut message = Vec::new();
        let mut push = |name, value| push_field(&mut message, name, value);
        assert_eq!(push("Set-Cookie", b"a=\tb \xff"), Ok(()));
        assert_eq!(push("x", b""), Ok(()));
        for name in ["", "a b", "a:", "a\r\n", "é", "a\0", "(a)"] {
            assert_eq!(push(name, b"v"), Err(InvalidHeader::Name), "{name:?}");
        }
        for value in [&b"a\r\nb"[..], b"\r", b"\n", b"\0", b"\x7f", b"\x1b[2J"] {
            assert_eq!(push("a", value), Err(InvalidHeader::Value), "{value:?}");
        }
        for name in [
            "Connection",
            "UPGRADE",
            "content-length",
            "Transfer-Encoding",
            "Trailer",
            "Sec-WebSocket-Accept",
            "sec-websocket-anything",
        ] {
            assert_eq!(push(name, b"v"), Err(InvalidHeader::Reserved), "{name}");
        }
        assert_eq!(message, b"Set-Cookie: a=\tb \xff\r\nx: \r\n");
    }
}
