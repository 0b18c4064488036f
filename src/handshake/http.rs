//! The opening handshake in the types of the crate [`http`](::http), for frameworks that speak
//! HTTP/1.1 themselves: hyper, axum and their like.
//!
//! The framework reads and writes HTTP. What the request and the response *mean* is decided here, by
//! the same checks, in the same order and with the same errors as in [`server`](crate::server) and
//! [`client`](crate::client). What comes of it is a [`Connection`](crate::Connection), for the
//! transport that the framework hands over when it has written, or read, the 101. Its first bytes
//! are frames: begin with an empty [`RecvBuf`](crate::RecvBuf).
//!
//! # Servers
//!
//! [`server::Request::from_http`](crate::server::Request::from_http) checks a request,
//! [`upgrade_http`](crate::server::Request::upgrade_http) accepts it. A refusal, which is a
//! [`server::HandshakeError`](crate::server::HandshakeError), becomes a response by `into`.
//!
//! ```
//! use bytes::Bytes;
//! use framewire::Connection;
//! use framewire::server::{Config, HandshakeError, Request};
//!
//! /// The response to write, and what to go on with behind a 101.
//! fn answer<B>(
//!     request: &http::Request<B>,
//!     config: &Config,
//! ) -> (http::Response<Bytes>, Option<Connection>) {
//!     match Request::from_http(request, config) {
//!         Ok(mut request) => {
//!             request.choose_subprotocol(&["chat.v2", "chat.v1"]);
//!             let (response, connection) = request.upgrade_http();
//!             (response.map(|()| Bytes::new()), Some(connection))
//!         }
//!         Err(HandshakeError::MissingUpgrade) => {
//!             (http::Response::new("this is where the WebSocket is\n".into()), None)
//!         }
//!         Err(error) => (error.into(), None),
//!     }
//! }
//! # let request = http::Request::get("/chat").header("host", "h");
//! # let request = request.header("upgrade", "websocket").header("connection", "upgrade");
//! # let (response, connection) = answer(&request.body(())?, &Config::new());
//! # assert_eq!((response.status().as_u16(), connection.is_some()), (426, false));
//! # let request = http::Request::get("/chat").header("host", "h").body(())?;
//! # let (response, connection) = answer(&request, &Config::new());
//! # assert_eq!((response.status().as_u16(), connection.is_some()), (200, false));
//! # let request = http::Request::get("/chat").header("host", "h");
//! # let request = request.header("upgrade", "websocket").header("connection", "upgrade");
//! # let request = request.header("sec-websocket-version", "13");
//! # let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(())?;
//! # let (response, connection) = answer(&request, &Config::new());
//! # assert_eq!((response.status().as_u16(), connection.is_some()), (101, true));
//! # Ok::<(), http::Error>(())
//! ```
//!
//! With hyper 1, serve with `serve_connection(..).with_upgrades()`. The transport comes of the
//! request, after the response has been written:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use framewire::tokio::{Parts, WebSocket};
//! use framewire::{RecvBuf, server};
//! use http_body_util::Full;
//! use hyper::{Request, Response, body::Incoming, upgrade::Upgraded};
//! use hyper_util::rt::TokioIo;
//!
//! async fn handle(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let upgrade = match server::Request::from_http(&request, &server::Config::new()) {
//!         Ok(upgrade) => upgrade,
//!         Err(error) => return Ok(Response::from(error).map(Full::new)),
//!     };
//!     let (response, connection) = upgrade.upgrade_http();
//!     tokio::spawn(async move {
//!         if let Ok(upgraded) = hyper::upgrade::on(&mut request).await {
//!             let stream = TokioIo::new(upgraded);
//!             talk(WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()))).await;
//!         }
//!     });
//!     Ok(response.map(|()| Full::default()))
//! }
//!
//! async fn talk(ws: WebSocket<TokioIo<Upgraded>>) {
//!     // ...
//! #   drop(ws);
//! }
//! # let _ = hyper::service::service_fn(handle);
//! ```
//!
//! With axum 0.8 an extractor has the parts of the request, and the transport is among its extensions:
//!
//! ```
//! use axum::{body::Body, extract::FromRequestParts, response::IntoResponse, response::Response};
//! use framewire::server;
//! use http::{StatusCode, request::Parts};
//! use hyper::upgrade::OnUpgrade;
//!
//! struct WebSocketUpgrade {
//!     request: server::Request,
//!     transport: OnUpgrade,
//! }
//!
//! impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
//!     type Rejection = Response;
//!
//!     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
//!         let request = server::Request::from_http(parts, &server::Config::new())
//!             .map_err(|error| Response::from(error).map(Body::from))?;
//!         let transport = parts.extensions.remove();
//!         let transport = transport.ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
//!         Ok(Self { request, transport })
//!     }
//! }
//! ```
//!
//! Both are complete, as servers, in `examples/hyper_upgrade.rs` and `examples/axum_upgrade.rs`.
//!
//! # Clients
//!
//! [`client::HttpHandshake`](crate::client::HttpHandshake) gives the request to send, and checks the
//! response to it. [`client::Request::from_http`](crate::client::Request::from_http) takes a request
//! that was built with the crate `http`, for either kind of handshake.

