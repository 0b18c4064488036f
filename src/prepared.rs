//! A message that is encoded once and sent to many peers.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{MessageKind, frame::EncodedHeader};
#[cfg(feature = "deflate")]
use crate::{
    deflate::{self, Deflate},
    frame::RSV1,
};

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
    compressed: Option<Compressed>,
}

/// The same message, compressed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Compressed {
    /// The whole frame as a server sends it.
    pub(crate) frame: Bytes,
    /// The window that it takes to decompress it.
    pub(crate) window_bits: u8,
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
        let (frame, header_len) = encode(kind.first_byte(), payload);
        Self {
            kind,
            frame,
            header_len,
            compressed: None,
        }
    }

    /// Adds the message compressed, if that makes it smaller, for connections of servers that have agreed on a
    /// window at least as large as [`Deflate::send_window_bits`]. Other connections of servers get it as it
    /// is. A client has to mask and encode it anyway, and compresses it as any message.
    ///
    /// Where the connection compresses with context takeover, the next message begins without context.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{Deflate, PreparedMessage};
    ///
    /// let news = PreparedMessage::text(&"tide is high ".repeat(100)).compress(&Deflate::new());
    /// # assert_eq!(news.payload().len(), 1300);
    /// ```
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn compress(mut self, options: &Deflate) -> Self {
        let payload = deflate::prepare(options, self.payload());
        self.compressed = payload.map(|payload| Compressed {
            frame: encode(self.kind.first_byte() | RSV1, &payload).0,
            window_bits: options.send_window_bits,
        });
        self
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

    pub(crate) fn compressed(&self) -> Option<&Compressed> {
        self.compressed.as_ref()
    }
}

/// A frame as a server sends it, and the length of its header.
fn encode(first: u8, payload: &[u8]) -> (Bytes, usize) {
    let header = EncodedHeader::new(first, payload.len() as u64, None);
    let mut frame = Vec::with_capacity(header.len() + payload.len());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(payload);
    (frame.into(), header.len())
}

impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedMessage")
            .field("kind", &self.kind)
            .field("payload_len", &self.payload().len())
            .finish()
    }
}
