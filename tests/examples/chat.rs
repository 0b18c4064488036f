//! `chat`: what is served by HTTP and to whom the WebSocket opens, what members get, and when they are let go.
//! `tests/browser/run` uses the page in a browser.

use std::{io::Write as _, net::SocketAddr};

use framewire::{
    CloseCode, Config, Deflate, Error, Message,
    blocking::{MaybeTlsStream, WebSocket, connect_with},
    client::{self, Request},
};

use crate::{
    at_once,
    http::{Answer, Lines, get, lines, websocket},
    programs::{Program, connected, rest},
};

/// The largest message that is accepted.
const MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// How many may be in the room.
const CAPACITY: usize = 128;

/// A window, without the page.
fn join(address: SocketAddr) -> Result<WebSocket<MaybeTlsStream>, Error> {
    join_with(address, Config::new().deflate(Deflate::new()))
}

fn join_with(address: SocketAddr, config: Config) -> Result<WebSocket<MaybeTlsStream>, Error> {
    let request = Request::new(&format!("ws://{address}/chat")).expect("a URI");
    let request = request.subprotocol("chat.v1").expect("a token");
    let config = client::Config::new().connection(config);
    Ok(connect_with(&request, &config)?.0)
}

/// A window that has been told its name, and that it has joined.
fn joined(address: SocketAddr, name: &str) -> WebSocket<MaybeTlsStream> {
    let mut ws = join(address).expect("a handshake");
    assert_hears(&mut ws, name);
    assert_hears(&mut ws, format!("\n{name} has joined"));
    ws
}

#[track_caller]
fn assert_hears(ws: &mut WebSocket<MaybeTlsStream>, message: impl Into<Message>) {
    let heard = ws.recv().expect("a message");
    let message = message.into();
    let begin = |message: &Message| {
        let payload = message.payload();
        String::from_utf8_lossy(&payload[..payload.len().min(100)]).into_owned()
    };
    assert!(
        heard.as_ref() == Some(&message),
        "{:?} instead of {:?}",
        heard.as_ref().map(begin),
        begin(&message)
    );
}

#[track_caller]
fn assert_closed(ws: &WebSocket<MaybeTlsStream>, code: CloseCode) {
    let closed = ws.connection().closed().expect("it is");
    assert_eq!((closed.code, closed.clean), (code, true));
}

/// Sends a request, and gives the answer.
fn ask(address: SocketAddr, request: &Lines) -> Answer {
    let mut stream = connected(address);
    stream.write_all(&request.bytes()).expect("a reader");
    Answer::read(&rest(&stream))
}

/// A request for the WebSocket that is right.
fn upgrade(address: SocketAddr) -> Lines {
    websocket()
        .with("Host", address.to_string())
        .and("Sec-WebSocket-Protocol", "chat.v1")
}

#[test]
fn page_style_script_and_icon_come_with_a_strict_policy() {
    let (server, address) = Program::serve("chat", &[]);
    let policy = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ];
    for (target, status, kind) in [
        ("/", 200, "text/html"),
        ("/?x=1", 200, "text/html"),
        ("/chat.css", 200, "text/css"),
        ("/chat.js", 200, "text/javascript"),
        ("/chat.svg", 200, "image/svg+xml"),
        ("/chat", 426, "text/plain"),
        ("/other", 404, "text/plain"),
        ("/index.html", 404, "text/plain"),
        ("/chat.js/", 404, "text/plain"),
        ("//", 404, "text/plain"),
        ("/%2e%2e/Cargo.toml", 404, "text/plain"),
    ] {
        let answer = ask(address, &get(target));
        assert_eq!(answer.status, status, "{target}");
        assert!(!answer.body.is_empty(), "{target}");
        for (name, value) in [
            ("Content-Type", &*format!("{kind}; charset=utf-8")),
            ("Content-Security-Policy", &policy.join("; ")),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{target}");
        }
    }
    assert_eq!(server.kill(), "");
}

#[test]
fn page_has_nothing_inline_and_nothing_from_elsewhere() {
    let (_server, address) = Program::serve("chat", &[]);
    let page = String::from_utf8(ask(address, &get("/")).body).expect("UTF-8");
    for absent in ["<style", "style=", " on", "javascript:", "http:", "https:"] {
        let tags = page.split('<').filter_map(|rest| rest.split('>').next());
        for tag in tags {
            assert!(!format!("<{tag}").contains(absent), "{absent}: {tag}");
        }
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script src=\"/chat.js\" type=\"module\"></script>"));
    let script = String::from_utf8(ask(address, &get("/chat.js")).body).expect("UTF-8");
    for absent in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
    ] {
        assert!(!script.contains(absent), "{absent}");
    }
}

