//! Futures over TLS that are dropped wherever they wait lose and repeat nothing, and who waits is woken: the pipe
//! remembers only the waker of the last call of each direction.

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod piped;
#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;

use std::sync::{Arc, Mutex};

use framewire::{
    CloseCode, Config, Message, RecvBuf, Role,
    tokio::{Parts, TlsStream, WebSocket},
};
use pipe::{Act, Moment, Pipe, Probe};
use piped::{FORMS, Form, once, run};
use support::{
    ROLES, connection,
    trace::random_pieces,
    wire::{close, frame, input},
};
use tls::{Peer, VERSIONS, Version, client_config, good, server_config};

#[derive(Clone, Copy, Debug)]
struct Case {
    form: Form,
    role: Role,
    version: Version,
    /// How many bytes are moved at most by a call.
    most: usize,
}

fn cases() -> impl Iterator<Item = Case> {
    ROLES.into_iter().flat_map(|role| {
        FORMS.into_iter().flat_map(move |form| {
            VERSIONS.into_iter().flat_map(move |version| {
                [usize::MAX, 200].map(|most| Case {
                    form,
                    role,
                    version,
                    most,
                })
            })
        })
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    messages: Vec<Message>,
    /// What the peer has decrypted.
    reached: Vec<u8>,
    has_close_notify: bool,
    clean: bool,
}

fn stream<S>(role: Role, version: Version, stream: S) -> TlsStream<S> {
    let tls = match role {
        Role::Client => TlsStream::client(stream, Arc::new(client_config(version)), "localhost"),
        Role::Server => TlsStream::server(stream, Arc::new(server_config(version, &good()))),
    };
    tls.expect("a configuration")
}

/// Lets a peer of TLS say this, and close when it is closed.
fn attach(case: Case, probe: &Probe) -> Arc<Mutex<Peer>> {
    let mut peer = match case.role {
        Role::Client => Peer::server(case.version),
        Role::Server => Peer::client(case.version),
    };
    let said = [
        frame(0x81, b"one"),
        frame(0x82, &[2; 20_000]),
        frame(0x89, b"ping"),
        frame(0x81, b"three"),
        close(1000, "bye"),
    ];
    let mut said = Some(input(case.role, &said.concat()));
    probe.deliver(&peer.leave());
    let peer = Arc::new(Mutex::new(peer));
    let known = Arc::clone(&peer);
    probe.peer(move |bytes| {
        let mut peer = known.lock().expect("no panic");
        let _ = peer.take(bytes);
        if !peer.tls.is_handshaking()
            && let Some(said) = said.take()
        {
            said.chunks(3000).for_each(|part| peer.say(part));
            peer.tls.send_close_notify();
        }
        let answer = peer.leave();
        let pieces = random_pieces(&answer, 5).into_iter().map(Vec::from);
        (pieces.collect(), peer.has_close_notify)
    });
    peer
}

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

async fn play(
    case: Case,
    plan: impl FnMut(Moment) -> Option<Act> + Send + 'static,
) -> (Outcome, Probe) {
    let (pipe, probe) = Pipe::new();
    probe.pieces(case.most, case.most);
    probe.plan(plan);
    let peer = attach(case, &probe);
    let stream = stream(case.role, case.version, pipe);
    let connection = connection(case.role, Config::new());
    let ws = WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()));
    let mut messages = Vec::new();
    let clean = match case.form {
        Form::Whole => {
            let mut ws = ws;
            again!(ws.feed("begin")).expect("room");
            again!(ws.flush()).expect("sent");
            while let Some(message) = again!(ws.recv()).expect("fine") {
                messages.push(message);
            }
            let closed = again!(ws.close(CloseCode::NORMAL, "")).expect("it has");
            closed.clean
        }
        Form::Split => {
            let (mut receiver, sender) = ws.split();
            again!(sender.feed("begin")).expect("room");
            again!(sender.flush()).expect("sent");
            while let Some(message) = again!(receiver.recv()).expect("fine") {
                messages.push(message);
            }
            sender.with(|conn| conn.closed()).expect("it has").clean
        }
    };
    // Who closes the pipe and who knows of it know each other.
    probe.peer(|_| (Vec::new(), false));
    let peer = peer.lock().expect("no panic");
    let outcome = Outcome {
        messages,
        reached: peer.plaintext.clone(),
        has_close_notify: peer.has_close_notify,
        clean,
    };
    (outcome, probe)
}

#[test]
fn future_dropped_at_any_pending_call_loses_and_repeats_nothing() {
    for case in cases() {
        let (expected, probe) = run(play(case, |_| None));
        assert_eq!(expected.messages.len(), 3, "{case:?}");
        assert!(expected.has_close_notify && expected.clean, "{case:?}");
        for k in 1..=probe.calls() {
            let plan = move |moment: Moment| (moment.io == k).then_some(Act::Pend);
            let (outcome, _) = run(play(case, plan));
            assert!(outcome == expected, "call {k} of {case:?}");
        }
    }
}

