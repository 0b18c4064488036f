//! One connection between a hostile peer and an application that does anything it may.

use std::{
    io::{self, IoSlice, Write},
    time::Duration,
};

use bytes::Bytes;
use framewire::{
    CloseCode, Closed, Config, Connection, Event, MessageKind, PartEvent, PreparedMessage, RecvBuf,
    Role, SendError, State,
};

use crate::{
    input::{arriving, bit, config, cut, split},
    support::{connection, wire},
};

/// What a receive buffer may hold beyond twice the bytes that arrived: room for a read, and the
/// smallest allocation of a text.
const SLACK: usize = 16 * 1024 + 8;
/// What a queue may hold beyond what the application sent: 4 KiB of answers to pings, and a Close
/// frame.
const UNASKED: u64 = 4096 + 131;
/// The largest control frame.
const CONTROL: u64 = 131;
/// More bytes than this the application does not send.
const BUDGET: u64 = 96 * 1024;

pub(crate) fn run(role: Role, data: &[u8]) {
    let (prefix, bytes) = split::<20>(data);
    let [flags, c0, c1, c2, c3, c4, c5, more, numbers @ ..] = prefix;
    let (sizes, script) = numbers.split_at(4);
    let config = config([c0, c1, c2, c3, c4, c5]);
    let arriving = arriving(flags & 3, role, bytes);

    let mut end = End::new(role, config, c0, [flags, more]);
    for (piece, command) in cut(sizes, &arriving).zip(script.iter().cycle()) {
        end.receive(piece);
        end.command(*command);
        if bit(flags, 7) {
            end.write(usize::MAX);
        }
        if bit(more, 0) {
            end.rx.release();
            end.conn.send_buf().release();
        }
        end.check();
    }
    end.finish();
}

/// The connection, and what is known of it from outside.
struct End {
    conn: Connection,
    rx: RecvBuf,
    role: Role,
    /// Whether all counters of messages are those of events.
    counts_events: bool,
    flags: [u8; 2],
    /// Whether parts are received, or whole messages.
    parts: bool,
    now: Duration,
    arrived: usize,
    output: Vec<u8>,
    /// What the application queued, and by how many commands.
    asked: u64,
    commands: u64,
    /// All events, and the messages, pings and pongs among them.
    events: usize,
    messages: u64,
    pings: u64,
    pongs: u64,
    state: State,
    closed: Option<Closed>,
    /// What had been queued when nothing more might be.
    last_byte: Option<u64>,
    timed_out: bool,
    failed: bool,
}

impl End {
    fn new(role: Role, config: Config, config_flags: u8, flags: [u8; 2]) -> Self {
        Self {
            conn: connection(role, config),
            rx: RecvBuf::new(),
            role,
            counts_events: !bit(config_flags, 1),
            flags,
            parts: bit(flags[0], 2),
            now: Duration::ZERO,
            arrived: 0,
            output: Vec::new(),
            asked: 0,
            commands: 0,
            events: 0,
            messages: 0,
            pings: 0,
            pongs: 0,
            state: State::Open,
            closed: None,
            last_byte: None,
            timed_out: false,
            failed: false,
        }
    }

    /// Bytes arrive, and all events are taken.
    fn receive(&mut self, mut bytes: &[u8]) {
        if bit(self.flags[0], 4) {
            self.rx.extend_from_slice(bytes);
            self.arrived += bytes.len();
            self.take_events();
            return;
        }
        while !bytes.is_empty() {
            let room = self.rx.unfilled();
            assert!(!room.is_empty(), "there is always room");
            let n = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(n);
            room[..n].copy_from_slice(now);
            self.rx.filled(n);
            self.arrived += n;
            bytes = later;
            self.take_events();
        }
    }

    fn take_events(&mut self) {
        while self.take_event() {
            if bit(self.flags[0], 6) {
                self.write(usize::MAX);
            }
            self.check();
        }
        assert!(!self.take_event(), "`None` until something changes");
        if self.last_byte.is_some() || self.conn.state() == State::Closed {
            assert!(self.rx.is_empty(), "input is discarded at the end");
        }
        self.check();
    }