#[test]
fn websocket_opens_at_its_path_with_its_subprotocol_and_for_its_own_pages() {
    let (_server, address) = Program::serve("chat", &[]);
    let upgrade = || upgrade(address);
    let elsewhere = format!("http://{}", SocketAddr::from(([127, 0, 0, 1], 9)));
    for (request, status) in [
        (upgrade().first("GET / HTTP/1.1"), 404),
        (upgrade().first("GET /chat/ HTTP/1.1"), 404),
        (upgrade().first("GET /Chat HTTP/1.1"), 404),
        (upgrade().without("Sec-WebSocket-Protocol"), 400),
        (upgrade().with("Sec-WebSocket-Protocol", "Chat.v1"), 400),
        (
            upgrade().with("Sec-WebSocket-Protocol", "chat.v2, chat"),
            400,
        ),
        (upgrade().and("Origin", "https://elsewhere.example"), 403),
        (upgrade().and("Origin", &elsewhere), 403),
        (upgrade().and("Origin", "null"), 403),
        (upgrade().with("Sec-WebSocket-Version", "12"), 426),
        (lines("POST /chat HTTP/1.1").and("Host", "h"), 405),
    ] {
        assert_eq!(ask(address, &request).status, status, "{request:?}");
    }
    let own = format!("http://{address}");
    for origin in [None, Some(&own)] {
        let mut request = Request::new(&format!("ws://{address}/chat?x=1")).expect("a URI");
        for name in ["other", "chat.v1"] {
            request = request.subprotocol(name).expect("a token");
        }
        if let Some(origin) = origin {
            request = request.header("Origin", origin).expect("a value");
        }
        let (ws, _) = connect_with(&request, &client::Config::new()).expect("a handshake");
        assert_eq!(ws.connection().subprotocol(), Some("chat.v1"));
        assert!(!ws.connection().can_compress());
    }
}

#[test]
fn members_hear_text_and_bytes_of_all_and_who_comes_and_goes() {
    let (server, address) = Program::serve("chat", &[]);
    let mut one = joined(address, "guest-1");
    let mut two = joined(address, "guest-2");
    assert_hears(&mut one, "\nguest-2 has joined");
    for text in ["Hello", "κόσμε \u{10ffff}\0", "\n", "a\nb", "<img src=x>"] {
        one.send(text).expect("a reader");
        for ws in [&mut one, &mut two] {
            assert_hears(ws, format!("guest-1\n{text}"));
        }
    }
    for data in [&b""[..], b"\xff\x00\n", &[0xa5; MAX_MESSAGE_SIZE]] {
        two.send(data).expect("a reader");
        for ws in [&mut one, &mut two] {
            assert_hears(ws, [b"guest-2\n", data].concat());
        }
    }
    let closed = two.close(CloseCode::NORMAL, "bye").expect("an answer");
    assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
    assert_hears(&mut one, "\nguest-2 has left");
    drop(joined(address, "guest-3"));
    assert_hears(&mut one, "\nguest-3 has joined");
    assert_hears(&mut one, "\nguest-3 has left");
    let closed = one.close(CloseCode::NORMAL, "").expect("an answer");
    assert!(closed.clean);
    let told = server.kill();
    assert_eq!(
        told.lines().count(),
        1,
        "of the one that was dropped: {told}"
    );
}

#[test]
fn empty_text_is_answered_to_the_sender_alone() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut one = joined(address, "guest-1");
    let mut two = joined(address, "guest-2");
    assert_hears(&mut one, "\nguest-2 has joined");
    for _ in 0..100 {
        one.send("").expect("a reader");
        assert_hears(&mut one, "");
    }
    two.send("not empty").expect("a reader");
    for ws in [&mut one, &mut two] {
        assert_hears(ws, "guest-2\nnot empty");
    }
}

#[test]
fn messages_are_compressed_for_those_who_offer_it() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut compressed = joined(address, "guest-1");
    let mut plain = join_with(address, Config::new()).expect("a handshake");
    assert!(compressed.connection().can_compress());
    assert!(!plain.connection().can_compress());
    for heard in ["guest-2", "\nguest-2 has joined"] {
        assert_hears(&mut plain, heard);
    }
    assert_hears(&mut compressed, "\nguest-2 has joined");
    let long = "tide is high, ".repeat(1000);
    for _ in 0..2 {
        compressed.send(&long).expect("a reader");
        for ws in [&mut compressed, &mut plain] {
            assert_hears(ws, format!("guest-1\n{long}"));
        }
    }
    let [few, many] = [&compressed, &plain].map(|ws| ws.connection().stats().bytes_received);
    assert!(few < 1000 && many > 28_000, "{few}, {many}");
}

