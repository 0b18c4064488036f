//! What is measured, a file for each kind of it.

mod broadcast;
mod calls;
mod connections;
mod echo;
mod handshake;
mod idle;

use crate::{Outcome, options::Options, processors};

/// Where a server runs; the client, which is this process, is kept elsewhere. `None`: anywhere.
type Processor = Option<usize>;

pub fn all(options: &Options) -> Outcome<()> {
    let server = match processors::two()? {
        Some([server, client]) => {
            processors::keep_to(client)?;
            Some(server)
        }
        None => {
            eprintln!("there is one processor only: the client is in the way of the servers");
            None
        }
    };
    echo::measure(options, server);
    calls::measure(options, server);
    connections::measure(options, server);
    handshake::measure(options, server);
    broadcast::measure(options, server);
    idle::measure(options, server)
}

/// A size as it stands in the name of a scenario.
fn size(bytes: usize) -> String {
    match bytes {
        0x10_0000.. => format!("{} MiB", bytes >> 20),
        1024.. => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}
