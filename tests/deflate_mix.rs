//! Compressed messages of all kinds and sizes on one connection (RFC 7692 sections 6 and 7.2), held
//! against a second implementation of deflate and against the other end of ours.
#![cfg(feature = "deflate")]

#[path = "support/deflate_arrivals.rs"]
mod deflate_arrivals;
#[path = "support/deflate_frames.rs"]
mod deflate_frames;
#[path = "support/deflate_settings.rs"]
mod deflate_settings;
#[path = "support/deflate_steps.rs"]
mod deflate_steps;
#[path = "support/deflate_tokens.rs"]
mod deflate_tokens;
mod support;

use deflate_arrivals::{any_arrival, arrive};
use deflate_frames::{Item, Message, read_items};
use deflate_settings::{Direction, any_options, any_settings, direction};
use deflate_steps::{Queued, Sender, any_step, random};
use deflate_tokens::Walker;
use framewire::{Config, Connection, Deflate, MessageKind, PartEvent, RecvBuf, Role};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES,
    deflate::{Inflater, agreed, client, offer, server},
    trace::{Seen, drain, random_pieces},
    wire::{hex, input, read_output},
};

/// Reads everything that an endpoint has sent, and asserts that it is what was queued.
#[track_caller]
fn assert_sent(direction: Direction, output: &[u8], queued: &[Queued]) {
    let Direction {
        role,
        takeover,
        window_bits,
    } = direction;
    let items = read_items(role, output);
    assert_eq!(items.len(), queued.len());
    let (mut inflater, mut walker) = (Inflater::new(), Walker::default());
    for (item, queued) in items.iter().zip(queued) {
        match (item, queued) {
            (Item::Ping(payload), Queued::Ping(expected)) => assert_eq!(payload, expected),
            (
                Item::Message(message),
                Queued::Message {
                    kind,
                    payload,
                    frames,
                    is_streamed,
                    is_compressed,
                },
            ) => {
                assert_eq!((message.kind, message.frames.len()), (*kind, *frames));
                let is_expected = is_compressed.is_none_or(|c| message.is_compressed == c);
                assert!(is_expected, "compressed: {}", message.is_compressed);
                if !takeover {
                    (inflater, walker) = (Inflater::new(), Walker::default());
                }
                if message.is_compressed {
                    assert_payload(message, payload, &mut inflater, &mut walker);
                } else {
                    assert!(message.payload() == *payload, "a plain message");
                }
                let (len, before) = (message.payload().len(), payload.len());
                let is_worth_it = if *is_streamed {
                    // The worst codes take 9 bits for an octet, and each flush some.
                    len <= before + before / 8 + 8 * frames
                } else {
                    // With context takeover a little more is worth it: the next may refer to it.
                    len < before + if takeover { 8 } else { 0 } || !message.is_compressed
                };
                assert!(is_worth_it, "{before} bytes have become {len}");
            }
            other => panic!("out of order: {other:?}"),
        }
        let window = 1_usize << window_bits;
        assert!(walker.max_distance() <= window, "too far back");
    }
}

/// Asserts that a compressed message stands for `payload`.
#[track_caller]
fn assert_payload(message: &Message, payload: &[u8], inflater: &mut Inflater, walker: &mut Walker) {
    for frame in &message.frames {
        assert!(!frame.ends_with(&[0, 0, 0xff, 0xff]), "a tail");
    }
    let sent = message.payload();
    // Not printed: it may be long.
    assert!(inflater.message(&sent) == payload, "another message");
    assert_eq!(walker.message(&sent), payload.len());
}

/// What `receive` makes of these pieces, and what is answered.
fn receive<'a>(
    conn: &mut Connection,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Vec<u8>) {
    support::trace::feed(conn, &mut RecvBuf::new(), pieces)
}

/// What `receive_part` makes of them, the parts put together.
fn receive_parts<'a>(
    conn: &mut Connection,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Vec<u8>) {
    let (mut events, mut output) = (Vec::new(), Vec::new());
    let mut rx = RecvBuf::new();
    let (mut text, mut data) = (String::new(), Vec::new());
    for piece in pieces {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive_part(&mut rx) {
            match event {
                PartEvent::Text { part, last } => {
                    assert!(last || !part.is_empty());
                    text += part;
                    events.extend(last.then(|| Seen::Text(std::mem::take(&mut text))));
                }
                PartEvent::Binary { part, last } => {
                    assert!(last || !part.is_empty());
                    data.extend_from_slice(part);
                    events.extend(last.then(|| Seen::Binary(std::mem::take(&mut data))));
                }
                PartEvent::Ping(payload) => events.push(Seen::Ping(payload.to_vec())),
                other => panic!("unexpected {other:?}"),
            }
        }
        output.extend(drain(conn));
    }
    assert!(
        text.is_empty() && data.is_empty(),
        "a message without an end"
    );
    (events, output)
}

