//! Bytes to a client's opening handshake, and what comes of them in three cuts.

use std::time::Duration;

use framewire::{
    Connection, RecvBuf, Role, TimedOut,
    client::{Config, Handshake, HandshakeError, Outcome, Request, Response},
};

use crate::{
    client::{Client, End, SEED, TIMEOUT},
    http::{ACCEPT, take},
    input::{self, bit, cut, split},
    reference::{
        hash,
        head::{Headers, Limits},
        response::{Expected, Rules, expect},
        values::list,
    },
    support::{
        trace::{Trace, drain},
        wire::read_output,
    },
};

/// What all headers of a good answer can stand behind.
const BEGINNING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

pub(crate) fn run(data: &[u8]) {
    let (prefix, bytes) = split::<16>(data);
    let [
        flags,
        ends,
        head,
        headers,
        body,
        message,
        end,
        written,
        cuts @ ..,
    ] = prefix;
    let (one, other) = cuts.split_at(4);
    let case = Case::new([flags, ends, head, headers, body, message, written]);
    let arriving = case.arriving(bytes);
    let end = match end {
        0 => arriving.len(),
        _ => arriving.len() * usize::from(end) / 256,
    };
    let (before, after) = arriving.split_at(end);

    let seen = case.receive(cut(one, before), after);
    let same = case.receive(cut(other, before), after);
    assert_eq!(same, seen, "cut in another way");
    let same = case.receive(before.chunks(1), after);
    assert_eq!(same, seen, "byte by byte");
    case.compare(seen, before, &arriving);
}

/// What is the same in all cuts.
struct Case {
    flags: u8,
    ends: u8,
    /// How much of the request is written before the answer comes.
    written: usize,
    request: Request,
    config: Config,
    connection: framewire::Config,
    rules: Rules,
}

/// What was seen of a handshake.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Incomplete(End),
    Connected {
        headers: Headers,
        subprotocol: Option<String>,
        trace: Trace,
    },
    Refused {
        status: u16,
        headers: Headers,
        body: Vec<u8>,
        versions: Vec<u8>,
        /// Whether it was there before the end of the transport or the time.
        is_complete: bool,
    },
    Failed(HandshakeError),
}

impl Case {
    fn new([flags, ends, head, headers, body, message, written]: [u8; 7]) -> Self {
        let offers: &[&str] = [
            &[][..],
            &["chat"],
            &["chat.v2", "chat"],
            &["Chat", "chat", "a"],
        ][usize::from(flags >> 2 & 3)];
        let mut request = Request::new("ws://server.example/chat?room=1").expect("a URI");
        for offer in offers {
            request = request.subprotocol(offer).expect("a token");
        }
        let connection = input::config([0, 0, message, 0, 0, 0]);
        let mut config = Config::new()
            .connection(connection)
            .require_subprotocol(bit(flags, 4))
            .timeout(if bit(flags, 6) {
                Duration::MAX
            } else {
                TIMEOUT
            });
        let mut rules = Rules {
            limits: Limits {
                head: 16 * 1024,
                target: usize::MAX,
                headers: 100,
            },
            max_body_size: 64 * 1024,
            require_subprotocol: bit(flags, 4),
            offers: offers.iter().map(|&offer| offer.into()).collect(),
            accept: accept(&request),
        };
        // Where a number is zero, the defaults have to be what the rules say.
        if head > 0 {
            rules.limits.head = usize::from(head) * 16;
            config = config.max_head_size(rules.limits.head);
        }
        if headers > 0 {
            rules.limits.headers = usize::from(headers) - 1;
            config = config.max_headers(rules.limits.headers);
        }
        if body > 0 {
            rules.max_body_size = usize::from(body) - 1;
            config = config.max_body_size(rules.max_body_size);
        }
        Self {
            flags,
            ends,
            written: usize::from(written).checked_sub(1).unwrap_or(usize::MAX),
            request,
            config,
            connection,
            rules,
        }
    }

