//! Where a refusal points to (RFC 9110 section 15.4): the request for there. The `Location` is
//! resolved (RFC 3986 section 5.2), and credentials are left behind on the way to another origin.
//! Whether to follow, and how often, is left to the application.

use alloc::{
    format,
    string::{String, ToString as _},
};
use core::str;

use thiserror::Error;

use super::{InvalidUri, Request, Response, Uri};
use crate::handshake::header::{Field, values};

impl Request {
    /// The request for where the answer to this one points to: with 301, 302, 303, 307 or 308, and a
    /// `Location` ([RFC 9110 section 15.4][rfc]). `None` if the status is another one.
    ///
    /// Nothing is ever followed by itself, nor is it in browsers; RFC 6455 section 4.1 leaves it open.
    /// Before you do, look at its [`uri`](Self::uri), which can be any host, also one inside of your
    /// network. Count: a server can redirect for ever.
    ///
    /// `http` and `https` stand for `ws` and `wss`. What the `Location` leaves out is that of this
    /// request; `.` and `..` in a path that it brings are resolved, a fragment is dropped.
    ///
    /// If the scheme, the host (in any letter case) or the port differ, these are not in the result:
    /// `Authorization`, also that of [`bearer`](Self::bearer), [`basic`](Self::basic) and
    /// [`with_userinfo`](Self::with_userinfo), `Cookie`, also that of [`cookie`](Self::cookie),
    /// `Proxy-Authorization`, and the replaced [`host`](Self::host). The same server counts for
    /// another one as soon as one of the three differs, as from `ws` to `wss`.
    ///
    /// **Everything else stays**, whoever receives it: the Origin, subprotocols, and all other
    /// [headers](Self::header). If one of those is secret, such as an `X-Api-Key`, or a subprotocol
    /// with a token in it, do not follow to another host, or make a new request for the `uri` of the
    /// result.
    ///
    /// # Errors
    ///
    /// [`InvalidRedirect`] if the `Location` can't or must not be followed, always so from `wss` to
    /// `ws`.
    ///
    /// # Cost
    ///
    /// Copies the request, in time linear in the length of the `Location`.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::RecvBuf;
    /// use framewire::client::{Config, Handshake, Outcome, Request};
    ///
    /// let request = Request::new("wss://example.com/old/chat?room=1")?.bearer("mF_9.B5f-4.1JqM")?;
    /// let answer = |location: &str| {
    ///     let mut rx = RecvBuf::new();
    ///     let head = format!("HTTP/1.1 307 See\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    ///     rx.extend_from_slice(head.as_bytes());
    ///     match Handshake::new(&request, &Config::new()).receive(&mut rx) {
    ///         Some(Outcome::Refused(response)) => response,
    ///         other => panic!("a complete refusal, not {other:?}"),
    ///     }
    /// };
    /// let Some(next) = request.redirected(&answer("../chat?room=1"))? else {
    ///     panic!("307 is a redirect");
    /// };
    /// assert_eq!(next.uri().to_string(), "wss://example.com/chat?room=1");
    /// assert!(next.clone().bearer("x").is_err()); // there still is one
    ///
    /// let next = request.redirected(&answer("https://other.example"))?.expect("a redirect");
    /// assert_eq!(next.uri().to_string(), "wss://other.example/");
    /// assert!(next.bearer("x").is_ok()); // there is none
    ///
    /// assert!(request.redirected(&answer("http://example.com/")).is_err()); // without TLS
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-15.4
    pub fn redirected(&self, response: &Response) -> Result<Option<Self>, InvalidRedirect> {
        use InvalidRedirect as E;

        if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let mut location = Field::default();
        for value in values(response.headers(), "location") {
            location.add(value);
        }
        let location = location.required(E::MissingLocation, E::RepeatedLocation)?;
        let location = str::from_utf8(location).map_err(|_| E::Encoding)?;
        let uri = resolve(self.uri(), location).map_err(E::Location)?;
        if self.uri().is_secure() && !uri.is_secure() {
            return Err(E::Insecure);
        }
        Ok(Some(self.at(uri)))
    }

    /// The same request for another URI: without what is meant for its server alone, if that is
    /// another one.
    fn at(&self, uri: Uri) -> Self {
        let mut request = self.clone();
        if !is_same_origin(&uri, &self.uri) {
            request.host = None;
            request.cookies.clear();
            for name in ["authorization", "cookie", "proxy-authorization"] {
                request.remove_headers(name);
            }
        }
        request.uri = uri;
        request
    }
}

