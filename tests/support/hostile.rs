//! What a peer can make of compressed messages and their frames, and what connections that have agreed on
//! permessage-deflate make of it.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use framewire::{Config, Connection, Deflate, RecvBuf, Role};
use proptest::{collection::vec, prelude::*};

use crate::support::{
    deflate::agreed,
    trace::{Seen, Trace, feed, random_pieces},
    wire::{frame, input, read_output},
};

pub(crate) const TEXT: u8 = 0xc1;
pub(crate) const BINARY: u8 = 0xc2;
pub(crate) const KINDS: [u8; 2] = [TEXT, BINARY];

/// What a message may be compressed to when `limit` is its limit, in as many frames.
pub(crate) fn on_the_wire(limit: usize, frames: usize) -> usize {
    limit + limit / 8 + 16 * frames + 64
}

pub(crate) fn limited(limit: usize) -> Config {
    let config = Config::new().deflate(Deflate::new());
    config.max_message_size(limit).max_frame_size(usize::MAX)
}

/// The frames of a compressed message whose payload is cut into fragments of at most this size.
pub(crate) fn fragments(kind: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let parts: Vec<_> = payload.chunks(size).collect();
    let Some((last, parts)) = parts.split_last() else {
        return frame(kind, b"");
    };
    let mut first = kind & !0x80;
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(frame(first, part));
        first = 0;
    }
    bytes.extend(frame(first | 0x80, last));
    bytes
}

pub(crate) fn trace_of<'a>(
    mut conn: Connection,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Trace {
    let (events, output) = feed(&mut conn, &mut RecvBuf::new(), pieces);
    Trace {
        events,
        output: read_output(conn.role(), &output),
        state: conn.state(),
        closed: conn.closed(),
        failure: conn.failure(),
        stats: conn.stats(),
    }
}

/// The trace of frames that are given without masks; the same whole, byte by byte, cut in two at every
/// place (of short input), and cut at random places.
#[track_caller]
pub(crate) fn trace(role: Role, params: &str, config: Config, frames: &[u8]) -> Trace {
    let bytes = input(role, frames);
    let fresh = || agreed(role, params, config);
    let whole = trace_of(fresh(), [&bytes[..]]);
    if bytes.len() <= 20_000 {
        assert_eq!(trace_of(fresh(), bytes.chunks(1)), whole, "byte by byte");
    }
    if bytes.len() <= 60 {
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(trace_of(fresh(), [left, right]), whole, "cut at {cut}");
        }
    }
    for seed in 0..4 {
        let pieces = random_pieces(&bytes, seed);
        assert_eq!(trace_of(fresh(), pieces), whole, "at random, seed {seed}");
    }
    whole
}

/// What a connection that delivers `payload` has seen.
pub(crate) fn seen(kind: u8, payload: &[u8]) -> Seen {
    if kind == TEXT {
        Seen::Text(String::from_utf8(payload.to_vec()).expect("it is text"))
    } else {
        Seen::Binary(payload.to_vec())
    }
}

/// A writer of deflate streams (RFC 1951) that no compressor would make.
#[derive(Default)]
pub(crate) struct Bits {
    pub(crate) bytes: Vec<u8>,
    pub(crate) len: usize,
}

impl Bits {
    /// Appends the low `n` bits of `value`, the lowest first.
    pub(crate) fn push(&mut self, value: usize, n: usize) {
        for i in 0..n {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().expect("just made") |=
                ((value >> i & 1) << (self.len % 8)) as u8;
            self.len += 1;
        }
    }

    /// Appends a Huffman code, the highest bit first.
    pub(crate) fn code(&mut self, code: usize, n: usize) {
        for i in (0..n).rev() {
            self.push(code >> i, 1);
        }
    }

    /// A block of literals from 144 on, each of 9 bits: the worst of encodings.
    pub(crate) fn literals(&mut self, bytes: &[u8]) {
        self.push(0b010, 3);
        for byte in bytes {
            assert!(*byte >= 144);
            self.code(0b1_1001_0000 + usize::from(*byte) - 144, 9);
        }
        self.code(0, 7);
    }

