//! The blocking adapter over real sockets whose other end is made by hand: it resets, ends one
//! direction, does not read, does not answer, or does not stop (RFC 6455 sections 7.1.1 to 7.1.5).
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::Read as _,
    net::TcpStream,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Buf as _;
use framewire::{
    CloseCode, Closed, ClosedBy, Config, Error, Event, ProtocolError, Role, SendError, State,
    TimedOut, blocking::WebSocket,
};
use sockets::{
    BINARY, CLOSE, Frame, MUCH, PING, PONG, Peer, Socket, TEXT, Task, everywhere, in_time, is_gone,
    keepalive, patient, quick, spawn, timed_out, two, with_peer,
};

/// What no endpoint may send: an opcode that is reserved.
const MISTAKE: u8 = 0x83;

fn closed<S: Socket>(ws: &WebSocket<S>) -> (u16, bool, ClosedBy) {
    assert_eq!(ws.connection().state(), State::Closed);
    let closed = ws.connection().closed().expect("it is closed");
    (closed.code.get(), closed.clean, closed.by)
}

/// Sends until the transport has noticed that its peer is gone.
fn send_until_gone<S: Socket>(ws: &mut WebSocket<S>) {
    loop {
        match ws.send("anybody there?") {
            Ok(()) => {}
            Err(error) if is_gone(&error) => return,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Sends frames until they can't be written any more.
fn flood<S: Socket>(mut peer: Peer<S>) -> Task<()> {
    spawn("the flood", move || {
        while peer.try_send(BINARY, [0; 1000]).is_ok() {}
    })
}

/// Reads a few bytes at a time up to the end, and tells how many there were.
fn drop_by_drop<S: Socket>(mut peer: Peer<S>) -> Task<usize> {
    spawn("the peer", move || {
        let mut sum = 0;
        while let Ok(n @ 1..) = peer.stream.read(&mut [0; 32]) {
            sum += n;
        }
        sum
    })
}

/// Reads up to a Close frame; what comes after it is the business of others.
fn read_close<S: Socket>(peer: &mut Peer<S>) -> Frame {
    loop {
        let frame = peer.frame();
        if frame.first == CLOSE {
            return frame;
        }
    }
}

// Resets.

#[test]
fn reset_is_an_error_of_the_transport_behind_what_came_before() {
    fn over<S: Socket>(role: Role) {
        let begun = Frame::new(TEXT, "Hello").encode(role);
        for len in [0, 1, begun.len() - 1] {
            let (mut ws, mut peer) = with_peer::<S>(role, patient());
            ws.send("unread").expect("there is room");
            peer.send(TEXT, "last words");
            peer.send_bytes(&begun[..len]);
            peer.reset();
            assert_eq!(ws.recv().expect("a message"), Some("last words".into()));
            let error = ws.recv().expect_err("no message");
            assert!(is_gone(&error), "{error:?}");
            assert_eq!(closed(&ws), (1006, false, ClosedBy::Peer));
        }
    }
    everywhere!(over);
}

#[test]
fn what_came_before_a_reset_is_received_though_a_write_has_failed() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        ws.send("unread").expect("there is room");
        peer.send(TEXT, "last");
        peer.send(BINARY, b"words");
        peer.reset();
        send_until_gone(&mut ws);
        assert_eq!(ws.recv().expect("a message"), Some("last".into()));
        let refused = ws.send("one more");
        assert!(
            matches!(refused, Err(Error::Send(SendError::Closed))),
            "{refused:?}"
        );
        assert_eq!(ws.recv().expect("a message"), Some(b"words"[..].into()));
        let error = ws.recv().expect_err("no closing handshake");
        assert!(
            is_gone(&error) || matches!(error, Error::Eof(_)),
            "{error:?}"
        );
        assert_eq!(closed(&ws), (1006, false, ClosedBy::Peer));
    }
    everywhere!(over);
}

#[test]
fn peer_that_has_closed_before_it_resets_is_no_error() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        ws.send("unread").expect("there is room");
        peer.send(TEXT, "last words");
        peer.send_close(1001);
        peer.reset();
        send_until_gone(&mut ws);
        assert_eq!(ws.recv().expect("a message"), Some("last words".into()));
        assert_eq!(ws.recv().expect("an end"), None);
        assert_eq!(closed(&ws), (1001, false, ClosedBy::Peer));
    }
    everywhere!(over);
}

