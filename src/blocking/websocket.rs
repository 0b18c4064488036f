//! A connection with a transport, a buffer and a clock: *receive, clock, send, wait*.

use core::{fmt, mem, time::Duration};
use std::io;

use ::bytes::Buf as _;

use super::{
    Parts, Transport,
    timed::{Timed, Waited},
};
use crate::{
    CloseCode, Closed, Connection, Error, Event, Message, PartEvent, RecvBuf, SendError, Sendable,
    adapter::{Clock, GATHER, ended_by, has_gathered, is_gone, is_passing},
};

/// A WebSocket over a blocking transport.
///
/// It adds to a [`Connection`] the transport, a buffer and a clock, and decides nothing. Messages
/// gather: they leave when [`recv`](Self::recv) or its like is about to wait for the peer, when there
/// are 64 KiB of them, and with [`flush`](Self::flush). **Flush before you wait for anything else.**
///
/// Deadlines hold while a call waits for the transport: there is no thread behind it. A deadline may
/// be noticed 10 ms late.
///
/// Dropping it loses what is queued, and the peer sees the transport end without a Close frame (1006):
/// [`close`](Self::close) it.
pub struct WebSocket<S> {
    pub(super) connection: Connection,
    pub(super) rx: RecvBuf,
    pub(super) io: Timed<S>,
    /// Why nothing can be written any more, while there may still be something to read.
    pub(super) lost: Option<io::Error>,
    /// Whether [`Self::recv`] has told how the peer broke a rule.
    told: bool,
}

impl<S: Transport> WebSocket<S> {
    pub(super) fn new(io: Timed<S>, connection: Connection, rx: RecvBuf) -> Self {
        Self {
            connection,
            rx,
            io,
            lost: None,
            told: false,
        }
    }

    /// Puts a WebSocket together, for handshakes that happened elsewhere. The transport is used as it is:
    /// a socket should block and have Nagle's algorithm switched off, which
    /// [`Transport::prepare`] sees to.
    #[must_use]
    pub fn from_parts(parts: Parts<S>) -> Self {
        let mut io = Timed::new(parts.stream, parts.origin);
        if !parts.connection.is_closed() {
            // Nobody knows what was done with it before.
            io.set_unflushed();
        }
        Self::new(io, parts.connection, parts.rx)
    }

    /// Takes it apart. Nothing is lost: what has not been written or used up is in the parts.
    #[must_use]
    pub fn into_parts(mut self) -> Parts<S> {
        self.io.forget_limits();
        Parts {
            stream: self.io.stream,
            connection: self.connection,
            rx: self.rx,
            origin: self.io.origin,
        }
    }

    /// Waits for the next message. `None`: the connection has been closed, by a closing handshake or
    /// because this end has [failed](Connection::fail) it; [`closed`](Connection::closed) tells how.
    ///
    /// Pings and the peer's Close frame are answered on the way. What was queued is written before it
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
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.recv_ref()? {
                Some((Event::Text(text), _)) => return Ok(Some(text.into())),
                Some((Event::Binary(data), _)) => return Ok(Some(data.into())),
                Some((Event::Ping(_) | Event::Pong(_) | Event::Close(_) | Event::Failed(_), _)) => {
                }
                None => {
                    let failure = self.connection.failure();
                    let untold = failure.filter(|_| !mem::replace(&mut self.told, true));
                    return untold.map_or(Ok(None), |error| Err(error.into()));
                }
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
    ///
    /// # Examples
    ///
    /// An echo, without a copy of its own. It ends when the peer is gone and an answer can't be sent, also
    /// if there would be more to receive:
    ///
    /// ```no_run
    /// use framewire::blocking::{Transport, WebSocket};
    /// use framewire::{Error, Event};
    ///
    /// fn echo(mut ws: WebSocket<impl Transport>) -> Result<(), Error> {
    ///     while let Some((event, conn)) = ws.recv_ref()? {
    ///         match event {
    ///             Event::Text(text) => conn.send_text(text)?,
    ///             Event::Binary(data) => conn.send_binary(data)?,
    ///             _ => {}
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn recv_ref(&mut self) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        self.wait_for_event(Connection::wants_read)?;
        let event = self.connection.receive(&mut self.rx);
        Ok(event.map(|event| (event, &mut self.connection)))
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
    pub fn recv_part_ref(&mut self) -> Result<Option<(PartEvent<'_>, &mut Connection)>, Error> {
        self.wait_for_event(Connection::wants_read_part)?;
        let event = self.connection.receive_part(&mut self.rx);
        Ok(event.map(|event| (event, &mut self.connection)))
    }

    /// Sends a message now: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the message can't be sent, [`Error::Io`] and [`Error::TimedOut`].
    pub fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues a message, to be sent with others. Writes what is queued when that is 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        if !self.connection.has_room() {
            self.flush_some()?;
        }
        message.queue(&mut self.connection)?;
        if self.connection.send_buf().remaining() >= GATHER {
            self.flush_some()?;
        }
        Ok(())
    }

