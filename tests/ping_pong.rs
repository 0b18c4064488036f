//! RFC 6455 sections 5.5.2 and 5.5.3: pings, their pongs, and what a flood of them can do.

mod support;

use std::time::Duration;

use bytes::Buf as _;
use framewire::{
    CloseCode, Config, Event, Keepalive, MessageKind, ProtocolError, Role, SendError, State,
};
use support::{
    ROLES, connection,
    pair::{End, Pair},
    trace::{Seen, drain, trace, trace_frames, trace_hex},
    wire::{Frame, frame, hex, input, input_hex, read_output},
};

const SECOND: Duration = Duration::from_secs(1);
/// The bytes of control frames that may wait.
const MAX_CONTROL: usize = 4096;

fn ping(role: Role, payload: &[u8]) -> Vec<u8> {
    input(role, &frame(0x89, payload))
}

/// An end with so many unsent pongs that the next one has to wait, and how many those are. The
/// payload of each is its number.
fn flooded(role: Role, config: Config) -> (End, u32) {
    let mut end = End::new(role, config);
    let mut number = 0_u32;
    loop {
        let queued = end.conn.send_buf().remaining();
        end.take(&ping(role, &number.to_be_bytes()));
        if end.conn.send_buf().remaining() == queued {
            return (end, number);
        }
        number += 1;
    }
}

fn output(end: &mut End) -> Vec<Frame> {
    read_output(end.conn.role(), &drain(&mut end.conn))
}

// req: P-01
#[test]
fn pong_carries_the_payload_of_its_ping_unchanged() {
    let payload: Vec<u8> = (0..125).map(|i| i * 2 + 3).collect();
    for role in ROLES {
        for len in 0..=125 {
            let payload = &payload[..len];
            let trace = trace_frames(role, &frame(0x89, payload));
            assert_eq!(trace.events, [Seen::Ping(payload.into())]);
            let [pong] = &trace.output[..] else {
                panic!("one pong: {trace:?}");
            };
            assert_eq!((pong.opcode, &pong.payload[..]), (10, payload));
            assert_eq!(trace.state, State::Open);
            assert_eq!(trace.stats.pings_received, 1);
        }
        // No text: a control frame's payload is any bytes.
        let trace = trace_hex(role, "89 04 ff00c080");
        assert_eq!(trace.output[0].payload, hex("ff00c080"));
    }
}

// req: P-02
#[test]
fn pong_stands_between_what_was_queued_before_and_after_its_ping() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text("before").unwrap();
        end.take_hex("89 01 61");
        end.conn.send_text("between").unwrap();
        end.take_hex("89 01 62");
        end.conn.send_text("after").unwrap();
        end.writes(&[
            (1, b"before"),
            (10, b"a"),
            (1, b"between"),
            (10, b"b"),
            (1, b"after"),
        ]);
    }
}

// req: P-02
#[test]
fn pong_is_in_the_queue_with_the_event_of_its_ping() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.rx.extend_from_slice(&input_hex(role, "89 01 61"));
        let event = end.conn.receive(&mut end.rx);
        let queued = end.conn.send_buf().remaining();
        assert_eq!(event, Some(Event::Ping(b"a")));
        assert!(queued > 0, "nobody has to ask for it");
        end.writes(&[(10, b"a")]);
        assert_eq!(end.conn.receive(&mut end.rx), None);
        end.writes(&[]);
    }
}

// req: P-02
#[test]
fn pong_never_lands_inside_of_a_frame() {
    let message = "m".repeat(200);
    for role in ROLES {
        for written in 0..200 {
            let mut end = End::new(role, Config::new());
            end.conn.send_text(&message).unwrap();
            let mut bytes = end.conn.send_buf().chunk()[..written].to_vec();
            end.conn.send_buf().advance(written);
            end.take_hex("89 01 61");
            bytes.extend(drain(&mut end.conn));
            let frames = read_output(role, &bytes);
            assert_eq!(frames[0].payload, message.as_bytes());
            assert_eq!((frames[1].opcode, &frames[1].payload[..]), (10, &b"a"[..]));
            assert_eq!(frames.len(), 2);
        }
    }
}

