//! The connection as a state machine: when sending is possible, what a failure leaves, and that
//! neither time nor randomness nor the way of calling comes from anywhere but the caller.

mod support;

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use framewire::frame::HeaderError;
use framewire::{
    Accepts, CloseCode, Config, Connection, Event, Keepalive, MessageKind, PreparedMessage,
    ProtocolError, RecvBuf, Role, SendError, State, TimedOut,
};
use support::trace::{Seen, drain, feed, trace};
use support::wire::{close, frame, hex, input, input_hex, read_output};
use support::{ROLES, connection};

/// A breach of the rules that input can show: how the connection is configured, the frames that
/// break the rule as this role receives them, and the error that has to come of it.
struct Breach {
    config: Config,
    frames: Vec<u8>,
    error: ProtocolError,
    code: u16,
}

/// One breach for every error; too slow a message is no matter of input alone.
fn breaches(role: Role) -> Vec<Breach> {
    let any = Config::new();
    let header = |error: HeaderError| ProtocolError::from(error);
    let frame_too_big = ProtocolError::FrameTooBig {
        size: 11,
        limit: 10,
    };
    let message_too_big = ProtocolError::MessageTooBig {
        size: 11,
        limit: 10,
    };
    let fragments = ProtocolError::TooManyFragments { limit: 2 };
    let pings = ProtocolError::TooManyPings { limit: 1 };
    let close_code = ProtocolError::InvalidCloseCode(CloseCode::NO_STATUS);
    let mut breaches: Vec<_> = [
        (any, "83 00", header(HeaderError::ReservedOpcode(3)), 1002),
        (any, "09 00", header(HeaderError::FragmentedControl), 1002),
        (
            any,
            "8a 7e 007e",
            header(HeaderError::OversizedControl),
            1002,
        ),
        (
            any,
            "81 7e 0005",
            header(HeaderError::NonMinimalLength(5)),
            1002,
        ),
        (
            any,
            "82 7f 8000000000000000",
            header(HeaderError::LengthOver63Bits(1 << 63)),
            1002,
        ),
        (
            any,
            "a1 00",
            ProtocolError::ReservedBits { bits: 0x20 },
            1002,
        ),
        (any, "80 01 61", ProtocolError::UnexpectedContinuation, 1002),
        (
            any,
            "01 01 61  81 01 62",
            ProtocolError::InterleavedMessage,
            1002,
        ),
        (any, "88 01 03", ProtocolError::TruncatedCloseCode, 1002),
        (any, "88 02 03ed", close_code, 1002),
        (any, "81 01 ff", ProtocolError::InvalidUtf8, 1007),
        (any, "01 01 c3  80 01 28", ProtocolError::InvalidUtf8, 1007),
        (any, "88 03 03e8ff", ProtocolError::InvalidUtf8, 1007),
        (any.max_frame_size(10), "82 0b", frame_too_big, 1009),
        (
            any.max_message_size(10),
            "02 06 616161616161  80 05",
            message_too_big,
            1009,
        ),
        (any.max_fragments(2), "02 00  00 00  80 00", fragments, 1008),
        (any.max_pings_per_second(1), "89 00", pings, 1008),
        (
            any.accepts(Accepts::Binary),
            "81 01 61",
            ProtocolError::UnacceptableText,
            1003,
        ),
        (
            any.accepts(Accepts::Text),
            "82 01 61",
            ProtocolError::UnacceptableBinary,
            1003,
        ),
    ]
    .map(|(config, digits, error, code)| Breach {
        config,
        frames: input_hex(role, digits),
        error,
        code,
    })
    .into();
    let (digits, error) = match role {
        Role::Server => ("81 01 61", ProtocolError::UnmaskedFrame),
        Role::Client => ("81 81 00000000 61", ProtocolError::MaskedFrame),
    };
    breaches.push(Breach {
        config: any,
        frames: hex(digits),
        error,
        code: 1002,
    });
    breaches
}

/// A ping and a message that every configuration of [`breaches`] accepts.
fn preface(role: Role, breach: &Breach) -> (Vec<u8>, [Seen; 2]) {
    let ping = Seen::Ping(b"p".to_vec());
    if breach.error == ProtocolError::UnacceptableBinary {
        let message = Seen::Text("before".into());
        (
            input_hex(role, "89 01 70  81 06 6265666f7265"),
            [ping, message],
        )
    } else {
        let message = Seen::Binary(b"before".to_vec());
        (
            input_hex(role, "89 01 70  82 06 6265666f7265"),
            [ping, message],
        )
    }
}

