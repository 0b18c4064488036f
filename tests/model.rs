//! A bounded model check of RFC 6455 sections 5.5 and 7: every order of commands, input, time and
//! writes up to some length, compared with a model that is a dozen flags and a list of opcodes.

mod support;

use std::time::Duration;

use bytes::Buf as _;
use framewire::{CloseCode, ClosedBy, Config, MessageKind, Role, SendError, State, TimedOut};
use support::{
    pair::End,
    trace::{Seen, drain},
    wire::read_output,
};

/// How many steps are explored.
const DEPTH: usize = 6;
/// A write that ends inside of a frame, or even of its header.
const SHORT_WRITE: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    SendText,
    /// Begins a message that is sent in parts, or ends the one in progress.
    SendPart,
    SendPing,
    Close,
    Fail,
    PeerText,
    PeerPing,
    PeerClose,
    PeerBreaksARule,
    EndOfTransport,
    /// Time passes until the next deadline.
    Timer,
    WriteSome,
    WriteAll,
}

const STEPS: [Step; 13] = [
    Step::SendText,
    Step::SendPart,
    Step::SendPing,
    Step::Close,
    Step::Fail,
    Step::PeerText,
    Step::PeerPing,
    Step::PeerClose,
    Step::PeerBreaksARule,
    Step::EndOfTransport,
    Step::Timer,
    Step::WriteSome,
    Step::WriteAll,
];

/// What the connection ought to be.
#[derive(Debug)]
struct Model {
    role: Role,
    by: Option<ClosedBy>,
    close_sent: bool,
    close_received: bool,
    failed: bool,
    eof: bool,
    timed_out: bool,
    /// Whether that dropped bytes: the Close frame, which is always the last, did not leave.
    cut_off: bool,
    /// Whether a message is being sent in parts.
    in_parts: bool,
    /// Opcodes of all frames that were ever queued.
    opcodes: Vec<u8>,
    events: Vec<Seen>,
}

impl Model {
    fn is_open(&self) -> bool {
        self.by.is_none()
    }

    fn receives(&self) -> bool {
        !(self.close_received || self.failed || self.eof || self.timed_out)
    }

    fn both_closes(&self) -> bool {
        self.close_sent && self.close_received
    }

    fn is_closed(&self, queued: usize) -> bool {
        let server_is_done = self.role == Role::Server && self.both_closes();
        self.timed_out || queued == 0 && (self.eof || self.failed || server_is_done)
    }

    fn close(&mut self, by: ClosedBy) {
        self.by.get_or_insert(by);
        if !self.close_sent {
            self.close_sent = true;
            self.opcodes.push(8);
        }
    }

    /// What a command gives that queues these frames on an open connection.
    fn send(&mut self, opcode: u8) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        self.opcodes.push(opcode);
        Ok(())
    }
}

/// A connection beside its model.
struct World {
    end: End,
    model: Model,
    now: Duration,
    written: Vec<u8>,
    /// Everything that was ever queued, as far as it was not dropped by a deadline.
    output: Vec<u8>,
}

impl World {
    fn new(role: Role) -> Self {
        Self {
            end: End::new(role, Config::new()),
            model: Model {
                role,
                by: None,
                close_sent: false,
                close_received: false,
                failed: false,
                eof: false,
                timed_out: false,
                cut_off: false,
                in_parts: false,
                opcodes: Vec::new(),
                events: Vec::new(),
            },
            now: Duration::ZERO,
            written: Vec::new(),
            output: Vec::new(),
        }
    }

    /// The world after these steps; `None` if the last of them is impossible or changes nothing.
    fn after(role: Role, steps: &[Step]) -> Option<Self> {
        let mut world = Self::new(role);
        let Some((last, checked)) = steps.split_last() else {
            return Some(world);
        };
        for step in checked {
            world.take(*step);
            world.remember_output();
        }
        let changed = world.take(*last);
        world.check();
        changed.then_some(world)
    }

    fn queued(&mut self) -> usize {
        self.end.conn.send_buf().remaining()
    }

    fn write(&mut self, n: usize) {
        let buf = self.end.conn.send_buf();
        self.written.extend_from_slice(&buf.chunk()[..n]);
        buf.advance(n);
    }

