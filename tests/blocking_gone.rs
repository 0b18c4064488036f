//! The peer is gone: what it had sent before is received all the same, why nothing could be written is
//! told behind that, and only if there was no closing handshake; then there is nothing any more.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/script.rs"]
mod script;
mod support;

use std::{io::ErrorKind, time::Duration};

use ends::FORMS;
use framewire::blocking::Untimed;
use framewire::{CloseCode, Closed, ClosedBy, Config, Event, Keepalive, Role, SendError, State};
use script::{Call, End, Fault, Moment, Why, Wire, websocket, why};
use support::{
    ROLES, connection,
    wire::{close, frame, input, read_output},
};

const GONE: [ErrorKind; 3] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
];

/// No write takes anything from now on.
fn no_writes(kind: ErrorKind) -> impl FnMut(Moment) -> Option<Fault> {
    move |moment| (moment.call == Call::Write).then_some(Fault::ForGood(kind))
}

#[test]
fn messages_and_close_of_a_peer_that_takes_no_reply_are_received() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| GONE.map(|k| (r, k))) {
        let frames = [
            frame(0x81, b"first"),
            frame(0x82, b"second"),
            frame(0x81, b"third"),
            close(1001, "leaving"),
        ];
        let wire = Wire::of(role, &frames).faults(no_writes(kind));
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.recv()), Ok(Some("first".into())));
        ws.connection_mut().send_text("a reply").expect("queued");
        assert_eq!(why(ws.recv()), Ok(Some(b"second"[..].into())));
        let refused = ws.connection_mut().send_text("another one");
        assert_eq!(refused, Err(SendError::Closed));
        assert_eq!(ws.connection().state(), State::Closing);
        assert_eq!(why(ws.recv()), Ok(Some("third".into())));
        assert_eq!(why(ws.recv()), Ok(None));
        assert_eq!(why(ws.recv()), Ok(None));
        let closed = ws.connection().closed().expect("it has");
        let Closed { code, clean, .. } = closed;
        assert_eq!((code, clean), (CloseCode::GOING_AWAY, false));
        assert_eq!(wire.count(Call::Write), 1, "once is enough");
    }
}

#[test]
fn error_of_the_write_comes_behind_the_messages_if_there_was_no_close() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| GONE.map(|k| (r, k))) {
        for end in [End::Eof, End::Error(ErrorKind::ConnectionReset)] {
            let frames = [frame(0x89, b"ping"), frame(0x81, b"and gone")];
            let wire = Wire::of(role, &frames).faults(no_writes(kind)).end(end);
            let mut ws = websocket(role, Config::new(), wire.clone());
            assert_eq!(why(ws.recv()), Ok(Some("and gone".into())));
            assert_eq!(why(ws.recv()), Err(Why::Io(kind)));
            assert_eq!(why(ws.recv()), Ok(None));
            let closed = ws.connection().closed().expect("it has");
            assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
        }
    }
}

#[test]
fn events_and_parts_come_behind_a_failed_write_as_well() {
    for role in ROLES {
        let frames = [frame(0x89, b"ping"), frame(0x82, b"data"), close(1000, "")];
        let faults = || no_writes(ErrorKind::BrokenPipe);
        let mut events = Vec::new();
        let wire_of_events = Wire::of(role, &frames).faults(faults());
        let mut ws = websocket(role, Config::new(), wire_of_events.clone());
        while let Some((event, _)) = ws.recv_ref().expect("no error: it has closed") {
            events.push(format!("{event:?}"));
        }
        assert_eq!(events.len(), 3, "{events:?}");
        let mut parts = Vec::new();
        let wire_of_parts = Wire::of(role, &frames).faults(faults());
        let mut ws = websocket(role, Config::new(), wire_of_parts.clone());
        while let Some((part, _)) = ws.recv_part_ref().expect("no error: it has closed") {
            parts.push(format!("{part:?}"));
        }
        assert_eq!(parts.len(), 3, "{parts:?}");
    }
}

#[test]
fn many_replies_that_nobody_takes_do_not_hold_up_what_has_arrived() {
    for role in ROLES {
        // In one segment: replies of 64 KiB are written before the next event is looked for.
        let messages: Vec<_> = (0..10).map(|n| frame(0x82, &[n; 20_000])).collect();
        let all = [messages.concat(), close(1000, "")].concat();
        let wire = Wire::of(role, &[all]).faults(no_writes(ErrorKind::BrokenPipe));
        let mut ws = websocket(role, Config::new(), wire.clone());
        let mut received = 0;
        while let Some((event, conn)) = ws.recv_ref().expect("no error: it has closed") {
            if let Event::Binary(data) = event {
                assert_eq!(data, [received; 20_000]);
                received += 1;
                let _ = conn.send_binary(data);
            }
        }
        assert_eq!(received, 10);
        assert_eq!(wire.count(Call::Write), 1);
    }
}

