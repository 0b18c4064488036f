//! The memory of connections that have said something and say nothing any more.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use nix::sys::resource::{Resource, getrlimit};

use super::Processor;
use crate::{
    Outcome,
    contestants::{Contestant, RAW},
    options::Options,
    process::Server,
    rounds,
    serve::Purpose,
    wire::{self, Cycle},
};

/// As many connections as the limit of open files allows, but no more than these.
const CONNECTIONS: u64 = 5000;
/// What a process needs for itself.
const OTHER_DESCRIPTORS: u64 = 64;
/// What is connected before anything is measured, so that code and buffers are resident.
const WARM_UP: usize = 16;
/// What is said each way on every connection.
const MESSAGES: [usize; 2] = [64, 4096];

pub fn measure(options: &Options, processor: Processor) -> Outcome<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let count = CONNECTIONS
        .min(limit.saturating_sub(OTHER_DESCRIPTORS))
        .try_into()?;
    let measure = |name: &str, purpose, contestants: Vec<Contestant>| {
        if options.wants_scenario(name) {
            let measured = rounds::medians(options.rounds, name, contestants, |contestant| {
                resident(contestant, purpose, count, processor)
            });
            for (contestant, [bytes]) in measured {
                rounds::tell(name, &contestant, bytes, "B");
            }
        }
    };
    // The floor is what a task with a socket and its handshake takes; there is no less.
    let holds_frames = |contestant: &Contestant| contestant.name != RAW;
    measure(
        "idle connection",
        Purpose::Idle,
        rounds::contestants(options, holds_frames),
    );
    let keeps_alive = |contestant: &Contestant| contestant.keeps_alive;
    measure(
        "idle connection, keepalive",
        Purpose::Keepalive,
        rounds::contestants(options, keeps_alive),
    );
    Ok(())
}

fn resident(
    contestant: &Contestant,
    purpose: Purpose,
    count: usize,
    processor: Processor,
) -> Outcome<[f64; 1]> {
    let mut server = Server::start(contestant, purpose, processor)?;
    let port = server.port;
    let open = |count| -> Outcome<Vec<_>> {
        (0..count)
            .map(|_| wire::open(port, contestant.wire))
            .collect()
    };
    let messages = MESSAGES.map(|size| Cycle::new(1, size, contestant.wire));
    let mut clients = open(WARM_UP)?;
    for message in &messages {
        exchange(&mut clients, message)?;
    }
    drop(clients);
    // They are gone when another one has been served after them.
    drop(open(1)?);
    let before = server.memory()?;
    let mut clients = open(count)?;
    for message in &messages {
        exchange(&mut clients, message)?;
    }
    let after = server.memory()?;
    Ok([(after as f64 - before as f64) / count as f64])
}

/// One message each way on every connection.
fn exchange(clients: &mut [TcpStream], cycle: &Cycle) -> Outcome<()> {
    let expected = &cycle.back[..cycle.back_len()];
    let mut back = vec![0; expected.len()];
    for client in clients {
        client.write_all(&cycle.sent[..cycle.sent_len()])?;
        client.read_exact(&mut back)?;
        if back != expected {
            return Err("this is no echo".into());
        }
    }
    Ok(())
}
