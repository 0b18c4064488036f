//! How many descriptors there may be, and how many threads with tables of their own that makes.

use std::{fmt, fs, io, thread};

use nix::{
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
};

use crate::{Outcome, options::Options};

/// What a thread needs beside its connections: its runtime, its listener, what it found in the table.
const OTHERS: u64 = 32;
/// More threads than that are no way to hold connections.
const MAX_THREADS: usize = 64;

/// The same for the server and for the load, each of which finds it out for itself.
pub(crate) struct Plan {
    /// How many descriptors a table may hold.
    pub(crate) limit: u64,
    pub(crate) threads: usize,
    /// Whether each thread has one, and the process one more; else there is one for all of them.
    pub(crate) has_own_tables: bool,
    /// How many connections that can hold; no more than were asked for.
    pub(crate) connections: usize,
    wanted: usize,
}

impl Plan {
    /// Raises the limit of this process as far as it goes.
    pub(crate) fn new(options: &Options) -> Outcome<Self> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let limit = options.descriptors.map_or(hard, |limit| limit.min(hard));
        setrlimit(Resource::RLIMIT_NOFILE, limit, hard)?;

        // Containers may forbid it.
        let has_own_tables = thread::spawn(|| own_table().is_ok()).join();
        let has_own_tables = has_own_tables.map_err(|_| "a thread has panicked")?;
        // The system deals connections out by a hash: some tables get a little more than their part.
        let room = limit.saturating_sub(OTHERS);
        let room = usize::try_from(room - room / 8)?.max(1);
        let wanted = options.connections;
        let cores = thread::available_parallelism()?.get();
        let needed = if has_own_tables {
            wanted.div_ceil(room)
        } else {
            1
        };
        let threads = options.threads.unwrap_or_else(|| needed.max(cores));
        let threads = threads.min(MAX_THREADS);
        let tables = if has_own_tables { threads } else { 1 };
        Ok(Self {
            limit,
            threads,
            has_own_tables,
            connections: wanted.min(room.saturating_mul(tables)),
            wanted,
        })
    }

    /// What a thread does before anything else.
    pub(crate) fn enter(has_own_tables: bool) -> io::Result<()> {
        if has_own_tables { own_table() } else { Ok(()) }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            threads,
            has_own_tables,
            connections,
            wanted,
        } = self;
        let tables = match has_own_tables {
            true => "a file table for each of them",
            false => "one file table for all of them",
        };
        write!(
            f,
            "{threads} threads, {tables}, {limit} descriptors a table"
        )?;
        if connections < wanted {
            write!(
                f,
                "\nnot enough for {wanted} connections: {connections} instead"
            )?;
        }
        Ok(())
    }
}

/// From here on what this thread opens is in a table of its own, which begins as a copy of the one before.
fn own_table() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_FILES)?)
}

/// How many sockets may have one address: the ports that the system gives away.
pub(crate) fn ports() -> Outcome<usize> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ports = range.split_whitespace().map(str::parse::<usize>);
    let (Some(first), Some(last)) = (ports.next(), ports.next()) else {
        return Err("there is no range of ports".into());
    };
    Ok((last? + 1).saturating_sub(first?).max(1))
}
