//! A transport in memory for the adapters that are polled. Every call of it can be done, done in part,
//! pending or failing, and is counted. As a real one it remembers only the waker of the last call of each
//! direction, and forgets that when a call is ready: who relies on more is never woken.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use framewire::nonblocking;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{manual::Manual, support::trace::random_pieces};

/// More calls than any script here needs.
const MOST_CALLS: usize = 2_000_000;

/// What is called of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    WriteVectored,
    Flush,
    EndWriting,
}

pub(crate) const CALLS: [Call; 5] = [
    Call::Read,
    Call::Write,
    Call::WriteVectored,
    Call::Flush,
    Call::EndWriting,
];

/// One call, about to be made: it among all calls, and among its kind. Both count from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) call: Call,
    pub(crate) io: usize,
    pub(crate) nth: usize,
}

/// What a call does instead of all that it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It moves one byte.
    Part,
    /// It is pending, and woken at once.
    Pend,
    /// It is pending, as all later ones of its kind, until the test [releases](Probe::release) them.
    Hold,
    /// It fails, and changes nothing.
    Once(ErrorKind),
    /// It fails as a socket does for good. Behind a read: what has not been read is lost, and nothing
    /// can be written. Behind anything else: nothing can be written, but what the peer had sent is there.
    ForGood(ErrorKind),
    /// A read gives nothing, and that for ever; a write takes nothing.
    Zero,
}

/// What there is behind all that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Silence,
    Eof,
    Error(ErrorKind),
}

/// A peer that reacts: gets what has reached it, and gives what it sends and whether it ends then.
type Peer = Box<dyn FnMut(&[u8]) -> (Vec<Vec<u8>>, bool) + Send>;

/// The transport.
pub(crate) struct Pipe(Arc<Mutex<State>>);

/// The other end of it, and what became of it.
#[derive(Clone)]
pub(crate) struct Probe(Arc<Mutex<State>>);

pub(crate) struct State {
    /// A read gives at most one of them.
    segments: VecDeque<Vec<u8>>,
    behind: Behind,
    peer: Option<Peer>,
    plan: Box<dyn FnMut(Moment) -> Option<Act> + Send>,
    held: Vec<Call>,
    most_read: usize,
    most_written: usize,
    /// How many bytes are taken that the peer has not looked at.
    capacity: usize,
    looked_at: usize,
    /// Keeps what is written to itself until it is flushed.
    gathers: bool,
    gathered: Vec<u8>,
    is_read_dead: bool,
    is_write_dead: bool,
    /// Whether the peer ends the transport as soon as this end does.
    ends_too: bool,
    reading: Option<Waker>,
    writing: Option<Waker>,
    pub(crate) has_ended: bool,
    /// What reads gave, and what has reached the peer.
    pub(crate) delivered: Vec<u8>,
    pub(crate) reached: Vec<u8>,
    /// How much had been delivered when a read failed first.
    pub(crate) failed_at: Option<usize>,
    pub(crate) calls: Vec<Call>,
    counts: [usize; 5],
    pub(crate) dropped: usize,
}

