//! `client` with servers that let it wait. These tests take eight seconds, and hardly more.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use crate::{
    answer_to, assert_done, assert_failed, at_once, opened,
    programs::{Program, accepted, listen, peer, rest},
};

/// With something for the machine to be slow.
const TEN_SECONDS: Duration = Duration::from_secs(12);

fn patient_client(uri: &str) -> Program {
    Program::start_with("client", TEN_SECONDS, |command| command.arg(uri))
}

#[test]
fn servers_that_do_not_answer_are_given_up_within_ten_seconds() {
    // Whether the connection is opened, what is sent then, and what the client tells in the end.
    let cases: [(&str, bool, &[u8], Option<&str>); 8] = [
        ("no answer", false, b"", Some("")),
        (
            "half an answer",
            false,
            b"HTTP/1.1 101 Switching Protocols\r\nUp",
            Some(""),
        ),
        (
            "half a refusal",
            false,
            b"HTTP/1.1 403 x\r\nContent-Length: 100\r\n\r\nmembers",
            Some("members"),
        ),
        ("no Close frame", true, b"", Some("")),
        ("half a Close frame", true, b"\x88\x02\x03", Some("")),
        ("half a message", true, b"\x81\x02n", Some("")),
        ("no end behind a broken frame", true, b"\x83\x00", Some("")),
        (
            "no end behind its Close frame",
            true,
            b"\x88\x02\x03\xe8",
            None,
        ),
    ];
    thread::scope(|scope| {
        scope.spawn(|| {
            let nobody_accepts = listen();
            let address = nobody_accepts.local_addr().expect("it is bound");
            let ended = patient_client(&format!("ws://{address}/")).finish();
            assert_failed(&ended, "nobody accepts", "", "");
        });
        at_once(&cases, |&(case, opens, bytes, why)| {
            let bytes = bytes.to_vec();
            let server = peer(move |listener| {
                let mut stream = accepted(listener);
                let answer = answer_to(&mut stream);
                let answer = if opens { answer.as_bytes() } else { b"" };
                let all = [answer, &bytes].concat();
                stream.write_all(&all).expect("a reader");
                rest(&stream)
            });
            let mut client = patient_client(&server.uri());
            client.end_stdin();
            let ended = client.finish();
            match why {
                Some(why) => assert_failed(&ended, case, "", why),
                None => assert_done(&ended, ""),
            }
        });
    });
}

#[test]
fn servers_that_go_on_sending_are_listened_to_as_long_as_they_do() {
    let server = peer(|listener| {
        let mut stream = opened(listener);
        let start = Instant::now();
        // Two bytes of text, now and then, for longer than any silence is put up with.
        while start.elapsed() < Duration::from_secs(9) {
            stream.write_all(b"\x81\x02hi").expect("a reader");
            thread::park_timeout(Duration::from_secs(1));
        }
        stream.write_all(b"\x88\x02\x03\xe8").expect("a reader");
        drop(stream);
    });
    let mut client = Program::start_with("client", Duration::from_secs(20), |command| {
        command.arg(server.uri())
    });
    client.end_stdin();
    let ended = client.finish();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with(b"hi\nhi\n"), "{ended:?}");
}

#[test]
fn servers_that_do_not_read_are_given_up_within_ten_seconds_while_stdin_is_endless() {
    // How much the sockets take is a matter of chance.
    let lengths: Vec<_> = (0..24).map(|n| 60_000 + 500 * n).collect();
    at_once(&lengths, |&length| {
        let server = peer(|listener| {
            let stream = opened(listener);
            thread::park();
            drop(stream);
        });
        let mut client = patient_client(&server.uri());
        client.say_for_ever("x".repeat(length) + "\n");
        assert_failed(&client.finish(), "endless", "", "reads nothing");
    });
}
