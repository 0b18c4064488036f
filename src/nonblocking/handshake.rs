//! The opening handshake over a transport that is polled, from both sides.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    future::{Future, poll_fn},
    ops::{Deref, DerefMut},
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{boxed::Box, fmt, io as std_io, time::Instant};

use super::{Runtime, Timer as _, Transport, WebSocket, io::Io, trace::Trace};
use crate::{
    Connection, Error, RecvBuf, SendBuf, TimedOut,
    adapter::is_gone,
    client,
    server::{self, Opening, PlainRequest, Response},
};

/// Opens a WebSocket as the client, over a transport that is connected already. With the server's 101, for
/// its headers.
///
/// # Errors
///
/// [`Error::Refused`] for an answer that is no 101, [`Error::Handshake`] for one against the rules,
/// [`Error::Aborted`], [`Error::TimedOut`] and [`Error::Io`].
pub fn client<S: Transport<R>, R: Runtime>(
    stream: S,
    request: &client::Request,
    config: &client::Config,
) -> impl Future<Output = Result<(WebSocket<S, R>, client::Response), Error>> {
    open(stream, request, config, R::Timer::now())
}

/// As [`client`]; the time since `origin` counts.
///
/// What this and the others need is boxed: it would make the caller's future as large as itself, for as
/// long as that lives.
pub(crate) fn open<S: Transport<R>, R: Runtime>(
    stream: S,
    request: &client::Request,
    config: &client::Config,
    origin: Instant,
) -> impl Future<Output = Result<(WebSocket<S, R>, client::Response), Error>> {
    Box::pin(async move {
        let mut opening = ClientOpening {
            io: Io::new(stream, origin),
            handshake: client::Handshake::new(request, config),
            rx: RecvBuf::new(),
            lost: None,
        };
        opening.handshake.handle_timeout(Duration::ZERO)?;
        let opened = poll_fn(|cx| opening.poll(cx)).await;
        let (connection, response) = opened.inspect_err(Trace::not_opened)?;
        let ClientOpening { mut io, rx, .. } = opening;
        io.disarm();
        Ok((WebSocket::new(io, connection, rx), response))
    })
}

/// What a client needs until the connection is open.
struct ClientOpening<S, R: Runtime> {
    io: Io<S, R>,
    handshake: client::Handshake,
    rx: RecvBuf,
    /// Why the request could not be written.
    lost: Option<std_io::Error>,
}

impl<S: Transport<R>, R: Runtime> ClientOpening<S, R> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Connection, client::Response), Error>> {
        let Self {
            io,
            handshake,
            rx,
            lost,
        } = self;
        loop {
            if let Some(outcome) = handshake.receive(rx) {
                return Poll::Ready(match outcome {
                    client::Outcome::Connected(connection, response) => Ok((connection, response)),
                    client::Outcome::Refused(response) => Err(Error::Refused(Box::new(response))),
                    client::Outcome::Failed(error) => Err(error.into()),
                });
            }
            let now = io.now();
            let due = handshake.handle_timeout(now)?;
            if due.is_some_and(|due| due <= now) {
                // A refusal whose body takes too long: it is there now.
                continue;
            }
            match io.poll_write(cx, handshake.send_buf()) {
                // A server that refuses before it has read all: its answer is there to be read.
                Poll::Ready(Err(error)) if is_gone(&error) => {
                    handshake.send_buf().clear();
                    io.flushing.done();
                    *lost = Some(error);
                }
                Poll::Ready(written) => written?,
                Poll::Pending => {}
            }
            let error = match io.poll_read(cx, rx) {
                Poll::Ready(Ok(0)) => None,
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(error)) if error.kind() == std_io::ErrorKind::Interrupted => {
                    continue;
                }
                Poll::Ready(Err(error)) if is_gone(&error) => Some(error),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    ready!(io.poll_due(cx, due));
                    continue;
                }
            };
            match (handshake.receive_eof(), error.or_else(|| lost.take())) {
                (Ok(()), _) => {}
                (Err(_), Some(error)) => return Poll::Ready(Err(error.into())),
                (Err(aborted), None) => return Poll::Ready(Err(aborted.into())),
            }
        }
    }
}

