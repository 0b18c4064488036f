//! The receive buffer as its callers see it: nothing is lost, doubled or moved wrongly, however bytes
//! come and events go, and a transport that lies is found out.

mod support;

use std::{
    io::{ErrorKind, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

use framewire::{Config, Connection, Event, PartEvent, RecvBuf, Role};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES, connection,
    trace::{Seen, feed},
    wire::{frame, input},
};

const KIB: usize = 1024;

/// A transport that gives at most `most` bytes at a time, and tells that it gave `lie` more.
struct Source<'a> {
    bytes: &'a [u8],
    most: usize,
    lie: usize,
}

impl Read for Source<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let n = self.most.min(room.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(n);
        room[..n].copy_from_slice(now);
        self.bytes = later;
        if self.lie > 0 {
            return Ok(room.len() + self.lie);
        }
        Ok(n)
    }
}

/// All events that are left.
fn events(conn: &mut Connection, rx: &mut RecvBuf) -> Vec<Seen> {
    std::iter::from_fn(|| conn.receive(rx).map(Seen::from)).collect()
}

/// What panicked says.
fn panic_message(f: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(f)).err()?;
    panic.downcast_ref::<&str>().map(|text| (*text).into())
}

#[derive(Clone, Debug)]
enum Op {
    Unfilled(usize),
    Extend(usize),
    Read(usize),
    Receive,
    WantsRead,
    ReceiveAll,
    Release,
    Swap,
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![0..4_usize, 0..40_usize, 0..3000_usize, 0..40_000_usize];
    prop_oneof![
        size.clone().prop_map(Op::Unfilled),
        size.clone().prop_map(Op::Extend),
        size.prop_map(Op::Read),
        Just(Op::Receive),
        Just(Op::WantsRead),
        Just(Op::ReceiveAll),
        Just(Op::Release),
        Just(Op::Swap),
    ]
}

/// The sizes of the fragments of a message, and whether it is text.
fn message() -> impl Strategy<Value = (bool, Vec<usize>)> {
    let size = prop_oneof![0..4_usize, 0..60_usize, 0..300_usize, 0..30_000_usize];
    (any::<bool>(), vec(size, 1..5))
}

