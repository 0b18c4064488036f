//! The opening handshake over a blocking transport, from both sides.

use core::ops::{Deref, DerefMut};
use std::{
    boxed::Box,
    time::{Duration, Instant},
};

use super::{
    Transport, WebSocket,
    timed::{Timed, Waited},
};
use crate::{
    Error, RecvBuf, SendBuf,
    adapter::is_gone,
    client,
    server::{self, Opening, PlainRequest, Response},
};

/// Opens a WebSocket as the client, over a transport that is connected already: one with TLS, a
/// socket of your own making, a proxy's tunnel. With the server's 101, for its headers.
///
/// # Errors
///
/// [`Error::Refused`] for an answer that is no 101, [`Error::Handshake`] for one against the rules,
/// [`Error::Aborted`], [`Error::TimedOut`] and [`Error::Io`].
pub fn client<S: Transport>(
    stream: S,
    request: &client::Request,
    config: &client::Config,
) -> Result<(WebSocket<S>, client::Response), Error> {
    open(Timed::new(stream, Instant::now()), request, config)
}

/// As [`client`]; the time since the origin of `io` counts.
pub(super) fn open<S: Transport>(
    mut io: Timed<S>,
    request: &client::Request,
    config: &client::Config,
) -> Result<(WebSocket<S>, client::Response), Error> {
    io.stream.prepare()?;
    let mut handshake = client::Handshake::new(request, config);
    handshake.handle_timeout(Duration::ZERO)?;
    let mut rx = RecvBuf::new();
    let mut lost = None;
    loop {
        match handshake.receive(&mut rx) {
            Some(client::Outcome::Connected(connection, response)) => {
                return Ok((WebSocket::new(io, connection, rx), response));
            }
            Some(client::Outcome::Refused(response)) => {
                return Err(Error::Refused(Box::new(response)));
            }
            Some(client::Outcome::Failed(error)) => return Err(error.into()),
            None => {}
        }
        let now = io.now();
        let due = handshake.handle_timeout(now)?;
        if due.is_some_and(|due| due <= now) {
            // A refusal whose body takes too long: it is there now.
            continue;
        }
        match io.write(handshake.send_buf(), due) {
            Ok(true) => {}
            Ok(false) => continue,
            // A server that refuses before it has read all: its answer is there to be read.
            Err(error) if is_gone(&error) => {
                handshake.send_buf().clear();
                lost = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
        if let Waited::Ended(error) = io.read(&mut rx, due, || false)? {
            match (handshake.receive_eof(), error.or_else(|| lost.take())) {
                (Ok(()), _) => {}
                (Err(_), Some(error)) => return Err(error.into()),
                (Err(aborted), None) => return Err(aborted.into()),
            }
        }
    }
}

/// A valid request that waits for its answer, from [`incoming`].
///
/// It derefs to the request: route, authenticate and choose a subprotocol there.
#[derive(Debug)]
pub struct Pending<S, R> {
    request: R,
    io: Timed<S>,
    rx: RecvBuf,
    write_timeout: Option<Duration>,
}

/// What a client opened the connection with.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an upgrade, or none: there is nothing else to be"
)]
pub enum Incoming<S> {
    /// A request for a WebSocket, from an origin that is allowed: [upgrade](Pending::upgrade) it, or
    /// respond with anything else.
    Upgrade(Pending<S, server::Request>),
    /// A request for something else, such as a page or a health check: respond.
    Plain(Pending<S, PlainRequest>),
}

