//! The resident memory of idle connections, of a server on tokio: one process holds the server, this
//! one the sockets of its clients, so that those are not counted. On Linux only, which tells what is
//! resident.
//!
//! ```text
//! cargo bench --features tokio --bench idle -- [N]     # N connections, 10000 if it is not given
//! ```
//!
//! Each server is a process of its own, warmed up by a few connections before it is measured. The floor
//! is a task per socket that waits until the socket is readable and holds nothing else. All figures are
//! bytes for each connection, above what the process had before the first of them.
//!
//! Beside what is resident stands the view of the allocator, in one more process with one thread: live
//! bytes and live allocations for each connection.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets and threads are what is measured"
)]

use std::{
    env,
    error::Error,
    fmt, fs,
    future::Future,
    io::{self, BufRead as _, BufReader, Read as _, Write as _, stdin},
    mem::size_of,
    net,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use allocation_counter::{AllocationInfo, measure};
use framewire::{
    Config, Connection, Event, Keepalive, RecvBuf,
    server::{self, OriginPolicy},
    tokio::{Parts, WebSocket, accept},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a process needs for itself.
const OTHER_DESCRIPTORS: usize = 64;
/// What is connected before anything is measured, so that code and buffers are resident.
const WARM_UP: usize = 16;
/// What is sent each way on every connection, after which it is idle again.
const MESSAGES: [usize; 2] = [64, 4096];
const KINDS: [Kind; 3] = [Kind::Floor, Kind::Plain, Kind::Keepalive];

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--serve", kind, workers] => serve(Kind::named(kind)?, workers.parse()?),
        ["--count", kind] => count(Kind::named(kind)?),
        [] => compare(10_000),
        [count] => compare(count.parse()?),
        _ => Err("usage: idle [N]".into()),
    }
}

/// What a task does with its socket.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Waits for it to be readable.
    Floor,
    /// Serves a WebSocket.
    Plain,
    /// Serves a WebSocket whose peer is asked for signs of life.
    Keepalive,
}

impl Kind {
    fn named(name: &str) -> Outcome<Self> {
        let kind = KINDS.into_iter().find(|kind| kind.to_string() == name);
        kind.ok_or_else(|| format!("{name} is nothing that is measured").into())
    }

    fn config(self) -> server::Config {
        let mut connection = Config::new();
        if let Self::Keepalive = self {
            // It is armed, but nothing is said while it is measured.
            let long = Duration::from_secs(3600);
            connection = connection.keepalive(Keepalive {
                interval: long,
                timeout: long,
            });
        }
        server::Config::new()
            .origin(OriginPolicy::Any)
            .connection(connection)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Floor => "floor",
            Self::Plain => "framewire",
            Self::Keepalive => "keepalive",
        })
    }
}

// The tasks.

/// The loop of `examples/echo_tokio.rs`.
async fn echo(stream: TcpStream, config: Arc<server::Config>) -> Result<(), framewire::Error> {
    let mut ws = accept(stream, &config).await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            _ => {}
        }
    }
    Ok(())
}

/// Nothing is held while it waits.
async fn echo_raw(stream: TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        if !pass_on(&stream)? {
            return Ok(());
        }
    }
}

/// Sends back what is there. Whether there may be more.
fn pass_on(stream: &TcpStream) -> io::Result<bool> {
    let mut buf = [0; 16 * 1024];
    match stream.try_read(&mut buf) {
        Ok(0) => Ok(false),
        // The socket has room for it: the client waits for every answer.
        Ok(n) => stream.try_write(&buf[..n]).map(|written| written == n),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

async fn accept_all(listener: TcpListener, kind: Kind) -> io::Result<()> {
    let config = Arc::new(kind.config());
    loop {
        let (stream, _) = listener.accept().await?;
        let config = Arc::clone(&config);
        match kind {
            Kind::Floor => drop(tokio::spawn(echo_raw(stream))),
            Kind::Plain | Kind::Keepalive => drop(tokio::spawn(echo(stream, config))),
        }
    }
}

// The processes of the servers. Each of them tells its port, and answers each line of its stdin.

fn serve(kind: Kind, workers: usize) -> Outcome<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let port = listen(&runtime, kind)?;
    println!("{port}");
    for line in stdin().lines() {
        line?;
        println!("{}", resident()?);
    }
    runtime.shutdown_background();
    Ok(())
}

/// The same with one thread, whose allocations are counted. It answers with live bytes and live
/// allocations.
fn count(kind: Kind) -> Outcome<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let port = listen(&runtime, kind)?;
    println!("{port}");
    let (asked, mut asking) = unbounded_channel();
    // Its own allocations are not counted.
    thread::spawn(move || {
        stdin().lines().map_while(Result::ok).try_for_each(|_| {
            let (answer, answered) = mpsc::channel();
            asked.send(answer).ok()?;
            // It ends the measurement.
            answered.recv().ok()
        })
    });
    let (mut bytes, mut allocations) = (0, 0);
    loop {
        let mut question = None;
        let counted = measure(|| question = runtime.block_on(next(&mut asking)));
        let AllocationInfo {
            bytes_current,
            count_current,
            ..
        } = counted;
        bytes += bytes_current;
        allocations += count_current;
        let Some(answer) = question else {
            return Ok(());
        };
        println!("{bytes} {allocations}");
        answer.send(())?;
    }
}

