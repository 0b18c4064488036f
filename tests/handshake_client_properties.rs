//! Properties of the client's opening handshake that hold for any bytes and any strings: no panic, one
//! outcome however the bytes are cut and however they end, and a clean request or none.

#[path = "support/http_client.rs"]
mod http_client;

use std::time::Duration;

use bytes::Buf as _;
use framewire::client::{Config, Outcome, Request, Uri};
use framewire::{Connection, RecvBuf};
use http_client::{ACCEPT, Client, asked, client, offering, status, switching};
use proptest::prelude::*;

/// Header lines, good ones and bad ones.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "Upgrade",
        "connection",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Version",
        "Content-Length",
        "Transfer-Encoding",
        "x",
        "",
        " y",
    ]);
    let known = prop::sample::select(vec![
        "websocket",
        "Upgrade",
        ACCEPT,
        "13",
        "a",
        "a; b=\"c\"",
        "0",
        "5",
        "chunked",
        "",
    ]);
    let any = prop::collection::vec(any::<u8>(), 0..12);
    let value = prop_oneof![9 => known.prop_map(|v| v.as_bytes().to_vec()), 1 => any];
    (names, value).prop_map(|(name, value)| [name.as_bytes(), b": ", &value, b"\r\n"].concat())
}

/// Heads of responses, in front of the headers that open a connection or not.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "HTTP/1.1 101 x",
        "HTTP/1.1 100",
        "HTTP/1.1 200 x",
        "HTTP/1.0 404 x",
        "HTTP/1.1 204 x",
        "x",
    ]);
    let valid = Just(switching().bytes());
    let any = (line, prop::collection::vec(header(), 0..8)).prop_map(|(line, headers)| {
        [line.as_bytes(), b"\r\n", &headers.concat(), b"\r\n"].concat()
    });
    prop_oneof![1 => valid, 3 => any]
}

/// What can be done to a handshake, in any order.
#[derive(Clone, Debug)]
enum Op {
    Arrive(Vec<u8>),
    Receive,
    Eof,
    Clock(u8),
    Write(u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let bytes = prop_oneof![
        2 => head(),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(b"5\r\nhello\r\n".to_vec()),
        1 => Just(b"\x81\x05Hello".to_vec()),
    ];
    // A piece of them: heads are begun and never ended as well.
    let piece =
        (bytes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(bytes, at, cut)| {
            let end = if cut {
                at.index(bytes.len() + 1)
            } else {
                bytes.len()
            };
            Op::Arrive(bytes[..end].to_vec())
        });
    let op = prop_oneof![
        6 => piece,
        6 => Just(Op::Receive),
        1 => Just(Op::Eof),
        2 => (0..4_u8).prop_map(Op::Clock),
        2 => any::<u8>().prop_map(Op::Write),
    ];
    prop::collection::vec(op, 0..40)
}

/// Texts of which some are URIs.
fn uri() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "ws://",
        "wss://",
        "WS://",
        "http://",
        "h",
        "example.com",
        "127.0.0.1",
        "[::1]",
        "[",
        "]",
        "::",
        "@",
        "u",
        ":",
        "80",
        "443",
        "0",
        "65536",
        "/",
        "//",
        "?",
        "#",
        "%",
        "%41",
        "%0a",
        "%zz",
        "\\",
        ",",
        ";",
        "ü",
        "例",
        "\u{85}",
        "\u{2028}",
        " ",
        "\t",
        "\r\n",
        "\0",
        "\x7f",
        "Host: x",
        "..",
    ]);
    let scheme = prop::sample::select(vec!["ws://", "wss://", "ws://h", "WSS://h:80/", ""]);
    let likely = (scheme, prop::collection::vec(part, 0..8));
    let likely = likely.prop_map(|(scheme, parts)| scheme.to_owned() + &parts.concat());
    prop_oneof![4 => likely, 1 => any::<String>(), 1 => "wss?://[a-z]{1,5}(:[0-9]{0,6})?/\\PC{0,20}"]
}