#[test]
fn too_large_messages_are_answered_with_1009() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut watches = joined(address, "guest-1");
    for (number, config) in [Config::new(), Config::new().deflate(Deflate::new())]
        .into_iter()
        .enumerate()
    {
        let name = format!("guest-{}", number + 2);
        let mut ws = join_with(address, config).expect("a handshake");
        assert_hears(&mut ws, &*name);
        assert_hears(&mut ws, format!("\n{name} has joined"));
        assert_hears(&mut watches, format!("\n{name} has joined"));
        let most = "x".repeat(MAX_MESSAGE_SIZE);
        ws.send(&most).expect("a reader");
        for ws in [&mut ws, &mut watches] {
            assert_hears(ws, format!("{name}\n{most}"));
        }
        ws.send(&(most + "x")).expect("a reader");
        assert_eq!(ws.recv().expect("a Close frame"), None);
        assert_closed(&ws, CloseCode::MESSAGE_TOO_BIG);
        assert_hears(&mut watches, format!("\n{name} has left"));
    }
}

#[test]
fn who_sends_as_fast_as_it_can_throws_nobody_out() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut others: Vec<_> = (1..4)
        .map(|n| joined(address, &format!("guest-{n}")))
        .collect();
    let mut floods = joined(address, "guest-4");
    let count = 600;
    for n in 0..count {
        floods.feed(n.to_string()).expect("a reader");
    }
    floods.flush().expect("a reader");
    others.push(floods);
    for (ws, joined) in others.iter_mut().zip([2..5, 3..5, 4..5, 5..5]) {
        for n in joined {
            assert_hears(ws, format!("\nguest-{n} has joined"));
        }
        for n in 0..count {
            assert_hears(ws, format!("guest-4\n{n}"));
        }
    }
}

#[test]
fn who_does_not_read_is_let_go_with_1008_while_the_others_get_everything() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut talks = joined(address, "guest-1");
    let mut slow = joined(address, "guest-2");
    assert_hears(&mut talks, "\nguest-2 has joined");
    // It can't be compressed.
    let mut noise = 1_u32;
    let mut message = |n: u32| {
        let bytes = (0..MAX_MESSAGE_SIZE / 4).flat_map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            noise.to_be_bytes()
        });
        let mut bytes: Vec<u8> = bytes.collect();
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    for n in 0..600 {
        let message = message(n);
        talks.send(&message[..]).expect("a reader");
        assert_hears(&mut talks, [b"guest-1\n", &message[..]].concat());
    }
    // It gets what had been sent until then, in order.
    let mut got = 0_u32;
    while let Some(message) = slow.recv().expect("a Close frame in the end") {
        let payload = message.payload();
        assert_eq!(payload.get(8..12), Some(&got.to_be_bytes()[..]));
        got += 1;
    }
    assert!(got < 600, "{got}");
    assert_closed(&slow, CloseCode::POLICY_VIOLATION);
    assert_hears(&mut talks, "\nguest-2 has left");
    talks.send("still here").expect("a reader");
    assert_hears(&mut talks, "guest-1\nstill here");
}

#[test]
fn room_that_is_full_refuses_with_503_until_somebody_leaves() {
    let (_server, address) = Program::serve("chat", &[]);
    let join = || join(address);
    let mut all: Vec<_> = (0..CAPACITY).map(|_| join().expect("a place")).collect();
    let Err(Error::Refused(response)) = join() else {
        panic!("there is one place too many");
    };
    assert_eq!(response.status(), 503);
    assert_eq!(ask(address, &get("/")).status, 200);
    let closed = all[0].close(CloseCode::NORMAL, "").expect("an answer");
    assert!(closed.clean);
    // The place may take a moment to be free.
    while let Err(error) = join() {
        assert!(matches!(error, Error::Refused(_)), "{error}");
    }
}

#[test]
fn many_talk_at_the_same_time_and_all_hear_the_same() {
    let (_server, address) = Program::serve("chat", &[]);
    let numbers: Vec<_> = (1..=8).collect();
    let mut all: Vec<_> = (0..8)
        .map(|_| join(address).expect("a handshake"))
        .collect();
    for (ws, number) in all.iter_mut().zip(&numbers) {
        assert_hears(ws, format!("guest-{number}"));
        for n in *number..=8 {
            assert_hears(ws, format!("\nguest-{n} has joined"));
        }
    }
    let all: Vec<_> = all.into_iter().map(std::sync::Mutex::new).collect();
    let heard = std::sync::Mutex::new(Vec::new());
    at_once(&all, |ws| {
        let mut ws = ws.lock().expect("nobody else has it");
        for n in 0..20 {
            ws.feed(n.to_string()).expect("a reader");
        }
        let messages: Vec<_> = (0..160).map(|_| ws.recv().expect("a message")).collect();
        heard.lock().expect("no panic").push(messages);
    });
    let heard = heard.into_inner().expect("no panic");
    assert!(heard.windows(2).all(|two| two[0] == two[1]));
}
