//! What a client sends: masked frames, one after the other, and what they say.

use bytes::Bytes;
use framewire::frame::{Header, MaskingKey, Opcode};

/// Frames of a client, always the same for everybody.
pub(crate) struct Stream {
    pub(crate) wire: Bytes,
    /// What is handed out, in order: every message but the pings.
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) pings: Vec<Vec<u8>>,
}

impl Stream {
    /// Messages of `opcode`, until there are about 256 KiB of them and at least four: it stays in the
    /// second-level cache.
    pub(crate) fn of(opcode: Opcode, payload: impl Fn(usize) -> Vec<u8>) -> Self {
        let mut stream = Building::default();
        while stream.wire.len() < 256 * 1024 || stream.messages.len() < 4 {
            let payload = payload(stream.messages.len());
            stream.frame(opcode, 0, &payload);
            stream.messages.push(payload);
        }
        stream.build()
    }

    /// 256 KiB of pings, and one byte of a message behind them: not everybody hands out pings, but a message
    /// tells that those before it have been dealt with.
    pub(crate) fn of_pings(size: usize) -> Self {
        let mut stream = Building::default();
        while stream.wire.len() < 256 * 1024 {
            let payload = vec![stream.pings.len() as u8; size];
            stream.frame(Opcode::Ping, 0, &payload);
            stream.pings.push(payload);
        }
        stream.frame(Opcode::Binary, 0, b"!");
        stream.messages.push(b"!".to_vec());
        stream.build()
    }

    /// Binary messages and what they are compressed to.
    pub(crate) fn of_compressed(messages: &[Vec<u8>], compressed: &[Vec<u8>]) -> Self {
        const RSV1: u8 = 0x40;
        let mut stream = Building::default();
        for (message, compressed) in messages.iter().zip(compressed) {
            stream.frame(Opcode::Binary, RSV1, compressed);
            stream.messages.push(message.clone());
        }
        stream.build()
    }

    /// How many frames: what a figure is divided by.
    pub(crate) fn frames(&self) -> usize {
        // The message that ends the pings is one in ten thousand.
        self.messages.len() + self.pings.len()
    }

    /// The bytes of all messages, which are the same in each turn.
    pub(crate) fn message_bytes(&self) -> u64 {
        self.messages
            .iter()
            .map(|message| message.len() as u64)
            .sum()
    }
}

#[derive(Default)]
struct Building {
    wire: Vec<u8>,
    messages: Vec<Vec<u8>>,
    pings: Vec<Vec<u8>>,
}

impl Building {
    fn frame(&mut self, opcode: Opcode, reserved: u8, payload: &[u8]) {
        let count = self.messages.len() + self.pings.len();
        let key = MaskingKey::new((count as u32).wrapping_mul(0x9e37_79b9).to_le_bytes());
        let header = Header {
            fin: true,
            reserved,
            opcode,
            masking_key: Some(key),
            payload_len: payload.len() as u64,
        };
        self.wire.extend_from_slice(&header.encode());
        let start = self.wire.len();
        self.wire.extend_from_slice(payload);
        key.apply(&mut self.wire[start..], 0);
    }

    fn build(self) -> Stream {
        Stream {
            wire: self.wire.into(),
            messages: self.messages,
            pings: self.pings,
        }
    }
}

/// Sizes from 0 to 125 in an order that no branch predictor knows.
pub(crate) fn random_size(n: usize) -> usize {
    ((n as u64 ^ 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 33) % 126
}
