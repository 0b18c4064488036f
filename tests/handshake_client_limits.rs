//! What memory the client's opening handshake takes, counted by the allocator: nothing for a head that
//! is not complete, one copy of it then, and never more than the limits and a constant.

#[path = "support/http_client.rs"]
mod http_client;

use allocation_counter::{AllocationInfo, measure};
use framewire::RecvBuf;
use framewire::client::{Config, HandshakeError as E, Outcome};
use http_client::{Client, Lines, client, offering, status, switching};

const KIB: usize = 1024;
/// What is sent, and never all kept.
const FLOOD: usize = 10 * 1024 * KIB;
/// What a buffer may hold beside twice what has arrived.
const BASE: usize = 16 * KIB;

/// What it costs to receive these bytes one by one, but for the storage of the buffer; and what it
/// costs to receive the last of them.
fn allocations(client: &Client, bytes: &[u8]) -> (u64, u64, Option<Outcome>) {
    let mut handshake = client.handshake();
    let mut rx = RecvBuf::new();
    let (last, before) = bytes.split_last().expect("not empty");
    rx.extend_from_slice(before);
    rx.clear(); // it is large enough for all of it now
    let before = measure(|| {
        for &byte in before {
            rx.extend_from_slice(&[byte]);
            assert!(handshake.receive(&mut rx).is_none());
        }
    });
    rx.extend_from_slice(&[*last]);
    let mut outcome = None;
    let at_last = measure(|| outcome = handshake.receive(&mut rx));
    (before.count_total, at_last.count_total, outcome)
}

#[track_caller]
fn assert_allocates(client: &Client, response: &Lines, at_last: u64) {
    let (before, at_end, outcome) = allocations(client, &response.bytes());
    assert!(
        matches!(outcome, Some(Outcome::Connected(..))),
        "{outcome:?}"
    );
    assert_eq!((before, at_end), (0, at_last));
}

// req: A-04
#[test]
fn nothing_is_allocated_before_the_head_is_complete_and_then_one_copy_of_it() {
    assert_allocates(&client(), &switching(), 1);
    // The name of the subprotocol belongs to the connection, which has a word for it: two boxes.
    let selected = switching().and("Sec-WebSocket-Protocol", "chat");
    assert_allocates(&offering(&["chat"]), &selected, 3);
    // Up to 100 headers are checked without an allocation; more are checked with one.
    let padded = |n: usize| (3..n).fold(switching(), |lines, _| lines.and("x", "y"));
    assert_allocates(&client(), &padded(100), 1);
    let raised = Client {
        config: Config::new().max_headers(200),
        ..client()
    };
    assert_allocates(&raised, &padded(101), 2);
}

// req: A-04
#[test]
fn interim_responses_and_failures_allocate_nothing() {
    let interim = status(103).and("Link", "x").bytes().repeat(8);
    let bytes = [interim, switching().bytes()].concat();
    let (before, at_last, outcome) = allocations(&client(), &bytes);
    assert!(matches!(outcome, Some(Outcome::Connected(..))));
    assert_eq!((before, at_last), (0, 1));
    for bytes in [
        switching().with("Upgrade", "h2c").bytes(),
        switching().first("HTTP/1.1").bytes(),
        [&b"HTTP/"[..], &b"a".repeat(16 * KIB)].concat()[..16 * KIB + 1].to_vec(),
        status(100).bytes().repeat(9),
    ] {
        let (before, at_last, outcome) = allocations(&client(), &bytes);
        assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
        assert_eq!((before, at_last), (0, 0));
    }
}

/// Receives all of `bytes` in pieces, as a transport would deliver them. What it took at most, with
/// the handshake and the buffer.
fn pour(client: &Client, bytes: &[u8], piece: usize) -> (AllocationInfo, Option<Outcome>) {
    let mut outcome = None;
    let info = measure(|| {
        let mut handshake = client.handshake();
        let mut rx = RecvBuf::new();
        let mut left = bytes;
        while !left.is_empty() {
            let room = rx.unfilled();
            let n = piece.min(room.len()).min(left.len());
            room[..n].copy_from_slice(&left[..n]);
            rx.filled(n);
            left = &left[n..];
            let arrived = bytes.len() - left.len();
            assert!(rx.capacity() <= 2 * arrived + BASE);
            if let Some(now) = handshake.receive(&mut rx) {
                assert!(outcome.is_none());
                outcome = Some(now);
            }
        }
    });
    (info, outcome)
}

fn peak(client: &Client, bytes: &[u8], check: impl Fn(Option<Outcome>)) -> usize {
    let pieces = [(1, FLOOD / 10), (1000, FLOOD), (usize::MAX, FLOOD)];
    let peaks = pieces.map(|(piece, most)| {
        let (info, outcome) = pour(client, &bytes[..most], piece);
        check(outcome);
        usize::try_from(info.bytes_max).expect("it is small")
    });
    peaks.into_iter().max().expect("three of them")
}

