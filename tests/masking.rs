//! RFC 6455 sections 5.1, 5.3 and 10.3: who masks, with which keys, and what masking touches.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use framewire::{
    CloseCode, Config, Connection, Event, Keepalive, MessageKind, PreparedMessage, ProtocolError,
    RecvBuf, Role, SendError, State,
};
use rand::{Rng as _, SeedableRng as _, rngs::ChaCha12Rng};
use support::connection;
use support::pair::Pair;
use support::trace::{Seen, drain, feed, trace, trace_of};
use support::wire::{Frame, frame, hex, input_hex, masked, read_output};

/// The seed of the connections that `support` makes.
const SEED: [u8; 32] = [7; 32];

/// The keys that a client with this seed has to use, in this order: those of the generator.
fn keys_of(seed: [u8; 32]) -> impl Iterator<Item = [u8; 4]> {
    let mut generator = ChaCha12Rng::from_seed(seed);
    std::iter::repeat_with(move || generator.next_u32().to_le_bytes())
}

/// Queues every kind of frame that there is: 15 of them, the last one a Close frame.
fn send_everything(conn: &mut Connection) {
    let send = |conn: &mut Connection| -> Result<(), SendError> {
        conn.send_text("")?;
        conn.send_text("Hello")?;
        conn.send_binary(&[b'x'; 126])?;
        conn.send_binary(&[b'x'; 70_000])?;
        conn.send_bytes(MessageKind::Text, Bytes::from_static(b"shared"))?;
        conn.send_bytes(MessageKind::Binary, vec![b'y'; 10_000].into())?;
        conn.send_prepared(&PreparedMessage::text("prepared"))?;
        conn.send_prepared(&PreparedMessage::binary(&[b'z'; 10_000]))?;
        conn.start_message(MessageKind::Binary)?;
        conn.send_part(b"one")?;
        conn.send_ping(b"")?;
        conn.send_part(&[b'2'; 300])?;
        conn.finish_message(b"")?;
        conn.send_pong(b"unasked")
    };
    send(conn).expect("an open connection with room");
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&input_hex(conn.role(), "89 01 70"));
    assert!(conn.receive(&mut rx).is_some());
    conn.close(CloseCode::NORMAL, "bye").expect("open");
}

// req: M-01
#[test]
fn server_fails_any_unmasked_frame_with_1002() {
    for digits in [
        "81 05 48656c6c6f",
        "82 00",
        "01 00",
        "88 00",
        "88 02 03e8",
        "89 00",
        "8a 01 61",
        "81 7e 0100",
    ] {
        let bytes = hex(digits);
        let error = ProtocolError::UnmaskedFrame;
        trace(Role::Server, Config::new(), &bytes).assert_failed(&[], error);
        let later = [masked(&hex("81 01 61  89 01 70")), bytes].concat();
        let before = [Seen::Text("a".into()), Seen::Ping(b"p".to_vec())];
        trace(Role::Server, Config::new(), &later).assert_failed(&before, error);
    }
}

// req: M-01
#[test]
fn server_fails_an_unmasked_fragment_of_a_masked_message_with_1002() {
    let bytes = [masked(&hex("01 01 61")), hex("80 01 62")].concat();
    let trace = trace(Role::Server, Config::new(), &bytes);
    trace.assert_failed(&[], ProtocolError::UnmaskedFrame);
}

// req: M-02
#[test]
fn client_fails_any_masked_frame_with_1002() {
    for digits in [
        "81 85 37fa213d 7f9f4d5158",
        "82 80 00000000",
        "01 80 01020304",
        "88 80 01020304",
        "89 80 01020304",
        "8a 80 01020304",
        "82 fe 0100",
    ] {
        let bytes = hex(digits);
        let error = ProtocolError::MaskedFrame;
        trace(Role::Client, Config::new(), &bytes).assert_failed(&[], error);
        let later = [hex("82 01 61  02 01 62"), bytes].concat();
        let before = [Seen::Binary(b"a".to_vec())];
        let trace = trace(Role::Client, Config::new(), &later);
        trace.assert_failed(&before, error);
    }
}

// req: M-03, M-05
#[test]
fn client_masks_every_frame_with_the_next_key_of_the_generator() {
    let mut conn = connection(Role::Client, Config::new());
    send_everything(&mut conn);
    // The reader insists on the mask bit of every frame.
    let frames = read_output(Role::Client, &drain(&mut conn));
    let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
    assert_eq!(opcodes, [1, 1, 2, 2, 1, 2, 1, 2, 2, 9, 0, 0, 10, 10, 8]);
    assert_eq!(frames[0].payload, []);
    assert_eq!(frames[1].payload, b"Hello");
    assert_eq!(frames[3].payload, [b'x'; 70_000]);
    assert_eq!(frames[7].payload, [b'z'; 10_000]);
    assert_eq!(frames[14].payload, b"\x03\xe8bye");
    for (frame, key) in frames.iter().zip(keys_of(SEED)) {
        assert_eq!(frame.key, Some(key));
    }
}

