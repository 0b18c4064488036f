//! The client's opening handshake over time: what is written when, what is left for the connection,
//! deadlines and ends of the transport. That no frame can be queued before the 101 is a matter of
//! types: only a finished handshake hands out a connection.

#[path = "support/http_client.rs"]
mod http_client;
#[path = "support/wire.rs"]
#[allow(dead_code, reason = "every test crate uses a part of it")]
mod wire;

use std::time::Duration;

use bytes::Buf as _;
use framewire::client::{
    Aborted, Backoff, Config, Handshake, HandshakeError, Headers, InvalidHeader, InvalidRequest,
    InvalidUri, Outcome, Request, Response, Uri,
};
use framewire::{Connection, ProtocolError, RecvBuf, Role, TimedOut};
use http_client::{Client, client, status, switching, take};

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);
/// Text "Hello", not masked.
const HELLO: &[u8] = b"\x81\x05Hello";

fn filled(bytes: &[u8]) -> RecvBuf {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(bytes);
    rx
}

#[track_caller]
fn connection(outcome: Option<Outcome>) -> Connection {
    match outcome {
        Some(Outcome::Connected(conn, _)) => conn,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(outcome: Option<Outcome>) -> Response {
    match outcome {
        Some(Outcome::Refused(response)) => response,
        other => panic!("{other:?}"),
    }
}

// req: HC-07
#[test]
fn nothing_but_the_request_is_written_before_the_101() {
    let request = client().encoded();
    let mut handshake = client().handshake();
    let mut rx = RecvBuf::new();
    let response = [status(103).bytes(), switching().bytes()].concat();
    let (last, before) = response.split_last().expect("not empty");
    for &byte in before {
        assert_eq!(handshake.send_buf().chunk(), request);
        rx.extend_from_slice(&[byte]);
        assert!(handshake.receive(&mut rx).is_none());
    }
    rx.extend_from_slice(&[*last]);
    let mut conn = connection(handshake.receive(&mut rx));
    assert!(handshake.send_buf().is_empty());
    conn.send_text("hi").expect("open");
    let output = take(conn.send_buf());
    let frames = output
        .strip_prefix(&request[..])
        .expect("the request first");
    let frames = wire::read_output(Role::Client, frames);
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].opcode, &frames[0].payload[..]), (1, &b"hi"[..]));
}

// req: HC-07
#[test]
fn rest_of_the_request_is_written_before_any_frame() {
    let request = client().encoded();
    for written in 0..=request.len() {
        let mut handshake = client().handshake();
        handshake.send_buf().advance(written);
        // A ping is among what came early.
        let mut rx = filled(&[&switching().bytes()[..], b"\x89\x01p"].concat());
        let mut conn = connection(handshake.receive(&mut rx));
        conn.send_binary(b"data").expect("open");
        assert!(conn.receive(&mut rx).is_some());
        assert_eq!(conn.stats().frames_sent, 2);
        let size = conn.stats().bytes_sent;
        // It leaves in pieces of any size.
        let mut output = Vec::new();
        while conn.send_buf().has_remaining() {
            let n = (1 + written % 7).min(conn.send_buf().chunk().len());
            output.extend_from_slice(&conn.send_buf().chunk()[..n]);
            conn.send_buf().advance(n);
        }
        let (rest, frames) = output.split_at(request.len() - written);
        assert_eq!(rest, &request[written..]);
        assert_eq!(size, frames.len() as u64, "the request is no frame");
        let frames = wire::read_output(Role::Client, frames);
        let frames: Vec<_> = frames.iter().map(|f| (f.opcode, &f.payload[..])).collect();
        assert_eq!(frames, [(2, &b"data"[..]), (10, b"p")]);
    }
}

// req: HC-07
#[test]
fn rest_of_the_request_is_not_written_when_there_is_no_connection() {
    for answer in [
        status(403).bytes(),
        b"\0".to_vec(),
        switching().first("HTTP/1.1 1").bytes(),
    ] {
        let mut handshake = client().handshake();
        handshake.send_buf().advance(10);
        handshake.receive(&mut filled(&answer));
        assert!(handshake.send_buf().is_empty());
        assert_eq!(take(handshake.send_buf()), b"");
    }
}

