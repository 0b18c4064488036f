//! A client's opening handshake, with a clock and a transport that ends.

use std::time::Duration;

use bytes::Buf as _;
use framewire::{
    RecvBuf, TimedOut,
    client::{Aborted, Config, Handshake, Outcome, Request},
};

use crate::{http::take, input::bit};

pub(crate) const SEED: [u8; 32] = [7; 32];
/// How long the handshake may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// When the clock is started.
const START: Duration = Duration::from_secs(100);

/// How a handshake ended without an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Aborted(Aborted),
    TimedOut(TimedOut),
}

/// A handshake, and what is known of it from outside.
pub(crate) struct Client<'a> {
    pub(crate) handshake: Handshake,
    pub(crate) rx: RecvBuf,
    /// What is left of the request.
    pub(crate) unwritten: Vec<u8>,
    /// What is left of the last piece.
    pub(crate) unread: &'a [u8],
    due: Option<Duration>,
    now: Duration,
    max_head_size: usize,
    arrived: usize,
    /// The most that arrived at once.
    largest: usize,
    by_appending: bool,
}

impl<'a> Client<'a> {
    /// Two bits of `flags` say how the bytes arrive, and whether there is no deadline. `written` bytes
    /// of the request are written at once.
    pub(crate) fn new(
        request: &Request,
        config: &Config,
        max_head_size: usize,
        flags: u8,
        written: usize,
    ) -> Self {
        let mut handshake = Handshake::with_seed(request, config, SEED);
        let tx = handshake.send_buf();
        let written = written.min(tx.remaining());
        tx.advance(written);
        let unwritten = {
            let mut again = Handshake::with_seed(request, config, SEED);
            take(again.send_buf()).split_off(written)
        };
        let due = handshake.handle_timeout(START).expect("it is early");
        assert_eq!(due, (!bit(flags, 6)).then_some(START + TIMEOUT));
        Self {
            handshake,
            rx: RecvBuf::new(),
            unwritten,
            unread: &[],
            due,
            now: START,
            max_head_size,
            arrived: 0,
            largest: 0,
            by_appending: bit(flags, 5),
        }
    }

    /// A piece arrives, and is received; if there is an outcome, perhaps not all of it.
    pub(crate) fn feed(&mut self, mut piece: &'a [u8]) -> Option<Outcome> {
        while !piece.is_empty() {
            let n = if self.by_appending {
                self.rx.extend_from_slice(piece);
                piece.len()
            } else {
                let room = self.rx.unfilled();
                let n = room.len().min(piece.len());
                room[..n].copy_from_slice(&piece[..n]);
                self.rx.filled(n);
                n
            };
            self.arrived += n;
            self.largest = self.largest.max(n);
            piece = &piece[n..];
            self.unread = piece;
            if let Some(outcome) = self.take_outcome() {
                return Some(outcome);
            }
            self.now += Duration::from_micros(1);
            assert_eq!(self.handshake.handle_timeout(self.now), Ok(self.due));
        }
        None
    }

    pub(crate) fn take_outcome(&mut self) -> Option<Outcome> {
        let outcome = self.handshake.receive(&mut self.rx);
        // Neither bodies nor heads that were skipped stay there.
        let held = self.arrived.min(self.max_head_size + self.largest);
        let capacity = self.rx.capacity();
        assert!(capacity <= 2 * held + 16 * 1024, "{capacity} for {held}");
        if outcome.is_none() {
            assert!(self.handshake.receive(&mut self.rx).is_none());
        }
        outcome
    }

    /// The transport or the time ends; or one of them, and then the other, which changes nothing.
    pub(crate) fn end(&mut self, how: u8) -> Option<End> {
        let is_time: &[bool] =
            [&[false][..], &[true], &[false, true], &[true, false]][usize::from(how & 3)];
        let mut end = None;
        for (n, &is_time) in is_time.iter().enumerate() {
            let error = match self.due.filter(|_| is_time) {
                // Without a deadline, only the transport can end.
                None => self.handshake.receive_eof().err().map(End::Aborted),
                Some(due) => {
                    let late = due + Duration::from_millis((how >> 2).into());
                    match self.handshake.handle_timeout(late) {
                        Ok(again) => {
                            // A refusal has to be taken now.
                            assert_eq!(again, end.is_none().then_some(late));
                            None
                        }
                        Err(error) => Some(End::TimedOut(error)),
                    }
                }
            };
            assert!(n == 0 || error.is_none(), "there is one end");
            end = end.or(error);
        }
        end
    }

    /// Whatever else happens, nothing comes of it.
    pub(crate) fn is_over(&mut self, rest: impl Iterator<Item = &'a [u8]>) {
        assert!(self.rx.is_empty(), "input is discarded at the end");
        for piece in [self.unread].into_iter().chain(rest) {
            self.rx.extend_from_slice(piece);
            assert!(self.handshake.receive(&mut self.rx).is_none());
            assert!(self.rx.is_empty());
        }
        assert!(self.handshake.send_buf().is_empty(), "nobody reads it");
        assert_eq!(self.handshake.handle_timeout(Duration::MAX), Ok(None));
        assert_eq!(self.handshake.receive_eof(), Ok(()));
        assert!(self.handshake.receive(&mut self.rx).is_none());
    }
}