#[test]
fn answers_that_meet_a_reset_are_no_error_if_the_peer_has_closed() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        ws.send("unread").expect("there is room");
        // In one segment: a reset destroys what waits to be sent behind others.
        let pings = (0..100_u8).map(|n| Frame::new(PING, [n]));
        let frames = pings.chain([Frame::close(1001)]);
        let bytes: Vec<_> = frames.flat_map(|frame| frame.encode(role)).collect();
        peer.send_bytes(&bytes);
        peer.reset();
        assert_eq!(ws.recv().expect("an end"), None);
        let (code, _, by) = closed(&ws);
        assert_eq!((code, by), (1001, ClosedBy::Peer));
    }
    everywhere!(over);
}

#[test]
fn reset_after_our_close_frame_is_an_error_of_the_transport() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, peer) = with_peer::<S>(role, patient());
        let peer = spawn("the peer", move || peer.reset());
        let error = ws.close(CloseCode::NORMAL, "").expect_err("no answer");
        assert!(is_gone(&error), "{error:?}");
        peer.join();
    }
    everywhere!(over);
}

#[test]
fn reset_in_place_of_the_end_is_as_good() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        let peer = spawn("the peer", move || {
            peer.send_close(1000);
            peer.reset();
        });
        // In one write: only what follows the first byte of it can be unread.
        ws.feed("unread").expect("there is room");
        let ended = ws.close(CloseCode::NORMAL, "").expect("an answer");
        assert_eq!((ended.code, ended.clean), (CloseCode::NORMAL, true));
        peer.join();
    }
    everywhere!(over);
}

#[test]
fn reset_while_a_write_waits_is_an_error_of_the_transport() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, peer) = with_peer::<S>(role, patient());
        let writer = spawn("the writer", move || {
            let error = ws.send(&[0; MUCH][..]).expect_err("nobody reads it");
            (ws, error)
        });
        writer.wait_until_blocked();
        peer.reset();
        let (mut ws, error) = writer.join();
        assert!(is_gone(&error), "{error:?}");
        let ended = ws.recv();
        assert!(ended.is_err(), "{ended:?}");
    }
    everywhere!(over);
}

// One direction has ended.

#[test]
fn peer_that_only_ended_its_own_direction_gets_what_it_is_owed() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        let echo = spawn("the echo", move || {
            loop {
                match ws.recv_ref()? {
                    Some((Event::Binary(data), conn)) => conn.send_binary(data)?,
                    Some(_) => {}
                    None => return Ok::<_, Error>(()),
                }
            }
        });
        let payload = sockets::pattern(1, MUCH);
        peer.send(PING, "?");
        peer.send(BINARY, &payload);
        peer.send(BINARY, "the end");
        peer.end_writing();
        let owed = [
            Frame::new(PONG, "?"),
            Frame::new(BINARY, &payload),
            Frame::new(BINARY, "the end"),
        ];
        assert!(peer.frames_to_end() == owed);
        let ended = echo.join();
        assert!(matches!(ended, Err(Error::Eof(_))), "{ended:?}");
    }
    everywhere!(over);
}

#[test]
fn peer_that_ended_its_direction_behind_its_close_frame_is_answered() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        peer.send_close(3000);
        peer.end_writing();
        assert_eq!(ws.recv().expect("an end"), None);
        assert_eq!(closed(&ws), (3000, true, ClosedBy::Peer));
        assert_eq!(peer.frames_to_end(), [Frame::close(3000)]);
    }
    everywhere!(over);
}

#[test]
fn peer_that_ends_its_direction_after_our_close_frame_has_not_answered() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        peer.end_writing();
        let ended = ws.close(CloseCode::NORMAL, "");
        assert!(matches!(ended, Err(Error::Eof(_))), "{ended:?}");
        assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
        drop(ws);
        assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
    }
    everywhere!(over);
}

