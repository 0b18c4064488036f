//! TLS over a transport that is polled (RFC 8446), of any runtime.

use core::{
    marker::PhantomData,
    task::{Context, Poll, ready},
};
use std::{
    boxed::Box,
    io::{self, IoSlice, Write},
    sync::Arc,
};

use super::{Transport, link::TURNS, pool};
use crate::{
    RecvBuf,
    tls::{
        InvalidTls, Session,
        rustls::{ClientConfig, Connection, ServerConfig},
    },
};

/// A transport with TLS in it.
///
/// It has the I/O traits of the runtime that the transport below has, tokio's or those of `futures`.
///
/// The handshake of TLS happens when it is first read or written to, so that the time-out of the opening handshake is
/// for both together. See [`tls`](crate::tls) for configurations.
///
/// # Cost
///
/// While it waits, it has no buffer but that of rustls, 4 KiB once something has arrived.
///
/// It takes up to 64 KiB at a time, and what it has taken is no more its writer's concern: a peer that takes
/// longer than [`write_timeout`](crate::Config::write_timeout) for that counts as one that takes nothing, and the
/// transport below is told of the end behind it, or when the stream is dropped.
///
/// Whoever divides it in two without a [`WebSocket`](super::WebSocket) does so behind the handshake, in which reading
/// and writing are one.
#[derive(Debug)]
pub struct TlsStream<S> {
    stream: S,
    session: Session,
    /// Ciphertext that has arrived. The thread lends the buffer, and has it back when it is empty.
    input: Option<Box<RecvBuf>>,
}

impl<S> TlsStream<S> {
    /// TLS as the client, with a server whose certificate has to be for `host`: a name, or an IP address
    /// without brackets.
    ///
    /// # Errors
    ///
    /// If there can be no certificate for such a host, or the configuration is of no use.
    pub fn client(stream: S, config: Arc<ClientConfig>, host: &str) -> Result<Self, InvalidTls> {
        Ok(Self::new(stream, Session::client(config, host)?))
    }

    /// TLS as the server.
    ///
    /// # Errors
    ///
    /// If the configuration is of no use.
    pub fn server(stream: S, config: Arc<ServerConfig>) -> Result<Self, InvalidTls> {
        Ok(Self::new(stream, Session::server(config)?))
    }

    fn new(stream: S, session: Session) -> Self {
        Self {
            stream,
            session,
            input: None,
        }
    }

    /// The transport below.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The session: its version, the certificate of the peer.
    #[must_use]
    pub fn tls(&self) -> &Connection {
        self.session.connection()
    }

    /// Does the handshake.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_handshake<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Transport<R>,
    {
        ready!(self.poll_complete(cx))?;
        if self.session.is_handshaking() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on with the handshake until it is done, or the transport has ended.
    fn poll_complete<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Transport<R>,
    {
        while self.session.is_opening() {
            // Two ends that both wait to be read from before they read would wait for ever.
            let written = self.poll_pass_on(cx)?;
            if written.is_ready() {
                self.session.has_left();
            }
            if self.session.is_handshaking() {
                if !ready!(self.poll_fill(cx))? {
                    break;
                }
            } else {
                ready!(written);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads ciphertext once. Tells whether the transport has not ended.
    fn poll_fill<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>>
    where
        S: Transport<R>,
    {
        self.session.check()?;
        let input = self.input.get_or_insert_with(pool::take);
        if input.is_empty() {
            let read = self.stream.poll_read(cx, input.unfilled());
            if let Poll::Ready(Ok(n)) = read {
                input.filled(n);
            }
            if input.is_empty() {
                self.give_back();
                ready!(read)?;
                self.session.receive_eof()?;
                return Poll::Ready(Ok(false));
            }
        }
        // Who waits to write is the one to be woken, and takes the alert along.
        let is_written_to = self.session.wants_write();
        let received = self.session.receive(input);
        if input.is_empty() {
            self.give_back();
        }
        if self.session.has_alert() && !is_written_to {
            // The peer is told what is wrong, if it takes that at once.
            let _ = self.poll_pass_on(cx);
        }
        Poll::Ready(received.map(|()| true))
    }

    fn give_back(&mut self) {
        if let Some(input) = self.input.take() {
            pool::put(input);
        }
    }

    /// Writes all ciphertext that there is.
    fn poll_write_out<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Transport<R>,
    {
        while self.session.wants_write() {
            let mut output = Polled {
                stream: &mut self.stream,
                cx,
                runtime: PhantomData,
            };
            match self.session.write_to(&mut output) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// As [`Transport::poll_flush`].
    pub(crate) fn poll_pass_on<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Transport<R>,
    {
        ready!(self.poll_write_out(cx))?;
        self.stream.poll_flush(cx)
    }

    /// As [`Transport::poll_read`].
    pub(crate) fn poll_receive<R>(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>>
    where
        S: Transport<R>,
    {
        // What has still to leave behind the handshake does not keep a peer waiting that writes before it reads.
        if self.poll_complete(cx)?.is_pending() && self.session.is_handshaking() {
            return Poll::Pending;
        }
        for _ in 0..TURNS {
            if let Some(n) = self.session.read(buf)? {
                return Poll::Ready(Ok(n));
            }
            ready!(self.poll_fill(cx))?;
        }
        // A peer can send for ever what is no plaintext: others have their turn, and the clock.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// As [`Transport::poll_write`] and its vectored sibling: writes what `plaintext` puts into the session.
    pub(crate) fn poll_send<R>(
        &mut self,
        cx: &mut Context<'_>,
        plaintext: impl FnOnce(&mut Session) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>
    where
        S: Transport<R>,
    {
        ready!(self.poll_complete(cx))?;
        // Or there would be a record for every few bytes that leave.
        ready!(self.poll_write_out(cx))?;
        let taken = plaintext(&mut self.session)?;
        // What does not leave now is flushed.
        let _ = self.poll_write_out(cx)?;
        Poll::Ready(Ok(taken))
    }

    /// As [`Transport::poll_end_writing`].
    pub(crate) fn poll_end<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Transport<R>,
    {
        self.session.close();
        ready!(self.poll_pass_on(cx))?;
        self.stream.poll_end_writing(cx)
    }
}

impl<S> Drop for TlsStream<S> {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A transport as something that is written to without waiting.
struct Polled<'a, 'b, S, R> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
    runtime: PhantomData<R>,
}

impl<S: Transport<R>, R> Write for Polled<'_, '_, S, R> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        at_once(self.stream.poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.stream.poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(self.stream.poll_flush(self.cx))
    }
}

fn at_once<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
