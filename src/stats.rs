//! Counters of one connection: plain numbers, to be read whenever a caller likes.

use core::time::Duration;

use crate::CloseCode;

/// What a connection has seen so far, from [`Connection::stats`](crate::Connection::stats).
///
/// Bytes are those of frames on the wire, headers included. A received frame counts when it is
/// complete and has broken no rule, a sent one when it is queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Frames received, of every kind.
    pub frames_received: u64,
    /// Messages received completely.
    pub messages_received: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Pings received.
    pub pings_received: u64,
    /// Pongs received, asked for or not.
    pub pongs_received: u64,
    /// Frames queued, of every kind.
    pub frames_sent: u64,
    /// Messages queued completely.
    pub messages_sent: u64,
    /// Bytes queued.
    pub bytes_sent: u64,
    /// Pings queued, those of the keepalive included.
    pub pings_sent: u64,
    /// The time from the latest answered keepalive ping to its pong.
    ///
    /// Measured on the scale of [`handle_timeout`](crate::Connection::handle_timeout), from the
    /// call that queued the ping to the first call after the pong was received.
    pub round_trip_time: Option<Duration>,
    /// The code of the Close frame we queued; 1005 stands for one without a code.
    pub close_code_sent: Option<CloseCode>,
    /// The code of the peer's Close frame; 1005 stands for one without a code.
    pub close_code_received: Option<CloseCode>,
}
