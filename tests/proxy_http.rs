//! A way through an HTTP proxy: CONNECT and its answers (RFC 6455 section 4.1, RFC 9110 section 9.3.6).

#[path = "support/tunnel.rs"]
mod tunnel;

use framewire::RecvBuf;
use framewire::client::{Config, Handshake, HandshakeError, Request};
use framewire::connect::{Proxy, ProxyError, Tunnel};
use proptest::prelude::*;
use tunnel::http::{Lines, lines, take};
use tunnel::{Asking, asking};

const PROXY: &str = "http://proxy.example:3128";

fn plain() -> Asking {
    asking(PROXY, "ws://server.example/chat")
}

fn status(code: u16) -> Lines {
    lines(&format!("HTTP/1.1 {code} Whatever"))
}

/// What is asked of this proxy for this server.
fn asked(proxy: &str, uri: &str) -> String {
    String::from_utf8(asking(proxy, uri).first_bytes()).expect("it is ASCII")
}

fn broken(answer: impl AsRef<[u8]>) -> HandshakeError {
    match plain().failed(answer.as_ref()) {
        ProxyError::InvalidAnswer(error) => error,
        other => panic!("{other:?}"),
    }
}

// req: HC-31
#[test]
fn connect_names_host_and_port_of_the_server_whatever_they_are() {
    for (uri, server) in [
        ("ws://server.example/chat?room=1", "server.example:80"),
        ("wss://server.example/", "server.example:443"),
        ("wss://server.example:80", "server.example:80"),
        ("ws://Server.Example.:8080", "Server.Example.:8080"),
        ("ws://192.0.2.1", "192.0.2.1:80"),
        ("ws://[2001:db8::1]", "[2001:db8::1]:80"),
        ("wss://[::ffff:192.0.2.1]:9", "[::ffff:192.0.2.1]:9"),
    ] {
        let expected = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n\r\n");
        assert_eq!(asked(PROXY, uri), expected);
        // TLS to the proxy is the business of the transport.
        assert_eq!(asked("https://proxy.example", uri), expected);
    }
}

// req: HC-31
#[test]
fn credentials_of_the_proxy_are_for_the_proxy_alone() {
    let proxy = "http://Aladdin:open%20sesame@proxy.example";
    assert_eq!(
        asked(proxy, "wss://server.example"),
        "CONNECT server.example:443 HTTP/1.1\r\n\
         Host: server.example:443\r\n\
         Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\
         \r\n"
    );
    // Those of the server are no part of what a tunnel is asked for by, and the other way round.
    let request = Request::with_userinfo("ws://ann:s3cret@server.example").expect("a URI");
    let proxy: Proxy = proxy.parse().expect("a proxy");
    let mut tunnel = Tunnel::new(&proxy, request.uri(), &Config::new()).expect("it can be asked");
    let to_proxy = String::from_utf8(take(tunnel.send_buf())).expect("it is ASCII");
    assert!(!to_proxy.contains("YW5uOnMzY3JldA==") && !to_proxy.contains("\r\nAuthorization"));
    let mut handshake = Handshake::new(&request, &Config::new());
    let to_server = String::from_utf8(take(handshake.send_buf())).expect("it is ASCII");
    assert!(to_server.contains("Authorization: Basic YW5uOnMzY3JldA==\r\n"));
    assert!(!to_server.contains("QWxhZGRpbjpvcGVuIHNlc2FtZQ") && !to_server.contains("Proxy-"));
}

// req: HC-31
#[test]
fn nothing_but_connect_is_written_whatever_the_answer() {
    let asking = plain();
    let request = asking.first_bytes();
    for code in [100, 101, 103, 200, 204, 301, 407, 502, 999] {
        let course = asking.course(&status(code).bytes());
        assert_eq!(course.written, request, "{code}");
        assert_eq!(course.result.is_none(), [100, 103].contains(&code));
    }
}

// req: HC-31
#[test]
fn every_2xx_opens_the_tunnel_whatever_else_its_head_says() {
    for code in 200..300 {
        plain().opened(&status(code).bytes());
    }
    plain().opened(b"HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n");
    plain().opened(b"HTTP/1.1 200\r\n\r\n");
    let framed = [
        status(200).and("Content-Length", "5"),
        status(200)
            .and("Content-Length", "x")
            .and("Content-Length", "y"),
        status(200).and("Transfer-Encoding", "chunked"),
        status(200).and("Connection", "close").and("Upgrade", "x"),
    ];
    for answer in framed {
        plain().opened(&answer.bytes());
    }
}

