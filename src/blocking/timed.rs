//! A transport with a clock beside it: reads and writes that end at a deadline.

use core::mem;
use std::{
    io,
    time::{Duration, Instant},
};

use super::{SplitTransport, Transport};
use crate::{
    Connection, RecvBuf, SendBuf, TimedOut,
    adapter::{self, Clock, Flushing, GATHER, LINGER, LINGER_BYTES, is_gone, is_passing},
};

/// A deadline may be noticed as much later: so that one which moves on with every message, as that of
/// the keepalive does, costs no system call for each of them.
const SLACK: Duration = Duration::from_millis(10);
/// A limit of as much may stay where none is needed.
const RARELY: Duration = Duration::from_secs(1);
/// The shortest time-out.
const MOMENT: Duration = Duration::from_millis(1);
/// How long a write may block before the clock is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How much is written at a time: the time-out of some sockets begins again with every few KiB that they
/// have taken, and the clock has to be looked at.
pub(super) const PIECE: usize = 2 * GATHER;

#[derive(Debug)]
pub(super) struct Timed<S> {
    pub(super) stream: S,
    /// Where the time of the connection begins.
    pub(super) origin: Instant,
    reading: Limit,
    writing: Limit,
    flushing: Flushing,
    ended: bool,
    /// Whether there is something to wait for behind that, see [`Self::end`].
    lingers: bool,
}

/// What the transport was told about how long it may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    None,
    Some(Duration),
    /// It can't be told.
    Unsupported,
}

/// What came of waiting for the transport.
#[derive(Debug)]
pub(super) enum Waited {
    /// Bytes have moved, or time has passed: look at both.
    Awake,
    /// The transport has delivered all it ever will: as it should, or because of an error.
    Ended(Option<io::Error>),
}

impl<S: Transport> Timed<S> {
    pub(super) fn new(stream: S, origin: Instant) -> Self {
        Self {
            stream,
            origin,
            reading: Limit::None,
            writing: Limit::None,
            flushing: Flushing::default(),
            ended: false,
            lingers: false,
        }
    }

    /// As [`adapter::due`].
    pub(super) fn due(
        &mut self,
        connection: &mut Connection,
        clock: Clock,
        now: Duration,
    ) -> Result<Option<Duration>, TimedOut> {
        adapter::due(connection, &mut self.flushing, clock, now)
    }

    /// Gives up what the transport has gathered.
    pub(super) fn forget_gathered(&mut self) {
        self.flushing.done();
    }

    /// The transport may have gathered something.
    pub(super) fn set_unflushed(&mut self) {
        self.flushing.set_needed();
    }

    /// Whether the transport may have gathered something.
    pub(super) fn is_unflushed(&self) -> bool {
        self.flushing.is_needed()
    }

    /// The time of the connection.
    pub(super) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Reads once, but does not wait beyond `due`. Behind the closing handshake, if the connection
    /// `has_closed`, nobody is interested in how the transport ends.
    pub(super) fn read(
        &mut self,
        rx: &mut RecvBuf,
        due: Option<Duration>,
        has_closed: impl FnOnce() -> bool,
    ) -> io::Result<Waited> {
        self.limit_read(due)?;
        let error = match rx.read_from(&mut self.stream) {
            Ok(0) => return Ok(Waited::Ended(None)),
            Ok(_) => return Ok(Waited::Awake),
            Err(error) => error,
        };
        if is_gone(&error) || !is_passing(&error) && has_closed() {
            return Ok(Waited::Ended(Some(error)));
        }
        let is_interrupted = error.kind() == io::ErrorKind::Interrupted;
        self.reading.awake(error)?;
        if due.is_none() && !is_interrupted {
            // It has been woken for nothing: once is enough.
            self.stream.limit_read(None)?;
            self.reading = Limit::None;
        }
        Ok(Waited::Awake)
    }

    /// Writes once, but does not wait beyond `due`. Tells whether nothing is left, neither here nor in
    /// the transport.
    pub(super) fn write(&mut self, tx: &mut SendBuf, due: Option<Duration>) -> io::Result<bool> {
        if tx.is_empty() && !self.is_unflushed() {
            return Ok(true);
        }
        self.limit_write(due)?;
        if let Err(error) = self.write_or_flush(tx) {
            if is_gone(&error) {
                // What the transport has gathered is as lost as the rest.
                self.forget_gathered();
            } else if tx.is_empty() {
                self.flushing.stalled(self.now());
            }
            self.writing.awake(error)?;
        }
        Ok(tx.is_empty() && !self.is_unflushed())
    }

    fn write_or_flush(&mut self, tx: &mut SendBuf) -> io::Result<()> {
        if !tx.is_empty() {
            tx.write_to(&mut ByPiece(&mut self.stream))?;
            self.flushing.written();
        }
        if tx.is_empty() {
            self.stream.flush()?;
            self.forget_gathered();
        }
        Ok(())
    }