// Time-outs.

#[test]
fn peer_that_never_reads_is_given_up() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, _peer) = with_peer::<S>(role, quick());
        let sent = ws.send(&[0; MUCH][..]);
        assert_eq!(timed_out(&sent), Some(TimedOut::Write));
        assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
    }
    everywhere!(over);
}

#[test]
fn what_gathers_for_a_peer_that_never_reads_is_bounded() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, _peer) = with_peer::<S>(role, quick());
        let fed = loop {
            let fed = ws.feed(&[0; 1000]);
            assert!(ws.connection_mut().send_buf().remaining() < 66 * 1024);
            if fed.is_err() {
                break fed;
            }
        };
        assert_eq!(timed_out(&fed), Some(TimedOut::Write));
    }
    everywhere!(over);
}

#[test]
fn pongs_for_a_peer_that_never_reads_are_bounded() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, quick());
        let pings = spawn(
            "the pings",
            move || while peer.try_send(PING, [0; 125]).is_ok() {},
        );
        let ended = loop {
            match ws.recv_ref() {
                Ok(Some(_)) => {}
                ended => break ended.map(drop),
            }
            assert!(ws.connection_mut().send_buf().remaining() <= 4096);
        };
        assert_eq!(timed_out(&ended), Some(TimedOut::Write));
        drop(ws);
        pings.join();
    }
    everywhere!(over);
}

#[test]
fn peer_that_never_answers_our_close_frame_is_given_up() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, quick());
        let ended = ws.close(CloseCode::GOING_AWAY, "bye");
        assert_eq!(timed_out(&ended), Some(TimedOut::Close));
        assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
        drop(ws);
        assert_eq!(
            peer.frames_to_end(),
            [Frame::new(CLOSE, b"\x03\xe9bye".as_slice())]
        );
    }
    everywhere!(over);
}

#[test]
fn flood_is_no_answer_to_our_close_frame() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, peer) = with_peer::<S>(role, quick());
        let flood = flood(peer.another());
        let ended = ws.close(CloseCode::NORMAL, "");
        assert_eq!(timed_out(&ended), Some(TimedOut::Close));
        drop(ws);
        flood.join();
    }
    everywhere!(over);
}

#[test]
fn frame_that_drips_is_no_answer_to_our_close_frame() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, quick());
        let drip = spawn("the drip", move || {
            // A message of 16 MiB, byte by byte.
            let frame = Frame::new(BINARY, vec![0; 16 << 20]).encode(role);
            for byte in frame.chunks(1) {
                if std::io::Write::write_all(&mut peer.stream, byte).is_err() {
                    return;
                }
                thread::yield_now();
            }
        });
        let ended = ws.close(CloseCode::NORMAL, "");
        assert_eq!(timed_out(&ended), Some(TimedOut::Close));
        drop(ws);
        drip.join();
    }
    everywhere!(over);
}

#[test]
fn peer_that_reads_drop_by_drop_does_not_get_more_time_to_close() {
    fn over<S: Socket>(role: Role) {
        let config = patient().close_timeout(Duration::from_millis(40));
        let (mut ws, peer) = with_peer::<S>(role, config);
        let reader = drop_by_drop(peer);
        let queued = ws.connection_mut().send_binary(&[0; MUCH]);
        queued.expect("there is room");
        let ended = ws.close(CloseCode::NORMAL, "");
        assert_eq!(timed_out(&ended), Some(TimedOut::Close));
        drop(ws);
        // It would have taken much longer to read all of it, so it was not waited for.
        assert!(reader.join() < MUCH);
    }
    everywhere!(over);
}

