//! RFC 6455 section 6.1: what commands queue, what they refuse, and that a refused command leaves
//! the connection as it was.

mod support;

use bytes::{Buf as _, Bytes};
use framewire::{
    CloseCode, Config, Connection, MessageKind, PreparedMessage, RecvBuf, Role, SendError,
    Sendable as _, State,
};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES, connection,
    pair::Pair,
    trace::{Seen, drain, feed},
    wire::{Frame, frame, input, read_output},
};

const TEXT: MessageKind = MessageKind::Text;
const BINARY: MessageKind = MessageKind::Binary;
/// The borders of the forms of a length, and of what is shared instead of copied.
const SIZES: [usize; 10] = [0, 1, 125, 126, 127, 8191, 8192, 65_535, 65_536, 100_000];

/// FIN, opcode and payload of everything that is queued.
fn output(conn: &mut Connection) -> Vec<(bool, u8, Vec<u8>)> {
    let role = conn.role();
    let plain = |frame: Frame| (frame.fin, frame.opcode, frame.payload);
    let bytes = drain(conn);
    read_output(role, &bytes).into_iter().map(plain).collect()
}

/// Lets the connection receive this frame.
fn receive(conn: &mut Connection, frame: &[u8]) {
    let wire = input(conn.role(), frame);
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&wire);
    assert!(conn.receive(&mut rx).is_some());
}

type Command = fn(&mut Connection) -> Result<(), SendError>;

/// Every command that queues a frame of a whole message.
const MESSAGES: [Command; 5] = [
    |conn| conn.send_text("refused"),
    |conn| conn.send_binary(b"refused"),
    |conn| conn.send_bytes(BINARY, Bytes::from_static(&[7; 10_000])),
    |conn| conn.send_prepared(&PreparedMessage::text("refused")),
    |conn| conn.send_prepared(&PreparedMessage::binary(&[7; 10_000])),
];
const PARTS: [Command; 2] = [
    |conn| conn.send_part(b"refused"),
    |conn| conn.finish_message(b"refused"),
];
const CONTROLS: [Command; 2] = [
    |conn| conn.send_ping(b"refused"),
    |conn| conn.send_pong(b"refused"),
];
const START: Command = |conn| conn.start_message(BINARY);
const CLOSE: Command = |conn| conn.close(CloseCode::NORMAL, "refused");
const FAIL: Command = |conn| conn.fail(CloseCode::POLICY_VIOLATION, "refused");

/// A state, the command that is refused in it and why, and what is done afterwards.
struct Case {
    bound: usize,
    before: fn(&mut Connection),
    refused: Vec<Command>,
    error: fn(&Connection) -> SendError,
    after: fn(&mut Connection),
}

/// One frame of each kind, as far as they are legal.
fn one_of_each(conn: &mut Connection) {
    let _ = conn.send_text("after");
    let _ = conn.finish_message(b"after");
    let _ = conn.send_binary(b"after");
    let _ = conn.send_ping(b"after");
    let _ = conn.close(CloseCode::NORMAL, "after");
}

