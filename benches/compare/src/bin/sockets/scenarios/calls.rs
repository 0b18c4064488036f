//! How often a server reads and writes for each message that it echoes.

use std::{env, fs, path::Path, process};

use super::{Processor, echo};
use crate::{
    Outcome,
    contestants::Contestant,
    load::{Load, Shape},
    options::Options,
    process::Server,
    rounds,
    serve::Purpose,
    trace,
};

/// As many messages are recorded, about: each call stops the server twice.
const MESSAGES: usize = 4096;

pub fn measure(options: &Options, processor: Processor) {
    let mut is_possible = None;
    for shape in echo::SHAPES {
        let name = echo::name(shape);
        let told = ["reads", "writes"].map(|which| format!("{name}, {which} per message"));
        if !told.iter().any(|name| options.wants_scenario(name)) {
            continue;
        }
        if !*is_possible.get_or_insert_with(trace::is_possible) {
            eprintln!("{name}: reads and writes are not counted, there is no strace that works");
            continue;
        }
        // In the system's directory for such files, under a name of this process.
        let record = env::temp_dir().join(format!("sockets-{}.strace", process::id()));
        let contestants = rounds::contestants(options, |_| true);
        // Counts need no median.
        let measured = rounds::medians(1, &name, contestants, |contestant| {
            count(contestant, shape, processor, &record)
        });
        // There is none if nothing has been recorded.
        let _ = fs::remove_file(record);
        for (which, name) in told
            .iter()
            .enumerate()
            .filter(|(_, name)| options.wants_scenario(name))
        {
            for (contestant, values) in &measured {
                rounds::tell(name, contestant, values[which], "calls");
            }
        }
    }
}

fn count(
    contestant: &Contestant,
    shape: Shape,
    processor: Processor,
    record: &Path,
) -> Outcome<[f64; 2]> {
    let mut server =
        Server::start_traced(contestant, Purpose::echoing(shape.size), processor, record)?;
    let mut load = Load::open(server.port, contestant.wire, shape)?;
    let batches = (MESSAGES / shape.connections / shape.in_flight).clamp(2, 64);
    let count = batches * shape.in_flight;
    // Buffers grow.
    load.run(shape.in_flight)?;
    server.cpu()?;
    load.run(count)?;
    server.cpu()?;
    server.end()?;
    let trace::Calls { reads, writes } = trace::read(record)?;
    let messages = (count * shape.connections) as f64;
    Ok([reads as f64 / messages, writes as f64 / messages])
}