    /// Takes one event. Echoes messages if the application does that.
    fn take_event(&mut self) -> bool {
        let (conn, rx) = (&mut self.conn, &mut self.rx);
        let event = if self.parts {
            conn.receive_part(rx)
        } else {
            let nothing = bit(self.flags[0], 3).then(|| conn.wants_read(rx));
            let event = conn.receive(rx).map(whole);
            assert_eq!(nothing.unwrap_or(event.is_none()), event.is_none());
            event
        };
        let Some(event) = event else {
            return false;
        };
        assert_eq!(self.last_byte, None, "nothing comes behind the last event");
        let stats = conn.stats();
        assert!(stats.bytes_received <= self.arrived as u64);
        self.events += 1;
        assert!(self.events <= self.arrived + 1, "an event is made of bytes");

        let echo = bit(self.flags[0], 5) && stats.bytes_sent < BUDGET;
        let mut ends_message = false;
        match event {
            PartEvent::Text { part, last } => {
                assert!(last || !part.is_empty());
                ends_message = last;
                if echo {
                    let part = part.to_owned();
                    self.send(|conn| conn.send_text(&part));
                }
            }
            PartEvent::Binary { part, last } => {
                assert!(last || !part.is_empty());
                ends_message = last;
                if echo {
                    let part = part.to_owned();
                    self.send(|conn| conn.send_binary(&part));
                }
            }
            PartEvent::Ping(payload) => {
                assert!(payload.len() <= 125);
                self.pings += 1;
            }
            PartEvent::Pong(payload) => {
                assert!(payload.len() <= 125);
                self.pongs += 1;
            }
            PartEvent::Close(frame) => {
                let code = frame.map_or(CloseCode::NO_STATUS, |frame| frame.code);
                assert!(frame.is_none() || code.is_receivable());
                assert_eq!(stats.close_code_received, Some(code));
                assert!(stats.close_code_sent.is_some(), "it was answered");
                self.last_byte = Some(stats.bytes_sent);
            }
            PartEvent::Failed(error) => {
                assert_eq!(self.conn.failure(), Some(error));
                assert!(stats.close_code_sent.is_some(), "the peer is told");
                self.last_byte = Some(stats.bytes_sent);
            }
            other => panic!("unknown event {other:?}"),
        }
        if ends_message {
            self.messages += 1;
            // Between two messages the way of receiving may change.
            self.parts ^= bit(self.flags[1], 1);
        }
        true
    }

    /// The application does what a number says.
    fn command(&mut self, number: u8) {
        let size = usize::from(number >> 4);
        let long = [
            0, 1, 7, 64, 125, 126, 300, 1000, 4000, 8191, 8192, 9000, 20_000,
        ][size.min(12)]
        .min(BUDGET.saturating_sub(self.conn.stats().bytes_sent) as usize);
        let part: &[u8] = [
            &b""[..],
            b"a",
            b"\xd0",
            b"\xb6",
            b"\xf0\x9f",
            b"\x98\x80",
            b"\xff",
        ][size % 7];
        match number & 15 {
            0 => {}
            1 => self.send(|conn| conn.send_text(&"t".repeat(long))),
            2 => self.send(|conn| conn.send_binary(&vec![0xff; long])),
            3 => {
                let kind = [MessageKind::Binary, MessageKind::Text][size % 2];
                self.send(|conn| conn.send_bytes(kind, Bytes::from(vec![b's'; long])));
            }
            4 => {
                let kind = [MessageKind::Text, MessageKind::Binary][size % 2];
                self.send(|conn| conn.start_message(kind));
            }
            5 => self.send(|conn| conn.send_part(part)),
            6 => self.send(|conn| conn.finish_message(part)),
            7 => self.send(|conn| conn.send_ping(&vec![b'?'; long.min(200)])),
            8 => self.send(|conn| conn.send_pong(&vec![b'!'; long.min(200)])),
            9 => {
                let codes = [1000, 1001, 1005, 1006, 1010, 1011, 3000, 4999];
                let code = CloseCode::new(codes[size % 8]);
                self.send(|conn| conn.close(code, &"r".repeat(long.min(150))));
            }
            10 => {
                let result = self.conn.fail(CloseCode::POLICY_VIOLATION, "enough");
                self.failed |= result.is_ok();
            }
            11 => self.tick([1, 500, 999, 1000, 2000, 5000, 10_000, 40_000][size % 8]),
            12 => self.write(long),
            13 => self.conn.set_max_message_size(long),
            14 => {
                let message = PreparedMessage::text(&"p".repeat(long));
                self.send(|conn| conn.send_prepared(&message));
            }
            _ => {
                let expected = self.is_end_expected();
                assert_eq!(self.conn.receive_eof().is_ok(), expected);
            }
        }
    }

    /// A command: it is obeyed, or it changes nothing.
    fn send(&mut self, command: impl FnOnce(&mut Connection) -> Result<(), SendError>) {
        let (state, before) = (self.conn.state(), self.conn.stats());
        let result = command(&mut self.conn);
        let stats = self.conn.stats();
        match result {
            Ok(()) => {
                assert_eq!(state, State::Open);
                self.asked += stats.bytes_sent - before.bytes_sent;
                self.commands += 1;
            }
            Err(error) => {
                assert_eq!(error == SendError::Closed, state != State::Open);
                assert_eq!(stats, before);
                if let SendError::BufferFull { queued } = error {
                    assert_eq!(queued as u64, stats.bytes_sent - self.output.len() as u64);
                }
            }
        }
    }

    /// Time passes.
    fn tick(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        let pings = self.conn.stats().pings_sent;
        match self.conn.handle_timeout(self.now) {
            Ok(None) => {}
            Ok(Some(due)) => assert!(due > self.now, "what is due was done"),
            Err(_) => {
                assert_eq!(self.conn.state(), State::Closed);
                self.timed_out = true;
            }
        }
        // The keepalive's pings are asked for as well.
        let pings = self.conn.stats().pings_sent - pings;
        assert!(pings <= 1);
        self.asked += pings * CONTROL;
        self.take_events();
    }

