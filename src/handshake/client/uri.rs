//! WebSocket URIs (RFC 6455 section 3, RFC 3986): where to connect, and what to ask for there.

use alloc::{
    borrow::Cow,
    boxed::Box,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, str::FromStr};

use thiserror::Error;

use super::idn;
use crate::handshake::authority::{is_host, parse_port, split};

/// A WebSocket URI: `ws://host:port/path?query`, or `wss` for TLS ([RFC 6455 section 3][rfc]).
///
/// Path and query are asked for as they were written, byte for byte: nothing is decoded, encoded or
/// normalised, except that characters which are not ASCII become percent-encoded UTF-8
/// (RFC 3987 section 3.1).
///
/// Whatever is not clear is refused: other schemes, user information (but see
/// [`Request::with_userinfo`](super::Request::with_userinfo)), a fragment, spaces and control
/// characters anywhere, port 0 and IPv6 zones.
///
/// # Hosts that are not ASCII
///
/// They are refused, unless the feature `idna` is there. With it, `bücher.example` becomes
/// `xn--bcher-kva.example`, as in browsers (RFC 6455 section 11.1.1; Unicode Technical Standard 46,
/// non-transitional): that is the [`host`](Self::host) to connect to, to check a certificate for and
/// to name in the Host header. Other characters may become plain ASCII: where it matters which host
/// it is, ask that method, and not the text. Refused is what would become an IP address, or anything
/// but letters, digits, hyphens, dots and underscores, or is too long for a name.
///
/// A host in ASCII is the same with and without the feature, and taken as it is. So is one with a
/// label that begins with `xn--`, whether or not a name is encoded like that: it is never decoded.
///
/// # Examples
///
/// ```
/// use framewire::client::Uri;
///
/// let uri: Uri = "wss://example.com/chat?room=1".parse()?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 443));
/// assert_eq!(uri.authority(), "example.com");
/// assert_eq!(uri.resource_name(), "/chat?room=1");
///
/// let local: Uri = "ws://[::1]:9001".parse()?;
/// assert_eq!((local.host(), local.port()), ("::1", 9001));
/// assert_eq!(local.to_string(), "ws://[::1]:9001/");
/// # Ok::<(), framewire::client::InvalidUri>(())
/// ```
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc6455#section-3
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    secure: bool,
    /// An IPv6 address is in brackets.
    host: Box<str>,
    port: u16,
    resource_name: Box<str>,
}