/// The frames of these messages with pongs between the fragments, and what has to be seen of them.
fn stream(messages: &[(bool, Vec<usize>)]) -> (Vec<u8>, Vec<Seen>) {
    let (mut wire, mut seen) = (Vec::new(), Vec::new());
    for (number, (text, sizes)) in messages.iter().enumerate() {
        let len = sizes.iter().sum();
        let payload: Vec<u8> = if *text {
            let mut payload = "aé€🦀".repeat(len / 10).into_bytes();
            payload.resize(len, b'0' + (number % 10) as u8);
            payload
        } else {
            (0..len).map(|i| (i * 7 + i / 256 + number) as u8).collect()
        };
        let mut rest = &payload[..];
        for (i, size) in sizes.iter().enumerate() {
            let (part, later) = rest.split_at(*size);
            rest = later;
            let opcode = if i > 0 { 0 } else { 2 - u8::from(*text) };
            let fin = if i + 1 == sizes.len() { 0x80 } else { 0 };
            wire.extend(frame(fin | opcode, part));
            if fin == 0 && size % 3 == 0 {
                wire.extend(frame(0x8a, &[b'p'; 5]));
                seen.push(Seen::Pong(vec![b'p'; 5]));
            }
        }
        seen.push(if *text {
            Seen::Text(String::from_utf8(payload).expect("text"))
        } else {
            Seen::Binary(payload)
        });
    }
    (wire, seen)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-INV, A-02
    #[test]
    fn nothing_is_lost_in_the_receive_buffer_whatever_is_done_with_it(
        messages in vec(message(), 1..8),
        ops in vec(op(), 0..60),
        server in any::<bool>(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let (wire, expected) = stream(&messages);
        let wire = input(role, &wire);
        let mut rest = &wire[..];
        let (mut conn, mut rx, mut spare) = (connection(role, Config::new()), RecvBuf::new(), RecvBuf::new());
        let mut seen = Vec::new();
        for op in ops {
            match op {
                Op::Unfilled(n) => {
                    let room = rx.unfilled();
                    prop_assert!(!room.is_empty() && room.len() <= 256 * KIB);
                    let n = n.min(room.len()).min(rest.len());
                    room[..n].copy_from_slice(&rest[..n]);
                    rx.filled(n);
                    rest = &rest[n..];
                }
                Op::Extend(n) => {
                    let (now, later) = rest.split_at(n.min(rest.len()));
                    rx.extend_from_slice(now);
                    rest = later;
                }
                Op::Read(most) => {
                    let mut source = Source { bytes: rest, most, lie: 0 };
                    let n = rx.read_from(&mut source).expect("no error");
                    prop_assert_eq!(source.bytes.len() + n, rest.len());
                    rest = source.bytes;
                }
                Op::Receive => seen.extend(conn.receive(&mut rx).map(Seen::from)),
                Op::WantsRead => {
                    let wants = conn.wants_read(&mut rx);
                    prop_assert_eq!(conn.wants_read(&mut rx), wants);
                    if !wants {
                        prop_assert!(!rx.is_empty(), "an event is in it");
                    }
                }
                Op::ReceiveAll => seen.extend(events(&mut conn, &mut rx)),
                Op::Release => {
                    let (empty, before) = (rx.is_empty(), rx.capacity());
                    rx.release();
                    prop_assert_eq!(rx.capacity(), if empty { 0 } else { before });
                }
                Op::Swap => if rx.is_empty() {
                    std::mem::swap(&mut rx, &mut spare);
                }
            }
        }
        rx.extend_from_slice(rest);
        seen.extend(events(&mut conn, &mut rx));
        prop_assert_eq!(seen, expected);
        prop_assert!(rx.is_empty());
    }
}

// req: P-INV
#[test]
fn every_cut_of_a_short_stream_by_every_call_gives_the_same_events() {
    let frames = [
        frame(0x02, b"ab"),
        frame(0x89, b"x"),
        frame(0x80, b"c"),
        frame(0x81, b""),
    ];
    let frames = frames.concat();
    let expected = [
        Seen::Ping(b"x".into()),
        Seen::Binary(b"abc".into()),
        Seen::Text(String::new()),
    ];
    let wire = input(Role::Client, &frames);
    for cuts in 0..1_u32 << (wire.len() - 1) {
        for receive_after_each in [false, true] {
            let (mut conn, mut rx) = (connection(Role::Client, Config::new()), RecvBuf::new());
            let (mut seen, mut start) = (Vec::new(), 0);
            for end in 1..=wire.len() {
                if end < wire.len() && cuts >> (end - 1) & 1 == 0 {
                    continue;
                }
                let piece = &wire[start..end];
                if (start + end) % 2 == 0 {
                    rx.extend_from_slice(piece);
                } else {
                    rx.unfilled()[..piece.len()].copy_from_slice(piece);
                    rx.filled(piece.len());
                }
                start = end;
                if receive_after_each || end == wire.len() {
                    seen.extend(events(&mut conn, &mut rx));
                }
            }
            assert_eq!(seen, expected, "cuts {cuts:b}");
        }
    }
}

// req: P-INV
#[test]
fn message_in_progress_survives_being_moved_from_every_place() {
    for role in ROLES {
        for before in 0..70 {
            for begun in 1..=64 {
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                // Something used up, a fragment, and the beginning of the next one.
                let fragment: Vec<u8> = (1..=begun).collect();
                let last = frame(0x80, &[200; 60]);
                let bytes = [
                    frame(0x82, &vec![b'-'; before]),
                    frame(0x02, &fragment),
                    last,
                ];
                let bytes = input(role, &bytes.concat());
                // Of the last header, one byte or five are there: too few to be joined.
                let (first, rest) = bytes.split_at(bytes.len() - 61);
                rx.unfilled()[..first.len()].copy_from_slice(first);
                rx.filled(first.len());
                assert!(matches!(conn.receive(&mut rx), Some(Event::Binary(_))));
                assert_eq!(conn.receive(&mut rx), None);
                rx.unfilled()[..1].copy_from_slice(&rest[..1]);
                rx.filled(1);
                assert_eq!(conn.receive(&mut rx), None);
                rx.extend_from_slice(&rest[1..]);
                let expected = [&fragment[..], &[200; 60]].concat();
                assert_eq!(
                    conn.receive(&mut rx),
                    Some(Event::Binary(&expected)),
                    "{begun} bytes behind {before}"
                );
            }
        }
    }
}

/// How many bytes were moved to make room while this was received, `piece` bytes at a time, by the
/// places where the room lies: if it is not behind what was read last, all of a message that is not
/// complete may have been moved.
fn moved_bytes(role: Role, wire: &[u8], piece: usize) -> usize {
    let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
    let (mut rest, mut moved, mut held, mut expected) = (wire, 0, 0, 0);
    while !rest.is_empty() {
        let room = rx.unfilled();
        let place = room.as_ptr().addr();
        if place != expected {
            // Such a distance, in a page, has processors copy byte by byte.
            let distance = expected.wrapping_sub(place) % 4096;
            assert!(held <= 100 || moved == 0 || distance <= 4032, "{distance}");
            moved += held;
        }
        let n = piece.min(room.len()).min(rest.len());
        room[..n].copy_from_slice(&rest[..n]);
        rx.filled(n);
        rest = &rest[n..];
        (held, expected) = (held + n, place + n);
        let mut before = usize::MAX;
        while let Some(event) = conn.receive(&mut rx) {
            assert!(matches!(event, Event::Binary(_)));
            before = conn.stats().bytes_received as usize;
        }
        if before != usize::MAX {
            held = wire.len() - rest.len() - before;
        }
    }
    moved
}

// req: L-13, P-LIN
#[test]
fn bytes_are_hardly_moved_to_make_room() {
    for role in ROLES {
        let large = input(role, &frame(0x82, &vec![1; 8 << 20]));
        let parts = [
            frame(0x02, b""),
            frame(0, &[1; 4000]).repeat(1000),
            frame(0x80, b""),
        ];
        let parts = input(role, &parts.concat());
        let messages: Vec<u8> = (0..1000)
            .flat_map(|i| input(role, &frame(0x82, &vec![1; i * 7919 % 30_000])))
            .collect();
        let equal = input(role, &frame(0x82, &[1; 16_384])).repeat(500);
        // Of parts, a move of the few bytes behind the last header counts as one of the whole.
        for (wire, times) in [(large, 2), (parts, 3), (messages, 2), (equal, 2)] {
            for piece in [100, 3000, 10_000, usize::MAX] {
                let moved = moved_bytes(role, &wire, piece);
                assert!(
                    moved <= times * wire.len(),
                    "{moved} of {} by {piece}",
                    wire.len()
                );
            }
        }
    }
}

#[test]
fn event_that_was_announced_survives_more_input() {
    for role in ROLES {
        for first in [0x81, 0x82, 0x8a] {
            for size in [3, 120, 200, 5000] {
                if first == 0x8a && size > 125 {
                    continue;
                }
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                let bytes = frame(first, &vec![b'a'; size]);
                let (mut expected, _) = feed(&mut conn, &mut rx, [&input(role, &bytes)[..]]);
                expected.push(Seen::Binary(b"more".into()));

                rx.extend_from_slice(&input(role, &bytes));
                assert!(!conn.wants_read(&mut rx));
                let more = input(role, &frame(0x82, b"more"));
                rx.unfilled()[..more.len()].copy_from_slice(&more);
                rx.filled(more.len());
                let seen = events(&mut conn, &mut rx);
                assert_eq!(seen, expected, "{first:#x}, {size} bytes");
            }
        }
    }
}

#[test]
fn event_that_was_announced_keeps_the_buffer_from_being_released() {
    for role in ROLES {
        // Fragments, so that text is in the other half of the buffer.
        for frames in [
            frame(0x82, &[b'a'; 200]),
            frame(0x81, &[b'a'; 200]),
            [frame(0x01, &[b'a'; 100]), frame(0x80, &[b'a'; 100])].concat(),
            [frame(0x02, &[b'a'; 100]), frame(0x80, &[b'a'; 100])].concat(),
        ] {
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            rx.extend_from_slice(&input(role, &frames));
            assert!(!conn.wants_read(&mut rx));
            assert!(!rx.is_empty());
            rx.release();
            let len = match conn.receive(&mut rx) {
                Some(Event::Text(text)) => text.len(),
                Some(Event::Binary(data)) => data.len(),
                other => panic!("{other:?}"),
            };
            assert_eq!(len, 200);
            assert!(rx.is_empty());
        }
    }
}

#[test]
fn room_is_at_least_8_kib_also_behind_a_streamed_frame_that_another_buffer_took_over() {
    let (mut conn, mut rx) = (connection(Role::Client, Config::new()), RecvBuf::new());
    let wire = frame(0x82, &[b'a'; 64 * KIB]);
    let (most, last) = wire.split_at(wire.len() - 1);
    rx.extend_from_slice(most);
    assert!(matches!(
        conn.receive_part(&mut rx),
        Some(PartEvent::Binary { last: false, .. })
    ));
    assert!(rx.is_empty(), "may serve another connection");
    let mut other = RecvBuf::new();
    other.extend_from_slice(last);
    assert_eq!(
        conn.receive_part(&mut other),
        Some(PartEvent::Binary {
            part: b"a",
            last: true
        })
    );
    let mut another = connection(Role::Client, Config::new());
    assert_eq!(another.receive(&mut rx), None);
    let room = rx.unfilled().len();
    assert!(room >= 8 * KIB, "{room} bytes");
}

// req: A-09
#[test]
fn transport_that_claims_more_than_it_had_room_for_is_found_out() {
    let sentence = Some("the transport claims more bytes than it had room for".into());
    for lie in [1, 64, KIB, usize::MAX / 2] {
        // Fresh, with much storage, and in the middle of a large frame.
        for size in [0, 1 << 20] {
            for begun in [&b""[..], b"\x82\x7e\x60\x00abc"] {
                let (mut conn, mut rx) = (connection(Role::Client, Config::new()), RecvBuf::new());
                let large = frame(0x82, &vec![b'a'; size]);
                feed(&mut conn, &mut rx, [&large[..], begun]);
                let mut source = Source {
                    bytes: &[b'b'; 100],
                    most: 100,
                    lie,
                };
                let message = panic_message(|| drop(rx.read_from(&mut source)));
                assert_eq!(message, sentence, "read_from, {size}, {lie}");
                let message = panic_message(|| {
                    let room = rx.unfilled().len();
                    rx.filled(room + lie);
                });
                assert_eq!(message, sentence, "filled, {size}, {lie}");
            }
        }
    }
}

// req: A-09
#[test]
fn errors_of_the_transport_lose_nothing() {
    struct Failing(ErrorKind);
    impl Read for Failing {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            room.fill(0xff); // must not be looked at
            Err(self.0.into())
        }
    }
    for role in ROLES {
        let wire = input(role, &frame(0x81, b"in two"));
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        rx.extend_from_slice(&wire[..4]);
        for kind in [
            ErrorKind::WouldBlock,
            ErrorKind::Interrupted,
            ErrorKind::TimedOut,
        ] {
            let error = rx.read_from(&mut Failing(kind)).expect_err("it fails");
            assert_eq!(error.kind(), kind);
        }
        let read = rx.read_from(&mut &wire[4..]).expect("a slice never fails");
        assert_eq!(read, wire.len() - 4);
        assert_eq!(rx.read_from(&mut &b""[..]).expect("nor at its end"), 0);
        assert_eq!(conn.receive(&mut rx), Some(Event::Text("in two")));
    }
}

