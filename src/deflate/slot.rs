//! The bound on how many connections of this process hold a compressor.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The right of one connection to compress with context takeover. Dropping it lets another have it.
#[derive(Debug)]
pub(crate) struct Slot(());

impl Slot {
    /// Takes a slot if fewer than `most` are taken. It is asked for when there is a connection: a request that
    /// nobody has accepted yet takes none. To compress without context where it was agreed on is allowed.
    pub(crate) fn try_take(most: usize) -> Option<Self> {
        let one_more = |taken| (taken < most).then_some(taken + 1);
        TAKEN.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Self(()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The only test that runs into the bound: the others ask for slots with no bound.
    #[test]
    fn slots_are_bounded_and_come_back() {
        assert!(Slot::try_take(0).is_none());
        let many = 1_000_000;
        let slots: Vec<_> = core::iter::from_fn(|| Slot::try_take(many)).collect();
        assert!(slots.len() > many - 1000);
        drop(slots);
        assert!(Slot::try_take(many).is_some());
    }
}
