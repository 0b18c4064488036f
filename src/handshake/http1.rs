//! HTTP/1.1 in bytes (RFC 9112): where a head ends, and its first line.
//!
//! [`Scanner`] finds the end of a head that arrives in pieces. It is given each byte once, so that
//! neither its work nor its verdict depends on how the bytes were cut. Only when the head is
//! complete is it taken apart, once.

use core::ops::Range;

use super::{authority::Authority, header::is_token_char};

/// What a head may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// In bytes, from the first empty line before it to the empty line behind it.
    pub(super) head: usize,
    /// Of the target, the second word of the first line, in bytes.
    pub(super) target: usize,
    /// In lines.
    pub(super) headers: usize,
}

/// What is wrong with a head, as far as single bytes and sizes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    HeadTooLarge,
    TargetTooLong,
    TooManyHeaders,
    /// CR without LF, or LF without CR.
    BareLineBreak,
    ControlCharacter,
    /// A line that continues the one before it.
    FoldedHeader,
}

/// Finds the end of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner {
    /// How many bytes it has seen.
    seen: usize,
    /// Where the first line begins, behind empty ones.
    start: usize,
    /// Bytes of the target, and lines of headers, so far.
    target: usize,
    headers: usize,
    state: State,
}

/// What was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, or an empty line before the first one.
    Start,
    /// The CR of such an empty line.
    StartCr,
    /// A character of the first line: before, in or behind its second word.
    FirstWord,
    SecondWord,
    Rest,
    /// A character of a header line.
    Header,
    /// A CR at the end of a line.
    Cr,
    /// The LF behind it.
    Lf,
    /// The CR of the empty line behind the head.
    EndCr,
    /// All of it.
    End,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            seen: 0,
            start: 0,
            target: 0,
            headers: 0,
            state: State::Start,
        }
    }

    /// How many bytes it has seen; when the head is complete, where the next thing begins.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// The head behind empty lines: all of it if it is complete.
    pub(super) fn head(&self) -> Range<usize> {
        self.start..self.seen
    }

    /// How many header lines have begun.
    pub(super) fn headers(&self) -> usize {
        self.headers
    }

    /// Looks at bytes it has not seen yet, as many as belong to the head. Tells whether the head is
    /// complete.
    ///
    /// What is wrong is told at the first byte that makes it so: `seen` ends with it.
    pub(super) fn scan(&mut self, mut unseen: &[u8], limits: &Limits) -> Result<bool, HeadError> {
        while let Some((&byte, rest)) = unseen.split_first()
            && self.state != State::End
        {
            let room = limits.head - self.seen;
            if room == 0 {
                return Err(HeadError::HeadTooLarge);
            }
            if self.state == State::Header {
                // Nearly all of a head.
                let n = visible_len(unseen).min(room);
                if n > 0 {
                    self.seen += n;
                    (_, unseen) = unseen.split_at(n);
                    continue;
                }
            }
            self.seen += 1;
            self.state = self.step(byte, limits)?;
            unseen = rest;
        }
        Ok(self.state == State::End)
    }

    fn step(&mut self, byte: u8, limits: &Limits) -> Result<State, HeadError> {
        let next = match (self.state, byte) {
            (State::Start, b'\r') => State::StartCr,
            (State::StartCr, b'\n') => {
                self.start = self.seen;
                State::Start
            }
            (State::FirstWord | State::SecondWord | State::Rest | State::Header, b'\r') => {
                State::Cr
            }
            (State::Cr, b'\n') => State::Lf,
            (State::Lf, b'\r') => State::EndCr,
            (State::EndCr, b'\n') => State::End,
            (_, b'\r' | b'\n') | (State::StartCr | State::Cr | State::EndCr, _) => {
                return Err(HeadError::BareLineBreak);
            }
            (_, 0..=0x08 | 0x0b..=0x1f | 0x7f) => return Err(HeadError::ControlCharacter),

            (State::FirstWord, b' ') => State::SecondWord,
            (State::SecondWord, b' ') => State::Rest,
            (State::SecondWord, _) => {
                self.target += 1;
                if self.target > limits.target {
                    return Err(HeadError::TargetTooLong);
                }
                State::SecondWord
            }
            (State::Start | State::FirstWord, _) => State::FirstWord,
            (State::Rest, _) => State::Rest,

            (State::Lf, b' ' | b'\t') => return Err(HeadError::FoldedHeader),
            (State::Lf, _) => {
                self.headers += 1;
                if self.headers > limits.headers {
                    return Err(HeadError::TooManyHeaders);
                }
                State::Header
            }
            (State::Header, _) => State::Header,
            (State::End, _) => State::End,
        };
        Ok(next)
    }
}

/// How many bytes there are before the first control character, which is all that matters within a header line.
fn visible_len(bytes: &[u8]) -> usize {
    let is_visible = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
    let (chunks, rest) = bytes.as_chunks::<16>();
    // Without a branch for each byte, compilers make vectors of it.
    let all_visible = |chunk: &&[u8; 16]| chunk.iter().fold(true, |all, b| all & is_visible(b));
    let whole = chunks.iter().take_while(all_visible).count();
    let rest = chunks.get(whole).map_or(rest, |chunk| chunk);
    whole * 16 + rest.iter().take_while(|byte| is_visible(byte)).count()
}

