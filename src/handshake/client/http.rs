//! Requests and answers in the types of the crate `http`: what [`crate::http`] promises to clients.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, str};

use ::http::{Error, HeaderMap, Method, StatusCode, Version, header};
use bytes::Bytes;

use super::{
    Config, HandshakeError, InvalidHeader, InvalidRequest, Request, Response,
    check::{Asked, check},
};
use crate::{
    Connection, Role, SendBuf,
    deflate::negotiate,
    handshake::{
        head::Headers,
        header::{Key, elements, encode_key},
        http::RequestHead,
    },
    rng::Rng,
};

impl Request {
    /// Takes a request that was built with the crate `http`: its URI, with the scheme `ws` or `wss`,
    /// and its headers. Whatever body and version it has, they are not looked at.
    ///
    /// Its Host is taken by [`host`](Self::host), the list in its Sec-WebSocket-Protocol by
    /// [`subprotocol`](Self::subprotocol), everything else by [`header`](Self::header).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::Method`] unless the method is GET, and what those methods and
    /// [`new`](Self::new) return: leave the other headers of the protocol out, the key as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::client::Request;
    ///
    /// let request = http::Request::get("wss://example.com/chat")
    ///     .header("Sec-WebSocket-Protocol", "chat.v2, chat.v1")
    ///     .body(())?;
    /// let expected = Request::new("wss://example.com/chat")?
    ///     .subprotocol("chat.v2")?
    ///     .subprotocol("chat.v1")?;
    /// assert_eq!(Request::from_http(&request)?, expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_http(request: &impl RequestHead) -> Result<Self, InvalidRequest> {
        if request.method() != Method::GET {
            return Err(InvalidRequest::Method);
        }
        let headers = request.headers();
        let mut wanted = Self::new(&request.uri().to_string())?;
        let mut hosts = headers.get_all(header::HOST).iter();
        if let Some(host) = hosts.next() {
            let host = str::from_utf8(host.as_bytes()).map_err(|_| InvalidHeader::Value)?;
            wanted = wanted.host(host)?;
        }
        if hosts.next().is_some() {
            return Err(InvalidHeader::Repeated.into());
        }
        for (name, value) in headers {
            if name == header::SEC_WEBSOCKET_PROTOCOL {
                for name in elements(value.as_bytes()) {
                    let name = str::from_utf8(name).map_err(|_| InvalidRequest::Subprotocol)?;
                    wanted = wanted.subprotocol(name)?;
                }
            } else if name != header::HOST {
                wanted = wanted.header(name.as_str(), value.as_bytes())?;
            }
        }
        if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) && wanted.subprotocols().is_empty()
        {
            // Present, and an empty list.
            return Err(InvalidRequest::Subprotocol);
        }
        Ok(wanted)
    }
}

/// An opening handshake over HTTP/1.1 that somebody else speaks: a [`Handshake`](super::Handshake)
/// without bytes.
///
/// Limits on the response, and the time-out, are up to whoever speaks HTTP; of the configuration
/// there remain [`connection`](Config::connection) and
/// [`require_subprotocol`](Config::require_subprotocol).
///
/// # Examples
///
/// ```
/// use framewire::Connection;
/// use framewire::client::{Config, HandshakeError, HttpHandshake, Request};
///
/// /// Asks by `send`, which leads to the server.
/// fn connect(
///     request: &Request,
///     send: impl FnOnce(http::Request<()>) -> http::Response<()>,
/// ) -> Result<Connection, Box<dyn std::error::Error>> {
///     let handshake = HttpHandshake::new(request, &Config::new())?;
///     let response = send(handshake.request());
///     Ok(handshake.receive(&response)?)
/// }
///
/// let request = Request::new("ws://example.com/chat")?;
/// let connected = connect(&request, |request| {
///     let config = framewire::server::Config::new();
///     let request = framewire::server::Request::from_http(&request, &config);
///     request.expect("a valid request").upgrade_http().0
/// });
/// assert!(connected.is_ok());
/// let refused = connect(&request, |_| http::Response::new(())).expect_err("200 is not 101");
/// assert_eq!(refused.downcast_ref(), Some(&HandshakeError::Refused(200)));
/// # Ok::<(), framewire::client::InvalidRequest>(())
/// ```
pub struct HttpHandshake {
    config: Config,
    subprotocols: String,
    /// The answer to the key.
    accept: [u8; 28],
    /// Goes over to the connection, which continues its sequence.
    rng: Rng,
    request: ::http::Request<()>,
}

