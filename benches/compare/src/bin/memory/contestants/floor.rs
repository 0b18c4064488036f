//! The floor: the least work that there is, without a state machine. Masking keys: xorshift, weak.

#[path = "../../../../../floor/mod.rs"]
mod reading;

use std::{
    io::{IoSlice, Write as _},
    rc::Rc,
};

use bytes::Bytes;

use self::reading::Floor;
use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    parse, send,
    stream::Stream,
    wire::{MOST_READ, Wire},
};

/// Payloads of this size and more are written from where they are, if they need no mask.
const BY_REFERENCE: usize = 8 * 1024;
/// What is queued before it is written in any case.
const MUCH: usize = 64 * 1024;
const PING: u8 = 0x9;
const PONG: u8 = 0x8a;
const BINARY: u8 = 0x82;

pub(crate) struct Yardstick;

impl Contestant for Yardstick {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        vec![parse::entry("best", stream, |wire| Reader {
            floor: Floor::default(),
            pongs: Vec::new(),
            wire,
        })]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let payload = load.payload.clone();
        vec![if load.client {
            send::entry("best", load, |wire| MaskingSender {
                payload,
                wire,
                buffer: Vec::new(),
                keys: 0x2545_f491,
            })
        } else {
            send::entry("best", load, |wire| Sender::new(payload, wire))
        }]
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        vec![broadcast::entry("best", payload, |wire| {
            Sender::new(payload.clone(), wire)
        })]
    }
}

struct Reader {
    floor: Floor,
    pongs: Vec<u8>,
    wire: Wire,
}

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        let Self { floor, pongs, wire } = self;
        let mut seen = 0;
        while seen < messages {
            pongs.clear();
            floor.decode(wire.window(MOST_READ), |opcode, payload| {
                if opcode == PING {
                    pongs.extend_from_slice(&[PONG, payload.len() as u8]);
                    pongs.extend_from_slice(payload);
                } else {
                    see.message(payload);
                    seen += 1;
                }
            });
            if !pongs.is_empty() {
                let _ = wire.write(pongs).expect("a wire does not fail");
            }
        }
    }
}

/// Header and payload behind each other in one buffer. Large payloads stay where they are: they are written
/// between the headers, by vectored writes of about as much as is ever queued.
struct Sender {
    payload: Bytes,
    wire: Wire,
    buffer: Vec<u8>,
}

impl Sender {
    fn new(payload: Bytes, wire: Wire) -> Self {
        Self {
            payload,
            wire,
            buffer: Vec::new(),
        }
    }
}

impl Sends for Sender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            payload,
            wire,
            buffer,
        } = self;
        if payload.len() >= BY_REFERENCE {
            for batch in 0..messages.div_ceil(every) {
                by_reference(every.min(messages - batch * every), payload, wire, buffer);
            }
            return;
        }
        for batch in 0..messages.div_ceil(every) {
            for _ in 0..every.min(messages - batch * every) {
                put_header(buffer, payload.len(), 0);
                buffer.extend_from_slice(payload);
                if buffer.len() > MUCH {
                    write(wire, buffer);
                }
            }
            write(wire, buffer);
        }
    }
}

fn by_reference(messages: usize, payload: &[u8], wire: &mut Wire, headers: &mut Vec<u8>) {
    let (mut left, most) = (messages, MUCH.div_ceil(payload.len()).min(8));
    while left > 0 {
        let count = left.min(most);
        for _ in 0..count {
            put_header(headers, payload.len(), 0);
        }
        let each = headers.len() / count;
        let mut slices = [IoSlice::new(&[]); 16];
        for (pair, header) in slices.chunks_exact_mut(2).zip(headers.chunks_exact(each)) {
            (pair[0], pair[1]) = (IoSlice::new(header), IoSlice::new(payload));
        }
        let _ = wire
            .write_vectored(&slices[..2 * count])
            .expect("a wire does not fail");
        headers.clear();
        left -= count;
    }
}

/// The same as a client: masked while it is copied.
struct MaskingSender {
    payload: Bytes,
    wire: Wire,
    buffer: Vec<u8>,
    keys: u32,
}

impl Sends for MaskingSender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            payload,
            wire,
            buffer,
            keys,
        } = self;
        for batch in 0..messages.div_ceil(every) {
            for _ in 0..every.min(messages - batch * every) {
                *keys ^= *keys << 13;
                *keys ^= *keys >> 17;
                *keys ^= *keys << 5;
                put_header(buffer, payload.len(), 0x80);
                buffer.extend_from_slice(&keys.to_le_bytes());
                put_masked(buffer, payload, *keys);
                if buffer.len() > MUCH {
                    write(wire, buffer);
                }
            }
            write(wire, buffer);
        }
    }
}

#[inline]
fn write(wire: &mut Wire, buffer: &mut Vec<u8>) {
    if !buffer.is_empty() {
        let _ = wire.write(buffer).expect("a wire does not fail");
        buffer.clear();
    }
}

#[inline]
fn put_header(buffer: &mut Vec<u8>, len: usize, mask: u8) {
    match len {
        0..126 => buffer.extend_from_slice(&[BINARY, mask | len as u8]),
        126..0x1_0000 => {
            let [high, low] = (len as u16).to_be_bytes();
            buffer.extend_from_slice(&[BINARY, mask | 126, high, low]);
        }
        _ => {
            buffer.extend_from_slice(&[BINARY, mask | 127]);
            buffer.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Words of eight bytes from one place to the other; AVX2 where the processor has it.
#[inline]
fn put_masked(buffer: &mut Vec<u8>, payload: &[u8], key: u32) {
    let start = buffer.len();
    buffer.resize(start + payload.len(), 0);
    let to = &mut buffer[start..];
    if payload.len() >= 128 {
        fearless_simd::dispatch!(fearless_simd::Level::new(), _simd => copy_words(to, payload, key));
    } else {
        copy_words(to, payload, key);
    }
}

#[inline(always)]
fn copy_words(to: &mut [u8], from: &[u8], key: u32) {
    let word = u64::from(key) * 0x1_0000_0001;
    let (to_words, to_rest) = to.as_chunks_mut::<8>();
    let (words, rest) = from.as_chunks::<8>();
    for (to, from) in to_words.iter_mut().zip(words) {
        *to = (u64::from_le_bytes(*from) ^ word).to_le_bytes();
    }
    for ((to, from), key) in to_rest
        .iter_mut()
        .zip(rest)
        .zip(key.to_le_bytes().into_iter().cycle())
    {
        *to = from ^ key;
    }
}
