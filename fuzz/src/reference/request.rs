//! What a server has to make of a client's bytes (RFC 6455 section 4.2.1).

use framewire::server::HandshakeError;

use super::{
    authority::{Authority, authority},
    hash,
    head::{self, Flaw, Headers, Limits},
    values::{self, Wrong, extensions, has, is_token, offers},
};
use crate::http::Seen;

/// What the server puts up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
}

/// Which origins are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origins {
    Same,
    Listed(&'static [&'static str]),
    Any,
}

/// What must have come of all bytes.
#[derive(Debug)]
pub(crate) enum Expected {
    Incomplete,
    Plain(Seen),
    Upgrade {
        request: Seen,
        subprotocols: Vec<String>,
        accept: String,
        /// Where the first frame begins.
        behind: usize,
    },
    Rejected(Errors),
}

/// Why a request is refused: for one of these, if it is not said which comes first.
#[derive(Debug)]
pub(crate) struct Errors(pub(crate) Vec<HandshakeError>);

impl From<HandshakeError> for Errors {
    fn from(error: HandshakeError) -> Self {
        Self(vec![error])
    }
}

pub(crate) fn expect(rules: &Rules, bytes: &[u8]) -> Expected {
    read(rules, bytes).unwrap_or_else(Expected::Rejected)
}

fn read(rules: &Rules, bytes: &[u8]) -> Result<Expected, Errors> {
    use HandshakeError as E;

    let head = head::read(bytes, rules.limits).map_err(|flaw| match flaw {
        Flaw::HeadTooLarge => E::HeadTooLarge,
        Flaw::TargetTooLong => E::TargetTooLong,
        Flaw::TooManyHeaders => E::TooManyHeaders,
        Flaw::BareLineBreak => E::BareLineBreak,
        Flaw::ControlCharacter => E::ControlCharacter,
        Flaw::FoldedHeader => E::FoldedHeader,
    })?;
    let Some(head) = head else {
        return Ok(Expected::Incomplete);
    };
    let line = String::from_utf8_lossy(&head.first_line);
    let words: Vec<_> = line.split(' ').collect();
    let &[method, target, version] = &words[..] else {
        return Err(E::InvalidRequestLine.into());
    };
    let digits = version.strip_prefix("HTTP/").map(str::as_bytes);
    let is_version = matches!(digits, Some([b'0'..=b'9', b'.', b'0'..=b'9']));
    let is_target = !target.is_empty() && target.chars().all(|char| char.is_ascii_graphic());
    if !is_version || !is_target || !is_token(method.as_bytes()) {
        return Err(E::InvalidRequestLine.into());
    }
    if version != "HTTP/1.1" {
        return Err(E::UnsupportedHttpVersion.into());
    }
    if method != "GET" {
        return Err(E::MethodNotAllowed.into());
    }
    let headers = head.headers.ok_or(E::InvalidHeaderLine)?;
    let (address, path) = split_target(target).ok_or(E::InvalidTarget)?;

    let host = headers.once("host", E::MissingHost, E::RepeatedHost)?;
    let host = String::from_utf8_lossy(&host).into_owned();
    authority(&host).ok_or(E::InvalidHost)?;
    let host = address.unwrap_or(host);
    check_body(&headers)?;
    let origins = headers.all("origin");
    if origins.len() > 1 {
        return Err(E::RepeatedOrigin.into());
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_string())),
        None => (&path[..], None),
    };
    let request = Seen {
        target: target.into(),
        path: if path.is_empty() { "/" } else { path }.into(),
        query,
        host: host.clone(),
        origin: origins.first().cloned(),
        headers: headers.0.clone(),
    };
    if !is_websocket(&headers)? {
        return Ok(Expected::Plain(request));
    }
    let (accept, subprotocols) = check_websocket(&headers)?;
    if let Some(origin) = origins.first()
        && !is_allowed(rules.origins, origin, &host)
    {
        return Err(E::OriginNotAllowed.into());
    }
    Ok(Expected::Upgrade {
        request,
        subprotocols,
        accept,
        behind: head.len,
    })
}

