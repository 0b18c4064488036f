//! zlib-rs itself: what compressing costs without a WebSocket. Each message by itself, as framewire does by
//! default, with states and buffers that are used again; a header is put before what comes out.

use std::{io::Write as _, rc::Rc};

use bytes::Bytes;
use framewire::frame::{Header, MaskingKey, Opcode};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use crate::{
    contestant::{Compresses, Contestant, Entry, Reads, Seen},
    deflate::{self, TAIL, Texts},
    parse,
    stream::Stream,
    wire::Wire,
};

const RSV1: u8 = 0x40;

pub(crate) struct ZlibRs;

impl Contestant for ZlibRs {
    fn name(&self) -> &'static str {
        "zlib-rs"
    }

    fn compress(&self, texts: &Rc<Texts>) -> Vec<Entry> {
        // The level that framewire has by default, and the one that zlib has.
        [("level 1", 1), ("level 6", 6)]
            .map(|(idiom, level)| {
                deflate::entry(idiom, texts, |wire| Compressor {
                    state: state(level),
                    frame: Vec::new(),
                    wire,
                })
            })
            .into()
    }

    fn decompress(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        vec![parse::entry("level 6", stream, |_| {
            Decompressor::new(stream)
        })]
    }
}

/// A state with framewire's settings, but for the level.
fn state(level: i32) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level,
        window_bits: -15,
        mem_level: 5,
        ..DeflateConfig::default()
    })
}

/// All of the payload of a message that is compressed by itself.
pub(crate) fn deflated(message: &[u8], level: i32) -> Vec<u8> {
    let mut out = Vec::new();
    append_deflated(&mut state(level), message, &mut out);
    out
}

fn append_deflated(state: &mut Deflate, message: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // No message that deflate makes longer is longer by more than this.
    out.resize(start + message.len() + 64, 0);
    let before = state.total_out();
    state
        .compress(message, &mut out[start..], DeflateFlush::SyncFlush)
        .expect("there is room");
    out.truncate(start + (state.total_out() - before) as usize);
    assert!(out.ends_with(&TAIL), "a flush ends with an empty block");
    out.truncate(out.len() - TAIL.len());
}

struct Compressor {
    state: Deflate,
    frame: Vec<u8>,
    wire: Wire,
}

impl Compresses for Compressor {
    fn compress(&mut self, message: &Bytes) {
        const ROOM: usize = 10;
        self.frame.clear();
        self.frame.resize(ROOM, 0);
        append_deflated(&mut self.state, message, &mut self.frame);
        self.state.reset();
        let header = Header {
            fin: true,
            reserved: RSV1,
            opcode: Opcode::Binary,
            masking_key: None,
            payload_len: (self.frame.len() - ROOM) as u64,
        };
        let header = header.encode();
        let start = ROOM - header.len();
        self.frame[start..ROOM].copy_from_slice(&header);
        let _ = self
            .wire
            .write(&self.frame[start..])
            .expect("a wire does not fail");
    }
}

/// Frames that have been taken apart and unmasked before: only what zlib-rs does is measured.
struct Decompressor {
    state: Inflate,
    /// Payloads with the tail that belongs behind them, and how long the messages are.
    payloads: Vec<(Vec<u8>, usize)>,
    next: usize,
    out: Vec<u8>,
}

impl Decompressor {
    fn new(stream: &Stream) -> Self {
        let (mut payloads, mut bytes) = (Vec::new(), &stream.wire[..]);
        for message in &stream.messages {
            let (header, len) = Header::decode(bytes)
                .ok()
                .flatten()
                .expect("a whole header");
            let mut payload = bytes[len..len + header.payload_len as usize].to_vec();
            bytes = &bytes[len + payload.len()..];
            header
                .masking_key
                .unwrap_or(MaskingKey::new([0; 4]))
                .apply(&mut payload, 0);
            payload.extend_from_slice(&TAIL);
            payloads.push((payload, message.len()));
        }
        let longest = payloads
            .iter()
            .map(|(_, len)| *len)
            .max()
            .unwrap_or_default();
        // One byte more than it takes: then there is no doubt whether all came out.
        Self {
            state: Inflate::new(false, 15),
            payloads,
            next: 0,
            out: vec![0; longest + 1],
        }
    }
}

impl Reads for Decompressor {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        for _ in 0..messages {
            let (payload, _) = &self.payloads[self.next];
            self.next = (self.next + 1) % self.payloads.len();
            let done = self
                .state
                .decompress(payload, &mut self.out, InflateFlush::SyncFlush);
            done.expect("it was compressed");
            see.message(&self.out[..self.state.total_out() as usize]);
            self.state.reset(false);
        }
    }
}
