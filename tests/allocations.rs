//! What memory the core takes, counted by the allocator: none for a message once the buffers are
//! warm, none for an idle server, and never more than what arrived and the limits allow.

mod support;

use allocation_counter::{AllocationInfo, measure};
use bytes::{Buf as _, Bytes};
use framewire::{
    Config, Connection, Event, MessageKind, PartEvent, PreparedMessage, RecvBuf, Role,
};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES, connection,
    trace::pour,
    wire::{claim, frame, input},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What may be held beside twice what has arrived: by a buffer, and by a connection for fragments.
const BASE: usize = 16 * KIB + 64;
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// Limits that no test here can meet.
fn unlimited() -> Config {
    Config::new()
        .max_message_size(usize::MAX)
        .max_frame_size(usize::MAX)
        .max_fragments(u32::MAX)
}

/// Writes everything that is queued, in pieces.
fn flush(conn: &mut Connection) {
    while conn.send_buf().has_remaining() {
        let n = conn.send_buf().chunk().len().min(1000);
        conn.send_buf().advance(n);
    }
}

/// The frames of a message in fragments of this size, without masks.
fn fragmented(kind: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = frame(kind & 0xf, b"");
    for part in payload.chunks(size) {
        bytes.extend(frame(0, part));
    }
    bytes.extend(frame(0x80, b""));
    bytes
}

// req: A-04, L-13
#[test]
fn receiving_allocates_nothing_once_the_buffer_is_warm() {
    let text = "aé€🦀".repeat(100).into_bytes();
    let traffic: [(&str, Vec<u8>); 7] = [
        (
            "short",
            [frame(TEXT, b"Hello"), frame(BINARY, b"Hello")].concat(),
        ),
        (
            "1 KiB",
            [frame(TEXT, &text), frame(BINARY, &[1; KIB])].concat(),
        ),
        (
            "64 KiB",
            [frame(TEXT, &text.repeat(64)), frame(BINARY, &[2; 64 * KIB])].concat(),
        ),
        ("fragments", fragmented(BINARY, &[3; 5000], 300)),
        ("text in fragments", fragmented(TEXT, &text, 7)),
        (
            "pings",
            [frame(0x89, b"ping"), frame(0x89, &[4; 125])].concat(),
        ),
        (
            "pings in a message",
            [frame(2, b"a"), frame(0x89, b"p"), frame(0x80, b"b")].concat(),
        ),
    ];
    for role in ROLES {
        for (name, frames) in &traffic {
            let wire = input(role, frames);
            for piece in [1, 1000, usize::MAX] {
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                let mut events = 0;
                let mut round = || {
                    for _ in 0..10 {
                        pour(&mut conn, &mut rx, &wire, piece, |event| {
                            assert!(!matches!(event, Event::Failed(_)));
                            events += 1;
                        });
                        flush(&mut conn);
                    }
                };
                round();
                let warm = measure(round);
                assert_eq!(warm.count_total, 0, "{role:?}, {name} in pieces of {piece}");
                assert!(events >= 20);
            }
        }
    }
}

// req: A-04
#[test]
fn sending_allocates_nothing_once_the_buffer_is_warm() {
    let (text, data) = ("a".repeat(64 * KIB), Bytes::from(vec![1; 64 * KIB]));
    let messages = [
        PreparedMessage::text("Hello"),
        PreparedMessage::binary(&data[..KIB]),
        PreparedMessage::binary(&data),
    ];
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        let mut round = || {
            for size in [0, 5, 125, 126, KIB, 8 * KIB, 64 * KIB] {
                conn.send_text(&text[..size]).expect("open");
                conn.send_binary(&data[..size]).expect("open");
                conn.send_bytes(MessageKind::Binary, data.slice(..size))
                    .expect("open");
                conn.start_message(MessageKind::Text).expect("open");
                conn.send_part(&text.as_bytes()[..size]).expect("open");
                conn.send_ping(b"between").expect("open");
                conn.finish_message(b"end").expect("open");
            }
            for message in &messages {
                conn.send_prepared(message).expect("open");
            }
            flush(&mut conn);
        };
        round();
        let warm = measure(|| (0..10).for_each(|_| round()));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}");
    }
}

// req: A-04
#[test]
fn prepared_message_is_allocated_once_for_any_number_of_connections() {
    let mut servers: Vec<_> = (0..100)
        .map(|_| connection(Role::Server, Config::new()))
        .collect();
    let message = PreparedMessage::binary(&vec![7; MIB]);
    let info = measure(|| {
        for server in &mut servers {
            server.send_prepared(&message).expect("open");
            assert_eq!(server.send_buf().remaining(), MIB + 10);
        }
    });
    assert!(info.bytes_max < 100 * KIB as u64, "{info:?}");
}

