//! Deadlines with a clock that is a variable: closing, writing, slow messages and silent peers. The
//! RFC leaves them to implementations (sections 7.1.1 and 7.2.1 come near).

mod support;

use std::time::Duration;

use bytes::Buf as _;
use framewire::{
    CloseCode, ClosedBy, Config, Keepalive, ProtocolError, Role, SendError, State, TimedOut,
};
use support::{
    ROLES,
    pair::End,
    trace::{Seen, drain},
};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keepalive() -> Config {
    Config::new().keepalive(Keepalive {
        interval: seconds(25),
        timeout: seconds(20),
    })
}

/// A deadline has ended the connection: nothing is queued, nothing can be sent or received.
#[track_caller]
fn assert_over(end: &mut End, code: CloseCode, by: ClosedBy) {
    assert!(end.conn.is_closed());
    assert_eq!(end.conn.state(), State::Closed);
    assert_eq!(end.conn.send_buf().remaining(), 0);
    let closed = end.conn.closed().expect("it is over");
    assert_eq!((closed.code, closed.clean, closed.by), (code, false, by));
    let results = [
        end.conn.send_text("t"),
        end.conn.send_ping(b""),
        end.conn.send_pong(b""),
        end.conn.close(CloseCode::NORMAL, ""),
    ];
    assert_eq!(results, [Err(SendError::Closed); 4]);
    let seen = end.seen.len();
    end.take_hex("81 01 61 89 00 88 00");
    assert_eq!(end.seen.len(), seen);
    assert!(end.rx.is_empty());
    end.writes(&[]);
    // It is not reported twice.
    assert_eq!(end.conn.handle_timeout(Duration::MAX), Ok(None));
    assert!(end.conn.is_closed());
}

/// The next deadline is `due`, and nothing happens before it.
#[track_caller]
fn assert_waits_until(end: &mut End, now: Duration, due: Duration) {
    let before = (end.conn.state(), end.conn.send_buf().remaining());
    for now in [now, now, (now + due) / 2, due - NANOSECOND] {
        assert_eq!(end.conn.handle_timeout(now), Ok(Some(due)), "at {now:?}");
    }
    let after = (end.conn.state(), end.conn.send_buf().remaining());
    assert_eq!(after, before);
}

// req: C-26, C-32
#[test]
fn peer_that_does_not_answer_our_close_is_given_up_after_10_seconds() {
    for role in ROLES {
        for start in [Duration::ZERO, seconds(1_000_000) + NANOSECOND] {
            let mut end = End::new(role, Config::new());
            assert_eq!(end.conn.handle_timeout(start), Ok(None));
            end.conn.close(CloseCode::NORMAL, "").unwrap();
            end.writes(&[(8, b"\x03\xe8")]);
            let due = start + seconds(10);
            assert_waits_until(&mut end, start, due);
            // What it sends meanwhile is received, but wins it no time.
            end.take_hex("81 01 61");
            assert_waits_until(&mut end, due - SECOND, due);
            assert_eq!(end.seen, [Seen::Text("a".into())]);
            assert_eq!(end.conn.handle_timeout(due), Err(TimedOut::Close));
            assert_over(&mut end, CloseCode::ABNORMAL, ClosedBy::Us);
        }
    }
}

// req: C-32
#[test]
fn time_for_closing_is_configured() {
    for role in ROLES {
        for timeout in [Duration::ZERO, Duration::from_millis(1), seconds(60)] {
            let mut end = End::new(role, Config::new().close_timeout(timeout));
            end.conn.close(CloseCode::NORMAL, "").unwrap();
            drain(&mut end.conn);
            if !timeout.is_zero() {
                assert_waits_until(&mut end, SECOND, SECOND + timeout);
            }
            let result = end.conn.handle_timeout(SECOND + timeout);
            assert_eq!(result, Err(TimedOut::Close));
        }
    }
}

