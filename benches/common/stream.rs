//! What a peer sends: frames, one after the other, and what is in them.

#![allow(dead_code, reason = "each bench uses its part")]

use std::ops::Range;

use framewire::{
    Role,
    frame::{Header, MaskingKey, Opcode},
};

/// The frames of so many messages.
pub(crate) struct Stream {
    /// As they are on the wire.
    pub(crate) wire: Vec<u8>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) messages: usize,
    /// The payloads of all frames, unmasked.
    pub(crate) clear: Vec<u8>,
    from: Role,
}

pub(crate) struct Frame {
    /// Where its header and its payload lie on the wire.
    pub(crate) header: Range<usize>,
    pub(crate) payload: Range<usize>,
    pub(crate) key: Option<MaskingKey>,
}

impl Stream {
    pub(crate) fn new(from: Role) -> Self {
        Self {
            wire: Vec::new(),
            frames: Vec::new(),
            messages: 0,
            clear: Vec::new(),
            from,
        }
    }

    /// Messages in one frame each, until there are about 256 KiB of them and at least four: that stays in the
    /// second-level cache unless they are large.
    pub(crate) fn of(from: Role, opcode: Opcode, payload: impl Fn(usize) -> Vec<u8>) -> Self {
        Self::of_fragments(from, opcode, 1, payload)
    }

    /// The same with messages in so many fragments of equal size.
    pub(crate) fn of_fragments(
        from: Role,
        opcode: Opcode,
        fragments: usize,
        payload: impl Fn(usize) -> Vec<u8>,
    ) -> Self {
        let mut stream = Self::new(from);
        while stream.wire.len() < 256 * 1024 || stream.messages < 4 {
            stream.push(opcode, fragments, &payload(stream.messages));
        }
        stream
    }

    /// Appends a message in so many fragments.
    pub(crate) fn push(&mut self, opcode: Opcode, fragments: usize, payload: &[u8]) {
        for n in 0..fragments {
            let part = payload.len() * n / fragments..payload.len() * (n + 1) / fragments;
            let opcode = if n == 0 { opcode } else { Opcode::Continuation };
            self.push_frame(n + 1 == fragments, opcode, &payload[part]);
        }
        self.messages += 1;
    }

    fn push_frame(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) {
        let number = self.frames.len() as u32;
        let key = MaskingKey::new(number.wrapping_mul(0x9e37_79b9).to_le_bytes());
        let header = Header {
            fin,
            reserved: 0,
            opcode,
            masking_key: (self.from == Role::Client).then_some(key),
            payload_len: payload.len() as u64,
        };
        let begin = self.wire.len();
        self.wire.extend_from_slice(&header.encode());
        let start = self.wire.len();
        self.wire.extend_from_slice(payload);
        if let Some(key) = header.masking_key {
            key.apply(&mut self.wire[start..], 0);
        }
        self.frames.push(Frame {
            header: begin..start,
            payload: start..self.wire.len(),
            key: header.masking_key,
        });
        self.clear.extend_from_slice(payload);
    }

    /// The payload of each frame, unmasked.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.clear[..];
        self.frames.iter().map(move |frame| {
            let (payload, behind) = rest.split_at(frame.payload.len());
            rest = behind;
            payload
        })
    }

    /// The payload of each message, all of which have equally many fragments.
    pub(crate) fn joined(&self) -> Vec<&[u8]> {
        let mut rest = &self.clear[..];
        let messages = self.frames.chunks(self.frames.len() / self.messages);
        let lens = messages.map(|frames| frames.iter().map(|frame| frame.payload.len()).sum());
        lens.map(|len: usize| {
            let (payload, behind) = rest.split_at(len);
            rest = behind;
            payload
        })
        .collect()
    }
}
