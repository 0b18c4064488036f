//! Messages that come back: processor time of the server for each, throughput, latency.

use std::time::Duration;

use super::{Processor, size};
use crate::{
    Outcome,
    contestants::Contestant,
    load::{Load, Shape},
    options::Options,
    process::Server,
    rounds,
    serve::Purpose,
};

pub const SHAPES: [Shape; 5] = [
    Shape {
        connections: 64,
        in_flight: 64,
        size: 64,
    },
    Shape {
        connections: 64,
        in_flight: 1,
        size: 64,
    },
    Shape {
        connections: 16,
        in_flight: 1,
        size: 16 << 10,
    },
    Shape {
        connections: 16,
        in_flight: 4,
        size: 16 << 10,
    },
    Shape {
        connections: 4,
        in_flight: 1,
        size: 1 << 20,
    },
];

/// The load runs for so long before it is measured, at least.
const WARM_UP: Duration = Duration::from_millis(150);

pub fn name(shape: Shape) -> String {
    format!(
        "echo {} x {} x {}",
        shape.connections,
        shape.in_flight,
        size(shape.size)
    )
}

pub fn measure(options: &Options, processor: Processor) {
    for shape in SHAPES {
        let name = name(shape);
        let mut told = vec![
            (name.clone(), 0, "ns"),
            (format!("{name}, throughput"), 1, "M/s"),
        ];
        if shape.in_flight == 1 {
            told.push((format!("{name}, latency p50"), 2, "ns"));
            told.push((format!("{name}, latency p99"), 3, "ns"));
        }
        told.retain(|(name, ..)| options.wants_scenario(name));
        if told.is_empty() {
            continue;
        }
        let contestants = rounds::contestants(options, |_| true);
        let measured = rounds::medians(options.rounds, &name, contestants, |contestant| {
            let Echoed {
                cpu,
                throughput,
                p50,
                p99,
            } = echo(contestant, shape, options.time, processor)?;
            Ok([cpu, throughput, p50, p99])
        });
        for (name, which, unit) in told {
            for (contestant, values) in &measured {
                rounds::tell(&name, contestant, values[which], unit);
            }
        }
    }
}

/// What comes of one server.
#[derive(Debug)]
pub struct Echoed {
    /// Nanoseconds of the server's processor time for each message.
    pub cpu: f64,
    /// Millions of messages in a second.
    pub throughput: f64,
    /// Nanoseconds; 0 where more than one message is on its way.
    pub p50: f64,
    pub p99: f64,
}

pub fn echo(
    contestant: &Contestant,
    shape: Shape,
    time: Duration,
    processor: Processor,
) -> Outcome<Echoed> {
    let mut server = Server::start(contestant, Purpose::echoing(shape.size), processor)?;
    let mut load = Load::open(server.port, contestant.wire, shape)?;
    let mut count = shape.in_flight * 4;
    let mut warm_up = load.run(count)?;
    while warm_up.elapsed < WARM_UP {
        count *= 2;
        warm_up = load.run(count)?;
    }
    // A number of messages that is known before the time is taken.
    let batches = time.as_secs_f64() / warm_up.elapsed.as_secs_f64() * count as f64;
    let count = (batches as usize / shape.in_flight).max(1) * shape.in_flight;
    let before = server.cpu()?;
    let mut run = load.run(count)?;
    let cpu = server.cpu()? - before;
    // Before its clients go: nothing fails by that.
    drop(server);
    let messages = (count * shape.connections) as f64;
    run.latencies.sort_unstable();
    let quantile = |hundredths: usize| {
        let place = run.latencies.len().saturating_sub(1) * hundredths / 100;
        run.latencies.get(place).copied().map_or(0., f64::from)
    };
    Ok(Echoed {
        cpu: cpu.as_nanos() as f64 / messages,
        throughput: messages / run.elapsed.as_secs_f64() / 1e6,
        p50: quantile(50),
        p99: quantile(99),
    })
}
