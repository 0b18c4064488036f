//! RFC 6455 section 5.4: messages in fragments, received whole and sent in parts. Receiving in
//! parts is in `streaming.rs`.

mod support;

use bytes::{Buf as _, Bytes};
use framewire::{
    CloseCode, Config, Connection, MessageKind, PreparedMessage, ProtocolError, RecvBuf, Role,
    SendError, State,
};
use support::pair::Pair;
use support::trace::{Seen, drain, feed, trace_frames, trace_hex, trace_of};
use support::wire::{Frame, frame, input, input_hex, read_output};
use support::{ROLES, connection};

const KINDS: [MessageKind; 2] = [MessageKind::Text, MessageKind::Binary];

/// The event of a complete message.
fn message(kind: MessageKind, payload: &[u8]) -> Seen {
    match kind {
        MessageKind::Text => Seen::Text(String::from_utf8(payload.to_vec()).expect("UTF-8")),
        MessageKind::Binary => Seen::Binary(payload.to_vec()),
    }
}

/// FIN, opcode and payload of each frame.
fn shapes(frames: &[Frame]) -> Vec<(bool, u8, &[u8])> {
    let frames = frames.iter();
    frames.map(|f| (f.fin, f.opcode, &f.payload[..])).collect()
}

// req: F-03
#[test]
fn the_fragmented_example_of_the_rfc_is_one_message() {
    for role in ROLES {
        let trace = trace_hex(role, "01 03 48656c  80 02 6c6f");
        assert_eq!(trace.events, [Seen::Text("Hello".into())]);
        assert_eq!(trace.output, []);
        assert_eq!(trace.stats.frames_received, 2);
        assert_eq!(trace.stats.messages_received, 1);
    }
}

// req: F-14
#[test]
fn a_continuation_outside_of_a_message_fails_with_1002() {
    for role in ROLES {
        for bad in ["80 01 61", "00 00", "80 00", "00 7e 0100"] {
            let error = ProtocolError::UnexpectedContinuation;
            trace_hex(role, bad).assert_failed(&[], error);
            let after_one_frame = trace_hex(role, &format!("82 01 61 {bad}"));
            after_one_frame.assert_failed(&[Seen::Binary(b"a".to_vec())], error);
            let after_fragments = trace_hex(role, &format!("01 01 61  80 01 62 {bad}"));
            after_fragments.assert_failed(&[Seen::Text("ab".into())], error);
        }
    }
}

// req: F-15
#[test]
fn a_new_message_inside_of_another_fails_with_1002() {
    for role in ROLES {
        for first in ["01 01 61", "02 01 61", "01 00", "02 01 61  00 01 62"] {
            for second in ["81 01 62", "82 01 62", "01 00", "02 01 62", "81 00"] {
                let trace = trace_hex(role, &format!("{first} {second} 80 00"));
                trace.assert_failed(&[], ProtocolError::InterleavedMessage);
            }
        }
    }
}

// req: F-16
#[test]
fn control_frames_between_fragments_come_first() {
    for role in ROLES {
        for kind in KINDS {
            let first = if kind == MessageKind::Text {
                "01"
            } else {
                "02"
            };
            let digits = format!("{first} 01 61  89 01 70  00 01 62  8a 01 71  89 00  80 01 63");
            let trace = trace_hex(role, &digits);
            let expected = [
                Seen::Ping(b"p".to_vec()),
                Seen::Pong(b"q".to_vec()),
                Seen::Ping(vec![]),
                message(kind, b"abc"),
            ];
            assert_eq!(trace.events, expected);
            let pongs = [(true, 10, &b"p"[..]), (true, 10, b"")];
            assert_eq!(shapes(&trace.output), pongs);
            assert_eq!(trace.stats.frames_received, 6);
        }
    }
}

