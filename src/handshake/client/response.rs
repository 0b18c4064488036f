//! What the server answered.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, str};

use super::Headers;
use crate::handshake::header::{elements, values};

/// A server's answer: the 101 that opened a connection, or a refusal.
///
/// It owns the bytes of the head as they came; everything else is a place in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    /// Valid header lines, and the empty one behind them.
    headers: Box<[u8]>,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, headers: &[u8]) -> Self {
        Self {
            status,
            headers: headers.into(),
            body: Vec::new(),
        }
    }

    pub(super) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// The status: 101 for a connection, anything but 1xx for a refusal. With 401 and 407, look at
    /// [`header`](Self::header) `WWW-Authenticate` or `Proxy-Authenticate`; with 3xx at
    /// [`Request::redirected`](super::Request::redirected). Nothing is followed or answered
    /// automatically.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first header of this name, in any letter case. `None` if there is none.
    ///
    /// For a header that may be repeated, such as `Set-Cookie`, [look at all of
    /// them](Self::headers).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().first(name)
    }

    /// All headers in order, repeated ones apart.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::checked(&self.headers)
    }

    /// The protocol versions that a refusal with 426 lists in Sec-WebSocket-Version, in one field or
    /// several (RFC 6455 section 4.4). What is no number from 0 to 255 is left out.
    pub fn versions(&self) -> impl Iterator<Item = u8> {
        values(self.headers(), "sec-websocket-version")
            .flat_map(elements)
            .filter(|version| version.iter().all(u8::is_ascii_digit))
            .filter_map(|version| str::from_utf8(version).ok()?.parse().ok())
    }

    /// The body of a refusal: what came of it before the end, the
    /// [limit](super::Config::max_body_size) or the deadline. Without the chunks that it may have
    /// come in, but with any other coding. Empty for a 101.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    #[cfg(feature = "http")]
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
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
