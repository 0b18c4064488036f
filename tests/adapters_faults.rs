//! What the adapters make of a transport that fails: at the first call, at the second, at the
//! third, and so on to the end of every script. What passes changes nothing; what does not is told once,
//! and nothing that had arrived is lost. The opening handshake is in `blocking_faults_opening.rs`.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;

use ends::{End, FORMS, Form};
use framewire::{
    CloseCode, Closed, Config, Connection, Error, Event, Keepalive, Message, MessageKind,
    ProtocolError, RecvBuf, Role, Stats,
};
use script::{Call, Fault, Moment, Why, Wire};
use support::{
    ROLES, connection,
    trace::{Seen, feed},
    wire::{close, frame, input},
};

/// What a peer sends, and what the application does beside echoing: it closes behind as many events.
#[derive(Clone, Debug)]
struct Script {
    name: &'static str,
    segments: Vec<Vec<u8>>,
    closes: Option<usize>,
}

fn scripts() -> [Script; 6] {
    let goodbye = [close(1000, "bye")];
    let messages = vec![
        frame(0x81, b"one"),
        [frame(0x82, &[2; 300]), frame(0x89, b"ping")].concat(),
        [frame(0x8a, b"pong"), frame(0x81, b"three")].concat(),
    ];
    let pieces = [frame(1, b"in "), frame(0x89, b"p"), frame(0x80, b"pieces")].concat();
    let script = |name, segments: &[&[Vec<u8>]], closes| Script {
        name,
        segments: segments.concat(),
        closes,
    };
    let pieces = pieces.split_at(7);
    let pieces = [pieces.0.to_vec(), pieces.1.to_vec()];
    let large = [frame(0x82, &[9; 20_000])];
    let broken = [
        frame(0x81, b"one"),
        [frame(0x82, b"fine"), frame(0x83, b"reserved")].concat(),
    ];
    [
        script("echo", &[&messages, &goodbye], None),
        script("pieces", &[&pieces, &goodbye], None),
        script("large", &[&large, &goodbye], None),
        script("we close", &[&messages, &goodbye], Some(1)),
        script("failure", &[&broken], None),
        script("no Close frame", &[&messages], None),
    ]
}

/// How the application receives and sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// `recv_ref`, and on the connection that it lends.
    Ref,
    /// `recv` and `send`.
    Owned,
}

/// Everything that can be observed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    seen: Vec<Seen>,
    /// Of receiving, and of sending.
    errors: Vec<Why>,
    refused: Vec<Why>,
    reached: Vec<u8>,
    closed: Option<Closed>,
    failure: Option<ProtocolError>,
    stats: Stats,
}

impl Run {
    /// As `assert_eq!`, but payloads are not worth reading.
    #[track_caller]
    fn assert_is(&self, expected: &Self, name: &str) {
        let outline = |run: &Self| {
            let Self {
                errors, refused, ..
            } = run.clone();
            let ended = (run.closed, run.failure, run.stats);
            (run.seen.len(), run.reached.len(), errors, refused, ended)
        };
        assert_eq!(outline(self), outline(expected), "{name}");
        assert!(self == expected, "{name}: other bytes");
    }
}

impl Script {
    fn wire(&self, role: Role) -> Wire {
        let all = input(role, &self.segments.concat());
        let mut rest = &all[..];
        let mut segments = Vec::new();
        for segment in &self.segments {
            // Masks make frames longer; where exactly it is cut does not matter.
            let len = (segment.len() + 9).min(rest.len());
            segments.push(&rest[..len]);
            rest = &rest[len..];
        }
        segments.push(rest);
        Wire::new(segments.into_iter().filter(|segment| !segment.is_empty()))
    }