    /// The bytes that arrive: with line feeds made line breaks, behind a good beginning, and with the
    /// answer to the key in place of the RFC's sample, which a fuzzer can know.
    fn arriving(&self, bytes: &[u8]) -> Vec<u8> {
        let mut arriving = Vec::new();
        if bit(self.flags, 1) {
            arriving.extend_from_slice(BEGINNING);
        }
        for &byte in bytes {
            if byte == b'\n' && bit(self.flags, 0) {
                arriving.push(b'\r');
            }
            arriving.push(byte);
        }
        let mut rest = &mut arriving[..];
        while let Some(place) = rest.get_mut(..ACCEPT.len()) {
            let is_sample = replace_sample(place, self.rules.accept.as_bytes());
            rest = &mut rest[if is_sample { ACCEPT.len() } else { 1 }..];
        }
        arriving
    }

    /// Receives all pieces, then comes the end of the transport or the time, then bytes that are late.
    fn receive<'a>(&self, mut pieces: impl Iterator<Item = &'a [u8]>, late: &'a [u8]) -> Seen {
        let mut client = Client::new(
            &self.request,
            &self.config,
            self.rules.limits.head,
            self.flags,
            self.written,
        );
        while let Some(piece) = pieces.next() {
            if let Some(outcome) = client.feed(piece) {
                // It may have come before all of the piece was received.
                return self.finish(client, outcome, pieces.chain([late]), true);
            }
        }
        let end = client.end(self.ends);
        match client.take_outcome() {
            Some(outcome) => self.finish(client, outcome, [late].into_iter(), false),
            None => {
                client.is_over([late].into_iter());
                Seen::Incomplete(end.expect("an outcome or an error"))
            }
        }
    }

    fn finish<'a>(
        &self,
        mut client: Client<'a>,
        outcome: Outcome,
        rest: impl Iterator<Item = &'a [u8]>,
        is_complete: bool,
    ) -> Seen {
        match outcome {
            Outcome::Connected(conn, response) => {
                assert!(is_complete, "it is there with its last byte");
                assert_eq!((response.status(), response.body()), (101, &b""[..]));
                self.connected(client, conn, rest, &response)
            }
            Outcome::Refused(response) => {
                client.is_over(rest);
                assert!(response.body().len() <= self.rules.max_body_size);
                Seen::Refused {
                    status: response.status(),
                    headers: headers(&response),
                    body: response.body().into(),
                    versions: response.versions().collect(),
                    is_complete,
                }
            }
            Outcome::Failed(error) => {
                assert!(is_complete, "it is there with the byte that is wrong");
                client.is_over(rest);
                Seen::Failed(error)
            }
        }
    }

    /// The connection gets all that follows.
    fn connected<'a>(
        &self,
        mut client: Client<'a>,
        mut conn: Connection,
        rest: impl Iterator<Item = &'a [u8]>,
        response: &Response,
    ) -> Seen {
        let rx = &mut client.rx;
        rx.extend_from_slice(client.unread);
        // The handshake has nothing more to do with it.
        assert!(client.handshake.receive(rx).is_none());
        assert_eq!(client.handshake.handle_timeout(Duration::MAX), Ok(None));
        assert_eq!(client.handshake.receive_eof(), Ok(()));
        assert!(client.handshake.send_buf().is_empty());

        assert_eq!(conn.role(), Role::Client);
        let subprotocol = conn.subprotocol().map(String::from);
        let unwritten = take(conn.send_buf());
        assert_eq!(unwritten, client.unwritten, "the rest of the request");
        let trace = trace(&mut conn, rx, rest);
        assert!(client.handshake.receive(rx).is_none());
        Seen::Connected {
            headers: headers(response),
            subprotocol,
            trace,
        }
    }

    /// Asserts that what was seen is what a second reading of the rules comes to.
    fn compare(&self, seen: Seen, before: &[u8], arriving: &[u8]) {
        match (expect(&self.rules, before), seen) {
            (Expected::Incomplete, Seen::Incomplete(End::Aborted(aborted))) => {
                assert_eq!(aborted.received, before.len());
            }
            (Expected::Incomplete, Seen::Incomplete(End::TimedOut(timed_out))) => {
                assert_eq!(timed_out, TimedOut::Handshake);
            }
            (
                Expected::Connected {
                    headers,
                    subprotocol,
                    behind,
                },
                Seen::Connected {
                    headers: seen,
                    subprotocol: selected,
                    trace: of_rest,
                },
            ) => {
                assert_eq!((seen, selected), (headers, subprotocol));
                // A connection that never had a handshake.
                let mut conn = Connection::client_with_seed(self.connection, SEED);
                let mut rx = RecvBuf::new();
                let bare = trace(&mut conn, &mut rx, [&arriving[behind..]].into_iter());
                assert_eq!(of_rest, bare, "of the rest");
            }
            (
                Expected::Refused {
                    status,
                    headers,
                    body,
                },
                Seen::Refused {
                    status: seen,
                    headers: fields,
                    body: kept,
                    versions,
                    is_complete,
                },
            ) => {
                assert_eq!((seen, &fields), (status, &headers));
                assert_eq!(versions, self::versions(&headers));
                if body.is_valid {
                    assert_eq!((kept, is_complete), (body.content, body.is_complete));
                } else {
                    assert!(kept.starts_with(&body.content), "{kept:?} for {body:?}");
                }
            }
            (Expected::Failed(error), Seen::Failed(seen)) => assert_eq!(seen, error),
            (expected, seen) => panic!("{seen:?} instead of {expected:?}"),
        }
    }
}

