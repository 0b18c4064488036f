//! Load for a server on tokio: how many connections one process holds, how fast it answers, and what that takes.
//!
//! ```text
//! cargo run --release --features tokio --example load -- [--connections N] [--rate R] [--size B]
//!     [--seconds S] [--churn C] [--threads T] [--descriptors D] [--server ADDR | --documented]
//! ```
//!
//! N connections are opened, R messages of B bytes are sent in each second, all connections taken together, and C
//! of the connections are closed and opened anew in each second, for S seconds. Each message comes back, and is
//! compared byte by byte. What is printed tells how it went.
//!
//! The server is a process of its own, the same program with `serve` in front of the options. With `--server` it
//! is another one, whose memory and time can't be told: any that echoes a message in one frame and sends nothing
//! else. With `--documented` the runs of `docs/scale.md` are made, and that page is printed: with up to N connections,
//! each for S seconds.
//!
//! # Many descriptors
//!
//! A process may have a limited number of open files *in a table*. Threads share one unless they ask for one of
//! their own, and so do they here: the limit is one for each thread then. D makes it lower than it is. There are
//! as many threads on each side as the machine has cores, or more where tables are needed, or T. A thread of the
//! server has a runtime for itself, and a socket that listens at the same port as those of the others
//! (`SO_REUSEPORT`): the system deals connections out, and not evenly, so that some of a table is kept free.
//!
//! # Time
//!
//! When each message is to be sent is known before: the pace does not depend on the server (an open loop). How
//! long a message took is counted from that moment, so that one which could not be sent in time because others
//! were late counts as late as well.
//!
//! Only on Linux, which has such tables, and tells about memory in `/proc`.
#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "processes, threads and time are what is measured"
    )
)]

use std::error::Error;

#[cfg(target_os = "linux")]
mod connection;
#[cfg(target_os = "linux")]
mod documented;
#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod messages;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod pace;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod tables;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[cfg(target_os = "linux")]
fn main() -> Outcome<()> {
    use options::{Mode, Options};

    let (mode, options) = Options::from_args(std::env::args().skip(1))?;
    match mode {
        Mode::Serve => server::serve(&options),
        Mode::Documented => documented::run(&options),
        Mode::Load => {
            let report = run::run(&options)?;
            print!("{report}");
            report.verdict()
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> Outcome<()> {
    Err("load needs Linux: file tables for each thread, and /proc".into())
}
