//! What the tests of the adapter for tokio share: sockets that are polled, and a runtime with one thread.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{future::Future, net::TcpStream};

use framewire::{
    Config, Connection, RecvBuf, Role,
    tokio::{Parts, WebSocket},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Builder,
};

use crate::sockets::{Peer, Socket};

/// Runs a future on a runtime of its own.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// A transport of the operating system that can be polled.
pub(crate) trait Polled: Socket {
    type Polled: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// It belongs to the runtime from here on.
    fn into_polled(self) -> Self::Polled;

    /// It is still one that does not block.
    fn from_polled(polled: Self::Polled) -> Self;
}

impl Polled for TcpStream {
    type Polled = tokio::net::TcpStream;

    fn into_polled(self) -> Self::Polled {
        self.set_nonblocking(true).expect("a socket");
        Self::Polled::from_std(self).expect("a runtime")
    }

    fn from_polled(polled: Self::Polled) -> Self {
        polled.into_std().expect("a runtime")
    }
}

#[cfg(unix)]
impl Polled for UnixStream {
    type Polled = tokio::net::UnixStream;

    fn into_polled(self) -> Self::Polled {
        self.set_nonblocking(true).expect("a socket");
        Self::Polled::from_std(self).expect("a runtime")
    }

    fn from_polled(polled: Self::Polled) -> Self {
        polled.into_std().expect("a runtime")
    }
}

pub(crate) fn websocket<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    role: Role,
    config: Config,
) -> WebSocket<S> {
    let connection = match role {
        Role::Client => Connection::client(config),
        Role::Server => Connection::server(config),
    };
    WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()))
}

/// A client and a server that are connected.
pub(crate) fn two<S: Polled>(config: Config) -> (WebSocket<S::Polled>, WebSocket<S::Polled>) {
    let (here, there) = S::pair();
    (
        websocket(here.into_polled(), Role::Client, config),
        websocket(there.into_polled(), Role::Server, config),
    )
}

/// A WebSocket in this role, and a peer made by hand, which blocks.
pub(crate) fn with_peer<S: Polled>(role: Role, config: Config) -> (WebSocket<S::Polled>, Peer<S>) {
    let (here, there) = S::pair();
    (
        websocket(here.into_polled(), role, config),
        Peer::new(there, role),
    )
}

/// Resets a connection, whatever has been read of it.
pub(crate) fn reset(stream: TcpStream) {
    let stream = stream.into_polled();
    stream.set_zero_linger().expect("a socket");
}
