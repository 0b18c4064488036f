//! What a transport may have gathered of the bytes it was given.

use core::time::Duration;

use crate::TimedOut;

/// Whether a transport may have gathered something, and since when it does not pass it on: nanoseconds on the
/// clock of the connection, or one of the two values that no clock reaches. One word, because every
/// connection has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flushing(u64);

impl Flushing {
    const DONE: Self = Self(u64::MAX);
    const NEEDED: Self = Self(u64::MAX - 1);

    /// Whether there may be something to flush.
    pub(crate) fn is_needed(&self) -> bool {
        *self != Self::DONE
    }

    /// The transport may have gathered something, at least as much as before.
    pub(crate) fn set_needed(&mut self) {
        if !self.is_needed() {
            *self = Self::NEEDED;
        }
    }

    /// The transport has taken something.
    pub(crate) fn written(&mut self) {
        *self = Self::NEEDED;
    }

    /// The transport did not pass on all of it.
    pub(crate) fn stalled(&mut self, now: Duration) {
        if *self == Self::NEEDED {
            let since = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
            *self = Self(since.min(Self::NEEDED.0 - 1));
        }
    }

    /// It has been passed on, or is given up.
    pub(crate) fn done(&mut self) {
        *self = Self::DONE;
    }

    /// When the transport must have passed on what it has gathered, if that may take as long. It has
    /// been asked to in vain for too long if that is an error: what it has gathered is given up then.
    pub(super) fn due(
        &mut self,
        now: Duration,
        timeout: Option<Duration>,
    ) -> Result<Option<Duration>, TimedOut> {
        let (Some(timeout), true) = (timeout, self.is_needed()) else {
            return Ok(None);
        };
        if *self == Self::NEEDED {
            return Ok(now.checked_add(timeout));
        }
        let due = Duration::from_nanos(self.0).checked_add(timeout);
        if due.is_some_and(|due| due <= now) {
            self.done();
            return Err(TimedOut::Write);
        }
        Ok(due)
    }
}

impl Default for Flushing {
    fn default() -> Self {
        Self::DONE
    }
}
