//! An echo through the adapters, over a transport in memory: without a runtime, a socket or a thread.
//!
//! A number of messages come in one read, and are answered by one write. On tokio the task waits after
//! that, and gives its buffers back.

use std::{
    cell::Cell,
    io::{self, Read, Write},
    rc::Rc,
};

use framewire::{
    Config, Connection, Event, RecvBuf, Role,
    blocking::{Parts, Untimed, WebSocket},
    frame::Opcode,
};

use crate::{
    Scenario, deliver,
    wire::{binary, push_frame, size},
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for len in [16, 64] {
        for in_flight in [1, 64] {
            let name = |adapter| format!("{adapter} echoes {}, {in_flight} in flight", size(len));
            scenarios.push(Scenario::new(name("blocking"), 640, move || {
                blocking(len, in_flight)
            }));
            #[cfg(feature = "tokio")]
            scenarios.push(Scenario::new(name("tokio"), 640, move || {
                polled::echo(len, in_flight)
            }));
        }
    }
    scenarios
}

/// The peer: it sends the same again each time, and counts what it gets.
#[derive(Clone)]
struct Peer {
    sends: Rc<[u8]>,
    received: Rc<Cell<usize>>,
    writes: Rc<Cell<usize>>,
}

impl Peer {
    fn new(len: usize, in_flight: usize) -> Self {
        let mut frame = Vec::new();
        push_frame(&mut frame, Role::Server, true, Opcode::Binary, &binary(len));
        Self {
            sends: frame.repeat(in_flight).into(),
            received: Rc::default(),
            writes: Rc::default(),
        }
    }

    fn read(&self, room: &mut [u8]) -> usize {
        // What is here fits into any read.
        deliver(&mut room[..self.sends.len()], &self.sends);
        self.sends.len()
    }

    fn write(&self, bytes: &[u8]) -> usize {
        self.received.set(self.received.get() + bytes.len());
        self.writes.set(self.writes.get() + 1);
        bytes.len()
    }

    /// Whether it got this number of messages, in this number of writes.
    fn check(&self, messages: usize, len: usize, writes: usize) {
        assert_eq!(self.received.take(), messages * (2 + len));
        assert_eq!(self.writes.take(), writes);
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(Self::read(self, buf))
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(Self::write(self, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parts<S>(stream: S) -> Parts<S> {
    Parts::new(stream, Connection::server(Config::new()), RecvBuf::new())
}

/// The answers to the last read are written before the next one: they are left over here.
fn blocking(len: usize, in_flight: usize) -> impl FnMut(usize) {
    let peer = Peer::new(len, in_flight);
    let mut ws = WebSocket::from_parts(parts(Untimed(peer.clone())));
    let mut is_first = true;
    move |messages| {
        for _ in 0..messages {
            let event = ws.recv_ref().expect("it sends on");
            let Some((Event::Binary(data), conn)) = event else {
                panic!("{event:?}");
            };
            conn.send_binary(data).expect("open, with room");
        }
        let late = if std::mem::take(&mut is_first) { 1 } else { 0 };
        let writes = messages / in_flight - late;
        peer.check(writes * in_flight, len, writes);
    }
}

#[cfg(feature = "tokio")]
mod polled {
    use std::{
        future::Future as _,
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use framewire::{Error, tokio::WebSocket};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{Cell, Event, Peer, Rc, deliver, io, parts};

    /// The peer that waits until it is told to send.
    #[derive(Clone)]
    struct Polled {
        peer: Peer,
        has_sent: Rc<Cell<bool>>,
    }

    impl AsyncRead for Polled {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.has_sent.take() {
                return Poll::Pending;
            }
            let sent = &self.peer.sends;
            deliver(buf.initialize_unfilled_to(sent.len()), sent);
            buf.advance(sent.len());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Polled {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(self.peer.write(buf)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Nobody has to be woken: the task is polled whenever something was sent.
    pub(super) fn echo(len: usize, in_flight: usize) -> impl FnMut(usize) {
        let (peer, has_sent) = (Peer::new(len, in_flight), Rc::default());
        let stream = Polled { peer, has_sent };
        let Polled { peer, has_sent } = stream.clone();
        let mut task = Box::pin(serve(WebSocket::from_parts(parts(stream))));
        move |messages| {
            for _ in 0..messages / in_flight {
                has_sent.set(true);
                let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
            }
            peer.check(messages, len, messages / in_flight);
        }
    }

    /// The loop of the README.
    async fn serve(mut ws: WebSocket<Polled>) -> Result<(), Error> {
        while let Some((event, conn)) = ws.recv_ref().await? {
            match event {
                Event::Text(text) => conn.send_text(text)?,
                Event::Binary(data) => conn.send_binary(data)?,
                _ => {}
            }
        }
        Ok(())
    }
}