#[test]
fn peer_that_reads_byte_by_byte_is_not_given_up() {
    in_time("the test", || {
        let config = patient().write_timeout(Duration::from_millis(200));
        let (mut ws, mut peer) = with_peer::<TcpStream>(Role::Server, config);
        let has_sent = Arc::new(AtomicBool::new(false));
        let sent = Arc::clone(&has_sent);
        let reader = spawn("the peer", move || {
            while !sent.load(Ordering::SeqCst) {
                // The system wakes a writer only when a good part of its buffer is free again.
                peer.stream.read_exact(&mut [0]).expect("more to read");
            }
        });
        ws.send(&[0; MUCH / 2][..]).expect("it reads");
        has_sent.store(true, Ordering::SeqCst);
        reader.join();
    });
}

#[test]
fn peer_is_not_silent_because_nobody_receives() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_millis(10)));
        let (mut ws, mut peer) = with_peer::<S>(role, config);
        let peer = spawn("the peer", move || {
            while let Ok(Some(frame)) = peer.next() {
                if frame.first == PING && peer.try_send(PONG, frame.payload).is_err() {
                    break;
                }
            }
        });
        // Several times as long as a peer may be silent.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            ws.send("news").expect("it is there");
        }
        drop(ws);
        peer.join();
    }
    everywhere!(over);
}

#[test]
fn peer_that_goes_silent_is_given_up() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_millis(10)));
        let (mut ws, mut peer) = with_peer::<S>(role, config);
        peer.send(TEXT, "Hello");
        assert_eq!(ws.recv().expect("a message"), Some("Hello".into()));
        let ended = ws.recv();
        assert_eq!(timed_out(&ended), Some(TimedOut::Keepalive));
        assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
        assert_eq!(peer.frame().first, PING);
    }
    everywhere!(over);
}

#[test]
fn peer_that_answers_pings_is_alive() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_secs(100)));
        let (mut ws, mut peer) = with_peer::<S>(role, config);
        let peer = spawn("the peer", move || {
            for _ in 0..5 {
                let ping = peer.frame();
                assert_eq!(ping.first, PING);
                peer.send(PONG, ping.payload);
            }
            peer.send_close(1000);
            peer.end_writing();
            peer.frames_to_end()
        });
        assert_eq!(ws.recv().expect("an end"), None);
        let stats = ws.connection().stats();
        assert!(stats.pings_sent >= 5 && stats.round_trip_time.is_some());
        assert_eq!(peer.join().last(), Some(&Frame::close(1000)));
    }
    everywhere!(over);
}

#[test]
fn message_that_takes_too_long_fails_the_connection() {
    fn over<S: Socket>(role: Role) {
        let config = patient().message_timeout(Duration::from_millis(20));
        let (mut ws, mut peer) = with_peer::<S>(role, config);
        peer.send(0x01, "half a mess");
        let peer = spawn("the peer", move || {
            let close = peer.frame();
            peer.end_writing();
            (close, peer.frames_to_end())
        });
        let ended = ws.recv();
        assert!(
            matches!(ended, Err(Error::Protocol(ProtocolError::MessageTooSlow))),
            "{ended:?}"
        );
        assert_eq!(peer.join(), (Frame::close(1008), Vec::new()));
    }
    everywhere!(over);
}

// Mistakes of the peer.

// req: C-23
#[test]
fn peer_that_sends_on_after_its_mistake_gets_our_close_frame() {
    fn over<S: Socket>(role: Role) {
        for closes in [false, true] {
            let (mut ws, mut peer) = with_peer::<S>(role, patient());
            peer.send(TEXT, "Hello");
            peer.send(MISTAKE, "");
            let flood = flood(peer.another());
            assert_eq!(ws.recv().expect("a message"), Some("Hello".into()));
            let ended = if closes {
                ws.close(CloseCode::NORMAL, "").map(drop)
            } else {
                ws.recv().map(drop)
            };
            assert!(matches!(ended, Err(Error::Protocol(_))), "{ended:?}");
            drop(ws);
            flood.join();
            // `close` may have come first: then it is our only Close frame.
            let codes = if closes { vec![1000, 1002] } else { vec![1002] };
            let close = read_close(&mut peer);
            assert!(codes.iter().any(|code| Frame::close(*code) == close));
        }
    }
    everywhere!(over);
}

