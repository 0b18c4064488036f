//! Compressing messages (RFC 7692 section 7.2.1), whole or in parts.

use alloc::vec::Vec;
use core::fmt;
use std::thread_local;

use zlib_rs::{Deflate as State, DeflateConfig, DeflateFlush};

use super::{
    Deflate, MIN_SEND_WINDOW_BITS, TAIL, advance, negotiate::Agreement, pool::Pool, slot::Slot,
};

/// How much a state collects before it writes a block, as zlib counts. 8, which is usual, takes
/// 98 KiB more and makes 64 KiB of JSON no smaller.
const MEM_LEVEL: i32 = 5;

/// The least room to write to: with less than 7 bytes a flush would be repeated.
const LEAST_ROOM: usize = 64;
const MOST_ROOM: usize = 32 * 1024;

thread_local! {
    static IDLE: Pool<Pooled> = const { Pool::new() };
}

/// A state that waits for the next message.
struct Pooled {
    settings: Settings,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    level: u8,
    window_bits: u8,
}

/// Compresses our messages to one peer, one after the other.
///
/// It is made without a state. It gets one with the first message, and keeps it no longer than to the
/// end of that message unless there is context takeover.
pub(crate) struct Compressor {
    settings: Settings,
    /// Held if there is context takeover.
    slot: Option<Slot>,
    state: Option<State>,
    /// Whether a part of the message in progress has been given: [`TAIL`] belongs behind it, if anything
    /// else follows.
    owes_tail: bool,
}

impl Compressor {
    /// Makes one, without a state. `None` if it is agreed that we can't compress. Without a slot there
    /// is no context takeover, which is up to us whatever was agreed.
    pub(crate) fn new(
        options: &Deflate,
        agreement: &Agreement,
        slot: Option<Slot>,
    ) -> Option<Self> {
        if agreement.send_window_bits < MIN_SEND_WINDOW_BITS {
            return None;
        }
        Some(Self {
            settings: Settings {
                level: options.level,
                window_bits: agreement.send_window_bits,
            },
            slot: slot.filter(|_| agreement.send_takeover),
            state: None,
            owes_tail: false,
        })
    }

    /// Appends to `out` what can be sent of the message after `input`, its next part: all of it can be
    /// decompressed from that.
    ///
    /// All that is appended for a message, until and with [`finish`](Self::finish), is its payload.
    pub(crate) fn part(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        if self.owes_tail {
            out.extend_from_slice(&TAIL);
        }
        let begin = out.len();
        self.deflate(input, out);
        if out.len() == begin {
            // There was nothing to flush, and zlib does not do it again.
            out.truncate(start);
            return;
        }
        debug_assert!(out.ends_with(&TAIL), "a flush ends with an empty block");
        out.truncate(out.len() - TAIL.len());
        self.owes_tail = true;
    }

    /// Whether messages are compressed with reference to those before.
    pub(crate) fn has_takeover(&self) -> bool {
        self.slot.is_some()
    }

    /// Ends a message with `input`, its last part or all of it, and appends to `out` what is left of
    /// its payload.
    pub(crate) fn finish(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.part(input, out);
        if !self.owes_tail {
            // An empty message: the header of an empty block (section 7.2.3.6).
            out.push(0x00);
        }
        self.end_message();
    }

    /// Makes the next message one that does not refer to those before: for a message that was
    /// compressed and then not sent, or sent without having been compressed here. Ends one in
    /// progress.
    pub(crate) fn forget(&mut self) {
        self.state = self.without_history();
        self.end_message();
    }

    fn end_message(&mut self) {
        // The receiver puts it there itself.
        self.owes_tail = false;
        if self.slot.is_none() {
            self.release();
        }
    }

    fn deflate(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        let settings = self.settings;
        let state = self.state.get_or_insert_with(|| take_idle(settings));
        loop {
            let start = out.len();
            let room = input.len().clamp(LEAST_ROOM, MOST_ROOM);
            out.resize(start + room, 0);
            let (_, output) = out.split_at_mut(start);
            let before = (state.total_in(), state.total_out());
            state
                .compress(input, output, DeflateFlush::SyncFlush)
                .expect("there is no wrong order of calls that don't finish the stream");
            let used = advance(before.0, state.total_in());
            let made = advance(before.1, state.total_out());
            out.truncate(start + made);
            input = input.split_at(used).1;
            if made < room && input.is_empty() {
                return;
            }
        }
    }

    /// Takes the state, if it can be used again.
    fn without_history(&mut self) -> Option<State> {
        let mut state = self.state.take()?;
        // It clears tables of 128 KiB.
        if state.total_in() != 0 {
            state.reset();
        }
        Some(state)
    }

    /// Gives the state to the pool.
    fn release(&mut self) {
        if let Some(state) = self.without_history() {
            let settings = self.settings;
            // There is no pool any more when the thread ends.
            let _ = IDLE.try_with(|idle| idle.put(Pooled { settings, state }));
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("settings", &self.settings)
            .field("slot", &self.slot)
            .field("has_state", &self.state.is_some())
            .finish_non_exhaustive()
    }
}

fn take_idle(settings: Settings) -> State {
    let idle = IDLE.try_with(|idle| idle.take(|idle| idle.settings == settings));
    match idle.ok().flatten() {
        Some(idle) => idle.state,
        None => State::new_with_config(DeflateConfig {
            level: settings.level.into(),
            // Negative: without the header of zlib.
            window_bits: -i32::from(settings.window_bits),
            mem_level: MEM_LEVEL,
            ..DeflateConfig::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::tests::{compress, compressor};

    // req: D-08
    #[test]
    fn empty_messages_are_one_octet() {
        for takeover in [false, true] {
            let mut compressor = compressor(1, 15, takeover);
            for _ in 0..3 {
                assert_eq!(compress(&mut compressor, b""), [0x00]);
            }
            compress(&mut compressor, b"Hello");
            for _ in 0..3 {
                assert_eq!(compress(&mut compressor, b""), [0x00]);
            }
            let mut out = Vec::new();
            compressor.part(b"", &mut out);
            compressor.part(b"", &mut out);
            compressor.finish(b"", &mut out);
            assert_eq!(out, [0x00]);
        }
    }

    // req: D-33
    #[test]
    fn states_are_held_no_longer_than_needed() {
        let idle = || IDLE.with(|idle| core::iter::from_fn(|| idle.take(|_| true)).count());
        assert_eq!(idle(), 0);
        let mut without = compressor(1, 15, false);
        compress(&mut without, b"Hello");
        assert!(without.state.is_none() && without.slot.is_none());
        let mut others: Vec<_> = (9..=15).map(|bits| compressor(1, bits, false)).collect();
        for other in &mut others {
            compress(other, b"Hello");
        }
        assert_eq!(idle(), 4);
        let mut with = compressor(1, 15, true);
        compress(&mut with, b"Hello");
        assert!(with.state.is_some() && with.slot.is_some());
        assert_eq!(idle(), 0);
        drop(with);
        assert_eq!(idle(), 1);
    }

    // req: N-24
    #[test]
    fn a_window_of_8_bits_is_not_tried() {
        let agreement = Agreement {
            send_window_bits: 8,
            send_takeover: true,
            receive_takeover: true,
        };
        assert!(Compressor::new(&Deflate::new(), &agreement, None).is_none());
    }
}
