//! Control frames (RFC 6455 section 5.5): pings and pongs in both directions, and what is kept of them.

use alloc::boxed::Box;

use super::{Connection, send::push_frame};
use crate::{SendBuf, SendError, rng::Rng};

/// How many bytes of control frames may wait before pongs replace each other.
const MAX_CONTROL: usize = 4096;
/// The longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL_PAYLOAD: usize = 125;

const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What concerns other frames than those that are a message or its end: made with the first of them, because
/// many connections have none.
#[derive(Debug, Default)]
pub(super) struct OtherFrames {
    pub(super) pings_received: u64,
    pub(super) pongs_received: u64,
    pub(super) pings_sent: u64,
    /// Close frames, and fragments that did not complete a message.
    pub(super) rest_received: u64,
    /// All control frames, and fragments that did not complete a message.
    pub(super) sent: u64,
    /// Bytes of control frames in the queue, as long as the transport has not taken `queue_end`.
    queued: usize,
    queue_end: i64,
    waiting_pong: Option<Box<WaitingPong>>,
}

/// The payload of the newest pong that found no room.
#[derive(Clone, Copy, Debug)]
struct WaitingPong {
    payload: [u8; MAX_CONTROL_PAYLOAD],
    len: usize,
}

impl OtherFrames {
    /// Of every kind.
    pub(super) fn received(&self) -> u64 {
        self.rest_received + self.pings_received + self.pongs_received
    }

    #[cold]
    fn make() -> Box<Self> {
        Box::default()
    }

    /// Queues a control frame.
    #[inline]
    fn push(&mut self, tx: &mut SendBuf, rng: &mut Option<Rng>, first: u8, payload: &[u8]) {
        self.queued = self.queued(tx) + control_header(rng) + payload.len();
        push_frame(tx, rng, first, payload);
        self.queue_end = tx.queued();
        self.sent += 1;
    }

    #[inline]
    fn has_room(&self, tx: &SendBuf, rng: &Option<Rng>, payload: usize) -> bool {
        self.queued(tx) + control_header(rng) + payload <= MAX_CONTROL
    }

    /// Bytes of control frames that wait. Told too high while data behind the first of them is
    /// written and the last of them is not: exact counting would cost every ping a queue entry.
    #[inline]
    fn queued(&self, tx: &SendBuf) -> usize {
        if tx.taken() >= self.queue_end {
            0
        } else {
            self.queued
        }
    }

    #[cold]
    fn let_pong_wait(&mut self, payload: &[u8]) {
        let pong = self.waiting_pong.get_or_insert_with(|| {
            Box::new(WaitingPong {
                payload: [0; MAX_CONTROL_PAYLOAD],
                len: 0,
            })
        });
        pong.payload[..payload.len()].copy_from_slice(payload);
        pong.len = payload.len();
    }
}

impl Connection {
    /// Queues a ping (RFC 6455 section 5.5.2). The pong is reported as
    /// [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed), [`BufferFull`](SendError::BufferFull), and
    /// [`ControlTooLong`](SendError::ControlTooLong) for more than 125 bytes.
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        self.push_ping(payload);
        Ok(())
    }

    /// Queues a pong (RFC 6455 section 5.5.3): unasked as a sign of life, or as the answer to a
    /// ping where [`Config::auto_pong`](crate::Config::auto_pong) is off.
    ///
    /// # Errors
    ///
    /// As [`send_ping`](Self::send_ping).
    pub fn send_pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        self.push_control(PONG, payload);
        Ok(())
    }

    fn check_control(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_open()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong {
                size: payload.len(),
            });
        }
        self.check_room()
    }

    pub(super) fn push_ping(&mut self, payload: &[u8]) {
        self.push_control(PING, payload);
        self.other_frames().pings_sent += 1;
    }

    #[inline]
    pub(super) fn push_control(&mut self, first: u8, payload: &[u8]) {
        let others = self.others.get_or_insert_with(OtherFrames::make);
        others.push(&mut self.tx, &mut self.rng, first, payload);
    }

    /// Answers a ping (RFC 6455 section 5.5.2). Pongs wait in order as long as they are few; from
    /// then on the newest replaces the one before it (section 5.5.3), so that a peer that pings but
    /// does not read can't make the queue grow.
    #[inline]
    pub(super) fn ping_received(&mut self, payload: &[u8]) {
        self.place_waiting_pong();
        let others = self.others.get_or_insert_with(OtherFrames::make);
        others.pings_received += 1;
        if !self.config.auto_pong || !self.closing.is_open() {
            return;
        }
        if others.waiting_pong.is_none() && others.has_room(&self.tx, &self.rng, payload.len()) {
            others.push(&mut self.tx, &mut self.rng, PONG, payload);
        } else {
            others.let_pong_wait(payload);
        }
    }

    pub(super) fn pings_received(&self) -> u64 {
        self.others
            .as_ref()
            .map_or(0, |others| others.pings_received)
    }

    pub(super) fn pings_sent(&self) -> u64 {
        self.others.as_ref().map_or(0, |others| others.pings_sent)
    }

    #[inline]
    pub(super) fn has_waiting_pong(&self) -> bool {
        self.others
            .as_ref()
            .is_some_and(|others| others.waiting_pong.is_some())
    }

    /// Queues the waiting pong if there is room for it by now.
    #[inline]
    pub(super) fn place_waiting_pong(&mut self) {
        if self.has_waiting_pong() {
            self.place_pong();
        }
    }

    #[cold]
    fn place_pong(&mut self) {
        if let Some(others) = &self.others
            && let Some(pong) = &others.waiting_pong
            && others.has_room(&self.tx, &self.rng, pong.len)
        {
            self.push_waiting_pong();
        }
    }

    /// Queues the waiting pong, for something is about to be queued behind it.
    #[inline]
    pub(super) fn push_waiting_pong(&mut self) {
        if self.has_waiting_pong() {
            self.push_pong();
        }
    }

    #[cold]
    fn push_pong(&mut self) {
        if let Some(pong) = self.take_waiting_pong() {
            self.push_control(PONG, &pong.payload[..pong.len]);
        }
    }

    /// Drops the waiting pong, for it is not owed any more.
    pub(super) fn drop_waiting_pong(&mut self) {
        self.take_waiting_pong();
    }

    fn take_waiting_pong(&mut self) -> Option<Box<WaitingPong>> {
        self.others.as_mut()?.waiting_pong.take()
    }

    /// To take note of another frame.
    #[inline]
    pub(super) fn other_frames(&mut self) -> &mut OtherFrames {
        self.others.get_or_insert_with(OtherFrames::make)
    }
}

/// Two bytes, and the masking key of a client.
#[inline]
fn control_header(rng: &Option<Rng>) -> usize {
    if rng.is_some() { 6 } else { 2 }
}
