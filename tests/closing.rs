//! RFC 6455 sections 5.5.1, 7 and 7.4: Close frames, their codes and reasons, and what is sent and
//! received around them. The states of the closing handshake are in `closing_handshake.rs`.

mod support;

use bytes::{Buf as _, Bytes};
use framewire::{
    Accepts, CloseCode, Closed, ClosedBy, Config, MessageKind, PreparedMessage, ProtocolError,
    SendError, State,
};
use support::{
    ROLES, connection,
    pair::End,
    trace::{Seen, Trace, drain, trace, trace_frames, trace_hex, trace_of},
    wire::{close, frame, hex, input, read_output},
};

fn closed_with(code: u16, reason: &str) -> Seen {
    Seen::Close(Some((CloseCode::new(code), reason.into())))
}

#[track_caller]
fn assert_failed(trace: &Trace, error: ProtocolError, code: u16) {
    assert_eq!(trace.events, [Seen::Failed(error)]);
    assert_eq!(trace.failure, Some(error));
    assert_eq!(trace.close_sent(), Some(&code.to_be_bytes()[..]));
    assert_eq!(trace.output.len(), 1);
    assert_eq!(trace.state, State::Closed);
    let closed = trace.closed.expect("a failed connection has closed");
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
    assert_eq!(closed.by, ClosedBy::Us);
}

// req: C-01, C-28
#[test]
fn empty_close_is_reported_as_1005_and_answered_by_an_empty_one() {
    for role in ROLES {
        let trace = trace_hex(role, "88 00");
        assert_eq!(trace.events, [Seen::Close(None)]);
        assert_eq!(trace.close_sent(), Some(&b""[..]));
        assert_eq!(trace.output.len(), 1);
        let closed = trace.closed.expect("both Close frames have passed");
        assert_eq!(closed.code, CloseCode::NO_STATUS);
        assert_eq!((closed.clean, closed.by), (true, ClosedBy::Peer));
        assert_eq!(trace.stats.close_code_sent, Some(CloseCode::NO_STATUS));
        assert_eq!(trace.stats.close_code_received, Some(CloseCode::NO_STATUS));
    }
}

// req: C-02
#[test]
fn close_of_one_byte_fails_with_1002() {
    for role in ROLES {
        for byte in 0..=255 {
            let trace = trace_frames(role, &frame(0x88, &[byte]));
            assert_failed(&trace, ProtocolError::TruncatedCloseCode, 1002);
        }
    }
}

// req: C-03
#[test]
fn code_is_read_big_endian_and_the_reason_is_delivered() {
    for role in ROLES {
        let trace = trace_hex(role, "88 05 03e8 627965");
        assert_eq!(trace.events, [closed_with(1000, "bye")]);
        assert_eq!(trace.code_sent(), Some(1000));
        assert_eq!(trace.output.len(), 1);
        assert_eq!(trace.stats.close_code_received, Some(CloseCode::NORMAL));

        // 0xe803 would be 59395, and 0x0fa1 read the other way round is 0xa10f.
        let trace = trace_hex(role, "88 02 0fa1");
        assert_eq!(trace.events, [closed_with(4001, "")]);
        let trace = trace_hex(role, "88 02 e803");
        let error = ProtocolError::InvalidCloseCode(CloseCode::new(0xe803));
        assert_failed(&trace, error, 1002);
    }
}

// req: C-28
#[test]
fn close_without_a_reason_is_reported_with_an_empty_one() {
    for role in ROLES {
        let trace = trace_hex(role, "88 02 03e8");
        assert_eq!(trace.events, [closed_with(1000, "")]);
    }
}

// req: C-09, T-16
#[test]
fn reason_that_is_not_utf8_fails_with_1007() {
    let invalid = [
        "ff",          // never a byte of UTF-8
        "61 80",       // continuation of nothing
        "c0 80",       // overlong
        "ed a0 80",    // surrogate
        "f4 90 80 80", // above U+10FFFF
        "e2 82",       // cut off at the end
        "61 f0 9f 98", // likewise
        "c3 28 61 62", // wrong second byte
    ];
    for role in ROLES {
        for reason in invalid {
            let payload = [hex("03e8"), hex(reason)].concat();
            let trace = trace_frames(role, &frame(0x88, &payload));
            assert_failed(&trace, ProtocolError::InvalidUtf8, 1007);
        }
        let trace = trace_frames(role, &close(1000, "grüße 👋 \u{10ffff}"));
        assert_eq!(trace.events, [closed_with(1000, "grüße 👋 \u{10ffff}")]);
        // Which of two errors counts does not depend on the cut either: the code comes first.
        let trace = trace_hex(role, "88 03 03ed ff");
        let error = ProtocolError::InvalidCloseCode(CloseCode::NO_STATUS);
        assert_failed(&trace, error, 1002);
    }
}

