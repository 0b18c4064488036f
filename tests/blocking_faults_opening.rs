//! The opening handshake over a transport that fails, in both roles: at the first call, at the second,
//! and so on. Each gives an error that says what happened, or the same connection as without it.

#[path = "support/http.rs"]
mod http;
#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;

use framewire::blocking::{self, Incoming, Transport, Untimed, WebSocket};
use framewire::client::Request;
use framewire::server::{HandshakeError, Opening, Response};
use framewire::{Message, RecvBuf, Role, SendError, client, server};
use http::{Lines, get, take, websocket};
use script::{Call, End, Fault, Moment, Why, Wire};
use support::wire::{close, frame, input, read_output};

/// What became of a handshake: the messages of the connection behind it, or an error.
type Outcome = Result<Vec<Message>, Why>;

/// The one who is connected to says so, or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    Server,
    Plain,
    Rejecting,
    Client,
    Refused,
}

const ALL: [Opens; 5] = [
    Opens::Server,
    Opens::Plain,
    Opens::Rejecting,
    Opens::Client,
    Opens::Refused,
];

/// Two messages and a Close frame.
fn frames() -> Vec<u8> {
    [frame(0x81, b"one"), frame(0x82, b"two"), close(1000, "")].concat()
}

impl Opens {
    fn wire(self) -> Wire {
        let whole = |lines: Lines| Wire::new([&lines.bytes()[..]]);
        match self {
            Self::Server => {
                let request = websocket().bytes();
                let (first, rest) = request.split_at(20);
                Wire::new([first, rest, &input(Role::Server, &frames())])
            }
            Self::Plain => whole(get("/page")),
            Self::Rejecting => whole(websocket().first("POST / HTTP/1.1")),
            Self::Client => server_that_answers(|request| {
                let mut rx = RecvBuf::new();
                rx.extend_from_slice(request);
                let mut handshake = server::Handshake::new(&server::Config::new());
                let Some(Opening::Upgrade(request)) = handshake.receive(&mut rx) else {
                    panic!("not a valid request");
                };
                let answer = take(request.upgrade().send_buf());
                let (first, rest) = answer.split_at(30);
                vec![first.to_vec(), rest.to_vec(), frames()]
            }),
            Self::Refused => server_that_answers(|_| {
                let head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n";
                vec![
                    head[..9].to_vec(),
                    head[9..].to_vec(),
                    b"go".to_vec(),
                    b"away".to_vec(),
                ]
            }),
        }
    }

    fn run(self, stream: impl Transport) -> Outcome {
        let ws = match self {
            Self::Server => blocking::accept(stream, &server::Config::new()),
            Self::Plain => match blocking::incoming(stream, &server::Config::new()) {
                Ok(Incoming::Plain(request)) => {
                    let page = Response::new(200).expect("final").body("alive");
                    return Ok(request.respond(page).map(|()| Vec::new())?);
                }
                Ok(Incoming::Upgrade(_)) => panic!("nobody asked for an upgrade"),
                Err(error) => Err(error),
            },
            Self::Rejecting => blocking::accept(stream, &server::Config::new()),
            Self::Client | Self::Refused => {
                let request = Request::new("ws://server.example/").expect("valid");
                let answer = blocking::client(stream, &request, &client::Config::new());
                answer.map(|(ws, _)| ws)
            }
        };
        messages(ws?)
    }

    /// The outcome without faults, and how many calls move bytes.
    fn whole(self) -> (Outcome, usize) {
        let wire = self.wire();
        let outcome = self.run(wire.clone());
        let expected = match self {
            Self::Server | Self::Client => Ok(vec!["one".into(), b"two"[..].into()]),
            Self::Plain => Ok(Vec::new()),
            Self::Rejecting => Err(Why::Rejected(HandshakeError::MethodNotAllowed)),
            Self::Refused => Err(Why::Refused(403, b"goaway".to_vec())),
        };
        assert_eq!(outcome, expected);
        (outcome, wire.io_calls())
    }
}

/// A transport to a server that answers as soon as the request is complete.
fn server_that_answers(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + 'static) -> Wire {
    let mut request = Vec::new();
    Wire::new([]).peer(move |bytes| {
        let was_complete = request.ends_with(b"\r\n\r\n");
        request.extend_from_slice(bytes);
        if was_complete || !request.ends_with(b"\r\n\r\n") {
            return Vec::new();
        }
        answer(&request)
    })
}

/// Echoes to the end.
fn messages(mut ws: WebSocket<impl Transport>) -> Outcome {
    let mut messages = Vec::new();
    while let Some(message) = ws.recv()? {
        ws.send(&message)?;
        messages.push(message);
    }
    Ok(messages)
}

const SHAPES: [fn(Wire) -> Wire; 4] = [
    |wire| wire,
    Wire::gathering,
    |wire| wire.pieces(1, 1),
    |wire| wire.pieces(11, 2).gathering(),
];