// req: C-22
#[test]
fn client_waits_for_the_servers_end_of_the_transport_for_10_seconds_at_most() {
    for began in [false, true] {
        let mut client = End::new(Role::Client, Config::new());
        if began {
            client.conn.close(CloseCode::NORMAL, "").unwrap();
        }
        client.take_hex("88 02 03e8");
        drain(&mut client.conn);
        assert_waits_until(&mut client, SECOND, seconds(11));
        // Nothing is lost by it: both Close frames have passed.
        assert_eq!(client.conn.handle_timeout(seconds(11)), Ok(None));
        assert!(client.conn.is_closed());
        let closed = client.conn.closed().expect("it is over");
        assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
    }
}

// req: C-21
#[test]
fn server_has_no_deadline_behind_both_closes() {
    let mut server = End::new(Role::Server, Config::new());
    server.take_hex("88 02 03e8");
    drain(&mut server.conn);
    assert_eq!(server.conn.handle_timeout(SECOND), Ok(None));
    assert!(server.conn.is_closed());
}

/// What makes a connection close, by name.
struct Cause(&'static str, fn(&mut End));

const CAUSES: [Cause; 5] = [
    Cause("our Close", |end| {
        end.conn.close(CloseCode::NORMAL, "").unwrap();
    }),
    Cause("the peer's Close", |end| end.take_hex("88 02 03e8")),
    Cause("the peer's failure", |end| end.take_hex("83 00")),
    Cause("our failure", |end| {
        end.conn.fail(CloseCode::INTERNAL_ERROR, "").unwrap();
    }),
    Cause("the end of the transport", |end| {
        end.conn.receive_eof().unwrap_err();
    }),
];

// req: C-33
#[test]
fn closing_ends_at_its_deadline_although_the_writer_is_blocked() {
    for role in ROLES {
        for Cause(why, close) in CAUSES {
            let mut end = End::new(role, Config::new());
            end.conn.send_text(&"x".repeat(100_000)).unwrap();
            close(&mut end);
            assert_eq!(end.conn.state(), State::Closing, "{why}");
            assert_waits_until(&mut end, SECOND, seconds(11));
            let result = end.conn.handle_timeout(seconds(11));
            assert_eq!(result, Err(TimedOut::Close), "{why}");
            assert!(end.conn.is_closed());
            assert_eq!(end.conn.send_buf().remaining(), 0, "{why}");
            // The storage that held it is free.
            end.conn.send_buf().release();
            assert_eq!(end.conn.send_buf().capacity(), 0, "{why}");
        }
    }
}

// req: C-33, L-07
#[test]
fn progress_of_the_writer_does_not_prolong_closing() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text(&"x".repeat(1000)).unwrap();
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        for second in 0..10 {
            let next = end.conn.handle_timeout(seconds(second));
            assert_eq!(next, Ok(Some(seconds(10))));
            end.conn.send_buf().advance(1);
        }
        let result = end.conn.handle_timeout(seconds(10));
        assert_eq!(result, Err(TimedOut::Close));
        assert_over(&mut end, CloseCode::ABNORMAL, ClosedBy::Us);
    }
}

// req: C-25
#[test]
fn end_is_not_clean_if_our_answer_never_left() {
    for role in ROLES {
        for written in [0, 1, 3] {
            let mut end = End::new(role, Config::new());
            end.take_hex("88 02 03e9");
            end.conn.send_buf().advance(written);
            end.conn.handle_timeout(Duration::ZERO).unwrap();
            let result = end.conn.handle_timeout(seconds(10));
            assert_eq!(result, Err(TimedOut::Close));
            // A Close went one way only. Its code is known all the same.
            assert_over(&mut end, CloseCode::GOING_AWAY, ClosedBy::Peer);
        }
    }
}

// req: C-32
#[test]
fn failure_by_the_application_comes_too_late_behind_a_deadline() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.conn.handle_timeout(Duration::ZERO).unwrap();
        end.conn.handle_timeout(seconds(10)).unwrap_err();
        let result = end.conn.fail(CloseCode::INTERNAL_ERROR, "");
        assert_eq!(result, Err(SendError::Closed));
    }
}

