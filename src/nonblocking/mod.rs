//! WebSockets over transports that are polled, of any runtime.
//!
//! This is what the modules `tokio` and `futures` are: the same code for both, with the names to use, which are
//! aliases, because a type of their own would have to repeat every method. What is here in addition is the
//! [`Runtime`] that both of them implement, a name for a family of transports and timers. A runtime with I/O traits
//! of its own becomes one by a [`Timer`] and a [`Transport`] for its streams; decisions there are none to make. TLS
//! it has to bring along: that of the feature `rustls` is for the other two.
//!
//! ```text
//!              WebSocket (one task)          Receiver, Sender (several tasks)
//!                         \                      /  a lock for each poll
//!                          link: receive, clock, send, wait
//!                         /            \
//!    Connection, RecvBuf (lent)     io: Transport, Timer
//! ```
//!
//! - **Between taking an event and returning it there is no await**, so that no future that is dropped takes
//!   one with it.
//! - **A connection that waits holds no buffer.** The thread lends one for the time of a poll.
//! - **There is one timer for each connection**, from its first deadline on. It is never moved to a later
//!   deadline: it wakes once for nothing instead, so that a deadline which moves with every message costs
//!   nothing.
//! - **A transport wakes only whoever asked last.** The halves of a split WebSocket ask with the same waker, which
//!   wakes all of them.
//! - **With the feature `tracing`**, each connection has a span `websocket`, with events on the level `DEBUG` in it: opened,
//!   failed, closed; and outside of it, not opened. They hold codes, counters and errors, never a byte of the
//!   peer's but the name of its subprotocol.

mod bytes;
mod handshake;
mod io;
mod link;
mod messages;
mod pool;
mod runtime;
mod split;
#[cfg(all(feature = "rustls", any(feature = "tokio", feature = "futures")))]
mod tls;
mod trace;
#[cfg(feature = "tokio")]
mod tunnel;
mod wakers;
mod websocket;

pub use bytes::ByteStream;
pub use handshake::{Incoming, Pending, accept, client, incoming};
pub use messages::Messages;
pub use runtime::{Runtime, Timer, Transport};
pub use split::{Receiver, Sender};
#[cfg(all(feature = "rustls", any(feature = "tokio", feature = "futures")))]
pub use tls::TlsStream;
pub use websocket::WebSocket;
#[cfg(feature = "tokio")]
pub(crate) use {handshake::open, trace::Trace, tunnel::dig};

pub use crate::adapter::Parts;
