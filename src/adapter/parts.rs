//! What a WebSocket of an adapter is made of.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use std::time::Instant;

use crate::{Connection, RecvBuf};

/// What the WebSocket of an adapter is made of, to go on without the adapter or with another one.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "meant to be taken apart and made by hand"
)]
pub struct Parts<S> {
    /// The transport.
    pub stream: S,
    /// The connection, with what it has not written yet in its
    /// [`send_buf`](Connection::send_buf).
    pub connection: Connection,
    /// What the transport has delivered and the connection has not used up yet.
    pub rx: RecvBuf,
    /// Where the time of [`Connection::handle_timeout`] begins.
    pub origin: Instant,
}

impl<S> Parts<S> {
    /// A connection that has just been opened, over `stream`. `rx` holds what came behind the opening
    /// handshake.
    #[must_use]
    pub fn new(stream: S, connection: Connection, rx: RecvBuf) -> Self {
        Self {
            stream,
            connection,
            rx,
            origin: Instant::now(),
        }
    }
}
