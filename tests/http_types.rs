//! The server's opening handshake in the types of the crate `http`: it is the same as in bytes.

#[path = "support/http_types.rs"]
mod support;

use ::http::Version;
use bytes::Bytes;
use framewire::server::{self, AllowedOrigins, HandshakeError, Opening, OriginPolicy};
use framewire::{Connection, RecvBuf};
use proptest::prelude::*;
use support::http::{ACCEPT, Answer, KEY, Seen, respond, take};
use support::{Case, fields, get, pairs, sorted};

/// The smallest request for a WebSocket.
fn websocket() -> Case {
    get("/chat")
        .and("Host", "server.example")
        .and("Upgrade", "websocket")
        .and("Connection", "Upgrade")
        .and("Sec-WebSocket-Key", KEY)
        .and("Sec-WebSocket-Version", "13")
}

/// What a server makes of a request.
#[derive(Debug, PartialEq, Eq)]
struct Accepted {
    request: Seen,
    subprotocols: Vec<String>,
    switching: Vec<(String, Vec<u8>)>,
    subprotocol: Option<String>,
    can_compress: bool,
    /// The bytes of a message that it sends.
    message: Vec<u8>,
}

type Verdict = Result<Accepted, HandshakeError>;

fn by_bytes(case: &Case, config: &server::Config) -> Verdict {
    let mut handshake = server::Handshake::new(config);
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&case.lines().bytes());
    match handshake.receive(&mut rx).expect("it is complete") {
        Opening::Upgrade(request) => Ok(accept(request, |request| {
            let mut conn = request.upgrade();
            let answer = take(conn.send_buf());
            (fields(&answer, "HTTP/1.1 101 "), conn)
        })),
        Opening::Plain(_) => Err(HandshakeError::MissingUpgrade),
        Opening::Rejected(error) => Err(error),
    }
}

/// The same by types, which must be able to express it.
fn by_http(case: &Case, config: &server::Config) -> Verdict {
    let Some(request) = case.http() else {
        panic!("{case:?}")
    };
    let by = |request: server::Request| {
        accept(request, |request| {
            let (response, mut conn) = request.upgrade_http();
            assert_eq!(response.status(), 101);
            assert_eq!(response.version(), Version::HTTP_11);
            assert!(conn.send_buf().is_empty());
            assert_eq!(conn.stats(), framewire::Stats::default());
            (pairs(response.headers()), conn)
        })
    };
    let by_request = server::Request::from_http(&request, config).map(by);
    let by_parts = server::Request::from_http(&request.into_parts().0, config).map(by);
    assert_eq!(by_request, by_parts);
    by_request
}

fn accept(
    mut request: server::Request,
    upgrade: impl Fn(server::Request) -> (Vec<(String, Vec<u8>)>, Connection),
) -> Accepted {
    let mut seen = Seen::from(&*request);
    seen.headers = sorted(seen.headers);
    if !seen.target.starts_with('/') {
        // `Uri` writes a scheme in small letters, and puts a slash where the path is empty.
        seen.target.clear();
    }
    let subprotocols = request.subprotocols().map(String::from).collect();
    request.choose_subprotocol(&["chat.v2", "chat.v1"]);
    request
        .add_header("Set-Cookie", " a=1; Path=/ ")
        .expect("a header");
    request
        .add_header("Set-Cookie", b"b=\xe9")
        .expect("another");
    let (switching, mut conn) = upgrade(request);
    conn.send_text("Hello, Hello, Hello").expect("it is open");
    let message = take(conn.send_buf());
    assert_eq!(conn.stats().bytes_sent, message.len() as u64);
    Accepted {
        request: seen,
        subprotocols,
        switching,
        subprotocol: conn.subprotocol().map(String::from),
        can_compress: conn.can_compress(),
        message,
    }
}

fn config() -> server::Config {
    let connection = framewire::Config::new();
    #[cfg(feature = "deflate")]
    let connection = connection.deflate(framewire::Deflate::new());
    server::Config::new().connection(connection)
}

#[track_caller]
fn both(case: &Case, config: &server::Config) -> Verdict {
    let by_bytes = by_bytes(case, config);
    assert_eq!(by_http(case, config), by_bytes, "{case:?}");
    by_bytes
}

