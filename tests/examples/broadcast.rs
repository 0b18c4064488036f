//! `broadcast`: what subscribers get, and when they are let go.

use std::net::TcpStream;

use framewire::{CloseCode, blocking::WebSocket};

use crate::{assert_done, connect, programs::Program};

/// The next message of a subscriber.
#[track_caller]
fn assert_hears(subscriber: &mut WebSocket<TcpStream>, line: &str) {
    let heard = subscriber.recv().expect("a message");
    assert!(
        heard == Some(line.into()),
        "{:?}",
        heard.map(|h| h.payload().len())
    );
}

/// A subscriber has been let go with 1001, and nothing came before.
#[track_caller]
fn assert_let_go(subscriber: &mut WebSocket<TcpStream>) {
    assert_eq!(subscriber.recv().expect("a closing handshake"), None);
    let closed = subscriber.connection().closed().expect("it is");
    assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, true));
}

#[test]
fn each_line_comes_once_and_in_order_and_1001_at_the_end() {
    let (mut server, address) = Program::serve("broadcast", &[]);
    let [mut one, mut two, mut leaves] = ["/", "/", "/any/path"].map(|path| connect(address, path));
    // What subscribers say is not listened to.
    one.send("hello?").expect("a reader");
    for round in 0..40 {
        // As many as a subscriber may be behind.
        let lines: Vec<_> = (0..60)
            .map(|n| format!("{}ö{n}", "x".repeat(round * n)))
            .collect();
        server.say(lines.join("\n") + "\n");
        for line in &lines {
            assert_hears(&mut one, line);
            assert_hears(&mut two, line);
            if round == 0 {
                assert_hears(&mut leaves, line);
            }
        }
        if round == 0 {
            let closed = leaves.close(CloseCode::NORMAL, "").expect("an answer");
            assert!(closed.clean);
        }
    }
    let mut late = connect(address, "/");
    server.say("\nno final newline");
    server.end_stdin();
    for subscriber in [&mut one, &mut two, &mut late] {
        assert_hears(subscriber, "");
        assert_hears(subscriber, "no final newline");
        assert_let_go(subscriber);
    }
    let ended = server.finish();
    assert_eq!((ended.status, &ended.stdout[..]), (Some(0), &b""[..]));
}

#[test]
fn everybody_is_let_go_at_the_same_time() {
    let (mut server, address) = Program::serve("broadcast", &[]);
    let mut silent: Vec<_> = (0..9).map(|_| connect(address, "/")).collect();
    let mut answers = connect(address, "/");
    server.say("the last line\n");
    server.end_stdin();
    assert_hears(&mut answers, "the last line");
    assert_let_go(&mut answers);
    // None of them had to answer for that.
    for subscriber in &mut silent {
        assert_hears(subscriber, "the last line");
    }
    for subscriber in &mut silent {
        assert_let_go(subscriber);
    }
    let ended = server.finish();
    assert_eq!((ended.status, &ended.stdout[..]), (Some(0), &b""[..]));
}

#[test]
fn the_end_comes_at_once_when_nobody_is_there() {
    let (mut server, _) = Program::serve("broadcast", &[]);
    server.say("nobody is here\n");
    server.end_stdin();
    assert_done(&server.finish(), "");
}

#[test]
fn who_does_not_read_is_cut_off_while_the_others_get_everything() {
    let (mut server, address) = Program::serve("broadcast", &[]);
    let [mut reads, mut reads_late, reads_never] = [(); 3].map(|()| connect(address, "/"));
    let line = |n: usize| format!("{n} {}", "x".repeat(128 * 1024));
    for n in 0..400 {
        server.say(line(n) + "\n");
        assert_hears(&mut reads, &line(n));
    }
    // It had been cut off long before, and gets what it had been sent until then.
    let mut got = 0;
    while let Some(message) = reads_late.recv().expect("a Close frame in the end") {
        assert!(message == line(got).into(), "{got}");
        got += 1;
    }
    assert!((64..400).contains(&got), "{got}");
    let closed = reads_late.connection().closed().expect("it is");
    assert_eq!(closed.code, CloseCode::POLICY_VIOLATION);
    server.say("the last line\n");
    assert_hears(&mut reads, "the last line");
    server.end_stdin();
    assert_let_go(&mut reads);
    let ended = server.finish();
    assert_eq!((ended.status, &ended.stdout[..]), (Some(0), &b""[..]));
    drop(reads_never);
}
