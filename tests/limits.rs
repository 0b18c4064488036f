//! RFC 6455 section 10.4: the limits of what a peer can make grow, at their exact borders, in both
//! roles and for every way to cut the input.

mod support;

use std::time::Duration;

use framewire::{
    Config, Connection, Event, PartEvent, ProtocolError, RecvBuf, Role, State, frame::HeaderError,
};
use support::{
    ROLES, connection,
    trace::{Seen, Trace, drain, pour, trace},
    wire::{claim, frame, input, read_output},
};

/// Every border of the three forms of a length, and of the shortest path.
const SIZES: [usize; 9] = [0, 1, 124, 125, 126, 127, 1000, 65_535, 65_536];
/// The lengths at which parsers broke.
const CLAIMS: [u64; 9] = [
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    (1 << 53) + 1,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const FIN: u8 = 0x80;

/// The frames of one message, without masks, whose payloads have these sizes.
fn fragments(kind: u8, sizes: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, size) in sizes.iter().enumerate() {
        let opcode = if i == 0 { kind & 0xf } else { 0 };
        let fin = if i + 1 == sizes.len() { FIN } else { 0 };
        bytes.extend(frame(fin | opcode, &vec![b'a'; *size]));
    }
    bytes
}

/// As [`fragments`], of a message that is not complete.
fn begun(kind: u8, sizes: &[usize]) -> Vec<u8> {
    let mut bytes = fragments(kind, &[sizes, &[0]].concat());
    bytes.truncate(bytes.len() - 2);
    bytes
}

fn message(kind: u8, len: usize) -> Seen {
    if kind == TEXT {
        Seen::Text("a".repeat(len))
    } else {
        Seen::Binary(vec![b'a'; len])
    }
}

/// The connection was failed: one event, one Close frame, the failure stays readable.
#[track_caller]
fn assert_failed(trace: &Trace, error: ProtocolError, code: u16) {
    assert_eq!(trace.events.last(), Some(&Seen::Failed(error)));
    assert_eq!(trace.code_sent(), Some(code));
    assert_eq!(trace.failure, Some(error));
    assert_eq!(trace.state, State::Closed);
}

/// The message that parts make up, and the failure, for input in pieces of this size.
fn streamed(
    role: Role,
    config: Config,
    bytes: &[u8],
    piece: usize,
) -> (Vec<u8>, Option<ProtocolError>) {
    let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
    let (mut message, mut failure) = (Vec::new(), None);
    for piece in bytes.chunks(piece) {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive_part(&mut rx) {
            match event {
                PartEvent::Text { part, .. } => message.extend_from_slice(part.as_bytes()),
                PartEvent::Binary { part, .. } => message.extend_from_slice(part),
                PartEvent::Failed(error) => assert_eq!(failure.replace(error), None),
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    (message, failure)
}

// req: L-01
#[test]
fn message_of_the_limit_passes_and_one_byte_more_fails_with_1009_at_its_header() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for limit in SIZES {
                let config = Config::new().max_message_size(limit);
                let whole = input(role, &frame(kind, &vec![b'a'; limit]));
                let trace_of_limit = trace(role, config, &whole);
                assert_eq!(trace_of_limit.events, [message(kind, limit)]);
                assert_eq!(trace_of_limit.state, State::Open);

                let error = ProtocolError::MessageTooBig {
                    size: limit as u64 + 1,
                    limit: limit as u64,
                };
                let header = input(role, &claim(kind, limit as u64 + 1));
                let trace_of_more = trace(role, config, &header);
                assert_eq!(trace_of_more.events.len(), 1);
                assert_failed(&trace_of_more, error, 1009);
            }
        }
    }
}

// req: L-01
#[test]
fn message_limit_counts_all_fragments_and_fails_at_the_header_that_crosses_it() {
    let config = Config::new().max_message_size(1000);
    let within: [&[usize]; 5] = [
        &[100; 10],
        &[1000, 0, 0],
        &[0, 1000],
        &[999, 1, 0],
        &[1; 1000],
    ];
    let crossing: [(&[usize], u64); 5] = [
        (&[101; 9], 101),
        (&[1000], 1),
        (&[1000, 0], 1),
        (&[999], 2),
        (&[0], 1001),
    ];
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for sizes in within {
                let trace = trace(role, config, &input(role, &fragments(kind, sizes)));
                assert_eq!(trace.events, [message(kind, 1000)], "{sizes:?}");
            }
            for (sizes, next) in crossing {
                let mut bytes = begun(kind, sizes);
                bytes.extend(frame(0x89, b"between"));
                bytes.extend(claim(FIN, next));
                let trace = trace(role, config, &input(role, &bytes));
                let size = sizes.iter().sum::<usize>() as u64 + next;
                let error = ProtocolError::MessageTooBig { size, limit: 1000 };
                assert_eq!(
                    trace.events,
                    [Seen::Ping(b"between".into()), Seen::Failed(error)]
                );
                assert_failed(&trace, error, 1009);
            }
        }
    }
}

