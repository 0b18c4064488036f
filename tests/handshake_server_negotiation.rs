//! What the server reads in the headers of a request, and what it answers (RFC 6455 sections 4.2 and
//! 9.1).

#[path = "support/http.rs"]
mod http;

use framewire::server::{Config, HandshakeError as E};
use http::{ACCEPT, Answer, KEY, Outcome, get, outcome_with, request, websocket};

fn pairs(answer: &Answer) -> Vec<(&str, &str)> {
    let pairs = answer.headers.iter();
    pairs.map(|(name, value)| (&**name, &**value)).collect()
}

// req: HS-01, HS-18, HS-19
#[test]
fn sample_of_the_rfc_gets_its_answer_and_nothing_else() {
    let answer = websocket().accepted();
    assert_eq!(answer.status, 101);
    let expected = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", ACCEPT),
    ];
    assert_eq!(pairs(&answer), expected);
    let mut conn = request(&websocket()).upgrade();
    let bytes = http::take(conn.send_buf());
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

// req: HS-07, HS-08, HS-10
#[test]
fn upgrade_is_a_list_that_has_websocket_in_any_letter_case() {
    for value in [
        "websocket",
        "WebSocket",
        "WEBSOCKET",
        "h2c, websocket",
        "foo/1,websocket",
        ", ,\t websocket ,",
    ] {
        websocket().with("Upgrade", value).accepted();
    }
    websocket().and("upgrade", "h2c").accepted();
    websocket()
        .with("Upgrade", "h2c")
        .and("UPGRADE", "websocket")
        .accepted();
    for value in [
        "websocket/13",
        "xwebsocket",
        "websockets",
        "web socket",
        "\"websocket\"",
        "websocket;q=1",
        "h2c",
        "",
    ] {
        let lines = websocket().with("Upgrade", value);
        assert_eq!(lines.refused(), E::MissingUpgrade, "{value}");
    }
    assert_eq!(websocket().without("Upgrade").refused(), E::MissingUpgrade);
}

// req: HS-09, HS-10
#[test]
fn connection_is_a_list_that_has_upgrade() {
    for value in [
        "Upgrade",
        "UPGRADE",
        "keep-alive, Upgrade",
        ",, \t upgrade ,",
        "close,upgrade",
    ] {
        websocket().with("Connection", value).accepted();
    }
    websocket().and("connection", "keep-alive").accepted();
    let apart = websocket()
        .with("Connection", "keep-alive")
        .and("Connection", "Upgrade");
    apart.accepted();
    for value in [
        "close",
        "notupgrade",
        "Upgradex",
        "up grade",
        "Upgrade;x",
        "",
    ] {
        let lines = websocket().with("Connection", value);
        assert_eq!(lines.refused(), E::MissingConnectionUpgrade, "{value}");
    }
    let missing = websocket().without("Connection");
    assert_eq!(missing.refused(), E::MissingConnectionUpgrade);
}

// req: HS-11
#[test]
fn key_must_decode_to_16_bytes() {
    let missing = websocket().without("Sec-WebSocket-Key");
    assert_eq!(missing.refused(), E::MissingKey);
    for key in [
        &b""[..],
        b"====",
        b"dGhlIHNhbXBsZSBub25j",
        b"dGhlIHNhbXBsZSBub25jZWU=",
        b"dGhlIHNhbXBsZSBub25jZWVlZQ==",
        b"dGhlIHNhbXBs-SBub25jZQ==",
        b"dGhlIHNhbXBs SBub25jZQ==",
        b"dGhlIHNhbXBs\xc3SBub25jZQ==",
        b"dGhlIHNhbXBsZSBub25jZQ",
        b"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let lines = websocket().with("Sec-WebSocket-Key", key);
        assert_eq!(lines.refused(), E::InvalidKey);
    }
}

// req: HS-12, HS-13
#[test]
fn key_counts_as_it_was_written_without_space_around_it() {
    let accept = |key: &str| {
        let answer = websocket().with("Sec-WebSocket-Key", key).accepted();
        answer.header("Sec-WebSocket-Accept").map(String::from)
    };
    assert_eq!(accept(&format!(" \t {KEY} \t ")).as_deref(), Some(ACCEPT));
    // SHA-1 of the characters and the GUID; the canonical spelling of the same bytes has another.
    let sample = accept("AQIDBAUGBwgJCgsMDQ4PEC==");
    assert_eq!(sample.as_deref(), Some("OfS0wDaT5NoxF2gqm7Zj2YtetzM="));
    assert_ne!(sample, accept("AQIDBAUGBwgJCgsMDQ4PEA=="));
}

// req: HS-14
#[test]
fn repeated_keys_are_refused() {
    for key in [KEY, "AQIDBAUGBwgJCgsMDQ4PEC=="] {
        let lines = websocket().and("sec-websocket-key", key);
        assert_eq!(lines.refused(), E::RepeatedKey);
    }
}

