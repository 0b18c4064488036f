//! What the blocking adapter tells a transport beside reading and writing, and a transport that would block.
//! What all adapters have in common is in `adapters_told.rs`.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;

use bytes::Buf as _;
use framewire::blocking::{Parts, Untimed, WebSocket};
use framewire::{Config, Event, Keepalive, RecvBuf, Role};
use script::{Call, End, Fault, Moment, Why, Wire, websocket, why};
use support::{
    ROLES, connection,
    wire::{close, frame, input, read_output},
};

/// Two messages and a Close frame.
fn frames() -> [Vec<u8>; 3] {
    [frame(0x81, b"one"), frame(0x81, b"two"), close(1000, "")]
}

fn payloads(role: Role, wire: &Wire) -> Vec<Vec<u8>> {
    let frames = read_output(role, &wire.reached());
    frames.into_iter().map(|frame| frame.payload).collect()
}

/// The n-th call of this kind fails once.
fn nth(call: Call, n: usize, kind: ErrorKind) -> impl FnMut(Moment) -> Option<Fault> {
    move |moment| {
        let is_it = moment.call == call && moment.nth == n;
        is_it.then_some(Fault::Once(kind))
    }
}

#[test]
fn limit_that_is_refused_once_is_told_and_nothing_is_lost() {
    let config = Config::new().keepalive(Keepalive::default());
    for (role, call) in ROLES
        .into_iter()
        .flat_map(|r| [Call::LimitRead, Call::LimitWrite].map(|call| (r, call)))
    {
        let wire = Wire::of(role, &frames()).faults(nth(call, 1, ErrorKind::InvalidInput));
        let mut ws = websocket(role, config, wire.clone());
        let (mut messages, mut errors) = (Vec::new(), Vec::new());
        loop {
            match why(ws.recv()) {
                Ok(Some(message)) => {
                    // In the queue, whether it can be written now or not.
                    ws.feed(&message).expect("there is room");
                    messages.push(message);
                }
                Ok(None) => break,
                Err(why) => errors.push(why),
            }
        }
        assert_eq!(messages, ["one".into(), "two".into()]);
        assert_eq!(errors, [Why::Io(ErrorKind::InvalidInput)]);
        assert_eq!(payloads(role, &wire)[..2], [b"one", b"two"]);
        assert!(ws.connection().closed().expect("it has").clean);
    }
}

#[test]
fn transport_that_can_not_be_limited_is_asked_once_and_used_without() {
    let config = Config::new().keepalive(Keepalive::default());
    for role in ROLES {
        let faults = |moment: Moment| {
            let is_limit = matches!(moment.call, Call::LimitRead | Call::LimitWrite);
            is_limit.then_some(Fault::Once(ErrorKind::Unsupported))
        };
        let wire = Wire::of(role, &frames()).faults(faults);
        let mut ws = websocket(role, config, wire.clone());
        while let Some(message) = ws.recv().expect("no error") {
            ws.send(&message).expect("no error");
        }
        assert_eq!(payloads(role, &wire)[..2], [b"one", b"two"]);
        assert_eq!(wire.count(Call::LimitRead), 1);
        assert_eq!(wire.count(Call::LimitWrite), 1);
    }
}

#[test]
fn peer_that_sends_nothing_behind_a_failure_is_not_waited_for_without_a_limit() {
    for role in ROLES {
        // `Silence` panics when a read without a limit would wait.
        let silent = Wire::of(role, &[frame(0x83, b"reserved")]).end(End::Silence);
        let mut ws = websocket(role, Config::new(), silent.clone());
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let silent = Wire::of(role, &[frame(0x83, b"reserved")]).end(End::Silence);
        let mut ws = websocket(role, Config::new(), Untimed(silent.clone()));
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        assert_eq!(silent.count(Call::Read), 1);
    }
}