// req: F-16
#[test]
fn a_ping_between_fragments_is_answered_before_the_message_ends() {
    for role in ROLES {
        let bytes = input_hex(role, "01 01 61  89 01 70  80 01 62");
        let end = bytes.len() - input_hex(role, "80 01 62").len();
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let (events, output) = feed(&mut conn, &mut rx, [&bytes[..end]]);
        assert_eq!(events, [Seen::Ping(b"p".to_vec())]);
        let output = read_output(role, &output);
        assert_eq!(shapes(&output), [(true, 10, &b"p"[..])]);
        let (events, output) = feed(&mut conn, &mut rx, [&bytes[end..]]);
        assert_eq!(events, [Seen::Text("ab".into())]);
        assert_eq!(output, []);
    }
}

// req: F-16, F-27
#[test]
fn a_close_between_fragments_ends_the_message_unfinished() {
    for role in ROLES {
        let trace = trace_hex(role, "01 01 61  88 02 03e8  80 01 62");
        let close = Seen::Close(Some((CloseCode::NORMAL, String::new())));
        assert_eq!(trace.events, [close]);
        assert_eq!(trace.code_sent(), Some(1000));
        assert_eq!(trace.stats.messages_received, 0);
    }
}

// req: F-17
#[test]
fn fragments_may_be_empty_in_every_place() {
    for role in ROLES {
        for (rest, payload) in [
            ("00 00  80 00", ""),
            ("80 00", ""),
            ("00 01 61  80 00", "a"),
            ("80 01 61", "a"),
            ("00 00  80 01 61", "a"),
            ("00 00  00 01 61  00 00  80 01 62", "ab"),
        ] {
            let trace = trace_hex(role, &format!("01 00 {rest}"));
            assert_eq!(trace.events, [Seen::Text(payload.into())], "{rest}");
            let trace = trace_hex(role, &format!("02 00 {rest}"));
            assert_eq!(trace.events, [Seen::Binary(payload.into())], "{rest}");
        }
        let trace = trace_hex(role, "02 01 61  00 00  80 00  82 01 62");
        let expected = [Seen::Binary(b"a".to_vec()), Seen::Binary(b"b".to_vec())];
        assert_eq!(trace.events, expected);
    }
}

// req: F-18
#[test]
fn the_first_opcode_decides_the_kind_of_every_message() {
    for role in ROLES {
        let digits = "02 01 61 80 01 62  01 01 63 80 01 64  82 01 65  02 01 66 00 01 67 80 01 68";
        let trace = trace_hex(role, digits);
        let expected = [
            Seen::Binary(b"ab".to_vec()),
            Seen::Text("cd".into()),
            Seen::Binary(b"e".to_vec()),
            Seen::Binary(b"fgh".to_vec()),
        ];
        assert_eq!(trace.events, expected);
    }
}

// req: F-17, F-18
#[test]
fn fragments_of_every_length_class_are_joined() {
    for role in ROLES {
        for kind in KINDS {
            let first = if kind == MessageKind::Text { 1 } else { 2 };
            let parts = [
                frame(first, &[b'a'; 126]),
                frame(0, &[b'b'; 65_536]),
                frame(0x89, b"p"),
                frame(0, &[b'c'; 3]),
                frame(0x80, &[b'd'; 20_000]),
                frame(0x80 | first, b"next"),
            ];
            let mut joined = vec![b'a'; 126];
            joined.extend([b'b'; 65_536]);
            joined.extend([b'c'; 3]);
            joined.extend([b'd'; 20_000]);
            let trace = trace_frames(role, &parts.concat());
            let expected = [
                Seen::Ping(b"p".to_vec()),
                message(kind, &joined),
                message(kind, b"next"),
            ];
            assert!(trace.events == expected);
        }
    }
}

// req: F-03, P-INV
#[test]
fn joined_fragments_survive_input_that_is_cut_anywhere() {
    for role in ROLES {
        for len in 0..150 {
            let parts: Vec<Vec<u8>> = (0..3).map(|i| vec![b'a' + i; len]).collect();
            let frames = [
                frame(0x82, &parts[0]),
                frame(0x02, &parts[0]),
                frame(0x00, &parts[1]),
                frame(0x80, &parts[2]),
            ];
            let bytes = input(role, &frames.concat());
            let expected = [Seen::Binary(parts[0].clone()), Seen::Binary(parts.concat())];
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                let trace = trace_of(role, Config::new(), [left, right]);
                assert!(trace.events == expected, "{role:?}, {len} at {cut}");
            }
        }
    }
}