// req: C-10
#[test]
fn reason_of_123_bytes_passes_in_both_directions() {
    let reason = "r".repeat(123);
    for role in ROLES {
        let trace = trace_frames(role, &close(3000, &reason));
        assert_eq!(trace.events, [closed_with(3000, &reason)]);

        let mut conn = connection(role, Config::new());
        assert_eq!(conn.close(CloseCode::NORMAL, &reason), Ok(()));
        let output = read_output(role, &drain(&mut conn));
        assert_eq!(output[0].payload, [b"\x03\xe8", reason.as_bytes()].concat());
    }
}

// req: C-10
#[test]
fn reason_of_124_bytes_is_an_error_and_never_cut() {
    for role in ROLES {
        for reason in ["r".repeat(124), "é".repeat(62), "r".repeat(1 << 20)] {
            let error = SendError::ReasonTooLong { size: reason.len() };
            let mut end = End::new(role, Config::new());
            assert_eq!(end.conn.close(CloseCode::NORMAL, &reason), Err(error));
            assert_eq!(end.conn.fail(CloseCode::NORMAL, &reason), Err(error));
            assert_eq!((end.conn.state(), end.conn.closed()), (State::Open, None));
            // The connection is as it was: it sends, receives and closes.
            assert_eq!(end.conn.send_text("a"), Ok(()));
            end.take_hex("81 01 62");
            assert_eq!(end.seen, [Seen::Text("b".into())]);
            assert_eq!(end.conn.close(CloseCode::NORMAL, ""), Ok(()));
            end.writes(&[(1, b"a"), (8, b"\x03\xe8")]);
        }
        // A peer has no way to send one: its frame is too long for a control frame.
        let trace = trace_frames(role, &close(1000, &"r".repeat(124)));
        assert_eq!(trace.code_sent(), Some(1002));
        assert!(matches!(trace.events[..], [Seen::Failed(_)]));
    }
}

// req: C-13, C-19
#[test]
fn received_close_is_answered_once_whatever_comes_after() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.take_hex("88 03 03e9 61");
        assert_eq!(
            end.conn.close(CloseCode::NORMAL, ""),
            Err(SendError::Closed)
        );
        assert_eq!(end.conn.fail(CloseCode::NORMAL, ""), Err(SendError::Closed));
        end.take_hex("88 02 03e8");
        assert_eq!(end.conn.receive_eof(), Ok(()));
        assert_eq!(
            end.conn.close(CloseCode::NORMAL, ""),
            Err(SendError::Closed)
        );
        assert_eq!(end.seen, [closed_with(1001, "a")]);
        end.writes(&[(8, b"\x03\xe9")]);
        assert!(end.conn.is_closed());
    }
}

// req: C-14, C-15
#[test]
fn answer_to_a_close_stands_behind_what_was_queued_and_ahead_of_anything_later() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text("before").unwrap();
        end.take_hex("88 02 03e8");
        // It is queued with the event: nobody has to ask for it, and nothing can overtake it.
        assert_eq!(end.conn.send_text("after"), Err(SendError::Closed));
        assert_eq!(end.conn.send_ping(b""), Err(SendError::Closed));
        end.writes(&[(1, b"before"), (8, b"\x03\xe8")]);
    }
}

// req: C-15
#[test]
fn after_our_close_every_command_is_refused_and_what_was_queued_leaves_in_order() {
    for role in ROLES {
        let prepared = PreparedMessage::text("p");
        let mut end = End::new(role, Config::new());
        end.conn.send_text("1").unwrap();
        end.conn.send_ping(b"2").unwrap();
        end.conn.send_binary(b"3").unwrap();
        end.conn.send_pong(b"4").unwrap();
        end.conn.close(CloseCode::NORMAL, "done").unwrap();

        let (conn, data) = (&mut end.conn, Bytes::from_static(b"d"));
        let results = [
            conn.send_text("t"),
            conn.send_binary(b"b"),
            conn.send_bytes(MessageKind::Binary, data),
            conn.send_prepared(&prepared),
            conn.start_message(MessageKind::Text),
            conn.send_part(b"p"),
            conn.finish_message(b"f"),
            conn.send_ping(b"p"),
            conn.send_pong(b"p"),
            conn.close(CloseCode::NORMAL, ""),
        ];
        assert_eq!(results, [Err(SendError::Closed); 10]);
        end.writes(&[
            (1, b"1"),
            (9, b"2"),
            (2, b"3"),
            (10, b"4"),
            (8, b"\x03\xe8done"),
        ]);
    }
}

