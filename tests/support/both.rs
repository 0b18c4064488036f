//! One script, executed by the loop of the README, by every adapter, and by its two halves: all must see the
//! same, write the same and end in the same way.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use framewire::{
    CloseCode, Closed, Config, Connection, Error, Event, Message, MessageKind, PartEvent,
    PreparedMessage, ProtocolError, RecvBuf, Role, SendError, Sendable, Stats,
};

use crate::ends::{End, FORMS, Form};
use crate::script::{Why, Wire};
use crate::support::{connection, trace::Seen};

/// As in `examples/echo_by_hand.rs`.
const GATHER: usize = 64 * 1024;
/// A read that always finds room: how the parts of a message are cut depends on nothing else.
const MOST_READ: usize = 4096;

/// What the application does, between two events.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Text(String),
    Binary(Bytes),
    /// Binary that may be shared instead of copied.
    Shared(Bytes),
    Prepared(Bytes),
    Start(MessageKind),
    Part(Bytes),
    Finish(Bytes),
    Ping(Bytes),
    Pong(Bytes),
    Close(u16, String),
    Fail(u16, String),
    /// Close, and wait for the end: nothing that comes is looked at any more.
    CloseAndWait(u16, String),
}

/// How it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Messages,
    Events,
    Parts,
}

/// How it sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Give {
    /// On the connection that it is lent.
    Queue,
    Feed,
    Send,
}

pub(crate) const TAKES: [Take; 3] = [Take::Messages, Take::Events, Take::Parts];
pub(crate) const GIVES: [Give; 3] = [Give::Queue, Give::Feed, Give::Send];

/// What an adapter has to do for what it writes to reach the peer: nothing more, or flush it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    Gathering,
}

const SHAPES: [Shape; 2] = [Shape::Plain, Shape::Gathering];

/// One connection from its opening to its end.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) role: Role,
    pub(crate) config: Config,
    /// How much may be queued.
    pub(crate) max_queued: usize,
    pub(crate) segments: Vec<Bytes>,
    /// The first before anything is received, the next behind each event.
    pub(crate) acts: Vec<Vec<Act>>,
    pub(crate) take: Take,
    pub(crate) give: Give,
}

impl Script {
    fn connection(&self) -> Connection {
        connection(self.role, self.config.max_queued(self.max_queued))
    }
}

/// Everything that can be observed of it.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    steps: Vec<Step>,
    output: Vec<u8>,
    end: Result<(), Why>,
    closed: Option<Closed>,
    failure: Option<ProtocolError>,
    stats: Stats,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Seen(Seen),
    Part(MessageKind, Bytes, bool),
    Done(Result<(), Why>),
    Closed(Closed),
}

impl From<PartEvent<'_>> for Step {
    fn from(event: PartEvent<'_>) -> Self {
        Self::Seen(match event {
            PartEvent::Text { part, last } => {
                return Self::Part(
                    MessageKind::Text,
                    Bytes::copy_from_slice(part.as_bytes()),
                    last,
                );
            }
            PartEvent::Binary { part, last } => {
                return Self::Part(MessageKind::Binary, Bytes::copy_from_slice(part), last);
            }
            PartEvent::Ping(payload) => Seen::Ping(payload.into()),
            PartEvent::Pong(payload) => Seen::Pong(payload.into()),
            PartEvent::Close(frame) => Seen::Close(frame.map(|f| (f.code, f.reason.into()))),
            PartEvent::Failed(error) => Seen::Failed(error),
            other => panic!("unknown event {other:?}"),
        })
    }
}

impl From<Message> for Step {
    fn from(message: Message) -> Self {
        Self::Seen(match message {
            Message::Text(text) => Seen::Text(text),
            Message::Binary(data) => Seen::Binary(data.into()),
        })
    }
}

