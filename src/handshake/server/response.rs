//! Answers other than 101: complete HTTP/1.1 responses, after which the transport is closed.

use alloc::{format, vec::Vec};
use core::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::{HandshakeError, InvalidHeader};
use crate::{SendBuf, handshake::header::push_field};

/// An HTTP answer to a request that is not upgraded: a redirect, a refusal, a health check, a page.
///
/// What is sent is always complete: the status, the given headers, `Content-Length`,
/// `Connection: close` and the body. There is no Date, for want of a clock. With the status 426 go the
/// headers that say to what to upgrade (RFC 6455 section 4.4).
///
/// # Examples
///
/// ```
/// use framewire::server::Response;
///
/// let login = Response::new(401)?
///     .header("WWW-Authenticate", "Bearer")?
///     .header("Content-Type", "text/plain")?
///     .body("who are you?\n");
/// assert!(login.clone().header("Set-Cookie", "a\r\nb").is_err()); // no second header smuggled in
/// assert!(login.header("Connection", "keep-alive").is_err()); // that one is ours
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub(super) status: u16,
    /// Whole lines.
    pub(super) headers: Vec<u8>,
    pub(super) body: Bytes,
}

impl Response {
    /// An answer without headers and body.
    ///
    /// # Errors
    ///
    /// [`InvalidStatus`] unless `status` is from 200 to 599: those below are no final answers.
    pub fn new(status: u16) -> Result<Self, InvalidStatus> {
        if (200..=599).contains(&status) {
            Ok(Self::with_status(status))
        } else {
            Err(InvalidStatus(status))
        }
    }

    fn with_status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header. Adding the same name again adds another field, as `Set-Cookie` needs it.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token, if the value has a line break or another control
    /// character in it, or if the header is one of those that only this library may write.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, InvalidHeader> {
        push_field(&mut self.headers, name, value.as_ref())?;
        Ok(self)
    }

    /// Sets the body. Say in a header what it is.
    ///
    /// Answers with the status 204, 205 or 304 have no body (RFC 9110 section 6.4.1): it is not sent.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The header lines that say to what to upgrade; empty unless the status is 426
    /// (RFC 6455 section 4.4, RFC 9110 section 15.5.22). `Upgrade` in Connection goes with them.
    pub(super) fn upgrade_lines(&self) -> &'static [u8] {
        match self.status {
            426 => b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => b"",
        }
    }

    /// Whether the status allows a body (RFC 9110 section 6.4.1).
    pub(super) fn has_body(&self) -> bool {
        !matches!(self.status, 204 | 205 | 304)
    }

    /// Queues all of it; without its body if it answers a HEAD request.
    pub(super) fn queue(self, tx: &mut SendBuf, to_head: bool) {
        let (status, reason) = (self.status, reason(self.status));
        let upgrade = self.upgrade_lines();
        let connection = if upgrade.is_empty() {
            "Connection: close\r\n"
        } else {
            "Connection: Upgrade, close\r\n"
        };
        let length = match status {
            // "A server MUST NOT send a Content-Length header field in any response with a status
            // code of 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6); with 304 it
            // would be that of another answer.
            204 | 304 => None,
            205 => Some(0),
            _ => Some(self.body.len()),
        };
        tx.push_bytes(format!("HTTP/1.1 {status} {reason}\r\n").as_bytes());
        tx.push_bytes(&self.headers);
        if let Some(length) = length {
            tx.push_bytes(format!("Content-Length: {length}\r\n").as_bytes());
        }
        tx.push_bytes(upgrade);
        tx.push_bytes(connection.as_bytes());
        tx.push_bytes(b"\r\n");
        if self.has_body() && !to_head {
            tx.push_encoded(&self.body);
        }
    }
}

impl From<HandshakeError> for Response {
    /// The answer to a request that is refused: the status and the message of the error, as
    /// [`Handshake`](super::Handshake) queues it.
    fn from(error: HandshakeError) -> Self {
        let mut response = Self::with_status(error.status()).body(format!("{error}\n"));
        response
            .headers
            .extend_from_slice(b"Content-Type: text/plain\r\n");
        if error == HandshakeError::MethodNotAllowed {
            response.headers.extend_from_slice(b"Allow: GET\r\n");
        }
        response
    }
}

impl fmt::Debug for Response {
    /// Without headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The reason phrase of RFC 9110 section 15. It may be empty, and has no meaning but for readers.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The status is none of a final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("status {0} is not from 200 to 599")]
#[non_exhaustive]
pub struct InvalidStatus(pub u16);