impl Uri {
    /// The longest URI that is taken, in bytes: as it is written, and as it is shown and asked for.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Whether the scheme is `wss`: TLS comes before the first byte of the opening handshake.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to, and to check a certificate for: a name, or an IP address. An IPv6
    /// address is without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let unbracketed = self
            .host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'));
        unbracketed.unwrap_or(&self.host)
    }

    /// The port to connect to: 80 for `ws` and 443 for `wss` if the URI has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the Host header: the host, and the port if it is not the default one
    /// (RFC 6455 section 4.1).
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == default_port(self.secure) {
            self.host.clone().into()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What to ask for: the path, which is never empty, and the query with its question mark
    /// (RFC 6455 section 3).
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// Takes a URI and its user information apart.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<&str>), InvalidUri> {
        use InvalidUri as E;

        if text.len() > Self::MAX_LEN {
            return Err(E::TooLong);
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(E::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(E::Scheme)?;
        let secure = if scheme.eq_ignore_ascii_case("ws") {
            false
        } else if scheme.eq_ignore_ascii_case("wss") {
            true
        } else {
            return Err(E::Scheme);
        };
        if rest.contains('#') {
            return Err(E::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, authority),
        };
        let (host, port) = parse_authority(authority, default_port(secure))?;
        let uri = Self {
            secure,
            host: host.into(),
            port,
            resource_name: encode(resource).into(),
        };
        // Encoding makes it longer, and so does the slash.
        if uri.to_string().len() > Self::MAX_LEN {
            return Err(E::TooLong);
        }
        Ok((uri, userinfo))
    }
}

/// Host, with the brackets of an IPv6 address, and port, of URIs that say where to connect.
pub(crate) fn parse_authority(
    authority: &str,
    default_port: u16,
) -> Result<(Cow<'_, str>, u16), InvalidUri> {
    use InvalidUri as E;

    let (host, port) = split(authority).ok_or(E::Host)?;
    let host = if host.is_ascii() {
        Cow::Borrowed(host)
    } else {
        Cow::Owned(idn::to_ascii(host)?)
    };
    // No resolver would know what to do with an encoded name.
    if !is_host(&host) || host.contains('%') {
        return Err(E::Host);
    }
    let port = match port {
        None | Some("") => default_port,
        Some(digits) => parse_port(digits).filter(|&port| port > 0).ok_or(E::Port)?,
    };
    Ok((host, port))
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Puts a slash where the path is empty, and encodes what is not ASCII.
fn encode(resource: &str) -> String {
    let mut encoded = String::with_capacity(resource.len() + 1);
    if !resource.starts_with('/') {
        encoded.push('/');
    }
    for char in resource.chars() {
        if char.is_ascii() {
            encoded.push(char);
        } else {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

/// Whether `text` is `userinfo = *( unreserved / pct-encoded / sub-delims / ":" )` (RFC 3986
/// section 3.2.1), but for what is not ASCII. With anything else in it, other parsers may find the
/// host in another place.
fn is_userinfo(text: &str) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-._~!$&'()*+,;=:%".contains(&byte)
    };
    text.bytes().all(is_allowed)
}

/// User and password of `user:password`, decoded; without a colon, the password is empty. `None`: it is
/// not to be understood in this way.
pub(crate) fn parse_userinfo(text: &str) -> Option<(String, String)> {
    if !is_userinfo(text) {
        return None;
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |text| String::from_utf8(percent_decode(text)?).ok();
    Some((decode(user)?, decode(password)?))
}

/// Decodes `%` and two hexadecimal digits, wherever they are.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'%', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let byte = digit(*high)? << 4 | digit(*low)?;
                bytes.push(u8::try_from(byte).ok()?);
                rest
            }
            [b'%', ..] => return None,
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

impl FromStr for Uri {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, InvalidUri> {
        match Self::parse(text)? {
            (uri, None) => Ok(uri),
            (_, Some(_)) => Err(InvalidUri::Userinfo),
        }
    }
}

impl fmt::Display for Uri {
    /// All of it, with the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource_name)
    }
}

impl fmt::Debug for Uri {
    /// Without the query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let path = self.resource_name.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

/// A text is no WebSocket URI, or one that is not clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidUri {
    /// It does not begin with `ws://` or `wss://`.
    #[error("the URI does not begin with ws:// or wss://")]
    Scheme,
    /// It is longer than [`Uri::MAX_LEN`].
    #[error("the URI is longer than {} bytes", Uri::MAX_LEN)]
    TooLong,
    /// There is a space or a control character in it. Write `%20` for a space.
    #[error("the URI has a space or a control character in it")]
    Character,
    /// There is a fragment, which a WebSocket URI must not have. Write `%23` for a number sign.
    #[error("the URI has a fragment")]
    Fragment,
    /// There is a user or a password in it; where that is wanted there is
    /// [`Request::with_userinfo`](super::Request::with_userinfo), which needs them to be valid.
    #[error("the URI has user information in it")]
    Userinfo,
    /// The host is empty, or neither a name nor an IP address. With the feature `idna`, also one that
    /// is not ASCII and has no `xn--` form.
    #[error("the URI has no valid host")]
    Host,
    /// The host is not ASCII: write it in its `xn--` form (RFC 5891), or enable the feature `idna`,
    /// with which this does not occur.
    #[error(
        "the host of the URI is not ASCII: write it in its xn-- form, or enable the feature idna"
    )]
    NonAsciiHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the URI is not a number from 1 to 65535")]
    Port,
}
