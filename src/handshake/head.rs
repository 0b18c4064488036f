//! The head of a message, kept as it came: one piece of storage and places in it.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, ops::Range, str};

use httparse::{EMPTY_HEADER, Status, parse_headers};

use super::{
    header::trim,
    http1::{RequestLine, Target},
};

/// The head of a request: what to route, authenticate and log by.
///
/// It owns the bytes as they came, in one allocation; everything else is a place in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// From the first line to the empty line behind the headers.
    bytes: Box<[u8]>,
    places: Places,
}

/// Where the parts of a head lie. All are ranges of ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    method: Range<usize>,
    target: Range<usize>,
    authority: Option<Range<usize>>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    /// Where the header lines begin.
    headers: usize,
}

impl Places {
    /// `target` is that of `line`, whose length without its end is `line_len`.
    pub(super) fn new(line: RequestLine, line_len: usize, target: Target) -> Self {
        let start = line.target.start;
        let shift = |range: Range<usize>| start + range.start..start + range.end;
        Self {
            method: line.method,
            target: line.target,
            authority: target.authority.map(shift),
            path: shift(target.path),
            query: target.query.map(shift),
            headers: line_len + 2,
        }
    }
}

impl Head {
    /// `bytes` have been checked, and `places` are in them.
    pub(super) fn new(bytes: impl Into<Box<[u8]>>, places: Places) -> Self {
        Self {
            bytes: bytes.into(),
            places,
        }
    }

    /// The method: `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.text(&self.places.method)
    }

    /// The target as it came. Printable ASCII, not decoded.
    #[must_use]
    pub fn target(&self) -> &str {
        self.text(&self.places.target)
    }

    /// The path of the target, without the query: begins with a slash and is not decoded. The same
    /// for the target `/chat` and for `http://example.com/chat`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.text(&self.places.path) {
            "" => "/",
            path => path,
        }
    }

    /// What follows the question mark of the target, not decoded. `None` if there is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.places.query.as_ref().map(|range| self.text(range))
    }

    /// Host and perhaps port that the client wants to speak to: the Host header or, if the target is
    /// a whole URI, the host in that (RFC 9112 section 3.2.2).
    ///
    /// Chosen by the client: do not build links of it.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = || str::from_utf8(self.header("host")?).ok();
        match &self.places.authority {
            Some(range) => self.text(range),
            None => host().expect("a request without a valid Host is refused"),
        }
    }

    /// The Origin header as it came: the web site that a browser connects for. `None` if there is no
    /// such header, which is different from an empty one.
    ///
    /// Compared already as the [`OriginPolicy`](super::server::OriginPolicy) wants it, if the
    /// request asks for a WebSocket.
    #[must_use]
    pub fn origin(&self) -> Option<&[u8]> {
        self.header("origin")
    }

    /// The value of the first header of this name, in any letter case. `None` if there is none.
    ///
    /// For a header that may be repeated, [look at all of them](Self::headers).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().first(name)
    }

    /// All headers in order, repeated ones apart.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::checked(self.bytes.get(self.places.headers..).unwrap_or_default())
    }

    fn text(&self, range: &Range<usize>) -> &str {
        let bytes = self.bytes.get(range.clone()).expect("a place in the head");
        str::from_utf8(bytes).expect("the request line is ASCII")
    }
}

impl fmt::Debug for Head {
    /// Without query and headers: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// The headers of a request or a response in order, as pairs of name and value.
///
/// A name is in the letter case it came in. A value has no whitespace around it and no control
/// character but tabs in it, and need not be UTF-8.
#[derive(Clone)]
pub struct Headers<'a> {
    /// Valid lines, each with its end, and an empty one.
    lines: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Lines that [`Self::parse`] has checked before.
    pub(super) fn checked(lines: &'a [u8]) -> Self {
        Self { lines }
    }

    /// The value of the first field of this name, in any letter case.
    pub(super) fn first(mut self, name: &str) -> Option<&'a [u8]> {
        self.find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Checks the grammar of `count` header lines, each with its end, and of the empty line behind
    /// them (RFC 9112 section 5).
    pub(super) fn parse(lines: &'a [u8], count: usize) -> Option<Self> {
        let mut few = [EMPTY_HEADER; 100];
        let mut many = Vec::new();
        let parsed = match few.get_mut(..count) {
            Some(few) => few,
            None => {
                many.resize(count, EMPTY_HEADER);
                &mut many[..]
            }
        };
        let Ok(Status::Complete((_, parsed))) = parse_headers(lines, parsed) else {
            return None;
        };
        let headers = Self { lines };
        debug_assert!(
            parsed.iter().map(|h| (h.name, h.value)).eq(headers.clone()),
            "both readings are the same"
        );
        Some(headers)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.lines.iter().position(|&byte| byte == b'\r')?;
        let (line, rest) = self.lines.split_at(end);
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at(colon);
        self.lines = rest.get(2..).unwrap_or_default();
        Some((str::from_utf8(name).ok()?, trim(value.get(1..)?)))
    }
}

impl core::iter::FusedIterator for Headers<'_> {}

impl fmt::Debug for Headers<'_> {
    /// Without values: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.clone().map(|(name, _)| name))
            .finish()
    }
}
