//! The server's reading of a request's headers (RFC 6455 section 4.2.1), whoever has parsed them.
//!
//! Checks are made in the order of the functions' lines, always: the first one that fails is the
//! answer. Headers are looked at in one pass; nothing is kept in a map.

use super::HandshakeError;
use crate::handshake::{
    authority::Authority,
    extension,
    header::{Field, Key, check_subprotocols, has_element, is_websocket, values},
    origin::OriginPolicy,
};

/// What a valid request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// No upgrade to this protocol.
    Plain,
    /// A WebSocket: the Sec-WebSocket-Accept to answer with.
    WebSocket { accept: [u8; 28] },
}

/// Checks the headers of a GET request. `target` is the authority in its target, if there is one.
pub(super) fn check<'a>(
    target: Option<Authority<'a>>,
    headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    policy: &OriginPolicy,
) -> Result<Wish, HandshakeError> {
    use HandshakeError as E;

    let fields = Fields::collect(headers.clone());
    let host = fields.host.required(E::MissingHost, E::RepeatedHost)?;
    let host = Authority::parse(host).ok_or(E::InvalidHost)?;
    // "the origin server MUST ignore the received Host header field (if any) and instead replace it
    // with the host information of the request-target" (RFC 9112 section 3.2.2).
    let host = target.unwrap_or(host);
    check_body(&fields)?;
    let origin = fields.origin.optional(E::RepeatedOrigin)?;

    if !fields.upgrade && !fields.websocket {
        return Ok(Wish::Plain);
    }
    if !fields.upgrade {
        return Err(E::MissingUpgrade);
    }
    if !fields.connection {
        return Err(E::MissingConnectionUpgrade);
    }
    let version = fields.version;
    if version.required(E::MissingVersion, E::RepeatedVersion)? != b"13" {
        return Err(E::UnsupportedVersion);
    }
    let key = fields.key.required(E::MissingKey, E::RepeatedKey)?;
    let key = Key::parse(key).ok_or(E::InvalidKey)?;
    if fields.subprotocols {
        check_subprotocols(values(headers.clone(), "sec-websocket-protocol"))?;
    }
    if fields.extensions {
        extension::check(values(headers, "sec-websocket-extensions"))?;
    }
    if !policy.allows(origin, host) {
        return Err(E::OriginNotAllowed);
    }
    Ok(Wish::WebSocket {
        accept: key.accept(),
    })
}

/// A request with a body is refused: its bytes would be read as frames, or as another request
/// (RFC 9112 section 11.2).
fn check_body(fields: &Fields<'_>) -> Result<(), HandshakeError> {
    let length = fields.content_length;
    if let Some(length) = length.optional(HandshakeError::InvalidContentLength)? {
        if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
            return Err(HandshakeError::InvalidContentLength);
        }
        if length.iter().any(|&digit| digit != b'0') {
            return Err(HandshakeError::UnexpectedBody);
        }
    }
    if fields.transfer_encoding {
        return Err(HandshakeError::UnexpectedBody);
    }
    Ok(())
}

/// What the handshake reads of the headers.
#[derive(Debug, Default)]
struct Fields<'a> {
    host: Field<'a>,
    origin: Field<'a>,
    key: Field<'a>,
    version: Field<'a>,
    content_length: Field<'a>,
    transfer_encoding: bool,
    /// Whether Upgrade has `websocket` in it.
    upgrade: bool,
    /// Whether Connection has `Upgrade` in it.
    connection: bool,
    /// Whether there is any header of the WebSocket protocol, and of these two.
    websocket: bool,
    subprotocols: bool,
    extensions: bool,
}

impl<'a> Fields<'a> {
    fn collect(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            let is = |known| name.eq_ignore_ascii_case(known);
            if is("host") {
                fields.host.add(value);
            } else if is("upgrade") {
                fields.upgrade |= has_element(value, "websocket");
            } else if is("connection") {
                fields.connection |= has_element(value, "upgrade");
            } else if is("origin") {
                fields.origin.add(value);
            } else if is("content-length") {
                fields.content_length.add(value);
            } else if is("transfer-encoding") {
                fields.transfer_encoding = true;
            } else if is_websocket(name) {
                fields.websocket = true;
                if is("sec-websocket-key") {
                    fields.key.add(value);
                } else if is("sec-websocket-version") {
                    fields.version.add(value);
                } else if is("sec-websocket-protocol") {
                    fields.subprotocols = true;
                } else if is("sec-websocket-extensions") {
                    fields.extensions = true;
                }
            }
        }
        fields
    }
}
