//! Waiting for less than the millisecond that is the least for timers of tokio.

use std::{io, os::fd::AsFd as _, time::Duration};

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::{io::AsyncReadExt as _, net::unix::pipe};

/// What is due within that time leaves together: waking up is not for nothing.
const MIN: Duration = Duration::from_micros(100);

pub(crate) struct Pace {
    timer: TimerFd,
    /// The same timer: it is read like a pipe, how often it has expired.
    expired: pipe::Receiver,
}

impl Pace {
    /// In a runtime only.
    pub(crate) fn new() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let expired = timer.as_fd().try_clone_to_owned()?;
        let expired = pipe::Receiver::from_owned_fd_unchecked(expired)?;
        Ok(Self { timer, expired })
    }

    pub(crate) async fn wait(&mut self, time: Duration) -> io::Result<()> {
        let once = Expiration::OneShot(TimeSpec::from_duration(time.max(MIN)));
        self.timer.set(once, TimerSetTimeFlags::empty())?;
        self.expired.read_u64().await?;
        Ok(())
    }
}
