//! The bytes of a response head (RFC 9112 sections 2, 4 and 5): what is malformed fails the handshake,
//! and interim responses are skipped.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::client::{Config, HandshakeError as E};
use http_client::{Answer, Client, client, connected, failed, lines, status, switching};

/// A 101 with this line among its headers.
fn with_line(line: &[u8]) -> Vec<u8> {
    let bytes = switching().bytes();
    let head = bytes.strip_suffix(b"\r\n").expect("an empty line");
    [head, line, b"\r\n\r\n"].concat()
}

// req: HC-22
#[test]
fn status_line_has_a_version_three_digits_and_perhaps_a_reason() {
    for line in [
        "HTTP/1.1 101 Switching Protocols",
        "HTTP/1.1 101 ",
        "HTTP/1.1 101",
        "HTTP/1.1 101 101 HTTP/1.1",
        "HTTP/1.1 101  ",
        "HTTP/1.1 101 \t(é)",
    ] {
        connected(&switching().first(line));
    }
    let latin = b"HTTP/1.1 101 \xff\xfe\x80";
    connected(&switching().first(latin));
    for line in [
        &b"HTTP/1.1"[..],
        b"HTTP/1.1 ",
        b"HTTP/1.1 1",
        b"HTTP/1.1 10",
        b"HTTP/1.1 1011",
        b"HTTP/1.1 1O1",
        b"HTTP/1.1 0x65",
        b"HTTP/1.1 +101",
        b"HTTP/1.1 -101",
        b"HTTP/1.1 000",
        b"HTTP/1.1 001",
        b"HTTP/1.1 099",
        b"HTTP/1.1 10.",
        b"HTTP/1.1 101.0",
        b"HTTP/1.1 101x",
        b"HTTP/1.1 101\tx",
        b"HTTP/1.1 \xb9\xb0\xb9",
        b"HTTP/1.1 ABC x",
        b"HTTP/1.1  101 x",
        b"HTTP/1.1\t101 x",
        b"HTTP/1.1101 x",
        b" HTTP/1.1 101 x",
        b"http/1.1 101 x",
        b"HTTP /1.1 101 x",
        b"HTTP/1.10 101 x",
        b"HTTP/11 101 x",
        b"HTTP/1 101 x",
        b"HTTP/1. 101 x",
        b"HTTP/.1 101 x",
        b"HTTP/a.1 101 x",
        b"HTTP/1.a 101 x",
        b"HTTP/-1.1 101 x",
        b"HTTPS/1.1 101 x",
        b"\xef\xbb\xbfHTTP/1.1 101 x", // byte order mark
        b"ICY 200 OK",
        b"SIP/2.0 200 OK",
        b"GET / HTTP/1.1",
        b"101",
        b"{\"status\": 101}",
    ] {
        let response = switching().first(line);
        let shown = String::from_utf8_lossy(line);
        assert_eq!(failed(&response), E::InvalidStatusLine, "{shown}");
    }
}

// req: HC-22
#[test]
fn connection_is_opened_by_version_1_1_alone() {
    for version in ["1.0", "1.2", "1.9", "0.9", "2.0", "3.0", "9.9", "0.0"] {
        let response = switching().first(format!("HTTP/{version} 101 x"));
        assert_eq!(failed(&response), E::UnsupportedHttpVersion, "{version}");
        // What is no 101 may be older or newer.
        let refusal = lines(&format!("HTTP/{version} 404 x")).and("Content-Length", "0");
        assert_eq!(client().refused(&refusal.bytes()).status, 404);
    }
}

// req: HC-23, HC-22
#[test]
fn empty_lines_before_the_status_line_are_malformed() {
    for empty in [&b"\r\n"[..], b"\r\n\r\n"] {
        let bytes = [empty, &switching().bytes()].concat();
        assert_eq!(client().failed(&bytes), E::InvalidStatusLine);
    }
}

