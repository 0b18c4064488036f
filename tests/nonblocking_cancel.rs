//! Every future of the polled adapter may be dropped at every place where it waits: the same script is run
//! with one call of the transport pending, the future that met it is dropped and the operation called again;
//! and that for every call there is. Events and bytes are to be the same. The opening handshake
//! and streams are in `nonblocking_cancel_streams.rs`.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use framewire::{CloseCode, Config, Connection, Error, MessageKind, PartEvent, Role, tokio::Tokio};
use manual::Dice;
use pipe::{Act, Moment, Pipe, Probe};
use polled::{FORMS, Form, Peer, end_of, once, other, run};
use support::{
    ROLES,
    trace::{Seen, drain, random_pieces},
};

type End = polled::End<Pipe, Tokio>;

/// What an application does.
#[derive(Clone, Debug)]
enum Step {
    Recv,
    RecvRef,
    RecvPart,
    Send(String),
    Feed(Vec<u8>),
    Flush,
    Ping,
    Close,
    /// Receives to the end.
    Finish,
}
use Step::*;

/// What it sees of it. Parts are joined: where they are cut is up to the transport.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    seen: Vec<Seen>,
    parts: Vec<u8>,
    ends: Vec<String>,
}

/// What there is in the end, at both ends.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    log: Log,
    reached: Vec<u8>,
    peer: Vec<Seen>,
    has_ended: bool,
    dropped: usize,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    role: Role,
    form: Form,
    deflates: bool,
    /// How many bytes are moved at most by a call.
    most: usize,
    gathers: bool,
}

/// What the peer sends without being asked: messages in one frame and in several, pings between and within
/// them, and `closes` or not.
fn said(peer: &mut Connection, closes: bool) -> Vec<u8> {
    peer.send_text("one, one, one, one, one, one, one")
        .expect("open");
    peer.send_ping(b"p1").expect("open");
    peer.start_message(MessageKind::Text).expect("open");
    for (part, ping) in [("tw", "p2"), ("o, two, two, tw", "p3")] {
        peer.send_part(part.as_bytes()).expect("started");
        peer.send_ping(ping.as_bytes()).expect("open");
    }
    peer.finish_message("o €".as_bytes()).expect("started");
    peer.send_binary(&[3; 140]).expect("open");
    peer.start_message(MessageKind::Binary).expect("open");
    peer.send_part(&[4; 60]).expect("started");
    peer.send_ping(b"p4").expect("open");
    peer.finish_message(&[4; 7]).expect("started");
    peer.send_text("five").expect("open");
    if closes {
        peer.close(CloseCode::GOING_AWAY, "enough").expect("open");
    }
    drain(peer)
}

/// Sending and receiving in turns, and who closes: we in the middle, we at the end, or the peer.
fn scripts() -> Vec<(bool, Vec<Step>)> {
    let text = |n: usize| Send("a text of ours, a text of ours, ".repeat(n));
    let data = |n: usize| Feed(vec![7; n]);
    let begin = [Recv, text(1), Recv, data(5), data(90), RecvRef, Ping];
    let parts = vec![RecvPart; 8];
    let with = |more: &[Step]| [&begin[..], more].concat();
    vec![
        (false, with(&[Close])),
        (
            false,
            with(&[RecvRef, RecvRef, text(9), RecvRef, Flush, Close]),
        ),
        (
            false,
            with(&[
                Flush,
                text(2),
                Recv,
                Recv,
                data(300),
                text(1),
                Close,
                Finish,
            ]),
        ),
        (true, with(&[text(3), Recv, Recv, data(40), Finish])),
        (
            true,
            [&[text(1)], &parts[..], &[data(200), Flush, Finish]].concat(),
        ),
        (true, vec![Finish]),
        // More than is queued before it is written, and more than may be.
        (
            false,
            vec![
                data(80_000),
                data(80_000),
                text(1),
                Recv,
                text(2000),
                Recv,
                Close,
            ],
        ),
    ]
}

