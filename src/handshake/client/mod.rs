//! The client's side of the opening handshake ([RFC 6455 section 4.1][rfc]).
//!
//! A [`Request`] says what to ask for; a [`Handshake`] queues it and turns the server's answer into an
//! [`Outcome`]. Only a 101 that answers this very request makes a [`Connection`], so that a frame
//! before it can't be written.
//!
//! ```
//! use std::io::{self, Read, Write};
//!
//! use framewire::client::{Config, Handshake, Outcome, Request};
//! use framewire::{Connection, RecvBuf};
//!
//! fn connect(
//!     request: &Request,
//!     stream: &mut (impl Read + Write),
//!     rx: &mut RecvBuf,
//! ) -> io::Result<Connection> {
//!     let mut handshake = Handshake::new(request, &Config::new());
//!     loop {
//!         while !handshake.send_buf().is_empty() {
//!             handshake.send_buf().write_to(stream)?;
//!         }
//!         match handshake.receive(rx) {
//!             Some(Outcome::Connected(conn, _response)) => return Ok(conn),
//!             Some(Outcome::Refused(response)) => {
//!                 return Err(io::Error::other(format!("refused with {}", response.status())));
//!             }
//!             Some(Outcome::Failed(error)) => return Err(io::Error::other(error)),
//!             None => {}
//!         }
//!         if rx.read_from(stream)? == 0 {
//!             handshake.receive_eof().map_err(io::Error::other)?;
//!         }
//!     }
//! }
//! # struct Wire(&'static [u8], Vec<u8>);
//! # impl Read for Wire { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
//! # impl Write for Wire {
//! #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let request = Request::new("ws://h/").expect("a valid URI");
//! # let mut wire = Wire(b"HTTP/1.1 403 No\r\n\r\n", vec![]);
//! # let refused = connect(&request, &mut wire, &mut RecvBuf::new()).expect_err("refused");
//! # assert_eq!(refused.to_string(), "refused with 403");
//! # assert!(wire.1.starts_with(b"GET / HTTP/1.1\r\nHost: h\r\n"));
//! # assert!(connect(&request, &mut Wire(b"HTTP", vec![]), &mut RecvBuf::new()).is_err());
//! ```
//!
//! The core does not know what else connects to the same address: that only one connection at a time
//! should be in this state (RFC 6455 section 4.1) is up to who opens the transports.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc6455#section-4.1

mod backoff;
mod body;
mod check;
mod config;
mod error;
#[cfg(feature = "http")]
mod http;
mod idn;
mod reader;
mod redirect;
mod request;
mod response;
mod uri;

use alloc::string::String;
use core::{fmt, mem, time::Duration};

pub use backoff::Backoff;
pub use config::Config;
pub use error::HandshakeError;
#[cfg(feature = "http")]
pub use http::HttpHandshake;
pub use redirect::InvalidRedirect;
pub use request::{InvalidRequest, Request};
pub use response::Response;
pub use uri::{InvalidUri, Uri};

use super::header::{Key, encode_key};
pub use super::{Aborted, head::Headers, header::InvalidHeader};
use crate::{Connection, RecvBuf, Role, SendBuf, TimedOut, deflate::negotiate, rng::Rng};
use body::Body;
use check::{Asked, check};
pub(crate) use reader::ResponseReader;
#[cfg(feature = "std")]
pub(crate) use uri::{parse_authority, parse_userinfo};

/// An opening handshake in progress.
///
/// The [module](self) shows the loop. With a clock, call [`handle_timeout`](Self::handle_timeout) as
/// well. If it ends without an outcome, [clear](RecvBuf::clear) the buffer before you use it again.
pub struct Handshake {
    config: Config,
    subprotocols: String,
    /// The answer to the key.
    accept: [u8; 28],
    /// Goes over to the connection, which continues its sequence.
    rng: Option<Rng>,
    tx: SendBuf,
    reader: ResponseReader,
    phase: Phase,
    /// When [`Self::handle_timeout`] was called first.
    started: Option<Duration>,
}

