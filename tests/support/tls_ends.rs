//! A WebSocket over TLS of either adapter, over a wire in memory or a socket, so that a test can ask the same
//! of both.
#![allow(dead_code, reason = "every test crate uses a part of it")]
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "polled.rs"]
pub(crate) mod polled;

use std::{future::Future, net::TcpStream, rc::Rc, sync::Arc};

use framewire::{
    CloseCode, Closed, Config, Connection, Error, Event, Message, RecvBuf, Role, Sendable,
    blocking::{self, Transport},
    client,
    connect::Connector,
    nonblocking, server,
    tls::rustls::{self, ClientConfig, ServerConfig},
    tokio::Tokio,
};
use polled::Runs as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::{Builder, Runtime},
};

use crate::{
    script::Wire,
    support::{ROLES, connection},
    tls::{Peer, VERSIONS, Version, client_config, good, server_config},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Blocking,
    Tokio,
}

pub(crate) const ADAPTERS: [Adapter; 2] = [Adapter::Blocking, Adapter::Tokio];

/// Every adapter in each role with each version, and a peer made of rustls alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) adapter: Adapter,
    pub(crate) role: Role,
    pub(crate) version: Version,
}

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    ADAPTERS.into_iter().flat_map(|adapter| {
        ROLES.into_iter().flat_map(move |role| {
            VERSIONS.into_iter().map(move |version| Case {
                adapter,
                role,
                version,
            })
        })
    })
}

impl Case {
    pub(crate) fn tls(self) -> Tls {
        match self.role {
            Role::Client => Tls::Client(Arc::new(client_config(self.version))),
            Role::Server => Tls::Server(Arc::new(server_config(self.version, &good()))),
        }
    }

    pub(crate) fn peer(self) -> Peer {
        match self.role {
            Role::Client => Peer::server(self.version),
            Role::Server => Peer::client(self.version),
        }
    }
}

/// What polled WebSockets run on.
#[derive(Clone)]
pub(crate) enum Runs {
    /// Its time passes when nothing else can be done.
    Paused,
    Sockets(Rc<Runtime>),
}

impl Runs {
    pub(crate) fn sockets() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self::Sockets(Rc::new(runtime.expect("a runtime")))
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Paused => Tokio::run(future),
            Self::Sockets(runtime) => runtime.block_on(future),
        }
    }
}

/// A WebSocket over `B` or over `T`.
pub(crate) enum End<B, T> {
    Blocking(Box<blocking::WebSocket<B>>),
    Tokio(Box<framewire::tokio::WebSocket<T>>, Runs),
}

pub(crate) type WireEnd = End<blocking::TlsStream<Wire>, nonblocking::TlsStream<Wire>>;
pub(crate) type ServerEnd =
    End<blocking::TlsStream<TcpStream>, nonblocking::TlsStream<tokio::net::TcpStream>>;
pub(crate) type ClientEnd = End<blocking::MaybeTlsStream, framewire::tokio::MaybeTlsStream>;

/// The configuration of TLS in a role.
#[derive(Clone, Debug)]
pub(crate) enum Tls {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

impl Tls {
    pub(crate) fn blocking<S>(&self, stream: S) -> blocking::TlsStream<S> {
        let tls = match self {
            Self::Client(config) => {
                blocking::TlsStream::client(stream, Arc::clone(config), "localhost")
            }
            Self::Server(config) => blocking::TlsStream::server(stream, Arc::clone(config)),
        };
        tls.expect("a configuration")
    }

    pub(crate) fn nonblocking<S>(&self, stream: S) -> nonblocking::TlsStream<S> {
        let tls = match self {
            Self::Client(config) => {
                nonblocking::TlsStream::client(stream, Arc::clone(config), "localhost")
            }
            Self::Server(config) => nonblocking::TlsStream::server(stream, Arc::clone(config)),
        };
        tls.expect("a configuration")
    }

    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Client(_) => Role::Client,
            Self::Server(_) => Role::Server,
        }
    }

    /// As [`Self::over`], over a socket.
    pub(crate) fn over_socket(
        &self,
        adapter: Adapter,
        config: Config,
        socket: TcpStream,
    ) -> ServerEnd {
        let connection = connection(self.role(), config);
        match adapter {
            Adapter::Blocking => {
                let parts = blocking::Parts::new(self.blocking(socket), connection, RecvBuf::new());
                End::Blocking(Box::new(blocking::WebSocket::from_parts(parts)))
            }
            Adapter::Tokio => {
                let runs = Runs::sockets();
                let socket = runs.run(async { polled_socket(socket) });
                let stream = self.nonblocking(socket);
                let parts = nonblocking::Parts::new(stream, connection, RecvBuf::new());
                let ws = framewire::tokio::WebSocket::from_parts(parts);
                End::Tokio(Box::new(ws), runs)
            }
        }
    }

    /// A WebSocket behind its opening handshake, over TLS before its own.
    pub(crate) fn over(&self, adapter: Adapter, config: Config, wire: Wire) -> WireEnd {
        let connection = connection(self.role(), config);
        match adapter {
            Adapter::Blocking => {
                let parts = blocking::Parts::new(self.blocking(wire), connection, RecvBuf::new());
                End::Blocking(Box::new(blocking::WebSocket::from_parts(parts)))
            }
            Adapter::Tokio => {
                let stream = self.nonblocking(wire);
                let mut parts = nonblocking::Parts::new(stream, connection, RecvBuf::new());
                parts.origin = Tokio::run(async { tokio::time::Instant::now().into_std() });
                let ws = framewire::tokio::WebSocket::from_parts(parts);
                End::Tokio(Box::new(ws), Runs::Paused)
            }
        }
    }
}

