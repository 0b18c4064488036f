//! Compressed messages (RFC 7692 section 6.2): decompressed as they arrive, into the second storage of the
//! buffer, and held to the limits while that happens. What a message is compressed to counts as well: it
//! may be a little longer than what it stands for, and no more.

use super::{
    Connection, Incoming,
    frames::Begun,
    located::{Kind, Located},
};
use crate::{
    MessageKind, ProtocolError, RecvBuf,
    buffer::{PIECE, append},
    deflate::InvalidData,
    utf8,
};

impl Connection {
    /// Takes what has arrived of the payload of a compressed data frame. Of a message that is handed out in
    /// parts not more than one part of about [`PIECE`]: the rest waits, compressed.
    pub(super) fn go_on_with_compressed(
        &mut self,
        rx: &mut RecvBuf,
    ) -> Result<Begun, ProtocolError> {
        let kind = self.message_kind();
        let streaming = self.message.streaming;
        let limit = self.message.limit;
        if streaming {
            rx.clear_parts();
        }
        let arrived = self.unmask_payload(rx);
        let message = &mut self.message;
        let ends_here = message.fin && message.frame_left == arrived as u64;
        let deflate = self.deflate.as_mut();
        let deflate = deflate.expect("only what was agreed on lets a compressed message begin");
        let (payload, inflated, text) = rx.undecoded_to_inflate();

        let mut used = 0;
        let (drained, last) = loop {
            // One byte beyond the limit tells that there is more.
            let most = usize::try_from((limit - message.inflated).saturating_add(1));
            let most = most.unwrap_or(usize::MAX);
            let output = if streaming || kind == MessageKind::Text {
                inflated.room(most.min(PIECE - inflated.len()))
            } else {
                inflated.room(most)
            };
            let room = output.len();
            let (made, done) = if used < arrived || !ends_here {
                let progress = deflate.push(&payload[used..arrived], output)?;
                used += progress.used;
                (progress.made, false)
            } else {
                let rest = deflate.finish(output)?;
                (rest.made, rest.is_done)
            };
            inflated.filled(made);
            message.inflated += made as u64;
            let is_too_big = message.inflated > limit;
            if kind == MessageKind::Text {
                // What is wrong before the limit is found before it, however the input was cut.
                let (piece, _) = inflated
                    .bytes()
                    .split_at(inflated.len() - usize::from(is_too_big));
                let most = usize::try_from(limit).unwrap_or(usize::MAX);
                let utf8 = &mut message.utf8;
                utf8.push(piece, |piece| append(text, piece, most))
                    .map_err(|utf8::Invalid| ProtocolError::InvalidUtf8)?;
                if done && !utf8.is_complete() {
                    return Err(ProtocolError::InvalidUtf8);
                }
                inflated.clear();
            }
            if is_too_big {
                let size = message.inflated;
                return Err(ProtocolError::MessageTooBig { size, limit });
            }
            let drained = used == arrived && made < room && !deflate.has_failed();
            if done || drained && !ends_here {
                break (drained, done);
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
        message.unmasked = message.unmasked.saturating_sub(used);
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

impl Incoming {
    /// What a limit on messages or frames is on the wire: what can't be compressed gets longer, in the worst of
    /// encodings by an eighth, and ends with some bytes wherever it is flushed, which is to be for a frame.
    pub(super) fn on_the_wire(&self, limit: u64) -> u64 {
        if self.compressed {
            limit.saturating_add(limit / 8 + 16 * u64::from(self.fragments) + 64)
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