// req: HC-31
#[test]
fn every_other_final_status_is_reported_with_its_headers() {
    for code in (300..1000).step_by(7).chain([407, 999]) {
        let answer = status(code)
            .and("Proxy-Authenticate", "Basic realm=\"x\"")
            .and("Content-Length", "9");
        let bytes = [&answer.bytes()[..], b"go away"].concat();
        let error = plain().failed(&bytes);
        assert_eq!(
            error.to_string(),
            format!("the proxy refused with status {code}")
        );
        let ProxyError::Refused(response) = error else {
            panic!("{code}: {error:?}");
        };
        assert_eq!(response.status(), code);
        let challenge = response.header("proxy-authenticate");
        assert_eq!(challenge, Some(&b"Basic realm=\"x\""[..]));
        assert_eq!(response.body(), b"");
        assert!(!format!("{:?}", ProxyError::Refused(response)).contains("realm"));
    }
}

// req: HC-31
#[test]
fn interim_responses_are_skipped_up_to_8() {
    let interim = [status(100).bytes(), status(103).and("Link", "x").bytes()].concat();
    let with = |n, last: u16| [interim.repeat(n), status(last).bytes()].concat();
    plain().opened(&with(4, 200));
    assert!(matches!(
        plain().failed(&with(4, 403)),
        ProxyError::Refused(_)
    ));
    let more = [status(199).bytes(), with(4, 200)].concat();
    assert_eq!(broken(more), HandshakeError::TooManyInterimResponses);
}

#[test]
fn switching_protocols_is_no_answer_to_connect() {
    let switch = status(101)
        .and("Upgrade", "websocket")
        .and("Connection", "Upgrade");
    assert_eq!(
        plain().failed(&switch.bytes()),
        ProxyError::UnexpectedUpgrade
    );
}