// req: P-02
#[test]
fn pong_goes_between_the_parts_of_our_message() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.start_message(MessageKind::Binary).unwrap();
        end.take_hex("89 01 61");
        end.conn.send_part(b"1").unwrap();
        end.take_hex("89 01 62");
        end.conn.send_ping(b"own").unwrap();
        end.conn.finish_message(b"2").unwrap();
        end.take_hex("89 01 63");
        end.writes(&[
            (10, b"a"),
            (2, b"1"),
            (10, b"b"),
            (9, b"own"),
            (0, b"2"),
            (10, b"c"),
        ]);
    }
}

// req: P-03
#[test]
fn pongs_queue_in_order_while_they_are_few() {
    for role in ROLES {
        let pings: Vec<u8> = (0..10).flat_map(|i| frame(0x89, &[i])).collect();
        let trace = trace_frames(role, &pings);
        let payloads: Vec<_> = trace.output.iter().map(|f| f.payload[0]).collect();
        assert_eq!(payloads, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

        // Also if none can be written meanwhile, and if they are of the largest kind.
        let mut end = End::new(role, Config::new());
        for i in 0..10 {
            end.take(&ping(role, &[i; 125]));
        }
        let frames = output(&mut end);
        assert!(frames.iter().map(|f| f.payload[0]).eq(0..10));
    }
}

// req: P-03
#[test]
fn beyond_4_kib_the_newest_pong_replaces_the_waiting_one() {
    for role in ROLES {
        let (mut end, count) = flooded(role, Config::new());
        let queued = end.conn.send_buf().remaining();
        assert!(
            (MAX_CONTROL / 2..=MAX_CONTROL).contains(&queued),
            "{queued}"
        );
        for number in count..count + 1000 {
            end.take(&ping(role, &number.to_be_bytes()));
            assert_eq!(end.conn.send_buf().remaining(), queued);
        }
        // What was queued leaves in order, then the newest, and nothing of those in between.
        let frames = output(&mut end);
        let numbers: Vec<_> = frames
            .iter()
            .map(|f| u32::from_be_bytes(f.payload[..].try_into().unwrap()))
            .collect();
        let expected: Vec<_> = (0..count).chain([count + 999]).collect();
        assert_eq!(numbers, expected);
        assert!(frames.iter().all(|f| f.opcode == 10));

        // From then on there is room again.
        end.take_hex("89 01 61 89 01 62");
        end.writes(&[(10, b"a"), (10, b"b")]);
    }
}

// req: P-03, P-MEM
#[test]
fn a_million_pings_into_a_blocked_writer_leave_memory_flat() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        let pings = ping(role, &[0x55; 125]).repeat(1000);
        let mut capacities = None;
        for _ in 0..1000 {
            end.rx.extend_from_slice(&pings);
            while let Some(event) = end.conn.receive(&mut end.rx) {
                assert!(matches!(event, Event::Ping(_)));
            }
            assert!(end.conn.send_buf().remaining() <= MAX_CONTROL);
            let now = (end.conn.send_buf().capacity(), end.rx.capacity());
            assert_eq!(*capacities.get_or_insert(now), now);
        }
        assert!(end.conn.send_buf().capacity() <= 4 * MAX_CONTROL);
        assert_eq!(end.conn.stats().pings_received, 1_000_000);
    }
}

