//! The client's opening handshake in the types of the crate `http`: it is the same as in bytes.

#[path = "support/http_types.rs"]
mod support;

use std::time::Duration;

use ::http::{Method, Version};
use framewire::client::{self, HttpHandshake, InvalidHeader, InvalidRequest, InvalidUri, Outcome};
use framewire::{Connection, Event, RecvBuf, server};
use proptest::prelude::*;
use support::http::{ACCEPT, take};
use support::http_client::{self, SEED, switching};
use support::{Case, fields, header_map, pairs, sorted};

/// A response to the client with the seed of the tests.
fn answer() -> Case {
    Case {
        first: ["HTTP/1.1".into(), "101".into(), "Switching".into()],
        headers: vec![
            ("Upgrade".into(), b"websocket".to_vec()),
            ("Connection".into(), b"Upgrade".to_vec()),
            ("Sec-WebSocket-Accept".into(), http_client::ACCEPT.into()),
        ],
    }
}

fn answer_header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let names = prop::sample::select(vec![
        "Upgrade",
        "connection",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "x",
    ]);
    let values = prop::sample::select(vec![
        "websocket",
        "Upgrade",
        http_client::ACCEPT,
        "chat.v1",
        " chat.v2\t",
        "chat.V2",
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=7",
        "x",
        "\u{e9}",
        "",
    ]);
    (names, values).prop_map(|(name, value)| (name.into(), value.into()))
}

fn asked() -> (client::Request, client::Config) {
    let request = client::Request::new("ws://server.example/chat?a=b").expect("a URI");
    let request = request.subprotocol("chat.v1").expect("a subprotocol");
    let request = request.subprotocol("chat.v2").expect("a subprotocol");
    let request = request.bearer("secret").expect("a token");
    let connection = framewire::Config::new();
    #[cfg(feature = "deflate")]
    let connection = connection.deflate(framewire::Deflate::new());
    (request, client::Config::new().connection(connection))
}

fn http_handshake() -> HttpHandshake {
    let (request, config) = asked();
    HttpHandshake::with_seed(&request, &config, SEED).expect("the types can express it")
}

/// What a client makes of a response: the subprotocol, whether it compresses, and a message of it.
type Opened = Result<(Option<String>, bool, Vec<u8>), client::HandshakeError>;

fn opened_by_both(case: &Case) -> Opened {
    let (request, config) = asked();
    let mut handshake = client::Handshake::with_seed(&request, &config, SEED);
    take(handshake.send_buf());
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&case.lines().bytes());
    let by_bytes = match handshake.receive(&mut rx) {
        Some(Outcome::Connected(conn, response)) => {
            let response = ::http::Response::try_from(response).expect("an ordinary response");
            assert_eq!(response.status(), 101);
            let headers = case.headers.iter();
            let trimmed = headers.map(|(n, v)| (n.clone(), v.trim_ascii().to_vec()));
            assert_eq!(pairs(response.headers()), sorted(trimmed.collect()));
            Ok(conn)
        }
        Some(Outcome::Failed(error)) => Err(error),
        other => panic!("{case:?}: {other:?}"),
    };

    let mut response = ::http::Response::new(());
    *response.status_mut() = ::http::StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = header_map(&case.headers).expect("the types can express it");
    *response.version_mut() = match &*case.first[0] {
        "HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let by_http = http_handshake().receive(&response).map(|mut conn| {
        assert!(conn.send_buf().is_empty());
        assert_eq!(conn.stats(), framewire::Stats::default());
        conn
    });

    let opened = |mut conn: Connection| {
        conn.send_text("Hello, Hello, Hello").expect("it is open");
        let message = take(conn.send_buf());
        let subprotocol = conn.subprotocol().map(String::from);
        (subprotocol, conn.can_compress(), message)
    };
    let (by_bytes, by_http) = (by_bytes.map(opened), by_http.map(opened));
    assert_eq!(by_http, by_bytes, "{case:?}");
    by_http
}