impl Pipe {
    pub(crate) fn new() -> (Self, Probe) {
        let state = Arc::new(Mutex::new(State {
            segments: VecDeque::new(),
            behind: Behind::Silence,
            peer: None,
            plan: Box::new(|_| None),
            held: Vec::new(),
            most_read: usize::MAX,
            most_written: usize::MAX,
            capacity: usize::MAX,
            looked_at: 0,
            gathers: false,
            gathered: Vec::new(),
            is_read_dead: false,
            is_write_dead: false,
            ends_too: true,
            reading: None,
            writing: None,
            has_ended: false,
            delivered: Vec::new(),
            reached: Vec::new(),
            failed_at: None,
            calls: Vec::new(),
            counts: [0; 5],
            dropped: 0,
        }));
        (Self(Arc::clone(&state)), Probe(state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buf.is_empty(), "a read without room for a byte");
        let state = &mut *self.state();
        let most = match state.begin(Call::Read, cx) {
            Begun::Go(most) => most.min(state.most_read).min(buf.len()),
            Begun::Done(result) => return result.map_ok(|()| 0),
        };
        if state.is_read_dead {
            return Poll::Ready(Ok(0));
        }
        let Some(mut segment) = state.segments.pop_front() else {
            return match state.behind {
                Behind::Eof => Poll::Ready(Ok(0)),
                Behind::Error(kind) => Poll::Ready(Err(kind.into())),
                Behind::Silence => {
                    state.reading = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        let rest = segment.split_off(segment.len().min(most));
        if !rest.is_empty() {
            state.segments.push_front(rest);
        }
        buf[..segment.len()].copy_from_slice(&segment);
        state.delivered.extend_from_slice(&segment);
        Poll::Ready(Ok(segment.len()))
    }

    fn write(
        &self,
        call: Call,
        cx: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(given > 0, "a write of nothing");
        let state = &mut *self.state();
        assert!(!state.has_ended, "a write behind the end of writing");
        let most = match state.begin(call, cx) {
            Begun::Go(most) => most.min(state.most_written),
            Begun::Done(result) => return result.map_ok(|()| 0),
        };
        let unseen = state.reached.len() + state.gathered.len() - state.looked_at;
        let room = state.capacity.saturating_sub(unseen);
        if room == 0 {
            // What gathers is full.
            state.reach();
            state.writing = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut left = most.min(room);
        let taken = given.min(left);
        for slice in slices {
            let (now, _) = slice.split_at(slice.len().min(left));
            state.gathered.extend_from_slice(now);
            left -= now.len();
        }
        if !state.gathers {
            state.reach();
        }
        Poll::Ready(Ok(taken))
    }

    fn flush(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        if let Begun::Done(result) = state.begin(Call::Flush, cx) {
            return result;
        }
        state.reach();
        Poll::Ready(Ok(()))
    }

    fn end_writing(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        if let Begun::Done(result) = state.begin(Call::EndWriting, cx) {
            return result;
        }
        state.reach();
        state.has_ended = true;
        if state.ends_too && state.behind == Behind::Silence {
            state.end(Behind::Eof);
        }
        Poll::Ready(Ok(()))
    }
}

/// How a call goes on.
enum Begun {
    /// It moves at most so many bytes.
    Go(usize),
    Done(Poll<io::Result<()>>),
}

impl State {
    fn begin(&mut self, call: Call, cx: &Context<'_>) -> Begun {
        assert!(self.calls.len() < MOST_CALLS, "a loop without an end");
        assert_eq!(self.dropped, 0, "a call of what has been dropped");
        self.calls.push(call);
        self.counts[call as usize] += 1;
        *self.waker(call) = None;
        let is_held = self.held.contains(&call);
        let moment = Moment {
            call,
            io: self.calls.len(),
            nth: self.counts[call as usize],
        };
        let act = if is_held { None } else { (self.plan)(moment) };
        let is_read = call == Call::Read;
        let failed = match act {
            _ if is_held => return self.hold(call, cx),
            Some(Act::Hold) => {
                self.held.push(call);
                return self.hold(call, cx);
            }
            Some(Act::Pend) => {
                cx.waker().wake_by_ref();
                return Begun::Done(Poll::Pending);
            }
            Some(Act::Once(kind)) => Some(kind),
            Some(Act::ForGood(kind)) => {
                self.is_read_dead |= is_read;
                self.is_write_dead = true;
                Some(kind)
            }
            Some(Act::Zero) => {
                self.is_read_dead |= is_read;
                return Begun::Done(Poll::Ready(Ok(())));
            }
            Some(Act::Part) | None if self.is_write_dead && !is_read => Some(ErrorKind::BrokenPipe),
            Some(Act::Part) => return Begun::Go(1),
            None => return Begun::Go(usize::MAX),
        };
        if is_read && failed.is_some() {
            self.failed_at.get_or_insert(self.delivered.len());
        }
        Begun::Done(Poll::Ready(failed.map_or(Ok(()), |kind| Err(kind.into()))))
    }

    fn hold(&mut self, call: Call, cx: &Context<'_>) -> Begun {
        *self.waker(call) = Some(cx.waker().clone());
        Begun::Done(Poll::Pending)
    }

    fn waker(&mut self, call: Call) -> &mut Option<Waker> {
        match call {
            Call::Read => &mut self.reading,
            Call::Write | Call::WriteVectored | Call::Flush | Call::EndWriting => &mut self.writing,
        }
    }

    /// What is not held back reaches the peer, who may react.
    fn reach(&mut self) {
        let bytes = std::mem::take(&mut self.gathered);
        if bytes.is_empty() {
            return;
        }
        self.reached.extend_from_slice(&bytes);
        if let Some(peer) = &mut self.peer {
            self.looked_at = self.reached.len();
            let (segments, ends) = peer(&bytes);
            for segment in segments {
                self.deliver(segment);
            }
            if ends {
                self.end(Behind::Eof);
            }
        }
    }

    fn deliver(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.segments.push_back(bytes);
            self.reading.take().into_iter().for_each(Waker::wake);
        }
    }

    fn end(&mut self, behind: Behind) {
        self.behind = behind;
        self.reading.take().into_iter().for_each(Waker::wake);
    }
}

impl Probe {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers a segment.
    pub(crate) fn deliver(&self, bytes: &[u8]) {
        self.state().deliver(bytes.into());
    }

    /// Delivers in pieces of random sizes.
    pub(crate) fn deliver_in_pieces(&self, bytes: &[u8], seed: u64) {
        for piece in random_pieces(bytes, seed) {
            self.deliver(piece);
        }
    }

    pub(crate) fn end(&self, behind: Behind) {
        self.state().end(behind);
    }

    pub(crate) fn peer(&self, peer: impl FnMut(&[u8]) -> (Vec<Vec<u8>>, bool) + Send + 'static) {
        self.state().peer = Some(Box::new(peer));
    }

    pub(crate) fn plan(&self, plan: impl FnMut(Moment) -> Option<Act> + Send + 'static) {
        self.state().plan = Box::new(plan);
    }

    /// Moves at most as many bytes in a read, and in a write.
    pub(crate) fn pieces(&self, most_read: usize, most_written: usize) {
        let mut state = self.state();
        (state.most_read, state.most_written) = (most_read, most_written);
    }

    /// Takes no more bytes than these before the peer has looked at them.
    pub(crate) fn capacity(&self, bytes: usize) {
        let mut state = self.state();
        state.capacity = bytes;
        state.writing.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn gathering(&self) {
        self.state().gathers = true;
    }

    /// The peer does not end the transport because this end does.
    pub(crate) fn stays_open(&self) {
        self.state().ends_too = false;
    }

    /// The peer looks at so many more bytes at most.
    pub(crate) fn take(&self, most: usize) -> Vec<u8> {
        let state = &mut *self.state();
        let new = &state.reached[state.looked_at..];
        let new = new[..new.len().min(most)].to_vec();
        state.looked_at += new.len();
        if !new.is_empty() {
            state.writing.take().into_iter().for_each(Waker::wake);
        }
        new
    }

    /// Calls that are held go on.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.held.clear();
        state.reading.take().into_iter().for_each(Waker::wake);
        state.writing.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn delivered(&self) -> Vec<u8> {
        self.state().delivered.clone()
    }

    pub(crate) fn failed_at(&self) -> Option<usize> {
        self.state().failed_at
    }

    pub(crate) fn reached(&self) -> Vec<u8> {
        self.state().reached.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state().calls.len()
    }

    pub(crate) fn count(&self, call: Call) -> usize {
        self.state().counts[call as usize]
    }

    /// Whether something has been written that the peer has not looked at.
    pub(crate) fn has_unseen(&self) -> bool {
        let state = self.state();
        state.looked_at < state.reached.len()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    pub(crate) fn dropped(&self) -> usize {
        self.state().dropped
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut state = self.state();
        state.dropped += 1;
        (state.reading, state.writing) = (None, None);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.read(cx, buf.initialize_unfilled());
        read.map_ok(|n| buf.advance(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(Call::Write, cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(Call::WriteVectored, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_writing(cx)
    }
}

impl nonblocking::Transport<Manual> for Pipe {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(Call::Write, cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(Call::WriteVectored, cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(cx)
    }

    fn poll_end_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_writing(cx)
    }
}
