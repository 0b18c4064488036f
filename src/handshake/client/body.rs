//! The body of a refusal (RFC 9112 section 6): read as far as it is worth it.

use alloc::vec::Vec;
use core::fmt;

use super::Headers;
use crate::handshake::header::{elements, values};

/// A body that arrives.
pub(super) struct Body {
    rest: Rest,
    kept: Vec<u8>,
    /// How many more bytes are looked at.
    room: usize,
}

/// What is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    None,
    /// As many bytes.
    Bytes(u64),
    /// Everything up to the end of the transport.
    UntilEof,
    /// A chunk, from its size on (RFC 9112 section 7.1): its size so far, if there is a digit of it.
    ChunkSize(Option<u64>),
    /// What else is in the line of a chunk of this size.
    ChunkLine(u64),
    /// As many bytes of a chunk.
    Chunk(u64),
    /// The line break behind a chunk.
    ChunkEnd,
}

impl Body {
    /// The body of a response with this status and these headers, to a GET request.
    pub(super) fn new(status: u16, headers: Headers<'_>, max: usize) -> Self {
        let coding = values(headers.clone(), "transfer-encoding").flat_map(elements);
        let rest = match coding.last() {
            _ if matches!(status, 204 | 304) => Rest::None,
            Some(last) if last.eq_ignore_ascii_case(b"chunked") => Rest::ChunkSize(None),
            // "the message body length is determined by reading the connection until it is closed"
            Some(_) => Rest::UntilEof,
            None => length(headers).map_or(Rest::UntilEof, Rest::Bytes),
        };
        Self {
            rest,
            kept: Vec::new(),
            room: max,
        }
    }

    /// Whether all of it is there, or all that will be looked at.
    pub(super) fn is_complete(&self) -> bool {
        self.room == 0 || matches!(self.rest, Rest::None | Rest::Bytes(0))
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self) {
        self.rest = Rest::None;
    }

    pub(super) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// Takes what has arrived. Each byte is looked at once.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_complete() {
            let run = match self.rest {
                Rest::Bytes(left) | Rest::Chunk(left) => {
                    usize::try_from(left).unwrap_or(usize::MAX)
                }
                Rest::UntilEof => usize::MAX,
                Rest::None | Rest::ChunkSize(_) | Rest::ChunkLine(_) | Rest::ChunkEnd => 1,
            };
            let (now, later) = bytes.split_at(run.min(self.room).min(bytes.len()));
            self.rest = self.step(now);
            self.room -= now.len();
            bytes = later;
        }
    }

    /// What is still to come behind `bytes`, which are one byte or belong to the content.
    fn step(&mut self, bytes: &[u8]) -> Rest {
        let byte = bytes.first().copied().unwrap_or_default();
        let len = bytes.len() as u64;
        match (self.rest, byte) {
            (Rest::Bytes(left), _) => {
                self.kept.extend_from_slice(bytes);
                Rest::Bytes(left - len)
            }
            (Rest::UntilEof, _) => {
                self.kept.extend_from_slice(bytes);
                Rest::UntilEof
            }
            (Rest::Chunk(left), _) => {
                self.kept.extend_from_slice(bytes);
                if left == len {
                    Rest::ChunkEnd
                } else {
                    Rest::Chunk(left - len)
                }
            }
            (Rest::ChunkEnd, b'\r') => Rest::ChunkEnd,
            (Rest::ChunkEnd, b'\n') => Rest::ChunkSize(None),
            (Rest::ChunkSize(Some(size)), b'\r' | b';' | b' ' | b'\t') => Rest::ChunkLine(size),
            (Rest::ChunkSize(size), digit) => match char::from(digit).to_digit(16) {
                // A chunk that is larger than this does not end here.
                Some(digit) => {
                    let size = size.unwrap_or_default().saturating_mul(16);
                    Rest::ChunkSize(Some(size.saturating_add(digit.into())))
                }
                None => Rest::None,
            },
            (Rest::ChunkLine(0), b'\n') => Rest::None,
            (Rest::ChunkLine(size), b'\n') => Rest::Chunk(size),
            (Rest::ChunkLine(size), _) => Rest::ChunkLine(size),
            (Rest::None | Rest::ChunkEnd, _) => Rest::None,
        }
    }
}

