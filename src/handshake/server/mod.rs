//! The server's side of the opening handshake ([RFC 6455 section 4.2][rfc]).
//!
//! A [`Handshake`] turns bytes into an [`Opening`]: a request to accept or to answer, or a refusal
//! that is queued already. Only an accepted request makes a [`Connection`](crate::Connection), so
//! that a frame before the 101, or two answers to one request, can't be written.
//!
//! ```
//! use framewire::server::{Config, Handshake, Opening, Response};
//! use framewire::{Connection, RecvBuf};
//! use std::io::{self, Read, Write};
//!
//! /// Accepts a WebSocket at `/chat`.
//! fn accept(stream: &mut (impl Read + Write), rx: &mut RecvBuf) -> io::Result<Option<Connection>> {
//!     let mut handshake = Handshake::new(&Config::new());
//!     let opening = loop {
//!         if let Some(opening) = handshake.receive(rx) {
//!             break opening;
//!         }
//!         if rx.read_from(stream)? == 0 {
//!             handshake.receive_eof().map_err(io::Error::other)?;
//!         }
//!     };
//!     let status = |status| Response::new(status).expect("a final status");
//!     let mut answer = match opening {
//!         Opening::Upgrade(request) if request.path() == "/chat" => {
//!             return Ok(Some(request.upgrade()));
//!         }
//!         Opening::Upgrade(request) => request.respond(status(404)),
//!         Opening::Plain(request) => request.respond(status(426)),
//!         Opening::Rejected(_) => handshake.into_send_buf(),
//!     };
//!     while !answer.is_empty() {
//!         answer.write_to(stream)?;
//!     }
//!     Ok(None)
//! }
//! # struct Wire(&'static [u8], Vec<u8>);
//! # impl Read for Wire { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
//! # impl Write for Wire {
//! #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let head = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! # Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
//! # assert!(accept(&mut Wire(head, vec![]), &mut RecvBuf::new())?.is_some());
//! # let mut wire = Wire(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", vec![]);
//! # assert!(accept(&mut wire, &mut RecvBuf::new())?.is_none());
//! # assert!(wire.1.starts_with(b"HTTP/1.1 426 "));
//! # let mut wire = Wire(b"GET / HTTP/1.1\r\n\r\n", vec![]);
//! # assert!(accept(&mut wire, &mut RecvBuf::new())?.is_none());
//! # assert!(wire.1.starts_with(b"HTTP/1.1 400 "));
//! # assert!(accept(&mut Wire(b"GET", vec![]), &mut RecvBuf::new()).is_err());
//! # Ok::<(), io::Error>(())
//! ```
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc6455#section-4.2

mod check;
mod config;
mod error;
#[cfg(feature = "http")]
mod http;
mod request;
mod response;

use core::{str, time::Duration};

pub use config::Config;
pub use error::HandshakeError;
pub use request::{NotOffered, PlainRequest, Request};
pub use response::{InvalidStatus, Response};

pub use super::{
    Aborted,
    head::{Head, Headers},
    header::InvalidHeader,
    origin::{AllowedOrigins, InvalidOrigin, OriginPolicy},
};
use super::{
    authority::Authority,
    head::Places,
    http1::{RequestLine, Target},
    reader::HeadReader,
};
use crate::{RecvBuf, SendBuf, TimedOut};
use check::{Wish, check};

/// An opening handshake in progress.
///
/// It owns no heap memory until a request is complete: the bytes of an incomplete one are left in the
/// [`RecvBuf`]. The [module](self) shows the loop. With a clock, call
/// [`handle_timeout`](Self::handle_timeout) as well.
#[derive(Debug)]
pub struct Handshake {
    config: Config,
    reader: HeadReader,
    phase: Phase,
    tx: SendBuf,
    /// When [`Self::handle_timeout`] was called first.
    started: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request is incomplete.
    Request,
    /// A request was handed out that may become a connection, whose input follows.
    Accepted,
    /// Nothing more is expected: input is discarded.
    Discard,
}

