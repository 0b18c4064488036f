//! What can go wrong after the opening handshake, one type for each party that is at fault: the
//! peer ([`ProtocolError`]), our caller ([`SendError`]), the transport ([`UnexpectedEof`]) and time
//! ([`TimedOut`]). No error holds bytes of the peer, so each can be
//! logged as it is, but for [`Error::Io`] of a transport of your own: TLS may name what is in a certificate.

#[cfg(feature = "std")]
use std::boxed::Box;

use thiserror::Error;

use crate::{CloseCode, frame::HeaderError};
#[cfg(feature = "std")]
use crate::{client, connect::ConnectError, server};

/// The peer broke a rule, and the connection was failed for it (RFC 6455 section 7.1.7).
///
/// A Close frame with [`close_code`](Self::close_code) is queued, nothing that the peer sends
/// afterwards is looked at, and nothing more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A header that no extension could make legal: a reserved opcode, a length that is not
    /// minimal, a fragmented or oversized control frame (RFC 6455 sections 5.2 and 5.5).
    #[error("frame header broke the rules: {0}")]
    Header(#[from] HeaderError),
    /// A reserved bit is set although no extension gave it a meaning (RFC 6455 section 5.2).
    #[error("reserved bits {bits:#04x} set in the first byte of a frame")]
    ReservedBits {
        /// The bits at their place in the first byte: 0x40, 0x20 and 0x10.
        bits: u8,
    },
    /// A client sent a frame without a mask (RFC 6455 section 5.1).
    #[error("frame of a client without a mask")]
    UnmaskedFrame,
    /// A server sent a frame with a mask (RFC 6455 section 5.1).
    #[error("frame of a server with a mask")]
    MaskedFrame,
    /// A continuation frame with no message to continue (RFC 6455 section 5.4).
    #[error("continuation frame outside of a message")]
    UnexpectedContinuation,
    /// A text or binary frame inside another fragmented message (RFC 6455 section 5.4).
    #[error("new message inside of a fragmented message")]
    InterleavedMessage,
    /// A text message or the reason of a Close frame is not UTF-8 (RFC 6455 section 8.1).
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    /// The payload of a compressed message does not decompress (RFC 7692 section 7.2.2).
    #[error("compressed message that does not decompress")]
    InvalidCompression,
    /// A Close frame whose payload is a single byte (RFC 6455 section 5.5.1).
    #[error("close frame with a payload of one byte")]
    TruncatedCloseCode,
    /// A Close frame with a code that must not appear on the wire (RFC 6455 section 7.4).
    #[error("close frame with the code {}, which must not be sent", .0.get())]
    InvalidCloseCode(CloseCode),
    /// The payload of a frame is larger than [`Config::max_frame_size`](crate::Config::max_frame_size).
    #[error("frame of {size} bytes, the limit is {limit}")]
    FrameTooBig {
        /// The payload length that the header announced.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A message is larger than [`Config::max_message_size`](crate::Config::max_message_size).
    #[error("message of at least {size} bytes, the limit is {limit}")]
    MessageTooBig {
        /// The bytes so far, with those that the last header announced. Of a compressed message: decompressed
        /// ones, as far as it was looked at.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A message came in more frames than [`Config::max_fragments`](crate::Config::max_fragments).
    #[error("message in more than {limit} frames")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
    /// More pings came than [`Config::max_pings_per_second`](crate::Config::max_pings_per_second).
    #[error("more than {limit} pings in a second")]
    TooManyPings {
        /// The limit.
        limit: u32,
    },
    /// A message was not complete within [`Config::message_timeout`](crate::Config::message_timeout).
    #[error("message took too long to arrive")]
    MessageTooSlow,
    /// A text message came to an endpoint that [accepts](crate::Config::accepts) none.
    #[error("text message, which is not accepted here")]
    UnacceptableText,
    /// A binary message came to an endpoint that [accepts](crate::Config::accepts) none.
    #[error("binary message, which is not accepted here")]
    UnacceptableBinary,
}

impl ProtocolError {
    /// The code of the Close frame that answers the error (RFC 6455 section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Header(_)
            | Self::ReservedBits { .. }
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::UnexpectedContinuation
            | Self::InterleavedMessage
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::UnacceptableText | Self::UnacceptableBinary => CloseCode::UNSUPPORTED_DATA,
            Self::InvalidUtf8 | Self::InvalidCompression => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments { .. } | Self::TooManyPings { .. } | Self::MessageTooSlow => {
                CloseCode::POLICY_VIOLATION
            }
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
        }
    }
}

