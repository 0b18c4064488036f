//! Two connections that talk to each other, with a clock that is a variable.

use std::time::Duration;

use framewire::{Config, Connection, RecvBuf, Role, TimedOut};

use super::trace::{Seen, drain};

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) conn: Connection,
    pub(crate) rx: RecvBuf,
    /// Everything it has seen.
    pub(crate) seen: Vec<Seen>,
}

/// A client and a server.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) now: Duration,
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let end = |role, config| End {
            conn: super::connection(role, config),
            rx: RecvBuf::new(),
            seen: Vec::new(),
        };
        Self {
            client: end(Role::Client, client),
            server: end(Role::Server, server),
            now: Duration::ZERO,
        }
    }

    /// The end in this role, and the other.
    pub(crate) fn ends(&mut self, role: Role) -> (&mut End, &mut End) {
        match role {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Moves bytes in both directions until none are left.
    pub(crate) fn exchange(&mut self) {
        loop {
            let (up, down) = (drain(&mut self.client.conn), drain(&mut self.server.conn));
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.server.take(&up);
            self.client.take(&down);
        }
    }

    /// Lets time pass for both ends, and gives their next deadlines.
    pub(crate) fn tick(&mut self, by: Duration) -> [Result<Option<Duration>, TimedOut>; 2] {
        self.now += by;
        [
            self.client.conn.handle_timeout(self.now),
            self.server.conn.handle_timeout(self.now),
        ]
    }
}

impl End {
    /// Receives these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.rx.extend_from_slice(bytes);
        while let Some(event) = self.conn.receive(&mut self.rx) {
            self.seen.push(event.into());
        }
    }
}
