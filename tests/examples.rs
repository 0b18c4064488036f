//! The examples as their users meet them: programs with arguments, pipes and sockets. `client` against
//! all echo servers, our own adapter and peers that misbehave; all echo servers against one table;
//! `broadcast`, `chat` and `autobahn_client` against our own adapter; `load` against its server and others. Here is
//! what they share.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "programs are met over sockets, by threads"
)]

#[path = "examples/autobahn_client.rs"]
mod autobahn_client;
#[path = "examples/broadcast.rs"]
mod broadcast;
#[cfg(feature = "tokio")]
#[path = "examples/chat.rs"]
mod chat;
#[path = "examples/client.rs"]
mod client;
#[path = "examples/client_faults.rs"]
mod client_faults;
#[path = "examples/client_waits.rs"]
mod client_waits;
#[path = "examples/deflate.rs"]
mod deflate;
#[path = "examples/echo.rs"]
mod echo;
#[path = "support/http.rs"]
mod http;
#[cfg(all(feature = "tokio", target_os = "linux"))]
#[path = "examples/load.rs"]
mod load;
#[path = "support/programs.rs"]
mod programs;
mod support;
#[cfg(all(feature = "rustls", feature = "tokio"))]
#[path = "examples/tls.rs"]
mod tls;
#[cfg(all(feature = "http", feature = "tokio"))]
#[path = "examples/upgrade.rs"]
mod upgrade;

use std::{
    io::{ErrorKind, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use framewire::{
    CloseCode, Closed, RecvBuf,
    blocking::{self, WebSocket},
    client::Request,
    server::{Config, Handshake, Opening},
};
use programs::{Ended, Peer, Program, accepted, connected, peer};
use support::wire::{Frame, claim, close, frame, hex, masked};

/// All of them keep the same promises.
const ECHOES: &[&str] = &[
    "echo",
    "echo_by_hand",
    #[cfg(feature = "tokio")]
    "echo_tokio",
];

/// A client has ended well, and printed this.
#[track_caller]
fn assert_done(ended: &Ended, stdout: impl AsRef<[u8]>) {
    assert_eq!(ended.status, Some(0), "{}", ended.tell());
    assert!(ended.stdout == stdout.as_ref(), "{}", ended.tell());
    assert_eq!(ended.stderr, b"", "{}", ended.tell());
}

/// A client has ended badly: printed nothing but this, and told why.
#[track_caller]
fn assert_failed(ended: &Ended, case: &str, stdout: &str, why: &str) {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status == Some(1)
            && ended.stdout == stdout.as_bytes()
            && stderr.starts_with("client: ")
            && stderr.contains(why),
        "{case}: {}",
        ended.tell()
    );
}

/// Starts a client whose stdin stays open, or ends at once.
fn start_client(uri: &str, stdin_is_open: bool) -> Program {
    let mut client = Program::start("client", &[uri]);
    if !stdin_is_open {
        client.end_stdin();
    }
    client
}

/// A server that says something, and closes.
fn closes(code: u16, reason: &'static str) -> Peer<Closed> {
    peer(move |listener| {
        let mut ws = accept(listener);
        ws.send("before").expect("a reader");
        let closed = ws.close(CloseCode::new(code), reason);
        closed.expect("a closing handshake")
    })
}

/// Checks all cases at the same time: most of them only wait.
fn at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// A server of ours. What it does is up to the caller.
fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
    blocking::accept(accepted(listener), &Config::new()).expect("a handshake")
}

/// A client of ours.
fn connect(address: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    connect_with(address, path, framewire::Config::new())
}

fn connect_with(
    address: SocketAddr,
    path: &str,
    config: framewire::Config,
) -> WebSocket<TcpStream> {
    let request = Request::new(&format!("ws://{address}{path}")).expect("a valid URI");
    let config = framewire::client::Config::new().connection(config);
    let opened = blocking::client(connected(address), &request, &config);
    opened.expect("a handshake").0
}

/// Receives the request, and gives the answer that would be right.
fn answer_to(stream: &mut TcpStream) -> String {
    let mut handshake = Handshake::new(&Config::new());
    let mut rx = RecvBuf::new();
    loop {
        match handshake.receive(&mut rx) {
            Some(Opening::Upgrade(request)) => {
                let mut connection = request.upgrade();
                let answer = http::take(connection.send_buf());
                return String::from_utf8(answer).expect("ASCII");
            }
            Some(other) => panic!("{other:?}"),
            None => match rx.read_from(stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => assert_ne!(read.expect("a request"), 0),
            },
        }
    }
}

/// A server that opens the connection, and is then played with bytes.
fn opened(listener: &TcpListener) -> TcpStream {
    let mut stream = accepted(listener);
    let answer = answer_to(&mut stream);
    stream.write_all(answer.as_bytes()).expect("a reader");
    stream
}

/// The code of a Close frame.
fn code(frame: &Frame) -> Option<u16> {
    assert_eq!(frame.opcode, 8, "{frame:?}");
    let bytes = frame.payload.get(..2)?;
    Some(u16::from_be_bytes(bytes.try_into().expect("two bytes")))
}

/// Each of them behind a message, and what the client has to answer.
fn broken_frames() -> Vec<(&'static str, Vec<u8>, u16)> {
    vec![
        ("masked", masked(&frame(0x81, b"no")), 1002),
        ("reserved opcode", frame(0x83, b"no"), 1002),
        ("reserved control opcode", frame(0x8b, b"no"), 1002),
        ("reserved bit", frame(0xc1, b"no"), 1002),
        ("UTF-8", frame(0x81, b"no\xff"), 1007),
        (
            "UTF-8 in parts",
            [frame(0x01, b"no\xce"), frame(0x80, b"z")].concat(),
            1007,
        ),
        ("continuation", frame(0x80, b"no"), 1002),
        (
            "interleaved",
            [frame(0x01, b"no"), frame(0x81, b"no")].concat(),
            1002,
        ),
        ("ping in parts", frame(0x09, b"no"), 1002),
        ("long ping", frame(0x89, &[b'x'; 126]), 1002),
        ("length", hex("81 7e 0002 6e6f"), 1002),
        ("one byte of a code", frame(0x88, b"\x03"), 1002),
        ("code 1005", close(1005, ""), 1002),
        ("reason", frame(0x88, b"\x03\xe8\xff"), 1007),
        ("too large", claim(0x81, 1 << 40), 1009),
    ]
}
