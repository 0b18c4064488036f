//! What a client has to make of a server's bytes (RFC 6455 section 4.1).

use framewire::client::HandshakeError;

use super::{
    body::{self, Body},
    head::{self, Flaw, Head, Headers, Limits},
    values::{extensions, has, is_token},
};

/// What the client has asked for, and puts up with.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) max_body_size: usize,
    pub(crate) require_subprotocol: bool,
    pub(crate) offers: Vec<String>,
    pub(crate) accept: String,
}

/// What must have come of all bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Incomplete,
    Connected {
        headers: Headers,
        subprotocol: Option<String>,
        /// Where the first frame begins.
        behind: usize,
    },
    Refused {
        status: u16,
        headers: Headers,
        body: Body,
    },
    Failed(HandshakeError),
}

/// The most interim responses before the final one.
const MOST_INTERIM: usize = 8;

pub(crate) fn expect(rules: &Rules, bytes: &[u8]) -> Expected {
    read(rules, bytes).unwrap_or_else(Expected::Failed)
}

fn read(rules: &Rules, bytes: &[u8]) -> Result<Expected, HandshakeError> {
    use HandshakeError as E;

    let mut behind = 0;
    for interim in 0.. {
        let mut begin = bytes[behind..].iter().zip(b"HTTP/");
        if begin.any(|(byte, expected)| byte != expected) {
            return Err(E::InvalidStatusLine);
        }
        let head = head::read(&bytes[behind..], rules.limits).map_err(|flaw| match flaw {
            Flaw::HeadTooLarge => E::HeadTooLarge,
            Flaw::TooManyHeaders => E::TooManyHeaders,
            Flaw::BareLineBreak => E::BareLineBreak,
            Flaw::ControlCharacter => E::ControlCharacter,
            Flaw::FoldedHeader => E::FoldedHeader,
            Flaw::TargetTooLong => unreachable!("a response has none"),
        })?;
        let Some(head) = head else {
            return Ok(Expected::Incomplete);
        };
        behind += head.len;
        let (version, status) = status_line(&head).ok_or(E::InvalidStatusLine)?;
        let headers = head.headers.ok_or(E::InvalidHeaderLine)?;
        match status {
            101 if version != "1.1" => return Err(E::UnsupportedHttpVersion),
            101 => {
                let subprotocol = check(rules, &headers)?;
                return Ok(Expected::Connected {
                    headers,
                    subprotocol,
                    behind,
                });
            }
            100..200 if interim == MOST_INTERIM => return Err(E::TooManyInterimResponses),
            100..200 => {}
            _ => {
                let (max, rest) = (rules.max_body_size, &bytes[behind..]);
                return Ok(Expected::Refused {
                    status,
                    body: body::read(&version, status, &headers, max, rest),
                    headers,
                });
            }
        }
    }
    unreachable!("it ends with the bytes")
}

/// `HTTP-version SP status-code [ SP reason ]`, with a status from 100. The version is that of
/// `HTTP/`.
fn status_line(head: &Head) -> Option<(String, u16)> {
    // Empty lines may stand before a request, not before a response (RFC 9112 section 2.2).
    if head.is_late {
        return None;
    }
    let line: String = head.first_line.iter().map(|&byte| byte as char).collect();
    let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    let status = rest.split(' ').next()?;
    let (major, minor) = version.split_once('.')?;
    let is_digits = |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    let is_valid = is_digits(major, 1) && is_digits(minor, 1) && is_digits(status, 3);
    let status = status.parse().ok().filter(|&status| status >= 100)?;
    is_valid.then(|| (version.into(), status))
}

/// Whether the headers of a 101 answer the request: in this order, the first mistake counts.
fn check(rules: &Rules, headers: &Headers) -> Result<Option<String>, HandshakeError> {
    use HandshakeError as E;

    let upgrade = headers.once("upgrade", E::InvalidUpgrade, E::InvalidUpgrade)?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return Err(E::InvalidUpgrade);
    }
    if !has(&headers.all("connection"), "upgrade") {
        return Err(E::MissingConnectionUpgrade);
    }
    let accept = headers.once("sec-websocket-accept", E::MissingAccept, E::RepeatedAccept)?;
    if accept != rules.accept.as_bytes() {
        return Err(E::WrongAccept);
    }
    let fields = headers.all("sec-websocket-extensions");
    let wrong = extensions(&fields);
    if wrong.malformed || wrong.too_many {
        return Err(E::InvalidExtensions);
    }
    if !fields.is_empty() {
        return Err(E::ExtensionNotOffered);
    }
    match &headers.all("sec-websocket-protocol")[..] {
        [] if rules.require_subprotocol && !rules.offers.is_empty() => Err(E::MissingSubprotocol),
        [] => Ok(None),
        [name] if is_token(name) => {
            let name = String::from_utf8(name.clone()).expect("a token is ASCII");
            if rules.offers.contains(&name) {
                Ok(Some(name))
            } else {
                Err(E::SubprotocolNotOffered)
            }
        }
        _ => Err(E::InvalidSubprotocol),
    }
}