/// What a connection keeps once there were control frames or fragments: one box.
const OTHER_FRAMES: (i64, i64) = (1, 64);

/// Messages in one frame, both ways.
fn chat(conn: &mut Connection, rx: &mut RecvBuf) {
    let frames = [frame(TEXT, &[b'a'; 100]), frame(BINARY, &[b'a'; 100_000])];
    let wire = input(conn.role(), &frames.concat());
    pour(conn, rx, &wire, 5000, |event| {
        assert!(!matches!(event, Event::Failed(_)))
    });
    conn.send_text("one").expect("open");
    conn.send_bytes(MessageKind::Binary, vec![1; 100_000].into())
        .expect("open");
    flush(conn);
}

/// All that a connection does, once.
fn bustle(conn: &mut Connection, rx: &mut RecvBuf) {
    chat(conn, rx);
    let frames = [
        fragmented(TEXT, &[b'a'; 10_000], 10),
        fragmented(BINARY, &[b'a'; 10_000], 10),
        // More than may wait, so that one is kept aside.
        frame(0x89, &[b'p'; 100]).repeat(100),
    ];
    let wire = input(conn.role(), &frames.concat());
    pour(conn, rx, &wire, 5000, |event| {
        assert!(!matches!(event, Event::Failed(_)))
    });
    flush(conn);
}

// req: A-04, L-12
#[test]
fn idle_server_owns_no_heap() {
    let mut kept = None;
    let created = measure(|| kept = Some(connection(Role::Server, Config::new())));
    assert_eq!(created.count_total, 0);
    let conn = kept.as_mut().expect("just made");
    let mut rx = RecvBuf::new();
    for (work, kept) in [(chat as fn(&mut _, &mut _), (0, 0)), (bustle, OTHER_FRAMES)] {
        let busy = measure(|| {
            work(conn, &mut rx);
            rx.release();
            conn.send_buf().release();
        });
        assert!(busy.bytes_max > 100_000, "it has been busy");
        assert_eq!((busy.count_current, busy.bytes_current), kept);
    }
    assert_eq!((rx.capacity(), conn.send_buf().capacity()), (0, 0));
}

// req: A-04, L-12
#[test]
fn idle_client_owns_the_generator_of_its_keys_alone() {
    let mut kept = None;
    let created = measure(|| kept = Some(connection(Role::Client, Config::new())));
    assert_eq!(created.count_current, 1);
    assert!(
        created.bytes_current < 512,
        "{} bytes",
        created.bytes_current
    );
    let conn = kept.as_mut().expect("just made");
    let mut rx = RecvBuf::new();
    for (work, kept) in [(chat as fn(&mut _, &mut _), (0, 0)), (bustle, OTHER_FRAMES)] {
        let busy = measure(|| {
            work(conn, &mut rx);
            rx.release();
            conn.send_buf().release();
        });
        assert_eq!((busy.count_current, busy.bytes_current), kept);
    }
}

/// A message of `len` bytes, in `arrived` bytes of the wire, took no more memory than it may.
#[track_caller]
fn assert_frugal(info: &AllocationInfo, len: usize, arrived: usize) {
    let (held, peak) = (info.bytes_current, info.bytes_max);
    assert!(
        held <= (2 * len + BASE) as i64,
        "{held} bytes are held for {len}"
    );
    // While storage grows, what it held before is there as well.
    assert!(
        peak <= (3 * len + 2 * BASE) as u64,
        "{peak} bytes at the peak for {len}"
    );
    // Storage is zeroed once and at most half of it copied to, when it grows.
    assert!(
        info.bytes_total <= (4 * (arrived + BASE)) as u64,
        "{info:?} for {arrived}"
    );
}

/// A message in one frame, as an endpoint in this role receives it.
fn whole(role: Role, kind: u8, len: usize) -> Vec<u8> {
    input(role, &frame(kind, &vec![b'a'; len]))
}

