//! The client's reading of a 101's headers (RFC 6455 section 4.1), whoever has parsed them.
//!
//! Checks are made in the order of the functions' lines, always: the first one that fails is the
//! error.

use super::{Config, HandshakeError};
use crate::{
    deflate::{
        Codec, Deflate,
        negotiate::{self, NAME},
    },
    handshake::{
        extension,
        header::{Field, elements, has_element, token, values},
    },
};

/// What the client has asked for, and needs to compare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The answer to its key.
    accept: &'a [u8; 28],
    /// A list of subprotocols.
    subprotocols: &'a str,
    require_subprotocol: bool,
    /// The options that permessage-deflate was offered for.
    deflate: Option<&'a Deflate>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(accept: &'a [u8; 28], subprotocols: &'a str, config: &'a Config) -> Self {
        Self {
            accept,
            subprotocols,
            require_subprotocol: config.require_subprotocol,
            deflate: config.connection.deflate.as_ref(),
        }
    }
}

/// Checks the headers of a 101, and tells which subprotocol was selected and what was agreed on about
/// compression.
pub(super) fn check<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    asked: Asked<'_>,
) -> Result<(Option<&'a str>, Option<Codec>), HandshakeError> {
    use HandshakeError as E;

    let once = |name| {
        let mut field = Field::default();
        values(headers.clone(), name).for_each(|value| field.add(value));
        field
    };
    let upgrade = once("upgrade").required(E::InvalidUpgrade, E::InvalidUpgrade)?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return Err(E::InvalidUpgrade);
    }
    if !values(headers.clone(), "connection").any(|list| has_element(list, "upgrade")) {
        return Err(E::MissingConnectionUpgrade);
    }
    let accept = once("sec-websocket-accept").required(E::MissingAccept, E::RepeatedAccept)?;
    // As text: decoding would find different texts equal.
    if accept != asked.accept {
        return Err(E::WrongAccept);
    }
    let extensions = || values(headers.clone(), "sec-websocket-extensions");
    extension::check(extensions()).map_err(|_| E::InvalidExtensions)?;
    let mut codec = None;
    for extension in extension::extensions(extensions()).flatten() {
        let offered = asked.deflate.filter(|_| extension.name == NAME);
        let options = offered.ok_or(E::ExtensionNotOffered)?;
        let agreement = negotiate::confirm(options, &extension);
        let agreement = agreement.map_err(|_| E::InvalidExtensionParameters)?;
        if codec.replace(Codec::new(options, &agreement)).is_some() {
            return Err(E::RepeatedExtension);
        }
    }
    let subprotocol = once("sec-websocket-protocol").optional(E::InvalidSubprotocol)?;
    let Some(name) = subprotocol else {
        return if asked.require_subprotocol && !asked.subprotocols.is_empty() {
            Err(E::MissingSubprotocol)
        } else {
            Ok((None, codec))
        };
    };
    let name = token(name).ok_or(E::InvalidSubprotocol)?;
    if !elements(asked.subprotocols.as_bytes()).any(|offer| offer == name.as_bytes()) {
        return Err(E::SubprotocolNotOffered);
    }
    Ok((Some(name), codec))
}
