//! A reader of compressed messages (RFC 1951, RFC 7692 section 7.2) that looks at lengths and distances
//! instead of following them. The unit tests of compression use it as well.

use std::{vec, vec::Vec};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What one sender has sent so far.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    /// How many bytes the compressed messages stand for since the history began.
    produced: usize,
    max_distance: usize,
}

impl Walker {
    /// The largest distance so far.
    pub(crate) fn max_distance(&self) -> usize {
        self.max_distance
    }

    /// Walks through the payload of a whole message, of which every distance must be within what was
    /// sent, and tells how many bytes it stands for. Its last block must be an empty one without
    /// compression, the last four octets of which are not in it, and none may be final.
    #[track_caller]
    pub(crate) fn message(&mut self, payload: &[u8]) -> usize {
        assert!(!payload.ends_with(&TAIL), "the tail is still there");
        let data = [payload, &TAIL].concat();
        let mut bits = Bits { data: &data, at: 0 };
        let before = self.produced;
        let mut ends_with_empty_block = false;
        while bits.at < data.len() * 8 {
            assert_eq!(bits.take(1), 0, "a final block");
            match bits.take(2) {
                0 => {
                    bits.at = bits.at.next_multiple_of(8);
                    let len = bits.take(16);
                    assert_eq!(bits.take(16), !len & 0xffff, "no length of a block");
                    bits.at += 8 * len;
                    self.produced += len;
                    ends_with_empty_block = len == 0;
                    continue;
                }
                1 => {
                    let (literals, distances) = fixed();
                    self.block(&mut bits, &literals, &distances);
                }
                2 => {
                    let (literals, distances) = dynamic(&mut bits);
                    self.block(&mut bits, &literals, &distances);
                }
                _ => panic!("the reserved kind of block"),
            }
            ends_with_empty_block = false;
        }
        assert_eq!(bits.at, data.len() * 8, "the last block is cut off");
        assert!(ends_with_empty_block, "the tail belongs to no block");
        self.produced - before
    }

    fn block(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) {
        loop {
            let length = match literals.take(bits) {
                0..256 => {
                    self.produced += 1;
                    continue;
                }
                256 => return,
                symbol @ 257..265 => symbol - 254,
                285 => 258,
                symbol => {
                    let extra = (symbol - 261) / 4;
                    ((4 + (symbol - 265) % 4) << extra) + 3 + bits.take(extra)
                }
            };
            let distance = match distances.take(bits) {
                symbol @ 0..4 => symbol + 1,
                symbol => {
                    let extra = symbol / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + bits.take(extra)
                }
            };
            assert!(
                distance <= self.produced,
                "{distance} bytes back, and there are {}",
                self.produced
            );
            self.max_distance = self.max_distance.max(distance);
            self.produced += length;
        }
    }
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> usize {
        let bits = self.data.len() * 8;
        assert!(self.at + n <= bits, "the last block is cut off");
        let bit = |at: usize| usize::from(self.data[at / 8] >> (at % 8) & 1);
        let value = (0..n).map(|i| bit(self.at + i) << i).sum();
        self.at += n;
        value
    }
}

/// A Huffman code: the symbols in the order of their codes, and how many have each length.
struct Code {
    symbols: Vec<usize>,
    counts: [usize; 16],
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let of_length = (0..lengths.len()).filter(|&symbol| lengths[symbol] == length);
            let before = symbols.len();
            symbols.extend(of_length);
            *count = symbols.len() - before;
        }
        Self { symbols, counts }
    }

    fn take(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1);
            if code - first < *count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
        }
        panic!("no such code");
    }
}

fn fixed() -> (Code, Code) {
    let lengths = [(144, 8), (112, 9), (24, 7), (8, 8)].map(|(n, length)| vec![length; n]);
    (Code::new(&lengths.concat()), Code::new(&[5; 30]))
}

fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let (literals, distances) = (257 + bits.take(5), 1 + bits.take(5));
    let count = 4 + bits.take(4);
    let mut lengths = [0; 19];
    for symbol in &ORDER[..count] {
        lengths[*symbol] = bits.take(3);
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.take(bits) {
            16 => (lengths[lengths.len() - 1], 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(vec![length; times]);
    }
    let (literals, distances) = lengths.split_at(literals);
    (Code::new(literals), Code::new(distances))
}