fn flood(conn: &mut Connection) {
    for number in 0..100_u8 {
        receive(conn, &frame(0x89, &[number; 100]));
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // Closed: by us, by the peer, by a failure, by the end of the transport.
    let closed: [fn(&mut Connection); 5] = [
        |conn| conn.close(CloseCode::NORMAL, "").expect("open"),
        |conn| receive(conn, &frame(0x88, b"")),
        |conn| receive(conn, b"\xff\x00"),
        |conn| assert!(conn.receive_eof().is_err()),
        |conn| conn.fail(CloseCode::INTERNAL_ERROR, "").expect("open"),
    ];
    for before in closed {
        let mut refused = [&MESSAGES[..], &PARTS, &CONTROLS, &[START, CLOSE]].concat();
        refused.push(|conn| conn.send_ping(&[0; 126]));
        refused.push(|conn| conn.send_bytes(TEXT, Bytes::from_static(b"\xff")));
        cases.push(Case {
            bound: 1 << 20,
            before,
            refused,
            error: |_| SendError::Closed,
            after: one_of_each,
        });
    }
    cases.push(Case {
        bound: 1 << 20,
        before: |conn| receive(conn, &frame(0x88, b"")),
        refused: vec![FAIL],
        error: |_| SendError::Closed,
        after: one_of_each,
    });
    // The bound is reached, with and without a pong that waits; and in the middle of a message.
    let full: [fn(&mut Connection); 2] = [
        |conn| conn.send_binary(&[1; 2000]).expect("the queue is empty"),
        |conn| {
            conn.send_binary(&[1; 2000]).expect("the queue is empty");
            flood(conn);
        },
    ];
    for before in full {
        cases.push(Case {
            bound: 2000,
            before,
            refused: [&MESSAGES[..], &CONTROLS].concat(),
            error: |conn| SendError::BufferFull {
                queued: conn.stats().bytes_sent as usize,
            },
            after: |conn| {
                flood(conn);
                one_of_each(conn);
            },
        });
    }
    cases.push(Case {
        bound: 2000,
        before: |conn| {
            conn.start_message(TEXT).expect("open");
            conn.send_part(&[b'a'; 2000]).expect("the queue is empty");
        },
        refused: [&PARTS[..], &CONTROLS].concat(),
        error: |conn| SendError::BufferFull {
            queued: conn.stats().bytes_sent as usize,
        },
        after: one_of_each,
    });
    // A message in parts, begun or not.
    let begun: [fn(&mut Connection); 2] = [
        |conn| conn.start_message(TEXT).expect("open"),
        |conn| {
            conn.start_message(TEXT).expect("open");
            conn.send_part("ü".as_bytes()).expect("open");
        },
    ];
    for before in begun {
        cases.push(Case {
            bound: 1 << 20,
            before,
            refused: [&MESSAGES[..], &[START]].concat(),
            error: |_| SendError::MessageInProgress,
            after: one_of_each,
        });
        cases.push(Case {
            bound: 1 << 20,
            before,
            refused: vec![
                |conn| conn.send_part(b"a\xff"),
                |conn| conn.finish_message(b"\xc3("),
                |conn| conn.finish_message(b"\xc3"),
            ],
            error: |_| SendError::InvalidUtf8,
            after: one_of_each,
        });
    }
    cases.push(Case {
        bound: 1 << 20,
        before: |_| (),
        refused: PARTS.to_vec(),
        error: |_| SendError::NoMessage,
        after: one_of_each,
    });
    let invalid_text: [fn(&mut Connection); 2] = [|_| (), flood];
    for before in invalid_text {
        cases.push(Case {
            bound: 1 << 20,
            before,
            refused: vec![
                |conn| conn.send_bytes(TEXT, Bytes::from_static(b"a\xff")),
                |conn| conn.send_bytes(TEXT, vec![0x80; 10_000].into()),
            ],
            error: |_| SendError::InvalidUtf8,
            after: |conn| {
                receive(conn, &frame(0x89, b"the newest"));
                one_of_each(conn);
            },
        });
    }
    cases.push(Case {
        bound: 1 << 20,
        before: flood,
        refused: vec![|conn| conn.send_ping(&[0; 126]), |conn| {
            conn.send_pong(&[0; 126])
        }],
        error: |_| SendError::ControlTooLong { size: 126 },
        after: one_of_each,
    });
    cases.push(Case {
        bound: 1 << 20,
        before: flood,
        refused: vec![
            |conn| conn.close(CloseCode::NORMAL, &"a".repeat(124)),
            |conn| conn.fail(CloseCode::NORMAL, &"ü".repeat(62)),
        ],
        error: |_| SendError::ReasonTooLong { size: 124 },
        after: one_of_each,
    });
    cases.push(Case {
        bound: 1 << 20,
        before: flood,
        refused: vec![|conn| conn.close(CloseCode::ABNORMAL, ""), |conn| {
            conn.fail(CloseCode::ABNORMAL, "")
        }],
        error: |_| SendError::CodeNotSendable(CloseCode::ABNORMAL),
        after: one_of_each,
    });
    cases
}

// req: A-01, L-07
#[test]
fn refused_command_leaves_the_connection_as_it_was() {
    for role in ROLES {
        for (number, case) in cases().into_iter().enumerate() {
            let config = Config::new().max_queued(case.bound);
            let run = |refused: Option<Command>| {
                let mut conn = connection(role, config);
                (case.before)(&mut conn);
                if let Some(refused) = refused {
                    let expected = (case.error)(&conn);
                    for _ in 0..2 {
                        assert_eq!(refused(&mut conn), Err(expected), "{role:?}, case {number}");
                    }
                }
                let stats = conn.stats();
                (case.after)(&mut conn);
                (stats, conn.state(), drain(&mut conn), conn.stats())
            };
            let expected = run(None);
            for (i, refused) in case.refused.iter().enumerate() {
                assert_eq!(
                    run(Some(*refused)),
                    expected,
                    "{role:?}, case {number}, command {i}"
                );
            }
        }
    }
}

// req: L-07
#[test]
fn message_is_refused_when_the_bound_is_reached_and_not_before() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        let bound = 1 << 20;
        // One byte below the bound: a message of any size passes.
        let overhead = if role == Role::Client { 14 } else { 10 };
        conn.send_binary(&vec![1; bound - overhead - 1])
            .expect("the queue is empty");
        assert_eq!(conn.send_buf().remaining(), bound - 1);
        conn.send_binary(&vec![2; 3 << 20])
            .expect("below the bound");
        let peak = conn.send_buf().remaining();
        assert_eq!(peak, bound - 1 + overhead + (3 << 20));

        for refused in MESSAGES.iter().chain(&CONTROLS) {
            assert_eq!(
                refused(&mut conn),
                Err(SendError::BufferFull { queued: peak })
            );
        }
        // Exactly at the bound it is refused, one byte below it passes.
        conn.send_buf().advance(peak - bound);
        assert_eq!(
            conn.send_text("a"),
            Err(SendError::BufferFull { queued: bound })
        );
        conn.send_buf().advance(1);
        conn.send_text("a").expect("below the bound");
    }
}

