//! Requests to make, what a server makes of them however they are cut, and a strict reader of its
//! answers.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use bytes::Buf as _;
use framewire::server::{Config, Handshake, HandshakeError, Head, Opening, Request, Response};
use framewire::{RecvBuf, SendBuf};

/// The sample key of RFC 6455 section 1.3, and the answer to it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request, written line by line.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    first: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

/// The request of RFC 6455 section 1.2, reduced to what must be there.
pub(crate) fn websocket() -> Lines {
    get("/chat")
        .and("Upgrade", "websocket")
        .and("Connection", "Upgrade")
        .and("Sec-WebSocket-Key", KEY)
        .and("Sec-WebSocket-Version", "13")
}

/// A request that asks for no upgrade.
pub(crate) fn get(target: &str) -> Lines {
    lines(&format!("GET {target} HTTP/1.1")).and("Host", "server.example")
}

/// A message that begins with this line, and has no header.
pub(crate) fn lines(first: &str) -> Lines {
    Lines {
        first: first.into(),
        headers: Vec::new(),
    }
}

impl Lines {
    pub(crate) fn first(mut self, line: impl AsRef<[u8]>) -> Self {
        self.first = line.as_ref().into();
        self
    }

    /// Adds a header line.
    pub(crate) fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|(known, _)| known != name);
        assert_ne!(self.headers.len(), before, "{name} was there");
        self
    }

    /// Replaces a header line.
    pub(crate) fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and(name, value)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.first[..], b"\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes
    }

    /// What a server with this configuration makes of it.
    pub(crate) fn at(&self, config: &Config) -> Outcome {
        outcome(config, &self.bytes())
    }

    /// The answer of a server with the defaults, which must accept it.
    pub(crate) fn accepted(&self) -> Answer {
        match self.at(&Config::new()) {
            Outcome::Upgraded { answer, .. } => answer,
            other => panic!("{self:?}: {other:?}"),
        }
    }

    /// Why a server with the defaults refuses it.
    pub(crate) fn refused(&self) -> HandshakeError {
        refused(&Config::new(), &self.bytes())
    }
}