    /// As [`flush`](Self::flush), but for a transport that would block: whether there is room for a
    /// message is told by the queue, and one that is queued must not be reported as if it were not.
    fn flush_some(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(Error::Io(error)) if is_passing(&error) => Ok(()),
            flushed => flushed,
        }
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: if the peer is gone, what it has sent before can still be received. And
    /// [`Error::TimedOut`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.settle(Connection::handle_write_timeout)?;
        if self.connection.is_closed() {
            self.io.end_writing();
        }
        Ok(())
    }

    /// Closes the connection and waits until the peer has done so too: sends a Close frame behind
    /// everything that is queued, discards the messages that still come, and tells how it ended.
    ///
    /// Ends within [`Config::close_timeout`](crate::Config::close_timeout), if the transport has
    /// deadlines. If the connection is closing already, only waits. To receive the messages that are
    /// on their way, call [`Connection::close`] and go on with [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code or the reason can't be sent; then nothing has happened. Otherwise
    /// as `recv`.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        while if self.connection.is_streaming() {
            self.recv_part_ref()?.is_some()
        } else {
            self.recv_ref()?.is_some()
        } {}
        match self.connection.failure() {
            Some(error) => Err(error.into()),
            None => Ok(self.connection.closed().expect("what has ended is closed")),
        }
    }

    /// The connection, to ask it something.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection, for the commands that have no method here. They only queue.
    #[must_use]
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The transport.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.io.stream
    }

    /// Receives until there is an event or never will be: *clock, send, wait*, in this order.
    pub(super) fn wait_for_event(
        &mut self,
        wants_read: impl Fn(&mut Connection, &mut RecvBuf) -> bool,
    ) -> Result<(), Error> {
        if has_gathered(&mut self.connection) {
            self.settle_replies(Connection::handle_write_timeout)?;
        }
        while wants_read(&mut self.connection, &mut self.rx) {
            let due = self.settle_replies(Connection::handle_timeout)?;
            // A message that takes too long is an event of the clock.
            if !wants_read(&mut self.connection, &mut self.rx) {
                return Ok(());
            }
            if self.connection.is_closed() {
                self.end();
                return Ok(());
            }
            let has_closed = || self.connection.closed().is_some();
            if let Waited::Ended(error) = self.io.read(&mut self.rx, due, has_closed)? {
                let error = self.lost.take().or(error).map(Error::Io);
                ended_by(&mut self.connection, error).inspect_err(|_| self.io.end_writing())?;
            }
        }
        Ok(())
    }

    /// Clock and send, until nothing is queued. Returns what is to be waited for.
    ///
    /// Whether the peer is silent or slow can be told only before something is waited for: what it has
    /// sent may be in the transport.
    fn settle(&mut self, clock: Clock) -> Result<Option<Duration>, Error> {
        loop {
            let now = self.io.now();
            let due = self.io.due(&mut self.connection, clock, now);
            let due = due.inspect_err(|_| self.io.end_writing())?;
            match self.io.write(self.connection.send_buf(), due) {
                // What has been written has no deadline any more.
                Ok(true) => {
                    let due = clock(&mut self.connection, now)?;
                    if self.connection.send_buf().is_empty() {
                        return Ok(due);
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    if is_gone(&error) {
                        self.connection.handle_write_error();
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// As [`Self::settle`], but if the peer is gone there may still be something to read of it.
    fn settle_replies(&mut self, clock: Clock) -> Result<Option<Duration>, Error> {
        match self.settle(clock) {
            Err(Error::Io(error)) if is_gone(&error) => {
                self.lost = Some(error);
                self.settle(clock)
            }
            settled => settled,
        }
    }

    /// Nothing is left to be done: ends the transport.
    fn end(&mut self) {
        let clean = self.connection.closed().is_some_and(|closed| closed.clean);
        self.io.end(clean);
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.connection)
            .field("rx", &self.rx)
            .finish_non_exhaustive()
    }
}