#[test]
fn sender_is_told_and_can_still_receive() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| GONE.map(|k| (r, k))) {
        let frames = [frame(0x81, b"before"), close(1000, "bye")];
        let wire = Wire::of(role, &frames).faults(no_writes(kind));
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.send("anybody?")), Err(Why::Io(kind)));
        assert_eq!(why(ws.send("hello?")), Err(Why::Send(SendError::Closed)));
        assert_eq!(why(ws.flush()), Ok(()), "nothing is queued");
        assert_eq!(why(ws.recv()), Ok(Some("before".into())));
        assert_eq!(why(ws.recv()), Ok(None));
        // Without a Close frame there is an error behind it.
        let frames = [frame(0x81, b"before")];
        let wire = Wire::of(role, &frames).faults(no_writes(kind));
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.send("anybody?")), Err(Why::Io(kind)));
        assert_eq!(why(ws.recv()), Ok(Some("before".into())));
        let end = why(ws.recv());
        assert!(matches!(end, Err(Why::Io(_) | Why::Eof)), "{end:?}");
        assert_eq!(why(ws.recv()), Ok(None));
    }
}

#[test]
fn closing_a_connection_whose_peer_is_gone_tells_how_it_ended() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| GONE.map(|k| (r, k))) {
        let frames = [frame(0x81, b"discarded"), close(1001, "away")];
        let mut ws = websocket(
            role,
            Config::new(),
            Wire::of(role, &frames).faults(no_writes(kind)),
        );
        let closed = ws.close(CloseCode::NORMAL, "done").expect("it has closed");
        assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, false));
        assert_eq!(closed.by, ClosedBy::Us);
        let mut ws = websocket(
            role,
            Config::new(),
            Wire::of(role, &[]).faults(no_writes(kind)),
        );
        let closed = why(ws.close(CloseCode::NORMAL, "done"));
        assert_eq!(closed, Err(Why::Io(kind)));
        let closed = ws.close(CloseCode::NORMAL, "done").expect("it has ended");
        assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
    }
}

#[test]
fn peer_that_broke_a_rule_and_is_gone_has_broken_a_rule() {
    for (role, kind) in ROLES.into_iter().flat_map(|r| GONE.map(|k| (r, k))) {
        let wire = Wire::of(role, &[frame(0x83, b"")]).faults(no_writes(kind));
        let mut ws = websocket(role, Config::new(), wire.clone());
        let end = why(ws.recv());
        assert!(matches!(end, Err(Why::Protocol(_))), "{end:?}");
        assert_eq!(ws.connection().state(), State::Closed);
    }
}

#[test]
fn message_that_was_cut_by_the_end_of_the_transport_is_not_received() {
    for role in ROLES {
        let whole = input(role, &frame(0x81, b"whole"));
        let bytes = input(role, &[frame(0x81, b"whole"), frame(0x82, b"cut")].concat());
        for cut in whole.len()..bytes.len() {
            let mut ws = websocket(role, Config::new(), Wire::new([&bytes[..cut]]));
            assert_eq!(why(ws.recv()), Ok(Some("whole".into())));
            assert_eq!(why(ws.recv()), Err(Why::Eof));
            assert_eq!(why(ws.recv()), Ok(None));
        }
    }
}

// What the transport says behind the closing handshake concerns nobody: TLS peers that end without a
// close_notify are many.
#[test]
fn transport_that_fails_behind_the_closing_handshake_is_no_error() {
    for kind in [
        ErrorKind::ConnectionReset,
        ErrorKind::UnexpectedEof,
        ErrorKind::NotConnected,
        ErrorKind::Other,
    ] {
        // A client waits for the server to end the transport.
        let end = || Wire::of(Role::Client, &[close(1000, "")]).end(End::Error(kind));
        let mut ws = websocket(Role::Client, Config::new(), end());
        assert_eq!(why(ws.recv()), Ok(None), "{kind:?}");
        let mut ws = websocket(Role::Client, Config::new(), end());
        let closed = why(ws.close(CloseCode::NORMAL, ""));
        assert!(
            matches!(closed, Ok(Closed { clean: true, .. })),
            "{kind:?}: {closed:?}"
        );
    }
}

