//! A connection and its transport: *receive, clock, send, wait*, in polls.
//!
//! Everything but the buffer that events borrow from, which is passed, so that one WebSocket and the two
//! halves of a [split](super::WebSocket::split) one do the same: there the halves lock the link for a
//! poll, never longer.

use core::{
    mem,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use std::io;

use ::bytes::Buf as _;

use super::{
    Runtime, Transport,
    io::{Io, Loss},
    pool::{self, Lease},
    trace::Trace,
};
use crate::{
    Connection, Error, Message, RecvBuf, Sendable, TimedOut,
    adapter::{Clock, GATHER, Lost, WantsRead, due, ended_by, has_gathered, is_gone},
};

/// After as many events, reads and messages sent without a wait the task gives way to others.
pub(super) const TURNS: u8 = 128;
/// No deadline.
const NEVER: u64 = u64::MAX;

pub(super) struct Link<S, R: Runtime> {
    pub(super) connection: Connection,
    pub(super) io: Io<S, R>,
    /// As long as the connection has not ended.
    trace: Option<Trace>,
    /// Whether the transport has delivered all it ever will.
    has_ended: bool,
    /// Whether the receiver knows why the connection has ended.
    told: bool,
    turns: u8,
    /// The next deadline, when the clock was asked last, in nanoseconds: one word, because every connection has
    /// it.
    next: u64,
    /// How often has been read since that deadline passed.
    late_reads: u8,
}

/// Who is woken: the one that reads when there is something to read, and for everything else everybody who
/// may wait for it.
pub(super) struct Wakers<'a> {
    pub(super) reading: &'a Waker,
    pub(super) writing: &'a Waker,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is lent together with the connection, which has to have room for an answer: while there is none,
    /// the peer is not read from.
    Answer,
    /// It is taken. Who then sends waits for room; who receives goes on, or two ends that are both full
    /// would wait for each other.
    Take,
}

impl<'a> Wakers<'a> {
    /// There is only one task.
    pub(super) fn one(waker: &'a Waker) -> Self {
        Self {
            reading: waker,
            writing: waker,
        }
    }
}

impl<S: Transport<R>, R: Runtime> Link<S, R> {
    pub(super) fn new(io: Io<S, R>, connection: Connection) -> Self {
        Self {
            trace: Some(Trace::opened(&connection)),
            connection,
            io,
            has_ended: false,
            told: false,
            turns: TURNS,
            next: NEVER,
            late_reads: 0,
        }
    }

    /// Whether there is an event, and nothing that should be done before it is taken: the shortest path.
    #[inline]
    pub(super) fn has_event(
        &mut self,
        rx: &mut Lease,
        wants_read: impl FnOnce(&mut Connection, &mut RecvBuf) -> bool,
    ) -> bool {
        let Some(rx) = rx.held() else {
            return false;
        };
        if self.turns == 0 || has_gathered(&mut self.connection) {
            return false;
        }
        let found = !wants_read(&mut self.connection, rx);
        self.turns -= u8::from(found);
        found
    }

    /// Waits until there is an event or never will be, which taking it tells.
    pub(super) fn poll_event(
        &mut self,
        rx: &mut Lease,
        wakers: &Wakers<'_>,
        wants_read: WantsRead,
        purpose: Purpose,
    ) -> Poll<Result<(), Error>> {
        let buffer = rx.for_reading(&mut self.connection);
        let polled = self.poll_turns(buffer, wakers, wants_read, purpose);
        match &polled {
            Poll::Pending => {
                self.turns = TURNS;
                rx.give_back(&mut self.connection);
            }
            Poll::Ready(Err(error)) => {
                self.trace_failure(error);
                rx.give_back(&mut self.connection);
            }
            Poll::Ready(Ok(())) => self.turns = self.turns.saturating_sub(1),
        }
        polled
    }