// req: HC-27
#[test]
fn frames_behind_the_101_are_delivered() {
    for (frames, events, answers) in [
        (HELLO.to_vec(), &["Text(\"Hello\")"][..], &[][..]),
        (
            [HELLO, HELLO, &HELLO[..6]].concat(),
            &["Text(\"Hello\")"; 2],
            &[],
        ),
        // Ping, empty; half of a Close.
        (
            [HELLO, b"\x89\x00\x88"].concat(),
            &["Text(\"Hello\")", "Ping([])"],
            &[10],
        ),
        // Close, empty.
        (b"\x88\x00".to_vec(), &["Close(None)"], &[8]),
        // "Hel" and "lo".
        (b"\x01\x03Hel\x80\x02lo".to_vec(), &["Text(\"Hello\")"], &[]),
    ] {
        let opened = client().connected(&[&switching().bytes()[..], &frames].concat());
        assert_eq!(opened.events, events);
        let written = wire::read_output(Role::Client, &opened.output);
        let opcodes: Vec<_> = written.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, answers);
    }
}

// req: HC-27
#[test]
fn second_response_behind_the_101_fails_as_a_frame() {
    let bytes = [switching().bytes(), status(200).bytes()].concat();
    let opened = client().connected(&bytes);
    // 'H' is a frame without FIN, with RSV1 and opcode 8.
    assert_eq!(opened.events.len(), 1);
    assert!(opened.events[0].starts_with("Failed("), "{opened:?}");
    let close = wire::read_output(Role::Client, &opened.output);
    assert_eq!(close[0].opcode, 8);
    assert_eq!(close[0].payload[..2], 1002_u16.to_be_bytes());
}

#[test]
fn configuration_of_the_connection_is_used() {
    let config = framewire::Config::new().max_message_size(4);
    let client = Client {
        config: Config::new().connection(config),
        ..client()
    };
    let mut rx = filled(&[&switching().bytes()[..], HELLO].concat());
    let mut conn = connection(client.handshake().receive(&mut rx));
    assert_eq!(conn.role(), Role::Client);
    assert!(conn.receive(&mut rx).is_some());
    let failure = conn.failure().expect("the message is too big");
    assert!(matches!(failure, ProtocolError::MessageTooBig { .. }));
}

// req: HC-26
#[test]
fn deadline_is_not_moved_by_bytes() {
    let slow = [status(103).bytes().repeat(8), status(200).bytes()].concat();
    for bytes in [
        switching().and("x", "y".repeat(100)).bytes(),
        slow,
        [&b"HTTP/1.1 "[..], &b"a".repeat(101)].concat(),
    ] {
        let mut handshake = client().handshake();
        let mut rx = RecvBuf::new();
        let start = 100 * SECOND;
        let due = start + 10 * SECOND;
        assert_eq!(handshake.handle_timeout(start), Ok(Some(due)));
        for (n, &byte) in (1..).zip(&bytes[..100]) {
            rx.extend_from_slice(&[byte]);
            assert!(handshake.receive(&mut rx).is_none());
            let verdict = handshake.handle_timeout(start + n * TENTH);
            if n == 100 {
                assert_eq!(verdict, Err(TimedOut::Handshake));
            } else {
                assert_eq!(verdict, Ok(Some(due)));
            }
        }
        // It is over, whatever comes.
        rx.extend_from_slice(&bytes[100..]);
        rx.extend_from_slice(&switching().bytes());
        assert!(handshake.receive(&mut rx).is_none());
        assert!(rx.is_empty() && handshake.send_buf().is_empty());
        assert_eq!(handshake.handle_timeout(due + 99 * SECOND), Ok(None));
        assert_eq!(handshake.receive_eof(), Ok(()));
    }
}

