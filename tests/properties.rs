//! Properties over everything: any input is read as a second, simple reader reads it, however it is
//! cut; any message survives a round trip; and any order of commands gives legal output.

mod support;

use std::time::Duration;

use bytes::Bytes;
use framewire::{
    CloseCode, Config, Connection, Keepalive, MessageKind, PreparedMessage, RecvBuf, Role,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::pair::Pair;
use support::trace::{Seen, drain, random_pieces, trace};
use support::wire::{input, read_output};
use support::{ROLES, connection};

/// What an endpoint makes of its input, read as a whole by somebody who has all the time.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    events: Vec<Seen>,
    /// The code with which it failed.
    code: Option<u16>,
}

/// The limits of the connection that is compared with the reader.
const MAX_MESSAGE: u64 = 300;
const MAX_FRAGMENTS: u32 = 5;

/// Reads all frames in `bytes`, RFC 6455 section by section.
fn read(role: Role, mut bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut message: Option<(u8, Vec<u8>, u32)> = None;
    let end = |mut reading: Reading, code| {
        reading.code = Some(code);
        reading
    };
    while let [first, second, rest @ ..] = bytes {
        // Sections 5.1, 5.2, 5.4 and 5.5: what two bytes tell.
        let (fin, opcode, len) = (first >> 7 == 1, first & 0xf, second & 0x7f);
        let is_control = opcode >= 8;
        if first & 0x70 != 0
            || (second >> 7 == 1) != (role == Role::Server)
            || !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10)
            || is_control && (!fin || len > 125)
            || opcode == 0 && message.is_none()
            || matches!(opcode, 1 | 2) && message.is_some()
        {
            return end(reading, 1002);
        }
        // Section 5.2: the length.
        let extended = [0, 2, 8][usize::from(len.saturating_sub(125))];
        if rest.len() < extended {
            break;
        }
        let (digits, rest) = rest.split_at(extended);
        let len = match extended {
            0 => u64::from(len),
            _ => digits
                .iter()
                .fold(0, |len, digit| len << 8 | u64::from(*digit)),
        };
        if len < [0, 0, 126, 0, 0, 0, 0, 0, 0x1_0000][extended] || len >> 63 == 1 {
            return end(reading, 1002);
        }
        // Section 5.3: the key.
        let key_len = if role == Role::Server { 4 } else { 0 };
        if rest.len() < key_len {
            break;
        }
        let (key, rest) = rest.split_at(key_len);
        let n = usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()));
        let is_complete = n as u64 == len;
        let key = key.iter().chain(&[0; 4][key_len..]).cycle();
        let payload: Vec<u8> = rest[..n]
            .iter()
            .zip(key)
            .map(|(byte, key)| byte ^ key)
            .collect();
        bytes = &rest[n..];

        // Section 5.5.
        if is_control {
            if !is_complete {
                break;
            }
            reading.events.push(match opcode {
                9 => Seen::Ping(payload),
                10 => Seen::Pong(payload),
                _ => match &payload[..] {
                    [] => Seen::Close(None),
                    [_] => return end(reading, 1002),
                    [high, low, reason @ ..] => {
                        let code = u16::from_be_bytes([*high, *low]);
                        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                            return end(reading, 1002);
                        }
                        let Ok(reason) = std::str::from_utf8(reason) else {
                            return end(reading, 1007);
                        };
                        Seen::Close(Some((CloseCode::new(code), reason.into())))
                    }
                },
            });
            if opcode == 8 {
                break;
            }
            continue;
        }
        // Sections 5.4, 5.6, 8.1 and 10.4.
        let (kind, joined, fragments) = message.get_or_insert((opcode, Vec::new(), 0));
        if *fragments == MAX_FRAGMENTS {
            return end(reading, 1008);
        }
        *fragments += 1;
        if len.saturating_add(joined.len() as u64) > MAX_MESSAGE {
            return end(reading, 1009);
        }
        joined.extend(payload);
        let is_last = is_complete && fin;
        if *kind == 1
            && let Err(error) = std::str::from_utf8(joined)
            && (error.error_len().is_some() || is_last)
        {
            return end(reading, 1007);
        }
        if is_last && let Some((kind, joined, _)) = message.take() {
            reading.events.push(match kind {
                1 => Seen::Text(String::from_utf8(joined).expect("checked")),
                _ => Seen::Binary(joined),
            });
        }
    }
    reading
}