// req: L-13
#[test]
fn storage_grows_rarely_however_large_frames_and_pieces_lie() {
    for role in ROLES {
        let fragments = [
            frame(0x02, &[1; 20_000]),
            frame(0, &[1; 20_000]).repeat(400),
            frame(0x80, b""),
        ];
        let wire = input(role, &fragments.concat());
        for (first, piece) in [
            (3000, 20_004),
            (3000, 20_008),
            (17_000, 30_000),
            (1, 100_000),
        ] {
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            let (mut grown, mut capacity) = (0, 0);
            let (left, right) = wire.split_at(first);
            for bytes in [left].into_iter().chain(right.chunks(piece)) {
                rx.extend_from_slice(bytes);
                while conn.receive(&mut rx).is_some() {}
                grown += usize::from(rx.capacity() != capacity);
                capacity = rx.capacity();
            }
            assert!(grown <= 20, "grown {grown} times, by {piece}");
        }
    }
}

#[test]
#[should_panic(expected = "the RecvBuf holds a part of a message of another connection")]
fn part_of_a_message_is_not_given_to_another_connection() {
    let (mut one, mut other) = (
        connection(Role::Client, Config::new()),
        connection(Role::Client, Config::new()),
    );
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&frame(0x02, b"begun"));
    assert_eq!(one.receive(&mut rx), None);
    other.receive(&mut rx);
}