/// The first line of a request (RFC 9112 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    /// The two digits.
    pub(super) version: (u8, u8),
}

impl RequestLine {
    /// Takes a line apart, without its end. Its words are separated by single spaces.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = *version else {
            return None;
        };
        if words.next().is_some()
            || method.is_empty()
            || !method.iter().copied().all(is_token_char)
            || target.is_empty()
            || !target.iter().all(u8::is_ascii_graphic)
            || !major.is_ascii_digit()
            || !minor.is_ascii_digit()
        {
            return None;
        }
        let behind_method = method.len() + 1;
        Some(Self {
            method: 0..method.len(),
            target: behind_method..behind_method + target.len(),
            version: (major - b'0', minor - b'0'),
        })
    }
}

/// The first line of a response (RFC 9112 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusLine {
    /// The two digits.
    pub(super) version: (u8, u8),
    /// 100 to 999.
    pub(super) status: u16,
}

impl StatusLine {
    /// Takes a line apart, without its end. The reason may be missing, with or without the space
    /// before it.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major,
            b'.',
            minor,
            b' ',
            status @ ..,
        ] = line
        else {
            return None;
        };
        let (status, reason) = status.split_at_checked(3)?;
        if !major.is_ascii_digit()
            || !minor.is_ascii_digit()
            || !status.iter().all(u8::is_ascii_digit)
            || !matches!(reason, [] | [b' ', ..])
        {
            return None;
        }
        let status = core::str::from_utf8(status).ok()?.parse().ok()?;
        (status >= 100).then_some(Self {
            version: (major - b'0', minor - b'0'),
            status,
        })
    }
}

/// The target of a request (RFC 9112 section 3.2), by places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `None` in origin form.
    pub(super) authority: Option<Range<usize>>,
    /// May be empty in absolute form.
    pub(super) path: Range<usize>,
    /// Behind the question mark.
    pub(super) query: Option<Range<usize>>,
}

