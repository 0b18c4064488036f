//! What the tests share: bytes written as hex, a strict reader of our output, traces that must not
//! depend on how the input was cut, and two connections that talk to each other.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[cfg(feature = "deflate")]
pub(crate) mod deflate;
pub(crate) mod pair;
pub(crate) mod trace;
pub(crate) mod wire;

use framewire::{Config, Connection, Role};

/// Both ends: nearly every rule is tested for both.
pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A connection with a known seed, so that a client's output can be compared.
pub(crate) fn connection(role: Role, config: Config) -> Connection {
    match role {
        Role::Client => Connection::client_with_seed(config, [7; 32]),
        Role::Server => Connection::server(config),
    }
}
