//! One processor for the server, another one for the client: neither moves, and neither is in the
//! other's way.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::Outcome;

/// The first two processors that this process may use, the server's and the client's; `None` if there
/// is only one.
pub fn two() -> Outcome<Option<[usize; 2]>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let is_allowed = |&number: &usize| allowed.is_set(number).unwrap_or(false);
    let mut numbers = (0..CpuSet::count()).filter(is_allowed);
    Ok(numbers.next().zip(numbers.next()).map(<[_; 2]>::from))
}

/// Keeps this process to one processor; what it starts from now on as well.
pub fn keep_to(number: usize) -> Outcome<()> {
    let mut one = CpuSet::new();
    one.set(number)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}