    /// Takes a step with both, and tells whether it is more than refused or ignored.
    fn take(&mut self, step: Step) -> bool {
        let queued = self.queued();
        let was_open = self.model.is_open();
        let (conn, model) = (&mut self.end.conn, &mut self.model);
        match step {
            Step::SendText if model.is_open() && model.in_parts => {
                assert_eq!(conn.send_text("t"), Err(SendError::MessageInProgress));
                return false;
            }
            Step::SendText => {
                assert_eq!(conn.send_text("t"), model.send(1));
                return was_open;
            }
            Step::SendPart if model.in_parts => {
                assert_eq!(conn.finish_message(b"p"), model.send(0));
                model.in_parts = false;
                return was_open;
            }
            Step::SendPart => {
                let begun = conn.start_message(MessageKind::Binary);
                assert_eq!(begun.and_then(|()| conn.send_part(b"p")), model.send(2));
                model.in_parts = model.is_open();
                return was_open;
            }
            Step::SendPing => {
                assert_eq!(conn.send_ping(b"i"), model.send(9));
                return was_open;
            }
            Step::Close => {
                let expected = if model.is_open() {
                    model.close(ClosedBy::Us);
                    Ok(())
                } else {
                    Err(SendError::Closed)
                };
                assert_eq!(conn.close(CloseCode::NORMAL, "bye"), expected);
                return was_open;
            }
            Step::Fail => {
                let expected = if model.receives() {
                    model.close(ClosedBy::Us);
                    model.failed = true;
                    Ok(())
                } else {
                    Err(SendError::Closed)
                };
                assert_eq!(conn.fail(CloseCode::INTERNAL_ERROR, "oh"), expected);
                return expected.is_ok();
            }
            Step::PeerText | Step::PeerPing | Step::PeerClose | Step::PeerBreaksARule => {
                return self.take_input(step);
            }
            Step::EndOfTransport => {
                if model.eof {
                    return false;
                }
                let expected = model.close_received || model.failed;
                assert_eq!(conn.receive_eof().is_ok(), expected);
                model.eof = true;
                model.by.get_or_insert(ClosedBy::Peer);
            }
            Step::Timer => return self.pass_time(),
            Step::WriteSome => {
                if queued <= SHORT_WRITE {
                    return false;
                }
                self.write(SHORT_WRITE);
            }
            Step::WriteAll => {
                if queued == 0 {
                    return false;
                }
                self.write(queued);
            }
        }
        true
    }

    fn take_input(&mut self, step: Step) -> bool {
        let model = &mut self.model;
        if model.eof {
            return false;
        }
        let (digits, event) = match step {
            Step::PeerText => ("81 01 74", Seen::Text("t".into())),
            Step::PeerPing => ("89 01 69", Seen::Ping(b"i".to_vec())),
            Step::PeerClose => (
                "88 02 03e9",
                Seen::Close(Some((CloseCode::GOING_AWAY, String::new()))),
            ),
            _ => (
                "80 00",
                Seen::Failed(framewire::ProtocolError::UnexpectedContinuation),
            ),
        };
        let receives = model.receives();
        if receives {
            model.events.push(event);
            match step {
                Step::PeerPing if model.is_open() => model.opcodes.push(10),
                Step::PeerClose => {
                    model.close(ClosedBy::Peer);
                    model.close_received = true;
                }
                Step::PeerBreaksARule => {
                    model.close(ClosedBy::Us);
                    model.failed = true;
                }
                _ => {}
            }
        }
        self.end.take_hex(digits);
        assert!(self.end.rx.is_empty(), "all of it is used up");
        receives
    }

    fn pass_time(&mut self) -> bool {
        let queued = self.queued();
        let (conn, model) = (&mut self.end.conn, &mut self.model);
        let due = conn.handle_timeout(self.now).expect("no time has passed");
        let expected = if model.is_closed(queued) || model.is_open() && queued == 0 {
            assert_eq!(due, None);
            return false;
        } else if model.is_open() {
            model.by = Some(ClosedBy::Us);
            Err(TimedOut::Write)
        } else if model.both_closes() && queued == 0 {
            Ok(None)
        } else {
            Err(TimedOut::Close)
        };
        model.timed_out = true;
        model.cut_off = queued > 0;
        self.now = due.expect("something is waited for");
        assert_eq!(conn.handle_timeout(self.now), expected);
        assert_eq!(conn.send_buf().remaining(), 0);
        true
    }

