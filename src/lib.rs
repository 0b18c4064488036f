//! WebSocket ([RFC 6455][rfc]) without I/O: bytes go in, events come out, commands queue bytes.
//!
//! The whole protocol is one state machine that reads no socket, asks no clock, starts no thread and
//! contains no `unsafe`. It goes wherever bytes can be moved: blocking sockets, any async runtime, a
//! microcontroller, a fuzzer. If all you want is to connect or to serve, begin with `tokio` (a feature) or
//! [`blocking`].
//!
//! ```text
//!  transport                        Connection                                application
//!  socket --> RecvBuf --> frames --> [inflate] --> messages ----> Event<'rx> --> match
//!                            |  pong, answer to Close, Close of a failure
//!  socket <-- SendBuf <-- frames <-- [deflate] <-- messages <---- send_*, close
//!  clock  --> handle_timeout(now) --> ping | Close | TimedOut     (returns the next deadline)
//! ```
//!
//! # The loop
//!
//! One order of verbs, always: *receive, clock, send, wait*. This is an echo server for one
//! connection; `examples/echo_by_hand.rs` is the same with sockets, threads and deadlines.
//!
//! ```
//! use std::{error::Error, io::{Read, Write}, time::Instant};
//!
//! use bytes::Buf;
//! use framewire::{Connection, Event, RecvBuf};
//!
//! fn echo(
//!     mut conn: Connection,
//!     rx: &mut RecvBuf,
//!     stream: &mut (impl Read + Write),
//! ) -> Result<(), Box<dyn Error>> {
//!     let start = Instant::now();
//!     loop {
//!         // Receive: an event borrows `rx`, never `conn`, so that answers can be queued at once.
//!         while let Some(event) = conn.receive(rx) {
//!             match event {
//!                 Event::Text(text) => conn.send_text(text)?,
//!                 Event::Binary(data) => conn.send_binary(data)?,
//!                 _ => {} // pings and Close frames have been answered
//!             }
//!             // Much came at once: answers must not pile up behind each other.
//!             if conn.send_buf().remaining() > 64 * 1024 {
//!                 flush(&mut conn, stream)?;
//!             }
//!         }
//!         // Clock: fires what is due. A real loop waits no longer than until the deadline it returns.
//!         conn.handle_timeout(start.elapsed())?;
//!         // Send: all replies gathered, one system call.
//!         flush(&mut conn, stream)?;
//!         if conn.is_closed() {
//!             return Ok(());
//!         }
//!         // Wait.
//!         if rx.read_from(stream)? == 0 {
//!             conn.receive_eof()?;
//!         }
//!     }
//! }
//!
//! fn flush(conn: &mut Connection, stream: &mut impl Write) -> std::io::Result<()> {
//!     while !conn.send_buf().is_empty() {
//!         conn.send_buf().write_to(stream)?;
//!     }
//!     Ok(())
//! }
//! # struct Wire(std::io::Cursor<Vec<u8>>, Vec<u8>);
//! # impl Read for Wire { fn read(&mut self, b: &mut [u8]) -> std::io::Result<usize> { self.0.read(b) } }
//! # impl Write for Wire {
//! #     fn write(&mut self, b: &[u8]) -> std::io::Result<usize> { self.1.write(b) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let input = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x80\0\0\0\0".to_vec();
//! # let mut wire = Wire(std::io::Cursor::new(input), Vec::new());
//! # echo(Connection::server(framewire::Config::new()), &mut RecvBuf::new(), &mut wire)?;
//! # assert_eq!(wire.1, b"\x81\x05Hello\x88\x00");
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! # Rules of use
//!
//! 1. Call [`receive`](Connection::receive) until it says `None` before you wait for input: frames
//!    may have come in the same segment as the opening handshake.
//! 2. Write [`send_buf`](Connection::send_buf) before you wait for anything: replies to pings and
//!    Close frames are in it as well as your own messages.
//! 3. Keep one [`RecvBuf`] with one connection, as long as it [is not empty](RecvBuf::is_empty);
//!    [clear](RecvBuf::clear) it when the connection has ended.
//! 4. What the peer does wrong is [`Event::Failed`], never an early return: go on with the loop until
//!    [`is_closed`](Connection::is_closed), so that it is told why;
//!    [`failure`](Connection::failure) remembers it.
//! 5. Call [`handle_timeout`](Connection::handle_timeout) in every turn, or deadlines do not exist.
//! 6. A command that is refused ([`SendError`]) has changed nothing.
//!
//! # Where to go on
//!
//! - On tokio: the module `tokio`. On smol and others: `futures`. Both are features.
//! - Sockets and threads, no runtime: [`blocking`].
//! - Proxies, redirects, several addresses: [`connect`]. TLS: the module `tls`, behind the feature `rustls`.
//! - The opening handshake: [`client`] and [`server`]; in a framework that speaks HTTP itself, the
//!   module `http` behind the feature of that name.
//! - Limits and time-outs: [`Config`]; those on memory are finite by default.
//! - Messages too large to hold: [`receive_part`](Connection::receive_part) and
//!   [`start_message`](Connection::start_message).
//! - One message for many peers: [`PreparedMessage`].
//! - Compression: [`Config::deflate`], and what it costs: [`Deflate`].
//! - How a connection ended: [`Connection::closed`], [`Connection::failure`].
//! - Frames without a connection, for proxies and tools: [`frame`].
//!
//! # Features
//!
//! | name | default | brings |
//! |---|---|---|
//! | `std` | yes | [`blocking`], `Read` and `Write` for the buffers, the system's random numbers for clients; without it the crate is `no_std` with `alloc` |
//! | `simd` | yes | masking by the widest vectors the processor has, chosen at run time; needs `std` |
//! | `deflate` | yes | permessage-deflate (RFC 7692), off until it is [configured](Config::deflate); needs `std` |
//! | `tokio` | no | the adapter for tokio |
//! | `futures` | no | the same for the I/O traits of `futures` |
//! | `nonblocking` | no | what these two are made of, for other runtimes |
//! | `rustls` | no | TLS for the adapters `blocking`, `tokio` and `futures`, as clients (`wss`) and as servers; needs `std` |
//! | `http` | no | conversions from and to the types of the crate `http`, for hyper, axum and their like; needs `std` |
//! | `idna` | no | host names that are not ASCII in [URIs](client::Uri), by the crate `idna` |
//! | `tracing` | no | a span for each connection of these adapters, and events for what happens once in its life |
//!
//! # Design
//!
//! - **The input buffer is the caller's, because events borrow from it.** A library that owns its
//!   input pays a reference count or a copy for every message, or keeps the caller from answering
//!   while it looks at one. **The output buffer is the connection's, because it must survive a short
//!   write.**
//! - **`receive` can't fail.** If it returned a `Result`, the `?` behind it would leave the function
//!   before the Close frame of the failure is written.
//! - **Time is a number.** [`handle_timeout`](Connection::handle_timeout) takes the time since any
//!   origin: no clock type, and a test's clock is a variable. Firing, arming and asking are one call,
//!   so that there is no half of it to forget.
//! - **Connecting is another type.** Only a finished handshake makes a `Connection`, so that a frame
//!   before the 101 or a second answer can't be written.
//! - **Text that comes in pieces is copied once**, into the `String` that makes its `&str`. Safe Rust
//!   could only look at all of it a second time, which costs more.
//! - **Nothing is allocated for what a header promises**, only for what has arrived, and nothing for
//!   each message: a warm connection does not allocate.
//! - **Compression is a stage, not a trait.** permessage-deflate is the one extension that browsers speak. It
//!   sits between frames and messages, and holds a state for one message only, unless context takeover is
//!   agreed on.
//!
//! How each requirement of the RFCs is tested stands in `docs/requirements.md`.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc6455

