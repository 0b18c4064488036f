//! The deadlines of a blocking connection: what is told when each of them passes, and how the transport
//! is limited until then. They are of a few milliseconds here, and the transport never waits, so that
//! the adapter asks until they are over. Deadlines that are not due are in `blocking_time.rs`.

#[path = "support/http.rs"]
mod http;
#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use framewire::blocking::{self, Incoming};
use framewire::client::Request;
use framewire::server::Response;
use framewire::{
    CloseCode, Closed, Config, Event, Keepalive, ProtocolError, Role, TimedOut, client, server,
};
use http::{get, websocket as request};
use script::{Call, End, Fault, Moment, Why, Wire, websocket, why};
use support::{
    ROLES,
    wire::{close, frame, input, read_output},
};

/// Passes soon, but not before a call has been made.
const SOON: Duration = Duration::from_millis(3);
const SECOND: Duration = Duration::from_secs(1);

/// A peer that sends this and is silent then.
fn silent(role: Role, frames: &[u8]) -> Wire {
    let bytes = input(role, frames);
    let segments = [&bytes[..]].into_iter().filter(|bytes| !bytes.is_empty());
    Wire::new(segments).end(End::Silence)
}

/// A transport that takes nothing, as long as it is told.
fn no_room(call: Call) -> impl FnMut(Moment) -> Option<Fault> {
    move |moment| {
        assert!(
            moment.call != call || moment.is_limited,
            "it would wait for ever"
        );
        (moment.call == call).then_some(Fault::Once(ErrorKind::WouldBlock))
    }
}

fn timed_out<T>(timed_out: TimedOut) -> Result<T, Why> {
    Err(Why::TimedOut(timed_out))
}

/// Asserts that the transport was limited by no more than `most`, and told so seldom. That it was before
/// it had to wait is up to [`End::Silence`] and [`no_room`].
#[track_caller]
fn assert_limited(wire: &Wire, most: Duration) {
    let limits = wire.state().limits.clone();
    let mut set = limits.iter().filter_map(|(_, limit)| *limit);
    assert!(set.all(|limit| limit <= most), "{limits:?}");
    // Of so little time there is no half that would be worth a call.
    assert!(limits.len() <= 4, "{limits:?}");
}

#[test]
fn handshake_without_an_answer_times_out_in_both_roles() {
    let wire = Wire::new([]).end(End::Silence);
    let config = server::Config::new().timeout(SOON);
    let end = blocking::accept(wire.clone(), &config).map(drop);
    assert_eq!(why(end), timed_out(TimedOut::Handshake));
    assert_limited(&wire, SOON);
    // A request that is not complete.
    let bytes = request().bytes();
    let wire = Wire::new([&bytes[..50]]).end(End::Silence);
    let end = blocking::incoming(wire.clone(), &config).map(drop);
    assert_eq!(why(end), timed_out(TimedOut::Handshake));
    assert_limited(&wire, SOON);

    let request = Request::new("ws://server.example/").expect("valid");
    let config = client::Config::new().timeout(SOON);
    for answer in [&b""[..], b"HTTP/1.1 101 Switching"] {
        let answers = [answer].into_iter().filter(|answer| !answer.is_empty());
        let wire = Wire::new(answers).end(End::Silence);
        let end = blocking::client(wire.clone(), &request, &config).map(drop);
        assert_eq!(why(end), timed_out(TimedOut::Handshake));
        assert_limited(&wire, SOON);
    }
    // The server does not even take the request.
    for call in [Call::Write, Call::Flush] {
        let wire = Wire::new([]).end(End::Silence).faults(no_room(call));
        let end = blocking::client(wire.clone(), &request, &config).map(drop);
        assert_eq!(why(end), timed_out(TimedOut::Handshake), "{call:?}");
        assert_limited(&wire, SOON);
    }
}

#[test]
fn refusal_whose_body_does_not_end_in_time_is_a_refusal() {
    let request = Request::new("ws://server.example/").expect("valid");
    let config = client::Config::new().timeout(SOON);
    let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nla";
    // On a busy machine time may be up before the head has been looked at.
    for _ in 0..100 {
        let wire = Wire::new([&answer[..]]).end(End::Silence);
        match why(blocking::client(wire.clone(), &request, &config).map(drop)) {
            Err(Why::TimedOut(TimedOut::Handshake)) => {}
            end => {
                assert_eq!(end, Err(Why::Refused(503, b"la".to_vec())));
                assert_limited(&wire, SOON);
                return;
            }
        }
    }
    panic!("the head is never looked at");
}

