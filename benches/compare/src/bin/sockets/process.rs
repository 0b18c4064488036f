//! The process of a server, from outside.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::{Outcome, contestants::Contestant, serve::Purpose};

/// A running server. It ends with this.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// `None` when it has been told to end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub port: u16,
    /// Where it takes orders to publish, if that is its purpose.
    pub orders: Option<u16>,
}

impl Server {
    pub fn start(
        contestant: &Contestant,
        purpose: Purpose,
        processor: Option<usize>,
    ) -> Outcome<Self> {
        let command = Command::new(env::current_exe()?);
        Self::start_with(command, contestant, purpose, processor)
    }

    /// The same with a record of its reads and writes, written to the file `record`.
    pub fn start_traced(
        contestant: &Contestant,
        purpose: Purpose,
        processor: Option<usize>,
        record: &Path,
    ) -> Outcome<Self> {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-s",
            "0",
            "-e",
            "signal=none",
            "-e",
            crate::trace::CALLS,
            "-o",
        ]);
        command.arg(record).arg(env::current_exe()?);
        Self::start_with(command, contestant, purpose, processor)
    }

    fn start_with(
        mut command: Command,
        contestant: &Contestant,
        purpose: Purpose,
        processor: Option<usize>,
    ) -> Outcome<Self> {
        command.args([
            "serve",
            contestant.name,
            contestant.idiom.name(),
            purpose.name(),
        ]);
        command.args(processor.map(|number| number.to_string()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().ok_or("stdout is piped")?),
            child,
            port: 0,
            orders: None,
        };
        let ports = server.line()?;
        let mut ports = ports.split(' ').map(str::parse);
        server.port = ports.next().ok_or("it has not told its port")??;
        server.orders = ports.next().transpose()?;
        Ok(server)
    }

    /// The processor time that it has taken so far.
    pub fn cpu(&mut self) -> Outcome<Duration> {
        Ok(Duration::from_nanos(self.ask("cpu")?))
    }

    /// The bytes of it that are resident.
    pub fn memory(&mut self) -> Outcome<u64> {
        self.ask("memory")
    }

    /// Lets it end by itself, and waits for that: a record of its calls is complete then.
    pub fn end(mut self) -> Outcome<()> {
        self.stdin = None;
        self.child.wait()?;
        Ok(())
    }

    fn ask(&mut self, question: &str) -> Outcome<u64> {
        let stdin = self.stdin.as_mut().ok_or("it has been told to end")?;
        stdin.write_all(question.as_bytes())?;
        stdin.write_all(b"\n")?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.is_empty() {
            return Err("the server's process has ended".into());
        }
        Ok(line.trim().into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