#[test]
fn responses_open_a_connection_as_in_bytes() {
    let (subprotocol, can_compress, _) = opened_by_both(&answer()).expect("it is valid");
    assert_eq!((subprotocol, can_compress), (None, false));
    let full = answer()
        .and("Sec-WebSocket-Protocol", "chat.v2")
        .and("Set-Cookie", "a=1")
        .and("set-cookie", "b=\u{e9}");
    let (subprotocol, ..) = opened_by_both(&full).expect("it is valid");
    assert_eq!(subprotocol.as_deref(), Some("chat.v2"));
    #[cfg(feature = "deflate")]
    {
        let deflate = answer().and("Sec-WebSocket-Extensions", "permessage-deflate");
        let (_, can_compress, _) = opened_by_both(&deflate).expect("it is valid");
        assert!(can_compress);
    }
}

#[test]
fn responses_fail_as_in_bytes() {
    use client::HandshakeError as E;

    for (case, error) in [
        (answer().first(0, "HTTP/1.0"), E::UnsupportedHttpVersion),
        (answer().with("Upgrade", "h2c"), E::InvalidUpgrade),
        (answer().without("Connection"), E::MissingConnectionUpgrade),
        (answer().without("Sec-WebSocket-Accept"), E::MissingAccept),
        (
            answer().with("Sec-WebSocket-Accept", ACCEPT),
            E::WrongAccept,
        ),
        (
            answer().and("Sec-WebSocket-Accept", ACCEPT),
            E::RepeatedAccept,
        ),
        (
            answer().and("Sec-WebSocket-Protocol", "chat.v3"),
            E::SubprotocolNotOffered,
        ),
        (
            answer().and("Sec-WebSocket-Protocol", "chat.v1, chat.v2"),
            E::InvalidSubprotocol,
        ),
        (
            answer().and("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"),
            E::ExtensionNotOffered,
        ),
        (
            answer().and("Sec-WebSocket-Extensions", "a,;"),
            E::InvalidExtensions,
        ),
    ] {
        assert_eq!(opened_by_both(&case), Err(error), "{case:?}");
    }
}

#[test]
fn required_subprotocol_is_missed() {
    let (request, config) = asked();
    let config = config.require_subprotocol(true);
    let handshake = HttpHandshake::with_seed(&request, &config, SEED).expect("an ordinary one");
    let mut response = ::http::Response::new(());
    *response.status_mut() = ::http::StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = header_map(&answer().headers).expect("they are valid");
    assert_eq!(
        handshake.receive(&response).err(),
        Some(client::HandshakeError::MissingSubprotocol)
    );
}

#[test]
fn other_status_than_101_is_a_refusal() {
    for status in [100, 200, 302, 401, 426, 999] {
        let mut response = ::http::Response::new("a body");
        *response.status_mut() = ::http::StatusCode::from_u16(status).expect("a status");
        *response.headers_mut() = header_map(&answer().headers).expect("they are valid");
        let error = http_handshake().receive(&response).expect_err("refused");
        assert_eq!(error, client::HandshakeError::Refused(status));
        assert_eq!(error.to_string(), format!("refused with status {status}"));
    }
}