#[test]
fn futures_dropped_at_many_pending_calls_lose_and_repeat_nothing() {
    for case in cases() {
        let (expected, _) = run(play(case, |_| None));
        for seed in 0..6 {
            let mut dice = manual::Dice::new(seed);
            let plan = move |_| match (dice.roll(3), dice.roll(4)) {
                (0, _) => Some(Act::Pend),
                (1, 0) => Some(Act::Part),
                _ => None,
            };
            let (outcome, _) = run(play(case, plan));
            assert!(outcome == expected, "seed {seed} of {case:?}");
        }
    }
}

/// Echoes, and tells how many messages it has seen.
async fn echo(mut ws: WebSocket<TlsStream<tokio::io::DuplexStream>>) -> usize {
    let mut count = 0;
    while let Some(message) = ws.recv().await.expect("messages") {
        ws.send(message).await.expect("it can be sent");
        count += 1;
    }
    count
}

#[test]
fn pipe_of_any_size_wakes_who_waits_in_it() {
    for version in VERSIONS {
        for capacity in [1, 7, 100, 5000, 100_000] {
            run(async move {
                let (here, there) = tokio::io::duplex(capacity);
                let open = |role, io| {
                    let stream = stream(role, version, io);
                    let connection = connection(role, Config::new());
                    WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()))
                };
                let (mut ws, other) = (open(Role::Client, here), open(Role::Server, there));
                let talk = async {
                    for len in [1, 100, 20_000] {
                        ws.send(&vec![7; len][..]).await.expect("sent");
                        let answer = ws.recv().await.expect("an answer").expect("a message");
                        assert_eq!(answer.payload().len(), len);
                    }
                    ws.close(CloseCode::NORMAL, "")
                        .await
                        .expect("an answer")
                        .clean
                };
                let (clean, count) = tokio::join!(talk, echo(other));
                assert!(clean && count == 3, "{version:?}, {capacity}");
            });
        }
    }
}

// A task that waits for the one direction must not take the other's place.
#[test]
fn halves_that_begin_before_the_handshake_of_tls_are_woken() {
    for version in VERSIONS {
        for capacity in [1, 100, 100_000] {
            run(async move {
                let (here, there) = tokio::io::duplex(capacity);
                let halves = |role, io| async move {
                    let stream = stream(role, version, io);
                    let connection = connection(role, Config::new());
                    let parts = Parts::new(stream, connection, RecvBuf::new());
                    let (mut receiver, sender) = WebSocket::from_parts(parts).split();
                    // Who receives begins, and gives up.
                    assert!(once(receiver.recv()).await.is_none());
                    let write = async { sender.send(&[7; 20_000]).await.expect("sent") };
                    let read = async {
                        let message = receiver.recv().await.expect("it is whole");
                        assert_eq!(message.expect("a message").payload().len(), 20_000);
                    };
                    tokio::join!(write, read);
                    let (_, end) =
                        tokio::join!(sender.close(CloseCode::NORMAL, ""), receiver.recv());
                    assert_eq!(end.expect("the end"), None);
                };
                tokio::join!(halves(Role::Client, here), halves(Role::Server, there));
            });
        }
    }
}

// The promise of a split WebSocket: a future that is dropped takes nobody's wake-up with it.
#[test]
fn sender_goes_on_when_who_received_in_the_handshake_of_tls_has_given_up() {
    for case in cases().filter(|case| case.form == Form::Split) {
        run(async {
            let (pipe, probe) = Pipe::new();
            let stream = stream(case.role, case.version, pipe);
            let connection = connection(case.role, Config::new());
            let parts = Parts::new(stream, connection, RecvBuf::new());
            let (mut receiver, sender) = WebSocket::from_parts(parts).split();
            let sending = tokio::spawn(async move { sender.send("begin").await });
            tokio::task::yield_now().await;
            // It is polled for nothing, and dropped.
            assert!(once(receiver.recv()).await.is_none(), "nothing has come");
            let peer = attach(case, &probe);
            // What was written before there was a peer has not been looked at.
            let answer = {
                let mut peer = peer.lock().expect("no panic");
                let hello = probe.reached();
                let _ = peer.take(&hello);
                peer.leave()
            };
            probe.deliver(&answer);
            sending.await.expect("no panic").expect("sent");
            assert!(
                !peer.lock().expect("no panic").plaintext.is_empty(),
                "{case:?}"
            );
            probe.peer(|_| (Vec::new(), false));
        });
    }
}