/// A command was refused. Nothing was queued, and the connection is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame has been sent, or the connection has ended: nothing may follow
    /// (RFC 6455 section 5.5.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// The unsent bytes have reached [`Config::max_queued`](crate::Config::max_queued): write some
    /// of them first.
    #[error("{queued} bytes are queued already")]
    BufferFull {
        /// How many bytes are queued.
        queued: usize,
    },
    /// A message was begun with `start_message` and is not finished
    /// (RFC 6455 section 5.4: messages must not be interleaved).
    #[error("another message is being sent in parts")]
    MessageInProgress,
    /// A part of a message was given, but none was begun.
    #[error("no message has been started")]
    NoMessage,
    /// The bytes of a text message are not UTF-8.
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    /// The payload of a ping or pong is over 125 bytes (RFC 6455 section 5.5).
    #[error("control payload of {size} bytes, the limit is 125")]
    ControlTooLong {
        /// Its size.
        size: usize,
    },
    /// The reason of a Close frame is over 123 bytes (RFC 6455 sections 5.5 and 5.5.1).
    #[error("close reason of {size} bytes, the limit is 123")]
    ReasonTooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// The code must not be sent by this endpoint (RFC 6455 section 7.4).
    #[error("close code {} must not be sent by this endpoint", .0.get())]
    CodeNotSendable(CloseCode),
}

/// The transport ended without a closing handshake: the close code is 1006
/// (RFC 6455 section 7.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the transport ended without a closing handshake")]
pub struct UnexpectedEof;

/// What can go wrong with a connection over a real transport: the one error of all adapters.
///
/// What had arrived before has been delivered. After [`Send`](Self::Send) and
/// [`Request`](Self::Request), which change nothing, go on as you like; after [`Io`](Self::Io) of a write,
/// what the peer has sent can still be received, and after one that says no more than that the transport
/// would block, call again. After anything else nothing is left to do but to drop the connection.
#[cfg(feature = "std")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed, or could not be opened.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer broke a rule.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The transport ended without a closing handshake.
    #[error(transparent)]
    Eof(#[from] UnexpectedEof),
    /// A deadline has passed.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A command was refused. The connection is as it was before.
    #[error(transparent)]
    Send(#[from] SendError),
    /// What to connect to, or what to ask for there, is not valid. Nothing was connected.
    #[error(transparent)]
    Request(#[from] client::InvalidRequest),
    /// There is no transport to do the opening handshake on.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// The server answered with something else than 101: why is in its answer.
    #[error("the server refused with status {}", .0.status())]
    Refused(Box<client::Response>),
    /// The server's answer is against the rules of the opening handshake.
    #[error("the server's handshake failed: {0}")]
    Handshake(#[from] client::HandshakeError),
    /// The client's request was refused. It was told why, as far as it took the answer.
    #[error("the client's handshake was refused: {0}")]
    Rejected(#[from] server::HandshakeError),
    /// The client asked for something else than a WebSocket, and was told so (426), as far as it took
    /// the answer.
    #[error("the client asked for no WebSocket")]
    NoUpgrade,
    /// The transport ended inside the opening handshake.
    #[error(transparent)]
    Aborted(#[from] server::Aborted),
}

#[cfg(feature = "std")]
impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

/// A deadline has passed. Nothing is left to be done but to drop the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TimedOut {
    /// The opening handshake took too long.
    #[error("the opening handshake took too long")]
    Handshake,
    /// The peer did not finish the closing handshake.
    #[error("the closing handshake took too long")]
    Close,
    /// The peer took none of the bytes that wait for it.
    #[error("the peer reads nothing")]
    Write,
    /// The peer is silent, also after a ping.
    #[error("the peer is silent")]
    Keepalive,
}
