//! WebSockets over blocking transports: sockets of the standard library, and everything that reads and
//! writes. No runtime, and no thread but yours.
//!
//! A [`WebSocket`] is a [`Connection`](crate::Connection) with a transport, a buffer and a clock. It
//! decides nothing: it is the loop of the [crate documentation](crate), so that all limits and time-outs
//! are those of [`Config`](crate::Config).
//!
//! # Connect
//!
//! ```
//! use framewire::blocking::connect;
//! use framewire::{CloseCode, Error, Message};
//!
//! fn ask(uri: &str) -> Result<(), Error> {
//!     let mut ws = connect(uri)?;
//!     ws.send("Hello")?;
//!     while let Some(message) = ws.recv()? {
//!         println!("{message:?}");
//!         if message == Message::from("Hello") {
//!             break;
//!         }
//!     }
//!     let closed = ws.close(CloseCode::NORMAL, "")?;
//!     assert!(closed.clean);
//!     Ok(())
//! }
//! # use framewire::{blocking, server::Config};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let server = std::thread::spawn(move || -> Result<(), Error> {
//! #     let mut ws = blocking::accept(listener.accept()?.0, &Config::new())?;
//! #     while let Some(message) = ws.recv()? { ws.send(&message)?; }
//! #     Ok(())
//! # });
//! # ask(&uri)?;
//! # server.join().expect("no panic")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! Headers, cookies, credentials and subprotocols are in the [`Request`](crate::client::Request) that
//! [`connect_with`] takes.
//!
//! # Serve
//!
//! One thread for each connection, and no copy of a message:
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//! use std::thread;
//!
//! use framewire::blocking::accept;
//! use framewire::{Error, Event, server::Config};
//!
//! fn serve(listener: TcpListener) -> Result<(), Error> {
//!     for stream in listener.incoming() {
//!         let stream = stream?;
//!         thread::spawn(|| echo(stream).unwrap_or_else(|error| eprintln!("{error}")));
//! #       break;
//!     }
//!     Ok(())
//! }
//!
//! fn echo(stream: TcpStream) -> Result<(), Error> {
//!     let mut ws = accept(stream, &Config::new())?;
//!     while let Some((event, conn)) = ws.recv_ref()? {
//!         match event {
//!             Event::Text(text) => conn.send_text(text)?,
//!             Event::Binary(data) => conn.send_binary(data)?,
//!             _ => {} // pings and Close frames have been answered
//!         }
//!     }
//!     Ok(())
//! }
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let server = thread::spawn(|| serve(listener));
//! # let mut ws = framewire::blocking::connect(&uri)?;
//! # ws.send(b"1")?;
//! # assert_eq!(ws.recv()?, Some(b"1"[..].into()));
//! # assert!(ws.close(framewire::CloseCode::NORMAL, "")?.clean);
//! # server.join().expect("no panic")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! [`incoming`] lets you look at the request first: to route, to authenticate, to choose a subprotocol,
//! to answer with a page.
//!
//! # Broadcast
//!
//! A message for many is encoded once. Each subscriber has a queue of its own that is bounded, so that
//! one which does not read slows nobody down. Pings are answered by a thread that receives: see the
//! next section, and `examples/broadcast.rs` for both together.
//!
//! ```
//! use std::net::TcpStream;
//! use std::sync::mpsc::{Receiver, SyncSender};
//!
//! use framewire::blocking::WebSocket;
//! use framewire::{CloseCode, Error, PreparedMessage};
//!
//! /// Sends to everybody who keeps up; whoever does not is dropped.
//! fn publish(subscribers: &mut Vec<SyncSender<PreparedMessage>>, news: &str) {
//!     let message = PreparedMessage::text(news);
//!     subscribers.retain(|subscriber| subscriber.try_send(message.clone()).is_ok());
//! }
//!
//! /// The thread of a subscriber.
//! fn deliver(mut ws: WebSocket<TcpStream>, queue: Receiver<PreparedMessage>) -> Result<(), Error> {
//!     while let Ok(message) = queue.recv() {
//!         ws.feed(&message)?;
//!         while let Ok(message) = queue.try_recv() {
//!             ws.feed(&message)?; // what has gathered leaves in one write
//!         }
//!         ws.flush()?;
//!     }
//!     ws.close(CloseCode::GOING_AWAY, "")?;
//!     Ok(())
//! }
//! # use framewire::{blocking::{accept, connect}, server::Config};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let client = std::thread::spawn(move || -> Result<_, Error> {
//! #     let mut ws = connect(&uri)?;
//! #     let news = (ws.recv()?, ws.recv()?);
//! #     assert_eq!(ws.recv()?, None);
//! #     Ok(news)
//! # });
//! # let ws = accept(listener.accept()?.0, &Config::new())?;
//! # let (sender, queue) = std::sync::mpsc::sync_channel(16);
//! # let (stuck, _unread) = std::sync::mpsc::sync_channel(1);
//! # let mut subscribers = vec![sender, stuck];
//! # publish(&mut subscribers, "tide is high");
//! # publish(&mut subscribers, "tide is low");
//! # assert_eq!(subscribers.len(), 1);
//! # drop(subscribers);
//! # deliver(ws, queue)?;
//! # let (high, low) = client.join().expect("no panic")?;
//! # assert_eq!((high, low), (Some("tide is high".into()), Some("tide is low".into())));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Two threads
//!
//! One is blocked in a read while others write:
//!
//! ```
//! use std::thread;
//!
//! use framewire::blocking::{MaybeTlsStream, WebSocket};
//! use framewire::{CloseCode, Error, Message};
//!
//! fn talk(ws: WebSocket<MaybeTlsStream>) -> Result<Vec<Message>, Error> {
//!     let (mut receiver, sender) = ws.split()?;
//!     let writer = thread::spawn(move || -> Result<(), Error> {
//!         for n in 0..3 {
//!             sender.send(&format!("line {n}"))?;
//!         }
//!         sender.close(CloseCode::NORMAL, "that was all")
//!     });
//!     let mut heard = Vec::new();
//!     while let Some(message) = receiver.recv()? {
//!         heard.push(message);
//!     }
//!     writer.join().expect("no panic")?;
//!     Ok(heard)
//! }
//! # use framewire::{blocking::{accept, connect}, server::Config};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let uri = format!("ws://{}/", listener.local_addr()?);
//! # let server = thread::spawn(move || -> Result<(), Error> {
//! #     let mut ws = accept(listener.accept()?.0, &Config::new())?;
//! #     while let Some(message) = ws.recv()? { ws.send(&message)?; }
//! #     Ok(())
//! # });
//! # let heard = talk(connect(&uri)?)?;
//! # assert_eq!(heard, ["line 0", "line 1", "line 2"].map(Message::from));
//! # server.join().expect("no panic")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! # The functions
//!
//! | to | over TCP | over any [`Transport`] |
//! |---|---|---|
//! | open as the client | [`connect`], [`connect_with`], [`connect_via`] | [`client`](client()) |
//! | open as the server | [`accept`], [`incoming`] | the same |
//! | have TLS | `wss` in `connect` | `TlsStream` around it, with the feature `rustls`: see the module `tls` |
//! | go through a proxy, follow redirects | [`connect_via`] | [`connect::Tunnel`](crate::connect::Tunnel), [`Request::redirected`](crate::client::Request::redirected) |
//! | receive | [`recv`](WebSocket::recv), [`recv_ref`](WebSocket::recv_ref), [`recv_part_ref`](WebSocket::recv_part_ref) | the same |
//! | send | [`send`](WebSocket::send), [`feed`](WebSocket::feed), [`flush`](WebSocket::flush) | the same |
//! | close | [`close`](WebSocket::close) | the same |
//! | use two threads | [`split`](WebSocket::split) | what implements [`SplitTransport`] |
//! | read and write bytes | [`ByteStream`] | the same |
//!
//! Transports are `TcpStream`, `UnixStream`, `TlsStream` over one of them, what you [implement](Transport) that
//! for, and, without deadlines, everything that reads and writes, in [`Untimed`].
//!
//! # What happens when
//!
//! - *The peer is gone while something is written*: what it had sent before is still received; the
//!   error comes at the end of that, and only if there was no closing handshake. Meanwhile every attempt
//!   to send says [`Closed`](crate::SendError::Closed): a loop that is left for it, as an echo may well be,
//!   leaves the rest behind.
//! - *The peer breaks a rule*: it is told so in a Close frame, which is written before the error is
//!   returned.
//! - *A deadline passes*: [`Error::TimedOut`](crate::Error::TimedOut) says which.
//! - *Both ends send much and neither reads*: a [`WebSocket`] that writes does not read, and two of them
//!   wait for each other until one has the time-out of writes. [Split](WebSocket::split) them.
//! - *The connection has ended*: the transport is told so at once, also if the [`WebSocket`] lives on.
//!   If the peer may not have got our last bytes yet, what it still sends is discarded, up to 16 MiB
//!   and for up to a second, for else the operating system would take them back.
#![expect(
    clippy::disallowed_types,
    reason = "an adapter is where sockets and clocks belong"
)]

mod bytes;
mod connect;
mod dial;
mod handshake;
mod split;
mod stream;
mod timed;
#[cfg(feature = "rustls")]
mod tls;
mod transport;
mod turns;
mod websocket;

pub use bytes::ByteStream;
pub use connect::{connect, connect_in_turn, connect_via, connect_with};
pub use handshake::{Incoming, Pending, accept, client, incoming};
pub use split::{Receiver, Sender};
pub use stream::MaybeTlsStream;
#[cfg(feature = "rustls")]
pub use tls::TlsStream;
pub use transport::{SplitTransport, Transport, Untimed};
pub use turns::Turns;
pub use websocket::WebSocket;

pub use crate::adapter::Parts;
