//! How large a request may be: target, head and number of headers; and what it costs in memory.

#[path = "support/http.rs"]
mod http;

use framewire::RecvBuf;
use framewire::server::{
    AllowedOrigins, Config, Handshake, HandshakeError as E, Opening, OriginPolicy,
};
use http::{Outcome, get, outcome, refused, websocket};

// req: HS-38
#[test]
fn empty_lines_before_the_request_are_skipped_and_counted() {
    for empty in ["\r\n", "\r\n\r\n\r\n"] {
        let bytes = [empty.as_bytes(), &websocket().bytes()].concat();
        let outcome = outcome(&Config::new(), &bytes);
        assert!(matches!(outcome, Outcome::Upgraded { .. }), "{outcome:?}");
    }
    let size = websocket().bytes().len();
    let config = Config::new().max_head_size(size + 2);
    let one = [b"\r\n", &websocket().bytes()[..]].concat();
    assert!(matches!(outcome(&config, &one), Outcome::Upgraded { .. }));
    let two = [b"\r\n\r\n", &websocket().bytes()[..]].concat();
    assert_eq!(refused(&config, &two), E::HeadTooLarge);
    let flood = b"\r\n".repeat(16 * 1024);
    assert_eq!(refused(&Config::new(), &flood), E::HeadTooLarge);
}

// req: HS-41
#[test]
fn long_targets_get_414() {
    let target = |n: usize| get(&format!("/{}", "a".repeat(n - 1)));
    assert!(matches!(target(8192).at(&Config::new()), Outcome::Plain(_)));
    assert_eq!(target(8193).refused(), E::TargetTooLong);
    assert_eq!(target(64 * 1024).refused(), E::TargetTooLong);
    let config = Config::new().max_target_size(5);
    assert!(matches!(
        outcome(&config, &get("/1234").bytes()),
        Outcome::Plain(_)
    ));
    assert_eq!(refused(&config, b"GET /12345"), E::TargetTooLong);
}

// req: HS-42
#[test]
fn large_heads_get_431() {
    let base = websocket().and("x", "").bytes().len();
    let sized = |n: usize| websocket().and("x", "a".repeat(n - base));
    sized(16 * 1024).accepted();
    assert_eq!(sized(16 * 1024 + 1).refused(), E::HeadTooLarge);
    assert_eq!(sized(64 * 1024).refused(), E::HeadTooLarge);
    let endless_method = [b'a'; 20_000];
    assert_eq!(refused(&Config::new(), &endless_method), E::HeadTooLarge);
    let config = Config::new().max_head_size(0);
    assert_eq!(refused(&config, b"G"), E::HeadTooLarge);
}

// req: HS-43
#[test]
fn more_headers_than_allowed_get_431() {
    let padded = |n: usize| (0..n).fold(get("/"), |lines, i| lines.and(&format!("x{i}"), "y"));
    let Outcome::Plain(seen) = padded(99).at(&Config::new()) else {
        panic!("100 headers are allowed");
    };
    assert_eq!(seen.headers.len(), 100);
    assert_eq!(padded(100).refused(), E::TooManyHeaders);
    assert_eq!(padded(2000).refused(), E::TooManyHeaders);

    // What the handshake needs is found behind any number of others, or all of it is refused.
    let last = |n: usize| {
        let lines = (0..n).fold(get("/"), |lines, _| lines.and("x", ""));
        let lines = lines
            .and("Upgrade", "websocket")
            .and("Connection", "Upgrade");
        lines
            .and("Sec-WebSocket-Key", http::KEY)
            .and("Sec-WebSocket-Version", "13")
    };
    last(95).accepted();
    assert_eq!(last(96).refused(), E::TooManyHeaders);
    let config = Config::new().max_headers(1000);
    assert!(matches!(last(995).at(&config), Outcome::Upgraded { .. }));
    assert_eq!(refused(&config, &last(996).bytes()), E::TooManyHeaders);
    let config = Config::new().max_headers(0);
    assert_eq!(refused(&config, b"GET / HTTP/1.1\r\nH"), E::TooManyHeaders);
}

#[test]
fn limits_are_judged_in_the_order_of_the_bytes() {
    let config = Config::new()
        .max_head_size(40)
        .max_target_size(10)
        .max_headers(1);
    let long = b"GET /3456789012345678901234567890123456789012345 HTTP/1.1\r\n";
    assert_eq!(refused(&config, long), E::TargetTooLong);
    let many = b"GET / HTTP/1.1\r\na: b\r\nc: ddddddddddddddddddddddddd\r\n";
    assert_eq!(refused(&config, many), E::TooManyHeaders);
    let large = b"GET / HTTP/1.1\r\na: bbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nc: d\r\n";
    assert_eq!(refused(&config, large), E::HeadTooLarge);
    // What is wrong earlier in the same head counts only if it can be told then.
    let version = b"GET / HTTP/3.0\r\na: b\r\nc: d\r\n\r\n";
    assert_eq!(refused(&config, version), E::TooManyHeaders);
}

#[test]
fn nothing_is_allocated_before_the_request_is_complete() {
    let list = AllowedOrigins::new(["https://a.example", "https://b.example"]);
    let config = Config::new().origin(OriginPolicy::List(list.expect("two origins")));
    let bytes = websocket().bytes();
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&bytes[..1]); // the buffer's own storage
    let allocations = |work: &mut dyn FnMut()| allocation_counter::measure(work).count_total;
    let mut handshake = None;
    let before = allocations(&mut || {
        let mut begun = Handshake::new(&config);
        for &byte in &bytes[1..] {
            assert!(begun.receive(&mut rx).is_none());
            rx.extend_from_slice(&[byte]);
        }
        handshake = Some(begun);
    });
    assert_eq!(before, 0);
    let mut handshake = handshake.expect("it was begun");
    let mut opening = None;
    let request = allocations(&mut || opening = handshake.receive(&mut rx));
    assert_eq!(request, 1, "the head, and nothing else");
    assert!(matches!(opening, Some(Opening::Upgrade(_))));
}

#[test]
fn memory_for_a_head_does_not_exceed_its_limit() {
    let config = Config::new().max_head_size(4096);
    let flood = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    let mut handshake = Handshake::new(&config);
    let mut rx = RecvBuf::new();
    let mut most = 0;
    for piece in flood.chunks(500) {
        rx.extend_from_slice(piece);
        handshake.receive(&mut rx);
        most = most.max(rx.capacity());
    }
    assert!(most <= 2 * 4096 + 16 * 1024, "{most}");
    assert!(handshake.send_buf().capacity() < 4096);
}
