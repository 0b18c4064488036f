//! What the adapter tells a transport beside reading and writing, and transports that answer with an
//! error or with a lie; and layers that keep what is written until they are flushed.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Buf as _;
use framewire::blocking::{Parts, Untimed, WebSocket};
use framewire::{CloseCode, Closed, Config, Event, Keepalive, RecvBuf, Role};
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
fn transport_that_can_not_be_told_its_end_is_left_alone() {
    for role in ROLES {
        for last in [close(1000, ""), frame(0x83, b"reserved")] {
            let faults = nth(Call::EndWriting, 1, ErrorKind::NotConnected);
            let wire = Wire::of(role, &[frame(0x81, b"one"), last]).faults(faults);
            let mut ws = websocket(role, Config::new(), wire.clone());
            while ws.recv_ref().expect("no error").is_some() {}
            assert!(ws.recv_ref().expect("no error").is_none());
            assert_eq!(wire.state().calls.last(), Some(&Call::EndWriting));
        }
    }
}

#[test]
fn peer_that_sends_on_behind_a_failure_is_listened_to_for_a_moment() {
    for role in ROLES {
        // A call that is interrupted is made again.
        let mut is_interrupted = false;
        let faults = move |moment: Moment| {
            let now = moment.call == Call::Read && moment.nth == 3 && !is_interrupted;
            is_interrupted |= now;
            now.then_some(Fault::Once(ErrorKind::Interrupted))
        };
        let wire = Wire::of(role, &[frame(0x83, b"reserved")]).faults(faults);
        for _ in 0..40 {
            wire.deliver(&[0; 1000]);
        }
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let calls = wire.state().calls.clone();
        let end = calls.iter().position(|&call| call == Call::EndWriting);
        let behind = &calls[end.expect("it is told")..];
        let reads = behind.iter().filter(|&&call| call == Call::Read).count();
        assert_eq!(reads, 42, "one is interrupted, and one finds the end");
        let limit = wire.state().limit_read;
        assert!(
            limit.is_some_and(|t| t <= Duration::from_secs(1)),
            "{limit:?}"
        );
    }
}

