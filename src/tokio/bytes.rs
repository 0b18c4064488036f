//! A WebSocket as a stream of bytes, with tokio's traits.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io;

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Tokio;
use crate::nonblocking::{ByteStream, Transport};

impl<S: Transport<Tokio>> AsyncRead for ByteStream<S, Tokio> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = buf.remaining();
        ready!(self.poll_read_with(cx, most, |bytes| buf.put_slice(bytes)))?;
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport<Tokio>> AsyncWrite for ByteStream<S, Tokio> {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end_sending(cx)
    }
}
