//! A reader of deflate streams (RFC 1951) that looks at distances instead of following them.

use alloc::{vec, vec::Vec};

/// The largest distance in a stream of blocks that ends at the end of an octet.
pub(super) fn max_distance(data: &[u8]) -> usize {
    let mut bits = Bits { data, at: 0 };
    let mut max = 0;
    while bits.at < data.len() * 8 {
        let is_final = bits.take(1) == 1;
        match bits.take(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let len = bits.take(16);
                assert_eq!(bits.take(16), !len & 0xffff);
                bits.at += 8 * len;
            }
            kind => {
                let (literals, distances) = if kind == 1 {
                    fixed()
                } else {
                    dynamic(&mut bits)
                };
                max = max.max(block(&mut bits, &literals, &distances));
            }
        }
        assert!(!is_final, "we never set BFINAL");
    }
    max
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> usize {
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

fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> usize {
    let mut max = 0;
    loop {
        match literals.take(bits) {
            0..256 => continue,
            256 => return max,
            257..265 | 285 => {}
            length => bits.at += (length - 261) / 4,
        }
        let code = distances.take(bits);
        let distance = match code {
            0..4 => code + 1,
            _ => {
                let extra = code / 2 - 1;
                ((2 + code % 2) << extra) + 1 + bits.take(extra)
            }
        };
        max = max.max(distance);
    }
}