// req: C-23
#[test]
fn peer_that_sends_much_behind_its_mistake_reads_our_close_frame() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        let server = spawn("the WebSocket", move || ws.recv().map(drop));
        peer.send(MISTAKE, "");
        // It reads nothing before it has written all of it.
        peer.send(BINARY, vec![0; MUCH]);
        assert_eq!(read_close(&mut peer), Frame::close(1002));
        peer.end_writing();
        let ended = server.join();
        assert!(matches!(ended, Err(Error::Protocol(_))), "{ended:?}");
    }
    everywhere!(over);
}

#[test]
fn peer_that_reads_why_and_leaves_sees_no_reset() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        peer.send(MISTAKE, "");
        let reader = spawn("the receiver", move || ws.recv().map(drop));
        let close = read_close(&mut peer);
        assert_eq!(close, Frame::close(1002));
        // It sends on, as it had no way to know before.
        for _ in 0..10 {
            peer.send(TEXT, "too late");
        }
        assert_eq!(peer.frames_to_end(), []);
        drop(peer);
        let ended = reader.join();
        assert!(matches!(ended, Err(Error::Protocol(_))), "{ended:?}");
    }
    everywhere!(over);
}

#[test]
fn mistake_of_a_peer_that_never_reads_comes_to_an_end() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, quick());
        peer.send(MISTAKE, "");
        // Queued only: it meets the Close frame on its way out.
        let _ = ws.connection_mut().send_binary(&[0; MUCH]);
        let ended = ws.recv();
        let expected = matches!(timed_out(&ended), Some(TimedOut::Close | TimedOut::Write));
        assert!(expected, "{ended:?}");
        assert_eq!(ws.connection().state(), State::Closed);
    }
    everywhere!(over);
}

#[test]
fn failing_the_connection_ourselves_tells_the_peer_and_ends() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        let failing = ws.connection_mut().fail(CloseCode::POLICY_VIOLATION, "no");
        failing.expect("it is open");
        let reader = spawn("the receiver", move || ws.recv().expect("an end"));
        let close = Frame::new(CLOSE, b"\x03\xf0no".as_slice());
        assert_eq!(read_close(&mut peer), close);
        peer.end_writing();
        assert_eq!(peer.frames_to_end(), []);
        assert_eq!(reader.join(), None);
    }
    everywhere!(over);
}

// Closing.

#[test]
fn close_takes_no_notice_of_a_flood_that_ends_with_an_answer() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        let has_closed = Arc::new(AtomicBool::new(false));
        let (mut output, seen) = (peer.another(), Arc::clone(&has_closed));
        let flood = spawn("the flood", move || {
            while !seen.load(Ordering::SeqCst) {
                output.send(BINARY, [0; 1000]);
            }
            output.send_close(1000);
        });
        let reader = spawn("the peer", move || {
            let close = read_close(&mut peer);
            has_closed.store(true, Ordering::SeqCst);
            flood.join();
            peer.end_writing();
            (close, peer.frames_to_end())
        });
        let ended = ws.close(CloseCode::GOING_AWAY, "").expect("an answer");
        assert!(ended.clean);
        assert_eq!(reader.join(), (Frame::close(1001), Vec::new()));
    }
    everywhere!(over);
}