    fn poll_turns(
        &mut self,
        rx: &mut RecvBuf,
        wakers: &Wakers<'_>,
        wants_read: WantsRead,
        purpose: Purpose,
    ) -> Poll<Result<(), Error>> {
        let reading = &mut Context::from_waker(wakers.reading);
        let writing = &mut Context::from_waker(wakers.writing);
        loop {
            if self.turns == 0 {
                wakers.reading.wake_by_ref();
                return Poll::Pending;
            }
            if has_gathered(&mut self.connection) {
                let _ = self.poll_replies(writing)?;
            }
            // A peer that does not read is not read from, or what it is to be told would grow.
            let is_full =
                purpose == Purpose::Answer && !self.connection.has_room() && self.has_to_write();
            if !is_full && !wants_read(&mut self.connection, rx) {
                return Poll::Ready(Ok(()));
            }
            // What the peer has done while nobody looked counts, also if a deadline has passed meanwhile;
            // what it goes on to do does not.
            if self.is_late() && self.late_reads < TURNS && !self.connection.is_closed() {
                self.late_reads += 1;
                let _ = self.poll_replies(writing)?;
                if !is_full && self.poll_read(reading, writing, rx)?.is_ready() {
                    continue;
                }
            }
            // Whether the peer is silent can be told only if all it has sent has been looked at.
            let clock = if is_full {
                Connection::handle_write_timeout
            } else {
                Connection::handle_timeout
            };
            if !is_full {
                // All deadlines are looked at.
                (self.next, self.late_reads) = (NEVER, 0);
            }
            let mut due = self.due(writing, clock).inspect_err(|_| self.told = true)?;
            // A message that takes too long is an event of the clock.
            if !is_full && !wants_read(&mut self.connection, rx) {
                return Poll::Ready(Ok(()));
            }
            if self.has_to_write() && self.poll_replies(writing)?.is_ready() {
                if is_full || self.has_to_write() {
                    continue;
                }
                // What has been written has no deadline any more.
                due = self.due(writing, clock).inspect_err(|_| self.told = true)?;
                if self.has_to_write() {
                    continue;
                }
            }
            if self.connection.is_closed() && !self.has_to_write() {
                let clean = self.connection.closed().is_some_and(|closed| closed.clean);
                ready!(self.io.poll_end(writing, rx, clean));
                rx.clear();
                if let Some(trace) = self.trace.take() {
                    trace.closed(&self.connection);
                }
                return Poll::Ready(self.tell_end());
            }
            if !is_full && self.poll_read(reading, writing, rx)?.is_ready() {
                continue;
            }
            ready!(self.poll_due(writing, due));
        }
    }

    /// Reads once, unless there is nothing more to come, and takes note of the end of the transport.
    fn poll_read(
        &mut self,
        reading: &mut Context<'_>,
        writing: &mut Context<'_>,
        rx: &mut RecvBuf,
    ) -> Poll<Result<(), Error>> {
        if self.has_ended {
            return Poll::Pending;
        }
        let read = ready!(self.io.poll_read(reading, rx));
        self.turns = self.turns.saturating_sub(1);
        let error = match read {
            Ok(0) => None,
            Ok(_) => return Poll::Ready(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Poll::Ready(Ok(()));
            }
            // Behind the closing handshake nobody is interested in how the transport ends.
            Err(error) if is_gone(&error) || self.connection.closed().is_some() => Some(error),
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        self.has_ended = true;
        let of_write = self.io.loss().and_then(|loss| loss.error.take());
        let error = of_write.or(error).map(Error::Io);
        let ended = ended_by(&mut self.connection, error);
        // A peer that has only ended its own direction still gets what is being written.
        if ended.is_err() && !self.has_to_write() {
            self.io.end_writing(writing);
        }
        Poll::Ready(ended)
    }

    /// Writes what is queued. If the peer is gone, nothing is queued any more, but there may still be
    /// something to read of it.
    fn poll_replies(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match ready!(self.io.poll_write(cx, self.connection.send_buf())) {
            Err(error) if is_gone(&error) => {
                self.lose(cx.waker(), &error).error.get_or_insert(error);
                Poll::Ready(Ok(()))
            }
            written => Poll::Ready(written.map_err(Error::Io)),
        }
    }

    /// Whether it is the turn of other tasks. If so, this one is woken at once.
    pub(super) fn gives_way(&mut self, waker: &Waker) -> bool {
        if self.turns > 0 {
            self.turns -= 1;
            return false;
        }
        self.turns = TURNS;
        waker.wake_by_ref();
        true
    }

    /// Writes until nothing is queued any more.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush_to(cx, i64::MAX)
    }

    /// How much has been queued so far: where a flush can stop, though others go on.
    pub(super) fn queued(&mut self) -> i64 {
        self.connection.send_buf().queued()
    }

