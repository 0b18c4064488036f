//! A few states that wait for the next message of any connection on their thread.

use alloc::vec::Vec;
use core::cell::Cell;

/// The most states of one kind that a thread keeps. One serves any number of messages that are received
/// or sent whole; each message that is in progress for longer holds another.
const MOST: usize = 4;

/// States without history. One of them belongs in a `thread_local!`.
pub(super) struct Pool<T>(Cell<Vec<T>>);

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self(Cell::new(Vec::new()))
    }

    /// Takes the state that was used last, for its memory is in the processor's cache.
    pub(super) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut states = self.0.take();
        let found = states.iter().rposition(fits).map(|at| states.remove(at));
        self.0.set(states);
        found
    }

    /// Keeps `state`; if there are enough, in place of the one that was not used for longest.
    pub(super) fn put(&self, state: T) {
        let mut states = self.0.take();
        if states.len() == MOST {
            states.remove(0);
        }
        states.push(state);
        self.0.set(states);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_used_are_kept() {
        let pool = Pool::new();
        for state in 0..=5 {
            pool.put(state);
        }
        assert_eq!(pool.take(|_| true), Some(5));
        assert_eq!(pool.take(|state| state % 2 == 1), Some(3));
        assert_eq!(pool.take(|state| state % 2 == 1), None);
        assert_eq!(pool.take(|_| true), Some(4));
        assert_eq!(pool.take(|_| true), Some(2));
        assert_eq!(pool.take(|_| true), None);
    }
}
