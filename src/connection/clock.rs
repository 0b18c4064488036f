//! Deadlines as data: a caller tells the time, and is told when to tell it again.
//!
//! Time is the span since any fixed origin the caller likes: `start.elapsed()`, a counter of
//! ticks, a variable of a test. Deadlines are armed and fired in the same call, so that there is
//! no half of it to forget.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Buf as _;

use super::Connection;
use crate::{Config, ProtocolError, TimedOut, config::Millis};

/// When something is due, in nanoseconds since the caller's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline(u64);

impl Deadline {
    pub(super) const NEVER: Self = Self(u64::MAX);

    fn after(now: Duration, timeout: Millis) -> Self {
        let due = timeout.get().and_then(|timeout| now.checked_add(timeout));
        due.map_or(Self::NEVER, |due| {
            Self(u64::try_from(due.as_nanos()).unwrap_or(u64::MAX))
        })
    }

    fn is_due(self, now: Duration) -> bool {
        self != Self::NEVER && u128::from(self.0) <= now.as_nanos()
    }

    fn get(self) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_nanos(self.0))
    }

    /// Arms it if it is not armed.
    fn arm(&mut self, now: Duration, timeout: Millis) {
        if *self == Self::NEVER {
            *self = Self::after(now, timeout);
        }
    }
}

/// The deadlines of a connection, and what was seen when they were armed.
#[derive(Debug)]
pub(super) struct Clock {
    write: Deadline,
    /// Bytes the transport had taken when `write` was armed.
    taken: i64,
    /// Boxed, because most configurations ask for nothing of it.
    watch: Option<Box<Watch>>,
}

/// What is watched of the peer while the connection is open, if the configuration asks for any of it.
#[derive(Debug)]
struct Watch {
    message_timeout: Millis,
    max_pings_per_second: u32,
    keepalive_interval: Millis,
    keepalive_timeout: Millis,
    message: Deadline,
    /// Messages that were complete when `message` was armed.
    messages: u64,
    /// The end of the second in which pings are counted, and how many there were before it.
    ping_second: Deadline,
    pings: u64,
    keepalive: Deadline,
    /// Bytes that were received when `keepalive` was armed.
    received: u64,
    /// How much of a frame was there then, and how much of its payload was missing.
    left: usize,
    missing: u64,
    /// Whether `keepalive` is the time the peer has to answer a ping, and how many bytes the
    /// transport has taken when that ping is among them.
    pinged: bool,
    ping_end: i64,
    ping: Ping,
    /// When the keepalive's latest ping was queued.
    ping_time: Duration,
    round_trip_time: Option<Duration>,
}

/// The keepalive's latest ping. Its payload is the number of pings sent before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    None,
    Sent(u64),
    /// The pong came after the last look at the clock.
    Answered,
}

impl Clock {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            write: Deadline::NEVER,
            taken: 0,
            watch: Watch::new(config).map(Box::new),
        }
    }

    pub(super) fn round_trip_time(&self) -> Option<Duration> {
        self.watch.as_ref()?.round_trip_time
    }

    /// Whether the peer may send only so many pings in a second.
    pub(super) fn limits_pings(&self) -> bool {
        self.watch
            .as_ref()
            .is_some_and(|watch| watch.max_pings_per_second != u32::MAX)
    }
}

impl Watch {
    fn new(config: &Config) -> Option<Self> {
        let asked_for = config.message_timeout != Millis::NEVER
            || config.max_pings_per_second != u32::MAX
            || config.keepalive_interval != Millis::NEVER;
        asked_for.then_some(Self {
            message_timeout: config.message_timeout,
            max_pings_per_second: config.max_pings_per_second,
            keepalive_interval: config.keepalive_interval,
            keepalive_timeout: config.keepalive_timeout,
            message: Deadline::NEVER,
            messages: 0,
            ping_second: Deadline::NEVER,
            pings: 0,
            keepalive: Deadline::NEVER,
            received: 0,
            left: 0,
            missing: 0,
            pinged: false,
            ping_end: 0,
            ping: Ping::None,
            ping_time: Duration::ZERO,
            round_trip_time: None,
        })
    }

