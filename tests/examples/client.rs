//! `client` with servers that behave, its arguments and its stdin.

use std::{io::Write as _, net::Shutdown};

use framewire::{
    CloseCode, Event, Message,
    blocking::{self, Incoming},
    server::{Config, OriginPolicy},
};

use crate::{
    ECHOES, accept, assert_done, assert_failed, at_once, closes,
    programs::{PATIENCE, Peer, Program, accepted, peer, rest},
    start_client,
    support::wire::{close, frame},
};

#[test]
fn all_echo_servers_send_back_what_is_printed() {
    let cases = [
        ("", ""),
        ("Hello\n", "Hello\n"),
        ("no final newline", "no final newline\n"),
        ("\n", "\n"),
        ("\n\n\na\n\n", "\n\n\na\n\n"),
        ("a\r\n\r\nb\r\n", "a\n\nb\n"),
        (
            "κόσμε\n\u{10ffff} \u{feff}\u{0}\n",
            "κόσμε\n\u{10ffff} \u{feff}\u{0}\n",
        ),
        ("  a\tb  \n", "  a\tb  \n"),
        ("b64:AAEC\nb64:?\n", "b64:AAEC\nb64:?\n"),
    ];
    for echo in ECHOES {
        let (_server, address) = Program::serve(echo, &[]);
        at_once(&cases, |(stdin, stdout)| {
            let mut client = Program::start("client", &[&format!("ws://{address}/any/path?x=1")]);
            client.say_all(*stdin);
            assert_done(&client.finish(), stdout);
        });
    }
}

#[test]
fn a_line_of_a_mebibyte_comes_back_from_all_echo_servers() {
    let line = "0123456789abcd\u{e9}".repeat(1 << 16);
    for echo in ECHOES {
        let (_server, address) = Program::serve(echo, &[]);
        let mut client = Program::start("client", &[&format!("ws://{address}/")]);
        client.say_all(format!("{line}\nshort\n{line}"));
        assert_done(&client.finish(), format!("{line}\nshort\n{line}\n"));
    }
}

#[test]
fn a_hundred_thousand_lines_come_back_in_order_from_all_echo_servers() {
    let lines: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    at_once(ECHOES, |echo| {
        let (_server, address) = Program::serve(echo, &[]);
        let mut client = Program::start("client", &[&format!("ws://{address}/")]);
        client.say_all(lines.clone());
        assert_done(&client.finish(), &lines);
    });
}

#[test]
fn messages_are_printed_at_once_while_stdin_is_open() {
    for echo in ECHOES {
        let (_server, address) = Program::serve(echo, &[]);
        let mut client = Program::start("client", &[&format!("ws://{address}/")]);
        for n in 0..100 {
            client.say(format!("line {n}\n"));
            assert_eq!(client.line(), format!("line {n}"));
        }
        client.say("the last one");
        client.end_stdin();
        assert_done(&client.finish(), "the last one\n");
    }
}

#[test]
fn messages_are_printed_before_anything_is_said() {
    let server = peer(|listener| {
        let mut ws = accept(listener);
        ws.send("welcome").expect("a reader");
        ws.recv().expect("a closing handshake")
    });
    let mut client = start_client(&server.uri(), true);
    assert_eq!(client.line(), "welcome");
    client.end_stdin();
    assert_done(&client.finish(), "");
    assert_eq!(server.join(), None);
}

