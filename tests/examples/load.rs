//! `load`: what it tells of servers that do well, and of others.

use std::{
    io::{Read as _, Write as _},
    thread,
};

use framewire::CloseCode;

use crate::{
    connect, opened,
    programs::{Ended, Program, connected, peer},
};

/// A run that is over soon.
const SHORT: [&str; 6] = ["--connections", "24", "--rate", "200", "--seconds", "1"];

fn load(args: &[&str]) -> Ended {
    Program::start("load", &[&SHORT, args].concat()).finish()
}

#[track_caller]
fn assert_tells(ended: &Ended, line: &str) {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(stdout.contains(line), "{line}: {}", ended.tell());
}

#[track_caller]
fn assert_all_is_well(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{}", ended.tell());
    assert_tells(ended, "opened       24 of 24 connections");
    assert_tells(ended, "sent         200 messages");
    assert_tells(ended, "received     200 and compared");
}

#[test]
fn connections_in_several_tables_are_served_and_replaced() {
    // One table would be too small, and two as well.
    let tables = ["--descriptors", "44", "--threads", "3"];
    let ended = load(&[&tables[..], &["--churn", "10", "--size", "70000"]].concat());
    assert_all_is_well(&ended);
    assert_tells(&ended, "3 threads, a file table for each of them, 44 d");
    assert_tells(&ended, "10 closed, 10 opened anew; 0 not, 0 wrong, 0 lost");
    assert_tells(&ended, "24 with a closing handshake, 0 without");
}

#[test]
fn fewer_connections_are_opened_where_there_is_no_room() {
    let ended = load(&["--descriptors", "44", "--threads", "1"]);
    assert_eq!(ended.status, Some(0), "{}", ended.tell());
    assert_tells(&ended, "not enough for 24 connections: 11 instead");
    assert_tells(&ended, "opened       11 of 11 connections");
}

#[test]
fn another_server_is_loaded_as_well() {
    let (_server, address) = Program::serve("echo_tokio", &[]);
    let ended = load(&["--server", &address.to_string()]);
    assert_all_is_well(&ended);
}

#[test]
fn echo_that_is_wrong_in_its_last_byte_is_found() {
    let liar = peer(|listener| {
        loop {
            let mut stream = opened(listener);
            thread::spawn(move || {
                let mut frame = [0; 2 + 4 + 64];
                if stream.read_exact(&mut frame).is_ok() {
                    let mut back = vec![0x82, 64];
                    back.extend((0..64).map(|i| frame[6 + i] ^ frame[2 + i % 4]));
                    back[65] ^= 1;
                    // It may be gone already.
                    let _ = stream.write_all(&back);
                }
            });
        }
    });
    let address = liar.uri().replace("ws://", "").replace('/', "");
    let ended = load(&["--server", &address, "--connections", "1", "--threads", "1"]);
    assert_eq!(ended.status, Some(1), "{}", ended.tell());
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(
        stderr.contains("1 connections with wrong bytes"),
        "{stderr}"
    );
}

#[test]
fn server_without_descriptors_goes_on_when_some_come_free() {
    let args = ["serve", "--descriptors", "40", "--threads", "1"];
    let mut server = Program::start("load", &args);
    let line = server.line();
    let address = line.strip_prefix("listening on ").map(str::parse);
    let address = address.expect("an address").expect("an address");
    let silent: Vec<_> = (0..60).map(|_| connected(address)).collect();
    let figures = loop {
        server.say("\n");
        let line = server.line();
        let figures = line
            .split(' ')
            .map(|figure| figure.parse().expect("a number"));
        let figures: Vec<u64> = figures.collect();
        if figures[4] > 0 {
            break figures;
        }
    };
    assert!((20..40).contains(&figures[2]), "{figures:?}");
    drop(silent);
    let mut ws = connect(address, "/");
    ws.send("still there?").expect("a reader");
    assert_eq!(ws.recv().expect("an echo"), Some("still there?".into()));
    assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
    server.end_stdin();
    assert_eq!(server.finish().status, Some(0));
}
