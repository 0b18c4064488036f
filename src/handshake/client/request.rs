//! The request of the opening handshake (RFC 6455 section 4.1), as the application wants it.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;

use thiserror::Error;

use super::{InvalidHeader, InvalidUri, Uri, uri::parse_userinfo};
use crate::handshake::{
    authority::Authority,
    header::{basic, elements, push_field, token},
};

/// What to ask a server for: its URI, and headers.
///
/// Can be used for any number of handshakes, so that reconnecting is no second story. What the
/// protocol itself needs is added to it in each of them, with a fresh key.
///
/// # Examples
///
/// ```
/// use framewire::client::Request;
///
/// let request = Request::new("wss://example.com/chat")?
///     .subprotocol("chat.v2")?
///     .subprotocol("chat.v1")?
///     .bearer("mF_9.B5f-4.1JqM")?
///     .header("User-Agent", "example/1.0")?;
/// assert!(request.clone().header("X-Name", "a\r\nb").is_err()); // no second header smuggled in
/// assert!(request.header("Upgrade", "h2c").is_err()); // that one is ours
/// # Ok::<(), framewire::client::InvalidRequest>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) uri: Uri,
    pub(super) host: Option<Box<str>>,
    /// A list of tokens, as it is sent.
    subprotocols: String,
    pub(super) cookies: String,
    /// Whole lines.
    headers: Vec<u8>,
}

impl Request {
    /// Asks for `uri`, with no header but those of the protocol.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Uri`].
    pub fn new(uri: &str) -> Result<Self, InvalidRequest> {
        Ok(Self::from(uri.parse::<Uri>()?))
    }

    /// As [`new`](Self::new), but `user:password@` may stand before the host: it is sent as by
    /// [`basic`](Self::basic), percent-decoded, and is no part of the [`uri`](Self::uri).
    ///
    /// The URIs of RFC 6455 have no such part, and whoever can see one can read the password: for
    /// configurations that can't be changed.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Uri`], also for a percent sign without two digits and for ASCII characters
    /// that RFC 3986 section 3.2.1 wants encoded there, and [`InvalidRequest::Header`] for what `basic`
    /// does not take.
    pub fn with_userinfo(uri: &str) -> Result<Self, InvalidRequest> {
        let (uri, userinfo) = Uri::parse(uri)?;
        let request = Self::from(uri);
        let Some(userinfo) = userinfo.filter(|userinfo| !userinfo.is_empty()) else {
            return Ok(request);
        };
        let (user, password) = parse_userinfo(userinfo).ok_or(InvalidUri::Userinfo)?;
        request.basic(&user, &password)
    }

    /// Offers a subprotocol, behind those that were offered before: the first one is preferred
    /// (RFC 6455 section 4.1).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Subprotocol`] if the name is not a token,
    /// [`InvalidRequest::RepeatedSubprotocol`] if it was offered before.
    pub fn subprotocol(mut self, name: &str) -> Result<Self, InvalidRequest> {
        if token(name.as_bytes()).is_none() {
            return Err(InvalidRequest::Subprotocol);
        }
        if elements(self.subprotocols.as_bytes()).any(|offered| offered == name.as_bytes()) {
            return Err(InvalidRequest::RepeatedSubprotocol);
        }
        if !self.subprotocols.is_empty() {
            self.subprotocols.push_str(", ");
        }
        self.subprotocols.push_str(name);
        Ok(self)
    }