#[test]
fn both_ends_can_close_at_the_same_time() {
    fn over<S: Socket>() {
        for _ in 0..100 {
            let (mut client, mut server) = two::<S>(patient());
            let start = Arc::new(Barrier::new(2));
            let begun = Arc::clone(&start);
            let other = spawn("the server", move || {
                begun.wait();
                server.close(CloseCode::GOING_AWAY, "").expect("an answer")
            });
            start.wait();
            let here = client.close(CloseCode::NORMAL, "").expect("an answer");
            let there = other.join();
            assert_eq!((here.code, here.clean), (CloseCode::GOING_AWAY, true));
            assert_eq!((there.code, there.clean), (CloseCode::NORMAL, true));
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

#[test]
fn close_after_the_peer_has_closed_tells_how() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        peer.send(TEXT, "Hello");
        peer.send_close(1001);
        peer.end_writing();
        assert_eq!(ws.recv().expect("a message"), Some("Hello".into()));
        assert_eq!(ws.recv().expect("an end"), None);
        for _ in 0..2 {
            let Closed {
                code, clean, by, ..
            } = ws.close(CloseCode::NORMAL, "").expect("an end");
            assert_eq!((code.get(), clean, by), (1001, true, ClosedBy::Peer));
            assert_eq!(ws.recv().expect("an end"), None);
        }
        let refused = ws.send("too late");
        assert!(
            matches!(refused, Err(Error::Send(SendError::Closed))),
            "{refused:?}"
        );
        assert_eq!(peer.frames_to_end(), [Frame::close(1001)]);
    }
    everywhere!(over);
}

#[test]
fn close_finds_the_close_frame_that_nobody_has_received_yet() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        peer.send(TEXT, "unread");
        peer.send_close(1001);
        peer.end_writing();
        let ended = ws.close(CloseCode::NORMAL, "").expect("an end");
        assert_eq!((ended.code, ended.clean), (CloseCode::GOING_AWAY, true));
        assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
    }
    everywhere!(over);
}

// req: C-41
#[test]
fn server_ends_the_transport_and_the_client_waits_for_that() {
    fn over<S: Socket>(role: Role) {
        for we_begin in [false, true] {
            let (mut ws, mut peer) = with_peer::<S>(role, patient());
            let has_ended = Arc::new(AtomicBool::new(false));
            let ended = Arc::clone(&has_ended);
            let peer = spawn("the peer", move || {
                if we_begin {
                    assert_eq!(peer.frame(), Frame::close(1000));
                    peer.send_close(1000);
                } else {
                    peer.send_close(1000);
                    assert_eq!(peer.frame(), Frame::close(1000));
                }
                if role == Role::Server {
                    // The end comes although this end is open.
                    assert_eq!(peer.frames_to_end(), []);
                    return;
                }
                ended.store(true, Ordering::SeqCst);
                peer.end_writing();
                assert_eq!(peer.frames_to_end(), []);
            });
            if we_begin {
                assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
            } else {
                assert_eq!(ws.recv().expect("an end"), None);
            }
            assert_eq!(has_ended.load(Ordering::SeqCst), role == Role::Client);
            // The transport was told although the WebSocket lives on.
            peer.join();
            assert_eq!(closed(&ws).0, 1000);
        }
    }
    everywhere!(over);
}

#[test]
fn client_does_not_wait_for_ever_for_the_end_of_the_transport() {
    fn over<S: Socket>(_: Role) {
        let (mut ws, mut peer) = with_peer::<S>(Role::Client, quick());
        peer.send_close(1000);
        let ended = ws.close(CloseCode::NORMAL, "").expect("an answer");
        assert!(ended.clean);
        assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
    }
    everywhere!(over);
}

#[test]
fn websocket_that_is_dropped_ends_the_transport() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, Config::new());
        ws.send("Hello").expect("there is room");
        drop(ws);
        assert_eq!(peer.frames_to_end(), [Frame::new(TEXT, "Hello")]);
    }
    everywhere!(over);
}

#[test]
fn parts_of_a_websocket_have_no_time_limit_left_on_their_socket() {
    in_time("the test", || {
        let config = patient().keepalive(keepalive(Duration::from_secs(100)));
        let (mut ws, mut peer) = with_peer::<TcpStream>(Role::Server, config);
        peer.send(TEXT, "Hello");
        ws.send("Hello").expect("there is room");
        assert_eq!(ws.recv().expect("a message"), Some("Hello".into()));
        let stream = ws.stream();
        assert!(stream.read_timeout().expect("a socket").is_some());
        assert!(stream.write_timeout().expect("a socket").is_some());
        let stream = ws.into_parts().stream;
        assert_eq!(stream.read_timeout().expect("a socket"), None);
        assert_eq!(stream.write_timeout().expect("a socket"), None);
    });
}