// req: C-15
#[test]
fn close_passes_a_full_queue() {
    for role in ROLES {
        let mut end = End::new(role, Config::new().max_queued(1));
        end.conn.send_text("a").unwrap();
        assert!(matches!(
            end.conn.send_text("b"),
            Err(SendError::BufferFull { .. })
        ));
        assert_eq!(end.conn.close(CloseCode::NORMAL, ""), Ok(()));
        end.writes(&[(1, b"a"), (8, b"\x03\xe8")]);
    }
}

// req: C-16, C-17
#[test]
fn close_waits_for_the_end_of_a_frame_and_leaves_the_message_open() {
    let payload = "x".repeat(300);
    for role in ROLES {
        // Closed by us, by the peer, and for its error, while that much of a frame is written.
        for how in 0..3 {
            for written in 0..310 {
                let mut end = End::new(role, Config::new());
                end.conn.start_message(MessageKind::Text).unwrap();
                end.conn.send_part(b"begin").unwrap();
                end.conn.send_part(payload.as_bytes()).unwrap();
                let mut output = end.conn.send_buf().chunk()[..written].to_vec();
                end.conn.send_buf().advance(written);
                match how {
                    0 => end.conn.close(CloseCode::NORMAL, "").unwrap(),
                    1 => end.take_hex("88 02 03e8"),
                    _ => end.take_hex("83 00"),
                }
                assert_eq!(end.conn.send_part(b"more"), Err(SendError::Closed));
                assert_eq!(end.conn.finish_message(b""), Err(SendError::Closed));
                output.extend(drain(&mut end.conn));
                let opcodes: Vec<_> = read_output(role, &output)
                    .iter()
                    .map(|frame| (frame.opcode, frame.fin))
                    .collect();
                assert_eq!(opcodes, [(1, false), (0, false), (8, true)]);
            }
        }
    }
}

// req: C-18
#[test]
fn messages_are_received_between_our_close_and_the_peers() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.take_hex("01 01 61"); // begun before
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.take_hex("80 01 62  82 01 63  89 01 64  8a 01 65  88 02 03e9  81 01 66");
        let expected = [
            Seen::Text("ab".into()),
            Seen::Binary(b"c".to_vec()),
            Seen::Ping(b"d".to_vec()),
            Seen::Pong(b"e".to_vec()),
            closed_with(1001, ""),
        ];
        assert_eq!(end.seen, expected);
        // Nothing may follow a Close frame, the answer to a ping included.
        end.writes(&[(8, b"\x03\xe8")]);
    }
}

// req: C-18
#[test]
fn messages_between_the_closes_are_dropped_on_request() {
    let config = Config::new().receive_while_closing(false);
    for role in ROLES {
        let mut end = End::new(role, config);
        end.take_hex("81 01 61  02 01 62");
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.take_hex("80 01 63  81 01 64  01 01 65  89 00  80 01 66  82 00  88 00  81 01 67");
        let expected = [
            Seen::Text("a".into()),
            Seen::Ping(vec![]),
            Seen::Close(None),
        ];
        assert_eq!(end.seen, expected);
        assert!(end.rx.is_empty());
        end.writes(&[(8, b"\x03\xe8")]);
        let closed = end.conn.closed().expect("both Close frames have passed");
        assert_eq!((closed.clean, closed.by), (true, ClosedBy::Us));
    }
}

// req: C-18
#[test]
fn dropped_messages_have_to_keep_the_rules_all_the_same() {
    let too_big = ProtocolError::FrameTooBig { size: 9, limit: 8 };
    let cases = [
        ("81 01 ff", ProtocolError::InvalidUtf8),
        ("01 01 61 80 01 ff", ProtocolError::InvalidUtf8),
        ("82 09 010203040506070809", too_big),
        ("80 01 61", ProtocolError::UnexpectedContinuation),
        ("01 00 81 00", ProtocolError::InterleavedMessage),
        ("c1 00", ProtocolError::ReservedBits { bits: 0x40 }),
        ("88 01 03", ProtocolError::TruncatedCloseCode),
    ];
    for role in ROLES {
        for receives in [false, true] {
            for (digits, error) in cases {
                let config = Config::new().receive_while_closing(receives);
                let mut end = End::new(role, config.max_frame_size(8));
                end.conn.close(CloseCode::NORMAL, "").unwrap();
                end.take_hex(digits);
                end.take_hex("88 02 03e8");
                assert_eq!(end.seen, [Seen::Failed(error)]);
                assert_eq!(end.conn.failure(), Some(error));
                // The Close frame that was sent before is the only one.
                end.writes(&[(8, b"\x03\xe8")]);
                assert!(end.conn.is_closed());
                let closed = end.conn.closed().expect("it failed");
                assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
            }
        }
    }
}

