//! A WebSocket as a stream and a sink of messages.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::{Runtime, Transport, WebSocket, wakers::Pair};
use crate::{Connection, Error, Event, Message};

/// A WebSocket as a [`Stream`] and a [`Sink`] of messages, for everything that is written for those: as
/// [`WebSocket::recv`] and [`WebSocket::feed`].
///
/// The stream ends where `recv` says `None`, and behind an error. Closing the sink sends a Close frame behind
/// everything that is queued, with 1000: take the stream to its end, or [close](WebSocket::close) the
/// WebSocket, to finish the closing handshake.
pub struct Messages<S, R: Runtime> {
    ws: WebSocket<S, R>,
    /// The stream and the sink may be in different tasks.
    pair: Pair,
    has_ended: bool,
}

impl<S: Transport<R>, R: Runtime> Messages<S, R> {
    /// Makes a stream of a WebSocket.
    #[must_use]
    pub fn new(ws: WebSocket<S, R>) -> Self {
        Self {
            ws,
            pair: Pair::new(),
            has_ended: false,
        }
    }

    /// The WebSocket, for what a stream and a sink can't do.
    #[must_use]
    pub fn websocket(&mut self) -> &mut WebSocket<S, R> {
        &mut self.ws
    }

    /// Gives the WebSocket back.
    #[must_use]
    pub fn into_websocket(self) -> WebSocket<S, R> {
        self.ws
    }

    fn poll_message(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            ready!(
                self.ws
                    .poll_event_of(cx, &self.pair, Connection::wants_read)
            )?;
            let connection = &mut self.ws.link.connection;
            let rx = self.ws.rx.get(connection);
            match connection.receive(rx) {
                Some(Event::Text(text)) => return Poll::Ready(Ok(Some(text.into()))),
                Some(Event::Binary(data)) => return Poll::Ready(Ok(Some(data.into()))),
                Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_) | Event::Failed(_)) => {}
                None => return Poll::Ready(self.ws.link.end()),
            }
        }
    }
}

impl<S, R: Runtime> fmt::Debug for Messages<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("ws", &self.ws)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

// Nothing in it is pinned.
impl<S, R: Runtime> Unpin for Messages<S, R> {}

impl<S: Transport<R>, R: Runtime> Stream for Messages<S, R> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let message = ready!(self.poll_message(cx)).transpose();
        self.has_ended = !matches!(message, Some(Ok(_)));
        Poll::Ready(message)
    }
}

impl<S: Transport<R>, R: Runtime> FusedStream for Messages<S, R> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<S: Transport<R>, R: Runtime> Sink<Message> for Messages<S, R> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { ws, pair, .. } = &mut *self;
        ws.poll_writer(cx, pair, WebSocket::poll_room)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        use crate::Sendable as _;

        Ok(message.queue(self.ws.connection_mut())?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { ws, pair, .. } = &mut *self;
        ws.poll_writer(cx, pair, WebSocket::poll_flush)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { ws, pair, .. } = &mut *self;
        ws.poll_writer(cx, pair, WebSocket::poll_end_sending)
    }
}
