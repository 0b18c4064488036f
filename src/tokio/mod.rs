//! WebSockets on tokio: over its sockets, and over everything that has its `AsyncRead` and `AsyncWrite`.
//!
//! A [`WebSocket`] is a [`Connection`](crate::Connection) with a transport and, while there is something in
//! it, a buffer. It decides nothing: it is the loop of the [crate documentation](crate), so that all limits and
//! time-outs are those of [`Config`](crate::Config). No task runs behind it; every future may be dropped at any
//! time, and nothing is lost by that.
//!
//! # Connect
//!
//! ```
//! use framewire::client::{Config, Request};
//! use framewire::tokio::{connect, connect_with};
//! use framewire::{CloseCode, Error, Message};
//!
//! async fn ask(uri: &str) -> Result<Option<Message>, Error> {
//!     let mut ws = connect(uri).await?;
//!     ws.send("Hello").await?;
//!     let answer = ws.recv().await?;
//!     ws.close(CloseCode::NORMAL, "").await?;
//!     Ok(answer)
//! }
//!
//! /// The same with a token, a subprotocol, and a smaller limit.
//! async fn ask_politely(uri: &str, token: &str) -> Result<Option<Message>, Error> {
//!     let request = Request::new(uri)?.bearer(token)?.subprotocol("echo.v1")?;
//!     let connection = framewire::Config::new().max_message_size(64 * 1024);
//!     let (mut ws, _) = connect_with(&request, &Config::new().connection(connection)).await?;
//!     assert_eq!(ws.connection().subprotocol(), Some("echo.v1"));
//!     ws.send("Hello").await?;
//!     let answer = ws.recv().await?;
//!     ws.close(CloseCode::NORMAL, "").await?;
//!     Ok(answer)
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let server = async {
//! #     for token in [None, Some(&b"Bearer t0ken"[..])] {
//! #         let config = framewire::server::Config::new();
//! #         let framewire::tokio::Incoming::Upgrade(mut request) =
//! #             framewire::tokio::incoming(listener.accept().await?.0, &config).await?
//! #         else {
//! #             panic!("it asks for a WebSocket");
//! #         };
//! #         assert_eq!(request.header("authorization"), token);
//! #         let _ = request.select_subprotocol("echo.v1");
//! #         let mut ws = request.upgrade().await?;
//! #         while let Some(message) = ws.recv().await? { ws.send(&message).await?; }
//! #     }
//! #     Ok::<(), Error>(())
//! # };
//! # let client = async {
//! #     assert_eq!(ask(&uri).await?, Some("Hello".into()));
//! #     assert_eq!(ask_politely(&uri, "t0ken").await?, Some("Hello".into()));
//! #     Ok::<(), Error>(())
//! # };
//! # tokio::try_join!(server, client)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Serve
//!
//! One task for each connection, and no copy of a message. Answers gather, and leave together when there is
//! nothing more to receive:
//!
//! ```
//! use framewire::tokio::accept;
//! use framewire::{Error, Event, server::Config};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! // One for all: a task keeps what it borrows, which would be 152 bytes for each connection.
//! static CONFIG: Config = Config::new();
//!
//! async fn serve(listener: TcpListener) -> Result<(), Error> {
//!     loop {
//!         let (stream, peer) = listener.accept().await?;
//!         tokio::spawn(async move {
//!             echo(stream).await.unwrap_or_else(|error| eprintln!("{peer}: {error}"));
//!         });
//!     }
//! }
//!
//! async fn echo(stream: TcpStream) -> Result<(), Error> {
//!     let mut ws = accept(stream, &CONFIG).await?;
//!     while let Some((event, conn)) = ws.recv_ref().await? {
//!         match event {
//!             Event::Text(text) => conn.send_text(text)?,
//!             Event::Binary(data) => conn.send_binary(data)?,
//!             _ => {} // pings and Close frames have been answered
//!         }
//!     }
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # tokio::spawn(serve(listener));
//! # let mut ws = framewire::tokio::connect(&uri).await?;
//! # ws.send(b"1").await?;
//! # assert_eq!(ws.recv().await?, Some(b"1"[..].into()));
//! # assert!(ws.close(framewire::CloseCode::NORMAL, "").await?.clean);
//! # Ok(())
//! # }
//! ```
//!
//! [`incoming`] lets you look at the request first: to route, to authenticate, to choose a subprotocol,
//! to answer with a page. Behind hyper or axum, see the feature `http` and the examples `hyper_upgrade` and
//! `axum_upgrade`.
//!
//! # Wait for something else as well
//!
//! In a `select!` the future that loses is dropped, which loses nothing here. What is queued leaves while
//! [`recv`](WebSocket::recv) or its like waits, or with [`flush`](WebSocket::flush):
//!
//! ```
//! use framewire::tokio::{MaybeTlsStream, WebSocket};
//! use framewire::{CloseCode, Closed, Error, Message};
//! use tokio::sync::mpsc::Receiver;
//!
//! /// Says what it is given until there is no more, and prints what it hears.
//! async fn chat(
//!     mut ws: WebSocket<MaybeTlsStream>,
//!     mut lines: Receiver<String>,
//! ) -> Result<Option<Closed>, Error> {
//!     loop {
//!         tokio::select! {
//!             message = ws.recv() => match message? {
//!                 Some(message) => println!("{message:?}"),
//!                 None => return Ok(ws.connection().closed()),
//!             },
//!             line = lines.recv() => match line {
//!                 Some(line) => ws.feed(&line).await?,
//!                 None => return ws.close(CloseCode::NORMAL, "").await.map(Some),
//!             },
//!         }
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let config = framewire::server::Config::new();
//! # let (server, client) = tokio::join!(
//! #     async { framewire::tokio::accept(listener.accept().await?.0, &config).await },
//! #     framewire::tokio::connect(&uri),
//! # );
//! # let (mut server, client) = (server?, client?);
//! # let (lines, queue) = tokio::sync::mpsc::channel(4);
//! # let chat = tokio::spawn(chat(client, queue));
//! # for line in ["one", "two"] {
//! #     server.send("noise").await?;
//! #     lines.send(line.to_owned()).await.expect("it listens");
//! #     assert_eq!(server.recv().await?, Some(Message::from(line)));
//! # }
//! # drop(lines);
//! # assert_eq!(server.recv().await?, None);
//! # assert!(chat.await.expect("no panic")?.expect("it has closed").clean);
//! # Ok(())
//! # }
//! ```
//!
//! # Two tasks
//!
//! One receives, any number of others send; they share no lock over an await:
//!
//! ```
//! use framewire::tokio::{MaybeTlsStream, WebSocket};
//! use framewire::{CloseCode, Error, Message};
//!
//! async fn talk(ws: WebSocket<MaybeTlsStream>) -> Result<Vec<Message>, Error> {
//!     let (mut receiver, sender) = ws.split();
//!     let writer = tokio::spawn(async move {
//!         for n in 0..3 {
//!             sender.send(&format!("line {n}")).await?;
//!         }
//!         sender.close(CloseCode::NORMAL, "that was all").await
//!     });
//!     let mut heard = Vec::new();
//!     while let Some(message) = receiver.recv().await? {
//!         heard.push(message);
//!     }
//!     writer.await.expect("no panic")?;
//!     Ok(heard)
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let server = async {
//! #     let config = framewire::server::Config::new();
//! #     let mut ws = framewire::tokio::accept(listener.accept().await?.0, &config).await?;
//! #     while let Some(message) = ws.recv().await? { ws.send(&message).await?; }
//! #     Ok::<(), Error>(())
//! # };
//! # let client = async { talk(framewire::tokio::connect(&uri).await?).await };
//! # let ((), heard) = tokio::try_join!(server, client)?;
//! # assert_eq!(heard, ["line 0", "line 1", "line 2"].map(Message::from));
//! # Ok(())
//! # }
//! ```
//!
//! # Broadcast
//!
//! A message for many is encoded once, and compressed once if it is [told to
//! be](crate::PreparedMessage). Who can't keep up is told so and dropped. Where it is clients that feed the
//! channel, they need a pace, or one that is fast drops all the others; `examples/chat` has one.
//!
//! ```
//! use framewire::tokio::WebSocket;
//! use framewire::{CloseCode, Error, PreparedMessage};
//! use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio::sync::broadcast::{Receiver, error::RecvError};
//!
//! /// The task of a subscriber.
//! async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(
//!     mut ws: WebSocket<S>,
//!     mut news: Receiver<PreparedMessage>,
//! ) -> Result<(), Error> {
//!     loop {
//!         tokio::select! {
//!             // Answers pings, notices the end, and sends what is queued.
//!             message = ws.recv() => if message?.is_none() {
//!                 return Ok(());
//!             },
//!             message = news.recv() => match message {
//!                 Ok(message) => ws.feed(&message).await?,
//!                 Err(RecvError::Lagged(_)) => {
//!                     ws.close(CloseCode::POLICY_VIOLATION, "too slow").await?;
//!                     return Ok(());
//!                 }
//!                 Err(RecvError::Closed) => {
//!                     ws.close(CloseCode::GOING_AWAY, "").await?;
//!                     return Ok(());
//!                 }
//!             },
//!         }
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let config = framewire::server::Config::new();
//! # let (publish, _) = tokio::sync::broadcast::channel(4);
//! # let mut readers = Vec::new();
//! # for _ in 0..3 {
//! #     let (server, client) = tokio::join!(
//! #         async { framewire::tokio::accept(listener.accept().await?.0, &config).await },
//! #         framewire::tokio::connect(&uri),
//! #     );
//! #     tokio::spawn(deliver(server?, publish.subscribe()));
//! #     readers.push(client?);
//! # }
//! # publish.send(PreparedMessage::text("tide is high")).expect("subscribers");
//! # for reader in &mut readers {
//! #     assert_eq!(reader.recv().await?, Some("tide is high".into()));
//! # }
//! # for n in 0..9 {
//! #     publish.send(PreparedMessage::text(&n.to_string())).expect("subscribers");
//! # }
//! # let slow = &mut readers[0];
//! # assert_eq!(slow.recv().await?, None);
//! # let closed = slow.connection().closed().expect("it is");
//! # assert_eq!(closed.code, CloseCode::POLICY_VIOLATION);
//! # Ok(())
//! # }
//! ```
//!
//! # A peer that does not read
//!
//! What is queued for it is bounded by [`Config::max_queued`](crate::Config::max_queued), 1 MiB unless that
//! is changed. Then [`feed`](WebSocket::feed) and [`send`](WebSocket::send) wait;
//! [`recv_ref`](WebSocket::recv_ref), which lends the connection for an answer, receives nothing more; and commands
//! on the [`Connection`](crate::Connection), which can't wait, are
//! [refused](crate::SendError::BufferFull). It has [`Config::write_timeout`](crate::Config::write_timeout) to
//! take something. Where old news are worth nothing, leave them out:
//!
//! ```
//! use framewire::{Error, SendError, tokio::WebSocket};
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! /// Queues the position, unless the peer has not taken the ones before. Tells whether it did.
//! fn report<S: AsyncRead + AsyncWrite + Unpin>(
//!     ws: &mut WebSocket<S>,
//!     position: &str,
//! ) -> Result<bool, Error> {
//!     match ws.connection_mut().send_text(position) {
//!         Ok(()) => Ok(true),
//!         Err(SendError::BufferFull { .. }) => Ok(false),
//!         Err(error) => Err(error.into()),
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # use framewire::{Config, Connection, RecvBuf, tokio::Parts};
//! # let (stream, _peer) = tokio::io::duplex(64);
//! # let connection = Connection::server(Config::new().max_queued(100));
//! # let mut ws = WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()));
//! # let reported = [(); 9].map(|()| report(&mut ws, "52.5 N 13.4 E"));
//! # assert_eq!(reported.into_iter().filter(|r| matches!(r, Ok(true))).count(), 7);
//! # Ok(())
//! # }
//! ```
//!
//! # Shut down
//!
//! Tell every connection, and wait for all of them: [`close`](WebSocket::close) never takes longer than
//! [`Config::close_timeout`](crate::Config::close_timeout).
//!
//! ```
//! use framewire::tokio::{WebSocket, accept};
//! use framewire::{CloseCode, Error, server::Config};
//! use tokio::net::{TcpListener, TcpStream};
//! use tokio::{sync::watch::Receiver, task::JoinSet};
//!
//! /// Serves until it is told to stop.
//! async fn serve(listener: TcpListener, mut stop: Receiver<()>) -> Result<(), Error> {
//!     let mut connections = JoinSet::new();
//!     loop {
//!         tokio::select! {
//!             accepted = listener.accept() => {
//!                 let (stream, _) = accepted?;
//!                 connections.spawn(echo(stream, stop.clone()));
//!             }
//!             // Those that have ended.
//!             Some(_) = connections.join_next() => {}
//!             _ = stop.changed() => break,
//!         }
//!     }
//!     drop(listener);
//!     while connections.join_next().await.is_some() {}
//!     Ok(())
//! }
//!
//! async fn echo(stream: TcpStream, mut stop: Receiver<()>) -> Result<(), Error> {
//!     let mut ws = accept(stream, &Config::new()).await?;
//!     loop {
//!         tokio::select! {
//!             message = ws.recv() => match message? {
//!                 Some(message) => ws.feed(message).await?,
//!                 None => return Ok(()),
//!             },
//!             _ = stop.changed() => {
//!                 ws.close(CloseCode::GOING_AWAY, "maintenance").await?;
//!                 return Ok(());
//!             }
//!         }
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let (stop, stopping) = tokio::sync::watch::channel(());
//! # let server = tokio::spawn(serve(listener, stopping));
//! # let mut clients = [framewire::tokio::connect(&uri).await?, framewire::tokio::connect(&uri).await?];
//! # for ws in &mut clients {
//! #     ws.send("Hello").await?;
//! #     assert_eq!(ws.recv().await?, Some("Hello".into()));
//! # }
//! # stop.send(()).expect("it listens");
//! # for ws in &mut clients {
//! #     assert_eq!(ws.recv().await?, None);
//! #     assert_eq!(ws.connection().closed().expect("it is").code, CloseCode::GOING_AWAY);
//! # }
//! # server.await.expect("no panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! # The functions
//!
//! | to | over TCP | over anything with `AsyncRead` and `AsyncWrite` |
//! |---|---|---|
//! | open as the client | [`connect`], [`connect_with`], [`connect_via`] | [`client`](client()) |
//! | open as the server | [`accept`], [`incoming`] | the same |
//! | have TLS | `wss` in `connect` | `TlsStream` around it, with the feature `rustls`: see the module `tls` |
//! | go through a proxy, follow redirects | [`connect_via`] | [`connect::Tunnel`](crate::connect::Tunnel), [`Request::redirected`](crate::client::Request::redirected) |
//! | go on behind somebody else's handshake | [`from_parts`](WebSocket::from_parts) | the same |
//! | receive | [`recv`](WebSocket::recv), [`recv_ref`](WebSocket::recv_ref), [`recv_part_ref`](WebSocket::recv_part_ref) | the same |
//! | send | [`send`](WebSocket::send), [`feed`](WebSocket::feed), [`flush`](WebSocket::flush) | the same |
//! | close | [`close`](WebSocket::close) | the same |
//! | use several tasks | [`split`](WebSocket::split) | the same |
//! | have a `Stream` and a `Sink` | [`Messages`] | the same |
//! | have `AsyncRead` and `AsyncWrite` | [`ByteStream`] | the same |
//!
//! Deadlines need a runtime whose time is enabled; sockets one whose I/O is. Everything else works in any. What opens
//! a WebSocket over a transport wants one that borrows nothing (`'static`), to find out whether it is a socket.
//!
//! # What happens when
//!
//! - *The peer is gone while something is written*: what it had sent before is still received; the
//!   error comes at the end of that, and only if there was no closing handshake. Meanwhile every attempt
//!   to send says [`Closed`](crate::SendError::Closed): a loop that is left for it, as an echo may well be,
//!   leaves the rest behind.
//! - *The peer breaks a rule*: it is told so in a Close frame, which is written before the error is
//!   returned.
//! - *A deadline passes*: [`Error::TimedOut`] says which.
//! - *Both ends send much and neither reads*: a [`WebSocket`] that waits in `recv` reads while it writes. One
//!   that waits in `send` does not: [split](WebSocket::split) it. Nor does one in `recv_ref` whose queue is full:
//!   two that only answer each other with large messages need larger bounds.
//! - *A peer sends without a pause*, or takes whatever is sent: after 128 events, reads and messages the task
//!   gives way to others once. So a future that would be ready may be pending for once.
//! - *The connection has ended*: the transport is told so at once, also if the [`WebSocket`] lives on.
//!   If the peer may not have got our last bytes yet, what it still sends is discarded, up to 16 MiB
//!   and for up to a second, for else the operating system would take them back.
//! - *The feature `tracing` is on*: each connection has a span, with events on the level `DEBUG` for its opening, its
//!   failures and its end; never with payloads. See [`nonblocking`].
//! - *A connection waits*: it has no buffer. A thread lends its own to the connection that it polls, and
//!   keeps up to eight of either kind, of 8 MiB together. One that waits for the rest of a frame or a message keeps
//!   what has come of it: a copy, where that is less than an eighth of the buffer.
//!   `cargo bench --features tokio --bench idle` tells what a connection takes.

mod bytes;
mod connect;
mod dial;
mod runtime;
mod stream;
#[cfg(feature = "rustls")]
mod tls;

use core::any::Any;
use std::io;

use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

pub use connect::{connect, connect_via, connect_with};
pub use runtime::{Timer, Tokio};
pub use stream::MaybeTlsStream;

pub use crate::nonblocking::Parts;
#[cfg(feature = "rustls")]
pub use crate::nonblocking::TlsStream;
use crate::{Error, client, nonblocking, server};

/// A WebSocket over a transport of tokio.
pub type WebSocket<S> = nonblocking::WebSocket<S, Tokio>;

/// The receiving half of a [`WebSocket`].
pub type Receiver<S> = nonblocking::Receiver<S, Tokio>;

/// The sending half of a [`WebSocket`].
pub type Sender<S> = nonblocking::Sender<S, Tokio>;

/// A [`WebSocket`] as a stream and a sink of messages.
pub type Messages<S> = nonblocking::Messages<S, Tokio>;

/// A [`WebSocket`] as a stream of bytes, with `AsyncRead` and `AsyncWrite`.
pub type ByteStream<S> = nonblocking::ByteStream<S, Tokio>;

/// What a client opened the connection with, from [`incoming`].
pub type Incoming<S> = nonblocking::Incoming<S, Tokio>;

/// A valid request that waits for its answer, from [`incoming`].
pub type Pending<S, Q> = nonblocking::Pending<S, Tokio, Q>;

/// Opens a WebSocket as the client, over a transport that is connected already: one with TLS, a
/// socket of your own making, a proxy's tunnel. With the server's 101, for its headers.
///
/// Nagle's algorithm is switched off if it is a [`TcpStream`], or TLS over one.
///
/// # Errors
///
/// [`Error::Refused`] for an answer that is no 101, [`Error::Handshake`] for one against the rules,
/// [`Error::Aborted`], [`Error::TimedOut`] and [`Error::Io`].
pub async fn client<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    request: &client::Request,
    config: &client::Config,
) -> Result<(WebSocket<S>, client::Response), Error> {
    nonblocking::client(prepare(stream)?, request, config).await
}

/// Waits for a client's request, and lets the caller decide what to answer.
///
/// Nagle's algorithm is switched off if it is a [`TcpStream`], or TLS over one.
///
/// # Errors
///
/// [`Error::Rejected`] for a request that is not valid or from an origin that is not allowed: it has
/// been answered, as far as the client took it. [`Error::Aborted`] if the client went away, which browsers
/// do with connections that they opened in advance; [`Error::TimedOut`] and [`Error::Io`].
pub async fn incoming<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    config: &server::Config,
) -> Result<Incoming<S>, Error> {
    nonblocking::incoming(prepare(stream)?, config).await
}