#[derive(Debug)]
enum Phase {
    /// The head of a response is incomplete.
    Head,
    /// A refusal is complete but for its body.
    Body(Response, Body),
    /// A connection was handed out, whose input follows.
    Connected,
    /// Nothing more is expected: input is discarded.
    Discard,
}

/// What became of an opening handshake.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "yes, no, or no answer at all: there is nothing else to be"
)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them in a connection's life, and it is taken apart at once"
)]
pub enum Outcome {
    /// The server speaks WebSocket. With the 101, for its headers.
    Connected(Connection, Response),
    /// The server answered with something else than 101: drop the transport. Why is in the status,
    /// the headers and the body.
    Refused(Response),
    /// The answer is against the rules: drop the transport.
    Failed(HandshakeError),
}

impl Handshake {
    /// Begins a handshake, with the request in [`send_buf`](Self::send_buf) and a fresh key in it.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give, which the key and masking need
    /// (RFC 6455 sections 4.1 and 10.3).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new(request: &Request, config: &Config) -> Self {
        Self::with_seed(request, config, crate::rng::system_seed())
    }

    /// Begins a handshake, with a given seed for its key and the masking keys of its connection.
    ///
    /// For targets without an operating system and for tests. The seed must be random, secret and
    /// fresh: who knows it can choose what bytes appear on the wire (RFC 6455 section 10.3).
    #[must_use]
    pub fn with_seed(request: &Request, config: &Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::from_seed(seed);
        let key = encode_key(rng.nonce());
        let mut tx = SendBuf::new();
        let offer = config.connection.deflate.as_ref().map(negotiate::offer);
        tx.push_bytes(&request.encode(&key, offer.as_deref()));
        Self {
            config: *config,
            subprotocols: request.subprotocols().into(),
            accept: Key::from(&key).accept(),
            rng: Some(rng),
            tx,
            reader: ResponseReader::new(config),
            phase: Phase::Head,
            started: None,
        }
    }

    /// Takes the answer out of `rx`, or `None` if more input is needed: fill `rx` and call again.
    ///
    /// There is one result; after it, it is `None` for ever. What follows a 101 is left in `rx` for
    /// the connection. What follows anything else is discarded, here and in later calls.
    ///
    /// Interim responses are skipped, up to 8 of them (RFC 9110 section 15.2). A refusal is reported
    /// when its body is complete, or as much of it as will be kept.
    ///
    /// # Cost
    ///
    /// Each byte is looked at once while it arrives. The complete head is copied once.
    ///
    /// # Panics
    ///
    /// If `rx` is not the buffer that holds the beginning of the answer, or holds a part of a message
    /// of some connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::RecvBuf;
    /// use framewire::client::{Config, Handshake, Outcome, Request};
    ///
    /// let request = Request::new("ws://example.com/")?;
    /// let mut handshake = Handshake::new(&request, &Config::new());
    /// let mut rx = RecvBuf::new();
    /// rx.extend_from_slice(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n");
    /// assert!(handshake.receive(&mut rx).is_none());
    /// rx.extend_from_slice(b"Content-Length: 4\r\n\r\nwho?");
    /// let Some(Outcome::Refused(response)) = handshake.receive(&mut rx) else {
    ///     panic!("a complete refusal");
    /// };
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.header("www-authenticate"), Some(&b"Bearer"[..]));
    /// assert_eq!(response.body(), b"who?");
    /// # Ok::<(), framewire::client::InvalidRequest>(())
    /// ```
    pub fn receive(&mut self, rx: &mut RecvBuf) -> Option<Outcome> {
        loop {
            match &mut self.phase {
                Phase::Head => {
                    let outcome = match self.reader.receive(rx) {
                        Ok(None) => return None,
                        Ok(Some(status)) => self.take_head(status, rx),
                        Err(error) => Err(error),
                    };
                    match outcome {
                        Ok(None) => {}
                        Ok(outcome) => return outcome,
                        Err(error) => {
                            self.stop();
                            rx.discard();
                            return Some(Outcome::Failed(error));
                        }
                    }
                }
                Phase::Body(_, body) => {
                    self.reader.check_buffer(rx);
                    body.push(rx.undecoded());
                    rx.discard();
                    if !body.is_complete() {
                        return None;
                    }
                    let ended = mem::replace(&mut self.phase, Phase::Discard);
                    if let Phase::Body(response, body) = ended {
                        let response = response.with_body(body.into_kept());
                        return Some(Outcome::Refused(response));
                    }
                }
                Phase::Connected => return None,
                Phase::Discard => {
                    rx.discard();
                    return None;
                }
            }
        }
    }

    /// Takes a complete head out of the buffer. `None`: its body follows.
    fn take_head(
        &mut self,
        status: u16,
        rx: &mut RecvBuf,
    ) -> Result<Option<Outcome>, HandshakeError> {
        if status != 101 {
            // Whatever is left of the request, nobody reads it.
            self.tx.clear();
            let response = self.reader.take(rx);
            let body = Body::new(status, response.headers(), self.config.max_body_size);
            self.phase = Phase::Body(response, body);
            return Ok(None);
        }
        let asked = Asked::new(&self.accept, &self.subprotocols, &self.config);
        let (subprotocol, deflate) = check(self.reader.headers(rx), asked)?;
        let tx = mem::replace(&mut self.tx, SendBuf::new());
        let rng = self.rng.take();
        let config = self.config.connection;
        let connection = Connection::opened(Role::Client, config, rng, tx, subprotocol, deflate);
        self.phase = Phase::Connected;
        Ok(Some(Outcome::Connected(connection, self.reader.take(rx))))
    }

    /// Ends the handshake without a connection: nothing is sent or received any more.
    fn stop(&mut self) {
        self.phase = Phase::Discard;
        self.tx.clear();
    }

    /// Tells whether time is up at `now`, on any scale that does not go backwards, and returns when
    /// it will be. `None`: never, or there was an outcome.
    ///
    /// The first call starts the clock. Bytes that arrive do not extend the deadline. A refusal whose
    /// body is still incomplete by then is not lost: `now` itself is returned, and
    /// [`receive`](Self::receive) has the refusal with what came of the body.
    ///
    /// # Errors
    ///
    /// [`TimedOut::Handshake`]: drop the transport.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use framewire::TimedOut;
    /// use framewire::client::{Config, Handshake, Request};
    ///
    /// let request = Request::new("ws://example.com/")?;
    /// let mut handshake = Handshake::new(&request, &Config::new());
    /// let due = handshake.handle_timeout(Duration::from_secs(5))?.expect("an answer has to come");
    /// assert_eq!(due, Duration::from_secs(15));
    /// assert_eq!(handshake.handle_timeout(due), Err(TimedOut::Handshake));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Duration) -> Result<Option<Duration>, TimedOut> {
        let started = *self.started.get_or_insert(now);
        let due = started.checked_add(self.config.timeout);
        let is_due = due.is_some_and(|due| due <= now);
        match &mut self.phase {
            Phase::Connected | Phase::Discard => Ok(None),
            Phase::Head if is_due => {
                self.stop();
                Err(TimedOut::Handshake)
            }
            Phase::Body(_, body) if is_due => {
                body.end();
                Ok(Some(now))
            }
            Phase::Head | Phase::Body(..) => Ok(due),
        }
    }

    /// Takes note that the transport has ended: all that it delivered must have been received. Call
    /// [`receive`](Self::receive) once more: it has the refusal whose body ended with the transport.
    ///
    /// # Errors
    ///
    /// [`Aborted`] if no final response is complete. Nothing can come of it any more.
    pub fn receive_eof(&mut self) -> Result<(), Aborted> {
        match &mut self.phase {
            Phase::Head => {
                self.stop();
                Err(Aborted {
                    received: self.reader.received(),
                })
            }
            Phase::Body(_, body) => {
                body.end();
                Ok(())
            }
            Phase::Connected | Phase::Discard => Ok(()),
        }
    }

    /// The bytes to write: the request. What is left of it when the answer has come is written by
    /// the connection.
    pub fn send_buf(&mut self) -> &mut SendBuf {
        &mut self.tx
    }
}

impl fmt::Debug for Handshake {
    /// Without the offered subprotocols, which are used for secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