/// Why these bytes are refused. The answer is checked, and that it fits the reason.
pub(crate) fn refused(config: &Config, bytes: &[u8]) -> HandshakeError {
    match outcome(config, bytes) {
        Outcome::Rejected { error, answer } => {
            assert_eq!(answer.status, error.status());
            error
        }
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

/// What became of some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Incomplete,
    Upgraded {
        request: Seen,
        subprotocols: Vec<String>,
        answer: Answer,
        /// What the connection reported of the bytes behind the request.
        events: Vec<String>,
        /// What it wrote behind the 101.
        output: Vec<u8>,
    },
    Plain(Seen),
    Rejected {
        error: HandshakeError,
        answer: Answer,
    },
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) host: String,
    pub(crate) origin: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl From<&Head> for Seen {
    fn from(head: &Head) -> Self {
        assert_eq!(head.method(), "GET");
        let headers = head.headers();
        Self {
            target: head.target().into(),
            path: head.path().into(),
            query: head.query().map(String::from),
            host: head.host().into(),
            origin: head.origin().map(Vec::from),
            headers: headers.map(|(n, v)| (n.into(), v.into())).collect(),
        }
    }
}

/// What becomes of the input: whole, byte by byte and cut anywhere, it must be the same.
pub(crate) fn outcome(config: &Config, bytes: &[u8]) -> Outcome {
    outcome_with(config, bytes, |_| {})
}

/// As [`outcome`], and `prepare` may change an answer that upgrades.
pub(crate) fn outcome_with(
    config: &Config,
    bytes: &[u8],
    prepare: impl Fn(&mut Request),
) -> Outcome {
    let whole = run(config, &[bytes], &prepare);
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(run(config, &single, &prepare), whole, "byte by byte");
    for seed in 1..=8 {
        let pieces = cut(bytes, seed);
        assert_eq!(run(config, &pieces, &prepare), whole, "cut by seed {seed}");
    }
    whole
}

/// Cuts at places that look random.
pub(crate) fn cut(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed;
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let longest = [3, 17, 60, 400][(state >> 62) as usize];
        let n = 1 + (state >> 33) as usize % longest;
        let (piece, rest) = bytes.split_at(n.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn run(config: &Config, pieces: &[&[u8]], prepare: impl Fn(&mut Request)) -> Outcome {
    let all = pieces.concat();
    let mut handshake = Handshake::new(config);
    let mut rx = RecvBuf::new();
    let mut pieces = pieces.iter();
    let opening = loop {
        let Some(piece) = pieces.next() else {
            assert!(handshake.send_buf().is_empty());
            return Outcome::Incomplete;
        };
        rx.extend_from_slice(piece);
        if let Some(opening) = handshake.receive(&mut rx) {
            break opening;
        }
    };
    if let Opening::Upgrade(mut request) = opening {
        assert!(handshake.receive(&mut rx).is_none());
        prepare(&mut request);
        let seen = Seen::from(&*request);
        let subprotocols = request.subprotocols().map(String::from).collect();
        let mut conn = request.upgrade();
        let answer = Answer::read(&take(conn.send_buf()));
        let mut events = Vec::new();
        loop {
            while let Some(event) = conn.receive(&mut rx) {
                events.push(format!("{event:?}"));
            }
            let Some(piece) = pieces.next() else { break };
            rx.extend_from_slice(piece);
        }
        return Outcome::Upgraded {
            request: seen,
            subprotocols,
            answer,
            events,
            output: take(conn.send_buf()),
        };
    }
    // Nothing behind it is looked at.
    assert!(rx.is_empty());
    for piece in pieces {
        rx.extend_from_slice(piece);
        assert!(handshake.receive(&mut rx).is_none());
        assert!(rx.is_empty());
    }
    assert_eq!(handshake.receive_eof(), Ok(()));
    let answer = take(handshake.send_buf());
    let to_head = all.starts_with(b"HEAD ");
    match opening {
        Opening::Plain(request) => {
            assert_eq!(answer, b"");
            Outcome::Plain(Seen::from(&*request))
        }
        Opening::Rejected(error) => Outcome::Rejected {
            error,
            answer: if to_head {
                Answer::read_to_head(&answer)
            } else {
                Answer::read(&answer)
            },
        },
        Opening::Upgrade(_) => unreachable!("handled above"),
    }
}

/// Takes everything that is to be written.
pub(crate) fn take(tx: &mut SendBuf) -> Vec<u8> {
    let bytes = tx.copy_to_bytes(tx.remaining());
    assert!(tx.is_empty());
    bytes.into()
}

/// The bytes that answer the request with `response`.
pub(crate) fn respond(lines: &Lines, response: Response) -> Vec<u8> {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&lines.bytes());
    let mut tx = match Handshake::new(&Config::new()).receive(&mut rx) {
        Some(Opening::Upgrade(request)) => request.respond(response),
        Some(Opening::Plain(request)) => request.respond(response),
        other => panic!("{lines:?}: {other:?}"),
    };
    take(&mut tx)
}

/// A valid request for a WebSocket, as the application gets it.
pub(crate) fn request(lines: &Lines) -> Request {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&lines.bytes());
    match Handshake::new(&Config::new()).receive(&mut rx) {
        Some(Opening::Upgrade(request)) => request,
        other => panic!("{lines:?}: {other:?}"),
    }
}

/// An answer of ours, read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads one complete response, and checks the rules that hold for each of ours.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let answer = Self::parse(bytes);
        answer.check(answer.body.len());
        answer
    }

    /// The same for the answer to a HEAD request: it tells the length of a body it does not have.
    pub(crate) fn read_to_head(bytes: &[u8]) -> Self {
        let answer = Self::parse(bytes);
        assert_eq!(answer.body, b"");
        let length = answer.header("Content-Length").expect("a length");
        answer.check(length.parse().expect("a number"));
        answer
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.expect("an empty line ends the head") + 4);
        let head = std::str::from_utf8(head).expect("our heads are ASCII here");
        let head = head.strip_suffix("\r\n\r\n").expect("found above");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']));
        let mut lines = head.split("\r\n");
        let first = lines.next().expect("a status line");
        let status = first.strip_prefix("HTTP/1.1 ").expect("a status line");
        let (status, _reason) = status.split_once(' ').expect("a space behind the status");
        assert_eq!(status.len(), 3);
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a header line");
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!(!name.is_empty() && name.bytes().all(is_name), "{name:?}");
            assert_eq!(value.trim(), value);
            (name.to_string(), value.to_string())
        });
        Self {
            status: status.parse().expect("three digits"),
            headers: headers.collect(),
            body: body.into(),
        }
    }

    fn check(&self, body: usize) {
        let (length, connection) = (self.header("Content-Length"), self.header("Connection"));
        assert_eq!(self.header("Transfer-Encoding"), None);
        let is_switch = self.status == 101;
        if is_switch {
            assert_eq!(connection, Some("Upgrade"));
        } else if self.status == 426 {
            assert_eq!(connection, Some("Upgrade, close"));
            assert_eq!(self.header("Sec-WebSocket-Version"), Some("13"));
        } else {
            assert_eq!(connection, Some("close"));
        }
        let upgrades = is_switch || self.status == 426;
        assert_eq!(self.header("Upgrade"), upgrades.then_some("websocket"));
        assert_eq!(self.header("Sec-WebSocket-Accept").is_some(), is_switch);
        assert_eq!(self.header("Sec-WebSocket-Extensions"), None);
        if is_switch || [204, 304].contains(&self.status) {
            assert_eq!((length, &self.body[..]), (None, &b""[..]));
        } else {
            assert_eq!(length, Some(&*body.to_string()));
        }
    }

    /// The value of a header that is there once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there once");
        value
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }
}
