//! Any script gives the same with every adapter and with the loop of the README written by hand.

#[path = "support/both.rs"]
mod both;
#[path = "support/ends.rs"]
mod ends;
#[path = "support/script.rs"]
mod script;
mod support;

use std::time::Duration;

use both::{Act, GIVES, Give, Script, TAKES, compare};
use bytes::Bytes;
use framewire::{Accepts, Config, MessageKind};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES,
    trace::random_pieces,
    wire::{claim, close, frame, input},
};

/// What a peer sends, mostly good, and whether it is for a server to be masked.
fn sent() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let payload = || {
        prop_oneof![
            8 => vec(b'a'..=b'z', 0..40),
            2 => vec(any::<u8>(), 0..40),
            1 => (100..3000_usize).prop_map(|len| vec![b'x'; len]),
            1 => (30_000..70_000_usize).prop_map(|len| vec![b'y'; len]),
        ]
    };
    let good = prop::sample::select(&[0x81, 0x82, 0x82, 0x01, 0x02, 0x00, 0x80, 0x80][..]);
    let control = prop::sample::select(&[0x89, 0x8a][..]);
    let frames = prop_oneof![
        10 => (good, payload()).prop_map(|(first, payload)| frame(first, &payload)),
        3 => (control, vec(any::<u8>(), 0..126)).prop_map(|(first, p)| frame(first, &p)),
        3 => vec(vec(b'a'..=b'z', 0..50), 1..5).prop_map(|parts| {
            let mut frames = frame(1, b"");
            parts.iter().for_each(|part| frames.extend(frame(0, part)));
            frames.extend(frame(0x80, b""));
            frames
        }),
        1 => (990..1020_u16).prop_map(|code| close(code, "reason")),
        1 => any::<u8>().prop_map(|first| claim(first & 0x8f, 1 << 33)),
    ];
    prop_oneof![
        19 => frames.prop_map(|frames| (true, frames)),
        1 => vec(any::<u8>(), 0..20).prop_map(|bytes| (false, bytes)),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let payload = || {
        prop_oneof![
            8 => vec(b'a'..=b'z', 0..40),
            1 => (8000..9000_usize).prop_map(|len| vec![b'x'; len]),
            1 => (30_000..70_000_usize).prop_map(|len| vec![b'y'; len]),
        ]
        .prop_map(Bytes::from)
    };
    let small = || vec(any::<u8>(), 0..130).prop_map(Bytes::from);
    let code = || prop_oneof![4 => Just(1000), 1 => 990..1020_u16];
    let kind = prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)];
    prop_oneof![
        4 => "[a-zäöü]{0,50}".prop_map(Act::Text),
        4 => payload().prop_map(Act::Binary),
        2 => payload().prop_map(Act::Shared),
        2 => payload().prop_map(Act::Prepared),
        2 => kind.prop_map(Act::Start),
        3 => payload().prop_map(Act::Part),
        2 => payload().prop_map(Act::Finish),
        2 => small().prop_map(Act::Ping),
        1 => small().prop_map(Act::Pong),
        1 => (code(), "[a-z]{0,20}").prop_map(|(code, reason)| Act::Close(code, reason)),
        1 => (code(), "[a-z]{0,20}").prop_map(|(code, reason)| Act::CloseAndWait(code, reason)),
        1 => (code(), "[a-z]{0,20}").prop_map(|(code, reason)| Act::Fail(code, reason)),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let limit = prop_oneof![2 => Just(16 << 20), 1 => 0..200_usize];
    (limit, any::<[bool; 2]>(), 0..8_u32).prop_map(|(limit, [deaf, pong], accepts)| {
        Config::new()
            .max_message_size(limit)
            .receive_while_closing(!deaf)
            .auto_pong(!pong)
            .accepts(match accepts {
                0 => Accepts::Text,
                1 => Accepts::Binary,
                _ => Accepts::Both,
            })
    })
}

/// Whether much is queued by it, which is written before anything is waited for.
fn is_large(act: &Act) -> bool {
    match act {
        Act::Binary(data) | Act::Shared(data) | Act::Prepared(data) => data.len() > 1000,
        Act::Part(part) | Act::Finish(part) => part.len() > 1000,
        _ => false,
    }
}

fn scripts() -> impl Strategy<Value = Script> {
    let how = (
        prop::sample::select(&TAKES[..]),
        prop::sample::select(&GIVES[..]),
    );
    let input_of = (vec(sent(), 0..12), any::<u64>(), any::<bool>());
    (
        config(),
        input_of,
        vec(vec(act(), 0..4), 0..12),
        how,
        prop::sample::select(&ROLES[..]),
    )
        .prop_flat_map(
            |(config, (frames, seed, whole), acts, (take, give), role)| {
                // Deadlines that are due at once, where sending does not look at the clock.
                let due = if give == Give::Queue {
                    0..6_u32
                } else {
                    5..6_u32
                };
                due.prop_map(move |due| {
                    let now = Duration::ZERO;
                    let config = match due {
                        0 => config.message_timeout(now),
                        1 => config.close_timeout(now),
                        2 => config.write_timeout(now),
                        _ => config,
                    };
                    let mut acts = acts.clone();
                    if due < 3 {
                        acts.iter_mut()
                            .for_each(|acts| acts.retain(|act| !is_large(act)));
                    }
                    let mut bytes = Vec::new();
                    for (frame, sent) in &frames {
                        bytes.extend(if *frame {
                            input(role, sent)
                        } else {
                            sent.clone()
                        });
                    }
                    let segments = if whole {
                        vec![&bytes[..]]
                    } else {
                        random_pieces(&bytes, seed)
                    };
                    Script {
                        role,
                        config,
                        max_queued: if due == 3 { 100 } else { 1 << 20 },
                        segments: segments.into_iter().map(Bytes::copy_from_slice).collect(),
                        acts,
                        take,
                        give,
                    }
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: A-08
    #[test]
    fn adapter_agrees_with_the_loop_by_hand_about_any_script(script in scripts()) {
        compare(&script).map_err(TestCaseError::fail)?;
    }
}