// req: L-07
#[test]
fn bound_of_zero_lets_one_message_wait() {
    for role in ROLES {
        let mut conn = connection(role, Config::new().max_queued(0));
        for text in ["first", "second"] {
            conn.send_text(text).expect("the queue is empty");
            let queued = conn.send_buf().remaining();
            assert_eq!(
                conn.send_text("refused"),
                Err(SendError::BufferFull { queued })
            );
            assert_eq!(output(&mut conn), [(true, 1, text.into())]);
        }
        let unbounded = Config::new().max_queued(usize::MAX);
        let mut conn = connection(role, unbounded);
        for _ in 0..5 {
            conn.send_binary(&vec![0; 1 << 20]).expect("no bound");
        }
    }
}

// req: L-07, L-08
#[test]
fn automatic_replies_pass_a_full_queue_and_stay_within_their_reserve() {
    for role in ROLES {
        let mut conn = connection(role, Config::new().max_queued(1000));
        conn.send_binary(&[1; 5000]).expect("the queue is empty");
        let full = conn.send_buf().remaining();
        receive(&mut conn, &frame(0x89, b"first"));
        assert!(conn.send_buf().remaining() > full, "a pong is queued");
        for _ in 0..10 {
            flood(&mut conn);
        }
        let pongs = conn.send_buf().remaining() - full;
        assert!((3500..=4096).contains(&pongs), "{pongs} bytes");
        conn.close(CloseCode::NORMAL, &"r".repeat(123))
            .expect("passes always");
        let reserve = conn.send_buf().remaining() - full;
        // The pong that waited goes ahead of the Close frame.
        assert!(reserve <= 4096 + 131 + 131, "{reserve} bytes");
        let frames = output(&mut conn);
        assert_eq!(frames[1], (true, 10, b"first".into()));
        assert_eq!(frames.last().map(|frame| frame.1), Some(8));
    }
}

// req: L-08
#[test]
fn reply_is_hardly_larger_than_what_it_answers() {
    for role in ROLES {
        for size in 0..=125 {
            let ping = input(role, &frame(0x89, &vec![b'p'; size]));
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            let (_, pong) = feed(&mut conn, &mut rx, [&ping[..]]);
            assert!(pong.len() <= ping.len() + 4);
            assert!(role == Role::Client || pong.len() < ping.len());
        }
    }
}

