//! What [`connect`](super::connect) connects: TCP, with TLS in it where that is needed.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
#[cfg(feature = "rustls")]
use std::boxed::Box;
use std::io::{self, IoSlice};

use ::tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

#[cfg(feature = "rustls")]
use crate::{nonblocking::TlsStream, tls::rustls::Connection};

/// A TCP connection, with TLS in it if the URI was a `wss` one.
#[derive(Debug)]
pub struct MaybeTlsStream(Layer);

#[derive(Debug)]
enum Layer {
    Tcp(TcpStream),
    /// Over the bare connection, or over TLS with a proxy.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<MaybeTlsStream>>),
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl MaybeTlsStream {
    /// The socket.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Layer::Tcp(stream) => stream,
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => stream.stream().tcp(),
        }
    }

    /// The session of TLS, if there is one: its version, the certificate of the peer.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(&self) -> Option<&Connection> {
        match &self.0 {
            Layer::Tcp(_) => None,
            Layer::Tls(stream) => Some(stream.tls()),
        }
    }

    fn layer(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.0 {
            Layer::Tcp(stream) => Pin::new(stream),
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

impl From<TcpStream> for MaybeTlsStream {
    fn from(stream: TcpStream) -> Self {
        Self(Layer::Tcp(stream))
    }
}

#[cfg(feature = "rustls")]
impl From<TlsStream<Self>> for MaybeTlsStream {
    fn from(stream: TlsStream<Self>) -> Self {
        Self(Layer::Tls(Box::new(stream)))
    }
}

impl AsyncRead for MaybeTlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.layer().poll_read(cx, buf)
    }
}

impl AsyncWrite for MaybeTlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.layer().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.layer().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.layer().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.layer().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Layer::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
