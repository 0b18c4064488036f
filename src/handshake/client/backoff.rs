//! How long to wait before connecting again (RFC 6455 section 7.2.3).

use core::time::Duration;

use crate::rng::Rng;

/// The delays between attempts to connect, after a connection was lost or refused: so that the
/// clients of a server which comes back do not all come back at once.
///
/// The first one is random, up to 5 s (RFC 6455 section 7.2.3). From then on each
/// is at least half of a bound that doubles, 10 s, 20 s and so on, up to a [maximum](Self::max) of a
/// minute.
///
/// It sleeps for nobody: what to do with a delay is the caller's business.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use framewire::client::Backoff;
///
/// let mut backoff = Backoff::new();
/// assert!(backoff.next_delay() < Duration::from_secs(5));
/// let second = backoff.next_delay();
/// assert!(Duration::from_secs(5) <= second && second < Duration::from_secs(10));
/// backoff.reset(); // connected
/// assert!(backoff.next_delay() < Duration::from_secs(5));
/// ```
#[derive(Debug)]
pub struct Backoff {
    rng: Rng,
    /// Of the next delay.
    bound: Duration,
    max: Duration,
    is_first: bool,
}

const FIRST: Duration = Duration::from_secs(5);

impl Backoff {
    /// Begins with the first delay.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(crate::rng::system_seed())
    }

    /// As `new`, with a given seed, which should be another one in every process.
    #[must_use]
    pub fn with_seed(seed: [u8; 32]) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            bound: FIRST,
            max: Duration::from_secs(60),
            is_first: true,
        }
    }

    /// The longest delay. A minute by default; less than 5 s holds for the first delay as well.
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// How long to wait before the next attempt.
    #[must_use]
    pub fn next_delay(&mut self) -> Duration {
        let bound = self.bound.min(self.max);
        let least = if self.is_first {
            Duration::ZERO
        } else {
            bound / 2
        };
        self.bound = bound.saturating_mul(2);
        self.is_first = false;
        least + self.rng.part_of(bound - least)
    }

    /// Begins again, after a connection that worked.
    pub fn reset(&mut self) {
        self.bound = FIRST;
        self.is_first = true;
    }
}

#[cfg(feature = "std")]
impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