// A server that does not speak HTTP may wait for ever for something that is not a line of it.
// req: HC-22
#[test]
fn first_byte_that_is_not_of_http_fails() {
    for bytes in [
        &b"S"[..],
        b"SSH-2.0-OpenSSH",
        b"\r",
        b"\x15",
        b"HTTP1",
        b"http/1.1 101",
        b"aaaa",
    ] {
        assert_eq!(client().failed(bytes), E::InvalidStatusLine, "{bytes:?}");
    }
    let interim = b"HTTP/1.1 103 x\r\n\r\n";
    client().incomplete(&[&interim[..], b"HTTP"].concat());
    let other = [&interim[..], b"\r"].concat();
    assert_eq!(client().failed(&other), E::InvalidStatusLine);
}

// req: HC-23
#[test]
fn line_breaks_are_cr_lf() {
    let bytes = switching().bytes();
    for place in (0..bytes.len()).filter(|&place| bytes[place] == b'\n') {
        let mut bare_cr = bytes.clone();
        bare_cr[place] = b'x';
        assert_eq!(client().failed(&bare_cr), E::BareLineBreak, "at {place}");
        let mut bare_lf = bytes.clone();
        bare_lf.remove(place - 1);
        assert_eq!(client().failed(&bare_lf), E::BareLineBreak, "at {place}");
        let mut twice = bytes.clone();
        twice.insert(place, b'\r');
        assert_eq!(client().failed(&twice), E::BareLineBreak, "at {place}");
    }
    for line in [
        &b"a: b\rc"[..],
        b"a: b\nc",
        b"a\r: b",
        b"a: \r",
        b"a: b\r\r\nc: d",
    ] {
        assert_eq!(client().failed(&with_line(line)), E::BareLineBreak);
    }
    assert_eq!(client().failed(b"HTTP/\n"), E::BareLineBreak);
}

// req: HC-23
#[test]
fn folded_headers_fail() {
    for line in [
        &b"a: b\r\n c"[..],
        b"a: b\r\n\tc",
        b"a:\r\n ",
        b"a: b\r\n \r\n c",
    ] {
        assert_eq!(client().failed(&with_line(line)), E::FoldedHeader);
    }
    assert_eq!(
        client().failed(b"HTTP/1.1 101 x\r\n Upgrade"),
        E::FoldedHeader
    );
}

// req: HC-23
#[test]
fn control_characters_fail_wherever_they_are() {
    for control in (0..=0x1f).chain([0x7f]) {
        if matches!(control, b'\r' | b'\n' | b'\t') {
            continue;
        }
        for line in [
            vec![control],
            vec![b'a', control, b':', b'b'],
            vec![b'a', b':', control],
            vec![b'a', b':', b' ', b'b', control],
        ] {
            let verdict = client().failed(&with_line(&line));
            assert_eq!(verdict, E::ControlCharacter, "{line:?}");
            // Nothing of it gets into a log.
            let shown = format!("{verdict} {verdict:?}");
            assert!(!shown.contains(char::is_control));
        }
        let reason = [b"HTTP/1.1 101 a", &[control][..], b"b"].concat();
        assert_eq!(failed(&switching().first(reason)), E::ControlCharacter);
        let at_once = [b"HTTP/", &[control][..]].concat();
        assert_eq!(client().failed(&at_once), E::ControlCharacter);
    }
    // A server that speaks TLS: alert, fatal, protocol version.
    assert_eq!(
        client().failed(b"\x15\x03\x01\x00\x02\x02\x46"),
        E::InvalidStatusLine
    );
    // A server that speaks HTTP/2: an empty SETTINGS frame.
    assert_eq!(
        client().failed(b"\0\0\0\x04\0\0\0\0\0"),
        E::InvalidStatusLine
    );
}

