//! What a connection makes of some input, and that it does not depend on how the input was cut.

use bytes::Buf as _;
use framewire::{
    CloseCode, Closed, ClosedBy, Config, Connection, Event, ProtocolError, RecvBuf, Role, State,
};

use super::wire::{Frame, read_output};

/// An [`Event`] that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
    Failed(ProtocolError),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(frame) => Self::Close(frame.map(|f| (f.code, f.reason.into()))),
            Event::Failed(error) => Self::Failed(error),
            other => panic!("unknown event {other:?}"),
        }
    }
}

/// Everything that can be observed of a connection after some input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) events: Vec<Seen>,
    /// What was written, read back strictly.
    pub(crate) output: Vec<Frame>,
    pub(crate) state: State,
    pub(crate) closed: Option<Closed>,
    pub(crate) failure: Option<ProtocolError>,
    /// The connection's counters, which are to be the same as well.
    pub(crate) stats: framewire::Stats,
}

impl Trace {
    /// The payload of the Close frame that was written, if one was.
    pub(crate) fn close_sent(&self) -> Option<&[u8]> {
        self.output
            .iter()
            .find(|frame| frame.opcode == 8)
            .map(|frame| &frame.payload[..])
    }

    /// The code of that frame.
    pub(crate) fn code_sent(&self) -> Option<u16> {
        self.close_sent()
            .and_then(|payload| payload.first_chunk())
            .map(|code| u16::from_be_bytes(*code))
    }

    /// Asserts that the connection delivered `before` and answered the pings in it, then failed for
    /// `error`: reported once, told the peer once, and over.
    #[track_caller]
    pub(crate) fn assert_failed(&self, before: &[Seen], error: ProtocolError) {
        let (last, first) = self.events.split_last().expect("a failure is an event");
        assert_eq!(*last, Seen::Failed(error));
        assert_eq!(first, before);
        assert_eq!(self.failure, Some(error));

        let pings = before.iter().filter_map(|seen| match seen {
            Seen::Ping(payload) => Some((10, payload.clone())),
            _ => None,
        });
        let close = (8, code_of(error).to_be_bytes().to_vec());
        let expected: Vec<_> = pings.chain([close]).collect();
        let output = self.output.iter();
        let output: Vec<_> = output.map(|f| (f.opcode, f.payload.clone())).collect();
        assert_eq!(output, expected);

        assert_eq!(self.state, State::Closed);
        let closed = self.closed.expect("a failure ends the connection");
        assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
        assert_eq!(closed.by, ClosedBy::Us);
    }
}

/// The close code that answers each error (RFC 6455 section 7.4.1), stated once more.
fn code_of(error: ProtocolError) -> u16 {
    match error {
        ProtocolError::UnacceptableText | ProtocolError::UnacceptableBinary => 1003,
        ProtocolError::InvalidUtf8 | ProtocolError::InvalidCompression => 1007,
        ProtocolError::TooManyFragments { .. }
        | ProtocolError::TooManyPings { .. }
        | ProtocolError::MessageTooSlow => 1008,
        ProtocolError::FrameTooBig { .. } | ProtocolError::MessageTooBig { .. } => 1009,
        _ => 1002,
    }
}

/// Feeds `pieces` one after the other to `conn`, taking all events after each, and writes all
/// output after each.
pub(crate) fn feed<'a>(
    conn: &mut Connection,
    rx: &mut RecvBuf,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Vec<u8>) {
    let (mut events, mut output) = (Vec::new(), Vec::new());
    for piece in pieces {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive(rx) {
            events.push(event.into());
        }
        output.extend(drain(conn));
    }
    (events, output)
}

/// Writes everything that is queued.
pub(crate) fn drain(conn: &mut Connection) -> Vec<u8> {
    let mut output = Vec::new();
    while conn.send_buf().has_remaining() {
        let chunk = conn.send_buf().chunk().to_vec();
        conn.send_buf().advance(chunk.len());
        output.extend(chunk);
    }
    output
}

/// The trace of a fresh connection in this role for these pieces of input.
pub(crate) fn trace_of<'a>(
    role: Role,
    config: Config,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Trace {
    let mut conn = super::connection(role, config);
    let mut rx = RecvBuf::new();
    let (events, output) = feed(&mut conn, &mut rx, pieces);
    Trace {
        events,
        output: read_output(role, &output),
        state: conn.state(),
        closed: conn.closed(),
        failure: conn.failure(),
        stats: conn.stats(),
    }
}

/// The trace for `bytes` as they stand on the wire; asserts that it is the same whole, byte by
/// byte, cut in two at every place (of short input), and cut at random places.
pub(crate) fn trace(role: Role, config: Config, bytes: &[u8]) -> Trace {
    let whole = trace_of(role, config, [bytes]);
    if bytes.len() <= 20_000 {
        assert_eq!(
            trace_of(role, config, bytes.chunks(1)),
            whole,
            "byte by byte"
        );
    }
    if bytes.len() <= 200 {
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(trace_of(role, config, [left, right]), whole, "cut at {cut}");
        }
    }
    for seed in 0..6 {
        let pieces = random_pieces(bytes, seed);
        assert_eq!(
            trace_of(role, config, pieces),
            whole,
            "cut at random, seed {seed}"
        );
    }
    whole
}

/// As [`trace`] with the default configuration, for frames that are given without masks.
pub(crate) fn trace_frames(role: Role, frames: &[u8]) -> Trace {
    trace(role, Config::new(), &super::wire::input(role, frames))
}

/// As [`trace_frames`] from hex digits.
pub(crate) fn trace_hex(role: Role, digits: &str) -> Trace {
    trace_frames(role, &super::wire::hex(digits))
}

/// Pieces of random sizes, the same for the same seed.
pub(crate) fn random_pieces(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let most = [3, 17, 130, 5000][(state >> 20) as usize % 4].min(bytes.len());
        let (piece, rest) = bytes.split_at(1 + (state >> 33) as usize % most);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Feeds `bytes` through the room that `rx` offers, at most `piece` bytes at a time as a transport
/// would, and gives every event to `seen`.
pub(crate) fn pour(
    conn: &mut Connection,
    rx: &mut RecvBuf,
    mut bytes: &[u8],
    piece: usize,
    mut seen: impl FnMut(Event<'_>),
) {
    while !bytes.is_empty() {
        let room = rx.unfilled();
        let n = piece.min(room.len()).min(bytes.len());
        let (now, later) = bytes.split_at(n);
        room[..n].copy_from_slice(now);
        rx.filled(n);
        bytes = later;
        while let Some(event) = conn.receive(rx) {
            seen(event);
        }
    }
}
