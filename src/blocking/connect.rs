//! From a URI to a WebSocket over TCP.

use std::{
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
    vec::Vec,
};

use super::{Turns, WebSocket, handshake::open, timed::Timed, turns::Turn};
use crate::{
    Error, TimedOut,
    client::{Config, Request, Response},
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
/// let mut ws = framewire::blocking::connect("ws://127.0.0.1:9001/")?;
/// ws.send("Hello")?;
/// println!("{:?}", ws.recv()?);
/// ws.close(framewire::CloseCode::NORMAL, "")?;
/// # Ok::<(), framewire::Error>(())
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream>, Error> {
    let (ws, _) = connect_with(&Request::new(uri)?, &Config::new())?;
    Ok(ws)
}

/// Connects, with headers, subprotocols, limits and time-outs. With the server's 101, for its headers.
///
/// The addresses of the host are tried one after the other, until one can be connected to. All of it
/// together takes no longer than [`Config::timeout`]; each address has its share of what is left of
/// that. Only looking up the addresses is up to the operating system, which has time limits of its own.
///
/// Any number of threads can connect to the same address at the same time;
/// [`connect_in_turn`] is for those who keep to RFC 6455 section 4.1 in this.
///
/// # Errors
///
/// [`Error::Io`] if no address could be connected to: the error of the last one.
/// [`Error::TlsNeeded`] for `wss`. [`Error::TimedOut`]. And those of the handshake, see
/// [`client`](super::client()).
pub fn connect_with(
    request: &Request,
    config: &Config,
) -> Result<(WebSocket<TcpStream>, Response), Error> {
    connect_to(request, config, None)
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
) -> Result<(WebSocket<TcpStream>, Response), Error> {
    connect_to(request, config, Some(turns))
}

fn connect_to(
    request: &Request,
    config: &Config,
    turns: Option<&Turns>,
) -> Result<(WebSocket<TcpStream>, Response), Error> {
    let uri = request.uri();
    if uri.is_secure() {
        return Err(Error::TlsNeeded);
    }
    let origin = Instant::now();
    let addresses: Vec<SocketAddr> = (uri.host(), uri.port()).to_socket_addrs()?.collect();
    // The turn is over when the opening handshake is.
    let (stream, _turn) = connect_one_of(&addresses, config, turns, origin)?;
    open(Timed::new(stream, origin), request, config)
}

/// Connects to the first address that can be connected to. Each has its share of the time that is left.
fn connect_one_of<'a>(
    addresses: &[SocketAddr],
    config: &Config,
    turns: Option<&'a Turns>,
    origin: Instant,
) -> Result<(TcpStream, Option<Turn<'a>>), Error> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (address, others) in addresses.iter().zip((0..addresses.len()).rev()) {
        let left = || config.time_left(origin.elapsed());
        let share = || left() / u32::try_from(others + 1).unwrap_or(u32::MAX);
        let turn = match turns.map(|turns| turns.wait(*address, share())) {
            Some(None) => {
                last = io::ErrorKind::TimedOut.into();
                continue;
            }
            turn => turn.flatten(),
        };
        let share = share();
        if share.is_zero() {
            return Err(TimedOut::Handshake.into());
        }
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok((stream, turn)),
            Err(error) => last = error,
        }
    }
    if config.time_left(origin.elapsed()).is_zero() {
        return Err(TimedOut::Handshake.into());
    }
    Err(last.into())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, vec};

    use super::*;

    #[test]
    fn addresses_that_refuse_are_passed_over() {
        let [gone, listener] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let dead = gone.local_addr().expect("it is bound");
        drop(gone);
        let alive = listener.local_addr().expect("it is bound");
        let turns = Turns::new();
        let connect = |addresses: &[SocketAddr]| {
            connect_one_of(addresses, &Config::new(), Some(&turns), Instant::now())
        };
        for addresses in [
            vec![alive],
            vec![dead, alive],
            vec![dead, dead, alive, dead],
        ] {
            let (stream, turn) = connect(&addresses).expect("one listens");
            assert_eq!(stream.peer_addr().expect("it is connected"), alive);
            assert!(turn.is_some());
        }
        for (addresses, kind) in [
            (vec![dead, dead], io::ErrorKind::ConnectionRefused),
            (vec![], io::ErrorKind::NotFound),
        ] {
            let Err(Error::Io(error)) = connect(&addresses) else {
                panic!("nobody listens");
            };
            assert_eq!(error.kind(), kind);
        }
    }
}