#[test]
fn peer_that_sends_on_behind_a_failure_without_an_end_is_not_listened_to_for_ever() {
    for role in ROLES {
        let wire = Wire::of(role, &[frame(0x83, b"reserved")]).end(End::Silence);
        for _ in 0..2000 {
            wire.deliver(&[0; 16 * 1024]);
        }
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let discarded = wire.state().delivered.len();
        assert!(discarded <= (16 << 20) + 32 * 1024, "{discarded}");
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

#[test]
#[should_panic = "the transport claims more bytes than it had room for"]
fn transport_that_claims_to_have_read_more_than_there_was_room_for_is_broken() {
    let lie = |moment: Moment| (moment.call == Call::Read).then_some(Fault::Lie);
    let _ = websocket(Role::Server, Config::new(), Wire::new([]).faults(lie)).recv();
}

#[test]
#[should_panic = "the transport claims to have taken more bytes than it was given"]
fn transport_that_claims_to_have_written_more_than_it_was_given_is_broken() {
    let lie = |moment: Moment| (moment.call == Call::Write).then_some(Fault::Lie);
    let _ = websocket(Role::Server, Config::new(), Wire::new([]).faults(lie)).send("Hello");
}

#[test]
#[should_panic = "the transport claims to have taken more bytes than it was given"]
fn transport_that_lies_about_a_vectored_write_is_broken_as_well() {
    let lie = |moment: Moment| (moment.call == Call::Write).then_some(Fault::Lie);
    let mut ws = websocket(Role::Server, Config::new(), Wire::new([]).faults(lie));
    let _ = ws.send(vec![0; 20_000]);
}

#[test]
fn transport_that_lies_behind_the_end_is_not_listened_to() {
    let lie = |moment: Moment| (moment.call == Call::Read && moment.nth > 1).then_some(Fault::Lie);
    let wire = Wire::of(Role::Server, &[frame(0x83, b"reserved")]).faults(lie);
    let mut ws = websocket(Role::Server, Config::new(), wire.clone());
    assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
    assert!(wire.count(Call::Read) < 2000);
}

#[test]
fn vectored_write_may_end_in_the_middle_of_any_slice() {
    let large = vec![7; 9000];
    for most in [1, 3, 8_999, 9_000, 9_001, 9_010, 18_000, 18_050] {
        let wire = Wire::new([]).pieces(1, most).end(End::Silence);
        let mut ws = websocket(Role::Server, Config::new(), wire.clone());
        for _ in 0..3 {
            // A header, a payload that is shared, a short frame: all in one write.
            ws.connection_mut()
                .send_bytes(framewire::MessageKind::Binary, large.clone().into())
                .expect("open");
            ws.feed("short").expect("there is room");
        }
        ws.flush().expect("nothing fails");
        let expected: Vec<&[u8]> = [&large[..], b"short"].repeat(3);
        assert_eq!(payloads(Role::Server, &wire), expected, "{most} at once");
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
        assert!((11..=13).contains(&writes), "{role:?}: {writes}");
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
            assert!(queued < 32 * 1024 + 5020, "{queued} behind {n} messages");
        }
        assert_eq!(wire.count(Call::Read), 0);
    }
}

#[test]
fn layer_that_gathers_is_flushed_by_send_and_flush_but_not_by_feed() {
    for role in ROLES {
        let wire = Wire::new([]).gathering().end(End::Silence);
        let mut ws = websocket(role, Config::new(), wire.clone());
        ws.send("sent").expect("sent");
        assert_eq!(payloads(role, &wire), [b"sent"]);
        ws.feed("fed").expect("queued");
        assert_eq!(wire.count(Call::Write), 1, "it waits for others");
        ws.flush().expect("sent");
        assert_eq!(payloads(role, &wire), [&b"sent"[..], b"fed"]);
        let flushes = wire.count(Call::Flush);
        ws.flush().expect("nothing is left to do");
        assert_eq!(wire.count(Call::Flush), flushes);
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
fn layer_that_gathers_is_flushed_before_anything_is_waited_for() {
    for role in ROLES {
        // What was fed.
        let wire = answering(role, frame(0x81, b"answer"));
        let mut ws = websocket(role, Config::new(), wire.clone());
        ws.feed("question").expect("queued");
        assert_eq!(why(ws.recv()), Ok(Some("answer".into())));
        // The answer to a ping.
        let wire = answering(role, frame(0x81, b"thanks"));
        wire.deliver(&input(role, &frame(0x89, b"ping")));
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.recv()), Ok(Some("thanks".into())));
    }
}

#[test]
fn layer_that_gathers_is_flushed_when_the_connection_closes() {
    for role in ROLES {
        // A client waits for the server to end the transport, which this one does at once.
        let end = End::Eof;
        let wire = answering(role, close(1000, "")).end(end);
        let mut ws = websocket(role, Config::new(), wire.clone());
        let closed = ws.close(CloseCode::NORMAL, "done").expect("closed");
        assert!(matches!(closed, Closed { clean: true, .. }));
        assert_eq!(payloads(role, &wire), [b"\x03\xe8done"]);
        let wire = Wire::of(role, &[close(1001, "")]).gathering();
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.recv()), Ok(None));
        assert_eq!(payloads(role, &wire), [b"\x03\xe9"]);
        let wire = Wire::of(role, &[frame(0x83, b"")]).gathering();
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        assert_eq!(payloads(role, &wire), [b"\x03\xea"]);
    }
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
fn close_frame_that_a_layer_lost_is_no_clean_end() {
    for role in ROLES {
        let faults = |moment: Moment| {
            let kind = ErrorKind::BrokenPipe;
            (moment.call == Call::Flush).then_some(Fault::ForGood(kind))
        };
        let wire = Wire::of(role, &[close(1000, "")])
            .gathering()
            .faults(faults);
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.recv()), Ok(None), "the peer has closed");
        assert_eq!(wire.reached(), b"");
        let closed = ws.connection().closed().expect("it has");
        assert!(!closed.clean, "our Close frame has not left: {closed:?}");
    }
}

#[test]
fn message_that_was_queued_though_feed_says_it_would_block_is_sent_once() {
    // Over the 32 KiB from which on messages are written.
    for role in ROLES {
        let faults = nth(Call::Write, 1, ErrorKind::WouldBlock);
        let wire = Wire::new([]).faults(faults).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        let message = vec![7; 40_000];
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
