//! What a connection tells its caller. Every event borrows the [`RecvBuf`](crate::RecvBuf) alone,
//! never the connection, so that an answer can be queued while the event is looked at.

use crate::{CloseFrame, ProtocolError};

/// What [`Connection::receive`](crate::Connection::receive) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A complete text message.
    Text(&'a str),
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A ping. The pong is queued already, unless [`Config::auto_pong`](crate::Config::auto_pong)
    /// is off or our Close frame is.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The peer's Close frame. The answer is queued already; what follows in the input is
    /// discarded (RFC 6455 section 7.1.1).
    Close(Option<CloseFrame<'a>>),
    /// The peer broke a rule. A Close frame with
    /// [`close_code`](ProtocolError::close_code) is queued: flush it, then drop the transport.
    Failed(ProtocolError),
}

/// What [`Connection::receive_part`](crate::Connection::receive_part) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartEvent<'a> {
    /// A part of a text message, cut at a character boundary.
    Text {
        /// The part; empty at most when it is the last.
        part: &'a str,
        /// Whether the message ends with it.
        last: bool,
    },
    /// A part of a binary message.
    Binary {
        /// The part; empty at most when it is the last.
        part: &'a [u8],
        /// Whether the message ends with it.
        last: bool,
    },
    /// As [`Event::Ping`]; may come between the parts of a message.
    Ping(&'a [u8]),
    /// As [`Event::Pong`]; may come between the parts of a message.
    Pong(&'a [u8]),
    /// As [`Event::Close`].
    Close(Option<CloseFrame<'a>>),
    /// As [`Event::Failed`]. Parts of a message that have been delivered stay incomplete.
    Failed(ProtocolError),
}

/// The two kinds of messages (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the other opcodes are reserved for a new protocol"
)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}
