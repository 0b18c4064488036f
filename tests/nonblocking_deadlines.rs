//! Deadlines: what the peer has done in time counts, and a peer that sends without a pause can't put one off.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::{
    io::{self, IoSlice},
    task::{Context, Poll, Waker},
    time::Duration,
};

use framewire::{
    CloseCode, Config, Error, Event, ProtocolError, TimedOut,
    nonblocking::{Transport, WebSocket},
};
use manual::{Manual, pass_unnoticed};
use pipe::Pipe;
use polled::{end_of, websocket};
use support::{
    ROLES,
    wire::{close, frame, input},
};

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn peer_that_has_closed_in_time_has_although_nobody_waited_for_it() {
    for role in ROLES {
        manual::reset_clock();
        let (pipe, probe) = Pipe::new();
        let mut ws: WebSocket<_, Manual> = websocket(pipe, end_of(role, Config::new(), false));
        ws.connection_mut()
            .close(CloseCode::NORMAL, "")
            .expect("it is open");
        probe.deliver(&input(role, &frame(0x82, b"on its way")));
        let Poll::Ready(Ok(Some(_))) = poll(ws.recv()) else {
            panic!("a message is there");
        };
        // The peer's answer comes at once, but the task has to work on the message.
        probe.deliver(&input(role, &close(1000, "")));
        probe.end(pipe::Behind::Eof);
        pass_unnoticed(LONG);
        let end = poll(ws.recv());
        assert!(matches!(end, Poll::Ready(Ok(None))), "{role:?}: {end:?}");
        assert!(ws.connection().closed().expect("it is").clean);
    }
}

#[test]
fn peer_that_has_read_in_time_does_not_stall_although_nobody_waited_for_it() {
    for role in ROLES {
        manual::reset_clock();
        let (pipe, probe) = Pipe::new();
        let mut ws: WebSocket<_, Manual> = websocket(pipe, end_of(role, Config::new(), false));
        probe.capacity(0);
        ws.connection_mut().send_text("some answer").expect("room");
        probe.deliver(&input(role, &frame(0x82, b"work")));
        let Poll::Ready(Ok(Some(_))) = poll(ws.recv()) else {
            panic!("a message is there");
        };
        probe.capacity(usize::MAX);
        pass_unnoticed(LONG);
        let waits = poll(ws.recv());
        assert!(waits.is_pending(), "{role:?}: {waits:?}");
    }
}

/// Delivers the same for ever, or nothing.
struct Flood {
    pattern: Vec<u8>,
    at: usize,
    silent: bool,
    takes: bool,
}

impl Transport<Manual> for Flood {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.silent) {
            return Poll::Pending;
        }
        // Time passes.
        pass_unnoticed(Duration::from_millis(1));
        let rest = &self.pattern[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at = (self.at + n) % self.pattern.len();
        Poll::Ready(Ok(n))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes {
            Poll::Ready(Ok(buf.len()))
        } else {
            Poll::Pending
        }
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end_writing(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn flood(pattern: Vec<u8>, takes: bool) -> Flood {
    Flood {
        pattern,
        at: 0,
        silent: true,
        takes,
    }
}

/// Receives for as long as two hundred times the time-out.
fn receive(ws: &mut WebSocket<Flood, Manual>) -> Result<(), Error> {
    for _ in 0..200_000 {
        match poll(ws.recv_ref()) {
            Poll::Ready(Ok(Some((Event::Failed(error), _)))) => return Err(error.into()),
            Poll::Ready(Ok(None)) => return Ok(()),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending | Poll::Ready(Ok(Some(_))) => {}
        }
    }
    panic!("the deadline is put off for ever");
}

const TIMEOUT: Duration = Duration::from_secs(1);

#[test]
fn peer_that_sends_without_a_pause_has_to_answer_a_close_frame_in_time() {
    for role in ROLES {
        manual::reset_clock();
        let config = Config::new().close_timeout(TIMEOUT);
        // Reads of a message each.
        let pattern = input(role, &frame(0x82, &[1; 20_000]));
        let mut ws = websocket(flood(pattern, true), end_of(role, config, false));
        ws.connection_mut()
            .close(CloseCode::NORMAL, "")
            .expect("it is open");
        assert!(poll(ws.recv()).is_pending());
        let told = receive(&mut ws);
        assert!(
            matches!(told, Err(Error::TimedOut(TimedOut::Close))),
            "{told:?}"
        );
    }
}

#[test]
fn peer_that_sends_without_a_pause_has_to_end_a_message_in_time() {
    for role in ROLES {
        manual::reset_clock();
        let config = Config::new()
            .message_timeout(TIMEOUT)
            .max_message_size(usize::MAX)
            .max_fragments(u32::MAX);
        // The first fragment has come, and all that comes behind it are empty ones.
        let stream = flood(input(role, &frame(0x00, b"")), true);
        let ws = websocket(stream, end_of(role, config, false));
        let mut parts = ws.into_parts();
        parts.rx.extend_from_slice(&input(role, &frame(0x01, b"a")));
        let mut ws = WebSocket::from_parts(parts);
        assert!(poll(ws.recv()).is_pending());
        let told = receive(&mut ws);
        assert!(
            matches!(told, Err(Error::Protocol(ProtocolError::MessageTooSlow))),
            "{told:?}"
        );
    }
}

#[test]
fn peer_that_sends_without_a_pause_has_to_read_in_time() {
    for role in ROLES {
        manual::reset_clock();
        let config = Config::new().write_timeout(TIMEOUT);
        let pattern = input(role, &frame(0x82, &[1; 20_000]));
        let mut ws = websocket(flood(pattern, false), end_of(role, config, false));
        ws.connection_mut().send_text("never read").expect("room");
        assert!(poll(ws.recv()).is_pending());
        let told = receive(&mut ws);
        assert!(
            matches!(told, Err(Error::TimedOut(TimedOut::Write))),
            "{told:?}"
        );
    }
}
