//! Bytes to a server's opening handshake, and what comes of them in two cuts.

use framewire::{
    Connection, Event, RecvBuf, Role,
    server::{AllowedOrigins, Config, Handshake, Opening, OriginPolicy, Request, Response},
};

use crate::{
    http::{Answer, Outcome, Seen, take},
    input::{bit, cut, split},
    reference::{
        head::Limits,
        request::{Expected, Origins, Rules, expect},
    },
    support::wire,
};

/// What all headers of a request for a WebSocket can stand behind.
const BEGINNING: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\nHost: server.example\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The origins that one of the configurations lists.
const ORIGINS: &[&str] = &["https://site.example", "http://[::1]:8080"];

pub(crate) fn run(data: &[u8]) {
    let (prefix, bytes) = split::<12>(data);
    let [flags, head, target, headers, cuts @ ..] = prefix;
    let (one, other) = cuts.split_at(4);
    let rules = rules([flags, head, target, headers]);
    let config = config(&rules);
    let arriving = arriving(flags, bytes);

    let outcome = receive(&config, flags, &arriving, cut(one, &arriving));
    let same = receive(&config, flags, &arriving, cut(other, &arriving));
    assert_eq!(same, outcome, "cut in another way");
    compare(outcome, expect(&rules, &arriving), flags, &arriving);
}

/// Asserts that the outcome is the one that a second reading of the rules comes to.
fn compare(outcome: Outcome, expected: Expected, flags: u8, arriving: &[u8]) {
    match (outcome, expected) {
        (Outcome::Incomplete, Expected::Incomplete) => {}
        (Outcome::Plain(seen), Expected::Plain(request)) => {
            assert_eq!(seen, request);
            agrees_with_httparse(&seen, arriving);
        }
        (
            Outcome::Upgraded {
                request: seen,
                subprotocols: offers,
                answer,
                events,
                ..
            },
            Expected::Upgrade {
                request,
                subprotocols,
                accept,
                behind,
            },
        ) => {
            assert_eq!((&seen, offers), (&request, subprotocols));
            assert_eq!(answer.header("Sec-WebSocket-Accept"), Some(&*accept));
            agrees_with_httparse(&seen, arriving);
            assert_eq!(events, events_of(&arriving[behind..]), "of the rest");
            // Nothing is added but what was asked for.
            let subprotocol = answer.header("Sec-WebSocket-Protocol");
            let added = usize::from(bit(flags, 5)) + usize::from(subprotocol.is_some());
            assert_eq!(answer.headers.len(), 3 + added);
        }
        (Outcome::Rejected { error, answer }, Expected::Rejected(errors)) => {
            assert!(errors.0.contains(&error), "{error:?} instead of {errors:?}");
            assert_eq!(answer.status, error.status());
        }
        (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
    }
}

/// The events of a connection that never had a handshake.
fn events_of(bytes: &[u8]) -> Vec<String> {
    let mut conn = Connection::server(framewire::Config::new());
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(bytes);
    let mut events = Vec::new();
    while let Some(event) = conn.receive(&mut rx) {
        events.push(format!("{event:?}"));
    }
    events
}

fn rules([flags, head, target, headers]: [u8; 4]) -> Rules {
    let or = |number: u8, unit, default| match number {
        0 => default,
        _ => usize::from(number) * unit,
    };
    Rules {
        limits: Limits {
            head: or(head, 64, 16 * 1024),
            target: or(target, 1, 8 * 1024),
            headers: or(headers, 1, 100),
        },
        origins: match flags >> 2 & 3 {
            0 => Origins::Same,
            1 => Origins::Listed(ORIGINS),
            _ => Origins::Any,
        },
    }
}

/// The defaults are not set, so that they are what the rules say.
fn config(rules: &Rules) -> Config {
    let Limits {
        head,
        target,
        headers,
    } = rules.limits;
    let mut config = Config::new().origin(match rules.origins {
        Origins::Same => OriginPolicy::SameOrigin,
        Origins::Listed(list) => OriginPolicy::List(AllowedOrigins::new(list).expect("origins")),
        Origins::Any => OriginPolicy::Any,
    });
    if head != 16 * 1024 {
        config = config.max_head_size(head);
    }
    if target != 8 * 1024 {
        config = config.max_target_size(target);
    }
    if headers != 100 {
        config = config.max_headers(headers);
    }
    config
}

/// The bytes that arrive: as they are, with line feeds made line breaks, or behind a good beginning.
fn arriving(flags: u8, bytes: &[u8]) -> Vec<u8> {
    let mut arriving = Vec::new();
    if bit(flags, 1) {
        arriving.extend_from_slice(BEGINNING);
    }
    for &byte in bytes {
        if byte == b'\n' && bit(flags, 0) {
            arriving.push(b'\r');
        }
        arriving.push(byte);
    }
    arriving
}

fn receive<'a>(
    config: &Config,
    flags: u8,
    all: &[u8],
    mut pieces: impl Iterator<Item = &'a [u8]>,
) -> Outcome {
    let mut handshake = Handshake::new(config);
    let mut rx = RecvBuf::new();
    let mut arrived = 0;
    let mut feed = |rx: &mut RecvBuf, piece: &[u8]| {
        // In one piece, as large as it is: the room that is offered is all the same here.
        rx.extend_from_slice(piece);
        arrived += piece.len();
        assert!(rx.capacity() <= 2 * arrived + 16 * 1024);
    };
    let opening = loop {
        let Some(piece) = pieces.next() else {
            assert!(handshake.send_buf().is_empty());
            assert!(handshake.receive_eof().is_err());
            assert!(handshake.receive(&mut rx).is_none());
            return Outcome::Incomplete;
        };
        feed(&mut rx, piece);
        if let Some(opening) = handshake.receive(&mut rx) {
            break opening;
        }
    };
    match opening {
        Opening::Upgrade(request) => {
            assert!(handshake.receive(&mut rx).is_none());
            upgrade(request, flags, rx, pieces)
        }
        Opening::Plain(request) => {
            assert!(handshake.send_buf().is_empty());
            let seen = Seen::from(&*request);
            let response = Response::new(404)
                .expect("a final status")
                .body("not here\n");
            assert_eq!(
                Answer::read(&take(&mut request.respond(response))).status,
                404
            );
            discards(&mut handshake, &mut rx, pieces);
            Outcome::Plain(seen)
        }
        Opening::Rejected(error) => {
            let bytes = take(handshake.send_buf());
            discards(&mut handshake, &mut rx, pieces);
            let mut start = all;
            while let Some(behind) = start.strip_prefix(b"\r\n") {
                start = behind;
            }
            let answer = if bytes.ends_with(b"\r\n\r\n") {
                assert!(
                    start.starts_with(b"HEAD "),
                    "every answer has a body but to HEAD"
                );
                Answer::read_to_head(&bytes)
            } else {
                Answer::read(&bytes)
            };
            Outcome::Rejected { error, answer }
        }
    }
}