    /// Runs it to its end, whatever is told on the way.
    fn run(&self, role: Role, config: Config, (how, form): (How, Form), wire: &Wire) -> Run {
        let mut ws = End::new(form, wire.clone(), connection(role, config));
        let (mut seen, mut errors, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if self.closes == Some(seen.len()) {
                // Closing or lost already: then this is refused, which is as well.
                let _ = ws.with(|conn| conn.close(CloseCode::NORMAL, "enough"));
            }
            let received = match how {
                How::Ref => ws.recv_ref(|event, conn| {
                    echo(event, conn);
                    Seen::from(event)
                }),
                How::Owned => ws.recv().map(|message| message.map(seen_of)),
            };
            match received {
                Ok(Some(event)) => {
                    if let (How::Owned, Some(message)) = (how, message_of(&event)) {
                        refused.extend(ws.send(message).err().map(Why::from));
                    }
                    seen.push(event);
                }
                Ok(None) | Err(Error::Protocol(_)) => break,
                Err(error) => errors.push(error.into()),
            }
            assert!(
                errors.len() < 10_000,
                "an error without an end: {:?}",
                errors[0]
            );
            // Whoever is told to call again does so.
            while refused.last() == Some(&Why::Io(ErrorKind::WouldBlock)) && ws.flush().is_err() {}
        }
        ws.with(|conn| Run {
            seen,
            errors,
            refused,
            reached: wire.reached(),
            closed: conn.closed(),
            failure: conn.failure(),
            stats: conn.stats(),
        })
    }
}

fn echo(event: Event<'_>, conn: &mut Connection) {
    // Refused if the connection is closing or lost.
    let _ = match event {
        Event::Text(text) => conn.send_text(text),
        Event::Binary(data) => conn.send_bytes(MessageKind::Binary, data.to_vec().into()),
        _ => Ok(()),
    };
}

fn seen_of(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text),
        Message::Binary(data) => Seen::Binary(data.into()),
    }
}

fn message_of(seen: &Seen) -> Option<Message> {
    match seen {
        Seen::Text(text) => Some(text.clone().into()),
        Seen::Binary(data) => Some(data.clone().into()),
        _ => None,
    }
}

