//! Why there is no transport to do the opening handshake on.

use core::{
    fmt::{self, Write as _},
    net::SocketAddr,
};
use std::{boxed::Box, io, string::ToString as _, vec::Vec};

use thiserror::Error;

use super::{Proxy, ProxyError};
use crate::client::{InvalidRedirect, Uri};
#[cfg(feature = "rustls")]
use crate::tls::InvalidTls;

/// There is no transport to do the opening handshake on: which step has failed, and for which address.
///
/// A step that was not done when time was up has the error [`TimedOut`](io::ErrorKind::TimedOut), or
/// [`ProxyError::TimedOut`]; see [`is_timeout`](Self::is_timeout).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The addresses of a host could not be found.
    #[error("no address of {peer}{host}: {error}")]
    Lookup {
        /// Whose it is.
        peer: Peer,
        /// The host.
        host: Box<str>,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// No address of a host could be connected to.
    #[error("no connection to {peer}{host}: {}", List(attempts))]
    Tcp {
        /// Whose it is.
        peer: Peer,
        /// The host.
        host: Box<str>,
        /// Its addresses, and why there is no connection to each of them. What was not done when time was up has
        /// timed out, also where it had not begun.
        attempts: Vec<Attempt>,
    },
    /// The proxy did not connect us.
    #[error("proxy {proxy} ({address}): {error}")]
    Proxy {
        /// The proxy. Its credentials are not shown.
        proxy: Box<Proxy>,
        /// Its address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: ProxyError,
    },
    /// The connection with the proxy failed before the proxy answered.
    #[error("proxy {proxy} ({address}): {error}")]
    ProxyLost {
        /// The proxy. Its credentials are not shown.
        proxy: Box<Proxy>,
        /// Its address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no TLS with the server, or with the proxy: its certificate is not trusted or for another name, or
    /// the two have no version in common. Not a byte of a WebSocket was sent.
    #[error("no TLS with {peer}{host} ({address}): {}", Printable(error))]
    Tls {
        /// Whose it is.
        peer: Peer,
        /// The host.
        host: Box<str>,
        /// The address that we are connected to: that of the proxy if there is one.
        address: SocketAddr,
        /// Why. An error of rustls is inside of it.
        #[source]
        error: io::Error,
    },
    /// TLS can't even be tried.
    #[cfg(feature = "rustls")]
    #[error("no TLS with {peer}{host}: {error}")]
    TlsConfig {
        /// Whose it is.
        peer: Peer,
        /// The host.
        host: Box<str>,
        /// Why.
        #[source]
        error: InvalidTls,
    },
    /// TLS is needed, for `wss` or for a proxy that is spoken to with TLS, and the feature `rustls` is off.
    #[error(
        "TLS with {peer}{host} is needed: enable the feature rustls, or do the handshake on a transport with TLS"
    )]
    TlsNeeded {
        /// Who wants it.
        peer: Peer,
        /// The host.
        host: Box<str>,
    },
    /// The server sent us somewhere else, and we don't go there.
    #[error(transparent)]
    Redirect(#[from] InvalidRedirect),
}

impl ConnectError {
    /// Whether a step was not done in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
        match self {
            Self::Lookup { error, .. }
            | Self::ProxyLost { error, .. }
            | Self::Tls { error, .. } => is_late(error),
            Self::Tcp { attempts, .. } => attempts.iter().any(|attempt| is_late(&attempt.error)),
            Self::Proxy { error, .. } => matches!(error, ProxyError::TimedOut),
            #[cfg(feature = "rustls")]
            Self::TlsConfig { .. } => false,
            Self::TlsNeeded { .. } | Self::Redirect(_) => false,
        }
    }

    /// There is no tunnel.
    pub(crate) fn proxy(proxy: &Proxy, address: SocketAddr, failed: TunnelFailed) -> Self {
        let proxy = Box::new(proxy.clone());
        match failed {
            TunnelFailed::Proxy(error) => Self::Proxy {
                proxy,
                address,
                error,
            },
            TunnelFailed::Io(error) => Self::ProxyLost {
                proxy,
                address,
                error,
            },
        }
    }

    pub(crate) fn tls_needed(host: Host<'_>) -> Self {
        Self::TlsNeeded {
            peer: host.peer,
            host: host.name.into(),
        }
    }

    /// The handshake of TLS has failed.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls(host: Host<'_>, address: SocketAddr, error: io::Error) -> Self {
        Self::Tls {
            peer: host.peer,
            host: host.name.into(),
            address,
            error,
        }
    }

    /// There is nothing to begin it with.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls_config(host: Host<'_>, error: InvalidTls) -> Self {
        Self::TlsConfig {
            peer: host.peer,
            host: host.name.into(),
            error,
        }
    }
}

/// Whose host it is that something is wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is nobody else on the way that is spoken to"
)]
pub enum Peer {
    /// The server's, which the URI names.
    Server,
    /// The proxy's.
    Proxy,
}

impl fmt::Display for Peer {
    /// What stands before the host. A server is what is meant where nothing is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => Ok(()),
            Self::Proxy => f.write_str("the proxy "),
        }
    }
}

/// A host, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    pub(crate) peer: Peer,
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// Whether it is spoken to with TLS.
    pub(crate) is_secure: bool,
}

impl<'a> Host<'a> {
    pub(crate) fn server(uri: &'a Uri) -> Self {
        Self {
            peer: Peer::Server,
            name: uri.host(),
            port: uri.port(),
            is_secure: uri.is_secure(),
        }
    }

    pub(crate) fn proxy(proxy: &'a Proxy) -> Self {
        Self {
            peer: Peer::Proxy,
            name: proxy.host(),
            port: proxy.port(),
            is_secure: proxy.is_secure(),
        }
    }
}

/// Why there is no tunnel.
#[derive(Debug)]
pub(crate) enum TunnelFailed {
    Proxy(ProxyError),
    Io(io::Error),
}

impl From<ProxyError> for TunnelFailed {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<io::Error> for TunnelFailed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An address that could not be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub error: io::Error,
}

/// An error in which there may be names out of a certificate: in one line, and not too long a one.
struct Printable<'a>(&'a io::Error);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        text.chars().take(500).try_for_each(|char| {
            if char.is_control() {
                write!(f, "{}", char.escape_default())
            } else {
                f.write_char(char)
            }
        })
    }
}

/// All of them in one line.
struct List<'a>(&'a [Attempt]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Attempt { address, error }) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}
