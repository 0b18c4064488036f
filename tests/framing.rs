//! RFC 6455 sections 5.2, 5.5 and 5.7: frame headers, and the rules that two bytes, a length and a
//! key have to keep. What fragments and masks add is in `fragmentation.rs` and `masking.rs`.

mod support;

use framewire::frame::HeaderError;
use framewire::{CloseCode, Config, Connection, ProtocolError, RecvBuf, Role, State};
use support::trace::{Seen, drain, feed, trace, trace_frames, trace_hex, trace_of};
use support::wire::{frame, hex, input, input_hex};
use support::{ROLES, connection};

/// The mask bit that an endpoint in this role expects.
fn mask_bit(role: Role) -> u8 {
    match role {
        Role::Client => 0,
        Role::Server => 0x80,
    }
}

/// Asserts that a header fails with `error` before any payload is there, and that nothing was
/// allocated for the payload it claims.
fn assert_fails_at_header(role: Role, config: Config, digits: &str, error: ProtocolError) {
    let header = input_hex(role, digits);
    trace(role, config, &header).assert_failed(&[], error);

    let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
    rx.extend_from_slice(&header);
    let capacity = rx.capacity();
    assert!(conn.receive(&mut rx).is_some(), "{digits}");
    assert_eq!(rx.capacity(), capacity, "{digits}");
    assert!(rx.unfilled().len() < 17 * 1024, "{digits}");
}

// req: F-01
#[test]
fn client_receives_the_unmasked_example_of_the_rfc() {
    let trace = trace_hex(Role::Client, "81 05 48656c6c6f");
    assert_eq!(trace.events, [Seen::Text("Hello".into())]);
    assert_eq!(trace.output, []);
    assert_eq!(trace.state, State::Open);
}

// req: F-02
#[test]
fn server_receives_the_masked_example_of_the_rfc() {
    let wire = hex("81 85 37fa213d 7f9f4d5158");
    let trace = trace(Role::Server, Config::new(), &wire);
    assert_eq!(trace.events, [Seen::Text("Hello".into())]);
    assert_eq!(trace.output, []);
    assert_eq!(trace.state, State::Open);
}

// req: F-01, F-02
#[test]
fn the_ping_and_pong_of_the_rfc_are_received() {
    let ping = trace_hex(Role::Client, "89 05 48656c6c6f");
    assert_eq!(ping.events, [Seen::Ping(b"Hello".to_vec())]);
    assert_eq!(ping.output[0].opcode, 10);
    assert_eq!(ping.output[0].payload, b"Hello");

    let wire = hex("8a 85 37fa213d 7f9f4d5158");
    let pong = trace(Role::Server, Config::new(), &wire);
    assert_eq!(pong.events, [Seen::Pong(b"Hello".to_vec())]);
    assert_eq!(pong.output, []);
}

// req: F-04
#[test]
fn the_long_headers_of_the_rfc_are_received_and_sent() {
    for role in ROLES {
        for (size, header) in [(256, "82 7e 0100"), (65_536, "82 7f 0000000000010000")] {
            let payload: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let wire = [hex(header), payload.clone()].concat();
            let trace = trace_frames(role, &wire);
            assert_eq!(trace.events, [Seen::Binary(payload.clone())]);

            let mut conn = connection(role, Config::new());
            conn.send_binary(&payload).expect("open");
            let sent = drain(&mut conn);
            let mut expected = hex(header);
            if role == Role::Client {
                expected[1] |= 0x80;
            }
            assert_eq!(&sent[..expected.len()], expected);
            if role == Role::Server {
                assert_eq!(sent, wire);
            }
        }
    }
}

// req: F-05
#[test]
fn lengths_around_the_classes_survive_a_round_trip_in_the_shortest_form() {
    for role in ROLES {
        let key_len = if role == Role::Client { 4 } else { 0 };
        let mut pair = support::pair::Pair::new(Config::new(), Config::new());
        for (size, header_len) in [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (127, 4),
            (65_535, 4),
            (65_536, 10),
        ] {
            let text = "x".repeat(size);
            let (from, to) = pair.ends(role);
            from.conn.send_text(&text).expect("open");
            from.conn.send_binary(text.as_bytes()).expect("open");
            let wire = drain(&mut from.conn);
            assert_eq!(wire.len(), 2 * (header_len + key_len + size), "{size}");
            to.take(&wire);
            assert_eq!(
                to.seen.drain(..).collect::<Vec<_>>(),
                [Seen::Text(text.clone()), Seen::Binary(text.into_bytes())]
            );
        }
    }
}