impl HttpHandshake {
    /// Begins a handshake, with a fresh key.
    ///
    /// # Errors
    ///
    /// If the crate `http` can't express the request: its URIs have no `<` and no `>`, for instance.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give, which the key and masking need
    /// (RFC 6455 sections 4.1 and 10.3).
    pub fn new(request: &Request, config: &Config) -> Result<Self, Error> {
        Self::with_seed(request, config, crate::rng::system_seed())
    }

    /// Begins a handshake, with a given seed for its key and the masking keys of its connection.
    ///
    /// For tests. The seed must be random, secret and fresh: who knows it can choose what bytes appear
    /// on the wire (RFC 6455 section 10.3).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_seed(request: &Request, config: &Config, seed: [u8; 32]) -> Result<Self, Error> {
        let mut rng = Rng::from_seed(seed);
        let key = encode_key(rng.nonce());
        let offer = config.connection.deflate.as_ref().map(negotiate::offer);
        let lines = request.lines(&key, offer.as_deref());
        let mut message = ::http::Request::new(());
        *message.uri_mut() = request.uri().resource_name().parse().map_err(Error::from)?;
        *message.headers_mut() = HeaderMap::try_from(Headers::checked(&lines))?;
        Ok(Self {
            config: *config,
            subprotocols: request.subprotocols().into(),
            accept: Key::from(&key).accept(),
            rng,
            request: message,
        })
    }

    /// A copy of the request, to send once: with a Host header, and a URI of nothing but path and query, as
    /// hyper's `client::conn::http1` wants it.
    ///
    /// A client that opens the transport itself wants a whole URI of the scheme `http` or `https`:
    /// [`uri`](Request::uri) has its parts.
    #[must_use]
    pub fn request(&self) -> ::http::Request<()> {
        self.request.clone()
    }

    /// Checks the response, and makes the connection, which has nothing to write yet. Lend it an
    /// empty [`RecvBuf`](crate::RecvBuf): what the server has sent already comes out of the transport
    /// that is handed over.
    ///
    /// Responses before the final one are not for here.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Refused`] with the status unless it is 101: why is in the response. The other
    /// errors mean that the answer is against the rules: drop the transport.
    pub fn receive<B>(self, response: &::http::Response<B>) -> Result<Connection, HandshakeError> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(HandshakeError::Refused(response.status().as_u16()));
        }
        if response.version() != Version::HTTP_11 {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        let headers = response.headers().iter();
        let headers: Vec<_> = headers.map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let asked = Asked::new(&self.accept, &self.subprotocols, &self.config);
        let (subprotocol, deflate) = check(headers.iter().copied(), asked)?;
        Ok(Connection::opened(
            Role::Client,
            self.config.connection,
            Some(self.rng),
            SendBuf::new(),
            subprotocol,
            deflate,
        ))
    }
}

impl fmt::Debug for HttpHandshake {
    /// Without the request, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHandshake").finish_non_exhaustive()
    }
}

impl TryFrom<Response> for ::http::Response<Bytes> {
    type Error = Error;

    /// The status, the headers as a [`HeaderMap`] has them, and the body.
    ///
    /// # Errors
    ///
    /// As of the headers. The default limits on a response do not let such ones through.
    fn try_from(response: Response) -> Result<Self, Error> {
        let mut message = Self::new(Bytes::new());
        *message.status_mut() = StatusCode::from_u16(response.status())?;
        *message.headers_mut() = HeaderMap::try_from(response.headers())?;
        Ok(message.map(|_| response.into_body().into()))
    }
}