/// Sends `payload` in parts of `size` bytes, the last of them with the end of the message.
fn send_in_parts(conn: &mut Connection, kind: MessageKind, payload: &[u8], size: usize) {
    conn.start_message(kind).expect("no message in progress");
    let mut parts = payload.chunks(size).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            conn.send_part(part).expect("in progress");
        } else {
            conn.finish_message(part).expect("in progress");
        }
    }
}

// req: F-22, F-24, P-RT
#[test]
fn messages_sent_in_parts_of_any_size_are_put_together_by_the_peer() {
    let payload = "Grüße, 世界 🦀".as_bytes();
    for role in ROLES {
        for kind in KINDS {
            for size in 1..=payload.len() {
                let mut pair = Pair::new(Config::new(), Config::new());
                let (from, to) = pair.ends(role);
                send_in_parts(&mut from.conn, kind, payload, size);
                let wire = drain(&mut from.conn);
                to.take(&wire);
                assert_eq!(to.seen, [message(kind, payload)], "{size}");

                let frames = read_output(role, &wire);
                let count = payload.len().div_ceil(size);
                assert_eq!(frames.len(), count, "a frame for each part");
                let opcode = if kind == MessageKind::Text { 1 } else { 2 };
                for (i, sent) in frames.iter().enumerate() {
                    assert_eq!(
                        sent.opcode,
                        if i == 0 { opcode } else { 0 },
                        "{i} of {size}"
                    );
                    assert_eq!(sent.fin, i + 1 == count, "{i} of {size}");
                }
            }
        }
    }
}

// req: F-22, F-24
#[test]
fn empty_parts_queue_nothing_and_an_empty_end_finishes_the_message() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.start_message(MessageKind::Binary).expect("open");
        conn.send_part(b"").expect("in progress");
        assert!(conn.send_buf().is_empty());
        conn.send_part(b"a").expect("in progress");
        conn.send_part(b"").expect("in progress");
        conn.finish_message(b"").expect("in progress");
        conn.start_message(MessageKind::Text).expect("finished");
        conn.finish_message(b"").expect("in progress");
        let frames = read_output(role, &drain(&mut conn));
        let expected = [(false, 2, &b"a"[..]), (true, 0, b""), (true, 1, b"")];
        assert_eq!(shapes(&frames), expected);
        assert_eq!(conn.stats().messages_sent, 2);
        assert_eq!(conn.stats().frames_sent, 3);
    }
}

// req: F-23
#[test]
fn no_message_can_be_sent_inside_of_another() {
    let prepared = PreparedMessage::text("x");
    for role in ROLES {
        for begun in [false, true] {
            let mut conn = connection(role, Config::new());
            conn.start_message(MessageKind::Text).expect("open");
            if begun {
                conn.send_part(b"a").expect("in progress");
            }
            let queued = conn.send_buf().remaining();
            let bytes = Bytes::from_static(b"x");
            for refused in [
                conn.send_text("x"),
                conn.send_binary(b"x"),
                conn.send_bytes(MessageKind::Binary, bytes),
                conn.send_prepared(&prepared),
                conn.start_message(MessageKind::Text),
            ] {
                assert_eq!(refused, Err(SendError::MessageInProgress));
            }
            assert_eq!(conn.send_buf().remaining(), queued, "nothing was queued");

            conn.finish_message(b"b").expect("in progress");
            conn.send_text("x").expect("finished");
            let frames = read_output(role, &drain(&mut conn));
            assert_eq!(frames.last().map(|f| &f.payload[..]), Some(&b"x"[..]));
            assert_eq!(frames.len(), if begun { 3 } else { 2 });
        }
    }
}

// req: F-23, F-24
#[test]
fn parts_without_a_message_are_refused() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        assert_eq!(conn.send_part(b"a"), Err(SendError::NoMessage));
        assert_eq!(conn.finish_message(b"a"), Err(SendError::NoMessage));
        conn.start_message(MessageKind::Binary).expect("open");
        conn.finish_message(b"a").expect("in progress");
        assert_eq!(conn.send_part(b"b"), Err(SendError::NoMessage));
        let frames = read_output(role, &drain(&mut conn));
        assert_eq!(shapes(&frames), [(true, 2, &b"a"[..])]);
    }
}

