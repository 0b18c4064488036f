//! How to get to a server: what both adapters are told.

use core::fmt;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use super::{ConnectError, Host, Proxies, Proxy};
#[cfg(feature = "rustls")]
use crate::tls::{self, rustls::ClientConfig};
use crate::{
    Error,
    client::{Config, Request, Uri},
};

/// How to connect: through which proxy, trusting whom, following how many redirects, and within which limits.
///
/// It is made once and used for any number of connections, with either adapter: `connect_via` of
/// [`blocking`](crate::blocking::connect_via) and of `tokio`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use framewire::client::Config;
/// use framewire::connect::{Connector, Proxies};
///
/// let connector = Connector::new()
///     .config(Config::new().timeout(Duration::from_secs(5)))
///     .proxies(Proxies::from_env()?)
///     .redirects(3);
/// # drop(connector);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Connector {
    pub(crate) config: Config,
    proxies: Proxies,
    redirects: u32,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// Connects directly, trusts the roots of the platform, follows no redirect.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits and time-outs. [`Config::timeout`] is for everything together, from looking up the
    /// host to the last byte of the opening handshake, in all redirects. [`Config::new`] by default.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The proxies to go through: a [`Proxy`], or those of the
    /// [environment](Proxies::from_env). None by default.
    pub fn proxies(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// How often a server may send us somewhere else. 0 by default, as in browsers: then, and when it is
    /// once too often, a redirect is what any other refusal is, [`Error::Refused`].
    ///
    /// What is taken along is decided by
    /// [`Request::redirected`](crate::client::Request::redirected): no credentials for another origin,
    /// and never from `wss` to `ws`. A client certificate is shown to whoever asks for one, wherever we are
    /// sent.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Whom to trust, and a certificate of our own: of [`tls::client`](crate::tls::client()), or
    /// made with rustls itself. The roots of the platform are [trusted](crate::tls::platform_client) by
    /// default.
    ///
    /// It is for every server, those of redirects included, and for a proxy that is spoken to with TLS. Its
    /// application protocol becomes `http/1.1`.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls::for_client(config));
        self
    }

    /// The proxy to go through to `uri`.
    pub(crate) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        self.proxies.for_uri(uri)
    }

    /// Where to connect to by TCP, for `uri`. Fails where TLS will be needed and there is none.
    pub(crate) fn endpoint<'a>(&'a self, uri: &'a Uri) -> Result<Host<'a>, ConnectError> {
        let server = Host::server(uri);
        let proxy = self.proxy(uri).map(Host::proxy);
        let mut hosts = [Some(server), proxy].into_iter().flatten();
        match hosts.find(|host| host.is_secure && cfg!(not(feature = "rustls"))) {
            Some(host) => Err(ConnectError::tls_needed(host)),
            None => Ok(proxy.unwrap_or(server)),
        }
    }

    /// The configuration of TLS with `host`.
    #[cfg(feature = "rustls")]
    pub(crate) fn client_tls(&self, host: Host<'_>) -> Result<Arc<ClientConfig>, ConnectError> {
        let config = self.tls.clone().map_or_else(tls::platform_client, Ok);
        config.map_err(|error| ConnectError::tls_config(host, error))
    }

    /// Where to go after `error`, if it is a redirect that may be followed. `taken` counts them.
    pub(crate) fn follow(
        &self,
        request: &Request,
        error: Error,
        taken: &mut u32,
    ) -> Result<Request, Error> {
        let Error::Refused(response) = &error else {
            return Err(error);
        };
        if *taken >= self.redirects {
            return Err(error);
        }
        *taken += 1;
        match request.redirected(response).map_err(ConnectError::from)? {
            Some(request) => Ok(request),
            None => Err(error),
        }
    }
}

impl fmt::Debug for Connector {
    /// Without what TLS is configured to be, which is long and may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("proxies", &self.proxies)
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}