// req: HC-23
#[test]
fn header_lines_have_a_token_and_a_colon() {
    for line in [
        &b"a"[..],
        b":",
        b": b",
        b"a b: c",
        b"a : b",
        b"a\t: b",
        b"\"a\": b",
        b"(a): b",
        b"a/b: c",
        b"a@b: c",
        b"a,b: c",
        b"\xe9: b",
        b"a\xff: b",
        b"Upgrade websocket",
        b"HTTP/1.1 101 x",
    ] {
        let verdict = client().failed(&with_line(line));
        assert_eq!(verdict, E::InvalidHeaderLine, "{line:?}");
        // In a refusal and in an interim response the same.
        let refusal = [b"HTTP/1.1 403 x\r\n", line, b"\r\n\r\n"].concat();
        assert_eq!(client().failed(&refusal), E::InvalidHeaderLine);
        let interim = [b"HTTP/1.1 103 x\r\n", line, b"\r\n\r\n"].concat();
        assert_eq!(client().failed(&interim), E::InvalidHeaderLine);
    }
    // A line before the first header that begins with a space is none.
    assert_eq!(client().failed(b"HTTP/1.1 403 x\r\n a: b"), E::FoldedHeader);
    let odd = b"!#$%&'*+-.^_`|~09aZ:\t \xe9:\tb \t";
    let opened = client().connected(&with_line(odd));
    let expected = ("!#$%&'*+-.^_`|~09aZ".into(), b"\xe9:\tb".to_vec());
    assert_eq!(opened.response.headers[3], expected);
}

fn interim(code: u16) -> Vec<u8> {
    status(code)
        .and("Link", "</style.css>; rel=preload")
        .bytes()
}

// req: HC-09
#[test]
fn interim_responses_are_skipped() {
    for code in (100..=199).filter(|&code| code != 101) {
        let bytes = [interim(code), switching().bytes()].concat();
        // What is reported is the final response.
        let opened = client().connected(&bytes);
        assert_eq!(opened, connected(&switching()), "{code}");
    }
    let refusal = status(404).and("Content-Length", "2").bytes();
    let bytes = [&interim(100)[..], &interim(103), &refusal, b"no"].concat();
    let refused = client().refused(&bytes);
    assert_eq!((refused.status, &refused.body[..]), (404, &b"no"[..]));
    assert_eq!(refused.headers.len(), 1);
    let bytes = [
        &interim(102)[..],
        &switching().with("Upgrade", "h2c").bytes(),
    ]
    .concat();
    assert_eq!(client().failed(&bytes), E::InvalidUpgrade);
    // Nothing of an interim response counts for the final one.
    let decoy = switching().first("HTTP/1.1 103 x").bytes();
    let bytes = [&decoy[..], &status(101).bytes()].concat();
    assert_eq!(client().failed(&bytes), E::InvalidUpgrade);
}

// req: HC-09
#[test]
fn eight_interim_responses_are_skipped_and_the_ninth_fails() {
    let hello = b"\x81\x05Hello"; // text, not masked
    let many = |n: usize| [&interim(100).repeat(n)[..], &switching().bytes(), hello].concat();
    for n in 0..=8 {
        let opened = client().connected(&many(n));
        assert_eq!(opened.events, ["Text(\"Hello\")"], "{n}");
    }
    let small = status(199).bytes();
    for n in [9, 10, 1000] {
        assert_eq!(client().failed(&many(n)), E::TooManyInterimResponses);
        assert_eq!(
            client().failed(&small.repeat(n)),
            E::TooManyInterimResponses
        );
    }
    // The ninth is judged when it is complete.
    let ninth = small.repeat(9);
    client().incomplete(&ninth[..ninth.len() - 1]);
}

// req: HC-09, HC-30
#[test]
fn interim_responses_alone_are_no_answer() {
    for n in 1..=8 {
        client().incomplete(&interim(103).repeat(n));
        let begun = [&interim(103).repeat(n)[..], b"HTTP/1.1 101 S"].concat();
        client().incomplete(&begun);
    }
    // They have no content, whatever they say: what follows is the next head.
    let sized = status(100).and("Content-Length", "5");
    let bytes = [&sized.bytes()[..], b"hello", &switching().bytes()].concat();
    assert_eq!(client().failed(&bytes), E::InvalidStatusLine);
    let bytes = [sized.bytes(), switching().bytes()].concat();
    client().connected(&bytes);
}

