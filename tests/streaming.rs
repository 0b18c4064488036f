//! Receiving a message in parts, before it is complete. RFC 6455 section 5.4 allows it in the
//! absence of extensions; section 8.1 still asks for UTF-8, and the limits still hold.

mod support;

use framewire::{Config, Connection, PartEvent, ProtocolError, RecvBuf, Role, SendError};
use support::trace::{Seen, drain, random_pieces};
use support::wire::{frame, input, input_hex, read_output};
use support::{ROLES, connection};

/// A [`PartEvent`] that owns its bytes; what is no part is as [`Seen`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String, bool),
    Binary(Vec<u8>, bool),
    Other(Seen),
}

impl From<PartEvent<'_>> for Part {
    fn from(event: PartEvent<'_>) -> Self {
        match event {
            PartEvent::Text { part, last } => Self::Text(part.into(), last),
            PartEvent::Binary { part, last } => Self::Binary(part.into(), last),
            PartEvent::Ping(payload) => Self::Other(Seen::Ping(payload.into())),
            PartEvent::Pong(payload) => Self::Other(Seen::Pong(payload.into())),
            PartEvent::Close(frame) => {
                Self::Other(Seen::Close(frame.map(|f| (f.code, f.reason.into()))))
            }
            PartEvent::Failed(error) => Self::Other(Seen::Failed(error)),
            other => panic!("unknown event {other:?}"),
        }
    }
}

fn text(part: &str, last: bool) -> Part {
    Part::Text(part.into(), last)
}

fn binary(part: &[u8], last: bool) -> Part {
    Part::Binary(part.into(), last)
}

fn failed(error: ProtocolError) -> Part {
    Part::Other(Seen::Failed(error))
}

/// Takes all parts of some more input.
fn take(conn: &mut Connection, rx: &mut RecvBuf, bytes: &[u8]) -> Vec<Part> {
    rx.extend_from_slice(bytes);
    let mut parts = Vec::new();
    while let Some(event) = conn.receive_part(rx) {
        parts.push(event.into());
    }
    parts
}

/// The parts of a fresh connection for these pieces of input.
fn parts_of<'a>(
    role: Role,
    config: Config,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Part> {
    let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
    let pieces = pieces.into_iter();
    pieces
        .flat_map(|piece| take(&mut conn, &mut rx, piece))
        .collect()
}

/// Puts the parts of each message together, and asserts that parts are empty only at the end of a
/// message and that nothing but control frames is between them.
fn join(parts: Vec<Part>) -> Vec<Seen> {
    let (mut events, mut message) = (Vec::new(), None);
    for part in parts {
        let (kind, bytes, last) = match part {
            Part::Text(part, last) => ("text", part.into_bytes(), last),
            Part::Binary(part, last) => ("binary", part, last),
            Part::Other(seen) => {
                events.push(seen);
                continue;
            }
        };
        assert!(last || !bytes.is_empty(), "an empty part inside a message");
        let (of, mut joined) = message.take().unwrap_or((kind, Vec::new()));
        assert_eq!(of, kind, "parts of one message");
        joined.extend(bytes);
        match (last, kind) {
            (false, _) => message = Some((kind, joined)),
            (true, "text") => {
                let joined = String::from_utf8(joined).expect("parts are UTF-8");
                events.push(Seen::Text(joined));
            }
            (true, _) => events.push(Seen::Binary(joined)),
        }
    }
    assert_eq!(message, None, "the last message has ended");
    events
}

/// What all parts put together are, asserted to be the same for every cut of `bytes`.
fn joined(role: Role, config: Config, bytes: &[u8]) -> Vec<Seen> {
    let whole = join(parts_of(role, config, [bytes]));
    assert_eq!(join(parts_of(role, config, bytes.chunks(1))), whole);
    for cut in 1..bytes.len().min(200) {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(join(parts_of(role, config, [left, right])), whole, "{cut}");
    }
    for seed in 0..6 {
        let pieces = random_pieces(bytes, seed);
        assert_eq!(join(parts_of(role, config, pieces)), whole, "{seed}");
    }
    whole
}

// req: F-26
#[test]
fn payload_is_handed_out_before_its_frame_is_complete() {
    for role in ROLES {
        for (first, part) in [
            (0x82, binary as fn(&[u8], bool) -> Part),
            (0x81, |part, last| {
                text(std::str::from_utf8(part).expect("ASCII"), last)
            }),
        ] {
            let bytes = input(role, &frame(first, b"Hello"));
            let header = bytes.len() - 5;
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            assert_eq!(take(&mut conn, &mut rx, &bytes[..header]), []);
            let parts = take(&mut conn, &mut rx, &bytes[header..header + 3]);
            assert_eq!(parts, [part(b"Hel", false)]);
            assert_eq!(take(&mut conn, &mut rx, b""), []);
            let parts = take(&mut conn, &mut rx, &bytes[header + 3..]);
            assert_eq!(parts, [part(b"lo", true)]);
            assert_eq!(conn.stats().messages_received, 1);
        }
    }
}

