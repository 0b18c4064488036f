//! What [`connect`](super::connect) connects: TCP, with TLS in it where that is needed.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    time::Duration,
};

#[cfg(feature = "rustls")]
use std::boxed::Box;

#[cfg(feature = "rustls")]
use super::TlsStream;
use super::{SplitTransport, Transport};
#[cfg(feature = "rustls")]
use crate::tls::rustls::Connection;

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

    /// Looks at the session of TLS, if there is one: its version, the certificate of the peer.
    #[cfg(feature = "rustls")]
    pub fn tls<T>(&self, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        match &self.0 {
            Layer::Tcp(_) => None,
            Layer::Tls(stream) => Some(stream.tls(look)),
        }
    }

    fn layer(&mut self) -> &mut dyn Transport {
        match &mut self.0 {
            Layer::Tcp(stream) => stream,
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => &mut **stream,
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

impl Read for MaybeTlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.layer().read(buf)
    }
}

impl Write for MaybeTlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.layer().write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.layer().write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.layer().flush()
    }
}

impl Transport for MaybeTlsStream {
    fn prepare(&mut self) -> io::Result<()> {
        self.layer().prepare()
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.layer().limit_read(timeout)
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.layer().limit_write(timeout)
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.layer().end_writing()
    }
}

impl SplitTransport for MaybeTlsStream {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match &self.0 {
            Layer::Tcp(stream) => stream.try_clone()?.into(),
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => stream.try_clone()?.into(),
        })
    }

    fn end(&self) -> io::Result<()> {
        match &self.0 {
            Layer::Tcp(stream) => stream.end(),
            #[cfg(feature = "rustls")]
            Layer::Tls(stream) => stream.end(),
        }
    }
}
