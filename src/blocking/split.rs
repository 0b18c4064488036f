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
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    time::Duration,
    vec::Vec,
};

use ::bytes::Buf as _;

use super::{
    SplitTransport, WebSocket,
    timed::{PIECE, Timed, Waited, is_gone},
    websocket::{GATHER, ended_by},
};
use crate::{
    CloseCode, Connection, Error, Event, Message, PartEvent, RecvBuf, SendBuf, Sendable, State,
    TimedOut,
};

/// How long the reader waits for a peer that takes nothing, before it looks whether the peer waits for
/// it as well.
const GLANCE: Duration = Duration::from_millis(5);

/// The receiving half of a WebSocket, from [`WebSocket::split`].
///
/// It answers pings and the peer's Close frame, and watches the deadlines while it waits: keep a
/// thread in [`recv`](Self::recv) or [`recv_ref`](Self::recv_ref) until it says that the connection
/// has ended.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
    io: Timed<S>,
    rx: RecvBuf,
    lost: Option<io::Error>,
}

/// The sending half of a WebSocket, from [`WebSocket::split`]. Clones send on the same connection, from
/// any thread; messages do not get mixed.
pub struct Sender<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    connection: Mutex<Connection>,
    /// Locked before the connection, never behind it.
    out: Mutex<Out<S>>,
    /// Why what was queued has been dropped: told to everybody who waits for it. Set under the lock of
    /// the connection.
    lost: OnceLock<Lost>,
}

/// An error that several threads can be told of.
#[derive(Clone, Copy, Debug)]
enum Lost {
    TimedOut(TimedOut),
    Os(i32),
    Io(io::ErrorKind),
}

impl Lost {
    fn of(error: &io::Error) -> Self {
        error
            .raw_os_error()
            .map_or_else(|| Self::Io(error.kind()), Self::Os)
    }

    fn error(self) -> Error {
        match self {
            Self::TimedOut(timed_out) => timed_out.into(),
            Self::Os(code) => io::Error::from_raw_os_error(code).into(),
            Self::Io(kind) => io::Error::from(kind).into(),
        }
    }
}

/// The end of the transport that is written to.
struct Out<S> {
    io: Timed<S>,
    /// A copy of the front of what is queued.
    piece: Vec<u8>,
}

