//! Which web sites may connect: origins (RFC 6454) and the policy that compares them with a list or
//! with the server's own authority (RFC 6455 section 10.2).

use alloc::{boxed::Box, string::String};
use core::{fmt, str};

use bytes::Bytes;
use thiserror::Error;

use super::authority::Authority;

/// Which web sites may connect ([RFC 6455 section 10.2][rfc]).
///
/// A browser lets any page connect to any server, sends the user's cookies along, and leaves it to
/// the server to look at the Origin header: a server that does not can be used by every site that
/// its users visit. Programs other than browsers can send any Origin and usually send none, so a
/// request without one is always allowed: the policy protects users, it does not authenticate
/// anybody. [`Head::origin`](crate::server::Head::origin) has the value as it came.
///
/// Hosts are compared as a whole and without regard to letter case, never by prefix or suffix. The
/// origin `null`, which sandboxed pages and local files have, is allowed only by [`Any`](Self::Any).
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc6455#section-10.2
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Pages of this very server: the host and port of the Origin are those of the Host header.
    /// A port that is not given is the default one of the Origin's scheme. The scheme itself is not
    /// compared, because a server behind a proxy can't know its own: name it in a list to have it
    /// checked.
    #[default]
    SameOrigin,
    /// The listed origins and no other, not even the server's own. Scheme, host and port must be
    /// equal.
    List(AllowedOrigins),
    /// All of them: for public services that use no cookies, and for applications that look at the
    /// Origin themselves.
    Any,
}

impl OriginPolicy {
    pub(super) fn allows(&self, origin: Option<&[u8]>, host: Authority<'_>) -> bool {
        let Some(origin) = origin else {
            return true;
        };
        let origin = Origin::parse(origin);
        match self {
            Self::Any => true,
            Self::SameOrigin => origin.is_some_and(|origin| origin.is_served_by(host)),
            Self::List(list) => origin.is_some_and(|origin| list.contains(origin)),
        }
    }
}

/// A list of origins, for [`OriginPolicy::List`]. A clone shares it.
///
/// # Examples
///
/// ```
/// use framewire::server::AllowedOrigins;
///
/// let list = AllowedOrigins::new(["https://example.com", "http://localhost:8080"])?;
/// assert!(AllowedOrigins::new(["https://example.com/"]).is_err()); // an origin has no path
/// assert!(AllowedOrigins::new(["https://*.example.com"]).is_err()); // and no pattern is one
/// # Ok::<(), framewire::server::InvalidOrigin>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AllowedOrigins(
    /// One valid origin in each line. `Bytes`, because every handshake has a clone.
    Bytes,
);

impl AllowedOrigins {
    /// Takes origins as browsers write them: `scheme://host` or `scheme://host:port`, without a path
    /// and without a slash at the end.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`] names the first one that is no such origin.
    pub fn new(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidOrigin> {
        let mut lines = String::new();
        for origin in origins {
            let origin = origin.as_ref();
            if origin.contains('*') || Origin::parse(origin.as_bytes()).is_none() {
                return Err(InvalidOrigin(origin.into()));
            }
            lines.push_str(origin);
            lines.push('\n');
        }
        Ok(Self(lines.into()))
    }

    fn contains(&self, origin: Origin<'_>) -> bool {
        self.origins().any(|allowed| allowed.is_same(origin))
    }

    fn origins(&self) -> impl Iterator<Item = Origin<'_>> {
        self.0
            .split(|&byte| byte == b'\n')
            .filter_map(Origin::parse)
    }
}

impl fmt::Debug for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = str::from_utf8(&self.0).unwrap_or_default();
        f.debug_list().entries(text.lines()).finish()
    }
}

/// An entry of a list of origins is no origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not an origin of the form scheme://host or scheme://host:port")]
pub struct InvalidOrigin(Box<str>);

impl InvalidOrigin {
    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.0
    }
}