// req: HC-26, HC-29
#[test]
fn refusal_that_drips_is_reported_at_the_deadline_with_what_came() {
    let length = status(503)
        .and("Content-Length", "1000")
        .and("Retry-After", "9");
    let chunked = status(503).and("Transfer-Encoding", "chunked");
    for (head, body, kept) in [
        (status(503), "x".repeat(99), 99),
        (length, "x".repeat(99), 99),
        (chunked, "a\r\nxxxxxxxxxx\r\n".repeat(7), 66),
    ] {
        let mut handshake = client().handshake();
        let mut rx = RecvBuf::new();
        assert_eq!(handshake.handle_timeout(SECOND), Ok(Some(11 * SECOND)));
        rx.extend_from_slice(&head.bytes());
        assert!(handshake.receive(&mut rx).is_none());
        for (n, &byte) in (1..100).zip(body.as_bytes()) {
            rx.extend_from_slice(&[byte]);
            assert!(handshake.receive(&mut rx).is_none());
            let due = Ok(Some(11 * SECOND));
            assert_eq!(handshake.handle_timeout(SECOND + n * TENTH), due);
        }
        let late = 12 * SECOND;
        assert_eq!(handshake.handle_timeout(late), Ok(Some(late)), "at once");
        assert_eq!(handshake.handle_timeout(late), Ok(Some(late)), "and again");
        let response = refusal(handshake.receive(&mut rx));
        assert_eq!((response.status(), response.body().len()), (503, kept));
        assert!(handshake.receive(&mut rx).is_none());
        assert_eq!(handshake.handle_timeout(late), Ok(None));
    }
}

// req: HC-26
#[test]
fn deadline_is_configured_and_starts_with_the_first_look_at_the_clock() {
    let begin = |timeout: Duration| {
        let config = Config::new().timeout(timeout);
        Client { config, ..client() }.handshake()
    };
    let mut handshake = begin(3 * SECOND);
    assert_eq!(handshake.handle_timeout(SECOND), Ok(Some(4 * SECOND)));
    assert_eq!(
        handshake.handle_timeout(Duration::ZERO),
        Ok(Some(4 * SECOND))
    );
    let early = 4 * SECOND - Duration::from_nanos(1);
    assert_eq!(handshake.handle_timeout(early), Ok(Some(4 * SECOND)));
    assert_eq!(
        handshake.handle_timeout(4 * SECOND),
        Err(TimedOut::Handshake)
    );

    let mut handshake = begin(3 * SECOND);
    assert!(handshake.receive(&mut filled(b"HTTP/1.1 1")).is_none());
    assert_eq!(handshake.handle_timeout(90 * SECOND), Ok(Some(93 * SECOND)));

    let mut handshake = begin(Duration::MAX);
    assert_eq!(handshake.handle_timeout(SECOND), Ok(None));
    assert_eq!(handshake.handle_timeout(Duration::MAX), Ok(None));
    let mut rx = filled(&switching().bytes());
    assert!(handshake.receive(&mut rx).is_some());

    let mut handshake = begin(Duration::ZERO);
    assert_eq!(handshake.handle_timeout(SECOND), Err(TimedOut::Handshake));
    assert!(handshake.send_buf().is_empty());
}

// req: HC-26
#[test]
fn deadline_ends_with_the_outcome() {
    for bytes in [switching().bytes(), status(204).bytes(), b"\0".to_vec()] {
        let mut handshake = client().handshake();
        assert_eq!(
            handshake.handle_timeout(Duration::ZERO),
            Ok(Some(10 * SECOND))
        );
        assert!(handshake.receive(&mut filled(&bytes)).is_some());
        for now in [SECOND, 10 * SECOND, Duration::MAX] {
            assert_eq!(handshake.handle_timeout(now), Ok(None));
        }
    }
}