    /// A block with Huffman codes of its own, of 90 bits, for nothing but its end.
    pub(crate) fn codes_for_nothing(&mut self) {
        self.push(0b100, 3);
        // 257 literals, 1 distance, and lengths of the code lengths up to the 18th.
        self.push(0, 5);
        self.push(0, 5);
        self.push(14, 4);
        for i in 0..18 {
            // "138 zeros at most" and "1" have one bit each.
            self.push(usize::from(i == 2 || i == 17), 3);
        }
        for zeros in [138, 118] {
            self.push(1, 1);
            self.push(zeros - 11, 7);
        }
        self.push(0b00, 2);
        // The end of the block.
        self.push(0, 1);
    }

    /// A block with Huffman codes of up to 10 bits, of 167 bits, for nothing but its end: as many
    /// entries of tables for each byte as can be.
    pub(crate) fn large_codes_for_nothing(&mut self) {
        self.push(0b100, 3);
        // 257 literals, 10 distances, and lengths of the code lengths up to the 18th.
        self.push(0, 5);
        self.push(9, 5);
        self.push(14, 4);
        for length in [0, 0, 3, 0, 4, 4, 3, 4, 3, 4, 0, 4, 0, 4, 0, 3, 0, 3] {
            self.push(length, 3);
        }
        for zeros in [138, 108] {
            self.code(0b100, 3);
            self.push(zeros - 11, 7);
        }
        let literals = [2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 1];
        let distances = [1, 2, 3, 4, 5, 6, 7, 8, 9, 9];
        for length in literals.into_iter().chain(distances) {
            match length {
                1 | 2 => self.code(length - 1, 3),
                9 | 10 => self.code(length - 7, 3),
                _ => self.code(length + 7, 4),
            }
        }
        // The end of the block.
        self.push(0, 1);
    }

    /// The payload of a message with these blocks.
    pub(crate) fn payload(mut self) -> Vec<u8> {
        // The header of an empty block without compression, whose rest is the tail.
        self.push(0b000, 3);
        self.bytes
    }
}

/// What one message is made of, and what is done to its payload.
#[derive(Clone, Debug)]
pub(crate) struct Hostile {
    pub(crate) kind: u8,
    pub(crate) content: Vec<u8>,
    pub(crate) mutations: Vec<(u8, prop::sample::Index, u8)>,
    pub(crate) fragment: usize,
}

pub(crate) fn hostile() -> impl Strategy<Value = Hostile> {
    let part = prop_oneof![
        (any::<u8>(), 0..3000_usize).prop_map(|(byte, n)| vec![byte; n]),
        "[a-z ]{0,60}é?".prop_map(String::into_bytes),
        "(\"key\":[0-9]{3},){0,50}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..100),
    ];
    let content = vec(part, 0..6).prop_map(|parts| parts.concat());
    let mutation = (0..5_u8, any::<prop::sample::Index>(), any::<u8>());
    let mutations = prop_oneof![Just(vec![]), vec(mutation, 1..4)];
    let size = prop_oneof![Just(usize::MAX), 1..200_usize];
    (prop::sample::select(&KINDS[..]), content, mutations, size).prop_map(
        |(kind, content, mutations, fragment)| Hostile {
            kind,
            content,
            mutations,
            fragment,
        },
    )
}

pub(crate) fn mutate(payload: &mut Vec<u8>, (what, at, byte): &(u8, prop::sample::Index, u8)) {
    if payload.is_empty() {
        payload.push(*byte);
        return;
    }
    let at = at.index(payload.len());
    match what {
        0 => payload[at] ^= 1 << (byte % 8),
        1 => payload[at] = *byte,
        2 => payload.insert(at, *byte),
        3 => payload.truncate(at),
        _ => drop(payload.drain(at..(at + 1 + usize::from(*byte % 8)).min(payload.len()))),
    }
}
