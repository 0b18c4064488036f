//! Writing for servers that own no buffer while they wait: what the peer does not take is kept, and
//! nothing else is done until it has taken that.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{io::AsyncWrite as _, net::TcpStream};

/// What the peer has not taken yet. It allocates only if there is something.
#[derive(Debug, Default)]
pub struct Unsent {
    bytes: Vec<u8>,
    written: usize,
}

impl Unsent {
    /// Writes what has been kept.
    pub fn poll_flush(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let rest = &self.bytes[self.written..];
            self.written += ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
        }
        *self = Self::default();
        Poll::Ready(Ok(()))
    }

    /// Writes `bytes`, and keeps what is not taken. Nothing may have been kept before.
    pub fn send(
        &mut self,
        mut bytes: &[u8],
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match Pin::new(&mut *stream).poll_write(cx, bytes)? {
                Poll::Ready(n) => bytes = &bytes[n..],
                Poll::Pending => {
                    self.bytes = bytes.to_vec();
                    break;
                }
            }
        }
        Ok(())
    }
}