/// An origin: scheme, host and port (RFC 6454 section 4).
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let (scheme, authority) = str::from_utf8(value).ok()?.split_once("://")?;
        let is_scheme_char = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.bytes().all(is_scheme_char)
        {
            return None;
        }
        Some(Self {
            scheme,
            authority: Authority::parse(authority.as_bytes())?,
        })
    }

    /// Whether a server that is addressed by `host` serves pages of this origin.
    fn is_served_by(self, host: Authority<'_>) -> bool {
        let Some(default) = self.default_port() else {
            return false;
        };
        self.authority.host.eq_ignore_ascii_case(host.host)
            && self.port() == Some(host.port.unwrap_or(default))
    }

    fn is_same(self, other: Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self
                .authority
                .host
                .eq_ignore_ascii_case(other.authority.host)
            && self.port() == other.port()
    }

    fn port(self) -> Option<u16> {
        self.authority.port.or_else(|| self.default_port())
    }

    fn default_port(self) -> Option<u16> {
        let is = |scheme| self.scheme.eq_ignore_ascii_case(scheme);
        if is("http") || is("ws") {
            Some(80)
        } else if is("https") || is("wss") {
            Some(443)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};

    use super::*;

    fn host(value: &str) -> Authority<'_> {
        Authority::parse(value.as_bytes()).expect("a valid Host")
    }

    // req: HS-30, HS-31
    #[test]
    fn same_origin_compares_host_and_port() {
        let allows =
            |origin: &str, at| OriginPolicy::SameOrigin.allows(Some(origin.as_bytes()), host(at));
        for (origin, at) in [
            ("https://example.com", "example.com"),
            ("http://example.com", "example.com"),
            ("https://example.com", "EXAMPLE.COM"),
            ("HTTPS://Example.com", "example.com"),
            ("https://example.com:443", "example.com"),
            ("https://example.com", "example.com:443"),
            ("http://example.com:80", "example.com:80"),
            ("http://example.com", "example.com:"),
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(allows(origin, at), "{origin} at {at}");
        }
        for (origin, at) in [
            ("https://good.example.evil.example", "good.example"),
            ("https://evil-good.example", "good.example"),
            ("https://good.example", "evil-good.example"),
            ("https://sub.good.example", "good.example"),
            ("https://good.example.", "good.example"),
            ("https://good.example:8443", "good.example"),
            ("https://good.example", "good.example:8443"),
            ("https://good.example", "good.example:80"),
            ("http://good.example:443", "good.example"),
            ("null", "good.example"),
            ("", "good.example"),
            ("good.example", "good.example"),
            ("//good.example", "good.example"),
            ("://good.example", "good.example"),
            ("1http://good.example", "good.example"),
            ("chrome-extension://good.example", "good.example"),
            ("https://good.example/", "good.example"),
            ("https://user@good.example", "good.example"),
            ("https://good.example, https://evil.example", "good.example"),
            ("https://good.example https://evil.example", "good.example"),
        ] {
            assert!(!allows(origin, at), "{origin} at {at}");
        }
    }

    // req: HS-30, HS-31
    #[test]
    fn list_compares_scheme_host_and_port() {
        let list =
            AllowedOrigins::new(["https://good.example", "http://Localhost:8080", "app://x"])
                .expect("all are origins");
        let policy = OriginPolicy::List(list);
        let allows = |origin: &str| policy.allows(Some(origin.as_bytes()), host("server.example"));
        for origin in [
            "https://good.example",
            "HTTPS://GOOD.example",
            "https://good.example:443",
            "http://localhost:8080",
            "app://x",
        ] {
            assert!(allows(origin), "{origin}");
        }
        for origin in [
            "http://good.example",
            "http://good.example:443",
            "https://good.example:444",
            "https://good.example.evil.example",
            "https://evil-good.example",
            "http://localhost",
            "https://server.example",
            "app://x:1",
            "null",
            "",
            "\n",
            "https://good.example\nhttp://localhost:8080",
        ] {
            assert!(!allows(origin), "{origin:?}");
        }
    }

    #[test]
    fn requests_of_programs_are_always_allowed_and_any_allows_all() {
        let empty = AllowedOrigins::new([""; 0]).expect("an empty list is a list");
        for policy in [OriginPolicy::SameOrigin, OriginPolicy::List(empty)] {
            assert!(policy.allows(None, host("h")));
            assert!(!policy.allows(Some(b"https://other.example"), host("h")));
        }
        assert!(OriginPolicy::Any.allows(Some(b"\xff"), host("h")));
    }

    #[test]
    fn wrong_entries_of_a_list_are_named() {
        for entry in [
            "",
            "null",
            "*",
            "https://*.a.example/",
            "a.example",
            "https://a/",
            "https://",
        ] {
            let error = AllowedOrigins::new(["https://a.example", entry]).expect_err(entry);
            assert_eq!(error.entry(), entry);
            assert!(error.to_string().starts_with(&format!("{entry:?} is not")));
        }
        let list = AllowedOrigins::new(["https://a", "https://b:1"]).expect("both are origins");
        assert_eq!(format!("{list:?}"), r#"["https://a", "https://b:1"]"#);
    }
}