#[test]
fn the_end_of_stdin_closes_with_1000_and_what_comes_before_the_answer_is_printed() {
    let server = peer(|listener| {
        let mut ws = accept(listener);
        let mut heard = Vec::new();
        loop {
            match ws.recv_ref().expect("a Close frame") {
                Some((Event::Text(text), _)) => heard.push(text.to_string()),
                Some((Event::Close(frame), _)) => {
                    let frame = frame.expect("with a code");
                    heard.push(format!("{} {:?}", frame.code.get(), frame.reason));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        // The answer of the adapter is not written: there is more to be said before.
        let mut stream = ws.into_parts().stream;
        let late = [
            frame(0x81, b"late"),
            frame(0x89, b"?"),
            frame(0x81, b"later"),
        ];
        stream.write_all(&late.concat()).expect("a reader");
        stream.write_all(&close(1000, "")).expect("a reader");
        (
            heard,
            stream.shutdown(Shutdown::Write).map(|()| rest(&stream)),
        )
    });
    let mut client = start_client(&server.uri(), true);
    client.say_all("one\ntwo");
    assert_done(&client.finish(), "late\nlater\n");
    let (heard, behind) = server.join();
    assert_eq!(heard, ["one", "two", "1000 \"\""]);
    // Neither a pong nor a second Close frame.
    assert_eq!(behind.expect("it was connected"), b"");
}

#[test]
fn a_server_that_closes_with_1000_or_1001_ends_the_client_while_stdin_is_open() {
    for (code, stdin_is_open) in [(1000, true), (1001, true), (1000, false), (1001, false)] {
        let server = closes(code, "");
        let client = start_client(&server.uri(), stdin_is_open);
        assert_done(&client.finish(), "before\n");
        // It has been answered; where both have closed at the same time, stdin had ended.
        let closed = server.join();
        assert!(closed.clean);
        assert!(closed.code.get() == code || !stdin_is_open && closed.code == CloseCode::NORMAL);
    }
}

#[test]
fn every_other_code_is_told_on_stderr() {
    let codes = [
        1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4000, 4999,
    ];
    at_once(&codes, |&code| {
        let server = closes(code, "");
        let ended = start_client(&server.uri(), true).finish();
        assert_failed(&ended, "stdin is open", "before\n", &code.to_string());
        assert_eq!(server.join().code.get(), code);
        let server = closes(code, "overloaded");
        let ended = start_client(&server.uri(), false).finish();
        assert_failed(&ended, "stdin has ended", "before\n", &code.to_string());
        assert_failed(&ended, "with a reason", "before\n", "overloaded");
        assert!(server.join().clean);
    });
}

#[test]
fn a_stdout_that_nobody_reads_any_more_ends_the_client() {
    let server = peer(|listener| {
        let mut ws = accept(listener);
        ws.send("first").expect("a reader");
        let go_on = ws.recv().expect("a message");
        ws.send("second").expect("a reader");
        // However it ends, it ends.
        let _ = ws.recv();
        go_on
    });
    let mut client = start_client(&server.uri(), true);
    assert_eq!(client.line(), "first");
    client.close_stdout();
    client.say("go on\n");
    assert_failed(&client.finish(), "stdin is open", "", "");
    assert_eq!(server.join(), Some("go on".into()));
}

#[test]
fn arguments_that_make_no_sense_are_told() {
    let uri = "ws://127.0.0.1:9/";
    let cases: [&[&str]; 37] = [
        &[],
        &["--binary"],
        &["--help"],
        &["-x", uri],
        &[uri, uri],
        &[uri, "--protocol"],
        &[uri, "--header"],
        &[uri, "--origin"],
        &[uri, "--protocol", ""],
        &[uri, "--protocol", "a b"],
        &[uri, "--protocol", "a,b"],
        &[uri, "--protocol", "a", "--protocol", "a"],
        &[uri, "--header", "name"],
        &[uri, "--header", ": value"],
        &[uri, "--header", "a name: value"],
        &[uri, "--header", "name: a\r\nb: c"],
        &[uri, "--header", "Sec-WebSocket-Key: x"],
        &[uri, "--header", "Connection: close"],
        &[uri, "--origin", "a\nb: c"],
        &[""],
        &["127.0.0.1:9"],
        &["http://127.0.0.1:9/"],
        &["https://127.0.0.1:9/"],
        &[uri, "--ca"],
        &[uri, "--ca", "no such file"],
        &[uri, "--proxy"],
        &[uri, "--proxy", "ftp://127.0.0.1:9"],
        &[uri, "--proxy", "http://127.0.0.1:9/path"],
        &["ws:/127.0.0.1:9/"],
        &["ws://"],
        &["ws:///path"],
        &["ws://127.0.0.1:0/"],
        &["ws://127.0.0.1:99999/"],
        &["ws://127.0.0.1:9/#fragment"],
        &["ws://127.0.0.1:9/a b"],
        &["ws://user:password@127.0.0.1:9/"],
        &["ws://127.0.0.1:9/\x1b[31m"],
    ];
    at_once(&cases, |args| {
        let ended = Program::start("client", args).finish();
        assert_failed(&ended, &format!("{args:?}"), "", "");
        // Nothing was tried.
        assert!(!ended.tell().contains("refused"), "{}", ended.tell());
    });
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_unicode_are_told() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    let arg = OsStr::from_bytes(b"ws://127.0.0.1:9/\xff");
    let client = Program::start_with("client", PATIENCE, |c| c.arg(arg));
    assert_failed(&client.finish(), "not Unicode", "", "");
}

/// A server of ours that sends everything back, and tells all of it.
fn echoes() -> Peer<Vec<Message>> {
    peer(|listener| {
        let mut ws = accept(listener);
        let mut heard = Vec::new();
        while let Some(message) = ws.recv().expect("a closing handshake") {
            ws.send(&message).expect("a reader");
            heard.push(message);
        }
        heard
    })
}

#[test]
fn a_line_that_is_not_utf8_is_told_behind_those_before_it() {
    let server = echoes();
    let mut client = start_client(&server.uri(), true);
    client.say(b"good\nb\xffd\nnot sent\n");
    assert_failed(&client.finish(), "UTF-8", "good\n", "UTF-8");
    assert_eq!(server.join(), ["good".into()]);
}

#[test]
fn a_line_that_is_not_base64_is_told_behind_those_before_it() {
    at_once(
        &["b64:AAA", "b64:A", "b64:AA==A", "b64:é", "b64: AAAA"],
        |line| {
            let server = echoes();
            let mut client = Program::start("client", &[&server.uri(), "--binary"]);
            client.say(format!("b64:/w==\n{line}\nnot sent\n"));
            assert_failed(&client.finish(), line, "b64:/w==\n", line);
            assert_eq!(server.join(), [Message::from(&b"\xff"[..])]);
        },
    );
}

#[test]
fn with_binary_lines_of_base64_go_out_and_come_back_as_binary_messages() {
    let lines = "b64:AAEC/w==\nb64:\ntext\n b64:AAEC\nB64:AAEC\n";
    let server = echoes();
    let mut client = Program::start("client", &["--binary", &server.uri()]);
    client.say_all(lines);
    assert_done(&client.finish(), lines);
    let binary = [&b"\x00\x01\x02\xff"[..], b""].map(Message::from);
    let text = ["text", " b64:AAEC", "B64:AAEC"].map(Message::from);
    assert_eq!(server.join(), [&binary[..], &text].concat());
}

#[test]
fn without_binary_lines_of_base64_are_text_and_binary_messages_are_printed_as_they_are() {
    let server = peer(|listener| {
        let mut ws = accept(listener);
        let heard = ws.recv().expect("a message");
        ws.send(b"\xff\x00\x1b").expect("a reader");
        ws.close(CloseCode::NORMAL, "")
            .expect("a closing handshake");
        heard
    });
    let mut client = start_client(&server.uri(), true);
    client.say("b64:AAEC\n");
    assert_done(&client.finish(), b"\xff\x00\x1b\n");
    assert_eq!(server.join(), Some("b64:AAEC".into()));
}

#[test]
fn a_server_sees_the_subprotocols_and_headers_that_were_asked_for() {
    let server = peer(|listener| {
        let config = Config::new().origin(OriginPolicy::Any);
        let incoming = blocking::incoming(accepted(listener), &config);
        let Ok(Incoming::Upgrade(mut request)) = incoming else {
            panic!("no request for a WebSocket");
        };
        let offers: Vec<_> = request.subprotocols().map(String::from).collect();
        request
            .select_subprotocol("chat.v1")
            .expect("it is offered");
        let wanted = |name: &str| ["origin", "cookie", "x-one", "authorization"].contains(&name);
        let headers: Vec<_> = request
            .headers()
            .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value)))
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let seen = (
            request.target().to_string(),
            request.host().to_string(),
            offers,
            headers,
        );
        let mut ws = request.upgrade().expect("a reader");
        let message = ws.recv().expect("a message").expect("a message");
        ws.send(&message).expect("a reader");
        assert_eq!(ws.recv().expect("a closing handshake"), None);
        seen
    });
    let uri = server.uri();
    let mut client = Program::start(
        "client",
        &[
            "--protocol",
            "chat.v2",
            &format!("{uri}a%20path?with=a&query"),
            "--origin",
            "https://example.com",
            "--header",
            "X-One: 1:  two ",
            "--protocol",
            "chat.v1",
            "--header",
            "Cookie:a=b; c=d",
            "--header",
            "x-one:",
        ],
    );
    client.say_all("Hello");
    assert_done(&client.finish(), "Hello\n");
    let (target, host, offers, mut headers) = server.join();
    assert_eq!(target, "/a%20path?with=a&query");
    assert_eq!(format!("ws://{host}/"), uri);
    assert_eq!(offers, ["chat.v2", "chat.v1"]);
    let expected = [
        "cookie: a=b; c=d",
        "origin: https://example.com",
        "x-one: ",
        "x-one: 1:  two",
    ];
    headers.sort();
    assert_eq!(headers, expected);
}
