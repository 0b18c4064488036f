//! From a URI to a WebSocket over TCP.

use core::time::Duration;
use std::{boxed::Box, io, net::SocketAddr, vec::Vec};

use ::tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::{Tokio, WebSocket};
use crate::{
    Error, TimedOut,
    client::{Config, Request, Response},
    nonblocking::{self, Trace},
};

/// Connects to a `ws` URI, with the defaults.
///
/// # Errors
///
/// As [`connect_with`], and [`Error::Request`] for what is no such URI.
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
pub async fn connect(uri: &str) -> Result<WebSocket<TcpStream>, Error> {
    let connecting = async { open(&Request::new(uri)?, &Config::new()).await };
    let (ws, _) = Box::pin(connecting).await?;
    Ok(ws)
}

/// Connects, with headers, subprotocols, limits and time-outs. With the server's 101, for its headers.
///
/// The addresses of the host are tried one after the other, until one can be connected to. All of it
/// together takes no longer than [`Config::timeout`]; each address has its share of what is left of
/// that.
///
/// Any number of tasks can connect to the same address at the same time, though RFC 6455 section 4.1 wants
/// them to take turns: who keeps to that in this awaits a lock of the address around it.
///
/// # Errors
///
/// [`Error::Io`] if no address could be connected to: the error of the last one.
/// [`Error::TlsNeeded`] for `wss`. [`Error::TimedOut`]. And those of the handshake, see
/// [`client`](super::client()).
pub async fn connect_with(
    request: &Request,
    config: &Config,
) -> Result<(WebSocket<TcpStream>, Response), Error> {
    // It would make the caller's future as large as itself.
    Box::pin(open(request, config)).await
}

async fn open(
    request: &Request,
    config: &Config,
) -> Result<(WebSocket<TcpStream>, Response), Error> {
    let origin = Instant::now();
    let stream = connect_socket(request, config, origin).await;
    let stream = stream.inspect_err(Trace::not_opened)?;
    nonblocking::open::<_, Tokio>(stream, request, config, origin.into_std()).await
}

async fn connect_socket(
    request: &Request,
    config: &Config,
    origin: Instant,
) -> Result<TcpStream, Error> {
    let uri = request.uri();
    if uri.is_secure() {
        return Err(Error::TlsNeeded);
    }
    let lookup = lookup_host((uri.host(), uri.port()));
    let addresses = timeout(config.time_left(Duration::ZERO), lookup).await;
    let addresses: Vec<_> = addresses.map_err(|_| TimedOut::Handshake)??.collect();
    let stream = connect_one_of(&addresses, config, origin).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects to the first address that can be connected to. Each has its share of the time that is left.
async fn connect_one_of(
    addresses: &[SocketAddr],
    config: &Config,
    origin: Instant,
) -> Result<TcpStream, Error> {
    let left = || config.time_left(origin.elapsed());
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (address, others) in addresses.iter().zip((0..addresses.len()).rev()) {
        let share = left() / u32::try_from(others + 1).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    if left().is_zero() {
        return Err(TimedOut::Handshake.into());
    }
    Err(last.into())
}

#[cfg(test)]
mod tests {
    use std::vec;

    use ::tokio::net::TcpListener;

    use super::*;

    #[::tokio::test]
    async fn addresses_that_refuse_are_passed_over() {
        let mut addresses = Vec::new();
        let mut listeners = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            addresses.push(listener.local_addr().expect("it is bound"));
            listeners.push(listener);
        }
        let [dead, alive] = addresses[..] else {
            panic!("there are two");
        };
        drop(listeners.remove(0));
        let config = Config::new();
        for addresses in [
            vec![alive],
            vec![dead, alive],
            vec![dead, dead, alive, dead],
        ] {
            let connected = connect_one_of(&addresses, &config, Instant::now()).await;
            let stream = connected.expect("one listens");
            assert_eq!(stream.peer_addr().expect("it is connected"), alive);
        }
        for (addresses, kind) in [
            (vec![dead, dead], io::ErrorKind::ConnectionRefused),
            (vec![], io::ErrorKind::NotFound),
        ] {
            let connected = connect_one_of(&addresses, &config, Instant::now()).await;
            let Err(Error::Io(error)) = connected else {
                panic!("nobody listens");
            };
            assert_eq!(error.kind(), kind);
        }
    }
}
