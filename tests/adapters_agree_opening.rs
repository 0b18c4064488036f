//! The opening handshake with every adapter and by hand: the same answer bytes, the same request
//! but for its key, the same outcome, and the same connection behind it.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/http.rs"]
mod http;
#[path = "support/opens.rs"]
mod opens;
#[path = "support/script.rs"]
mod script;
mod support;

use std::time::Duration;

use ends::{FORMS, Form};
use framewire::client::{self, Outcome};
use framewire::server::{self, Opening, PlainRequest, Response};
use framewire::{Closed, Connection, Error, Event, RecvBuf, Role, SendBuf, Stats, TimedOut};
use http::{get, take, websocket};
use opens::{Asked, accept};
use script::{Call, End, Why, Wire};
use support::{
    trace::{Seen, random_pieces},
    wire::{Frame, close, frame, input, read_output},
};

/// What became of a transport.
#[derive(Debug, PartialEq, Eq)]
enum Opened {
    /// A connection, which echoed to its end.
    Connection {
        subprotocol: Option<String>,
        seen: Vec<Seen>,
        closed: Option<Closed>,
        stats: Stats,
        end: Result<(), Why>,
    },
    /// Something else than a WebSocket was answered.
    Answered,
    Failed(Why),
}

/// Three messages and a Close frame.
fn frames() -> Vec<u8> {
    let [a, b, c] = [
        frame(0x81, b"one"),
        frame(0x82, &[2; 300]),
        frame(0x89, b"3"),
    ];
    [a, b, c, close(1000, "bye")].concat()
}

/// The loop of the README.
fn echo_by_hand(mut conn: Connection, rx: &mut RecvBuf, mut wire: Wire) -> Opened {
    let mut seen = Vec::new();
    let mut echo = || -> Result<(), Error> {
        while !conn.is_closed() {
            while let Some(event) = conn.receive(rx) {
                match event {
                    Event::Text(text) => conn.send_text(text)?,
                    Event::Binary(data) => conn.send_binary(data)?,
                    _ => {}
                }
                seen.push(Seen::from(event));
            }
            conn.handle_timeout(Duration::ZERO)?;
            flush(conn.send_buf(), &mut wire)?;
            if !conn.is_closed() && rx.read_from(&mut wire)? == 0 {
                conn.receive_eof()?;
            }
        }
        Ok(())
    };
    let end = echo().map_err(Why::from);
    opened(&conn, seen, end)
}

fn echo(mut ws: ends::End) -> Opened {
    let mut seen = Vec::new();
    let mut echo = || -> Result<(), Error> {
        let mut answer = |event: Event<'_>, conn: &mut Connection| -> Result<(), Error> {
            match event {
                Event::Text(text) => conn.send_text(text)?,
                Event::Binary(data) => conn.send_binary(data)?,
                _ => {}
            }
            seen.push(Seen::from(event));
            Ok(())
        };
        while let Some(answered) = ws.recv_ref(&mut answer)? {
            answered?;
        }
        Ok(())
    };
    let end = echo().map_err(Why::from);
    ws.with(|conn| opened(conn, seen, end))
}

fn opened(conn: &Connection, seen: Vec<Seen>, end: Result<(), Why>) -> Opened {
    Opened::Connection {
        subprotocol: conn.subprotocol().map(String::from),
        seen,
        closed: conn.closed(),
        stats: conn.stats(),
        end,
    }
}

fn flush(tx: &mut SendBuf, wire: &mut Wire) -> Result<(), Error> {
    while !tx.is_empty() {
        tx.write_to(wire)?;
    }
    Ok(())
}

/// As the documentation of the module `server` does it, with these decisions: a WebSocket at `/chat`
/// alone, a page for everybody else.
fn serve_by_hand(mut wire: Wire, config: &server::Config) -> Opened {
    let mut rx = RecvBuf::new();
    let mut handshake = server::Handshake::new(config);
    let mut open = || -> Result<Result<Connection, SendBuf>, Error> {
        let opening = loop {
            if let Some(opening) = handshake.receive(&mut rx) {
                break opening;
            }
            handshake.handle_timeout(Duration::ZERO)?;
            if rx.read_from(&mut wire)? == 0 {
                handshake.receive_eof()?;
            }
        };
        Ok(match opening {
            Opening::Upgrade(mut request) if request.path() == "/chat" => {
                request.choose_subprotocol(&["chat.v2", "chat.v1"]);
                request.add_header("Server", "by example").expect("valid");
                Ok(request.upgrade())
            }
            Opening::Upgrade(request) => Err(request.respond(not_here())),
            Opening::Plain(request) => {
                let page = page(&request);
                Err(request.respond(page))
            }
            Opening::Rejected(error) => {
                flush(handshake.send_buf(), &mut wire)?;
                return Err(error.into());
            }
        })
    };
    match open() {
        Ok(Ok(mut conn)) => {
            flush(conn.send_buf(), &mut wire).expect("nothing fails here");
            echo_by_hand(conn, &mut rx, wire)
        }
        Ok(Err(mut answer)) => {
            flush(&mut answer, &mut wire).expect("nothing fails here");
            Opened::Answered
        }
        Err(error) => Opened::Failed(error.into()),
    }
}

