//! The two halves of a split WebSocket, for transports that are polled: who writes for whom, who wakes whom,
//! and who is told what. Tasks are polled only when they were woken. Random orders are in
//! `nonblocking_split_random.rs`.
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

use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::Duration;

use framewire::{
    CloseCode, Config, Keepalive, Message, Role, SendError, TimedOut,
    nonblocking::{Receiver, Sender},
};
use manual::{Manual, Task, next_timer, now, run_woken, timers};
use pipe::{Act, Behind, Call, Moment, Pipe, Probe};
use polled::{end_of, websocket};
use script::{Why, why};
use support::{
    ROLES,
    wire::{frame, input, read_output},
};

const SECOND: Duration = Duration::from_secs(1);

fn split(role: Role, config: Config) -> (Receiver<Pipe, Manual>, Sender<Pipe, Manual>, Probe) {
    manual::reset_clock();
    let (pipe, probe) = Pipe::new();
    let (receiver, sender) = websocket(pipe, end_of(role, config, false)).split();
    (receiver, sender, probe)
}

/// What happened to whom, and when.
type Told = (&'static str, u64, Result<Option<Message>, Why>);
type Log = RefCell<Vec<Told>>;

fn note(log: &Log, who: &'static str, what: Result<Option<Message>, framewire::Error>) {
    log.borrow_mut().push((who, now().as_secs(), why(what)));
}

fn sorted(log: &Log) -> Vec<Told> {
    let mut told = log.take();
    told.sort_by_key(|(who, ..)| *who);
    told
}

async fn receive(mut receiver: Receiver<Pipe, Manual>, log: &Log) {
    loop {
        let result = receiver.recv().await;
        let goes_on = matches!(result, Ok(Some(_)));
        note(log, "receiver", result);
        if !goes_on {
            return;
        }
    }
}

async fn send(sender: Sender<Pipe, Manual>, who: &'static str, data: &[u8], log: &Log) {
    note(log, who, sender.send(data).await.map(|()| None));
}

fn opcodes(role: Role, probe: &Probe) -> Vec<u8> {
    let frames = read_output(role, &probe.reached());
    frames.iter().map(|frame| frame.opcode).collect()
}

fn ping(role: Role) -> Vec<u8> {
    input(role, &frame(0x89, b"ping"))
}

// req: A-07
#[test]
fn all_that_are_blocked_in_writing_go_on_when_the_peer_reads() {
    for role in ROLES {
        let log = &Log::default();
        let (receiver, sender, probe) = split(role, Config::new());
        probe.capacity(0);
        probe.deliver(&ping(role));
        let mut tasks = [
            Task::new(receive(receiver, log)),
            Task::new(send(sender.clone(), "a", &[1; 3000], log)),
            Task::new(send(sender, "b", &[2; 3000], log)),
        ];
        run_woken(&mut tasks);
        assert!(log.borrow().is_empty() && probe.reached().is_empty());
        probe.capacity(10_000);
        run_woken(&mut tasks);
        let done: Vec<_> = sorted(log).into_iter().map(|(who, ..)| who).collect();
        assert_eq!(done, ["a", "b"]);
        let mut frames = opcodes(role, &probe);
        frames.sort_unstable();
        assert_eq!(frames, [2, 2, 10]);
        // The receiver still waits, and for nothing.
        assert!(!tasks[0].is_done() && !tasks[0].is_woken());
        probe.deliver(&input(role, &frame(0x81, b"more")));
        run_woken(&mut tasks);
        assert_eq!(log.take(), [("receiver", 0, Ok(Some("more".into())))]);
    }
}

// req
#[test]
fn receiver_goes_on_with_what_a_dropped_sender_has_begun() {
    for role in ROLES {
        for senders in [1, 2] {
            let log = &Log::default();
            let (receiver, sender, probe) = split(role, Config::new());
            probe.capacity(100);
            let mut tasks = vec![Task::new(receive(receiver, log))];
            for _ in 0..senders {
                tasks.push(Task::new(send(sender.clone(), "sender", &[1; 3000], log)));
            }
            run_woken(&mut tasks);
            for task in &mut tasks[1..] {
                task.abandon();
            }
            for _ in 0..senders * 40 {
                probe.take(usize::MAX);
                run_woken(&mut tasks);
            }
            assert_eq!(opcodes(role, &probe), vec![2; senders], "whole, and once");
        }
    }
}

// req
#[test]
fn sender_goes_on_when_the_receiver_or_another_sender_is_dropped() {
    for role in ROLES {
        for dropped in [0, 1] {
            let log = &Log::default();
            let (receiver, sender, probe) = split(role, Config::new());
            probe.capacity(0);
            probe.deliver(&ping(role));
            let mut tasks = [
                Task::new(receive(receiver, log)),
                Task::new(send(sender.clone(), "a", b"a", log)),
                Task::new(send(sender, "b", b"b", log)),
            ];
            run_woken(&mut tasks);
            tasks[dropped].abandon();
            probe.capacity(1000);
            run_woken(&mut tasks);
            assert!(tasks[2].is_done() && tasks[1].is_done());
            let mut frames = opcodes(role, &probe);
            frames.sort_unstable();
            assert_eq!(frames, [2, 2, 10]);
        }
    }
}

// req: A-07
#[test]
fn receiver_flushes_what_a_sender_has_fed_when_it_is_about_to_wait() {
    for role in ROLES {
        let log = &Log::default();
        let (receiver, sender, probe) = split(role, Config::new());
        run_woken(&mut [Task::new(async {
            sender.feed("before").await.expect("open")
        })]);
        assert!(probe.reached().is_empty(), "it gathers");
        let mut tasks = [Task::new(receive(receiver, log))];
        run_woken(&mut tasks);
        assert_eq!(opcodes(role, &probe), [1]);
        run_woken(&mut [Task::new(async {
            sender.feed("during").await.expect("open")
        })]);
        probe.deliver(&ping(role));
        run_woken(&mut tasks);
        assert_eq!(opcodes(role, &probe), [1, 1, 10]);
    }
}

/// Lets time pass until all tasks are done.
fn pass(tasks: &mut [Task<'_>]) {
    run_woken(tasks);
    let mut fired = 0;
    while tasks.iter().any(|task| !task.is_done()) {
        let done: Vec<_> = tasks.iter().map(Task::is_done).collect();
        assert!(
            next_timer(),
            "somebody waits without a deadline: {done:?}, {:?}",
            now()
        );
        run_woken(tasks);
        fired += 1;
        assert!(fired < 1000, "timers that fire for ever");
    }
    let (_, most, _) = timers();
    assert!(most <= 1, "{most} timers of one connection");
}

// req: A-07
#[test]
fn sender_that_is_blocked_times_out_with_nobody_receiving() {
    for role in ROLES {
        let log = &Log::default();
        let (_receiver, sender, probe) = split(role, Config::new().write_timeout(7 * SECOND));
        probe.capacity(10);
        let mut tasks = [
            Task::new(send(sender.clone(), "a", &[0; 50], log)),
            Task::new(send(sender, "b", b"b", log)),
        ];
        pass(&mut tasks);
        let timed_out = Err(Why::TimedOut(TimedOut::Write));
        assert_eq!(
            sorted(log),
            [("a", 7, timed_out.clone()), ("b", 7, timed_out)]
        );
    }
}

// req: A-07
#[test]
fn everybody_who_waits_is_told_of_a_write_that_timed_out_whoever_finds_it() {
    for role in ROLES {
        let log = &Log::default();
        let (receiver, sender, probe) = split(role, Config::new().write_timeout(7 * SECOND));
        probe.capacity(10);
        let mut tasks = vec![Task::new(receive(receiver, log))];
        run_woken(&mut tasks);
        tasks.push(Task::new(send(sender.clone(), "a", &[0; 80_000], log)));
        tasks.push(Task::new(send(sender.clone(), "b", b"b", log)));
        pass(&mut tasks);
        let timed_out = Err(Why::TimedOut(TimedOut::Write));
        let expected = ["a", "b", "receiver"].map(|who| (who, 7, timed_out.clone()));
        assert_eq!(sorted(log), expected);
    }
}

// req: A-07
#[test]
fn receiver_that_waits_watches_over_what_a_sender_has_begun_to_write_and_left() {
    for role in ROLES {
        for dropped in [false, true] {
            let log = &Log::default();
            let (receiver, sender, probe) = split(role, Config::new().write_timeout(7 * SECOND));
            probe.capacity(10);
            let mut tasks = vec![Task::new(receive(receiver, log))];
            run_woken(&mut tasks);
            let mut other = [Task::new(async {
                if dropped {
                    sender.send(b"little").await.expect("to wait");
                    sender.send(&[0; 50]).await.expect("to wait");
                } else {
                    // Begins to write, and does not wait for the end of it.
                    sender.feed(&[0; 80_000]).await.expect("there is room");
                }
            })];
            run_woken(&mut other);
            other[0].abandon();
            pass(&mut tasks);
            let timed_out = Err(Why::TimedOut(TimedOut::Write));
            assert_eq!(
                log.take(),
                [("receiver", 7, timed_out)],
                "{role:?} {dropped}"
            );
        }
    }
}

// req: A-07
#[test]
fn keepalive_of_the_receiver_fires_while_senders_wait() {
    let keepalive = Keepalive {
        interval: 5 * SECOND,
        timeout: 4 * SECOND,
    };
    for role in ROLES {
        let log = &Log::default();
        let config = Config::new()
            .keepalive(keepalive)
            .write_timeout(100 * SECOND);
        let (receiver, sender, probe) = split(role, config);
        let mut tasks = vec![Task::new(receive(receiver, log))];
        run_woken(&mut tasks);
        // The ping leaves, and then nothing more.
        assert!(next_timer());
        run_woken(&mut tasks);
        assert_eq!(opcodes(role, &probe), [9]);
        probe.capacity(0);
        tasks.push(Task::new(send(sender.clone(), "a", b"a", log)));
        tasks.push(Task::new(send(sender, "b", b"b", log)));
        pass(&mut tasks);
        let silent = Err(Why::TimedOut(TimedOut::Keepalive));
        let expected = ["a", "b", "receiver"].map(|who| (who, 9, silent.clone()));
        assert_eq!(sorted(log), expected);
    }
}

// req: A-07
#[test]
fn close_of_a_sender_wakes_the_receiver_which_times_out_if_the_peer_does_not_answer() {
    for role in ROLES {
        let log = &Log::default();
        let (receiver, sender, probe) = split(role, Config::new().close_timeout(3 * SECOND));
        let mut tasks = vec![Task::new(receive(receiver, log))];
        run_woken(&mut tasks);
        assert_eq!(timers().2, 0, "nothing to wait for, no timer");
        tasks.push(Task::new(async {
            for who in ["close", "again"] {
                note(
                    log,
                    who,
                    sender.close(CloseCode::NORMAL, "").await.map(|()| None),
                );
            }
            drop(sender);
        }));
        pass(&mut tasks);
        let closed = Err(Why::Send(SendError::Closed));
        let timed_out = Err(Why::TimedOut(TimedOut::Close));
        let expected = [
            ("close", 0, Ok(None)),
            ("again", 0, closed),
            ("receiver", 3, timed_out),
        ];
        assert_eq!(log.take(), expected);
        assert_eq!(opcodes(role, &probe), [8]);
        drop(tasks);
        assert_eq!((probe.dropped(), timers().0), (1, 0));
    }
}

// req
#[test]
fn everybody_who_waits_is_told_that_the_peer_is_gone() {
    for role in ROLES {
        for kind in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset] {
            let log = &Log::default();
            let (receiver, sender, probe) = split(role, Config::new());
            probe.capacity(0);
            probe.deliver(&input(role, &frame(0x81, b"bye")));
            let mut tasks = [
                Task::new(receive(receiver, log)),
                Task::new(send(sender.clone(), "a", b"a", log)),
                Task::new(send(sender.clone(), "b", b"b", log)),
            ];
            run_woken(&mut tasks);
            assert_eq!(log.take(), [("receiver", 0, Ok(Some("bye".into())))]);
            probe.plan(move |moment: Moment| {
                (moment.call == Call::Write).then_some(Act::ForGood(kind))
            });
            probe.capacity(1000);
            run_woken(&mut tasks);
            probe.end(Behind::Error(ErrorKind::ConnectionReset));
            run_woken(&mut tasks);
            let expected = ["a", "b", "receiver"].map(|who| (who, 0, Err(Why::Io(kind))));
            assert_eq!(sorted(log), expected);
        }
    }
}

// req
#[test]
fn sender_that_waits_ends_in_time_when_the_peer_has_ended_its_side_and_reads_nothing() {
    for role in ROLES {
        let log = &Log::default();
        let (receiver, sender, probe) = split(role, Config::new().write_timeout(7 * SECOND));
        probe.capacity(0);
        let mut tasks = [
            Task::new(receive(receiver, log)),
            Task::new(send(sender, "a", b"a", log)),
        ];
        run_woken(&mut tasks);
        probe.end(Behind::Eof);
        pass(&mut tasks);
        let told = sorted(log);
        assert!(matches!(told[0], ("a", 0..=7, Err(_))), "{told:?}");
        assert_eq!(told[1], ("receiver", 0, Err(Why::Eof)));
    }
}

// req
#[test]
fn everybody_who_waits_is_told_what_a_newcomer_finds() {
    for role in ROLES {
        for times_out in [false, true] {
            let log = &Log::default();
            let (receiver, sender, probe) = split(role, Config::new().write_timeout(7 * SECOND));
            probe.capacity(0);
            let mut tasks = vec![
                Task::new(receive(receiver, log)),
                Task::new(send(sender.clone(), "a", b"a", log)),
            ];
            run_woken(&mut tasks);
            // Neither the transport nor the timer wakes anybody.
            let found = if times_out {
                manual::pass_unnoticed(7 * SECOND);
                Why::TimedOut(TimedOut::Write)
            } else {
                probe.plan(|moment: Moment| {
                    let kind = ErrorKind::BrokenPipe;
                    (moment.call == Call::Write).then_some(Act::ForGood(kind))
                });
                Why::Io(ErrorKind::BrokenPipe)
            };
            tasks.push(Task::new(async {
                note(log, "b", sender.flush().await.map(|()| None));
            }));
            run_woken(&mut tasks);
            let told = sorted(log);
            let told: Vec<_> = told.into_iter().map(|(who, _, what)| (who, what)).collect();
            // The receiver reads on until the transport ends, unless it is over.
            let mut expected = vec![("a", Err(found.clone())), ("b", Err(found.clone()))];
            if times_out {
                expected.push(("receiver", Err(found)));
            }
            assert_eq!(told, expected, "{role:?}");
        }
    }
}
