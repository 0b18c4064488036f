//! A transport in memory for the adapters: the traits of polled ones are in `polled.rs`. What it delivers is given in advance or by a peer that
//! reacts to what it gets; every call of it can be made to fail, and is counted: a loop without an end is
//! a failure of the test.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    cell::{RefCell, RefMut},
    collections::VecDeque,
    fmt,
    io::{self, ErrorKind, IoSlice, Read, Write},
    rc::Rc,
    task::Waker,
    time::Duration,
};

use framewire::blocking::{Parts, SplitTransport, Transport, WebSocket};
use framewire::{Config, Error, ProtocolError, RecvBuf, Role, SendError, TimedOut};

use crate::support::{connection, trace::random_pieces, wire::input};

/// More calls than any script here needs.
const MOST_CALLS: usize = 1_000_000;

/// What is called of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    Flush,
    Prepare,
    LimitRead,
    LimitWrite,
    EndWriting,
}

impl Call {
    /// Whether bytes move by it.
    pub(crate) fn is_io(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Flush)
    }
}

/// One call, about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) call: Call,
    /// Counts from 1: this one among all calls that [move bytes](Call::is_io), and among its kind.
    pub(crate) io: usize,
    pub(crate) nth: usize,
    /// Whether the transport has been told not to wait for ever in it.
    pub(crate) is_limited: bool,
}

/// What a call does instead of what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and changes nothing.
    Once(ErrorKind),
    /// It fails as a socket does for good. Behind a read: what has not been read is lost, and nothing
    /// can be written. Behind a write: nothing can be written, but what the peer had sent is there.
    ForGood(ErrorKind),
    /// A read gives nothing, and that for ever; a write takes nothing.
    Zero,
    /// It claims to have moved one byte more than it could.
    Lie,
}

/// What a read finds behind all that was given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer has ended the transport.
    Eof,
    /// The transport fails.
    Error(ErrorKind),
    /// The peer is silent. A read that is limited times out at once, one that is polled is pending; any
    /// other would never end, which fails the test.
    Silence,
    /// As `Silence`, but no read ever waits.
    WouldBlock,
}

/// A peer that reacts: gets what has reached it since the last time, and gives what it sends.
type Peer = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>>>;

/// The transport. A clone is another handle, to look at what became of it.
#[derive(Clone)]
pub(crate) struct Wire(Rc<RefCell<State>>);

pub(crate) struct State {
    /// A read gives at most one of them.
    segments: VecDeque<Vec<u8>>,
    end: End,
    peer: Option<Peer>,
    faults: Box<dyn FnMut(Moment) -> Option<Fault>>,
    most_read: usize,
    most_written: usize,
    /// Keeps what is written to itself until it is flushed.
    gathers: bool,
    gathered: Vec<u8>,
    /// Who polled it for reading in vain.
    pub(crate) reader: Option<Waker>,
    is_read_dead: bool,
    is_write_dead: bool,
    /// What reads gave, and what has reached the peer.
    pub(crate) delivered: Vec<u8>,
    pub(crate) reached: Vec<u8>,
    pub(crate) calls: Vec<Call>,
    counts: [usize; 7],
    pub(crate) limit_read: Option<Duration>,
    pub(crate) limit_write: Option<Duration>,
    /// All limits it was ever told.
    pub(crate) limits: Vec<(Call, Option<Duration>)>,
}

