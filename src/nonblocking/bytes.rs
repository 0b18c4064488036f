//! A WebSocket as a stream of bytes.

use core::{
    fmt,
    task::{Context, Poll, ready},
};
use std::{io, vec::Vec};

use super::{Runtime, Transport, WebSocket, wakers::Pair};
use crate::{
    CloseCode, Closed, Connection, Error, PartEvent,
    adapter::{LARGEST, into_io, wants_read_any_part},
};

/// A WebSocket as a stream of bytes, for protocols that were made for one: reading gives the payloads of
/// the messages one after the other, writing sends binary messages.
///
/// It has the traits of its family: tokio's `AsyncRead` and `AsyncWrite`, or those of `futures`.
///
/// Where a message ends means nothing. A peer may cut them as it likes, of either kind and of any
/// size: they are read as they arrive, so that [`Config::max_message_size`](crate::Config::max_message_size)
/// can be lifted. Reading ends, with 0, when the connection has been closed by a closing handshake; an
/// [`Error`] is in an [`io::Error`] of the kind [`Other`](io::ErrorKind::Other).
///
/// What is written gathers as with [`WebSocket::feed`], and is sent while a read waits. Shutting it down, or
/// closing it, sends a Close frame behind that, with 1000. There is no such thing as half of a closed
/// WebSocket: most peers answer it at once, and what they had still to say is lost.
pub struct ByteStream<S, R: Runtime> {
    ws: WebSocket<S, R>,
    /// Reading and writing may be done by different tasks.
    pair: Pair,
    /// The rest of a part that did not fit into what was given to read into.
    rest: Vec<u8>,
    taken: usize,
}

impl<S, R: Runtime> fmt::Debug for ByteStream<S, R> {
    /// Without the bytes, which are the peer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("ws", &self.ws)
            .field("rest", &(self.rest.len() - self.taken))
            .finish_non_exhaustive()
    }
}

// Nothing in it is pinned.
impl<S, R: Runtime> Unpin for ByteStream<S, R> {}

impl<S: Transport<R>, R: Runtime> ByteStream<S, R> {
    /// Makes a stream of a WebSocket.
    #[must_use]
    pub fn new(ws: WebSocket<S, R>) -> Self {
        Self {
            ws,
            pair: Pair::new(),
            rest: Vec::new(),
            taken: 0,
        }
    }

    /// As [`WebSocket::close`]. What has not been read is lost.
    ///
    /// # Errors
    ///
    /// As `WebSocket::close`.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        self.ws.close(code, reason).await
    }

    /// The connection, to ask it something.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.ws.connection()
    }

    /// The connection, for commands such as pings. They only queue.
    #[must_use]
    pub fn connection_mut(&mut self) -> &mut Connection {
        self.ws.connection_mut()
    }

    /// The transport.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.ws.stream()
    }

    /// Gives the WebSocket back, at the end of a message: the rest of one that has been read in part is
    /// waited for, and lost.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv_ref`].
    pub async fn into_websocket(mut self) -> Result<WebSocket<S, R>, Error> {
        while self.ws.connection().is_streaming() {
            self.ws.recv_part_ref().await?;
        }
        Ok(self.ws)
    }

    /// Gives `put` at most `most` bytes that have been read, and tells how many: 0 is the end.
    ///
    /// This and the other polls are what the traits of a family are made of.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv`].
    pub fn poll_read_with(
        &mut self,
        cx: &Context<'_>,
        most: usize,
        mut put: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        if most == 0 {
            return Poll::Ready(Ok(0));
        }
        if let Some(rest) = self.rest.get(self.taken..)
            && !rest.is_empty()
        {
            if self.ws.link.gives_way(cx.waker()) {
                return Poll::Pending;
            }
            let n = rest.len().min(most);
            put(&rest[..n]);
            self.taken += n;
            return Poll::Ready(Ok(n));
        }
        loop {
            let polled = self.ws.poll_event_of(cx, &self.pair, wants_read_any_part);
            ready!(polled).map_err(into_io)?;
            let connection = &mut self.ws.link.connection;
            let rx = self.ws.rx.get(connection);
            let part = match connection.receive_part(rx) {
                Some(PartEvent::Text { part, .. }) => part.as_bytes(),
                Some(PartEvent::Binary { part, .. }) => part,
                Some(
                    PartEvent::Ping(_)
                    | PartEvent::Pong(_)
                    | PartEvent::Close(_)
                    | PartEvent::Failed(_),
                ) => continue,
                None => {
                    let failure = connection.failure();
                    return Poll::Ready(failure.map_or(Ok(0), |error| Err(into_io(error.into()))));
                }
            };
            let (now, later) = part.split_at(part.len().min(most));
            if !now.is_empty() {
                put(now);
                self.rest.clear();
                self.rest.extend_from_slice(later);
                self.taken = 0;
                return Poll::Ready(Ok(now.len()));
            }
        }
    }

    /// Queues up to 64 KiB as one message.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::feed`].
    pub fn poll_send(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let (now, _) = buf.split_at(buf.len().min(LARGEST));
        if !now.is_empty() {
            let Self { ws, pair, .. } = self;
            ready!(ws.poll_writer(cx, pair, WebSocket::poll_room)).map_err(into_io)?;
            let was_writing = ws.link.is_writing();
            let shared = &mut Context::from_waker(pair.waker());
            ws.link.queue(shared, now).map_err(into_io)?;
            if !was_writing && ws.link.is_writing() {
                // There is a deadline now.
                pair.wake_reader();
            }
        }
        Poll::Ready(Ok(now.len()))
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { ws, pair, .. } = self;
        ws.poll_writer(cx, pair, WebSocket::poll_flush)
            .map_err(into_io)
    }

    /// Sends a Close frame behind everything that is queued, with 1000.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub fn poll_end_sending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { ws, pair, .. } = self;
        ws.poll_writer(cx, pair, WebSocket::poll_end_sending)
            .map_err(into_io)
    }
}