proptest! {
    #[test]
    fn any_headers_of_a_response_have_one_verdict(
        added in prop::collection::vec(answer_header(), 0..4),
        removed in prop::option::weighted(0.3, 0..3_usize),
        version in prop_oneof![9 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0")],
    ) {
        let mut case = answer().first(0, version);
        if let Some(place) = removed {
            case.headers.remove(place);
        }
        case.headers.extend(added);
        let _verdict = opened_by_both(&case);
    }
}

#[test]
fn request_in_types_is_the_one_in_bytes() {
    let (request, config) = asked();
    let bytes = take(client::Handshake::with_seed(&request, &config, SEED).send_buf());
    let message = http_handshake().request();
    assert_eq!(message.method(), Method::GET);
    assert_eq!(message.version(), Version::HTTP_11);
    assert_eq!(message.uri(), "/chat?a=b");
    let first = "GET /chat?a=b HTTP/1.1";
    assert_eq!(pairs(message.headers()), fields(&bytes, first));

    // A fresh key each time.
    let key = |handshake: Result<HttpHandshake, ::http::Error>| {
        let request = handshake.expect("an ordinary request").request();
        request.headers()["sec-websocket-key"].clone()
    };
    assert_ne!(
        key(HttpHandshake::new(&request, &config)),
        key(HttpHandshake::new(&request, &config))
    );
}

#[test]
fn request_that_the_types_cannot_express_is_an_error() {
    let request = client::Request::new("ws://h/<a>").expect("a URI for us");
    assert!(HttpHandshake::new(&request, &client::Config::new()).is_err());
    let name = "a".repeat(70_000);
    let request = client::Request::new("ws://h/").and_then(|request| request.header(&name, "b"));
    let request = request.expect("a header for us");
    assert!(HttpHandshake::new(&request, &client::Config::new()).is_err());
}

#[test]
fn client_requests_are_taken_from_types() {
    let message = ::http::Request::get("WSS://u.example:8443/chat?a=%20b")
        .version(Version::HTTP_2)
        .header("host", "v.example")
        .header("sec-websocket-protocol", "chat.v2, chat.v1")
        .header("Sec-WebSocket-Protocol", "x")
        .header("x", "1")
        .header("cookie", "a=b")
        .header("x", &b"\xff"[..])
        .body("a body")
        .expect("a request");
    let taken = client::Request::from_http(&message).expect("it is valid");
    let expected = client::Request::new("wss://u.example:8443/chat?a=%20b")
        .and_then(|request| request.host("v.example"))
        .and_then(|request| request.subprotocol("chat.v2"))
        .and_then(|request| request.subprotocol("chat.v1"))
        .and_then(|request| request.subprotocol("x"))
        .and_then(|request| request.header("x", "1"))
        .and_then(|request| request.header("x", b"\xff"))
        .and_then(|request| request.header("cookie", "a=b"));
    assert_eq!(taken, expected.expect("it is valid"));
    let parts = message.into_parts().0;
    assert_eq!(client::Request::from_http(&parts), Ok(taken));
}

#[test]
fn client_requests_that_must_not_be_sent_are_not_taken() {
    let get = |uri: &str| ::http::Request::get(uri);
    let taken = |builder: ::http::request::Builder| {
        let message = builder.body(()).expect("the types can express it");
        client::Request::from_http(&message)
    };
    for (uri, error) in [
        ("http://h/", InvalidUri::Scheme),
        ("https://h/", InvalidUri::Scheme),
        ("/", InvalidUri::Scheme),
        ("*", InvalidUri::Scheme),
        ("h:80", InvalidUri::Scheme),
        ("ws://u:p@h/", InvalidUri::Userinfo),
        ("ws://h:0/", InvalidUri::Port),
        ("ws://a,b/", InvalidUri::Host),
    ] {
        assert_eq!(taken(get(uri)), Err(InvalidRequest::Uri(error)), "{uri}");
    }
    for name in [
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-accept",
    ] {
        let reserved = Err(InvalidRequest::Header(InvalidHeader::Reserved));
        assert_eq!(taken(get("ws://h/").header(name, "x")), reserved, "{name}");
    }
    for (name, values, error) in [
        ("host", &["a", "a"][..], InvalidHeader::Repeated.into()),
        ("host", &["a b"], InvalidHeader::Value.into()),
        ("host", &["é"], InvalidHeader::Value.into()),
        ("cookie", &["a", "b"], InvalidHeader::Repeated.into()),
        (
            "sec-websocket-protocol",
            &["a b"],
            InvalidRequest::Subprotocol,
        ),
        (
            "sec-websocket-protocol",
            &["é"],
            InvalidRequest::Subprotocol,
        ),
        (
            "sec-websocket-protocol",
            &["", ","],
            InvalidRequest::Subprotocol,
        ),
        (
            "sec-websocket-protocol",
            &["a", "a"],
            InvalidRequest::RepeatedSubprotocol,
        ),
    ] {
        let add = |builder: ::http::request::Builder, value: &&str| builder.header(name, *value);
        let builder = values.iter().fold(get("ws://h/"), add);
        assert_eq!(taken(builder), Err(error), "{name}: {values:?}");
    }
    assert_eq!(
        taken(get("ws://h/").method(Method::POST)),
        Err(InvalidRequest::Method)
    );
}

fn server_config() -> server::Config {
    let connection = framewire::Config::new();
    #[cfg(feature = "deflate")]
    let connection = connection.deflate(framewire::Deflate::new());
    server::Config::new().connection(connection)
}

#[test]
fn messages_go_both_ways_after_a_handshake_in_types() {
    let (request, config) = asked();
    let handshake = HttpHandshake::new(&request, &config).expect("an ordinary request");
    let mut request = server::Request::from_http(&handshake.request(), &server_config())
        .expect("our own requests are valid");
    request.choose_subprotocol(&["chat.v2"]);
    let (response, mut server) = request.upgrade_http();
    let mut client = handshake.receive(&response).expect("our own 101 is valid");
    assert_eq!(client.subprotocol(), Some("chat.v2"));
    assert_eq!(server.subprotocol(), Some("chat.v2"));
    assert_eq!(client.can_compress(), cfg!(feature = "deflate"));
    assert_eq!(server.can_compress(), cfg!(feature = "deflate"));

    let pass = |from: &mut Connection, to: &mut Connection| {
        from.send_text("Hello, Hello, Hello").expect("it is open");
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&take(from.send_buf()));
        match to.receive(&mut rx) {
            Some(Event::Text(text)) => assert_eq!(text, "Hello, Hello, Hello"),
            other => panic!("{other:?}"),
        }
    };
    pass(&mut client, &mut server);
    pass(&mut server, &mut client);
    for conn in [&mut client, &mut server] {
        conn.handle_timeout(Duration::ZERO).expect("nothing is due");
        assert!(conn.send_buf().is_empty());
    }
}

