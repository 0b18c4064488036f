//! Queueing in memory: what is queued is taken as written after each message, or after 64.

use std::hint::black_box;

use bytes::Bytes;
use framewire::{Config, Connection, MessageKind, PreparedMessage, Role, SendError};

use crate::{
    Scenario, drain,
    wire::{KIB, binary, role_name, size},
};

const SIZES: [usize; 4] = [16, 125, KIB, 16 * KIB];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for flush in [1, 64] {
        for len in SIZES {
            scenarios.push(borrowed(Role::Server, len, flush));
        }
        for len in SIZES {
            scenarios.push(owned(len, flush));
        }
        for len in SIZES {
            scenarios.push(borrowed(Role::Client, len, flush));
        }
        for len in [16, 16 * KIB] {
            scenarios.push(prepared(len, flush));
        }
    }
    scenarios
}

fn borrowed(role: Role, len: usize, flush: usize) -> Scenario {
    scenario(role, "borrowed", len, flush, move || {
        let payload = binary(len);
        move |conn| conn.send_binary(black_box(&payload))
    })
}

/// Held as [`Bytes`] by somebody else as well: with one reference count to go up and down.
fn owned(len: usize, flush: usize) -> Scenario {
    scenario(Role::Server, "owned", len, flush, move || {
        let payload = Bytes::from(binary(len));
        move |conn| conn.send_bytes(MessageKind::Binary, payload.clone())
    })
}

fn prepared(len: usize, flush: usize) -> Scenario {
    scenario(Role::Server, "prepared", len, flush, move || {
        let message = PreparedMessage::binary(&binary(len));
        move |conn| conn.send_prepared(black_box(&message))
    })
}

fn scenario<S: FnMut(&mut Connection) -> Result<(), SendError> + 'static>(
    role: Role,
    how: &str,
    len: usize,
    flush: usize,
    prepare: impl FnOnce() -> S + 'static,
) -> Scenario {
    let role_name = role_name(role);
    let name = format!("{role_name} queues {how} {}, {flush} to a flush", size(len));
    let messages = if len <= KIB { 640 } else { 64 };
    let header = match (role, len) {
        (Role::Server, 0..=125) => 2,
        (Role::Server, _) => 4,
        (Role::Client, 0..=125) => 6,
        (Role::Client, _) => 8,
    };
    Scenario::new(name, messages, move || {
        let mut conn = match role {
            Role::Server => Connection::server(Config::new()),
            // Its keys are the system's: what they are must make no difference.
            Role::Client => Connection::client(Config::new()),
        };
        let mut send = prepare();
        move |messages| {
            let mut written = 0;
            for _ in 0..messages / flush {
                for _ in 0..flush {
                    send(&mut conn).expect("open, with room");
                }
                written += drain(&mut conn);
            }
            assert_eq!(written, messages * (header + len));
        }
    })
}
