//! Gathering what is written, around libraries that write each message at once.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much is gathered at most.
const FULL: usize = 64 * 1024;
/// What is written in one piece of this size is not worth a copy.
const LARGE: usize = 16 * 1024;

/// A transport that keeps what is written to it until there is nothing more to read.
#[derive(Debug)]
pub struct Gather<S> {
    stream: S,
    queue: Vec<u8>,
    written: usize,
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            queue: Vec::new(),
            written: 0,
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.queue.len() {
            let rest = &self.queue[self.written..];
            self.written += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
        }
        self.queue.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// One write of what is queued and of `bufs`. How much of `bufs` it took: nothing, and some of the
    /// queue, is a write of its own.
    fn poll_write_through(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let queued = self.queue.len() - self.written;
            let mut all = vec![IoSlice::new(&self.queue[self.written..])];
            all.extend(bufs);
            let n = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))?;
            if n > queued {
                self.queue.clear();
                self.written = 0;
                return Poll::Ready(Ok(n - queued));
            }
            self.written += n;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        // The task is about to wait. If the peer does not take it all, the task is woken for either.
        if read.is_pending()
            && let Poll::Ready(Err(error)) = self.poll_drain(cx)
        {
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if len >= LARGE {
            return self.poll_write_through(cx, bufs);
        }
        if self.queue.len() + len > FULL {
            ready!(self.poll_drain(cx))?;
        }
        for buf in bufs {
            self.queue.extend_from_slice(buf);
        }
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Waits for `next`, which is not dropped on the way. If it is not there at once, `flush` comes first.
pub async fn or_flush<T, E>(
    next: impl Future<Output = T>,
    flush: impl Future<Output = Result<(), E>>,
) -> Result<T, E> {
    let mut next = pin!(next);
    if let Some(next) = next.as_mut().now_or_never() {
        return Ok(next);
    }
    flush.await?;
    Ok(next.await)
}