    /// The transport takes bytes, in one write.
    fn write(&mut self, most: usize) {
        let whole = most == usize::MAX;
        loop {
            let mut transport = Transport {
                output: &mut self.output,
                most: most.max(1),
            };
            let written = self.conn.send_buf().write_to(&mut transport);
            let written = written.expect("it takes at least one byte");
            if !whole || written == 0 {
                return;
            }
        }
    }

    fn is_end_expected(&self) -> bool {
        let received = self.conn.stats().close_code_received;
        received.is_some() || self.conn.failure().is_some() || self.failed
    }

    /// What holds at any time.
    fn check(&mut self) {
        // What a caller appends lies in the buffer, and once more in the text that is made of it.
        let times = if bit(self.flags[0], 4) { 3 } else { 2 };
        let most = times * self.arrived + SLACK;
        let capacity = self.rx.capacity();
        assert!(
            capacity <= most,
            "{capacity} bytes for {} arrived",
            self.arrived
        );

        let state = self.conn.state();
        assert!(state as u8 >= self.state as u8, "states go forward");
        assert_eq!(state == State::Closed, self.conn.is_closed());
        self.state = state;
        let closed = self.conn.closed();
        if let Some(before) = self.closed {
            // A deadline can only make an end unclean that looked clean before it was final.
            let mut unclean = before;
            unclean.clean = false;
            let is_cut_off = self.timed_out && closed == Some(unclean);
            assert!(closed == self.closed || is_cut_off, "an end is the end");
        }
        self.closed = closed;

        let stats = self.conn.stats();
        if self.counts_events {
            assert_eq!(stats.messages_received, self.messages);
        }
        assert!(stats.messages_received >= self.messages);
        assert_eq!(stats.pings_received, self.pings);
        assert_eq!(stats.pongs_received, self.pongs);
        if self.timed_out {
            assert_eq!(state, State::Closed);
            return;
        }
        if let Some(last_byte) = self.last_byte {
            assert_eq!(
                stats.bytes_sent, last_byte,
                "nothing is sent behind a Close frame"
            );
        }
        let waiting = stats.bytes_sent - self.output.len() as u64;
        // A waiting answer may go ahead of what the application sends.
        let most = UNASKED + self.asked + self.commands * CONTROL;
        assert!(waiting <= most, "{waiting} bytes queued");
    }

    /// The transport ends, and everything is written.
    fn finish(mut self) {
        let expected = self.is_end_expected();
        assert_eq!(self.conn.receive_eof().is_ok(), expected);
        self.take_events();
        self.write(usize::MAX);
        self.check();
        assert!(self.conn.is_closed());
        assert!(self.closed.is_some());
        let stats = self.conn.stats();
        let closed = self.closed.expect("it is closed");
        let both = stats.close_code_received.is_some() && stats.close_code_sent.is_some();
        assert!(closed.clean == both || self.timed_out && !closed.clean);
        assert_eq!(
            closed.code,
            stats.close_code_received.unwrap_or(CloseCode::ABNORMAL)
        );

        // Nothing moves any more.
        for number in 1..=9 {
            self.command(number);
        }
        self.tick(100_000);
        self.receive(b"\x89\x00\x81\x01a\x88\x00");
        assert!(self.conn.send_buf().is_empty());
        assert_eq!(self.conn.stats(), stats);

        if self.timed_out {
            // What was queued is gone, and a frame may be torn.
            return;
        }
        let frames = wire::read_output(self.role, &self.output);
        assert_eq!(stats.bytes_sent, self.output.len() as u64);
        assert_eq!(stats.frames_sent, frames.len() as u64);
        let count = |opcode| frames.iter().filter(|frame| frame.opcode == opcode).count() as u64;
        assert_eq!(stats.pings_sent, count(9));
        let messages = frames
            .iter()
            .filter(|frame| frame.fin && frame.opcode < 8)
            .count();
        assert_eq!(stats.messages_sent, messages as u64);
        assert_eq!(stats.close_code_sent.is_some(), count(8) == 1);
    }
}

/// A whole message is its last part.
pub(crate) fn whole(event: Event<'_>) -> PartEvent<'_> {
    match event {
        Event::Text(part) => PartEvent::Text { part, last: true },
        Event::Binary(part) => PartEvent::Binary { part, last: true },
        Event::Ping(payload) => PartEvent::Ping(payload),
        Event::Pong(payload) => PartEvent::Pong(payload),
        Event::Close(frame) => PartEvent::Close(frame),
        Event::Failed(error) => PartEvent::Failed(error),
        other => panic!("unknown event {other:?}"),
    }
}

/// Takes so many bytes of each write.
struct Transport<'a> {
    output: &'a mut Vec<u8>,
    most: usize,
}

impl Write for Transport<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut left = self.most;
        for slice in slices {
            let n = left.min(slice.len());
            self.output.extend_from_slice(&slice[..n]);
            left -= n;
        }
        Ok(self.most - left)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
