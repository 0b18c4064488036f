//! Pings to a silent peer (RFC 6455 section 5.5.2), with a clock that is a variable.

mod support;

use std::time::Duration;

use bytes::Buf as _;
use framewire::{CloseCode, ClosedBy, Config, Keepalive, SendError, State, TimedOut};
use support::{
    ROLES,
    pair::{End, Pair},
    trace::drain,
    wire::{frame, input, read_output},
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

// req: P-08
#[test]
fn silent_peer_is_pinged_once_and_then_given_up_with_1006() {
    for role in ROLES {
        let mut end = End::new(role, keepalive());
        assert_waits_until(&mut end, SECOND, seconds(26));
        end.writes(&[]);
        let next = end.conn.handle_timeout(seconds(26));
        assert_eq!(next, Ok(Some(seconds(46))));
        let frames = read_output(role, &drain(&mut end.conn));
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].opcode, 9);
        assert_eq!(end.conn.stats().pings_sent, 1);
        assert_waits_until(&mut end, seconds(26), seconds(46));
        let result = end.conn.handle_timeout(seconds(46));
        assert_eq!(result, Err(TimedOut::Keepalive));
        assert!(end.conn.is_closed());
        let closed = end.conn.closed().expect("it is over");
        assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
        assert_eq!(closed.by, ClosedBy::Us);
        assert_eq!(end.conn.send_text("t"), Err(SendError::Closed));
        end.writes(&[]);

        // Off by default.
        let mut end = End::new(role, Config::new());
        assert_eq!(end.conn.handle_timeout(SECOND), Ok(None));
        assert_eq!(end.conn.handle_timeout(seconds(1 << 40)), Ok(None));
        end.writes(&[]);
    }
}

// req: P-08
#[test]
fn every_received_byte_is_a_sign_of_life() {
    // A message, pings and pongs, whole; and a byte of each kind of frame, of which nothing else
    // follows.
    let signs = [
        "81 01 61",
        "89 00",
        "8a 00",
        "8a 01 78",
        "02 05 61",
        "02",
        "81",
        "89",
        "8a",
        "88",
        "8a 05 6162",
    ];
    for role in ROLES {
        for digits in signs {
            let mut end = End::new(role, keepalive());
            assert_waits_until(&mut end, Duration::ZERO, seconds(25));
            end.take_hex(digits);
            drain(&mut end.conn);
            let next = end.conn.handle_timeout(seconds(20));
            assert_eq!(next, Ok(Some(seconds(45))), "{digits}");

            // Also behind the ping.
            let mut end = End::new(role, keepalive());
            end.conn.handle_timeout(Duration::ZERO).unwrap();
            end.conn.handle_timeout(seconds(25)).unwrap();
            drain(&mut end.conn);
            end.take_hex(digits);
            drain(&mut end.conn);
            let next = end.conn.handle_timeout(seconds(44));
            assert_eq!(next, Ok(Some(seconds(69))), "{digits}");
        }
    }
}

// req: P-08, P-09
#[test]
fn latency_is_measured_on_the_matching_pong_alone() {
    for role in ROLES {
        let mut end = End::new(role, keepalive());
        end.conn.handle_timeout(Duration::ZERO).unwrap();
        end.conn.handle_timeout(seconds(25)).unwrap();
        let ping = read_output(role, &drain(&mut end.conn)).remove(0).payload;
        let pong = |payload: &[u8]| input(role, &frame(0x8a, payload));
        // Signs of life, but not the answer.
        let mut other = ping.clone();
        *other.last_mut().expect("a payload of its own") ^= 1;
        for payload in [
            &b""[..],
            b"x",
            &other,
            &ping[1..],
            &[&ping[..], b"0"].concat(),
        ] {
            end.take(&pong(payload));
        }
        end.conn.handle_timeout(seconds(26)).unwrap();
        assert_eq!(end.conn.stats().round_trip_time, None);
        end.take(&pong(&ping));
        assert_eq!(end.conn.stats().round_trip_time, None, "no time was told");
        end.conn.handle_timeout(seconds(27)).unwrap();
        assert_eq!(end.conn.stats().round_trip_time, Some(seconds(2)));
        // Once: the same pong again measures nothing.
        end.take(&pong(&ping));
        let next = end.conn.handle_timeout(seconds(30)).unwrap();
        assert_eq!(end.conn.stats().round_trip_time, Some(seconds(2)));

        // The next silence is asked about with a ping of its own.
        assert_eq!(next, Some(seconds(55)));
        end.conn.handle_timeout(seconds(55)).unwrap();
        let second = read_output(role, &drain(&mut end.conn)).remove(0);
        assert_eq!(second.opcode, 9);
        assert_ne!(second.payload, ping);
        // The pong to the first ping is late: not an answer to the second.
        end.take(&pong(&ping));
        end.conn.handle_timeout(seconds(56)).unwrap();
        assert_eq!(end.conn.stats().round_trip_time, Some(seconds(2)));
        end.take(&pong(&second.payload));
        end.conn.handle_timeout(seconds(62)).unwrap();
        assert_eq!(end.conn.stats().round_trip_time, Some(seconds(7)));
    }
}

// req: P-08, P-09
#[test]
fn two_ends_keep_each_other_alive() {
    let mut pair = Pair::new(keepalive(), keepalive());
    pair.client.conn.handle_timeout(Duration::ZERO).unwrap();
    pair.server.conn.handle_timeout(Duration::ZERO).unwrap();
    for _ in 0..200 {
        for next in pair.tick(SECOND) {
            let due = next.expect("nobody is silent").expect("keepalive is on");
            assert!(due > pair.now);
        }
        pair.exchange();
    }
    // Each asks again 25 seconds after the last sign of life, which came in the second of its ping.
    for end in [&pair.client, &pair.server] {
        let stats = end.conn.stats();
        assert_eq!((stats.pings_sent, stats.pongs_received), (7, 7));
        assert_eq!(stats.round_trip_time, Some(SECOND));
        assert_eq!(end.conn.state(), State::Open);
    }
}

// req: P-08
#[test]
fn keepalive_rests_while_the_connection_closes() {
    for role in ROLES {
        let config = keepalive().close_timeout(seconds(100));
        let mut end = End::new(role, config);
        end.conn.handle_timeout(Duration::ZERO).unwrap();
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.writes(&[(8, b"\x03\xe8")]);
        assert_waits_until(&mut end, SECOND, seconds(101));
        end.writes(&[]);
    }
}

// req: P-08
#[test]
fn time_to_answer_a_ping_begins_when_it_has_been_written() {
    for role in ROLES {
        let config = Config::new().keepalive(Keepalive::default());
        let mut conn = support::connection(role, config);
        conn.handle_timeout(Duration::ZERO).expect("nothing is due");
        conn.send_binary(&[7; 100_000]).expect("there is room");
        // The peer takes a few bytes a second: the ping stands behind the others.
        for second in 1..=100 {
            conn.send_buf().advance(500);
            let told = conn.handle_timeout(Duration::from_secs(second));
            assert!(told.is_ok(), "{second}: {told:?}");
        }
        assert_eq!(conn.stats().pings_sent, 1);
        let rest = conn.send_buf().remaining();
        conn.send_buf().advance(rest);
        let written = Duration::from_secs(101);
        let due = conn
            .handle_timeout(written)
            .expect("now it runs")
            .expect("a deadline");
        assert!(due <= written + Duration::from_secs(20));
        assert_eq!(conn.handle_timeout(due), Err(TimedOut::Keepalive));
    }
}