// req: HC-25
#[test]
fn limits_of_the_head_hold_for_each_interim_response() {
    let size = switching().bytes().len();
    let client = Client {
        config: Config::new().max_head_size(size).max_headers(3),
        ..client()
    };
    let fitting = |n: usize| status(103).and("x", "y".repeat(n)).bytes();
    let n = size - fitting(0).len();
    let bytes = [fitting(n).repeat(8), switching().bytes()].concat();
    client.connected(&bytes);
    let bytes = [fitting(1), fitting(n + 1), switching().bytes()].concat();
    assert_eq!(client.failed(&bytes), E::HeadTooLarge);
    let four = (0..4).fold(status(103), |lines, _| lines.and("x", "y"));
    let bytes = [&fitting(1)[..], &four.bytes()].concat();
    assert_eq!(client.failed(&bytes), E::TooManyHeaders);
}

// req: HC-25
#[test]
fn head_fails_at_the_byte_that_is_too_much() {
    let base = switching().and("x", "").bytes().len();
    let sized = |len: usize| switching().and("x", "a".repeat(len - base)).bytes();
    client().connected(&sized(16 * 1024));
    for len in [16 * 1024 + 1, 64 * 1024] {
        assert_eq!(client().failed(&sized(len)), E::HeadTooLarge);
    }
    for endless in [
        &b"HTTP/1.1 101 aaaa"[..],
        b"HTTP/1.1 101 x\r\nname",
        b"HTTP/1.1 101 x\r\nname: value",
        b"HTTP/1.1 403 x\r\nname: value",
        b"HTTP/aaaa",
    ] {
        let mut bytes = endless.to_vec();
        bytes.resize(16 * 1024, b'a');
        client().incomplete(&bytes);
        bytes.push(b'a');
        assert_eq!(client().failed(&bytes), E::HeadTooLarge);
    }
    let small = |len: usize| Client {
        config: Config::new().max_head_size(len),
        ..client()
    };
    let bytes = switching().bytes();
    small(bytes.len()).connected(&bytes);
    assert_eq!(small(bytes.len() - 1).failed(&bytes), E::HeadTooLarge);
    assert_eq!(small(0).failed(b"H"), E::HeadTooLarge);
    // The limit is one on the head, not on what follows.
    let frames = b"\x82\x7e\x03\xe8".iter().copied().chain([0; 1000]);
    let bytes: Vec<u8> = bytes.into_iter().chain(frames).collect();
    let opened = small(switching().bytes().len()).connected(&bytes);
    assert_eq!(opened.events.len(), 1);
}

// req: HC-25
#[test]
fn more_header_lines_than_allowed_fail() {
    let padded = |n: usize| (0..n).fold(switching(), |lines, i| lines.and(&format!("x{i}"), "y"));
    let opened = connected(&padded(97));
    assert_eq!(opened.response.headers.len(), 100);
    assert_eq!(failed(&padded(98)), E::TooManyHeaders);
    assert_eq!(failed(&padded(1000)), E::TooManyHeaders);
    // What is needed is found behind any number of others, or all of it is refused.
    let last = |n: usize| {
        let others = (0..n).fold(status(101), |lines, _| lines.and("x", ""));
        let needed = connected(&switching()).response.headers;
        needed
            .iter()
            .fold(others, |lines, (name, value)| lines.and(name, value))
    };
    connected(&last(97));
    assert_eq!(failed(&last(98)), E::TooManyHeaders);
    let raised = Client {
        config: Config::new().max_headers(1000),
        ..client()
    };
    raised.connected(&last(997).bytes());
    assert_eq!(raised.failed(&last(998).bytes()), E::TooManyHeaders);
    let none = Client {
        config: Config::new().max_headers(0),
        ..client()
    };
    assert_eq!(none.failed(b"HTTP/1.1 101 x\r\nU"), E::TooManyHeaders);
    let bare = none.course(b"HTTP/1.1 204 x\r\n\r\n").answer;
    assert!(matches!(bare, Some(Answer::Refused(_))));
}