#[test]
fn shape_of_the_transport_changes_nothing_about_the_handshake() {
    for opens in ALL {
        let (expected, _) = opens.whole();
        for shape in SHAPES {
            let wire = shape(opens.wire());
            assert_eq!(opens.run(wire.clone()), expected, "{opens:?}");
            // Random key and masks apart, the same reaches the peer.
            let (plain, reached) = (opens.wire(), wire.reached());
            let _ = opens.run(plain.clone());
            assert_eq!(reached.len(), plain.reached().len(), "{opens:?}");
        }
    }
}

/// Fails every call that moves bytes, and lets it pass when it is made again.
fn every_other(kind: ErrorKind) -> impl FnMut(Moment) -> Option<Fault> {
    let mut fails = false;
    move |moment| {
        if !moment.call.is_io() {
            return None;
        }
        fails = !fails;
        fails.then_some(Fault::Once(kind))
    }
}

#[test]
fn interrupted_call_of_the_handshake_is_made_again() {
    for (opens, shape) in ALL.into_iter().flat_map(|o| SHAPES.map(|s| (o, s))) {
        let wire = shape(opens.wire()).faults(every_other(ErrorKind::Interrupted));
        assert_eq!(opens.run(wire), opens.whole().0, "{opens:?}");
    }
}

#[test]
fn limit_that_passes_within_the_handshake_is_no_error() {
    for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        for (opens, shape) in ALL.into_iter().flat_map(|o| SHAPES.map(|s| (o, s))) {
            let mut faults = every_other(kind);
            let faults = move |moment: Moment| {
                // Behind the handshake nothing limits how long a peer may be silent.
                if moment.is_limited {
                    faults(moment)
                } else {
                    None
                }
            };
            let wire = shape(opens.wire()).faults(faults);
            assert_eq!(opens.run(wire.clone()), opens.whole().0, "{opens:?}");
            let first = wire.state().calls.iter().position(|call| call.is_io());
            let first = first.expect("bytes moved");
            assert!(
                wire.state().calls[..first].contains(&Call::LimitRead)
                    || wire.state().calls[..first].contains(&Call::LimitWrite),
                "{opens:?}: no call without a deadline"
            );
        }
    }
}

#[test]
fn transport_that_fails_within_the_handshake_is_told() {
    let kinds = [
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionAborted,
        ErrorKind::UnexpectedEof,
        ErrorKind::Other,
    ];
    for (opens, kind) in ALL.into_iter().flat_map(|o| kinds.map(|k| (o, k))) {
        let (whole, calls) = opens.whole();
        for shape in SHAPES {
            let shaped = shape(opens.wire());
            let _ = opens.run(shaped.clone());
            for n in 1..=shaped.io_calls().max(calls) {
                let fault = Fault::ForGood(kind);
                let fails =
                    move |moment: Moment| (moment.call.is_io() && moment.io == n).then_some(fault);
                let wire = shape(opens.wire()).faults(fails);
                let outcome = opens.run(wire.clone());
                let name = format!("{opens:?}, {kind:?} at {n}: {outcome:?}");
                assert!(wire.io_calls() <= shaped.io_calls() + 3, "{name}");
                assert_eq!(wire.count(Call::Prepare), 1);
                if outcome == whole {
                    continue;
                }
                let told = match &outcome {
                    // A sender whose peer is gone learns so from the next message as well.
                    Err(Why::Io(told)) => *told == kind || *told == ErrorKind::BrokenPipe,
                    Err(why) if *why == Why::Send(SendError::Closed) => true,
                    // A body that is cut is a refusal all the same.
                    Err(Why::Refused(403, body)) => b"goaway".starts_with(body),
                    _ => false,
                };
                assert!(told, "{name}");
            }
        }
    }
}

#[test]
fn transport_that_ends_within_the_handshake_is_told() {
    for opens in ALL {
        let (whole, calls) = opens.whole();
        for n in 1..=calls {
            let fails = move |moment: Moment| {
                (moment.call.is_io() && moment.io == n).then_some(Fault::Zero)
            };
            let outcome = opens.run(opens.wire().faults(fails));
            let told = match &outcome {
                Err(Why::Aborted(_) | Why::Eof) => true,
                Err(Why::Io(kind)) => *kind == ErrorKind::WriteZero,
                // A body that is cut is a refusal all the same.
                Err(Why::Refused(403, body)) => b"goaway".starts_with(body),
                _ => outcome == whole,
            };
            assert!(told, "{opens:?}, nothing at {n}: {outcome:?}");
        }
    }
}

