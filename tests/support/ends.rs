//! A WebSocket of any adapter, whole or split: what all of them can do, so that a test can ask the same of
//! all of them.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[cfg(any(feature = "tokio", feature = "futures"))]
#[path = "polled.rs"]
pub(crate) mod polled;

use framewire::blocking::{Parts, Receiver, Sender, WebSocket};
use framewire::{
    CloseCode, Closed, Connection, Error, Event, Message, PartEvent, RecvBuf, Sendable,
};

use crate::script::Wire;

/// Which adapter, and whether there is one of it or two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Split,
    #[cfg(feature = "tokio")]
    Tokio,
    #[cfg(feature = "tokio")]
    TokioSplit,
    #[cfg(feature = "futures")]
    Futures,
    #[cfg(feature = "futures")]
    FuturesSplit,
}

pub(crate) const FORMS: &[Form] = &[
    Form::Whole,
    Form::Split,
    #[cfg(feature = "tokio")]
    Form::Tokio,
    #[cfg(feature = "tokio")]
    Form::TokioSplit,
    #[cfg(feature = "futures")]
    Form::Futures,
    #[cfg(feature = "futures")]
    Form::FuturesSplit,
];

impl Form {
    /// Whether it is of the adapter that tells a transport how long it may wait.
    pub(crate) fn is_blocking(self) -> bool {
        matches!(self, Self::Whole | Self::Split)
    }

    /// Whether its traits let a transport claim to have read more than there was room for.
    pub(crate) fn may_lie_in_reading(self) -> bool {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio | Self::TokioSplit => false,
            _ => true,
        }
    }

    pub(crate) fn is_split(self) -> bool {
        match self {
            Self::Whole => false,
            Self::Split => true,
            #[cfg(feature = "tokio")]
            Self::Tokio => false,
            #[cfg(feature = "tokio")]
            Self::TokioSplit => true,
            #[cfg(feature = "futures")]
            Self::Futures => false,
            #[cfg(feature = "futures")]
            Self::FuturesSplit => true,
        }
    }
}

#[derive(Debug)]
pub(crate) enum End {
    Whole(Box<WebSocket<Wire>>),
    Split(Box<Receiver<Wire>>, Sender<Wire>),
    #[cfg(feature = "tokio")]
    Tokio(polled::End<framewire::tokio::Tokio>),
    #[cfg(feature = "futures")]
    Futures(polled::End<framewire::futures::Futures<polled::for_futures::Paused>>),
}

impl End {
    pub(crate) fn new(form: Form, wire: Wire, connection: Connection) -> Self {
        match form {
            Form::Whole | Form::Split => {
                let parts = Parts::new(wire, connection, RecvBuf::new());
                Self::of(form, WebSocket::from_parts(parts))
            }
            #[cfg(feature = "tokio")]
            Form::Tokio | Form::TokioSplit => {
                Self::Tokio(polled::End::new(form.is_split(), wire, connection))
            }
            #[cfg(feature = "futures")]
            Form::Futures | Form::FuturesSplit => {
                Self::Futures(polled::End::new(form.is_split(), wire, connection))
            }
        }
    }

    /// One of the blocking adapter.
    pub(crate) fn of(form: Form, ws: WebSocket<Wire>) -> Self {
        if !form.is_split() {
            return Self::Whole(Box::new(ws));
        }
        let (receiver, sender) = ws.split().expect("another handle");
        Self::Split(Box::new(receiver), sender)
    }

    pub(crate) fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(ws) => ws.recv(),
            Self::Split(receiver, _) => receiver.recv(),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.recv(),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.recv(),
        }
    }

    /// What `see` makes of the next event, and of the connection.
    pub(crate) fn recv_ref<T>(
        &mut self,
        see: impl FnOnce(Event<'_>, &mut Connection) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(ws.recv_ref()?.map(|(event, conn)| see(event, conn))),
            Self::Split(receiver, sender) => {
                let event = receiver.recv_ref()?;
                Ok(event.map(|event| sender.with(|conn| see(event, conn))))
            }
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.recv_ref(see),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.recv_ref(see),
        }
    }

    pub(crate) fn recv_part_ref<T>(
        &mut self,
        see: impl FnOnce(PartEvent<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(ws.recv_part_ref()?.map(|(event, _)| see(event))),
            Self::Split(receiver, _) => Ok(receiver.recv_part_ref()?.map(see)),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.recv_part_ref(see),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.recv_part_ref(see),
        }
    }

    pub(crate) fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.send(message),
            Self::Split(_, sender) => sender.send(message),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.send(message),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.send(message),
        }
    }

    pub(crate) fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.feed(message),
            Self::Split(_, sender) => sender.feed(message),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.feed(message),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.feed(message),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.flush(),
            Self::Split(_, sender) => sender.flush(),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.flush(),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.flush(),
        }
    }

    /// Closes, and waits for the end: with halves that is what the application does, and `in_parts` if
    /// it has begun a message so.
    pub(crate) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        in_parts: bool,
    ) -> Result<Closed, Error> {
        let closed = match self {
            Self::Whole(ws) => Some(ws.close(code, reason)),
            Self::Split(..) => None,
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.close(code, reason),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.close(code, reason),
        };
        if let Some(closed) = closed {
            return closed;
        }
        match self.with(|conn| conn.close(code, reason)) {
            Ok(()) | Err(framewire::SendError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        if in_parts {
            while self.recv_part_ref(|_| ())?.is_some() {}
        } else {
            while self.recv_ref(|_, _| ())?.is_some() {}
        }
        self.with(|conn| match conn.failure() {
            Some(error) => Err(error.into()),
            None => Ok(conn.closed().expect("it has ended")),
        })
    }

    pub(crate) fn with<T>(&mut self, ask: impl FnOnce(&mut Connection) -> T) -> T {
        match self {
            Self::Whole(ws) => ask(ws.connection_mut()),
            Self::Split(_, sender) => sender.with(ask),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws) => ws.with(ask),
            #[cfg(feature = "futures")]
            Self::Futures(ws) => ws.with(ask),
        }
    }
}
