//! WebSockets over everything that has the `AsyncRead` and `AsyncWrite` of `futures`: on smol, async-std and other
//! runtimes.
//!
//! All of it is as in [`tokio`](crate::tokio), where the documentation shows how to do what; but there is no
//! `connect`, because `futures` has no sockets, and deadlines need a [`Timer`] of the runtime, because it has none
//! of those either. This is smol's:
//!
//! ```
//! use std::future::Future;
//! use std::net::{TcpListener, TcpStream};
//! use std::pin::Pin;
//! use std::task::{Context, Poll};
//! use std::time::Instant;
//!
//! use async_io::Async;
//! use framewire::futures::{Timer, WebSocket, accept, client};
//! use framewire::{Error, Event};
//!
//! struct Alarm(async_io::Timer, Instant);
//!
//! impl Future for Alarm {
//!     type Output = ();
//!
//!     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
//!         Pin::new(&mut self.0).poll(cx).map(drop)
//!     }
//! }
//!
//! impl Timer for Alarm {
//!     fn at(deadline: Instant) -> Self {
//!         Self(async_io::Timer::at(deadline), deadline)
//!     }
//!
//!     fn deadline(&self) -> Instant {
//!         self.1
//!     }
//!
//!     fn reset(&mut self, deadline: Instant) {
//!         self.0.set_at(deadline);
//!         self.1 = deadline;
//!     }
//! }
//!
//! async fn echo(stream: Async<TcpStream>) -> Result<(), Error> {
//!     let mut ws: WebSocket<_, Alarm> = accept(stream, &Default::default()).await?;
//!     while let Some((event, conn)) = ws.recv_ref().await? {
//!         match event {
//!             Event::Text(text) => conn.send_text(text)?,
//!             Event::Binary(data) => conn.send_binary(data)?,
//!             _ => {} // pings and Close frames have been answered
//!         }
//!     }
//!     Ok(())
//! }
//! # futures::executor::block_on(async {
//! #     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
//! #     let address = listener.get_ref().local_addr()?;
//! #     let server = async { echo(listener.accept().await?.0).await };
//! #     let client = async {
//! #         let stream = Async::<TcpStream>::connect(address).await?;
//! #         let request = framewire::client::Request::new("ws://localhost/")?;
//! #         let (mut ws, _) = client::<_, Alarm>(stream, &request, &Default::default()).await?;
//! #         ws.send("Hello").await?;
//! #         assert_eq!(ws.recv().await?, Some("Hello".into()));
//! #         assert!(ws.close(framewire::CloseCode::NORMAL, "").await?.clean);
//! #         Ok::<(), Error>(())
//! #     };
//! #     futures::try_join!(server, client)
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! With the feature `rustls`, `TlsStream` is TLS over a transport, for either role; see the module `tls`.
//!
//! [`Untimed`] is for where there are no timers: then there are no deadlines.

mod bytes;
mod runtime;
#[cfg(feature = "rustls")]
mod tls;

use futures_io::{AsyncRead, AsyncWrite};

pub use runtime::{Futures, Untimed};

#[cfg(feature = "rustls")]
pub use crate::nonblocking::TlsStream;
pub use crate::nonblocking::{Parts, Timer};
use crate::{Error, client, nonblocking, server};

/// A WebSocket over a transport of `futures`, with a timer `T`.
pub type WebSocket<S, T> = nonblocking::WebSocket<S, Futures<T>>;

/// The receiving half of a [`WebSocket`].
pub type Receiver<S, T> = nonblocking::Receiver<S, Futures<T>>;

/// The sending half of a [`WebSocket`].
pub type Sender<S, T> = nonblocking::Sender<S, Futures<T>>;

/// A [`WebSocket`] as a stream and a sink of messages.
pub type Messages<S, T> = nonblocking::Messages<S, Futures<T>>;

/// A [`WebSocket`] as a stream of bytes, with `AsyncRead` and `AsyncWrite`.
pub type ByteStream<S, T> = nonblocking::ByteStream<S, Futures<T>>;

/// What a client opened the connection with, from [`incoming`].
pub type Incoming<S, T> = nonblocking::Incoming<S, Futures<T>>;

/// A valid request that waits for its answer, from [`incoming`].
pub type Pending<S, T, Q> = nonblocking::Pending<S, Futures<T>, Q>;

/// Opens a WebSocket as the client, over a transport that is connected already.
///
/// # Errors
///
/// [`Error::Refused`] for an answer that is no 101, [`Error::Handshake`] for one against the rules,
/// [`Error::Aborted`], [`Error::TimedOut`] and [`Error::Io`].
pub async fn client<S: AsyncRead + AsyncWrite + Unpin, T: Timer>(
    stream: S,
    request: &client::Request,
    config: &client::Config,
) -> Result<(WebSocket<S, T>, client::Response), Error> {
    nonblocking::client(stream, request, config).await
}

/// Waits for a client's request, and lets the caller decide what to answer.
///
/// # Errors
///
/// [`Error::Rejected`] for a request that is not valid or from an origin that is not allowed: it has
/// been answered, as far as the client took it. [`Error::Aborted`] if the client went away, which browsers
/// do with connections that they opened in advance; [`Error::TimedOut`] and [`Error::Io`].
pub async fn incoming<S: AsyncRead + AsyncWrite + Unpin, T: Timer>(
    stream: S,
    config: &server::Config,
) -> Result<Incoming<S, T>, Error> {
    nonblocking::incoming(stream, config).await
}

/// Opens a WebSocket as the server, at any path and without a subprotocol. Whoever asks for something
/// else gets a 426. To decide more than that, see [`incoming`].
///
/// # Errors
///
/// As `incoming`, and [`Error::NoUpgrade`].
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin, T: Timer>(
    stream: S,
    config: &server::Config,
) -> Result<WebSocket<S, T>, Error> {
    nonblocking::accept(stream, config).await
}