/// Asserts what holds of any URI that was taken.
fn check_uri(uri: &Uri) {
    assert!(!uri.host().is_empty() && uri.host().is_ascii());
    assert!(uri.port() > 0);
    assert!(
        !uri.authority()
            .contains(['@', '/', '?', '#', ' ', '\\', '%'])
    );
    let shown = uri.to_string();
    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
    assert_eq!(shown.parse().as_ref(), Ok(uri), "{shown}");
    assert_eq!(shown.parse::<Uri>().expect("the same").to_string(), shown);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-INV, A-03
    #[test]
    fn any_bytes_have_one_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        client().course(&bytes);
    }

    // req: P-INV, A-03, HC-24
    #[test]
    fn any_bytes_in_a_value_have_one_outcome(
        name in prop::sample::select(vec![
            "Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions", "Sec-WebSocket-Version", "Content-Length", "x",
        ]),
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        offering(&["a"]).course(&switching().and(name, &value).bytes());
        let refusal = status(426).and(name, &value).bytes();
        client().course(&[&refusal[..], b"body"].concat());
    }

    // req: P-INV, A-03
    #[test]
    fn mutated_responses_have_one_outcome(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        behind in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = status(103).and("Link", "x").bytes();
        bytes.extend(switching().and("Sec-WebSocket-Protocol", "a").bytes());
        bytes.extend(b"\x81\x05Hello");
        bytes.extend(behind);
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        offering(&["a"]).course(&bytes);
    }

    // req: P-INV, A-03
    #[test]
    fn any_heads_and_bodies_have_one_outcome(
        heads in prop::collection::vec(head(), 1..4),
        body in prop::collection::vec(any::<u8>(), 0..60),
        limits in (0..400_usize, 0..12_usize, 0..40_usize),
    ) {
        let bytes = [&heads.concat()[..], &body].concat();
        offering(&["a"]).course(&bytes);
        let (head, headers, body) = limits;
        let config = Config::new().max_head_size(head).max_headers(headers).max_body_size(body);
        Client { config, ..offering(&["a"]) }.course(&bytes);
    }

    // req: P-INV, HC-29
    #[test]
    fn any_chunks_have_one_outcome_within_the_limit(
        body in "([0-9a-fA-FgG]{0,3}(;x| )?\r?\n?[ -~]{0,9}(\r\n)?){0,8}",
        max in 0..60_usize,
    ) {
        let head = status(403).and("Transfer-Encoding", "chunked").bytes();
        let bytes = [&head[..], body.as_bytes()].concat();
        let config = Config::new().max_body_size(max);
        let course = Client { config, ..client() }.course(&bytes);
        match course.answer.or(course.at_end) {
            Some(http_client::Answer::Refused(seen)) => prop_assert!(seen.body.len() <= max),
            other => panic!("{other:?}"),
        }
    }

    // req: A-03, P-TERM, HC-07
    #[test]
    fn calls_in_any_order_have_one_outcome_and_write_nothing_but_the_request(ops in ops()) {
        let client = offering(&["a"]);
        let request = client.encoded();
        let mut handshake = client.handshake();
        let mut rx = RecvBuf::new();
        let mut now = Duration::ZERO;
        let mut written = 0;
        let mut over = false;
        let mut ended = false;
        let mut conn: Option<Connection> = None;
        for op in ops {
            match op {
                Op::Arrive(bytes) => rx.extend_from_slice(&bytes),
                Op::Receive => match handshake.receive(&mut rx) {
                    None => {}
                    Some(outcome) => {
                        prop_assert!(!over, "a second outcome");
                        over = true;
                        match outcome {
                            Outcome::Connected(opened, _) => conn = Some(opened),
                            _ => prop_assert!(rx.is_empty()),
                        }
                    }
                },
                Op::Eof => if handshake.receive_eof().is_err() {
                    prop_assert!(!over, "aborted behind an outcome");
                    (over, ended) = (true, true);
                },
                Op::Clock(seconds) => {
                    now += Duration::from_secs(seconds.into());
                    match handshake.handle_timeout(now) {
                        Ok(Some(due)) => prop_assert!(!over && due >= now),
                        Ok(None) => prop_assert!(over),
                        Err(_) => {
                            prop_assert!(!over, "timed out behind an outcome");
                            (over, ended) = (true, true);
                        }
                    }
                }
                Op::Write(n) => {
                    let n = usize::from(n).min(handshake.send_buf().remaining());
                    assert_eq!(&handshake.send_buf().chunk()[..n], &request[written..][..n]);
                    handshake.send_buf().advance(n);
                    written += n;
                }
            }
            let left = handshake.send_buf().remaining();
            prop_assert!(left == request.len() - written || left == 0);
            prop_assert!(left == 0 || !over);
        }
        // Whatever it was, it ends.
        let _ = handshake.receive_eof();
        let last = handshake.receive(&mut rx);
        prop_assert!(last.is_none() || !over);
        prop_assert!(!matches!(last, Some(Outcome::Connected(..))));
        prop_assert_eq!(handshake.handle_timeout(Duration::MAX), Ok(None));
        prop_assert!(!ended || conn.is_none());
        if let Some(mut conn) = conn {
            assert_eq!(conn.send_buf().chunk(), &request[written..]);
            while conn.receive(&mut rx).is_some() {}
        } else {
            prop_assert!(rx.is_empty());
        }
    }

    // req: A-03, U-13, HC-06
    #[test]
    fn any_text_is_a_clean_uri_or_none(text in uri()) {
        if let Ok(uri) = text.parse::<Uri>() {
            check_uri(&uri);
            let asked = asked(&Request::from(uri.clone()));
            prop_assert_eq!(asked.extra(), []);
            prop_assert_eq!(&asked.target, uri.resource_name());
            assert_eq!(asked.header("Host"), Some(uri.authority().as_bytes()));
        }
        if let Ok(request) = Request::with_userinfo(&text) {
            check_uri(request.uri());
            let asked = asked(&request);
            let names: Vec<_> = asked.extra().iter().map(|(name, _)| *name).collect();
            prop_assert!(names.is_empty() || names == ["Authorization"]);
            prop_assert!(!names.is_empty() || text.contains("://@") || text.parse().as_ref() == Ok(request.uri()));
        }
    }

    // req: A-03, HC-06
    #[test]
    fn any_texts_make_a_clean_request_or_none(
        calls in prop::collection::vec((0..9_u8, any::<String>(), "\\PC{0,6}|[a-z]{1,3}"), 0..12),
    ) {
        let mut request = client().request;
        let mut least = 0;
        for (call, first, second) in calls {
            // One of the two is likely to be valid.
            let texts = [[&first, &second], [&second, &first], [&second, &second]];
            for [one, other] in texts {
                let before = request.clone();
                let after = match call {
                    0 => before.subprotocol(one),
                    1 => before.header(one, other),
                    2 => before.origin(one),
                    3 => before.cookie(one, other),
                    4 => before.bearer(one),
                    5 => before.basic(one, other),
                    6 => before.host(one),
                    7 => before.header("Cookie", one),
                    _ => before.header("x", one),
                };
                if let Ok(after) = after {
                    request = after;
                    least += usize::from([1, 8].contains(&call));
                }
            }
        }
        prop_assert!(asked(&request).extra().len() >= least);
    }
}