/// The same with an adapter.
fn serve(form: Form, wire: Wire, config: &server::Config) -> Opened {
    let other = wire.clone();
    let answered = opens::serve(form, wire, config, |asked| match asked {
        Asked::Upgrade(request) if request.path() == "/chat" => {
            request.choose_subprotocol(&["chat.v2", "chat.v1"]);
            request.add_header("Server", "by example").expect("valid");
            assert_eq!(other.count(Call::Write), 0, "nothing is written before");
            None
        }
        Asked::Upgrade(_) => Some(not_here()),
        Asked::Plain(request) => Some(page(request)),
    });
    match answered {
        Ok(Some(ws)) => echo(ws),
        Ok(None) => Opened::Answered,
        Err(error) => Opened::Failed(error.into()),
    }
}

fn not_here() -> Response {
    Response::new(404).expect("a final status")
}

fn page(request: &PlainRequest) -> Response {
    let page = format!("you asked for {}\n{}", request.path(), "-".repeat(20_000));
    Response::new(200).expect("a final status").body(page)
}

/// Whole, byte by byte and at random.
fn cuts(bytes: &[u8]) -> [Vec<&[u8]>; 3] {
    [
        vec![bytes],
        bytes.chunks(1).collect(),
        random_pieces(bytes, 3),
    ]
}

/// Requests of every kind, with frames behind them.
fn requests() -> Vec<Vec<u8>> {
    let chat = websocket().and("Sec-WebSocket-Protocol", "chat.v1, chat.v2");
    [
        chat,
        websocket(),
        websocket().first("GET /elsewhere HTTP/1.1"),
        get("/"),
        get("/health?x"),
        websocket().first("POST /chat HTTP/1.1"),
        websocket().first("HEAD /chat HTTP/1.1"),
        websocket().with("Sec-WebSocket-Version", "12"),
        websocket().and("Origin", "https://evil.example"),
        websocket().with("Sec-WebSocket-Key", "short"),
        websocket().first("\x01\x02 not HTTP"),
        websocket().and("X-Large", vec![b'x'; 20_000]),
        get("/").without("Host"),
    ]
    .iter()
    .map(|lines| [lines.bytes(), input(Role::Server, &frames())].concat())
    .collect()
}

// req: A-08
#[test]
fn server_answers_every_request_as_by_hand() {
    let config = server::Config::new();
    let mut upgraded = 0;
    for request in requests() {
        for segments in cuts(&request) {
            let is_whole = segments.len() == 1;
            let one = Wire::new(segments.clone());
            let by_hand = serve_by_hand(one.clone(), &config);
            for &form in FORMS {
                let other = Wire::new(segments.clone());
                let adapter = serve(form, other.clone(), &config);
                assert_eq!(adapter, by_hand, "{form:?}");
                assert_eq!(other.reached(), one.reached(), "{form:?}");
                assert_prepared_and_ended(form, &other);
                if let Opened::Connection { seen, end, .. } = adapter {
                    assert_eq!((seen.len(), end), (4, Ok(())));
                    upgraded += 1;
                } else if is_whole {
                    assert_eq!(other.state().delivered, request, "the rest is discarded");
                }
            }
        }
    }
    assert_eq!(upgraded, 6 * FORMS.len());
}

/// A blocking transport is made ready once, and every transport is told of its end: once by each handle at
/// most.
#[track_caller]
fn assert_prepared_and_ended(form: Form, wire: &Wire) {
    assert_eq!(wire.count(Call::Prepare), usize::from(form.is_blocking()));
    let most = if form == Form::Split { 2 } else { 1 };
    let ends = wire.count(Call::EndWriting);
    assert!((1..=most).contains(&ends), "{form:?}: {ends}");
}