#[test]
fn answer_of_the_handshake_that_is_not_taken_times_out() {
    let connection = Config::new().write_timeout(SOON);
    let config = server::Config::new().connection(connection);
    for call in [Call::Write, Call::Flush] {
        let wire = Wire::new([&get("/").bytes()[..]]).faults(no_room(call));
        let Ok(Incoming::Plain(plain)) = blocking::incoming(wire, &config) else {
            panic!("a request for a page");
        };
        let end = plain.respond(Response::new(404).expect("final"));
        assert_eq!(why(end), timed_out(TimedOut::Write), "{call:?}");
        let wire = Wire::new([&request().bytes()[..]]).faults(no_room(call));
        let end = blocking::accept(wire, &config).map(drop);
        assert_eq!(why(end), timed_out(TimedOut::Write), "{call:?}");
    }
}

#[test]
fn closing_handshake_that_the_peer_does_not_finish_times_out() {
    let config = Config::new().close_timeout(SOON);
    for role in ROLES {
        let wire = silent(role, &frame(0x81, b"one more"));
        let mut ws = websocket(role, config, wire.clone());
        let closed = why(ws.close(CloseCode::NORMAL, "done"));
        assert_eq!(closed, timed_out(TimedOut::Close));
        assert_limited(&wire, SOON);
        assert_eq!(
            wire.count(Call::EndWriting),
            1,
            "the transport is told at once"
        );
        let frames = read_output(role, &wire.reached());
        assert_eq!((frames.len(), frames[0].opcode), (1, 8), "we have closed");
        assert_eq!(why(ws.recv()), Ok(None), "it has ended");
        let Closed { code, clean, .. } = ws.connection().closed().expect("it has");
        assert_eq!((code, clean), (CloseCode::ABNORMAL, false));
    }
}

#[test]
fn client_waits_for_the_server_to_end_the_transport_but_not_for_ever() {
    let config = Config::new().close_timeout(SOON);
    let wire = silent(Role::Client, &close(1000, ""));
    let mut ws = websocket(Role::Client, config, wire.clone());
    let closed = why(ws.close(CloseCode::NORMAL, "")).expect("both have closed");
    assert!(closed.clean);
    assert_limited(&wire, SOON);
    assert_eq!(wire.count(Call::EndWriting), 1);
    // The server has nothing to wait for.
    let wire = silent(Role::Server, &close(1000, ""));
    let mut ws = websocket(Role::Server, config, wire.clone());
    assert!(
        why(ws.close(CloseCode::NORMAL, ""))
            .expect("both have closed")
            .clean
    );
    assert_eq!(wire.count(Call::Read), 1);
}

#[test]
fn peer_that_takes_nothing_times_out_whatever_is_called() {
    let config = Config::new().write_timeout(SOON);
    for role in ROLES {
        let wire = || silent(role, b"").faults(no_room(Call::Write));
        let late = timed_out(TimedOut::Write);
        let mut ws = websocket(role, config, wire());
        assert_eq!(why(ws.send("Hello")), late);
        assert_eq!(why(ws.recv()), Ok(None), "it has ended");
        let mut ws = websocket(role, config, wire());
        assert_eq!(why(ws.feed(&[7; 80_000])), late);
        let mut ws = websocket(role, config, wire());
        assert_eq!(why(ws.feed("Hello")), Ok(()));
        assert_eq!(why(ws.recv().map(drop)), late);
        let mut ws = websocket(role, config, wire());
        assert_eq!(why(ws.close(CloseCode::NORMAL, "").map(drop)), late);
        let wire = wire();
        let mut ws = websocket(role, config, wire.clone());
        assert_eq!(why(ws.feed("Hello")), Ok(()));
        assert_eq!(why(ws.flush()), late);
        assert_limited(&wire, SOON);
        assert_eq!(
            why(ws.send("Hello")),
            Err(Why::Send(framewire::SendError::Closed))
        );
    }
}

// A layer that has taken everything, but whose own transport takes nothing.
#[test]
fn peer_that_takes_nothing_of_what_a_layer_has_gathered_times_out() {
    let config = Config::new().write_timeout(SOON).close_timeout(SOON);
    for role in ROLES {
        let layer = || silent(role, b"").gathering().faults(no_room(Call::Flush));
        let late = timed_out(TimedOut::Write);
        let mut ws = websocket(role, config, layer());
        assert_eq!(why(ws.send("Hello")), late);
        assert_eq!(why(ws.recv()), Ok(None), "it has ended");
        let mut ws = websocket(role, config, layer());
        assert_eq!(why(ws.feed("Hello")), Ok(()));
        assert_eq!(why(ws.recv().map(drop)), late);
    }
}

#[test]
fn close_frame_that_a_layer_can_not_pass_on_times_out() {
    let config = Config::new().write_timeout(SOON).close_timeout(SOON);
    for role in ROLES {
        let layer = silent(role, &close(1000, "")).gathering();
        let layer = layer.faults(no_room(Call::Flush));
        let mut ws = websocket(role, config, layer);
        let end = why(ws.recv());
        assert!(matches!(end, Err(Why::TimedOut(_))), "{end:?}");
        let closed = ws.connection().closed().expect("it has");
        assert!(!closed.clean, "the peer does not know it: {closed:?}");
    }
}