async fn play(
    case: Case,
    closes: bool,
    script: &[Step],
    plan: impl FnMut(Moment) -> Option<Act> + std::marker::Send + 'static,
) -> (Outcome, Probe) {
    let config = Config::new().max_queued(50_000);
    let mut peer = Peer::new(end_of(other(case.role), Config::new(), case.deflates));
    let (mut end, probe) = polled::open(case.form, end_of(case.role, config, case.deflates));
    let said = said(&mut peer.conn, closes);
    for piece in random_pieces(&said, case.most as u64) {
        probe.deliver(piece);
    }
    probe.pieces(case.most, case.most);
    if case.gathers {
        probe.gathering();
    }
    probe.plan(plan);
    let peer: Arc<Mutex<Peer>> = peer.attach(&probe, 9);
    let mut log = Log::default();
    for step in script {
        perform(&mut end, step, &mut log).await;
    }
    drop(end);
    let outcome = Outcome {
        log,
        reached: probe.reached(),
        peer: std::mem::take(&mut peer.lock().expect("no panic").seen),
        has_ended: probe.has_ended(),
        dropped: probe.dropped(),
    };
    // Who closes the pipe and who knows of it know each other.
    probe.peer(|_| (Vec::new(), false));
    (outcome, probe)
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

async fn perform(end: &mut End, step: &Step, log: &mut Log) {
    let sent = |end: &mut End| end.with(|conn| conn.stats().messages_sent);
    let before = sent(end);
    match step {
        Recv => match again!(end.recv()).expect("no error") {
            Some(framewire::Message::Text(text)) => log.seen.push(Seen::Text(text)),
            Some(framewire::Message::Binary(data)) => log.seen.push(Seen::Binary(data.into())),
            None => log.ends.push("recv".into()),
        },
        RecvRef => match again!(end.recv_ref(|event| Seen::from(event))).expect("no error") {
            Some(seen) => log.seen.push(seen),
            None => log.ends.push("recv_ref".into()),
        },
        RecvPart => while !part(end, log).await {},
        Send(text) => {
            let result = loop {
                match once(end.send(text)).await {
                    Some(done) => break done,
                    // Perhaps it has been queued: that can be asked.
                    None if sent(end) > before => break again!(end.flush()),
                    None => {}
                }
            };
            result.expect("no error");
            assert_eq!(sent(end), before + 1, "sent once");
        }
        Feed(data) => {
            let result: Result<(), Error> = loop {
                match once(end.feed(data)).await {
                    Some(done) => break done,
                    None => assert_eq!(sent(end), before, "it has not been queued"),
                }
            };
            result.expect("no error");
            assert_eq!(sent(end), before + 1, "queued once");
        }
        Flush => again!(end.flush()).expect("no error"),
        Ping => end.with(|conn| conn.send_ping(b"ours")).expect("open"),
        Close => {
            let closed = again!(end.close(CloseCode::NORMAL, "that is all")).expect("no error");
            log.ends.push(format!("{closed:?}"));
        }
        Finish => {
            while let Some(seen) = again!(end.recv_ref(|event| Seen::from(event))).expect("fine") {
                log.seen.push(seen);
            }
            let closed = end.with(|conn| conn.closed());
            log.ends.push(format!("{closed:?}"));
        }
    }
}

/// Receives until a message ends, or something else comes.
async fn part(end: &mut End, log: &mut Log) -> bool {
    let see = |event: PartEvent<'_>| match event {
        PartEvent::Text { part, last } => (part.as_bytes().to_vec(), last),
        PartEvent::Binary { part, last } => (part.to_vec(), last),
        PartEvent::Ping(payload) => ([b"ping ", payload].concat(), true),
        other => (format!("{other:?}").into_bytes(), true),
    };
    let (part, last) = again!(end.recv_part_ref(see)).expect("fine").expect("more");
    log.parts.extend(part);
    last
}

