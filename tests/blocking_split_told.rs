//! What the halves of a WebSocket tell their application and their transport, in memory: both halves in one
//! thread, so that every order of calls can be had. Faults at every call are in `adapters_faults.rs`.

#[path = "support/script.rs"]
mod script;
mod support;

use std::{cell::Cell, io::ErrorKind, rc::Rc, time::Duration};

use framewire::blocking::{Receiver, Sender};
use framewire::{CloseCode, Closed, Config, Keepalive, Role, State, TimedOut};
use script::{Call, End, Fault, Moment, Why, Wire, websocket, why};
use support::{
    ROLES,
    wire::{close, frame, input, read_output},
};

fn split(role: Role, config: Config, wire: &Wire) -> (Receiver<Wire>, Sender<Wire>) {
    let ws = websocket(role, config, wire.clone());
    ws.split().expect("another handle")
}

/// The first calls of this kind, as many, are made in vain.
fn in_vain(call: Call, count: usize) -> impl FnMut(Moment) -> Option<Fault> {
    move |moment| {
        let fails = moment.call == call && moment.nth <= count;
        fails.then_some(Fault::Once(ErrorKind::WouldBlock))
    }
}

/// Opcodes of what has reached the peer.
fn opcodes(role: Role, wire: &Wire) -> Vec<u8> {
    let frames = read_output(role, &wire.reached());
    frames.iter().map(|frame| frame.opcode).collect()
}

fn keepalive() -> Config {
    Config::new().keepalive(Keepalive::default())
}

#[test]
fn close_frame_that_a_layer_has_gathered_leaves_before_the_end() {
    for role in ROLES {
        for count in 0..4 {
            let wire = Wire::of(role, &[close(1000, "bye")])
                .gathering()
                .faults(in_vain(Call::Flush, count));
            let (mut receiver, _sender) = split(role, keepalive(), &wire);
            assert_eq!(why(receiver.recv()), Ok(None));
            assert_eq!(opcodes(role, &wire), [8]);
            assert_eq!(why(receiver.recv()), Ok(None));
        }
    }
}

#[test]
fn pong_that_a_layer_could_not_pass_on_at_once_leaves_later() {
    for role in ROLES {
        for (call, count) in [Call::Write, Call::Flush]
            .into_iter()
            .flat_map(|call| (1..4).map(move |count| (call, count)))
        {
            // The peer closes when it has its pong, and ends the transport when it has our Close frame.
            let answers = Rc::new(Cell::new(0));
            let (close, answered) = (input(role, &close(1000, "")), Rc::clone(&answers));
            let peer = move |_: &[u8]| {
                answered.set(answered.get() + 1);
                Vec::from_iter((answered.get() == 1).then(|| close.clone()))
            };
            let mut fails = in_vain(call, count);
            let faults = move |moment: Moment| match moment.call {
                Call::Read if answers.get() == 2 => Some(Fault::Zero),
                _ => fails(moment),
            };
            let wire = Wire::of(role, &[frame(0x89, b"?")]).gathering();
            let wire = wire.end(End::Silence).peer(peer).faults(faults);
            let (mut receiver, _sender) = split(role, keepalive(), &wire);
            assert_eq!(why(receiver.recv()), Ok(None), "{role:?} {call:?} {count}");
            assert_eq!(opcodes(role, &wire), [10, 8]);
        }
    }
}

#[test]
fn how_the_transport_ends_behind_the_closing_handshake_is_no_error() {
    for kind in [
        ErrorKind::ConnectionReset,
        ErrorKind::UnexpectedEof,
        ErrorKind::NotConnected,
        ErrorKind::Other,
    ] {
        // A client waits for the server to end the transport.
        let wire = Wire::of(Role::Client, &[close(1000, "")]).end(End::Error(kind));
        let (mut receiver, sender) = split(Role::Client, Config::new(), &wire);
        assert_eq!(why(receiver.recv()), Ok(None), "{kind:?}");
        let closed = sender.with(|conn| conn.closed());
        assert!(matches!(closed, Some(Closed { clean: true, .. })));
    }
}

