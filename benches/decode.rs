//! Decoding, beside the floor and beside what is possible with the same bytes in the same run.
//!
//! ```text
//! cargo bench --bench decode            # measures
//! python3 benches/ratios.py decode      # prints what was measured as tables
//! ```
//!
//! Input comes in windows of 64 KiB, as from a busy socket, out of a stream that stays in the
//! second-level cache. Each side is given every window in turn and hands out every payload; pings
//! are answered. "own reads" has the same bytes read by the buffer itself, which reads no further than to
//! the end of a large frame. The other groups have fragments, reads that end at awkward places, and what a
//! client receives.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
    pub(crate) mod memcpy;
    pub(crate) mod stream;
    pub(crate) mod text;
}
mod floor;

use std::hint::black_box;

use bytes::Buf as _;
use common::{
    contest::{Case, Contestant, ThreadTime, settings},
    memcpy::Memcpy,
    stream::Stream,
    text::{ASCII, text},
};
use criterion::{Criterion, criterion_group, criterion_main};
use floor::{Floor, xor::xor};
use framewire::{Config, Connection, Event, RecvBuf, Role, frame::Opcode};

const WINDOW: usize = 64 * 1024;
const MIXED: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю. 世界 🦀 ";
const SIZES: [usize; 8] = [0, 16, 125, 126, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];

/// A connection that is given these reads.
struct Framewire<'s> {
    conn: Connection,
    rx: RecvBuf,
    reads: &'s [&'s [u8]],
}

impl<'s> Framewire<'s> {
    fn new(from: Role, reads: &'s [&'s [u8]]) -> Self {
        let conn = match from {
            Role::Client => Connection::server(Config::new()),
            Role::Server => Connection::client(Config::new()),
        };
        let rx = RecvBuf::new();
        Self { conn, rx, reads }
    }
}

/// Hands out all that is there, and flushes.
#[inline(always)]
fn receive(conn: &mut Connection, rx: &mut RecvBuf, seen: &mut impl FnMut(&[u8])) {
    while let Some(event) = conn.receive(rx) {
        match event {
            Event::Text(text) => seen(text.as_bytes()),
            Event::Binary(data) | Event::Ping(data) => seen(data),
            other => panic!("not in the stream: {other:?}"),
        }
    }
    let pongs = conn.send_buf().remaining();
    black_box(conn.send_buf().chunk());
    conn.send_buf().advance(pongs);
}

impl Contestant for Framewire<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for read in self.reads {
            self.rx.extend_from_slice(read);
            receive(&mut self.conn, &mut self.rx, &mut seen);
        }
    }
}

/// The same, where the buffer decides how much is read at once.
struct OwnReads<'s>(Framewire<'s>, &'s [u8]);

impl Contestant for OwnReads<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        let (Framewire { conn, rx, .. }, mut wire) = (&mut self.0, self.1);
        while rx.read_from(&mut wire).expect("memory can be read") > 0 {
            receive(conn, rx, &mut seen);
        }
    }
}

struct FloorSide<'s> {
    floor: Floor,
    pongs: Vec<u8>,
    reads: &'s [&'s [u8]],
}

impl Contestant for FloorSide<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        let Self {
            floor,
            pongs,
            reads,
        } = self;
        for read in *reads {
            pongs.clear();
            floor.decode(read, |opcode, payload| {
                seen(payload);
                if opcode == Opcode::Ping as u8 {
                    pongs.extend_from_slice(&[0x8a, payload.len() as u8]);
                    pongs.extend_from_slice(payload);
                }
            });
            black_box(&pongs);
        }
    }
}

/// What is possible: XOR in place, and nothing else.
struct Xor<'s>(Vec<u8>, &'s Stream);

impl Contestant for Xor<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for frame in &self.1.frames {
            let payload = &mut self.0[frame.payload.clone()];
            xor(payload, frame.key.expect("masked").get());
            seen(payload);
        }
    }
}

/// What is possible: the text looked at, and nothing else.
struct Utf8<'s>(Vec<&'s [u8]>);

impl Contestant for Utf8<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for text in &self.0 {
            seen(simdutf8::basic::from_utf8(text).expect("text").as_bytes());
        }
    }
}

fn measure(
    c: &mut Criterion<ThreadTime>,
    group: &str,
    name: impl ToString,
    from: Role,
    stream: &Stream,
    reads: &[&[u8]],
) {
    assert_eq!(reads.concat(), stream.wire);
    let mut case = Case::new(c, group, name, stream.messages, stream.clear.len());
    let all = |bytes: &[u8], pieces| {
        assert!(bytes == stream.clear, "other payloads than were sent");
        assert_eq!(pieces, stream.messages);
    };
    let payloads = |bytes: &[u8], pieces| {
        assert!(bytes == stream.clear, "other payloads than were sent");
        assert_eq!(pieces, stream.frames.len());
    };
    case.measure("framewire", Framewire::new(from, reads), all);
    if reads[0].len() == WINDOW {
        let own = OwnReads(Framewire::new(from, &[]), &stream.wire);
        case.measure("framewire, own reads", own, all);
    }
    let mut floor = Floor::default();
    floor.unmasked = from == Role::Server;
    let floor = FloorSide {
        floor,
        pongs: Vec::new(),
        reads,
    };
    case.measure("floor", floor, all);
    case.measure("limit memcpy", Memcpy::new(stream.payloads()), payloads);
    if from == Role::Client {
        case.measure("limit XOR", Xor(stream.wire.clone(), stream), payloads);
    }
    if stream.wire[0] & 0xf == Opcode::Text as u8 {
        case.measure("limit simdutf8", Utf8(stream.joined()), all);
    }
}

