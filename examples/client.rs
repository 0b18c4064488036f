//! A WebSocket client for the command line.
//!
//! ```text
//! cargo run --features rustls --example client -- URI [--protocol NAME]... [--header 'NAME: VALUE']...
//!     [--origin ORIGIN] [--binary] [--deflate] [--ca FILE] [--proxy URI | --proxy environment]
//! ```
//!
//! Every line of stdin goes out as one text message; every message that comes is printed at once. At
//! the end of stdin it closes with 1000, prints what still comes, and exits with 0; a server that is then
//! silent for 8 s is given up. If the server
//! closes first, with 1000 or 1001, it exits with 0 as well. Everything else is told on stderr, and the
//! status is 1.
//!
//! With `--binary`, a line `b64:...` is sent as a binary message, decoded, and binary messages are
//! printed that way; without, they are printed as they are. With `--deflate`, messages are compressed if
//! the server can do that.
//!
//! `wss` needs the feature `rustls`. Whom the platform trusts is trusted, or, where FILE is given, who has a certificate
//! that one of those in FILE has signed (PEM), and nobody else. A proxy speaks HTTP or SOCKS5, `http://user:password@host:port` for instance; which one, the
//! variables `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` tell where that is asked for.
#![expect(
    clippy::disallowed_methods,
    reason = "one thread waits for the server, another one for stdin"
)]

use std::{
    env,
    error::Error,
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::mpsc::{Receiver as Events, Sender as Tells, channel},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use framewire::{
    CloseCode, Closed, ClosedBy, Deflate, Event, Keepalive,
    blocking::{MaybeTlsStream, Receiver, Sender, connect_via},
    client::{Config, Request},
    connect::{Connector, Proxies, Proxy},
};

const USAGE: &str = "usage: client URI [--protocol NAME]... [--header 'NAME: VALUE']... \
                     [--origin ORIGIN] [--binary] [--deflate] [--ca FILE] \
                     [--proxy URI | --proxy environment]";

/// Nobody wants to wait longer at a prompt.
const PATIENCE: Duration = Duration::from_secs(8);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What the server has said must not reach the terminal as it is.
            eprintln!("client: {}", printable(error.to_string().as_bytes()));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let args: Result<Vec<_>, _> = env::args_os().map(OsString::into_string).collect();
    let args = args.map_err(|arg| format!("{}: not Unicode", arg.display()))?;
    let options = Options::from_args(args.into_iter().skip(1))?;
    // While messages come, closing may take its time: see `wait`.
    let mut connection = framewire::Config::new()
        .keepalive(Keepalive::default())
        .close_timeout(Duration::MAX)
        .write_timeout(PATIENCE);
    if options.deflate {
        connection = connection.deflate(Deflate::new());
    }
    let config = Config::new().timeout(PATIENCE).connection(connection);
    let connector = options.connector.config(config);
    let connected = connect_via(&options.request, &connector);
    let (ws, _) = connected.map_err(|error| format!("{}: {}", options.uri, explain(&error)))?;
    let (receiver, sender) = ws.split()?;

    let (news, events) = channel();
    let (binary, writer, told) = (options.binary, sender.clone(), news.clone());
    thread::spawn(move || {
        let sent = send_lines(&writer, binary);
        // First, so that it is told before the end that comes of closing.
        let told = told.send(News::StdinEnded(sent));
        // Already closed: the server was faster.
        let _ = writer.close(CloseCode::NORMAL, "");
        told
    });
    thread::spawn(move || {
        let printed = print_messages(receiver, binary, &news);
        news.send(News::Ended(printed))
    });
    let stdin = wait(&events, &sender)?;
    let (failure, closed) = sender.with(|connection| (connection.failure(), connection.closed()));
    if let Some(error) = failure {
        return Err(error.into());
    }
    match closed {
        Some(closed) if closed.by == ClosedBy::Us => {
            // The end of stdin, or something was wrong with it.
            stdin?;
            accept(
                closed,
                &[
                    CloseCode::NORMAL,
                    CloseCode::GOING_AWAY,
                    CloseCode::NO_STATUS,
                ],
            )
        }
        Some(closed) => accept(closed, &[CloseCode::NORMAL, CloseCode::GOING_AWAY]),
        None => Ok(()),
    }
}

/// What the two threads tell the first one.
enum News {
    /// Something was received.
    Received,
    /// The server has closed the connection, or broken a rule.
    Closing,
    StdinEnded(Outcome<()>),
    Ended(Outcome<()>),
}

/// Waits for the end, but not longer than [`PATIENCE`] for a sign of life of the server when the
/// connection is closing. Tells how stdin ended, if it did.
fn wait(events: &Events<News>, sender: &Sender<MaybeTlsStream>) -> Outcome<Outcome<()>> {
    let (mut stdin, mut closing) = (Ok(()), false);
    loop {
        let patience = if closing { PATIENCE } else { Duration::MAX };
        match events.recv_timeout(patience) {
            Ok(News::Received) => {}
            Ok(News::Closing) => closing = true,
            Ok(News::StdinEnded(ended)) => (stdin, closing) = (ended, true),
            Ok(News::Ended(ended)) => return ended.map(|()| stdin),
            // All that is missing may be the end of the transport.
            Err(_) if sender.with(|connection| connection.closed().is_some()) => return Ok(stdin),
            Err(_) => return Err("the server does not finish the closing handshake".into()),
        }
    }
}

