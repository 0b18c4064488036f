//! A WebSocket is taken apart and put together again in the middle of everything, and goes on as if
//! nothing had happened; and it goes on by hand, or with what was begun by hand.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::{ErrorKind, Read, Write};

use bytes::{Buf as _, Bytes};
use framewire::blocking::{ByteStream, Parts, Transport, Untimed, WebSocket};
use framewire::{
    CloseCode, Config, Connection, Event, MessageKind, PartEvent, RecvBuf, Role, Stats,
};
use script::{Call, End, Fault, Moment, Why, Wire, websocket, why};
use support::{
    ROLES, connection,
    trace::{Seen, drain, random_pieces},
    wire::{close, frame, input, read_output},
};

fn again<S: Transport>(ws: WebSocket<S>) -> WebSocket<S> {
    WebSocket::from_parts(ws.into_parts())
}

/// Several messages in one segment or in many, and a Close frame.
fn frames() -> Vec<u8> {
    [
        frame(0x81, b"one"),
        frame(0x82, &[2; 400]),
        frame(0x89, b"ping"),
        frame(0x01, b"in "),
        frame(0x8a, b"pong"),
        frame(0x00, b"pieces "),
        frame(0x80, b"and bits"),
        frame(0x82, b"last"),
        close(1000, "bye"),
    ]
    .concat()
}

#[derive(Debug, PartialEq, Eq)]
struct Run {
    seen: Vec<Seen>,
    reached: Vec<u8>,
    stats: Stats,
    is_clean: bool,
}

/// Echoes to the end; takes the WebSocket apart before each call for which it is asked to.
fn echo(role: Role, segments: &[&[u8]], mut is_apart: impl FnMut() -> bool) -> Run {
    let wire = Wire::new(segments.iter().copied());
    let mut ws = websocket(role, Config::new(), wire.clone());
    let mut seen = Vec::new();
    loop {
        if is_apart() {
            ws = again(ws);
        }
        let Some((event, conn)) = ws.recv_ref().expect("no error") else {
            break;
        };
        match event {
            Event::Text(text) => conn.send_text(text).expect("open"),
            Event::Binary(data) => conn.send_binary(data).expect("open"),
            _ => {}
        }
        seen.push(event.into());
    }
    let conn = ws.connection();
    Run {
        seen,
        reached: wire.reached(),
        stats: conn.stats(),
        is_clean: conn.closed().expect("it has").clean,
    }
}

#[test]
fn websocket_that_is_taken_apart_between_events_goes_on_as_before() {
    for role in ROLES {
        let bytes = input(role, &frames());
        let single: Vec<_> = bytes.chunks(1).collect();
        for segments in [vec![&bytes[..]], single, random_pieces(&bytes, 5)] {
            let expected = echo(role, &segments, || false);
            assert!(expected.is_clean);
            assert_eq!(expected.seen.len(), 7);
            assert_eq!(echo(role, &segments, || true), expected, "{role:?}");
            let mut turn = 0;
            let every_third = || {
                turn += 1;
                turn % 3 == 0
            };
            assert_eq!(echo(role, &segments, every_third), expected, "{role:?}");
        }
    }
}

#[test]
fn websocket_that_is_taken_apart_inside_of_a_frame_goes_on_as_before() {
    for role in ROLES {
        let bytes = input(role, &frames());
        let expected = echo(role, &[&bytes[..]], || false);
        // The transport would block behind every byte.
        let wire = Wire::new([]).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        let mut seen = Vec::new();
        let mut rest = bytes.iter();
        let is_clean = loop {
            ws = again(ws);
            match ws.recv_ref() {
                Ok(Some((event, conn))) => {
                    match event {
                        Event::Text(text) => conn.send_text(text).expect("open"),
                        Event::Binary(data) => conn.send_binary(data).expect("open"),
                        _ => {}
                    }
                    seen.push(Seen::from(event));
                }
                Ok(None) => break ws.connection().closed().expect("it has").clean,
                Err(error) => {
                    assert_eq!(Why::from(error), Why::Io(ErrorKind::WouldBlock));
                    match rest.next() {
                        Some(byte) => wire.deliver(&[*byte]),
                        None => wire.state().end_now(),
                    }
                }
            }
        };
        let stats = ws.connection().stats();
        let reached = wire.reached();
        let run = Run {
            seen,
            reached,
            stats,
            is_clean,
        };
        assert_eq!(run, expected);
    }
}