/// Asserts that a connection reads `bytes` as [`read`] does, and answers as section 5.5 asks,
/// however the bytes are cut.
fn assert_read_alike(role: Role, bytes: &[u8]) {
    let config = Config::new()
        .max_message_size(MAX_MESSAGE as usize)
        .max_fragments(MAX_FRAGMENTS);
    let expected = read(role, bytes);
    let trace = trace(role, config, bytes);
    let mut events = trace.events.clone();
    let code = trace.failure.map(|error| {
        assert_eq!(events.pop(), Some(Seen::Failed(error)));
        error.close_code().get()
    });
    let actual = Reading { events, code };
    assert_eq!(actual, expected, "{role:?} {bytes:02x?}");

    let close = |code: u16| (8, code.to_be_bytes().to_vec());
    let answers = expected.events.iter().filter_map(|seen| match seen {
        Seen::Ping(payload) => Some((10, payload.clone())),
        Seen::Close(None) => Some((8, vec![])),
        Seen::Close(Some((code, _))) if role == Role::Server && code.get() == 1010 => {
            Some(close(1000))
        }
        Seen::Close(Some((code, _))) => Some(close(code.get())),
        _ => None,
    });
    let answers: Vec<_> = answers.chain(code.map(close)).collect();
    let output = trace
        .output
        .into_iter()
        .map(|frame| (frame.opcode, frame.payload));
    assert_eq!(output.collect::<Vec<_>>(), answers);
}

/// Payloads in which much can be right and wrong.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().collect::<String>().into()),
        2 => Just(vec![]),
        1 => vec(any::<u8>(), 0..8),
        1 => vec(0x20..0x7f_u8, 100..160),
        1 => (0x80..0xff_u8).prop_map(|byte| vec![byte]),
        1 => (990..1020_u16).prop_map(|code| code.to_be_bytes().to_vec()),
    ]
}

/// One frame without a mask, mostly legal: its first byte, its payload, and the form of its length.
fn raw_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => prop::sample::select(vec![0x81, 0x82]),
        6 => prop::sample::select(vec![0x01, 0x02, 0x00, 0x80]),
        3 => prop::sample::select(vec![0x89, 0x8a]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    (first, payload(), prop::bool::weighted(0.03)).prop_map(|(first, payload, long)| {
        if long {
            [
                &[first, 126],
                &(payload.len() as u16).to_be_bytes()[..],
                &payload,
            ]
            .concat()
        } else {
            support::wire::frame(first, &payload)
        }
    })
}

proptest! {
    // req: P-INV, A-03
    #[test]
    fn arbitrary_bytes_are_read_as_the_simple_reader_does(bytes in vec(any::<u8>(), 0..150)) {
        for role in ROLES {
            assert_read_alike(role, &bytes);
        }
    }

    // req: P-INV, A-02, A-03, F-17, F-27
    #[test]
    fn frames_are_read_as_the_simple_reader_does(
        frames in vec(raw_frame(), 0..12),
        cut_off in prop_oneof![3 => Just(0), 1 => 0..20_usize],
        damage in prop_oneof![4 => Just(None), 1 => any::<(prop::sample::Index, u8)>().prop_map(Some)],
    ) {
        for role in ROLES {
            let mut bytes = input(role, &frames.concat());
            bytes.truncate(bytes.len().saturating_sub(cut_off));
            if let Some((place, bits)) = damage && !bytes.is_empty() {
                *place.get_mut(&mut bytes) ^= bits;
            }
            assert_read_alike(role, &bytes);
        }
    }
}

/// How a message is handed to the sender.
#[derive(Clone, Debug)]
enum Form {
    Whole,
    Shared,
    Prepared,
    /// The sizes of all parts but the last.
    Parts(Vec<usize>),
}

#[derive(Clone, Debug)]
struct Message {
    payload: Seen,
    form: Form,
    /// A ping behind it, or behind each of its parts.
    ping: Option<Vec<u8>>,
}

