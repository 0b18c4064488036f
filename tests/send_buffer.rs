//! The send buffer as its callers see it: what was queued comes out once and in order, however it is
//! taken, and a transport that lies is found out.

mod support;

use std::{
    collections::VecDeque,
    io::{Error, ErrorKind, IoSlice, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::{Buf as _, Bytes};
use framewire::{Config, Connection, Event, MessageKind, PreparedMessage, RecvBuf, Role};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES, connection,
    trace::drain,
    wire::{frame, input, read_output},
};

/// What panicked says.
fn panic_message(f: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(f)).err()?;
    panic.downcast_ref::<&str>().map(|text| (*text).into())
}

/// A transport that takes as many bytes as the next number says.
#[derive(Default)]
struct Sink {
    takes: VecDeque<usize>,
    bytes: Vec<u8>,
    calls: usize,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> std::io::Result<usize> {
        self.calls += 1;
        let mut left = self.takes.pop_front().unwrap_or(usize::MAX);
        let before = self.bytes.len();
        for slice in slices {
            let n = left.min(slice.len());
            self.bytes.extend_from_slice(&slice[..n]);
            left -= n;
        }
        Ok(self.bytes.len() - before)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All that is queued, as `chunks_vectored` shows it to this many slices.
fn vectored(conn: &mut Connection, slices: usize) -> Vec<u8> {
    let mut list = vec![IoSlice::new(&[]); slices];
    let tx = conn.send_buf();
    let n = tx.chunks_vectored(&mut list);
    assert!(list[..n].iter().all(|slice| !slice.is_empty()));
    let mut bytes = Vec::new();
    for slice in &list[..n] {
        bytes.extend_from_slice(slice);
    }
    bytes
}

#[derive(Clone, Debug)]
enum SendOp {
    Text(usize),
    Bytes(usize),
    Prepared(usize),
    Ping(usize),
    Parts(usize),
    Advance(usize),
    WriteTo(usize),
    Release,
}

fn send_op() -> impl Strategy<Value = SendOp> {
    let size = prop_oneof![
        0..130_usize,
        0..2000_usize,
        8100..8300_usize,
        0..70_000_usize
    ];
    prop_oneof![
        size.clone().prop_map(SendOp::Text),
        size.clone().prop_map(SendOp::Bytes),
        size.clone().prop_map(SendOp::Prepared),
        (0..=125_usize).prop_map(SendOp::Ping),
        size.clone().prop_map(SendOp::Parts),
        size.clone().prop_map(SendOp::Advance),
        size.prop_map(SendOp::WriteTo),
        Just(SendOp::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-OUT
    #[test]
    fn output_is_what_was_queued_however_it_is_taken(
        ops in vec(send_op(), 0..40),
        server in any::<bool>(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let mut conn = connection(role, Config::new().max_queued(usize::MAX));
        let (mut queued, mut output) = (Vec::new(), Vec::new());
        for (number, op) in ops.into_iter().enumerate() {
            let payload = |size| vec![b'0' + number as u8; size];
            let before = conn.send_buf().remaining();
            match op {
                SendOp::Text(size) => {
                    let text = String::from_utf8(payload(size)).expect("ASCII");
                    conn.send_text(&text).expect("open");
                    queued.push((true, 1, payload(size)));
                }
                SendOp::Bytes(size) => {
                    conn.send_bytes(MessageKind::Binary, payload(size).into()).expect("open");
                    queued.push((true, 2, payload(size)));
                }
                SendOp::Prepared(size) => {
                    conn.send_prepared(&PreparedMessage::binary(&payload(size))).expect("open");
                    queued.push((true, 2, payload(size)));
                }
                SendOp::Ping(size) => {
                    conn.send_ping(&payload(size)).expect("open");
                    queued.push((true, 9, payload(size)));
                }
                SendOp::Parts(size) => {
                    conn.start_message(MessageKind::Text).expect("open");
                    conn.send_part(&payload(size + 1)).expect("open");
                    conn.finish_message(&payload(size)).expect("open");
                    queued.push((false, 1, payload(size + 1)));
                    queued.push((true, 0, payload(size)));
                }
                SendOp::Advance(n) => {
                    let n = n.min(before);
                    output.extend_from_slice(&vectored(&mut conn, 100)[..n]);
                    conn.send_buf().advance(n);
                    prop_assert_eq!(conn.send_buf().remaining(), before - n);
                }
                SendOp::WriteTo(n) => {
                    let mut sink = Sink { takes: [n + 1].into(), ..Sink::default() };
                    let written = conn.send_buf().write_to(&mut sink).expect("no error");
                    prop_assert_eq!(written, sink.bytes.len());
                    prop_assert_eq!(sink.calls, usize::from(before > 0));
                    output.extend(sink.bytes);
                }
                SendOp::Release => {
                    let capacity = conn.send_buf().capacity();
                    conn.send_buf().release();
                    let expected = if before == 0 { 0 } else { capacity };
                    prop_assert_eq!(conn.send_buf().capacity(), expected);
                }
            }
            let all = vectored(&mut conn, 200);
            prop_assert_eq!(all.len(), conn.send_buf().remaining());
            prop_assert_eq!(conn.send_buf().is_empty(), all.is_empty());
            let first = vectored(&mut conn, 1);
            prop_assert!(all.starts_with(&first) && first.is_empty() == all.is_empty());
            let chunk = conn.send_buf().chunk().to_vec();
            prop_assert_eq!(chunk, first);
            prop_assert!(vectored(&mut conn, 0).is_empty());
            let some = vectored(&mut conn, 3);
            prop_assert!(all.starts_with(&some));
        }
        let all = vectored(&mut conn, 200);
        let rest = drain(&mut conn);
        prop_assert_eq!(&all, &rest);
        output.extend(rest);
        let frames: Vec<_> = read_output(role, &output)
            .into_iter()
            .map(|frame| (frame.fin, frame.opcode, frame.payload))
            .collect();
        prop_assert_eq!(frames, queued);
        prop_assert_eq!(conn.stats().bytes_sent, output.len() as u64);
    }
}

/// A server with 20 chained messages, which are more than one vectored write takes.
fn chained() -> (Connection, Vec<u8>) {
    let mut conn = connection(Role::Server, Config::new());
    let mut expected = Vec::new();
    for number in 0..20 {
        let payload = Bytes::from(vec![number; 9000]);
        expected.extend(frame(0x82, &payload));
        conn.send_bytes(MessageKind::Binary, payload).expect("open");
    }
    (conn, expected)
}

// req: A-09
#[test]
fn short_writes_lose_nothing() {
    for takes in [1, 2, 3, 1000, 9003, 9004, 9005, 40_000] {
        let (mut conn, expected) = chained();
        let mut sink = Sink {
            takes: vec![takes; 200_000].into(),
            ..Sink::default()
        };
        while !conn.send_buf().is_empty() {
            let n = conn.send_buf().write_to(&mut sink).expect("no error");
            assert!(n <= takes);
        }
        assert_eq!(sink.bytes, expected);
        assert_eq!(
            conn.send_buf().write_to(&mut sink).expect("nothing to do"),
            0
        );
    }
}

// req: A-09
#[test]
fn transport_that_takes_nothing_is_an_error_and_nothing_is_lost() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.send_text("stays").expect("open");
        let mut sink = Sink {
            takes: [0, 3, 0].into(),
            ..Sink::default()
        };
        let mut results = Vec::new();
        for _ in 0..4 {
            results.push(
                conn.send_buf()
                    .write_to(&mut sink)
                    .map_err(|error| error.kind()),
            );
        }
        let rest = sink.bytes.len() - 3;
        assert_eq!(
            results,
            [
                Err(ErrorKind::WriteZero),
                Ok(3),
                Err(ErrorKind::WriteZero),
                Ok(rest)
            ]
        );
        assert_eq!(read_output(role, &sink.bytes)[0].payload, b"stays");
    }
    let (mut conn, expected) = chained();
    let mut sink = Sink {
        takes: [0].into(),
        ..Sink::default()
    };
    let error = conn
        .send_buf()
        .write_to(&mut sink)
        .expect_err("it takes nothing");
    assert_eq!(error.kind(), ErrorKind::WriteZero);
    assert_eq!(drain(&mut conn), expected);
}

/// The payload of a frame that is lent, and of one that waits before it.
const LENT: &[u8] = &[7; 70_000];

// req: A-09
#[test]
fn lent_payload_is_written_once_and_where_it_lies_and_the_rest_of_it_is_queued() {
    for before in [0, 5] {
        let ahead = frame(0x82, &vec![1; before]);
        let ahead = if before == 0 { &[][..] } else { &ahead };
        let expected = [ahead, &frame(0x82, LENT)].concat();
        let whole = expected.len();
        for takes in [1, 4, 6, 7, 8, 11, 16, 17, 18, 40_000, whole - 1, whole] {
            let mut conn = connection(Role::Server, Config::new());
            if before > 0 {
                conn.send_binary(&vec![1; before]).expect("open");
            }
            let mut sink = Sink {
                takes: [takes].into(),
                ..Sink::default()
            };
            let n = conn.lend_binary(LENT, &mut sink).expect("no error");
            assert_eq!((n, sink.calls), (takes, 1));
            let stats = conn.stats();
            let sent = u64::from(before > 0) + 1;
            assert_eq!((stats.messages_sent, stats.frames_sent), (sent, sent));
            assert_eq!(stats.bytes_sent, whole as u64);
            if takes == whole {
                assert!(conn.send_buf().is_empty());
                assert!(conn.send_buf().capacity() < 1000, "nothing was copied");
            }
            sink.bytes.extend(drain(&mut conn));
            assert!(sink.bytes == expected, "{takes} of {whole} with {before}");
        }
    }
}

#[test]
fn what_can_not_be_lent_is_copied_and_the_same_on_the_wire() {
    for role in ROLES {
        for number in 0..3 {
            let [mut lending, mut copying] = [(); 2].map(|()| {
                let mut conn = connection(role, Config::new());
                if number > 0 {
                    let chained = Bytes::from(vec![3; 9000]);
                    conn.send_bytes(MessageKind::Binary, chained).expect("open");
                }
                if number > 1 {
                    conn.send_text("between").expect("open");
                }
                conn
            });
            let mut sink = Sink::default();
            lending.lend_text("lent", &mut sink).expect("open");
            copying.send_text("lent").expect("open");
            assert_eq!(sink.calls, 1);
            assert_eq!(sink.bytes, drain(&mut copying));
            assert!(lending.send_buf().is_empty());
        }
    }
}

// req: A-09
#[test]
fn message_that_is_lent_to_a_failing_transport_is_queued_as_a_whole() {
    for role in ROLES {
        for failing in [
            Ok(0),
            Err(ErrorKind::WouldBlock),
            Err(ErrorKind::Interrupted),
            Err(ErrorKind::BrokenPipe),
        ] {
            let mut conn = connection(role, Config::new());
            conn.send_text("ahead").expect("open");
            let error = conn
                .lend_binary(LENT, &mut Hostile(failing))
                .expect_err("it fails");
            let kind = failing.err().unwrap_or(ErrorKind::WriteZero);
            assert!(matches!(error, framewire::Error::Io(error) if error.kind() == kind));
            let frames = read_output(role, &drain(&mut conn));
            let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
            assert_eq!(payloads, [b"ahead", LENT]);
        }
    }
}

#[test]
fn message_that_is_refused_is_not_lent() {
    for role in ROLES {
        let mut conn = connection(role, Config::new().max_queued(5));
        conn.send_text("ahead").expect("open");
        let before = conn.send_buf().remaining();
        let mut sink = Sink::default();
        let error = conn.lend_binary(LENT, &mut sink).expect_err("no room");
        assert!(matches!(error, framewire::Error::Send(_)));
        assert_eq!((sink.calls, conn.send_buf().remaining()), (0, before));
        assert_eq!(conn.stats().messages_sent, 1);
    }
}

#[test]
fn pong_that_waits_goes_ahead_of_what_is_lent() {
    let mut conn = connection(Role::Server, Config::new());
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&input(Role::Server, &frame(0x89, b"ping")));
    assert_eq!(conn.receive(&mut rx), Some(Event::Ping(b"ping")));
    let mut sink = Sink::default();
    conn.lend_binary(LENT, &mut sink).expect("open");
    assert!(sink.bytes == [frame(0x8a, b"ping"), frame(0x82, LENT)].concat());
}

/// A transport that fails or lies.
struct Hostile(Result<usize, ErrorKind>);

impl Write for Hostile {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        self.0.map_err(Error::from)
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> std::io::Result<usize> {
        self.0.map_err(Error::from)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// req: A-04, P-MEM
#[test]
fn storage_of_a_queue_that_is_never_empty_does_not_go_on_growing() {
    for role in ROLES {
        for (size, taken) in [(10, 100), (100, 1000), (5000, 100), (100_000, 5000)] {
            let mut conn = connection(role, Config::new().max_queued(100_000));
            let (data, mut peak) = (vec![1; size], 0);
            for _ in 0..3000 {
                while conn.send_binary(&data).is_ok() {}
                let tx = conn.send_buf();
                peak = peak.max(tx.remaining());
                tx.advance(taken);
                let capacity = tx.capacity();
                assert!(capacity <= 4 * peak, "{capacity} for a peak of {peak}");
            }
            assert!(peak < 100_000 + size + 14);
        }
    }
}

// req: A-09
#[test]
fn errors_of_the_transport_leave_everything_queued() {
    for kind in [
        ErrorKind::WouldBlock,
        ErrorKind::Interrupted,
        ErrorKind::BrokenPipe,
    ] {
        let (mut conn, expected) = chained();
        let error = conn
            .send_buf()
            .write_to(&mut Hostile(Err(kind)))
            .expect_err("it fails");
        assert_eq!(error.kind(), kind);
        assert_eq!(drain(&mut conn), expected);
    }
}

#[test]
fn transport_that_claims_to_have_taken_more_than_it_was_given_is_found_out() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.send_text("five.").expect("open");
        let n = conn.send_buf().remaining();
        for lie in [n + 1, usize::MAX] {
            let mut liar = Hostile(Ok(lie));
            assert!(panic_message(|| drop(conn.send_buf().write_to(&mut liar))).is_some());
        }
        assert_eq!(conn.send_buf().remaining(), n);
        if role == Role::Server {
            // A header of ten bytes.
            for lie in [n + 10 + LENT.len() + 1, usize::MAX] {
                let mut liar = Hostile(Ok(lie));
                assert!(panic_message(|| drop(conn.lend_binary(LENT, &mut liar))).is_some());
            }
            assert_eq!(conn.send_buf().remaining(), n);
        }
    }
    // One write is given 16 slices: 8 headers and 8 payloads.
    for lie in [8 * 9004 + 1, 20 * 9004, 20 * 9004 + 1] {
        let (mut conn, _) = chained();
        let mut liar = Hostile(Ok(lie));
        let message = panic_message(|| drop(conn.send_buf().write_to(&mut liar)));
        assert!(message.is_some(), "{lie} of {} bytes", 8 * 9004);
    }
}

#[test]
fn advancing_past_the_end_panics() {
    let sentence = Some("more bytes taken than were queued".into());
    let (mut conn, expected) = chained();
    for past in [expected.len() + 1, usize::MAX] {
        assert_eq!(panic_message(|| conn.send_buf().advance(past)), sentence);
    }
    assert_eq!(drain(&mut conn), expected, "nothing has happened");
    assert_eq!(panic_message(|| conn.send_buf().advance(1)), sentence);
    conn.send_buf().advance(0);
}
