//! Frames to messages, step by step (RFC 6455 sections 5.2 to 5.5): every case that the shortest
//! path leaves out, in either role, whole or in pieces.
//!
//! Each check is made as soon as its bytes are there and always in the same order, so that the
//! events do not depend on how the input was cut.

use super::{
    Connection, Phase,
    located::{Kind, Located},
};
use crate::{
    Accepts, CloseFrame, MessageKind, ProtocolError, RecvBuf, Role,
    close::ClosePayloadError,
    frame::{Header, MaskingKey, Opcode, RSV1, unmask},
    utf8,
};

const MIXED: &str = "receive() and receive_part() must not be mixed within one message";

/// What a frame header or a payload led to.
pub(super) enum Begun {
    /// The frame, or its header, is not there completely.
    Incomplete,
    /// Nothing but the next step: a data frame with its payload still to come.
    Payload,
    Event(Located),
}

impl Connection {
    /// Finds the next event of any kind. Small, for the sake of the messages of 126 bytes and more
    /// that come through here.
    #[inline(never)]
    pub(super) fn step(&mut self, rx: &mut RecvBuf, streaming: bool) -> Option<Located> {
        if !streaming && let Some(located) = self.whole_message(rx) {
            return Some(located);
        }
        self.step_by_step(rx, streaming)
    }

    /// Goes on until an event is found or the input is used up.
    #[inline(never)]
    fn step_by_step(&mut self, rx: &mut RecvBuf, streaming: bool) -> Option<Located> {
        if let Some(located) = self.found.take() {
            assert!(streaming || !self.found_is_part, "{MIXED}");
            self.phase = self.phase_after_found;
            rx.set_announced(false);
            self.note_left(rx);
            return Some(located);
        }
        assert!(
            self.message.kind.is_none() || self.message.streaming == streaming,
            "{MIXED}"
        );
        let located = loop {
            let begun = match self.phase {
                Phase::Idle | Phase::Header => self.begin_frame(rx, streaming),
                Phase::Payload => self.go_on_with_payload(rx),
                Phase::Discard => break None,
            };
            match begun {
                Ok(Begun::Payload) => {}
                Ok(Begun::Incomplete) => break None,
                Ok(Begun::Event(located)) => break Some(located),
                Err(error) => {
                    self.fail_for(error);
                    break Some(Located::new(Kind::Failed, 0..0));
                }
            }
        };
        self.note_left(rx);
        located
    }

    /// Lets the next call report a failure that was found by other means than input.
    pub(super) fn report_failure(&mut self) {
        self.keep_found(Located::new(Kind::Failed, 0..0), false, Phase::Discard);
    }

    /// Keeps an event for the next call: whether it is a part of a message, and the phase to go on with.
    pub(super) fn keep_found(&mut self, located: Located, is_part: bool, phase: Phase) {
        self.found = Some(located);
        self.found_is_part = is_part;
        self.phase_after_found = phase;
    }

    /// Remembers whether `rx` holds something that the connection still needs.
    fn note_left(&mut self, rx: &mut RecvBuf) {
        if self.phase == Phase::Discard {
            rx.discard();
        }
        self.left = rx.undecoded().len() + usize::from(!rx.is_empty());
    }

