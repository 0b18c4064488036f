//! Properties of the server's opening handshake that hold for any bytes: no panic, one outcome however
//! they are cut, and a complete answer to whatever is refused.

#[path = "support/http.rs"]
mod http;

use framewire::server::{Config, OriginPolicy};
use http::{Outcome, get, outcome, websocket};
use proptest::prelude::*;

/// Header lines, good ones and bad ones.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "Host",
        "Upgrade",
        "connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Origin",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "x",
        "",
        " y",
    ]);
    let known = prop::sample::select(vec![
        "h",
        "websocket",
        "Upgrade",
        http::KEY,
        "13",
        "https://h",
        "a, b",
        "a; b=\"c\"",
        "0",
        "",
    ]);
    let any = prop::collection::vec(any::<u8>(), 0..12);
    let value = prop_oneof![9 => known.prop_map(|v| v.as_bytes().to_vec()), 1 => any];
    (names, value).prop_map(|(name, value)| [name.as_bytes(), b": ", &value, b"\r\n"].concat())
}

proptest! {
    #[test]
    fn any_bytes_have_one_outcome(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        outcome(&Config::new(), &bytes);
    }

    #[test]
    fn any_bytes_in_a_value_have_one_outcome(
        name in prop::sample::select(vec![
            "Host", "Origin", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "x",
        ]),
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        outcome(&Config::new(), &websocket().and(name, &value).bytes());
        let replaced = get("/").and(name, value).bytes();
        outcome(&Config::new().origin(OriginPolicy::Any), &replaced);
    }

    #[test]
    fn mutated_requests_have_one_outcome(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        behind in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = websocket()
            .and("Origin", "https://server.example")
            .and("Sec-WebSocket-Protocol", "a, b")
            .and("Sec-WebSocket-Extensions", "x; y=\"1\"")
            .bytes();
        bytes.extend(behind);
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        outcome(&Config::new(), &bytes);
    }

    #[test]
    fn any_headers_have_one_outcome(
        headers in prop::collection::vec(header(), 0..12),
        limit in 0..400_usize,
        most in 0..12_usize,
    ) {
        let bytes = [&b"GET / HTTP/1.1\r\n"[..], &headers.concat(), b"\r\n"].concat();
        outcome(&Config::new(), &bytes);
        outcome(&Config::new().max_head_size(limit).max_headers(most), &bytes);
    }

    // req: A-12
    #[test]
    fn headers_are_shown_as_they_came(
        values in prop::collection::vec("[!-~é]([ -~é\t]{0,20}[!-~é])?", 0..20),
    ) {
        let named = |(n, value): (usize, &String)| (format!("x-{n}"), value.as_bytes().to_vec());
        let expected: Vec<_> = values.iter().enumerate().map(named).collect();
        let lines = expected.iter().fold(get("/"), |lines, (n, v)| lines.and(n, v));
        let Outcome::Plain(seen) = lines.at(&Config::new()) else {
            panic!("refused");
        };
        prop_assert_eq!(&seen.headers[1..], &expected[..]);
    }
}