impl Target {
    /// Takes the origin form and the absolute form of `http`, `https`, `ws` and `wss`. A fragment is
    /// never part of a target.
    pub(super) fn parse(target: &str) -> Option<Self> {
        if target.contains('#') {
            return None;
        }
        let authority = if target.starts_with('/') {
            None
        } else {
            let (scheme, rest) = target.split_once("://")?;
            let is = |known| scheme.eq_ignore_ascii_case(known);
            if !["http", "https", "ws", "wss"].into_iter().any(is) {
                return None;
            }
            let authority = rest.split(['/', '?']).next()?;
            Authority::parse(authority.as_bytes())?;
            let start = target.len() - rest.len();
            Some(start..start + authority.len())
        };
        let path = authority.as_ref().map_or(0, |authority| authority.end);
        let query = target.find('?');
        Some(Self {
            authority,
            path: path..query.unwrap_or(target.len()),
            query: query.map(|mark| mark + 1..target.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head: 64,
        target: 8,
        headers: 2,
    };

    fn scan(bytes: &[u8]) -> (Result<bool, HeadError>, Scanner) {
        let mut scanner = Scanner::new();
        (scanner.scan(bytes, &LIMITS), scanner)
    }

    // req: HS-44
    #[test]
    fn scanner_sees_each_byte_once_however_it_arrives() {
        let limits = Limits {
            head: 1 << 20,
            target: 8,
            headers: 1 << 20,
        };
        let mut head = b"\r\nGET / HTTP/1.1\r\n".to_vec();
        while head.len() < 64 * 1024 {
            head.extend_from_slice(b"name: value\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let whole = head.len();
        head.extend_from_slice(b"\x81\x80");
        for step in [1, 2, 7, 1000, head.len()] {
            let mut scanner = Scanner::new();
            let mut given = 0;
            let mut complete = false;
            for arrived in (step..).step_by(step).map(|n| n.min(head.len())) {
                given += arrived - scanner.seen();
                complete = scanner.scan(&head[scanner.seen()..arrived], &limits) == Ok(true);
                if complete || arrived == head.len() {
                    break;
                }
            }
            assert!(complete);
            assert_eq!((scanner.seen(), scanner.head()), (whole, 2..whole));
            // What it was given is what came: nothing was shown to it twice.
            assert!(given <= head.len());
        }
    }

    #[test]
    fn verdict_comes_with_the_byte_that_causes_it() {
        use HeadError::*;
        for (bytes, seen, error) in [
            (&b"\n"[..], 1, BareLineBreak),
            (b"\r\r", 2, BareLineBreak),
            (b"\rG", 2, BareLineBreak),
            (b"G\n", 2, BareLineBreak),
            (b"G\rX", 3, BareLineBreak),
            (b"G\r\nA\n", 5, BareLineBreak),
            (b"G\r\nA\r\n\n", 7, BareLineBreak),
            (b"G\r\nA\r\n\rX", 8, BareLineBreak),
            (b"\x16\x03\x01", 1, ControlCharacter),
            (b"G\r\nA: \0", 7, ControlCharacter),
            (b"G\r\nA: \x7f", 7, ControlCharacter),
            (b"G\r\n A", 4, FoldedHeader),
            (b"G\r\nA: b\r\n\tc", 10, FoldedHeader),
            (b"G /23456789", 11, TargetTooLong),
            (b"G\r\nA\r\nB\r\nC", 10, TooManyHeaders),
        ] {
            let (verdict, scanner) = scan(bytes);
            assert_eq!((verdict, scanner.seen()), (Err(error), seen), "{bytes:?}");
        }
        assert_eq!(scan(b"G /2345678 ").0, Ok(false), "exactly the limit");
        assert_eq!(scan(b"G\r\nA\r\nB\r\n\r").0, Ok(false), "exactly the limit");
        let (verdict, scanner) = scan(&[b'x'; 65]);
        assert_eq!((verdict, scanner.seen()), (Err(HeadTooLarge), 64));
        let (verdict, scanner) = scan(&b"\r\n".repeat(33));
        assert_eq!((verdict, scanner.seen()), (Err(HeadTooLarge), 64));
        let mut exact = [&[b'x'; 60][..], b"\r\n\r\n"].concat();
        assert_eq!(scan(&exact).0, Ok(true));
        exact.insert(0, b'x');
        assert_eq!(scan(&exact).0, Err(HeadTooLarge));
    }

    #[test]
    fn request_lines_have_three_words() {
        let line = RequestLine::parse(b"GET /chat HTTP/1.1").expect("a request line");
        assert_eq!((line.method, line.target), (0..3, 4..9));
        assert_eq!(line.version, (1, 1));
        for line in [
            &b""[..],
            b" ",
            b"GET",
            b"GET /",
            b"GET / ",
            b" GET / HTTP/1.1",
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET / x HTTP/1.1",
            b"GET\t/ HTTP/1.1",
            b"G@T / HTTP/1.1",
            b"GET /\xff HTTP/1.1",
            b"GET / http/1.1",
            b"GET / HTTP/1.10",
            b"GET / HTTP/1",
            b"GET / HTTP/+1.1",
            b"GET / HTTP/1,1",
            b"GET / HTTP/a.b",
        ] {
            assert_eq!(RequestLine::parse(line), None, "{line:?}");
        }
    }

    // req: HC-22
    #[test]
    fn status_lines_have_a_version_and_three_digits() {
        let parse =
            |line: &str| StatusLine::parse(line.as_bytes()).map(|line| (line.version, line.status));
        for line in [
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 101 ",
            "HTTP/1.1 101",
            "HTTP/1.1 101  \t(\u{e9}",
        ] {
            assert_eq!(parse(line), Some(((1, 1), 101)), "{line:?}");
        }
        assert_eq!(parse("HTTP/1.0 404 x"), Some(((1, 0), 404)));
        assert_eq!(parse("HTTP/9.9 999 x"), Some(((9, 9), 999)));
        for line in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 10",
            "HTTP/1.1 1O1",
            "HTTP/1.1 1011",
            "HTTP/1.1 099",
            "HTTP/1.1 +11",
            "HTTP/1.1 101x",
            "HTTP/1.1 101\tx",
            "HTTP/1.1  101",
            " HTTP/1.1 101",
            "http/1.1 101",
            "HTTP/1.10 101",
            "HTTP/1 101",
            "HTTP/a.1 101",
            "HTTP/1.a 101",
            "ICY 200 OK",
        ] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    // req: HS-05
    #[test]
    fn targets_are_taken_apart() {
        for (target, authority, path, query) in [
            ("/", None, "/", None),
            ("/a%2Fb?x=%20&y?", None, "/a%2Fb", Some("x=%20&y?")),
            ("//x", None, "//x", None),
            ("/http://h?", None, "/http://h", Some("")),
            ("http://h/chat", Some("h"), "/chat", None),
            ("WSS://[::1]:9/a?b", Some("[::1]:9"), "/a", Some("b")),
            ("http://h", Some("h"), "", None),
            ("http://h?q/r", Some("h"), "", Some("q/r")),
        ] {
            let parsed = Target::parse(target).expect(target);
            assert_eq!(parsed.authority.map(|range| &target[range]), authority);
            assert_eq!(&target[parsed.path], path);
            assert_eq!(parsed.query.map(|range| &target[range]), query);
        }
        for target in [
            "",
            "*",
            "h:80",
            "h",
            "chat",
            "?q",
            "/#",
            "/a#b",
            "http:/h",
            "http://",
            "http:///a",
            "ftp://h/",
            "://h/",
            "http://u@h/",
            "http://a,b/",
            "http://[::1/",
            "http://h:x/",
        ] {
            assert_eq!(Target::parse(target), None, "{target}");
        }
    }
}
