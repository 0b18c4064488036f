//! A WebSocket of the blocking adapter, whole or split: what both can do, so that a test can ask the same of
//! both.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use framewire::blocking::{Parts, Receiver, Sender, SplitTransport, WebSocket};
use framewire::{
    CloseCode, Closed, Connection, Error, Event, Message, PartEvent, RecvBuf, Sendable,
};

/// Whether there is one of it or two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Split,
}

pub(crate) const FORMS: [Form; 2] = [Form::Whole, Form::Split];

#[derive(Debug)]
pub(crate) enum End<S> {
    Whole(Box<WebSocket<S>>),
    Split(Box<Receiver<S>>, Sender<S>),
}

impl<S: SplitTransport> End<S> {
    pub(crate) fn new(form: Form, stream: S, connection: Connection) -> Self {
        let parts = Parts::new(stream, connection, RecvBuf::new());
        let ws = WebSocket::from_parts(parts);
        match form {
            Form::Whole => Self::Whole(Box::new(ws)),
            Form::Split => {
                let (receiver, sender) = ws.split().expect("another handle");
                Self::Split(Box::new(receiver), sender)
            }
        }
    }

    pub(crate) fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(ws) => ws.recv(),
            Self::Split(receiver, _) => receiver.recv(),
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
        }
    }

    pub(crate) fn recv_part_ref<T>(
        &mut self,
        see: impl FnOnce(PartEvent<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        match self {
            Self::Whole(ws) => Ok(ws.recv_part_ref()?.map(|(event, _)| see(event))),
            Self::Split(receiver, _) => Ok(receiver.recv_part_ref()?.map(see)),
        }
    }

    pub(crate) fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.send(message),
            Self::Split(_, sender) => sender.send(message),
        }
    }

    pub(crate) fn feed(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.feed(message),
            Self::Split(_, sender) => sender.feed(message),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.flush(),
            Self::Split(_, sender) => sender.flush(),
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
        if let Self::Whole(ws) = self {
            return ws.close(code, reason);
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
        }
    }
}