#[test]
fn answer_of_a_server_that_reads_no_further_is_received() {
    for kind in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset] {
        // It refuses at the first byte, and closes.
        let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater";
        for n in 1..5 {
            let fails = move |moment: Moment| {
                (moment.call == Call::Write && moment.nth == n).then_some(Fault::ForGood(kind))
            };
            let wire = Wire::new([&answer[..]]).pieces(usize::MAX, 9).faults(fails);
            let outcome = Opens::Refused.run(wire);
            assert_eq!(outcome, Err(Why::Refused(503, b"later".to_vec())));
        }
        // It only closes: why the request could not be written is all there is to tell.
        let fails =
            move |moment: Moment| (moment.call == Call::Write).then_some(Fault::ForGood(kind));
        let outcome = Opens::Refused.run(Wire::new([]).faults(fails));
        assert_eq!(outcome, Err(Why::Io(kind)));
    }
}

#[test]
fn refusal_whose_body_is_cut_by_the_end_of_the_transport_is_a_refusal() {
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nno";
    let kinds = [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
    let ends = kinds.map(End::Error).into_iter().chain([End::Eof]);
    for end in ends {
        let outcome = Opens::Refused.run(Wire::new([&answer[..]]).end(end));
        assert_eq!(outcome, Err(Why::Refused(403, b"no".to_vec())), "{end:?}");
    }
}

#[test]
fn transport_that_can_not_be_prepared_is_told_before_anything_is_read_or_written() {
    for opens in ALL {
        let fails = |moment: Moment| {
            (moment.call == Call::Prepare).then_some(Fault::Once(ErrorKind::PermissionDenied))
        };
        let wire = opens.wire().faults(fails);
        let outcome = opens.run(wire.clone());
        assert_eq!(outcome, Err(Why::Io(ErrorKind::PermissionDenied)));
        assert_eq!(wire.io_calls(), 0);
    }
}

#[test]
fn transport_that_can_not_be_limited_is_told_unless_it_never_can_be() {
    for opens in ALL {
        let fails = |kind| {
            move |moment: Moment| {
                let is_limit = matches!(moment.call, Call::LimitRead | Call::LimitWrite);
                is_limit.then_some(Fault::Once(kind))
            }
        };
        let wire = opens.wire().faults(fails(ErrorKind::Unsupported));
        assert_eq!(opens.run(wire.clone()), opens.whole().0, "{opens:?}");
        assert!(wire.count(Call::LimitRead) <= 1 && wire.count(Call::LimitWrite) <= 1);
        let wire = opens.wire().faults(fails(ErrorKind::InvalidInput));
        let outcome = opens.run(wire.clone());
        if opens == Opens::Rejecting {
            // The same as if the rejection had been lost on its way; or the limit failed before.
            continue;
        }
        assert_eq!(outcome, Err(Why::Io(ErrorKind::InvalidInput)), "{opens:?}");
    }
}

#[test]
fn transport_without_limits_does_the_handshake_as_well() {
    for opens in ALL {
        assert_eq!(opens.run(Untimed(opens.wire())), opens.whole().0);
    }
}

#[test]
fn refusal_is_the_outcome_also_if_it_can_not_be_written() {
    for kind in [ErrorKind::BrokenPipe, ErrorKind::Other] {
        let fails =
            move |moment: Moment| (moment.call == Call::Write).then_some(Fault::ForGood(kind));
        let rejected = Opens::Rejecting.run(Opens::Rejecting.wire().faults(fails));
        assert_eq!(rejected, Opens::Rejecting.whole().0);
        let wire = Opens::Plain.wire().faults(fails);
        let plain = blocking::accept(wire, &server::Config::new());
        assert_eq!(plain.map(drop).map_err(Why::from), Err(Why::NoUpgrade));
    }
}

#[test]
fn answer_without_an_upgrade_is_flushed_before_the_end() {
    for opens in [Opens::Plain, Opens::Rejecting] {
        let wire = opens.wire().gathering();
        let outcome = opens.run(wire.clone());
        assert_eq!(outcome, opens.whole().0);
        assert!(wire.reached().starts_with(b"HTTP/1.1 "), "{opens:?}");
        let calls = wire.state().calls.clone();
        let place = |call| calls.iter().position(|&c| c == call).expect("it was made");
        assert!(place(Call::Flush) < place(Call::EndWriting));
        // What the client still sends is read, so that the answer is not reset.
        assert_eq!(*calls.last().expect("calls"), Call::Read);
    }
}

#[test]
fn connection_begins_with_what_came_behind_the_handshake() {
    // The first message and the last byte of the handshake in one segment, and nothing behind.
    let bytes = [
        websocket().bytes(),
        input(Role::Server, &frame(0x81, b"early")),
    ]
    .concat();
    let wire = Wire::new([&bytes[..]]).end(End::Silence);
    let mut ws = blocking::accept(wire.clone(), &server::Config::new()).expect("accepted");
    assert_eq!(ws.recv().expect("a message"), Some("early".into()));
    ws.send("late").expect("sent");
    let reached = wire.reached();
    let end = reached.windows(4).position(|four| four == b"\r\n\r\n");
    let frames = read_output(Role::Server, &reached[end.expect("a head") + 4..]);
    assert_eq!(frames[0].payload, b"late");
}
