//! TCP to whichever address of a host answers first.

use core::{
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::{boxed::Box, io, vec, vec::Vec};

use ::tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::Timer;
use crate::{
    client::Config,
    connect::{Attempts, ConnectError, Host, Next},
    nonblocking::Timer as _,
};

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
pub(super) async fn dial(
    host: Host<'_>,
    deadline: Deadline<'_>,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let attempts = Attempts::of(host, lookup(host.name, host.port, deadline.left()).await)?;
    let connected = connect_any(attempts, deadline).await;
    connected.map_err(|attempts| attempts.into_error(host))
}

/// Connects to whichever address answers first.
async fn connect_any(
    attempts: Attempts,
    deadline: Deadline<'_>,
) -> Result<(TcpStream, SocketAddr), Attempts> {
    let mut race = Race {
        attempts,
        running: Vec::new(),
        origin: deadline.origin,
    };
    if deadline.left().is_zero() {
        return Err(race.attempts);
    }
    let mut alarm = None;
    let winner = timeout(deadline.left(), poll_fn(|cx| race.poll(cx, &mut alarm)));
    let winner = winner.await.ok().flatten();
    winner.ok_or(race.attempts)
}

/// The addresses of a host.
async fn lookup(host: &str, port: u16, left: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    // What is ready at once, `timeout` does not look at the clock for.
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(timeout(left, lookup_host((host, port))).await??.collect())
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Messages are gathered already when they are written: the system must not wait for more.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The addresses that race for the connection.
struct Race {
    attempts: Attempts,
    running: Vec<Running>,
    origin: Instant,
}

/// An attempt to connect to one address.
struct Running {
    address: SocketAddr,
    connecting: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

impl Race {
    /// `None`: all of them have failed.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        alarm: &mut Option<Timer>,
    ) -> Poll<Option<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(winner) = self.poll_running(cx) {
                return Poll::Ready(Some(winner));
            }
            match self.attempts.next(self.origin.elapsed()) {
                Next::Start(address) => self.running.push(Running {
                    address,
                    connecting: Box::pin(connect(address)),
                }),
                Next::Failed => return Poll::Ready(None),
                Next::Wait(None) => return Poll::Pending,
                Next::Wait(Some(until)) => {
                    let due = self.origin.into_std() + until;
                    let alarm = alarm.get_or_insert_with(|| Timer::at(due));
                    if alarm.deadline() != due {
                        alarm.reset(due);
                    }
                    if Pin::new(alarm).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The winner, if there is one. Those that have failed are taken out.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(TcpStream, SocketAddr)> {
        let Self {
            attempts, running, ..
        } = self;
        let mut winner = None;
        running.retain_mut(
            |Running {
                 address,
                 connecting,
             }| {
                if winner.is_some() {
                    return true;
                }
                match connecting.as_mut().poll(cx) {
                    Poll::Pending => return true,
                    Poll::Ready(Ok(stream)) => winner = Some((stream, *address)),
                    Poll::Ready(Err(error)) => attempts.failed(*address, error),
                }
                false
            },
        );
        winner
    }
}

#[cfg(test)]
mod tests {
    use ::tokio::net::{TcpListener, TcpSocket};

    use super::*;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    async fn connect(
        addresses: &[SocketAddr],
    ) -> Result<SocketAddr, Vec<(SocketAddr, io::ErrorKind)>> {
        let deadline = Deadline {
            origin: Instant::now(),
            config: &Config::new(),
        };
        match connect_any(Attempts::new(addresses.to_vec()), deadline).await {
            Ok((stream, address)) => {
                assert_eq!(stream.peer_addr().expect("it is connected"), address);
                assert!(stream.nodelay().expect("a socket"));
                Ok(address)
            }
            Err(attempts) => {
                let failed = attempts.into_failed().into_iter();
                Err(failed
                    .map(|attempt| (attempt.address, attempt.error.kind()))
                    .collect())
            }
        }
    }

    /// An address where neither yes nor no is said: whoever comes waits. As long as the sockets live.
    async fn silent() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        let mut waiting = Vec::new();
        let moment = Duration::from_millis(50);
        while let Ok(stream) = timeout(moment, TcpStream::connect(address)).await {
            waiting.push(stream.expect("somebody listens"));
        }
        (address, (listener, waiting))
    }

    #[::tokio::test]
    async fn addresses_that_refuse_are_passed_over() {
        let (gone, dead) = listen().await;
        drop(gone);
        let (_other, also_alive) = listen().await;
        let (_listener, alive) = listen().await;
        for addresses in [&[alive][..], &[dead, alive], &[dead, alive, also_alive]] {
            assert_eq!(connect(addresses).await, Ok(alive));
        }
        for dead in [&[dead][..], &[dead, ([127, 0, 0, 2], 1).into()]] {
            let refused = dead
                .iter()
                .map(|address| (*address, io::ErrorKind::ConnectionRefused));
            assert_eq!(connect(dead).await, Err(refused.collect()));
        }
        assert_eq!(connect(&[]).await, Err(vec![]));
    }

    /// The clock stands still while anything can be done.
    #[::tokio::test]
    #[cfg(target_os = "linux")]
    async fn address_that_says_nothing_costs_what_the_rfc_allows() {
        let (silent, _held) = silent().await;
        let (_listener, alive) = listen().await;
        ::tokio::time::pause();
        for (addresses, waits) in [
            (&[silent, alive][..], 250),
            (&[alive, silent], 0),
            (&[silent, ([127, 0, 0, 2], 1).into(), alive], 250),
        ] {
            let began = Instant::now();
            assert_eq!(connect(addresses).await, Ok(alive));
            // Timers are made of milliseconds.
            let waited = began.elapsed().as_millis();
            assert!(
                (waits..=waits + 1).contains(&waited),
                "{waited} ms: {addresses:?}"
            );
        }
        let began = Instant::now();
        assert_eq!(
            connect(&[silent]).await,
            Err(vec![(silent, io::ErrorKind::TimedOut)])
        );
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    /// No one is left who could connect after all.
    #[::tokio::test]
    #[cfg(target_os = "linux")]
    async fn loser_is_given_up_with_its_socket() {
        let (full, (listener, held)) = silent().await;
        let (_listener, alive) = listen().await;
        let connected = connect(&[full, alive]).await;
        assert_eq!(connected, Ok(alive));
        drop(held);
        // Those who held the place are there, or were, and nobody who still wants something.
        let moment = Duration::from_millis(50);
        while let Ok(accepted) = timeout(moment, listener.accept()).await {
            let (mut stream, _) = accepted.expect("it listens");
            let read = ::tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await;
            assert_eq!(read.expect("closed in order"), 0);
        }
        let tasks = ::tokio::runtime::Handle::current().metrics();
        assert_eq!(tasks.num_alive_tasks(), 0);
    }
}
