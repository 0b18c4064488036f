//! Responses other than 101 (RFC 6455 section 4.1, RFC 9110 section 15, RFC 9112 section 6): status,
//! headers and a bounded body are reported, nothing is followed, nothing behind them is looked at.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::client::{Config, HandshakeError as E};
use http_client::{Client, Lines, Seen, client, lines, status, switching};

/// A client that keeps so much of a body.
fn keeping(max: usize) -> Client {
    Client {
        config: Config::new().max_body_size(max),
        ..client()
    }
}

fn chunked() -> Lines {
    status(403).and("Transfer-Encoding", "chunked")
}

fn with_body(head: &Lines, body: impl AsRef<[u8]>) -> Vec<u8> {
    [&head.bytes()[..], body.as_ref()].concat()
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

// req: HC-08
#[test]
fn every_final_status_but_101_is_a_refusal_with_headers_and_body() {
    for code in 200..=999 {
        let head = status(code)
            .and("X-Reason", b"b\xe9")
            .and("Content-Length", "2");
        let bytes = with_body(&head, "no");
        let body = match code {
            204 | 304 => b"".to_vec(), // RFC 9112 section 6.3
            _ => b"no".to_vec(),
        };
        let expected = Seen {
            status: code,
            headers: vec![
                ("X-Reason".into(), b"b\xe9".to_vec()),
                ("Content-Length".into(), b"2".to_vec()),
            ],
            body,
            versions: vec![],
        };
        assert_eq!(client().refused(&bytes), expected);
    }
}

// req: HC-08, HC-07
#[test]
fn headers_of_an_upgrade_make_no_refusal_a_connection() {
    for code in [200, 201, 204, 226, 302, 400, 403, 426, 500, 503] {
        let head = switching()
            .first(format!("HTTP/1.1 {code} Switching Protocols"))
            .and("Content-Length", "0");
        let bytes = with_body(&head, b"\x81\x05Hello\x88\x00");
        let refused = client().refused(&bytes);
        assert_eq!((refused.status, &refused.body[..]), (code, &b""[..]));
    }
}

// req: HC-08
#[test]
fn nothing_behind_a_refusal_is_looked_at() {
    for behind in [
        switching().bytes(),
        status(200).bytes(),
        b"\0\x15\r\r\n".to_vec(),
    ] {
        for head in [
            status(403).and("Content-Length", "0"),
            status(204),
            status(304),
        ] {
            let refused = client().refused(&head.bytes());
            assert_eq!(client().refused(&with_body(&head, &behind)), refused);
        }
        let head = status(403).and("Content-Length", "3");
        let refused = client().refused(&with_body(&head, "abc"));
        let bytes = with_body(&head, [b"abc", &behind[..]].concat());
        assert_eq!(client().refused(&bytes), refused);
        let bytes = with_body(&chunked(), [b"0\r\n\r\n", &behind[..]].concat());
        assert_eq!(client().refused(&bytes).body, b"");
    }
}

// req: HC-10
#[test]
fn challenges_are_reported_and_not_answered() {
    for (code, name) in [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")] {
        let head = status(code)
            .and(name, "Basic realm=\"a, b\"")
            .and(name, "Bearer")
            .and("Content-Length", "0");
        // The helper asserts that nothing is written after it.
        let refused = client().refused(&head.bytes());
        assert_eq!(refused.status, code);
        let challenges = [&b"Basic realm=\"a, b\""[..], b"Bearer"];
        for (header, challenge) in refused.headers.iter().zip(challenges) {
            assert_eq!(*header, (name.into(), challenge.into()));
        }
    }
}

// req: HC-11
#[test]
fn redirections_are_reported_and_not_followed() {
    for code in [300, 301, 302, 303, 305, 307, 308] {
        let head = status(code)
            .and("Location", "ws://other.example/")
            .and("Content-Length", "0");
        let refused = client().refused(&head.bytes());
        assert_eq!(refused.status, code);
        let location = ("Location".into(), b"ws://other.example/".to_vec());
        assert_eq!(refused.headers[0], location);
    }
}

// req: HC-12
#[test]
fn versions_of_a_426_are_listed_in_order() {
    for (fields, versions) in [
        (&["13, 8, 7"][..], &[13, 8, 7][..]),
        (&["13", "8, 7"], &[13, 8, 7]),
        (&["13"], &[13]),
        (&["7,8,,13 ,", " ", ""], &[7, 8, 13]),
        (&["0, 255, 256, 1000000000000000000000"], &[0, 255]),
        (&["x, +13, -1, 13.0, 1 3, 0x0d, 8;q=1, \u{ff11}, 25"], &[25]),
        (&[], &[]),
    ] {
        let head = fields.iter().fold(status(426), |lines, field| {
            lines.and("Sec-WebSocket-Version", field)
        });
        let refused = client().refused(&head.and("Content-Length", "0").bytes());
        assert_eq!(refused.versions, versions, "{fields:?}");
    }
}

// req: HC-08
#[test]
fn body_with_a_length_is_complete_with_its_last_byte() {
    let head = |len: &str| status(403).and("Content-Length", len);
    for (len, body) in [
        ("0", ""),
        ("1", "a"),
        ("5", "hello"),
        ("005", "hello"),
        (" 5\t", "hello"),
    ] {
        let refused = client().refused(&with_body(&head(len), body));
        assert_eq!(shown(&refused.body), body, "{len}");
    }
    // It may end before.
    let refused = client().refused_at_end(&with_body(&head("6"), "hello"));
    assert_eq!(refused.body, b"hello");
    let refused = client().refused_at_end(&head("18446744073709551615").bytes());
    assert_eq!(refused.body, b"");
}

// req: HC-08
#[test]
fn body_without_a_valid_length_ends_with_the_transport() {
    for head in [
        status(403),
        status(403).and("Connection", "keep-alive"),
        status(403).and("Content-Length", ""),
        status(403).and("Content-Length", "x"),
        status(403).and("Content-Length", "+5"),
        status(403).and("Content-Length", "-5"),
        status(403).and("Content-Length", "5, 6"),
        status(403).and("Content-Length", "0x5"),
        status(403).and("Content-Length", "5.0"),
        status(403).and("Content-Length", "18446744073709551616"),
        status(403)
            .and("Content-Length", "5")
            .and("content-length", "6"),
        lines("HTTP/1.0 403 x"),
    ] {
        assert_eq!(client().refused_at_end(&head.bytes()).body, b"");
        let refused = client().refused_at_end(&with_body(&head, "hello there"));
        assert_eq!(shown(&refused.body), "hello there", "{head:?}");
    }
}

// req: HC-08
#[test]
fn equal_lengths_are_one_length() {
    // "unless the field value can be successfully parsed as a comma-separated list, all values in the
    // list are valid, and all values in the list are the same (in which case, the message is
    // processed with that single value used as the Content-Length field value)" (RFC 9112
    // section 6.3). Otherwise a server that keeps the transport open lets us wait for the deadline.
    for head in [
        status(403).and("Content-Length", "5, 5"),
        status(403)
            .and("Content-Length", "5")
            .and("content-length", "5"),
    ] {
        let refused = client().refused(&with_body(&head, "hello there"));
        assert_eq!(shown(&refused.body), "hello", "{head:?}");
    }
}

// req: HC-08
#[test]
fn chunks_are_joined() {
    for (body, joined) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n", "hello there"),
        ("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n000\r\n\r\n", "abc"),
        (
            "005;ext=\"a;b\"\r\nhello\r\n0;last\r\nTrailer: x\r\n\r\n",
            "hello",
        ),
        ("5 \t\r\nhello\r\n0\r\n\r\n", "hello"),
        (
            "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n",
            "0123456789abcdefghij",
        ),
        ("7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n"),
    ] {
        let bytes = with_body(&chunked(), body);
        assert_eq!(shown(&client().refused(&bytes).body), joined, "{body:?}");
        // The length is that of the chunks, whatever else is said about it (RFC 9112 section 6.3).
        let both = status(403)
            .and("Content-Length", "2")
            .and("transfer-encoding", "Chunked");
        let refused = client().refused(&with_body(&both, body));
        assert_eq!(shown(&refused.body), joined, "{body:?}");
        let coded = status(403).and("Transfer-Encoding", "gzip, chunked");
        let refused = client().refused(&with_body(&coded, body));
        assert_eq!(shown(&refused.body), joined, "{body:?}");
    }
}