/// A message that grows to `len` bytes as `wire` is read, `piece` bytes at a time: what storage
/// there is and what is asked for stay within what has arrived.
fn grow(role: Role, wire: &[u8], piece: usize, len: usize) {
    let (mut conn, mut rx) = (connection(role, unlimited()), RecvBuf::new());
    let (mut arrived, mut received) = (0, None);
    let info = measure(|| {
        while arrived < wire.len() {
            let room = rx.unfilled();
            assert!(
                room.len() <= BASE.max(arrived),
                "{} for {arrived}",
                room.len()
            );
            assert!(room.len() <= 256 * KIB);
            let n = piece.min(room.len()).min(wire.len() - arrived);
            room[..n].copy_from_slice(&wire[arrived..arrived + n]);
            rx.filled(n);
            arrived += n;
            while let Some(event) = conn.receive(&mut rx) {
                received = match event {
                    Event::Text(text) => Some(text.len()),
                    Event::Binary(data) => Some(data.len()),
                    other => panic!("unexpected {other:?}"),
                };
            }
            let capacity = rx.capacity();
            assert!(capacity <= 2 * arrived + BASE, "{capacity} for {arrived}");
        }
    });
    assert_eq!(received, Some(len));
    assert_frugal(&info, len, wire.len());
    rx.release();
    assert_eq!(rx.capacity(), 0);
}

// req: L-04, L-05, L-12, L-13, A-04, P-LIN
#[test]
fn storage_grows_with_what_arrives_in_one_frame() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for (len, pieces) in [
                (16 * MIB, &[KIB, 64 * KIB, usize::MAX][..]),
                (16 * MIB + 1, &[100_000]),
                (9 * MIB, &[10_000]),
                (MIB + 1, &[100]),
            ] {
                let wire = whole(role, kind, len);
                for piece in pieces {
                    grow(role, &wire, *piece, len);
                }
            }
        }
    }
}

// req: L-04, L-05, L-12, L-13, A-04, P-LIN
#[test]
fn storage_grows_with_what_arrives_byte_by_byte() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            grow(role, &whole(role, kind, 16 * MIB), 1, 16 * MIB);
        }
    }
}

// req: L-04, L-13, A-04, P-LIN
#[test]
fn hundred_thousand_fragments_cost_what_their_bytes_cost() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for size in [0, 1, 100] {
                let payload = vec![b'a'; 100_000 * size];
                let frames = if size == 0 {
                    [
                        frame(kind & 0xf, b""),
                        frame(0, b"").repeat(100_000),
                        frame(0x80, b""),
                    ]
                    .concat()
                } else {
                    fragmented(kind, &payload, size)
                };
                let wire = input(role, &frames);
                for piece in [17, 4096, usize::MAX] {
                    grow(role, &wire, piece, payload.len());
                }
            }
        }
    }
}

// req: L-04
#[test]
fn message_of_16_mib_in_fragments_of_one_byte_holds_twice_its_size_at_most() {
    let (block, blocks) = (4096, 4096);
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let (mut conn, mut rx) = (connection(role, unlimited()), RecvBuf::new());
            let begin = input(role, &frame(kind & 0xf, b""));
            let middle = input(role, &frame(0, b"a").repeat(block));
            let end = input(role, &frame(0x80, b""));
            let mut received = 0;
            let info = measure(|| {
                pour(&mut conn, &mut rx, &begin, usize::MAX, |_| {
                    panic!("not yet")
                });
                for _ in 0..blocks {
                    pour(&mut conn, &mut rx, &middle, usize::MAX, |_| {
                        panic!("not yet")
                    });
                }
                pour(&mut conn, &mut rx, &end, usize::MAX, |event| match event {
                    Event::Text(text) => received = text.len(),
                    Event::Binary(data) => received = data.len(),
                    other => panic!("unexpected {other:?}"),
                });
            });
            assert_eq!(received, block * blocks);
            let header = middle.len() / block - 1;
            assert_frugal(&info, received, (header + 1) * received);
        }
    }
}

// req: L-11, A-04
#[test]
fn buffer_of_a_long_connection_does_not_grow() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for max in [100, 4000, 20_000, 40_000] {
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                let sizes = (0..200).map(|i| (i * 7919) % max).chain([max]);
                let round: Vec<u8> = sizes.flat_map(|size| whole(role, kind, size)).collect();
                let mut pass = || {
                    for piece in [11, 1000, 5000, usize::MAX] {
                        pour(&mut conn, &mut rx, &round, piece, |_| ());
                        // The largest read is of 16 KiB, or of as many bytes as are held.
                        let (most, capacity) = (max + BASE.max(max) + 14, rx.capacity());
                        assert!(kind == TEXT || capacity <= most, "{capacity} for {max}");
                        // Text in pieces has a place of its own.
                        assert!(capacity <= most + 2 * max, "{capacity} for {max}");
                    }
                };
                (0..8).for_each(|_| pass());
                let passes = (6 * MIB).div_ceil(4 * round.len());
                let info = measure(|| (0..passes).for_each(|_| pass()));
                assert_eq!(info.count_total, 0, "{role:?}, {kind:#x}, {max}");
            }
        }
    }
}