impl fmt::Debug for Body {
    /// Without what was kept, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("rest", &self.rest)
            .field("kept", &self.kept.len())
            .field("room", &self.room)
            .finish()
    }
}

/// The Content-Length. It may be repeated if it is always the same.
fn length(headers: Headers<'_>) -> Option<u64> {
    let mut lengths = values(headers, "content-length")
        .flat_map(elements)
        .map(parse_length);
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let are_digits = value.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(value)
        .ok()
        .filter(|_| are_digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of a body, byte by byte and at once, and whether it is complete.
    fn read(status: u16, headers: &str, body: &str, max: usize) -> (alloc::string::String, bool) {
        let lines = alloc::format!("{headers}\r\n");
        let headers = || Headers::checked(lines.as_bytes());
        let mut whole = Body::new(status, headers(), max);
        whole.push(body.as_bytes());
        let mut single = Body::new(status, headers(), max);
        for byte in body.as_bytes().chunks(1) {
            single.push(byte);
        }
        assert_eq!(whole.is_complete(), single.is_complete());
        assert_eq!(whole.kept, single.kept);
        let complete = whole.is_complete();
        (
            core::str::from_utf8(&whole.into_kept())
                .expect("ASCII")
                .into(),
            complete,
        )
    }

    // req: HC-29
    #[test]
    fn bodies_end_where_their_headers_say() {
        let chunked = "Transfer-Encoding: chunked\r\n";
        for (status, headers, body, kept, complete) in [
            (403, "", "", "", false),
            (403, "", "abc", "abc", false),
            (403, "Content-Length: 0\r\n", "", "", true),
            (403, "Content-Length: 3\r\n", "ab", "ab", false),
            (403, "Content-Length: 3\r\n", "abcd", "abc", true),
            (403, "Content-Length: x\r\n", "abcd", "abcd", false),
            (403, "Content-Length: +3\r\n", "abcd", "abcd", false),
            (
                403,
                "Content-Length: 1\r\nContent-Length: 1\r\n",
                "abcd",
                "a",
                true,
            ),
            (
                403,
                "Content-Length: 1\r\nContent-Length: 2\r\n",
                "abcd",
                "abcd",
                false,
            ),
            (
                403,
                "Transfer-Encoding: chunked, gzip\r\n",
                "3\r\nabc",
                "3\r\nabc",
                false,
            ),
            (
                403,
                "Content-Length: 99999999999999999999\r\n",
                "abc",
                "abc",
                false,
            ),
            (204, "Content-Length: 3\r\n", "abc", "", true),
            (304, "", "abc", "", true),
            (403, chunked, "3\r\nabc\r\n", "abc", false),
            (
                403,
                chunked,
                "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                "abcde",
                true,
            ),
            (
                403,
                chunked,
                "00A \r\n0123456789\r\n0;\r\nTrailer: x\r\n\r\n",
                "0123456789",
                true,
            ),
            (403, chunked, "3\r\nabc\r\nx\r\n", "abc", true),
            (403, chunked, "3\r\nabcd", "abc", true),
            (403, chunked, "\r\n", "", true),
            (403, chunked, "fffffffffffffffff0\r\nabc", "abc", false),
        ] {
            let seen = read(status, headers, body, 100);
            assert_eq!(seen, (kept.into(), complete), "{headers:?} {body:?}");
        }
    }

    // req: HC-29
    #[test]
    fn bodies_are_kept_up_to_the_limit() {
        assert_eq!(read(403, "", "abcdef", 4), ("abcd".into(), true));
        assert_eq!(
            read(403, "Content-Length: 6\r\n", "abcdef", 4),
            ("abcd".into(), true)
        );
        assert_eq!(
            read(403, "Content-Length: 6\r\n", "abcdef", 6),
            ("abcdef".into(), true)
        );
        assert_eq!(read(403, "", "a", 0), ("".into(), true));
        let chunks = "1\r\na\r\n".repeat(100);
        let (kept, complete) = read(403, "Transfer-Encoding: chunked\r\n", &chunks, 60);
        assert_eq!(
            (kept.len(), complete),
            (10, true),
            "what is around the chunks counts"
        );
        let endless = alloc::format!("1;{}", "x".repeat(1000));
        let (kept, complete) = read(403, "Transfer-Encoding: chunked\r\n", &endless, 60);
        assert_eq!((kept.len(), complete), (0, true));
    }
}