// req: C-26, C-33, L-07
#[test]
fn peer_that_reads_nothing_is_given_up_after_30_seconds() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        assert_eq!(end.conn.handle_timeout(Duration::ZERO), Ok(None));
        end.conn.send_text("hello").unwrap();
        assert_waits_until(&mut end, SECOND, seconds(31));
        // Neither what it sends nor what we queue is progress.
        end.take_hex("81 01 61 89 00");
        end.conn.send_text("more").unwrap();
        assert_waits_until(&mut end, seconds(20), seconds(31));
        let result = end.conn.handle_timeout(seconds(31));
        assert_eq!(result, Err(TimedOut::Write));
        assert_over(&mut end, CloseCode::ABNORMAL, ClosedBy::Us);
    }
}

// req: C-33, L-07
#[test]
fn every_byte_that_is_taken_gives_the_peer_another_30_seconds() {
    for role in ROLES {
        let mut end = End::new(role, Config::new().write_timeout(seconds(5)));
        end.conn.send_text("0123456789").unwrap();
        let mut now = Duration::ZERO;
        for _ in 0..10 {
            assert_waits_until(&mut end, now, now + seconds(5));
            now += seconds(4);
            end.conn.send_buf().advance(1);
        }
        drain(&mut end.conn);
        assert_eq!(end.conn.handle_timeout(now), Ok(None));
        // What is queued later has a time of its own.
        now += seconds(100);
        assert_eq!(end.conn.handle_timeout(now), Ok(None));
        end.conn.send_text("later").unwrap();
        assert_waits_until(&mut end, now, now + seconds(5));
        // Also if the queue was empty in between, without the clock having been told.
        drain(&mut end.conn);
        end.conn.send_text("again").unwrap();
        now += seconds(3);
        assert_waits_until(&mut end, now, now + seconds(5));
        let result = end.conn.handle_timeout(now + seconds(5));
        assert_eq!(result, Err(TimedOut::Write));
    }
}

#[test]
fn bytes_that_were_queued_stay_counted_when_a_deadline_drops_them() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text("hello").unwrap();
        end.conn.handle_timeout(Duration::ZERO).unwrap();
        let before = end.conn.stats();
        let result = end.conn.handle_timeout(seconds(30));
        assert_eq!(result, Err(TimedOut::Write));
        let after = end.conn.stats();
        assert_eq!(after.frames_sent, before.frames_sent);
        assert_eq!(after.bytes_sent, before.bytes_sent);
    }
}

// req: C-37
#[test]
fn message_that_takes_too_long_fails_with_1008() {
    let config = Config::new().message_timeout(seconds(5));
    for role in ROLES {
        // In the payload of its first frame, and between two frames.
        for digits in ["01 04 6162", "01 02 6162"] {
            let mut end = End::new(role, config);
            assert_eq!(end.conn.handle_timeout(Duration::ZERO), Ok(None));
            end.take_hex(digits);
            assert_waits_until(&mut end, SECOND, seconds(6));
            // A ping in between is no part of it.
            if digits.starts_with("01 02") {
                end.take_hex("89 00 00 01 63");
                drain(&mut end.conn);
                end.seen.clear();
            }
            assert_waits_until(&mut end, seconds(4), seconds(6));
            end.conn.handle_timeout(seconds(6)).unwrap();
            assert_eq!(end.conn.state(), State::Closing);
            assert!(!end.conn.wants_read(&mut end.rx), "an event is there");
            end.take_hex("80 01 64");
            end.take_hex("88 02 03e8");
            let error = ProtocolError::MessageTooSlow;
            assert_eq!(end.seen, [Seen::Failed(error)]);
            assert_eq!(end.conn.failure(), Some(error));
            end.writes(&[(8, b"\x03\xf0")]);
            assert_eq!(end.conn.state(), State::Closed);
            let closed = end.conn.closed().expect("it failed");
            assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
        }
    }
}

