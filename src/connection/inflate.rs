//! Compressed messages (RFC 7692 section 6.2): decompressed as they arrive, into the second storage of the
//! buffer, and held to the limits while that happens. What a message is compressed to counts as well: it
//! may be a little longer than what it stands for, and no more.

use alloc::string::String;

use super::{
    Connection, Incoming,
    frames::Begun,
    located::{Kind, Located},
};
use crate::{
    MessageKind, ProtocolError, RecvBuf,
    buffer::{Inflated, PIECE, append},
    deflate::{Codec, InvalidData},
    utf8,
};

/// What was agreed on, and the compressed message that is being received.
#[derive(Debug)]
pub(super) struct Compression {
    pub(super) codec: Codec,
    /// Whether the message that is being received is compressed. The rest is about such a one alone.
    is_receiving: bool,
    /// How much of its payload was unmasked and waits to be used.
    unmasked: usize,
    /// How many bytes it may have, as it was at the last of its headers, and how many it has been
    /// decompressed to.
    limit: u64,
    inflated: u64,
}

impl Connection {
    /// Whether the message that is being received is compressed.
    pub(super) fn is_inflating(&self) -> bool {
        self.deflate
            .as_ref()
            .is_some_and(|deflate| deflate.is_receiving)
    }

    /// Takes what has arrived of the payload of a compressed data frame. Of a message that is handed out in
    /// parts not more than one part of about [`PIECE`]: the rest waits, compressed.
    pub(super) fn go_on_with_compressed(
        &mut self,
        rx: &mut RecvBuf,
    ) -> Result<Begun, ProtocolError> {
        let kind = self.message_kind();
        let streaming = self.message.streaming;
        if streaming {
            rx.clear_parts();
        }
        let unmasked = self.deflate.as_ref().map_or(0, |deflate| deflate.unmasked);
        let arrived = self.unmask_payload(rx, unmasked);
        let message = &mut self.message;
        let ends_here = message.fin && message.frame_left == arrived as u64;
        let deflate = self.deflate.as_mut();
        let deflate = deflate.expect("only what was agreed on lets a compressed message begin");
        let (payload, inflated, text) = rx.undecoded_to_inflate();

        let mut used = 0;
        let (drained, last) = loop {
            let rest = &payload[used..arrived];
            let input = (!rest.is_empty() || !ends_here).then_some(rest);
            let step = deflate.inflate(message, input, inflated, text)?;
            used += step.used;
            let drained = used == arrived && !step.is_full && !deflate.codec.has_failed();
            if step.is_done || drained && !ends_here {
                break (drained, step.is_done);
            }
            let part = match kind {
                // Up to three bytes of a character may wait for the rest of it.
                MessageKind::Text => text.len() + 3,
                MessageKind::Binary => inflated.len(),
            };
            if streaming && part >= PIECE {
                break (false, false);
            }
        };
        let part = match kind {
            MessageKind::Text => Located::new(Kind::Text, 0..text.len()),
            MessageKind::Binary => Located::new(Kind::Inflated, 0..inflated.len()),
        };
        rx.consume(used);
        let waiting = arrived - used;
        message.frame_left -= used as u64;
        deflate.unmasked = waiting;
        let missing = message.frame_left - waiting as u64;
        rx.set_missing(usize::try_from(missing).unwrap_or(usize::MAX));
        let frame_done = last || message.frame_left == 0 && !message.fin && drained;
        Ok(match self.payload_taken(rx, part, frame_done, last) {
            // A part that nobody wants to have; the next one is there.
            Begun::Incomplete if !drained => Begun::Payload,
            begun @ (Begun::Incomplete | Begun::Payload | Begun::Event(_)) => begun,
        })
    }
}

/// What decompressing once came to.
struct Step {
    /// How much of the input was used.
    used: usize,
    /// Whether all the room was filled, so that more may wait for it.
    is_full: bool,
    /// Whether the message has ended.
    is_done: bool,
}

impl Compression {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            is_receiving: false,
            unmasked: 0,
            limit: 0,
            inflated: 0,
        }
    }

    /// Takes note that a message begins, `compressed` or not.
    pub(super) fn begin(&mut self, compressed: bool) {
        self.is_receiving = compressed;
        self.inflated = 0;
    }

    /// Takes note of the limit on the message, which may be lower than at the header before.
    pub(super) fn set_limit(&mut self, limit: u64) -> Result<(), ProtocolError> {
        if self.inflated > limit {
            let size = self.inflated;
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        self.limit = limit;
        Ok(())
    }

    /// Decompresses `input`, or without one what is left at the end of the message: a binary message to
    /// `inflated`, a text by way of it to `text`.
    fn inflate(
        &mut self,
        message: &mut Incoming,
        input: Option<&[u8]>,
        inflated: &mut Inflated,
        text: &mut String,
    ) -> Result<Step, ProtocolError> {
        let (limit, is_text) = (self.limit, message.kind == Some(MessageKind::Text));
        let in_memory = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        // One byte beyond the limit tells that there is more.
        let most = in_memory((limit - self.inflated).saturating_add(1));
        let output = if message.streaming || is_text {
            inflated.room(most.min(PIECE - inflated.len()))
        } else {
            inflated.room(most)
        };
        let room = output.len();
        let (used, made, is_done) = match input {
            Some(input) => {
                let progress = self.codec.push(input, output)?;
                (progress.used, progress.made, false)
            }
            None => {
                let rest = self.codec.finish(output)?;
                (0, rest.made, rest.is_done)
            }
        };
        inflated.filled(made);
        self.inflated += made as u64;
        let is_too_big = self.inflated > limit;
        if is_text {
            // What is wrong before the limit is found before it, however the input was cut.
            let within = inflated.len() - usize::from(is_too_big);
            let (piece, _) = inflated.bytes().split_at(within);
            message
                .utf8
                .push(piece, |piece| append(text, piece, in_memory(limit)))
                .map_err(|utf8::Invalid| ProtocolError::InvalidUtf8)?;
            if is_done && !message.utf8.is_complete() {
                return Err(ProtocolError::InvalidUtf8);
            }
            inflated.clear();
        }
        if is_too_big {
            let size = self.inflated;
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        Ok(Step {
            used,
            is_full: made == room,
            is_done,
        })
    }

    /// What a limit on messages or frames is on the wire: what can't be compressed gets longer, in the worst of
    /// encodings by an eighth, and ends with some bytes wherever it is flushed, which is to be for a frame.
    pub(super) fn on_the_wire(&self, limit: u64, fragments: u32) -> u64 {
        if self.is_receiving {
            limit.saturating_add(limit / 8 + 16 * u64::from(fragments) + 64)
        } else {
            limit
        }
    }
}

impl From<InvalidData> for ProtocolError {
    fn from(InvalidData: InvalidData) -> Self {
        Self::InvalidCompression
    }
}