#[test]
fn requests_are_accepted_as_in_bytes() {
    let config = config();
    for case in [
        websocket(),
        websocket().first(1, "/"),
        websocket().first(1, "//a//?b?c=%20&d"),
        websocket().first(1, "/?"),
        websocket().first(1, "http://other.example/chat"),
        websocket().first(1, "HTTPS://Other.example:8443?q"),
        websocket().first(1, "ws://[::1]:80"),
        websocket().with("Upgrade", "h2c, \tWebSocket"),
        websocket()
            .with("Connection", "keep-alive")
            .and("connection", "upgrade,"),
        websocket().with("Sec-WebSocket-Key", format!("\t {KEY}  ")),
        websocket().with("Host", "  server.example:80 "),
        websocket().and("Content-Length", "00"),
        websocket().and("Origin", "https://server.example"),
        websocket().and("X", b"\xff\xfe obs-text\t"),
        websocket()
            .and("x", "")
            .and("X", "1")
            .and("y", "2")
            .and("x", "3"),
        websocket().and("Sec-WebSocket-Protocol", "chat.v1,, chat.v2"),
        websocket()
            .and("Sec-WebSocket-Protocol", "a")
            .and("Sec-WebSocket-Protocol", "chat.v2"),
        websocket().and("Sec-WebSocket-Protocol", "none, of, them"),
        websocket().and("Sec-WebSocket-Extensions", "permessage-deflate"),
        websocket().and(
            "Sec-WebSocket-Extensions",
            "x; y=\"z\", permessage-deflate; server_max_window_bits=10; client_max_window_bits",
        ),
        websocket().and("Sec-WebSocket-Extensions", "permessage-deflate; unknown"),
    ] {
        let accepted = both(&case, &config).expect("it is valid");
        let key = ("sec-websocket-accept".into(), ACCEPT.as_bytes().to_vec());
        assert!(accepted.switching.contains(&key));
    }
    let offer = websocket()
        .and("Sec-WebSocket-Protocol", "chat.v1, chat.v2")
        .and("Sec-WebSocket-Extensions", "permessage-deflate");
    let accepted = both(&offer, &config).expect("it is valid");
    assert_eq!(accepted.subprotocol.as_deref(), Some("chat.v1"));
    assert_eq!(accepted.can_compress, cfg!(feature = "deflate"));
}

#[test]
fn requests_are_refused_as_in_bytes() {
    use HandshakeError as E;

    let long = vec!["a"; 17].join(", ");
    let config = config();
    for (case, error) in [
        (websocket().first(1, "/é"), E::InvalidRequestLine),
        (
            websocket().first(1, "/?é").first(0, "POST"),
            E::InvalidRequestLine,
        ),
        (websocket().first(2, "HTTP/1.0"), E::UnsupportedHttpVersion),
        (websocket().first(2, "HTTP/2.0"), E::UnsupportedHttpVersion),
        (websocket().first(2, "HTTP/3.0"), E::UnsupportedHttpVersion),
        (websocket().first(0, "POST"), E::MethodNotAllowed),
        (websocket().first(0, "get"), E::MethodNotAllowed),
        (
            get("server.example:80").first(0, "CONNECT"),
            E::MethodNotAllowed,
        ),
        (get("*"), E::InvalidTarget),
        (get("server.example:80"), E::InvalidTarget),
        (websocket().first(1, "ftp://h/"), E::InvalidTarget),
        (websocket().first(1, "http://u@h/"), E::InvalidTarget),
        (websocket().first(1, "http://a,b/"), E::InvalidTarget),
        (websocket().first(1, "http://h:99999/"), E::InvalidTarget),
        (get("/"), E::MissingHost),
        (websocket().without("Host"), E::MissingHost),
        (
            websocket().first(1, "http://h/").without("Host"),
            E::MissingHost,
        ),
        (websocket().and("host", "server.example"), E::RepeatedHost),
        (websocket().with("Host", "a b"), E::InvalidHost),
        (websocket().with("Host", ""), E::InvalidHost),
        (websocket().with("Host", b"\xff"), E::InvalidHost),
        (
            websocket().and("Content-Length", "+1"),
            E::InvalidContentLength,
        ),
        (
            websocket()
                .and("Content-Length", "0")
                .and("Content-Length", "0"),
            E::InvalidContentLength,
        ),
        (websocket().and("Content-Length", "1"), E::UnexpectedBody),
        (
            websocket().and("Transfer-Encoding", "chunked"),
            E::UnexpectedBody,
        ),
        (
            websocket().and("Origin", "null").and("Origin", "null"),
            E::RepeatedOrigin,
        ),
        (get("/").and("Host", "server.example"), E::MissingUpgrade),
        (websocket().without("Upgrade"), E::MissingUpgrade),
        (
            websocket().without("Connection"),
            E::MissingConnectionUpgrade,
        ),
        (
            websocket().without("Sec-WebSocket-Version"),
            E::MissingVersion,
        ),
        (
            websocket().and("Sec-WebSocket-Version", "13"),
            E::RepeatedVersion,
        ),
        (
            websocket().with("Sec-WebSocket-Version", "8"),
            E::UnsupportedVersion,
        ),
        (websocket().without("Sec-WebSocket-Key"), E::MissingKey),
        (websocket().and("Sec-WebSocket-Key", KEY), E::RepeatedKey),
        (websocket().with("Sec-WebSocket-Key", "a"), E::InvalidKey),
        (
            websocket().and("Sec-WebSocket-Protocol", "a b"),
            E::InvalidSubprotocols,
        ),
        (
            websocket().and("Sec-WebSocket-Protocol", ""),
            E::InvalidSubprotocols,
        ),
        (
            websocket().and("Sec-WebSocket-Protocol", "a, b, a"),
            E::RepeatedSubprotocol,
        ),
        (
            websocket().and("Sec-WebSocket-Extensions", "a; b=\" \""),
            E::InvalidExtensions,
        ),
        (
            websocket().and("Sec-WebSocket-Extensions", long),
            E::TooManyExtensions,
        ),
        (
            websocket().and("Origin", "https://other.example"),
            E::OriginNotAllowed,
        ),
    ] {
        assert_eq!(both(&case, &config), Err(error), "{case:?}");
    }
}