// req: HC-30
#[test]
fn end_of_transport_before_the_answer_is_complete_aborts() {
    let bytes = [status(103).bytes(), switching().bytes()].concat();
    for end in 0..bytes.len() {
        let mut handshake = client().handshake();
        let mut rx = filled(&bytes[..end]);
        assert!(handshake.receive(&mut rx).is_none());
        let aborted = handshake.receive_eof().expect_err("incomplete");
        assert_eq!(aborted.received, end);
        assert!(aborted.to_string().contains(&end.to_string()));
        assert!(handshake.send_buf().is_empty());
        // Nothing comes of it later, and it is told once.
        rx.extend_from_slice(&bytes[end..]);
        assert!(handshake.receive(&mut rx).is_none());
        assert!(rx.is_empty());
        rx.release();
        assert_eq!(rx.capacity(), 0);
        assert_eq!(handshake.receive_eof(), Ok(()));
    }
}

// req: HC-30
#[test]
fn end_of_transport_behind_the_head_of_a_refusal_completes_it() {
    let mut handshake = client().handshake();
    let mut rx = filled(&[&status(403).bytes()[..], b"no"].concat());
    assert!(handshake.receive(&mut rx).is_none());
    assert_eq!(handshake.receive_eof(), Ok(()));
    assert_eq!(handshake.receive_eof(), Ok(()), "again");
    let response = refusal(handshake.receive(&mut rx));
    assert_eq!(response.body(), b"no");
    assert!(handshake.receive(&mut rx).is_none());
}

// req: HC-30
#[test]
fn end_of_transport_behind_the_101_is_the_business_of_the_connection() {
    let mut handshake = client().handshake();
    let mut rx = filled(&[&switching().bytes()[..], HELLO].concat());
    let mut conn = connection(handshake.receive(&mut rx));
    assert_eq!(handshake.receive_eof(), Ok(()));
    assert!(handshake.receive(&mut rx).is_none());
    assert!(conn.receive(&mut rx).is_some(), "it was left alone");
    assert!(conn.receive_eof().is_err());
}

#[test]
fn buffer_of_an_attempt_that_failed_serves_the_next_one() {
    let mut rx = RecvBuf::new();
    for _ in 0..3 {
        for (bytes, clear) in [(&b"HTTP/1.1\0rest"[..], false), (b"HTTP/1.1 10", true)] {
            let mut handshake = client().handshake();
            rx.extend_from_slice(bytes);
            let failed = handshake.receive(&mut rx).is_some();
            assert_eq!(failed, !clear);
            assert_eq!(handshake.receive_eof().is_err(), clear);
            if clear {
                rx.clear();
            }
        }
        rx.extend_from_slice(&switching().bytes());
        connection(client().handshake().receive(&mut rx));
    }
}

#[test]
#[should_panic(expected = "another RecvBuf")]
fn another_buffer_in_the_middle_of_the_head_is_found() {
    let mut handshake = client().handshake();
    assert!(handshake.receive(&mut filled(b"HTTP")).is_none());
    handshake.receive(&mut filled(b"HTTP/1.1 204 x\r\n\r\n"));
}

#[test]
#[should_panic(expected = "another RecvBuf")]
fn another_buffer_behind_an_interim_response_is_found() {
    let mut handshake = client().handshake();
    assert!(
        handshake
            .receive(&mut filled(&status(103).bytes()))
            .is_none()
    );
    handshake.receive(&mut filled(&switching().bytes()));
}

#[test]
#[should_panic(expected = "another RecvBuf")]
fn another_buffer_in_the_middle_of_a_body_is_found() {
    let mut handshake = client().handshake();
    assert!(
        handshake
            .receive(&mut filled(&status(403).bytes()))
            .is_none()
    );
    handshake.receive(&mut filled(b"body"));
}

#[test]
fn everything_can_be_sent_to_another_thread() {
    fn is_send<T: Send + Sync + 'static>() {}
    is_send::<Aborted>();
    is_send::<Backoff>();
    is_send::<Config>();
    is_send::<Handshake>();
    is_send::<HandshakeError>();
    is_send::<Headers<'static>>();
    is_send::<InvalidHeader>();
    is_send::<InvalidRequest>();
    is_send::<InvalidUri>();
    is_send::<Outcome>();
    is_send::<Request>();
    is_send::<Response>();
    is_send::<Uri>();
}