#[test]
fn message_is_sent_in_the_parts_it_is_given_in() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.start_message(BINARY).expect("open");
        conn.send_part(b"\xff").expect("bytes of any kind");
        conn.send_part(b"").expect("queues nothing");
        conn.send_ping(b"between").expect("open");
        conn.send_part(&[7; 70_000]).expect("open");
        conn.finish_message(b"").expect("open");
        conn.start_message(TEXT).expect("the other one is finished");
        conn.send_part(b"").expect("queues nothing");
        conn.finish_message(b"whole").expect("open");
        conn.start_message(TEXT).expect("finished");
        conn.finish_message(b"").expect("empty");
        conn.send_text("after").expect("finished");
        let stats = conn.stats();
        assert_eq!((stats.messages_sent, stats.frames_sent), (4, 7));
        let expected = [
            (false, 2, vec![0xff]),
            (true, 9, b"between".into()),
            (false, 0, vec![7; 70_000]),
            (true, 0, vec![]),
            (true, 1, b"whole".into()),
            (true, 1, vec![]),
            (true, 1, b"after".into()),
        ];
        assert_eq!(output(&mut conn), expected);
    }
}

// req: T-06
#[test]
fn part_of_a_text_may_end_inside_a_character_and_a_wrong_one_can_be_replaced() {
    let text = "aé€🦀z";
    for role in ROLES {
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            let mut conn = connection(role, Config::new());
            conn.start_message(TEXT).expect("open");
            conn.send_part(left).expect("a part of the text");
            assert_eq!(conn.send_part(b"\xff"), Err(SendError::InvalidUtf8));
            assert_eq!(conn.finish_message(b"\xf0"), Err(SendError::InvalidUtf8));
            if !text.is_char_boundary(cut) {
                assert_eq!(conn.finish_message(b""), Err(SendError::InvalidUtf8));
                assert_eq!(conn.send_part(b"z"), Err(SendError::InvalidUtf8));
            }
            assert_eq!(conn.send_text("no"), Err(SendError::MessageInProgress));
            conn.finish_message(right).expect("the rest of the text");
            let mut joined = output(&mut conn);
            joined.retain(|frame| !frame.2.is_empty());
            assert_eq!(
                joined
                    .iter()
                    .flat_map(|frame| frame.2.clone())
                    .collect::<Vec<_>>(),
                text.as_bytes()
            );
            conn.send_text("again").expect("finished");
        }
    }
}

#[test]
fn close_ends_a_message_that_is_sent_in_parts() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.start_message(TEXT).expect("open");
        conn.send_part(b"half").expect("open");
        conn.close(CloseCode::GOING_AWAY, "")
            .expect("between the parts");
        for refused in PARTS {
            assert_eq!(refused(&mut conn), Err(SendError::Closed));
        }
        assert_eq!(conn.state(), State::Closing);
        assert_eq!(
            output(&mut conn),
            [
                (false, 1, b"half".into()),
                (true, 8, 1001_u16.to_be_bytes().into())
            ]
        );
    }
}

// req: P-OUT
#[test]
fn every_command_writes_the_same_frame_for_the_same_message() {
    for role in ROLES {
        for size in SIZES {
            let text = "t".repeat(size);
            let data = text.as_bytes();
            let prepared = [PreparedMessage::text(&text), PreparedMessage::binary(data)];
            for number in 0..6 {
                // The same seed: clients draw the same key.
                let mut conn = connection(role, Config::new());
                let sent = match number {
                    0 => conn.send_text(&text),
                    1 => conn.send_bytes(TEXT, text.clone().into()),
                    2 => conn.send_prepared(&prepared[0]),
                    3 => conn.send_binary(data),
                    4 => conn.send_bytes(BINARY, data.to_vec().into()),
                    _ => conn.send_prepared(&prepared[1]),
                };
                assert_eq!(sent, Ok(()));
                let stats = conn.stats();
                let bytes = drain(&mut conn);
                assert_eq!((stats.messages_sent, stats.frames_sent), (1, 1));
                assert_eq!(stats.bytes_sent, bytes.len() as u64);
                let opcode = if number < 3 { 1 } else { 2 };
                let frames = read_output(role, &bytes);
                assert_eq!((frames.len(), frames[0].opcode), (1, opcode));
                assert_eq!(frames[0].payload, data);
                if role == Role::Server {
                    assert_eq!(bytes, frame(0x80 | opcode, data));
                }
            }
            for (message, kind) in prepared.iter().zip([TEXT, BINARY]) {
                assert_eq!((message.kind(), message.payload()), (kind, data));
            }
        }
    }
}

