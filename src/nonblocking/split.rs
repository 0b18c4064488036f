//! One connection for several tasks: one that receives, and any number of them that send.
//!
//! They share the [link](super::link) behind a lock that is held for a poll and never over an await. Whoever
//! writes does so with a waker that wakes all who wait: so a write that one of them has begun is gone on
//! with by any other, and a future that is dropped takes nobody's wake-up with it.

use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, Waker, ready},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Runtime, Transport, WebSocket,
    link::{Link, Purpose, Wakers},
    pool::Lease,
    wakers::{Place, Waiting},
};
use crate::{
    CloseCode, Connection, Error, Event, Message, PartEvent, Sendable, State, adapter::WantsRead,
};

/// The receiving half of a WebSocket, from [`WebSocket::split`].
///
/// It answers pings and the peer's Close frame, and watches the deadlines while it waits: keep a
/// task in [`recv`](Self::recv) or [`recv_ref`](Self::recv_ref) until it says that the connection
/// has ended.
pub struct Receiver<S, R: Runtime> {
    shared: Arc<Shared<S, R>>,
    rx: Lease,
}

/// The sending half of a WebSocket, from [`WebSocket::split`]. Clones send on the same connection, from
/// any task; messages do not get mixed.
pub struct Sender<S, R: Runtime> {
    shared: Arc<Shared<S, R>>,
}

struct Shared<S, R: Runtime> {
    link: Mutex<Link<S, R>>,
    waiting: Arc<Waiting>,
    /// Wakes all who wait.
    waker: Waker,
}

impl<S: Transport<R>, R: Runtime> WebSocket<S, R> {
    /// Splits it into two halves for two tasks: one waits for the peer while the other sends. They can't be
    /// put together again.
    #[must_use]
    pub fn split(self) -> (Receiver<S, R>, Sender<S, R>) {
        let waiting = Arc::<Waiting>::default();
        let shared = Arc::new(Shared {
            link: Mutex::new(*self.link),
            waker: Arc::clone(&waiting).into(),
            waiting,
        });
        let receiver = Receiver {
            shared: Arc::clone(&shared),
            rx: self.rx,
        };
        (receiver, Sender { shared })
    }
}

