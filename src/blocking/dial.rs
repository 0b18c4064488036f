//! TCP to whichever address of a host answers first, with a thread for each attempt.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _},
    string::ToString as _,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
    vec,
    vec::Vec,
};

use super::{Turns, turns::Turn};
use crate::{
    client::Config,
    connect::{Attempts, ConnectError, Host, Next},
};

/// A connection, and the turn that it is.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    /// Over when the opening handshake is.
    pub(super) turn: Option<Turn>,
}

/// When it all began, and how long it may take.
#[derive(Clone, Copy)]
pub(super) struct Deadline<'a> {
    pub(super) origin: Instant,
    pub(super) config: &'a Config,
}

impl Deadline<'_> {
    pub(super) fn left(self) -> Duration {
        self.config.time_left(self.origin.elapsed())
    }
}

/// Connects to a host: a name, or an IP address.
pub(super) fn dial(
    host: Host<'_>,
    deadline: Deadline<'_>,
    turns: Option<&Turns>,
) -> Result<Dialled, ConnectError> {
    let mut attempts = Attempts::of(host, lookup(host.name, host.port, deadline.left()))?;
    race(&mut attempts, deadline, turns).ok_or_else(|| attempts.into_error(host))
}

/// The addresses of a host. The system's resolver knows no deadline: it has a thread for itself.
fn lookup(host: &str, port: u16, left: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let (tell, told) = channel();
    let host = host.to_string();
    start(move || {
        let addresses = (&*host, port).to_socket_addrs().map(Vec::from_iter);
        // Nobody listens behind the deadline.
        let _ = tell.send(addresses);
    })?;
    let Ok(addresses) = told.recv_timeout(left) else {
        return Err(io::ErrorKind::TimedOut.into());
    };
    addresses
}

/// Lets the addresses race for the connection.
fn race(attempts: &mut Attempts, deadline: Deadline<'_>, turns: Option<&Turns>) -> Option<Dialled> {
    let (tell, told) = channel();
    loop {
        let (now, left) = (deadline.origin.elapsed(), deadline.left());
        if left.is_zero() {
            return None;
        }
        match attempts.next(now) {
            Next::Start(address) => {
                let attempt = Attempt::new(address, deadline, turns);
                if attempts.is_last() {
                    // No thread is needed.
                    match attempt.connect() {
                        Ok(dialled) => return Some(dialled),
                        Err(error) => attempts.failed(address, error),
                    }
                    continue;
                }
                let tell = tell.clone();
                let started = start(move || {
                    // Those who lose are closed here, at their deadline at the latest.
                    let _ = tell.send((address, attempt.connect()));
                });
                started.unwrap_or_else(|error| attempts.failed(address, error));
            }
            Next::Wait(until) => {
                let wait = until.map_or(left, |until| until.saturating_sub(now).min(left));
                match told.recv_timeout(wait) {
                    Ok((_, Ok(dialled))) => return Some(dialled),
                    Ok((address, Err(error))) => attempts.failed(address, error),
                    // It is time for the next one.
                    Err(_) => {}
                }
            }
            Next::Failed => return None,
        }
    }
}

/// An attempt to connect to one address.
struct Attempt {
    address: SocketAddr,
    origin: Instant,
    config: Config,
    turns: Option<Turns>,
}

impl Attempt {
    fn new(address: SocketAddr, deadline: Deadline<'_>, turns: Option<&Turns>) -> Self {
        Self {
            address,
            origin: deadline.origin,
            config: *deadline.config,
            turns: turns.cloned(),
        }
    }

    fn connect(&self) -> io::Result<Dialled> {
        let Self {
            address,
            origin,
            ref config,
            ref turns,
        } = *self;
        let left = || {
            let left = config.time_left(origin.elapsed());
            let is_over = || io::Error::from(io::ErrorKind::TimedOut);
            Some(left)
                .filter(|left| !left.is_zero())
                .ok_or_else(is_over)
        };
        let turn = match turns {
            Some(turns) => {
                let turn = turns.wait(address, left()?);
                Some(turn.ok_or(io::ErrorKind::TimedOut)?)
            }
            None => None,
        };
        Ok(Dialled {
            stream: TcpStream::connect_timeout(&address, left()?)?,
            address,
            turn,
        })
    }
}

