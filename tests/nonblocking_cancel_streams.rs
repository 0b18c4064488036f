//! As `nonblocking_cancel.rs`, for what is made of a WebSocket, and for the opening handshake: streams
//! of messages and of bytes go on where they were, and a handshake that is dropped leaves nothing behind.
#![cfg(all(feature = "tokio", feature = "deflate"))]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::io;

use framewire::{
    Config, Message, Role, client,
    server::{self, Opening},
    tokio::{ByteStream, Incoming, Messages, WebSocket},
};
use framewire::{RecvBuf, State};
use futures::{SinkExt as _, StreamExt as _};
use pipe::{Act, Call, Moment, Pipe, Probe};
use polled::{Peer, end_of, once, other, run, websocket};
use support::{
    ROLES,
    trace::{Seen, drain, random_pieces},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Calls until it is done: whatever has to wait is dropped.
macro_rules! again {
    ($what:expr) => {
        loop {
            match once($what).await {
                Some(done) => break done,
                None => tokio::task::yield_now().await,
            }
        }
    };
}

fn open(role: Role, said: &[&[u8]]) -> (Pipe, Probe, std::sync::Arc<std::sync::Mutex<Peer>>) {
    let mut peer = Peer::new(end_of(other(role), Config::new(), true));
    for (n, data) in said.iter().enumerate() {
        peer.conn.send_ping(&[n as u8]).expect("open");
        peer.conn.send_binary(data).expect("open");
    }
    let bytes = drain(&mut peer.conn);
    let (pipe, probe) = Pipe::new();
    probe.deliver_in_pieces(&bytes, 3);
    let peer = peer.attach(&probe, 4);
    (pipe, probe, peer)
}

/// What has come of it: what was read, what the peer has seen, and the bytes on the wire.
type Outcome = (Vec<u8>, Vec<Seen>, Vec<u8>, usize);

fn outcome(read: Vec<u8>, probe: &Probe, peer: &std::sync::Mutex<Peer>) -> Outcome {
    let seen = std::mem::take(&mut peer.lock().expect("no panic").seen);
    let outcome = (read, seen, probe.reached(), probe.dropped());
    probe.peer(|_| (Vec::new(), false));
    outcome
}

async fn messages(role: Role, k: usize) -> (Outcome, usize) {
    let (pipe, probe, peer) = open(role, &[b"one", b"two", &[3; 300]]);
    probe.plan(move |moment: Moment| (moment.io == k).then_some(Act::Pend));
    probe.pieces(40, 40);
    let ws: WebSocket<Pipe> = websocket(pipe, end_of(role, Config::new().max_queued(200), true));
    let mut stream = Messages::new(ws);
    let mut read = Vec::new();
    for n in 0..8_u8 {
        let sent =
            |stream: &mut Messages<Pipe>| stream.websocket().connection().stats().messages_sent;
        let before = sent(&mut stream);
        let data: Vec<u8> = (0..150).map(|i: u8| i.wrapping_mul(n + 37)).collect();
        // `feed` of a sink: it queues when there is room.
        again!(stream.feed(Message::from(&data[..]))).expect("no error");
        assert_eq!(sent(&mut stream), before + 1);
        if n % 3 == 2 {
            let message = again!(stream.next()).expect("one more").expect("no error");
            read.extend_from_slice(message.payload());
        }
        if n == 4 {
            again!(stream.flush()).expect("no error");
        }
    }
    again!(futures::SinkExt::<Message>::close(&mut stream)).expect("no error");
    while let Some(message) = again!(stream.next()) {
        read.extend_from_slice(message.expect("no error").payload());
    }
    assert!(
        stream
            .websocket()
            .connection()
            .closed()
            .expect("closed")
            .clean
    );
    drop(stream);
    (outcome(read, &probe, &peer), probe.calls())
}

async fn bytes(role: Role, k: usize) -> (Outcome, usize) {
    let (pipe, probe, peer) = open(role, &[&[1; 200], b"", &[2; 100]]);
    probe.plan(move |moment: Moment| (moment.io == k).then_some(Act::Pend));
    probe.pieces(40, 40);
    let ws: WebSocket<Pipe> = websocket(pipe, end_of(role, Config::new().max_queued(200), true));
    let mut stream = ByteStream::new(ws);
    let mut read = Vec::new();
    let mut buf = [0; 70];
    for n in 0..6_u8 {
        let data: Vec<u8> = (0..150).map(|i: u8| i.wrapping_mul(n + 37)).collect();
        assert_eq!(again!(stream.write(&data)).expect("no error"), data.len());
        if n % 3 == 1 {
            let len = again!(stream.read(&mut buf)).expect("no error");
            read.extend_from_slice(&buf[..len]);
        }
        if n == 3 {
            again!(stream.flush()).expect("no error");
        }
    }
    again!(stream.shutdown()).expect("no error");
    loop {
        match again!(stream.read(&mut buf)).expect("no error") {
            0 => break,
            len => read.extend_from_slice(&buf[..len]),
        }
    }
    drop(stream);
    (outcome(read, &probe, &peer), probe.calls())
}

// req: A-06
#[test]
fn stream_and_sink_of_messages_can_be_dropped_at_any_pending_call() {
    for role in ROLES {
        let (expected, calls) = run(messages(role, 0));
        assert_eq!((expected.0.len(), expected.3), (306, 1));
        for k in 1..=calls {
            assert_eq!(run(messages(role, k)).0, expected, "call {k}");
        }
    }
}

// req: A-06
#[test]
fn stream_of_bytes_can_be_dropped_at_any_pending_call() {
    for role in ROLES {
        let (expected, calls) = run(bytes(role, 0));
        assert_eq!((expected.0.len(), expected.3), (300, 1));
        for k in 1..=calls {
            assert_eq!(run(bytes(role, k)).0, expected, "call {k}");
        }
    }
}

/// A server at the other end of a pipe, with a message behind its answer.
fn serve(probe: &Probe) {
    let mut handshake = Some(server::Handshake::new(&server::Config::new()));
    let mut rx = RecvBuf::new();
    probe.peer(move |bytes| {
        rx.extend_from_slice(bytes);
        let Some(Opening::Upgrade(request)) = handshake
            .as_mut()
            .and_then(|handshake| handshake.receive(&mut rx))
        else {
            return (Vec::new(), false);
        };
        handshake = None;
        let mut conn = request.upgrade();
        conn.send_text("behind it").expect("open");
        let answer = drain(&mut conn);
        (
            random_pieces(&answer, 5)
                .into_iter()
                .map(Vec::from)
                .collect(),
            false,
        )
    });
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A handshake where the `k`th call is pending: whether it was met, and how many calls there were.
async fn opening(role: Role, most: usize, k: usize, drops: bool) -> (bool, usize, Probe) {
    let (pipe, probe) = Pipe::new();
    probe.pieces(most, most);
    probe.plan(move |moment: Moment| (moment.io == k).then_some(Act::Pend));
    let opened = async {
        match role {
            Role::Client => {
                serve(&probe);
                let request = client::Request::new("ws://h/").expect("a URI");
                let (ws, _) = framewire::tokio::client(pipe, &request, &client::Config::new())
                    .await
                    .expect("a handshake");
                ws
            }
            Role::Server => {
                probe.deliver_in_pieces(REQUEST, 8);
                probe.deliver(&support::wire::input(role, b"\x81\x09behind it"));
                let incoming = framewire::tokio::incoming(pipe, &server::Config::new()).await;
                let Incoming::Upgrade(request) = incoming.expect("a request") else {
                    panic!("it asks for a WebSocket");
                };
                request.upgrade().await.expect("an answer")
            }
        }
    };
    let ws = if drops {
        once(opened).await
    } else {
        Some(opened.await)
    };
    let is_open = ws.is_some();
    if let Some(mut ws) = ws {
        assert_eq!(ws.connection().state(), State::Open);
        let calls = probe.calls();
        assert_eq!(ws.recv().await.expect("no error"), Some("behind it".into()));
        return (is_open, calls, probe.clone());
    }
    (is_open, probe.calls(), probe.clone())
}

// req: A-06
#[test]
fn opening_handshake_goes_on_behind_any_pending_call_and_ends_when_it_is_dropped() {
    for role in ROLES {
        for most in [usize::MAX, 7, 1] {
            let (_, calls, _) = run(opening(role, most, 0, false));
            for k in 1..=calls {
                let (is_open, _, probe) = run(opening(role, most, k, false));
                assert!(is_open, "pending at {k}");
                probe.peer(|_| (Vec::new(), false));
                assert_eq!(probe.dropped(), 1);
                let (is_open, calls, probe) = run(opening(role, most, k, true));
                // A client does not wait for a write if the answer is there.
                assert!(!is_open || role == Role::Client, "dropped at {k}");
                assert!(is_open || calls <= k + 1, "{calls} calls, dropped at {k}");
                assert_eq!(probe.dropped(), 1, "nothing is left");
                probe.peer(|_| (Vec::new(), false));
            }
        }
    }
}

// req: A-06
#[test]
fn answer_that_is_no_upgrade_can_be_dropped_at_any_pending_call() {
    let respond = async |k: usize, drops: bool| -> (bool, usize) {
        let (pipe, probe) = Pipe::new();
        probe.deliver(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
        probe.plan(move |moment: Moment| (moment.io == k).then_some(Act::Pend));
        let answered = async {
            let incoming = framewire::tokio::incoming(pipe, &server::Config::new()).await;
            let Incoming::Plain(request) = incoming.expect("a request") else {
                panic!("it asks for a page");
            };
            let answer = server::Response::new(200).expect("a status");
            request.respond(answer).await.expect("an answer");
        };
        let done = if drops {
            once(answered).await.is_some()
        } else {
            answered.await;
            true
        };
        assert_eq!(probe.dropped(), 1);
        assert!(!done || probe.reached().starts_with(b"HTTP/1.1 200 "));
        assert!(!done || probe.count(Call::EndWriting) > 0);
        (done, probe.calls())
    };
    let (_, calls) = run(respond(0, false));
    for k in 1..=calls {
        assert!(run(respond(k, false)).0);
        assert!(!run(respond(k, true)).0, "dropped at {k}");
    }
}

// req: A-06
#[test]
fn reading_and_writing_with_the_io_traits_ends_with_their_errors() {
    run(async {
        let (pipe, probe, peer) = open(Role::Server, &[b"first"]);
        let ws: WebSocket<Pipe> = websocket(pipe, end_of(Role::Server, Config::new(), true));
        let mut stream = ByteStream::new(ws);
        let mut buf = [0; 5];
        stream.read_exact(&mut buf).await.expect("no error");
        assert_eq!(&buf, b"first");
        probe.end(pipe::Behind::Error(io::ErrorKind::ConnectionReset));
        let error = stream.read(&mut buf).await.expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        drop((stream, peer));
        probe.peer(|_| (Vec::new(), false));
        assert_eq!(probe.dropped(), 1);
    });
}