// req: M-03
#[test]
fn client_masks_the_frames_it_sends_on_its_own() {
    let keepalive = Keepalive::default();
    let config = Config::new().keepalive(keepalive);
    let mut conn = connection(Role::Client, config);
    conn.handle_timeout(Duration::ZERO).expect("early");
    conn.handle_timeout(keepalive.interval).expect("a ping");
    let ping = drain(&mut conn);
    assert_eq!((ping[0], ping[1]), (0x89, 0x88));

    let failed = trace(Role::Client, Config::new(), &hex("83 00"));
    assert_eq!(failed.code_sent(), Some(1002));
    assert!(failed.output[0].key.is_some());
    let closed = trace(Role::Client, Config::new(), &hex("88 02 03e9"));
    assert_eq!(closed.code_sent(), Some(1001));
    assert!(closed.output[0].key.is_some());
}

// req: M-04
#[test]
fn server_masks_no_frame() {
    let mut conn = connection(Role::Server, Config::new());
    send_everything(&mut conn);
    // The reader insists on the missing mask bit of every frame.
    let frames = read_output(Role::Server, &drain(&mut conn));
    assert_eq!(frames.len(), 15);
    assert!(frames.iter().all(|frame| frame.key.is_none()));
    assert_eq!(frames[5].payload, [b'y'; 10_000]);
    assert_eq!(frames[7].payload, [b'z'; 10_000]);
}

// req: M-05
#[test]
fn a_thousand_frames_take_a_thousand_keys_in_turn() {
    let mut conn = connection(Role::Client, Config::new());
    let mut wire = Vec::new();
    for message in 0..250 {
        conn.start_message(MessageKind::Binary).expect("open");
        conn.send_part(b"first fragment").expect("in progress");
        conn.send_ping(b"").expect("open");
        conn.finish_message(b"last fragment").expect("in progress");
        conn.send_text("another message").expect("open");
        if message % 3 == 0 {
            wire.extend(drain(&mut conn));
        }
    }
    wire.extend(drain(&mut conn));
    let keys: Vec<_> = read_output(Role::Client, &wire)
        .iter()
        .map(|frame| frame.key.expect("masked"))
        .collect();
    assert_eq!(keys, keys_of(SEED).take(1000).collect::<Vec<_>>());
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1000);
}

/// The keys of the next frames of a client.
fn next_keys(conn: &mut Connection, count: usize) -> Vec<[u8; 4]> {
    let mut keys = Vec::new();
    for _ in 0..count {
        conn.send_binary(b"").expect("open");
        let wire = drain(conn);
        keys.push(wire[2..].try_into().expect("nothing but a key"));
    }
    keys
}

// req: M-06, A-11
#[test]
fn clients_are_seeded_differently_by_default() {
    let keys: HashSet<_> = (0..100)
        .flat_map(|_| next_keys(&mut Connection::client(Config::new()), 2))
        .collect();
    // Of 200 random keys two are equal once in 200 000 runs, more than that never.
    assert!(
        keys.len() >= 198,
        "{} of 200 keys are different",
        keys.len()
    );
}

// req: M-06, M-07
#[test]
fn keys_look_random_in_every_byte_and_bit() {
    let keys = next_keys(&mut connection(Role::Client, Config::new()), 1 << 15);
    for byte in 0..4 {
        let mut counts = [0; 256];
        for key in &keys {
            counts[usize::from(key[byte])] += 1;
        }
        // 128 are expected of each value, with a standard deviation of 11.3.
        assert!(
            counts.iter().all(|count| (64..192).contains(count)),
            "{byte}"
        );
    }
    let as_u32 = |key: &[u8; 4]| u32::from_le_bytes(*key);
    for bit in 0..32 {
        let set = keys.iter().filter(|key| as_u32(key) >> bit & 1 == 1);
        // 16 384 are expected, with a standard deviation of 90.5.
        assert!((15_800..17_000).contains(&set.count()), "{bit}");
    }
    // Neither a key nor what is between two of them comes back, as in a counter or a weak generator.
    let steps = keys.windows(2);
    let steps: HashSet<_> = steps.map(|k| as_u32(&k[1]) ^ as_u32(&k[0])).collect();
    let keys: HashSet<_> = keys.iter().collect();
    assert!(keys.len() > (1 << 15) - 10, "{}", keys.len());
    assert!(steps.len() > (1 << 15) - 10, "{}", steps.len());
}

// req: M-07
#[test]
fn a_key_of_zeros_is_a_key_as_any_other() {
    let bytes = hex("81 85 00000000 48656c6c6f  82 80 00000000  01 81 00000000 61  80 80 00000000");
    let trace = trace(Role::Server, Config::new(), &bytes);
    let expected = [
        Seen::Text("Hello".into()),
        Seen::Binary(vec![]),
        Seen::Text("a".into()),
    ];
    assert_eq!(trace.events, expected);
}