fn accept(closed: Closed, codes: &[CloseCode]) -> Outcome<()> {
    if codes.contains(&closed.code) {
        Ok(())
    } else {
        Err(format!("the server closed with {}", closed.code).into())
    }
}

/// The thread of stdin.
fn send_lines(sender: &Sender<MaybeTlsStream>, binary: bool) -> Outcome<()> {
    for line in io::stdin().lines() {
        let line = line.map_err(|error| format!("stdin: {error}"))?;
        let sent = match line.strip_prefix("b64:").filter(|_| binary) {
            Some(encoded) => {
                let data = STANDARD.decode(encoded);
                sender.send(data.map_err(|error| format!("stdin: {line}: {error}"))?)
            }
            None => sender.send(&line),
        };
        if sent.is_err() {
            // The receiver learns the reason.
            return Ok(());
        }
    }
    Ok(())
}

/// Prints what comes, until the connection has ended.
fn print_messages(
    mut receiver: Receiver<MaybeTlsStream>,
    binary: bool,
    news: &Tells<News>,
) -> Outcome<()> {
    while let Some(event) = receiver.recv_ref()? {
        let mut told = News::Received;
        match event {
            Event::Text(text) => print(text.as_bytes())?,
            Event::Binary(data) if binary => {
                print(format!("b64:{}", STANDARD.encode(data)).as_bytes())?;
            }
            Event::Binary(data) => print(data)?,
            Event::Close(frame) => {
                let reason = frame.map_or("", |frame| frame.reason);
                if !reason.is_empty() {
                    eprintln!("client: closed: {}", printable(reason.as_bytes()));
                }
                told = News::Closing;
            }
            // The server has to be told first, which is done at the end of the loop.
            Event::Failed(_) => told = News::Closing,
            _ => {}
        }
        news.send(told)?;
    }
    Ok(())
}

fn print(message: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        writeln!(out, "{}", printable(message))?;
    } else {
        out.write_all(message)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Text that can't take control of a terminal.
fn printable(bytes: &[u8]) -> String {
    let mut printable = String::new();
    for char in String::from_utf8_lossy(bytes).chars() {
        if char.is_control() && char != '\n' && char != '\t' {
            printable.extend(char.escape_default());
        } else {
            printable.push(char);
        }
    }
    printable
}

/// Why there is no connection; after a refusal with the beginning of what the server says about it.
fn explain(error: &framewire::Error) -> String {
    let body = match error {
        framewire::Error::Refused(response) => String::from_utf8_lossy(response.body()),
        _ => "".into(),
    };
    let body: String = body.trim().chars().take(500).collect();
    let colon = if body.is_empty() { "" } else { ": " };
    format!("{error}{colon}{body}")
}

struct Options {
    uri: String,
    request: Request,
    connector: Connector,
    binary: bool,
    deflate: bool,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut uri = None;
        let mut protocols = Vec::new();
        let mut headers = Vec::new();
        let mut connector = Connector::new();
        let (mut binary, mut deflate) = (false, false);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match &*arg {
                "--protocol" => protocols.push(value()?),
                "--header" => headers.push(value()?),
                "--origin" => headers.push(format!("Origin: {}", value()?)),
                "--ca" => connector = trust(connector, &value()?)?,
                "--proxy" => {
                    connector = match &*value()? {
                        "environment" => connector.proxies(Proxies::from_env()?),
                        uri => connector.proxies(Proxy::new(uri)?),
                    }
                }
                "--binary" => binary = true,
                "--deflate" => deflate = true,
                _ if arg.starts_with('-') || uri.is_some() => return Err(USAGE.into()),
                _ => uri = Some(arg),
            }
        }
        let uri = uri.ok_or(USAGE)?;
        let mut request = Request::new(&uri)?;
        for protocol in protocols {
            request = request.subprotocol(&protocol)?;
        }
        for header in headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("{header}: not of the form 'NAME: VALUE'"))?;
            request = request.header(name.trim(), value.trim())?;
        }
        Ok(Self {
            uri,
            request,
            connector,
            binary,
            deflate,
        })
    }
}

/// Trusts the certificates in a file.
#[cfg(feature = "rustls")]
fn trust(connector: Connector, file: &str) -> Outcome<Connector> {
    let roots = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let tls = framewire::tls::client(&roots).map_err(|error| format!("{file}: {error}"))?;
    Ok(connector.tls(tls))
}

#[cfg(not(feature = "rustls"))]
fn trust(_: Connector, _: &str) -> Outcome<Connector> {
    Err("--ca needs the feature rustls".into())
}
