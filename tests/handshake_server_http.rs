//! The server's opening handshake as HTTP/1.1: request line, header lines and body (RFC 9112, RFC 6455
//! section 4.2.1).

#[path = "support/http.rs"]
mod http;

use framewire::server::{Config, HandshakeError as E};
use http::{Outcome, get, outcome, refused, websocket};

/// A valid request with other bytes between its request line and its other headers.
fn with_line(line: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = websocket().bytes();
    let end = bytes.windows(2).position(|two| two == b"\r\n");
    let (first, rest) = bytes.split_at(end.expect("a line") + 2);
    [first, line.as_ref(), rest].concat()
}

fn refused_by_default(bytes: &[u8]) -> E {
    refused(&Config::new(), bytes)
}

// req: HS-02
#[test]
fn other_methods_get_405_with_allow() {
    for method in ["POST", "get", "HEAD", "CONNECT", "OPTIONS", "GETT", "G"] {
        let lines = websocket().first(format!("{method} /chat HTTP/1.1"));
        let Outcome::Rejected { error, answer } = lines.at(&Config::new()) else {
            panic!("{method}");
        };
        assert_eq!((error, answer.status), (E::MethodNotAllowed, 405));
        assert_eq!(answer.header("Allow"), Some("GET"));
    }
}

// req: HS-03, HS-04
#[test]
fn other_versions_are_refused() {
    for (version, error) in [
        ("HTTP/1.0", E::UnsupportedHttpVersion),
        ("HTTP/0.9", E::UnsupportedHttpVersion),
        ("HTTP/1.2", E::UnsupportedHttpVersion),
        ("HTTP/2.0", E::UnsupportedHttpVersion),
        ("http/1.1", E::InvalidRequestLine),
        ("HTTP/1.10", E::InvalidRequestLine),
        ("HTTP/1.", E::InvalidRequestLine),
        ("HTTP/1", E::InvalidRequestLine),
        ("HTTP/11", E::InvalidRequestLine),
        ("HTTP/-1.1", E::InvalidRequestLine),
        ("HTTPS/1.1", E::InvalidRequestLine),
        ("", E::InvalidRequestLine),
    ] {
        let lines = websocket().first(format!("GET /chat {version}"));
        assert_eq!(lines.refused(), error, "{version}");
    }
    assert_eq!(get("/").first("GET /").refused(), E::InvalidRequestLine);
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(refused_by_default(http2), E::UnsupportedHttpVersion);
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        &b" GET / HTTP/1.1"[..],
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / x HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"/ HTTP/1.1",
        b"x",
    ] {
        assert_eq!(websocket().first(line).refused(), E::InvalidRequestLine);
    }
}

// req: HS-05
#[test]
fn target_is_reduced_to_path_and_query() {
    for (target, path, query, host) in [
        ("/chat", "/chat", None, "server.example"),
        (
            "/a%2Fb?x=%20&y",
            "/a%2Fb",
            Some("x=%20&y"),
            "server.example",
        ),
        ("/?", "/", Some(""), "server.example"),
        ("http://h/chat", "/chat", None, "h"),
        ("HTTP://h:81/chat?q", "/chat", Some("q"), "h:81"),
        ("wss://[::1]?q", "/", Some("q"), "[::1]"),
        ("https://h", "/", None, "h"),
    ] {
        let lines = websocket().first(format!("GET {target} HTTP/1.1"));
        let Outcome::Upgraded { request, .. } = lines.at(&Config::new()) else {
            panic!("{target}");
        };
        assert_eq!(request.target, target);
        assert_eq!((&*request.path, request.query.as_deref()), (path, query));
        assert_eq!(request.host, host);
    }
}

// req: HS-05
#[test]
fn other_forms_of_targets_are_refused() {
    for target in [
        "*",
        "h:80",
        "h",
        "chat",
        "/#a",
        "http://h/#a",
        "ftp://h/",
        "http://",
        "http:///chat",
        "http://u@h/",
        "http:/h/",
        "http://a,b/",
    ] {
        let lines = websocket().first(format!("GET {target} HTTP/1.1"));
        assert_eq!(lines.refused(), E::InvalidTarget, "{target}");
    }
}

// req: HS-06
#[test]
fn host_must_be_there_once_and_well_formed() {
    for host in ["h", "H.Example:8080", "127.0.0.1", "[::1]:9", "h:", "a_b"] {
        websocket().with("Host", host).accepted();
    }
    assert_eq!(websocket().without("Host").refused(), E::MissingHost);
    let repeated = websocket().and("host", "server.example");
    assert_eq!(repeated.refused(), E::RepeatedHost);
    for host in [
        &b""[..],
        b" ",
        b"a, b",
        b"a,b",
        b"a b",
        b"a:b",
        b"a:65536",
        b":80",
        b"[::1",
        b"u@h",
        b"http://h",
        b"h/",
        b"\xff",
        b"\xc3\xa9",
    ] {
        assert_eq!(websocket().with("Host", host).refused(), E::InvalidHost);
    }
    // Also where the target replaces it.
    let absolute = websocket().first("GET http://h/ HTTP/1.1").without("Host");
    assert_eq!(absolute.refused(), E::MissingHost);
}

// req: HS-34
#[test]
fn folded_lines_are_refused() {
    for line in [
        "a: b\r\n c\r\n",
        "a: b\r\n\tc: d\r\n",
        " a: b\r\n",
        "\ta: b\r\n",
    ] {
        assert_eq!(refused_by_default(&with_line(line)), E::FoldedHeader);
    }
}

