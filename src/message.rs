//! Messages that own their payload, and everything that can be sent as one.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{Connection, MessageKind, PreparedMessage, SendError};

/// A complete message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the other opcodes are reserved for a new protocol"
)]
pub enum Message {
    /// UTF-8 text.
    Text(String),
    /// Any bytes.
    Binary(Bytes),
}

impl Message {
    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data.into())
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

/// What can be sent as one message: text, bytes, a [`Message`], a [`PreparedMessage`].
///
/// Adapters take it, so that nothing has to be copied into a `Message` first. Strings are text, bytes
/// are binary. What is given as a whole, a [`String`], [`Bytes`] and what is made of them, may be shared instead
/// of copied, as [`Connection::send_bytes`] tells.
pub trait Sendable {
    /// Queues the message on `connection`.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::send_text`].
    fn queue(self, connection: &mut Connection) -> Result<(), SendError>;
}

impl Sendable for &str {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_text(self)
    }
}

impl Sendable for &String {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_text(self)
    }
}

impl Sendable for String {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_owned(MessageKind::Text, self.into())
    }
}

impl Sendable for &[u8] {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_binary(self)
    }
}

impl Sendable for &Vec<u8> {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_binary(self)
    }
}

impl Sendable for &Bytes {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        self.clone().queue(connection)
    }
}

impl<const N: usize> Sendable for &[u8; N] {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_binary(self)
    }
}

impl Sendable for Vec<u8> {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_owned(MessageKind::Binary, self)
    }
}

impl Sendable for Bytes {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_bytes(MessageKind::Binary, self)
    }
}

impl Sendable for Message {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        match self {
            Self::Text(text) => text.queue(connection),
            Self::Binary(data) => data.queue(connection),
        }
    }
}

impl Sendable for &Message {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        match self {
            Message::Text(text) => text.queue(connection),
            Message::Binary(data) => data.clone().queue(connection),
        }
    }
}

impl Sendable for &PreparedMessage {
    fn queue(self, connection: &mut Connection) -> Result<(), SendError> {
        connection.send_prepared(self)
    }
}