/// Bytes that begin with `head` and go on with `tail` for ever.
fn endless(head: &str, tail: &str) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend(tail.bytes().cycle().take(FLOOD));
    bytes
}

// req: HC-25, P-MEM, A-04
#[test]
fn endless_heads_take_no_more_than_their_limit() {
    let small = Client {
        config: Config::new().max_head_size(KIB),
        ..client()
    };
    for (head, tail, expected) in [
        ("", "a", E::InvalidStatusLine),
        ("", "\r\n", E::InvalidStatusLine),
        ("HTTP/", "a", E::HeadTooLarge),
        ("HTTP/1.1 101 ", "a", E::HeadTooLarge),
        ("HTTP/1.1 101 x\r\n", "a", E::HeadTooLarge),
        ("HTTP/1.1 101 x\r\nx: ", "a", E::HeadTooLarge),
        ("HTTP/1.1 403 x\r\nx: ", "a", E::HeadTooLarge),
        ("HTTP/1.1 101 x\r\n", "a:\r\n", E::TooManyHeaders),
        (
            "",
            "HTTP/1.1 103 x\r\nx: y\r\n\r\n",
            E::TooManyInterimResponses,
        ),
    ] {
        let bytes = endless(head, tail);
        for (client, limit) in [(client(), 16 * KIB), (small.clone(), KIB)] {
            let peak = peak(&client, &bytes, |outcome| match outcome {
                Some(Outcome::Failed(error)) => assert_eq!(error, expected),
                other => panic!("{other:?}"),
            });
            // Storage that grows exists twice for a moment.
            assert!(peak <= 3 * limit + BASE + 4 * KIB, "{head:?}: {peak}");
        }
    }
}

// req: HC-29, P-MEM, A-04
#[test]
fn endless_bodies_take_no_more_than_their_limit() {
    let small = Client {
        config: Config::new().max_body_size(KIB),
        ..client()
    };
    let chunked = "HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let huge = "HTTP/1.1 403 x\r\nContent-Length: 18446744073709551615\r\n\r\n";
    for (head, tail) in [
        ("HTTP/1.1 403 x\r\n\r\n", "a"),
        (huge, "a"),
        (&*format!("{chunked}fffffffff\r\n"), "a"),
        (chunked, "1\r\na\r\n"),
        (&*format!("{chunked}1;"), "a"),
        (&*format!("{chunked}1"), "0"),
    ] {
        let bytes = endless(head, tail);
        for (client, limit) in [(client(), 64 * KIB), (small.clone(), KIB)] {
            let peak = peak(&client, &bytes, |outcome| match outcome {
                Some(Outcome::Refused(response)) => assert!(response.body().len() <= limit),
                other => panic!("{other:?}"),
            });
            // A vector that grows exists twice for a moment, and has room for as much again.
            assert!(peak <= 3 * limit + BASE + 4 * KIB, "{head:?}: {peak}");
        }
    }
}

// req: HC-29, P-MEM
#[test]
fn nothing_is_allocated_for_a_length_that_is_only_claimed() {
    for head in [
        status(403)
            .and("Content-Length", "18446744073709551615")
            .bytes(),
        [
            &status(403).and("Transfer-Encoding", "chunked").bytes()[..],
            b"ffffffffffffffff\r\n",
        ]
        .concat(),
    ] {
        let client = Client {
            config: Config::new().max_body_size(usize::MAX),
            ..client()
        };
        let bytes = [&head[..], &[b'a'; 1000]].concat();
        let (info, outcome) = pour(&client, &bytes, usize::MAX);
        assert!(outcome.is_none(), "more is to come");
        assert!(info.bytes_max <= (BASE + 4 * KIB) as u64, "{info:?}");
    }
}

// req: HC-25
#[test]
fn every_field_counts_among_forty_thousand() {
    let client = Client {
        config: Config::new().max_headers(50_000).max_head_size(FLOOD),
        ..offering(&["chat"])
    };
    let many = |name: &str, value: &str, n: usize| {
        (0..n)
            .fold(switching(), |lines, _| lines.and(name, value))
            .bytes()
    };
    let handshake = |bytes: &[u8]| pour(&client, bytes, usize::MAX).1;
    let opened = handshake(&many("Connection", "keep-alive", 40_000));
    assert!(matches!(opened, Some(Outcome::Connected(..))));
    for (name, error) in [
        ("Upgrade", E::InvalidUpgrade),
        ("Sec-WebSocket-Accept", E::RepeatedAccept),
        ("Sec-WebSocket-Extensions", E::InvalidExtensions),
        ("Sec-WebSocket-Protocol", E::InvalidSubprotocol),
    ] {
        let failed = handshake(&many(name, "a", 40_000));
        assert!(
            matches!(failed, Some(Outcome::Failed(e)) if e == error),
            "{name}"
        );
    }
}
