//! Everyone's work for a message, without sockets: CPU time, in one process, contestants in turn.
//!
//! ```text
//! cargo run --release --bin memory -- [--scenario TEXT]... [--contestant NAME]... [--rounds N] [--ms N]
//! ```
//!
//! Each line that it prints is a figure, as JSON. A contestant whose work turns out wrong is reported as an
//! error, and nothing is told of its time.

mod broadcast;
mod contestant;
mod contestants;
mod deflate;
mod frames;
// The same messages and texts as in the benches of the crate.
#[path = "../../../../common/json.rs"]
mod json;
mod now;
mod options;
mod parse;
mod rounds;
mod send;
mod stream;
#[path = "../../../../common/text.rs"]
mod text;
mod wire;

use std::{process::ExitCode, rc::Rc};

use contestant::{Contestant, Entry};
use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // Its first use takes 200 ms: not a part of any message.
    sockudo_ws::init_clock();

    let contestants: Vec<_> = contestants::all()
        .into_iter()
        .filter(|one| options.wants_contestant(one.name()))
        .collect();
    let mut right = true;
    let mut measure = |scenario: &str, entries: &dyn Fn(&dyn Contestant) -> Vec<Entry>| {
        let entries = contestants.iter().flat_map(|one| {
            entries(one.as_ref())
                .into_iter()
                .map(|entry| (one.name(), entry))
        });
        right &= rounds::measure(scenario, entries.collect(), &options);
    };

    for (name, stream) in parse::scenarios() {
        if options.wants_scenario(&name) {
            let stream = Rc::new(stream());
            measure(&name, &|one| one.parse(&stream));
        }
    }
    for (name, load) in send::scenarios() {
        if options.wants_scenario(&name) {
            measure(&name, &|one| one.send(&load));
        }
    }
    for (name, payload) in broadcast::scenarios() {
        if options.wants_scenario(&name) {
            measure(&name, &|one| one.broadcast(&payload));
        }
    }
    for (compress, decompress, size) in deflate::scenarios() {
        if options.wants_scenario(&compress) {
            let texts = Rc::new(deflate::to_compress(size));
            measure(&compress, &|one| one.compress(&texts));
        }
        if options.wants_scenario(&decompress) {
            let stream = Rc::new(deflate::to_decompress(size));
            measure(&decompress, &|one| one.decompress(&stream));
        }
    }
    if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
