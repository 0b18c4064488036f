//! What a client reads in the headers of a 101 (RFC 6455 sections 4.1 and 9.1): only a response that
//! answers this very request opens the connection.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::client::{Config, HandshakeError as E};
use http_client::{
    ACCEPT, Client, KEY, Lines, client, connected, failed, lines, offering, switching,
};

fn accept(value: impl AsRef<[u8]>) -> Lines {
    switching().with("Sec-WebSocket-Accept", value)
}

#[test]
fn smallest_answer_opens_the_connection() {
    let opened = connected(&switching());
    assert_eq!((opened.response.status, opened.subprotocol), (101, None));
    assert_eq!(opened.response.body, b"");
    assert!(opened.events.is_empty() && opened.output.is_empty());
    let names: Vec<_> = opened.response.headers.iter().map(|(n, _)| &**n).collect();
    assert_eq!(names, ["Upgrade", "Connection", "Sec-WebSocket-Accept"]);
}

// req: HC-13
#[test]
fn upgrade_is_websocket_in_any_letter_case() {
    for value in ["websocket", "WebSocket", "WEBSOCKET", " \twebsocket\t "] {
        connected(&switching().with("Upgrade", value));
    }
    for value in [
        &b""[..],
        b"h2c",
        b"websocket, h2c",
        b"h2c, websocket",
        b"websocket,",
        b",websocket",
        b"websocket/13",
        b"websockets",
        b"xwebsocket",
        b"websocke",
        b"web socket",
        b"\"websocket\"",
        b"websocket;q=1",
        b"websoc\xe2\x84\xaaet", // the Kelvin sign, which becomes k in lower case
        b"web\xc5\xbfocket",     // the long s, which becomes S in upper case
        b"websocket\xff",
    ] {
        let response = switching().with("Upgrade", value);
        assert_eq!(failed(&response), E::InvalidUpgrade, "{value:?}");
    }
    assert_eq!(failed(&switching().without("Upgrade")), E::InvalidUpgrade);
    for second in ["websocket", "h2c", ""] {
        let twice = switching().and("upgrade", second);
        assert_eq!(failed(&twice), E::InvalidUpgrade);
    }
}

// req: HC-14
#[test]
fn connection_is_a_list_that_has_upgrade() {
    for value in [
        "Upgrade",
        "upgrade",
        "UPGRADE",
        "keep-alive, upgrade",
        "upgrade, close",
        ",, \t Upgrade ,",
        "close,x,y,UpGrAdE",
    ] {
        connected(&switching().with("Connection", value));
    }
    connected(&switching().and("connection", "keep-alive"));
    connected(
        &switching()
            .with("Connection", "keep-alive")
            .and("CONNECTION", "upgrade"),
    );
    for value in [
        &b""[..],
        b"close",
        b"keep-alive",
        b"notupgrade",
        b"Upgradex",
        b"up grade",
        b"Upgrade;x",
        b"\"Upgrade\"",
        b"Upgrade keep-alive",
        b"Upgrade\xff",
        b"websocket",
    ] {
        let response = switching().with("Connection", value);
        assert_eq!(failed(&response), E::MissingConnectionUpgrade, "{value:?}");
    }
    let missing = switching().without("Connection");
    assert_eq!(failed(&missing), E::MissingConnectionUpgrade);
}

// req: HC-15
#[test]
fn accept_is_compared_as_text_without_whitespace_around_it() {
    for value in [format!(" {ACCEPT}"), format!("\t {ACCEPT} \t ")] {
        connected(&accept(value));
    }
    for value in [
        String::new(),
        KEY.into(),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into(), // that of the RFC's key
        ACCEPT.to_ascii_lowercase(),
        ACCEPT.to_ascii_uppercase(),
        ACCEPT.trim_end_matches('=').into(),
        ACCEPT.trim_end_matches('=').to_owned() + "==",
        ACCEPT.replace('=', " "),
        ACCEPT.replace('=', "%3D"),
        ACCEPT.replace('/', "_").replace('+', "-"),
        ACCEPT.replace("AA=", "AB="), // decodes to the same bytes
        ACCEPT.replace("AA=", "AD="),
        ACCEPT.chars().rev().collect(),
        format!("\"{ACCEPT}\""),
        format!("{ACCEPT},"),
        format!(",{ACCEPT}"),
        format!("{ACCEPT}, {ACCEPT}"),
        format!("{ACCEPT};"),
        format!("{ACCEPT}\u{a0}"),
        format!("{ACCEPT}="),
        format!("{ACCEPT}{ACCEPT}"),
        format!("{} {}", &ACCEPT[..14], &ACCEPT[14..]),
        "31 71 c2 68 93 cc 64 0f c8 af ac a1 8a 2c b1 a0 1a 67 04 00".into(),
    ] {
        assert_eq!(failed(&accept(&value)), E::WrongAccept, "{value}");
    }
    let missing = switching().without("Sec-WebSocket-Accept");
    assert_eq!(failed(&missing), E::MissingAccept);
    assert_eq!(
        failed(&missing.clone().and("Accept", ACCEPT)),
        E::MissingAccept
    );
    assert_eq!(
        failed(&missing.and("Sec-WebSocket-Key", KEY)),
        E::MissingAccept
    );
}