fn message() -> impl Strategy<Value = Message> {
    let size = prop_oneof![6 => 0..40_usize, 2 => 100..300_usize, 1 => 8_000..9_000_usize,
        1 => 65_000..67_000_usize];
    let payload = prop_oneof![
        vec(any::<char>(), 0..40).prop_map(|chars| Seen::Text(chars.into_iter().collect())),
        (size.clone(), any::<char>()).prop_map(|(size, c)| Seen::Text(c.to_string().repeat(size))),
        (size, any::<u8>()).prop_map(|(size, step)| {
            Seen::Binary((0..size).map(|i| (i as u8).wrapping_mul(step)).collect())
        }),
    ];
    let form = prop_oneof![
        Just(Form::Whole),
        Just(Form::Shared),
        Just(Form::Prepared),
        vec(0..30_usize, 0..10).prop_map(Form::Parts),
        vec(0..20_000_usize, 0..5).prop_map(Form::Parts),
    ];
    let ping = prop::option::weighted(0.3, vec(any::<u8>(), 0..126));
    (payload, form, ping).prop_map(|(payload, form, ping)| Message {
        payload,
        form,
        ping,
    })
}

/// Sends `message`, and tells what the peer has to see.
fn send(conn: &mut Connection, message: &Message) -> Vec<Seen> {
    let (kind, bytes) = match &message.payload {
        Seen::Text(text) => (MessageKind::Text, text.as_bytes()),
        Seen::Binary(data) => (MessageKind::Binary, &data[..]),
        other => unreachable!("{other:?} is no message"),
    };
    let text = || std::str::from_utf8(bytes).expect("it is text");
    let mut pings = Vec::new();
    let mut send_ping = |conn: &mut Connection| {
        if let Some(ping) = &message.ping {
            conn.send_ping(ping).expect("open");
            pings.push(Seen::Ping(ping.clone()));
        }
    };
    match (&message.form, kind) {
        (Form::Whole, MessageKind::Text) => conn.send_text(text()).expect("open"),
        (Form::Whole, MessageKind::Binary) => conn.send_binary(bytes).expect("open"),
        (Form::Shared, _) => {
            let bytes = Bytes::copy_from_slice(bytes);
            conn.send_bytes(kind, bytes).expect("open");
        }
        (Form::Prepared, MessageKind::Text) => {
            conn.send_prepared(&PreparedMessage::text(text()))
                .expect("open");
        }
        (Form::Prepared, MessageKind::Binary) => {
            conn.send_prepared(&PreparedMessage::binary(bytes))
                .expect("open");
        }
        (Form::Parts(sizes), _) => {
            let mut rest = bytes;
            conn.start_message(kind).expect("open");
            for size in sizes {
                let (part, behind) = rest.split_at(rest.len().min(*size));
                conn.send_part(part).expect("in progress");
                send_ping(conn);
                rest = behind;
            }
            conn.finish_message(rest).expect("in progress");
        }
    }
    let in_parts = matches!(message.form, Form::Parts(_));
    if !in_parts {
        send_ping(conn);
    }
    let mut seen = pings;
    let place = if in_parts { seen.len() } else { 0 };
    seen.insert(place, message.payload.clone());
    seen
}

proptest! {
    // req: P-RT, P-OUT, A-02, F-22, F-24
    #[test]
    fn messages_of_any_form_survive_a_round_trip(
        messages in vec(message(), 1..8),
        drain_each in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let config = Config::new().max_queued(usize::MAX);
        for role in ROLES {
            let mut pair = Pair::new(config, config);
            let (from, to) = pair.ends(role);
            let (mut wire, mut expected) = (Vec::new(), Vec::new());
            for message in &messages {
                expected.extend(send(&mut from.conn, message));
                if drain_each {
                    wire.extend(drain(&mut from.conn));
                }
            }
            wire.extend(drain(&mut from.conn));
            read_output(role, &wire);
            for piece in random_pieces(&wire, seed) {
                to.take(piece);
            }
            prop_assert!(to.seen == expected);
            prop_assert_eq!(to.conn.stats().bytes_received, from.conn.stats().bytes_sent);
            prop_assert_eq!(to.conn.stats().frames_received, from.conn.stats().frames_sent);
        }
    }
}