// req: L-01, L-02
#[test]
fn limits_hold_for_messages_that_are_received_in_parts() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for piece in [1, 7, 2000] {
                let config = Config::new().max_message_size(1000).max_frame_size(600);
                let ok = input(role, &fragments(kind, &[600, 400]));
                assert_eq!(streamed(role, config, &ok, piece), (vec![b'a'; 1000], None));
                let too_big = input(role, &[begun(kind, &[600]), claim(0, 401)].concat());
                let error = ProtocolError::MessageTooBig {
                    size: 1001,
                    limit: 1000,
                };
                assert_eq!(
                    streamed(role, config, &too_big, piece),
                    (vec![b'a'; 600], Some(error))
                );
                let error = ProtocolError::FrameTooBig {
                    size: 601,
                    limit: 600,
                };
                let too_big = input(role, &claim(kind, 601));
                assert_eq!(
                    streamed(role, config, &too_big, piece),
                    (vec![], Some(error))
                );
            }
        }
    }
}

// req: L-02
#[test]
fn frame_limit_is_inclusive_and_fails_with_1009_at_the_header() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for limit in SIZES {
                let config = Config::new().max_frame_size(limit);
                let two = fragments(kind, &[limit, limit]);
                let trace_of_two = trace(role, config, &input(role, &two));
                assert_eq!(trace_of_two.events, [message(kind, 2 * limit)]);

                let error = ProtocolError::FrameTooBig {
                    size: limit as u64 + 1,
                    limit: limit as u64,
                };
                for bytes in [
                    claim(kind, limit as u64 + 1),
                    [begun(kind, &[limit]), claim(FIN, limit as u64 + 1)].concat(),
                ] {
                    let trace = trace(role, config, &input(role, &bytes));
                    assert_eq!(trace.events.len(), 1);
                    assert_failed(&trace, error, 1009);
                }
            }
        }
    }
}

// req: L-03
#[test]
fn fragments_up_to_the_limit_pass_and_one_more_fails_with_1008() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for limit in [1, 2, 16] {
                let config = Config::new().max_fragments(limit);
                for size in [0, 3] {
                    let sizes = vec![size; limit as usize];
                    let ok = trace(role, config, &input(role, &fragments(kind, &sizes)));
                    assert_eq!(ok.events, [message(kind, size * limit as usize)]);

                    let mut bytes = fragments(kind, &[&sizes[..], &[size]].concat());
                    bytes.truncate(bytes.len() - size); // the header is enough
                    let trace = trace(role, config, &input(role, &bytes));
                    assert_eq!(trace.events.len(), 1);
                    assert_failed(&trace, ProtocolError::TooManyFragments { limit }, 1008);
                }
            }
        }
    }
}

// req: L-03
#[test]
fn fragments_are_131_072_at_most_by_default_empty_ones_included() {
    let limit = 131_072;
    for role in ROLES {
        let empty = input(role, &fragments(TEXT, &vec![0; limit]));
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let mut events = Vec::new();
        pour(&mut conn, &mut rx, &empty, 4000, |event| {
            events.push(Seen::from(event))
        });
        assert_eq!(events, [Seen::Text(String::new())]);
        // An empty fragment takes no memory.
        assert!(rx.capacity() <= 16 * 1024, "{} bytes", rx.capacity());

        let one_more = input(role, &fragments(BINARY, &vec![0; limit + 1]));
        pour(&mut conn, &mut rx, &one_more, 4000, |event| {
            events.push(Seen::from(event))
        });
        assert_eq!(
            events[1..],
            [Seen::Failed(ProtocolError::TooManyFragments {
                limit: limit as u32
            })]
        );
    }
}

// req: L-03
#[test]
fn fragments_are_counted_anew_for_every_message() {
    for role in ROLES {
        let config = Config::new().max_fragments(16);
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        let round = [
            fragments(TEXT, &[1; 16]),
            frame(BINARY, b"a"),
            fragments(BINARY, &[0; 15]),
            frame(0x89, b""),
            fragments(TEXT, &[2; 2]),
        ];
        let round = input(role, &round.concat().repeat(100));
        let mut messages = 0;
        for _ in 0..1000 {
            pour(
                &mut conn,
                &mut rx,
                &round,
                usize::MAX,
                |event| match event {
                    Event::Text(_) | Event::Binary(_) => messages += 1,
                    Event::Ping(_) => {}
                    other => panic!("unexpected {other:?}"),
                },
            );
            drain(&mut conn);
        }
        assert_eq!(messages, 400_000);
        assert_eq!(conn.state(), State::Open);
    }
}