// req: HC-15
#[test]
fn accept_of_every_other_length_is_wrong() {
    for len in 0..=1000 {
        let right: String = ACCEPT.chars().cycle().take(len).collect();
        let response = accept(&right);
        if len == ACCEPT.len() {
            connected(&response);
        } else {
            assert_eq!(failed(&response), E::WrongAccept, "{len}");
        }
        if len < 100 {
            let response = accept("A".repeat(len));
            assert_eq!(failed(&response), E::WrongAccept, "{len}");
        }
    }
}

// req: HC-15
#[test]
fn accept_with_any_other_byte_in_it_is_wrong() {
    for place in 0..ACCEPT.len() {
        let right = ACCEPT.as_bytes()[place];
        // Each flipped bit everywhere, and every byte at both ends and in the middle.
        let flipped = (0..8).map(|bit| right ^ 1 << bit);
        let bytes: Vec<u8> = match place {
            0 | 14 | 27 => (0..=0xff).filter(|&byte| byte != right).collect(),
            _ => flipped.collect(),
        };
        for byte in bytes {
            let mut value = ACCEPT.as_bytes().to_vec();
            value[place] = byte;
            let expected = match byte {
                b'\r' | b'\n' => E::BareLineBreak,
                b'\t' => E::WrongAccept,
                0..0x20 | 0x7f => E::ControlCharacter,
                _ => E::WrongAccept,
            };
            assert_eq!(failed(&accept(value)), expected, "{byte:#04x} at {place}");
        }
    }
}

// req: HC-16
#[test]
fn accept_is_there_once() {
    let wrong = ACCEPT.to_ascii_lowercase();
    for second in [ACCEPT, &wrong, "", "a, b"] {
        let behind = switching().and("sec-websocket-accept", second);
        assert_eq!(failed(&behind), E::RepeatedAccept);
        let before = accept(second).and("SEC-WEBSOCKET-ACCEPT", ACCEPT);
        assert_eq!(failed(&before), E::RepeatedAccept);
    }
}

// req: HC-24, A-03
#[test]
fn bytes_beyond_ascii_fail_in_the_headers_that_are_read_and_pass_in_others() {
    for byte in 0x80..=0xff {
        let valid: [(&str, &str, E); 5] = [
            ("Upgrade", "websocket", E::InvalidUpgrade),
            ("Connection", "Upgrade", E::MissingConnectionUpgrade),
            ("Sec-WebSocket-Accept", ACCEPT, E::WrongAccept),
            ("Sec-WebSocket-Protocol", "chat", E::InvalidSubprotocol),
            ("Sec-WebSocket-Extensions", "x-foo", E::InvalidExtensions),
        ];
        for (name, value, expected) in valid {
            let value = value.as_bytes();
            let (left, right) = value.split_at(value.len() / 2);
            for value in [
                vec![byte],
                [&[byte], value].concat(),
                [value, &[byte]].concat(),
                [left, &[byte], right].concat(),
            ] {
                let response = match name.contains("Protocol") || name.contains("Extensions") {
                    true => switching().and(name, &value),
                    false => switching().with(name, &value),
                };
                let error = offering(&["chat"]).failed(&response.bytes());
                assert_eq!(error, expected, "{name}: {value:?}");
            }
        }
        // What a 101 has no use for is kept as it came.
        for name in [
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-X",
            "Server",
            "x",
        ] {
            let value = [b'a', byte, b'b'];
            let opened = connected(&switching().and(name, value));
            assert_eq!(opened.response.headers[3], (name.into(), value.to_vec()));
        }
        // In a refusal nothing of it matters, and versions that are none are left out.
        let refusal = lines("HTTP/1.1 426 x")
            .and("Content-Length", "0")
            .and(
                "Sec-WebSocket-Version",
                [b"13, ", &[byte][..], b", 8"].concat(),
            )
            .and("Sec-WebSocket-Accept", [byte])
            .and("Sec-WebSocket-Protocol", [byte])
            .and("Sec-WebSocket-Extensions", [byte]);
        assert_eq!(client().refused(&refusal.bytes()).versions, [13, 8]);
    }
}

