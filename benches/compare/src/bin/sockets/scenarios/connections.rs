//! What a message costs when there are more and more connections: framewire against itself.

use super::{Processor, echo};
use crate::{
    contestants::{Contestant, FRAMEWIRE, Idiom},
    load::Shape,
    options::Options,
    rounds,
};

const CONNECTIONS: [usize; 4] = [1, 10, 100, 1000];

pub fn measure(options: &Options, processor: Processor) {
    for connections in CONNECTIONS {
        let name = format!("connections {connections}");
        if !options.wants_scenario(&name) {
            continue;
        }
        let shape = Shape {
            connections,
            in_flight: 1,
            size: 64,
        };
        let takes_part = |contestant: &Contestant| {
            (contestant.name, contestant.idiom) == (FRAMEWIRE, Idiom::Best)
        };
        let contestants = rounds::contestants(options, takes_part);
        let measured = rounds::medians(options.rounds, &name, contestants, |contestant| {
            Ok([echo::echo(contestant, shape, options.time, processor)?.cpu])
        });
        for (contestant, [cpu]) in measured {
            rounds::tell(&name, &contestant, cpu, "ns");
        }
    }
}
