//! What the adapter needs of a runtime: transports that are polled, and timers.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    future::Future,
    task::{Context, Poll},
};
use std::{
    io::{self, IoSlice},
    time::Instant,
};

/// A family of transports, and the timers that go with it: `tokio::Tokio` and `futures::Futures` are two.
pub trait Runtime {
    /// What wakes a task at a deadline.
    type Timer: Timer;
}

/// A future that is ready at a deadline. A connection has one at most, and that only from its first
/// deadline on.
pub trait Timer: Future<Output = ()> + Unpin {
    /// The time by the clock of the timers.
    #[must_use]
    fn now() -> Instant {
        Instant::now()
    }

    /// Ready at `deadline`. It may be late, but not early.
    fn at(deadline: Instant) -> Self;

    /// What it was made or reset for.
    fn deadline(&self) -> Instant;

    /// Becomes another one, ready at `deadline`.
    fn reset(&mut self, deadline: Instant);
}

/// A transport that is polled. It is implemented for all that implement the traits of the family `R`, such as
/// tokio's `AsyncRead` and `AsyncWrite`.
///
/// As with those, whoever polls last for reading is woken for reading, and whoever polls last for anything
/// else is woken for that.
pub trait Transport<R> {
    /// Reads into `buf`, and tells how much: 0 is the end.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes of `buf`, and tells how much.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes of `bufs` in one go, and tells how much.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Passes on what it has gathered.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that no more bytes follow; reading goes on.
    ///
    /// # Errors
    ///
    /// Those of the transport. They are ignored: the connection is at its end.
    fn poll_end_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}