impl<S: Transport<R>, R: Runtime> Receiver<S, R> {
    /// As [`WebSocket::recv`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv`.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.recv_ref().await? {
                Some(Event::Text(text)) => return Ok(Some(text.into())),
                Some(Event::Binary(data)) => return Ok(Some(data.into())),
                Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_) | Event::Failed(_)) => {}
                None => return self.shared.link().end(),
            }
        }
    }

    /// As [`WebSocket::recv_ref`], but for the connection: answer with a [`Sender`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv_ref`.
    pub async fn recv_ref(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Self { shared, rx } = self;
        let mut link = poll_fn(|cx| shared.poll_event(cx, rx, Connection::wants_read)).await?;
        let connection = &mut link.connection;
        let rx = rx.get(connection);
        Ok(connection.receive(rx))
    }

    /// As [`WebSocket::recv_part_ref`], but for the connection.
    ///
    /// # Errors
    ///
    /// As `WebSocket::recv_part_ref`.
    ///
    /// # Panics
    ///
    /// As `WebSocket::recv_part_ref`.
    pub async fn recv_part_ref(&mut self) -> Result<Option<PartEvent<'_>>, Error> {
        let Self { shared, rx } = self;
        let mut link = poll_fn(|cx| shared.poll_event(cx, rx, Connection::wants_read_part)).await?;
        let connection = &mut link.connection;
        let rx = rx.get(connection);
        Ok(connection.receive_part(rx))
    }

    /// Another sending half.
    #[must_use]
    pub fn sender(&self) -> Sender<S, R> {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: Transport<R>, R: Runtime> Sender<S, R> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::send`.
    pub async fn send(&self, message: impl Sendable) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// As [`WebSocket::feed`]. What is queued also leaves when the [`Receiver`] is about to wait.
    ///
    /// # Errors
    ///
    /// As `WebSocket::feed`.
    pub async fn feed(&self, message: impl Sendable) -> Result<(), Error> {
        let mut message = Some(message);
        self.shared
            .wait(|link, cx| {
                ready!(link.poll_room(cx))?;
                let queued = message.take().map(|message| link.queue(cx, message));
                Poll::Ready(queued.unwrap_or(Ok(())))
            })
            .await
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// As `WebSocket::flush`.
    pub async fn flush(&self) -> Result<(), Error> {
        // Not until the queue is empty: others may go on filling it.
        let target = self.shared.link().queued();
        self.shared
            .wait(|link, cx| link.poll_flush_to(cx, target))
            .await
    }

    /// Sends a Close frame behind everything that is queued. The [`Receiver`] finishes the closing
    /// handshake, if it is receiving, in [time](crate::Config::close_timeout); messages that still come are
    /// received.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the code or the reason can't be sent, or if the connection is closing
    /// already; otherwise as `flush`.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.with(|connection| connection.close(code, reason))?;
        self.flush().await
    }

    /// Lends the connection, for questions and for the commands that have no method here. They only
    /// queue: [flush](Self::flush) afterwards.
    ///
    /// Everything else waits until `f` returns. It must not use another method of this connection's
    /// halves, which would wait for ever.
    pub fn with<T>(&self, f: impl FnOnce(&mut Connection) -> T) -> T {
        f(&mut self.shared.link().connection)
    }
}

impl<S: Transport<R>, R: Runtime> Shared<S, R> {
    /// As [`Link::poll_event`]. The link is still locked when the event is taken: nobody can end the
    /// connection in between.
    fn poll_event(
        &self,
        cx: &Context<'_>,
        rx: &mut Lease,
        wants_read: WantsRead,
    ) -> Poll<Result<MutexGuard<'_, Link<S, R>>, Error>> {
        let mut link = self.link();
        if link.has_event(rx, wants_read) {
            return Poll::Ready(Ok(link));
        }
        self.waiting.set_receiver(cx.waker());
        let wakers = Wakers {
            reading: cx.waker(),
            writing: &self.waker,
        };
        let had_to_write = link.has_to_write();
        let polled = link.poll_event(rx, &wakers, wants_read, Purpose::Take);
        if had_to_write && !link.has_to_write() {
            // The transport owes no wake-up to those who had begun to write it.
            self.waiting.wake_senders();
        }
        ready!(polled)?;
        Poll::Ready(Ok(link))
    }

    /// Waits for the transport on behalf of a sender.
    async fn wait(
        &self,
        mut poll: impl FnMut(&mut Link<S, R>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Result<(), Error> {
        let mut place = Place::new(&self.waiting);
        poll_fn(|cx| {
            let shared = &mut Context::from_waker(&self.waker);
            let mut link = self.link();
            if link.gives_way(cx.waker()) {
                return Poll::Pending;
            }
            let mut polled = poll(&mut link, shared);
            if polled.is_pending() {
                place.set(cx.waker());
                // It may have been woken before it had its place.
                polled = poll(&mut link, shared);
            }
            if polled.is_ready() && (link.connection.state() != State::Open || link.is_writing()) {
                // There is another deadline now, or nothing to wait for any more.
                self.waiting.wake_receiver();
            }
            polled
        })
        .await
    }
}

impl<S, R: Runtime> Shared<S, R> {
    fn link(&self) -> MutexGuard<'_, Link<S, R>> {
        // Commands change nothing before they are sure to succeed: a panic leaves no ruins.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, R: Runtime> Clone for Sender<S, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, R: Runtime> fmt::Debug for Receiver<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("rx", &self.rx)
            .finish_non_exhaustive()
    }
}

impl<S, R: Runtime> fmt::Debug for Sender<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
