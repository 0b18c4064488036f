//! What the polled adapter makes of a transport that stalls or fails: at the first call, at the second, at
//! the third, and so on to the end of a script, on a clock that is paused. Every operation ends in time with
//! an error that tells why, what had arrived before is delivered, and nothing is left behind.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use framewire::{
    CloseCode, Config, Keepalive, MessageKind, RecvBuf, Role, TimedOut, client, server,
    tokio::Tokio,
};
use manual::Manual;
use pipe::{Act, Behind, CALLS, Call, Moment, Pipe, Probe};
use polled::{End, FORMS, Form, Peer, end_of, other, run};
use script::{Why, why};
use support::{
    ROLES,
    trace::{Seen, drain, feed},
    wire::{frame, input},
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const WRITE: u64 = 7;
const CLOSE: u64 = 3;
const SILENCE: u64 = 9;

fn config() -> Config {
    let keepalive = Keepalive {
        interval: 5 * SECOND,
        timeout: 4 * SECOND,
    };
    let config = Config::new().write_timeout(Duration::from_secs(WRITE));
    config
        .close_timeout(Duration::from_secs(CLOSE))
        .keepalive(keepalive)
}

#[derive(Clone, Copy, Debug)]
struct Case {
    role: Role,
    form: Form,
    most: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    received: Vec<Vec<u8>>,
    errors: Vec<Why>,
    /// Whether the peer's Close frame came.
    by_handshake: bool,
    delivered: Vec<u8>,
    failed_at: Option<usize>,
    reached: Vec<u8>,
    calls: usize,
    /// The longest that an operation took.
    longest: u64,
}

/// Receives, sends, receives, closes, and receives to the end, whatever happens.
async fn session(case: Case, plan: impl FnMut(Moment) -> Option<Act> + Send + 'static) -> Outcome {
    let (mut end, probe) = polled::open::<Tokio>(case.form, end_of(case.role, config(), false));
    let mut peer = Peer::new(end_of(other(case.role), Config::new(), false));
    peer.conn.send_text("one").expect("open");
    peer.conn.start_message(MessageKind::Text).expect("open");
    peer.conn.send_part(b"t").expect("started");
    peer.conn.send_ping(b"p").expect("open");
    peer.conn.finish_message(b"wo").expect("started");
    peer.conn.send_binary(&[3; 9]).expect("open");
    let said = drain(&mut peer.conn);
    for piece in said.chunks(13) {
        probe.deliver(piece);
    }
    let peer = peer.attach(&probe, 2);
    probe.pieces(case.most, case.most);
    probe.plan(plan);
    let (mut received, mut errors, mut longest) = (Vec::new(), Vec::new(), 0);
    let mut is_over = false;
    for step in 0..20 {
        let begun = Instant::now();
        let result = match step {
            1 => why(end.send("a message of ours").await).map(|()| None),
            2 => why(end.feed(&[7; 20]).await).map(|()| None),
            4 => end.begin_close().map(|()| None).map_err(Why::Send),
            _ => match why(end.recv().await) {
                Ok(None) => {
                    is_over = true;
                    Ok(None)
                }
                Ok(message) => Ok(message),
                Err(error) => Err(error),
            },
        };
        longest = longest.max(begun.elapsed().as_secs());
        match result {
            Ok(message) => received.extend(message.map(|message| message.payload().to_vec())),
            Err(error) => errors.push(error),
        }
        if is_over && step > 4 {
            break;
        }
    }
    assert!(is_over, "there is an end: {errors:?}");
    let closed = end.with(|conn| conn.closed()).expect("closed");
    drop(end);
    assert_eq!(probe.dropped(), 1);
    let calls = probe.calls();
    let outcome = Outcome {
        received,
        errors,
        by_handshake: closed.code != CloseCode::ABNORMAL,
        delivered: probe.delivered(),
        failed_at: probe.failed_at(),
        reached: probe.reached(),
        calls,
        longest,
    };
    probe.peer(|_| (Vec::new(), false));
    drop(peer);
    outcome
}

/// The messages that are complete in what was delivered.
fn messages(role: Role, delivered: &[u8]) -> Vec<Vec<u8>> {
    let mut conn = end_of(role, Config::new(), false);
    let (events, _) = feed(&mut conn, &mut RecvBuf::new(), [delivered]);
    let data = events.into_iter().filter_map(|seen| match seen {
        Seen::Text(text) => Some(text.into_bytes()),
        Seen::Binary(data) => Some(data),
        _ => None,
    });
    data.collect()
}

fn cases() -> impl Iterator<Item = Case> {
    ROLES.into_iter().flat_map(|role| {
        FORMS.into_iter().flat_map(move |form| {
            let most = [usize::MAX, 1];
            most.map(|most| Case { role, form, most })
        })
    })
}

/// What holds for every session, whatever has happened in it.
fn check(case: Case, expected: &Outcome, found: &Outcome, fault: &str) {
    let context = format!("{fault} of {case:?}: {:?}", found.errors);
    let arrived = messages(case.role, &found.delivered);
    let before = &found.delivered[..found.failed_at.unwrap_or(found.delivered.len())];
    // Behind a deadline everything is discarded, and so is what follows a read that has failed.
    let timed_out = found
        .errors
        .iter()
        .any(|why| matches!(why, Why::TimedOut(_)));
    let is_all = found.received == arrived || found.received == messages(case.role, before);
    assert!(is_all || timed_out, "{:?}, {context}", found.received);
    assert!(expected.received.starts_with(&found.received), "{context}");
    // A write that was taken in part when the clock had been looked at has its time from the next look on.
    assert!(found.longest <= 2 * WRITE, "{} s, {context}", found.longest);
    let is_prefix = expected.reached.starts_with(&found.reached);
    // A keepalive's ping or an earlier Close frame may be among it.
    assert!(
        is_prefix || !found.errors.is_empty() || found.longest > 0,
        "{context}"
    );
    assert!(
        found.by_handshake || !found.errors.is_empty(),
        "an end without a reason, {context}"
    );
    assert!(
        found.calls < 2 * expected.calls + 100,
        "{} calls, {context}",
        found.calls
    );
}

// req: A-09
#[test]
fn transport_that_stalls_at_any_call_ends_every_operation_in_time() {
    for case in cases() {
        let expected = run(session(case, |_| None));
        assert_eq!((expected.received.len(), expected.errors.len()), (3, 0));
        for call in CALLS {
            for k in 1..=expected.calls {
                let plan = move |moment: Moment| {
                    (moment.call == call && moment.nth == k).then_some(Act::Hold)
                };
                let found = run(session(case, plan));
                check(case, &expected, &found, &format!("{call:?} {k} stalls"));
                if found.longest == 0 {
                    assert_eq!(found, expected, "{call:?} {k} was not met");
                    break;
                }
            }
        }
    }
}

// req: A-09
#[test]
fn error_of_any_kind_at_any_call_is_told_and_loses_nothing_that_had_arrived() {
    let kinds = [
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::TimedOut,
        ErrorKind::Other,
        ErrorKind::UnexpectedEof,
        ErrorKind::Interrupted,
    ];
    for case in cases() {
        let expected = run(session(case, |_| None));
        for k in 1..=expected.calls {
            for kind in kinds {
                for act in [Act::Once(kind), Act::ForGood(kind)] {
                    let plan = move |moment: Moment| (moment.io == k).then_some(act);
                    let found = run(session(case, plan));
                    check(case, &expected, &found, &format!("{act:?} at call {k}"));
                    if act == Act::Once(ErrorKind::Interrupted) {
                        assert_eq!(found.errors, [], "at call {k} of {case:?}");
                    }
                }
            }
            for act in [Act::Zero, Act::Part, Act::Pend] {
                let plan = move |moment: Moment| (moment.io == k).then_some(act);
                let found = run(session(case, plan));
                check(case, &expected, &found, &format!("{act:?} at call {k}"));
            }
        }
    }
}

/// How long something took, in seconds of the paused clock.
async fn timed<T>(what: impl Future<Output = T>) -> (T, u64) {
    let begun = Instant::now();
    let done = what.await;
    (done, begun.elapsed().as_secs())
}

fn open(role: Role, form: Form) -> (End<Pipe, Tokio>, Probe) {
    let config = Config::new()
        .write_timeout(7 * SECOND)
        .close_timeout(3 * SECOND);
    polled::open(form, end_of(role, config, false))
}

// req: A-09
#[test]
fn peer_that_reads_nothing_or_does_not_answer_a_close_is_given_up_in_time() {
    for role in ROLES {
        for form in FORMS {
            run(async {
                let (mut end, probe) = open(role, form);
                probe.capacity(0);
                let sent = timed(end.send("too long for it")).await;
                let timed_out = Err(Why::TimedOut(TimedOut::Write));
                assert_eq!((why(sent.0), sent.1), (timed_out.clone(), 7));
                assert!(end.send("again").await.is_err());

                let (mut end, probe) = open(role, form);
                probe.gathering();
                probe.plan(|moment| (moment.call == Call::Flush).then_some(Act::Hold));
                let sent = timed(end.send("gathered")).await;
                assert_eq!((why(sent.0), sent.1), (timed_out, 7), "{role:?} {form:?}");

                let (mut end, probe) = open(role, form);
                let (closed, after) = timed(end.close(CloseCode::NORMAL, "")).await;
                let timed_out = Err(Why::TimedOut(TimedOut::Close));
                assert_eq!((why(closed), after), (timed_out, 3));
                drop(end);
                assert_eq!(probe.dropped(), 1);
            });
        }
    }
}

// req: A-09
#[test]
fn end_of_the_transport_that_never_comes_is_not_waited_for() {
    for role in ROLES {
        for form in FORMS {
            run(async {
                let (mut end, probe) = open(role, form);
                let peer = Peer::new(end_of(other(role), Config::new(), false));
                let _peer = peer.attach(&probe, 1);
                probe.plan(|moment| (moment.call == Call::EndWriting).then_some(Act::Hold));
                let (closed, after) = timed(end.close(CloseCode::NORMAL, "")).await;
                assert!(closed.expect("the peer has answered").clean);
                assert_eq!((after, probe.count(Call::EndWriting) > 0), (1, true));
                probe.peer(|_| (Vec::new(), false));
            });
        }
    }
}

// req: A-09
#[test]
fn peer_that_has_ended_its_side_still_gets_what_is_queued() {
    for role in ROLES {
        for form in FORMS {
            run(async {
                let (mut end, probe) = open(role, form);
                probe.stays_open();
                probe.capacity(0);
                end.feed("the last").await.expect("room");
                probe.deliver(&input(role, &frame(0x81, b"bye")));
                probe.end(Behind::Eof);
                assert_eq!(
                    end.recv().await.expect("it had arrived"),
                    Some("bye".into())
                );
                assert_eq!(why(end.recv().await), Err(Why::Eof));
                probe.capacity(100);
                end.flush().await.expect("the peer reads");
                let frames = support::wire::read_output(role, &probe.reached());
                assert_eq!(frames[0].payload, b"the last");
            });
        }
    }
}

// req: A-09
#[test]
fn opening_handshake_that_stalls_ends_in_time_and_leaves_nothing() {
    run(async {
        for stalls in [Call::Read, Call::Write, Call::Flush] {
            let (pipe, probe) = Pipe::new();
            probe.plan(move |moment| (moment.call == stalls).then_some(Act::Hold));
            let request = client::Request::new("ws://h/").expect("a URI");
            let config = client::Config::new().timeout(6 * SECOND);
            let (opened, after) = timed(framewire::tokio::client(pipe, &request, &config)).await;
            let timed_out = Why::TimedOut(TimedOut::Handshake);
            assert_eq!((why(opened.map(|_| ())), after), (Err(timed_out), 6));
            assert_eq!(probe.dropped(), 1);
        }
        let (pipe, probe) = Pipe::new();
        probe.deliver(b"GET / HT");
        let config = server::Config::new().timeout(6 * SECOND);
        let (opened, after) = timed(framewire::tokio::accept(pipe, &config)).await;
        let timed_out = Why::TimedOut(TimedOut::Handshake);
        assert_eq!((why(opened.map(|_| ())), after), (Err(timed_out), 6));
        assert_eq!(probe.dropped(), 1);
        for stalls in [Call::Write, Call::Flush] {
            let (pipe, probe) = Pipe::new();
            probe.deliver(
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
            probe.plan(move |moment| (moment.call == stalls).then_some(Act::Hold));
            let config = config
                .clone()
                .connection(Config::new().write_timeout(7 * SECOND));
            let (opened, after) = timed(framewire::tokio::accept(pipe, &config)).await;
            let timed_out = Why::TimedOut(TimedOut::Write);
            assert_eq!((why(opened.map(|_| ())), after), (Err(timed_out), 7));
            assert_eq!(probe.dropped(), 1);
        }
    });
}

#[test]
fn connection_has_one_timer_at_most_and_resets_it_rarely() {
    for role in ROLES {
        for form in FORMS {
            manual::reset_clock();
            let (mut end, probe) = polled::open::<Manual>(form, end_of(role, config(), false));
            let messages = 1000;
            let feeder = probe.clone();
            let mut tasks = [manual::Task::new(async move {
                for _ in 0..messages {
                    feeder.deliver(&input(role, &frame(0x81, b"Hello")));
                    let message = end.recv().await.expect("no error").expect("a message");
                    end.send(&message).await.expect("no error");
                }
                assert!(end.recv().await.is_err());
            })];
            manual::run_woken(&mut tasks);
            let (live, most, made) = manual::timers();
            assert!(live <= 1 && most <= 1 && made <= 1, "{live} {most} {made}");
            while !tasks[0].is_done() {
                assert!(manual::next_timer());
                manual::run_woken(&mut tasks);
            }
            assert_eq!(manual::now().as_secs(), SILENCE);
            let (live, most, made) = manual::timers();
            assert_eq!((live, most, made), (0, 1, 1));
            assert!(manual::timer_polls() < 20, "{}", manual::timer_polls());
        }
    }
}
