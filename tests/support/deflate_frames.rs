//! A strict reader of output with compressed messages (RFC 7692 section 6): it checks what RFC 6455
//! demands of frames, and where RSV1 may be set, but leaves compressed payloads as they are.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use framewire::{MessageKind, Role};

use super::support::wire::hex;

/// A message as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    pub(crate) is_compressed: bool,
    /// The payload of each of its frames.
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Message {
    pub(crate) fn payload(&self) -> Vec<u8> {
        self.frames.concat()
    }
}

/// A message, at the place of its last frame, or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message(Message),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// Reads the output of an endpoint in this role that has agreed on permessage-deflate and has not closed.
/// Everything in it must be complete.
#[track_caller]
pub(crate) fn read_items(role: Role, mut bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut message: Option<Message> = None;
    while !bytes.is_empty() {
        let (first, payload, rest) = read_frame(role, bytes);
        bytes = rest;
        let is_final = first & 0x80 != 0;
        let is_compressed = first & 0x40 != 0;
        assert_eq!(first & 0x30, 0, "RSV2 and RSV3 mean nothing");
        match first & 0xf {
            0 => {
                assert!(!is_compressed, "RSV1 on a continuation frame");
                let message = message.as_mut().expect("a message to continue");
                message.frames.push(payload);
            }
            opcode @ (1 | 2) => {
                assert!(message.is_none(), "message inside of a message");
                let kind = [MessageKind::Text, MessageKind::Binary][usize::from(opcode) - 1];
                message = Some(Message {
                    kind,
                    is_compressed,
                    frames: vec![payload],
                });
            }
            opcode @ (9 | 10) => {
                assert!(!is_compressed, "RSV1 on a control frame");
                assert!(is_final && payload.len() <= 125, "a control frame is short");
                let item = [Item::Ping, Item::Pong][usize::from(opcode) - 9];
                items.push(item(payload));
                continue;
            }
            opcode => panic!("unexpected opcode {opcode}"),
        }
        if is_final {
            items.extend(message.take().map(Item::Message));
        }
    }
    assert!(message.is_none(), "a message without an end");
    items
}

/// The first byte of a frame, its payload without the mask, and what follows.
pub(crate) fn read_frame(role: Role, bytes: &[u8]) -> (u8, Vec<u8>, &[u8]) {
    let [first, second, rest @ ..] = bytes else {
        panic!("half a header");
    };
    let is_masked = second & 0x80 != 0;
    assert_eq!(is_masked, role == Role::Client, "only clients mask");
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk().expect("a whole header");
            let len = u64::from(u16::from_be_bytes(*len));
            assert!(len > 125, "not the shortest length");
            (len, rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk().expect("a whole header");
            let len = u64::from_be_bytes(*len);
            assert!(len > 0xffff, "not the shortest length");
            (len, rest)
        }
        len => (u64::from(len), rest),
    };
    let (key, rest) = rest.split_at(if is_masked { 4 } else { 0 });
    let (payload, rest) = rest.split_at(usize::try_from(len).expect("a length of ours"));
    let mut payload = payload.to_vec();
    if is_masked {
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
    (*first, payload, rest)
}

#[test]
fn the_reader_accepts_what_rfc_7692_allows() {
    // A compressed text in two frames with a ping between them, and a plain message.
    let bytes = hex("41 03 f248cd  89 00  80 04 c9c90700  82 01 ff");
    let compressed = Message {
        kind: MessageKind::Text,
        is_compressed: true,
        frames: vec![hex("f248cd"), hex("c9c90700")],
    };
    let plain = Message {
        kind: MessageKind::Binary,
        is_compressed: false,
        frames: vec![hex("ff")],
    };
    let expected = [
        Item::Ping(Vec::new()),
        Item::Message(compressed),
        Item::Message(plain),
    ];
    assert_eq!(read_items(Role::Server, &bytes), expected);
}

#[test]
fn the_reader_refuses_reserved_bits_elsewhere() {
    for (digits, complaint) in [
        ("41 00 c0 00", "RSV1 on a continuation frame"),
        ("c9 00", "RSV1 on a control frame"),
        ("ca 00", "RSV1 on a control frame"),
        ("a1 00", "RSV2 and RSV3 mean nothing"),
        ("92 00", "RSV2 and RSV3 mean nothing"),
        ("41 00", "a message without an end"),
        ("c1 80 00000000", "only clients mask"),
        ("c1 7e 0001 00", "not the shortest length"),
    ] {
        let bytes = hex(digits);
        let refused = std::panic::catch_unwind(|| read_items(Role::Server, &bytes));
        let refused = refused.expect_err(digits);
        let text = refused.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| refused.downcast_ref::<&str>().copied());
        assert!(
            text.is_some_and(|text| text.contains(complaint)),
            "{digits}: {text:?}"
        );
    }
}