// req: P-03
#[test]
fn bound_holds_whatever_else_is_queued_and_however_slowly_it_is_written() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        let message = [7; 5000];
        let (mut pings, mut written) = (0_u32, Vec::new());
        for round in 0_usize..2000 {
            if round.is_multiple_of(7) && end.conn.send_buf().remaining() < 60_000 {
                end.conn.send_binary(&message).unwrap();
            }
            for _ in 0..round % 5 {
                end.take(&ping(role, &pings.to_be_bytes()));
                pings += 1;
            }
            let n = end.conn.send_buf().chunk().len().min(round * 31 % 1300);
            written.extend_from_slice(&end.conn.send_buf().chunk()[..n]);
            end.conn.send_buf().advance(n);
        }
        written.extend(drain(&mut end.conn));
        let frames = read_output(role, &written);
        let numbers: Vec<_> = frames
            .iter()
            .filter(|f| f.opcode == 10)
            .map(|f| u32::from_be_bytes(f.payload[..].try_into().unwrap()))
            .collect();
        // Some may be missing, but none is out of order or twice, and the newest is there.
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert_eq!(numbers.last(), Some(&(pings - 1)));
        let messages = frames.iter().filter(|f| f.opcode == 2);
        assert!(messages.clone().all(|f| f.payload == message));
        assert!(messages.count() > 10);
    }
}

