//! Compressed messages (RFC 7692) take no more memory than the limits allow, whatever they inflate to.
#![cfg(feature = "deflate")]

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use std::thread;

use allocation_counter::measure;
use bytes::Buf as _;
use framewire::{Connection, Event, PartEvent, ProtocolError, RecvBuf, Role};
use hostile::{
    BINARY, Bits, Hostile, KINDS, TEXT, fragments, hostile, limited, mutate, on_the_wire, seen,
    trace,
};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES,
    deflate::{Deflater, agreed, deflate, noise},
    trace::{Seen, pour},
    wire::{frame, input},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What comes on top of a message limit: the state to inflate with, and a piece of a text.
const BASE: usize = 64 * KIB;

/// What receiving took, as far as the allocator knows.
#[derive(Debug, Default)]
struct Taken {
    /// The most that was held between two steps.
    held: usize,
    /// The most at any time. Storage that grows counts twice, old and new.
    peak: usize,
    allocations: u64,
    /// How many bytes of messages came out.
    received: usize,
    calls: usize,
    failure: Option<ProtocolError>,
}

/// Receives what is on the wire, at most `piece` bytes at a time. What the buffer takes for input is not
/// counted, so that what is counted is inflated output, and the state to inflate with: on a thread of its
/// own, where there is none yet.
fn weigh(mut conn: Connection, wire: &[u8], piece: usize, in_parts: bool) -> Taken {
    let mut weigh = || {
        let (mut rx, mut taken) = (RecvBuf::new(), Taken::default());
        let mut held = 0;
        let mut wire = wire;
        while !wire.is_empty() && taken.failure.is_none() {
            let room = rx.unfilled();
            let (now, later) = wire.split_at(piece.min(room.len()).min(wire.len()));
            room[..now.len()].copy_from_slice(now);
            rx.filled(now.len());
            wire = later;
            let info = measure(|| while step(&mut conn, &mut rx, in_parts, &mut taken) {});
            let peak = held + info.bytes_max as i64;
            held += info.bytes_current;
            taken.peak = taken.peak.max(peak as usize);
            taken.held = taken.held.max(held as usize);
            taken.allocations += info.count_total;
        }
        taken
    };
    thread::scope(|scope| scope.spawn(&mut weigh).join().expect("no panic"))
}

fn step(conn: &mut Connection, rx: &mut RecvBuf, in_parts: bool, taken: &mut Taken) -> bool {
    taken.calls += 1;
    if in_parts {
        match conn.receive_part(rx) {
            Some(PartEvent::Text { part, .. }) => taken.received += part.len(),
            Some(PartEvent::Binary { part, .. }) => taken.received += part.len(),
            Some(PartEvent::Failed(error)) => taken.failure = Some(error),
            Some(other) => panic!("{other:?}"),
            None => return false,
        }
    } else {
        match conn.receive(rx) {
            Some(Event::Text(text)) => taken.received += text.len(),
            Some(Event::Binary(data)) => taken.received += data.len(),
            Some(Event::Failed(error)) => taken.failure = Some(error),
            Some(other) => panic!("{other:?}"),
            None => return false,
        }
    }
    true
}

/// Payloads of messages that inflate to 64 MiB or never end, and into what frames to cut them.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static [usize])> {
    let zeros = deflate(&vec![0; 64 * MIB]);
    assert!(zeros.len() * 1000 < 64 * MIB, "{}", zeros.len());
    // Runs within runs, each of a distance of 1.
    let mut runs = Vec::new();
    while runs.len() < 64 * MIB {
        let (byte, len) = (b' ' + (runs.len() % 90) as u8, 259 + runs.len() % 70_000);
        runs.resize(runs.len() + len, byte);
    }
    let block = [&b"\x00\xff\xff\x00\x00"[..], &[b'a'; 65535]].concat();
    vec![
        ("zeros", zeros, &[1, usize::MAX]),
        ("runs", deflate(&runs), &[1, 1000, usize::MAX]),
        (
            "blocks without compression",
            block.repeat(40),
            &[100, usize::MAX],
        ),
        (
            "one byte in each",
            b"\x00\x01\x00\xfe\xffa".repeat(MIB / 2),
            &[100, usize::MAX],
        ),
    ]
}

