//! Compressed messages in parts (RFC 7692 section 7.2): all of a part can be had before the next one comes.
#![cfg(feature = "deflate")]

#[path = "support/deflate_frames.rs"]
mod deflate_frames;
mod support;

use deflate_frames::read_frame;
use framewire::{CloseCode, Config, Deflate, Event, MessageKind, PartEvent, RecvBuf, Role};
use support::{
    ROLES,
    deflate::{Inflater, agreed, deflate, noise},
    trace::{Seen, drain},
    wire::{close, frame, input},
};

// req: D-15, D-29
#[test]
fn each_part_of_a_streamed_message_arrives_before_the_next_is_sent() {
    let json = b"{\"name\":\"boat\",\"afloat\":true},".repeat(3000);
    let noise = noise(3000);
    let parts = [
        &json[..7],
        &noise,
        &noise[..1],
        b"",
        // Much more than is handed out at once.
        &json,
        &noise[..2000],
        &json[..40],
    ];
    let ends = [(Role::Client, Role::Server), (Role::Server, Role::Client)];
    for ((role, other), takeover) in ends
        .into_iter()
        .flat_map(|ends| [(ends, false), (ends, true)])
    {
        for level in [1, 6, 9] {
            let options = Deflate::new().send_takeover(takeover).level(level);
            let mut conn = agreed(role, "", Config::new().deflate(options));
            let options = Deflate::new().receive_takeover(true);
            let mut peer = agreed(other, "", Config::new().deflate(options));
            let mut rx = RecvBuf::new();
            let mut before: Vec<Vec<u8>> = Vec::new();
            for last in [&noise[..50], b""] {
                let (mut sent, mut payload) = (Vec::new(), Vec::new());
                let mut received = Vec::new();
                conn.start_message(MessageKind::Binary).expect("it is open");
                for (n, part) in parts.into_iter().chain([last]).enumerate() {
                    let is_last = n == parts.len();
                    if is_last {
                        conn.finish_message(part).expect("in progress");
                    } else {
                        conn.send_part(part).expect("in progress");
                    }
                    payload.extend_from_slice(part);
                    let output = drain(&mut conn);
                    if part.is_empty() && !is_last {
                        assert!(output.is_empty());
                        continue;
                    }
                    let (first, frame, rest) = read_frame(role, &output);
                    let expected = if n == 0 { 0x42 } else { 0 } | if is_last { 0x80 } else { 0 };
                    assert_eq!((first, rest.len()), (expected, 0));
                    sent.extend(frame);

                    let mut inflater = Inflater::new();
                    for message in before.iter().filter(|_| takeover) {
                        inflater.message(message);
                    }
                    assert!(inflater.message(&sent) == payload, "{role:?}, part {n}");

                    rx.extend_from_slice(&output);
                    let mut has_ended = false;
                    while let Some(event) = peer.receive_part(&mut rx) {
                        let PartEvent::Binary { part, last } = event else {
                            panic!("{event:?}");
                        };
                        received.extend_from_slice(part);
                        has_ended = last;
                    }
                    assert!(received == payload, "{other:?} after part {n}");
                    assert_eq!(has_ended, is_last);
                }
                before.push(sent);
            }
        }
    }
}

// req: D-29
#[test]
fn output_that_waits_for_room_arrives_before_the_next_frame() {
    // The input is used up somewhere in the last match, at a different place for each length.
    for role in ROLES {
        let mut waited = 0;
        for len in 8 * 1024 + 1..8 * 1024 + 600 {
            let options = Deflate::new().receive_takeover(true);
            let mut conn = agreed(role, "", Config::new().deflate(options));
            let mut rx = RecvBuf::new();
            let frame = frame(0x42, &deflate(&vec![0; len]));
            rx.extend_from_slice(&input(role, &frame));
            let (mut received, mut parts) = (0, 0);
            while let Some(event) = conn.receive_part(&mut rx) {
                let PartEvent::Binary { part, last: false } = event else {
                    panic!("{event:?}");
                };
                received += part.len();
                parts += 1;
            }
            assert_eq!(received, len, "{role:?}");
            waited += usize::from(parts > 1);
        }
        assert!(waited > 0, "a part is longer than that");
    }
}

// req: D-18
#[test]
fn a_message_that_nobody_wants_any_more_does_not_hold_up_what_follows() {
    for role in ROLES {
        let config = Config::new().receive_while_closing(false);
        let mut conn = agreed(role, "", config.deflate(Deflate::new()));
        conn.close(CloseCode::NORMAL, "").expect("it is open");
        let message = frame(0xc2, &deflate(&vec![0; 100_000]));
        let bytes = input(
            role,
            &[&message[..], &frame(0x89, b"ping"), &close(1000, "")].concat(),
        );
        let expected = [
            Seen::Ping(b"ping".to_vec()),
            Seen::Close(Some((CloseCode::NORMAL, String::new()))),
        ];
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&bytes);
        let mut events = Vec::new();
        while let Some(event) = conn.receive_part(&mut rx) {
            events.push(match event {
                PartEvent::Ping(payload) => Seen::Ping(payload.to_vec()),
                PartEvent::Close(frame) => {
                    Seen::Close(frame.map(|frame| (frame.code, frame.reason.into())))
                }
                other => panic!("unexpected {other:?}"),
            });
        }
        assert_eq!(events, expected);
    }
}

// What each flush costs on the wire does not count towards a limit on messages.
// req: D-27
#[test]
fn a_message_within_the_limit_may_come_in_tiny_parts() {
    for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        for (payload, size) in [
            (b"tide is high, ".repeat(100), 1),
            (b"tide is high, ".repeat(100), 3),
            (noise(20_000), 10),
        ] {
            let mut conn = agreed(from, "", Config::new().deflate(Deflate::new()));
            conn.start_message(MessageKind::Binary).expect("it is open");
            for part in payload.chunks(size) {
                conn.send_part(part).expect("in progress");
            }
            conn.finish_message(b"").expect("in progress");
            let config = Config::new().max_message_size(payload.len());
            let mut peer = agreed(to, "", config.deflate(Deflate::new()));
            let mut rx = RecvBuf::new();
            rx.extend_from_slice(&drain(&mut conn));
            assert_eq!(peer.receive(&mut rx), Some(Event::Binary(&payload)));
        }
    }
}
