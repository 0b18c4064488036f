//! What a connection of the polled adapter holds while it waits: no buffer, neither for what it receives
//! nor for what it sends; and no message costs an allocation once its thread is warm.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::{
    cell::Cell,
    future::Future,
    io::{self, IoSlice},
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use framewire::{
    Config, Event,
    nonblocking::{Transport, WebSocket},
    tokio::Tokio,
};
use manual::Manual;
use polled::{FORMS, Form, end_of, once, run, websocket};
use support::{
    ROLES,
    wire::{frame, input},
};

/// A transport without memory: gives the same bytes whenever it is told to, and forgets what it takes.
struct Echo {
    bytes: Rc<[u8]>,
    left: Rc<Cell<usize>>,
    taken: Rc<Cell<usize>>,
}

impl Transport<Manual> for Echo {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let left = self.left.get();
        if left == 0 {
            return Poll::Pending;
        }
        let n = left.min(buf.len());
        let at = self.bytes.len() - left;
        buf[..n].copy_from_slice(&self.bytes[at..at + n]);
        self.left.set(left - n);
        Poll::Ready(Ok(n))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.taken.set(self.taken.get() + buf.len());
        Poll::Ready(Ok(buf.len()))
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

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn message_costs_no_allocation_once_the_thread_is_warm() {
    for role in ROLES {
        for form in FORMS {
            for (messages, len) in [(1, 5), (1, 5000), (64, 5), (64, 1000), (1, 1 << 20)] {
                let bytes = input(role, &frame(0x82, &vec![9; len])).repeat(messages);
                let (left, taken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
                let stream = Echo {
                    bytes: bytes.clone().into(),
                    left: Rc::clone(&left),
                    taken: Rc::clone(&taken),
                };
                let ws: WebSocket<_, Manual> =
                    websocket(stream, end_of(role, Config::new(), false));
                let mut turn = turn_of(form, ws);
                let mut rounds = |rounds: usize| {
                    for _ in 0..rounds {
                        left.set(bytes.len());
                        let mut seen = 0;
                        while turn() {
                            seen += 1;
                        }
                        assert_eq!(seen, messages);
                    }
                };
                rounds(20);
                let before = taken.get();
                let info = measure(|| rounds(50));
                assert_eq!(
                    info.count_total, 0,
                    "{messages} of {len}, {role:?} {form:?}"
                );
                assert!(
                    taken.get() - before >= 50 * messages * len,
                    "all are answered"
                );
            }
        }
    }
}

/// Receives a message and answers it; or waits, and that is `false`.
fn turn_of(form: Form, mut ws: WebSocket<Echo, Manual>) -> Box<dyn FnMut() -> bool> {
    match form {
        Form::Whole => Box::new(move || {
            let Poll::Ready(event) = poll_once(ws.recv_ref()) else {
                return false;
            };
            match event.expect("no error").expect("no end") {
                (Event::Binary(data), conn) => conn.send_binary(data).expect("room"),
                other => panic!("{other:?}"),
            }
            true
        }),
        Form::Split => {
            let (mut receiver, sender) = ws.split();
            Box::new(move || {
                let Poll::Ready(event) = poll_once(receiver.recv_ref()) else {
                    return false;
                };
                let Some(Event::Binary(data)) = event.expect("no error") else {
                    panic!("it is a message");
                };
                // Another task may have its turn first.
                while poll_once(sender.send(data)).is_pending() {}
                true
            })
        }
    }
}

#[test]
fn connection_that_waits_holds_no_buffer() {
    for role in ROLES {
        run(async {
            let (pipe, probe) = pipe::Pipe::new();
            let mut ws: WebSocket<_, Tokio> = websocket(pipe, end_of(role, Config::new(), false));
            for _ in 0..3 {
                assert!(once(ws.recv()).await.is_none());
                assert!(format!("{ws:?}").contains("Lease(None)"), "{ws:?}");
                assert_eq!(ws.connection_mut().send_buf().capacity(), 0);
                probe.deliver(&input(role, &frame(0x89, b"ping")));
                probe.deliver(&input(role, &frame(0x82, &[1; 70_000])));
                assert!(ws.recv().await.expect("no error").is_some());
                ws.send(&[2; 5000]).await.expect("no error");
                assert_eq!(ws.connection_mut().send_buf().capacity(), 0);
            }
            assert!(once(ws.recv()).await.is_none());
            let mut parts = ws.into_parts();
            assert_eq!(parts.rx.capacity(), 0);
            assert_eq!(parts.connection.send_buf().capacity(), 0);
        });
    }
}

#[test]
fn connection_that_waits_in_a_message_or_in_a_write_keeps_what_it_needs() {
    for role in ROLES {
        run(async {
            let (pipe, probe) = pipe::Pipe::new();
            let mut ws: WebSocket<_, Tokio> = websocket(pipe, end_of(role, Config::new(), false));
            let whole = input(role, &frame(0x81, b"Hello"));
            probe.deliver(&whole[..4]);
            assert!(once(ws.recv()).await.is_none());
            assert!(!format!("{ws:?}").contains("Lease(None)"), "{ws:?}");
            probe.capacity(3);
            assert!(once(ws.send("more than that")).await.is_none());
            assert!(ws.connection_mut().send_buf().capacity() > 0);
            probe.capacity(usize::MAX);
            probe.deliver(&whole[4..]);
            assert_eq!(ws.recv().await.expect("no error"), Some("Hello".into()));
            assert!(once(ws.recv()).await.is_none());
            assert!(format!("{ws:?}").contains("Lease(None)"), "{ws:?}");
            assert_eq!(ws.connection_mut().send_buf().capacity(), 0);
            let frames = support::wire::read_output(role, &probe.reached());
            assert_eq!(frames[0].payload, b"more than that");
        });
    }
}