/// Puts `answer` in the place of the sample, if that is there. If some characters are not the
/// sample's or have another case, the result is as nearly right.
fn replace_sample(place: &mut [u8], answer: &[u8]) -> bool {
    let sample = ACCEPT.as_bytes();
    let is_alike = |n: &usize| place[*n].eq_ignore_ascii_case(&sample[*n]);
    // Most places are seen to be none by a few characters.
    if [0, 13, 27].iter().filter(|n| is_alike(n)).count() < 2
        || (0..sample.len()).filter(is_alike).count() <= 20
    {
        return false;
    }
    for n in 0..sample.len() {
        if place[n] == sample[n] {
            place[n] = answer[n];
        } else if place[n].eq_ignore_ascii_case(&sample[n]) {
            place[n] = answer[n] ^ 0x20;
        }
    }
    true
}

/// The answer to the key of this request.
fn accept(request: &Request) -> String {
    let mut handshake = Handshake::with_seed(request, &Config::new(), SEED);
    let bytes = String::from_utf8(take(handshake.send_buf())).expect("it is ASCII");
    let line = bytes
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    hash::accept(line.expect("a key"))
}

fn headers(response: &Response) -> Headers {
    let headers = response.headers();
    for (name, _) in headers.clone() {
        let mut same = headers
            .clone()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let first = same.next().map(|(_, value)| value);
        assert_eq!(response.header(&name.to_ascii_uppercase()), first);
    }
    headers
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// The versions that a response lists.
fn versions(headers: &Headers) -> Vec<u8> {
    let elements = list(&headers.all("sec-websocket-version"));
    let texts = elements.into_iter().map(String::from_utf8);
    texts
        .filter_map(|text| text.ok().filter(|text| !text.starts_with('+')))
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// What a connection makes of the bytes in `rx` and all pieces, but for its masks.
fn trace<'a>(
    conn: &mut Connection,
    rx: &mut RecvBuf,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Trace {
    let mut events = Vec::new();
    for piece in [&b""[..]].into_iter().chain(pieces) {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive(rx) {
            events.push(event.into());
        }
    }
    let mut output = read_output(Role::Client, &drain(conn));
    output.iter_mut().for_each(|frame| frame.key = None);
    Trace {
        events,
        output,
        state: conn.state(),
        closed: conn.closed(),
        failure: conn.failure(),
        stats: conn.stats(),
    }
}