#[test]
fn refusal_in_bytes_becomes_a_response() {
    let mut handshake = {
        let (request, config) = asked();
        client::Handshake::with_seed(&request, &config, SEED)
    };
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nbody");
    let Some(Outcome::Refused(response)) = handshake.receive(&mut rx) else {
        panic!("a complete refusal");
    };
    let response = ::http::Response::try_from(response).expect("an ordinary response");
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/b");
    assert_eq!(response.body(), "body");
}

#[test]
fn debug_shows_no_secret() {
    let secret = "c3VwZXItc2VjcmV0";
    let request = client::Request::new("ws://h/").expect("a URI");
    let request = request.subprotocol(secret).expect("a subprotocol");
    let request = request.bearer(secret).expect("a token");
    let request = request.cookie("a", secret).expect("a cookie");
    let handshake = HttpHandshake::new(&request, &client::Config::new()).expect("ordinary");
    assert!(!format!("{handshake:?}").contains(secret), "{handshake:?}");
    let message = handshake.request();
    assert!(!format!("{message:?}").contains(secret), "{message:?}");
    assert!(format!("{message:?}").contains("websocket"), "{message:?}");

    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&switching().and("Set-Cookie", secret).bytes());
    let plain = client::Request::new("ws://h/").expect("a URI");
    let mut handshake = client::Handshake::with_seed(&plain, &client::Config::new(), SEED);
    let Some(Outcome::Connected(_, response)) = handshake.receive(&mut rx) else {
        panic!("a valid 101");
    };
    let response = ::http::Response::try_from(response).expect("an ordinary response");
    assert!(!format!("{response:?}").contains(secret), "{response:?}");
}
