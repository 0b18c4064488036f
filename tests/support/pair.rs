//! Two connections that talk to each other, with a clock that is a variable.

use std::time::Duration;

use framewire::{Config, Connection, RecvBuf, Role, TimedOut};

use super::{
    trace::{Seen, drain},
    wire::{input_hex, read_output},
};

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
        Self {
            client: End::new(Role::Client, client),
            server: End::new(Role::Server, server),
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
    pub(crate) fn new(role: Role, config: Config) -> Self {
        Self {
            conn: super::connection(role, config),
            rx: RecvBuf::new(),
            seen: Vec::new(),
        }
    }

    /// Receives these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.rx.extend_from_slice(bytes);
        while let Some(event) = self.conn.receive(&mut self.rx) {
            self.seen.push(event.into());
        }
    }

    /// Receives these frames, hex digits without masks.
    pub(crate) fn take_hex(&mut self, digits: &str) {
        self.take(&input_hex(self.conn.role(), digits));
    }

    /// Writes everything that is queued: it must be these frames, of opcode and payload.
    #[track_caller]
    pub(crate) fn writes(&mut self, expected: &[(u8, &[u8])]) {
        let frames = read_output(self.conn.role(), &drain(&mut self.conn));
        let frames: Vec<_> = frames.iter().map(|f| (f.opcode, &f.payload[..])).collect();
        assert_eq!(frames, expected);
    }
}