/// What opens a WebSocket of tokio's over a socket of the standard library.
pub(crate) fn polled_socket(socket: TcpStream) -> tokio::net::TcpStream {
    socket.set_nonblocking(true).expect("a socket");
    tokio::net::TcpStream::from_std(socket).expect("a runtime")
}

/// Connects by TCP.
pub(crate) fn connect(
    adapter: Adapter,
    request: &client::Request,
    connector: &Connector,
) -> Result<ClientEnd, Error> {
    match adapter {
        Adapter::Blocking => {
            let (ws, _) = blocking::connect_via(request, connector)?;
            Ok(End::Blocking(Box::new(ws)))
        }
        Adapter::Tokio => {
            let runs = Runs::sockets();
            let (ws, _) = runs.run(framewire::tokio::connect_via(request, connector))?;
            Ok(End::Tokio(Box::new(ws), runs))
        }
    }
}

/// Opens a WebSocket as the server.
pub(crate) fn accept(
    adapter: Adapter,
    socket: TcpStream,
    tls: &Arc<ServerConfig>,
    config: &server::Config,
) -> Result<ServerEnd, Error> {
    let tls = Tls::Server(Arc::clone(tls));
    match adapter {
        Adapter::Blocking => {
            let ws = blocking::accept(tls.blocking(socket), config)?;
            Ok(End::Blocking(Box::new(ws)))
        }
        Adapter::Tokio => {
            let runs = Runs::sockets();
            let ws = runs.run(async {
                let socket = polled_socket(socket);
                framewire::tokio::accept(tls.nonblocking(socket), config).await
            })?;
            Ok(End::Tokio(Box::new(ws), runs))
        }
    }
}

impl<B, T> End<B, T>
where
    B: Transport,
    T: AsyncRead + AsyncWrite + Unpin,
{
    pub(crate) fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Blocking(ws) => ws.recv(),
            Self::Tokio(ws, runs) => runs.run(ws.recv()),
        }
    }

    /// What `see` makes of the next event, and of the connection.
    pub(crate) fn recv_ref<V>(
        &mut self,
        see: impl FnOnce(Event<'_>, &mut Connection) -> V,
    ) -> Result<Option<V>, Error> {
        match self {
            Self::Blocking(ws) => Ok(ws.recv_ref()?.map(|(event, conn)| see(event, conn))),
            Self::Tokio(ws, runs) => {
                let event = runs.run(ws.recv_ref())?;
                Ok(event.map(|(event, conn)| see(event, conn)))
            }
        }
    }

    pub(crate) fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Blocking(ws) => ws.send(message),
            Self::Tokio(ws, runs) => runs.run(ws.send(message)),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Blocking(ws) => ws.flush(),
            Self::Tokio(ws, runs) => runs.run(ws.flush()),
        }
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        match self {
            Self::Blocking(ws) => ws.close(code, reason),
            Self::Tokio(ws, runs) => runs.run(ws.close(code, reason)),
        }
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        match self {
            Self::Blocking(ws) => ws.connection_mut(),
            Self::Tokio(ws, _) => ws.connection_mut(),
        }
    }
}

impl ClientEnd {
    /// Looks at the session.
    pub(crate) fn tls<V>(&self, look: impl FnOnce(&rustls::Connection) -> V) -> V {
        match self {
            Self::Blocking(ws) => ws.stream().tls(look).expect("it has TLS"),
            Self::Tokio(ws, _) => look(ws.stream().tls().expect("it has TLS")),
        }
    }
}