/// The message limit was exceeded, be it by what there was inflated or by what was announced.
#[track_caller]
fn assert_too_big(taken: &Taken, most: usize) {
    let Some(ProtocolError::MessageTooBig { size, limit }) = taken.failure else {
        panic!("{taken:?}");
    };
    assert_eq!(limit, most as u64);
    let (inflated, announced) = (limit + 1, on_the_wire(most, 1) as u64);
    assert!(size == inflated || size > announced, "{size} for {limit}");
}

// req: D-25, D-27
#[test]
fn bombs_take_no_more_than_the_limit_and_64_kib() {
    for (name, payload, sizes) in bombs() {
        for (kind, size) in KINDS
            .into_iter()
            .flat_map(|k| sizes.iter().map(move |s| (k, *s)))
        {
            let frames = fragments(kind, &payload, size);
            for role in ROLES {
                let wire = input(role, &frames);
                for limit in [0, 1, 1000, MIB] {
                    let config = limited(limit);
                    for (piece, in_parts) in [(usize::MAX, false), (4000, false), (4000, true)] {
                        let conn = agreed(role, "", config);
                        let taken = weigh(conn, &wire, piece, in_parts);
                        let case = format!("{name}, {size}, {role:?}, {limit}, {taken:?}");
                        assert_too_big(&taken, limit);
                        let most = if in_parts { 0 } else { limit } + BASE;
                        assert!(taken.held <= most, "{case}");
                        // The last time that storage grows, it may be of nearly that size.
                        let most = most + if in_parts { 0 } else { limit };
                        assert!(taken.peak <= most, "{case}");
                        assert!(taken.allocations < 40, "{case}");
                        let received = if in_parts { limit } else { 0 };
                        assert!(taken.received <= received, "{case}");
                    }
                }
            }
        }
    }
}

// req: D-25
#[test]
fn bomb_that_comes_byte_by_byte_takes_no_more_than_the_limit_and_64_kib() {
    let payload = deflate(&vec![0; 64 * MIB]);
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        let wire = input(role, &fragments(kind, &payload, 3));
        for (limit, in_parts) in [(1000, false), (MIB, false), (MIB, true)] {
            let config = limited(limit);
            let taken = weigh(agreed(role, "", config), &wire, 1, in_parts);
            assert_too_big(&taken, limit);
            let most = if in_parts { 0 } else { limit } + BASE;
            assert!(taken.held <= most, "{taken:?}");
        }
    }
}

// req: D-25
#[test]
fn message_in_parts_takes_as_little_whatever_its_size() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        for (payload, len) in [
            (deflate(&vec![0; 64 * MIB]), 64 * MIB),
            (deflate(&"aé€🦀".repeat(MIB).into_bytes()), 10 * MIB),
        ] {
            for size in [1, 1000, usize::MAX] {
                let wire = input(role, &fragments(kind, &payload, size));
                let config = limited(usize::MAX).max_fragments(u32::MAX);
                let taken = weigh(agreed(role, "", config), &wire, usize::MAX, true);
                assert_eq!((taken.failure, taken.received), (None, len));
                // A part of a text may be longer than what is inflated at a time.
                assert!(taken.held <= BASE + 8 * KIB, "{taken:?}");
                assert!(taken.peak <= BASE + 24 * KIB, "{taken:?}");
            }
        }
    }
}

/// Messages of this length that compress well, a little and not at all; the last is no text.
fn samples(len: usize) -> [Vec<u8>; 3] {
    let json =
        (0..).flat_map(|i: u32| format!("{{\"id\":{},\"é\":[]}},", i * 7919 % 1000).into_bytes());
    let mut json: Vec<_> = json.take(len).collect();
    let valid =
        std::str::from_utf8(&json).map_or_else(|error| error.valid_up_to(), |text| text.len());
    json[valid..].fill(b'.');
    [vec![0; len], json, noise(len)]
}