// req: F-25
#[test]
fn control_frames_go_between_the_parts_we_send() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        let mut rx = RecvBuf::new();
        conn.start_message(MessageKind::Text).expect("open");
        conn.send_ping(b"before").expect("open");
        conn.send_part(b"one").expect("in progress");
        conn.send_ping(b"between").expect("open");
        conn.send_pong(b"unasked").expect("open");
        conn.send_part(b"two").expect("in progress");
        rx.extend_from_slice(&input_hex(role, "89 02 6869"));
        assert!(conn.receive(&mut rx).is_some());
        conn.finish_message(b"three").expect("in progress");
        let frames = read_output(role, &drain(&mut conn));
        let expected = [
            (true, 9, &b"before"[..]),
            (false, 1, b"one"),
            (true, 9, b"between"),
            (true, 10, b"unasked"),
            (false, 0, b"two"),
            (true, 10, b"hi"),
            (true, 0, b"three"),
        ];
        assert_eq!(shapes(&frames), expected);
    }
}

// req: F-25, M-08
#[test]
fn a_pong_never_gets_into_a_frame_that_is_half_written() {
    for role in ROLES {
        let part = [b'x'; 300];
        for written in 0..320 {
            let mut conn = connection(role, Config::new());
            let mut rx = RecvBuf::new();
            conn.start_message(MessageKind::Binary).expect("open");
            conn.send_part(&part).expect("in progress");
            let written = written.min(conn.send_buf().remaining());
            let mut wire = conn.send_buf().chunk()[..written].to_vec();
            conn.send_buf().advance(written);
            rx.extend_from_slice(&input_hex(role, "89 01 70"));
            assert!(conn.receive(&mut rx).is_some());
            conn.finish_message(b"end").expect("in progress");
            wire.extend(drain(&mut conn));
            let frames = read_output(role, &wire);
            let expected = [(false, 2, &part[..]), (true, 10, b"p"), (true, 0, b"end")];
            assert_eq!(shapes(&frames), expected, "{written}");
        }
    }
}

// req: F-25
#[test]
fn a_close_between_parts_ends_the_message_unfinished() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.start_message(MessageKind::Text).expect("open");
        conn.send_part(b"one").expect("in progress");
        conn.close(CloseCode::NORMAL, "").expect("open");
        assert_eq!(conn.send_part(b"two"), Err(SendError::Closed));
        assert_eq!(conn.finish_message(b"two"), Err(SendError::Closed));
        let frames = read_output(role, &drain(&mut conn));
        let expected = [(false, 1, &b"one"[..]), (true, 8, &[3, 0xe8])];
        assert_eq!(shapes(&frames), expected);
        assert_eq!(conn.state(), State::Closing);
    }
}

// req: F-22
#[test]
fn a_refused_part_changes_nothing() {
    for role in ROLES {
        let mut conn = connection(role, Config::new().max_queued(1));
        conn.start_message(MessageKind::Text).expect("open");
        conn.send_part(b"\xc3").expect("in progress");
        let queued = conn.send_buf().remaining();
        let full = SendError::BufferFull { queued };
        assert_eq!(conn.send_part(b"\xa9"), Err(full));
        assert_eq!(conn.finish_message(b"\xa9"), Err(full));
        let mut wire = drain(&mut conn);
        assert_eq!(conn.send_part(b"x"), Err(SendError::InvalidUtf8));
        assert_eq!(conn.finish_message(b""), Err(SendError::InvalidUtf8));
        conn.finish_message(b"\xa9").expect("in progress");
        wire.extend(drain(&mut conn));
        let frames = read_output(role, &wire);
        assert_eq!(
            shapes(&frames),
            [(false, 1, &b"\xc3"[..]), (true, 0, b"\xa9")]
        );
        if let Some(key) = frames[0].key {
            assert_eq!(role, Role::Client);
            assert_ne!(Some(key), frames[1].key);
        }
    }
}
