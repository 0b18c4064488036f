//! TLS over a blocking transport (RFC 8446), with the deadlines of a [`Transport`].
//!
//! The session has a lock of its own, which nobody holds while waiting for the transport, so that one
//! thread can read while another one writes.

use core::{fmt, time::Duration};
use std::{
    io::{self, IoSlice, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
    vec::Vec,
};

use super::{SplitTransport, Transport};
use crate::{
    RecvBuf,
    adapter::{LINGER, is_passing},
    tls::{
        InvalidTls, Session,
        rustls::{ClientConfig, Connection, ServerConfig},
    },
};

/// A transport with TLS in it.
///
/// The handshake of TLS happens in the first read or write, so that the time-out of the opening handshake is for
/// both together. See [`tls`](crate::tls) for configurations.
///
/// # Cost
///
/// A lock or two for each call, and a copy of the ciphertext. It keeps some 16 KiB for what comes, and as much for
/// what leaves as was once written at a time, 128 KiB at most. A peer that takes longer than
/// [`write_timeout`](crate::Config::write_timeout) for that counts as one that takes nothing.
#[derive(Debug)]
pub struct TlsStream<S> {
    stream: S,
    shared: Arc<Shared>,
    /// Ciphertext that has arrived.
    input: RecvBuf,
    reading: Limit,
    writing: Limit,
}

#[derive(Debug)]
struct Shared {
    /// Locked before the session, and while the transport is written to: records leave in order.
    output: Mutex<Output>,
    session: Mutex<Session>,
}

/// Ciphertext on its way to the transport, and how much of it has been written.
#[derive(Default)]
struct Output {
    records: Vec<u8>,
    sent: usize,
}

/// How long a call may take, and what the transport was told about that.
#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    whole: Option<Duration>,
    told: Option<Duration>,
}

/// What is left for a call that reads and writes several times.
#[derive(Clone, Copy, Debug)]
struct Budget {
    whole: Option<Duration>,
    began: Option<Instant>,
}

impl<S> TlsStream<S> {
    /// TLS as the client, with a server whose certificate has to be for `host`: a name, or an IP address
    /// without brackets.
    ///
    /// # Errors
    ///
    /// If there can be no certificate for such a host, or the configuration is of no use.
    pub fn client(stream: S, config: Arc<ClientConfig>, host: &str) -> Result<Self, InvalidTls> {
        Ok(Self::new(stream, Session::client(config, host)?))
    }

    /// TLS as the server.
    ///
    /// # Errors
    ///
    /// If the configuration is of no use.
    pub fn server(stream: S, config: Arc<ServerConfig>) -> Result<Self, InvalidTls> {
        Ok(Self::new(stream, Session::server(config)?))
    }

    fn new(stream: S, session: Session) -> Self {
        let shared = Shared {
            output: Mutex::default(),
            session: Mutex::new(session),
        };
        Self {
            stream,
            shared: Arc::new(shared),
            input: RecvBuf::new(),
            reading: Limit::default(),
            writing: Limit::default(),
        }
    }

    /// The transport below.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Looks at the session: its version, the certificate of the peer.
    pub fn tls<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(self.session().connection())
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        locked(&self.shared.session)
    }
}