// req: A-08
#[test]
fn server_that_only_accepts_answers_every_request_as_by_hand() {
    let config = server::Config::new();
    for request in requests() {
        let one = Wire::new([&request[..]]);
        let mut handshake = server::Handshake::new(&config);
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&request);
        let by_hand = match handshake.receive(&mut rx).expect("a complete request") {
            Opening::Upgrade(request) => echo_by_hand(request.upgrade(), &mut rx, one.clone()),
            Opening::Plain(request) => {
                let answer = Response::new(426).expect("a final status");
                flush(&mut request.respond(answer), &mut one.clone()).expect("written");
                Opened::Failed(Why::NoUpgrade)
            }
            Opening::Rejected(error) => {
                flush(handshake.send_buf(), &mut one.clone()).expect("written");
                Opened::Failed(Why::Rejected(error))
            }
        };
        for &form in FORMS {
            let other = Wire::new([&request[..]]);
            let adapter = match accept(form, other.clone(), &config) {
                Ok(ws) => echo(ws),
                Err(error) => Opened::Failed(error.into()),
            };
            assert_eq!(adapter, by_hand, "{form:?}");
            assert_eq!(other.reached(), one.reached(), "{form:?}");
        }
    }
}

#[test]
fn server_sees_a_client_that_goes_away_as_by_hand() {
    let config = server::Config::new();
    for request in requests().into_iter().take(1) {
        for len in 0..request.len() {
            let segments = [&request[..len]];
            let segments = segments.into_iter().filter(|segment| !segment.is_empty());
            let one = Wire::new(segments.clone());
            let by_hand = serve_by_hand(one.clone(), &config);
            for &form in FORMS {
                let other = Wire::new(segments.clone());
                let adapter = serve(form, other.clone(), &config);
                assert_eq!(adapter, by_hand, "{form:?}, {len}");
                assert_eq!(other.reached(), one.reached());
            }
        }
    }
}

