//! A connection with a transport and a timer, for one task.

use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, ready},
};
use std::boxed::Box;

use super::{
    Parts, Runtime, Timer as _, Transport,
    io::Io,
    link::{Link, Purpose, Wakers},
    pool::Lease,
    wakers::Pair,
};
use crate::{
    CloseCode, Closed, Connection, Error, Event, Message, PartEvent, RecvBuf, SendError, Sendable,
    adapter::WantsRead,
};

/// A WebSocket over a transport that is polled.
///
/// It adds to a [`Connection`] the transport, a timer, and a buffer while there is something in it, and
/// decides nothing. Messages gather: they leave when [`recv`](Self::recv) or its like is about to wait for
/// the peer, when there are 64 KiB of them, and with [`flush`](Self::flush). **Flush before you wait for
/// anything else.**
///
/// Deadlines hold while a future of it is polled: there is no task behind it.
///
/// # Cancel safety
///
/// Every future may be dropped at any time, as `select!` does; call again, and nothing is lost or doubled. A
/// message is queued as a whole or not at all; see [`feed`](Self::feed) for when.
///
/// # Dropping it
///
/// loses what is queued, and the peer sees the transport end without a Close frame (1006):
/// [`close`](Self::close) it.
pub struct WebSocket<S, R: Runtime> {
    // One pointer: it moves with every future that it is in.
    pub(super) link: Box<Link<S, R>>,
    pub(super) rx: Lease,
}

impl<S: Transport<R>, R: Runtime> WebSocket<S, R> {
    pub(super) fn new(io: Io<S, R>, connection: Connection, rx: RecvBuf) -> Self {
        let lease = if rx.is_empty() {
            Lease::default()
        } else {
            Lease::of(rx)
        };
        Self {
            link: Box::new(Link::new(io, connection)),
            rx: lease,
        }
    }

    /// Puts a WebSocket together, for handshakes that happened elsewhere. The transport is used as it is:
    /// a socket should have Nagle's algorithm switched off.
    #[must_use]
    pub fn from_parts(parts: Parts<S>) -> Self {
        // A clock that was paused may be behind the one that the origin was taken from.
        let origin = parts.origin.min(R::Timer::now());
        let mut io = Io::new(parts.stream, origin);
        if !parts.connection.is_closed() {
            // Nobody knows what was done with it before.
            io.flushing.set_needed();
        }
        Self::new(io, parts.connection, parts.rx)
    }

    /// Takes it apart. Nothing is lost: what has not been written or used up is in the parts.
    #[must_use]
    pub fn into_parts(self) -> Parts<S> {
        let Link { io, connection, .. } = *self.link;
        Parts {
            stream: io.stream,
            connection,
            rx: self.rx.into_inner(),
            origin: io.origin,
        }
    }