// req: L-08, A-04, P-MEM
#[test]
fn million_pings_take_no_memory_while_nothing_can_be_written() {
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let block = input(role, &frame(0x89, &[b'p'; 125]).repeat(100));
        pour(&mut conn, &mut rx, &block, usize::MAX, |_| ());
        let queued = conn.send_buf().remaining();
        assert!(queued <= 4096 + 131, "{queued}");
        let mut pings = 0;
        let info = measure(|| {
            for _ in 0..10_000 {
                pour(&mut conn, &mut rx, &block, usize::MAX, |event| {
                    assert!(matches!(event, Event::Ping(_)));
                    pings += 1;
                });
            }
        });
        assert_eq!(pings, 1_000_000);
        assert_eq!(info, AllocationInfo::default());
        assert_eq!(conn.send_buf().remaining(), queued);
    }
}

// req: L-05, P-MEM
#[test]
fn streamed_message_of_any_size_takes_no_more_than_the_room_for_a_read() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let (mut conn, mut rx) = (connection(role, unlimited()), RecvBuf::new());
            let mut left = claim(kind, 1 << 40);
            if role == Role::Server {
                left[1] |= 0x80;
                left.extend([0; 4]); // a key that changes nothing
            }
            let (mut received, block) = (0, vec![b'a'; 64 * KIB]);
            for _ in 0..1000 {
                while !left.is_empty() {
                    let room = rx.unfilled();
                    let n = room.len().min(left.len());
                    room[..n].copy_from_slice(&left[..n]);
                    rx.filled(n);
                    left.drain(..n);
                    while let Some(event) = conn.receive_part(&mut rx) {
                        received += match event {
                            PartEvent::Text { part, .. } => part.len(),
                            PartEvent::Binary { part, .. } => part.len(),
                            other => panic!("unexpected {other:?}"),
                        };
                    }
                    assert!(rx.capacity() <= 2 * BASE, "{}", rx.capacity());
                }
                left.clone_from(&block);
            }
            assert_eq!(received, 999 * block.len());
        }
    }
}

/// A piece of input as no peer should send it, and whether it is for a server to be masked.
fn hostile() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let first = prop_oneof![
        4 => prop::sample::select(&[0x00, 0x01, 0x02, 0x80, TEXT, BINARY, 0x89, 0x8a][..]),
        1 => any::<u8>(),
    ];
    let len = prop_oneof![0..126_u64, 0..4000_u64, any::<u64>()];
    let whole =
        (first.clone(), 0..3000_usize).prop_map(|(first, len)| frame(first, &vec![b'a'; len]));
    // Of what was claimed a part arrives; what comes behind it is taken for the rest.
    let claimed = (first, len, 0..3000_usize)
        .prop_map(|(first, len, n)| [claim(first, len), vec![b'a'; n.min(len as usize)]].concat());
    let bytes = vec(any::<u8>(), 0..50);
    prop_oneof![
        12 => whole.prop_map(|bytes| (true, bytes)),
        1 => claimed.prop_map(|bytes| (true, bytes)),
        1 => bytes.prop_map(|bytes| (false, bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-MEM, A-03, A-04
    #[test]
    fn memory_stays_within_the_limits_and_a_constant_for_any_input(
        pieces in vec(hostile(), 0..60),
        limit in prop_oneof![Just(0), 0..200_usize, 0..20_000_usize],
        most in prop_oneof![1..20_usize, Just(usize::MAX)],
        server in any::<bool>(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let mut wire = Vec::new();
        for (frame, bytes) in pieces {
            wire.extend(if frame { input(role, &bytes) } else { bytes });
        }
        let config = Config::new().max_message_size(limit).max_frame_size(limit);
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        let mut events = 0;
        let info = measure(|| {
            pour(&mut conn, &mut rx, &wire, most, |_| events += 1);
        });
        // A message and a frame that is not complete, and nothing was written.
        let held = limit + 131 + 14;
        prop_assert!(rx.capacity() <= 2 * held + BASE, "{}", rx.capacity());
        prop_assert!(conn.send_buf().remaining() <= 4096 + 2 * 131);
        prop_assert!(info.bytes_max as usize <= 3 * held + BASE + 3 * 4096, "{:?}", info);
        prop_assert!(events <= wire.len() / 2 + 1, "an event takes input");
    }
}
