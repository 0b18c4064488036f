//! Which address of a host to try when ([RFC 8305][rfc], "Happy Eyeballs").
//!
//! The addresses are tried in turns of IPv6 and IPv4, each a moment after the one before it or as soon as
//! that has failed; the first that is connected wins. So a dead address costs a moment, not a time-out. Nothing is
//! connected here: this decides, and adapters do.
//!
//! The part of the RFC about asking for both kinds of addresses at the same time is left to the operating system,
//! which is asked once.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc8305

use core::{net::SocketAddr, time::Duration};
use std::{collections::VecDeque, io, vec::Vec};

use super::{Attempt, ConnectError, Host};

/// How long an address is alone with its attempt (RFC 8305 section 8, "Connection Attempt Delay").
const DELAY: Duration = Duration::from_millis(250);
/// The most addresses that are tried: who answers for a name must not be able to make us connect to
/// thousands.
const MOST: usize = 16;

/// What has been tried, and what is next.
#[derive(Debug)]
pub(crate) struct Attempts {
    waiting: VecDeque<SocketAddr>,
    running: Vec<SocketAddr>,
    failed: Vec<Attempt>,
    /// When the next one begins.
    next: Duration,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Begin to connect to this address as well.
    Start(SocketAddr),
    /// Wait until one of the attempts has come to an end, or until then.
    Wait(Option<Duration>),
    /// Nothing is left.
    Failed,
}

impl Attempts {
    /// Those to connect to a host, if it has an address.
    pub(crate) fn of(
        host: Host<'_>,
        addresses: io::Result<Vec<SocketAddr>>,
    ) -> Result<Self, ConnectError> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "there is none");
        match addresses {
            Ok(addresses) if !addresses.is_empty() => Ok(Self::new(addresses)),
            other => Err(ConnectError::Lookup {
                peer: host.peer,
                host: host.name.into(),
                error: other.err().unwrap_or_else(none),
            }),
        }
    }

    /// Why there is no connection to `host`.
    pub(crate) fn into_error(self, host: Host<'_>) -> ConnectError {
        ConnectError::Tcp {
            peer: host.peer,
            host: host.name.into(),
            attempts: self.into_failed(),
        }
    }

    /// Addresses in the order of preference in which the system resolved them (RFC 6724).
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            waiting: in_turns(addresses),
            running: Vec::new(),
            failed: Vec::new(),
            next: Duration::ZERO,
        }
    }

    /// Whether what was started last runs alone, and nothing will race it.
    pub(crate) fn is_last(&self) -> bool {
        self.waiting.is_empty() && self.running.len() == 1
    }

    /// What to do at `now`.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let is_time = self.running.is_empty() || self.next <= now;
        match self.waiting.front().copied() {
            Some(address) if is_time => {
                self.waiting.pop_front();
                self.next = now + DELAY;
                self.running.push(address);
                Next::Start(address)
            }
            None if self.running.is_empty() => Next::Failed,
            waiting => Next::Wait(waiting.map(|_| self.next)),
        }
    }

    /// An attempt has failed: the next one begins at once.
    pub(crate) fn failed(&mut self, address: SocketAddr, error: io::Error) {
        self.running.retain(|running| *running != address);
        self.failed.push(Attempt { address, error });
        self.next = Duration::ZERO;
    }

    /// Why there is no connection. What is still running, or did not even begin, took too long.
    pub(crate) fn into_failed(mut self) -> Vec<Attempt> {
        let late = self.running.into_iter().chain(self.waiting);
        self.failed.extend(late.map(|address| Attempt {
            address,
            error: io::ErrorKind::TimedOut.into(),
        }));
        self.failed
    }
}

/// Each address once, in turns of the two families, beginning with that of the first one (RFC 8305 section 4).
fn in_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut first: VecDeque<SocketAddr> = VecDeque::new();
    let mut second = VecDeque::new();
    for address in addresses {
        if first.contains(&address) || second.contains(&address) {
            continue;
        }
        let is_first = first
            .front()
            .is_none_or(|front| front.is_ipv6() == address.is_ipv6());
        if is_first {
            first.push_back(address);
        } else {
            second.push_back(address);
        }
    }
    let mut in_turns = VecDeque::new();
    while in_turns.len() < MOST && !(first.is_empty() && second.is_empty()) {
        in_turns.extend(first.pop_front());
        in_turns.extend(second.pop_front());
    }
    in_turns.truncate(MOST);
    in_turns
}

#[cfg(test)]
mod tests {
    use std::{format, string::ToString as _, vec};

    use super::{super::Peer, *};

    fn v4(n: u16) -> SocketAddr {
        format!("192.0.2.{n}:80").parse().expect("an address")
    }

