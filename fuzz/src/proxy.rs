//! Bytes of a proxy to a client that asks it for a server, by CONNECT or by SOCKS5.

use framewire::{
    RecvBuf,
    client::{Config, HandshakeError},
    connect::{Proxy, ProxyError, SocksFailure, Tunnel},
};

use crate::{
    http::take,
    input::{bit, cut, split},
    reference::{
        head::{Headers, Limits},
        response::{self, Expected, Rules},
    },
};

pub(crate) fn run(data: &[u8]) {
    let (prefix, bytes) = split::<12>(data);
    let [flags, head, headers, _, cuts @ ..] = prefix;
    let (one, other) = cuts.split_at(4);
    let case = Case::new(flags, head, headers);

    // Byte by byte, nothing can come too early.
    let single = case.receive(bytes.chunks(1));
    assert_eq!(single.end, case.expect(&bytes[..single.arrived]));
    if single.end.is_some() {
        assert_eq!(case.expect(&bytes[..single.arrived - 1]), None, "no sooner");
    }
    for sizes in [one, other, &[0]] {
        let seen = case.receive(cut(sizes, bytes));
        let is_early = single.end == Some(End::Open) && seen.arrived > single.arrived;
        if is_early {
            assert_eq!(seen.end, Some(End::Failed(ProxyError::EarlyBytes)));
        } else {
            assert_eq!(seen.end, single.end);
        }
        // What fails drops what was not written yet.
        assert!(single.written.starts_with(&seen.written));
        let is_failed = matches!(seen.end, Some(End::Failed(_) | End::Refused(..)));
        assert!(is_failed || seen.written == single.written);
    }
}

/// What is the same in all cuts.
struct Case {
    is_socks: bool,
    has_credentials: bool,
    proxy: Proxy,
    config: Config,
    limits: Limits,
    server: &'static str,
}

/// What was seen.
struct Seen {
    end: Option<End>,
    arrived: usize,
    written: Vec<u8>,
}

/// How it ended, if it did.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    Refused(u16, Headers),
    Failed(ProxyError),
}

impl Case {
    fn new(flags: u8, head: u8, headers: u8) -> Self {
        let (is_socks, has_credentials) = (bit(flags, 0), bit(flags, 1));
        let scheme = if is_socks { "socks5" } else { "http" };
        let userinfo = if has_credentials { "ann:s3cret@" } else { "" };
        let proxy = Proxy::new(&format!("{scheme}://{userinfo}proxy.example"));
        let mut limits = Limits {
            head: 16 * 1024,
            target: usize::MAX,
            headers: 100,
        };
        let mut config = Config::new();
        // Where a number is zero, the defaults have to be what the rules say.
        if head > 0 {
            limits.head = usize::from(head) * 4;
            config = config.max_head_size(limits.head);
        }
        if headers > 0 {
            limits.headers = usize::from(headers) - 1;
            config = config.max_headers(limits.headers);
        }
        let servers = [
            "ws://server.example",
            "wss://192.0.2.1",
            "ws://[::1]:9",
            "wss://x",
        ];
        Self {
            is_socks,
            has_credentials,
            proxy: proxy.expect("a proxy"),
            config,
            limits,
            server: servers[usize::from(flags >> 2 & 3)],
        }
    }