/// What a server sends as soon as a request is complete.
#[derive(Clone, Debug)]
enum Answers {
    /// Accepts it, with these lines in front and these bytes behind.
    Accept(Vec<u8>, Vec<u8>),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Answers {
    fn of(&self, request: &[u8]) -> Vec<u8> {
        match self {
            Self::Accept(before, behind) => {
                let mut rx = RecvBuf::new();
                rx.extend_from_slice(request);
                let mut handshake = server::Handshake::new(&server::Config::new());
                let Some(Opening::Upgrade(mut request)) = handshake.receive(&mut rx) else {
                    panic!("our own request is not valid");
                };
                request.choose_subprotocol(&["chat.v1"]);
                let answer = take(request.upgrade().send_buf());
                [&before[..], &answer, behind].concat()
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    /// A transport to such a server, which ends it then.
    fn wire(&self, cut: usize) -> Wire {
        let (this, mut request) = (self.clone(), Vec::new());
        Wire::new([]).peer(move |bytes| {
            let was_complete = request.ends_with(b"\r\n\r\n");
            request.extend_from_slice(bytes);
            if was_complete || !request.ends_with(b"\r\n\r\n") {
                return Vec::new();
            }
            let answer = this.of(&request);
            let mut segments = cuts(&answer);
            segments[cut]
                .iter_mut()
                .map(|bytes| bytes.to_vec())
                .collect()
        })
    }
}

/// As the documentation of the module `client` does it.
fn ask_by_hand(mut wire: Wire, request: &client::Request, config: &client::Config) -> Opened {
    let mut rx = RecvBuf::new();
    let mut handshake = client::Handshake::with_seed(request, config, [7; 32]);
    let mut open = || -> Result<Connection, Error> {
        loop {
            flush(handshake.send_buf(), &mut wire)?;
            match handshake.receive(&mut rx) {
                Some(Outcome::Connected(conn, _)) => return Ok(conn),
                Some(Outcome::Refused(response)) => return Err(Error::Refused(response.into())),
                Some(Outcome::Failed(error)) => return Err(error.into()),
                None => {}
            }
            handshake.handle_timeout(Duration::ZERO)?;
            if rx.read_from(&mut wire)? == 0 {
                handshake.receive_eof()?;
            }
        }
    };
    match open() {
        Ok(conn) => echo_by_hand(conn, &mut rx, wire),
        Err(error) => Opened::Failed(error.into()),
    }
}

fn ask(form: Form, wire: Wire, request: &client::Request, config: &client::Config) -> Opened {
    match opens::client(form, wire, request, config) {
        Ok((ws, response)) => {
            assert_eq!(response.status(), 101);
            echo(ws)
        }
        Err(error) => Opened::Failed(error.into()),
    }
}

/// What reached the server: the request without its key, the key, and the frames without theirs.
fn sent(wire: &Wire) -> (String, String, Vec<Frame>) {
    let bytes = wire.reached();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, frames) = bytes.split_at(end.expect("an empty line ends the head") + 4);
    let head = std::str::from_utf8(head).expect("ASCII");
    let (before, key) = head.split_once("Sec-WebSocket-Key: ").expect("a key");
    let (key, behind) = key.split_once("\r\n").expect("a line");
    let mut frames = read_output(Role::Client, frames);
    frames.iter_mut().for_each(|frame| frame.key = None);
    (format!("{before}{behind}"), key.into(), frames)
}

fn answers() -> Vec<Answers> {
    let accept = Answers::Accept(Vec::new(), Vec::new()).of(&websocket().bytes());
    let refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot you";
    let until_end = b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nall that there is";
    let chunked = b"HTTP/1.1 401 Who\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n0\r\n\r\n";
    vec![
        Answers::Accept(Vec::new(), frames()),
        Answers::Accept(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(), frames()),
        Answers::Accept(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(9), frames()),
        Answers::Accept(Vec::new(), frame(0x81, b"and gone")),
        Answers::Accept(Vec::new(), frame(0x83, b"reserved")),
        Answers::Bytes(accept), // the answer to another key
        Answers::Bytes(refused.to_vec()),
        Answers::Bytes(refused[..refused.len() - 3].to_vec()),
        Answers::Bytes(until_end.to_vec()),
        Answers::Bytes(chunked.to_vec()),
        Answers::Bytes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()),
        Answers::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        Answers::Bytes(b"HTTP/1.1 101 Switching Pro".to_vec()),
        Answers::Bytes(Vec::new()),
    ]
}

// req: A-08
#[test]
fn client_asks_and_takes_every_answer_as_by_hand() {
    let request = client::Request::new("ws://server.example/chat?x=1").expect("valid");
    let request = request.subprotocol("chat.v1").expect("valid");
    let request = request.header("User-Agent", "tests").expect("valid");
    let config = client::Config::new();
    let mut connected = 0;
    for answers in answers() {
        for cut in 0..3 {
            let one = answers.wire(cut);
            let by_hand = ask_by_hand(one.clone(), &request, &config);
            let (head, key, frames) = sent(&one);
            for &form in FORMS {
                let other = answers.wire(cut);
                let adapter = ask(form, other.clone(), &request, &config);
                assert_eq!(adapter, by_hand, "{form:?}, {answers:?}");
                let sent = sent(&other);
                assert_eq!((&sent.0, &sent.2), (&head, &frames), "{form:?}");
                assert_ne!(sent.1, key, "a fresh key");
                let prepared = usize::from(form.is_blocking());
                assert_eq!(other.count(Call::Prepare), prepared);
                connected += usize::from(matches!(adapter, Opened::Connection { .. }));
            }
        }
    }
    assert_eq!(connected, 12 * FORMS.len());
}

#[test]
fn client_sees_a_server_that_goes_away_as_by_hand() {
    let request = client::Request::new("ws://server.example/").expect("valid");
    let config = client::Config::new();
    for answers in answers() {
        let len = answers.of(&websocket().bytes()).len();
        for len in 0..len {
            // The answer is cut on its way.
            let cut = |wire: Wire| wire.faults(limit(len));
            let by_hand = ask_by_hand(cut(answers.wire(1)), &request, &config);
            for &form in FORMS {
                let adapter = ask(form, cut(answers.wire(1)), &request, &config);
                assert_eq!(adapter, by_hand, "{form:?}, {answers:?}, {len}");
            }
        }
    }
}

/// Lets as many reads of one byte pass, and gives nothing from then on.
fn limit(reads: usize) -> impl FnMut(script::Moment) -> Option<script::Fault> {
    move |moment| {
        let is_late = moment.call == Call::Read && moment.nth > reads;
        is_late.then_some(script::Fault::Zero)
    }
}

#[test]
fn handshake_that_takes_no_time_at_all_times_out_as_by_hand() {
    let now = Duration::ZERO;
    let wire = || Wire::new([&websocket().bytes()[..]]).end(End::Silence);
    let config = server::Config::new().timeout(now);
    let late = Opened::Failed(Why::TimedOut(TimedOut::Handshake));
    assert_eq!(serve_by_hand(wire(), &config), late);
    for &form in FORMS {
        assert_eq!(serve(form, wire(), &config), late, "{form:?}");
    }
    let request = client::Request::new("ws://server.example/").expect("valid");
    let config = client::Config::new().timeout(now);
    assert_eq!(ask_by_hand(wire(), &request, &config), late);
    for &form in FORMS {
        assert_eq!(ask(form, wire(), &request, &config), late, "{form:?}");
    }
}