// req: HS-15, HS-16, HS-17
#[test]
fn versions_other_than_13_get_426() {
    let versions = [
        "12", "25", "8", "0", "255", "256", "013", "+13", "13.0", "", "13, 8", "8, 13", "13,", "x",
    ];
    for version in versions {
        let lines = websocket().with("Sec-WebSocket-Version", version);
        let Outcome::Rejected { error, answer } = lines.at(&Config::new()) else {
            panic!("{version}");
        };
        assert_eq!(error, E::UnsupportedVersion);
        assert_eq!(answer.status, 426);
        assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13"));
        assert_eq!(answer.header("Upgrade"), Some("websocket"));
        assert_eq!(answer.header("Connection"), Some("Upgrade, close"));
    }
    let missing = websocket().without("Sec-WebSocket-Version");
    let repeated = |version| websocket().and("Sec-WebSocket-Version", version);
    for (lines, expected) in [
        (missing, E::MissingVersion),
        (repeated("13"), E::RepeatedVersion),
        (repeated("8"), E::RepeatedVersion),
    ] {
        let Outcome::Rejected { error, answer } = lines.at(&Config::new()) else {
            panic!("{expected:?}");
        };
        assert_eq!((error, answer.status), (expected, 426));
        assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13"));
    }
    websocket()
        .with("Sec-WebSocket-Version", " \t13 ")
        .accepted();
}

// req: HS-20, HS-21, HS-23
#[test]
fn one_offered_subprotocol_is_named_in_its_letter_case() {
    let offer = websocket().and("Sec-WebSocket-Protocol", "chat, Chat2");
    let apart = websocket()
        .and("Sec-WebSocket-Protocol", "chat")
        .and("sec-websocket-protocol", "Chat2");
    for lines in [offer, apart] {
        for (supported, expected) in [
            (&["chat"][..], Some("chat")),
            (&["Chat2", "chat"], Some("chat")),
            (&["Chat2"], Some("Chat2")),
            (&["chat2", "CHAT", "cha", "chat,", ""], None),
            (&[], None),
        ] {
            let choose = |request: &mut framewire::server::Request| {
                assert_eq!(request.choose_subprotocol(supported), expected);
                assert_eq!(request.subprotocol(), expected);
            };
            let outcome = outcome_with(&Config::new(), &lines.bytes(), choose);
            let Outcome::Upgraded {
                answer,
                subprotocols,
                ..
            } = outcome
            else {
                panic!("refused");
            };
            assert_eq!(subprotocols, ["chat", "Chat2"]);
            assert_eq!(answer.header("Sec-WebSocket-Protocol"), expected);

            let mut request = request(&lines);
            request.choose_subprotocol(supported);
            assert_eq!(request.upgrade().subprotocol(), expected);
        }
        assert_eq!(lines.accepted().header("Sec-WebSocket-Protocol"), None);
    }
}

// req: HS-20
#[test]
fn selecting_a_subprotocol_that_is_not_offered_is_an_error() {
    let lines = websocket().and("Sec-WebSocket-Protocol", "chat, Chat2");
    let mut request = request(&lines);
    assert_eq!(request.select_subprotocol("Chat2"), Ok(()));
    for name in ["chat2", "other", "", "chat, Chat2"] {
        assert!(request.select_subprotocol(name).is_err(), "{name}");
    }
    assert_eq!(request.upgrade().subprotocol(), Some("Chat2"));

    let mut without = http::request(&websocket());
    assert!(without.select_subprotocol("chat").is_err());
    assert_eq!(without.choose_subprotocol(&["chat"]), None);
}

// req: HS-22, HS-24
#[test]
fn offered_subprotocols_are_unique_tokens() {
    let offer = |value: &[u8]| websocket().and("Sec-WebSocket-Protocol", value);
    offer(b"a,,b").accepted();
    offer(b" ,\ta , b,").accepted();
    offer(b"a, A").accepted();
    for value in [
        &b"a b"[..],
        b"a;b",
        b"\"a\"",
        b"a/b",
        b"\xc3\xa9",
        b"\xff",
        b"",
        b",",
        b"a\tb",
    ] {
        assert_eq!(offer(value).refused(), E::InvalidSubprotocols);
    }
    assert_eq!(offer(b"a, a").refused(), E::RepeatedSubprotocol);
    let apart = offer(b"a, b").and("Sec-WebSocket-Protocol", "c, a");
    assert_eq!(apart.refused(), E::RepeatedSubprotocol);
    // Also where quadratic work would show.
    let many: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    offer(many.join(",").as_bytes()).accepted();
    let config = Config::new().max_head_size(1 << 20);
    let spaces = format!("b{}x", " ".repeat(64 * 1024));
    let wide = offer(spaces.as_bytes()).bytes();
    assert_eq!(http::refused(&config, &wide), E::InvalidSubprotocols);
}