/// Anything that can be done to a connection.
#[derive(Clone, Debug)]
enum Step {
    Send(Message),
    Start(bool),
    Part(Vec<u8>),
    Finish(Vec<u8>),
    Shared(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Fail(u16),
    /// Frames without masks.
    Receive(Vec<u8>),
    /// A time in milliseconds to be added.
    Wait(u64),
    Write(usize),
    EndOfTransport,
}

fn step() -> impl Strategy<Value = Step> {
    let control = || vec(any::<u8>(), 0..130);
    let code = || prop_oneof![Just(1000), Just(1010), 990..1020_u16, any::<u16>()];
    let frames = vec(raw_frame(), 1..4).prop_map(|frames| frames.concat());
    prop_oneof![
        4 => message().prop_map(Step::Send),
        4 => any::<bool>().prop_map(Step::Start),
        6 => payload().prop_map(Step::Part),
        4 => payload().prop_map(Step::Finish),
        1 => (any::<bool>(), payload()).prop_map(|(text, data)| Step::Shared(text, data)),
        2 => control().prop_map(Step::Ping),
        2 => control().prop_map(Step::Pong),
        1 => (code(), vec(any::<char>(), 0..60))
            .prop_map(|(code, reason)| Step::Close(code, reason.into_iter().collect())),
        1 => code().prop_map(Step::Fail),
        4 => frames.prop_map(Step::Receive),
        2 => (0..300_u64).prop_map(Step::Wait),
        6 => prop_oneof![0..10_usize, 0..3000_usize].prop_map(Step::Write),
        1 => Just(Step::EndOfTransport),
    ]
}

/// Does one step; what is refused is refused.
fn run(conn: &mut Connection, rx: &mut RecvBuf, now: &mut Duration, step: &Step) {
    let kind = |text| {
        if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        }
    };
    let _: Result<(), framewire::SendError> = match step {
        Step::Send(message) => match &message.payload {
            Seen::Text(text) => conn.send_text(text),
            Seen::Binary(data) => conn.send_binary(data),
            other => unreachable!("{other:?} is no message"),
        },
        Step::Start(text) => conn.start_message(kind(*text)),
        Step::Part(part) => conn.send_part(part),
        Step::Finish(part) => conn.finish_message(part),
        Step::Shared(text, data) => conn.send_bytes(kind(*text), data.clone().into()),
        Step::Ping(payload) => conn.send_ping(payload),
        Step::Pong(payload) => conn.send_pong(payload),
        Step::Close(code, reason) => conn.close(CloseCode::new(*code), reason),
        Step::Fail(code) => conn.fail(CloseCode::new(*code), ""),
        Step::Receive(frames) => {
            rx.extend_from_slice(&input(conn.role(), frames));
            while conn.receive(rx).is_some() {}
            Ok(())
        }
        Step::Wait(millis) => {
            *now += Duration::from_millis(*millis);
            conn.handle_timeout(*now).expect("far from every deadline");
            Ok(())
        }
        Step::EndOfTransport => {
            let _ = conn.receive_eof();
            Ok(())
        }
        Step::Write(_) => Ok(()),
    };
}

proptest! {
    // req: P-OUT, A-03, F-24, F-25, M-03, M-04
    #[test]
    fn any_order_of_calls_gives_output_that_the_strict_reader_accepts(
        steps in vec(step(), 1..40),
        max_queued in prop_oneof![Just(usize::MAX), 0..2000_usize],
    ) {
        // All times together are far below the deadlines: keepalive alone has something to say.
        let keepalive = Keepalive {
            interval: Duration::from_millis(50),
            timeout: Duration::from_secs(1000),
        };
        let config = Config::new()
            .keepalive(keepalive)
            .write_timeout(Duration::from_secs(1000))
            .close_timeout(Duration::from_secs(1000))
            .max_queued(max_queued);
        for role in ROLES {
            let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
            let (mut wire, mut now) = (Vec::new(), Duration::ZERO);
            for step in &steps {
                run(&mut conn, &mut rx, &mut now, step);
                if let Step::Write(bytes) = step {
                    use bytes::Buf as _;

                    let n = conn.send_buf().chunk().len().min(*bytes);
                    wire.extend_from_slice(&conn.send_buf().chunk()[..n]);
                    conn.send_buf().advance(n);
                }
            }
            wire.extend(drain(&mut conn));
            let frames = read_output(role, &wire);
            let stats = conn.stats();
            prop_assert_eq!(frames.len() as u64, stats.frames_sent);
            prop_assert_eq!(wire.len() as u64, stats.bytes_sent);
            let finished = frames.iter().filter(|frame| frame.fin && frame.opcode < 8);
            prop_assert_eq!(finished.count() as u64, stats.messages_sent);
        }
    }
}
