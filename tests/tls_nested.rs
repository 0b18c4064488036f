//! TLS in TLS, as through a proxy that is spoken to with TLS.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/script.rs"]
mod script;
#[path = "support/sockets.rs"]
mod sockets;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{net::TcpStream, sync::Arc};

use framewire::{
    CloseCode, Config, RecvBuf, Role,
    blocking::{self, Transport, Untimed},
};
use sockets::{Socket as _, in_time, pattern, spawn};
use support::connection;
use tls::{VERSIONS, Version, client_config, good, server_config};
use tls_ends::{Runs, Tls};
use tokio::io::{AsyncRead, AsyncWrite};

const SIZES: [usize; 4] = [0, 100, 20_000, 200_000];

fn tls(role: Role, version: Version) -> Tls {
    match role {
        Role::Client => Tls::Client(Arc::new(client_config(version))),
        Role::Server => Tls::Server(Arc::new(server_config(version, &good()))),
    }
}

/// The client asks, the server echoes; both close as they should.
fn talk<S: Transport>(role: Role, stream: S) {
    let parts = blocking::Parts::new(stream, connection(role, Config::new()), RecvBuf::new());
    let mut ws = blocking::WebSocket::from_parts(parts);
    if role == Role::Server {
        while let Some(message) = ws.recv().expect("messages") {
            ws.send(message).expect("sent");
        }
        assert!(ws.connection().closed().expect("it has").clean);
        return;
    }
    for len in SIZES {
        ws.send(&pattern(1, len)[..]).expect("sent");
        let message = ws.recv().expect("an answer").expect("a message");
        assert!(message.payload() == pattern(1, len));
    }
    let closed = ws.close(CloseCode::NORMAL, "").expect("an answer");
    assert!(closed.clean);
}

async fn talk_polled<S: AsyncRead + AsyncWrite + Unpin>(role: Role, stream: S) {
    let connection = connection(role, Config::new());
    let parts = framewire::tokio::Parts::new(stream, connection, RecvBuf::new());
    let mut ws = framewire::tokio::WebSocket::from_parts(parts);
    if role == Role::Server {
        while let Some(message) = ws.recv().await.expect("messages") {
            ws.send(message).await.expect("sent");
        }
        assert!(ws.connection().closed().expect("it has").clean);
        return;
    }
    for len in SIZES {
        ws.send(&pattern(1, len)[..]).await.expect("sent");
        let message = ws.recv().await.expect("an answer").expect("a message");
        assert!(message.payload() == pattern(1, len));
    }
    let closed = ws.close(CloseCode::NORMAL, "").await.expect("an answer");
    assert!(closed.clean);
}

/// Both ends, over the socket and over what is made of it.
fn between(version: Version, nest: fn(Role, Version, TcpStream)) {
    in_time(format!("{version:?}"), move || {
        let (here, there) = TcpStream::pair();
        let server = spawn("the server", move || nest(Role::Server, version, there));
        nest(Role::Client, version, here);
        server.join();
    });
}

#[test]
fn blocking_tls_in_tls_echoes_and_closes() {
    for version in VERSIONS {
        between(version, |role, version, socket| {
            let tls = tls(role, version);
            talk(role, tls.blocking(tls.blocking(socket)));
        });
    }
}

#[test]
fn blocking_tls_in_tls_without_deadlines_echoes_and_closes() {
    for version in VERSIONS {
        between(version, |role, version, socket| {
            let tls = tls(role, version);
            let inner = Untimed(tls.blocking(Untimed(socket)));
            talk(role, tls.blocking(inner));
        });
    }
}

#[test]
fn polled_tls_in_tls_echoes_and_closes_over_a_pipe_of_any_size() {
    for version in VERSIONS {
        for capacity in [13, 1000, 1 << 20] {
            in_time(format!("{version:?}, {capacity}"), move || {
                Runs::Paused.run(async {
                    let (here, there) = tokio::io::duplex(capacity);
                    let (one, other) = (tls(Role::Client, version), tls(Role::Server, version));
                    tokio::join!(
                        talk_polled(Role::Client, one.nonblocking(one.nonblocking(here))),
                        talk_polled(Role::Server, other.nonblocking(other.nonblocking(there))),
                    );
                });
            });
        }
    }
}
