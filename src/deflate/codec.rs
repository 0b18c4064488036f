//! The extension in use on one connection: both directions, and the place where payloads wait.

use alloc::vec::Vec;
use core::{cell::Cell, ops::Deref};
use std::thread_local;

use super::{
    Deflate,
    compress::Compressor,
    decompress::{Decompressor, InvalidData, Progress, Rest},
    negotiate::Agreement,
    slot::Slot,
};

/// As much is kept of what payloads were compressed into.
const MOST_KEPT: usize = 64 * 1024;

/// By less than this a message may be longer compressed, if those after it can refer to it.
const MOST_LONGER: usize = 8;

thread_local! {
    static IDLE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Decompresses the messages of the peer and compresses ours.
#[derive(Debug)]
pub(crate) struct Codec {
    decompressor: Decompressor,
    /// `None` if it is agreed that we can't compress.
    compressor: Option<Compressor>,
    threshold: u32,
    send_window_bits: u8,
    is_on: bool,
}

impl Codec {
    pub(crate) fn new(options: &Deflate, agreement: &Agreement) -> Self {
        let slot = agreement
            .send_takeover
            .then(|| Slot::try_take(options.max_takeovers as usize));
        Self {
            decompressor: Decompressor::new(agreement.receive_takeover),
            compressor: Compressor::new(options, agreement, slot.flatten()),
            threshold: options.threshold,
            send_window_bits: agreement.send_window_bits,
            is_on: true,
        }
    }

    /// Whether messages are to be compressed that are worth it.
    pub(crate) fn switch(&mut self, on: bool) {
        self.is_on = on;
    }

    /// Gives back what sending needs: nothing more is sent.
    pub(crate) fn end_sending(&mut self) {
        self.compressor = None;
    }

    /// Gives back what receiving needs: nothing more is received.
    pub(crate) fn end_receiving(&mut self) {
        self.decompressor = Decompressor::new(false);
    }

    /// See [`Decompressor::push`].
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Progress, InvalidData> {
        self.decompressor.push(input, output)
    }

    /// See [`Decompressor::has_failed`].
    pub(crate) fn has_failed(&self) -> bool {
        self.decompressor.has_failed()
    }

    /// See [`Decompressor::finish`].
    pub(crate) fn finish(&mut self, output: &mut [u8]) -> Result<Rest, InvalidData> {
        self.decompressor.finish(output)
    }

    /// Compresses a whole message. `None` if it is to be sent as it is, because it is small or becomes
    /// no smaller.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Option<Payload> {
        let compressor = self.compressor.as_mut().filter(|_| self.is_on)?;
        if payload.len() < self.threshold as usize {
            return None;
        }
        let mut compressed = Payload::new();
        compressor.finish(payload, &mut compressed.0);
        // With context takeover later messages refer to it, as they can't if it is forgotten.
        let longer = if compressor.has_takeover() {
            MOST_LONGER
        } else {
            0
        };
        if compressed.len() < payload.len() + longer {
            return Some(compressed);
        }
        // The peer does not get to see it, and must not need it for what follows.
        compressor.forget();
        None
    }

    /// Whether a message that is sent in parts is compressed.
    pub(crate) fn compresses_parts(&self) -> bool {
        self.is_on && self.compressor.is_some()
    }

    /// Compresses a part of a message, `last` or not, so that the peer can decompress all of it at once.
    pub(crate) fn part(&mut self, part: &[u8], last: bool) -> Payload {
        let mut compressed = Payload::new();
        let compressor = self.compressor.as_mut();
        let compressor = compressor.expect("it was there when the message began");
        if last {
            compressor.finish(part, &mut compressed.0);
        } else {
            compressor.part(part, &mut compressed.0);
        }
        compressed
    }

    /// Whether a message may be sent that was compressed elsewhere with this window. It is going to be, if
    /// so: what we compress after it must not refer to what came before it.
    pub(crate) fn allows_prepared(&mut self, window_bits: u8) -> bool {
        let is_small_enough = self.is_on && window_bits <= self.send_window_bits;
        let Some(compressor) = self.compressor.as_mut().filter(|_| is_small_enough) else {
            return false;
        };
        compressor.forget();
        true
    }
}

/// Compresses a message by itself, for many connections.
pub(crate) fn prepare(options: &Deflate, payload: &[u8]) -> Option<Payload> {
    let agreement = Agreement {
        send_window_bits: options.send_window_bits,
        send_takeover: false,
        receive_takeover: false,
    };
    Codec::new(options, &agreement).message(payload)
}

/// A compressed payload, in memory that the thread uses again.
#[derive(Debug)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    fn new() -> Self {
        Self(IDLE.try_with(Cell::take).unwrap_or_default())
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let mut memory = core::mem::take(&mut self.0);
        memory.clear();
        memory.shrink_to(MOST_KEPT);
        // There is nothing to keep it in any more when the thread ends.
        let _ = IDLE.try_with(|idle| idle.set(memory));
    }
}