/// The authority of a target, if it has one, and path and query.
fn split_target(target: &str) -> Option<(Option<String>, String)> {
    if target.contains('#') {
        return None;
    }
    if target.starts_with('/') {
        return Some((None, target.into()));
    }
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https", "ws", "wss"].contains(&&scheme.to_ascii_lowercase()[..]) {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    authority(&rest[..end])?;
    Some((Some(rest[..end].into()), rest[end..].into()))
}

/// A request may say that it has no body, but not have one.
fn check_body(headers: &Headers) -> Result<(), HandshakeError> {
    use HandshakeError as E;

    match &headers.all("content-length")[..] {
        [] => {}
        [length] if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            if length.iter().any(|&digit| digit != b'0') {
                return Err(E::UnexpectedBody);
            }
        }
        _ => return Err(E::InvalidContentLength),
    }
    match &headers.all("transfer-encoding")[..] {
        [] => Ok(()),
        _ => Err(E::UnexpectedBody),
    }
}

/// Whether a WebSocket is wanted.
fn is_websocket(headers: &Headers) -> Result<bool, HandshakeError> {
    let is_ours = |name: &str| name.to_ascii_lowercase().starts_with("sec-websocket-");
    let is_upgrade = has(&headers.all("upgrade"), "websocket");
    if !is_upgrade && headers.0.iter().any(|(name, _)| is_ours(name)) {
        return Err(HandshakeError::MissingUpgrade);
    }
    Ok(is_upgrade)
}

/// The answer to the key, and the offered subprotocols.
fn check_websocket(headers: &Headers) -> Result<(String, Vec<String>), Errors> {
    use HandshakeError as E;

    if !has(&headers.all("connection"), "upgrade") {
        return Err(E::MissingConnectionUpgrade.into());
    }
    let version = "sec-websocket-version";
    if headers.once(version, E::MissingVersion, E::RepeatedVersion)? != b"13" {
        return Err(E::UnsupportedVersion.into());
    }
    let key = headers.once("sec-websocket-key", E::MissingKey, E::RepeatedKey)?;
    let key = String::from_utf8_lossy(&key);
    if !is_key(&key) {
        return Err(E::InvalidKey.into());
    }
    let subprotocols =
        offers(&headers.all("sec-websocket-protocol")).map_err(|wrong| match wrong {
            Wrong::Malformed => E::InvalidSubprotocols,
            Wrong::Repeated => E::RepeatedSubprotocol,
        })?;
    check_extensions(&headers.all("sec-websocket-extensions"))?;
    Ok((hash::accept(&key), subprotocols))
}

/// What may be wrong with extensions.
pub(crate) fn check_extensions(fields: &[Vec<u8>]) -> Result<(), Errors> {
    let values::Extensions {
        malformed,
        too_many,
    } = extensions(fields);
    let malformed = malformed.then_some(HandshakeError::InvalidExtensions);
    let too_many = too_many.then_some(HandshakeError::TooManyExtensions);
    let errors: Vec<_> = malformed.into_iter().chain(too_many).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Errors(errors))
    }
}

/// Whether it is 16 bytes in base64.
fn is_key(key: &str) -> bool {
    let is_digit = |char: char| char.is_ascii_alphanumeric() || "+/".contains(char);
    key.len() == 24 && key.ends_with("==") && key[..22].chars().all(is_digit)
}

/// Whether pages of this origin may connect to this host.
fn is_allowed(origins: Origins, origin: &[u8], host: &str) -> bool {
    let parse = |origin: &[u8]| {
        let text = String::from_utf8_lossy(origin);
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let is_rest = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
        if !scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            || !scheme.chars().all(is_rest)
        {
            return None;
        }
        let Authority { host, port } = authority(rest)?;
        let default = match &scheme[..] {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        Some((scheme, host.to_ascii_lowercase(), port.or(default), default))
    };
    match origins {
        Origins::Any => true,
        Origins::Same => {
            let served = authority(host).expect("it was checked");
            parse(origin).is_some_and(|(_, host, port, default)| {
                host == served.host.to_ascii_lowercase()
                    && default.is_some()
                    && port == served.port.or(default)
            })
        }
        Origins::Listed(list) => {
            let origin = parse(origin);
            let mut listed = list.iter().map(|listed| parse(listed.as_bytes()));
            origin.is_some() && listed.any(|listed| listed == origin)
        }
    }
}