// req: D-25, D-27
#[test]
fn message_of_the_limit_passes_and_one_byte_more_fails() {
    for limit in [0, 1, 2, 125, 1000, 8191, 8192, 8193, 16_384, 100_000] {
        let (fits, exceeds) = (samples(limit), samples(limit + 1));
        for (fits, exceeds) in fits.iter().zip(&exceeds) {
            for kind in KINDS {
                if kind == TEXT && std::str::from_utf8(exceeds).is_err() {
                    continue;
                }
                for size in [1, 100, usize::MAX] {
                    assert_limit(kind, size, fits, exceeds);
                }
            }
        }
    }
}

#[track_caller]
fn assert_limit(kind: u8, size: usize, fits: &[u8], exceeds: &[u8]) {
    let limit = fits.len();
    let config = limited(limit);
    for role in ROLES {
        let passed = trace(role, "", config, &fragments(kind, &deflate(fits), size));
        assert_eq!(passed.events, [seen(kind, fits)]);
        assert_eq!(passed.stats.messages_received, 1);
        let failed = trace(role, "", config, &fragments(kind, &deflate(exceeds), size));
        let error = ProtocolError::MessageTooBig {
            size: limit as u64 + 1,
            limit: limit as u64,
        };
        failed.assert_failed(&[], error);
        assert_eq!(failed.stats.messages_received, 0);
    }
}

// req: D-26
#[test]
fn limit_holds_where_output_is_left_when_the_input_has_ended() {
    // Pieces of 8 KiB are inflated at a time, and a run may go on behind any of them.
    let sizes = [1..600, 8000..8600, 16_200..16_700];
    for (len, kind) in sizes
        .into_iter()
        .flatten()
        .flat_map(|len| KINDS.map(|k| (len, k)))
    {
        let payload = deflate(&vec![0; len]);
        let whole = frame(kind, &payload);
        // The last frame brings nothing but the end.
        let with_end = [frame(kind & 0x7f, &payload), frame(0x80, b"")].concat();
        let role = ROLES[len % 2];
        for frames in [whole, with_end] {
            let wire = input(role, &frames);
            for in_parts in [false, true] {
                for limit in [len, len - 1] {
                    let (mut conn, mut rx) = (agreed(role, "", limited(limit)), RecvBuf::new());
                    let mut taken = Taken::default();
                    rx.extend_from_slice(&wire);
                    while step(&mut conn, &mut rx, in_parts, &mut taken) {}
                    let (size, limit) = (len as u64, limit as u64);
                    let error = ProtocolError::MessageTooBig { size, limit };
                    assert_eq!(taken.failure, (size > limit).then_some(error));
                    assert!(
                        taken.received as u64 <= limit && (size > limit || taken.received == len)
                    );
                }
            }
        }
    }
}

// req: D-27
#[test]
fn fragments_that_each_inflate_to_less_than_the_limit_are_added_up() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        // Each fragment holds whole blocks, so that all of its 300 bytes come out of it.
        let mut deflater = Deflater::new();
        let mut parts: Vec<_> = (0..4).map(|_| deflater.message(&[b'a'; 300])).collect();
        for part in &mut parts[..3] {
            part.extend_from_slice(b"\x00\x00\xff\xff");
        }
        let frames = [
            frame(kind & 0x7f, &parts[0]),
            frame(0, &parts[1]),
            frame(0, &parts[2]),
            frame(0x80, &parts[3]),
        ]
        .concat();
        let passed = trace(role, "", limited(1200), &frames);
        assert_eq!(passed.events, [seen(kind, &[b'a'; 1200])]);
        for limit in [1199, 901, 899, 300] {
            let error = ProtocolError::MessageTooBig {
                size: limit as u64 + 1,
                limit: limit as u64,
            };
            let failed = trace(role, "", limited(limit), &frames);
            failed.assert_failed(&[], error);
        }
    }
}

