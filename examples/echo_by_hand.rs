//! An echo server on plain sockets, one thread per connection, without any adapter: the loop that
//! every adapter is made of.
//!
//! ```text
//! cargo run --example echo_by_hand -- [--listen ADDR] [--protocol NAME] [--deflate]
//! ```
//!
//! Every message comes back as it was sent, on any path. A browser that opens the address gets a
//! page that talks to it. ADDR is 127.0.0.1:9001 if it is not given; with port 0 the system picks a
//! free one, and the first line that is printed tells which. With NAME, that subprotocol is chosen
//! where a client offers it. With `--deflate`, messages are compressed where a client offers that.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets, threads and a clock are what the example adds to the core"
)]

use std::{
    env,
    error::Error,
    io::{self, Read as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Buf as _;
use framewire::{
    Connection, Deflate, Event, RecvBuf, SendBuf,
    server::{Config, Handshake, Opening, OriginPolicy, PlainRequest, Response},
};

/// Replies gather up to here before they are written.
const GATHER: usize = 32 * 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

pub(crate) fn main() -> Outcome<()> {
    let options = Arc::new(Options::from_args(env::args().skip(1))?);
    let listener = TcpListener::bind(&options.listen)?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    println!("open http://{address}/ in a browser, or connect to ws://{address}/ with any client");
    loop {
        let accepted = listener.accept().and_then(|(stream, peer)| {
            let options = Arc::clone(&options);
            thread::Builder::new().spawn(move || {
                if let Err(error) = serve(stream, &options) {
                    eprintln!("{peer}: {error}");
                }
            })
        });
        if let Err(error) = accepted {
            // Out of descriptors or threads, most likely: some will come free.
            eprintln!("not accepted: {error}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// One transport from its first byte to its last.
fn serve(mut stream: TcpStream, options: &Options) -> Outcome<()> {
    // Replies are gathered here: the kernel must not wait for more.
    stream.set_nodelay(true)?;
    // A write that blocks for as long means that the peer does not read.
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let mut rx = RecvBuf::new();
    if let Some(conn) = open(&mut stream, &mut rx, options)? {
        echo(&mut stream, &mut rx, conn)?;
    }
    linger(stream);
    Ok(())
}

/// The opening handshake. `None`: the request was answered by something else than a WebSocket.
fn open(
    stream: &mut TcpStream,
    rx: &mut RecvBuf,
    options: &Options,
) -> Outcome<Option<Connection>> {
    let start = Instant::now();
    let mut handshake = Handshake::new(&options.config());
    let opening = loop {
        if let Some(opening) = handshake.receive(rx) {
            break opening;
        }
        let due = handshake.handle_timeout(start.elapsed())?;
        if wait(stream, rx, start, due)? == Waited::Eof {
            if rx.is_empty() {
                // Browsers open connections that they may never use.
                return Ok(None);
            }
            handshake.receive_eof()?;
        }
    };
    let mut answer = match opening {
        Opening::Upgrade(mut request) => {
            if let Some(protocol) = &options.protocol {
                // Not offered: the connection goes without one.
                let _ = request.select_subprotocol(protocol);
            }
            return Ok(Some(request.upgrade()));
        }
        Opening::Plain(request) => page(request)?,
        Opening::Rejected(error) => {
            eprintln!("refused: {error}");
            handshake.into_send_buf()
        }
    };
    flush(&mut answer, stream)?;
    Ok(None)
}

/// Receive, clock, send, wait: always in this order.
fn echo(stream: &mut TcpStream, rx: &mut RecvBuf, mut conn: Connection) -> Outcome<()> {
    let start = Instant::now();
    loop {
        while let Some(event) = conn.receive(rx) {
            match event {
                Event::Text(text) => conn.send_text(text)?,
                Event::Binary(data) => conn.send_binary(data)?,
                Event::Failed(error) => eprintln!("failed: {error}"),
                // Pings and Close frames are answered by the connection itself.
                _ => {}
            }
            if conn.send_buf().remaining() >= GATHER {
                flush(conn.send_buf(), stream)?;
            }
        }
        let due = conn.handle_timeout(start.elapsed())?;
        flush(conn.send_buf(), stream)?;
        if conn.is_closed() {
            return Ok(());
        }
        if wait(stream, rx, start, due)? == Waited::Eof {
            conn.receive_eof()?;
        }
    }
}

fn flush(queue: &mut SendBuf, stream: &mut TcpStream) -> io::Result<()> {
    while !queue.is_empty() {
        match queue.write_to(stream) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[derive(PartialEq)]
enum Waited {
    /// Something came, or time passed: look at both.
    Awake,
    Eof,
}

/// Reads once, but not beyond the deadline.
fn wait(
    stream: &mut TcpStream,
    rx: &mut RecvBuf,
    start: Instant,
    due: Option<Duration>,
) -> io::Result<Waited> {
    // Zero would mean "for ever": a deadline that is due now becomes the shortest wait.
    let left = due.map(|due| {
        due.saturating_sub(start.elapsed())
            .max(Duration::from_millis(1))
    });
    stream.set_read_timeout(left)?;
    match rx.read_from(stream) {
        Ok(0) => Ok(Waited::Eof),
        Ok(_) => Ok(Waited::Awake),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                Ok(Waited::Awake)
            }
            _ => Err(error),
        },
    }
}

/// Ends the transport so that the peer gets our last bytes: a socket that is closed with unread
/// input resets the connection, which destroys what is still on its way (RFC 6455 section 7.1.1).
fn linger(mut stream: TcpStream) {
    let start = Instant::now();
    let mut unread = [0; 4096];
    let mut most: usize = 64 * 1024;
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    while most > 0 && start.elapsed() < Duration::from_secs(1) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        match stream.read(&mut unread) {
            Ok(n) if n > 0 => most = most.saturating_sub(n),
            _ => return,
        }
    }
}

/// Something to see for whoever opens the address in a browser.
fn page(request: PlainRequest) -> Outcome<SendBuf> {
    let response = match request.path() {
        "/" => Response::new(200)?
            .header("Content-Type", "text/html; charset=utf-8")?
            .body(include_str!("echo_by_hand.html")),
        _ => Response::new(404)?.body("not here; the page is at /, the echo is everywhere\n"),
    };
    Ok(request.respond(response))
}

struct Options {
    listen: String,
    protocol: Option<String>,
    deflate: bool,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            listen: "127.0.0.1:9001".into(),
            protocol: None,
            deflate: false,
        };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match &*name {
                "--listen" => options.listen = value()?,
                "--protocol" => options.protocol = Some(value()?),
                "--deflate" => options.deflate = true,
                _ => {
                    return Err(
                        "usage: echo_by_hand [--listen ADDR] [--protocol NAME] [--deflate]".into(),
                    );
                }
            }
        }
        Ok(options)
    }

    /// What is accepted, and the connections that come of it.
    fn config(&self) -> Config {
        let mut connection = framewire::Config::new();
        if self.deflate {
            connection = connection.deflate(Deflate::new());
        }
        // Every page may talk to an echo server: it knows nothing that is worth a secret.
        Config::new()
            .origin(OriginPolicy::Any)
            .connection(connection)
    }
}