    /// Takes a message in one frame that lies in the buffer completely, if nothing at all is wrong
    /// with it. Everything that is gets `None` here and its error from the steps below.
    #[inline]
    fn whole_message(&mut self, rx: &mut RecvBuf) -> Option<Located> {
        let bytes = rx.undecoded();
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let kind = match first {
            0x81 => Kind::UncheckedText,
            0x82 => Kind::Binary,
            _ => return None,
        };
        if self.phase != Phase::Idle && !self.allows_whole_message(kind) {
            return None;
        }
        // With the wrong mask bit this comes out as 128 and more.
        let short = match self.role {
            Role::Server => second ^ 0x80,
            Role::Client => *second,
        };
        let (len, rest) = match short {
            0..126 => (usize::from(short), rest),
            126 => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
            }
            128.. => return None,
        };
        let minimal = short < 126 || len > if short == 126 { 125 } else { 0xffff };
        let (key, rest) = match self.role {
            Role::Server => {
                let (key, rest) = rest.split_first_chunk()?;
                (Some(MaskingKey::new(*key)), rest)
            }
            Role::Client => (None, rest),
        };
        let config = &self.config;
        let most = rest
            .len()
            .min(config.max_frame_size)
            .min(config.max_message_size);
        if !minimal || len > most {
            return None;
        }
        let header = bytes.len() - rest.len();
        rx.consume(header);
        if let Some(key) = key {
            unmask(&mut rx.undecoded_mut()[..len], key);
        }
        let message = rx.consume(len);
        self.left = rx.undecoded().len();
        self.message.frame_size = (header + len) as u64;
        self.message.fin = true;
        self.count_message();
        Some(Located::new(kind, message))
    }

    /// What [`Phase::Idle`] implies, checked one by one.
    #[inline(never)]
    fn allows_whole_message(&self, kind: Kind) -> bool {
        let refused = if kind == Kind::Binary {
            Accepts::Text
        } else {
            Accepts::Binary
        };
        self.phase == Phase::Header
            && self.message.kind.is_none()
            && self.found.is_none()
            && self.delivers_messages()
            && self.config.accepts != refused
            && self.config.max_fragments > 0
    }

    /// Looks at the header of the next frame; takes control frames as a whole.
    fn begin_frame(&mut self, rx: &mut RecvBuf, streaming: bool) -> Result<Begun, ProtocolError> {
        let bytes = rx.undecoded();
        let [first, second, ..] = *bytes else {
            return Ok(Begun::Incomplete);
        };
        let compressed = self.check_first_bytes(first, second)?;
        let Some((header, size)) = Header::decode(bytes)? else {
            return Ok(Begun::Incomplete);
        };
        if header.opcode.is_control() {
            return self.control_frame(rx, &header, size);
        }
        self.begin_data_frame(&header, compressed, streaming)?;
        self.message.frame_size = size as u64 + header.payload_len;
        rx.consume(size);
        if header.opcode != Opcode::Continuation {
            self.message.streaming = streaming;
            if !streaming {
                rx.begin_message();
            }
        }
        self.phase = Phase::Payload;
        Ok(Begun::Payload)
    }

    /// The rules that two bytes show, but for those of [`Header::decode`]. Tells whether they begin a
    /// compressed message (RFC 7692 section 6).
    fn check_first_bytes(&self, first: u8, second: u8) -> Result<bool, ProtocolError> {
        let bits = first & 0x70;
        let opcode = Opcode::new(first & 0xf);
        let compressed = bits == RSV1
            && self.deflate.is_some()
            && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
        if bits != 0 && !compressed {
            return Err(ProtocolError::ReservedBits { bits });
        }
        match (self.role, second & 0x80 != 0) {
            (Role::Server, false) => return Err(ProtocolError::UnmaskedFrame),
            (Role::Client, true) => return Err(ProtocolError::MaskedFrame),
            (Role::Server, true) | (Role::Client, false) => {}
        }
        match (opcode, self.message.kind) {
            (Some(Opcode::Continuation), None) => Err(ProtocolError::UnexpectedContinuation),
            (Some(Opcode::Text | Opcode::Binary), Some(_)) => {
                Err(ProtocolError::InterleavedMessage)
            }
            (Some(Opcode::Text), None) if self.config.accepts == Accepts::Binary => {
                Err(ProtocolError::UnacceptableText)
            }
            (Some(Opcode::Binary), None) if self.config.accepts == Accepts::Text => {
                Err(ProtocolError::UnacceptableBinary)
            }
            _ => Ok(compressed),
        }
    }

    /// Checks the limits and sets up the message in progress (RFC 6455 section 5.4).
    fn begin_data_frame(
        &mut self,
        header: &Header,
        compressed: bool,
        streaming: bool,
    ) -> Result<(), ProtocolError> {
        let (message, deflate) = (&mut self.message, &mut self.deflate);
        match header.opcode {
            Opcode::Text => message.begin(MessageKind::Text),
            Opcode::Binary => message.begin(MessageKind::Binary),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        if header.opcode != Opcode::Continuation
            && let Some(deflate) = deflate
        {
            deflate.begin(compressed);
        }
        let limit = self.config.max_fragments;
        if message.fragments >= limit {
            return Err(ProtocolError::TooManyFragments { limit });
        }
        message.fragments += 1;
        let fragments = message.fragments;
        let on_the_wire = |limit| match &*deflate {
            Some(deflate) => deflate.on_the_wire(limit, fragments),
            None => limit,
        };
        let size = header.payload_len;
        let limit = limit_of(self.config.max_frame_size, true);
        if size > on_the_wire(limit) {
            return Err(ProtocolError::FrameTooBig { size, limit });
        }
        let size = message.len.saturating_add(size);
        let limit = limit_of(self.config.max_message_size, streaming);
        if size > on_the_wire(limit) {
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        if let Some(deflate) = deflate {
            deflate.set_limit(limit)?;
        }
        message.len = size;
        message.fin = header.fin;
        message.frame_left = header.payload_len;
        message.key = header.masking_key.unwrap_or(MaskingKey::new([0; 4]));
        Ok(())
    }

    /// Takes what has arrived of the payload of a data frame.
    fn go_on_with_payload(&mut self, rx: &mut RecvBuf) -> Result<Begun, ProtocolError> {
        if self.is_inflating() {
            return self.go_on_with_compressed(rx);
        }
        let kind = self.message_kind();
        let n = self.unmask_payload(rx, 0);
        self.message.frame_left -= n as u64;
        let frame_done = self.message.frame_left == 0;
        let last = frame_done && self.message.fin;

        let streaming = self.message.streaming;
        let part = match kind {
            MessageKind::Text => {
                if streaming {
                    rx.clear_parts();
                }
                let (undecoded, text) = rx.undecoded_and_text();
                let utf8 = &mut self.message.utf8;
                utf8.push(&undecoded[..n], |part| text.push_str(part))
                    .map_err(|utf8::Invalid| ProtocolError::InvalidUtf8)?;
                if last && !utf8.is_complete() {
                    return Err(ProtocolError::InvalidUtf8);
                }
                rx.consume(n);
                Located::new(Kind::Text, 0..rx.text().len())
            }
            MessageKind::Binary if streaming => Located::new(Kind::Binary, rx.consume(n)),
            MessageKind::Binary => {
                rx.join(n);
                let joined = if last { rx.take_joined() } else { 0..0 };
                Located::new(Kind::Binary, joined)
            }
        };
        rx.set_missing(usize::try_from(self.message.frame_left).unwrap_or(usize::MAX));
        Ok(self.payload_taken(rx, part, frame_done, last))
    }

    /// The kind of the message in progress.
    pub(super) fn message_kind(&self) -> MessageKind {
        self.message.kind.expect("a payload belongs to a message")
    }

    /// Unmasks what has arrived of the payload of the frame in progress, all but the `done` bytes of
    /// it that are already, and tells how much there is of it.
    pub(super) fn unmask_payload(&mut self, rx: &mut RecvBuf, done: usize) -> usize {
        let message = &mut self.message;
        let arrived = rx.undecoded().len();
        let n = usize::try_from(message.frame_left).map_or(arrived, |left| left.min(arrived));
        if self.role == Role::Server {
            let done = done.min(n);
            unmask(&mut rx.undecoded_mut()[done..n], message.key);
            message.key = message.key.rotated((n - done) as u64);
        }
        n
    }

    /// What taking a payload, or a piece of it, led to: `part` is what it came to.
    pub(super) fn payload_taken(
        &mut self,
        rx: &mut RecvBuf,
        part: Located,
        frame_done: bool,
        last: bool,
    ) -> Begun {
        if frame_done {
            self.phase = Phase::Header;
        }
        if last {
            self.count_message();
            self.end_message();
            rx.end_message();
        } else if frame_done {
            self.stats.bytes_received += self.message.frame_size;
            self.other_frames().rest_received += 1;
        }

        let deliver = last || self.message.streaming && !part.range().is_empty();
        if deliver && self.delivers_messages() {
            Begun::Event(part)
        } else if frame_done {
            Begun::Payload
        } else {
            Begun::Incomplete
        }
    }

    /// Counts the last frame of a message, and with it the message.
    fn count_message(&mut self) {
        self.stats.bytes_received += self.message.frame_size;
        self.stats.messages_received += 1;
    }

    /// Takes it back: what breaks a rule is not counted.
    #[cold]
    pub(super) fn uncount_message(&mut self) {
        self.stats.bytes_received -= self.message.frame_size;
        self.stats.messages_received -= 1;
    }

    fn end_message(&mut self) {
        self.message.kind = None;
        self.phase = self.phase_between_frames();
    }

    /// A control frame, which may stand between the fragments of a message (section 5.5).
    fn control_frame(
        &mut self,
        rx: &mut RecvBuf,
        header: &Header,
        size: usize,
    ) -> Result<Begun, ProtocolError> {
        let len = usize::try_from(header.payload_len).expect("`decode` has seen to at most 125");
        let Some(frame) = rx.undecoded_mut().get_mut(..size + len) else {
            return Ok(Begun::Incomplete);
        };
        let payload = &mut frame[size..];
        if let Some(key) = header.masking_key {
            unmask(payload, key);
        }
        let kind = match header.opcode {
            Opcode::Ping => {
                self.check_ping_rate()?;
                self.ping_received(payload);
                Kind::Ping
            }
            Opcode::Pong => {
                self.pong_received(payload);
                Kind::Pong
            }
            Opcode::Close => {
                let close = CloseFrame::parse(payload).map_err(|error| match error {
                    ClosePayloadError::OneByte => ProtocolError::TruncatedCloseCode,
                    ClosePayloadError::Code(code) => ProtocolError::InvalidCloseCode(code),
                    ClosePayloadError::Reason => ProtocolError::InvalidUtf8,
                })?;
                self.other_frames().rest_received += 1;
                self.close_received(close.map(|close| close.code));
                Kind::Close
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                unreachable!("data frames do not come here")
            }
        };
        self.stats.bytes_received += (size + len) as u64;
        rx.consume(size);
        Ok(Begun::Event(Located::new(kind, rx.consume(len))))
    }
}

impl super::Incoming {
    fn begin(&mut self, kind: MessageKind) {
        self.kind = Some(kind);
        self.len = 0;
        self.fragments = 0;
        self.utf8 = utf8::Incremental::default();
    }
}

/// The limit for lengths from the wire that a configured one means.
fn limit_of(configured: usize, streaming: bool) -> u64 {
    limit_below(configured as u64, usize::MAX as u64, streaming)
}

/// As [`limit_of`], where `largest` is the largest number that can be configured: it stands for no
/// limit. But what is joined has to fit into a
/// sixteenth of the address space, where [`Located`] can point to.
fn limit_below(configured: u64, largest: u64, streaming: bool) -> u64 {
    match (configured == largest, streaming) {
        (true, true) => u64::MAX,
        (_, true) => configured,
        (_, false) => configured.min(largest / 16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: F-09
    #[test]
    fn lengths_are_compared_before_they_are_cut_to_the_machine_word() {
        let word = u64::from(u32::MAX);
        assert_eq!(limit_below(1000, word, false), 1000);
        assert_eq!(limit_below(1000, word, true), 1000);
        // No limit: a message that is joined must fit, one that is streamed need not.
        assert_eq!(limit_below(word, word, false), 0x0fff_ffff);
        assert_eq!(limit_below(word, word, true), u64::MAX);
        assert!(0x1_0000_0005 > limit_below(word, word, false));
    }
}