#[test]
fn client_whose_transport_would_block_behind_the_closing_handshake_calls_again() {
    let wire = Wire::of(Role::Client, &[close(1000, "")]).end(End::WouldBlock);
    let mut ws = websocket(Role::Client, Config::new(), Untimed(wire.clone()));
    for _ in 0..3 {
        assert_eq!(why(ws.recv()), Err(Why::Io(ErrorKind::WouldBlock)));
        assert_eq!(ws.connection().state(), State::Closing);
    }
    wire.state().end_now();
    assert_eq!(why(ws.recv()), Ok(None));
    assert_eq!(ws.connection().state(), State::Closed);
}

#[test]
fn end_of_the_connection_is_told_to_the_transport_once_whatever_it_was() {
    for role in ROLES {
        for frames in [
            vec![close(1000, "")],
            vec![frame(0x83, b"reserved")],
            vec![frame(0x81, b"and gone")],
        ] {
            let wire = Wire::of(role, &frames);
            let mut ws = websocket(role, Config::new(), wire.clone());
            for _ in 0..5 {
                let _ = ws.recv();
            }
            assert_eq!(wire.count(Call::EndWriting), 1);
        }
    }
}

// "The connection has ended: the transport is told so at once, also if the WebSocket lives on."
#[test]
fn end_of_the_connection_is_told_to_the_transport_also_if_it_is_an_error() {
    for role in ROLES {
        let wire = Wire::of(role, &[frame(0x81, b"and gone")]);
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert_eq!(why(ws.recv()), Ok(Some("and gone".into())));
        assert_eq!(why(ws.recv()), Err(Why::Eof));
        assert_eq!(wire.count(Call::EndWriting), 1, "no bytes follow");
    }
}

// "The connection has ended: the transport is told so at once", whichever call finds it.
#[test]
fn end_of_the_connection_is_told_to_the_transport_by_a_flush_as_well() {
    for fails in [false, true] {
        let wire = Wire::of(Role::Server, &[close(1000, "")]).end(End::Silence);
        let mut ws = websocket(Role::Server, Config::new(), wire.clone());
        if fails {
            let failing = ws.connection_mut().fail(CloseCode::POLICY_VIOLATION, "");
            failing.expect("it is open");
        } else {
            let event = ws.recv_ref().expect("no error");
            assert!(matches!(event, Some((Event::Close(_), _))));
        }
        assert_eq!(wire.count(Call::EndWriting), 0);
        ws.flush().expect("it is taken");
        assert_eq!(ws.connection().state(), State::Closed);
        assert_eq!(wire.count(Call::EndWriting), 1);
        assert_eq!(why(ws.recv()), Ok(None));
        assert_eq!(wire.count(Call::EndWriting), 1);
    }
}

#[test]
fn how_the_peer_broke_a_rule_is_told_once() {
    for (role, &form) in ROLES
        .iter()
        .flat_map(|&r| FORMS.iter().map(move |f| (r, f)))
    {
        let wire = Wire::of(role, &[frame(0x83, b"")]);
        let mut ws = ends::End::new(form, wire, connection(role, Config::new()));
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        assert_eq!(why(ws.recv()), Ok(None));
    }
}

#[test]
fn ping_that_is_due_at_once_is_written_before_anything_is_waited_for() {
    let at_once = Keepalive {
        interval: Duration::ZERO,
        timeout: Duration::from_secs(100),
    };
    for (role, &form) in ROLES
        .iter()
        .flat_map(|&r| FORMS.iter().map(move |f| (r, f)))
    {
        let answer = input(role, &frame(0x83, b""));
        let wire = Wire::new([])
            .end(End::Silence)
            .peer(move |_| vec![answer.clone()]);
        let config = Config::new().keepalive(at_once);
        let mut ws = ends::End::new(form, wire.clone(), connection(role, config));
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let calls = wire.state().calls.clone();
        let first = calls
            .into_iter()
            .find(|call| [Call::Read, Call::Write].contains(call));
        assert_eq!(first, Some(Call::Write), "{role:?} {form:?}");
    }
}

#[test]
fn answer_to_a_close_frame_is_written_before_the_transport_is_told() {
    let wire = Wire::of(Role::Server, &[close(1000, "bye")]).end(End::Silence);
    let mut ws = websocket(Role::Server, Config::new(), wire.clone());
    assert_eq!(why(ws.recv()), Ok(None));
    let frames = read_output(Role::Server, &wire.reached());
    assert_eq!((frames.len(), frames[0].opcode), (1, 8));
    let calls = wire.state().calls.clone();
    let place = |call| calls.iter().position(|&c| c == call).expect("it was made");
    assert!(place(Call::Write) < place(Call::EndWriting));
    // The handshake was clean: nothing that matters can be taken back, and nothing is waited for.
    assert_eq!(calls.last(), Some(&Call::EndWriting));
}
