//! `echo`, `echo_by_hand` and `echo_tokio`: one table for all. And what all servers make of bad arguments.

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr},
};

use framewire::{
    CloseCode, Message, blocking,
    client::{self, Request},
    server::Config,
};

use crate::{
    ECHOES, at_once, broken_frames, connect,
    http::{Answer, Outcome, get, websocket},
    programs::{Program, connected, listen, patient, rest},
    support::wire::{close, frame, hex, masked},
};

/// Checks a server of each kind; what they have told on stderr.
fn for_all(args: &[&str], check: impl Fn(SocketAddr)) -> Vec<String> {
    let serve_and_check = |echo: &&str| {
        let (server, address) = Program::serve(echo, args);
        check(address);
        server.kill()
    };
    ECHOES.iter().map(serve_and_check).collect()
}

/// Sends bytes on a connection that is open, and gives everything that comes up to its end.
fn reply(address: SocketAddr, frames: &[u8]) -> Vec<u8> {
    let mut stream = patient(connect(address, "/").into_parts().stream);
    stream.write_all(frames).expect("a reader");
    rest(&stream)
}

/// Sends bytes instead of a request, and gives the answer.
fn ask(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connected(address);
    stream.write_all(bytes).expect("a reader");
    rest(&stream)
}

#[test]
fn all_send_back_every_message_on_any_path() {
    let text = ["", "Hello", "κόσμε \u{10ffff}\0", &"long ".repeat(50_000)].map(Message::from);
    let binary = [&b""[..], b"\xff\x00", &[0xa5; 200_000]].map(Message::from);
    let told = for_all(&[], |address| {
        for path in ["/", "/any/path?x=1", "/%20"] {
            let mut ws = connect(address, path);
            for message in text.iter().chain(&binary) {
                ws.send(message).expect("a reader");
                let back = ws.recv().expect("a message");
                assert!(back.as_ref() == Some(message), "{path}");
            }
            for n in 0..1000 {
                ws.feed(format!("{n}")).expect("a reader");
            }
            for n in 0..1000 {
                let back = ws.recv().expect("a message");
                assert_eq!(back, Some(format!("{n}").into()));
            }
            assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
        }
    });
    assert!(told.iter().all(String::is_empty), "{told:?}");
}

#[test]
fn all_answer_frames_as_they_should() {
    let parts = [
        frame(0x01, b"in "),
        frame(0x89, b"ping"),
        frame(0x80, b"parts"),
    ];
    let joined = [frame(0x8a, b"ping"), frame(0x81, b"in parts")];
    let ok = frame(0x81, b"ok");
    let end = close(1000, "");
    for_all(&[], |address| {
        let input = masked(&[parts.concat(), close(1000, "bye")].concat());
        assert_eq!(
            reply(address, &input),
            [joined.concat(), end.clone()].concat()
        );
        for answer in [close(1001, ""), close(4999, ""), hex("88 00")] {
            let input = masked(&[&ok[..], &answer, &ok].concat());
            assert_eq!(reply(address, &input), [&ok[..], &answer].concat());
        }
        let unmasked = [masked(&ok), ok.clone()].concat();
        assert_eq!(
            reply(address, &unmasked),
            [ok.clone(), close(1002, "")].concat()
        );
        for (case, broken, code) in broken_frames().drain(1..) {
            let input = masked(&[&ok[..], &broken].concat());
            let expected = [ok.clone(), close(code, "")].concat();
            assert_eq!(reply(address, &input), expected, "{case}");
        }
    });
}

#[test]
fn all_choose_the_subprotocol_where_it_is_offered() {
    let cases: [(&[&str], &[&str], Option<&str>); 5] = [
        (&[], &[], None),
        (&[], &["chat"], None),
        (&["--protocol", "chat"], &["other", "chat"], Some("chat")),
        (&["--protocol", "chat"], &["Chat", "other"], None),
        (&["--protocol", "chat"], &[], None),
    ];
    for (args, offers, chosen) in cases {
        for_all(args, |address| {
            let mut request = Request::new(&format!("ws://{address}/")).expect("a URI");
            for offer in offers {
                request = request.subprotocol(offer).expect("a token");
            }
            let connected = blocking::connect_with(&request, &client::Config::new());
            let (mut ws, _) = connected.expect("a handshake");
            assert_eq!(ws.connection().subprotocol(), chosen);
            ws.send("Hello").expect("a reader");
            assert_eq!(ws.recv().expect("a message"), Some("Hello".into()));
        });
    }
}

#[test]
fn all_answer_requests_for_something_else() {
    let told = for_all(&[], |address| {
        for target in ["/", "/?x=1"] {
            let page = Answer::read(&ask(address, &get(target).bytes()));
            assert_eq!(page.status, 200);
            let kind = page.header("content-type");
            assert_eq!(kind, Some("text/html; charset=utf-8"));
            assert!(page.body.starts_with(b"<!doctype html>"));
        }
        for target in ["/other", "/index.html", "//"] {
            let answer = Answer::read(&ask(address, &get(target).bytes()));
            assert_eq!(answer.status, 404, "{target}");
        }
        // A browser that changes its mind.
        let unused = connected(address);
        unused.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(rest(&unused), b"");
    });
    assert!(told.iter().all(String::is_empty), "{told:?}");
}

#[test]
fn all_refuse_what_the_library_refuses_and_live_on() {
    let requests = [
        websocket().with("Sec-WebSocket-Version", "12"),
        websocket().without("Sec-WebSocket-Key"),
        websocket().without("Host"),
        websocket().first("POST /chat HTTP/1.1"),
        websocket().and("Content-Length", "5"),
        get("/").first("nonsense"),
    ];
    for_all(&[], |address| {
        for request in &requests {
            let Outcome::Rejected { answer, .. } = request.at(&Config::new()) else {
                panic!("{request:?} is not refused");
            };
            assert_eq!(Answer::read(&ask(address, &request.bytes())), answer);
        }
        let any = websocket()
            .and("Origin", "https://elsewhere.example")
            .bytes();
        let any = [any, masked(&close(1000, ""))].concat();
        assert!(ask(address, &any).ends_with(&close(1000, "")));
    });
}

#[test]
fn all_serve_many_at_the_same_time() {
    for_all(&[], |address| {
        let mut all: Vec<_> = (0..50).map(|_| connect(address, "/")).collect();
        for (n, ws) in all.iter_mut().enumerate() {
            ws.send(n.to_string()).expect("a reader");
        }
        for (n, ws) in all.iter_mut().enumerate().rev() {
            let back = ws.recv().expect("a message");
            assert_eq!(back, Some(n.to_string().into()));
        }
    });
}

#[test]
fn servers_tell_what_is_wrong_with_their_arguments() {
    let taken = listen();
    let taken = taken.local_addr().expect("it is bound").to_string();
    let cases: [&[&str]; 6] = [
        &["--listen"],
        &["--listen", "nonsense"],
        &["--listen", &taken],
        &["--help"],
        &["127.0.0.1:0"],
        &["--listen", "127.0.0.1:0", "--port", "0"],
    ];
    let others = [
        "broadcast",
        #[cfg(feature = "tokio")]
        "chat",
    ];
    for name in ECHOES.iter().chain(&others) {
        at_once(&cases, |args| {
            let ended = Program::start(name, args).finish();
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status, Some(1), "{name} {args:?}: {}", ended.tell());
            assert!(
                ended.stdout.is_empty() && !stderr.is_empty(),
                "{name} {args:?}"
            );
        });
    }
}
