//! `client` with servers that refuse, break the rules, or go away.

use std::{io::Write as _, net::Shutdown};

use framewire::Role;

use crate::{
    answer_to, assert_done, assert_failed, at_once, broken_frames, closes, code, opened,
    programs::{Peer, accepted, connected, listen, peer, rest},
    start_client,
    support::wire::{Frame, close, frame, read_output},
};

/// A server that opens the connection, sends this, and ends its direction if it is to. What the client
/// has sent.
fn sends(bytes: Vec<u8>, ends: bool) -> Peer<Vec<Frame>> {
    peer(move |listener| {
        let mut stream = opened(listener);
        // A client may go before it has read all.
        let _ = stream.write_all(&bytes);
        if ends {
            let _ = stream.shutdown(Shutdown::Write);
        }
        read_output(Role::Client, &rest(&stream))
    })
}

#[test]
fn a_close_frame_without_a_code_is_told_as_1005() {
    let server = sends(frame(0x88, b""), true);
    let ended = start_client(&server.uri(), true).finish();
    assert_failed(&ended, "no code", "", "1005");
    assert_eq!(server.join().iter().map(code).collect::<Vec<_>>(), [None]);
}

#[test]
fn broken_frames_are_told_and_not_printed_when_stdin_has_ended() {
    at_once(&broken_frames(), |broken| assert_told(broken, false));
}

#[test]
fn broken_frames_are_told_and_not_printed_while_stdin_is_open() {
    at_once(&broken_frames(), |broken| assert_told(broken, true));
}

#[track_caller]
fn assert_told(broken: &(&str, Vec<u8>, u16), stdin_is_open: bool) {
    let (case, bytes, answer) = broken;
    let server = sends([frame(0x81, b"ok"), bytes.clone()].concat(), false);
    let ended = start_client(&server.uri(), stdin_is_open).finish();
    assert_failed(&ended, case, "ok\n", "");
    if stdin_is_open {
        let codes: Vec<_> = server.join().iter().map(code).collect();
        assert_eq!(codes, [Some(*answer)], "{case}");
    }
}

#[test]
fn a_transport_that_ends_without_a_close_frame_is_told() {
    let cases: [(&str, &[u8]); 4] = [
        ("at once", b""),
        ("in a header", b"\x81"),
        ("in a payload", b"\x81\x05no"),
        ("in a message", b"\x01\x02no"),
    ];
    at_once(&cases, |(case, part)| {
        for stdin_is_open in [true, false] {
            let server = sends([&frame(0x81, b"ok"), *part].concat(), true);
            let ended = start_client(&server.uri(), stdin_is_open).finish();
            assert_failed(&ended, case, "ok\n", "");
        }
    });
}

#[test]
fn a_reset_is_told() {
    let server = peer(|listener| {
        let stream = opened(listener);
        // What is not read makes the end a reset.
        assert_eq!(stream.peek(&mut [0]).expect("a message"), 1);
    });
    let mut client = start_client(&server.uri(), true);
    client.say("nobody reads this\n");
    server.join();
    assert_failed(&client.finish(), "reset", "", "");
}

#[test]
fn a_server_that_has_closed_and_reads_no_more_has_closed_all_the_same() {
    let server = peer(|listener| {
        let mut stream = opened(listener);
        stream.peek(&mut [0]).expect("a message");
        stream.write_all(&close(1001, "")).expect("a reader");
    });
    let mut client = start_client(&server.uri(), true);
    client.say_for_ever("nobody reads this\n");
    assert_done(&client.finish(), "");
    server.join();
}