// req: HS-25, HS-28, HS-29
#[test]
fn malformed_extensions_are_refused() {
    let offer = |value: &str| websocket().and("Sec-WebSocket-Extensions", value);
    for value in [
        "a; =1",
        "a;;b",
        ";a",
        "a=\"x",
        "a=\"x\\",
        "a=b c",
        "a;b=\"x",
        "a;b=\"1 0\"",
        "a;b=\"\"",
        "a b",
        "",
        ",",
        "é",
    ] {
        assert_eq!(offer(value).refused(), E::InvalidExtensions, "{value}");
        let behind = offer("good").and("Sec-WebSocket-Extensions", value);
        if !["", ","].contains(&value) {
            assert_eq!(behind.refused(), E::InvalidExtensions, "{value}");
        }
    }
    assert_eq!(
        offer(&["a"].repeat(17).join(",")).refused(),
        E::TooManyExtensions
    );
    let config = Config::new().max_head_size(1 << 20);
    let open = offer(&format!("a; b=\"{}", "\\c".repeat(32 * 1024))).bytes();
    assert_eq!(http::refused(&config, &open), E::InvalidExtensions);
}

// req: HS-26, HS-28, HS-29
#[test]
fn unknown_extensions_are_ignored() {
    for value in [
        "x-foo; bar",
        "x-foo, y; a=1; b=\"2\"",
        "constructor, __proto__, toString",
        "permessage-deflate; client_max_window_bits=\"10\"",
        "permessage-deflate; client_max_window_bits; unheard_of=1",
    ] {
        let answer = websocket()
            .and("Sec-WebSocket-Extensions", value)
            .accepted();
        assert_eq!(answer.headers.len(), 3);
    }
    let apart = websocket()
        .and("Sec-WebSocket-Extensions", "a; b")
        .and("sec-websocket-extensions", "c")
        .and("Sec-WebSocket-Extensions", "x".repeat(10_000));
    assert_eq!(apart.accepted().headers.len(), 3);
}

#[test]
fn get_without_any_sign_of_websocket_is_plain() {
    let h2c = get("/?a")
        .and("Upgrade", "h2c, websocket/13")
        .and("Connection", "Upgrade");
    for lines in [
        get("/?a"),
        h2c,
        get("/?a").and("Origin", "https://other.example"),
    ] {
        let Outcome::Plain(seen) = lines.at(&Config::new()) else {
            panic!("{lines:?}");
        };
        assert_eq!((&*seen.path, seen.query.as_deref()), ("/", Some("a")));
    }
    for name in [
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
    ] {
        assert_eq!(
            get("/").and(name, "13").refused(),
            E::MissingUpgrade,
            "{name}"
        );
    }
    let upgrade_alone = get("/").and("Upgrade", "websocket");
    assert_eq!(upgrade_alone.refused(), E::MissingConnectionUpgrade);
}

/// What is found wrong, and how to cure it.
struct Step(E, fn(http::Lines) -> http::Lines);

#[test]
fn checks_are_made_in_one_order() {
    // All of it is wrong; each cure uncovers the next cause.
    let steps = [
        Step(E::InvalidRequestLine, |l| l.first("POST * HTTP/1.0")),
        Step(E::UnsupportedHttpVersion, |l| l.first("POST * HTTP/1.1")),
        Step(E::MethodNotAllowed, |l| l.first("GET * HTTP/1.1")),
        Step(E::InvalidHeaderLine, |l| l.without("a ")),
        Step(E::InvalidTarget, |l| l.first("GET / HTTP/1.1")),
        Step(E::MissingHost, |l| l.and("Host", "h")),
        Step(E::UnexpectedBody, |l| l.without("Transfer-Encoding")),
        Step(E::RepeatedOrigin, |l| {
            l.without("Origin").and("Origin", "null")
        }),
        Step(E::MissingUpgrade, |l| l.and("Upgrade", "websocket")),
        Step(E::MissingConnectionUpgrade, |l| {
            l.and("Connection", "upgrade")
        }),
        Step(E::UnsupportedVersion, |l| {
            l.with("Sec-WebSocket-Version", "13")
        }),
        Step(E::InvalidKey, |l| l.with("Sec-WebSocket-Key", KEY)),
        Step(E::RepeatedSubprotocol, |l| {
            l.with("Sec-WebSocket-Protocol", "a")
        }),
        Step(E::InvalidExtensions, |l| {
            l.with("Sec-WebSocket-Extensions", "a")
        }),
        Step(E::OriginNotAllowed, |l| l.without("Origin")),
    ];
    let mut lines = get("/")
        .first("POST * HTTP")
        .without("Host")
        .and("a ", "b")
        .and("Transfer-Encoding", "chunked")
        .and("Origin", "a")
        .and("Origin", "b")
        .and("Sec-WebSocket-Version", "12")
        .and("Sec-WebSocket-Key", "a")
        .and("Sec-WebSocket-Protocol", "a, a")
        .and("Sec-WebSocket-Extensions", ";");
    for Step(error, cure) in steps {
        assert_eq!(lines.refused(), error);
        lines = cure(lines);
    }
    lines.accepted();
}
