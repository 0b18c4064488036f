//! What the adapters have in common: when to write, what an error of a transport means, and what a
//! WebSocket is made of. No I/O of its own.

mod flushing;
mod lost;
mod parts;

use std::{io, time::Duration};

use bytes::Buf as _;

pub(crate) use flushing::Flushing;
pub(crate) use lost::Lost;
pub use parts::Parts;

use crate::{Connection, Error, RecvBuf, SendError, TimedOut};

/// Replies gather up to here before they are written.
pub(crate) const GATHER: usize = 64 * 1024;
/// The largest message that a byte stream sends: what any peer's limit allows.
pub(crate) const LARGEST: usize = 64 * 1024;
/// What is read of a peer that sends on although the connection has ended, and how long. A socket that is
/// closed with unread input resets the connection, which destroys what is still on its way to the peer
/// (RFC 6455 section 7.1.1).
pub(crate) const LINGER_BYTES: u32 = 16 << 20;
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// What is due of a connection, and when to look again.
pub(crate) type Clock = fn(&mut Connection, Duration) -> Result<Option<Duration>, TimedOut>;

/// Whether there is nothing to receive: of messages, or of their parts.
#[cfg(feature = "nonblocking")]
pub(crate) type WantsRead = fn(&mut Connection, &mut RecvBuf) -> bool;

/// What is due at `now`, and when to look again: the deadlines of the connection, and that of what
/// the transport has gathered, of which the connection does not know.
pub(crate) fn due(
    connection: &mut Connection,
    flushing: &mut Flushing,
    clock: Clock,
    now: Duration,
) -> Result<Option<Duration>, TimedOut> {
    let due = clock(connection, now)?;
    let flush_due = flushing.due(now, connection.write_timeout());
    let flush_due = flush_due.inspect_err(|_| {
        connection.handle_write_error();
        connection.give_up();
    })?;
    Ok(earlier(due, flush_due))
}

/// Whether as much is queued as should be written before more is.
pub(crate) fn has_gathered(connection: &mut Connection) -> bool {
    connection.send_buf().remaining() >= connection.max_queued().clamp(1, GATHER)
}

/// The transport has ended: as it should, or because of `error`.
pub(crate) fn ended_by(connection: &mut Connection, error: Option<Error>) -> Result<(), Error> {
    match connection.receive_eof() {
        Ok(()) => Ok(()),
        Err(eof) => Err(error.unwrap_or_else(|| eof.into())),
    }
}

pub(crate) fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// Whether an error says that the peer is gone: it may have said all it wanted before.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, NetworkUnreachable,
        TimedOut, WriteZero,
    };

    // TCP has given up. A limit that has passed is called something else there.
    let is_of_tcp = cfg!(unix) && error.raw_os_error().is_some();
    matches!(
        error.kind(),
        BrokenPipe
            | ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | WriteZero
    ) || error.kind() == TimedOut && is_of_tcp
}

/// Whether an error says no more than that the transport did not want to wait.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// As [`Connection::wants_read_part`], for streams of bytes: somebody may have waited for a whole message before
/// there was such a stream, and the peer have begun one. It is found as the last part of itself.
pub(crate) fn wants_read_any_part(connection: &mut Connection, rx: &mut RecvBuf) -> bool {
    if connection.is_joining() {
        connection.wants_read(rx)
    } else {
        connection.wants_read_part(rx)
    }
}

/// An error of a WebSocket that is used as a stream of bytes.
pub(crate) fn into_io(error: Error) -> io::Error {
    if let Error::Io(error) = error {
        return error;
    }
    if let Error::Send(SendError::BufferFull { .. }) = error {
        // A transport that does not block, and that would have to before there is room.
        return io::ErrorKind::WouldBlock.into();
    }
    io::Error::other(error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn time_out_of_tcp_is_none_of_ours() {
        // ETIMEDOUT and EAGAIN.
        let [of_tcp, of_a_limit] = [110, 11].map(io::Error::from_raw_os_error);
        assert!(is_gone(&of_tcp) && !is_gone(&of_a_limit));
        let of_a_layer = io::ErrorKind::TimedOut.into();
        assert!(!is_gone(&of_a_layer) && is_passing(&of_a_layer) && is_passing(&of_a_limit));
    }
}
