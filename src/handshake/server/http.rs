//! Requests and answers in the types of the crate `http`: what [`crate::http`] promises to servers.

use alloc::{string::ToString as _, vec::Vec};

use ::http::{HeaderValue, Method, StatusCode, Version, header::CONNECTION};
use bytes::Bytes;

use super::{HandshakeError, Head, Headers, Request, Response, check::Wish, read};
use crate::{
    Connection, SendBuf,
    handshake::{
        head::Places,
        http::{RequestHead, header_map},
        http1::RequestLine,
    },
};

impl Request {
    /// Checks a request that a framework has received: a request of the crate `http` with any body,
    /// or the parts of one.
    ///
    /// The checks, their order and their errors are those of
    /// [`Handshake::receive`](super::Handshake::receive). How large a head may be, and how long it may
    /// take to come, is up to the framework: those limits of the configuration have no effect.
    ///
    /// The [`Head`] says what the framework says: names of headers are in lower case, headers of one
    /// name stand together, and a router may have changed the URI.
    ///
    /// # Errors
    ///
    /// Answer with what the error becomes by `into`, which is a response.
    ///
    /// [`HandshakeError::MissingUpgrade`] also for a request that asks for no WebSocket at all: answer
    /// with something else if there is something to show. [`HandshakeError::UnsupportedHttpVersion`]
    /// for HTTP/2 and HTTP/3, whose handshake is another one (RFC 8441).
    ///
    /// # Cost
    ///
    /// The head is copied once.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::server::{Config, HandshakeError, Request};
    ///
    /// let request = http::Request::get("/chat").header("Host", "example.com").body(())?;
    /// let error = Request::from_http(&request, &Config::new()).expect_err("it asks for a page");
    /// assert_eq!(error, HandshakeError::MissingUpgrade);
    ///
    /// let (mut parts, ()) = request.into_parts();
    /// for (name, value) in [
    ///     ("upgrade", "websocket"),
    ///     ("connection", "Upgrade"),
    ///     ("sec-websocket-version", "13"),
    ///     ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    /// ] {
    ///     parts.headers.insert(name, http::HeaderValue::from_static(value));
    /// }
    /// let request = Request::from_http(&parts, &Config::new())?;
    /// assert_eq!((request.path(), request.host()), ("/chat", "example.com"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_http(
        request: &impl RequestHead,
        config: &super::Config,
    ) -> Result<Self, HandshakeError> {
        use HandshakeError as E;

        let target = request.uri().to_string();
        // An `Uri` may have UTF-8 in its path and query, a request line may not.
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(E::InvalidRequestLine);
        }
        if request.version() != Version::HTTP_11 {
            return Err(E::UnsupportedHttpVersion);
        }
        if request.method() != Method::GET {
            return Err(E::MethodNotAllowed);
        }
        let mut bytes = [b"GET ", target.as_bytes(), b" HTTP/1.1\r\n"].concat();
        let lines = bytes.len();
        for (name, value) in request.headers() {
            push(
                &mut bytes,
                [name.as_ref(), b": ", value.as_bytes(), b"\r\n"],
            );
        }
        push(&mut bytes, [b"\r\n"]);
        // Neither a name nor a value can have a line break in it, nor a name a colon.
        let headers = Headers::checked(bytes.get(lines..).unwrap_or_default());
        let (places, wish) = read(&target, headers, &config.origin)?;
        let Wish::WebSocket { accept } = wish else {
            return Err(E::MissingUpgrade);
        };
        let line = RequestLine {
            method: 0..3,
            target: 4..4 + target.len(),
            version: (1, 1),
        };
        let head = Head::new(bytes, Places::new(line, lines - 2, places));
        Ok(Self::new(head, accept, config.connection))
    }

    /// Accepts the request: the 101 with all its headers, for the framework to write, and the
    /// connection behind it, which has nothing to write yet.
    ///
    /// The connection may be used at once, but no byte of it may be written before the 101. Lend it
    /// an empty [`RecvBuf`](crate::RecvBuf): what the client has sent already comes out of the
    /// transport that the framework hands over.
    ///
    /// # Panics
    ///
    /// If the application has [added](Self::add_header) a header whose name is longer than 65535 bytes,
    /// or more than some 24 000 of different names.
    ///
    /// # Examples
    ///
    /// ```
    /// # let request = http::Request::get("/").header("host", "h").header("upgrade", "websocket");
    /// # let request = request.header("connection", "upgrade").header("sec-websocket-version", "13");
    /// # let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(())?;
    /// # let config = framewire::server::Config::new();
    /// # let request = framewire::server::Request::from_http(&request, &config)?;
    /// let (response, mut connection) = request.upgrade_http();
    /// assert_eq!(response.status(), 101);
    /// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// assert!(connection.send_buf().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn upgrade_http(self) -> (::http::Response<()>, Connection) {
        let mut response = ::http::Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = header_map(&self.switching());
        (response, self.open(SendBuf::new()))
    }
}

impl From<Response> for ::http::Response<Bytes> {
    /// The status, the headers, those that go with 426, and the body if the status allows one.
    ///
    /// `Content-Length` and `Connection: close` are not among them: where a message ends, and what
    /// becomes of the transport, is up to the framework.
    ///
    /// # Panics
    ///
    /// If there is a header whose name is longer than 65535 bytes, or more than some 24 000 of
    /// different names.
    fn from(response: Response) -> Self {
        let upgrade = response.upgrade_lines();
        let mut headers = header_map(&[&response.headers, upgrade].concat());
        if !upgrade.is_empty() {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        let status = StatusCode::from_u16(response.status).expect("it is from 200 to 599");
        let body = if response.has_body() {
            response.body
        } else {
            Bytes::new()
        };
        let mut response = Self::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<HandshakeError> for ::http::Response<Bytes> {
    /// The answer to a request that is refused: as a [`Response`], and that one in the types of the
    /// crate `http`.
    fn from(error: HandshakeError) -> Self {
        Response::from(error).into()
    }
}

fn push<const N: usize>(bytes: &mut Vec<u8>, parts: [&[u8]; N]) {
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
}