impl<S: Transport> TlsStream<S> {
    /// Does the handshake, in `limit`.
    pub(super) fn handshake(&mut self, limit: Duration) -> io::Result<()> {
        let mut budget = Budget::new(Some(limit));
        while let Err(error) = self.complete(&mut budget) {
            if !is_passing(&error) {
                return Err(error);
            }
            // A signal, or the end of time in the words of a socket: the budget decides.
            budget.left()?;
        }
        if self.session().is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Goes on with the handshake until it is done, or the transport has ended.
    fn complete(&mut self, budget: &mut Budget) -> io::Result<()> {
        while self.session().is_opening() {
            self.pass_on(budget)?;
            let mut session = self.session();
            session.has_left();
            if session.is_opening() {
                drop(session);
                if !self.fill(budget)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads ciphertext once. Tells whether the transport has not ended.
    fn fill(&mut self, budget: &mut Budget) -> io::Result<bool> {
        self.session().check()?;
        if self.input.is_empty() {
            let Self {
                stream, reading, ..
            } = self;
            reading.tell(budget.left()?, |left| stream.limit_read(left))?;
            if self.input.read_from(&mut self.stream)? == 0 {
                self.session().receive_eof()?;
                return Ok(false);
            }
        }
        let shared = Arc::clone(&self.shared);
        let mut session = locked(&shared.session);
        let received = session.receive(&mut self.input);
        let has_alert = session.has_alert();
        drop(session);
        if has_alert && let Ok(mut output) = shared.output.try_lock() {
            // The peer is told what is wrong, if it takes that at once, and nobody is writing.
            let _ = self.write_out(&mut output, &mut Budget::new(Some(MOMENT)));
        }
        received.map(|()| true)
    }

    /// Writes what `plaintext` puts into the session.
    fn encrypt(
        &mut self,
        plaintext: impl FnOnce(&mut Session) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut budget = Budget::new(self.writing.whole);
        self.complete(&mut budget)?;
        let shared = Arc::clone(&self.shared);
        let mut output = locked(&shared.output);
        self.write_out(&mut output, &mut budget)?;
        let taken = plaintext(&mut self.session())?;
        match self.write_out(&mut output, &mut budget) {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(taken),
        }
    }

    /// Writes what the session has to say.
    fn pass_on(&mut self, budget: &mut Budget) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.write_out(&mut locked(&shared.output), budget)
    }

    /// Writes all ciphertext that there is.
    fn write_out(&mut self, output: &mut Output, budget: &mut Budget) -> io::Result<()> {
        output.take_from(&mut self.session())?;
        let Self {
            stream, writing, ..
        } = self;
        while let Some(rest @ [_, ..]) = output.records.get(output.sent..) {
            writing.tell(budget.left()?, |left| stream.limit_write(left))?;
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => output.sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        output.records.clear();
        output.sent = 0;
        // The transport below may gather as well.
        stream.flush()
    }
}

impl<S: Transport> Read for TlsStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut budget = Budget::new(self.reading.whole);
        self.complete(&mut budget)?;
        loop {
            if let Some(n) = self.session().read(buf)? {
                return Ok(n);
            }
            self.fill(&mut budget)?;
        }
    }
}

impl<S: Transport> Write for TlsStream<S> {
    /// Encrypts of `buf` what fits, and writes it. What the transport does not take in time is written by
    /// the next call.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.encrypt(|session| session.write(buf))
    }

    /// As `write`: the records know nothing of where a slice ends.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.encrypt(|session| session.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on(&mut Budget::new(self.writing.whole))
    }
}

impl<S: Transport> Transport for TlsStream<S> {
    fn prepare(&mut self) -> io::Result<()> {
        self.stream.prepare()
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.reading.set(timeout, |t| self.stream.limit_read(t))
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.writing.set(timeout, |t| self.stream.limit_write(t))
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.session().close();
        let shared = Arc::clone(&self.shared);
        // Another thread that is blocked in a write learns of the end by it, not the other way round.
        if let Ok(mut output) = shared.output.try_lock() {
            // It is on its way, or the peer takes nothing: a deadline that has passed is not extended.
            let limit = self.writing.whole.map_or(LINGER, |whole| whole.min(LINGER));
            let _ = self.write_out(&mut output, &mut Budget::new(Some(limit)));
        }
        self.stream.end_writing()
    }
}

impl<S: SplitTransport> SplitTransport for TlsStream<S> {
    /// Not before the handshake is done, in which reading and writing are one.
    fn try_clone(&self) -> io::Result<Self> {
        if self.session().is_opening() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(Self {
            stream: self.stream.try_clone()?,
            shared: Arc::clone(&self.shared),
            input: RecvBuf::new(),
            reading: self.reading,
            writing: self.writing,
        })
    }

    fn end(&self) -> io::Result<()> {
        self.stream.end()
    }
}

impl Output {
    fn take_from(&mut self, session: &mut Session) -> io::Result<()> {
        while session.wants_write() {
            session.write_to(&mut self.records)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("left", &(self.records.len() - self.sent))
            .finish_non_exhaustive()
    }
}

impl Limit {
    /// A call may take as long.
    fn set(
        &mut self,
        whole: Option<Duration>,
        tell: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<()> {
        tell(whole)?;
        *self = Self { whole, told: whole };
        Ok(())
    }

    /// Tells the transport how long it may block now.
    fn tell(
        &mut self,
        left: Option<Duration>,
        tell: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<()> {
        if left != self.told {
            match tell(left) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                told => told?,
            }
            self.told = left;
        }
        Ok(())
    }
}

impl Budget {
    fn new(whole: Option<Duration>) -> Self {
        Self { whole, began: None }
    }

    /// All of it at first, and then what is left.
    fn left(&mut self) -> io::Result<Option<Duration>> {
        let Some(whole) = self.whole else {
            return Ok(None);
        };
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            return Ok(Some(whole));
        };
        let left = whole.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

/// As long as the peer may take to hear what it did wrong.
const MOMENT: Duration = Duration::from_millis(1);

/// Nobody panics while holding one of these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