    /// Compares what can be observed.
    fn check(&mut self) {
        let queued = self.queued();
        let (conn, model) = (&self.end.conn, &self.model);
        assert_eq!(self.end.seen, model.events);
        let state = match model.by {
            _ if model.is_closed(queued) => State::Closed,
            None => State::Open,
            Some(_) => State::Closing,
        };
        assert_eq!(conn.state(), state);
        assert_eq!(conn.is_closed(), state == State::Closed);

        let known = model.both_closes() || model.failed || model.eof || model.timed_out;
        match conn.closed() {
            None => assert!(!known),
            Some(closed) => {
                assert!(known);
                let code = [CloseCode::ABNORMAL, CloseCode::GOING_AWAY];
                assert_eq!(closed.code, code[usize::from(model.close_received)]);
                assert_eq!(Some(closed.by), model.by);
                assert_eq!(closed.clean, model.both_closes() && !model.cut_off);
            }
        }

        self.remember_output();
    }

    /// Frames are only ever added, and at the end.
    fn remember_output(&mut self) {
        if self.model.timed_out {
            assert!(self.output.starts_with(&self.written));
            return;
        }
        let written = self.written.len();
        let unsent = self.end.conn.send_buf();
        let known = self.output.len();
        assert_eq!(unsent.chunk().len(), unsent.remaining());
        assert!(written + unsent.remaining() >= known);
        assert_eq!(self.output[..written], self.written);
        assert!(unsent.chunk().starts_with(&self.output[written..]));
        self.output.truncate(written);
        self.output.extend_from_slice(unsent.chunk());
    }

    /// Reads the output strictly: nothing stands behind a Close frame or inside of another frame.
    fn check_output(&self) {
        let frames = read_output(self.model.role, &self.output);
        let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, self.model.opcodes);
        let closes = opcodes.iter().filter(|opcode| **opcode == 8).count();
        assert_eq!(closes, usize::from(self.model.close_sent));
    }

    /// The end of the transport and a flush close the connection.
    fn check_that_eof_closes(&mut self) {
        if !self.model.eof {
            let _ = self.end.conn.receive_eof();
        }
        drain(&mut self.end.conn);
        assert!(self.end.conn.is_closed());
        assert_eq!(self.end.conn.state(), State::Closed);
        assert!(self.end.conn.closed().is_some());
        assert_eq!(self.end.conn.handle_timeout(self.now), Ok(None));
    }

    /// So do deadlines, with a peer that does nothing any more, not even read.
    fn check_that_deadlines_close(&mut self) {
        let conn = &mut self.end.conn;
        if conn.state() == State::Open {
            conn.close(CloseCode::NORMAL, "").expect("it is open");
        }
        let mut now = self.now;
        for _ in 0..2 {
            match conn.handle_timeout(now) {
                Ok(Some(due)) => now = due,
                Ok(None) | Err(_) => break,
            }
        }
        assert!(conn.is_closed());
        assert_eq!(conn.send_buf().remaining(), 0);
        assert!(now <= self.now + Duration::from_secs(10));
    }
}

/// Explores every order of steps; `steps` are those so far. Gives the number of worlds.
fn explore(role: Role, steps: &mut Vec<Step>) -> u64 {
    let Some(mut world) = World::after(role, steps) else {
        return 0;
    };
    world.check_output();
    if world.end.conn.is_closed() {
        // It stays so, whatever comes.
        for step in STEPS {
            world.take(step);
            world.check();
        }
        world.check_output();
        return 1;
    }
    world.check_that_eof_closes();
    World::after(role, steps)
        .expect("the same steps lead to the same world")
        .check_that_deadlines_close();
    let mut count = 1;
    if steps.len() < DEPTH {
        for step in STEPS {
            steps.push(step);
            count += explore(role, steps);
            steps.pop();
        }
    }
    count
}

fn explore_all(role: Role) {
    // The steps of a world that is not as it should be are what a reader wants to see.
    let mut steps = Vec::new();
    let result =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| explore(role, &mut steps)));
    match result {
        Ok(count) => assert!(count > 100_000, "{count} worlds are not all"),
        Err(_) => panic!("{role:?} after {steps:?}"),
    }
}

// req: C-13, C-15, C-16, C-17, C-19, C-20, C-21, C-25, C-29, C-31, P-05, P-OUT, P-TERM
#[test]
fn server_closes_properly_in_every_order_of_steps() {
    explore_all(Role::Server);
}

// req: C-13, C-15, C-16, C-17, C-19, C-20, C-22, C-25, C-29, C-31, P-05, P-OUT, P-TERM
#[test]
fn client_closes_properly_in_every_order_of_steps() {
    explore_all(Role::Client);
}