/// A valid request that waits for its answer, from `incoming`.
///
/// It derefs to the request: route, authenticate and choose a subprotocol there.
pub struct Pending<S, R: Runtime, Q> {
    // One pointer: it moves with every future that it is in.
    waiting: Box<Waiting<S, R, Q>>,
}

struct Waiting<S, R: Runtime, Q> {
    request: Q,
    io: Io<S, R>,
    rx: RecvBuf,
    write_timeout: Option<Duration>,
}

/// What a client opened the connection with.
#[expect(
    clippy::exhaustive_enums,
    reason = "an upgrade, or none: there is nothing else to be"
)]
pub enum Incoming<S, R: Runtime> {
    /// A request for a WebSocket, from an origin that is allowed: [upgrade](Pending::upgrade) it, or
    /// respond with anything else.
    Upgrade(Pending<S, R, server::Request>),
    /// A request for something else, such as a page or a health check: respond.
    Plain(Pending<S, R, PlainRequest>),
}

impl<S, R: Runtime> fmt::Debug for Incoming<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgrade(request) => f.debug_tuple("Upgrade").field(request).finish(),
            Self::Plain(request) => f.debug_tuple("Plain").field(request).finish(),
        }
    }
}

/// Waits for a client's request, and lets the caller decide what to answer.
///
/// # Errors
///
/// [`Error::Rejected`] for a request that is not valid or from an origin that is not allowed: it has
/// been answered, as far as the client took it. [`Error::Aborted`] if the client went away, which browsers
/// do with connections that they opened in advance; [`Error::TimedOut`] and [`Error::Io`].
pub fn incoming<S: Transport<R>, R: Runtime>(
    stream: S,
    config: &server::Config,
) -> impl Future<Output = Result<Incoming<S, R>, Error>> {
    Box::pin(wait_for_request(stream, config))
}

async fn wait_for_request<S: Transport<R>, R: Runtime>(
    stream: S,
    config: &server::Config,
) -> Result<Incoming<S, R>, Error> {
    let mut opening = ServerOpening {
        io: Io::new(stream, R::Timer::now()),
        handshake: server::Handshake::new(config),
        rx: RecvBuf::new(),
    };
    let opened = poll_fn(|cx| opening.poll(cx)).await;
    let opened = opened.inspect_err(Trace::not_opened)?;
    let ServerOpening {
        mut io,
        handshake,
        rx,
    } = opening;
    io.disarm();
    let write_timeout = config.write_timeout();
    match opened {
        Opening::Upgrade(request) => Ok(Incoming::Upgrade(Pending::new(Waiting {
            request,
            io,
            rx,
            write_timeout,
        }))),
        Opening::Plain(request) => Ok(Incoming::Plain(Pending::new(Waiting {
            request,
            io,
            rx,
            write_timeout,
        }))),
        Opening::Rejected(error) => {
            // Whether it arrives or not, this is why there is no connection.
            let _ = answer(io, rx, handshake.into_send_buf(), write_timeout).await;
            let error = error.into();
            Trace::not_opened(&error);
            Err(error)
        }
    }
}

/// What a server needs until a request is complete.
struct ServerOpening<S, R: Runtime> {
    io: Io<S, R>,
    handshake: server::Handshake,
    rx: RecvBuf,
}

impl<S: Transport<R>, R: Runtime> ServerOpening<S, R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opening, Error>> {
        let Self { io, handshake, rx } = self;
        loop {
            if let Some(opening) = handshake.receive(rx) {
                return Poll::Ready(Ok(opening));
            }
            let due = handshake.handle_timeout(io.now())?;
            match io.poll_read(cx, rx) {
                Poll::Ready(Ok(0)) => handshake.receive_eof()?,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == std_io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => ready!(io.poll_due(cx, due)),
            }
        }
    }
}

