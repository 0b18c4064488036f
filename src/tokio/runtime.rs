//! Tokio's transports and timers.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::{
    boxed::Box,
    io::{self, IoSlice},
    time::Instant,
};

use ::tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::nonblocking::{self, Runtime, Transport};

/// The family of transports with tokio's `AsyncRead` and `AsyncWrite`, and of its timers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tokio;

impl Runtime for Tokio {
    type Timer = Timer;
}

/// A timer of tokio. It needs a runtime whose time is enabled, and keeps to a clock that was
/// [paused](https://docs.rs/tokio/1/tokio/time/fn.pause.html).
#[derive(Debug)]
pub struct Timer(Pin<Box<Sleep>>);

impl nonblocking::Timer for Timer {
    fn now() -> Instant {
        ::tokio::time::Instant::now().into_std()
    }

    fn at(deadline: Instant) -> Self {
        Self(Box::pin(::tokio::time::sleep_until(deadline.into())))
    }

    fn deadline(&self) -> Instant {
        self.0.deadline().into_std()
    }

    fn reset(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline.into());
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<Tokio> for S {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(self).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
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
        Pin::new(self).poll_shutdown(cx)
    }
}
