//! What a peer can make a connection hold with a single byte.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use framewire::{Config, Message, nonblocking::WebSocket, tokio::Tokio};
use polled::{end_of, once, run, websocket};
use support::{
    ROLES,
    trace::random_pieces,
    wire::{frame, input},
};

/// An honest connection receives a message, and one of an attacker the first byte of a frame: the latter
/// keeps the buffer that the thread had got from the former.
#[test]
fn byte_of_a_frame_does_not_hold_what_a_large_message_of_somebody_else_needed() {
    for role in ROLES {
        run(async {
            let (pipe, honest) = pipe::Pipe::new();
            let mut large: WebSocket<_, Tokio> =
                websocket(pipe, end_of(role, Config::new(), false));
            let mut held = Vec::new();
            for _ in 0..20 {
                honest.deliver(&input(role, &frame(0x82, &vec![1; 600_000])));
                assert!(large.recv().await.expect("no error").is_some());
                assert!(once(large.recv()).await.is_none());
                let (pipe, probe) = pipe::Pipe::new();
                let mut ws: WebSocket<_, Tokio> =
                    websocket(pipe, end_of(role, Config::new(), false));
                probe.deliver(&[0x82]);
                assert!(once(ws.recv()).await.is_none());
                held.push(ws.into_parts().rx);
            }
            let most = held.iter().map(|rx| rx.capacity()).max().expect("some");
            assert!(most <= 16, "{most} bytes for one byte");
        });
    }
}

/// What a connection has held while it waited for the rest of a frame is no buffer for others.
#[test]
fn connection_that_ends_within_a_frame_leaves_no_small_buffer_behind() {
    for role in ROLES {
        run(async {
            for _ in 0..20 {
                let (pipe, probe) = pipe::Pipe::new();
                let mut ws: WebSocket<_, Tokio> =
                    websocket(pipe, end_of(role, Config::new(), false));
                probe.deliver(&[0x82]);
                assert!(once(ws.recv()).await.is_none());
            }
            let (pipe, probe) = pipe::Pipe::new();
            let mut ws: WebSocket<_, Tokio> = websocket(pipe, end_of(role, Config::new(), false));
            // Enough not to be worth moving: the buffer itself waits.
            probe.deliver(&input(role, &frame(0x82, &[1; 20_000]))[..12_000]);
            assert!(once(ws.recv()).await.is_none());
            let held = ws.into_parts().rx.capacity();
            assert!(held >= 64 * 1024, "{held} bytes");
        });
    }
}

/// Two connections of one thread take turns: each waits with what it has got so far, in a buffer of its own or
/// in none, and goes on in whatever the other one has left.
#[test]
fn messages_survive_being_moved_from_buffer_to_buffer() {
    let messages = [
        frame(0x82, &[1; 3000]),
        // In fragments, with a ping among them.
        frame(0x02, &[2; 700]),
        frame(0x00, &[3; 40_000]),
        frame(0x89, b"ping"),
        frame(0x80, &[4; 900]),
        frame(0x01, "é".repeat(300).as_bytes()),
        frame(0x80, "€".repeat(9000).as_bytes()),
        frame(0x82, &[5; 100_000]),
    ]
    .concat();
    let mut expected = vec![Message::from(vec![1; 3000])];
    expected.push([&[2; 700][..], &[3; 40_000], &[4; 900]].concat().into());
    expected.push(["é".repeat(300), "€".repeat(9000)].concat().into());
    expected.push(vec![5; 100_000].into());
    for role in ROLES {
        let wire = input(role, &messages);
        for seed in 0..40 {
            run(async {
                let mut ends: Vec<_> = (0..2)
                    .map(|number| {
                        let (pipe, probe) = pipe::Pipe::new();
                        let end = end_of(role, Config::new(), false);
                        let ws: WebSocket<_, Tokio> = websocket(pipe, end);
                        let pieces = random_pieces(&wire, seed * 2 + number).into_iter();
                        (ws, probe, pieces, Vec::new())
                    })
                    .collect();
                while ends.iter().any(|end| end.3.len() < expected.len()) {
                    for (ws, probe, pieces, seen) in &mut ends {
                        if let Some(piece) = pieces.next() {
                            probe.deliver(piece);
                        }
                        while let Some(message) = once(ws.recv()).await {
                            seen.push(message.expect("no error").expect("no end"));
                        }
                    }
                }
                for (_, _, _, seen) in ends {
                    assert!(seen == expected, "seed {seed}");
                }
            });
        }
    }
}