// req: F-26
#[test]
fn each_fragment_is_a_part_and_the_last_one_says_so() {
    for role in ROLES {
        let bytes = input_hex(role, "02 01 61  00 02 6263  80 01 64  81 01 65");
        let expected = [
            binary(b"a", false),
            binary(b"bc", false),
            binary(b"d", true),
            text("e", true),
        ];
        assert_eq!(parts_of(role, Config::new(), [&bytes[..]]), expected);
    }
}

// req: F-26
#[test]
fn empty_fragments_are_no_parts_and_an_empty_message_is_one() {
    for role in ROLES {
        let bytes = input_hex(role, "81 00  01 00 00 00 80 00  02 00 00 01 61 00 00 80 00");
        let expected = [
            text("", true),
            text("", true),
            binary(b"a", false),
            binary(b"", true),
        ];
        assert_eq!(parts_of(role, Config::new(), [&bytes[..]]), expected);
    }
}

// req: F-26, T-02
#[test]
fn parts_of_text_end_between_characters() {
    let message = "Grüße, 世界 🦀 κόσμε";
    for role in ROLES {
        let one_frame = frame(0x81, message.as_bytes());
        let mut fragments = frame(0x01, b"");
        for byte in message.as_bytes() {
            fragments.extend(frame(0x00, &[*byte]));
        }
        fragments.extend(frame(0x80, b""));
        for frames in [one_frame, fragments] {
            let bytes = input(role, &frames);
            assert_eq!(
                joined(role, Config::new(), &bytes),
                [Seen::Text(message.into())]
            );
        }
        // As early as possible: every character as soon as its last byte is there.
        let bytes = input(role, &frame(0x81, "é🦀x".as_bytes()));
        let header = bytes.len() - 7;
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let mut at = Vec::new();
        for (place, byte) in bytes.iter().enumerate() {
            for part in take(&mut conn, &mut rx, &[*byte]) {
                at.push((place - header, part));
            }
        }
        let expected = [
            (1, text("é", false)),
            (5, text("🦀", false)),
            (6, text("x", true)),
        ];
        assert_eq!(at, expected);
    }
}

// req: F-26, F-16
#[test]
fn control_frames_come_between_the_parts() {
    for role in ROLES {
        let bytes = input_hex(
            role,
            "01 02 61c3  89 01 70  00 01 a9  8a 00  80 01 62  88 00",
        );
        let expected = [
            text("a", false),
            Part::Other(Seen::Ping(b"p".to_vec())),
            text("é", false),
            Part::Other(Seen::Pong(vec![])),
            text("b", true),
            Part::Other(Seen::Close(None)),
        ];
        assert_eq!(parts_of(role, Config::new(), [&bytes[..]]), expected);
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        take(&mut conn, &mut rx, &bytes);
        let output = read_output(role, &drain(&mut conn));
        let opcodes: Vec<_> = output.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [10, 8]);
        let expected = [
            Seen::Ping(b"p".to_vec()),
            Seen::Pong(vec![]),
            Seen::Text("aéb".into()),
            Seen::Close(None),
        ];
        assert_eq!(joined(role, Config::new(), &bytes), expected);
    }
}

// req: F-26, F-27
#[test]
fn limits_and_rules_hold_between_parts() {
    let small = Config::new().max_message_size(5);
    let few = Config::new().max_fragments(2);
    let frames = Config::new().max_frame_size(2);
    let size = |size, limit| ProtocolError::MessageTooBig { size, limit };
    for role in ROLES {
        for (config, bad, error) in [
            (small, "00 05 6262626262", size(6, 5)),
            (
                few,
                "00 00  80 00",
                ProtocolError::TooManyFragments { limit: 2 },
            ),
            (
                frames,
                "80 03 626262",
                ProtocolError::FrameTooBig { size: 3, limit: 2 },
            ),
            (small, "81 01 62", ProtocolError::InterleavedMessage),
            (
                small,
                "c0 01 62",
                ProtocolError::ReservedBits { bits: 0x40 },
            ),
        ] {
            let bytes = input_hex(role, &format!("02 01 61  {bad}  88 00"));
            let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
            let parts = take(&mut conn, &mut rx, &bytes);
            assert_eq!(parts, [binary(b"a", false), failed(error)], "{bad}");
            assert_eq!(take(&mut conn, &mut rx, &bytes), []);
            assert_eq!(conn.failure(), Some(error));
            assert_eq!(conn.send_text("x"), Err(SendError::Closed));
            let output = read_output(role, &drain(&mut conn));
            let code = error.close_code().get().to_be_bytes();
            assert_eq!(output.len(), 1);
            assert_eq!((output[0].opcode, &output[0].payload[..]), (8, &code[..]));
        }
    }
}

