//! From a URI to a WebSocket: TCP, the proxy's tunnel, TLS, and the opening handshake.

use core::net::SocketAddr;
#[cfg(feature = "rustls")]
use core::{future::poll_fn, time::Duration};
use std::boxed::Box;
#[cfg(feature = "rustls")]
use std::io;

use ::tokio::time::Instant;
#[cfg(feature = "rustls")]
use ::tokio::time::timeout;

#[cfg(feature = "rustls")]
use super::TlsStream;
use super::{
    MaybeTlsStream, Tokio, WebSocket,
    dial::{Deadline, dial},
};
use crate::{
    Error,
    client::{Config, Request, Response, Uri},
    connect::{ConnectError, Connector, Host, Proxy, Tunnel, TunnelFailed},
    nonblocking::{self, Trace, dig},
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
/// # async fn example() -> Result<(), framewire::Error> {
/// let mut ws = framewire::tokio::connect("ws://127.0.0.1:9001/").await?;
/// ws.send("Hello").await?;
/// println!("{:?}", ws.recv().await?);
/// ws.close(framewire::CloseCode::NORMAL, "").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect(uri: &str) -> Result<WebSocket<MaybeTlsStream>, Error> {
    // It would make the caller's future as large as all that is in it.
    Box::pin(async {
        let request = Request::new(uri)?;
        let (ws, _) = follow(&request, &Connector::new()).await?;
        Ok(ws)
    })
    .await
}

/// Connects, with headers, subprotocols, limits and time-outs. With the server's 101, for its headers.
///
/// # Errors
///
/// As [`connect_via`].
pub async fn connect_with(
    request: &Request,
    config: &Config,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    Box::pin(async { follow(request, &Connector::new().config(*config)).await }).await
}

/// Connects as a [`Connector`] says: through a proxy, trusting somebody else than the platform does, following
/// redirects. With the server's 101, for its headers.
///
/// All of it together takes no longer than [`Config::timeout`]. A host with several addresses is
/// connected to by whichever [answers first](crate::connect#addresses).
///
/// Any number of tasks can connect to the same address at the same time, though RFC 6455 section 4.1 wants
/// them to take turns: who keeps to that in this awaits a lock of the address around it.
///
/// The first `wss` without a [configuration](Connector::tls) of its own reads the roots of the platform, which
/// blocks the thread for some milliseconds.
///
/// # Errors
///
/// [`Error::Connect`] if there is no transport to do the opening handshake on. And those of the opening handshake, see
/// [`client`](super::client()).
///
/// # Panics
///
/// Outside of a runtime of tokio, or in one whose time or I/O is not enabled.
pub async fn connect_via(
    request: &Request,
    connector: &Connector,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    Box::pin(follow(request, connector)).await
}

/// Goes where the server sends us, as far as that is wanted.
async fn follow(
    request: &Request,
    connector: &Connector,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    let deadline = Deadline {
        origin: Instant::now(),
        config: &connector.config,
    };
    let (mut next, mut redirects) = (None, 0);
    loop {
        let request = next.as_ref().unwrap_or(request);
        match connect_once(request, connector, deadline).await {
            Err(error) => next = Some(connector.follow(request, error, &mut redirects)?),
            connected => return connected,
        }
    }
}

async fn connect_once(
    request: &Request,
    connector: &Connector,
    deadline: Deadline<'_>,
) -> Result<(WebSocket<MaybeTlsStream>, Response), Error> {
    let stream = transport(request.uri(), connector, deadline).await;
    let stream = stream.map_err(Error::from).inspect_err(Trace::not_opened)?;
    let origin = deadline.origin.into_std();
    nonblocking::open::<_, Tokio>(stream, request, deadline.config, origin).await
}

/// What the opening handshake is done on.
async fn transport(
    uri: &Uri,
    connector: &Connector,
    deadline: Deadline<'_>,
) -> Result<MaybeTlsStream, ConnectError> {
    let endpoint = connector.endpoint(uri)?;
    let (stream, address) = dial(endpoint, deadline).await?;
    let mut stream = MaybeTlsStream::from(stream);
    if let Some(proxy) = connector.proxy(uri) {
        if proxy.is_secure() {
            stream = encrypt(stream, Host::proxy(proxy), address, connector, deadline).await?;
        }
        let opened = tunnel(stream, proxy, uri, deadline).await;
        stream = opened.map_err(|error| ConnectError::proxy(proxy, address, error))?;
    }
    if uri.is_secure() {
        stream = encrypt(stream, Host::server(uri), address, connector, deadline).await?;
    }
    Ok(stream)
}

/// Lets a proxy connect us to the server.
async fn tunnel(
    stream: MaybeTlsStream,
    proxy: &Proxy,
    uri: &Uri,
    deadline: Deadline<'_>,
) -> Result<MaybeTlsStream, TunnelFailed> {
    let tunnel = Tunnel::new(proxy, uri, deadline.config)?;
    let (limit, origin) = (deadline.config.time_limit(), deadline.origin.into_std());
    dig::<_, Tokio>(stream, tunnel, limit, origin).await
}

/// Begins TLS with `host`, and checks its certificate.
#[cfg(feature = "rustls")]
async fn encrypt(
    stream: MaybeTlsStream,
    host: Host<'_>,
    address: SocketAddr,
    connector: &Connector,
    deadline: Deadline<'_>,
) -> Result<MaybeTlsStream, ConnectError> {
    let stream = TlsStream::client(stream, connector.client_tls(host)?, host.name);
    let mut stream = stream.map_err(|error| ConnectError::tls_config(host, error))?;
    let handshake = poll_fn(|cx| stream.poll_handshake::<Tokio>(cx));
    let done = match deadline.left() {
        Duration::ZERO => None,
        left => timeout(left, handshake).await.ok(),
    };
    done.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| ConnectError::tls(host, address, error))?;
    Ok(stream.into())
}

#[cfg(not(feature = "rustls"))]
async fn encrypt(
    _: MaybeTlsStream,
    host: Host<'_>,
    _: SocketAddr,
    _: &Connector,
    _: Deadline<'_>,
) -> Result<MaybeTlsStream, ConnectError> {
    Err(ConnectError::tls_needed(host))
}
