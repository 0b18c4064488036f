//! One connection for two threads: one that receives, and any number of them that send.
//!
//! Two locks, and nobody waits for the transport while holding the connection's: a thread that writes
//! copies a piece of what is queued, lets go of the connection, and writes. So the reader goes on
//! while a write is blocked, and two peers that both write at the same time do not wait for each
//! other for ever; for the same reason the reader itself never waits long in a write. Whoever holds the
//! lock of the output writes until nothing is queued, and looks once more after letting go of it: what
//! another thread has queued in between is never left behind.

use core::{fmt, mem};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
    vec::Vec,
};

use ::bytes::Buf as _;

use super::{
    SplitTransport, WebSocket,
    timed::{PIECE, Timed, Waited},
};
use crate::{
    CloseCode, Connection, Error, Event, Message, PartEvent, RecvBuf, SendBuf, Sendable, TimedOut,
    adapter::{Clock, GATHER, Lost, earlier, ended_by, has_gathered, is_gone},
};

/// How long the reader waits for a peer that takes nothing, before it looks whether the peer waits for
/// it as well.
const GLANCE: Duration = Duration::from_millis(5);

/// The shortest time after which it looks whether another thread has closed the connection.
const LEAST_LOOK: Duration = Duration::from_millis(100);

/// The receiving half of a WebSocket, from [`WebSocket::split`].
///
/// It answers pings and the peer's Close frame, and watches the deadlines while it waits: keep a
/// thread in [`recv`](Self::recv) or [`recv_ref`](Self::recv_ref) until it says that the connection
/// has ended.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
    input: Input<S>,
    rx: RecvBuf,
}

/// The sending half of a WebSocket, from [`WebSocket::split`]. Clones send on the same connection, from
/// any thread; messages do not get mixed.
pub struct Sender<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    state: Mutex<State>,
    /// Locked before the state, never behind it.
    output: Mutex<Output<S>>,
}

/// What every thread looks at.
struct State {
    connection: Connection,
    /// Whether the transport may have gathered something, as the last one to write has left it.
    unflushed: bool,
    /// Why what was queued has been dropped: told to everybody who waits for it.
    lost: Option<Lost>,
}

/// The end of the transport that is read.
struct Input<S> {
    io: Timed<S>,
    /// Whether the receiver knows why the connection has ended.
    told: bool,
}

/// The end of the transport that is written to.
struct Output<S> {
    io: Timed<S>,
    /// A copy of the front of what is queued, and how much of it has been written.
    piece: Vec<u8>,
    sent: usize,
}

impl<S: SplitTransport> WebSocket<S> {
    /// Splits it into two halves for two threads: one is blocked in a read while the other writes. They
    /// can't be put together again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is no second handle of the transport to be had. Of TLS there is none before its
    /// handshake is done, which is always so behind the opening handshake.
    pub fn split(mut self) -> Result<(Receiver<S>, Sender<S>), Error> {
        let output = Output {
            io: self.io.try_clone()?,
            piece: Vec::new(),
            sent: 0,
        };
        let state = State {
            connection: self.connection,
            unflushed: self.io.is_unflushed(),
            lost: self.lost.as_ref().map(Lost::of),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            output: Mutex::new(output),
        });
        self.io.forget_gathered();
        let receiver = Receiver {
            shared: Arc::clone(&shared),
            input: Input {
                io: self.io,
                told: false,
            },
            rx: self.rx,
        };
        Ok((receiver, Sender { shared }))
    }
}