/// A Close frame and messages, all of them legal.
fn aftermath(role: Role) -> Vec<u8> {
    let frames = [
        close(1000, "bye"),
        frame(0x81, b"after"),
        frame(0x89, b"after"),
    ];
    input(role, &frames.concat())
}

// req: F-27, A-05
#[test]
fn every_failure_comes_behind_what_was_before_and_ahead_of_nothing() {
    for role in ROLES {
        for breach in breaches(role) {
            let (before, events) = preface(role, &breach);
            let bytes = [before, breach.frames.clone(), aftermath(role)].concat();
            let trace = trace(role, breach.config, &bytes);
            trace.assert_failed(&events, breach.error);
            assert_eq!(trace.code_sent(), Some(breach.code), "{:?}", breach.error);
            assert_eq!(breach.error.close_code().get(), breach.code);
            assert_eq!(trace.stats.messages_received, 1);
            assert_eq!(trace.stats.close_code_received, None);
        }
    }
}

/// Everything that an application can ask to be sent; no part of it may be queued.
fn assert_nothing_can_be_sent(conn: &mut Connection) {
    let queued = conn.send_buf().remaining();
    let bytes = Bytes::from_static(b"x");
    for refused in [
        conn.send_text("x"),
        conn.send_binary(b"x"),
        conn.send_bytes(MessageKind::Text, bytes),
        conn.send_prepared(&PreparedMessage::text("x")),
        conn.start_message(MessageKind::Text),
        conn.send_part(b"x"),
        conn.finish_message(b"x"),
        conn.send_ping(b"x"),
        conn.send_pong(b"x"),
        conn.close(CloseCode::NORMAL, "x"),
    ] {
        assert_eq!(refused, Err(SendError::Closed));
    }
    assert_eq!(conn.send_buf().remaining(), queued);
}

// req: A-05, F-27
#[test]
fn a_failure_is_terminal_and_stays_readable() {
    for role in ROLES {
        for Breach {
            config,
            frames,
            error,
            ..
        } in breaches(role)
        {
            let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
            // The one ping that is allowed where more are a breach.
            rx.extend_from_slice(&input_hex(role, "89 00"));
            assert_eq!(conn.receive(&mut rx), Some(Event::Ping(b"")));
            rx.extend_from_slice(&[&frames[..], &aftermath(role)].concat());
            let event = conn.receive(&mut rx).map(Seen::from);
            assert_eq!(event, Some(Seen::Failed(error)));
            assert_terminal(&mut conn, &mut rx, error);
        }
    }
}

/// Asserts that nothing more happens to a connection that has reported `error`.
fn assert_terminal(conn: &mut Connection, rx: &mut RecvBuf, error: ProtocolError) {
    let role = conn.role();
    assert_eq!(conn.state(), State::Closing);
    for _ in 0..3 {
        assert_eq!(conn.receive(rx), None);
        assert_eq!(conn.receive_part(rx), None);
        assert!(conn.wants_read(rx));
        assert!(rx.is_empty(), "what is behind a failure is discarded");
        assert_nothing_can_be_sent(conn);
        assert_eq!(
            conn.fail(CloseCode::INTERNAL_ERROR, ""),
            Err(SendError::Closed)
        );
        assert_eq!(conn.failure(), Some(error));
        rx.extend_from_slice(&aftermath(role));
    }
    assert_eq!(conn.receive(rx), None);
    let closed = conn.closed();
    let output = read_output(role, &drain(conn));
    let closes = output.iter().filter(|frame| frame.opcode == 8);
    assert_eq!(closes.count(), 1);
    assert_eq!(output.last().map(|frame| frame.opcode), Some(8));

    assert_eq!(conn.state(), State::Closed);
    assert!(
        conn.receive_eof().is_ok(),
        "a failure has ended the connection before"
    );
    assert_eq!(conn.handle_timeout(Duration::from_secs(1000)), Ok(None));
    assert_eq!(conn.receive(rx), None);
    assert_nothing_can_be_sent(conn);
    assert!(conn.send_buf().is_empty());
    assert_eq!((conn.state(), conn.closed()), (State::Closed, closed));
    assert_eq!(conn.failure(), Some(error));
}