    fn receive<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
        let uri = self.server.parse().expect("a URI");
        let tunnel = Tunnel::new(&self.proxy, &uri, &self.config);
        let mut tunnel = tunnel.expect("it can be asked for");
        let mut rx = RecvBuf::new();
        let mut written = take(tunnel.send_buf());
        let mut arrived = 0;
        let mut result = None;
        for piece in pieces {
            rx.extend_from_slice(piece);
            arrived += piece.len();
            result = tunnel.receive(&mut rx);
            written.extend(take(tunnel.send_buf()));
            if result.is_some() {
                break;
            }
            assert!(tunnel.receive(&mut rx).is_none());
        }
        if result.is_none() {
            let aborted = ProxyError::Aborted { received: arrived };
            assert_eq!(tunnel.receive_eof(), Err(aborted));
        } else {
            assert!(rx.is_empty());
        }
        assert_eq!(tunnel.receive_eof(), Ok(()));
        assert!(tunnel.receive(&mut rx).is_none() && tunnel.send_buf().is_empty());
        let end = result.map(|result| match result {
            Ok(()) => End::Open,
            Err(ProxyError::Refused(response)) => {
                let headers = response
                    .headers()
                    .map(|(name, value)| (name.into(), value.into()));
                End::Refused(response.status(), Headers(headers.collect()))
            }
            Err(error) => End::Failed(error),
        });
        Seen {
            end,
            arrived,
            written,
        }
    }

    /// What must come of these bytes, if they are those that arrived before the end of it.
    fn expect(&self, bytes: &[u8]) -> Option<End> {
        if self.is_socks {
            return expect_socks5(bytes, self.has_credentials);
        }
        let rules = Rules {
            limits: self.limits,
            max_body_size: 0,
            require_subprotocol: false,
            offers: Vec::new(),
            accept: String::new(),
        };
        use HandshakeError as E;
        match response::expect(&rules, bytes) {
            Expected::Incomplete => None,
            Expected::Refused { status, .. } if status / 100 == 2 => Some(End::Open),
            Expected::Refused {
                status, headers, ..
            } => Some(End::Refused(status, headers)),
            Expected::Failed(
                error @ (E::HeadTooLarge
                | E::TooManyHeaders
                | E::BareLineBreak
                | E::ControlCharacter
                | E::FoldedHeader
                | E::InvalidStatusLine
                | E::InvalidHeaderLine
                | E::TooManyInterimResponses
                | E::UnsupportedHttpVersion),
            ) => Some(End::Failed(ProxyError::InvalidAnswer(error))),
            // Whatever else a 101 says.
            Expected::Failed(_) | Expected::Connected { .. } => {
                Some(End::Failed(ProxyError::UnexpectedUpgrade))
            }
        }
    }
}

/// A slow reading of RFC 1928 and RFC 1929.
fn expect_socks5(bytes: &[u8], has_credentials: bool) -> Option<End> {
    match read_socks5(bytes, has_credentials)? {
        Ok(()) => Some(End::Open),
        Err(error) => Some(End::Failed(error)),
    }
}

fn read_socks5(bytes: &[u8], has_credentials: bool) -> Option<Result<(), ProxyError>> {
    use SocksFailure as F;

    let is = |place: usize, expected: u8| {
        let byte = *bytes.get(place)?;
        Some((byte == expected).then_some(()).ok_or(byte))
    };
    if let Err(version) = is(0, 5)? {
        return Some(Err(ProxyError::SocksVersion(version)));
    }
    let reply = match bytes.get(1)? {
        0 => 2,
        2 if has_credentials => {
            if let Err(version) = is(2, 1)? {
                return Some(Err(ProxyError::SocksVersion(version)));
            }
            if is(3, 0)?.is_err() {
                return Some(Err(ProxyError::WrongCredentials));
            }
            4
        }
        255 => return Some(Err(ProxyError::NoAcceptableMethod)),
        method => return Some(Err(ProxyError::MethodNotOffered(*method))),
    };
    if let Err(version) = is(reply, 5)? {
        return Some(Err(ProxyError::SocksVersion(version)));
    }
    if let Err(code) = is(reply + 1, 0)? {
        let failures = [
            F::General,
            F::NotAllowed,
            F::NetworkUnreachable,
            F::HostUnreachable,
            F::ConnectionRefused,
            F::TtlExpired,
            F::CommandNotSupported,
            F::AddressTypeNotSupported,
        ];
        let failure = failures.get(usize::from(code) - 1).copied();
        let failure = failure.unwrap_or(F::Unknown(code));
        return Some(Err(ProxyError::Socks(failure)));
    }
    let len = match bytes.get(reply + 3)? {
        1 => 4,
        3 => 1 + usize::from(*bytes.get(reply + 4)?),
        4 => 16,
        kind => return Some(Err(ProxyError::AddressType(*kind))),
    };
    bytes.get(reply + 4 + len + 1)?;
    Some(Ok(()))
}