// req: M-08
#[test]
fn commands_that_are_refused_draw_no_key() {
    let mut conn = connection(Role::Client, Config::new().max_queued(1));
    conn.send_text("first").expect("an empty queue");
    assert!(conn.send_text("refused").is_err());
    assert!(conn.send_binary(b"refused").is_err());
    let bytes = Bytes::from_static(b"\xff");
    assert!(conn.send_bytes(MessageKind::Text, bytes.clone()).is_err());
    assert!(conn.send_ping(&[0; 126]).is_err());
    conn.start_message(MessageKind::Text).expect("open");
    assert!(conn.send_part(b"refused").is_err());
    let mut wire = drain(&mut conn);
    assert!(conn.send_part(&bytes).is_err());
    conn.finish_message(b"second").expect("an empty queue");
    wire.extend(drain(&mut conn));
    let frames = read_output(Role::Client, &wire);
    let expected: Vec<_> = keys_of(SEED).take(2).map(Some).collect();
    assert_eq!(frames.iter().map(|f| f.key).collect::<Vec<_>>(), expected);
}

// req: M-08
#[test]
fn a_frame_keeps_its_key_through_partial_writes() {
    let mut whole = connection(Role::Client, Config::new());
    send_everything(&mut whole);
    let whole = drain(&mut whole);
    for step in [1, 3, 1000] {
        let mut conn = connection(Role::Client, Config::new());
        send_everything(&mut conn);
        let mut wire = Vec::new();
        while conn.send_buf().has_remaining() {
            // A transport that takes nothing at first, then little.
            let seen = conn.send_buf().chunk().to_vec();
            assert_eq!(conn.send_buf().chunk(), seen);
            let n = step.min(seen.len());
            wire.extend_from_slice(&seen[..n]);
            conn.send_buf().advance(n);
        }
        assert!(wire == whole, "in steps of {step}");
    }
}

// req: M-09, M-11
#[test]
fn unmasking_changes_no_byte_of_the_neighbours_at_any_length_and_alignment() {
    let neighbour = b"neighbour";
    for len in (0..=300).chain([4096, 70_000]) {
        let payload: Vec<u8> = (0..len).map(|i| (i * 7 + i / 256) as u8).collect();
        for shift in 0..16 {
            let frames = [
                frame(0x82, &vec![0xaa; shift]),
                frame(0x82, &payload),
                frame(0x82, neighbour),
            ];
            let mut conn = connection(Role::Server, Config::new());
            let mut rx = RecvBuf::new();
            rx.extend_from_slice(&masked(&frames.concat()));
            for expected in [&vec![0xaa; shift][..], &payload, neighbour] {
                assert_eq!(conn.receive(&mut rx), Some(Event::Binary(expected)));
            }
            assert!(rx.is_empty());
        }
    }
}

// req: M-09
#[test]
fn payloads_are_unmasked_alike_at_every_cut() {
    for len in [1, 4, 7, 8, 15, 16, 31, 64, 127, 128, 129, 200, 300] {
        let payload: Vec<u8> = (0..len).map(|i| (i * 13) as u8).collect();
        let fragments = [frame(0x02, &payload), frame(0x80, &payload)].concat();
        let bytes = [masked(&frame(0x82, &payload)), masked(&fragments)].concat();
        let twice = [&payload[..], &payload].concat();
        let expected = [Seen::Binary(payload), Seen::Binary(twice)];
        for cut in 0..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let trace = trace_of(Role::Server, Config::new(), [left, right]);
            assert_eq!(trace.events, expected, "{len} at {cut}");
        }
        let trace = trace(Role::Server, Config::new(), &bytes);
        assert_eq!(trace.events, expected, "{len}");
    }
}

// req: M-09, P-RT
#[test]
fn what_a_client_masks_a_server_unmasks_at_every_length() {
    let mut pair = Pair::new(Config::new(), Config::new());
    for len in (0..=300).chain([4095, 4096, 65_535, 65_536]) {
        let payload: Vec<u8> = (0..len).map(|i| (i * 11) as u8).collect();
        pair.client.conn.send_binary(&payload).expect("open");
        let wire = drain(&mut pair.client.conn);
        let [Frame { payload: sent, .. }] = &read_output(Role::Client, &wire)[..] else {
            panic!("one frame");
        };
        assert!(*sent == payload, "masked as the definition says: {len}");
        pair.server.take(&wire);
        assert!(
            pair.server.seen.pop() == Some(Seen::Binary(payload)),
            "{len}"
        );
    }
}

// req: M-12
#[test]
fn the_mask_bit_is_judged_with_the_second_byte() {
    for first in [0x81, 0x82, 0x01, 0x88, 0x89, 0x8a] {
        for len in [0, 5, 125, 126, 127] {
            for (role, bit, error) in [
                (Role::Server, 0, ProtocolError::UnmaskedFrame),
                (Role::Client, 0x80, ProtocolError::MaskedFrame),
            ] {
                if len > 125 && first >= 0x88 {
                    // The length is wrong as well.
                    continue;
                }
                let mut conn = connection(role, Config::new());
                let mut rx = RecvBuf::new();
                assert_eq!(feed(&mut conn, &mut rx, [&[first][..]]), (vec![], vec![]));
                assert_eq!(conn.state(), State::Open);
                let (events, _) = feed(&mut conn, &mut rx, [&[bit | len][..]]);
                assert_eq!(events, [Seen::Failed(error)], "{first:02x} {len}");
            }
        }
    }
}