/// A way to move the bytes of a script, and its name.
type Shape = (&'static str, fn(Wire) -> Wire);

const SHAPES: [Shape; 5] = [
    ("at once", |wire| wire),
    ("behind a flush", Wire::gathering),
    ("by the byte", |wire| wire.pieces(1, 1)),
    ("in pieces", |wire| wire.pieces(50, 5000)),
    ("in pieces behind a flush", |wire| {
        wire.pieces(50, 5000).gathering()
    }),
];

/// Calls `test` with every script, role, way to receive and shape of a transport.
fn everywhere(test: impl Fn(&Script, Role, (How, Form), &dyn Fn() -> Wire, &str)) {
    for script in scripts() {
        for role in ROLES {
            let hows = [How::Ref, How::Owned].into_iter();
            for how in hows.flat_map(|how| FORMS.iter().map(move |&form| (how, form))) {
                for (shape, shaped) in SHAPES {
                    // Nothing new comes of twenty thousand calls, but time passes.
                    if script.name == "large" && shape == "by the byte" {
                        continue;
                    }
                    let wire = || shaped(script.wire(role));
                    let name = format!("{}, {role:?}, {how:?}, {shape}", script.name);
                    test(&script, role, how, &wire, &name);
                }
            }
        }
    }
}

/// The transport has been told of the end, once on each handle at most.
#[track_caller]
fn assert_end_is_told(form: Form, wire: &Wire, name: &str) {
    let most = if form == Form::Split { 2 } else { 1 };
    assert!((1..=most).contains(&wire.count(Call::EndWriting)), "{name}");
}

// req: A-09
#[test]
fn shape_of_the_transport_changes_nothing() {
    everywhere(|script, role, how, wire, name| {
        let wire = wire();
        let plain = script.wire(role);
        let expected = script.run(role, Config::new(), how, &plain);
        let run = script.run(role, Config::new(), how, &wire);
        run.assert_is(&expected, name);
        let is_lost = script.name == "no Close frame";
        assert_eq!(run.errors, vec![Why::Eof; usize::from(is_lost)], "{name}");
        assert_eq!(run.failure.is_some(), script.name == "failure", "{name}");
        assert_end_is_told(how.1, &wire, name);
    });
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

/// The n-th call that moves bytes.
fn nth(n: usize, fault: Fault) -> impl FnMut(Moment) -> Option<Fault> {
    move |moment| (moment.call.is_io() && moment.io == n).then_some(fault)
}

// req: A-09
#[test]
fn interrupted_call_is_made_again() {
    everywhere(|script, role, how, wire, name| {
        let run = |wire: Wire| script.run(role, Config::new(), how, &wire);
        let expected = run(wire());
        let faults = every_other(ErrorKind::Interrupted);
        run(wire().faults(faults)).assert_is(&expected, name);
    });
}

#[test]
fn limit_of_the_transport_that_passes_is_no_error() {
    for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        everywhere(|script, role, how, wire, name| {
            if !how.1.is_blocking() {
                return;
            }
            // A deadline, so that no read is without a limit.
            let config = Config::new().keepalive(Keepalive::default());
            let run = |wire: Wire| script.run(role, config, how, &wire);
            let expected = run(wire());
            let mut faults = every_other(kind);
            let faults = move |moment: Moment| {
                assert!(moment.is_limited || !moment.call.is_io(), "{moment:?}");
                faults(moment)
            };
            run(wire().faults(faults)).assert_is(&expected, name);
        });
    }
}

// req: A-09
#[test]
fn transport_without_limits_that_would_block_is_called_again_and_nothing_is_lost() {
    type Faults = Box<dyn FnMut(Moment) -> Option<Fault>>;
    everywhere(|script, role, how, wire, name| {
        let run = |mut faults: Faults| {
            let wire = wire().faults(move |moment| match moment.call {
                Call::LimitRead | Call::LimitWrite => Some(Fault::Once(ErrorKind::Unsupported)),
                _ => faults(moment),
            });
            let run = script.run(role, Config::new(), how, &wire);
            (run, wire.io_calls())
        };
        let (expected, calls) = run(Box::new(|_| None));
        let mut faults: Vec<Faults> = vec![Box::new(every_other(ErrorKind::WouldBlock))];
        if calls < 300 {
            let fault = Fault::Once(ErrorKind::WouldBlock);
            faults.extend((1..=calls).map(|n| Box::new(nth(n, fault)) as Box<_>));
        }
        for (n, faults) in faults.into_iter().enumerate() {
            let (mut run, _) = run(faults);
            let blocked = Why::Io(ErrorKind::WouldBlock);
            let told = [&run.errors[..], &run.refused].concat();
            // A transport that is polled is called again by itself.
            assert!(how.1.is_blocking() || !told.contains(&blocked), "{name}");
            run.errors.retain(|why| *why != blocked);
            run.refused.retain(|why| *why != blocked);
            run.assert_is(&expected, &format!("{name}, {n}"));
        }
    });
}

/// Errors that say that the peer is gone.
const GONE: [ErrorKind; 3] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
];

/// Errors of other kinds.
const OTHERS: [ErrorKind; 4] = [
    ErrorKind::Other,
    ErrorKind::UnexpectedEof,
    ErrorKind::InvalidData,
    ErrorKind::PermissionDenied,
];

/// The events of what a transport delivered.
fn events_of(role: Role, how: How, delivered: &[u8]) -> Vec<Seen> {
    let mut conn = connection(role, Config::new());
    let (mut events, _) = feed(&mut conn, &mut RecvBuf::new(), [delivered]);
    if how == How::Owned {
        events.retain(|seen| message_of(seen).is_some());
    }
    events
}

