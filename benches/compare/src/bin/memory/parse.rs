//! Parsing as a server: every message is handed out, text is validated, pings are answered.

use std::rc::Rc;

use framewire::frame::Opcode;

use crate::{
    contestant::{Entry, Job, Reads, Seen, Told, wire},
    frames::frames,
    stream::{Stream, random_size},
    text::{ASCII, text},
    wire::{Output, Wire},
};

const SIZES: [usize; 6] = [16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];
const MIXED: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю. 世界 🦀 ";

/// Every stream, by the name of its scenario.
pub(crate) fn scenarios() -> Vec<(String, Box<dyn Fn() -> Stream>)> {
    let mut all: Vec<(String, Box<dyn Fn() -> Stream>)> = Vec::new();
    for size in [0, 16] {
        all.push((
            format!("ping {size}"),
            Box::new(move || Stream::of_pings(size)),
        ));
    }
    for size in SIZES {
        let payload = move |_| (0..size).map(|i| i as u8).collect();
        all.push((
            format!("binary {size}"),
            Box::new(move || Stream::of(Opcode::Binary, payload)),
        ));
    }
    let random = |n| vec![7; random_size(n)];
    all.push((
        "binary random to 125".into(),
        Box::new(move || Stream::of(Opcode::Binary, random)),
    ));
    for (name, sample) in [("ascii", ASCII), ("mixed", MIXED)] {
        for size in SIZES {
            let payload = move |_| text(sample, size);
            all.push((
                format!("{name} {size}"),
                Box::new(move || Stream::of(Opcode::Text, payload)),
            ));
        }
    }
    all
}

/// Reads `stream` with what `reader` makes.
pub(crate) fn entry<R: Reads + 'static>(
    idiom: &'static str,
    stream: &Rc<Stream>,
    reader: impl FnOnce(Wire) -> R,
) -> Entry {
    let (wire, output) = wire(&stream.wire);
    let job = Parsing {
        reader: reader(wire),
        stream: Rc::clone(stream),
        output,
    };
    Entry {
        idiom,
        job: Box::new(job),
    }
}

struct Parsing<R> {
    reader: R,
    stream: Rc<Stream>,
    output: Rc<Output>,
}

impl<R: Reads> Job for Parsing<R> {
    fn check(&mut self) -> Result<Vec<Told>, String> {
        self.output.keep();
        let expected = &self.stream.messages;
        // Twice, for what is carried over from one turn to the next.
        for _ in 0..2 {
            let mut seen = Seen {
                kept: Some(Vec::new()),
                ..Seen::default()
            };
            self.reader.read(expected.len(), &mut seen);
            if seen.kept.as_ref() != Some(expected) {
                return Err("these are not the messages that were sent".into());
            }
        }
        let pongs = frames(&self.output.take_kept(), false)?;
        check_pongs(
            &pongs
                .iter()
                .map(|pong| (pong.header.opcode, &pong.payload[..]))
                .collect::<Vec<_>>(),
            &self.stream,
        )
    }

    fn messages(&self) -> usize {
        self.stream.frames()
    }

    fn run(&mut self, turns: usize) {
        let mut seen = Seen::default();
        self.reader
            .read(turns * self.stream.messages.len(), &mut seen);
        assert_eq!(
            seen.bytes,
            turns as u64 * self.stream.message_bytes(),
            "bytes of payloads"
        );
    }
}

/// Whether pings were answered as RFC 6455 section 5.5.3 allows: each, or those that are the newest when it
/// is written. Tells how many were.
fn check_pongs(pongs: &[(Opcode, &[u8])], stream: &Stream) -> Result<Vec<Told>, String> {
    if stream.pings.is_empty() {
        return if pongs.is_empty() {
            Ok(Vec::new())
        } else {
            Err("it wrote something".into())
        };
    }
    let mut pings = stream.pings.iter().cycle().take(2 * stream.pings.len());
    for (opcode, payload) in pongs {
        if *opcode != Opcode::Pong || !pings.any(|ping| ping == payload) {
            return Err("not the answer to a ping".into());
        }
    }
    let answered = pongs.len() as f64 / (2 * stream.pings.len()) as f64;
    if pongs.is_empty() {
        return Err("no ping was answered".into());
    }
    Ok(vec![("pongs per ping", answered, "pongs")])
}
