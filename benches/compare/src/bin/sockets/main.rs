//! The contestants over loopback: what they cost the processor, the memory and the kernel as servers.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin sockets -- \
//!     [--rounds N] [--seconds S] [--scenario TEXT]... [--contestant TEXT]...
//! ```
//!
//! Each contestant serves in a process of its own, this program started again as `sockets serve ...`,
//! on one thread; this process is the client of all of them, and speaks through plain sockets, so that
//! none is measured with its own client. The two are kept to a processor each, where there are two.
//! One round after the other goes through all contestants, each time in another order; a figure is the
//! median of the rounds. `--scenario` and `--contestant` keep what contains the text. Every byte that
//! comes back is compared with what must come back: who fails that is told on stderr and has no figure.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets and threads are what is measured"
)]

// Who takes part.
mod contestants;
mod servers;
// The process of a server, from inside and from outside.
mod process;
mod processors;
mod serve;
mod trace;
// The client.
mod load;
mod wire;
// What is measured.
mod options;
mod rounds;
mod scenarios;

use std::{env, error::Error};

use options::Options;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [serve, rest @ ..] if serve == "serve" => serve::main(rest),
        _ => {
            scenarios::all(&Options::parse(&args)?)?;
            let failed = rounds::has_failed();
            if failed {
                Err("not all of them did what they had to".into())
            } else {
                Ok(())
            }
        }
    }
}