/// Nothing behind a request that is not upgraded is looked at.
fn discards<'a>(
    handshake: &mut Handshake,
    rx: &mut RecvBuf,
    pieces: impl Iterator<Item = &'a [u8]>,
) {
    assert!(rx.is_empty());
    for piece in pieces {
        rx.extend_from_slice(piece);
        assert!(handshake.receive(rx).is_none());
        assert!(rx.is_empty());
        assert!(handshake.send_buf().is_empty());
    }
    assert_eq!(handshake.receive_eof(), Ok(()));
}

/// Accepts the request; the connection has to work.
fn upgrade<'a>(
    mut request: Request,
    flags: u8,
    mut rx: RecvBuf,
    mut pieces: impl Iterator<Item = &'a [u8]>,
) -> Outcome {
    let seen = Seen::from(&*request);
    let subprotocols: Vec<_> = request.subprotocols().map(String::from).collect();
    if bit(flags, 4) {
        let offered = subprotocols.last().map(String::as_str);
        let supported: Vec<_> = offered.into_iter().chain(["chat"]).collect();
        let chosen = request.choose_subprotocol(&supported).map(String::from);
        assert_eq!(chosen.is_some(), offered.is_some());
    }
    if bit(flags, 5) {
        request.add_header("Set-Cookie", "a=b").expect("a header");
    }
    let chosen = request.subprotocol().map(String::from);
    let mut conn = request.upgrade();
    assert_eq!(conn.subprotocol(), chosen.as_deref());
    let answer = Answer::read(&take(conn.send_buf()));
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("Sec-WebSocket-Protocol"), chosen.as_deref());
    assert_eq!(answer.header("Set-Cookie"), bit(flags, 5).then_some("a=b"));
    assert_eq!(conn.stats().bytes_sent, 0);

    conn.send_text("hello").expect("it is open");
    assert_eq!(take(conn.send_buf()), b"\x81\x05hello");
    let mut events = Vec::new();
    loop {
        while let Some(event) = conn.receive(&mut rx) {
            events.push(format!("{event:?}"));
        }
        let Some(piece) = pieces.next() else { break };
        rx.extend_from_slice(piece);
    }
    let output = take(conn.send_buf());
    wire::read_output(Role::Server, &output);
    if rx.is_empty() && events.is_empty() {
        rx.extend_from_slice(&wire::masked(b"\x81\x05hello"));
        assert_eq!(conn.receive(&mut rx), Some(Event::Text("hello")));
    }
    Outcome::Upgraded {
        request: seen,
        subprotocols,
        answer,
        events,
        output,
    }
}

/// A second parser understands the same.
fn agrees_with_httparse(seen: &Seen, bytes: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes);
    let Ok(httparse::Status::Complete(len)) = parsed else {
        panic!("{parsed:?}");
    };
    assert!(has_whole_line_breaks(&bytes[..len]));
    assert_eq!((request.method, request.version), (Some("GET"), Some(1)));
    assert_eq!(request.path, Some(&*seen.target));
    let headers = request
        .headers
        .iter()
        .map(|header| (header.name, header.value));
    let seen = seen.headers.iter().map(|(name, value)| (&**name, &**value));
    assert!(headers.eq(seen));
}

/// Whether there is no LF without a CR before it, and no CR without an LF behind it, but at the end.
fn has_whole_line_breaks(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let breaks = bytes.windows(2).filter(|two| two == b"\r\n").count();
    let count = |wanted| bytes.iter().filter(|&&byte| byte == wanted).count();
    count(b'\r') == breaks && count(b'\n') == breaks
}