// req: P-02, P-03
#[test]
fn waiting_pong_goes_ahead_of_everything_that_is_queued_later() {
    struct Command(&'static str, fn(&mut End));
    let commands = [
        Command("text", |end| end.conn.send_text("t").unwrap()),
        Command("binary", |end| end.conn.send_binary(b"b").unwrap()),
        Command("ping", |end| end.conn.send_ping(b"p").unwrap()),
        Command("pong", |end| end.conn.send_pong(b"p").unwrap()),
        Command("part", |end| {
            end.conn.start_message(MessageKind::Text).unwrap();
            end.conn.finish_message(b"m").unwrap();
        }),
    ];
    for role in ROLES {
        for Command(what, command) in &commands {
            let (mut end, count) = flooded(role, Config::new());
            end.take(&ping(role, b"newest"));
            command(&mut end);
            let frames = output(&mut end);
            let at = frames.iter().position(|f| f.payload == b"newest");
            assert_eq!(at, Some(count as usize), "ahead of {what}");
            assert_eq!(frames.len(), count as usize + 2, "{what}");
        }
    }
}

// req: P-02, P-03
#[test]
fn waiting_pong_goes_ahead_of_our_close() {
    for role in ROLES {
        let (mut end, count) = flooded(role, Config::new());
        end.take(&ping(role, b"newest"));
        // No Close of the peer has come: its newest ping has to be answered (section 5.5.2).
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        let frames = output(&mut end);
        let last: Vec<_> = frames[count as usize..]
            .iter()
            .map(|frame| (frame.opcode, &frame.payload[..]))
            .collect();
        assert_eq!(last, [(10, &b"newest"[..]), (8, b"\x03\xe8")]);
    }
}

// req: P-02, P-08
#[test]
fn waiting_pong_goes_ahead_of_the_keepalives_ping() {
    let keepalive = Keepalive {
        interval: SECOND,
        timeout: SECOND,
    };
    for role in ROLES {
        let (mut end, count) = flooded(role, Config::new().keepalive(keepalive));
        end.take(&ping(role, b"newest"));
        assert_eq!(end.conn.handle_timeout(Duration::ZERO), Ok(Some(SECOND)));
        end.conn.handle_timeout(SECOND).unwrap();
        let frames = output(&mut end);
        assert_eq!(frames.len(), count as usize + 2);
        assert_eq!(frames[count as usize].payload, b"newest");
        assert_eq!(frames[count as usize + 1].opcode, 9);
    }
}

// req: P-03
#[test]
fn refused_command_leaves_the_waiting_pong_where_it_is() {
    for role in ROLES {
        let (mut end, count) = flooded(role, Config::new().max_queued(100));
        let full = |result| matches!(result, Err(SendError::BufferFull { .. }));
        assert!(full(end.conn.send_text("t")));
        assert!(full(end.conn.send_ping(b"p")));
        end.take(&ping(role, b"newest"));
        let frames = output(&mut end);
        assert_eq!(frames.len(), count as usize + 1);
        assert_eq!(frames[count as usize].payload, b"newest");
    }
}

// req: P-03
#[test]
fn full_queue_of_messages_does_not_keep_a_ping_from_being_answered() {
    for role in ROLES {
        let mut end = End::new(role, Config::new().max_queued(10));
        end.conn.send_text("0123456789").unwrap();
        end.take_hex("89 01 61 89 01 62");
        end.writes(&[(1, b"0123456789"), (10, b"a"), (10, b"b")]);
    }
}

// req: P-01
#[test]
fn pongs_do_not_amplify() {
    for role in ROLES {
        for len in 0..=125 {
            let bytes = ping(role, &vec![1; len]);
            let mut end = End::new(role, Config::new());
            end.take(&bytes);
            let written = drain(&mut end.conn).len();
            match role {
                Role::Server => assert!(written < bytes.len()),
                Role::Client => assert_eq!(written, bytes.len() + 4),
            }
        }
    }
}

// req: P-04
#[test]
fn unsolicited_pong_is_answered_with_nothing() {
    for role in ROLES {
        let trace = trace_hex(role, "8a 01 78  8a 00  81 01 61");
        let expected = [
            Seen::Pong(b"x".to_vec()),
            Seen::Pong(vec![]),
            Seen::Text("a".into()),
        ];
        assert_eq!(trace.events, expected);
        assert_eq!(trace.output, []);
        assert_eq!((trace.state, trace.stats.pongs_received), (State::Open, 2));
    }
}

// req: C-20, P-05
#[test]
fn no_pong_is_sent_once_a_close_was_received_or_the_connection_failed() {
    for role in ROLES {
        let trace = trace_hex(role, "89 01 61  88 00  89 01 62");
        assert_eq!(trace.events, [Seen::Ping(b"a".to_vec()), Seen::Close(None)]);
        let opcodes: Vec<_> = trace.output.iter().map(|f| f.opcode).collect();
        assert_eq!(opcodes, [10, 8]);

        let trace = trace_hex(role, "83 00  89 01 62");
        let opcodes: Vec<_> = trace.output.iter().map(|f| f.opcode).collect();
        assert_eq!(opcodes, [8]);

        // Nor one that had to wait: the peer does not want it any more.
        let (mut end, count) = flooded(role, Config::new());
        end.take(&ping(role, b"newest"));
        end.take_hex("88 02 03e8");
        let frames = output(&mut end);
        assert_eq!(frames.len(), count as usize + 1);
        assert!(frames.iter().all(|f| f.payload != b"newest"));
    }
}

// req: P-06
#[test]
fn ping_inside_of_a_fragmented_message_is_answered_there() {
    for role in ROLES {
        let trace = trace_hex(role, "01 01 61  89 01 78  00 01 62  89 01 79  80 01 63");
        let expected = [
            Seen::Ping(b"x".to_vec()),
            Seen::Ping(b"y".to_vec()),
            Seen::Text("abc".into()),
        ];
        assert_eq!(trace.events, expected);

        let mut end = End::new(role, Config::new());
        end.take_hex("01 01 61  89 01 78");
        end.writes(&[(10, b"x")]);
        end.take_hex("80 01 62");
        assert_eq!(end.seen[1], Seen::Text("ab".into()));
        end.writes(&[]);
    }
}

// req: P-07
#[test]
fn payload_of_126_bytes_is_an_error_of_the_call() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        for size in [126, 127, 65_536] {
            let payload = vec![0; size];
            let error = Err(SendError::ControlTooLong { size });
            assert_eq!(end.conn.send_ping(&payload), error);
            assert_eq!(end.conn.send_pong(&payload), error);
        }
        end.writes(&[]);
        end.conn.send_ping(&[1; 125]).unwrap();
        end.conn.send_pong(&[2; 125]).unwrap();
        end.conn.send_ping(b"").unwrap();
        end.writes(&[(9, &[1; 125]), (10, &[2; 125]), (9, b"")]);
        assert_eq!(end.conn.stats().pings_sent, 2);
    }
}

// req: P-01, P-04
#[test]
fn each_end_answers_the_pings_of_the_other() {
    for role in ROLES {
        let mut pair = Pair::new(Config::new(), Config::new());
        let (us, _) = pair.ends(role);
        us.conn.send_ping(b"1").unwrap();
        us.conn.send_ping(b"").unwrap();
        pair.exchange();
        let (us, peer) = pair.ends(role);
        assert_eq!(us.seen, [Seen::Pong(b"1".to_vec()), Seen::Pong(vec![])]);
        assert_eq!(peer.seen, [Seen::Ping(b"1".to_vec()), Seen::Ping(vec![])]);
    }
}