// req: F-06
#[test]
fn lengths_in_a_longer_form_than_needed_fail_with_1002() {
    for role in ROLES {
        for (digits, len) in [
            ("82 7e 007d", 125),
            ("82 7e 0000", 0),
            ("81 7e 0001", 1),
            ("82 7f 000000000000ffff", 65_535),
            ("82 7f 000000000000007e", 126),
            ("82 7f 000000000000007d", 125),
            ("82 7f 0000000000000000", 0),
            ("01 7e 0000", 0),
        ] {
            let error = HeaderError::NonMinimalLength(len).into();
            assert_fails_at_header(role, Config::new(), digits, error);
        }
        let inside = trace_hex(role, "02 01 61  80 7e 0001 62");
        inside.assert_failed(&[], HeaderError::NonMinimalLength(1).into());
    }
}

// req: F-06
#[test]
fn the_smallest_lengths_of_each_form_are_accepted() {
    for role in ROLES {
        for size in [126, 65_535, 65_536] {
            let trace = trace_frames(role, &frame(0x82, &vec![7; size]));
            assert_eq!(trace.events, [Seen::Binary(vec![7; size])]);
        }
    }
}

// req: F-07
#[test]
fn a_length_with_its_top_bit_set_fails_with_1002() {
    let unlimited = Config::new()
        .max_message_size(usize::MAX)
        .max_frame_size(usize::MAX);
    for role in ROLES {
        for config in [Config::new(), unlimited] {
            for (digits, len) in [
                ("82 7f 8000000000000000", 1 << 63),
                ("81 7f 8000000000000005", (1 << 63) + 5),
                ("02 7f ffffffffffffffff", u64::MAX),
            ] {
                let error = HeaderError::LengthOver63Bits(len).into();
                assert_fails_at_header(role, config, digits, error);
            }
        }
    }
}

// req: F-08
#[test]
fn oversized_claims_fail_with_1009_at_the_header() {
    let limit = 16 << 20;
    let frames = Config::new().max_frame_size(usize::MAX);
    for role in ROLES {
        for (digits, size) in [
            ("82 7f 7fffffffffffffff", u64::MAX >> 1),
            ("82 7f 0000000001000001", limit + 1),
            ("01 7f 0000000100000000", 1 << 32),
        ] {
            let error = ProtocolError::FrameTooBig { size, limit };
            assert_fails_at_header(role, Config::new(), digits, error);
            let error = ProtocolError::MessageTooBig { size, limit };
            assert_fails_at_header(role, frames, digits, error);
        }
    }
}

// req: F-08, F-09
#[test]
fn huge_claims_within_the_limits_are_neither_truncated_nor_allocated() {
    let config = Config::new()
        .max_message_size(usize::MAX)
        .max_frame_size(usize::MAX);
    for role in ROLES {
        for digits in ["82 7f 0000000100000005", "82 7f 0fffffffffffffff"] {
            let bytes = input(role, &[&hex(digits)[..], b"Hello"].concat());
            let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
            rx.extend_from_slice(&bytes);
            let capacity = rx.capacity();
            match conn.receive(&mut rx) {
                // Where no buffer can be as large.
                Some(event) if usize::BITS == 32 => assert!(matches!(
                    event.into(),
                    Seen::Failed(ProtocolError::MessageTooBig { .. })
                )),
                event => assert_eq!(event, None),
            }
            assert_eq!(rx.capacity(), capacity);
            assert!(rx.unfilled().len() <= 256 * 1024);
        }
    }
}

// req: F-10
#[test]
fn reserved_bits_fail_with_1002() {
    for role in ROLES {
        for bits in (0x10..=0x70).step_by(0x10) {
            let error = ProtocolError::ReservedBits { bits };
            for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01, 0x02] {
                let trace = trace(role, Config::new(), &[opcode | bits, mask_bit(role)]);
                trace.assert_failed(&[], error);
                let trace = trace_frames(role, &frame(opcode | bits, b"Hello"));
                trace.assert_failed(&[], error);
            }
            let fragments = [frame(0x01, b"a"), frame(0x80 | bits, b"b")].concat();
            trace_frames(role, &fragments).assert_failed(&[], error);
        }
    }
}