#[test]
fn origins_are_compared_with_the_configured_ones() {
    let list = AllowedOrigins::new(["https://good.example"]).expect("an origin");
    let config = server::Config::new().origin(OriginPolicy::List(list));
    for (origin, allowed) in [
        ("https://good.example", true),
        ("http://good.example", false),
        ("https://server.example", false),
    ] {
        let verdict = both(&websocket().and("Origin", origin), &config);
        assert_eq!(verdict.is_ok(), allowed, "{origin}");
    }
    let absolute = websocket().first(1, "http://absolute.example/");
    for (origin, allowed) in [
        ("http://absolute.example", true),
        ("http://server.example", false),
    ] {
        let case = absolute.clone().and("Origin", origin);
        let verdict = both(&case, &server::Config::new());
        assert_eq!(verdict.is_ok(), allowed, "{origin}");
    }
}

#[test]
fn limits_on_the_head_are_those_of_the_framework() {
    let config = server::Config::new()
        .max_head_size(0)
        .max_target_size(0)
        .max_headers(0);
    assert_eq!(
        by_bytes(&websocket(), &config),
        Err(HandshakeError::HeadTooLarge)
    );
    let many = (0..1000).fold(websocket(), |case, n| case.and("x", format!("{n}")));
    assert!(by_http(&many, &config).is_ok());
}

#[test]
fn fragment_that_the_types_drop_is_not_seen() {
    let case = websocket().first(1, "/chat#fragment");
    assert_eq!(
        by_bytes(&case, &config()),
        Err(HandshakeError::InvalidTarget)
    );
    let accepted = by_http(&case, &config()).expect("it is not there any more");
    assert_eq!(accepted.request.target, "/chat");
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let names = prop::sample::select(vec![
        "Host",
        "Upgrade",
        "connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "x",
    ]);
    let known = prop::sample::select(vec![
        "server.example",
        "websocket",
        "Upgrade",
        KEY,
        "13",
        "https://server.example",
        "chat.v1, b",
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover, x; y=\"z\"",
        "0",
        " ",
        "",
    ]);
    let byte = any::<u8>().prop_filter("a value may have it", |&byte| {
        byte == b'\t' || byte >= b' ' && byte != 0x7f
    });
    let any = prop::collection::vec(byte, 0..12);
    let value = prop_oneof![9 => known.prop_map(|v| v.as_bytes().to_vec()), 1 => any];
    (names, value).prop_map(|(name, value)| (name.into(), value))
}