    /// Adds a header. Adding the same name again adds another field, except for Origin,
    /// Authorization and Cookie, which a request has once.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Header`] if the name is not a token, if the value has a line break or
    /// another control character in it, if the header is there already and may not be repeated, or
    /// if it is one of those that only this library may write. [`Host`](Self::host) has a method of
    /// its own.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, InvalidRequest> {
        let is = |known| name.eq_ignore_ascii_case(known);
        if is("host") {
            return Err(InvalidHeader::Reserved.into());
        }
        let once = ["origin", "authorization", "cookie"].into_iter().any(is);
        if once && (self.has_header(name) || is("cookie") && !self.cookies.is_empty()) {
            return Err(InvalidHeader::Repeated.into());
        }
        push_field(&mut self.headers, name, value.as_ref())?;
        Ok(self)
    }

    /// Sets the Origin, as browsers do; programs need none (RFC 6455 section 4.1).
    ///
    /// # Errors
    ///
    /// As [`header`](Self::header).
    pub fn origin(self, origin: &str) -> Result<Self, InvalidRequest> {
        self.header("Origin", origin)
    }

    /// Adds a cookie. All cookies together are one header (RFC 6265 section 5.4).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Header`] if the name is not a token, if the value has a character in it that
    /// no cookie can have (space, quote, comma, semicolon, backslash, control characters and
    /// everything beyond ASCII), or if a Cookie was given as a [`header`](Self::header).
    pub fn cookie(mut self, name: &str, value: &str) -> Result<Self, InvalidRequest> {
        if token(name.as_bytes()).is_none() {
            return Err(InvalidHeader::Name.into());
        }
        let is_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if !value.bytes().all(is_octet) {
            return Err(InvalidHeader::Value.into());
        }
        if self.has_header("cookie") {
            return Err(InvalidHeader::Repeated.into());
        }
        let separator = if self.cookies.is_empty() { "" } else { "; " };
        self.cookies.push_str(&format!("{separator}{name}={value}"));
        Ok(self)
    }

    /// Sends a bearer token (RFC 6750 section 2.1).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Header`] if the token is empty or has other characters than letters, digits,
    /// `-._~+/` and `=` at its end, or if there is an Authorization already.
    pub fn bearer(self, token: &str) -> Result<Self, InvalidRequest> {
        let characters = token.trim_end_matches('=');
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if characters.is_empty() || !characters.bytes().all(is_valid) {
            return Err(InvalidHeader::Value.into());
        }
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sends a user and a password, which everybody on the way can read unless there is TLS
    /// (RFC 7617 section 2).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Header`] if the user has a colon or one of the two a control character in it,
    /// or if there is an Authorization already.
    pub fn basic(self, user: &str, password: &str) -> Result<Self, InvalidRequest> {
        let credentials = basic(user, password).ok_or(InvalidHeader::Value)?;
        self.header("Authorization", credentials)
    }

    /// Replaces the value of the Host header, for a server that is reached by another name than its
    /// own. Changes nothing about where to connect.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Header`] if it is not a host with an optional port.
    pub fn host(mut self, host: &str) -> Result<Self, InvalidRequest> {
        if Authority::parse(host.as_bytes()).is_none() {
            return Err(InvalidHeader::Value.into());
        }
        self.host = Some(host.into());
        Ok(self)
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The offered subprotocols, as a list.
    pub(super) fn subprotocols(&self) -> &str {
        &self.subprotocols
    }

    /// All of it in bytes.
    pub(super) fn encode(&self, key: &[u8; 24], extensions: Option<&str>) -> Vec<u8> {
        let target = self.uri.resource_name().as_bytes();
        let lines = self.lines(key, extensions);
        [b"GET ", target, b" HTTP/1.1\r\n", &lines, b"\r\n"].concat()
    }

    /// The header lines of it.
    pub(super) fn lines(&self, key: &[u8; 24], extensions: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.headers.len());
        let host = match &self.host {
            Some(host) => host.clone().into(),
            None => self.uri.authority(),
        };
        let mut push =
            |parts: [&[u8]; 3]| parts.iter().for_each(|part| bytes.extend_from_slice(part));
        push([b"Host: ", host.as_bytes(), b"\r\n"]);
        push([b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b""]);
        push([b"Sec-WebSocket-Key: ", key, b"\r\n"]);
        push([b"Sec-WebSocket-Version: ", b"13", b"\r\n"]);
        if !self.subprotocols.is_empty() {
            push([
                b"Sec-WebSocket-Protocol: ",
                self.subprotocols.as_bytes(),
                b"\r\n",
            ]);
        }
        if let Some(offer) = extensions {
            push([b"Sec-WebSocket-Extensions: ", offer.as_bytes(), b"\r\n"]);
        }
        if !self.cookies.is_empty() {
            push([b"Cookie: ", self.cookies.as_bytes(), b"\r\n"]);
        }
        push([&self.headers, b"", b""]);
        bytes
    }

    fn has_header(&self, name: &str) -> bool {
        let mut lines = self.headers.split_inclusive(|&byte| byte == b'\n');
        lines.any(|line| is_field(line, name))
    }

    /// Takes every field of this name out of what [`header`](Self::header) has added.
    pub(super) fn remove_headers(&mut self, name: &str) {
        let lines = self.headers.split_inclusive(|&byte| byte == b'\n');
        let others = lines.filter(|line| !is_field(line, name));
        self.headers = others.flatten().copied().collect();
    }
}

/// Whether a line is a field of this name, in any letter case.
fn is_field(line: &[u8], name: &str) -> bool {
    let field = line.split(|&byte| byte == b':').next();
    field.is_some_and(|field| field.eq_ignore_ascii_case(name.as_bytes()))
}

impl From<Uri> for Request {
    fn from(uri: Uri) -> Self {
        Self {
            uri,
            host: None,
            subprotocols: String::new(),
            cookies: String::new(),
            headers: Vec::new(),
        }
    }
}

impl fmt::Debug for Request {
    /// Without query, cookies, headers and subprotocols: all of them are used for secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// The application asked for what can't be requested. Nothing was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The URI is none.
    #[error(transparent)]
    Uri(#[from] InvalidUri),
    /// A header must not be sent.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// The name of a subprotocol is not a token (RFC 6455 section 4.1).
    #[error("subprotocol that is not a token")]
    Subprotocol,
    /// A subprotocol is offered twice (RFC 6455 section 4.1).
    #[error("subprotocol that was offered before")]
    RepeatedSubprotocol,
    /// The method of a request of the crate `http` is not GET (RFC 6455 section 4.1).
    #[cfg(feature = "http")]
    #[error("method other than GET")]
    Method,
}