    /// The next of its deadlines, if so many pings have been received.
    fn due(&self, pings_received: u64) -> Deadline {
        let counted = pings_received != self.pings;
        let ping_second = if counted {
            self.ping_second
        } else {
            Deadline::NEVER
        };
        self.message.min(self.keepalive).min(ping_second)
    }
}

impl Connection {
    /// Fires what is due at `now`, arms what is not, and returns the next deadline on the same
    /// scale: call it again by then at the latest. `None`: nothing is waited for.
    ///
    /// Cheap and always allowed. To be told about progress, call it after everything that was
    /// received has been taken by [`receive`](Self::receive); it may queue a ping or a Close frame,
    /// so write [`send_buf`](Self::send_buf) afterwards. A time before an earlier one is harmless:
    /// nothing is due.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when there is nothing left but to drop the transport; what was queued is gone.
    /// The connection is closed with 1006, unless the closing handshake was done.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use framewire::{CloseCode, Config, Connection, TimedOut};
    ///
    /// let mut conn = Connection::server(Config::new());
    /// conn.close(CloseCode::NORMAL, "")?;
    /// let due = conn.handle_timeout(Duration::ZERO)?.expect("the peer has to answer");
    /// assert_eq!(due, Duration::from_secs(10));
    /// assert_eq!(conn.handle_timeout(due), Err(TimedOut::Close));
    /// assert!(conn.is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Duration) -> Result<Option<Duration>, TimedOut> {
        if self.is_closed() {
            return Ok(None);
        }
        let timed_out = if self.closing.is_open() {
            self.watch_message(now);
            self.watch_pings(now);
            self.watch_silence(now)
        } else {
            Ok(())
        };
        timed_out.inspect_err(|_| self.give_up())?;
        let output = self.handle_write_timeout(now)?;
        if self.is_closed() {
            return Ok(None);
        }
        let open = match &self.clock.watch {
            Some(watch) if self.closing.is_open() => watch.due(self.pings_received()),
            Some(_) | None => Deadline::NEVER,
        };
        Ok(open.get().into_iter().chain(output).min())
    }

    /// As [`handle_timeout`](Self::handle_timeout), for a caller that does not receive and so can't
    /// tell how the peer's side is: looks only at the deadlines of closing and of queued bytes.
    pub(crate) fn handle_write_timeout(
        &mut self,
        now: Duration,
    ) -> Result<Option<Duration>, TimedOut> {
        if self.is_closed() {
            return Ok(None);
        }
        self.watch_closing(now)
            .and_then(|()| self.watch_writing(now))
            .inspect_err(|_| self.give_up())?;
        if self.is_closed() {
            return Ok(None);
        }
        Ok(self.closing.deadline().min(self.clock.write).get())
    }

    /// Whether neither of the two would have anything to do, whatever the time is: most connections most of the
    /// time, which need no clock then.
    #[cfg(feature = "nonblocking")]
    pub(crate) fn has_no_deadline(&self) -> bool {
        self.closing.is_open() && self.clock.watch.is_none() && self.tx.is_empty()
    }

    /// Queued bytes must move.
    fn watch_writing(&mut self, now: Duration) -> Result<(), TimedOut> {
        let (timeout, clock) = (self.config.write_timeout, &mut self.clock);
        if !self.tx.has_remaining() || clock.taken != self.tx.taken() {
            clock.write = Deadline::NEVER;
            clock.taken = self.tx.taken();
        }
        if self.tx.has_remaining() {
            clock.write.arm(now, timeout);
        }
        if clock.write.is_due(now) {
            Err(TimedOut::Write)
        } else {
            Ok(())
        }
    }

    /// Closing must come to an end: the handshake, the flush of a failure's Close frame, and the
    /// end of the transport that a client waits for (RFC 6455 section 7.1.1).
    fn watch_closing(&mut self, now: Duration) -> Result<(), TimedOut> {
        let Some(deadline) = self.closing.deadline_mut() else {
            return Ok(());
        };
        deadline.arm(now, self.config.close_timeout);
        if !deadline.is_due(now) {
            return Ok(());
        }
        if self.closing.handshake_done() && !self.tx.has_remaining() {
            // A client that waits for the server to end the transport waits no longer.
            self.give_up();
            return Ok(());
        }
        Err(TimedOut::Close)
    }

    /// A message must not take for ever.
    fn watch_message(&mut self, now: Duration) {
        let Some(watch) = &mut self.clock.watch else {
            return;
        };
        if self.message.kind.is_none() || watch.messages != self.stats.messages_received {
            watch.message = Deadline::NEVER;
            watch.messages = self.stats.messages_received;
        }
        if self.message.kind.is_some() {
            watch.message.arm(now, watch.message_timeout);
            if watch.message.is_due(now) {
                self.fail_for(ProtocolError::MessageTooSlow);
                self.report_failure();
            }
        }
    }

    /// Counts pings by the second.
    fn watch_pings(&mut self, now: Duration) {
        let pings_received = self.pings_received();
        let Some(watch) = &mut self.clock.watch else {
            return;
        };
        if watch.max_pings_per_second == u32::MAX {
            return;
        }
        if watch.ping_second.is_due(now) {
            watch.ping_second = Deadline::NEVER;
            watch.pings = pings_received;
        }
        watch
            .ping_second
            .arm(now, Millis::from_duration(Duration::from_secs(1)));
    }

    /// A silent peer is asked for a sign of life, once.
    fn watch_silence(&mut self, now: Duration) -> Result<(), TimedOut> {
        if !self.closing.is_open() {
            return Ok(());
        }
        let Some(watch) = &mut self.clock.watch else {
            return Ok(());
        };
        if watch.ping == Ping::Answered {
            watch.round_trip_time = Some(now.saturating_sub(watch.ping_time));
            watch.ping = Ping::None;
        }
        let bytes = (
            self.stats.bytes_received,
            self.left,
            self.message.frame_left,
        );
        let seen = (watch.received, watch.left, watch.missing);
        if bytes != seen || watch.keepalive == Deadline::NEVER {
            (watch.received, watch.left, watch.missing) = bytes;
            watch.pinged = false;
            watch.keepalive = Deadline::after(now, watch.keepalive_interval);
            return Ok(());
        }
        if watch.pinged && self.tx.taken() < watch.ping_end {
            // The peer can't answer what waits behind other bytes: time runs when it is written.
            watch.keepalive = Deadline::after(now, watch.keepalive_timeout);
            return Ok(());
        }
        if !watch.keepalive.is_due(now) {
            return Ok(());
        }
        if watch.pinged {
            return Err(TimedOut::Keepalive);
        }
        self.ask_for_sign_of_life(now);
        Ok(())
    }

    fn ask_for_sign_of_life(&mut self, now: Duration) {
        let number = self.pings_sent();
        self.push_waiting_pong();
        self.push_ping(&number.to_be_bytes());
        if let Some(watch) = &mut self.clock.watch {
            watch.pinged = true;
            watch.ping_end = self.tx.queued();
            watch.ping = Ping::Sent(number);
            watch.ping_time = now;
            watch.keepalive = Deadline::after(now, watch.keepalive_timeout);
        }
    }

    /// Whether the peer may send one more ping in this second.
    pub(super) fn check_ping_rate(&self) -> Result<(), ProtocolError> {
        let Some(watch) = &self.clock.watch else {
            return Ok(());
        };
        let limit = watch.max_pings_per_second;
        let in_this_second = self.pings_received() - watch.pings;
        if limit != u32::MAX && in_this_second >= u64::from(limit) {
            return Err(ProtocolError::TooManyPings { limit });
        }
        Ok(())
    }

    /// Recognises the answer to the keepalive's ping.
    #[inline]
    pub(super) fn pong_received(&mut self, payload: &[u8]) {
        self.other_frames().pongs_received += 1;
        if let Some(watch) = &mut self.clock.watch
            && let Ping::Sent(number) = watch.ping
            && payload == number.to_be_bytes()
        {
            watch.ping = Ping::Answered;
        }
    }
}