// req: A-05
#[test]
fn a_message_that_is_too_slow_is_a_failure_as_any_other() {
    let timeout = Duration::from_secs(5);
    let config = Config::new().message_timeout(timeout);
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        rx.extend_from_slice(&input_hex(role, "01 01 61"));
        assert_eq!(conn.receive(&mut rx), None);
        assert_eq!(conn.handle_timeout(Duration::ZERO), Ok(Some(timeout)));
        rx.extend_from_slice(&input_hex(role, "00 01 62"));
        assert_eq!(conn.receive(&mut rx), None);
        assert!(conn.handle_timeout(timeout).is_ok());
        let error = ProtocolError::MessageTooSlow;
        rx.extend_from_slice(&input_hex(role, "80 01 63"));
        let event = conn.receive(&mut rx).map(Seen::from);
        assert_eq!(event, Some(Seen::Failed(error)));
        assert_terminal(&mut conn, &mut rx, error);
    }
}

// req: A-05
#[test]
fn a_breach_after_our_close_is_reported_but_not_answered_again() {
    for role in ROLES {
        for Breach {
            config,
            frames,
            error,
            ..
        } in breaches(role)
        {
            if matches!(error, ProtocolError::TooManyPings { .. }) {
                continue;
            }
            let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
            conn.close(CloseCode::GOING_AWAY, "").expect("open");
            let (events, output) = feed(&mut conn, &mut rx, [&frames[..], &aftermath(role)]);
            assert_eq!(events, [Seen::Failed(error)]);
            let output = read_output(role, &output);
            assert_eq!(output.len(), 1);
            assert_eq!(output[0].payload, 1001u16.to_be_bytes());
            assert_eq!((conn.failure(), conn.state()), (Some(error), State::Closed));
        }
    }
}

// req: A-01
#[test]
fn nothing_can_be_sent_once_the_connection_is_not_open_any_more() {
    type Leave = fn(&mut Connection, &mut RecvBuf);
    let ways: [(&str, Leave); 8] = [
        ("our Close", |conn, _| {
            conn.close(CloseCode::NORMAL, "").expect("open");
        }),
        ("our Close inside a message", |conn, _| {
            conn.start_message(MessageKind::Text).expect("open");
            conn.send_part(b"part").expect("in progress");
            conn.close(CloseCode::NORMAL, "").expect("open");
        }),
        ("the peer's Close", |conn, rx| {
            rx.extend_from_slice(&input_hex(conn.role(), "88 00"));
            assert_eq!(conn.receive(rx), Some(Event::Close(None)));
        }),
        ("both", |conn, rx| {
            conn.close(CloseCode::NORMAL, "").expect("open");
            rx.extend_from_slice(&input_hex(conn.role(), "88 00"));
            assert_eq!(conn.receive(rx), Some(Event::Close(None)));
        }),
        ("a failure of the peer", |conn, rx| {
            rx.extend_from_slice(&input_hex(conn.role(), "83 00"));
            assert!(conn.receive(rx).is_some());
        }),
        ("a failure of the application", |conn, _| {
            conn.fail(CloseCode::INTERNAL_ERROR, "").expect("open");
        }),
        ("the end of the transport", |conn, _| {
            assert!(conn.receive_eof().is_err());
        }),
        ("a deadline", |conn, _| {
            conn.send_text("never written").expect("open");
            let due = conn.handle_timeout(Duration::ZERO).expect("nothing is due");
            let due = due.expect("something is queued");
            assert_eq!(conn.handle_timeout(due), Err(TimedOut::Write));
        }),
    ];
    for role in ROLES {
        for (way, leave) in ways {
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            conn.send_text("open").expect("open");
            drain(&mut conn);
            assert_eq!(conn.state(), State::Open);
            leave(&mut conn, &mut rx);
            assert_ne!(conn.state(), State::Open, "{way}");
            assert_nothing_can_be_sent(&mut conn);
            // Neither after everything has been written.
            read_output(role, &drain(&mut conn));
            assert_nothing_can_be_sent(&mut conn);
            assert!(conn.send_buf().is_empty(), "{way}");
        }
    }
}