#[test]
fn what_is_no_http_fails_at_its_first_wrong_byte() {
    use HandshakeError as E;
    for (answer, error) in [
        (&b"SSH-2.0-OpenSSH"[..], E::InvalidStatusLine),
        (b"\x15\x03\x01\x00\x02\x02\x46", E::InvalidStatusLine),
        (b"\x05\x00", E::InvalidStatusLine),
        (b"\r\nHTTP/1.1 200\r\n\r\n", E::InvalidStatusLine),
        (b"HTTPS/1.1 200\r\n\r\n", E::InvalidStatusLine),
        (b"HTTP/1.1 20\r\n\r\n", E::InvalidStatusLine),
        (b"HTTP/1.1 099\r\n\r\n", E::InvalidStatusLine),
        (b"HTTP/1.1 2000\r\n\r\n", E::InvalidStatusLine),
        (b"HTTP/1.1 200\n\n", E::BareLineBreak),
        (b"HTTP/1.1 200\0", E::ControlCharacter),
        (b"HTTP/1.1 200\r\nno colon\r\n\r\n", E::InvalidHeaderLine),
        (b"HTTP/1.1 200\r\na: b\r\n c\r\n\r\n", E::FoldedHeader),
    ] {
        assert_eq!(broken(answer), error, "{}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn heads_have_the_limits_of_the_configuration() {
    let mut asking = plain();
    let answer = status(200).and("a", "b").and("c", "d").bytes();
    asking.config = Config::new().max_head_size(answer.len()).max_headers(2);
    asking.opened(&answer);
    asking.config = Config::new().max_head_size(answer.len() - 1);
    let too_large = ProxyError::InvalidAnswer(HandshakeError::HeadTooLarge);
    assert_eq!(asking.failed(&answer), too_large);
    asking.config = Config::new().max_headers(1);
    let too_many = ProxyError::InvalidAnswer(HandshakeError::TooManyHeaders);
    assert_eq!(asking.failed(&answer), too_many);
}

#[test]
fn endless_head_ends_at_the_limit() {
    let mut tunnel = plain().tunnel();
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(b"HTTP/1.1 200 ");
    let mut arrived = 13;
    let error = loop {
        rx.extend_from_slice(&[b'x'; 100]);
        arrived += 100;
        if let Some(result) = tunnel.receive(&mut rx) {
            break result.expect_err("there is no end of it");
        }
        assert!(arrived <= 16 * 1024);
    };
    assert_eq!(
        error,
        ProxyError::InvalidAnswer(HandshakeError::HeadTooLarge)
    );
    assert!(rx.is_empty());
}

// req: HC-31
#[test]
fn bytes_that_come_with_the_consent_are_refused() {
    for behind in [
        &b"HTTP/1.1 101 Switching Protocols\r\n"[..],
        b"\x16\x03\x03",
        b"\r",
        b"\0",
    ] {
        for code in [200, 204] {
            let bytes = [&status(code).bytes()[..], behind].concat();
            assert_eq!(plain().failed(&bytes), ProxyError::EarlyBytes);
        }
    }
}

#[test]
fn bytes_that_come_later_are_those_of_the_server() {
    let mut tunnel = plain().tunnel();
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&status(200).bytes());
    assert_eq!(tunnel.receive(&mut rx), Some(Ok(())));
    let request = Request::from(plain().uri);
    let mut handshake = Handshake::new(&request, &Config::new());
    rx.extend_from_slice(&status(403).bytes());
    assert_eq!(tunnel.receive(&mut rx), None);
    assert!(handshake.receive(&mut rx).is_none(), "a body may follow");
    handshake.receive_eof().expect("it is refused");
    assert!(handshake.receive(&mut rx).is_some());
}

#[test]
fn end_of_transport_before_the_answer_is_complete_aborts() {
    let answer = [status(100).bytes(), status(200).and("a", "b").bytes()].concat();
    plain().is_aborted_anywhere(&answer);
    let aborted = ProxyError::Aborted { received: 7 };
    let message = "the transport ended 7 bytes into the answer of the proxy";
    assert_eq!(aborted.to_string(), message);
}

#[test]
#[should_panic = "the beginning of the handshake is in another RecvBuf"]
fn the_rest_of_an_answer_in_another_buffer_is_noticed() {
    let mut tunnel = plain().tunnel();
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(b"HTTP/1.1 2");
    assert_eq!(tunnel.receive(&mut rx), None);
    let _ = tunnel.receive(&mut RecvBuf::new());
}

#[test]
fn nothing_shows_the_credentials() {
    let asking = asking("http://ann:s3cret@proxy.example", "ws://server.example");
    let shown = format!("{:?} {asking:?}", asking.tunnel());
    assert!(
        !shown.contains("s3cret") && !shown.contains("YW5uOnMzY3JldA"),
        "{shown}"
    );
}

/// Answers of which some open the tunnel.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "HTTP/1.1 200 x",
        "HTTP/1.0 200",
        "HTTP/1.1 100",
        "HTTP/1.1 101 x",
        "HTTP/1.1 407 x",
        "HTTP/1.1 2",
        "x",
    ]);
    let header = prop::sample::select(vec!["a: b\r\n", "Content-Length: 9\r\n", "x\r\n", " y\r\n"]);
    let headers = prop::collection::vec(header, 0..4);
    let head = (line, headers).prop_map(|(line, headers)| {
        [line, "\r\n", &headers.concat(), "\r\n"]
            .concat()
            .into_bytes()
    });
    let heads = prop::collection::vec(head, 1..4);
    let behind = prop::collection::vec(any::<u8>(), 0..9);
    (heads, behind).prop_map(|(heads, behind)| [heads.concat(), behind].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-INV
    #[test]
    fn any_bytes_have_one_result(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        plain().course(&bytes);
    }

    // req: P-INV, HC-31
    #[test]
    fn any_answers_have_one_result(bytes in answers(), limits in (0..200_usize, 0..8_usize)) {
        let mut asking = plain();
        let course = asking.course(&bytes);
        let opens = [&b"HTTP/1.1 2"[..], b"HTTP/1.0 2"];
        let has_consent = opens.iter().any(|open| bytes.windows(10).any(|ten| ten == *open));
        prop_assert!(course.result != Some(Ok(())) || has_consent);
        prop_assert_eq!(course.written, asking.first_bytes());
        asking.config = Config::new().max_head_size(limits.0).max_headers(limits.1);
        asking.course(&bytes);
    }
}