// req: L-03
#[test]
fn fragment_limit_of_zero_lets_no_message_pass_but_control_frames() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let config = Config::new().max_fragments(0);
            let bytes = [frame(0x89, b"ping"), frame(0x8a, b"pong"), claim(kind, 0)].concat();
            let trace = trace(role, config, &input(role, &bytes));
            assert_eq!(
                trace.events[..2],
                [Seen::Ping(b"ping".into()), Seen::Pong(b"pong".into())]
            );
            assert_failed(&trace, ProtocolError::TooManyFragments { limit: 0 }, 1008);
        }
    }
}

// req: L-09
#[test]
fn size_limits_of_zero_let_only_empty_messages_pass() {
    let zero = |error: fn(u64, u64) -> ProtocolError| error(1, 0);
    let cases = [
        (
            Config::new().max_message_size(0),
            zero(|size, limit| ProtocolError::MessageTooBig { size, limit }),
        ),
        (
            Config::new().max_frame_size(0),
            zero(|size, limit| ProtocolError::FrameTooBig { size, limit }),
        ),
    ];
    for role in ROLES {
        for (config, error) in cases {
            let bytes = [
                fragments(TEXT, &[0]),
                fragments(BINARY, &[0, 0, 0]),
                // Control frames are no messages.
                frame(0x89, &[b'p'; 125]),
                claim(TEXT, 1),
            ];
            let trace = trace(role, config, &input(role, &bytes.concat()));
            let events = [
                message(TEXT, 0),
                message(BINARY, 0),
                Seen::Ping(vec![b'p'; 125]),
                Seen::Failed(error),
            ];
            assert_eq!(trace.events, events);
            assert_failed(&trace, error, 1009);
        }
    }
}

// req: L-10
#[test]
fn sums_of_claimed_lengths_do_not_overflow() {
    let config = Config::new()
        .max_message_size(usize::MAX)
        .max_frame_size(usize::MAX)
        .max_fragments(u32::MAX);
    let most = (1 << 63) - 1;
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for first in [1, 127, 70_000] {
                let bytes = [begun(kind, &[first]), claim(FIN, most)].concat();
                let trace = trace(role, config, &input(role, &bytes));
                let error = ProtocolError::MessageTooBig {
                    size: most + first as u64,
                    limit: usize::MAX as u64 / 16,
                };
                assert_failed(&trace, error, 1009);

                // What is not joined need not fit: this is waited for, and counted rightly.
                let bytes = [&bytes[..], b"abc"].concat();
                let (parts, failure) = streamed(role, config, &input(role, &bytes), 5000);
                assert_eq!((parts.len(), failure), (first + 3, None));
            }
        }
    }
}

// req: L-05, L-10
#[test]
fn huge_lengths_fail_with_1009_or_1002_by_default() {
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT & 0xf, BINARY & 0xf] {
            for len in CLAIMS {
                let bytes = [&claim(first, len)[..], b"a"].concat();
                let trace = trace(role, Config::new(), &input(role, &bytes));
                let (error, code) = if len >> 63 == 0 {
                    let limit = 16 << 20;
                    (ProtocolError::FrameTooBig { size: len, limit }, 1009)
                } else {
                    (HeaderError::LengthOver63Bits(len).into(), 1002)
                };
                assert_eq!(trace.events.len(), 1);
                assert_failed(&trace, error, code);
            }
        }
    }
}

// req: L-06
#[test]
fn incomplete_message_is_failed_with_1008_at_its_deadline() {
    let second = Duration::from_secs(1);
    let config = Config::new().message_timeout(5 * second);
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for drip in [false, true] {
                let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
                // A message that is in time does not count against the next.
                rx.extend_from_slice(&input(role, &fragments(kind, &[3, 3])));
                assert!(conn.receive(&mut rx).is_some());
                assert_eq!(conn.handle_timeout(3 * second), Ok(None));

                let slow = input(role, &frame(kind, &[b'a'; 100]));
                let mut slow = slow.iter();
                rx.extend_from_slice(&slow.by_ref().take(9).copied().collect::<Vec<_>>());
                assert_eq!(conn.receive(&mut rx), None);
                for now in 10..15 {
                    let due = conn.handle_timeout(now * second);
                    assert_eq!(due, Ok(Some(15 * second)), "at {now} s");
                    if drip {
                        rx.extend_from_slice(&[*slow.next().expect("100 bytes")]);
                    }
                    assert_eq!(conn.receive(&mut rx), None);
                }
                assert!(conn.handle_timeout(15 * second).is_ok());
                let error = ProtocolError::MessageTooSlow;
                assert_eq!(conn.receive(&mut rx), Some(Event::Failed(error)));
                assert_eq!(conn.receive(&mut rx), None);
                let output = read_output(role, &drain(&mut conn));
                assert_eq!(output.len(), 1);
                assert_eq!(output[0].payload, 1008_u16.to_be_bytes());
            }
        }
    }
}