/// Opens a WebSocket as the server, at any path and without a subprotocol. Whoever asks for something
/// else gets a 426. To decide more than that, see [`incoming`].
///
/// # Errors
///
/// As `incoming`, and [`Error::NoUpgrade`].
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    config: &server::Config,
) -> Result<WebSocket<S>, Error> {
    nonblocking::accept(prepare(stream)?, config).await
}

/// Messages are gathered already when they are written: the system must not wait for more.
fn prepare<S: 'static>(stream: S) -> io::Result<S> {
    if let Some(socket) = socket(&stream) {
        socket.set_nodelay(true)?;
    }
    Ok(stream)
}

/// The socket that a transport is made of, if it is one of those that are known here.
fn socket(stream: &dyn Any) -> Option<&TcpStream> {
    #[cfg(feature = "rustls")]
    if let Some(tls) = stream.downcast_ref::<TlsStream<TcpStream>>() {
        return Some(tls.stream());
    }
    let known = stream
        .downcast_ref::<MaybeTlsStream>()
        .map(MaybeTlsStream::tcp);
    known.or_else(|| stream.downcast_ref())
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use ::tokio::net::TcpListener;

    use super::*;
    use crate::tls;

    #[::tokio::test]
    async fn nagle_is_off_in_whatever_a_socket_is_wrapped() -> io::Result<()> {
        let root = rcgen::generate_simple_self_signed(["localhost".into()]);
        let root = root.expect("a certificate").cert.pem();
        let config = tls::client(root.as_bytes()).expect("a root");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let connect = || TcpStream::connect(listener.local_addr().expect("it is bound"));

        assert!(prepare(connect().await?)?.nodelay()?);
        let known = prepare(MaybeTlsStream::from(connect().await?))?;
        assert!(known.tcp().nodelay()?);
        let tls = TlsStream::client(connect().await?, config.clone(), "localhost");
        assert!(prepare(tls.expect("a name"))?.stream().nodelay()?);
        let inner = connect().await?.into();
        let tls = TlsStream::<MaybeTlsStream>::client(inner, config, "localhost");
        let known = prepare(MaybeTlsStream::from(tls.expect("a name")))?;
        assert!(known.tcp().nodelay()?);
        Ok(())
    }
}
