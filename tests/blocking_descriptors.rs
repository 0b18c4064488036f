//! However a connection of the blocking adapter ends, nothing of it is left: no descriptor, no thread.
//! One test alone, so that whatever is open in this process is its own.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    panic::{self, AssertUnwindSafe},
    thread,
    time::Duration,
};

use framewire::{
    CloseCode, Config, Error, Role, TimedOut,
    blocking::{
        Incoming, Turns, WebSocket, accept, connect, connect_in_turn, connect_with, incoming,
    },
    client::{self, Request},
    server,
};
use sockets::{
    CLOSE, MUCH, REQUEST, Socket, TEXT, answer, dial, in_time, listen, patient, read_head,
    read_to_end, spawn, timed_out, with_peer,
};

const ROUNDS: usize = 100;
const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn nothing_is_left_of_connections_however_they_end() {
    in_time("the test", || {
        let (listener, uri) = listen();
        // Whatever the first use of anything opens is open from then on.
        round(&listener, &uri);
        round_of_deadlines(&listener, &uri);
        let before = (entries("fd"), entries("task"));
        for n in 0..ROUNDS {
            round(&listener, &uri);
            if n % 5 == 0 {
                round_of_deadlines(&listener, &uri);
            }
        }
        assert_eq!(entries("fd"), before.0);
        // A thread may be joined a moment before the system has forgotten it.
        while entries("task") > before.1 {
            thread::yield_now();
        }
    });
}

/// How many descriptors or threads this process has.
fn entries(of: &str) -> usize {
    fs::read_dir(format!("/proc/self/{of}"))
        .expect("Linux has it")
        .count()
}

/// About thirty connections, each of which ends in another way.
fn round(listener: &TcpListener, uri: &str) {
    good(listener, uri);
    refused(listener, uri);
    rejected(listener, uri);
    broken(listener, uri);
    unanswered(listener, uri);
    dead();
    for role in [Role::Client, Role::Server] {
        over::<TcpStream>(role);
        over::<UnixStream>(role);
    }
}

/// Connections that end because time is up.
fn round_of_deadlines(listener: &TcpListener, uri: &str) {
    late(listener, uri);
    for role in [Role::Client, Role::Server] {
        late_over::<TcpStream>(role);
        late_over::<UnixStream>(role);
    }
}

fn good(listener: &TcpListener, uri: &str) {
    let request = Request::new(uri).expect("a valid URI");
    let client = spawn("the client", move || {
        let turns = Turns::new();
        let connected = connect_in_turn(&request, &client::Config::new(), &turns);
        let mut ws = connected.expect("a WebSocket").0;
        ws.send("Hello").expect("there is room");
        assert_eq!(ws.recv().expect("an answer"), Some("Hello".into()));
        assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
    });
    let stream = listener.accept().expect("it listens").0;
    let mut ws = accept(stream, &server::Config::new()).expect("a WebSocket");
    while let Some(message) = ws.recv().expect("messages") {
        ws.send(&message).expect("there is room");
    }
    client.join();
}

fn refused(listener: &TcpListener, uri: &str) {
    let uri = uri.to_owned();
    let client = spawn("the client", move || connect(&uri).map(drop));
    let stream = listener.accept().expect("it listens").0;
    let Ok(Incoming::Upgrade(request)) = incoming(stream, &server::Config::new()) else {
        panic!("no request for a WebSocket");
    };
    let response = server::Response::new(403).expect("a final status");
    request.respond(response.body("no")).expect("it is read");
    assert!(matches!(client.join(), Err(Error::Refused(_))));
}

fn rejected(listener: &TcpListener, uri: &str) {
    let mut stream = dial(uri);
    let request = b"POST / HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(request).expect("it is read");
    let client = spawn("the client", move || {
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 405 "));
    });
    let accepted = accept(answer(listener), &server::Config::new());
    assert!(matches!(accepted, Err(Error::Rejected(_))), "{accepted:?}");
    client.join();
}

/// Either side hangs up or resets.
fn broken(listener: &TcpListener, uri: &str) {
    for part in ["", "GET / HTTP/1.1\r\n"] {
        let mut stream = dial(uri);
        stream.write_all(part.as_bytes()).expect("it is read");
        drop(stream);
        let accepted = accept(answer(listener), &server::Config::new());
        assert!(matches!(accepted, Err(Error::Aborted(_))), "{accepted:?}");
    }
    for reads_all in [true, false] {
        let uri = uri.to_owned();
        let client = spawn("the client", move || connect(&uri).map(drop));
        let mut stream = answer(listener);
        if reads_all {
            read_head(&mut stream);
        } else {
            stream.read_exact(&mut [0]).expect("a request");
        }
        drop(stream);
        assert!(client.join().is_err());
    }
}