// req: F-26, T-09
#[test]
fn invalid_text_fails_at_its_first_impossible_byte_behind_the_valid_parts() {
    for role in ROLES {
        let bytes = input_hex(role, "01 02 61f4  80 0a 90808080808080808080");
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let bad = bytes.len() - 10;
        assert_eq!(take(&mut conn, &mut rx, &bytes[..bad]), [text("a", false)]);
        let parts = take(&mut conn, &mut rx, &bytes[bad..=bad]);
        assert_eq!(parts, [failed(ProtocolError::InvalidUtf8)]);
        let output = read_output(role, &drain(&mut conn));
        assert_eq!(output[0].payload, 1007u16.to_be_bytes());
    }
}

// req: F-26, T-03
#[test]
fn text_that_ends_inside_a_character_fails_behind_the_valid_parts() {
    for role in ROLES {
        for digits in ["01 02 61c3  80 00", "81 02 61c3", "01 01 61  80 03 f09fa6"] {
            let bytes = input_hex(role, digits);
            let parts = parts_of(role, Config::new(), bytes.chunks(1));
            let expected = [text("a", false), failed(ProtocolError::InvalidUtf8)];
            assert_eq!(parts, expected, "{digits}");
        }
    }
}

// req: F-26, F-09
#[test]
fn without_a_limit_a_message_may_be_larger_than_memory() {
    let config = Config::new()
        .max_message_size(usize::MAX)
        .max_frame_size(usize::MAX)
        .max_fragments(u32::MAX);
    for role in ROLES {
        // The largest frame there is: nothing is allocated for it, and no part is the last.
        let bytes = input_hex(role, "82 7f 7fffffffffffffff");
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        assert_eq!(take(&mut conn, &mut rx, &bytes), []);
        let piece = [0; 8 * 1024];
        for _ in 0..1000 {
            let parts = take(&mut conn, &mut rx, &piece);
            let [Part::Binary(part, false)] = &parts[..] else {
                panic!("one part, not the last: {} parts", parts.len());
            };
            assert_eq!(part.len(), piece.len());
        }
        assert!(rx.capacity() < 64 * 1024, "{}", rx.capacity());
    }
}

// req: F-26
#[test]
fn receive_and_receive_part_may_take_turns_between_messages() {
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let frames = "01 01 61 80 01 62  02 01 63 80 01 64  81 01 65  82 01 66";
        rx.extend_from_slice(&input_hex(role, frames));
        let whole = |conn: &mut Connection, rx: &mut RecvBuf| conn.receive(rx).map(Seen::from);
        let part = |conn: &mut Connection, rx: &mut RecvBuf| conn.receive_part(rx).map(Part::from);
        assert_eq!(whole(&mut conn, &mut rx), Some(Seen::Text("ab".into())));
        assert_eq!(part(&mut conn, &mut rx), Some(binary(b"c", false)));
        assert_eq!(part(&mut conn, &mut rx), Some(binary(b"d", true)));
        assert_eq!(whole(&mut conn, &mut rx), Some(Seen::Text("e".into())));
        assert_eq!(part(&mut conn, &mut rx), Some(binary(b"f", true)));
        assert_eq!(whole(&mut conn, &mut rx), None);
    }
}

// req: F-26
#[test]
#[should_panic(expected = "must not be mixed within one message")]
fn receive_inside_a_streamed_message_is_a_misuse() {
    let (mut conn, mut rx) = (Connection::server(Config::new()), RecvBuf::new());
    rx.extend_from_slice(&input_hex(Role::Server, "02 01 61"));
    assert!(conn.receive_part(&mut rx).is_some());
    rx.extend_from_slice(&input_hex(Role::Server, "80 01 62"));
    let _ = conn.receive(&mut rx);
}

// req: F-26
#[test]
#[should_panic(expected = "must not be mixed within one message")]
fn receive_part_inside_a_joined_message_is_a_misuse() {
    let (mut conn, mut rx) = (Connection::server(Config::new()), RecvBuf::new());
    rx.extend_from_slice(&input_hex(Role::Server, "01 01 61"));
    assert_eq!(conn.receive(&mut rx), None);
    let _ = conn.receive_part(&mut rx);
}

// req: F-26
#[test]
#[should_panic(expected = "must not be mixed within one message")]
fn receive_inside_a_streamed_message_is_a_misuse_also_when_asked_before() {
    let (mut conn, mut rx) = (Connection::server(Config::new()), RecvBuf::new());
    rx.extend_from_slice(&input_hex(Role::Server, "02 01 61"));
    assert!(conn.receive_part(&mut rx).is_some());
    rx.extend_from_slice(&input_hex(Role::Server, "80 01 62"));
    assert!(!conn.wants_read(&mut rx));
    let _ = conn.receive(&mut rx);
}
