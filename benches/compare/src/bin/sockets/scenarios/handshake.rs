//! Connections that are accepted, opened, and closed by the client without a word, one after the other.

use std::time::Instant;

use super::Processor;
use crate::{
    Outcome, contestants::Contestant, options::Options, process::Server, rounds, serve::Purpose,
    wire,
};

const NAME: &str = "handshake";
const WARM_UP: usize = 200;
/// At most: each of them keeps a port for a while.
const HANDSHAKES: f64 = 5000.;

pub fn measure(options: &Options, processor: Processor) {
    if !options.wants_scenario(NAME) {
        return;
    }
    let contestants = rounds::contestants(options, |contestant| contestant.opens);
    for left_out in rounds::contestants(options, |contestant| !contestant.opens) {
        eprintln!("{NAME}: {left_out}: it has no opening handshake");
    }
    let measured = rounds::medians(options.rounds, NAME, contestants, |contestant| {
        handshakes(contestant, options, processor)
    });
    for (contestant, [cpu]) in measured {
        rounds::tell(NAME, &contestant, cpu, "ns");
    }
}

fn handshakes(
    contestant: &Contestant,
    options: &Options,
    processor: Processor,
) -> Outcome<[f64; 1]> {
    let mut server = Server::start(contestant, Purpose::Handshake, processor)?;
    let start = Instant::now();
    for _ in 0..WARM_UP {
        wire::open(server.port, contestant.wire)?;
    }
    let each = start.elapsed().as_secs_f64() / WARM_UP as f64;
    let count = (options.time.as_secs_f64() / each)
        .clamp(1., HANDSHAKES)
        .round();
    let before = server.cpu()?;
    for _ in 0..count as usize {
        wire::open(server.port, contestant.wire)?;
    }
    let cpu = server.cpu()? - before;
    Ok([cpu.as_nanos() as f64 / count])
}