impl<S: SplitTransport> Receiver<S> {
    /// As [`WebSocket::recv`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv`.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.recv_ref()? {
                Some(Event::Text(text)) => return Ok(Some(text.into())),
                Some(Event::Binary(data)) => return Ok(Some(data.into())),
                Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_) | Event::Failed(_)) => {}
                None => {
                    let failure = self.shared.state().connection.failure();
                    let untold = failure.filter(|_| !mem::replace(&mut self.input.told, true));
                    return untold.map_or(Ok(None), |error| Err(error.into()));
                }
            }
        }
    }

    /// As [`WebSocket::recv_ref`], but for the connection: answer with a [`Sender`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv_ref`.
    pub fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Self { shared, input, rx } = self;
        let state = input.wait_for_event(shared, rx, Connection::wants_read)?;
        Ok(state.and_then(|mut state| state.connection.receive(rx)))
    }

    /// As [`WebSocket::recv_part_ref`], but for the connection.
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv_part_ref`.
    ///
    /// # Panics
    ///
    /// As `WebSocket::recv_part_ref`.
    pub fn recv_part_ref(&mut self) -> Result<Option<PartEvent<'_>>, Error> {
        let Self { shared, input, rx } = self;
        let state = input.wait_for_event(shared, rx, Connection::wants_read_part)?;
        Ok(state.and_then(|mut state| state.connection.receive_part(rx)))
    }

    /// Another sending half.
    #[must_use]
    pub fn sender(&self) -> Sender<S> {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: SplitTransport> Input<S> {
    /// As in [`WebSocket`]: *clock, send, wait*, until there is an event. `None`: there never will be.
    fn wait_for_event<'a>(
        &mut self,
        shared: &'a Shared<S>,
        rx: &mut RecvBuf,
        wants_read: impl Fn(&mut Connection, &mut RecvBuf) -> bool,
    ) -> Result<Option<MutexGuard<'a, State>>, Error> {
        let mut state = shared.state();
        if has_gathered(&mut state.connection) {
            drop(state);
            self.write(shared, Some(GLANCE))?;
            state = shared.state();
        }
        loop {
            if !wants_read(&mut state.connection, rx) {
                return Ok(Some(state));
            }
            let now = self.io.now();
            let due = state.due(&mut self.io, Connection::handle_timeout, now);
            let mut due = due.inspect_err(|_| self.told = true)?;
            // A message that takes too long is an event of the clock.
            if !wants_read(&mut state.connection, rx) {
                return Ok(Some(state));
            }
            if state.has_to_write() {
                // If nothing can be read that would matter, what is queued has to leave before the end.
                let glance = (!state.connection.receives_no_more()).then_some(GLANCE);
                drop(state);
                match self.write(shared, glance)? {
                    Written::All => {
                        state = shared.state();
                        continue;
                    }
                    // What is queued leaves with what the other thread is writing.
                    Written::ByAnother => {}
                    // The peer may be waiting for us to read.
                    Written::NotYet => due = earlier(due, now.checked_add(GLANCE)),
                }
            } else if state.connection.is_closed() {
                self.end(state)?;
                return Ok(None);
            } else {
                drop(state);
            }
            self.wait(shared, rx, due)?;
            state = shared.state();
        }
    }

    fn write(&mut self, shared: &Shared<S>, glance: Option<Duration>) -> Result<Written, Error> {
        match shared.write(glance) {
            // Nothing is queued any more. What the peer sent before it was gone may be there to be read.
            Err(Error::Io(error)) if is_gone(&error) => Ok(Written::All),
            Err(error) => {
                self.told |= matches!(error, Error::TimedOut(_));
                Err(error)
            }
            written => written,
        }
    }

    /// Reads once, and takes note of the end of the transport.
    fn wait(
        &mut self,
        shared: &Shared<S>,
        rx: &mut RecvBuf,
        due: Option<Duration>,
    ) -> Result<(), Error> {
        let has_closed = || shared.state().connection.closed().is_some();
        let Waited::Ended(error) = self.io.read(rx, due, has_closed)? else {
            return Ok(());
        };
        let mut state = shared.state();
        if state.connection.is_closed() {
            // Another thread has ended it.
            return Ok(());
        }
        let lost = state.lost.map(Lost::error);
        let ended = ended_by(&mut state.connection, lost.or_else(|| error.map(Error::Io)));
        // A peer that has only ended its own direction still gets what is being written.
        if state.connection.is_closed() && !state.unflushed {
            drop(state);
            self.io.end_writing();
        }
        ended
    }

    /// Nothing is left to be done: ends the transport. Another thread may have found that a deadline
    /// has passed.
    fn end(&mut self, state: MutexGuard<'_, State>) -> Result<(), TimedOut> {
        let clean = state.connection.closed().is_some_and(|closed| closed.clean);
        let lost = state.lost;
        drop(state);
        self.io.end(clean);
        match lost {
            Some(Lost::TimedOut(timed_out)) if !mem::replace(&mut self.told, true) => {
                Err(timed_out)
            }
            _ => Ok(()),
        }
    }
}

/// When to look at the clock again at the latest. Another thread may close the connection, or receive
/// the peer's Close frame, while this one waits, and can't wake it: so no wait is longer than the
/// closing handshake may take, but for one that may take next to no time.
fn latest_look(connection: &Connection, now: Duration) -> Option<Duration> {
    if connection.state() != crate::State::Open {
        return None;
    }
    now.checked_add(connection.close_timeout()?.max(LEAST_LOOK))
}

impl<S: SplitTransport> Sender<S> {
    /// As [`WebSocket::send`]. Waits while another thread writes.
    ///
    /// # Errors
    ///
    /// As `WebSocket::send`.
    pub fn send(&self, message: impl Sendable) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// As [`WebSocket::feed`]. What is queued also leaves when the [`Receiver`] is about to wait.
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed`.
    pub fn feed(&self, message: impl Sendable) -> Result<(), Error> {
        let mut state = loop {
            let state = self.shared.state();
            if state.connection.has_room() {
                break state;
            }
            drop(state);
            self.flush()?;
        };
        message.queue(&mut state.connection)?;
        let gathered = state.connection.send_buf().remaining();
        drop(state);
        if gathered >= GATHER {
            self.flush()?;
        }
        Ok(())
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::flush`.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.write(None).map(drop)
    }

    /// Sends a Close frame behind everything that is queued. The [`Receiver`] finishes the closing
    /// handshake, if it is receiving, in [time](crate::Config::close_timeout), or in 100 ms if that is
    /// shorter; messages that still come are received.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code or the reason can't be sent, or if the connection is closing
    /// already; otherwise as `flush`.
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.with(|connection| connection.close(code, reason))?;
        self.flush()
    }

    /// Lends the connection, for questions and for the commands that have no method here. They only
    /// queue: [flush](Self::flush) afterwards.
    ///
    /// Everything else waits until `f` returns. It must not use another method of this connection's
    /// halves, which would wait for ever.
    pub fn with<T>(&self, f: impl FnOnce(&mut Connection) -> T) -> T {
        f(&mut self.shared.state().connection)
    }
}

impl<S> Clone for Sender<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// By whom everything was written that was queued.
enum Written {
    All,
    ByAnother,
    /// Not at all: the peer takes nothing at the moment.
    NotYet,
}

impl<S> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State> {
        // Commands change nothing before they are sure to succeed: a panic leaves no ruins.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_to_write(&mut self) -> bool {
        self.unflushed || !self.connection.send_buf().is_empty()
    }

    /// What is due at `now`, and when to look again at the latest. If it is too late, whoever is blocked
    /// in the transport has nothing to hope for.
    fn due<S: SplitTransport>(
        &mut self,
        io: &mut Timed<S>,
        clock: Clock,
        now: Duration,
    ) -> Result<Option<Duration>, TimedOut> {
        let due = io.due(&mut self.connection, clock, now);
        let due = due.inspect_err(|timed_out| {
            self.lost = Some(Lost::TimedOut(*timed_out));
            self.unflushed = false;
            // It is ended whether it knows that or not.
            let _ = io.stream.end();
        })?;
        Ok(earlier(due, latest_look(&self.connection, now)))
    }

    /// The peer takes no more bytes. Several threads may notice; the first error is the one to tell.
    fn lose(&mut self, error: &io::Error) -> Error {
        let lost = *self.lost.get_or_insert_with(|| Lost::of(error));
        self.connection.handle_write_error();
        lost.error()
    }
}

impl<S: SplitTransport> Shared<S> {
    /// Writes until nothing is queued. With a `glance`, waits neither for another thread that is writing
    /// nor longer than that for a peer that takes nothing.
    fn write(&self, glance: Option<Duration>) -> Result<Written, Error> {
        loop {
            let mut output = match self.output.try_lock() {
                Ok(output) => output,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if glance.is_some() => return Ok(Written::ByAnother),
                Err(TryLockError::WouldBlock) => {
                    self.output.lock().unwrap_or_else(PoisonError::into_inner)
                }
            };
            let all = output.write_all(self, glance);
            let mut state = self.state();
            // What is lost is not waited for.
            state.unflushed = state.lost.is_none() && output.io.is_unflushed();
            drop(output);
            if !all? {
                return Ok(Written::NotYet);
            }
            // What was queued meanwhile by somebody who did not wait.
            if !state.has_to_write() {
                return Ok(Written::All);
            }
        }
    }
}

impl<S: SplitTransport> Output<S> {
    /// Tells whether all is written: with a `glance` it may not be.
    fn write_all(&mut self, shared: &Shared<S>, glance: Option<Duration>) -> Result<bool, Error> {
        let mut written = 0;
        loop {
            let now = self.io.now();
            let mut state = shared.state();
            self.advance(mem::take(&mut written), state.connection.send_buf());
            let due = state.due(&mut self.io, Connection::handle_write_timeout, now)?;
            let due = earlier(due, glance.and_then(|glance| now.checked_add(glance)));
            self.copy_front(state.connection.send_buf());
            if let (Some(lost), true) = (state.lost, self.piece.is_empty()) {
                return Err(lost.error());
            }
            // The reader must not take it for having arrived.
            state.unflushed = self.io.is_unflushed() || !self.piece.is_empty();
            drop(state);
            let moved = if self.piece.is_empty() {
                self.io.flush(due)
            } else {
                let taken = self.io.write_slice(&self.piece[self.sent..], due);
                taken.inspect(|n| written = *n).map(|n| n > 0)
            };
            let moved = moved.map_err(|error| {
                if is_gone(&error) {
                    return shared.state().lose(&error);
                }
                error.into()
            })?;
            if self.piece.is_empty() && moved {
                if shared.state().connection.is_closed() {
                    // The reader may be waiting for a peer that does not know.
                    self.io.end_writing();
                }
                return Ok(true);
            }
            if !moved && glance.is_some() {
                return Ok(false);
            }
        }
    }

    /// Takes `written` bytes of the piece as used up.
    fn advance(&mut self, written: usize, tx: &mut SendBuf) {
        self.sent += written;
        // Less is there only if all of it was given up.
        tx.advance(written.min(tx.remaining()));
    }

    /// Copies another piece when this one is used up, or given up.
    fn copy_front(&mut self, tx: &SendBuf) {
        if self.sent < self.piece.len() && !tx.is_empty() {
            return;
        }
        self.sent = 0;
        let mut slices = [io::IoSlice::new(&[]); 16];
        let count = tx.chunks_vectored(&mut slices);
        self.piece.clear();
        for slice in &slices[..count] {
            let room = PIECE - self.piece.len();
            self.piece
                .extend_from_slice(&slice[..slice.len().min(room)]);
        }
    }
}

impl<S> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("rx", &self.rx)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
