//! The adapter for tokio over real sockets: against itself, the blocking adapter, and a peer made by
//! hand that resets, ends one direction, does not read, does not answer, or is killed.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;
#[path = "support/tokio.rs"]
mod support;

use std::{
    env,
    io::{self, IoSlice, Write as _},
    net::TcpStream,
    pin::Pin,
    process::{Child, Command, Stdio},
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use framewire::{
    CloseCode, ClosedBy, Connection, Error, Message, RecvBuf, Role, SendError, State, TimedOut,
    blocking,
    tokio::{Parts, WebSocket},
};
use sockets::{
    BINARY, CLOSE, Frame, MUCH, PING, PONG, Peer, TEXT, everywhere, in_time, is_gone, listen,
    patient, pattern, quick, spawn, timed_out,
};
use support::{Polled, reset, run, two, with_peer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Around every length of a header, of what is chained, and of what is read at once.
const LENGTHS: [usize; 10] = [
    0,
    1,
    125,
    126,
    8191,
    8192,
    65_535,
    65_536,
    1 << 20,
    16 << 20,
];

fn closed<S: AsyncRead + AsyncWrite + Unpin>(ws: &WebSocket<S>) -> (u16, bool, ClosedBy) {
    assert_eq!(ws.connection().state(), State::Closed);
    let closed = ws.connection().closed().expect("it is closed");
    (closed.code.get(), closed.clean, closed.by)
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Sends messages of all lengths, each of which must come back as it was.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) {
    for (seed, len) in LENGTHS.into_iter().enumerate() {
        let payload = Bytes::from(pattern(seed, len));
        let sent = ws.send(payload.clone()).await;
        sent.unwrap_or_else(|error| panic!("{len}: {error}"));
        let back = ws.recv().await.expect("an echo");
        assert!(back == Some(Message::from(payload)), "{len}");
    }
    let closed = ws.close(CloseCode::NORMAL, "").await.expect("an answer");
    assert!(closed.clean);
}

// Messages.

#[test]
fn messages_of_all_lengths_go_both_ways() {
    fn over<S: Polled>(role: Role) {
        run(async {
            let (mut client, mut server) = two::<S>(patient());
            let (here, there) = match role {
                Role::Client => (&mut client, &mut server),
                Role::Server => (&mut server, &mut client),
            };
            let ((), echoed) = tokio::join!(exchange(here), echo(there));
            echoed.expect("a closing handshake");
        });
    }
    everywhere!(over);
}

#[test]
fn messages_of_all_lengths_come_back_from_the_blocking_adapter() {
    fn over<S: Polled>(role: Role) {
        let (here, there) = S::pair();
        let peer = spawn("the blocking adapter", move || {
            let connection = match role {
                Role::Client => Connection::server(patient()),
                Role::Server => Connection::client(patient()),
            };
            let parts = Parts::new(there, connection, RecvBuf::new());
            let mut ws = blocking::WebSocket::from_parts(parts);
            while let Some(message) = ws.recv().expect("messages") {
                ws.send(&message).expect("a reader");
            }
        });
        run(async {
            let mut ws = support::websocket(here.into_polled(), role, patient());
            exchange(&mut ws).await;
        });
        peer.join();
    }
    everywhere!(over);
}

#[test]
fn messages_of_the_blocking_adapter_are_echoed() {
    fn over<S: Polled>(role: Role) {
        let (here, there) = S::pair();
        let peer = spawn("the blocking adapter", move || {
            let connection = match role {
                Role::Client => Connection::server(patient()),
                Role::Server => Connection::client(patient()),
            };
            let parts = Parts::new(there, connection, RecvBuf::new());
            let mut ws = blocking::WebSocket::from_parts(parts);
            for (seed, len) in LENGTHS.into_iter().enumerate() {
                let message = Message::from(pattern(seed, len));
                ws.send(&message).expect("a reader");
                assert!(ws.recv().expect("an echo") == Some(message), "{len}");
            }
            assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
        });
        run(async {
            let mut ws = support::websocket(here.into_polled(), role, patient());
            echo(&mut ws).await.expect("a closing handshake");
            assert_eq!(closed(&ws).0, 1000);
        });
        peer.join();
    }
    everywhere!(over);
}

/// Counts how a transport is written to.
struct Counted<S> {
    stream: S,
    plain: usize,
    vectored: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.plain += 1;
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.vectored += 1;
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[test]
fn large_payloads_of_a_server_leave_by_vectored_writes() {
    fn over<S: Polled>(role: Role) {
        let (here, there) = S::pair();
        let mut peer = Peer::new(there, role);
        // It fits into the buffers of a socket: one write is enough.
        let large = pattern(1, 32 * 1024);
        let expected = large.clone();
        let reader = spawn("the peer", move || {
            assert_eq!(peer.frame(), Frame::new(BINARY, "small"));
            assert!(peer.frame() == Frame::new(BINARY, expected));
            peer
        });
        run(async {
            let counted = Counted {
                stream: here.into_polled(),
                plain: 0,
                vectored: 0,
            };
            let mut ws = support::websocket(counted, role, patient());
            let small = Bytes::from_static(b"small");
            ws.send(small).await.expect("a reader");
            assert_eq!((ws.stream().plain, ws.stream().vectored), (1, 0));
            ws.send(Bytes::from(large)).await.expect("a reader");
            match role {
                // The head and the payload, which was not copied.
                Role::Server => {
                    assert_eq!(ws.stream().plain, 1);
                    assert!(ws.stream().vectored >= 1);
                }
                // What is masked has to be copied.
                Role::Client => assert_eq!(ws.stream().vectored, 0),
            }
            reader.join();
        });
    }
    everywhere!(over);
}

#[test]
fn websocket_goes_on_in_the_blocking_adapter_and_comes_back() {
    fn over<S: Polled>(role: Role) {
        let (here, there) = S::pair();
        let mut peer = Peer::new(there, role);
        let split = Frame::new(TEXT, "in two pieces").encode(role);
        let (first, second) = split.split_at(5);
        let second = second.to_vec();
        peer.send(TEXT, "one");
        peer.send_bytes(first);
        let parts = run(async {
            let mut ws = support::websocket(here.into_polled(), role, patient());
            assert_eq!(ws.recv().await.expect("a message"), Some("one".into()));
            let queued = ws.connection_mut().send_text("queued");
            queued.expect("there is room");
            let Parts {
                stream,
                connection,
                rx,
                origin,
            } = ws.into_parts();
            let stream = S::from_polled(stream);
            Parts {
                stream,
                connection,
                rx,
                origin,
            }
        });
        let mut parts = parts;
        parts.stream.prepare().expect("a socket");
        let waiting = spawn("the blocking adapter", move || {
            let mut ws = blocking::WebSocket::from_parts(parts);
            let message = ws.recv().expect("a message");
            assert_eq!(message, Some("in two pieces".into()));
            ws.send("two").expect("a reader");
            ws.into_parts()
        });
        assert_eq!(peer.frame(), Frame::new(TEXT, "queued"));
        waiting.wait_until_blocked();
        peer.send_bytes(&second);
        assert_eq!(peer.frame(), Frame::new(TEXT, "two"));
        let Parts {
            stream,
            connection,
            rx,
            origin,
        } = waiting.join();
        run(async {
            let stream = stream.into_polled();
            let mut ws = WebSocket::from_parts(Parts {
                stream,
                connection,
                rx,
                origin,
            });
            ws.send("three").await.expect("a reader");
            assert_eq!(peer.frame(), Frame::new(TEXT, "three"));
            peer.send(TEXT, "four");
            assert_eq!(ws.recv().await.expect("a message"), Some("four".into()));
            assert_eq!(ws.connection().stats().messages_received, 3);
        });
    }
    everywhere!(over);
}

// Ends.

/// The process that another test kills: sends a message and a half, and waits.
#[test]
#[ignore = "another test starts it"]
fn process_that_is_killed() {
    let Ok(port) = env::var("FRAMEWIRE_PORT") else {
        return;
    };
    let port: u16 = port.parse().expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let role = match env::var("FRAMEWIRE_ROLE").as_deref() {
        Ok("client") => Role::Client,
        _ => Role::Server,
    };
    let begun = Frame::new(BINARY, vec![0; 1 << 20]).encode(role);
    let bytes = [&Frame::new(TEXT, "Hello").encode(role), &begun[..100_000]].concat();
    stream.write_all(&bytes).expect("a reader");
    loop {
        thread::park();
    }
}

/// Ends a process by SIGKILL, at the latest when the test does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours, and waits");
        self.0.wait().expect("it is ours");
    }
}

#[test]
fn process_that_is_killed_in_the_middle_of_a_message_is_told() {
    for role in [Role::Client, Role::Server] {
        for leaves_unread in [false, true] {
            in_time(format!("{role:?} {leaves_unread}"), move || {
                let (listener, _) = listen();
                let port = listener.local_addr().expect("it is bound").port();
                let mut command = Command::new(env::current_exe().expect("a test has a path"));
                command.args(["--exact", "process_that_is_killed", "--ignored"]);
                command.env("FRAMEWIRE_PORT", port.to_string());
                let name = match role {
                    Role::Client => "client",
                    Role::Server => "server",
                };
                command.env("FRAMEWIRE_ROLE", name).stdout(Stdio::null());
                let process = Killed(command.spawn().expect("a process"));
                let stream = listener.accept().expect("it connects").0;
                run(async {
                    let mut ws = support::websocket(stream.into_polled(), role, patient());
                    if leaves_unread {
                        // What is closed with unread bytes in it resets the connection.
                        ws.send("unread").await.expect("there is room");
                    }
                    let message = ws.recv().await.expect("a message");
                    assert_eq!(message, Some("Hello".into()));
                    drop(process);
                    let error = ws.recv().await.expect_err("half a message");
                    let expected = if leaves_unread {
                        is_gone(&error)
                    } else {
                        matches!(error, Error::Eof(_))
                    };
                    assert!(expected, "{error:?}");
                    assert_eq!(closed(&ws), (1006, false, ClosedBy::Peer));
                    assert_eq!(ws.recv().await.expect("told once"), None);
                });
            });
        }
    }
}

#[test]
fn reset_is_an_error_of_the_transport_wherever_it_comes() {
    in_time("the test", || {
        for role in [Role::Client, Role::Server] {
            let begun = Frame::new(TEXT, "Hello").encode(role);
            for len in [0, 1, begun.len() - 1] {
                let (here, there) = <TcpStream as sockets::Socket>::pair();
                let mut peer = Peer::new(there, role);
                run(async {
                    let mut ws = support::websocket(here.into_polled(), role, patient());
                    peer.send(TEXT, "last words");
                    peer.send_bytes(&begun[..len]);
                    // A reset destroys what has not been read: so it waits for that.
                    let message = ws.recv().await.expect("a message");
                    assert_eq!(message, Some("last words".into()));
                    reset(peer.stream);
                    let error = ws.recv().await.expect_err("no message");
                    assert!(is_gone(&error), "{error:?}");
                    assert_eq!(closed(&ws), (1006, false, ClosedBy::Peer));
                    assert_eq!(ws.recv().await.expect("told once"), None);
                });
            }
        }
    });
}

#[test]
fn reset_while_something_is_waited_for_is_an_error_of_the_transport() {
    in_time("the test", || {
        for role in [Role::Client, Role::Server] {
            for sends in [false, true] {
                let (here, there) = <TcpStream as sockets::Socket>::pair();
                run(async {
                    let mut ws = support::websocket(here.into_polled(), role, patient());
                    let much = vec![0; 4 * MUCH];
                    let waited = async {
                        if sends {
                            ws.send(much).await
                        } else {
                            ws.recv().await.map(drop)
                        }
                    };
                    // The second is polled when the first waits.
                    let (ended, ()) = tokio::join!(biased; waited, async { reset(there) });
                    let error = ended.expect_err("nobody is there");
                    assert!(is_gone(&error), "{error:?}");
                });
            }
        }
    });
}

#[test]
fn reset_after_our_close_frame_is_an_error_of_the_transport() {
    in_time("the test", || {
        for role in [Role::Client, Role::Server] {
            let (here, there) = <TcpStream as sockets::Socket>::pair();
            run(async {
                let mut ws = support::websocket(here.into_polled(), role, patient());
                let closing = ws.close(CloseCode::NORMAL, "");
                let (ended, ()) = tokio::join!(biased; closing, async { reset(there) });
                let error = ended.expect_err("no answer");
                assert!(is_gone(&error), "{error:?}");
                assert_eq!(closed(&ws).0, 1006);
            });
        }
    });
}

#[test]
fn reset_behind_the_closing_handshake_is_no_error() {
    in_time("the test", || {
        for role in [Role::Client, Role::Server] {
            let (here, there) = <TcpStream as sockets::Socket>::pair();
            let mut peer = Peer::new(there, role);
            run(async {
                let mut ws = support::websocket(here.into_polled(), role, patient());
                peer.send(TEXT, "last words");
                peer.send_close(1001);
                let message = ws.recv().await.expect("a message");
                assert_eq!(message, Some("last words".into()));
                reset(peer.stream);
                assert_eq!(ws.recv().await.expect("an end"), None);
                let (code, _, by) = closed(&ws);
                assert_eq!((code, by), (1001, ClosedBy::Peer));
            });
        }
    });
}

#[test]
fn peer_that_only_ended_its_own_direction_gets_what_it_is_owed() {
    fn over<S: Polled>(role: Role) {
        let (here, there) = S::pair();
        let mut peer = Peer::new(there, role);
        let echo = spawn("the echo", move || {
            run(async { echo(&mut support::websocket(here.into_polled(), role, patient())).await })
        });
        let payload = pattern(1, MUCH);
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
    fn over<S: Polled>(role: Role) {
        run(async {
            let (mut ws, mut peer) = with_peer::<S>(role, patient());
            peer.send_close(3000);
            peer.end_writing();
            assert_eq!(ws.recv().await.expect("an end"), None);
            assert_eq!(closed(&ws), (3000, true, ClosedBy::Peer));
            assert_eq!(peer.frames_to_end(), [Frame::close(3000)]);
        });
    }
    everywhere!(over);
}

#[test]
fn peer_that_ends_its_direction_after_our_close_frame_has_not_answered() {
    fn over<S: Polled>(role: Role) {
        run(async {
            let (mut ws, mut peer) = with_peer::<S>(role, patient());
            peer.end_writing();
            let ended = ws.close(CloseCode::NORMAL, "").await;
            assert!(matches!(ended, Err(Error::Eof(_))), "{ended:?}");
            assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
            drop(ws);
            assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
        });
    }
    everywhere!(over);
}

// Time-outs.

#[test]
fn peer_that_never_reads_is_given_up() {
    fn over<S: Polled>(role: Role) {
        run(async {
            let (mut ws, _peer) = with_peer::<S>(role, quick());
            let sent = ws.send(vec![0; MUCH]).await;
            assert_eq!(timed_out(&sent), Some(TimedOut::Write));
            assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
            // It was told.
            assert_eq!(ws.recv().await.expect("an end"), None);
            let refused = ws.send("too late").await;
            assert!(
                matches!(refused, Err(Error::Send(SendError::Closed))),
                "{refused:?}"
            );
        });
    }
    everywhere!(over);
}

#[test]
fn peer_that_never_reads_its_echo_is_given_up_by_the_receiver() {
    fn over<S: Polled>(role: Role) {
        let config = quick().max_queued(64 * 1024);
        let (here, there) = S::pair();
        let mut peer = Peer::new(there, role);
        let flood = spawn("the flood", move || {
            while peer.try_send(BINARY, [0; 1000]).is_ok() {}
        });
        let ended = run(async {
            let mut ws = support::websocket(here.into_polled(), role, config);
            let ended = loop {
                match ws.recv_ref().await {
                    Ok(Some((framewire::Event::Binary(data), conn))) => {
                        conn.send_binary(data).expect("there is room");
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(closed(&ws).0, 1006);
            ended
        });
        assert_eq!(timed_out(&ended), Some(TimedOut::Write));
        flood.join();
    }
    everywhere!(over);
}

#[test]
fn peer_that_never_answers_our_close_frame_is_given_up() {
    fn over<S: Polled>(role: Role) {
        run(async {
            let (mut ws, mut peer) = with_peer::<S>(role, quick());
            let ended = ws.close(CloseCode::GOING_AWAY, "bye").await;
            assert_eq!(timed_out(&ended), Some(TimedOut::Close));
            assert_eq!(closed(&ws), (1006, false, ClosedBy::Us));
            assert_eq!(ws.recv().await.expect("told once"), None);
            drop(ws);
            let close = Frame::new(CLOSE, b"\x03\xe9bye".as_slice());
            assert_eq!(peer.frames_to_end(), [close]);
        });
    }
    everywhere!(over);
}

#[test]
fn client_does_not_wait_for_ever_for_the_end_of_the_transport() {
    fn over<S: Polled>(_: Role) {
        run(async {
            let (mut ws, mut peer) = with_peer::<S>(Role::Client, quick());
            peer.send_close(1000);
            let ended = ws.close(CloseCode::NORMAL, "").await.expect("an answer");
            assert!(ended.clean);
            assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
        });
    }
    everywhere!(over);
}
