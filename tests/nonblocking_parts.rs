//! A WebSocket can be taken apart wherever it has to wait, and put together again by the same adapter or by
//! the blocking one: nothing that was received, begun or queued is lost.
#![cfg(all(feature = "tokio", feature = "deflate"))]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use framewire::{Config, Error, Message, MessageKind, Role, blocking, tokio::WebSocket};
use pipe::{Act, Moment, Pipe};
use polled::{Peer, end_of, once, other, run, websocket};
use support::{
    ROLES,
    trace::{Seen, drain},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A pipe that can be used by both adapters: what is pending would block.
struct Both(Pipe);

impl AsyncRead for Both {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Both {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn now<T>(call: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    match call(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl Read for Both {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        now(|cx| Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Ok(buf.filled().len())
    }
}

impl Write for Both {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        now(|cx| Pin::new(&mut self.0).poll_write(cx, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(|cx| Pin::new(&mut self.0).poll_flush(cx))
    }
}

impl blocking::Transport for Both {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, _: Option<Duration>) -> io::Result<()> {
        // Without deadlines there is no other reason to be told of what would block.
        Err(ErrorKind::Unsupported.into())
    }

    fn limit_write(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn end_writing(&mut self) -> io::Result<()> {
        now(|cx| Pin::new(&mut self.0).poll_shutdown(cx))
    }
}

/// A step of what is done, by one adapter or the other. `None`: it would have to wait.
async fn recv(ws: &mut Option<WebSocket<Both>>, blocks: bool) -> Option<Option<Message>> {
    if !blocks {
        let ws = ws.as_mut().expect("there is one");
        return once(ws.recv())
            .await
            .map(|result| result.expect("no error"));
    }
    let parts = ws.take().expect("there is one").into_parts();
    let mut blocking = blocking::WebSocket::from_parts(parts);
    let result = blocking.recv();
    *ws = Some(WebSocket::from_parts(blocking.into_parts()));
    may_block(result)
}

async fn flush(ws: &mut Option<WebSocket<Both>>, blocks: bool) -> Option<()> {
    if !blocks {
        let ws = ws.as_mut().expect("there is one");
        return once(ws.flush())
            .await
            .map(|result| result.expect("no error"));
    }
    let parts = ws.take().expect("there is one").into_parts();
    let mut blocking = blocking::WebSocket::from_parts(parts);
    let result = blocking.flush();
    *ws = Some(WebSocket::from_parts(blocking.into_parts()));
    may_block(result)
}

fn may_block<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// How the adapters take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    Polled,
    Alternating,
}

type Outcome = (Vec<Vec<u8>>, Vec<Seen>, Vec<u8>);

async fn session(role: Role, k: usize, most: usize, turns: Turns) -> (Outcome, usize) {
    let (pipe, probe) = Pipe::new();
    let mut peer = Peer::new(end_of(other(role), Config::new(), true));
    for n in 0..3_u8 {
        let conn = &mut peer.conn;
        conn.send_text(&"one, one, one, one ".repeat(5))
            .expect("open");
        conn.send_ping(&[n]).expect("open");
        conn.start_message(MessageKind::Binary).expect("open");
        conn.send_part(&[n; 90]).expect("started");
        conn.send_ping(&[n, n]).expect("open");
        conn.finish_message(&[9; 50]).expect("started");
    }
    let said = drain(&mut peer.conn);
    probe.deliver_in_pieces(&said, 5);
    let peer = peer.attach(&probe, 6);
    probe.pieces(most, most);
    probe.plan(move |moment: Moment| (moment.io == k).then_some(Act::Pend));
    let mut ws = Some(websocket(Both(pipe), end_of(role, Config::new(), true)));
    let (mut received, mut step) = (Vec::new(), 0);
    for n in 0..6_u8 {
        let conn = ws.as_mut().expect("there is one").connection_mut();
        conn.send_binary(&[n; 70]).expect("open");
        loop {
            // Taken apart before every step, whatever was begun in the one before.
            ws = ws.map(|ws| WebSocket::from_parts(ws.into_parts()));
            step += 1;
            let blocks = turns == Turns::Alternating && step % 2 == 0;
            if let Some(message) = recv(&mut ws, blocks).await {
                received.push(message.expect("one more").payload().to_vec());
                break;
            }
        }
        if n % 2 == 0 {
            continue;
        }
        loop {
            step += 1;
            let blocks = turns == Turns::Alternating && step % 2 == 0;
            if flush(&mut ws, blocks).await.is_some() {
                break;
            }
            ws = ws.map(|ws| WebSocket::from_parts(ws.into_parts()));
        }
    }
    drop(ws);
    let seen = std::mem::take(&mut peer.lock().expect("no panic").seen);
    let outcome = (received, seen, probe.reached());
    probe.peer(|_| (Vec::new(), false));
    assert_eq!(probe.dropped(), 1);
    (outcome, probe.calls())
}

// req: A-06
#[test]
fn websocket_taken_apart_wherever_it_waits_loses_nothing() {
    for role in ROLES {
        for turns in [Turns::Polled, Turns::Alternating] {
            for most in [usize::MAX, 30, 1] {
                let (expected, calls) = run(session(role, 0, most, turns));
                assert_eq!(expected.0.len(), 6);
                // Ours and all pongs.
                assert_eq!(expected.1.len(), 12, "{:?}", expected.1);
                for k in 1..=calls {
                    let (found, _) = run(session(role, k, most, turns));
                    assert_eq!(found, expected, "pending at {k}, {role:?} {turns:?} {most}");
                }
            }
        }
    }
}