// req: D-25
#[test]
fn message_of_the_limit_passes_in_the_worst_encoding() {
    for limit in [0, 1, 7, 8, 100, 1000, 30_000] {
        let message: Vec<u8> = noise(limit).iter().map(|byte| byte % 112 + 144).collect();
        let mut bits = Bits::default();
        bits.literals(&message);
        let payload = bits.payload();
        assert!(payload.len() > limit + limit / 8);
        for role in ROLES {
            for size in [1, 1000, usize::MAX] {
                let frames = fragments(BINARY, &payload, size);
                let passed = trace(role, "", limited(limit), &frames);
                assert_eq!(passed.events, [Seen::Binary(message.clone())]);
            }
        }
    }
}

/// Payloads that inflate to nothing, of about this length.
fn nothing(len: usize) -> [Vec<u8>; 4] {
    let stored = [b"\x00\x00\x00\xff\xff".repeat(len / 5), vec![0]].concat();
    let [mut fixed, mut codes, mut large] = [(); 3].map(|()| Bits::default());
    while fixed.len + 13 < 8 * len {
        fixed.literals(b"");
    }
    while codes.len + 93 < 8 * len {
        codes.codes_for_nothing();
    }
    while large.len + 170 < 8 * len {
        large.large_codes_for_nothing();
    }
    [stored, fixed.payload(), codes.payload(), large.payload()]
}

// req: D-28
#[test]
fn input_that_yields_nothing_costs_no_memory_and_one_call_for_each_read() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        for (i, payload) in nothing(MIB).iter().enumerate() {
            let wire = input(role, &frame(kind, payload));
            for (piece, in_parts) in [(100, false), (4096, false), (4096, true)] {
                let taken = weigh(agreed(role, "", limited(MIB)), &wire, piece, in_parts);
                assert_eq!((taken.failure, taken.received), (None, 0), "{i}");
                // The message is an event, and looked behind once.
                assert_eq!(taken.calls, wire.len().div_ceil(piece) + 1, "{i}");
                assert!(taken.peak <= BASE && taken.allocations < 16, "{taken:?}");
            }
        }
    }
}

// req: D-28
#[test]
fn input_that_yields_nothing_is_bounded_by_the_message_limit() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        let limit = 8000;
        let most = on_the_wire(limit, 1);
        let empty_block = b"\x00\x00\x00\xff\xff";
        let fits = [&empty_block.repeat((most - 1) / 5)[..], b"\x00"].concat();
        assert!(most - fits.len() < 5);
        let exceeds = empty_block.repeat(on_the_wire(limit, 20) / 5 + 1);
        for piece in [1000, usize::MAX] {
            let frames = fragments(kind, &fits, piece);
            let passed = trace(role, "", limited(limit), &frames);
            assert_eq!(passed.events, [seen(kind, b"")]);

            let failed = trace(role, "", limited(limit), &fragments(kind, &exceeds, piece));
            // What the frames announced up to the one that is too much.
            let sizes = (1..).map(|n: usize| (n, exceeds.len().min(piece.saturating_mul(n))));
            let mut beyond = sizes.skip_while(|(n, size)| *size <= on_the_wire(limit, *n));
            let (_, size) = beyond.next().expect("it exceeds");
            let (size, limit) = (size as u64, limit as u64);
            failed.assert_failed(&[], ProtocolError::MessageTooBig { size, limit });
        }
        // Smaller fragments are bounded by their number.
        let config = limited(limit).max_fragments(100);
        let failed = trace(role, "", config, &fragments(kind, &exceeds, 16));
        failed.assert_failed(&[], ProtocolError::TooManyFragments { limit: 100 });
    }
}