#[test]
fn owned_messages_are_shared_from_the_same_size_on() {
    for size in SIZES {
        let shared = size >= 8192;
        let header = frame(0x82, &vec![0; size]).len() - size;
        for kind in [TEXT, BINARY] {
            let mut conn = connection(Role::Server, Config::new());
            let data = vec![b'o'; size];
            let place = data.as_ptr();
            let queued = match kind {
                TEXT => String::from_utf8(data).expect("ASCII").queue(&mut conn),
                BINARY => data.queue(&mut conn),
            };
            assert_eq!(queued, Ok(()));
            conn.send_buf().advance(header);
            let there = size > 0 && conn.send_buf().chunk().as_ptr() == place;
            assert_eq!(there, shared, "{kind:?} of {size} bytes");
        }
    }
}

#[test]
fn large_payloads_of_a_server_are_shared_and_never_copied() {
    for size in SIZES {
        let shared = size >= 8192;
        let data = Bytes::from(vec![1; size]);
        let header = frame(0x82, &data).len() - size;
        let message = PreparedMessage::binary(&data);
        for _ in 0..2 {
            let mut conn = connection(Role::Server, Config::new());
            conn.send_bytes(BINARY, data.clone()).expect("open");
            conn.send_buf().advance(header);
            assert_eq!(conn.send_buf().chunk(), &data);
            assert!(size == 0 || (conn.send_buf().chunk().as_ptr() == data.as_ptr()) == shared);
            assert!(!shared || conn.send_buf().capacity() < 1000);

            let mut conn = connection(Role::Server, Config::new());
            conn.send_prepared(&message).expect("open");
            let tx = conn.send_buf();
            let whole = &tx.chunk()[header..];
            assert_eq!(whole, &data);
            // The header counts as well here.
            if size + header < 8192 {
                assert!(size == 0 || whole.as_ptr() != message.payload().as_ptr());
            } else {
                assert_eq!(whole.as_ptr(), message.payload().as_ptr());
                assert_eq!(tx.capacity(), 0);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-RT, P-OUT
    #[test]
    fn what_one_end_sends_the_other_receives(
        messages in vec((0..6_u8, prop_oneof![0..130_usize, 8000..9000_usize, 0..70_000_usize], 1..5_usize), 0..12),
        client in any::<bool>(),
    ) {
        let role = if client { Role::Client } else { Role::Server };
        let config = Config::new().max_queued(usize::MAX);
        let mut pair = Pair::new(config, config);
        let (sender, receiver) = pair.ends(role);
        let mut expected = Vec::new();
        for (number, (command, size, parts)) in messages.into_iter().enumerate() {
            let mut text = "é€🦀z".repeat(size / 10);
            text.push_str(&number.to_string());
            let data = text.as_bytes();
            let conn = &mut sender.conn;
            let result = match command {
                0 => conn.send_text(&text),
                1 => conn.send_binary(data),
                2 => conn.send_bytes(TEXT, data.to_vec().into()),
                3 => conn.send_prepared(&PreparedMessage::binary(data)),
                4 => conn.send_ping(&data[..data.len().min(125)]),
                _ => {
                    conn.start_message(TEXT).expect("open");
                    for part in data.chunks(data.len() / parts + 1) {
                        conn.send_part(part).expect("text");
                    }
                    conn.finish_message(b"")
                }
            };
            prop_assert_eq!(result, Ok(()));
            expected.push(match command {
                0 | 2 | 5 => Seen::Text(text.clone()),
                4 => Seen::Ping(data[..data.len().min(125)].into()),
                _ => Seen::Binary(data.into()),
            });
        }
        let bytes = drain(&mut sender.conn);
        read_output(role, &bytes);
        for piece in support::trace::random_pieces(&bytes, bytes.len() as u64) {
            receiver.take(piece);
        }
        prop_assert_eq!(&receiver.seen, &expected);
    }
}