// "How long queued bytes may wait without a single one being taken": between two writes the clock is
// looked at.
#[test]
fn much_is_written_in_pieces_and_arrives_whole() {
    let large = vec![7; 300_000];
    for role in ROLES {
        let wire = Wire::new([]).end(End::Silence);
        let mut ws = websocket(role, Config::new(), wire.clone());
        ws.send(&large[..]).expect("written");
        ws.send(large.clone()).expect("written");
        ws.send("short").expect("written");
        assert_eq!(payloads(role, &wire), [&large[..], &large, b"short"]);
        let writes = wire.count(Call::Write);
        assert!((7..=9).contains(&writes), "{role:?}: {writes}");
    }
}

#[test]
fn replies_to_much_that_came_at_once_do_not_pile_up() {
    for role in ROLES {
        // A hundred messages are there before the first one is answered.
        let messages = input(role, &frame(0x82, &[1; 5000]).repeat(100));
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&messages);
        let wire = Wire::new([]).end(End::Silence);
        let parts = Parts::new(wire.clone(), connection(role, Config::new()), rx);
        let mut ws = WebSocket::from_parts(parts);
        for n in 1..=100 {
            let (event, conn) = ws.recv_ref().expect("no error").expect("no end");
            let Event::Binary(data) = event else {
                panic!("{event:?}");
            };
            conn.send_binary(data).expect("there is room");
            let queued = conn.send_buf().remaining();
            assert!(queued < 64 * 1024 + 5020, "{queued} behind {n} messages");
        }
        assert_eq!(wire.count(Call::Read), 0);
    }
}

/// A peer that answers the first bytes that reach it.
fn answering(role: Role, frames: Vec<u8>) -> Wire {
    let mut answer = Some(input(role, &frames));
    Wire::new([])
        .peer(move |_| answer.take().into_iter().collect())
        .gathering()
        .end(End::Silence)
}

#[test]
fn flush_that_would_block_is_made_again_although_nothing_is_queued() {
    for role in ROLES {
        let faults = || nth(Call::Flush, 1, ErrorKind::WouldBlock);
        let blocked = Err(Why::Io(ErrorKind::WouldBlock));
        let wire = Wire::new([]).gathering().faults(faults());
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        assert_eq!(why(ws.send("Hello")), blocked);
        assert_eq!(wire.reached(), b"", "it is in the layer");
        assert_eq!(why(ws.flush()), Ok(()));
        assert_eq!(payloads(role, &wire), [b"Hello"]);
        // The same before something is waited for.
        let wire = answering(role, frame(0x81, b"answer")).faults(faults());
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        assert_eq!(why(ws.send("question")), blocked);
        assert_eq!(why(ws.recv()), Ok(Some("answer".into())));
    }
}

#[test]
fn message_that_was_queued_though_feed_says_it_would_block_is_sent_once() {
    // Over the 64 KiB from which on messages are written.
    for role in ROLES {
        let faults = nth(Call::Write, 1, ErrorKind::WouldBlock);
        let wire = Wire::new([]).faults(faults).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        let message = vec![7; 80_000];
        // "Nothing is lost then: call again."
        while ws.feed(&message[..]).is_err() {}
        ws.flush().expect("nothing blocks");
        assert_eq!(payloads(role, &wire).len(), 1);
        assert_eq!(ws.connection().stats().messages_sent, 1);
    }
}

#[test]
fn receiving_goes_on_where_the_transport_would_block() {
    for role in ROLES {
        let bytes = input(role, &frames().concat());
        let wire = Wire::new([]).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        let mut seen = 0;
        for byte in &bytes {
            assert_eq!(why(ws.recv()), Err(Why::Io(ErrorKind::WouldBlock)));
            wire.deliver(&[*byte]);
            if let Ok(Some((event, _))) = ws.recv_ref() {
                assert!(!matches!(event, Event::Failed(_)));
                seen += 1;
            }
        }
        wire.state().end_now();
        assert_eq!(seen, 3);
        assert_eq!(why(ws.recv()), Ok(None));
    }
}