#[test]
fn peer_that_is_silent_is_pinged_and_given_up() {
    let keepalive = Keepalive {
        interval: SOON,
        timeout: SOON,
    };
    let config = Config::new().keepalive(keepalive);
    for role in ROLES {
        let wire = silent(role, b"");
        let mut ws = websocket(role, config, wire.clone());
        assert_eq!(why(ws.recv().map(drop)), timed_out(TimedOut::Keepalive));
        let frames = read_output(role, &wire.reached());
        let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [9]);
        assert_limited(&wire, SOON);
        assert_eq!(why(ws.recv()), Ok(None), "it has ended");
    }
}

#[test]
fn message_that_takes_too_long_fails_the_connection() {
    let config = Config::new().message_timeout(SOON);
    for role in ROLES {
        let wire = silent(
            role,
            &[frame(0x81, b"in time"), frame(0x01, b"late")].concat(),
        );
        let mut ws = websocket(role, config, wire.clone());
        assert_eq!(why(ws.recv()), Ok(Some("in time".into())));
        let slow = ProtocolError::MessageTooSlow;
        let (event, _) = ws.recv_ref().expect("an event").expect("an event");
        assert_eq!(event, Event::Failed(slow));
        assert_eq!(why(ws.recv()), Err(Why::Protocol(slow)));
        let frames = read_output(role, &wire.reached());
        assert_eq!(frames[0].payload, 1008_u16.to_be_bytes());
        assert_eq!(wire.count(Call::EndWriting), 1);
    }
}

#[test]
fn nothing_is_read_or_written_once_time_is_up() {
    let config = Config::new().close_timeout(SOON).write_timeout(SOON);
    for role in ROLES {
        let wire = silent(role, b"").faults(no_room(Call::Write));
        let mut ws = websocket(role, config, wire.clone());
        assert!(why(ws.send("Hello")).is_err());
        let (reads, writes) = (wire.count(Call::Read), wire.count(Call::Write));
        for _ in 0..3 {
            assert_eq!(why(ws.recv()), Ok(None));
            assert_eq!(why(ws.flush()), Ok(()));
            assert!(why(ws.send("again")).is_err());
        }
        assert_eq!(wire.count(Call::Write), writes);
        // What is discarded for a moment, so that the peer gets our last bytes.
        assert!(wire.count(Call::Read) <= reads + 1);
    }
}

#[test]
fn limit_follows_the_deadline() {
    for role in ROLES {
        let pieces = [
            frame(0x01, b"begun"),
            frame(0x80, b"done"),
            frame(0x81, b"next"),
        ];
        // A later deadline, and an earlier one.
        for (message, close, least, most) in [(2, 10, 5, 10), (20, 3, 1, 3)] {
            let wire = Wire::of(role, &pieces);
            let config = Config::new().message_timeout(message * SECOND);
            let config = config.close_timeout(close * SECOND);
            let mut ws = websocket(role, config, wire.clone());
            assert_eq!(wire.state().limit_read, None, "no deadline, no limit");
            assert_eq!(why(ws.recv()), Ok(Some("begundone".into())));
            let limit = wire.state().limit_read.expect("a message was begun");
            assert!(limit <= message * SECOND && limit > SECOND, "{limit:?}");
            ws.connection_mut()
                .close(CloseCode::NORMAL, "")
                .expect("open");
            assert_eq!(why(ws.recv()), Ok(Some("next".into())));
            let limit = wire
                .state()
                .limit_read
                .expect("a Close frame is waited for");
            let is_near = limit <= most * SECOND + SOON && limit >= least * SECOND - SOON;
            assert!(is_near, "{limit:?}");
        }
    }
}

#[test]
fn limit_that_passes_where_there_is_no_deadline_is_no_error() {
    for role in ROLES {
        let first = input(role, &frame(0x89, b"ping"));
        let second = input(role, &frame(0x81, b"much later"));
        // A limit may be left of the time in which the pong had to be written.
        let mut has_passed = false;
        let faults = move |moment: Moment| {
            let passes = moment.call == Call::Read && moment.is_limited && !has_passed;
            has_passed |= passes;
            passes.then_some(Fault::Once(ErrorKind::WouldBlock))
        };
        let wire = Wire::new([&first[..], &second]).faults(faults);
        let mut ws = websocket(role, Config::new(), wire);
        assert_eq!(why(ws.recv()), Ok(Some("much later".into())));
    }
}

#[test]
fn transport_that_is_taken_back_may_block_as_long_as_it_likes() {
    for role in ROLES {
        let wire = silent(role, &frame(0x81, b"one"));
        let config = Config::new().keepalive(Keepalive::default());
        let mut ws = websocket(role, config, wire.clone());
        ws.send("two").expect("sent");
        assert!(why(ws.recv()).is_ok());
        let limits = || {
            let state = wire.state();
            (state.limit_read, state.limit_write)
        };
        assert!(limits().0.is_some() && limits().1.is_some());
        let _ = ws.into_parts();
        assert_eq!(limits(), (None, None));
    }
}