#[test]
fn transport_is_told_of_an_end_that_is_an_error() {
    for role in ROLES {
        let wire = Wire::of(role, &[frame(0x81, b"and gone")]);
        let (mut receiver, _sender) = split(role, Config::new(), &wire);
        assert_eq!(why(receiver.recv()), Ok(Some("and gone".into())));
        assert_eq!(why(receiver.recv()), Err(Why::Eof));
        assert_eq!(wire.count(Call::EndWriting), 1, "no bytes follow");
        assert_eq!(why(receiver.recv()), Ok(None), "told once");
    }
}

#[test]
fn time_out_that_the_receiver_finds_is_told_once_to_it() {
    for role in ROLES {
        let wire = Wire::new([]).end(End::Silence);
        let silence = Keepalive {
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
        };
        let (mut receiver, sender) = split(role, Config::new().keepalive(silence), &wire);
        let late = Err(Why::TimedOut(TimedOut::Keepalive));
        assert_eq!(why(receiver.recv()), late);
        assert_eq!(why(receiver.recv()), Ok(None));
        let closed = Err(Why::Send(framewire::SendError::Closed));
        assert_eq!(why(sender.send("too late")), closed);
        assert_eq!(why(sender.flush()), Err(Why::TimedOut(TimedOut::Keepalive)));
    }
}

#[test]
fn time_out_that_a_sender_finds_is_told_once_to_the_receiver() {
    for role in ROLES {
        for call in [Call::Write, Call::Flush] {
            let config = Config::new().write_timeout(Duration::from_millis(2));
            let wire = Wire::new([])
                .gathering()
                .end(End::Silence)
                .faults(in_vain(call, usize::MAX));
            let (mut receiver, sender) = split(role, config, &wire);
            let late = TimedOut::Write;
            assert_eq!(why(sender.send("one")), Err(Why::TimedOut(late)));
            assert_eq!(why(receiver.recv()), Err(Why::TimedOut(late)));
            assert_eq!(why(receiver.recv()), Ok(None));
            assert_eq!(why(sender.flush()), Err(Why::TimedOut(late)));
            assert_eq!(sender.with(|conn| conn.state()), State::Closed);
        }
    }
}

#[test]
fn time_out_of_closing_is_told_once_to_the_receiver_whoever_finds_it() {
    for role in ROLES {
        for sender_first in [true, false] {
            let config = Config::new().close_timeout(Duration::ZERO);
            let wire = Wire::new([]).end(End::Silence);
            let (mut receiver, sender) = split(role, config, &wire);
            let late = Err(Why::TimedOut(TimedOut::Close));
            sender
                .with(|conn| conn.close(CloseCode::NORMAL, ""))
                .expect("it is open");
            if sender_first {
                assert_eq!(why(sender.flush()), late.clone());
            }
            assert_eq!(why(receiver.recv()), late.map(|()| None));
            assert_eq!(why(receiver.recv()), Ok(None));
        }
    }
}

#[test]
fn receiver_writes_what_is_queued_when_there_is_no_room_for_more() {
    for role in ROLES {
        let frames: Vec<_> = (0..100).map(|_| frame(0x82, &[1; 400])).collect();
        let bytes = input(role, &frames.concat());
        let wire = Wire::new([&bytes[..]]);
        let config = Config::new().max_queued(1000);
        let (mut receiver, sender) = split(role, config, &wire);
        let mut count = 0;
        while let Ok(Some(message)) = receiver.recv() {
            let sent = sender.with(|conn| conn.send_binary(message.payload()));
            sent.expect("there is room for one more");
            count += 1;
        }
        assert_eq!(count, 100);
        assert_eq!(read_output(role, &wire.reached()).len(), 100);
    }
}
