//! Where an event lies: what crosses from the out-of-line steps of `frames` to the inlined end of
//! `receive`. Two words, because they travel in registers; see `receive` for what more would cost.

use core::{num::NonZeroUsize, ops::Range};

/// Where an event lies in the receive buffer, and what it is: two words, see `receive`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    /// `start << 4 | kind`: a buffer is never as large as a sixteenth of the address space.
    start_and_kind: NonZeroUsize,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Binary = 1,
    /// In the text of the buffer, checked already. The range says nothing.
    Text,
    /// In the storage of the buffer, not checked yet: checking makes the `&str`.
    UncheckedText,
    Ping,
    Pong,
    Close,
    /// In the inflated bytes of the buffer.
    Inflated,
    /// The failure is in the connection. The range says nothing.
    Failed,
}

impl Located {
    #[inline]
    pub(super) fn new(kind: Kind, range: Range<usize>) -> Self {
        let start_and_kind = NonZeroUsize::new(range.start << 4 | kind as usize);
        Self {
            start_and_kind: start_and_kind.expect("no kind is zero"),
            end: range.end,
        }
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        match self.start_and_kind.get() & 15 {
            1 => Kind::Binary,
            2 => Kind::Text,
            3 => Kind::UncheckedText,
            4 => Kind::Ping,
            5 => Kind::Pong,
            6 => Kind::Close,
            7 => Kind::Inflated,
            _ => Kind::Failed,
        }
    }

    #[inline]
    pub(super) fn range(self) -> Range<usize> {
        self.start_and_kind.get() >> 4..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_kinds_survive_being_packed() {
        let kinds = [
            Kind::Binary,
            Kind::Text,
            Kind::UncheckedText,
            Kind::Ping,
            Kind::Pong,
            Kind::Close,
            Kind::Inflated,
            Kind::Failed,
        ];
        for kind in kinds {
            for range in [
                0..0,
                0..7,
                12_345..70_000,
                (usize::MAX >> 5)..(usize::MAX >> 4),
            ] {
                let located = Located::new(kind, range.clone());
                assert_eq!((located.kind(), located.range()), (kind, range));
            }
        }
    }
}
