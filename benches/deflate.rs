//! Compressing and decompressing messages of JSON and prose, through a connection, beside zlib-rs alone at the
//! same level on the same bytes in the same run.
//!
//! ```text
//! cargo bench --bench deflate           # measures
//! python3 benches/ratios.py deflate     # prints what was measured as tables
//! ```
//!
//! Prints first what messages are compressed to, in bytes on the wire. Messages differ, so that context
//! takeover finds what messages of one kind have in common and not the same message again.
//!
//! zlib-rs alone has one state, which is reset for each message, and writes to memory that is there already: it
//! is what is possible without context takeover.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
    pub(crate) mod json;
    pub(crate) mod pair;
}

use bytes::Buf as _;
use common::{
    contest::{Case, Contestant, ThreadTime, settings},
    json::{MESSAGES, json},
    pair::{pair, written},
};
use criterion::{Criterion, criterion_group, criterion_main};
use framewire::{Connection, Deflate, Event, RecvBuf, frame::Header};
use zlib_rs::{DeflateConfig, DeflateFlush, Inflate, InflateFlush};

/// The sizes in use everywhere, and those that show what a level or a threshold is worth.
const SIZES: [usize; 4] = [150, 200, 2048, 64 * 1024];
const LADDER: [usize; 7] = [64, 128, 256, 1024, 4096, 16 * 1024, 64 * 1024];
const LEVELS: [u8; 5] = [1, 2, 3, 6, 9];
/// What a flush ends with, which is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Messages of prose: of this crate's README, from other places each.
fn prose(size: usize) -> Vec<String> {
    let text = include_str!("../README.md");
    assert!(text.is_ascii() && size <= text.len());
    let places = (0..MESSAGES).map(|n| n * 9973 % (text.len() - size + 1));
    places.map(|at| text[at..at + size].into()).collect()
}

fn options(level: u8, takeover: bool) -> Deflate {
    let deflate = Deflate::new().level(level).threshold(0);
    deflate.send_takeover(takeover).receive_takeover(takeover)
}

fn side(takeover: bool) -> &'static str {
    if takeover {
        "framewire, takeover"
    } else {
        "framewire"
    }
}

/// What the server writes for each of these messages.
fn sent(server: &mut Connection, messages: &[String]) -> Vec<Vec<u8>> {
    let mut send = |message: &String| {
        server.send_text(message).expect("open");
        written(server)
    };
    messages.iter().map(&mut send).collect()
}

fn print_sizes(kind: &str, ladder: &[usize], messages: fn(usize) -> Vec<String>) {
    for takeover in [false, true] {
        let takes_over = if takeover { "with" } else { "without" };
        println!("bytes of a frame of {kind}, {takes_over} context takeover, by level");
        print!("{:>8}", "message");
        LEVELS.iter().for_each(|level| print!("{level:>9}"));
        println!();
        for &size in ladder {
            print!("{size:>8}");
            let messages = messages(size);
            for level in LEVELS {
                let (mut server, _) = pair(options(level, takeover));
                let bytes: usize = sent(&mut server, &messages).iter().map(Vec::len).sum();
                print!("{:>9.1}", bytes as f64 / messages.len() as f64);
            }
            println!();
        }
        println!();
    }
}

/// A server that sends one message after the other, compressed.
struct Compress<'m> {
    server: Connection,
    messages: &'m [String],
}

impl Contestant for Compress<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for message in self.messages {
            self.server.send_text(message).expect("open");
            let bytes = self.server.send_buf().remaining();
            seen(self.server.send_buf().chunk());
            self.server.send_buf().advance(bytes);
        }
    }
}

/// zlib-rs with the settings of the crate.
struct Zlib<'m> {
    state: zlib_rs::Deflate,
    room: Vec<u8>,
    messages: &'m [String],
}

impl<'m> Zlib<'m> {
    fn new(level: u8, messages: &'m [String]) -> Self {
        let state = zlib_rs::Deflate::new_with_config(DeflateConfig {
            level: level.into(),
            window_bits: -15,
            mem_level: 5,
            ..DeflateConfig::default()
        });
        let room = vec![0; 2 * messages[0].len() + 64];
        Self {
            state,
            room,
            messages,
        }
    }
}

impl Contestant for Zlib<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for message in self.messages {
            self.state.reset();
            let done =
                self.state
                    .compress(message.as_bytes(), &mut self.room, DeflateFlush::SyncFlush);
            done.expect("there is room for all of it");
            let made = self.state.total_out() as usize - TAIL.len();
            seen(&self.room[..made]);
        }
    }
}

