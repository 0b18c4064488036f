//! Why a response fails the handshake.

use thiserror::Error;

use crate::handshake::http1::HeadError;

/// The server's response breaks the rules: one variant for each cause. No WebSocket byte was sent,
/// and nothing is left to do but to drop the transport.
///
/// It holds no byte of the peer, so it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is larger than [`Config::max_head_size`](super::Config::max_head_size).
    #[error("response head too large")]
    HeadTooLarge,
    /// There are more header lines than [`Config::max_headers`](super::Config::max_headers).
    #[error("too many headers")]
    TooManyHeaders,
    /// A CR or LF that is not part of a line break (RFC 9112 section 2.2).
    #[error("line break that is not CR LF")]
    BareLineBreak,
    /// A control character (RFC 9110 section 5.5). This is what a TLS server looks like without TLS.
    #[error("control character in the response head")]
    ControlCharacter,
    /// A header line that continues the one before it (RFC 9112 section 5.2).
    #[error("folded header line")]
    FoldedHeader,
    /// The first line is not a version and a status of three digits (RFC 9112 section 4).
    #[error("malformed status line")]
    InvalidStatusLine,
    /// A header line without a colon, or whose name is not a token (RFC 9112 section 5).
    #[error("malformed header line")]
    InvalidHeaderLine,
    /// More than 8 interim responses came before the final one (RFC 9110 section 15.2).
    #[error("too many interim responses")]
    TooManyInterimResponses,
    /// The version of a 101 is not HTTP/1.1.
    #[error("101 with an HTTP version other than 1.1")]
    UnsupportedHttpVersion,
    /// The Upgrade of a 101 is missing, or something else than `websocket` (RFC 6455 section 4.1).
    #[error("101 without Upgrade: websocket")]
    InvalidUpgrade,
    /// The Connection of a 101 does not list `Upgrade` (RFC 6455 section 4.1).
    #[error("101 without Connection: Upgrade")]
    MissingConnectionUpgrade,
    /// There is no Sec-WebSocket-Accept.
    #[error("missing Sec-WebSocket-Accept")]
    MissingAccept,
    /// There are several Sec-WebSocket-Accept headers (RFC 6455 section 11.3.3).
    #[error("repeated Sec-WebSocket-Accept")]
    RepeatedAccept,
    /// The Sec-WebSocket-Accept is not the one that answers the key: the server does not speak
    /// WebSocket, or the response was meant for somebody else.
    #[error("Sec-WebSocket-Accept that does not answer the key")]
    WrongAccept,
    /// The Sec-WebSocket-Extensions do not follow their grammar (RFC 6455 section 9.1).
    #[error("malformed Sec-WebSocket-Extensions")]
    InvalidExtensions,
    /// The server uses an extension that was not offered (RFC 6455 section 4.1).
    #[error("extension that was not offered")]
    ExtensionNotOffered,
    /// The parameters of an extension are not what was offered, or do not follow its rules
    /// (RFC 7692 section 7.1).
    #[error("extension with parameters that were not offered or are invalid")]
    InvalidExtensionParameters,
    /// The server uses an extension twice (RFC 7692 section 5).
    #[error("extension that is used twice")]
    RepeatedExtension,
    /// The Sec-WebSocket-Protocol is not one token, or there are several (RFC 6455 section 4.3).
    #[error("malformed or repeated Sec-WebSocket-Protocol")]
    InvalidSubprotocol,
    /// The server selected a subprotocol that was not offered in this letter case
    /// (RFC 6455 section 4.1).
    #[error("subprotocol that was not offered")]
    SubprotocolNotOffered,
    /// The server selected no subprotocol, but
    /// [`Config::require_subprotocol`](super::Config::require_subprotocol) is on.
    #[error("no subprotocol was selected")]
    MissingSubprotocol,
    /// The status of a response of the crate `http` is not 101: the server has refused, and the
    /// response says why.
    #[cfg(feature = "http")]
    #[error("refused with status {0}")]
    Refused(u16),
}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        match error {
            // There is no limit on the second word of a status line.
            HeadError::HeadTooLarge | HeadError::TargetTooLong => Self::HeadTooLarge,
            HeadError::TooManyHeaders => Self::TooManyHeaders,
            HeadError::BareLineBreak => Self::BareLineBreak,
            HeadError::ControlCharacter => Self::ControlCharacter,
            HeadError::FoldedHeader => Self::FoldedHeader,
        }
    }
}