impl Wire {
    /// Delivers these segments, and then its end.
    pub(crate) fn new<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(Rc::new(RefCell::new(State {
            segments: segments.into_iter().map(Vec::from).collect(),
            end: End::Eof,
            peer: None,
            faults: Box::new(|_| None),
            most_read: usize::MAX,
            most_written: usize::MAX,
            gathers: false,
            gathered: Vec::new(),
            reader: None,
            is_read_dead: false,
            is_write_dead: false,
            delivered: Vec::new(),
            reached: Vec::new(),
            calls: Vec::new(),
            counts: [0; 7],
            limit_read: None,
            limit_write: None,
            limits: Vec::new(),
        })))
    }

    /// As [`Self::new`], for frames that are given without masks: a segment for each of them.
    pub(crate) fn of(role: Role, frames: &[Vec<u8>]) -> Self {
        let segments: Vec<_> = frames.iter().map(|frame| input(role, frame)).collect();
        Self::new(segments.iter().map(|segment| &segment[..]))
    }

    pub(crate) fn end(self, end: End) -> Self {
        self.state().end = end;
        self
    }

    pub(crate) fn peer(self, peer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> Self {
        self.state().peer = Some(Box::new(peer));
        self
    }

    pub(crate) fn faults(self, faults: impl FnMut(Moment) -> Option<Fault> + 'static) -> Self {
        self.state().faults = Box::new(faults);
        self
    }

    /// Moves at most as many bytes in a read, and in a write.
    pub(crate) fn pieces(self, most_read: usize, most_written: usize) -> Self {
        (self.state().most_read, self.state().most_written) = (most_read, most_written);
        self
    }

    /// Lets nothing reach the peer until it is flushed.
    pub(crate) fn gathering(self) -> Self {
        self.state().gathers = true;
        self
    }

    /// Two transports that deliver to each other what they are given, cut at random. Neither ever
    /// waits: what is read before it was written would never come.
    pub(crate) fn pair(seed: u64) -> [Self; 2] {
        let pair = [Self::new([]), Self::new([])].map(|wire| wire.end(End::Silence));
        for (one, other) in [(0, 1), (1, 0)] {
            let (to, end) = (pair[other].clone(), pair[other].clone());
            let deliver = move |bytes: &[u8]| {
                for piece in random_pieces(bytes, seed ^ bytes.len() as u64) {
                    to.deliver(piece);
                }
                Vec::new()
            };
            let ends = move |moment: Moment| {
                if moment.call == Call::EndWriting {
                    end.state().end_now();
                }
                None
            };
            let _ = pair[one].clone().peer(deliver).faults(ends);
        }
        pair
    }

    /// Adds a segment.
    pub(crate) fn deliver(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.segments.push_back(bytes.into());
        state.wake();
    }

    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// What has reached the peer.
    pub(crate) fn reached(&self) -> Vec<u8> {
        self.state().reached.clone()
    }

    /// How often this was called.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.state().counts[call as usize]
    }

    /// How many calls moved bytes, or tried to.
    pub(crate) fn io_calls(&self) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| call.is_io())
            .count()
    }

    /// Notes a call, and asks what is to become of it.
    fn call(&self, call: Call) -> Option<Fault> {
        let mut state = self.state();
        assert!(state.calls.len() < MOST_CALLS, "a loop without an end");
        assert!(
            call == Call::Read || !call.is_io() || state.counts[Call::EndWriting as usize] == 0,
            "{call:?} behind the end of writing"
        );
        state.calls.push(call);
        state.counts[call as usize] += 1;
        let moment = Moment {
            call,
            io: state.io_calls(),
            nth: state.counts[call as usize],
            is_limited: match call {
                Call::Read => state.limit_read.is_some(),
                _ => state.limit_write.is_some(),
            },
        };
        (state.faults)(moment)
    }

    /// What has been flushed or not held back reaches the peer, who may react.
    fn reach(&self) {
        let mut state = self.state();
        let bytes = std::mem::take(&mut state.gathered);
        if bytes.is_empty() {
            return;
        }
        state.reached.extend_from_slice(&bytes);
        let Some(mut peer) = state.peer.take() else {
            return;
        };
        let segments = peer(&bytes);
        state.segments.extend(segments);
        state.peer = Some(peer);
        state.wake();
    }

    /// Gives a read what it asks for. `None`: there is nothing now.
    pub(crate) fn give(&self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        assert!(!buf.is_empty(), "a read without room for a byte");
        let fault = self.call(Call::Read);
        let mut state = self.state();
        match fault {
            Some(Fault::Once(kind)) => return Err(kind.into()),
            Some(Fault::ForGood(kind)) => {
                (state.is_read_dead, state.is_write_dead) = (true, true);
                return Err(kind.into());
            }
            Some(Fault::Lie) => return Ok(Some(buf.len() + 1)),
            Some(Fault::Zero) => state.is_read_dead = true,
            None => {}
        }
        if state.is_read_dead {
            return Ok(Some(0));
        }
        let most = state.most_read.min(buf.len());
        let Some(mut segment) = state.segments.pop_front() else {
            return match state.end {
                End::Eof => Ok(Some(0)),
                End::Error(kind) => Err(kind.into()),
                End::WouldBlock | End::Silence => Ok(None),
            };
        };
        let rest = segment.split_off(segment.len().min(most));
        if !rest.is_empty() {
            state.segments.push_front(rest);
        }
        buf[..segment.len()].copy_from_slice(&segment);
        state.delivered.extend_from_slice(&segment);
        Ok(Some(segment.len()))
    }

    pub(crate) fn accept(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        let fault = self.call(Call::Write);
        let mut state = self.state();
        if let Some(error) = state.write_error(fault) {
            return Err(error);
        }
        match fault {
            Some(Fault::Zero) => return Ok(0),
            Some(Fault::Lie) => return Ok(given + 1),
            _ => {}
        }
        let mut most = state.most_written;
        for slice in slices {
            let (taken, _) = slice.split_at(slice.len().min(most));
            state.gathered.extend_from_slice(taken);
            most -= taken.len();
        }
        let gathers = state.gathers;
        let taken = given.min(state.most_written);
        drop(state);
        if !gathers {
            self.reach();
        }
        Ok(taken)
    }

    pub(crate) fn pass_on(&self) -> io::Result<()> {
        let fault = self.call(Call::Flush);
        let error = self.state().write_error(fault);
        match error {
            Some(error) => Err(error),
            None => {
                self.reach();
                Ok(())
            }
        }
    }

    pub(crate) fn told_end(&self) -> io::Result<()> {
        self.told(Call::EndWriting)
    }

    /// The calls that only tell the transport something.
    fn told(&self, call: Call) -> io::Result<()> {
        match self.call(call) {
            Some(Fault::Once(kind) | Fault::ForGood(kind)) => Err(kind.into()),
            _ => Ok(()),
        }
    }
}