#![no_std]
#![forbid(unsafe_code)]
// Lengths from the wire must not be cut silently, and no state be forgotten. Not for tests, which
// make bytes of counters and panic on everything else.
#![cfg_attr(
    not(test),
    warn(
        clippy::cast_possible_truncation,
        clippy::unwrap_used,
        clippy::wildcard_enum_match_arm
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
mod adapter;
#[cfg(feature = "std")]
pub mod blocking;
mod buffer;
mod close;
mod config;
#[cfg(feature = "std")]
pub mod connect;
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/off.rs"]
mod deflate;
mod error;
mod event;
pub mod frame;
#[cfg(feature = "futures")]
pub mod futures;
mod handshake;
mod message;
#[cfg(feature = "nonblocking")]
pub mod nonblocking;
mod prepared;
mod rng;
mod stats;
#[cfg(feature = "rustls")]
pub mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod utf8;

pub use buffer::{RecvBuf, SendBuf};
pub use close::{CloseCode, CloseFrame};
pub use config::{Accepts, Config, Keepalive, Role};
pub use connection::{Closed, ClosedBy, Connection, State};
#[cfg(feature = "deflate")]
pub use deflate::Deflate;
#[cfg(feature = "std")]
pub use error::Error;
pub use error::{ProtocolError, SendError, TimedOut, UnexpectedEof};
pub use event::{Event, MessageKind, PartEvent};
#[cfg(feature = "http")]
pub use handshake::http;
pub use handshake::{client, server};
pub use message::{Message, Sendable};
pub use prepared::PreparedMessage;
pub use stats::Stats;

/// The examples of the README.
#[cfg(all(doctest, feature = "deflate", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