    fn v6(n: u16) -> SocketAddr {
        format!("[2001:db8::{n}]:80").parse().expect("an address")
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn families_take_turns() {
        for (resolved, tried) in [
            (vec![], vec![]),
            (vec![v4(1)], vec![v4(1)]),
            (vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
            (
                vec![v6(1), v6(2), v6(3), v4(1)],
                vec![v6(1), v4(1), v6(2), v6(3)],
            ),
            (vec![v4(1), v4(2), v6(1)], vec![v4(1), v6(1), v4(2)]),
            (vec![v6(1), v4(1), v6(1), v4(1)], vec![v6(1), v4(1)]),
        ] {
            assert_eq!(in_turns(resolved), tried);
        }
        let many = (0..100).map(v6).chain((0..100).map(v4));
        let tried = in_turns(many);
        assert_eq!(tried.len(), MOST);
        assert_eq!(
            tried.range(..4).copied().collect::<Vec<_>>(),
            [v6(0), v4(0), v6(1), v4(1)]
        );
    }

    #[test]
    fn next_one_begins_after_the_delay_or_the_failure_before_it() {
        let mut attempts = Attempts::new([v6(1), v4(1), v6(2), v4(2)]);
        assert_eq!(attempts.next(ms(10)), Next::Start(v6(1)));
        assert_eq!(attempts.next(ms(10)), Next::Wait(Some(ms(260))));
        assert_eq!(attempts.next(ms(259)), Next::Wait(Some(ms(260))));
        assert_eq!(attempts.next(ms(260)), Next::Start(v4(1)));
        assert_eq!(attempts.next(ms(270)), Next::Wait(Some(ms(510))));
        // The first one may still win.
        attempts.failed(v4(1), refused());
        assert_eq!(attempts.next(ms(280)), Next::Start(v6(2)));
        assert_eq!(attempts.next(ms(280)), Next::Wait(Some(ms(530))));
        assert_eq!(attempts.next(ms(530)), Next::Start(v4(2)));
        assert_eq!(attempts.next(ms(9999)), Next::Wait(None));
        for address in [v6(1), v6(2)] {
            attempts.failed(address, refused());
            assert_eq!(attempts.next(ms(9999)), Next::Wait(None));
        }
        attempts.failed(v4(2), refused());
        assert_eq!(attempts.next(ms(9999)), Next::Failed);
        let failed = attempts.into_failed();
        let failed: Vec<_> = failed.iter().map(|attempt| attempt.address).collect();
        assert_eq!(failed, [v4(1), v6(1), v6(2), v4(2)]);
    }

    #[test]
    fn host_without_an_address_is_told() {
        let [server, proxy] = [Peer::Server, Peer::Proxy].map(|peer| Host {
            peer,
            name: "h",
            port: 80,
            is_secure: false,
        });
        let none = Attempts::of(server, Ok(vec![])).expect_err("none");
        assert_eq!(none.to_string(), "no address of h: there is none");
        let failed = Attempts::of(proxy, Err(refused())).expect_err("none");
        assert_eq!(
            failed.to_string(),
            "no address of the proxy h: connection refused"
        );
        let mut one = Attempts::of(server, Ok(vec![v4(1)])).expect("one");
        assert_eq!(one.next(ms(0)), Next::Start(v4(1)));
        one.failed(v4(1), refused());
        let error = one.into_error(server).to_string();
        assert_eq!(
            error,
            "no connection to h: 192.0.2.1:80: connection refused"
        );
    }

    #[test]
    fn what_had_no_time_has_timed_out() {
        let mut attempts = Attempts::new([v6(1), v4(1), v6(2)]);
        assert_eq!(attempts.next(ms(0)), Next::Start(v6(1)));
        assert!(!attempts.is_last(), "others wait");
        attempts.failed(v6(1), refused());
        assert_eq!(attempts.next(ms(0)), Next::Start(v4(1)));
        let kinds: Vec<_> = attempts
            .into_failed()
            .into_iter()
            .map(|a| a.error.kind())
            .collect();
        use io::ErrorKind::{ConnectionRefused, TimedOut};
        assert_eq!(kinds, [ConnectionRefused, TimedOut, TimedOut]);
        let mut attempts = Attempts::new([v4(1), v4(2)]);
        for (now, address, is_last) in [(0, v4(1), false), (250, v4(2), false)] {
            assert_eq!(attempts.next(ms(now)), Next::Start(address));
            assert_eq!(attempts.is_last(), is_last);
        }
        attempts.failed(v4(1), refused());
        assert!(attempts.is_last());
        assert_eq!(Attempts::new([]).next(ms(0)), Next::Failed);
    }
}