#[track_caller]
fn assert_received((events, output): (Vec<Seen>, Vec<u8>), role: Role, expected: &[Seen]) {
    assert_eq!(events.len(), expected.len(), "{:?}", events.last());
    for (n, (event, expected)) in events.iter().zip(expected).enumerate() {
        // Not printed: it may be long.
        assert!(event == expected, "event {n}");
    }
    let pings = expected.iter().filter_map(|event| match event {
        Seen::Ping(payload) => Some((10, payload.clone())),
        _ => None,
    });
    let output = read_output(role, &output);
    let output: Vec<_> = output.into_iter().map(|f| (f.opcode, f.payload)).collect();
    assert_eq!(output, pings.collect::<Vec<_>>());
}

/// The length of the longest message.
fn longest(events: &[Seen]) -> usize {
    let len = |event: &Seen| match event {
        Seen::Text(text) => text.len(),
        Seen::Binary(data) => data.len(),
        _ => 0,
    };
    events.iter().map(len).max().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: D-13, D-14, D-15, D-20, D-22, D-23, D-30, D-31, P-RT, P-OUT
    #[test]
    fn another_implementation_reads_any_mix_of_messages(
        settings in any_settings(),
        steps in vec(any_step(), 1..12),
    ) {
        for role in ROLES {
            let (mut conn, direction) = settings.connect(role);
            let mut sender = Sender {
                role,
                threshold: settings.threshold,
                window_bits: (direction.window_bits > 8).then_some(direction.window_bits),
                is_on: true,
            };
            let mut queued = Vec::new();
            for step in &steps {
                queued.extend(sender.take(&mut conn, step));
            }
            assert_sent(direction, &drain(&mut conn), &queued);
        }
    }

    // req: D-04, D-05, D-13, D-16, D-17, D-18, D-21, D-24, P-RT
    #[test]
    fn messages_of_another_implementation_arrive_however_they_are_cut(
        arrivals in vec(any_arrival(), 1..8),
        takeover in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (frames, events) = arrive(&arrivals, takeover);
        for role in ROLES {
            let bytes = input(role, &frames);
            let params = match role {
                Role::Client if !takeover => "; server_no_context_takeover",
                Role::Client | Role::Server => "",
            };
            let options = Deflate::new().receive_takeover(takeover);
            // The limit is on what comes out, and inclusive.
            let config = Config::new().max_message_size(longest(&events)).deflate(options);
            let conn = || agreed(role, params, config);
            assert_received(receive(&mut conn(), [&bytes[..]]), role, &events);
            assert_received(receive_parts(&mut conn(), [&bytes[..]]), role, &events);
            let pieces = || random_pieces(&bytes, seed);
            assert_received(receive(&mut conn(), pieces()), role, &events);
            assert_received(receive_parts(&mut conn(), pieces()), role, &events);
            if bytes.len() <= 20_000 {
                assert_received(receive(&mut conn(), bytes.chunks(1)), role, &events);
                assert_received(receive_parts(&mut conn(), bytes.chunks(1)), role, &events);
            }
        }
    }

    // req: D-20, D-21, D-22, D-23, P-RT
    #[test]
    fn both_ends_of_ours_understand_each_other(
        options in [any_options(), any_options()],
        steps in vec((any::<bool>(), any_step()), 1..12),
        seed in any::<u64>(),
    ) {
        let [client_config, server_config] =
            options.map(|(options, _)| Config::new().max_queued(usize::MAX).deflate(options));
        let offer = offer(client_config).expect("it is offered");
        let (server, answer) = server(&offer, server_config);
        let answer = answer.unwrap_or_default();
        let client = client(&answer, client_config).expect("the answer fits the offer");
        assert_eq!(client.can_compress(), server.can_compress());
        // One thing alone does the server decline.
        let is_declined = offer.contains("server_max_window_bits=8");
        assert_eq!(answer.is_empty(), is_declined, "{offer} {answer}");

        let mut ends = [client, server];
        let directions = ROLES.map(|role| direction(&answer, role));
        let mut senders = [0, 1].map(|end| Sender {
            role: ROLES[end],
            threshold: options[end].1,
            window_bits: (!is_declined && directions[end].window_bits > 8)
                .then_some(directions[end].window_bits),
            is_on: true,
        });
        let mut outputs = [Vec::new(), Vec::new()];
        let mut queued = [Vec::new(), Vec::new()];
        for (is_server, step) in &steps {
            let end = usize::from(*is_server);
            queued[end].extend(senders[end].take(&mut ends[end], step));
            outputs[end].extend(drain(&mut ends[end]));
        }
        for end in [0, 1] {
            let (output, queued) = (&outputs[end], &queued[end]);
            assert_sent(directions[end], output, queued);
            let (peer, role) = (&mut ends[1 - end], ROLES[1 - end]);
            let expected: Vec<_> = queued.iter().cloned().map(Seen::from).collect();
            let pieces = random_pieces(output, seed);
            let received = if seed % 2 == 0 {
                receive(peer, pieces)
            } else {
                receive_parts(peer, pieces)
            };
            assert_received(received, role, &expected);
        }
    }
}