/// In a thread: what is not waited for any more has to go on somewhere until it ends.
fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    fn connect(
        addresses: &[SocketAddr],
        timeout: Duration,
    ) -> Result<Dialled, Vec<(SocketAddr, io::ErrorKind)>> {
        let deadline = Deadline {
            origin: Instant::now(),
            config: &Config::new().timeout(timeout),
        };
        let connected = connect_any(
            Attempts::new(addresses.to_vec()),
            deadline,
            Some(&Turns::new()),
        );
        connected.map_err(|attempts| {
            let failed = attempts.into_failed().into_iter();
            failed
                .map(|attempt| (attempt.address, attempt.error.kind()))
                .collect()
        })
    }

    fn connect_any(
        mut attempts: Attempts,
        deadline: Deadline<'_>,
        turns: Option<&Turns>,
    ) -> Result<Dialled, Attempts> {
        race(&mut attempts, deadline, turns).ok_or(attempts)
    }

    /// An address where neither yes nor no is said: whoever comes waits. As long as the sockets live.
    fn silent() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
        let (listener, address) = listen();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
            waiting.push(stream);
        }
        (address, (listener, waiting))
    }

    #[test]
    fn addresses_that_refuse_are_passed_over() {
        let (gone, dead) = listen();
        drop(gone);
        let (_other, also_alive) = listen();
        let (_listener, alive) = listen();
        for addresses in [&[alive][..], &[dead, alive], &[dead, alive, also_alive]] {
            let dialled = connect(addresses, Duration::MAX).expect("one listens");
            assert_eq!(dialled.address, alive);
            assert_eq!(dialled.stream.peer_addr().expect("it is connected"), alive);
            assert!(dialled.turn.is_some());
        }
        for dead in [
            &[dead][..],
            &[dead, "127.0.0.2:1".parse().expect("an address")],
        ] {
            let failed = connect(dead, Duration::MAX).expect_err("nobody listens");
            let refused = dead
                .iter()
                .map(|address| (*address, io::ErrorKind::ConnectionRefused));
            assert_eq!(failed, refused.collect::<Vec<_>>());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn address_that_says_nothing_is_overtaken() {
        let (silent, _held) = silent();
        let (_listener, alive) = listen();
        let dialled = connect(&[silent, alive], Duration::from_secs(60));
        assert_eq!(dialled.expect("one listens").address, alive);
        // Alone it is waited for, but not longer than allowed.
        let failed = connect(&[silent], Duration::from_millis(50)).err();
        assert_eq!(failed, Some(vec![(silent, io::ErrorKind::TimedOut)]));
        let (gone, dead) = listen();
        drop(gone);
        let failed = connect(&[dead, silent], Duration::from_millis(50)).err();
        let expected = vec![
            (dead, io::ErrorKind::ConnectionRefused),
            (silent, io::ErrorKind::TimedOut),
        ];
        assert_eq!(failed, Some(expected));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn loser_that_is_connected_after_all_is_closed_and_its_turn_ends() {
        let (full, (listener, held)) = silent();
        let (_listener, alive) = listen();
        let turns = Turns::new();
        let config = Config::new().timeout(Duration::from_secs(60));
        let deadline = Deadline {
            origin: Instant::now(),
            config: &config,
        };
        let dialled = connect_any(Attempts::new(vec![full, alive]), deadline, Some(&turns));
        let dialled = dialled.expect("one listens");
        assert_eq!(dialled.address, alive);
        // As long as its attempt runs, nobody else is in his handshake there.
        assert!(turns.wait(full, Duration::ZERO).is_none());
        // There is room for the loser now, and nobody who wants it: it is closed as soon as it is connected.
        drop(held);
        let (tell, told) = channel();
        let accepting = thread::Builder::new().spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let ended = io::Read::read(&mut stream, &mut [0]).map_err(|error| error.kind());
                if tell.send(ended).is_err() {
                    break;
                }
            }
        });
        let accepting = accepting.expect("a thread");
        let turn = turns.wait(full, Duration::from_secs(15));
        assert!(turn.is_some(), "the attempt does not end");
        assert!(told.try_iter().all(|ended| ended == Ok(0)));
        drop(told);
        let _ = TcpStream::connect(full);
        accepting.join().expect("it has ended");
        drop(dialled);
        assert!(turns.wait(alive, Duration::ZERO).is_some());
    }

    #[test]
    fn address_whose_turn_it_is_not_is_overtaken() {
        let (_other, busy) = listen();
        let (_listener, alive) = listen();
        let turns = Turns::new();
        let turn = turns.wait(busy, Duration::ZERO).expect("it is free");
        let config = Config::new().timeout(Duration::from_secs(60));
        let deadline = Deadline {
            origin: Instant::now(),
            config: &config,
        };
        let both = || connect_any(Attempts::new(vec![busy, alive]), deadline, Some(&turns));
        let first = both().expect("one is free");
        assert_eq!(first.address, alive);
        // Both are taken now, until the one of the two that is over first.
        let short = Deadline {
            config: &Config::new().timeout(Duration::from_millis(20)),
            origin: Instant::now(),
        };
        let late = connect_any(Attempts::new(vec![busy, alive]), short, Some(&turns));
        let late = late.expect_err("nobody is free").into_failed();
        assert!(
            late.iter()
                .all(|attempt| attempt.error.kind() == io::ErrorKind::TimedOut)
        );
        drop(first);
        assert_eq!(both().expect("one is free").address, alive);
        drop(turn);
    }

    #[test]
    fn no_time_is_no_time_to_look_up() {
        let looked_up = lookup("localhost", 80, Duration::ZERO);
        let kind = looked_up.expect_err("no time").kind();
        assert_eq!(kind, io::ErrorKind::TimedOut);
        let address = lookup("::1", 80, Duration::ZERO).expect("an address needs none");
        assert_eq!(address, [SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80))]);
    }
}
