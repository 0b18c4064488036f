//! The floor: how fast decoding could be if a connection were no state machine.
//!
//! About the least work that turns bytes into payloads: a header parsed with one branch where 14
//! bytes are there, XOR in place by words, simdutf8 on text, an incomplete tail moved to the front
//! of one buffer. Fragments are appended to another one. No rules, no limits, no events: nothing that
//! could fail a peer.

pub(crate) mod xor;

use std::hint::black_box;

use xor::xor;

/// One buffer, filled window by window.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    /// Whether the frames are those of a server, which have no key.
    pub(crate) unmasked: bool,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The message in fragments so far, and its opcode.
    joined: Vec<u8>,
    opcode: u8,
}

/// Copies to a misaligned target are slower: windows go to a cache line.
const CACHE_LINE: usize = 64;
/// Windows below this are appended as long as there is room, for moving the tail would cost more than they do.
const SHORT: usize = 4096;
/// The room for those.
const ROOM: usize = 64 * 1024;

impl Floor {
    /// Copies `window` behind what is left and hands every complete payload to `message`, with the
    /// opcode. What is incomplete stays.
    pub(crate) fn decode(&mut self, window: &[u8], message: impl FnMut(u8, &[u8])) {
        if window.len() >= SHORT || self.buffer.len() - self.end < window.len() {
            self.move_to_front(window.len());
        }
        self.buffer[self.end..self.end + window.len()].copy_from_slice(window);
        self.end += window.len();
        if self.unmasked {
            self.frames::<false>(message);
        } else {
            self.frames::<true>(message);
        }
    }

    /// Moves the tail so that the next window begins at a cache line, and makes room for it.
    fn move_to_front(&mut self, window: usize) {
        let held = self.end - self.start;
        let needed = CACHE_LINE + held + window.max(ROOM);
        if self.buffer.len() < needed {
            self.buffer.resize(needed.next_power_of_two(), 0);
        }
        let aligned = self.buffer.as_ptr().align_offset(CACHE_LINE) % CACHE_LINE;
        let start = (aligned + CACHE_LINE - held % CACHE_LINE) % CACHE_LINE;
        self.buffer.copy_within(self.start..self.end, start);
        (self.start, self.end) = (start, start + held);
    }

    #[inline(always)]
    fn frames<const MASKED: bool>(&mut self, mut message: impl FnMut(u8, &[u8])) {
        let mut start = self.start;
        while let Some((first, key, header, len)) = header::<MASKED>(&self.buffer[start..self.end])
        {
            if self.end - start < header + len {
                break;
            }
            let payload = &mut self.buffer[start + header..start + header + len];
            start += header + len;
            if MASKED {
                xor(payload, key);
            }
            let opcode = first & 0xf;
            // FIN, and no continuation: a whole message.
            if first > 0x80 {
                check(opcode, payload);
                message(opcode, payload);
                continue;
            }
            if opcode != 0 {
                self.joined.clear();
                self.opcode = opcode;
            }
            self.joined.extend_from_slice(payload);
            if first == 0x80 {
                check(self.opcode, &self.joined);
                message(self.opcode, &self.joined);
            }
        }
        self.start = start;
    }
}

/// Whether text is UTF-8.
#[inline]
fn check(opcode: u8, payload: &[u8]) {
    if opcode == 1 {
        // Below 64 bytes simdutf8 is the standard library, which is slow on short ASCII.
        let ascii = payload.len() < 64 && payload.is_ascii();
        black_box(ascii || simdutf8::basic::from_utf8(payload).is_ok());
    }
}

/// First byte, key, header size and payload length of a frame.
#[inline]
fn header<const MASKED: bool>(bytes: &[u8]) -> Option<(u8, [u8; 4], usize, usize)> {
    let key_len = if MASKED { 4 } else { 0 };
    let (header, len) = match *bytes {
        [_, len, a, b, c, d, e, f, g, h, _, _, _, _, ..] => match len & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes([a, b]))),
            127 => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize),
            short => (2, usize::from(short)),
        },
        // A short frame at the very end of a window.
        [_, len, ..] if bytes.len() >= 2 + key_len && len & 0x7f < 126 => {
            (2, usize::from(len & 0x7f))
        }
        _ => return None,
    };
    let key = bytes[header..].first_chunk().filter(|_| MASKED);
    let key = key.copied().unwrap_or_default();
    Some((bytes[0], key, header + key_len, len))
}