fn cases() -> impl Iterator<Item = Case> {
    let deflates = [false, true];
    let ways = [(usize::MAX, false), (usize::MAX, true), (23, false)];
    ROLES.into_iter().flat_map(move |role| {
        FORMS.into_iter().flat_map(move |form| {
            deflates.into_iter().flat_map(move |deflates| {
                ways.into_iter().map(move |(most, gathers)| Case {
                    role,
                    form,
                    deflates: deflates && cfg!(feature = "deflate"),
                    most,
                    gathers,
                })
            })
        })
    })
}

// req: A-06
#[test]
fn future_dropped_at_any_pending_call_loses_and_repeats_nothing() {
    let mut runs = 0;
    for case in cases() {
        for (closes, script) in scripts() {
            let (expected, probe) = run(play(case, closes, &script, |_| None));
            assert!(expected.peer.len() > 2 || script.len() == 1, "{expected:?}");
            assert_eq!(expected.dropped, 1);
            let calls = probe.calls();
            for k in 1..=calls {
                let plan = move |moment: Moment| (moment.io == k).then_some(Act::Pend);
                let (outcome, _) = run(play(case, closes, &script, plan));
                assert_eq!(outcome, expected, "call {k} of {case:?} in {script:?}");
                runs += 1;
            }
        }
    }
    assert!(runs > 3000, "{runs}");
}

// req: A-06
#[test]
fn futures_dropped_at_many_pending_calls_lose_and_repeat_nothing() {
    for case in cases() {
        for (closes, script) in scripts() {
            let (expected, _) = run(play(case, closes, &script, |_| None));
            for seed in 0..6 {
                let (mut dice, one_in) = (Dice::new(seed), 2 + seed as usize % 3);
                let plan = move |_| match (dice.roll(one_in), dice.roll(4)) {
                    (0, _) => Some(Act::Pend),
                    (1, 0) => Some(Act::Part),
                    _ => None,
                };
                let (outcome, _) = run(play(case, closes, &script, plan));
                assert_eq!(outcome, expected, "seed {seed} of {case:?} in {script:?}");
            }
        }
    }
}

// req: A-06
#[test]
fn receiving_in_a_select_with_a_timer_loses_nothing() {
    for role in ROLES {
        for form in FORMS {
            run(async move {
                let (mut end, probe) =
                    polled::open::<Tokio>(form, end_of(role, Config::new(), false));
                let mut peer = Peer::new(end_of(other(role), Config::new(), false));
                let bytes = said(&mut peer.conn, true);
                let _peer = peer.attach(&probe, 1);
                let feeder = probe.clone();
                let task = tokio::spawn(async move {
                    for byte in bytes {
                        feeder.deliver(&[byte]);
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                });
                let (mut messages, mut ticks, mut sent) = (Vec::new(), 0, 0);
                loop {
                    tokio::select! {
                        message = end.recv() => match message.expect("no error") {
                            Some(message) => messages.push(message.payload().to_vec()),
                            None => break,
                        },
                        () = tokio::time::sleep(Duration::from_millis(1)) => {
                            ticks += 1;
                            if ticks % 50 == 0 && end.send("tick").await.is_ok() {
                                sent += 1;
                            }
                        }
                    }
                }
                task.await.expect("no panic");
                let expected = [
                    b"one, one, one, one, one, one, one".to_vec(),
                    "two, two, two, two €".into(),
                    vec![3; 140],
                    vec![4; 67],
                    b"five".to_vec(),
                ];
                assert_eq!(messages, expected);
                assert!(ticks > 300 && sent > 10, "{ticks} {sent}");
                let frames = support::wire::read_output(role, &probe.reached());
                let pongs = frames.iter().filter(|frame| frame.opcode == 10);
                let pongs: Vec<_> = pongs.map(|frame| &frame.payload[..]).collect();
                assert_eq!(pongs, [b"p1", b"p2", b"p3", b"p4"]);
                let texts = frames.iter().filter(|frame| frame.opcode == 1).count();
                assert_eq!(texts, sent);
                drop(end);
                probe.peer(|_| (Vec::new(), false));
                assert_eq!(probe.dropped(), 1);
            });
        }
    }
}