/// Either side says nothing.
fn late(listener: &TcpListener, uri: &str) {
    let request = Request::new(uri).expect("a valid URI");
    let config = client::Config::new().timeout(MOMENT);
    let connected = connect_with(&request, &config);
    assert_eq!(timed_out(&connected), Some(TimedOut::Handshake));
    drop(answer(listener));

    let mut client = dial(uri);
    let config = server::Config::new().timeout(MOMENT);
    let accepted = accept(answer(listener), &config);
    assert_eq!(timed_out(&accepted), Some(TimedOut::Handshake));
    assert_eq!(read_to_end(&mut client).0, "");

    // Or a byte of it now and then.
    let mut client = dial(uri);
    let drip = spawn("a client that drips", move || {
        while client.write_all(b"\r\n").is_ok() {
            thread::yield_now();
        }
    });
    let accepted = accept(answer(listener), &config);
    assert!(accepted.is_err(), "{accepted:?}");
    drip.join();
}

/// An answer that nobody takes.
fn unanswered(listener: &TcpListener, uri: &str) {
    let mut client = dial(uri);
    client.write_all(REQUEST.as_bytes()).expect("it is read");
    let incoming = incoming(answer(listener), &server::Config::new());
    let Ok(Incoming::Upgrade(request)) = incoming else {
        panic!("no request for a WebSocket: {incoming:?}");
    };
    let page = server::Response::new(403).expect("a final status");
    // It goes with what it has not read, and that is a reset.
    client.write_all(b"more").expect("it is read");
    drop(client);
    let _ = request.respond(page.body(vec![b'x'; 8 << 20]));
}

fn dead() {
    let connected = connect("ws://127.0.0.1:1/");
    assert!(matches!(connected, Err(Error::Connect(_))), "{connected:?}");
}

/// After the handshake.
fn over<S: Socket>(role: Role) {
    let unread = || {
        let (mut ws, peer) = with_peer::<S>(role, patient());
        ws.send("unread").expect("there is room");
        (ws, peer)
    };

    // A mistake of the peer.
    let (mut ws, mut peer) = with_peer::<S>(role, patient());
    peer.send(0x83, "");
    peer.end_writing();
    assert!(matches!(ws.recv(), Err(Error::Protocol(_))));
    assert_eq!(peer.frame().first, CLOSE);

    // A peer that ends its own direction only.
    let (mut ws, mut peer) = unread();
    peer.end_writing();
    assert!(matches!(ws.recv(), Err(Error::Eof(_))));
    assert_eq!(peer.frames_to_end().len(), 1);

    // A reset.
    let (mut ws, peer) = unread();
    peer.reset();
    assert!(ws.recv().is_err());

    // A handler that panics, without a word.
    let (ws, _peer) = unread();
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| handle(ws)));
    assert!(panicked.is_err());

    // Halves that are dropped, one after the other, in both orders.
    for receiver_first in [true, false] {
        let (ws, mut peer) = unread();
        let (receiver, sender) = ws.split().expect("another handle");
        let another = (receiver.sender(), sender.clone());
        if receiver_first {
            drop(receiver);
            drop((sender, another));
        } else {
            drop((another, sender));
            drop(receiver);
        }
        assert_eq!(peer.frames_to_end().len(), 1);
    }

    // Halves in two threads.
    let (ws, mut peer) = unread();
    let (mut receiver, sender) = ws.split().expect("another handle");
    let reader = spawn("the receiver", move || receiver.recv());
    peer.send(TEXT, "Hello");
    sender.send("Hello").expect("there is room");
    assert_eq!(reader.join().expect("a message"), Some("Hello".into()));
    drop(sender);
    assert_eq!(peer.frames_to_end().len(), 2);

    // Halves whose peer resets.
    let (ws, peer) = unread();
    let (mut receiver, _sender) = ws.split().expect("another handle");
    peer.reset();
    assert!(receiver.recv().is_err());
}

/// A peer that does not answer a Close frame, or does not read.
fn late_over<S: Socket>(role: Role) {
    let config = Config::new().write_timeout(MOMENT);
    let (mut ws, _peer) = with_peer::<S>(role, config);
    let sent = ws.send(&[0; MUCH][..]);
    assert_eq!(timed_out(&sent), Some(TimedOut::Write));

    let (ws, _peer) = with_peer::<S>(role, config);
    let (mut receiver, sender) = ws.split().expect("another handle");
    let sent = sender.send(&[0; MUCH][..]);
    assert_eq!(timed_out(&sent), Some(TimedOut::Write));
    assert_eq!(timed_out(&receiver.recv()), Some(TimedOut::Write));

    let config = Config::new().close_timeout(MOMENT);
    let (mut ws, _peer) = with_peer::<S>(role, config);
    let ended = ws.close(CloseCode::NORMAL, "");
    assert_eq!(timed_out(&ended), Some(TimedOut::Close));

    let (ws, _peer) = with_peer::<S>(role, config);
    let (mut receiver, sender) = ws.split().expect("another handle");
    sender.close(CloseCode::NORMAL, "").expect("it is open");
    assert_eq!(timed_out(&receiver.recv()), Some(TimedOut::Close));
}

fn handle<S: Socket>(_ws: WebSocket<S>) {
    panic::resume_unwind(Box::new("a bug in a handler"));
}