// req: P-11
#[test]
fn ping_before_any_data_is_answered() {
    for role in ROLES {
        // With nothing else, with a message right behind it, and before the clock was ever told.
        let trace = trace_hex(role, "89 00  81 01 61");
        let expected = [Seen::Ping(vec![]), Seen::Text("a".into())];
        assert_eq!(trace.events, expected);
        assert_eq!(trace.output.len(), 1);
        assert_eq!(trace.output[0].opcode, 10);

        let mut conn = connection(role, Config::new());
        conn.send_ping(b"first").unwrap();
        let frames = read_output(role, &drain(&mut conn));
        assert_eq!(
            (frames[0].opcode, &frames[0].payload[..]),
            (9, &b"first"[..])
        );
    }
}

// req: P-12
#[test]
fn without_automatic_pongs_the_application_alone_answers() {
    let config = Config::new().auto_pong(false);
    for role in ROLES {
        let trace = trace(role, config, &input_hex(role, "89 01 61 01 00 89 00 80 00"));
        let expected = [
            Seen::Ping(b"a".to_vec()),
            Seen::Ping(vec![]),
            Seen::Text(String::new()),
        ];
        assert_eq!(trace.events, expected);
        assert_eq!(trace.output, []);
        assert_eq!(trace.stats.pings_received, 2);

        let mut end = End::new(role, config);
        end.take_hex("89 01 61");
        end.conn.send_pong(b"mine").unwrap();
        end.writes(&[(10, b"mine")]);
    }
}

// req: P-10, C-37
#[test]
fn more_pings_in_a_second_than_allowed_fail_with_1008() {
    let config = Config::new().max_pings_per_second(3);
    for role in ROLES {
        let trace = trace(role, config, &input_hex(role, "8900 8900 8900 8900 8900"));
        let pings = [const { Seen::Ping(vec![]) }; 3];
        assert_eq!(trace.events[..3], pings);
        let error = ProtocolError::TooManyPings { limit: 3 };
        assert_eq!(trace.events[3..], [Seen::Failed(error)]);
        assert_eq!(trace.code_sent(), Some(1008));
        assert_eq!(trace.output.len(), 4, "three pongs and a Close");

        // Off by default.
        let trace = trace_frames(role, &[0x89, 0].repeat(500));
        assert_eq!((trace.events.len(), trace.failure), (500, None));
    }
}

// req: P-10
#[test]
fn every_second_has_its_own_pings() {
    for role in ROLES {
        let mut end = End::new(role, Config::new().max_pings_per_second(3));
        for second in 0..20 {
            end.conn.handle_timeout(SECOND * second).unwrap();
            end.take_hex("8900 8900 8900");
            drain(&mut end.conn);
            let almost = SECOND * second + SECOND - Duration::from_nanos(1);
            end.conn.handle_timeout(almost).unwrap();
            assert_eq!(end.conn.state(), State::Open);
        }
        end.take_hex("8900");
        assert_eq!(end.conn.state(), State::Closing);
    }
}

// req: P-10
#[test]
fn pings_of_a_second_long_past_are_not_counted() {
    for role in ROLES {
        let mut end = End::new(role, Config::new().max_pings_per_second(2));
        // A caller that does what it is told: it receives, tells the time, writes, and waits for
        // input or the deadline, whichever is first.
        let mut next = end.conn.handle_timeout(Duration::ZERO).unwrap();
        for ping in 0..10 {
            let now = SECOND * 5 * (ping / 2) + Duration::from_millis(100);
            while let Some(due) = next.filter(|due| *due <= now) {
                next = end.conn.handle_timeout(due).unwrap();
            }
            end.take_hex("8900");
            drain(&mut end.conn);
            next = end.conn.handle_timeout(now).unwrap();
            assert_eq!(end.conn.failure(), None, "two pings in five seconds");
        }
    }
}