async fn next<T>(asking: &mut UnboundedReceiver<T>) -> Option<T> {
    asking.recv().await
}

/// Begins to serve, and tells at which port.
fn listen(runtime: &Runtime, kind: Kind) -> Outcome<u16> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(async move {
        if let Err(error) = accept_all(listener, kind).await {
            eprintln!("not accepted: {error}");
        }
    });
    Ok(port)
}

/// The bytes of this process that are resident.
fn resident() -> Outcome<i64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: i64 = kilobytes.ok_or("/proc/self/status has no VmRSS")?.parse()?;
    Ok(kilobytes * 1024)
}

// The clients, and the table.

fn compare(count: usize) -> Outcome<()> {
    if !cfg!(target_os = "linux") {
        return Err("only Linux tells what is resident, in /proc/self/status".into());
    }
    check_limit(count)?;
    sizes();
    println!("\nresident bytes for each of {count} idle connections");
    println!("{HEAD:34}{:>10}{:>10}{:>10}", "new", "64 B", "4 KiB");
    for workers in [1, 2] {
        for kind in KINDS {
            let args = ["--serve", &kind.to_string(), &workers.to_string()];
            print!(
                "{kind:14}{workers:>2} worker{:13}",
                if workers == 1 { "" } else { "s" }
            );
            let figures = run(&args, count)?;
            println!("{}", columns(&figures, 0, count));
        }
    }
    println!("\nlive in the allocator, for each of them");
    println!("{HEAD:34}{:>10}{:>10}{:>10}", "new", "64 B", "4 KiB");
    for kind in KINDS {
        let figures = run(&["--count", &kind.to_string()], count)?;
        println!("{kind:14}{:20}{}", "bytes", columns(&figures, 0, count));
        println!(
            "{:14}{:20}{}",
            "",
            "allocations",
            columns(&figures, 1, count)
        );
    }
    Ok(())
}

const HEAD: &str = "after";

/// What each phase has added to the first one, for each connection.
fn columns(figures: &[Vec<i64>], which: usize, count: usize) -> String {
    let before = figures[0][which];
    let after = figures[1..].iter().map(|figures| figures[which] - before);
    after
        .map(|sum| format!("{:>10.1}", sum as f64 / count as f64))
        .collect()
}

/// Runs a server: its figures before, with new connections, and after each of the messages.
fn run(args: &[&str], count: usize) -> Outcome<Vec<Vec<i64>>> {
    let mut server = Server::start(args)?;
    let mut clients = server.connect(WARM_UP)?;
    for len in MESSAGES {
        exchange(&mut clients, &server.message(len))?;
    }
    drop(clients);
    // They are gone when others have been served after them.
    drop(server.connect(1)?);
    let mut figures = vec![server.figures()?];
    let mut clients = server.connect(count)?;
    figures.push(server.figures()?);
    for len in MESSAGES {
        exchange(&mut clients, &server.message(len))?;
        figures.push(server.figures()?);
    }
    Ok(figures)
}

struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    port: u16,
    is_raw: bool,
}