/// Opens a WebSocket as the server, at any path and without a subprotocol. Whoever asks for something
/// else gets a 426. To decide more than that, see [`incoming`].
///
/// # Errors
///
/// As `incoming`, and [`Error::NoUpgrade`].
pub fn accept<S: Transport<R>, R: Runtime>(
    stream: S,
    config: &server::Config,
) -> impl Future<Output = Result<WebSocket<S, R>, Error>> {
    Box::pin(async move {
        match wait_for_request(stream, config).await? {
            Incoming::Upgrade(request) => request.upgrade().await,
            Incoming::Plain(request) => {
                let answer = Response::new(426).expect("a final status");
                // Whether it arrives or not, this is why there is no connection.
                let _ = request.respond(answer).await;
                Err(Error::NoUpgrade)
            }
        }
    })
}

impl<S: Transport<R>, R: Runtime> Pending<S, R, server::Request> {
    /// Accepts the request, and writes the 101.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub async fn upgrade(self) -> Result<WebSocket<S, R>, Error> {
        let Waiting {
            request, io, rx, ..
        } = *self.waiting;
        let mut ws = WebSocket::new(io, request.upgrade(), rx);
        ws.flush().await?;
        Ok(ws)
    }

    /// Answers without upgrading, and ends the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub async fn respond(self, response: Response) -> Result<(), Error> {
        self.answer(|request| request.respond(response)).await
    }
}

impl<S: Transport<R>, R: Runtime> Pending<S, R, PlainRequest> {
    /// Answers, and ends the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::TimedOut`].
    pub async fn respond(self, response: Response) -> Result<(), Error> {
        self.answer(|request| request.respond(response)).await
    }
}

impl<S: Transport<R>, R: Runtime, Q> Pending<S, R, Q> {
    fn answer(self, respond: impl FnOnce(Q) -> SendBuf) -> impl Future<Output = Result<(), Error>> {
        let Waiting {
            request,
            io,
            rx,
            write_timeout,
        } = *self.waiting;
        answer(io, rx, respond(request), write_timeout)
    }
}

impl<S, R: Runtime, Q> Pending<S, R, Q> {
    fn new(waiting: Waiting<S, R, Q>) -> Self {
        Self {
            waiting: Box::new(waiting),
        }
    }

    /// The transport, for instance to ask it for the peer's address.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.waiting.io.stream
    }
}

impl<S, R: Runtime, Q> Deref for Pending<S, R, Q> {
    type Target = Q;

    fn deref(&self) -> &Q {
        &self.waiting.request
    }
}

impl<S, R: Runtime, Q> DerefMut for Pending<S, R, Q> {
    fn deref_mut(&mut self) -> &mut Q {
        &mut self.waiting.request
    }
}

impl<S, R: Runtime, Q: fmt::Debug> fmt::Debug for Pending<S, R, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("request", &self.waiting.request)
            .finish_non_exhaustive()
    }
}

/// Writes an answer, all of it within `timeout`, and ends the transport so that it arrives.
fn answer<S: Transport<R>, R: Runtime>(
    mut io: Io<S, R>,
    mut rx: RecvBuf,
    mut tx: SendBuf,
    timeout: Option<Duration>,
) -> impl Future<Output = Result<(), Error>> {
    Box::pin(async move {
        let due = timeout.and_then(|timeout| io.now().checked_add(timeout));
        poll_fn(|cx| {
            if let Poll::Ready(written) = io.poll_write(cx, &mut tx) {
                return Poll::Ready(written.map_err(Error::Io));
            }
            ready!(io.poll_due(cx, due));
            Poll::Ready(Err(TimedOut::Write.into()))
        })
        .await?;
        rx.clear();
        poll_fn(|cx| io.poll_end(cx, &mut rx, false)).await;
        Ok(())
    })
}