// req: D-28, L-02
#[test]
fn frame_limit_holds_for_what_a_message_is_compressed_to() {
    let (limit, most) = (800, on_the_wire(800, 1));
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        let config = limited(usize::MAX).max_frame_size(limit);
        let message = noise(most - 1 - 5);
        let mut payload = vec![0, message.len() as u8, (message.len() >> 8) as u8];
        payload.extend([!payload[1], !payload[2]]);
        payload.extend(&message);
        payload.push(0);
        assert_eq!(payload.len(), most);
        let passed = trace(role, "", config, &frame(BINARY, &payload));
        assert_eq!(passed.events, [Seen::Binary(message)]);
        // What comes out of a frame is bounded by the limit of the message alone.
        let passed = trace(role, "", config, &frame(kind, &deflate(&[b'a'; 10_000])));
        assert_eq!(passed.events, [seen(kind, &[b'a'; 10_000])]);

        let failed = trace(role, "", config, &frame(kind, &vec![0; most + 1]));
        let (size, limit) = (most as u64 + 1, limit as u64);
        failed.assert_failed(&[], ProtocolError::FrameTooBig { size, limit });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: D-25, P-MEM
    #[test]
    fn memory_stays_within_the_limit_and_a_constant_for_any_data(
        messages in vec(hostile(), 1..4),
        limit in prop_oneof![0..500_usize, 0..10_000_usize],
        server in any::<bool>(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let mut frames = Vec::new();
        for Hostile { kind, content, mutations, fragment } in &messages {
            let mut payload = deflate(content);
            for mutation in mutations {
                mutate(&mut payload, mutation);
            }
            frames.extend(fragments(*kind, &payload, *fragment));
        }
        let wire = input(role, &frames);
        let taken = weigh(agreed(role, "", limited(limit)), &wire, usize::MAX, false);
        prop_assert!(taken.held <= limit + BASE, "{:?}", taken);
        prop_assert!(taken.peak <= 2 * limit + BASE, "{:?}", taken);
    }
}

// req: D-25
#[test]
fn buffer_of_a_connection_that_inflates_is_bounded_by_its_limit() {
    for role in ROLES {
        let limit = 100_000;
        let (mut conn, mut rx) = (agreed(role, "", limited(limit)), RecvBuf::new());
        for kind in KINDS.repeat(3) {
            let wire = input(role, &frame(kind, &deflate(&vec![b'a'; limit])));
            pour(&mut conn, &mut rx, &wire, usize::MAX, |event| {
                assert!(!matches!(event, Event::Failed(_)));
            });
            // Text has a place of its own.
            assert!(rx.capacity() <= 2 * limit + BASE, "{}", rx.capacity());
        }
        assert!(rx.is_empty() && !conn.send_buf().has_remaining());
        rx.release();
        assert_eq!(rx.capacity(), 0);
    }
}

// req: L-14
#[test]
fn limit_that_is_lowered_within_a_message_holds_from_the_next_frame_on() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
        let whole = deflate(b"Hello");
        let (begun, rest) = whole.split_at(6);
        // In the middle of a frame, and between two.
        for (before, behind, fails) in [
            (&frame(kind, &whole)[..8], &frame(kind, &whole)[8..], false),
            (&frame(kind & 0x7f, begun)[..], &frame(0x80, rest)[..], true),
        ] {
            let all = input(role, &[before, behind].concat());
            let masks = all.len() - before.len() - behind.len();
            let before = before.len() + if fails { masks / 2 } else { masks };
            let (before, behind) = all.split_at(before);
            let mut conn = agreed(role, "", limited(1000));
            let mut rx = RecvBuf::new();
            rx.extend_from_slice(before);
            assert_eq!(conn.receive(&mut rx), None);
            conn.set_max_message_size(1);
            rx.extend_from_slice(behind);
            let event = conn.receive(&mut rx).map(Seen::from);
            if fails {
                assert!(matches!(
                    event,
                    Some(Seen::Failed(ProtocolError::MessageTooBig { .. }))
                ));
            } else {
                assert_eq!(event, Some(seen(kind, b"Hello")));
            }
        }
    }
}