/// Runs every script with this fault at its n-th call, for every n, and checks what always holds.
fn fail_everywhere(fault: Fault, test: impl Fn(&Script, (How, Form), &Run, &Wire, &str)) {
    everywhere(|script, role, how, wire, name| {
        let plain = wire();
        let whole = script.run(role, Config::new(), how, &plain);
        let calls = plain.io_calls();
        // Of many calls that are alike, some.
        for n in (1..=calls).filter(|n| calls < 100 || n % 7 == 1) {
            let wire = wire().faults(nth(n, fault));
            let run = script.run(role, Config::new(), how, &wire);
            let name = format!("{name}, call {n}");
            let events = events_of(role, how.0, &wire.state().delivered);
            assert_eq!(run.seen, events, "what arrived is received: {name}");
            assert!(whole.reached.starts_with(&run.reached), "{name}");
            let closed = run.closed.expect("it has ended");
            let has_all = run.reached == whole.reached;
            assert!(has_all || !closed.clean, "no clean end: {name}");
            assert_end_is_told(how.1, &wire, &name);
            assert!(wire.io_calls() <= calls + 3, "{name}");
            test(script, how, &run, &wire, &name);
        }
    });
}

/// Whether the peer closed or broke a rule: then nothing else has to be told.
fn has_ended(run: &Run) -> bool {
    run.failure.is_some() || run.stats.close_code_received.is_some()
}

#[test]
fn peer_that_is_gone_is_told_once_at_the_end_unless_it_had_closed() {
    for kind in GONE {
        fail_everywhere(Fault::ForGood(kind), |script, (how, _), run, _, name| {
            let told: Vec<_> = run.errors.iter().chain(&run.refused).cloned().collect();
            let told: Vec<_> = told
                .into_iter()
                .filter(|why| !matches!(why, Why::Send(_)))
                .collect();
            let is_told = told.first() == Some(&Why::Io(kind));
            let is_ended = has_ended(run) || script.name == "no Close frame";
            assert!(is_told || is_ended, "{name}: {told:?}");
            if how == How::Ref && is_told {
                assert!(!has_ended(run), "{name}");
                assert_eq!(told.len(), 1, "{name}");
            }
        });
    }
}

// req: A-09
#[test]
fn transport_that_takes_nothing_is_one_whose_peer_is_gone() {
    fail_everywhere(Fault::Zero, |_, (how, _), run, _, name| {
        if how == How::Ref && run.failure.is_none() {
            let why = [&[][..], &[Why::Eof], &[Why::Io(ErrorKind::WriteZero)]];
            assert!(why.contains(&&run.errors[..]), "{name}: {:?}", run.errors);
            assert_eq!(run.errors.is_empty(), has_ended(run), "{name}");
        }
    });
}

#[test]
fn transport_that_fails_for_any_other_reason_is_told_and_ends() {
    for kind in OTHERS {
        fail_everywhere(Fault::ForGood(kind), |_, (how, form), run, _, name| {
            let told = run.errors.iter().chain(&run.refused);
            let told: Vec<_> = told.filter(|why| matches!(why, Why::Io(_))).collect();
            // A receiver is told as well of what ended the sending of others.
            let most = 2 + usize::from(form.is_split());
            assert!(told.len() <= most, "{name}: {told:?}");
            assert!(how == How::Owned || run.refused.is_empty(), "{name}");
        });
    }
}

#[test]
fn transport_that_fails_once_is_called_again_and_nothing_is_lost() {
    for kind in OTHERS {
        everywhere(|script, role, how, wire, name| {
            let plain = wire();
            let expected = script.run(role, Config::new(), how, &plain);
            let calls = plain.io_calls();
            for n in (1..=calls).filter(|n| calls < 100 || n % 7 == 1) {
                let wire = wire().faults(nth(n, Fault::Once(kind)));
                let mut run = script.run(role, Config::new(), how, &wire);
                run.errors.retain(|why| *why != Why::Io(kind));
                run.refused.retain(|why| *why != Why::Io(kind));
                run.assert_is(&expected, &format!("{name}, call {n}"));
            }
        });
    }
}
