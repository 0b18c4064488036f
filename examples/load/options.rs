//! What is asked for.

use std::net::SocketAddr;

use crate::{Outcome, messages};

const USAGE: &str = "usage: load [--connections N] [--rate R] [--size B] [--seconds S] [--churn C] [--threads T] \
                     [--descriptors D] [--server ADDR | --documented]\n       \
                     load serve [--listen ADDR] [--connections N] [--threads T] [--descriptors D]";

pub(crate) enum Mode {
    Load,
    Serve,
    Documented,
}

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    /// Messages a second, all connections taken together. None at all if it is zero.
    pub(crate) rate: u32,
    /// The bytes of a message.
    pub(crate) size: usize,
    pub(crate) seconds: u32,
    /// Connections that are closed and opened anew, a second.
    pub(crate) churn: u32,
    pub(crate) threads: Option<usize>,
    /// The most that a file table may hold, if that is to be less than the system's limit.
    pub(crate) descriptors: Option<u64>,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// A server that is there already.
    pub(crate) server: Option<SocketAddr>,
}

impl Options {
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Outcome<(Mode, Self)> {
        let mut args = args.peekable();
        let mut mode = Mode::Load;
        if args.next_if(|arg| arg == "serve").is_some() {
            mode = Mode::Serve;
        }
        let mut options = Self {
            connections: 1000,
            rate: 10_000,
            size: 64,
            seconds: 10,
            churn: 0,
            threads: None,
            descriptors: None,
            listen: ([127, 0, 0, 1], 0).into(),
            server: None,
        };
        while let Some(name) = args.next() {
            if name == "--documented" {
                mode = Mode::Documented;
                // The largest of its runs, unless something else is said behind it.
                options.connections = 50_000;
                options.seconds = 15;
                continue;
            }
            let value = args.next().ok_or(USAGE)?;
            match &*name {
                "--connections" => options.connections = value.parse()?,
                "--rate" => options.rate = value.parse()?,
                "--size" => options.size = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--churn" => options.churn = value.parse()?,
                "--threads" => options.threads = Some(value.parse()?),
                "--descriptors" => options.descriptors = Some(value.parse()?),
                "--listen" => options.listen = value.parse()?,
                "--server" => options.server = Some(value.parse()?),
                _ => return Err(USAGE.into()),
            }
        }
        if options.connections == 0 || options.seconds == 0 || options.threads == Some(0) {
            return Err("connections, seconds and threads can't be 0".into());
        }
        if options.size < messages::MIN_SIZE {
            let min = messages::MIN_SIZE;
            return Err(format!("a message has {min} bytes at least, to be told apart").into());
        }
        Ok((mode, options))
    }

    /// The command that does the same.
    pub(crate) fn command(&self) -> String {
        let mut command = format!(
            "load --connections {} --rate {} --size {} --seconds {}",
            self.connections, self.rate, self.size, self.seconds
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                command += &format!(" --{name} {value}");
            }
        };
        add("churn", (self.churn > 0).then(|| self.churn.to_string()));
        add("threads", self.threads.map(|n| n.to_string()));
        add("descriptors", self.descriptors.map(|n| n.to_string()));
        add("server", self.server.map(|server| server.to_string()));
        command
    }
}