/// What a client opened the connection with.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an upgrade, none, or neither: there is nothing else to be"
)]
pub enum Opening {
    /// A valid request for a WebSocket, from an origin that is allowed: accept it, or answer it.
    Upgrade(Request),
    /// A valid GET request that asks for no WebSocket: answer it.
    Plain(PlainRequest),
    /// Anything else. The answer is in [`Handshake::send_buf`]: write it and close the transport.
    ///
    /// A client that is still sending may lose the answer, this one or another, if the transport is
    /// closed at once. To be kind to it, end the direction of writing alone, and go on reading and
    /// [clearing](RecvBuf::clear) until the client ends its own, or for a moment.
    Rejected(HandshakeError),
}

impl Handshake {
    /// Begins a handshake. Does not allocate.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            reader: HeadReader::new(),
            phase: Phase::Request,
            tx: SendBuf::new(),
            started: None,
        }
    }

    /// Takes the request out of `rx`, or `None` if more input is needed: fill `rx` and call again.
    ///
    /// There is one result; after it, it is `None` for ever. What follows a request for a WebSocket
    /// is left in `rx` for the connection. What follows anything else is discarded, here and in later
    /// calls, and never taken for another request.
    ///
    /// # Cost
    ///
    /// Each byte is looked at once while it arrives. The complete head is copied once.
    ///
    /// # Panics
    ///
    /// If `rx` is not the buffer that holds the beginning of the request, or holds a part of a message
    /// of some connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::RecvBuf;
    /// use framewire::server::{Config, Handshake, HandshakeError, Opening};
    ///
    /// let mut handshake = Handshake::new(&Config::new());
    /// let mut rx = RecvBuf::new();
    /// rx.extend_from_slice(b"POST / HTTP/1.1\r\n");
    /// assert!(handshake.receive(&mut rx).is_none());
    /// rx.extend_from_slice(b"\r\n");
    /// let opening = handshake.receive(&mut rx);
    /// assert!(matches!(opening, Some(Opening::Rejected(HandshakeError::MethodNotAllowed))));
    /// assert!(!handshake.send_buf().is_empty());
    /// ```
    pub fn receive(&mut self, rx: &mut RecvBuf) -> Option<Opening> {
        match self.phase {
            Phase::Request => {}
            Phase::Accepted => return None,
            Phase::Discard => {
                rx.discard();
                return None;
            }
        }
        let opening = match self.reader.read(rx, &self.config.limits) {
            Ok(false) => return None,
            Ok(true) => self.open(self.reader.head(rx)),
            Err(error) => Err(error.into()),
        };
        match opening {
            Ok(Opening::Upgrade(request)) => {
                self.phase = Phase::Accepted;
                self.reader.take(rx);
                Some(Opening::Upgrade(request))
            }
            Ok(opening) => {
                self.phase = Phase::Discard;
                rx.discard();
                Some(opening)
            }
            Err(error) => {
                self.phase = Phase::Discard;
                let to_head = self.reader.head(rx).starts_with(b"HEAD ");
                rx.discard();
                Response::from(error).queue(&mut self.tx, to_head);
                Some(Opening::Rejected(error))
            }
        }
    }

    /// Checks a complete head: the request line, then header lines, then what they mean.
    fn open(&self, head: &[u8]) -> Result<Opening, HandshakeError> {
        use HandshakeError as E;

        let line_len = head.iter().position(|&byte| byte == b'\r');
        let (line, lines) = head.split_at(line_len.unwrap_or_default());
        let parsed = RequestLine::parse(line).ok_or(E::InvalidRequestLine)?;
        let text = |range| head.get(range).and_then(|b| str::from_utf8(b).ok());
        if parsed.version != (1, 1) {
            return Err(E::UnsupportedHttpVersion);
        }
        if text(parsed.method.clone()) != Some("GET") {
            return Err(E::MethodNotAllowed);
        }
        let lines = lines.strip_prefix(b"\r\n").unwrap_or_default();
        let headers = Headers::parse(lines, self.reader.headers()).ok_or(E::InvalidHeaderLine)?;
        let target = text(parsed.target.clone()).ok_or(E::InvalidTarget)?;
        let (target, wish) = read(target, headers, &self.config.origin)?;
        let head = Head::new(head, Places::new(parsed, line.len(), target));
        Ok(match wish {
            Wish::Plain => Opening::Plain(PlainRequest::new(head)),
            Wish::WebSocket { accept } => {
                Opening::Upgrade(Request::new(head, accept, self.config.connection))
            }
        })
    }

    /// Tells whether time is up at `now`, on any scale that does not go backwards, and returns when
    /// it will be. `None`: nothing is waited for, because the request is complete and, if it was
    /// refused, the answer is written.
    ///
    /// The first call starts the clock: make it when the transport is accepted. Bytes that arrive do
    /// not extend the deadline.
    ///
    /// # Errors
    ///
    /// [`TimedOut::Handshake`]: drop the transport. An answer that was queued is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use framewire::TimedOut;
    /// use framewire::server::{Config, Handshake};
    ///
    /// let mut handshake = Handshake::new(&Config::new());
    /// let due = handshake.handle_timeout(Duration::from_secs(5))?.expect("a request has to come");
    /// assert_eq!(due, Duration::from_secs(15));
    /// assert_eq!(handshake.handle_timeout(due), Err(TimedOut::Handshake));
    /// # Ok::<(), TimedOut>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Duration) -> Result<Option<Duration>, TimedOut> {
        let started = *self.started.get_or_insert(now);
        if self.phase != Phase::Request && self.tx.is_empty() {
            return Ok(None);
        }
        let due = started.checked_add(self.config.timeout);
        if due.is_some_and(|due| due <= now) {
            self.phase = Phase::Discard;
            self.tx.clear();
            return Err(TimedOut::Handshake);
        }
        Ok(due)
    }

    /// Takes note that the transport has ended: all that it delivered must have been received.
    ///
    /// # Errors
    ///
    /// [`Aborted`] if the request is incomplete. Nothing can come of it any more.
    pub fn receive_eof(&mut self) -> Result<(), Aborted> {
        if self.phase != Phase::Request {
            return Ok(());
        }
        self.phase = Phase::Discard;
        Err(Aborted {
            received: self.reader.received(),
        })
    }

    /// The bytes to write: the answer to a request that was [rejected](Opening::Rejected). Empty
    /// otherwise.
    pub fn send_buf(&mut self) -> &mut SendBuf {
        &mut self.tx
    }

    /// As [`send_buf`](Self::send_buf), for callers that treat it like the answer to a request.
    #[must_use]
    pub fn into_send_buf(self) -> SendBuf {
        self.tx
    }
}