/// A server that answers the request with what comes of the right answer, and ends. Tells whether the
/// client has sent anything behind its request.
fn answers(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> Peer<bool> {
    peer(move |listener| {
        let mut stream = accepted(listener);
        let answer = answer(&answer_to(&mut stream));
        // A client may go before it has read all.
        let _ = stream.write_all(&answer);
        let _ = stream.shutdown(Shutdown::Write);
        !rest(&stream).is_empty()
    })
}

#[test]
fn refusals_are_told_with_their_status_and_the_beginning_of_their_body() {
    let long = format!("{}z", "y".repeat(100_000));
    let cases = [
        (403, "", "members only"),
        (404, "", ""),
        (301, "Location: ws://127.0.0.1:1/\r\n", "moved"),
        (200, "Content-Type: text/html\r\n", "<p>a page\n"),
        (
            426,
            "Upgrade: websocket\r\nSec-WebSocket-Version: 12\r\n",
            "",
        ),
        (503, "", &long),
    ];
    at_once(&cases, |&(status, headers, body)| {
        let length = format!("Content-Length: {}\r\n", body.len());
        for length in [&length, "Connection: close\r\n"] {
            let answer = format!("HTTP/1.1 {status} x\r\n{headers}{length}\r\n{body}");
            let server = answers(|_| answer.into());
            let ended = start_client(&server.uri(), true).finish();
            assert_failed(&ended, "status", "", &status.to_string());
            assert_failed(
                &ended,
                "body",
                "",
                body.get(..100).unwrap_or_else(|| body.trim()),
            );
            assert!(ended.stderr.len() < 1000, "{}", ended.tell());
            assert!(!server.join(), "{status}");
        }
    });
}

#[test]
fn broken_responses_are_told() {
    type Break = fn(&str) -> String;
    let cases: [(&str, Break); 13] = [
        ("nothing", |_| String::new()),
        ("half", |right| right[..40].into()),
        ("a line", |_| "hello\r\n\r\n".into()),
        ("another protocol", |_| "SSH-2.0-OpenSSH_9.9\r\n".into()),
        ("TLS", |_| "\x15\x03\x01\x00\x02\x02\x46".into()),
        ("LF", |right| right.replace("\r\n", "\n")),
        ("HTTP/1.0", |right| right.replace("HTTP/1.1", "HTTP/1.0")),
        ("accept", |right| right.replace("Accept: ", "Accept: A")),
        ("no accept", |right| right.replace("Accept", "Except")),
        ("upgrade", |right| right.replace("websocket", "h2c")),
        ("subprotocol", |right| {
            and(right, "Sec-WebSocket-Protocol: x")
        }),
        ("extension", |right| {
            and(right, "Sec-WebSocket-Extensions: x")
        }),
        ("long", |right| {
            and(right, &format!("A: {}", "b".repeat(20_000)))
        }),
    ];
    fn and(right: &str, line: &str) -> String {
        right.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))
    }
    at_once(&cases, |&(case, wrong)| {
        for stdin_is_open in [true, false] {
            let server = answers(move |right| {
                let wrong = wrong(right);
                // Nothing of what comes behind a complete answer is printed.
                let behind: &[u8] = if wrong.ends_with("\r\n\r\n") {
                    b"\x81\x02no"
                } else {
                    b""
                };
                [wrong.as_bytes(), behind].concat()
            });
            let ended = start_client(&server.uri(), stdin_is_open).finish();
            assert_failed(&ended, case, "", "");
            assert!(!server.join(), "{case}");
        }
    });
}

#[test]
fn a_message_behind_the_answer_is_printed() {
    let server = answers(|right| [right.as_bytes(), b"\x81\x05first\x88\x00"].concat());
    assert_failed(
        &start_client(&server.uri(), true).finish(),
        "",
        "first\n",
        "1005",
    );
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    // The port of a connected socket is nobody else's to listen at.
    let listener = listen();
    let taken = connected(listener.local_addr().expect("it is bound"));
    let address = taken.local_addr().expect("it is bound");
    let ended = start_client(&format!("ws://{address}/"), true).finish();
    assert_failed(&ended, "refused", "", &address.to_string());
}

#[test]
fn control_characters_of_a_server_never_reach_stderr() {
    let evil = "\x1b]0;pwned\x07\x1b[31m\u{9b}31m\u{90}\u{85}\r\x08\x7f\0";
    let body = peer(move |listener| {
        let mut stream = accepted(listener);
        answer_to(&mut stream);
        let answer = [b"HTTP/1.1 403 \x80\r\n\r\n\xff\x9b31m", evil.as_bytes()].concat();
        stream.write_all(&answer).expect("a reader");
    });
    let reasons = [1000, 1001, 1011].map(|code| closes(code, evil).uri());
    for uri in [body.uri()].iter().chain(&reasons) {
        let ended = start_client(uri, true).finish();
        let stderr = str::from_utf8(&ended.stderr).expect("UTF-8");
        let raw = |c: char| c.is_control() && c != '\n';
        assert!(stderr.contains("pwned"), "{}", ended.tell());
        assert!(!stderr.contains(raw), "{}", ended.tell());
    }
}