impl<S: SplitTransport> WebSocket<S> {
    /// Splits it into two halves for two threads: one is blocked in a read while the other writes. They
    /// can't be put together again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is no second handle of the transport to be had.
    pub fn split(self) -> Result<(Receiver<S>, Sender<S>), Error> {
        let out = Out {
            io: self.io.try_clone()?,
            piece: Vec::new(),
        };
        let shared = Arc::new(Shared {
            connection: Mutex::new(self.connection),
            out: Mutex::new(out),
            lost: OnceLock::new(),
        });
        let receiver = Receiver {
            shared: Arc::clone(&shared),
            io: self.io,
            rx: self.rx,
            lost: self.lost,
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
                    let failure = self.shared.connection().failure();
                    return failure.map_or(Ok(None), |error| Err(error.into()));
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
        let Self {
            shared,
            io,
            rx,
            lost,
        } = self;
        let connection = wait_for_event(shared, io, rx, lost, Connection::wants_read)?;
        Ok(connection.and_then(|mut connection| connection.receive(rx)))
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
        let Self {
            shared,
            io,
            rx,
            lost,
        } = self;
        let connection = wait_for_event(shared, io, rx, lost, Connection::wants_read_part)?;
        Ok(connection.and_then(|mut connection| connection.receive_part(rx)))
    }

    /// Another sending half.
    #[must_use]
    pub fn sender(&self) -> Sender<S> {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// As in [`WebSocket`]: *clock, send, wait*, until there is an event. `None`: there never will be.
fn wait_for_event<'a, S: SplitTransport>(
    shared: &'a Shared<S>,
    io: &mut Timed<S>,
    rx: &mut RecvBuf,
    lost: &mut Option<io::Error>,
    wants_read: impl Fn(&mut Connection, &mut RecvBuf) -> bool,
) -> Result<Option<MutexGuard<'a, Connection>>, Error> {
    loop {
        let mut connection = shared.connection();
        if !wants_read(&mut connection, rx) {
            return Ok(Some(connection));
        }
        let mut due = match connection.handle_timeout(io.now()) {
            Ok(due) => earlier(due, latest_look(&connection, io.now())),
            Err(timed_out) => {
                let _ = shared.lost.set(Lost::TimedOut(timed_out));
                // Whoever is blocked in a write has nothing to hope for.
                let _ = io.stream.end();
                return Err(timed_out.into());
            }
        };
        // A message that takes too long is an event of the clock.
        if !wants_read(&mut connection, rx) {
            return Ok(Some(connection));
        }
        if connection.is_closed() {
            let clean = connection.closed().is_some_and(|closed| closed.clean);
            drop(connection);
            shared.check_time()?;
            io.end(!clean);
            return Ok(None);
        }
        let is_queued = !connection.send_buf().is_empty();
        // Nothing can be read that would matter: what is queued has to leave before the end.
        let waits = connection.receives_no_more();
        drop(connection);
        if is_queued {
            match shared.write(if waits { None } else { Some(GLANCE) }) {
                Ok(Written::All) => continue,
                // What is queued leaves with what the other thread is writing.
                Ok(Written::ByAnother) => {}
                // The peer may be waiting for us to read.
                Ok(Written::NotYet) => due = earlier(due, io.now().checked_add(GLANCE)),
                Err(Error::Io(error)) if is_gone(&error) => {
                    *lost = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        let ended = match io.read(rx, due) {
            Ok(Waited::Awake) => continue,
            Ok(Waited::Eof) => None,
            Err(error) if is_gone(&error) => Some(error),
            Err(error) => return Err(error.into()),
        };
        shared.check_time()?;
        ended_by(&mut shared.connection(), lost.take().or(ended))?;
    }
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// When to look at the clock again at the latest. Another thread may close the connection, or receive
/// the peer's Close frame, while this one waits, and can't wake it: so no wait is longer than the
/// closing handshake may take.
fn latest_look(connection: &Connection, now: Duration) -> Option<Duration> {
    if connection.state() != State::Open {
        return None;
    }
    now.checked_add(connection.close_timeout()?)
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
        let mut connection = loop {
            let connection = self.shared.connection();
            if connection.has_room() {
                break connection;
            }
            drop(connection);
            self.flush()?;
        };
        message.queue(&mut connection)?;
        let gathered = connection.send_buf().remaining();
        drop(connection);
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
    /// handshake, if it is receiving, in [time](crate::Config::close_timeout); messages that still
    /// come are received.
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
        f(&mut self.shared.connection())
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
    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Commands change nothing before they are sure to succeed: a panic leaves no ruins.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another thread has found that a deadline has passed.
    fn check_time(&self) -> Result<(), TimedOut> {
        match self.lost.get() {
            Some(Lost::TimedOut(timed_out)) => Err(*timed_out),
            Some(Lost::Os(_) | Lost::Io(_)) | None => Ok(()),
        }
    }
}

impl<S: SplitTransport> Shared<S> {
    /// Writes until nothing is queued. With a `glance`, waits neither for another thread that is writing
    /// nor longer than that for a peer that takes nothing.
    fn write(&self, glance: Option<Duration>) -> Result<Written, Error> {
        loop {
            let mut out = match self.out.try_lock() {
                Ok(out) => out,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if glance.is_some() => return Ok(Written::ByAnother),
                Err(TryLockError::WouldBlock) => {
                    self.out.lock().unwrap_or_else(PoisonError::into_inner)
                }
            };
            if !out.write_all(self, glance)? {
                return Ok(Written::NotYet);
            }
            drop(out);
            // What was queued meanwhile by somebody who did not wait.
            if self.connection().send_buf().is_empty() {
                return Ok(Written::All);
            }
        }
    }
}

impl<S: SplitTransport> Out<S> {
    /// Tells whether all is written: with a `glance` it may not be.
    fn write_all(&mut self, shared: &Shared<S>, glance: Option<Duration>) -> Result<bool, Error> {
        let mut written = 0;
        loop {
            let now = self.io.now();
            let (due, timeout) = {
                let mut connection = shared.connection();
                let tx = connection.send_buf();
                // Less is there only if all of it was given up.
                tx.advance(mem::take(&mut written).min(tx.remaining()));
                let due = connection.handle_write_timeout(now).inspect_err(|error| {
                    let _ = shared.lost.set(Lost::TimedOut(*error));
                });
                self.copy_front(connection.send_buf());
                let due = due.map(|due| earlier(due, latest_look(&connection, now)));
                (due, connection.write_timeout())
            };
            // The connection does not know what the transport has gathered.
            let flush_due = self.io.flush_due(now, timeout).inspect_err(|error| {
                let mut connection = shared.connection();
                let _ = shared.lost.set(Lost::TimedOut(*error));
                connection.handle_write_error();
                connection.give_up();
            });
            let due = due.and_then(|due| Ok(earlier(due, flush_due?)));
            let due = due.inspect_err(|_| {
                // The reader has nothing to wait for.
                let _ = self.io.stream.end();
            })?;
            let due = earlier(due, glance.and_then(|glance| now.checked_add(glance)));
            let moved = if self.piece.is_empty() {
                if let Some(lost) = shared.lost.get() {
                    return Err(lost.error());
                }
                self.io.flush(due)
            } else {
                self.io.write_slice(&self.piece, due).map(|n| {
                    written = n;
                    n > 0
                })
            };
            let moved = moved.map_err(|error| {
                if !is_gone(&error) {
                    return error.into();
                }
                let mut connection = shared.connection();
                let lost = *shared.lost.get_or_init(|| Lost::of(&error));
                connection.handle_write_error();
                lost.error()
            })?;
            if self.piece.is_empty() && moved {
                if shared.connection().is_closed() {
                    // The reader may be waiting for a peer that does not know.
                    self.io.end(false);
                }
                return Ok(true);
            }
            if !moved && glance.is_some() {
                return Ok(false);
            }
        }
    }

    fn copy_front(&mut self, tx: &SendBuf) {
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
