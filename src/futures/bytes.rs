//! A WebSocket as a stream of bytes, with the traits of `futures`.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::io;

use futures_io::{AsyncRead, AsyncWrite};

use super::Futures;
use crate::nonblocking::{ByteStream, Timer, Transport};

impl<S: Transport<Futures<T>>, T: Timer> AsyncRead for ByteStream<S, Futures<T>> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, buf.len(), |bytes| {
            buf[..bytes.len()].copy_from_slice(bytes);
        })
    }
}

impl<S: Transport<Futures<T>>, T: Timer> AsyncWrite for ByteStream<S, Futures<T>> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end_sending(cx)
    }
}