// req: C-37
#[test]
fn every_message_has_its_own_time() {
    let config = Config::new().message_timeout(seconds(5));
    for role in ROLES {
        let mut end = End::new(role, config);
        let mut now = Duration::ZERO;
        for _ in 0..5 {
            // The end of one message and the beginning of the next come at once.
            end.take_hex("01 01 61");
            assert_waits_until(&mut end, now, now + seconds(5));
            now += seconds(4);
            end.take_hex("80 01 62");
        }
        assert_eq!(
            end.conn.handle_timeout(now),
            Ok(None),
            "none is in progress"
        );
        assert_eq!(end.seen.len(), 5);
        end.take_hex("02 01 61");
        assert_waits_until(&mut end, now, now + seconds(5));
        end.take_hex("80 00 02 00");
        now += seconds(4);
        assert_waits_until(&mut end, now, now + seconds(5));
        // No limit by default.
        let mut end = End::new(role, Config::new());
        end.take_hex("01 01 61");
        assert_eq!(end.conn.handle_timeout(Duration::ZERO), Ok(None));
        assert_eq!(end.conn.handle_timeout(seconds(1 << 40)), Ok(None));
        // Once we are closing, that deadline is the one that counts.
        let mut end = End::new(role, config);
        end.take_hex("01 01 61");
        assert_waits_until(&mut end, SECOND, seconds(6));
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        assert_waits_until(&mut end, SECOND, seconds(11));
    }
}

// req: C-32, P-08
#[test]
fn nearest_deadline_is_the_one_that_is_told() {
    for role in ROLES {
        let config = keepalive().message_timeout(seconds(7));
        let mut end = End::new(role, config.write_timeout(seconds(5)));
        assert_waits_until(&mut end, Duration::ZERO, seconds(25));
        end.take_hex("01 01 61");
        assert_waits_until(&mut end, SECOND, seconds(8));
        end.conn.send_text("a").unwrap();
        assert_waits_until(&mut end, seconds(2), seconds(7));
        drain(&mut end.conn);
        assert_waits_until(&mut end, seconds(3), seconds(8));
        end.take_hex("80 00");
        assert_waits_until(&mut end, seconds(4), seconds(29));
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        assert_waits_until(&mut end, seconds(5), seconds(10));
        drain(&mut end.conn);
        assert_waits_until(&mut end, seconds(6), seconds(15));
    }
}

// req: C-32, P-08
#[test]
fn time_that_goes_backwards_or_to_its_end_does_no_harm() {
    let config = keepalive()
        .message_timeout(seconds(5))
        .max_pings_per_second(5);
    for role in ROLES {
        for Cause(why, close) in CAUSES {
            let mut end = End::new(role, config);
            end.conn.send_text("a").unwrap();
            end.take_hex("01 01 61");
            let due = end.conn.handle_timeout(seconds(100)).unwrap();
            assert_eq!(due, Some(seconds(105)));
            for now in [seconds(50), Duration::ZERO, NANOSECOND] {
                assert_eq!(end.conn.handle_timeout(now), Ok(due));
            }
            assert_eq!(end.conn.state(), State::Open);

            close(&mut end);
            let due = end.conn.handle_timeout(seconds(100)).unwrap();
            assert_eq!(due, Some(seconds(110)), "{why}");
            assert_eq!(end.conn.handle_timeout(Duration::ZERO), Ok(due));
            let result = end.conn.handle_timeout(Duration::MAX);
            assert_eq!(result, Err(TimedOut::Close));
        }
        // Times at the end of the scale arm nothing, and overflow nothing.
        let mut end = End::new(role, config);
        end.conn.send_text("a").unwrap();
        end.take_hex("01 01 61");
        end.conn.handle_timeout(Duration::MAX).unwrap();
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.conn.handle_timeout(Duration::MAX).unwrap();
        end.conn
            .handle_timeout(Duration::from_nanos(u64::MAX))
            .unwrap();
        assert_eq!(end.conn.state(), State::Closing);
    }
}