    /// Writes until nothing is queued any more, or what was queued as far as `target` has been passed on.
    pub(super) fn poll_flush_to(
        &mut self,
        cx: &mut Context<'_>,
        target: i64,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_until(cx, |link, cx| {
            if !link.has_to_write() {
                return true;
            }
            let is_taken = link.connection.send_buf().taken() >= target;
            is_taken && matches!(link.io.stream.poll_flush(cx), Poll::Ready(Ok(())))
        }))?;
        if self.has_to_write() {
            // Those who wait for the rest have to ask for it: the transport was asked for something else since.
            cx.waker().wake_by_ref();
        }
        if self.connection.is_closed() {
            // The peer may be waiting for that.
            self.io.end_writing(cx);
        }
        pool::give_back(&mut self.connection);
        Poll::Ready(Ok(()))
    }

    /// Writes until there is room for a message, or nothing that would make room.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !has_gathered(&mut self.connection) {
            pool::lend(&mut self.connection);
            return Poll::Ready(Ok(()));
        }
        self.poll_until(cx, |link, _| {
            link.connection.has_room() || !link.has_to_write()
        })
    }

    /// Queues a message, for which there must be room, and writes what has gathered, as far as that is
    /// possible at once.
    pub(super) fn queue(
        &mut self,
        cx: &mut Context<'_>,
        message: impl Sendable,
    ) -> Result<(), Error> {
        message.queue(&mut self.connection)?;
        if self.connection.send_buf().remaining() >= GATHER
            && let Poll::Ready(Err(error)) = self.io.poll_write(cx, self.connection.send_buf())
        {
            return Err(self.fail(cx, error));
        }
        Ok(())
    }

    /// Send and clock, until that is `enough`.
    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        enough: impl Fn(&mut Self, &mut Context<'_>) -> bool,
    ) -> Poll<Result<(), Error>> {
        let polled = self.poll_writing(cx, enough);
        if let Poll::Ready(Err(error)) = &polled {
            self.trace_failure(error);
        }
        polled
    }

    fn poll_writing(
        &mut self,
        cx: &mut Context<'_>,
        enough: impl Fn(&mut Self, &mut Context<'_>) -> bool,
    ) -> Poll<Result<(), Error>> {
        loop {
            if let Some(loss) = self.io.loss()
                && self.connection.send_buf().is_empty()
            {
                return Poll::Ready(Err(loss.lost.error()));
            }
            let written = self.io.poll_write(cx, self.connection.send_buf());
            if let Poll::Ready(Err(error)) = written {
                return Poll::Ready(Err(self.fail(cx, error)));
            }
            if enough(self, cx) {
                return Poll::Ready(Ok(()));
            }
            let due = self.due(cx, Connection::handle_write_timeout)?;
            if written.is_pending() {
                ready!(self.poll_due(cx, due));
            }
        }
    }

    /// A write has failed.
    fn fail(&mut self, cx: &Context<'_>, error: io::Error) -> Error {
        if is_gone(&error) {
            self.lose(cx.waker(), &error);
        }
        error.into()
    }

    /// The peer takes no more bytes.
    fn lose(&mut self, waker: &Waker, error: &io::Error) -> &mut Loss {
        self.connection.handle_write_error();
        // Others may wait for what will not be written.
        waker.wake_by_ref();
        self.io.set_loss(Lost::of(error))
    }

    /// What is due now, and when to look again.
    fn due(&mut self, cx: &mut Context<'_>, clock: Clock) -> Result<Option<Duration>, TimedOut> {
        if self.connection.has_no_deadline() && !self.io.flushing.is_needed() {
            // No look at the clock: most connections, whenever nothing is left to be written.
            self.next = NEVER;
            return Ok(None);
        }
        let now = self.io.now();
        let due = due(&mut self.connection, &mut self.io.flushing, clock, now);
        // A time-out of zero has passed anyway.
        if let Ok(Some(due)) = due
            && due > now
        {
            self.next = self
                .next
                .min(u64::try_from(due.as_nanos()).unwrap_or(NEVER));
        }
        due.inspect_err(|timed_out| {
            let lost = Lost::TimedOut(*timed_out);
            // Whatever was before, it is over now.
            self.io.set_loss(lost).lost = lost;
            self.io.end_writing(cx);
            cx.waker().wake_by_ref();
        })
    }

    /// Whether a deadline has passed since the clock was asked.
    fn is_late(&self) -> bool {
        self.next != NEVER && Duration::from_nanos(self.next) <= self.io.now()
    }

    /// Waits for a deadline. There is one timer for all who wait: when it has fired, each of them has to set it
    /// anew.
    fn poll_due(&mut self, cx: &mut Context<'_>, due: Option<Duration>) -> Poll<()> {
        ready!(self.io.poll_due(cx, due));
        cx.waker().wake_by_ref();
        Poll::Ready(())
    }

    /// Whether there is something to write, be it in the transport.
    pub(super) fn has_to_write(&mut self) -> bool {
        !self.connection.send_buf().is_empty() || self.io.flushing.is_needed()
    }

    /// Whether a write has been begun that has not come to its end: it has a deadline.
    pub(super) fn is_writing(&mut self) -> bool {
        self.io.flushing.is_needed() || self.connection.send_buf().remaining() >= GATHER
    }

    /// Somebody else may have found that a deadline has passed.
    fn tell_end(&mut self) -> Result<(), Error> {
        match self.io.loss().map(|loss| loss.lost) {
            Some(Lost::TimedOut(timed_out)) if !mem::replace(&mut self.told, true) => {
                Err(timed_out.into())
            }
            _ => Ok(()),
        }
    }

    fn trace_failure(&self, error: &Error) {
        if let Some(trace) = &self.trace {
            trace.failed(error);
        }
    }

    /// The receiver knows why the connection has ended.
    pub(super) fn set_told(&mut self) {
        self.told = true;
    }

    /// What there is to tell when there are no more messages.
    pub(super) fn end(&mut self) -> Result<Option<Message>, Error> {
        let failure = self.connection.failure();
        let untold = failure.filter(|_| !mem::replace(&mut self.told, true));
        untold.map_or(Ok(None), |error| Err(error.into()))
    }
}

#[cfg(all(test, feature = "tokio", target_pointer_width = "64"))]
mod tests {
    use ::tokio::net::TcpStream;

    use super::*;
    use crate::tokio::Tokio;

    #[test]
    fn link_stays_small() {
        // It is nearly all that an idle connection takes besides what tokio does. A span is extra.
        let most = if cfg!(feature = "tracing") { 400 } else { 352 };
        assert!(size_of::<Link<TcpStream, Tokio>>() <= most);
    }
}
