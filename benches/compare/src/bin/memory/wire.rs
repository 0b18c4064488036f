//! The transport of every contestant: reads give the same bytes over and over, writes are counted. Nothing
//! ever has to wait, so that no runtime is in the figures.

use std::{
    cell::{Cell, RefCell},
    hint::black_box,
    io::{self, IoSlice, Read, Write},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that a read gives, as a busy socket does.
pub(crate) const MOST_READ: usize = 64 * 1024;

/// One end of a connection.
pub(crate) struct Wire {
    input: Bytes,
    at: usize,
    output: Rc<Output>,
    pause: Pause,
}

/// Whether reads have to wait.
#[derive(Clone, Copy)]
enum Pause {
    Never,
    /// Before the next read, as often as this.
    Next(u8),
    Over,
}

/// What was written; shared, because contestants keep their wires to themselves.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Cell<u64>,
    writes: Cell<u64>,
    /// Written bytes are kept for checks only.
    kept: RefCell<Option<Vec<u8>>>,
}

impl Wire {
    /// A wire that gives `input` again and again. If it is empty, nothing can be read.
    pub(crate) fn new(input: Bytes, output: Rc<Output>) -> Self {
        Self {
            input,
            at: 0,
            output,
            pause: Pause::Never,
        }
    }

    /// The next bytes, at most `most` of them and never over the end of the input.
    #[inline]
    pub(crate) fn window(&mut self, most: usize) -> &[u8] {
        if self.at == self.input.len() {
            self.at = 0;
        }
        let start = self.at;
        self.at += most.min(MOST_READ).min(self.input.len() - start);
        &self.input[start..self.at]
    }

    /// Makes each read but the first wait, as if the socket had been read empty: for contestants that do
    /// something only then. It takes two polls, for some ask a second time before they believe it. For `AsyncRead`,
    /// and [`now_and_again`](crate::now::now_and_again).
    pub(crate) fn with_pauses(self) -> Self {
        Self {
            pause: Pause::Over,
            ..self
        }
    }

    #[inline]
    fn note(&self, bytes: &[u8]) -> usize {
        black_box(bytes);
        self.output
            .bytes
            .set(self.output.bytes.get() + bytes.len() as u64);
        if let Some(kept) = &mut *self.output.kept.borrow_mut() {
            kept.extend_from_slice(bytes);
        }
        bytes.len()
    }

    #[inline]
    fn note_all(&self, slices: &[IoSlice<'_>]) -> usize {
        self.output.writes.set(self.output.writes.get() + 1);
        slices.iter().map(|slice| self.note(slice)).sum()
    }

    #[inline]
    fn note_one(&self, bytes: &[u8]) -> usize {
        self.output.writes.set(self.output.writes.get() + 1);
        self.note(bytes)
    }
}

impl Output {
    /// How many bytes were ever written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// How many writes there ever were.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// From now on what is written is kept.
    pub(crate) fn keep(&self) {
        *self.kept.borrow_mut() = Some(Vec::new());
    }

    /// What was kept; no more is.
    pub(crate) fn take_kept(&self) -> Vec<u8> {
        self.kept.borrow_mut().take().unwrap_or_default()
    }
}

impl Read for Wire {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.window(buf.len());
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Wire {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.note_one(buf))
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.note_all(slices))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.pause = match wire.pause {
            Pause::Never => Pause::Never,
            Pause::Over => Pause::Next(2),
            Pause::Next(polls) => {
                wire.pause = if polls > 1 {
                    Pause::Next(polls - 1)
                } else {
                    Pause::Over
                };
                return Poll::Pending;
            }
        };
        buf.put_slice(wire.window(buf.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note_one(buf)))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note_all(slices)))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The traits of `futures`, which soketto is made for.
impl futures_util::io::AsyncRead for Wire {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Read::read(self.get_mut(), buf))
    }
}

impl futures_util::io::AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note_one(buf)))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note_all(slices)))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