    /// As [`Self::write`], for bytes that lie somewhere else; tells how many were taken.
    pub(super) fn write_slice(&mut self, bytes: &[u8], due: Option<Duration>) -> io::Result<usize> {
        self.limit_write(due)?;
        match self.stream.write(bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                assert!(
                    n <= bytes.len(),
                    "the transport claims to have written more than it was given"
                );
                self.flushing.set_needed();
                Ok(n)
            }
            Err(error) => self.writing.awake(error).map(|_| 0),
        }
    }

    /// Behind the last of [`Self::write_slice`]; tells whether nothing is left in the transport.
    pub(super) fn flush(&mut self, due: Option<Duration>) -> io::Result<bool> {
        self.write(&mut SendBuf::new(), due)
    }

    /// Tells the transport that nothing more will be written.
    pub(super) fn end_writing(&mut self) {
        self.forget_gathered();
        if !mem::replace(&mut self.ended, true) {
            self.lingers = self.stream.end_writing().is_ok();
        }
    }

    /// Ends the transport. Where that is not `clean`, the peer may still be sending: lingers a moment to
    /// discard it. A socket that is closed with unread input resets the connection, which destroys what
    /// is still on its way to the peer (RFC 6455 section 7.1.1).
    pub(super) fn end(&mut self, clean: bool) {
        self.end_writing();
        if !mem::take(&mut self.lingers) || clean {
            return;
        }
        let due = self.now() + LINGER;
        let mut unread = [0; 16 * 1024];
        let mut most = LINGER_BYTES as usize;
        while most > 0 && self.now() < due {
            // Without deadlines the peer could hold us for ever.
            if self.limit_read(Some(due)).is_err() || self.reading == Limit::Unsupported {
                return;
            }
            match self.stream.read(&mut unread) {
                Ok(n) if n > 0 => most = most.saturating_sub(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }

    fn limit_read(&mut self, due: Option<Duration>) -> io::Result<()> {
        let left = self.left(due);
        self.reading = self.reading.change(left, |t| self.stream.limit_read(t))?;
        Ok(())
    }

    /// Not as long as until `due`: a socket that has taken all it will tells so only when its time is up,
    /// and what it took long ago would look as if it had been just now.
    fn limit_write(&mut self, due: Option<Duration>) -> io::Result<()> {
        let look = |left: Duration| (left / 8).min(LOOK).max(MOMENT);
        let left = self.left(due).map(look);
        self.writing = self.writing.change(left, |t| self.stream.limit_write(t))?;
        Ok(())
    }

    /// Lets the transport block as long as it likes again.
    pub(super) fn forget_limits(&mut self) {
        // What fails is noticed when it is used.
        if let Limit::Some(_) = self.reading {
            let _ = self.stream.limit_read(None);
        }
        if let Limit::Some(_) = self.writing {
            let _ = self.stream.limit_write(None);
        }
        (self.reading, self.writing) = (Limit::None, Limit::None);
    }

    /// How long it is until `due`: at least a moment, because zero would mean "for ever".
    fn left(&self, due: Option<Duration>) -> Option<Duration> {
        due.map(|due| due.saturating_sub(self.now()).max(MOMENT))
    }
}

impl<S: SplitTransport> Timed<S> {
    /// Another handle to the same transport, which has been told the same.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            ..*self
        })
    }
}

impl Limit {
    /// Tells the transport how long it may block, if what it was told before does not serve.
    fn change(
        self,
        wanted: Option<Duration>,
        tell: impl FnOnce(Option<Duration>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let serves = match (self, wanted) {
            (Self::Unsupported, _) | (Self::None, None) => true,
            // To wake too early does no harm, if it is not too often.
            (Self::Some(told), Some(wanted)) => told >= wanted / 2 && told <= wanted + SLACK,
            // Deadlines come and go with every message. Waking once for nothing costs less than that.
            (Self::Some(told), None) => told >= RARELY,
            (Self::None, Some(_)) => false,
        };
        if serves {
            return Ok(self);
        }
        match tell(wanted) {
            Ok(()) => Ok(wanted.map_or(Self::None, Self::Some)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Self::Unsupported),
            Err(error) => Err(error),
        }
    }

    /// Whether an error of the transport says no more than that we should look at the clock.
    fn awake(self, error: io::Error) -> io::Result<()> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};

        match (error.kind(), self) {
            (Interrupted, _) | (WouldBlock | TimedOut, Self::Some(_)) => Ok(()),
            _ => Err(error),
        }
    }
}

/// Gives a transport no more than a piece of what there is.
struct ByPiece<'a, S>(&'a mut S);

impl<S: io::Write> io::Write for ByPiece<'_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(&buf[..buf.len().min(PIECE)])
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut sum = 0;
        let fits = |buf: &&io::IoSlice<'_>| {
            sum += buf.len();
            sum <= PIECE
        };
        match bufs.iter().take_while(fits).count() {
            0 => self.write(bufs.first().map_or(&[], |buf| buf)),
            count => self.0.write_vectored(&bufs[..count]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