fn compress(c: &mut Criterion<ThreadTime>) {
    print_sizes("JSON", &LADDER, json);
    print_sizes("prose", &LADDER[..5], prose);
    let ladder = LADDER.into_iter().filter(|size| !SIZES.contains(size));
    let ladder = ladder.flat_map(|size| LEVELS.map(|level| (size, level)));
    let usual = SIZES
        .into_iter()
        .flat_map(|size| [1, 6].map(|level| (size, level)));
    for (size, level) in usual.chain(ladder) {
        let messages = json(size);
        let count = messages.len();
        let group = format!("deflate compress, level {level}");
        let mut case = Case::new(c, &group, size, count, count * size);
        let expected = sent(&mut pair(options(level, false)).0, &messages);
        for takeover in [false, true] {
            if takeover && !SIZES.contains(&size) {
                continue;
            }
            let compress = Compress {
                server: pair(options(level, takeover)).0,
                messages: &messages,
            };
            case.measure(side(takeover), compress, |wire, frames| {
                assert_eq!(frames, count);
                assert!(takeover || wire == expected.concat());
                assert_eq!(received(wire, level, takeover), messages.concat());
            });
        }
        case.measure("limit zlib-rs", Zlib::new(level, &messages), |bytes, _| {
            // Small messages go uncompressed where that is shorter.
            let compressed = expected.iter().filter(|frame| frame[0] == 0xc1);
            if compressed.count() == count {
                let payloads: Vec<_> = expected.iter().map(|frame| payload(frame)).collect();
                assert!(bytes == payloads.concat(), "other bytes than framewire's");
            }
        });
    }
}

/// What a client makes of it.
fn received(wire: &[u8], level: u8, takeover: bool) -> String {
    let (_, mut client) = pair(options(level, takeover));
    let (mut rx, mut text) = (RecvBuf::new(), String::new());
    rx.extend_from_slice(wire);
    while let Some(event) = client.receive(&mut rx) {
        match event {
            Event::Text(message) => text += message,
            other => panic!("{other:?}"),
        }
    }
    text
}

/// The payload of a frame of a server.
fn payload(frame: &[u8]) -> &[u8] {
    let (_, size) = Header::decode(frame).expect("legal").expect("whole");
    &frame[size..]
}

/// A client that is sent one message after the other. The same again can follow, for nothing in the first one
/// refers to what was before.
struct Decompress<'f> {
    client: Connection,
    rx: RecvBuf,
    frames: &'f [Vec<u8>],
}

impl Contestant for Decompress<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for frame in self.frames {
            self.rx.extend_from_slice(frame);
            match self.client.receive(&mut self.rx) {
                Some(Event::Text(text)) => seen(text.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// zlib-rs, whose input is a payload with the tail behind it.
struct Unzlib {
    state: Inflate,
    room: Vec<u8>,
    inputs: Vec<Vec<u8>>,
}

impl Contestant for Unzlib {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for input in &self.inputs {
            self.state.reset(false);
            let done = self
                .state
                .decompress(input, &mut self.room, InflateFlush::SyncFlush);
            done.expect("there is room for all of it");
            seen(&self.room[..self.state.total_out() as usize]);
        }
    }
}

fn decompress(c: &mut Criterion<ThreadTime>) {
    for (size, level) in SIZES
        .into_iter()
        .flat_map(|size| [1, 6].map(|level| (size, level)))
    {
        let messages = json(size);
        let count = messages.len();
        let group = format!("deflate decompress, level {level}");
        let mut case = Case::new(c, &group, size, count, count * size);
        let check = |bytes: &[u8], pieces| {
            assert!(bytes == messages.concat().as_bytes(), "another text");
            assert_eq!(pieces, count);
        };
        for takeover in [false, true] {
            let (mut server, client) = pair(options(level, takeover));
            let frames = sent(&mut server, &messages);
            let decompress = Decompress {
                client,
                rx: RecvBuf::new(),
                frames: &frames,
            };
            case.measure(side(takeover), decompress, check);
        }
        let frames = sent(&mut pair(options(level, false)).0, &messages);
        assert!(frames.iter().all(|frame| frame[0] == 0xc1), "compressed");
        let zlib = Unzlib {
            state: Inflate::new(false, 15),
            room: vec![0; size + 64],
            inputs: frames
                .iter()
                .map(|frame| [payload(frame), &TAIL].concat())
                .collect(),
        };
        case.measure("limit zlib-rs", zlib, check);
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = compress, decompress
}
criterion_main!(benches);
