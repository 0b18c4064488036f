//! Connecting with either adapter, so that a test of it is written once; and what it is connected to: proxies
//! made by hand, and a server that echoes.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpListener, TcpStream},
};

use framewire::{
    CloseCode, Closed, Error, Message, Sendable, blocking,
    client::{Config, Request, Response},
    connect::{ConnectError, Connector, Proxy, ProxyError},
    server,
};

use crate::sockets::{Task, in_time, listen, pattern, spawn};

/// What CONNECT is answered with.
pub(crate) const CONSENT: &[u8] = b"HTTP/1.1 200 Connected\r\n\r\n";

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Blocking,
    #[cfg(feature = "tokio")]
    Tokio,
}

const ADAPTERS: &[Adapter] = &[
    Adapter::Blocking,
    #[cfg(feature = "tokio")]
    Adapter::Tokio,
];

/// Runs a test, which must come to an end, with each adapter.
#[track_caller]
pub(crate) fn each(test: impl Fn(Adapter) + Send + Copy + 'static) {
    for &adapter in ADAPTERS {
        in_time(format!("{adapter:?}"), move || test(adapter));
    }
}

pub(crate) type Connected = Result<(Ws, Response), Error>;

impl Adapter {
    pub(crate) fn connect(self, request: &Request, connector: &Connector) -> Connected {
        match self {
            Self::Blocking => {
                let (ws, response) = blocking::connect_via(request, connector)?;
                Ok((Ws::Blocking(Box::new(ws)), response))
            }
            #[cfg(feature = "tokio")]
            Self::Tokio => {
                let runtime = runtime();
                let connecting = framewire::tokio::connect_via(request, connector);
                let (ws, response) = runtime.block_on(connecting)?;
                Ok((Ws::Tokio(Box::new(ws), runtime), response))
            }
        }
    }

    /// In a thread.
    pub(crate) fn connecting(self, request: &Request, connector: &Connector) -> Task<Connected> {
        let (request, connector) = (request.clone(), connector.clone());
        spawn("the client", move || self.connect(&request, &connector))
    }
}

#[cfg(feature = "tokio")]
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// A WebSocket that is connected.
#[derive(Debug)]
pub(crate) enum Ws {
    Blocking(Box<blocking::WebSocket<blocking::MaybeTlsStream>>),
    #[cfg(feature = "tokio")]
    Tokio(
        Box<framewire::tokio::WebSocket<framewire::tokio::MaybeTlsStream>>,
        tokio::runtime::Runtime,
    ),
}

impl Ws {
    pub(crate) fn send(&mut self, message: impl Sendable) -> Result<(), Error> {
        match self {
            Self::Blocking(ws) => ws.send(message),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws, runtime) => runtime.block_on(ws.send(message)),
        }
    }

    pub(crate) fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Blocking(ws) => ws.recv(),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws, runtime) => runtime.block_on(ws.recv()),
        }
    }

    pub(crate) fn close(&mut self) -> Result<Closed, Error> {
        match self {
            Self::Blocking(ws) => ws.close(CloseCode::NORMAL, ""),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws, runtime) => runtime.block_on(ws.close(CloseCode::NORMAL, "")),
        }
    }

    /// The address of the socket at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        let peer = match self {
            Self::Blocking(ws) => ws.stream().tcp().peer_addr(),
            #[cfg(feature = "tokio")]
            Self::Tokio(ws, _) => ws.stream().tcp().peer_addr(),
        };
        peer.expect("it is connected")
    }

    /// Talks with a server that echoes: a word, and 1 MiB; and closes.
    #[track_caller]
    pub(crate) fn assert_echoes(mut self) {
        self.send("Grüße").expect("it is read");
        assert_eq!(self.recv().expect("an echo"), Some("Grüße".into()));
        let much = pattern(1, 1 << 20);
        self.send(&much[..]).expect("it is read");
        let echo = self.recv().expect("an echo");
        assert!(echo == Some(Message::Binary(much.into())), "another echo");
        assert!(self.close().expect("an answer").clean);
    }
}

pub(crate) fn request(uri: &str) -> Request {
    Request::new(uri).expect("a valid URI")
}

pub(crate) fn config() -> Config {
    Config::new()
}

/// A request that has secrets for its server.
pub(crate) fn secretive(uri: &str) -> Request {
    let request = request(uri).bearer("t0ken");
    let request = request.and_then(|request| request.cookie("id", "c00kie"));
    request.expect("valid")
}

/// What a server was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) authorization: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) proxy_authorization: Option<String>,
}