/// Does what is no message, which is the same with and without an adapter.
fn command(conn: &mut Connection, act: &Act) -> Result<(), SendError> {
    match act {
        Act::Text(text) => conn.send_text(text),
        Act::Binary(data) => conn.send_binary(data),
        Act::Shared(data) => conn.send_bytes(MessageKind::Binary, data.clone()),
        Act::Prepared(data) => conn.send_prepared(&PreparedMessage::binary(data)),
        Act::Start(kind) => conn.start_message(*kind),
        Act::Part(part) => conn.send_part(part),
        Act::Finish(part) => conn.finish_message(part),
        Act::Ping(payload) => conn.send_ping(payload),
        Act::Pong(payload) => conn.send_pong(payload),
        Act::Close(code, reason) | Act::CloseAndWait(code, reason) => {
            conn.close(CloseCode::new(*code), reason)
        }
        Act::Fail(code, reason) => conn.fail(CloseCode::new(*code), reason),
    }
}

/// The loop of the README.
struct ByHand {
    conn: Connection,
    rx: RecvBuf,
    wire: Wire,
    take: Take,
    /// As much is written before the next event is looked for.
    gather: usize,
    acts: std::vec::IntoIter<Vec<Act>>,
    steps: Vec<Step>,
    /// Whether nothing is looked at any more.
    deaf: bool,
}

impl ByHand {
    fn run(script: &Script) -> Transcript {
        let segments = script.segments.iter().map(|segment| &segment[..]);
        let mut this = Self {
            conn: script.connection(),
            rx: RecvBuf::new(),
            wire: Wire::new(segments).pieces(MOST_READ, usize::MAX),
            take: script.take,
            gather: GATHER.min(script.max_queued),
            acts: script.acts.clone().into_iter(),
            steps: Vec::new(),
            deaf: false,
        };
        this.act();
        let end = this.talk().map_err(Why::from);
        // A failure that the clock found is behind the loop.
        if end.is_ok() {
            this.receive();
        }
        let failure = this.conn.failure();
        let end = match failure {
            Some(error) if end.is_ok() && (this.deaf || this.take == Take::Messages) => {
                Err(Why::Protocol(error))
            }
            _ => end,
        };
        if this.deaf && end.is_ok() {
            let closed = this.conn.closed().expect("the loop has ended");
            this.steps.push(Step::Closed(closed));
        }
        Transcript {
            steps: this.steps,
            output: this.wire.reached(),
            end,
            closed: this.conn.closed(),
            failure,
            stats: this.conn.stats(),
        }
    }

    fn talk(&mut self) -> Result<(), Error> {
        self.flush_much()?;
        while !self.conn.is_closed() {
            while self.receive() {
                self.flush_much()?;
            }
            self.conn.handle_timeout(Duration::ZERO)?;
            self.flush()?;
            if !self.conn.is_closed() && self.rx.read_from(&mut self.wire)? == 0 {
                self.conn.receive_eof()?;
            }
        }
        Ok(())
    }