#[test]
fn parts_of_a_message_go_on_behind_taking_apart() {
    for role in ROLES {
        let bytes = input(role, &frames());
        for most in [1, 4, 50] {
            let wire = Wire::new([&bytes[..]]).pieces(most, usize::MAX);
            let mut ws = websocket(role, Config::new(), wire);
            let mut payload = Vec::new();
            loop {
                ws = again(ws);
                match ws.recv_part_ref().expect("no error") {
                    Some((PartEvent::Text { part, .. }, _)) => payload.extend(part.bytes()),
                    Some((PartEvent::Binary { part, .. }, _)) => payload.extend_from_slice(part),
                    Some(_) => {}
                    None => break,
                }
            }
            let expected = [&b"one"[..], &[2; 400], b"in pieces and bits", b"last"].concat();
            assert_eq!(payload, expected);
        }
    }
}

#[test]
fn what_is_queued_leaves_behind_taking_apart() {
    for role in ROLES {
        let send = |ws: &mut WebSocket<Wire>| {
            ws.feed("fed").expect("queued");
            let conn = ws.connection_mut();
            conn.send_bytes(MessageKind::Binary, Bytes::from(vec![7; 9000]))
                .expect("open");
            conn.start_message(MessageKind::Text).expect("open");
            conn.send_part(b"begun").expect("open");
        };
        let finish = |ws: &mut WebSocket<Wire>| {
            ws.connection_mut()
                .finish_message(b" and done")
                .expect("begun");
            ws.flush().expect("written");
        };
        let [one, other] = [Wire::new([]), Wire::new([])];
        let mut ws = websocket(role, Config::new(), one.clone());
        send(&mut ws);
        finish(&mut ws);
        let mut ws = websocket(role, Config::new(), other.clone());
        send(&mut ws);
        let mut ws = again(ws);
        assert_eq!(other.reached(), b"");
        finish(&mut ws);
        assert_eq!(other.reached(), one.reached());
    }
}

#[test]
fn what_was_written_in_part_goes_on_behind_taking_apart() {
    for role in ROLES {
        let whole = Wire::new([]);
        let mut ws = websocket(role, Config::new(), whole.clone());
        ws.send(vec![7; 20_000]).expect("written");
        for most in [1, 5, 4000, 19_000] {
            // Takes some of it, then nothing for once, and so on.
            let faults = |moment: Moment| {
                let blocks = moment.call == Call::Write && moment.nth.is_multiple_of(2);
                blocks.then_some(Fault::Once(ErrorKind::WouldBlock))
            };
            let wire = Wire::new([]).pieces(1, most).faults(faults);
            let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
            ws.connection_mut()
                .send_bytes(MessageKind::Binary, Bytes::from(vec![7; 20_000]))
                .expect("open");
            while let Err(error) = ws.flush() {
                assert_eq!(Why::from(error), Why::Io(ErrorKind::WouldBlock));
                ws = again(ws);
            }
            assert!(wire.reached() == whole.reached(), "{role:?}, {most}");
        }
    }
}

#[test]
fn what_a_layer_has_gathered_is_flushed_behind_taking_apart() {
    for role in ROLES {
        let faults = |moment: Moment| {
            let blocks = moment.call == Call::Flush && moment.nth == 1;
            blocks.then_some(Fault::Once(ErrorKind::WouldBlock))
        };
        let wire = Wire::new([]).gathering().faults(faults);
        let mut ws = websocket(role, Config::new(), Untimed(wire.clone()));
        assert_eq!(why(ws.send("Hello")), Err(Why::Io(ErrorKind::WouldBlock)));
        let mut ws = again(ws);
        // "Nothing is lost: what has not been written or used up is in the parts."
        ws.flush().expect("nothing blocks any more");
        let frames = read_output(role, &wire.reached());
        assert_eq!(
            frames.len(),
            1,
            "{role:?}: the message is still in the layer"
        );
    }
}

#[test]
fn closing_handshake_goes_on_behind_taking_apart() {
    for role in ROLES {
        let segments = [frame(0x81, b"late"), close(1000, "")].map(|f| input(role, &f));
        let wire = Wire::new(segments.iter().map(|segment| &segment[..]));
        let mut ws = websocket(role, Config::new(), wire.clone());
        ws.connection_mut()
            .close(CloseCode::NORMAL, "done")
            .expect("open");
        let mut ws = again(ws);
        assert_eq!(why(ws.recv()), Ok(Some("late".into())));
        let mut ws = again(ws);
        assert_eq!(why(ws.recv()), Ok(None));
        let mut ws = again(ws);
        assert_eq!(why(ws.recv()), Ok(None));
        assert!(ws.connection().closed().expect("it has").clean);
        let frames = read_output(role, &wire.reached());
        assert_eq!(
            (frames.len(), &frames[0].payload[..]),
            (1, &b"\x03\xe8done"[..])
        );
    }
}

