//! A proxy by its URI: how it is spoken to, where it is and what it is told about who asks. Which proxy
//! is for which server is decided in [`environment`], what is said to it in `tunnel`.

mod environment;
mod exceptions;

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString as _},
};
use core::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

pub use environment::{InvalidEnvironment, Proxies};

use crate::client::{InvalidUri, Uri, parse_authority, parse_userinfo};
use crate::handshake::header;

/// A proxy that servers are reached through: `scheme://user:password@host:port`.
///
/// | scheme | the proxy speaks | default port |
/// |---|---|---|
/// | `http` | HTTP, and is asked for a tunnel by CONNECT ([RFC 9110 section 9.3.6][connect]) | 80 |
/// | `https` | the same within TLS, which is another one than that of `wss` | 443 |
/// | `socks5`, `socks5h` | SOCKS5 ([RFC 1928][socks]) | 1080 |
///
/// It is always the proxy that looks up the name of the server, with `socks5` as well as with `socks5h`:
/// so nobody else learns the name, and it can be one that only the proxy knows.
///
/// User and password may be left out. They are percent-encoded in the URI; who can see it can read them,
/// so there is [`credentials`](Self::credentials) as well. Without TLS to the proxy everybody on the way
/// can read them.
///
/// What is not clear is refused: other schemes, a path that is more than a slash, a query, a fragment,
/// and what a WebSocket [`Uri`] must not have in its host and port either.
///
/// # Examples
///
/// ```
/// use framewire::connect::Proxy;
///
/// let proxy = Proxy::new("http://proxy.example:3128")?.credentials("ann", "s3cret")?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128"); // nothing to hide in it
///
/// let tor: Proxy = "socks5://[::1]".parse()?;
/// assert_eq!((tor.host(), tor.port()), ("::1", 1080));
/// # Ok::<(), framewire::connect::InvalidProxy>(())
/// ```
///
/// [connect]: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
/// [socks]: https://www.rfc-editor.org/rfc/rfc1928
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: Scheme,
    /// An IPv6 address is without brackets.
    host: Box<str>,
    port: u16,
    /// Such that the scheme can send them.
    credentials: Option<Credentials>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Socks5,
    /// Differs from the other one in its name alone.
    Socks5h,
}

/// What a proxy is told about who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// The value of Proxy-Authorization.
    Basic(Box<str>),
    /// User and password, of 1 to 255 bytes each.
    Socks(Box<str>, Box<str>),
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    fn is_socks(self) -> bool {
        match self {
            Self::Http | Self::Https => false,
            Self::Socks5 | Self::Socks5h => true,
        }
    }

    /// `None`: it has no way to send them.
    fn credentials(self, user: &str, password: &str) -> Option<Credentials> {
        if !self.is_socks() {
            return header::basic(user, password).map(|value| Credentials::Basic(value.into()));
        }
        // The length of each is one byte, and not zero (RFC 1929 section 2).
        let fits = |text: &str| (1..=255).contains(&text.len());
        (fits(user) && fits(password)).then(|| Credentials::Socks(user.into(), password.into()))
    }
}

impl Proxy {
    /// Takes the URI of a proxy.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`], also for a user and a password that [`credentials`](Self::credentials) does not
    /// take.
    pub fn new(uri: &str) -> Result<Self, InvalidProxy> {
        use InvalidProxy as E;

        if uri.len() > Uri::MAX_LEN {
            return Err(E::TooLong);
        }
        if uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(E::Character);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(E::Scheme)?;
        let is = |known: &Scheme| scheme.eq_ignore_ascii_case(known.name());
        let scheme = Scheme::ALL.into_iter().find(is).ok_or(E::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        if !matches!(behind, "" | "/") {
            return Err(E::Path);
        }
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (userinfo, authority),
            None => ("", authority),
        };
        let (host, port) = parse_authority(authority, scheme.default_port())?;
        let unbracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let proxy = Self {
            scheme,
            host: unbracketed.unwrap_or(&host).into(),
            port,
            credentials: None,
        };
        if userinfo.is_empty() {
            return Ok(proxy);
        }
        let (user, password) = parse_userinfo(userinfo).ok_or(E::Userinfo)?;
        proxy.credentials(&user, &password)
    }

