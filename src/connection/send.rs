//! Sending (RFC 6455 section 6.1): every command queues whole frames, so that nothing can ever get
//! between the bytes of one.

use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::io::Write;

use bytes::{Buf as _, Bytes};

use super::{Connection, Outgoing};
#[cfg(feature = "std")]
use crate::Error;
use crate::{
    MessageKind, PreparedMessage, SendBuf, SendError,
    buffer::CHAIN_FROM,
    frame::RSV1,
    rng::Rng,
    utf8::{self, Incremental},
};

const FIN: u8 = 0x80;

impl MessageKind {
    /// The first byte of a message in one frame.
    pub(crate) const fn first_byte(self) -> u8 {
        match self {
            Self::Text => FIN | 0x1,
            Self::Binary => FIN | 0x2,
        }
    }
}

impl Connection {
    /// Queues a text message, in one frame.
    ///
    /// Copies it, masked in the same pass if this is a client. Allocates only when the queue has to
    /// grow.
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed), [`MessageInProgress`](SendError::MessageInProgress) and
    /// [`BufferFull`](SendError::BufferFull). Nothing is queued then.
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.check_message()?;
        self.push_message(MessageKind::Text, text.as_bytes());
        Ok(())
    }

    /// Queues a binary message, in one frame.
    ///
    /// Cost and errors are those of [`send_text`](Self::send_text).
    ///
    /// # Errors
    ///
    /// As `send_text`.
    #[inline]
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.check_message()?;
        self.push_message(MessageKind::Binary, data);
        Ok(())
    }

    /// Queues a message that is held as [`Bytes`], in one frame.
    ///
    /// A server does not copy a payload of 8 KiB or more but chains it, to be written by a vectored
    /// write. A client has to mask, and copies; and so does what is compressed.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text), and [`InvalidUtf8`](SendError::InvalidUtf8) for text that
    /// is none.
    pub fn send_bytes(&mut self, kind: MessageKind, data: Bytes) -> Result<(), SendError> {
        if kind == MessageKind::Text {
            self.check_order()?;
            if self.has_room() && utf8::validate(&data).is_none() {
                return Err(SendError::InvalidUtf8);
            }
        }
        self.send_shared(kind, data)
    }

    /// Queues a message that is owned, of text that is known to be valid: what is large is shared, and what is
    /// small is worth no [`Bytes`], which may take an allocation.
    pub(crate) fn send_owned(&mut self, kind: MessageKind, data: Vec<u8>) -> Result<(), SendError> {
        if data.len() >= CHAIN_FROM {
            return self.send_shared(kind, data.into());
        }
        self.check_message()?;
        self.push_message(kind, &data);
        Ok(())
    }

    fn send_shared(&mut self, kind: MessageKind, data: Bytes) -> Result<(), SendError> {
        self.check_message()?;
        if self.deflate.is_some() && self.push_compressed(kind, &data) {
            // Nothing of it is shared.
        } else if self.rng.is_some() {
            self.push_frame(kind.first_byte(), &data);
        } else {
            self.tx.push_shared_frame(kind.first_byte(), data);
        }
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Sends a text message now, and lends it to `transport` instead of copying it: queues it, and writes once
    /// what is queued. Returns how many bytes were taken; what was not is in the queue.
    ///
    /// For large messages that are sent alone: a server has the transport read the payload where it lies,
    /// by one vectored write. A client has to mask, and copies; and so does what is compressed, or waits behind
    /// payloads of [`Bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::Send`] as [`send_text`](Self::send_text) has it, and nothing is queued then. [`Error::Io`]
    /// if `transport` failed: the message is queued all the same, and stays so.
    ///
    /// # Panics
    ///
    /// If `transport` claims to have taken more than it was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{Config, Connection};
    ///
    /// let mut conn = Connection::server(Config::new());
    /// let mut transport = Vec::new();
    /// let n = conn.lend_text("Hello", &mut transport)?;
    /// assert_eq!((n, transport.as_slice()), (7, &b"\x81\x05Hello"[..]));
    /// # Ok::<(), framewire::Error>(())
    /// ```
    #[cfg(feature = "std")]
    pub fn lend_text(&mut self, text: &str, transport: &mut impl Write) -> Result<usize, Error> {
        self.lend(MessageKind::Text, text.as_bytes(), transport)
    }

    /// Sends a binary message now, and lends it to `transport`, as [`lend_text`](Self::lend_text) does.
    ///
    /// # Errors
    ///
    /// As `lend_text`.
    ///
    /// # Panics
    ///
    /// As `lend_text`.
    #[cfg(feature = "std")]
    pub fn lend_binary(&mut self, data: &[u8], transport: &mut impl Write) -> Result<usize, Error> {
        self.lend(MessageKind::Binary, data, transport)
    }

    #[cfg(feature = "std")]
    fn lend(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        transport: &mut impl Write,
    ) -> Result<usize, Error> {
        self.check_message()?;
        let written = if self.rng.is_some() || self.deflate.is_some() {
            self.push_message(kind, payload);
            self.tx.write_to(transport)
        } else {
            self.stats.messages_sent += 1;
            self.tx
                .write_frame_to(kind.first_byte(), payload, transport)
        };
        Ok(written?)
    }

    /// Queues a message that was encoded before, for many connections.
    ///
    /// A server copies a small one and shares one of 8 KiB or more; compressed it is only if it was prepared
    /// so. A client has to mask, and sends it as any other message.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        self.check_message()?;
        if self.rng.is_some() {
            self.push_message(message.kind(), message.payload());
            return Ok(());
        }
        let compressed = message.compressed().filter(|compressed| {
            let deflate = self.deflate.as_mut();
            deflate.is_some_and(|deflate| deflate.codec.allows_prepared(compressed.window_bits))
        });
        let frame = compressed.map_or_else(|| message.frame(), |compressed| &compressed.frame);
        self.tx.push_encoded(frame);
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Begins a message that is sent in parts, each of them a frame (RFC 6455 section 5.4).
    ///
    /// Until [`finish_message`](Self::finish_message) no other message can be sent; pings, pongs
    /// and a Close frame can, between the parts.
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed) and [`MessageInProgress`](SendError::MessageInProgress).
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Buf;
    /// use framewire::{Config, Connection, MessageKind};
    ///
    /// let mut conn = Connection::server(Config::new());
    /// conn.start_message(MessageKind::Text)?;
    /// conn.send_part(b"Hel")?;
    /// conn.finish_message(b"lo")?;
    /// assert_eq!(conn.send_buf().chunk(), b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), framewire::SendError>(())
    /// ```
    pub fn start_message(&mut self, kind: MessageKind) -> Result<(), SendError> {
        self.check_order()?;
        self.outgoing = Some(Outgoing {
            kind,
            begun: false,
            compressed: self
                .deflate
                .as_ref()
                .is_some_and(|deflate| deflate.codec.compresses_parts()),
            utf8: Incremental::default(),
        });
        self.may_send = false;
        Ok(())
    }

    /// Queues a part of the message that [`start_message`](Self::start_message) began. A part of a
    /// text may end inside a character. An empty part queues nothing.
    ///
    /// # Errors
    ///
    /// [`Closed`](SendError::Closed), [`NoMessage`](SendError::NoMessage),
    /// [`BufferFull`](SendError::BufferFull), and [`InvalidUtf8`](SendError::InvalidUtf8) if the
    /// part can't continue the text. The part can be given again, or another in its place.
    pub fn send_part(&mut self, part: &[u8]) -> Result<(), SendError> {
        let outgoing = self.check_part(part)?;
        if part.is_empty() {
            return Ok(());
        }
        self.push_waiting_pong();
        self.push_part(outgoing, part, false);
        self.other_frames().sent += 1;
        self.outgoing = Some(Outgoing {
            begun: true,
            ..outgoing
        });
        Ok(())
    }

    /// Queues the last part, which may be empty, and ends the message.
    ///
    /// # Errors
    ///
    /// As [`send_part`](Self::send_part), and [`InvalidUtf8`](SendError::InvalidUtf8) if the text
    /// ends inside a character. The message stays in progress then.
    pub fn finish_message(&mut self, part: &[u8]) -> Result<(), SendError> {
        let outgoing = self.check_part(part)?;
        if !outgoing.utf8.is_complete() {
            return Err(SendError::InvalidUtf8);
        }
        self.push_waiting_pong();
        self.push_part(outgoing, part, true);
        self.stats.messages_sent += 1;
        self.outgoing = None;
        self.may_send = true;
        Ok(())
    }

    /// Whether a message may be queued now.
    #[inline]
    fn check_message(&mut self) -> Result<(), SendError> {
        if self.may_send && !self.has_waiting_pong() && self.has_room() {
            return Ok(());
        }
        self.check_order()?;
        self.check_room()
    }

    /// Whether the order of messages allows another one.
    fn check_order(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.outgoing.is_some() {
            Err(SendError::MessageInProgress)
        } else {
            Ok(())
        }
    }

    pub(super) fn check_open(&self) -> Result<(), SendError> {
        if self.closing.is_open() {
            Ok(())
        } else {
            Err(SendError::Closed)
        }
    }

    /// Whether the bound on unsent bytes allows another message.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        // At least one byte is allowed: a bound of zero must not refuse everything for ever.
        self.tx.is_empty() || self.tx.remaining() < self.config.max_queued
    }

    #[cfg(feature = "std")]
    pub(crate) fn max_queued(&self) -> usize {
        self.config.max_queued
    }

    /// Whether the bound leaves room; places a waiting pong, which goes ahead of what comes now.
    pub(super) fn check_room(&mut self) -> Result<(), SendError> {
        if !self.has_room() {
            return Err(self.buffer_full());
        }
        self.push_waiting_pong();
        Ok(())
    }

    fn buffer_full(&self) -> SendError {
        SendError::BufferFull {
            queued: self.tx.remaining(),
        }
    }

    /// The state of the message in progress as it is with `part`.
    fn check_part(&self, part: &[u8]) -> Result<Outgoing, SendError> {
        self.check_open()?;
        let mut outgoing = self.outgoing.ok_or(SendError::NoMessage)?;
        if !self.has_room() {
            return Err(self.buffer_full());
        }
        if outgoing.kind == MessageKind::Text {
            let checked = outgoing.utf8.push(part, |_| ());
            checked.map_err(|utf8::Invalid| SendError::InvalidUtf8)?;
        }
        Ok(outgoing)
    }

    #[inline]
    fn push_message(&mut self, kind: MessageKind, payload: &[u8]) {
        if self.deflate.is_none() || !self.push_compressed(kind, payload) {
            self.push_frame(kind.first_byte(), payload);
        }
        self.stats.messages_sent += 1;
    }

    /// Queues a message compressed, if that is agreed on and makes it smaller.
    #[inline(never)]
    fn push_compressed(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        let deflate = self.deflate.as_mut();
        let Some(compressed) = deflate.and_then(|deflate| deflate.codec.message(payload)) else {
            return false;
        };
        self.push_frame(kind.first_byte() | RSV1, &compressed);
        true
    }

    /// Queues a part of a message, as a frame that the peer can make all of the part of.
    fn push_part(&mut self, outgoing: Outgoing, part: &[u8], last: bool) {
        let fin = if last { FIN } else { 0 };
        let first = fin | outgoing.first_byte();
        match self.deflate.as_mut().filter(|_| outgoing.compressed) {
            Some(deflate) => {
                let compressed = deflate.codec.part(part, last);
                self.push_frame(first, &compressed);
            }
            None => self.push_frame(first, part),
        }
    }

    #[inline]
    fn push_frame(&mut self, first: u8, payload: &[u8]) {
        push_frame(&mut self.tx, &mut self.rng, first, payload);
    }
}

/// Queues a frame; a client draws a fresh key for it, now that its payload is fixed
/// (RFC 6455 sections 5.3 and 10.3).
#[inline]
pub(super) fn push_frame(tx: &mut SendBuf, rng: &mut Option<Rng>, first: u8, payload: &[u8]) {
    match rng {
        None => tx.push_frame(first, payload, None),
        Some(rng) => tx.push_frame(first, payload, Some(rng.masking_key())),
    }
}

impl Outgoing {
    /// The first byte of its next frame, without FIN: its opcode, or that of a continuation.
    fn first_byte(self) -> u8 {
        if self.begun {
            0
        } else {
            let rsv1 = if self.compressed { RSV1 } else { 0 };
            self.kind.first_byte() & !FIN | rsv1
        }
    }
}