// req: HC-32
#[test]
fn cookies_and_other_headers_are_reported_one_by_one() {
    let cookies = ["a=1; Path=/", "b=2", "a=3, c=4"];
    let response = cookies
        .iter()
        .fold(switching(), |r, cookie| r.and("Set-Cookie", cookie));
    let response = response.and("set-cookie", "").and("Server", "x");
    let opened = connected(&response);
    let headers: Vec<_> = opened.response.headers[3..].to_vec();
    let expected: [(&str, &str); 5] = [
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2"),
        ("Set-Cookie", "a=3, c=4"),
        ("set-cookie", ""),
        ("Server", "x"),
    ];
    assert_eq!(
        headers,
        expected.map(|(n, v)| (n.to_string(), v.as_bytes().to_vec()))
    );
}

// req: HC-28
#[test]
fn length_and_transfer_coding_of_a_101_mean_nothing() {
    let hello = b"\x81\x05Hello"; // text, not masked
    for (name, value) in [
        ("Content-Length", "0"),
        ("Content-Length", "7"),
        ("Content-Length", "99999999999999999999"),
        ("Content-Length", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "identity"),
    ] {
        let response = switching()
            .and(name, value)
            .and("Content-Type", "text/plain");
        let bytes = [&response.bytes()[..], hello].concat();
        assert_eq!(client().connected(&bytes).events, ["Text(\"Hello\")"]);
    }
    let both = switching()
        .and("Content-Length", "3")
        .and("Transfer-Encoding", "chunked");
    let bytes = [&both.bytes()[..], hello].concat();
    assert_eq!(client().connected(&bytes).events, ["Text(\"Hello\")"]);
}

/// What is found wrong, and how to cure it.
struct Step(E, fn(Lines) -> Lines);

#[test]
fn checks_are_made_in_one_order() {
    // All of it is wrong; each cure uncovers the next cause.
    let steps = [
        Step(E::InvalidStatusLine, |l| l.first("HTTP/1.0 101 x")),
        Step(E::InvalidHeaderLine, |l| l.without("a ")),
        Step(E::UnsupportedHttpVersion, |l| l.first("HTTP/1.1 101 x")),
        Step(E::InvalidUpgrade, |l| l.and("Upgrade", "websocket")),
        Step(E::MissingConnectionUpgrade, |l| {
            l.and("Connection", "upgrade")
        }),
        Step(E::MissingAccept, |l| l.and("Sec-WebSocket-Accept", "x")),
        Step(E::WrongAccept, |l| l.with("Sec-WebSocket-Accept", ACCEPT)),
        Step(E::InvalidExtensions, |l| {
            l.with("Sec-WebSocket-Extensions", "a")
        }),
        Step(E::ExtensionNotOffered, |l| {
            l.without("Sec-WebSocket-Extensions")
        }),
        Step(E::InvalidSubprotocol, |l| {
            l.with("Sec-WebSocket-Protocol", "b")
        }),
        Step(E::SubprotocolNotOffered, |l| {
            l.without("Sec-WebSocket-Protocol")
        }),
        Step(E::MissingSubprotocol, |l| {
            l.and("Sec-WebSocket-Protocol", "a")
        }),
    ];
    let client = Client {
        config: Config::new().require_subprotocol(true),
        ..offering(&["a"])
    };
    let mut response = lines("HTTP 101")
        .and("a ", "b")
        .and("Sec-WebSocket-Extensions", ";")
        .and("Sec-WebSocket-Protocol", "a, a");
    for Step(error, cure) in steps {
        assert_eq!(client.failed(&response.bytes()), error);
        response = cure(response);
    }
    assert_eq!(
        client.connected(&response.bytes()).subprotocol.as_deref(),
        Some("a")
    );
}