// req: L-06
#[test]
fn message_has_no_deadline_unless_it_was_asked_for() {
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        rx.extend_from_slice(&input(role, &frame(0x01, b"begun")));
        assert_eq!(conn.receive(&mut rx), None);
        assert_eq!(conn.handle_timeout(Duration::ZERO), Ok(None));
        assert_eq!(conn.handle_timeout(Duration::from_secs(1 << 30)), Ok(None));
        assert_eq!(conn.state(), State::Open);
    }
}

/// An open connection that has received `bytes`, of which no event has been taken.
fn with_input(role: Role, config: Config, bytes: &[u8]) -> (Connection, RecvBuf) {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&input(role, bytes));
    (connection(role, config), rx)
}

/// All events that are left.
fn events(conn: &mut Connection, rx: &mut RecvBuf) -> Vec<Seen> {
    std::iter::from_fn(|| conn.receive(rx).map(Seen::from)).collect()
}

// req: L-14
#[test]
fn limit_that_is_changed_between_two_messages_holds_for_the_next() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for (old, new) in [(10, 1000), (1000, 10), (124, 126), (126, 124), (0, 1)] {
                let two = [fragments(kind, &[old]), fragments(kind, &[new])].concat();
                let (mut conn, mut rx) =
                    with_input(role, Config::new().max_message_size(old), &two);
                assert_eq!(
                    conn.receive(&mut rx).map(Seen::from),
                    Some(message(kind, old))
                );
                conn.set_max_message_size(new);
                assert_eq!(events(&mut conn, &mut rx), [message(kind, new)]);

                rx.extend_from_slice(&input(role, &claim(kind, new as u64 + 1)));
                let (size, limit) = (new as u64 + 1, new as u64);
                let error = ProtocolError::FrameTooBig { size, limit };
                assert_eq!(events(&mut conn, &mut rx), [Seen::Failed(error)]);
            }
        }
    }
}

// req: L-14
#[test]
fn limit_that_is_changed_within_a_message_holds_from_its_next_frame() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let config = Config::new().max_message_size(10);
            let (mut conn, mut rx) = with_input(role, config, &begun(kind, &[4, 6]));
            assert_eq!(conn.receive(&mut rx), None);
            conn.set_max_message_size(500);
            rx.extend_from_slice(&input(role, &frame(0x80, &[b'a'; 490])));
            assert_eq!(events(&mut conn, &mut rx), [message(kind, 500)]);

            // The frame whose header was accepted is received to its end.
            let last = input(role, &frame(0x80, &[b'a'; 50]));
            let (half, rest) = last.split_at(20);
            rx.extend_from_slice(&[input(role, &begun(kind, &[400])), half.into()].concat());
            assert_eq!(conn.receive(&mut rx), None);
            conn.set_max_message_size(440);
            rx.extend_from_slice(rest);
            assert_eq!(events(&mut conn, &mut rx), [message(kind, 450)]);

            rx.extend_from_slice(&input(role, &begun(kind, &[400])));
            assert_eq!(conn.receive(&mut rx), None);
            conn.set_max_message_size(399);
            rx.extend_from_slice(&input(role, &claim(0x80, 0)));
            let error = ProtocolError::MessageTooBig {
                size: 400,
                limit: 399,
            };
            assert_eq!(events(&mut conn, &mut rx), [Seen::Failed(error)]);
        }
    }
}

// req: L-14
#[test]
fn change_of_the_limit_keeps_the_order_of_a_message_that_was_announced() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            for config in [Config::new(), Config::new().max_message_size(usize::MAX)] {
                let two = [frame(kind, &[b'a'; 300]), frame(kind, b"a")].concat();
                let (mut conn, mut rx) = with_input(role, config, &two);
                assert!(!conn.wants_read(&mut rx));
                conn.set_max_message_size(1000);
                assert!(!conn.wants_read(&mut rx));
                let expected = [message(kind, 300), message(kind, 1)];
                assert_eq!(events(&mut conn, &mut rx), expected);
            }
        }
    }
}

// req: L-14
#[test]
fn limit_that_is_lowered_behind_an_announced_message_holds_for_the_next() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let two = [frame(kind, &[b'a'; 300]), frame(kind, b"aa")].concat();
            let (mut conn, mut rx) = with_input(role, Config::new(), &two);
            assert!(!conn.wants_read(&mut rx));
            conn.set_max_message_size(1);
            let error = ProtocolError::FrameTooBig { size: 2, limit: 1 };
            let expected = [message(kind, 300), Seen::Failed(error)];
            assert_eq!(events(&mut conn, &mut rx), expected);
        }
    }
}
