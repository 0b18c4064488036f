//! Storage that goes from one connection to the next, or waits with one: what a pool does with a buffer.

use alloc::vec;
use core::mem;

use super::{CACHE_LINE, RecvBuf, USUAL_READ};

/// The usual room for a read of a buffer that all connections of a thread share: there it costs nothing to have
/// more, and a peer that sends much costs fewer system calls.
const SHARED_READ: usize = 64 * 1024;
/// What a text or a decompressed message may keep however little is in it.
const LARGEST_PART: usize = 64 * 1024;

impl RecvBuf {
    /// Makes an empty buffer for a pool.
    pub(crate) fn shared() -> Self {
        Self {
            storage: vec![0; SHARED_READ + CACHE_LINE],
            ..Self::new()
        }
    }

    /// Becomes the empty buffer that its next owner had before.
    pub(crate) fn set_id(&mut self, id: usize) {
        debug_assert!(self.is_empty(), "it holds something of another connection");
        self.id = id;
    }

    /// Whether it is worth being shared: others have got theirs elsewhere, or waited with little.
    pub(crate) fn is_ample(&self) -> bool {
        self.storage.len() >= SHARED_READ
    }

    /// Whether its storage is far more than what is held needs. So it should not wait for the rest of a frame,
    /// which may never come.
    pub(crate) fn is_loose(&self) -> bool {
        let capacity = self.storage.len();
        !self.announced && capacity >= USUAL_READ && is_loose(capacity, self.held())
    }

    /// Whether it has less storage than a read takes.
    pub(crate) fn is_tight(&self) -> bool {
        !self.announced && self.storage.len() < USUAL_READ
    }

    /// Exchanges storage with `other`, which is empty, and takes along what is held.
    pub(crate) fn exchange(&mut self, other: &mut Self) {
        debug_assert!(other.is_empty(), "it holds something of another connection");
        self.close_gap();
        let held = self.storage.get(self.message..self.end);
        let held = held.unwrap_or_default();
        match other.storage.get_mut(..held.len()) {
            Some(room) => room.copy_from_slice(held),
            None => other.storage = held.to_vec(),
        }
        let (held, joined) = (held.len(), self.joined - self.message);
        mem::swap(&mut self.storage, &mut other.storage);
        (self.message, self.joined, self.start, self.end) = (0, joined, joined, held);
        (other.message, other.joined, other.start, other.end) = (0, 0, 0, 0);
        (self.room, other.room) = (0, 0);
    }

    /// Gives back what somebody else's large messages have made grow, where little is in it.
    pub(crate) fn fit_parts(&mut self) {
        let (capacity, len) = (self.text.capacity(), self.text.len());
        if capacity > LARGEST_PART && is_loose(capacity, len) {
            self.text.shrink_to_fit();
        }
        let (capacity, len) = (self.inflated.capacity(), self.inflated.len());
        if capacity > LARGEST_PART && is_loose(capacity, len) {
            self.inflated.fit();
        }
    }
}

fn is_loose(capacity: usize, len: usize) -> bool {
    capacity / 8 > len
}
