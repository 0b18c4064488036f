//! What is told to [`tracing`], with the feature of that name; without it there is nothing here.
//!
//! A span for each connection, and an event for each thing that happens once in its life. Never a byte of the
//! peer's.

#[cfg(feature = "tracing")]
use ::tracing::{Level, Span, event, span};

use crate::{Connection, Error};

/// Tells what becomes of a connection.
#[derive(Debug)]
pub(crate) struct Trace {
    #[cfg(feature = "tracing")]
    span: Span,
}

#[cfg(feature = "tracing")]
impl Trace {
    /// The opening handshake is done.
    pub(super) fn opened(connection: &Connection) -> Self {
        let span = span!(
            Level::DEBUG,
            "websocket",
            role = ?connection.role(),
            subprotocol = connection.subprotocol(),
        );
        event!(
            parent: &span,
            Level::DEBUG,
            compression = connection.can_compress(),
            "opened"
        );
        Self { span }
    }

    /// There is no connection.
    pub(crate) fn not_opened(error: &Error) {
        event!(Level::DEBUG, %error, "not opened");
    }

    /// The connection can't go on as it was.
    pub(super) fn failed(&self, error: &Error) {
        event!(parent: &self.span, Level::DEBUG, %error, "failed");
    }

    /// The connection has ended.
    pub(super) fn closed(&self, connection: &Connection) {
        if let Some(error) = connection.failure() {
            self.failed(&error.into());
        }
        let (Some(closed), stats) = (connection.closed(), connection.stats()) else {
            return;
        };
        event!(
            parent: &self.span,
            Level::DEBUG,
            code = closed.code.get(),
            clean = closed.clean,
            by = ?closed.by,
            messages_received = stats.messages_received,
            messages_sent = stats.messages_sent,
            "closed"
        );
    }
}

#[cfg(not(feature = "tracing"))]
impl Trace {
    pub(super) fn opened(_: &Connection) -> Self {
        Self {}
    }

    pub(crate) fn not_opened(_: &Error) {}

    pub(super) fn failed(&self, _: &Error) {}

    pub(super) fn closed(&self, _: &Connection) {}
}
