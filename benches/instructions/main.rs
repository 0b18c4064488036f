//! What the main paths cost in instructions, allocations and allocated bytes for each message: figures
//! that do not depend on how busy a machine is, so that a change for the worse shows at once.
//!
//! ```text
//! benches/check-instructions              # counts, and compares with benches/instructions.csv
//! benches/check-instructions --update     # keeps what was counted
//! ```
//!
//! That command runs this program under callgrind, once for each scenario, so that none depends on what
//! others did to the heap. Without an argument it lists the scenarios. With the name of one it runs it three
//! times: until it is warm, for a number of messages, and for twice as many. The difference of the last two
//! is what the messages cost, and nothing that is done once.
//!
//! Callgrind counts within [`counted`]; what it has counted for [`deliver`], where the system would work, is
//! taken off. It knows both by their symbols, because requests to it would be `unsafe`.

mod adapters;
mod deflate;
mod lifecycle;
#[path = "../common/pair.rs"]
mod pair;
mod receive;
mod send;
#[path = "../common/text.rs"]
mod text;
mod wire;

use std::{env, process::ExitCode};

use allocation_counter::measure;
use bytes::Buf as _;
use framewire::Connection;

/// Handles as many messages as it is told.
type Run = Box<dyn FnMut(usize)>;

/// A row of the table.
struct Scenario {
    name: String,
    /// How many messages are counted. Whatever happens now and then has to happen as often in all of them:
    /// keys are drawn 64 at a time.
    messages: usize,
    prepare: Box<dyn FnOnce() -> Run>,
}

impl Scenario {
    fn new<R: FnMut(usize) + 'static>(
        name: impl Into<String>,
        messages: usize,
        prepare: impl FnOnce() -> R + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            messages,
            prepare: Box::new(|| Box::new(prepare())),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let scenarios = receive::scenarios()
        .into_iter()
        .chain(send::scenarios())
        .chain(lifecycle::scenarios())
        .chain(deflate::scenarios())
        .chain(adapters::scenarios());
    match args.as_slice() {
        [] => scenarios.for_each(|scenario| println!("{}", scenario.name)),
        [option] if option == "--processor" => println!("{}", processor().join(" ")),
        [name] => {
            let mut scenarios = scenarios;
            let Some(scenario) = scenarios.find(|scenario| scenario.name == *name) else {
                eprintln!("{name} is no scenario");
                return ExitCode::FAILURE;
            };
            run(scenario);
        }
        _ => {
            eprintln!("usage: instructions [--processor | SCENARIO]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Tells of each run the number of messages, of allocations and of allocated bytes.
fn run(scenario: Scenario) {
    let n = scenario.messages;
    let mut run = (scenario.prepare)();
    for messages in [n, n, 2 * n] {
        let allocated = measure(|| counted(&mut *run, messages));
        println!(
            "{messages} {} {}",
            allocated.count_total, allocated.bytes_total
        );
    }
}

/// What callgrind counts.
#[inline(never)]
fn counted(run: &mut dyn FnMut(usize), messages: usize) {
    run(messages);
    // Or the call would become a jump, and the end of this function its beginning.
    std::hint::black_box(());
}

/// Copies what has arrived to where it is read to, as the system would: it does not count.
#[inline(never)]
fn deliver(room: &mut [u8], bytes: &[u8]) {
    room.copy_from_slice(bytes);
    std::hint::black_box(());
}

/// Takes everything that is queued as written, and tells how much that was.
fn drain(conn: &mut Connection) -> usize {
    let queued = conn.send_buf().remaining();
    std::hint::black_box(conn.send_buf().chunk());
    conn.send_buf().advance(queued);
    queued
}

/// What this processor, which may be one that is emulated, has of what code is chosen by at run time: for
/// masking, UTF-8, checksums, keys and the digest of the opening handshake.
fn processor() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let has = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("sha", is_x86_feature_detected!("sha")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let has: [(&'static str, bool); 0] = [];
    has.into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
}
