//! The clock of a blocking connection: what counts as the peer's silence and what does not. Time passes
//! by taking a WebSocket apart and moving the origin of its clock.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use framewire::blocking::{Transport, Untimed, WebSocket};
use framewire::{CloseCode, Config, Keepalive, PartEvent, TimedOut};
use script::{Call, End, Fault, Why, Wire, websocket, why};
use support::{
    ROLES,
    wire::{frame, input, read_output},
};

const SECOND: Duration = Duration::from_secs(1);

fn timed_out<T>(timed_out: TimedOut) -> Result<T, Why> {
    Err(Why::TimedOut(timed_out))
}

/// Lets time pass.
fn later<S: Transport>(ws: WebSocket<S>, by: Duration) -> WebSocket<S> {
    let mut parts = ws.into_parts();
    parts.origin -= by;
    WebSocket::from_parts(parts)
}

/// The end that this call tells when so much time has passed since the same call before.
fn outcome_after<S: Transport>(ws: WebSocket<S>, by: Duration) -> (WebSocket<S>, Result<(), Why>) {
    let mut ws = later(ws, by);
    let outcome = why(ws.recv().map(drop));
    (ws, outcome)
}

#[test]
fn transport_without_limits_has_deadlines_as_often_as_there_are_calls() {
    let blocked = || Err(Why::Io(ErrorKind::WouldBlock));
    for role in ROLES {
        let idle = || Untimed(Wire::new([]).end(End::WouldBlock));
        let mut ws = websocket(role, Config::new(), idle());
        ws.connection_mut()
            .close(CloseCode::NORMAL, "")
            .expect("open");
        assert_eq!(why(ws.recv().map(drop)), blocked());
        let (ws, outcome) = outcome_after(ws, 9 * SECOND);
        assert_eq!(outcome, blocked());
        let (_, outcome) = outcome_after(ws, SECOND);
        assert_eq!(outcome, timed_out(TimedOut::Close));

        let config = Config::new().keepalive(Keepalive::default());
        let mut ws = websocket(role, config, idle());
        assert_eq!(why(ws.recv().map(drop)), blocked());
        let (ws, outcome) = outcome_after(ws, 25 * SECOND);
        assert_eq!(outcome, blocked(), "a ping is sent");
        let (_, outcome) = outcome_after(ws, 20 * SECOND);
        assert_eq!(outcome, timed_out(TimedOut::Keepalive));

        let full = Wire::new([]).faults(|moment| {
            (moment.call == Call::Write).then_some(Fault::Once(ErrorKind::WouldBlock))
        });
        let mut ws = websocket(role, Config::new(), Untimed(full));
        assert_eq!(why(ws.send("Hello")), blocked());
        let (ws, outcome) = outcome_after(ws, 29 * SECOND);
        assert_eq!(outcome, blocked());
        let (_, outcome) = outcome_after(ws, SECOND);
        assert_eq!(outcome, timed_out(TimedOut::Write));
    }
}

// "Deadlines hold while a call waits for the transport": an application that is busy with other things,
// or that only sends, has not listened. What has come meanwhile is in the transport.
#[test]
fn peer_is_not_silent_because_nobody_has_listened() {
    let config = Config::new().keepalive(Keepalive::default());
    for role in ROLES {
        let wire = Wire::of(role, &[frame(0x81, b"I am here")]).end(End::Silence);
        let mut ws = websocket(role, config, wire);
        ws.send("progress: 10 %").expect("sent");
        for percent in [20, 30, 40] {
            ws = later(ws, 30 * SECOND);
            let sent = why(ws.send(format!("progress: {percent} %")));
            assert_eq!(
                sent,
                Ok(()),
                "{role:?}: nobody has looked at what the peer sends"
            );
        }
        assert_eq!(why(ws.recv()), Ok(Some("I am here".into())));
    }
}

#[test]
fn peer_is_asked_for_a_sign_of_life_when_somebody_listens() {
    let config = Config::new().keepalive(Keepalive::default());
    for role in ROLES {
        let wire = Wire::new([]).end(End::WouldBlock);
        let ws = websocket(role, config, Untimed(wire.clone()));
        let (ws, _) = outcome_after(ws, SECOND);
        let (ws, _) = outcome_after(ws, 26 * SECOND);
        assert_eq!(read_output(role, &wire.reached())[0].opcode, 9);
        wire.deliver(&input(role, &frame(0x8a, &0_u64.to_be_bytes())));
        let (ws, outcome) = outcome_after(ws, 19 * SECOND);
        assert_eq!(
            outcome,
            Err(Why::Io(ErrorKind::WouldBlock)),
            "it has answered"
        );
        let (ws, _) = outcome_after(ws, 24 * SECOND);
        assert_eq!(ws.connection().stats().pings_sent, 1);
        assert_eq!(ws.connection().stats().pongs_received, 1);
    }
}

// The same for a message: all of it has arrived, only the application takes its time.
#[test]
fn message_is_not_slow_because_the_application_is() {
    let config = Config::new().message_timeout(5 * SECOND);
    for role in ROLES {
        let bytes = input(
            role,
            &[frame(0x02, b"first"), frame(0x80, b"last")].concat(),
        );
        let wire = Wire::new([&bytes[..]]).end(End::Silence);
        let mut ws = websocket(role, config, wire);
        let (part, _) = ws.recv_part_ref().expect("a part").expect("a part");
        let first = PartEvent::Binary {
            part: b"first",
            last: false,
        };
        assert_eq!(part, first);
        ws.send("got the first part").expect("sent");
        ws = later(ws, 6 * SECOND);
        ws.send("worked on it").expect("sent");
        let (part, _) = ws.recv_part_ref().expect("a part").expect("a part");
        let last = PartEvent::Binary {
            part: b"last",
            last: true,
        };
        assert_eq!(part, last, "{role:?}");
    }
}
