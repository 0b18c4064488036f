//! Compressed messages (RFC 7692 sections 6 and 7.2), as they are received and sent. What messages of all
//! kinds come to when they are mixed is in `deflate_mix.rs`, limits are in `deflate_limits.rs`.
#![cfg(feature = "deflate")]

mod support;

use bytes::Buf as _;
use framewire::{Config, Connection, Deflate, MessageKind, PreparedMessage, ProtocolError, Role};
use support::{
    ROLES,
    deflate::{Deflater, Inflater, Sent, agreed, deflate, events, inflate, noise, sent},
    trace::{Seen, drain},
    wire::{frame, hex},
};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn config() -> Config {
    Config::new().deflate(Deflate::new())
}

/// The parameters by which a peer keeps its window, for an end in this role.
fn peer_remembers(role: Role) -> (&'static str, Config) {
    let deflate = Deflate::new().receive_takeover(true);
    match role {
        Role::Client => ("", config()),
        Role::Server => ("", Config::new().deflate(deflate)),
    }
}

/// An end that compresses everything, with or without context takeover.
fn sender(role: Role, params: &str, deflate: Deflate) -> Connection {
    agreed(role, params, Config::new().deflate(deflate.threshold(0)))
}

/// What was written since the last time.
fn written(conn: &mut Connection) -> Vec<Sent> {
    sent(conn.role(), &drain(conn))
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

#[track_caller]
fn assert_hello(digits: &str) {
    for role in ROLES {
        let seen = events(role, "", config(), &hex(digits));
        assert_eq!(seen, [text("Hello")], "{role:?}");
    }
}

// The examples of the RFC.

// req: D-01
#[test]
fn compressed_message_is_received_whole_and_in_fragments() {
    assert_hello("c1 07 f248cdc9c90700");
    assert_hello("41 03 f248cd  80 04 c9c90700");
}

// req: D-02, D-05, D-21
#[test]
fn message_may_refer_to_the_one_before() {
    for role in ROLES {
        let (params, config) = peer_remembers(role);
        let twice = hex("c1 07 f248cdc9c90700  c1 05 f200110000");
        let seen = events(role, params, config, &twice);
        assert_eq!(seen, [text("Hello"), text("Hello")]);
    }
}

// req: D-03
#[test]
fn block_without_compression_is_received() {
    assert_hello("c1 0b 000500faff48656c6c6f00");
}

// req: D-04, D-06
#[test]
fn stream_of_a_message_may_end_before_it_does() {
    assert_hello("c1 08 f348cdc9c9070000");
    // Without the octet behind it, and with another stream there.
    assert_hello("c1 07 f348cdc9c90700");
    for role in ROLES {
        let two = hex("c1 0f f348cdc9c9070000 f248cdc9c90700");
        let seen = events(role, "", config(), &two);
        // The zero octet begins an empty block, which the second stream goes on in.
        assert!(matches!(seen[..], [Seen::Failed(_)]), "{seen:?}");
        let two = hex("c1 0e f348cdc9c90700 f248cdc9c90700");
        assert_eq!(events(role, "", config(), &two), [text("HelloHello")]);
    }
}

// req: D-05
#[test]
fn message_behind_one_whose_stream_has_ended_is_received() {
    for role in ROLES {
        let (params, config) = peer_remembers(role);
        let frames = hex("c1 08 f348cdc9c9070000  c1 07 f248cdc9c90700  c1 05 f200110000");
        let seen = events(role, params, config, &frames);
        assert_eq!(seen, [text("Hello"), text("Hello"), text("Hello")]);
    }
}

// req: D-07
#[test]
fn message_may_have_two_blocks() {
    assert_hello("c1 0d f248050000 00ffffcac9c90700");
}

// req: D-08
#[test]
fn empty_message_has_several_forms() {
    for role in ROLES {
        for digits in [
            "c1 01 00",
            "c1 00",
            "c1 02 0300",
            "41 00 80 00",
            "41 00 80 01 00",
        ] {
            assert_eq!(
                events(role, "", config(), &hex(digits)),
                [text("")],
                "{digits}"
            );
        }
        let mut conn = sender(role, "", Deflate::new());
        conn.start_message(MessageKind::Text).expect("open");
        conn.finish_message(b"").expect("begun");
        let [frame] = &written(&mut conn)[..] else {
            panic!("one frame");
        };
        assert_eq!((frame.compressed, &frame.payload[..]), (true, &[0][..]));
    }
}

// Fragments and frames between them.

// req: D-16, D-17
#[test]
fn fragments_may_be_cut_anywhere_and_be_empty() {
    assert_hello("41 00  00 00  80 07 f248cdc9c90700");
    assert_hello("41 01 f2  00 00  00 02 48cd  00 03 c9c907  80 01 00");
    assert_hello("41 07 f248cdc9c90700  80 00");
}

// req: D-18
#[test]
fn control_frames_between_fragments_are_no_part_of_the_message() {
    for role in ROLES {
        let frames = hex("41 03 f248cd  89 02 f248  00 02 c9c9  8a 00  80 02 0700  88 02 03e8");
        let seen = events(role, "", config(), &frames);
        let ping = Seen::Ping(vec![0xf2, 0x48]);
        assert_eq!(seen[..3], [ping, Seen::Pong(vec![]), text("Hello")]);
        assert_eq!(seen.len(), 4);
    }
}

// req: D-13
#[test]
fn plain_messages_come_between_compressed_ones_and_are_not_referred_to() {
    for role in ROLES {
        let (params, config) = peer_remembers(role);
        let frames = hex("c1 07 f248cdc9c90700  81 03 616263  c1 05 f200110000  82 00");
        let seen = events(role, params, config, &frames);
        let binary = Seen::Binary(Vec::new());
        assert_eq!(seen, [text("Hello"), text("abc"), text("Hello"), binary]);
    }
}

// req: T-11
#[test]
fn text_is_checked_when_it_is_decompressed() {
    for role in ROLES {
        for (payload, valid) in [
            (&b"gr\xc3\xbc\xc3\x9fe"[..], true),
            (b"gr\xc3", false),
            (b"\xed\xa0\x80", false),
            (b"fine so far \xff and never looked at", false),
        ] {
            let compressed = deflate(payload);
            let seen = events(role, "", config(), &frame(0xc1, &compressed));
            if valid {
                assert_eq!(
                    seen,
                    [Seen::Text(String::from_utf8(payload.into()).expect("text"))]
                );
            } else {
                assert_eq!(
                    seen,
                    [Seen::Failed(ProtocolError::InvalidUtf8)],
                    "{payload:?}"
                );
            }
            // Compressed bytes are no text, whatever is in them.
            let seen = events(role, "", config(), &frame(0xc2, &compressed));
            assert_eq!(seen, [Seen::Binary(payload.into())]);
        }
        // At once, though the message goes on.
        let begun = deflate(b"wrong: \xff");
        let seen = events(role, "", config(), &frame(0x41, &begun));
        assert_eq!(seen, [Seen::Failed(ProtocolError::InvalidUtf8)]);
    }
}

// Text that is wrong before a mistake in the compressed data is found first, however both arrive.
#[test]
fn first_of_two_mistakes_counts() {
    for role in ROLES {
        // Two blocks, the second of which has an invalid type; a byte of its output is no text.
        let digits = "c1 0e f248050000 00ffff7acac9c9 06ff";
        let seen = events(role, "", config(), &hex(digits));
        assert_eq!(seen.len(), 1);
        let both = [&deflate(b"\xff")[..], &TAIL, &[0xff]].concat();
        let seen = events(role, "", config(), &frame(0xc1, &both));
        assert_eq!(seen, [Seen::Failed(ProtocolError::InvalidUtf8)]);
        let seen = events(role, "", config(), &frame(0xc2, &both));
        assert_eq!(seen, [Seen::Failed(ProtocolError::InvalidCompression)]);
    }
}

// req: M-10
#[test]
fn masked_message_is_unmasked_before_it_is_decompressed() {
    // "Hello" as a client sends it, with the key 37fa213d.
    let mut conn = agreed(Role::Server, "", config());
    let mut rx = framewire::RecvBuf::new();
    let masked: Vec<u8> = hex("f248cdc9c90700")
        .iter()
        .zip(hex("37fa213d").iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    rx.extend_from_slice(&hex("c1 87 37fa213d"));
    rx.extend_from_slice(&masked);
    let event = conn.receive(&mut rx);
    assert_eq!(event, Some(framewire::Event::Text("Hello")));
}

// req: D-21
#[test]
fn window_of_the_peer_is_kept_over_many_messages() {
    for role in ROLES {
        let (params, config) = peer_remembers(role);
        let mut peer = Deflater::new();
        let mut conn = agreed(role, params, config);
        let mut rx = framewire::RecvBuf::new();
        for n in 0..1000 {
            let message = format!("{{\"number\":{n},\"text\":\"{}\"}}", "word ".repeat(n % 50));
            let bytes = support::wire::input(role, &frame(0xc1, &peer.message(message.as_bytes())));
            rx.extend_from_slice(&bytes);
            let event = conn.receive(&mut rx);
            assert_eq!(event, Some(framewire::Event::Text(&message)));
        }
    }
}

// req: D-32
#[test]
fn client_takes_what_was_compressed_with_a_window_of_8_bits() {
    let seen = events(
        Role::Client,
        "; server_max_window_bits=8",
        config(),
        &hex("c1 07 f248cdc9c90700"),
    );
    assert_eq!(seen, [text("Hello")]);
}

// Sending.

/// All ways to send one message, in one frame.
fn send_all(conn: &mut Connection, message: &str) {
    conn.send_text(message).expect("open");
    conn.send_binary(message.as_bytes()).expect("open");
    let bytes = || message.as_bytes().to_vec().into();
    conn.send_bytes(MessageKind::Text, bytes()).expect("open");
    conn.send_bytes(MessageKind::Binary, bytes()).expect("open");
}

// req: D-14, D-20, N-11, N-25
#[test]
fn message_is_sent_compressed_and_by_itself() {
    for role in ROLES {
        let mut conn = sender(role, "", Deflate::new());
        for len in [1, 100, 20_000, 300_000] {
            let message = "Hello, hello! ".repeat(len);
            send_all(&mut conn, &message);
            let frames = written(&mut conn);
            assert_eq!(frames.len(), 4);
            for (frame, opcode) in frames.iter().zip([1, 2, 1, 2]) {
                assert_eq!((frame.fin, frame.opcode), (true, opcode));
                let is_small = frame.payload.len() < message.len();
                assert!(frame.compressed == is_small, "{len}");
                if frame.compressed {
                    assert!(!frame.payload.ends_with(&TAIL));
                    assert_eq!(inflate(&frame.payload), message.as_bytes());
                }
            }
        }
        assert_eq!(conn.stats().messages_sent, 16);
    }
}

// req: D-30
#[test]
fn messages_below_the_threshold_are_sent_as_they_are() {
    for role in ROLES {
        for threshold in [0, 1, 128, 1000] {
            let deflate = Deflate::new().threshold(threshold);
            let mut conn = agreed(role, "", Config::new().deflate(deflate));
            for len in [threshold.saturating_sub(1), threshold, threshold + 100] {
                let message = "a".repeat(len);
                conn.send_text(&message).expect("open");
                let [frame] = &written(&mut conn)[..] else {
                    panic!("one frame");
                };
                // Some are so short that nothing is shorter.
                let compresses = len >= threshold && len > 6;
                assert_eq!(frame.compressed, compresses, "{threshold} {len}");
            }
        }
        let mut conn = agreed(role, "", config());
        conn.send_text(&"a".repeat(127)).expect("open");
        conn.send_text(&"a".repeat(128)).expect("open");
        let compressed = written(&mut conn).into_iter().map(|f| f.compressed);
        assert_eq!(compressed.collect::<Vec<_>>(), [false, true], "the default");
    }
}

// req: D-31
#[test]
fn what_does_not_get_smaller_is_sent_as_it_is() {
    for role in ROLES {
        for takeover in [false, true] {
            let mut conn = sender(role, "", Deflate::new().send_takeover(takeover));
            for len in [1, 1000, 1 << 20] {
                let noise = noise(len);
                conn.send_binary(&noise).expect("open");
                let frames = written(&mut conn);
                if takeover && len == 1 {
                    // Next to nothing longer, and the next message may refer to it.
                    let len = frames[0].payload.len();
                    assert!(frames[0].compressed && len < noise.len() + 8);
                    continue;
                }
                let expected = Sent {
                    fin: true,
                    compressed: false,
                    opcode: 2,
                    payload: noise,
                };
                assert!(frames == [expected]);
            }
        }
    }
}

// req: D-22
#[test]
fn what_was_compressed_and_then_sent_as_it_is_is_not_referred_to() {
    for role in ROLES {
        let mut conn = sender(role, "", Deflate::new().send_takeover(true));
        let mut peer = Inflater::new();
        let noise: String = noise(600)
            .iter()
            .map(|b| char::from(b'!' + b % 90))
            .collect();
        let mut is_compressed = Vec::new();
        for message in [
            "a".repeat(300),
            noise.clone(),
            noise.repeat(2),
            noise,
            "a".repeat(300),
        ] {
            conn.send_text(&message).expect("open");
            let [frame] = &written(&mut conn)[..] else {
                panic!("one frame");
            };
            is_compressed.push(frame.compressed);
            if frame.compressed {
                assert_eq!(peer.message(&frame.payload), message.as_bytes());
            }
        }
        assert!(is_compressed[0] && is_compressed[4], "{is_compressed:?}");
        // Binary noise stays as it is, and the next message must not know of it.
        let noise = self::noise(600);
        conn.send_binary(&noise).expect("open");
        conn.send_binary(&[&noise[..], &[b'a'; 2000]].concat())
            .expect("open");
        let frames = written(&mut conn);
        assert_eq!((frames[0].compressed, frames[1].compressed), (false, true));
        let expected = [&noise[..], &[b'a'; 2000]].concat();
        assert_eq!(peer.message(&frames[1].payload), expected);
    }
}

// req: D-22
#[test]
fn message_that_was_refused_is_not_referred_to() {
    for role in ROLES {
        let options = Deflate::new().send_takeover(true).threshold(0);
        let config = Config::new().deflate(options).max_queued(1);
        let mut conn = agreed(role, "", config);
        let mut peer = Inflater::new();
        let messages: Vec<_> = (0..20_u8)
            .map(|n| format!("{n}, {}", String::from_utf8_lossy(&[b'a' + n; 200])))
            .collect();
        for pair in messages.windows(2) {
            conn.send_text(&pair[0]).expect("there is room");
            let full = Err(framewire::SendError::BufferFull {
                queued: conn.send_buf().remaining(),
            });
            assert_eq!(conn.send_text(&pair[1]), full);
            let bytes = pair[1].as_bytes().to_vec().into();
            assert_eq!(conn.send_bytes(MessageKind::Text, bytes), full);
            conn.start_message(MessageKind::Binary).expect("in order");
            assert_eq!(conn.send_part(pair[1].as_bytes()), full);
            let begun = written(&mut conn);
            conn.finish_message(pair[1].as_bytes())
                .expect("there is room");
            let frames = [begun, written(&mut conn)].concat();
            assert_eq!(frames.len(), 2);
            for (frame, expected) in frames.iter().zip(pair) {
                assert!(frame.compressed);
                assert_eq!(peer.message(&frame.payload), expected.as_bytes());
            }
        }
    }
}

#[test]
fn messages_refer_to_those_before_only_if_that_was_switched_on_and_agreed_on() {
    let message = "The same words, and they are not few. ".repeat(3) + "Not all of them.";
    for role in ROLES {
        let forbidden = match role {
            Role::Client => "; client_no_context_takeover",
            Role::Server => "; server_no_context_takeover",
        };
        for (params, takeover, refers) in [
            ("", true, true),
            ("", false, false),
            (forbidden, true, false),
        ] {
            let mut conn = sender(role, params, Deflate::new().send_takeover(takeover));
            conn.send_text(&message).expect("open");
            conn.send_text(&message).expect("open");
            let frames = written(&mut conn);
            let [first, second] = &frames[..] else {
                panic!("two frames");
            };
            let mut peer = Inflater::new();
            assert_eq!(peer.message(&first.payload), message.as_bytes());
            assert_eq!(peer.message(&second.payload), message.as_bytes());
            assert_eq!(second.payload.len() < first.payload.len() / 2, refers);
            if !refers {
                assert_eq!(inflate(&second.payload), message.as_bytes());
            }
        }
    }
}

#[test]
fn small_messages_that_resemble_each_other_gain_by_context_takeover() {
    for role in ROLES {
        let options = Deflate::new().send_takeover(true).threshold(32);
        let mut conn = agreed(role, "", Config::new().deflate(options));
        let mut peer = Inflater::new();
        let (mut plain, mut compressed) = (0, 0);
        for n in 0..100 {
            let message = format!("{{\"id\":{n},\"name\":\"tide\",\"is_high\":true}}");
            conn.send_text(&message).expect("open");
            let frames = written(&mut conn);
            plain += message.len();
            compressed += frames[0].payload.len();
            assert!(frames[0].compressed);
            assert_eq!(peer.message(&frames[0].payload), message.as_bytes());
        }
        assert!(compressed < plain / 2, "{compressed} of {plain}");
    }
}

#[test]
fn compression_is_switched_off_and_on_between_messages() {
    for role in ROLES {
        let mut conn = agreed(role, "", config());
        assert!(conn.can_compress());
        let message = "Hello, hello! ".repeat(20);
        let mut compressed = Vec::new();
        for on in [false, true, true, false] {
            conn.set_compression(on);
            conn.send_text(&message).expect("open");
            conn.start_message(MessageKind::Text).expect("open");
            // Not within a message.
            conn.set_compression(!on);
            conn.send_part(message.as_bytes()).expect("begun");
            conn.finish_message(b"").expect("begun");
            let frames = written(&mut conn);
            compressed.extend([frames[0].compressed, frames[1].compressed]);
        }
        assert_eq!(
            compressed,
            [false, false, true, true, true, true, false, false]
        );
        let mut plain = support::connection(role, config());
        assert!(!plain.can_compress(), "nothing was agreed on");
        plain.set_compression(true);
        plain.send_text(&message).expect("open");
        assert!(!written(&mut plain)[0].compressed);
    }
}

// req: D-15, D-29
#[test]
fn each_part_of_a_message_can_be_decompressed_when_it_arrives() {
    for (role, takeover) in ROLES.into_iter().flat_map(|r| [(r, false), (r, true)]) {
        let mut conn = sender(role, "", Deflate::new().send_takeover(takeover));
        let parts = [
            "Hello, ".repeat(10),
            "hello! ".repeat(300),
            "!".into(),
            String::new(),
        ];
        for round in 0..3 {
            conn.start_message(MessageKind::Text).expect("open");
            let mut receiver = agreed(
                match role {
                    Role::Client => Role::Server,
                    Role::Server => Role::Client,
                },
                "",
                Config::new().deflate(Deflate::new().receive_takeover(true)),
            );
            let mut rx = framewire::RecvBuf::new();
            let mut payload = Vec::new();
            for part in &parts {
                conn.send_part(part.as_bytes()).expect("begun");
                let output = drain(&mut conn);
                let frames = sent(role, &output);
                assert_eq!(frames.len(), usize::from(!part.is_empty()));
                payload.extend(frames.into_iter().flat_map(|f| f.payload));
                if takeover && round > 0 {
                    continue; // This receiver does not know what was sent before.
                }
                rx.extend_from_slice(&output);
                let mut heard = String::new();
                while let Some(event) = receiver.receive_part(&mut rx) {
                    match event {
                        framewire::PartEvent::Text { part, last: false } => heard += part,
                        other => panic!("{other:?}"),
                    }
                }
                assert_eq!(heard, *part, "{role:?}");
            }
            conn.finish_message(b"").expect("begun");
            let last = &written(&mut conn)[..];
            assert!(last.len() == 1 && last[0].fin && last[0].payload.is_empty());
            assert!(!payload.ends_with(&TAIL));
            if !takeover {
                assert_eq!(inflate(&payload), parts.concat().as_bytes());
            }
        }
    }
}

// Messages that are encoded once.

fn prepared(bits: u8) -> (String, PreparedMessage) {
    let text = "Tide is high, and the sky is low. ".repeat(20);
    let deflate = Deflate::new().send_window_bits(bits);
    let message = PreparedMessage::text(&text).compress(&deflate);
    (text, message)
}

// req: D-22, D-23
#[test]
fn prepared_message_is_compressed_where_the_window_allows_it() {
    for bits in [9, 12, 15] {
        let (text, message) = prepared(bits);
        for agreed_bits in 9..=15 {
            let params = format!("; server_max_window_bits={agreed_bits}");
            let mut conn = sender(Role::Server, &params, Deflate::new());
            conn.send_prepared(&message).expect("open");
            let frames = written(&mut conn);
            assert_eq!(
                frames[0].compressed,
                bits <= agreed_bits,
                "{bits} {agreed_bits}"
            );
            if frames[0].compressed {
                assert_eq!(inflate(&frames[0].payload), text.as_bytes());
            } else {
                assert_eq!(frames[0].payload, text.as_bytes());
            }
        }
        // Where it is not agreed on or switched off, and without having been compressed.
        let mut plain = Connection::server(Config::new());
        let mut off = sender(Role::Server, "", Deflate::new());
        off.set_compression(false);
        let mut on = sender(Role::Server, "", Deflate::new());
        for (conn, message) in [
            (&mut plain, &message),
            (&mut off, &message),
            (&mut on, &PreparedMessage::text(&text)),
        ] {
            conn.send_prepared(message).expect("open");
            let frames = written(conn);
            assert_eq!(
                (frames[0].compressed, &frames[0].payload[..]),
                (false, text.as_bytes())
            );
        }
    }
}

// req: D-22
#[test]
fn message_behind_a_prepared_one_does_not_refer_to_what_was_before_it() {
    for prepared_first in [false, true] {
        let (text, message) = prepared(15);
        let mut conn = sender(Role::Server, "", Deflate::new().send_takeover(true));
        let mut peer = Inflater::new();
        for n in 0..6 {
            if (n % 2 == 0) == prepared_first {
                conn.send_prepared(&message).expect("open");
            } else {
                conn.send_text(&text).expect("open");
            }
            let frames = written(&mut conn);
            assert!(frames[0].compressed);
            // The peer's window goes on: the prepared message is in it, with a window of its own.
            assert_eq!(peer.message(&frames[0].payload), text.as_bytes());
        }
    }
}

#[test]
fn prepared_message_of_a_client_is_compressed_by_its_connection() {
    let (text, message) = prepared(15);
    let mut conn = sender(Role::Client, "", Deflate::new());
    conn.send_prepared(&message).expect("open");
    let frames = written(&mut conn);
    assert!(frames[0].compressed);
    assert_eq!(inflate(&frames[0].payload), text.as_bytes());
}

#[test]
fn what_is_too_small_or_no_smaller_is_not_prepared_compressed() {
    for payload in [vec![b'a'; 127], noise(2000)] {
        let message = PreparedMessage::binary(&payload).compress(&Deflate::new());
        let mut conn = sender(Role::Server, "", Deflate::new());
        conn.send_prepared(&message).expect("open");
        let frames = written(&mut conn);
        assert_eq!(
            (frames[0].compressed, &frames[0].payload),
            (false, &payload)
        );
    }
}