// req: HS-35, HS-37
#[test]
fn malformed_header_names_are_refused() {
    for line in [
        &b"Host : h\r\n"[..],
        b"a\t: b\r\n",
        b": b\r\n",
        b"a\r\n",
        b"a b: c\r\n",
        b"(a): b\r\n",
        b"\"a\": b\r\n",
        b"\xe9: b\r\n",
        b"a\xff: b\r\n",
    ] {
        let bytes = with_line(line);
        assert_eq!(refused_by_default(&bytes), E::InvalidHeaderLine, "{line:?}");
    }
}

// req: HS-36
#[test]
fn bare_cr_and_bare_lf_are_refused() {
    for line in [
        "a: b\n",
        "a: b\nc: d\r\n",
        "a: b\rc\r\n",
        "a: b\r\r\n",
        "a\r: b\r\n",
        "\n",
        "\r",
        "a: b\r\n\r",
    ] {
        let bytes = with_line([line.as_bytes(), b"x: y\r\n"].concat());
        assert_eq!(refused_by_default(&bytes), E::BareLineBreak, "{line:?}");
    }
    for first in [
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r",
        "GET /\r HTTP/1.1",
        "\n",
        "\rGET",
    ] {
        assert_eq!(websocket().first(first).refused(), E::BareLineBreak);
    }
    let all_bare = b"GET / HTTP/1.1\nHost: h\n\n";
    assert_eq!(refused_by_default(all_bare), E::BareLineBreak);
}

// req: HS-37
#[test]
fn control_characters_are_refused() {
    for byte in (0..=0x1f).chain([0x7f]).filter(|b| !b"\t\r\n".contains(b)) {
        for bytes in [
            with_line([b"a: b", &[byte][..], b"c\r\n"].concat()),
            with_line([b"a: ", &[byte][..], b"\r\n"].concat()),
            with_line([b"a", &[byte][..], b": b\r\n"].concat()),
            websocket()
                .first([b"GET /", &[byte][..], b" HTTP/1.1"].concat())
                .bytes(),
            vec![byte],
        ] {
            assert_eq!(
                refused_by_default(&bytes),
                E::ControlCharacter,
                "{byte:#04x}"
            );
        }
    }
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(refused_by_default(tls), E::ControlCharacter);
}

// req: HS-24
#[test]
fn values_that_the_handshake_does_not_read_may_hold_any_text() {
    let value: Vec<u8> = (0x20..=0x7e).chain(0x80..=0xff).chain(*b"\tx").collect();
    let lines = websocket().and("x-any", &value);
    let Outcome::Upgraded { request, .. } = lines.at(&Config::new()) else {
        panic!("refused");
    };
    let expected = value.trim_ascii_start();
    assert!(request.headers.contains(&("x-any".into(), expected.into())));
}

// req: HS-24
#[test]
fn bytes_that_are_not_ascii_are_refused_in_every_value_that_is_read() {
    for byte in 0x80..=0xff {
        let odd = [byte];
        for (name, error) in [
            ("Host", E::InvalidHost),
            ("Sec-WebSocket-Key", E::InvalidKey),
            ("Sec-WebSocket-Version", E::UnsupportedVersion),
            ("Upgrade", E::MissingUpgrade),
            ("Connection", E::MissingConnectionUpgrade),
        ] {
            assert_eq!(websocket().with(name, odd).refused(), error);
        }
        for (name, error) in [
            ("Sec-WebSocket-Protocol", E::InvalidSubprotocols),
            ("Sec-WebSocket-Extensions", E::InvalidExtensions),
            ("Origin", E::OriginNotAllowed),
            ("Content-Length", E::InvalidContentLength),
            ("Transfer-Encoding", E::UnexpectedBody),
        ] {
            assert_eq!(websocket().and(name, odd).refused(), error);
        }
    }
}

// req: HS-39, HS-40
#[test]
fn requests_with_a_body_are_refused() {
    for length in ["0", "00"] {
        websocket().and("Content-Length", length).accepted();
    }
    for length in ["5", "05", "18446744073709551616", "1"] {
        let lines = websocket().and("Content-Length", length);
        assert_eq!(lines.refused(), E::UnexpectedBody, "{length}");
    }
    for length in ["", "+0", "-0", "0x0", "5,5", "0, 0", "0 0", "0.", "a"] {
        let lines = websocket().and("Content-Length", length);
        assert_eq!(lines.refused(), E::InvalidContentLength, "{length}");
    }
    let two = websocket()
        .and("Content-Length", "0")
        .and("content-length", "0");
    assert_eq!(two.refused(), E::InvalidContentLength);
    for coding in ["chunked", "chunked, identity", "identity", "", "xchunked"] {
        let lines = websocket().and("Transfer-Encoding", coding);
        assert_eq!(lines.refused(), E::UnexpectedBody, "{coding}");
        let both = lines.and("Content-Length", "5");
        assert_eq!(both.refused(), E::UnexpectedBody, "{coding}");
    }
    // Nor is there a body without an upgrade.
    let plain = get("/").and("Content-Length", "5");
    assert_eq!(plain.refused(), E::UnexpectedBody);
}

#[test]
fn incomplete_requests_wait() {
    let bytes = websocket().bytes();
    for end in 0..bytes.len() {
        assert_eq!(outcome(&Config::new(), &bytes[..end]), Outcome::Incomplete);
    }
}