#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn rest_of_the_input_that_another_connection_took_is_missed() {
    let (mut one, mut other) = (
        connection(Role::Client, Config::new()),
        connection(Role::Client, Config::new()),
    );
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&frame(0x82, b"half")[..1]);
    assert_eq!(one.receive(&mut rx), None);
    assert_eq!(other.receive(&mut rx), None);
    one.receive(&mut rx);
}

#[test]
fn cleared_buffer_serves_the_next_connection() {
    for role in ROLES {
        let mut rx = RecvBuf::new();
        for _ in 0..3 {
            let mut conn = connection(role, Config::new());
            rx.extend_from_slice(&input(role, &frame(0x82, b"whole")));
            assert_eq!(conn.receive(&mut rx), Some(Event::Binary(b"whole")));
            rx.extend_from_slice(&input(role, &frame(0x02, b"begun")));
            assert_eq!(conn.receive(&mut rx), None);
            assert!(conn.receive_eof().is_err() && !rx.is_empty());
            rx.clear();
            assert!(rx.is_empty());
        }
    }
}

/// Several pieces may be appended before they are looked at: bytes of a header that was used up lie
/// between the joined ones and those, while storage has to grow for exactly the rest of a frame.
#[test]
fn storage_grows_also_for_what_lies_behind_a_used_up_header() {
    for role in ROLES {
        for begun in 0..130 {
            let frames = [frame(0x02, &vec![1; begun]), frame(0x80, &[2; 40_000])].concat();
            let wire = input(role, &frames);
            let (first, rest) = wire.split_at(wire.len() - 39_900);
            let (second, third) = rest.split_at(50);
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            rx.extend_from_slice(first);
            assert_eq!(conn.receive(&mut rx), None);
            rx.extend_from_slice(second);
            rx.extend_from_slice(third);
            let expected = [vec![1; begun], vec![2; 40_000]].concat();
            assert_eq!(conn.receive(&mut rx), Some(Event::Binary(&expected)));
        }
    }
}