fn windows(stream: &Stream) -> Vec<&[u8]> {
    stream.wire.chunks(WINDOW).collect()
}

/// Messages of one size after the other, in windows.
fn ladder(
    c: &mut Criterion<ThreadTime>,
    group: &str,
    from: Role,
    opcode: Opcode,
    sizes: &[usize],
    payload: impl Fn(usize) -> Vec<u8>,
) {
    for &size in sizes {
        let stream = Stream::of(from, opcode, |_| payload(size));
        measure(c, group, size, from, &stream, &windows(&stream));
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| i as u8).collect()
}

/// Sizes from 0 to 125 in an order that no branch predictor knows.
fn random_size(n: usize) -> usize {
    ((n as u64 ^ 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % 126
}

fn whole(c: &mut Criterion<ThreadTime>) {
    let client = Role::Client;
    ladder(c, "decode ping", client, Opcode::Ping, &[0, 16, 125], bytes);
    ladder(c, "decode binary", client, Opcode::Binary, &SIZES, bytes);
    let random = Stream::of(client, Opcode::Binary, |n| bytes(random_size(n)));
    let reads = windows(&random);
    measure(c, "decode binary", "random to 125", client, &random, &reads);
    let ascii = |size| text(ASCII, size);
    ladder(c, "decode ascii", client, Opcode::Text, &SIZES, ascii);
    let mixed = |size| text(MIXED, size);
    ladder(c, "decode mixed", client, Opcode::Text, &SIZES[1..], mixed);
}

fn as_client(c: &mut Criterion<ThreadTime>) {
    let server = Role::Server;
    let group = "decode as client, binary";
    ladder(c, group, server, Opcode::Binary, &SIZES, bytes);
    let group = "decode as client, mixed";
    let mixed = |size| text(MIXED, size);
    ladder(c, group, server, Opcode::Text, &SIZES[1..], mixed);
}

fn fragmented(c: &mut Criterion<ThreadTime>) {
    for (group, opcode, sample) in [
        ("decode fragmented binary", Opcode::Binary, ASCII),
        ("decode fragmented ascii", Opcode::Text, ASCII),
        ("decode fragmented mixed", Opcode::Text, MIXED),
    ] {
        for size in [1024, 64 * 1024] {
            for fragments in [1, 4, 16, 64] {
                let payload = |_| text(sample, size);
                let stream = Stream::of_fragments(Role::Client, opcode, fragments, payload);
                let name = format!("{size} in {fragments}");
                let reads = windows(&stream);
                measure(c, group, name, Role::Client, &stream, &reads);
            }
        }
    }
}

/// The wire cut at places that each frame has.
fn cut(stream: &Stream, place: impl Fn(&common::stream::Frame) -> usize) -> Vec<&[u8]> {
    let mut rest = &stream.wire[..];
    let mut reads = Vec::new();
    for place in stream.frames.iter().map(place) {
        let read = place - (stream.wire.len() - rest.len());
        reads.push(&rest[..read]);
        rest = &rest[read..];
    }
    reads.push(rest);
    reads
}

fn awkward(c: &mut Criterion<ThreadTime>) {
    for size in [16, 125, 1024, 16 * 1024] {
        let stream = Stream::of(Role::Client, Opcode::Binary, |_| bytes(size));
        let group = "decode reads that end";
        for (name, reads) in [
            (
                "in the header",
                cut(&stream, |frame| frame.header.start + 1),
            ),
            (
                "before the payload",
                cut(&stream, |frame| frame.payload.start),
            ),
            (
                "in the payload",
                cut(&stream, |frame| {
                    frame.payload.start + frame.payload.len() / 2
                }),
            ),
            ("a byte early", cut(&stream, |frame| frame.payload.end - 1)),
            ("well", cut(&stream, |frame| frame.payload.end)),
        ] {
            let name = format!("{size} {name}");
            measure(c, group, name, Role::Client, &stream, &reads);
        }
    }
    for (read, sizes) in [
        (1, &[16, 125, 1024][..]),
        (7, &[16, 125, 1024][..]),
        (1448, &[125, 1024, 16 * 1024, 1024 * 1024][..]),
    ] {
        for &size in sizes {
            let stream = Stream::of(Role::Client, Opcode::Binary, |_| bytes(size));
            let reads: Vec<_> = stream.wire.chunks(read).collect();
            let group = format!("decode reads of {read}");
            measure(c, &group, size, Role::Client, &stream, &reads);
        }
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = whole, as_client, fragmented, awkward
}
criterion_main!(benches);
