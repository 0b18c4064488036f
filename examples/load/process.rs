//! What a process takes, and the process of the server as the load sees it.

use std::{
    env, fmt, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

use crate::{Outcome, options::Options, tables::Plan};

/// How long the server may take to notice that everybody has gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server tells about itself.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// The time of all its threads, in the system as well.
    pub(crate) cpu: Duration,
    /// Its bytes in memory.
    pub(crate) resident: u64,
    /// The connections that it has.
    pub(crate) open: u64,
    /// Those that ended with an error.
    pub(crate) failed: u64,
    /// How often there was nothing to accept a connection with.
    pub(crate) not_accepted: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            resident,
            open,
            failed,
            not_accepted,
        } = self;
        let cpu = cpu.as_micros();
        write!(f, "{cpu} {resident} {open} {failed} {not_accepted}")
    }
}

impl FromStr for Figures {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let figures: Vec<u64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [cpu, resident, open, failed, not_accepted] = figures[..] else {
            return Err(format!("the server says {line:?}").into());
        };
        Ok(Self {
            cpu: Duration::from_micros(cpu),
            resident,
            open,
            failed,
            not_accepted,
        })
    }
}

pub(crate) struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    has_own_tables: bool,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(options: &Options, plan: &Plan) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["serve", "--connections", &plan.connections.to_string()]);
        command.args(["--threads", &plan.threads.to_string()]);
        command.args(["--descriptors", &plan.limit.to_string()]);
        command.args(["--listen", &options.listen.to_string()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self {
            stdin: child.stdin.take().ok_or("stdin is piped")?,
            stdout: BufReader::new(child.stdout.take().ok_or("stdout is piped")?),
            child,
            has_own_tables: plan.has_own_tables,
            address: options.listen,
        };
        let line = server.line()?;
        let address = line.strip_prefix("listening on ").unwrap_or_default();
        server.address = address.parse()?;
        Ok(server)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim().into())
    }

    pub(crate) fn figures(&mut self) -> Outcome<Figures> {
        self.stdin.write_all(b"\n")?;
        self.line()?.parse()
    }

    /// The same when all connections have ended, on its side as well.
    pub(crate) fn figures_alone(&mut self) -> Outcome<Figures> {
        let start = Instant::now();
        loop {
            let figures = self.figures()?;
            if figures.open == 0 || start.elapsed() > PATIENCE {
                return Ok(figures);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many it has open, in all tables.
    pub(crate) fn descriptors(&self) -> Outcome<u64> {
        let process = format!("/proc/{}", self.child.id());
        let mut count = 0;
        for task in fs::read_dir(format!("{process}/task"))? {
            count += fs::read_dir(task?.path().join("fd"))?.count() as u64;
            if !self.has_own_tables {
                break;
            }
        }
        Ok(count)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time that this process has taken.
pub(crate) fn cpu() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let both = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(
        both.num_microseconds(),
    )?))
}

/// The bytes of this process that are resident. `/proc/self/status` has an estimate on some systems.
pub(crate) fn resident() -> Outcome<u64> {
    kilobytes("/proc/self/smaps_rollup", "Rss:")
}

/// What the system's kernel has allocated, for everything that runs.
pub(crate) fn slab() -> Outcome<u64> {
    kilobytes("/proc/meminfo", "Slab:")
}

/// A line of such a file, in bytes.
pub(crate) fn kilobytes(file: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes
        .ok_or_else(|| format!("{file} has no {name}"))?
        .parse()?;
    Ok(kilobytes * 1024)
}