    /// Waits for the next message. `None`: the connection has been closed, by a closing handshake or
    /// because this end has [failed](Connection::fail) it; [`closed`](Connection::closed) tells how.
    ///
    /// Pings and the peer's Close frame are answered on the way. What was queued is written while it
    /// waits.
    ///
    /// # Cost
    ///
    /// Copies the message, and allocates for it. [`recv_ref`](Self::recv_ref) does neither.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the peer broke a rule, after it was told so; [`Error::Eof`],
    /// [`Error::TimedOut`] and [`Error::Io`]. Those that end the connection are told once: a later call
    /// says `None`.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.next_event(Purpose::Take).await? {
                Some((Event::Text(text), _)) => return Ok(Some(text.into())),
                Some((Event::Binary(data), _)) => return Ok(Some(data.into())),
                Some((Event::Ping(_) | Event::Pong(_) | Event::Close(_) | Event::Failed(_), _)) => {
                }
                None => return self.link.end(),
            }
        }
    }

    /// Waits for the next event, and lends it where it lies, together with the connection to queue
    /// answers on. `None`: the connection has ended as [`recv`](Self::recv) tells, or it was
    /// [failed](Event::Failed), which was an event before.
    ///
    /// # Errors
    ///
    /// As `recv`, but for what the peer does wrong, which is an event.
    pub async fn recv_ref(&mut self) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        self.next_event(Purpose::Answer).await
    }

    async fn next_event(
        &mut self,
        purpose: Purpose,
    ) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        if !self.link.has_event(&mut self.rx, Connection::wants_read) {
            poll_fn(|cx| self.poll_event(cx, Connection::wants_read, purpose)).await?;
        }
        let connection = &mut self.link.connection;
        let rx = self.rx.get(connection);
        let event = connection.receive(rx);
        Ok(event.map(|event| (event, connection)))
    }

    /// As [`recv_ref`](Self::recv_ref), but lends the parts of a message as they arrive, as
    /// [`Connection::receive_part`] does: for messages that are too large to hold.
    ///
    /// # Errors
    ///
    /// As `recv_ref`.
    ///
    /// # Panics
    ///
    /// In the middle of a message that another method has begun to join; and those panic in the
    /// middle of one that this method has begun.
    pub async fn recv_part_ref(
        &mut self,
    ) -> Result<Option<(PartEvent<'_>, &mut Connection)>, Error> {
        if !self
            .link
            .has_event(&mut self.rx, Connection::wants_read_part)
        {
            poll_fn(|cx| self.poll_event(cx, Connection::wants_read_part, Purpose::Answer)).await?;
        }
        let connection = &mut self.link.connection;
        let rx = self.rx.get(connection);
        let event = connection.receive_part(rx);
        Ok(event.map(|event| (event, connection)))
    }

    /// Sends a message now: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// If it is dropped before it is ready, the message may have been queued, and leaves with the next.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the message can't be sent, [`Error::Io`] and [`Error::TimedOut`].
    pub async fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, to be sent with others. Waits only if
    /// [`Config::max_queued`](crate::Config::max_queued) bytes are queued already; begins to write when there
    /// are 64 KiB.
    ///
    /// If it is dropped before it is ready, the message has not been queued.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        let mut message = Some(message);
        poll_fn(|cx| {
            let queued = message.take().map(|message| self.link.queue(cx, message));
            Poll::Ready(queued.unwrap_or(Ok(())))
        })
        .await
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: if the peer is gone, what it has sent before can still be received. And
    /// [`Error::TimedOut`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Closes the connection and waits until the peer has done so too: sends a Close frame behind
    /// everything that is queued, discards the messages that still come, and tells how it ended.
    ///
    /// Ends within [`Config::close_timeout`](crate::Config::close_timeout). If the connection is closing
    /// already, only waits. To receive the messages that are on their way, call [`Connection::close`] and go
    /// on with [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code or the reason can't be sent; then nothing has happened. Otherwise
    /// as `recv`.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        match self.link.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// The connection, to ask it something.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.link.connection
    }

    /// The connection, for the commands that have no method here. They only queue.
    #[must_use]
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.link.connection
    }

    /// The transport.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.link.io.stream
    }

    pub(super) fn poll_event(
        &mut self,
        cx: &Context<'_>,
        wants_read: WantsRead,
        purpose: Purpose,
    ) -> Poll<Result<(), Error>> {
        let wakers = Wakers::one(cx.waker());
        self.link
            .poll_event(&mut self.rx, &wakers, wants_read, purpose)
    }

    /// As [`Self::poll_event`], where another task may be writing.
    pub(super) fn poll_event_of(
        &mut self,
        cx: &Context<'_>,
        pair: &Pair,
        wants_read: WantsRead,
    ) -> Poll<Result<(), Error>> {
        pair.set_reader(cx.waker());
        let wakers = Wakers {
            reading: cx.waker(),
            writing: pair.waker(),
        };
        let had_to_write = self.link.has_to_write();
        let polled = self
            .link
            .poll_event(&mut self.rx, &wakers, wants_read, Purpose::Take);
        if had_to_write && !self.link.has_to_write() {
            // The transport owes no wake-up to the one that had begun to write it.
            pair.wake_writer();
        }
        polled
    }

    /// Does what a writer does, where another task may be reading.
    pub(super) fn poll_writer(
        &mut self,
        cx: &Context<'_>,
        pair: &Pair,
        poll: fn(&mut Self, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), Error>> {
        pair.set_writer(Some(cx.waker()));
        let before = (self.link.connection.state(), self.link.is_writing());
        let polled = poll(self, &mut Context::from_waker(pair.waker()));
        if polled.is_ready() {
            pair.set_writer(None);
        }
        if before != (self.link.connection.state(), self.link.is_writing()) {
            // There is another deadline now, or nothing to wait for any more.
            pair.wake_reader();
        }
        polled
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.link.gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let room = self.link.poll_room(cx);
        self.told(room)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.link.gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let flushed = self.link.poll_flush(cx);
        self.told(flushed)
    }

    /// Sends a Close frame behind everything that is queued, if there is none yet.
    pub(super) fn poll_end_sending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.link.connection.close(CloseCode::NORMAL, "") {
            Ok(()) | Err(SendError::Closed) => self.poll_flush(cx),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// Discards what comes until the connection has ended, and tells how.
    pub(super) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<Result<Closed, Error>> {
        loop {
            let is_streaming = self.link.connection.is_streaming();
            let wants_read = if is_streaming {
                Connection::wants_read_part
            } else {
                Connection::wants_read
            };
            ready!(self.poll_event(cx, wants_read, Purpose::Take))?;
            let connection = &mut self.link.connection;
            let rx = self.rx.get(connection);
            let is_there = if is_streaming {
                connection.receive_part(rx).is_some()
            } else {
                connection.receive(rx).is_some()
            };
            if !is_there {
                return Poll::Ready(match connection.failure() {
                    Some(error) => Err(error.into()),
                    None => Ok(connection.closed().expect("what has ended is closed")),
                });
            }
        }
    }

    /// There is only one to be told.
    fn told(&mut self, polled: Poll<Result<(), Error>>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(Err(Error::TimedOut(_))) = polled {
            self.link.set_told();
        }
        polled
    }
}

impl<S, R: Runtime> fmt::Debug for WebSocket<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.link.connection)
            .field("rx", &self.rx)
            .finish_non_exhaustive()
    }
}