// req: C-19, C-20, P-05
#[test]
fn everything_behind_the_peers_close_is_discarded_unread() {
    let behind = [
        "81 01 61",          // a message
        "89 00",             // a ping, which is not answered
        "88 02 03e9",        // another Close
        "ff ff ff ff ff ff", // rubbish
        "81 7e",             // an incomplete header
    ];
    for role in ROLES {
        for digits in behind {
            let bytes = [input(role, &hex("88 02 03e8")), hex(digits)].concat();
            let trace = trace(role, Config::new(), &bytes);
            assert_eq!(trace.events, [closed_with(1000, "")]);
            assert_eq!(trace.output.len(), 1);
            assert_eq!(trace.code_sent(), Some(1000));
            assert_eq!((trace.failure, trace.stats.frames_received), (None, 1));

            let mut end = End::new(role, Config::new());
            end.take(&bytes);
            assert!(end.rx.is_empty(), "discarded bytes are not kept");
        }
    }
}

// req: C-30, C-36, C-37
#[test]
fn failures_send_the_code_that_belongs_to_them() {
    let config = Config::new()
        .max_frame_size(8)
        .max_message_size(10)
        .max_fragments(3)
        .max_pings_per_second(1);
    let text = config.accepts(Accepts::Text);
    let binary = config.accepts(Accepts::Binary);
    let cases = [
        (config, "83 00", 1002),                        // reserved opcode
        (config, "81 01 ff", 1007),                     // not UTF-8
        (config, "82 09 000000000000000000", 1009),     // frame too big
        (config, "02 08 0000000000000000 00 03", 1009), // message too big
        (config, "02 00 00 00 00 00 00 00", 1008),      // too many fragments
        (config, "89 00 89 00", 1008),                  // too many pings
        (text, "82 00", 1003),
        (text, "02 01 00", 1003),
        (binary, "81 00", 1003),
        (binary, "01 01 61", 1003),
    ];
    for role in ROLES {
        for (config, digits, code) in cases {
            let trace = trace(role, config, &support::wire::input_hex(role, digits));
            let Some(Seen::Failed(error)) = trace.events.last() else {
                panic!("{digits} must fail: {trace:?}");
            };
            assert_eq!(error.close_code().get(), code);
            assert_eq!(trace.code_sent(), Some(code), "{digits}");
            assert_eq!(trace.state, State::Closed);
        }
        let trace = trace_of(role, text, [&input(role, &hex("81 01 61"))[..]]);
        assert_eq!(trace.events, [Seen::Text("a".into())]);
        let trace = trace_of(role, binary, [&input(role, &hex("82 01 61"))[..]]);
        assert_eq!(trace.events, [Seen::Binary(b"a".to_vec())]);
    }
}

// req: C-31
#[test]
fn after_a_failure_the_peers_close_gives_no_event() {
    for role in ROLES {
        let trace = trace_hex(role, "83 00  88 02 03e8  81 01 61");
        assert_eq!(trace.events.len(), 1);
        assert_eq!(trace.code_sent(), Some(1002));
        assert_eq!(trace.stats.close_code_received, None);
        let expected = (CloseCode::ABNORMAL, false, ClosedBy::Us);
        let Closed {
            code, clean, by, ..
        } = trace.closed.expect("it failed");
        assert_eq!((code, clean, by), expected);
    }
}

// req: C-34
#[test]
fn debug_escapes_control_characters_in_a_reason() {
    use framewire::{Event, RecvBuf};

    for role in ROLES {
        let mut conn = connection(role, Config::new());
        let mut rx = RecvBuf::new();
        let reason = "\u{1b}[2J\r\nok\0\u{202e}\u{7f}";
        rx.extend_from_slice(&input(role, &close(1000, reason)));
        let event = conn.receive(&mut rx).expect("a Close frame");
        let Event::Close(Some(frame)) = event else {
            panic!("{event:?}");
        };
        assert_eq!(frame.reason, reason);
        for printed in [format!("{event:?}"), format!("{frame:?}")] {
            let plain = |c: char| c.is_ascii() && !c.is_ascii_control();
            assert!(printed.chars().all(plain), "{printed:?}");
            assert!(printed.contains("ok"));
        }
    }
}
