//! The transports of `futures`, and a timer for those who have none.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};
use std::{
    io::{self, IoSlice},
    time::Instant,
};

use futures_io::{AsyncRead, AsyncWrite};

use crate::nonblocking::{Runtime, Timer, Transport};

/// The family of transports with the `AsyncRead` and `AsyncWrite` of `futures`, with timers `T`, because
/// `futures` has none.
pub struct Futures<T>(PhantomData<fn() -> T>);

impl<T: Timer> Runtime for Futures<T> {
    type Timer = T;
}

impl<T> fmt::Debug for Futures<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Futures")
    }
}

/// No timer: a deadline is noticed when the WebSocket is polled for another reason, and a peer that is
/// silent, does not read or does not answer a Close frame can keep a call waiting for ever.
#[derive(Clone, Copy, Debug)]
pub struct Untimed(Instant);

impl Future for Untimed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Timer for Untimed {
    fn at(deadline: Instant) -> Self {
        Self(deadline)
    }

    fn deadline(&self) -> Instant {
        self.0
    }

    fn reset(&mut self, deadline: Instant) {
        self.0 = deadline;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, T> Transport<Futures<T>> for S {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_flush(cx)
    }

    fn poll_end_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_close(cx)
    }
}
