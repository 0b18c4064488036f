//! A transport with a timer beside it.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{
    boxed::Box,
    io::{self, IoSlice},
    time::Instant,
};

use ::bytes::Buf as _;

use super::{Runtime, Timer, Transport, link::TURNS};
use crate::{
    RecvBuf, SendBuf,
    adapter::{Flushing, LINGER, LINGER_BYTES, Lost},
};

/// A transport, its timer, and how far its end has come.
pub(super) struct Io<S, R: Runtime> {
    pub(super) stream: S,
    /// Where the time of the connection begins.
    pub(super) origin: Instant,
    /// The only timer of a connection: made for its first deadline. It may be set to an earlier deadline than
    /// the one that is waited for, so that one which moves on with every message costs nothing: it wakes
    /// once for nothing then.
    alarm: Option<R::Timer>,
    pub(super) flushing: Flushing,
    /// Made at the end, for a connection that waits has to be small.
    end: Option<Box<End>>,
}

/// How far the end of the transport has come and until when it is waited for, and why it has come to that.
#[derive(Debug, Default)]
struct End {
    phase: Phase,
    due: Duration,
    /// How much of what the peer still sends is discarded.
    left: u32,
    loss: Option<Loss>,
}

/// Why what was queued has been dropped.
#[derive(Debug)]
pub(super) struct Loss {
    /// Told to everybody who waits for what was queued.
    pub(super) lost: Lost,
    /// The error of a write, as long as there may be something to read: it comes at the end of that.
    pub(super) error: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// The peer is being told that nothing more is written.
    Ending,
    /// What the peer still sends is discarded.
    Lingering,
    Done,
}

impl<S: Transport<R>, R: Runtime> Io<S, R> {
    pub(super) fn new(stream: S, origin: Instant) -> Self {
        Self {
            stream,
            origin,
            alarm: None,
            flushing: Flushing::default(),
            end: None,
        }
    }

    /// The time of the connection.
    pub(super) fn now(&self) -> Duration {
        R::Timer::now().saturating_duration_since(self.origin)
    }

    /// Waits until `due`. `None`: there is nothing to wait for.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, due: Option<Duration>) -> Poll<()> {
        let deadline = due.and_then(|due| self.origin.checked_add(due));
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| R::Timer::at(deadline));
        loop {
            if deadline < alarm.deadline() {
                alarm.reset(deadline);
            }
            ready!(Pin::new(&mut *alarm).poll(cx));
            let fired = alarm.deadline();
            // A future that was ready must not be polled again.
            alarm.reset(deadline);
            if deadline <= fired {
                return Poll::Ready(());
            }
        }
    }

    /// Gives up the timer, for a deadline that was kept: there may never be another one.
    pub(super) fn disarm(&mut self) {
        self.alarm = None;
    }

    /// Reads once: 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut RecvBuf,
    ) -> Poll<io::Result<usize>> {
        let n = ready!(self.stream.poll_read(cx, rx.unfilled()))?;
        rx.filled(n);
        Poll::Ready(Ok(n))
    }

    /// Writes until nothing is left, neither in `tx` nor in the transport.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        tx: &mut SendBuf,
    ) -> Poll<io::Result<()>> {
        while !tx.is_empty() {
            match ready!(self.poll_write_once(cx, tx)) {
                Ok(()) => self.flushing.written(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        while self.flushing.is_needed() {
            let flushed = self.stream.poll_flush(cx);
            match &flushed {
                Poll::Ready(Ok(())) => self.flushing.done(),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(_)) | Poll::Pending => {
                    self.flushing.stalled(self.now());
                    return flushed;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// One plain write, or a vectored one where payloads are chained.
    fn poll_write_once(&mut self, cx: &mut Context<'_>, tx: &mut SendBuf) -> Poll<io::Result<()>> {
        let chunk = tx.chunk();
        let (taken, given) = if chunk.len() == tx.remaining() {
            (self.stream.poll_write(cx, chunk), chunk.len())
        } else {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = tx.chunks_vectored(&mut slices);
            let slices = &slices[..count];
            let given = slices.iter().map(|slice| slice.len()).sum();
            (self.stream.poll_write_vectored(cx, slices), given)
        };
        let taken = ready!(taken)?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        assert!(
            taken <= given,
            "the transport claims to have taken more bytes than it was given"
        );
        tx.advance(taken);
        Poll::Ready(Ok(()))
    }

    /// Why what was queued has been dropped, if it has.
    pub(super) fn loss(&mut self) -> Option<&mut Loss> {
        self.end.as_mut()?.loss.as_mut()
    }

    /// What was queued is dropped. The first reason is the one to tell.
    pub(super) fn set_loss(&mut self, lost: Lost) -> &mut Loss {
        self.flushing.done();
        let loss = &mut self.end.get_or_insert_default().loss;
        loss.get_or_insert(Loss { lost, error: None })
    }

    /// Begins to tell the peer that nothing more will be written, and gets as far as that is possible at
    /// once.
    pub(super) fn end_writing(&mut self, cx: &mut Context<'_>) {
        self.poll_end_writing(cx);
    }

    fn poll_end_writing(&mut self, cx: &mut Context<'_>) -> &mut End {
        let due = self.now() + LINGER;
        let end = self.end.get_or_insert_default();
        if end.phase == Phase::Open {
            self.flushing.done();
            (end.phase, end.due, end.left) = (Phase::Ending, due, LINGER_BYTES);
        }
        if end.phase == Phase::Ending {
            match self.stream.poll_end_writing(cx) {
                Poll::Ready(Ok(())) => end.phase = Phase::Lingering,
                Poll::Ready(Err(_)) => end.phase = Phase::Done,
                Poll::Pending => {}
            }
        }
        end
    }

    /// Ends the transport. Where that is not `clean`, the peer may still be sending: lingers a moment to
    /// discard it. `rx` is only a place to read to.
    pub(super) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        rx: &mut RecvBuf,
        clean: bool,
    ) -> Poll<()> {
        let end = self.poll_end_writing(cx);
        let (phase, due) = (end.phase, end.due);
        let ended = match phase {
            Phase::Open | Phase::Ending => Poll::Pending,
            Phase::Lingering if !clean => self.poll_discard(cx, rx),
            Phase::Lingering | Phase::Done => Poll::Ready(()),
        };
        if ended.is_pending() {
            ready!(self.poll_due(cx, Some(due)));
        }
        if let Some(end) = &mut self.end {
            end.phase = Phase::Done;
        }
        self.alarm = None;
        Poll::Ready(())
    }

    /// Reads until the peer ends its direction, or has sent more than it is worth.
    fn poll_discard(&mut self, cx: &mut Context<'_>, rx: &mut RecvBuf) -> Poll<()> {
        for _ in 0..TURNS {
            let Some(end) = self.end.as_mut().filter(|end| end.left > 0) else {
                return Poll::Ready(());
            };
            match ready!(self.stream.poll_read(cx, rx.unfilled())) {
                Ok(n) if n > 0 => {
                    let n = u32::try_from(n).unwrap_or(u32::MAX);
                    end.left = end.left.saturating_sub(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return Poll::Ready(()),
            }
        }
        // Others have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
