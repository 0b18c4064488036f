//! Time as it counts here: what this thread spends on a processor, so that what else the machine does counts less.

use std::time::Duration;

/// The time of this thread since some moment.
#[cfg(target_os = "linux")]
pub(crate) fn now() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("every thread has this clock").into()
}

/// The time of the clock on the wall, where there is no other.
#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::disallowed_types,
    reason = "time is what is measured, and no part of the core"
)]
pub(crate) fn now() -> Duration {
    use std::{sync::LazyLock, time::Instant};

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