#[test]
fn peer_that_is_gone_stays_so_behind_taking_apart() {
    for role in ROLES {
        let segments = [frame(0x89, b"ping"), frame(0x81, b"and gone")];
        let segments = segments.map(|frame| input(role, &frame));
        let faults = |moment: Moment| {
            let kind = ErrorKind::BrokenPipe;
            (moment.call == Call::Write).then_some(Fault::ForGood(kind))
        };
        let wire = Wire::new(segments.iter().map(|segment| &segment[..])).faults(faults);
        let mut ws = websocket(role, Config::new(), wire);
        assert_eq!(why(ws.recv()), Ok(Some("and gone".into())));
        let mut ws = again(ws);
        let end = why(ws.recv());
        assert!(matches!(end, Err(Why::Io(_) | Why::Eof)), "{end:?}");
        assert_eq!(why(again(ws).recv()), Ok(None));
    }
}

#[test]
fn stream_of_bytes_goes_on_behind_taking_apart() {
    for role in ROLES {
        let bytes = input(role, &frames());
        let wire = Wire::new([&bytes[..]]).pieces(5, usize::MAX);
        let mut stream = ByteStream::new(websocket(role, Config::new(), wire));
        // Nothing is lost where a message has ended.
        for message in [&b"one"[..], &[2; 400], b"in pieces and bits"] {
            let mut received = vec![0; message.len()];
            stream.read_exact(&mut received).expect("no error");
            assert_eq!(received, message, "{role:?}");
            let ws = stream.into_websocket().expect("no rest to wait for");
            stream = ByteStream::new(again(ws));
        }
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("closed");
        assert_eq!(received, b"last", "{role:?}");
    }
}

#[test]
fn connection_goes_on_by_hand_with_what_the_adapter_had_read() {
    for role in ROLES {
        // All in one segment: only the first event has been taken.
        let bytes = input(role, &frames());
        let mut ws = websocket(role, Config::new(), Wire::new([&bytes[..]]));
        assert_eq!(why(ws.recv()), Ok(Some("one".into())));
        ws.feed("not written yet").expect("queued");
        let Parts {
            mut connection,
            mut rx,
            ..
        } = ws.into_parts();
        assert!(!rx.is_empty() && connection.send_buf().has_remaining());
        let mut events = 0;
        while connection.receive(&mut rx).is_some() {
            events += 1;
        }
        assert_eq!(events, 6);
        let opcodes: Vec<_> = read_output(role, &drain(&mut connection))
            .iter()
            .map(|frame| frame.opcode)
            .collect();
        assert_eq!(opcodes, [1, 10, 8], "text, pong, Close");
    }
}

#[test]
fn adapter_goes_on_with_what_was_begun_by_hand() {
    for role in ROLES {
        let bytes = input(role, &frames());
        for cut in 0..bytes.len() {
            let (early, late) = bytes.split_at(cut);
            let mut connection: Connection = connection(role, Config::new());
            let mut rx = RecvBuf::new();
            rx.extend_from_slice(early);
            let mut seen = 0;
            // In the middle of a message, if it is cut there.
            while seen < 3 && connection.receive(&mut rx).is_some() {
                seen += 1;
            }
            let wire = Wire::new([late]);
            let mut ws = WebSocket::from_parts(Parts::new(wire.clone(), connection, rx));
            while ws.recv_ref().expect("no error").is_some() {
                seen += 1;
            }
            assert_eq!(seen, 7, "{role:?}, {cut}");
            assert!(ws.connection().closed().expect("it has").clean);
            assert_eq!(
                read_output(role, &wire.reached()).len(),
                2,
                "pong and Close"
            );
        }
    }
}

#[test]
fn transport_may_be_exchanged_between_the_parts() {
    for role in ROLES {
        let bytes = input(role, &frame(0x81, b"Hello"));
        let (early, late) = bytes.split_at(4);
        let first = Wire::new([early]).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), Untimed(first));
        ws.feed("to be continued").expect("queued");
        assert!(ws.recv().is_err(), "it would block");
        let Parts {
            connection,
            rx,
            origin,
            ..
        } = ws.into_parts();
        let stream = Wire::new([late]);
        let mut ws = WebSocket::from_parts(Parts {
            stream,
            connection,
            rx,
            origin,
        });
        assert_eq!(why(ws.recv()), Ok(Some("Hello".into())));
        let mut stream = ByteStream::new(ws);
        stream.write_all(b"bytes").expect("queued");
        stream.flush().expect("written");
    }
}