impl From<Queued> for Seen {
    fn from(queued: Queued) -> Self {
        match queued {
            Queued::Ping(payload) => Self::Ping(payload),
            Queued::Message { kind, payload, .. } => match kind {
                MessageKind::Text => {
                    Self::Text(String::from_utf8(payload).expect("a text is UTF-8"))
                }
                MessageKind::Binary => Self::Binary(payload),
            },
        }
    }
}

/// Messages of blocks that come again after about the length of this window, some of them before and some
/// behind it.
fn conversation(window: usize) -> Vec<Vec<u8>> {
    const BLOCK: usize = 40;
    let pool: Vec<u8> = random(1).take(window * 3 / 2).collect();
    let mut random = random(2);
    let mut message = |blocks: usize| {
        let mut below = |n: usize| {
            let bytes = [(); 4].map(|()| random.next().expect("it does not end"));
            u32::from_le_bytes(bytes) as usize % n
        };
        let block = |_| &pool[below(pool.len() / BLOCK) * BLOCK..][..BLOCK];
        (0..blocks).map(block).collect::<Vec<_>>().concat()
    };
    (0..100)
        .map(|n| message(1 + window / 400 * (n % 5)))
        .collect()
}

// req: D-21, D-23
#[test]
fn no_message_refers_back_beyond_the_window_in_a_long_conversation() {
    for role in ROLES {
        for (bits, level) in (9..=15).flat_map(|bits| [1, 6, 9].map(|level| (bits, level))) {
            let params = match role {
                Role::Client => format!("; client_max_window_bits={bits}"),
                Role::Server => format!("; server_max_window_bits={bits}"),
            };
            let options = Deflate::new().send_takeover(true).threshold(0).level(level);
            let mut conn = agreed(role, &params, Config::new().deflate(options));
            let (mut inflater, mut walker) = (Inflater::new(), Walker::default());
            let messages = conversation(1 << bits);
            assert!(messages.concat().len() > 6 << bits);
            for (n, payload) in messages.iter().enumerate() {
                if n % 3 == 0 {
                    let (part, last) = payload.split_at(payload.len() / 2);
                    conn.start_message(MessageKind::Binary).expect("it is open");
                    conn.send_part(part).expect("in progress");
                    conn.finish_message(last).expect("in progress");
                } else {
                    conn.send_binary(payload).expect("it is open");
                }
                let items = read_items(role, &drain(&mut conn));
                let [Item::Message(message)] = &items[..] else {
                    panic!("{} frames", items.len());
                };
                if message.is_compressed {
                    assert_payload(message, payload, &mut inflater, &mut walker);
                }
            }
            // Were it much less, there would not be anything to see here.
            let seen = (1 << bits) / 3..=1 << bits;
            let max = walker.max_distance();
            assert!(seen.contains(&max), "{role:?} {bits} {level}: {max}");
        }
    }
}

#[test]
fn the_walker_reads_the_examples_of_the_rfc() {
    // Sections 7.2.3.1 to 7.2.3.3 and 7.2.3.6, one after the other: each but the last is "Hello".
    let mut walker = Walker::default();
    for (digits, len, max_distance) in [
        ("f2 48 cd c9 c9 07 00", 5, 0),
        ("f2 00 11 00 00", 5, 5),
        ("00 05 00 fa ff 48 65 6c 6c 6f 00", 5, 5),
        ("00", 0, 5),
    ] {
        assert_eq!(walker.message(&hex(digits)), len, "{digits}");
        assert_eq!(walker.max_distance(), max_distance, "{digits}");
    }
}

#[test]
fn the_walker_refuses_what_we_must_not_send() {
    for (digits, complaint) in [
        ("f2 00 11 00 00", "5 bytes back, and there are 1"),
        ("f3 48 cd c9 c9 07 00 00", "a final block"),
        (
            "f2 48 cd c9 c9 07 00 00 00 ff ff",
            "the tail is still there",
        ),
        ("f2 48 cd c9 c9 07", "the last block is cut off"),
        ("00 05 00 fa fe 48 65 6c 6c 6f 00", "no length of a block"),
        ("06", "the reserved kind of block"),
    ] {
        let payload = hex(digits);
        let refused = std::panic::catch_unwind(|| Walker::default().message(&payload));
        let refused = refused.expect_err(digits);
        let text = refused.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| refused.downcast_ref::<&str>().copied());
        assert!(
            text.is_some_and(|text| text.contains(complaint)),
            "{digits}: {text:?}"
        );
    }
}
