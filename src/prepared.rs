//! A message that is encoded once and sent to many peers.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{MessageKind, frame::EncodedHeader};

/// A message encoded once, to be sent on any number of connections
/// ([`Connection::send_prepared`](crate::Connection::send_prepared)).
///
/// Cloning shares the bytes. A server connection copies a small one into its queue as it is and
/// shares a large one; a client has to mask it, which costs what any other message costs.
///
/// # Examples
///
/// ```
/// use framewire::{Config, Connection, PreparedMessage};
///
/// let news = PreparedMessage::text("tide is high");
/// let mut subscribers = [Connection::server(Config::new()), Connection::server(Config::new())];
/// for subscriber in &mut subscribers {
///     subscriber.send_prepared(&news)?;
///     assert_eq!(subscriber.stats().messages_sent, 1);
/// }
/// # Ok::<(), framewire::SendError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PreparedMessage {
    kind: MessageKind,
    /// The whole frame as a server sends it: header and payload.
    frame: Bytes,
    header_len: usize,
}

impl PreparedMessage {
    /// Encodes a text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// Encodes a binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::new(MessageKind::Binary, data)
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let header = EncodedHeader::new(kind.first_byte(), payload.len() as u64, None);
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(&header);
        frame.extend_from_slice(payload);
        Self {
            kind,
            frame: frame.into(),
            header_len: header.len(),
        }
    }

    /// The kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }

    /// The frame as a server sends it.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedMessage")
            .field("kind", &self.kind)
            .field("payload_len", &self.payload().len())
            .finish()
    }
}
