//! A WebSocket of the adapters for polled transports, whole or split, over the transport in memory: with
//! runtimes whose time is a variable, so that waiting takes none, and where a wait without an end fails the
//! test.

use std::{
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use framewire::nonblocking::{Receiver, Runtime, Sender, Timer, Transport, WebSocket};
use framewire::{
    CloseCode, Closed, Connection, Error, Event, Message, PartEvent, RecvBuf, Sendable,
    nonblocking::Parts,
};

use crate::script::Wire;

/// Runs futures to their end.
pub(crate) trait Runs: Runtime + Sized {
    /// Fails the test if that would never come.
    fn run<F: Future>(future: F) -> F::Output;
}

#[derive(Debug)]
pub(crate) enum End<R: Runtime> {
    Whole(WebSocket<Wire, R>),
    Split(Receiver<Wire, R>, Sender<Wire, R>),
}

impl<R: Runs> End<R>
where
    Wire: Transport<R>,
{
    pub(crate) fn new(is_split: bool, wire: Wire, connection: Connection) -> Self {
        let mut parts = Parts::new(wire, connection, RecvBuf::new());
        parts.origin = R::run(async { R::Timer::now() });
        Self::of(is_split, WebSocket::from_parts(parts))
    }

    pub(crate) fn of(is_split: bool, ws: WebSocket<Wire, R>) -> Self {
        if is_split {
            let (receiver, sender) = ws.split();
            Self::Split(receiver, sender)
        } else {
            Self::Whole(ws)
        }
    }

    pub(crate) fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(ws) => R::run(ws.recv()),
            Self::Split(receiver, _) => R::run(receiver.recv()),
        }
    }

    pub(crate) fn recv_ref<T>(
        &mut self,
        see: impl FnOnce(Event<'_>, &mut Connection) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => {
                let event = R::run(ws.recv_ref())?;
                Ok(event.map(|(event, conn)| see(event, conn)))
            }
            Self::Split(receiver, sender) => {
                let event = R::run(receiver.recv_ref())?;
                Ok(event.map(|event| sender.with(|conn| see(event, conn))))
            }
        }
    }

    pub(crate) fn recv_part_ref<T>(
        &mut self,
        see: impl FnOnce(PartEvent<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(R::run(ws.recv_part_ref())?.map(|(event, _)| see(event))),
            Self::Split(receiver, _) => Ok(R::run(receiver.recv_part_ref())?.map(see)),
        }
    }

    pub(crate) fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => R::run(ws.send(message)),
            Self::Split(_, sender) => R::run(sender.send(message)),
        }
    }

    pub(crate) fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => R::run(ws.feed(message)),
            Self::Split(_, sender) => R::run(sender.feed(message)),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => R::run(ws.flush()),
            Self::Split(_, sender) => R::run(sender.flush()),
        }
    }

    /// Closes, and waits for the end, if it is whole.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Option<Result<Closed, Error>> {
        match self {
            Self::Whole(ws) => Some(R::run(ws.close(code, reason))),
            Self::Split(..) => None,
        }
    }

    pub(crate) fn with<T>(&mut self, ask: impl FnOnce(&mut Connection) -> T) -> T {
        match self {
            Self::Whole(ws) => ask(ws.connection_mut()),
            Self::Split(_, sender) => sender.with(ask),
        }
    }
}

/// A call that would block is one to be made again: it is for now, where the transport says so itself.
fn polled<T>(cx: &Context<'_>, result: io::Result<T>) -> Poll<io::Result<T>> {
    if matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock) {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(result)
}

fn polled_read(wire: &Wire, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
    match wire.give(buf) {
        Ok(None) => {
            wire.state().reader = Some(cx.waker().clone());
            Poll::Pending
        }
        Ok(Some(n)) => Poll::Ready(Ok(n)),
        Err(error) => polled(cx, Err(error)),
    }
}

#[cfg(feature = "tokio")]
mod for_tokio {
    use std::time::Duration;

    use framewire::tokio::Tokio;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::{runtime, time::timeout};

    use super::*;

    impl Runs for Tokio {
        fn run<F: Future>(future: F) -> F::Output {
            thread_local! {
                // Never dropped: at the end of a thread there is too little left of it for that.
                static RUNTIME: &'static runtime::Runtime = {
                    let mut builder = runtime::Builder::new_current_thread();
                    let runtime = builder.enable_time().start_paused(true).build();
                    Box::leak(Box::new(runtime.expect("it needs nothing")))
                };
            }
            // Behind every deadline: time moves on to the next one when nothing else can be done.
            let ever = Duration::from_secs(365 * 24 * 60 * 60);
            let ended = RUNTIME.with(|rt| rt.block_on(async { timeout(ever, future).await }));
            ended.unwrap_or_else(|_| panic!("a wait that would never end"))
        }
    }

    impl AsyncRead for Wire {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            polled_read(&self, cx, buf.initialize_unfilled()).map_ok(|n| buf.advance(n))
        }
    }

    impl AsyncWrite for Wire {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            polled(cx, self.accept(&[IoSlice::new(buf)]))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            polled(cx, self.accept(bufs))
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            polled(cx, self.pass_on())
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            polled(cx, self.told_end())
        }
    }
}

#[cfg(feature = "futures")]
pub(crate) mod for_futures {
    #![expect(clippy::disallowed_types, reason = "a timer says when it is")]

    use std::{
        cell::RefCell,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Wake,
        time::Instant,
    };

    use framewire::futures::Futures;
    use futures::io::{AsyncRead, AsyncWrite};

    use super::*;

    /// A timer whose clock moves on to the next deadline when nothing else can be done.
    #[derive(Debug)]
    pub(crate) struct Paused(Instant);

    struct Clock {
        now: Instant,
        /// The next deadline that is waited for.
        next: Option<Instant>,
    }

    thread_local! {
        static CLOCK: RefCell<Clock> = RefCell::new(Clock {
            now: Instant::now(),
            next: None,
        });
    }

    fn clock<T>(ask: impl FnOnce(&mut Clock) -> T) -> T {
        CLOCK.with_borrow_mut(ask)
    }

    impl Timer for Paused {
        fn now() -> Instant {
            clock(|clock| clock.now)
        }

        fn at(deadline: Instant) -> Self {
            Self(deadline)
        }

        fn deadline(&self) -> Instant {
            self.0
        }

        fn reset(&mut self, deadline: Instant) {
            self.0 = deadline;
        }
    }

    impl Future for Paused {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            clock(|clock| {
                if self.0 <= clock.now {
                    return Poll::Ready(());
                }
                clock.next = clock.next.into_iter().chain([self.0]).min();
                Poll::Pending
            })
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Runs for Futures<Paused> {
        fn run<F: Future>(future: F) -> F::Output {
            let woken = Arc::<Woken>::default();
            let waker = woken.clone().into();
            let mut future = pin!(future);
            loop {
                clock(|clock| clock.next = None);
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return output;
                }
                if !woken.0.swap(false, Ordering::Relaxed) {
                    let next = clock(|clock| clock.next);
                    let next = next.expect("a wait that would never end");
                    clock(|clock| clock.now = next);
                }
            }
        }
    }

    impl AsyncRead for Wire {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            polled_read(&self, cx, buf)
        }
    }

    impl AsyncWrite for Wire {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            polled(cx, self.accept(&[IoSlice::new(buf)]))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            polled(cx, self.accept(bufs))
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            polled(cx, self.pass_on())
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            polled(cx, self.told_end())
        }
    }
}
