//! From a URI to a WebSocket: TCP, the proxy's tunnel, TLS, and the opening handshake.

#[cfg(feature = "rustls")]
use std::{io, time::Duration};
use std::{net::SocketAddr, time::Instant};

#[cfg(feature = "rustls")]
use super::TlsStream;
use super::{
    MaybeTlsStream, Transport as _, Turns, WebSocket,
    dial::{Deadline, Dialled, dial},
    handshake::open,
    timed::{Timed, Waited},
};
use crate::{
    Error, RecvBuf,
    client::{Config, Request, Response, Uri},
    connect::{ConnectError, Connector, Host, Proxy, ProxyError, Tunnel, TunnelFailed},
};

/// Connects to a `ws` URI, or to a `wss` URI with the feature `rustls`, with the defaults.
///
/// # Errors
///
/// As [`connect_via`], and [`Error::Request`] for what is no such URI.
///
/// # Examples
///
/// ```no_run
/// let mut ws = framewire::blocking::connect("ws://127.0.0.1:9001/")?;
/// ws.send("Hello")?;
/// println!("{:?}", ws.recv()?);
/// ws.close(framewire::CloseCode::NORMAL, "")?;
/// # Ok::<(), framewire::Error>(())
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<MaybeTlsStream>, Error> {
    let (ws, _) = connect_with(&Request::new(uri)?, &Config::new())?;
    Ok(ws)
}

/// Connects, with headers, subprotocols, limits and time-outs. With the server's 101, for its headers.
///
/// # Errors
///
/// As [`connect_via`].
pub fn connect_with(
    request: &Request,
    config: &Config,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    connect_via(request, &Connector::new().config(*config))
}

/// Connects as a [`Connector`] says: through a proxy, trusting somebody else than the platform does, following
/// redirects. With the server's 101, for its headers.
///
/// All of it together takes no longer than [`Config::timeout`]. A host with several addresses is
/// connected to by whichever [answers first](crate::connect#addresses): each attempt is a thread then, and
/// looking up a name is one as well. They end by themselves.
///
/// Any number of threads can connect to the same address at the same time;
/// [`connect_in_turn`] is for those who keep to RFC 6455 section 4.1 in this.
///
/// # Errors
///
/// [`Error::Connect`] if there is no transport to do the opening handshake on. And those of the opening handshake, see
/// [`client`](super::client()).
pub fn connect_via(
    request: &Request,
    connector: &Connector,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    follow(request, connector, None)
}

/// As [`connect_with`], but waits until no other connection that takes [`Turns`] is in its opening
/// handshake with the same address and port (RFC 6455 section 4.1: "the client MUST wait until that
/// connection has been established or for that connection to have failed"). Waiting counts for the
/// time-out.
///
/// # Errors
///
/// As `connect_with`.
pub fn connect_in_turn(
    request: &Request,
    config: &Config,
    turns: &Turns,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    follow(request, &Connector::new().config(*config), Some(turns))
}

/// Goes where the server sends us, as far as that is wanted.
fn follow(
    request: &Request,
    connector: &Connector,
    turns: Option<&Turns>,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    let deadline = Deadline {
        origin: Instant::now(),
        config: &connector.config,
    };
    let (mut next, mut redirects) = (None, 0);
    loop {
        let request = next.as_ref().unwrap_or(request);
        match connect_once(request, connector, deadline, turns) {
            Err(error) => next = Some(connector.follow(request, error, &mut redirects)?),
            connected => return connected,
        }
    }
}

fn connect_once(
    request: &Request,
    connector: &Connector,
    deadline: Deadline<'_>,
    turns: Option<&Turns>,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    let uri = request.uri();
    let endpoint = connector.endpoint(uri)?;
    let Dialled {
        stream,
        address,
        turn: _turn,
    } = dial(endpoint, deadline, turns)?;
    let mut stream = MaybeTlsStream::from(stream);
    stream.prepare()?;
    if let Some(proxy) = connector.proxy(uri) {
        if proxy.is_secure() {
            stream = encrypt(stream, Host::proxy(proxy), address, connector, deadline)?;
        }
        let opened = tunnel(stream, proxy, uri, deadline);
        stream = opened.map_err(|error| ConnectError::proxy(proxy, address, error))?;
    }
    if uri.is_secure() {
        stream = encrypt(stream, Host::server(uri), address, connector, deadline)?;
    }
    let io = Timed::new(stream, deadline.origin);
    open(io, request, deadline.config)
}

/// Lets a proxy connect us to the server.
fn tunnel(
    stream: MaybeTlsStream,
    proxy: &Proxy,
    uri: &Uri,
    deadline: Deadline<'_>,
) -> Result<MaybeTlsStream, TunnelFailed> {
    let mut tunnel = Tunnel::new(proxy, uri, deadline.config)?;
    let mut io = Timed::new(stream, deadline.origin);
    let mut rx = RecvBuf::new();
    let due = Some(deadline.config.time_limit());
    // The proxy has consented, perhaps before it was told everything.
    let mut is_open = false;
    loop {
        if let Some(opened) = tunnel.receive(&mut rx) {
            opened?;
            is_open = true;
        }
        if deadline.left().is_zero() {
            return Err(ProxyError::TimedOut.into());
        }
        match (io.write(tunnel.send_buf(), due)?, is_open) {
            (false, _) => {}
            (true, true) => {
                io.forget_limits();
                return Ok(io.stream);
            }
            (true, false) => match io.read(&mut rx, due, || false)? {
                Waited::Awake => {}
                Waited::Ended(None) => tunnel.receive_eof()?,
                Waited::Ended(Some(error)) => return Err(error.into()),
            },
        }
    }
}

/// Begins TLS with `host`, and checks its certificate.
#[cfg(feature = "rustls")]
fn encrypt(
    stream: MaybeTlsStream,
    host: Host<'_>,
    address: SocketAddr,
    connector: &Connector,
    deadline: Deadline<'_>,
) -> Result<MaybeTlsStream, ConnectError> {
    let stream = TlsStream::client(stream, connector.client_tls(host)?, host.name);
    let mut stream = stream.map_err(|error| ConnectError::tls_config(host, error))?;
    let done = match deadline.left() {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => stream.handshake(left),
    };
    done.map_err(|error| ConnectError::tls(host, address, error))?;
    Ok(stream.into())
}

#[cfg(not(feature = "rustls"))]
fn encrypt(
    _: MaybeTlsStream,
    host: Host<'_>,
    _: SocketAddr,
    _: &Connector,
    _: Deadline<'_>,
) -> Result<MaybeTlsStream, ConnectError> {
    Err(ConnectError::tls_needed(host))
}