/// Waits for a client's request, and lets the caller decide what to answer.
///
/// # Errors
///
/// [`Error::Rejected`] for a request that is not valid or from an origin that is not allowed: it has
/// been answered, as far as the client took it. [`Error::Aborted`] if the client went away, which browsers do with connections that
/// they opened in advance; [`Error::TimedOut`] and [`Error::Io`].
///
/// # Examples
///
/// ```no_run
/// use framewire::blocking::{Incoming, Transport, WebSocket, incoming};
/// use framewire::server::{Config, Response};
/// use framewire::Error;
///
/// fn serve<S: Transport>(stream: S) -> Result<Option<WebSocket<S>>, Error> {
///     match incoming(stream, &Config::new())? {
///         Incoming::Upgrade(mut request) if request.path() == "/chat" => {
///             request.choose_subprotocol(&["chat.v2", "chat.v1"]);
///             return request.upgrade().map(Some);
///         }
///         Incoming::Upgrade(request) => request.respond(status(404))?,
///         Incoming::Plain(request) => request.respond(status(200).body("alive\n"))?,
///     }
///     Ok(None)
/// }
///
/// fn status(status: u16) -> Response {
///     Response::new(status).expect("a final status")
/// }
/// ```
pub fn incoming<S: Transport>(stream: S, config: &server::Config) -> Result<Incoming<S>, Error> {
    let mut io = Timed::new(stream, Instant::now());
    io.stream.prepare()?;
    let mut handshake = server::Handshake::new(config);
    let mut rx = RecvBuf::new();
    let opening = loop {
        if let Some(opening) = handshake.receive(&mut rx) {
            break opening;
        }
        let due = handshake.handle_timeout(io.now())?;
        match io.read(&mut rx, due, || false)? {
            Waited::Awake => {}
            Waited::Ended(None) => handshake.receive_eof()?,
            Waited::Ended(Some(error)) => return Err(error.into()),
        }
    };
    let write_timeout = config.write_timeout();
    match opening {
        Opening::Upgrade(request) => Ok(Incoming::Upgrade(Pending {
            request,
            io,
            rx,
            write_timeout,
        })),
        Opening::Plain(request) => Ok(Incoming::Plain(Pending {
            request,
            io,
            rx,
            write_timeout,
        })),
        Opening::Rejected(error) => {
            // Whether it arrives or not, this is why there is no connection.
            let _ = answer(io, handshake.into_send_buf(), write_timeout);
            Err(error.into())
        }
    }
}

/// Opens a WebSocket as the server, at any path and without a subprotocol. Whoever asks for something
/// else gets a 426. To decide more than that, see [`incoming`].
///
/// # Errors
///
/// As `incoming`, and [`Error::NoUpgrade`].
pub fn accept<S: Transport>(stream: S, config: &server::Config) -> Result<WebSocket<S>, Error> {
    match incoming(stream, config)? {
        Incoming::Upgrade(request) => request.upgrade(),
        Incoming::Plain(request) => {
            let answer = Response::new(426).expect("a final status");
            // Whether it arrives or not, this is why there is no connection.
            let _ = request.respond(answer);
            Err(Error::NoUpgrade)
        }
    }
}

impl<S: Transport> Pending<S, server::Request> {
    /// Accepts the request, and writes the 101.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub fn upgrade(self) -> Result<WebSocket<S>, Error> {
        let mut ws = WebSocket::new(self.io, self.request.upgrade(), self.rx);
        ws.flush()?;
        Ok(ws)
    }

    /// Answers without upgrading, and ends the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub fn respond(self, response: Response) -> Result<(), Error> {
        answer(self.io, self.request.respond(response), self.write_timeout)
    }
}

impl<S: Transport> Pending<S, PlainRequest> {
    /// Answers, and ends the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub fn respond(self, response: Response) -> Result<(), Error> {
        answer(self.io, self.request.respond(response), self.write_timeout)
    }
}

impl<S, R> Pending<S, R> {
    /// The transport, for instance to ask it for the peer's address.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.io.stream
    }
}

impl<S, R> Deref for Pending<S, R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.request
    }
}

impl<S, R> DerefMut for Pending<S, R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.request
    }
}

/// Writes an answer, all of it within `timeout`, and ends the transport so that it arrives.
fn answer<S: Transport>(
    mut io: Timed<S>,
    mut tx: SendBuf,
    timeout: Option<Duration>,
) -> Result<(), Error> {
    let due = timeout.and_then(|timeout| io.now().checked_add(timeout));
    while !io.write(&mut tx, due)? {
        if due.is_some_and(|due| due <= io.now()) {
            return Err(crate::TimedOut::Write.into());
        }
    }
    io.end(false);
    Ok(())
}