impl Server {
    fn start(args: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut server = Self {
            stdin: child.stdin.take().ok_or("stdin is piped")?,
            stdout: BufReader::new(child.stdout.take().ok_or("stdout is piped")?),
            child,
            port: 0,
            is_raw: args[1] == Kind::Floor.to_string(),
        };
        server.port = server.line()?.parse()?;
        Ok(server)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim().into())
    }

    fn figures(&mut self) -> Outcome<Vec<i64>> {
        self.stdin.write_all(b"\n")?;
        let line = self.line()?;
        let figures = line.split(' ').map(str::parse);
        Ok(figures.collect::<Result<_, _>>()?)
    }

    fn connect(&self, count: usize) -> Outcome<Vec<net::TcpStream>> {
        (0..count).map(|_| self.connect_one()).collect()
    }

    /// Opens a connection, all of it: the answer has come.
    fn connect_one(&self) -> Outcome<net::TcpStream> {
        let mut stream = net::TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        if self.is_raw {
            // As much as a handshake: one question, one answer.
            exchange(std::slice::from_mut(&mut stream), &self.message(1))?;
            return Ok(stream);
        }
        stream.write_all(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut buf = [0; 1024];
            let n = stream.read(&mut buf)?;
            if n == 0 {
                return Err("the server has hung up".into());
            }
            head.extend_from_slice(&buf[..n]);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        Ok(stream)
    }

    /// A message as it is sent, and as it comes back.
    fn message(&self, len: usize) -> (Vec<u8>, Vec<u8>) {
        let payload = vec![b'x'; len];
        if self.is_raw {
            return (payload.clone(), payload);
        }
        // A masking key of zeros changes nothing.
        let [sent, back] = [0x80, 0].map(|mask| {
            let mut frame = vec![0x82];
            match u16::try_from(len).expect("a short message") {
                len @ 0..126 => frame.push(mask | len.to_be_bytes()[1]),
                len => {
                    frame.push(mask | 126);
                    frame.extend(len.to_be_bytes());
                }
            }
            if mask != 0 {
                frame.extend([0; 4]);
            }
            [&frame[..], &payload].concat()
        });
        (sent, back)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One message each way on every connection.
fn exchange(clients: &mut [net::TcpStream], message: &(Vec<u8>, Vec<u8>)) -> Outcome<()> {
    let (sent, expected) = message;
    let mut back = vec![0; expected.len()];
    for client in clients {
        client.write_all(sent)?;
        client.read_exact(&mut back)?;
        if back != *expected {
            return Err("this is no echo".into());
        }
    }
    Ok(())
}

/// Whether this process and its children may hold as many sockets.
fn check_limit(count: usize) -> Outcome<()> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
    let [.., soft, hard, _] = words[..] else {
        return Err("/proc/self/limits has no limit of open files".into());
    };
    let needed = count + OTHER_DESCRIPTORS;
    if soft.parse::<usize>().is_ok_and(|soft| soft < needed) {
        return Err(format!(
            "{count} connections need {needed} descriptors, and the limit is {soft}: \
            try `ulimit -n {needed}` (the hard limit is {hard}), or fewer connections"
        )
        .into());
    }
    Ok(())
}

// What there is one of for each connection.

fn sizes() {
    println!("bytes");
    println!(
        "{:34}{:>10}",
        "future of a task, floor",
        size_of_future(|s, _| echo_raw(s))
    );
    println!(
        "{:34}{:>10}",
        "future of a task, WebSocket",
        size_of_future(echo)
    );
    println!(
        "{:34}{:>10}",
        "WebSocket",
        size_of::<WebSocket<TcpStream>>()
    );
    println!("{:34}{:>10}", "Link, behind its pointer", size_of_link());
    println!(
        "{:34}{:>10}",
        "Connection, in the Link",
        size_of::<Connection>()
    );
    println!(
        "{:34}{:>10}",
        "TcpStream, in the Link",
        size_of::<TcpStream>()
    );
    println!(
        "{:34}{:>10}",
        "Sleep, behind its pointer",
        size_of::<tokio::time::Sleep>()
    );
}

fn size_of_future<F: Future>(_: impl Fn(TcpStream, Arc<server::Config>) -> F) -> usize {
    size_of::<F>()
}

/// What a WebSocket allocates: the transport is as large as that of a socket.
fn size_of_link() -> usize {
    let (stream, _other) = tokio::io::duplex(1);
    let is_as_it_should = size_of_val(&stream);
    let parts = Parts::new(stream, Connection::server(Config::new()), RecvBuf::new());
    let mut ws = None;
    let allocated = measure(|| ws = Some(WebSocket::from_parts(parts)));
    let allocated = usize::try_from(allocated.bytes_total).expect("a size");
    allocated + size_of::<TcpStream>() - is_as_it_should
}