// req: HC-08
#[test]
fn chunks_end_where_they_make_no_sense_or_with_the_transport() {
    for (body, joined) in [
        ("x", ""),
        ("\r\n", ""),
        (";a\r\n", ""),
        ("-1\r\n", ""),
        ("+5\r\nhello", ""),
        ("0x5\r\nhello", ""),
        ("5\r\nhello!", "hello"),
        ("5\r\nhello\r\n\r\n", "hello"),
        ("5\r\nhello\r\nx", "hello"),
        ("5\r\nhello\r\n\r", "hello"),
        ("5\r\nhello\r\n;", "hello"),
    ] {
        let bytes = with_body(&chunked(), body);
        assert_eq!(shown(&client().refused(&bytes).body), joined, "{body:?}");
    }
    for (body, joined) in [
        ("", ""),
        ("5", ""),
        ("5\r\n", ""),
        ("5\r\nhell", "hell"),
        ("5\r\nhello", "hello"),
        ("5\r\nhello\r\n", "hello"),
        ("5\r\nhello\r\n0", "hello"),
        ("5;ext", ""),
        ("ffffffffffffffff\r\nhello", "hello"),
        ("ffffffffffffffffffffffffffffffff\r\nhello", "hello"),
        (
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
            "hello\r\n0\r\n\r\n",
        ),
    ] {
        let bytes = with_body(&chunked(), body);
        let refused = client().refused_at_end(&bytes);
        assert_eq!(shown(&refused.body), joined, "{body:?}");
    }
}