use ::http::{
    Error, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts,
};

use super::{head::Headers, header::is_reserved};

/// A request but for its body: a [`Request`] with any body, or the [`Parts`] of one. A framework with
/// types of its own can implement it for them.
pub trait RequestHead {
    /// The method.
    fn method(&self) -> &Method;
    /// The target: in origin form or in absolute form in a request that a server has received.
    fn uri(&self) -> &Uri;
    /// The version of HTTP.
    fn version(&self) -> Version;
    /// The headers.
    fn headers(&self) -> &HeaderMap;
}

impl<B> RequestHead for Request<B> {
    fn method(&self) -> &Method {
        self.method()
    }

    fn uri(&self) -> &Uri {
        self.uri()
    }

    fn version(&self) -> Version {
        self.version()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

impl RequestHead for Parts {
    fn method(&self) -> &Method {
        &self.method
    }

    fn uri(&self) -> &Uri {
        &self.uri
    }

    fn version(&self) -> Version {
        self.version
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl TryFrom<Headers<'_>> for HeaderMap {
    type Error = Error;

    /// Copies the headers. Values are marked as [sensitive](HeaderValue::is_sensitive), so that logs
    /// do not show them, but for those that belong to the handshake itself.
    ///
    /// # Errors
    ///
    /// If a name is longer than 65535 bytes, or if there are more than some 24 000 different ones.
    fn try_from(headers: Headers<'_>) -> Result<Self, Error> {
        let mut map = Self::new();
        for (name, value) in headers {
            // A list of subprotocols may have a token of the user in it.
            let is_plain =
                is_reserved(name) && !name.eq_ignore_ascii_case("sec-websocket-protocol");
            let mut value = HeaderValue::from_bytes(value)?;
            value.set_sensitive(!is_plain);
            map.try_append(HeaderName::from_bytes(name.as_bytes())?, value)?;
        }
        Ok(map)
    }
}

/// Header lines of ours, which were checked when they were made.
pub(super) fn header_map(lines: &[u8]) -> HeaderMap {
    HeaderMap::try_from(Headers::checked(lines))
        .expect("names and values are valid, and no more than the documentation allows")
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;
    use crate::handshake::header::{push_field, token};

    #[test]
    fn names_and_values_are_valid_in_both_worlds_or_in_neither() {
        for byte in 0..=255 {
            let ours = token(&[byte]).is_some();
            assert_eq!(HeaderName::from_bytes(&[byte]).is_ok(), ours, "{byte:#04x}");
            let ours = push_field(&mut Vec::new(), "x", &[byte]).is_ok();
            assert_eq!(
                HeaderValue::from_bytes(&[byte]).is_ok(),
                ours,
                "{byte:#04x}"
            );
        }
    }

    #[test]
    fn values_of_the_application_are_sensitive() {
        let map =
            header_map(b"Upgrade: websocket\r\nA:  b \r\nsec-websocket-protocol: c\r\na: d\r\n");
        assert_eq!(
            format!("{map:?}"),
            r#"{"upgrade": "websocket", "a": Sensitive, "a": Sensitive, "sec-websocket-protocol": Sensitive}"#
        );
        let values: Vec<_> = map.get_all("a").iter().collect();
        assert_eq!(values, ["b", "d"]);
    }
}
