//! What the tests of the polled adapters share: WebSockets over [`Pipe`]s, whole or split, the peer at the
//! other end, and a runtime whose clock is paused.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use framewire::{
    CloseCode, Closed, Config, Connection, Error, Event, Message, PartEvent, RecvBuf, Role,
    SendError, Sendable, State,
    nonblocking::{Parts, Receiver, Runtime, Sender, Timer as _, Transport, WebSocket},
};

use crate::{
    pipe::{Pipe, Probe},
    support::{
        connection,
        trace::{Seen, drain, random_pieces},
    },
};

/// Whether there is one of it or two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Split,
}

pub(crate) const FORMS: [Form; 2] = [Form::Whole, Form::Split];

/// Runs a test on one thread with a clock that is paused. It must leave no task behind, and be done within
/// a day of that clock.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let done = runtime.block_on(async {
        let day = Duration::from_secs(86_400);
        let done = tokio::time::timeout(day, test).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        done
    });
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "tasks left behind");
    done.expect("an operation that never ends")
}

/// Polls once: `None` if it has to wait, and it is dropped then.
pub(crate) async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// A connection in this role, with permessage-deflate or without.
pub(crate) fn end_of(role: Role, config: Config, deflates: bool) -> Connection {
    #[cfg(feature = "deflate")]
    if deflates {
        let config = config.deflate(framewire::Deflate::new());
        return crate::support::deflate::agreed(role, "", config);
    }
    assert!(!deflates, "it is switched off");
    connection(role, config)
}

pub(crate) fn websocket<S: Transport<R>, R: Runtime>(
    stream: S,
    connection: Connection,
) -> WebSocket<S, R> {
    WebSocket::from_parts(Parts {
        stream,
        connection,
        rx: RecvBuf::new(),
        origin: R::Timer::now(),
    })
}

/// The peer: a connection that reacts.
pub(crate) struct Peer {
    pub(crate) conn: Connection,
    rx: RecvBuf,
    pub(crate) seen: Vec<Seen>,
}

impl Peer {
    pub(crate) fn new(conn: Connection) -> Self {
        Self {
            conn,
            rx: RecvBuf::new(),
            seen: Vec::new(),
        }
    }

    /// What it answers to these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rx.extend_from_slice(bytes);
        while let Some(event) = self.conn.receive(&mut self.rx) {
            self.seen.push(event.into());
        }
        drain(&mut self.conn)
    }

    /// Lets it react at the other end of a pipe, in pieces of random sizes.
    pub(crate) fn attach(self, probe: &Probe, seed: u64) -> Arc<Mutex<Self>> {
        let peer = Arc::new(Mutex::new(self));
        let known = Arc::clone(&peer);
        probe.peer(move |bytes| {
            let mut peer = known.lock().expect("no panic");
            let answer = peer.take(bytes);
            let segments = random_pieces(&answer, seed).into_iter().map(Vec::from);
            (segments.collect(), peer.conn.is_closed())
        });
        peer
    }
}

/// A WebSocket, whole or split, so that a test can ask the same of both.
pub(crate) enum End<S, R: Runtime> {
    Whole(WebSocket<S, R>),
    Split(Receiver<S, R>, Sender<S, R>),
}

impl<S: Transport<R>, R: Runtime> End<S, R> {
    pub(crate) fn new(form: Form, stream: S, connection: Connection) -> Self {
        let ws = websocket(stream, connection);
        match form {
            Form::Whole => Self::Whole(ws),
            Form::Split => {
                let (receiver, sender) = ws.split();
                Self::Split(receiver, sender)
            }
        }
    }

    pub(crate) async fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(ws) => ws.recv().await,
            Self::Split(receiver, _) => receiver.recv().await,
        }
    }

    pub(crate) async fn recv_ref<T>(
        &mut self,
        see: impl FnOnce(Event<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(ws.recv_ref().await?.map(|(event, _)| see(event))),
            Self::Split(receiver, _) => Ok(receiver.recv_ref().await?.map(see)),
        }
    }

    pub(crate) async fn recv_part_ref<T>(
        &mut self,
        see: impl FnOnce(PartEvent<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(ws.recv_part_ref().await?.map(|(event, _)| see(event))),
            Self::Split(receiver, _) => Ok(receiver.recv_part_ref().await?.map(see)),
        }
    }

    pub(crate) async fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.send(message).await,
            Self::Split(_, sender) => sender.send(message).await,
        }
    }

    pub(crate) async fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.feed(message).await,
            Self::Split(_, sender) => sender.feed(message).await,
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.flush().await,
            Self::Split(_, sender) => sender.flush().await,
        }
    }

    /// Closes, and waits for the end: with halves that is what the application does.
    pub(crate) async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        let (receiver, sender) = match self {
            Self::Whole(ws) => return ws.close(code, reason).await,
            Self::Split(receiver, sender) => (receiver, sender),
        };
        // `Sender::close` would say that it is closing already, if it has been dropped before.
        if sender.with(|conn| conn.state()) == State::Open {
            sender.close(code, reason).await?;
        }
        while receiver.recv_ref().await?.is_some() {}
        sender.with(|conn| match conn.failure() {
            Some(error) => Err(error.into()),
            None => Ok(conn.closed().expect("it has ended")),
        })
    }

    /// Begins to close.
    pub(crate) fn begin_close(&mut self) -> Result<(), SendError> {
        self.with(|conn| conn.close(CloseCode::NORMAL, ""))
    }

    pub(crate) fn with<T>(&mut self, ask: impl FnOnce(&mut Connection) -> T) -> T {
        match self {
            Self::Whole(ws) => ask(ws.connection_mut()),
            Self::Split(_, sender) => sender.with(ask),
        }
    }
}

/// The pipe and its probe, and an end over it.
pub(crate) fn open<R: Runtime>(form: Form, connection: Connection) -> (End<Pipe, R>, Probe)
where
    Pipe: Transport<R>,
{
    let (pipe, probe) = Pipe::new();
    (End::new(form, pipe, connection), probe)
}