/// Checks the target of a GET request and what its headers mean, whoever has taken it apart.
fn read(
    target: &str,
    headers: Headers<'_>,
    policy: &OriginPolicy,
) -> Result<(Target, Wish), HandshakeError> {
    let places = Target::parse(target).ok_or(HandshakeError::InvalidTarget)?;
    let authority = places.authority.clone().and_then(|place| target.get(place));
    let authority = authority.and_then(|host| Authority::parse(host.as_bytes()));
    let wish = check(authority, headers, policy)?;
    Ok((places, wish))
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: HS-44
    #[test]
    fn each_byte_is_scanned_once_when_it_arrives() {
        let config = Config::new().max_head_size(1 << 20).max_headers(1 << 20);
        let mut handshake = Handshake::new(&config);
        let mut rx = RecvBuf::new();
        let mut head = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
        while head.len() < 64 * 1024 {
            head.extend_from_slice(b"name: value\r\n");
        }
        for (n, &byte) in head.iter().enumerate() {
            rx.extend_from_slice(&[byte]);
            assert!(handshake.receive(&mut rx).is_none());
            // It counts what it looks at: a second look at anything would make it more.
            assert_eq!(handshake.reader.received(), n + 1);
        }
        rx.extend_from_slice(b"\r\n");
        assert!(matches!(
            handshake.receive(&mut rx),
            Some(Opening::Plain(_))
        ));
    }
}
