//! What it costs to know that text is text: a message of text beside a binary one of the same bytes, and beside
//! simdutf8 and the standard library on the same bytes in the same run.
//!
//! ```text
//! cargo bench --bench utf8              # measures
//! python3 benches/ratios.py utf8        # prints what was measured as tables
//! ```
//!
//! Messages come whole, or in 16 fragments that are cut inside of characters as well.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
    pub(crate) mod stream;
    pub(crate) mod text;
}

use common::{
    contest::{Case, Contestant, ThreadTime, settings},
    stream::Stream,
    text::{ASCII, text},
};
use criterion::{Criterion, criterion_group, criterion_main};
use framewire::{Config, Connection, Event, RecvBuf, Role, frame::Opcode};

const SCRIPTS: [(&str, &str); 4] = [
    ("ASCII", ASCII),
    (
        "Cyrillic",
        "Съешь же ещё этих мягких французских булок, да выпей чаю. ",
    ),
    ("CJK", "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏"),
    ("emoji", "🦀🚀🎉🔥💡📦🌍"),
];
/// The size of a message, and its fragments.
const CASES: [(usize, usize); 7] = [
    (16, 1),
    (125, 1),
    (1024, 1),
    (16 * 1024, 1),
    (1024 * 1024, 1),
    (1024, 16),
    (64 * 1024, 16),
];
const WINDOW: usize = 64 * 1024;

struct Framewire<'s> {
    conn: Connection,
    rx: RecvBuf,
    wire: &'s [u8],
}

impl<'s> Framewire<'s> {
    fn new(wire: &'s [u8]) -> Self {
        let (conn, rx) = (Connection::server(Config::new()), RecvBuf::new());
        Self { conn, rx, wire }
    }
}

impl Contestant for Framewire<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for window in self.wire.chunks(WINDOW) {
            self.rx.extend_from_slice(window);
            while let Some(event) = self.conn.receive(&mut self.rx) {
                match event {
                    Event::Text(text) => seen(text.as_bytes()),
                    Event::Binary(data) => seen(data),
                    other => panic!("not in the stream: {other:?}"),
                }
            }
        }
    }
}

/// Texts that are looked at, and nothing else.
struct Alone<'t, F> {
    texts: Vec<&'t [u8]>,
    validate: F,
}

impl<F: Fn(&[u8]) -> &str> Contestant for Alone<'_, F> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for text in &self.texts {
            seen((self.validate)(text).as_bytes());
        }
    }
}

fn by_simdutf8(text: &[u8]) -> &str {
    simdutf8::basic::from_utf8(text).expect("UTF-8")
}

fn by_std(text: &[u8]) -> &str {
    str::from_utf8(text).expect("UTF-8")
}

fn utf8(c: &mut Criterion<ThreadTime>) {
    for (script, sample) in SCRIPTS {
        for (size, fragments) in CASES {
            let payload = text(sample, size);
            let of =
                |opcode| Stream::of_fragments(Role::Client, opcode, fragments, |_| payload.clone());
            let (texts, binaries) = (of(Opcode::Text), of(Opcode::Binary));
            assert_eq!(texts.clear, binaries.clear);
            let name = match fragments {
                1 => size.to_string(),
                _ => format!("{size} in {fragments}"),
            };
            let group = format!("utf8 {script}");
            let mut case = Case::new(c, &group, name, texts.messages, texts.clear.len());
            let check = |bytes: &[u8], pieces| {
                assert!(bytes == texts.clear, "another text");
                assert_eq!(pieces, texts.messages);
            };
            case.measure("framewire", Framewire::new(&texts.wire), check);
            case.measure("framewire, binary", Framewire::new(&binaries.wire), check);
            let simd = Alone {
                texts: texts.clear.chunks(size).collect(),
                validate: by_simdutf8,
            };
            case.measure("limit simdutf8", simd, check);
            let std = Alone {
                texts: texts.clear.chunks(size).collect(),
                validate: by_std,
            };
            case.measure("std alone", std, check);
        }
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = utf8
}
criterion_main!(benches);
