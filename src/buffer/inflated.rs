//! The second storage of a receive buffer, for what messages that came compressed (RFC 7692) inflate to.

use alloc::{string::String, vec::Vec};

/// How much more there is room for when it grows from nothing, and the largest part of a message that is
/// inflated at a time. Small, because it comes on top of a message limit and of what inflates.
pub(crate) const PIECE: usize = 8 * 1024;

/// Bytes that were inflated: of a binary message all so far or, where it is handed out in parts, one part;
/// of a text a piece that has not been added to it yet.
#[derive(Default)]
pub(crate) struct Inflated {
    /// All of it is initialised.
    storage: Vec<u8>,
    len: usize,
}

impl Inflated {
    /// Room behind what is there, for at most `most` bytes, of which there is one at least. Doubles where
    /// it has to grow, but only up to `most`, so that memory keeps to a message limit (and, while it grows, to as
    /// much again where the allocator has to copy).
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        if self.storage.len() == self.len {
            let more = self.len.max(PIECE);
            // What would be left is not worth growing once more.
            let more = if most.saturating_sub(more) < PIECE {
                most
            } else {
                more
            };
            self.storage.reserve_exact(more);
            self.storage.resize(self.len + more, 0);
        }
        let end = self.storage.len().min(self.len.saturating_add(most));
        &mut self.storage[self.len..end]
    }

    /// Takes the first `n` bytes of [`Self::room`].
    pub(crate) fn filled(&mut self, n: usize) {
        self.len += n;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.storage[..self.len]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Gives back what is not used.
    #[cfg(feature = "nonblocking")]
    pub(crate) fn fit(&mut self) {
        self.storage.truncate(self.len);
        self.storage.shrink_to_fit();
    }

    pub(crate) fn capacity(&self) -> usize {
        self.storage.capacity()
    }
}

/// Appends to a text, as [`Inflated::room`] grows: no further than to `most` bytes in all, if that is
/// enough.
pub(crate) fn append(text: &mut String, part: &str, most: usize) {
    let needed = text.len() + part.len();
    if needed > text.capacity() {
        let wanted = (2 * text.len()).max(PIECE).min(most).max(needed);
        text.reserve_exact(wanted - text.len());
    }
    text.push_str(part);
}