// req: F-11, F-28
#[test]
fn reserved_opcodes_fail_with_1002_at_the_second_byte_whatever_length_follows() {
    for role in ROLES {
        for opcode in (3..=7).chain(11..=15) {
            let error = HeaderError::ReservedOpcode(opcode).into();
            for fin in [0, 0x80] {
                for len in [0, 5, 125, 126, 127] {
                    let header = [fin | opcode, mask_bit(role) | len];
                    trace(role, Config::new(), &header).assert_failed(&[], error);
                }
            }
            let with_payload = frame(0x80 | opcode, &[b'x'; 300]);
            trace_frames(role, &with_payload).assert_failed(&[], error);
        }
    }
}

// req: F-12, F-28
#[test]
fn control_frames_with_an_extended_length_fail_with_1002_at_the_second_byte() {
    for role in ROLES {
        for opcode in [0x88, 0x89, 0x8a] {
            for len in [126, 127] {
                let header = [opcode, mask_bit(role) | len];
                let trace = trace(role, Config::new(), &header);
                trace.assert_failed(&[], HeaderError::OversizedControl.into());
            }
            let trace = trace_frames(role, &frame(opcode, &[b'x'; 126]));
            trace.assert_failed(&[], HeaderError::OversizedControl.into());
        }
    }
}

// req: F-12
#[test]
fn control_frames_of_125_bytes_are_received() {
    let reason = "r".repeat(123);
    for role in ROLES {
        let frames = [
            frame(0x89, &[b'p'; 125]),
            frame(0x8a, &[b'q'; 125]),
            support::wire::close(1000, &reason),
        ];
        let trace = trace_frames(role, &frames.concat());
        let expected = [
            Seen::Ping(vec![b'p'; 125]),
            Seen::Pong(vec![b'q'; 125]),
            Seen::Close(Some((CloseCode::NORMAL, reason.clone()))),
        ];
        assert_eq!(trace.events, expected);
        assert_eq!(trace.output[0].payload, [b'p'; 125]);
        assert_eq!(trace.code_sent(), Some(1000));
    }
}

// req: F-13
#[test]
fn control_frames_without_fin_fail_with_1002() {
    for role in ROLES {
        for before in ["", "01 01 61", "02 00"] {
            for opcode in ["08", "09", "0a"] {
                for rest in ["00", "02 03e8"] {
                    let trace = trace_hex(role, &format!("{before} {opcode} {rest}"));
                    trace.assert_failed(&[], HeaderError::FragmentedControl.into());
                }
            }
        }
    }
}

// req: F-19
#[test]
fn empty_messages_are_events() {
    for role in ROLES {
        let trace = trace_hex(role, "81 00  82 00  81 00  89 00  8a 00");
        let expected = [
            Seen::Text(String::new()),
            Seen::Binary(vec![]),
            Seen::Text(String::new()),
            Seen::Ping(vec![]),
            Seen::Pong(vec![]),
        ];
        assert_eq!(trace.events, expected);
        assert_eq!(trace.stats.messages_received, 3);
    }
}

// req: F-20
#[test]
fn a_header_cut_at_any_byte_says_nothing_until_its_rest_arrives() {
    for role in ROLES {
        for size in [0, 5, 126, 65_536] {
            for first in [0x81, 0x82, 0x89] {
                if first == 0x89 && size > 125 {
                    continue;
                }
                let bytes = input(role, &frame(first, &vec![b'x'; size]));
                for cut in 0..bytes.len() - size {
                    let (left, right) = bytes.split_at(cut);
                    let mut conn = connection(role, Config::new());
                    let mut rx = RecvBuf::new();
                    let (events, output) = feed(&mut conn, &mut rx, [left]);
                    assert_eq!((events, output), (vec![], vec![]), "{size} at {cut}");
                    assert_eq!((conn.state(), conn.failure()), (State::Open, None));
                    assert_eq!(rx.is_empty(), cut == 0);
                    assert_eq!(feed(&mut conn, &mut rx, [right]).0.len(), 1);
                    assert!(rx.is_empty());
                }
            }
        }
    }
}

