//! One connection for two threads: one that receives, and any number of them that send.
//!
//! Two locks, and nobody waits for the transport while holding the connection's: a thread that writes
//! copies a piece of what is queued, lets go of the connection, and writes. So the reader goes on
//! while a write is blocked, and two peers that both write at the same time do not wait for each
//! other for ever. Whoever holds the lock of the output writes until nothing is queued, and looks once
//! more after letting go of it: what another thread has queued in between is never left behind.

use core::fmt;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
    vec::Vec,
};

use ::bytes::Buf as _;

use super::{
    SplitTransport, WebSocket,
    timed::{Timed, Waited, is_gone},
    websocket::{GATHER, ended_by},
};
use crate::{
    CloseCode, Connection, Error, Event, Message, PartEvent, RecvBuf, SendBuf, Sendable, State,
};

/// How much is copied to be written at a time.
const PIECE: usize = 64 * 1024;

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
}

/// The end of the transport that is written to.
struct Out<S> {
    io: Timed<S>,
    /// A copy of the front of what is queued.
    piece: Vec<u8>,
}

impl<S: SplitTransport> WebSocket<S> {
    /// Splits it into two halves for two threads: one is blocked in a read while the other writes.
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
        let due = match connection.handle_timeout(io.now()) {
            Ok(due) => due
                .into_iter()
                .chain(latest_look(&connection, io.now()))
                .min(),
            Err(timed_out) => {
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
            io.end(!clean);
            return Ok(None);
        }
        let is_queued = !connection.send_buf().is_empty();
        // Nothing can be read that would matter: what is queued has to leave before the end.
        let waits = connection.receives_no_more();
        drop(connection);
        if is_queued {
            match shared.write(waits) {
                Ok(Written::All) => continue,
                // What is queued leaves with what the other thread is writing.
                Ok(Written::ByAnother) => {}
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
        ended_by(&mut shared.connection(), lost.take().or(ended))?;
    }
}

/// When to look at the clock again at the latest. Another thread may close the connection while this
/// one waits, and can't wake it: so no wait is longer than the closing handshake may take.
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
        self.shared.write(true).map(drop)
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
    /// queue: [flush](Self::flush) afterwards. Nothing else moves meanwhile.
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
}

impl<S> Shared<S> {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Commands change nothing before they are sure to succeed: a panic leaves no ruins.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: SplitTransport> Shared<S> {
    /// Writes until nothing is queued; `waits` for another thread that is writing.
    fn write(&self, waits: bool) -> Result<Written, Error> {
        loop {
            let mut out = match self.out.try_lock() {
                Ok(out) => out,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if !waits => return Ok(Written::ByAnother),
                Err(TryLockError::WouldBlock) => {
                    self.out.lock().unwrap_or_else(PoisonError::into_inner)
                }
            };
            out.write_all(self)?;
            drop(out);
            // What was queued meanwhile by somebody who did not wait.
            if self.connection().send_buf().is_empty() {
                return Ok(Written::All);
            }
        }
    }
}

impl<S: SplitTransport> Out<S> {
    fn write_all(&mut self, shared: &Shared<S>) -> Result<(), Error> {
        let mut written = 0;
        loop {
            let due = {
                let mut connection = shared.connection();
                let tx = connection.send_buf();
                // Less is there only if all of it was given up.
                tx.advance(written.min(tx.remaining()));
                let due = connection.handle_timeout(self.io.now());
                self.copy_front(connection.send_buf());
                due
            };
            let due = due.inspect_err(|_| {
                // The reader has nothing to wait for.
                let _ = self.io.stream.end();
            })?;
            if self.piece.is_empty() {
                return Ok(());
            }
            written = self.io.write_slice(&self.piece, due).inspect_err(|error| {
                if is_gone(error) {
                    shared.connection().handle_write_error();
                }
            })?;
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
