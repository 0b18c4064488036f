//! Responses to make, and what a client makes of them, however they are cut and however they end.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[path = "http.rs"]
pub(crate) mod http;
#[path = "request.rs"]
pub(crate) mod request;

use std::time::Duration;

use bytes::Buf as _;
use framewire::client::{Config, Handshake, HandshakeError, Outcome, Request, Response};
use framewire::{Connection, RecvBuf, TimedOut};
pub(crate) use http::{Lines, cut, lines, take};
pub(crate) use request::{Asked, KEY};

/// The seed of every client here.
pub(crate) const SEED: [u8; 32] = [7; 32];
/// The answer to the key that comes of it, as Python's hashlib has it.
pub(crate) const ACCEPT: &str = "MXHCaJPMZA/Ir6yhiiyxoBpnBAA=";

/// The smallest response that opens the connection of [`client`].
pub(crate) fn switching() -> Lines {
    lines("HTTP/1.1 101 Switching Protocols")
        .and("Upgrade", "websocket")
        .and("Connection", "Upgrade")
        .and("Sec-WebSocket-Accept", ACCEPT)
}

/// A response with this status and no header.
pub(crate) fn status(code: u16) -> Lines {
    lines(&format!("HTTP/1.1 {code} Whatever"))
}

/// What is asked for, and what is put up with.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) request: Request,
    pub(crate) config: Config,
}

/// A client that asks for nothing but a WebSocket.
pub(crate) fn client() -> Client {
    Client {
        request: Request::new("ws://server.example/chat").expect("a URI"),
        config: Config::new(),
    }
}

/// A client that offers these subprotocols.
pub(crate) fn offering(subprotocols: &[&str]) -> Client {
    let mut client = client();
    for name in subprotocols {
        client.request = client.request.subprotocol(name).expect("a subprotocol");
    }
    client
}

/// What a client with the defaults makes of a response that must fail.
#[track_caller]
pub(crate) fn failed(response: &Lines) -> HandshakeError {
    client().failed(&response.bytes())
}

/// The same for a response that must open the connection, with nothing behind it.
#[track_caller]
pub(crate) fn connected(response: &Lines) -> Opened {
    client().connected(&response.bytes())
}

/// What became of some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Connected(Opened),
    Refused(Seen),
    Failed(HandshakeError),
}

/// A connection that was opened, and what it made of the bytes behind the 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) response: Seen,
    pub(crate) subprotocol: Option<String>,
    pub(crate) events: Vec<String>,
    /// What it wrote behind the request.
    pub(crate) output: Vec<u8>,
}

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) versions: Vec<u8>,
}

impl From<&Response> for Seen {
    fn from(response: &Response) -> Self {
        let headers = response.headers();
        let headers = headers.map(|(name, value)| (String::from(name), value.to_vec()));
        let headers: Vec<_> = headers.collect();
        for (name, _) in &headers {
            let mut all = headers.iter();
            let first = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
            let first = first.map(|(_, value)| &value[..]);
            assert_eq!(response.header(name), first);
            assert_eq!(response.header(&name.to_ascii_uppercase()), first);
        }
        Self {
            status: response.status(),
            headers,
            body: response.body().into(),
            versions: response.versions().collect(),
        }
    }
}

/// What came of some input, and of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// Of the bytes alone.
    pub(crate) answer: Option<Answer>,
    /// How many bytes the handshake says it had when the transport ended inside of it.
    pub(crate) aborted: Option<usize>,
    /// What came of the end, if nothing had come of the bytes.
    pub(crate) at_end: Option<Answer>,
}

/// How the bytes come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With the end of the transport.
    Eof,
    /// With the deadline.
    Deadline,
}

/// How the bytes come.
#[derive(Clone, Debug)]
struct Way<'a> {
    pieces: Vec<&'a [u8]>,
    /// How much of the request was written before.
    written: usize,
    /// Whether `receive` and `handle_timeout` are called more often than needed.
    busy: bool,
    /// Whether they come through the room that the buffer offers.
    read: bool,
}