impl Asked {
    #[track_caller]
    pub(crate) fn assert_has_secrets(&self) {
        assert_eq!(self.authorization.as_deref(), Some("Bearer t0ken"));
        assert_eq!(self.cookie.as_deref(), Some("id=c00kie"));
        assert_eq!(self.proxy_authorization, None);
    }

    #[track_caller]
    pub(crate) fn assert_has_no_secrets(&self) {
        let secrets = [&self.authorization, &self.cookie, &self.proxy_authorization];
        assert_eq!(secrets, [&None; 3]);
    }
}

/// Echoes on one connection until it is closed.
pub(crate) fn echo(listener: TcpListener) -> Task<Asked> {
    spawn("the server", move || {
        serve(listener.accept().expect("it listens").0)
    })
}

/// The same on a transport that is connected.
pub(crate) fn serve(stream: impl blocking::Transport) -> Asked {
    let incoming = blocking::incoming(stream, &server::Config::new());
    let Ok(blocking::Incoming::Upgrade(request)) = incoming else {
        panic!("no request for a WebSocket");
    };
    let header = |name| {
        let value = request.header(name).map(<[u8]>::to_vec);
        value.map(|value| String::from_utf8(value).expect("ASCII"))
    };
    let asked = Asked {
        path: request.path().into(),
        host: request.host().into(),
        authorization: header("authorization"),
        cookie: header("cookie"),
        proxy_authorization: header("proxy-authorization"),
    };
    let mut ws = request.upgrade().expect("it is still there");
    while let Some(message) = ws.recv().expect("messages") {
        ws.send(&message).expect("it is read");
    }
    asked
}

/// A place for a proxy, and a connector that goes through it. `scheme` has the credentials behind it.
pub(crate) fn proxy(scheme: &str) -> (TcpListener, Connector) {
    let (listener, _) = listen();
    let address = listener.local_addr().expect("it is bound");
    let proxy = Proxy::new(&format!("{scheme}{address}")).expect("a proxy");
    (listener, Connector::new().proxies(proxy))
}

/// Where a listener is, as it is written in a URI.
pub(crate) fn authority(listener: &TcpListener) -> String {
    listener.local_addr().expect("it is bound").to_string()
}

/// Passes everything on, in both directions, until both have ended. What the client said comes out.
pub(crate) fn relay(
    client: impl blocking::SplitTransport + Send + 'static,
    server: &str,
) -> Task<Vec<u8>> {
    let server = TcpStream::connect(server).expect("it listens");
    spawn("the proxy", move || {
        let answers = (
            server.try_clone().expect("a socket"),
            client.try_clone().expect("a socket"),
        );
        let answering = spawn("the proxy's answers", move || pass_on(answers.0, answers.1));
        let said = pass_on(client, server);
        answering.join();
        said
    })
}

fn pass_on(mut from: impl Read, mut to: impl blocking::Transport) -> Vec<u8> {
    let (mut passed, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(n @ 1..) = from.read(&mut buf) {
        passed.extend_from_slice(&buf[..n]);
        if to.write_all(&buf[..n]).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    let _ = to.end_writing();
    passed
}

/// Nothing has arrived. The client has to be blocked by now for this to say much.
#[track_caller]
pub(crate) fn assert_silent(stream: &TcpStream) {
    stream.set_nonblocking(true).expect("a socket");
    let peeked = stream.peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(peeked, Err(ErrorKind::WouldBlock));
    stream.set_nonblocking(false).expect("a socket");
}

/// Nobody is there who has connected.
#[track_caller]
pub(crate) fn assert_nobody(listener: &TcpListener) {
    listener.set_nonblocking(true).expect("a socket");
    let accepted = listener.accept().map_err(|error| error.kind());
    assert_eq!(
        accepted.map(|(_, address)| address),
        Err(ErrorKind::WouldBlock)
    );
    listener.set_nonblocking(false).expect("a socket");
}

#[track_caller]
pub(crate) fn connect_error<T: std::fmt::Debug>(connected: Result<T, Error>) -> ConnectError {
    match connected {
        Err(Error::Connect(error)) => *error,
        other => panic!("{other:?}"),
    }
}

/// What the proxy at this address did.
#[track_caller]
pub(crate) fn proxy_error(connected: Connected, listener: &TcpListener) -> ProxyError {
    match connect_error(connected) {
        ConnectError::Proxy { address, error, .. } => {
            assert_eq!(address, listener.local_addr().expect("it is bound"));
            error
        }
        other => panic!("{other:?}"),
    }
}