    /// Tells the proxy who asks, in place of what it was told before: by Proxy-Authorization
    /// (RFC 7617), or as RFC 1929 has it for SOCKS5.
    ///
    /// They are for the proxy alone: the server never sees them, nor does the proxy see those of a
    /// [`Request`](crate::client::Request).
    ///
    /// # Errors
    ///
    /// [`InvalidProxy::Credentials`]: HTTP can't send a user with a colon in it, or control characters;
    /// SOCKS5 nothing that is empty or longer than 255 bytes.
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, InvalidProxy> {
        let credentials = self.scheme.credentials(user, password);
        self.credentials = Some(credentials.ok_or(InvalidProxy::Credentials)?);
        Ok(self)
    }

    /// The host to connect to: a name, or an IP address. An IPv6 address is without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is `https`: TLS comes before the first byte to the proxy, with a certificate
    /// for [`host`](Self::host).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    pub(super) fn is_socks(&self) -> bool {
        self.scheme.is_socks()
    }

    pub(super) fn sent_credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl From<InvalidUri> for InvalidProxy {
    /// Of what a host and a port can be wrong with.
    fn from(error: InvalidUri) -> Self {
        match error {
            InvalidUri::NonAsciiHost => Self::NonAsciiHost,
            InvalidUri::Port => Self::Port,
            InvalidUri::Scheme
            | InvalidUri::TooLong
            | InvalidUri::Character
            | InvalidUri::Fragment
            | InvalidUri::Userinfo
            | InvalidUri::Host => Self::Host,
        }
    }
}

/// Host and port in one, an IPv6 address in brackets. The port is always there.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(uri: &str) -> Result<Self, InvalidProxy> {
        Self::new(uri)
    }
}

impl fmt::Display for Proxy {
    /// Scheme, host and port, without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = authority(&self.host, self.port);
        write!(f, "{}://{authority}", self.scheme.name())
    }
}

impl fmt::Debug for Proxy {
    /// Without user and password: they are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.to_string()).finish()
    }
}

/// A text is not the URI of a proxy, or one that is not clear. It holds nothing of the text, so it can be
/// logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// It does not begin with one of the schemes.
    #[error("the proxy does not begin with http://, https://, socks5:// or socks5h://")]
    Scheme,
    /// It is longer than [`Uri::MAX_LEN`].
    #[error("the proxy is longer than {} bytes", Uri::MAX_LEN)]
    TooLong,
    /// It is not Unicode, which only a variable of the environment can be.
    #[error("the proxy is not Unicode")]
    NotUnicode,
    /// There is a space or a control character in it.
    #[error("the proxy has a space or a control character in it")]
    Character,
    /// There is a path that is more than a slash, a query or a fragment.
    #[error("the proxy has a path, a query or a fragment")]
    Path,
    /// The host is empty, or neither a name nor an IP address.
    #[error("the proxy has no valid host")]
    Host,
    /// The host is not ASCII: write it in its `xn--` form (RFC 5891), or enable the feature `idna`, with which
    /// this never occurs.
    #[error(
        "the host of the proxy is not ASCII: write it in its xn-- form, or enable the feature idna"
    )]
    NonAsciiHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the proxy is not a number from 1 to 65535")]
    Port,
    /// User or password have a character in them that is to be percent-encoded there (RFC 3986
    /// section 3.2.1), or are not valid when they are decoded.
    #[error("the proxy has a user or a password that is not percent-encoded")]
    Userinfo,
    /// User or password are what the proxy can't be told: see [`Proxy::credentials`].
    #[error("the proxy has a user or a password that can't be sent")]
    Credentials,
}

#[cfg(test)]
mod tests;
