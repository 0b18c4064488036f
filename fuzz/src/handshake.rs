//! Bytes to a server's opening handshake, and what comes of them in two cuts.

use framewire::{
    Event, RecvBuf, Role,
    server::{AllowedOrigins, Config, Handshake, Opening, OriginPolicy, Request, Response},
};

use crate::{
    http::{ACCEPT, Answer, KEY, Outcome, Seen, take},
    input::{bit, cut, split},
    support::wire,
};

/// What all headers of a request for a WebSocket can stand behind.
const BEGINNING: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\nHost: server.example\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(crate) fn run(data: &[u8]) {
    let (prefix, bytes) = split::<12>(data);
    let [flags, head, target, headers, cuts @ ..] = prefix;
    let (one, other) = cuts.split_at(4);
    let config = config([flags, head, target, headers]);
    let arriving = arriving(flags, bytes);

    let outcome = receive(&config, flags, &arriving, cut(one, &arriving));
    let same = receive(&config, flags, &arriving, cut(other, &arriving));
    assert_eq!(same, outcome, "cut in another way");
    match outcome {
        Outcome::Upgraded {
            request, answer, ..
        } => {
            agrees_with_httparse(&request, &arriving);
            if request.headers.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("sec-websocket-key") && value == KEY.as_bytes()
            }) {
                assert_eq!(answer.header("Sec-WebSocket-Accept"), Some(ACCEPT));
            }
        }
        Outcome::Plain(request) => agrees_with_httparse(&request, &arriving),
        Outcome::Incomplete => {
            let most = if head > 0 {
                usize::from(head) * 64
            } else {
                16 * 1024
            };
            assert!(arriving.len() <= most, "more is not waited for");
            assert!(has_whole_line_breaks(&arriving));
        }
        Outcome::Rejected { error, answer } => assert_eq!(answer.status, error.status()),
    }
}

fn config([flags, head, target, headers]: [u8; 4]) -> Config {
    let mut config = Config::new().origin(match flags >> 2 & 3 {
        0 => OriginPolicy::SameOrigin,
        1 => OriginPolicy::List(
            AllowedOrigins::new(["https://site.example", "http://[::1]:8080"]).expect("origins"),
        ),
        _ => OriginPolicy::Any,
    });
    if head > 0 {
        config = config.max_head_size(usize::from(head) * 64);
    }
    if target > 0 {
        config = config.max_target_size(usize::from(target));
    }
    if headers > 0 {
        config = config.max_headers(usize::from(headers));
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