/// Whether scheme, host and port are the same. One host in two spellings counts for two: the
/// trailing dot of a name, or the zeros in an IPv6 address, cost no more than credentials.
fn is_same_origin(a: &Uri, b: &Uri) -> bool {
    a.is_secure() == b.is_secure()
        && a.port() == b.port()
        && a.host().eq_ignore_ascii_case(b.host())
}

/// Resolves a reference against a URI (RFC 3986 section 5.2.2).
fn resolve(base: &Uri, reference: &str) -> Result<Uri, InvalidUri> {
    if reference.len() > Uri::MAX_LEN {
        return Err(InvalidUri::TooLong);
    }
    // RFC 9110 section 10.2.2: it is for what is shown of the target, and is never sent.
    let reference = reference.split('#').next().unwrap_or_default();
    let own_scheme = if base.is_secure() { "wss" } else { "ws" };
    let absolute = match reference.split_once(':') {
        // "A path segment that contains a colon character [...] cannot be used as the first segment
        // of a relative-path reference, as it would be mistaken for a scheme name" (section 4.2).
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let rest = rest.strip_prefix("//").ok_or(InvalidUri::Scheme)?;
            Some((websocket_scheme(scheme)?, rest))
        }
        Some(_) | None => reference.strip_prefix("//").map(|rest| (own_scheme, rest)),
    };
    if let Some((scheme, rest)) = absolute {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        let resource = without_dot_segments(resource);
        return format!("{scheme}://{authority}{resource}").parse();
    }
    let own = base.resource_name();
    let own_path = own.split('?').next().unwrap_or_default();
    let resource = if reference.is_empty() {
        own.to_string()
    } else if reference.starts_with('?') {
        format!("{own_path}{reference}")
    } else if reference.starts_with('/') {
        without_dot_segments(reference)
    } else {
        // "All but the last segment of the base URI's path" (section 5.2.3).
        let folder = own_path.rfind('/').and_then(|slash| own_path.get(..slash));
        without_dot_segments(&format!("{}/{reference}", folder.unwrap_or_default()))
    };
    format!("{own_scheme}://{}{resource}", base.authority()).parse()
}

/// The scheme of WebSocket that stands for this one: a server that redirects thinks of HTTP.
fn websocket_scheme(scheme: &str) -> Result<&'static str, InvalidUri> {
    let is = |known| scheme.eq_ignore_ascii_case(known);
    if is("http") || is("ws") {
        Ok("ws")
    } else if is("https") || is("wss") {
        Ok("wss")
    } else {
        Err(InvalidUri::Scheme)
    }
}

/// Resolves `.` and `..` in a path that is empty or begins with a slash, and leaves the query behind
/// it alone (RFC 3986 section 5.2.4).
fn without_dot_segments(resource: &str) -> String {
    let (path, query) = resource.split_at(resource.find('?').unwrap_or(resource.len()));
    let mut resolved = String::with_capacity(resource.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            resolved.truncate(resolved.rfind('/').unwrap_or(0));
        }
        if segment != "." && segment != ".." {
            resolved.push('/');
            resolved.push_str(segment);
        } else if segments.peek().is_none() {
            resolved.push('/');
        }
    }
    resolved.push_str(query);
    resolved
}

/// A redirect leads nowhere, or to where it must not be followed.
///
/// It holds no byte of the peer, so it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRedirect {
    /// There is no `Location`.
    #[error("redirect without a Location")]
    MissingLocation,
    /// There are several `Location` headers, of which nobody knows which one is meant.
    #[error("redirect with several Locations")]
    RepeatedLocation,
    /// The `Location` is not UTF-8.
    #[error("redirect with a Location that is not UTF-8")]
    Encoding,
    /// The `Location` does not lead to a WebSocket URI, or it is longer than [`Uri::MAX_LEN`]. All
    /// that a [`Uri`] refuses is refused here, such as user information, but for fragments; the
    /// schemes are `ws`, `wss`, `http` and `https`.
    #[error("redirect with an unusable Location: {0}")]
    Location(InvalidUri),
    /// It leads from `wss` to `ws`: what TLS protects would go on without it.
    #[error("redirect from wss to ws")]
    Insecure,
}