impl Client {
    /// What becomes of the bytes: whole, byte by byte, cut in two at every place (of short input)
    /// and cut anywhere, whatever was written of the request, it must be the same.
    pub(crate) fn course(&self, bytes: &[u8]) -> Course {
        let way = |pieces: Vec<_>, written: usize| Way {
            busy: written % 2 == 1,
            read: written % 3 == 1,
            pieces,
            written,
        };
        let whole = self.run(&way(vec![bytes], 0));
        let mut ways = vec![
            way(vec![bytes], usize::MAX),
            way(bytes.chunks(1).collect(), 0),
            way(bytes.chunks(1).collect(), usize::MAX),
        ];
        ways.extend((1..=8).map(|seed| way(cut(bytes, seed), 20 * seed as usize)));
        if bytes.len() <= 200 {
            ways.extend((1..bytes.len()).map(|place| {
                let (left, right) = bytes.split_at(place);
                way(vec![left, right], place)
            }));
        }
        for way in ways {
            assert_eq!(self.run(&way), whole, "{way:?}");
        }
        whole
    }

    #[track_caller]
    pub(crate) fn connected(&self, bytes: &[u8]) -> Opened {
        match self.course(bytes).answer {
            Some(Answer::Connected(opened)) => opened,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    /// A refusal that is complete by itself.
    #[track_caller]
    pub(crate) fn refused(&self, bytes: &[u8]) -> Seen {
        match self.course(bytes).answer {
            Some(Answer::Refused(seen)) => seen,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    /// A refusal that is complete when the transport ends or time is up, and not before.
    #[track_caller]
    pub(crate) fn refused_at_end(&self, bytes: &[u8]) -> Seen {
        match self.course(bytes) {
            Course {
                answer: None,
                aborted: None,
                at_end: Some(Answer::Refused(seen)),
            } => seen,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[track_caller]
    pub(crate) fn failed(&self, bytes: &[u8]) -> HandshakeError {
        match self.course(bytes).answer {
            Some(Answer::Failed(error)) => error,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    /// Bytes that need more bytes, and are aborted by their end.
    #[track_caller]
    pub(crate) fn incomplete(&self, bytes: &[u8]) {
        let expected = Course {
            answer: None,
            aborted: Some(bytes.len()),
            at_end: None,
        };
        assert_eq!(self.course(bytes), expected);
    }

    pub(crate) fn handshake(&self) -> Handshake {
        Handshake::with_seed(&self.request, &self.config, SEED)
    }

    /// The bytes of the request.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        take(self.handshake().send_buf())
    }

    fn run(&self, way: &Way<'_>) -> Course {
        let at_eof = self.run_to(way, End::Eof);
        let at_deadline = self.run_to(way, End::Deadline);
        assert_eq!(at_eof, at_deadline, "{way:?}");
        at_eof
    }

    fn run_to(&self, way: &Way<'_>, end: End) -> Course {
        const START: Duration = Duration::from_secs(1);

        let mut handshake = self.handshake();
        let due = handshake.handle_timeout(START).expect("it has just begun");
        let request = handshake.send_buf().chunk().to_vec();
        let rest = &request[way.written.min(request.len())..];
        handshake.send_buf().advance(request.len() - rest.len());
        let mut rx = RecvBuf::new();
        let mut pieces = way.pieces.iter();
        let mut outcome = None;
        while outcome.is_none()
            && let Some(piece) = pieces.next()
        {
            fill(&mut rx, piece, way.read);
            outcome = handshake.receive(&mut rx);
            if way.busy && outcome.is_none() {
                assert!(handshake.receive(&mut rx).is_none());
                assert_eq!(handshake.handle_timeout(START), Ok(due));
            }
            // Nothing but the request is ever to be written; nothing at all when it was refused.
            let tx = handshake.send_buf();
            assert!(tx.is_empty() || tx.chunk() == rest);
            assert!(tx.chunk() == rest || outcome.is_some() || rx.is_empty());
        }
        let mut aborted = None;
        let mut answer = None;
        let mut at_end = None;
        if let Some(outcome) = outcome {
            assert_eq!(handshake.handle_timeout(START), Ok(None));
            answer = Some(match outcome {
                Outcome::Connected(conn, response) => {
                    assert!(handshake.receive(&mut rx).is_none());
                    Answer::Connected(self.go_on(conn, &response, &mut rx, pieces, way, rest))
                }
                outcome => {
                    assert!(rx.is_empty());
                    for piece in pieces {
                        fill(&mut rx, piece, way.read);
                        assert!(handshake.receive(&mut rx).is_none());
                        assert!(rx.is_empty());
                    }
                    without_connection(outcome)
                }
            });
            assert!(handshake.send_buf().is_empty());
            assert_eq!(handshake.handle_timeout(Duration::MAX), Ok(None));
            assert_eq!(handshake.receive_eof(), Ok(()));
            assert!(handshake.receive(&mut RecvBuf::new()).is_none());
        } else {
            let received: usize = way.pieces.iter().map(|piece| piece.len()).sum();
            let refusal = match end {
                End::Eof => handshake
                    .receive_eof()
                    .map_err(|error| assert_eq!(error.received, received)),
                End::Deadline => {
                    let due = due.expect("there is a deadline");
                    match handshake.handle_timeout(due) {
                        Ok(again) => {
                            assert_eq!(again, Some(due));
                            Ok(())
                        }
                        Err(error) => {
                            assert_eq!(error, TimedOut::Handshake);
                            Err(())
                        }
                    }
                }
            };
            at_end = handshake.receive(&mut rx).map(without_connection);
            assert_eq!(refusal.is_ok(), at_end.is_some());
            aborted = refusal.is_err().then_some(received);
            // It is over, whatever comes.
            rx.extend_from_slice(&switching().bytes());
            assert!(handshake.receive(&mut rx).is_none());
            assert!(rx.is_empty());
            assert!(handshake.send_buf().is_empty());
            assert_eq!(handshake.handle_timeout(Duration::MAX), Ok(None));
            assert_eq!(handshake.receive_eof(), Ok(()));
        }
        Course {
            answer,
            aborted,
            at_end,
        }
    }

    fn go_on<'a>(
        &self,
        mut conn: Connection,
        response: &Response,
        rx: &mut RecvBuf,
        pieces: impl Iterator<Item = &'a &'a [u8]>,
        way: &Way<'_>,
        rest: &[u8],
    ) -> Opened {
        let mut events = Vec::new();
        let mut receive = |conn: &mut Connection, rx: &mut RecvBuf| {
            while let Some(event) = conn.receive(rx) {
                events.push(format!("{event:?}"));
            }
        };
        receive(&mut conn, rx);
        for piece in pieces {
            fill(rx, piece, way.read);
            receive(&mut conn, rx);
        }
        let output = take(conn.send_buf());
        let frames = output.strip_prefix(rest).expect("the request comes first");
        assert_eq!(conn.stats().bytes_sent, frames.len() as u64);
        Opened {
            response: Seen::from(response),
            subprotocol: conn.subprotocol().map(String::from),
            events,
            output: frames.into(),
        }
    }
}

fn without_connection(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Connected(..) => panic!("no connection can come of this"),
        Outcome::Refused(response) => Answer::Refused(Seen::from(&response)),
        Outcome::Failed(error) => Answer::Failed(error),
    }
}

fn fill(rx: &mut RecvBuf, mut piece: &[u8], read: bool) {
    if !read {
        return rx.extend_from_slice(piece);
    }
    while !piece.is_empty() {
        rx.read_from(&mut piece).expect("a slice can be read");
    }
}

/// The request that a client with the fixed seed makes, read strictly.
pub(crate) fn asked(request: &Request) -> Asked {
    let client = Client {
        request: request.clone(),
        config: Config::new(),
    };
    Asked::read(&client.encoded(), KEY)
}
