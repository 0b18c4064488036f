//! The floor: how fast decoding could be if a connection were no state machine.
//!
//! About the least work that turns bytes into payloads: a header parsed with one branch where 14
//! bytes are there, XOR in place by words, simdutf8 on text, an incomplete tail moved to the front
//! of one buffer. No rules, no limits, no events, no roles: nothing that could fail a peer.

use std::hint::black_box;

/// One buffer, filled window by window.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// Copies to a misaligned target are slower: windows go to a cache line.
const CACHE_LINE: usize = 64;

impl Floor {
    /// Copies `window` behind what is left and hands every complete payload to `message`, with the
    /// opcode. What is incomplete stays.
    pub(crate) fn decode(&mut self, window: &[u8], mut message: impl FnMut(u8, &[u8])) {
        let held = self.end - self.start;
        if self.buffer.len() < CACHE_LINE + held + window.len() {
            self.buffer
                .resize((CACHE_LINE + held + window.len()).next_power_of_two(), 0);
        }
        let aligned = self.buffer.as_ptr().align_offset(CACHE_LINE) % CACHE_LINE;
        let mut start = (aligned + CACHE_LINE - held % CACHE_LINE) % CACHE_LINE;
        self.buffer.copy_within(self.start..self.end, start);
        self.end = start + held + window.len();
        self.buffer[start + held..self.end].copy_from_slice(window);
        while let Some((opcode, key, header, len)) = header(&self.buffer[start..self.end]) {
            if self.end - start < header + len {
                break;
            }
            let payload = &mut self.buffer[start + header..start + header + len];
            xor(payload, key);
            if opcode == 1 {
                // Below 64 bytes simdutf8 is the standard library, which is slow on short ASCII.
                let ascii = payload.len() < 64 && payload.is_ascii();
                black_box(ascii || simdutf8::basic::from_utf8(payload).is_ok());
            }
            message(opcode, payload);
            start += header + len;
        }
        self.start = start;
    }
}

/// Opcode, key, header size and payload length of a masked frame.
#[inline]
fn header(bytes: &[u8]) -> Option<(u8, [u8; 4], usize, usize)> {
    if bytes.len() >= 14 {
        let opcode = bytes[0] & 0xf;
        let (header, len) = match bytes[1] & 0x7f {
            126 => (8, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            127 => {
                let len = bytes[2..10].try_into().expect("eight bytes");
                (14, u64::from_be_bytes(len) as usize)
            }
            short => (6, usize::from(short)),
        };
        let key = bytes[header - 4..header].try_into().expect("four bytes");
        return Some((opcode, key, header, len));
    }
    // A short frame at the very end of a window.
    if bytes.len() >= 6 && bytes[1] & 0x7f < 126 {
        let key = bytes[2..6].try_into().expect("four bytes");
        return Some((bytes[0] & 0xf, key, 6, usize::from(bytes[1] & 0x7f)));
    }
    None
}

/// XOR by words of eight bytes, the rest byte by byte; AVX2 where the processor has it.
#[inline]
fn xor(payload: &mut [u8], key: [u8; 4]) {
    #[cfg(feature = "simd")]
    if payload.len() >= 128 {
        fearless_simd::dispatch!(fearless_simd::Level::new(), _simd => xor_words(payload, key));
        return;
    }
    xor_words(payload, key);
}

#[inline(always)]
fn xor_words(payload: &mut [u8], key: [u8; 4]) {
    let word = u64::from(u32::from_le_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}