// req: HC-08
#[test]
fn transfer_codings_without_chunks_last_until_the_transport_ends() {
    // "If a Transfer-Encoding header field is present in a response and the chunked transfer coding
    // is not the final encoding, the message body length is determined by reading the connection
    // until it is closed by the server" (RFC 9112 section 6.3).
    for fields in [
        &["identity"][..],
        &["gzip"],
        &["chunked, gzip"],
        &["chunked", "gzip"],
        &["xchunked"],
        &["chunked2"],
        &["\"chunked\""],
    ] {
        let head = fields.iter().fold(status(403), |lines, field| {
            lines.and("Transfer-Encoding", field)
        });
        for body in ["hello", "abc", "5\r\nhello\r\n0\r\n\r\n"] {
            let refused = client().refused_at_end(&with_body(&head, body));
            assert_eq!(shown(&refused.body), body, "{fields:?}");
        }
    }
}

// req: HC-29
#[test]
fn body_is_kept_up_to_the_limit_and_not_waited_for_beyond() {
    for (max, sent, kept) in [
        (0, 1, 0),
        (1, 1, 1),
        (1, 2, 1),
        (10, 9, 9),
        (10, 10, 10),
        (10, 99, 10),
    ] {
        let body = "x".repeat(sent);
        let length = status(403).and("Content-Length", sent.to_string());
        let refused = keeping(max).refused(&with_body(&length, &body));
        assert_eq!(refused.body.len(), kept, "{sent} of {max}");
        let claimed = status(403).and("Content-Length", "1000000000000");
        for head in [status(403), claimed] {
            let bytes = with_body(&head, &body);
            let refused = match sent < max {
                true => keeping(max).refused_at_end(&bytes),
                false => keeping(max).refused(&bytes),
            };
            assert_eq!(refused.body.len(), kept, "{sent} of {max}");
        }
    }
    let endless = with_body(&status(200), "x".repeat(70_000));
    assert_eq!(client().refused(&endless).body.len(), 64 * 1024);
    let short = with_body(&status(200), "x".repeat(64 * 1024 - 1));
    assert_eq!(client().refused_at_end(&short).body.len(), 64 * 1024 - 1);
    // No limit is one.
    let all = keeping(usize::MAX).refused_at_end(&endless);
    assert_eq!(all.body.len(), 70_000);
}

// req: HC-29
#[test]
fn what_is_around_the_chunks_counts_to_the_limit() {
    let small = with_body(&chunked(), "1\r\na\r\n".repeat(100_000));
    let refused = client().refused(&small);
    assert_eq!(refused.body.len(), (64 * 1024 + 2) / 6);
    for endless in ["0", "1;ext=x", "1 ", "1\r\na\r"] {
        // Neither digits nor extensions nor line ends go on for ever.
        let tail = endless.chars().next_back().expect("not empty").to_string();
        let body = endless.to_owned() + &tail.repeat(70_000);
        let refused = client().refused(&with_body(&chunked(), body));
        assert!(refused.body.len() <= 1, "{endless:?}");
    }
}

// req: HC-25, HC-08
#[test]
fn reasons_may_be_as_long_as_the_head() {
    let long = |len: usize| {
        let line = format!("HTTP/1.1 503 {}", "x".repeat(len - 17));
        lines(&line).bytes()
    };
    assert_eq!(long(1000).len(), 1000);
    for len in [1000, 16 * 1024] {
        assert_eq!(client().refused_at_end(&long(len)).status, 503);
    }
    assert_eq!(client().failed(&long(16 * 1024 + 1)), E::HeadTooLarge);
    assert_eq!(client().failed(&long(1 << 20)), E::HeadTooLarge);
}