fn request() -> impl Strategy<Value = Case> {
    let word = |words| prop::sample::select::<&str>(words);
    let first = (
        prop_oneof![9 => Just("GET"), 1 => word(vec!["POST", "HEAD", "x"])],
        prop_oneof![
            3 => Just("/chat?a=b"),
            1 => word(vec!["/", "*", "h:80", "http://h/", "wss://[::1]:1/a?b", "ftp://h/", "/é", "//"]),
        ],
        prop_oneof![9 => Just("HTTP/1.1"), 1 => word(vec!["HTTP/1.0", "HTTP/2.0"])],
    );
    let removed = prop::option::weighted(0.3, 0..5_usize);
    let added = prop::collection::vec(header(), 0..4);
    (first, removed, added).prop_map(|((method, target, version), removed, added)| {
        let mut case = websocket();
        case.first = [method, target, version].map(String::from);
        if let Some(place) = removed {
            case.headers.remove(place);
        }
        case.headers.extend(added);
        case
    })
}

proptest! {
    #[test]
    fn any_request_has_one_verdict(case in request(), shuffled in any::<prop::sample::Index>()) {
        let mut case = case;
        let n = case.headers.len();
        case.headers.rotate_left(shuffled.index(n));
        let config = config();
        prop_assert_eq!(by_http(&case, &config), by_bytes(&case, &config));
    }
}

#[test]
fn refusals_are_those_of_our_own_server() {
    for (case, status) in [
        (websocket().first(0, "POST"), 405),
        (websocket().first(2, "HTTP/1.0"), 505),
        (websocket().without("Sec-WebSocket-Key"), 400),
        (websocket().with("Sec-WebSocket-Version", "8"), 426),
        (websocket().and("Origin", "https://other.example"), 403),
    ] {
        let request = case.http().expect("the types can express it");
        let error = server::Request::from_http(&request, &server::Config::new());
        let response = ::http::Response::<Bytes>::from(error.expect_err("it is invalid"));
        assert_eq!(response.status(), status);

        let mut handshake = server::Handshake::new(&server::Config::new());
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&case.lines().bytes());
        assert!(matches!(
            handshake.receive(&mut rx),
            Some(Opening::Rejected(_))
        ));
        let answer = Answer::read(&take(handshake.send_buf()));
        compare(&response, &answer);
    }
}

#[test]
fn answers_are_those_of_our_own_server() {
    for status in [200, 204, 205, 304, 401, 418, 426, 599] {
        let answer = server::Response::new(status).expect("a final status");
        let answer = answer.header("A", "1").expect("a header");
        let answer = answer.header("b", "2").expect("a header");
        let answer = answer.header("a", "3").expect("a header").body("body");
        let in_bytes = Answer::read(&respond(&websocket().lines(), answer.clone()));
        compare(&answer.into(), &in_bytes);
    }
}

/// The same but for what is up to the framework.
#[track_caller]
fn compare(response: &::http::Response<Bytes>, answer: &Answer) {
    assert_eq!(response.status(), answer.status);
    assert_eq!(response.body(), &answer.body);
    let mut expected = Vec::new();
    for (name, value) in &answer.headers {
        match &**name {
            "Content-Length" => continue,
            "Connection" if value == "close" => continue,
            "Connection" => expected.push((name.clone(), b"Upgrade".to_vec())),
            _ => expected.push((name.clone(), value.trim().into())),
        }
    }
    assert_eq!(pairs(response.headers()), sorted(expected));
}

#[test]
fn debug_shows_no_secret() {
    let secret = "c3VwZXItc2VjcmV0";
    let case = websocket()
        .first(1, &format!("/chat?token={secret}"))
        .and("Cookie", secret)
        .and("Sec-WebSocket-Protocol", secret);
    let request = case.http().expect("the types can express it");
    let mut request = server::Request::from_http(&request, &config()).expect("it is valid");
    assert_eq!(request.subprotocols().next(), Some(secret));
    request.select_subprotocol(secret).expect("it is offered");
    request.add_header("Set-Cookie", secret).expect("a header");
    assert!(!format!("{request:?}").contains(secret));
    let (response, _) = request.upgrade_http();
    assert!(pairs(response.headers()).contains(&("set-cookie".into(), secret.into())));
    assert!(!format!("{response:?}").contains(secret), "{response:?}");

    let page = server::Response::new(200).expect("a final status");
    let page = page.header("Set-Cookie", secret).expect("a header");
    let page = ::http::Response::from(page);
    assert!(!format!("{page:?}").contains(secret), "{page:?}");
}