impl State {
    /// The peer ends the transport.
    pub(crate) fn end_now(&mut self) {
        self.end = End::Eof;
        self.wake();
    }

    /// There is something to read.
    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn io_calls(&self) -> usize {
        [Call::Read, Call::Write, Call::Flush]
            .map(|call| self.counts[call as usize])
            .iter()
            .sum()
    }

    fn write_error(&mut self, fault: Option<Fault>) -> Option<io::Error> {
        match fault {
            Some(Fault::Once(kind)) => return Some(kind.into()),
            Some(Fault::ForGood(kind)) if !self.is_write_dead => {
                self.is_write_dead = true;
                return Some(kind.into());
            }
            _ => {}
        }
        self.is_write_dead.then(|| ErrorKind::BrokenPipe.into())
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(n) = self.give(buf)? {
            return Ok(n);
        }
        let state = self.state();
        let never_ends = state.end == End::Silence && state.limit_read.is_none();
        assert!(!never_ends, "a read that would never end");
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.accept(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.accept(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

impl Transport for Wire {
    fn prepare(&mut self) -> io::Result<()> {
        self.told(Call::Prepare)
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO), "zero would mean for ever");
        self.told(Call::LimitRead)?;
        self.state().limit_read = timeout;
        self.state().limits.push((Call::LimitRead, timeout));
        Ok(())
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO), "zero would mean for ever");
        self.told(Call::LimitWrite)?;
        self.state().limit_write = timeout;
        self.state().limits.push((Call::LimitWrite, timeout));
        Ok(())
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.told_end()
    }
}

impl SplitTransport for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn end(&self) -> io::Result<()> {
        let mut state = self.state();
        (state.is_read_dead, state.is_write_dead) = (true, true);
        Ok(())
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").finish_non_exhaustive()
    }
}

/// A WebSocket over a transport, behind its opening handshake.
pub(crate) fn websocket<S: Transport>(role: Role, config: Config, stream: S) -> WebSocket<S> {
    let parts = Parts::new(stream, connection(role, config), RecvBuf::new());
    WebSocket::from_parts(parts)
}

/// A result that can be compared.
pub(crate) fn why<T>(result: Result<T, Error>) -> Result<T, Why> {
    result.map_err(Why::from)
}

/// An [`Error`] that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Io(ErrorKind),
    Eof,
    TimedOut(TimedOut),
    Protocol(ProtocolError),
    Send(SendError),
    Refused(u16, Vec<u8>),
    Handshake(framewire::client::HandshakeError),
    Rejected(framewire::server::HandshakeError),
    Aborted(usize),
    NoUpgrade,
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error.kind()),
            Error::Eof(_) => Self::Eof,
            Error::TimedOut(timed_out) => Self::TimedOut(timed_out),
            Error::Protocol(error) => Self::Protocol(error),
            Error::Send(error) => Self::Send(error),
            Error::Refused(response) => Self::Refused(response.status(), response.body().into()),
            Error::Handshake(error) => Self::Handshake(error),
            Error::Rejected(error) => Self::Rejected(error),
            Error::Aborted(aborted) => Self::Aborted(aborted.received),
            Error::NoUpgrade => Self::NoUpgrade,
            other => panic!("unexpected {other:?}"),
        }
    }
}