// req: F-20
#[test]
fn nothing_behind_a_frame_is_used_up_with_it() {
    for role in ROLES {
        // What belongs to the second frame stays until the second frame is complete.
        let bytes = input_hex(role, "82 01 61  82 02 6263");
        for cut in 3..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let trace = trace_of(role, Config::new(), [left, right]);
            let expected = [Seen::Binary(b"a".to_vec()), Seen::Binary(b"bc".to_vec())];
            assert_eq!(trace.events, expected, "{cut}");
        }
    }
}

// req: F-21, A-02
#[test]
fn ten_thousand_frames_in_one_buffer_come_in_order_without_being_moved() {
    for role in ROLES {
        let frames: Vec<u8> = (0..10_000u16)
            .flat_map(|i| frame(0x82, &i.to_be_bytes()))
            .collect();
        let bytes = input(role, &frames);
        let size = bytes.len() / 10_000;
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        rx.extend_from_slice(&bytes);
        let capacity = rx.capacity();
        let mut place = None;
        for i in 0..10_000u16 {
            let Some(framewire::Event::Binary(payload)) = conn.receive(&mut rx) else {
                panic!("message {i} is there");
            };
            assert_eq!(payload, i.to_be_bytes());
            // Each lies one frame behind the one before: no byte of the buffer was moved, so that
            // the work is that of 10 000 headers.
            let address = payload.as_ptr() as usize;
            assert!(place.is_none_or(|place| address == place + size), "{i}");
            place = Some(address);
        }
        assert_eq!(conn.receive(&mut rx), None);
        assert!(rx.is_empty());
        assert_eq!(rx.capacity(), capacity);
        assert_eq!(conn.stats().messages_received, 10_000);
        assert_eq!(conn.stats().bytes_received, bytes.len() as u64);
    }
}

// req: F-28
#[test]
fn a_bad_opcode_fails_with_the_second_byte_and_not_with_the_first() {
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        rx.extend_from_slice(&[0x83]);
        assert_eq!(conn.receive(&mut rx), None);
        rx.extend_from_slice(&[mask_bit(role) | 127]);
        let error = HeaderError::ReservedOpcode(3).into();
        assert_eq!(
            conn.receive(&mut rx).map(Seen::from),
            Some(Seen::Failed(error))
        );
    }
}

fn assert_unclean_end(mut conn: Connection, cut: usize) {
    assert!(conn.receive_eof().is_err(), "{cut}");
    let closed = conn.closed().expect("the transport has ended");
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
    assert_eq!(closed.by, framewire::ClosedBy::Peer);
    assert_eq!(conn.failure(), None);
    let mut rx = RecvBuf::new();
    assert_eq!(feed(&mut conn, &mut rx, [&[0x81][..]]), (vec![], vec![]));
    assert_eq!(conn.state(), State::Closed);
}

// req: F-29
#[test]
fn end_of_input_inside_a_frame_is_an_unclean_end_and_no_message() {
    for role in ROLES {
        for first in [0x81, 0x82, 0x89, 0x8a, 0x88] {
            let bytes = input(role, &frame(first, &[3, 0xe8, b'b', b'y', b'e']));
            for cut in 0..bytes.len() {
                let mut conn = connection(role, Config::new());
                let mut rx = RecvBuf::new();
                if first == 0x81 && cut > bytes.len() - 4 {
                    // 0xe8 begins a character that "bye" does not continue.
                    continue;
                }
                let (events, _) = feed(&mut conn, &mut rx, [&bytes[..cut]]);
                assert_eq!(events, [], "{first:#x} at {cut}");
                assert_unclean_end(conn, cut);
            }
        }
    }
}

// req: F-30
#[test]
fn end_of_input_inside_a_fragmented_message_is_an_unclean_end() {
    for role in ROLES {
        for first in ["01", "02"] {
            // The pong is an event; the fragments around it are none.
            let bytes = input_hex(role, &format!("{first} 01 61  8a 00  00 01 62  80 01 63"));
            for cut in 1..bytes.len() {
                let mut conn = connection(role, Config::new());
                let mut rx = RecvBuf::new();
                let (events, _) = feed(&mut conn, &mut rx, [&bytes[..cut]]);
                assert!(events.iter().all(|seen| *seen == Seen::Pong(vec![])));
                assert_unclean_end(conn, cut);
            }
        }
    }
}
