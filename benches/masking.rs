//! Masking in place, beside loops that anybody would write, and beside a copy of the same bytes.
//!
//! ```text
//! cargo bench --bench masking           # measures
//! python3 benches/ratios.py masking     # prints what was measured as tables
//! ```
//!
//! The payload begins at a cache line, or a byte behind one, as it does in a buffer that frames are read into.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
}
mod floor {
    pub(crate) mod xor;
}

use common::contest::{Case, Contestant, ThreadTime, settings};
use criterion::{Criterion, criterion_group, criterion_main};
use floor::xor::{xor, xor_words};
use framewire::frame::MaskingKey;

/// Around the sizes at which `apply` goes another way, and the sizes of messages.
const SIZES: [usize; 13] = [
    0,
    3,
    7,
    16,
    64,
    125,
    128,
    129,
    1024,
    4096,
    16 * 1024,
    64 * 1024,
    1024 * 1024,
];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// How often the same bytes are masked in a round, so that the loop around it does not count.
const ROUND: usize = 64;
const CACHE_LINE: usize = 64;

/// Bytes at a place in memory, and what is done to them.
struct Masked<W> {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
    work: W,
}

impl<W: FnMut(&mut [u8])> Masked<W> {
    fn new(len: usize, offset: usize, work: W) -> Self {
        let bytes = vec![0; len + 2 * CACHE_LINE];
        let start = bytes.as_ptr().align_offset(CACHE_LINE) + offset;
        Self {
            bytes,
            start,
            len,
            work,
        }
    }
}

impl<W: FnMut(&mut [u8])> Contestant for Masked<W> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        let payload = &mut self.bytes[self.start..self.start + self.len];
        for _ in 0..ROUND {
            (self.work)(payload);
            seen(payload);
        }
    }
}

/// RFC 6455 section 5.3, letter by letter.
fn by_bytes(payload: &mut [u8], key: [u8; 4]) {
    for (i, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

fn masking(c: &mut Criterion<ThreadTime>) {
    for (offset, group) in [(0, "masking at a cache line"), (1, "masking a byte behind")] {
        for size in SIZES {
            let mut case = Case::new(c, group, size, ROUND, ROUND * size);
            // Zeros become the key, over and over; and zeros again.
            let mut expected = vec![0; 2 * size];
            by_bytes(&mut expected[..size], KEY);
            let check = |bytes: &[u8], pieces| {
                assert!(bytes == expected.repeat(ROUND / 2), "masked otherwise");
                assert_eq!(pieces, ROUND);
            };
            let key = MaskingKey::new(KEY);
            let framewire = Masked::new(size, offset, |payload| key.apply(payload, 0));
            case.measure("framewire", framewire, check);
            let bytes = Masked::new(size, offset, |payload| by_bytes(payload, KEY));
            case.measure("by bytes", bytes, check);
            let words = Masked::new(size, offset, |payload| xor_words(payload, KEY));
            case.measure("by words", words, check);
            let floor = Masked::new(size, offset, |payload| xor(payload, KEY));
            case.measure("floor", floor, check);
            let from = vec![7; size];
            let memcpy = Masked::new(size, offset, |payload| payload.copy_from_slice(&from));
            case.measure("limit memcpy", memcpy, |bytes, _| {
                assert!(bytes == from.repeat(ROUND));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = masking
}
criterion_main!(benches);
