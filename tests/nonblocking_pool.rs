//! What a peer can make a connection hold with a single byte.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use framewire::{Config, nonblocking::WebSocket, tokio::Tokio};
use polled::{end_of, once, run, websocket};
use support::{
    ROLES,
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
            assert!(most <= 20 * 1024, "{most} bytes for one byte");
        });
    }
}