// req: A-02
#[test]
fn messages_of_every_form_are_delivered_in_order() {
    for role in ROLES {
        let (mut frames, mut expected) = (Vec::new(), Vec::new());
        for i in 0..500u16 {
            let payload = i.to_string().into_bytes();
            let (first, rest) = payload.split_at(1);
            match i % 5 {
                0 => frames.extend(frame(0x82, &payload)),
                1 => frames.extend([frame(0x02, first), frame(0x80, rest)].concat()),
                2 => frames.extend([frame(0x01, first), frame(0x80, rest)].concat()),
                3 => frames.extend(frame(0x89, &payload)),
                _ => frames.extend(frame(0x81, &payload)),
            }
            expected.push(match i % 5 {
                0 | 1 => Seen::Binary(payload),
                3 => Seen::Ping(payload),
                _ => Seen::Text(i.to_string()),
            });
        }
        let trace = trace(role, Config::new(), &input(role, &frames));
        assert_eq!(trace.events, expected);
    }
}

/// What a script of times makes of a connection, with `origin` taken off the answers.
fn deadlines(role: Role, origin: Duration) -> (Vec<String>, Vec<u8>) {
    let config = Config::new()
        .keepalive(Keepalive::default())
        .message_timeout(Duration::from_secs(90))
        .close_timeout(Duration::from_secs(7));
    let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
    let (mut answers, mut wire) = (Vec::new(), Vec::new());
    for (seconds, bytes) in [
        (0, ""),
        (20, "01 01 61"),
        (40, "8a 00"),
        (65, ""),
        (66, "00 01 62"),
        (92, ""),
        (110, "88 00"),
        (111, ""),
        (120, ""),
    ] {
        rx.extend_from_slice(&input_hex(role, bytes));
        while let Some(event) = conn.receive(&mut rx) {
            answers.push(format!("{event:?}"));
        }
        let answer = conn.handle_timeout(origin + Duration::from_secs(seconds));
        let answer = answer.map(|due| due.map(|due| due.checked_sub(origin)));
        answers.push(format!("{answer:?}, {:?}", conn.state()));
        wire.extend(drain(&mut conn));
    }
    answers.push(format!("{:?}", conn.closed()));
    (answers, wire)
}

// req: A-10
#[test]
fn only_the_times_that_are_told_matter_and_not_their_origin() {
    for role in ROLES {
        let (answers, wire) = deadlines(role, Duration::ZERO);
        // Two keepalive pings and a Close frame: the script is worth comparing.
        let opcodes = read_output(role, &wire).into_iter().map(|f| f.opcode);
        assert_eq!(opcodes.collect::<Vec<_>>(), [9, 9, 8]);
        for origin in [1, 1_000_000, 10_000_000_000] {
            let origin = Duration::from_secs(origin);
            let (others, other_wire) = deadlines(role, origin);
            assert_eq!((others, other_wire), (answers.clone(), wire.clone()));
        }
    }
}

// req: A-10
#[test]
fn without_being_told_the_time_no_deadline_passes() {
    let now = Duration::ZERO;
    let config = Config::new()
        .keepalive(Keepalive {
            interval: now,
            timeout: now,
        })
        .message_timeout(now)
        .close_timeout(now)
        .write_timeout(now);
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        for _ in 0..1000 {
            conn.send_text("queued").expect("open");
            rx.extend_from_slice(&input_hex(role, "01 01 61"));
            assert_eq!(conn.receive(&mut rx), None);
            rx.extend_from_slice(&input_hex(role, "80 01 62"));
            assert_eq!(conn.receive(&mut rx), Some(Event::Text("ab")));
        }
        conn.close(CloseCode::NORMAL, "").expect("open");
        assert_eq!(conn.state(), State::Closing);
        assert!(conn.handle_timeout(now).is_err(), "now it is told");
    }
}

// req: A-11
#[test]
fn the_seed_alone_decides_the_keys() {
    let script = |mut conn: Connection| {
        conn.send_text("Hello").expect("open");
        conn.send_ping(b"").expect("open");
        conn.close(CloseCode::NORMAL, "bye").expect("open");
        drain(&mut conn)
    };
    let client = |seed| script(Connection::client_with_seed(Config::new(), [seed; 32]));
    assert_eq!(client(1), client(1));
    assert_ne!(client(1), client(2));
    let default = || script(Connection::client(Config::new()));
    assert_ne!(default(), default());
    let server = || script(Connection::server(Config::new()));
    assert_eq!(server(), server());
}