    fn flush_much(&mut self) -> Result<(), Error> {
        if self.conn.send_buf().remaining() >= self.gather {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        while !self.conn.send_buf().is_empty() {
            self.conn.send_buf().write_to(&mut self.wire)?;
        }
        Ok(())
    }

    /// Takes the next event, if there is one, and acts.
    fn receive(&mut self) -> bool {
        let (step, is_message) = if self.take == Take::Parts {
            let Some(event) = self.conn.receive_part(&mut self.rx) else {
                return false;
            };
            (Step::from(event), false)
        } else {
            let Some(event) = self.conn.receive(&mut self.rx) else {
                return false;
            };
            let is_message = matches!(event, Event::Text(_) | Event::Binary(_));
            (Step::Seen(event.into()), is_message)
        };
        if !self.deaf && (self.take != Take::Messages || is_message) {
            self.steps.push(step);
            self.act();
        }
        true
    }

    fn act(&mut self) {
        for act in self.acts.next().unwrap_or_default() {
            if self.deaf {
                return;
            }
            let done = command(&mut self.conn, &act);
            if matches!(act, Act::CloseAndWait(..))
                && matches!(done, Ok(()) | Err(SendError::Closed))
            {
                self.deaf = true;
                return;
            }
            self.steps.push(Step::Done(done.map_err(Why::Send)));
        }
    }
}

/// The same with an adapter.
fn with_adapter(script: &Script, form: Form, shape: Shape) -> Transcript {
    let segments = script.segments.iter().map(|segment| &segment[..]);
    let wire = Wire::new(segments).pieces(MOST_READ, usize::MAX);
    let wire = match shape {
        Shape::Plain => wire,
        Shape::Gathering => wire.gathering(),
    };
    let conn = script.connection();
    let mut ws = End::new(form, wire.clone(), conn);
    let mut steps = Vec::new();
    let mut acts = script.acts.iter();
    let mut next = acts.next();
    let end = 'end: loop {
        for act in next.map_or(&[][..], |acts| acts) {
            if let Act::CloseAndWait(code, reason) = act {
                let in_parts = script.take == Take::Parts;
                let closed = ws.close(CloseCode::new(*code), reason, in_parts);
                match closed.map_err(Why::from) {
                    Ok(closed) => steps.push(Step::Closed(closed)),
                    Err(why @ Why::Send(_)) => {
                        steps.push(Step::Done(Err(why)));
                        continue;
                    }
                    Err(why) => break 'end Err(why),
                }
                assert!(matches!(ws.recv_ref(|_, _| ()), Ok(None)), "it has ended");
                break 'end Ok(());
            }
            let done = give(&mut ws, script.give, act).map_err(Why::from);
            steps.push(Step::Done(done));
        }
        let step = match script.take {
            Take::Messages => ws.recv().map(|message| message.map(Step::from)),
            Take::Events => ws.recv_ref(|event, _| Step::Seen(event.into())),
            Take::Parts => ws.recv_part_ref(|event| Step::from(event)),
        };
        match step {
            Ok(Some(step)) => steps.push(step),
            Ok(None) => break Ok(()),
            Err(error) => break Err(Why::from(error)),
        }
        next = acts.next();
    };
    ws.with(|conn| Transcript {
        steps,
        output: wire.reached(),
        end,
        closed: conn.closed(),
        failure: conn.failure(),
        stats: conn.stats(),
    })
}

fn give(ws: &mut End, give: Give, act: &Act) -> Result<(), Error> {
    fn message(ws: &mut End, give: Give, m: impl Sendable) -> Result<(), Error> {
        match give {
            Give::Feed => ws.feed(m),
            Give::Queue | Give::Send => ws.send(m),
        }
    }
    match act {
        _ if give == Give::Queue => Ok(ws.with(|conn| command(conn, act))?),
        Act::Text(text) => message(ws, give, text),
        Act::Binary(data) => message(ws, give, &data[..]),
        Act::Shared(data) => message(ws, give, data.clone()),
        Act::Prepared(data) => message(ws, give, &PreparedMessage::binary(data)),
        act => Ok(ws.with(|conn| command(conn, act))?),
    }
}

/// The transcripts of all, which must be the same.
#[track_caller]
pub(crate) fn agreed(script: &Script) {
    if let Err(difference) = compare(script) {
        panic!("{difference}");
    }
}

/// Where an adapter, whole or split, and the loop by hand differ.
pub(crate) fn compare(script: &Script) -> Result<(), String> {
    let by_hand = ByHand::run(script);
    for (&form, shape) in FORMS
        .iter()
        .flat_map(|form| SHAPES.map(|shape| (form, shape)))
    {
        let adapter = with_adapter(script, form, shape);
        if adapter != by_hand {
            let difference = difference(&adapter, &by_hand);
            return Err(format!("{form:?}, {shape:?}, {difference}"));
        }
    }
    Ok(())
}

fn difference(adapter: &Transcript, by_hand: &Transcript) -> String {
    let same = adapter.steps.iter().zip(&by_hand.steps);
    let same = same.take_while(|(a, b)| a == b).count();
    let rest = |transcript: &Transcript| {
        let output = (transcript.output.len(), adapter.output == by_hand.output);
        let Transcript { steps, end, .. } = transcript;
        let (closed, stats) = (transcript.closed, transcript.stats);
        format!(
            "{:?}, {end:?}, {closed:?}, {output:?}, {stats:?}",
            &steps[same..]
        )
    };
    let (adapter, by_hand) = (rest(adapter), rest(by_hand));
    format!("behind {same} steps\nadapter: {adapter}\nby hand: {by_hand}")
}
