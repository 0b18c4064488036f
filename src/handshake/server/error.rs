//! Why a request is refused, and with what status.

use thiserror::Error;

use crate::handshake::{
    extension::InvalidExtensions, header::InvalidSubprotocols, http1::HeadError,
};

/// The client's request was refused: one variant for each cause.
///
/// It is no error of the server. The answer is a [`Response`](super::Response) whose body is the message
/// of the error; a [`Handshake`](super::Handshake) has queued it already. It holds no byte of the peer,
/// so it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is larger than [`Config::max_head_size`](super::Config::max_head_size).
    #[error("request head too large")]
    HeadTooLarge,
    /// The target is longer than [`Config::max_target_size`](super::Config::max_target_size).
    #[error("request target too long")]
    TargetTooLong,
    /// There are more header lines than [`Config::max_headers`](super::Config::max_headers).
    #[error("too many headers")]
    TooManyHeaders,
    /// A CR or LF that is not part of a line break (RFC 9112 section 2.2).
    #[error("line break that is not CR LF")]
    BareLineBreak,
    /// A control character (RFC 9110 section 5.5). This is what TLS on a plain port looks like.
    #[error("control character in the request head")]
    ControlCharacter,
    /// A header line that continues the one before it (RFC 9112 section 5.2).
    #[error("folded header line")]
    FoldedHeader,
    /// The first line is not a method, a target and a version (RFC 9112 section 3).
    #[error("malformed request line")]
    InvalidRequestLine,
    /// The version is not HTTP/1.1.
    #[error("HTTP version other than 1.1")]
    UnsupportedHttpVersion,
    /// The method is not GET (RFC 6455 section 4.2.1).
    #[error("method other than GET")]
    MethodNotAllowed,
    /// A header line without a colon, or whose name is not a token (RFC 9112 section 5).
    #[error("malformed header line")]
    InvalidHeaderLine,
    /// The target is neither in origin form nor in absolute form (RFC 9112 section 3.2).
    #[error("malformed request target")]
    InvalidTarget,
    /// There is no Host header (RFC 9112 section 3.2).
    #[error("missing Host")]
    MissingHost,
    /// There are several Host headers.
    #[error("repeated Host")]
    RepeatedHost,
    /// The Host is not a host with an optional port.
    #[error("malformed Host")]
    InvalidHost,
    /// The Content-Length is not a number, or there are several.
    #[error("malformed or repeated Content-Length")]
    InvalidContentLength,
    /// The request has a body, which nobody would read.
    #[error("request with a body")]
    UnexpectedBody,
    /// There are several Origin headers.
    #[error("repeated Origin")]
    RepeatedOrigin,
    /// Headers of a WebSocket handshake, but no Upgrade to `websocket`. Typical of a proxy that has
    /// not been told to forward it.
    #[error("WebSocket handshake without Upgrade: websocket")]
    MissingUpgrade,
    /// An Upgrade to `websocket`, but no `Upgrade` in Connection.
    #[error("WebSocket handshake without Connection: Upgrade")]
    MissingConnectionUpgrade,
    /// There is no Sec-WebSocket-Version.
    #[error("missing Sec-WebSocket-Version")]
    MissingVersion,
    /// There are several Sec-WebSocket-Version headers (RFC 6455 section 11.3.5).
    #[error("repeated Sec-WebSocket-Version")]
    RepeatedVersion,
    /// The Sec-WebSocket-Version is not 13.
    #[error("Sec-WebSocket-Version other than 13")]
    UnsupportedVersion,
    /// There is no Sec-WebSocket-Key.
    #[error("missing Sec-WebSocket-Key")]
    MissingKey,
    /// There are several Sec-WebSocket-Key headers (RFC 6455 section 11.3.1).
    #[error("repeated Sec-WebSocket-Key")]
    RepeatedKey,
    /// The Sec-WebSocket-Key is not 16 bytes in base64.
    #[error("malformed Sec-WebSocket-Key")]
    InvalidKey,
    /// The Sec-WebSocket-Protocol is not a list of tokens (RFC 6455 section 4.1).
    #[error("malformed Sec-WebSocket-Protocol")]
    InvalidSubprotocols,
    /// A subprotocol is offered twice (RFC 6455 section 4.1).
    #[error("repeated subprotocol")]
    RepeatedSubprotocol,
    /// The Sec-WebSocket-Extensions do not follow their grammar (RFC 6455 section 9.1).
    #[error("malformed Sec-WebSocket-Extensions")]
    InvalidExtensions,
    /// More than 16 extensions, or one with more than 16 parameters.
    #[error("too many extensions")]
    TooManyExtensions,
    /// The [`OriginPolicy`](super::OriginPolicy) does not allow the Origin.
    #[error("Origin not allowed")]
    OriginNotAllowed,
}

impl HandshakeError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BareLineBreak
            | Self::ControlCharacter
            | Self::FoldedHeader
            | Self::InvalidRequestLine
            | Self::InvalidHeaderLine
            | Self::InvalidTarget
            | Self::MissingHost
            | Self::RepeatedHost
            | Self::InvalidHost
            | Self::InvalidContentLength
            | Self::UnexpectedBody
            | Self::RepeatedOrigin
            | Self::MissingConnectionUpgrade
            | Self::MissingKey
            | Self::RepeatedKey
            | Self::InvalidKey
            | Self::InvalidSubprotocols
            | Self::RepeatedSubprotocol
            | Self::InvalidExtensions
            | Self::TooManyExtensions => 400,
            Self::OriginNotAllowed => 403,
            Self::MethodNotAllowed => 405,
            Self::TargetTooLong => 414,
            Self::MissingUpgrade
            | Self::MissingVersion
            | Self::RepeatedVersion
            | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::UnsupportedHttpVersion => 505,
        }
    }
}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::TargetTooLong => Self::TargetTooLong,
            HeadError::TooManyHeaders => Self::TooManyHeaders,
            HeadError::BareLineBreak => Self::BareLineBreak,
            HeadError::ControlCharacter => Self::ControlCharacter,
            HeadError::FoldedHeader => Self::FoldedHeader,
        }
    }
}

impl From<InvalidSubprotocols> for HandshakeError {
    fn from(error: InvalidSubprotocols) -> Self {
        match error {
            InvalidSubprotocols::Malformed => Self::InvalidSubprotocols,
            InvalidSubprotocols::Repeated => Self::RepeatedSubprotocol,
        }
    }
}

impl From<InvalidExtensions> for HandshakeError {
    fn from(error: InvalidExtensions) -> Self {
        match error {
            InvalidExtensions::Malformed => Self::InvalidExtensions,
            InvalidExtensions::TooMany => Self::TooManyExtensions,
        }
    }
}
