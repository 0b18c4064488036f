//! A stream of bytes that is made of a WebSocket in the middle of a message, which the peer decides about.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use framewire::{
    Config,
    tokio::{ByteStream, WebSocket},
};
use polled::{end_of, once, run, websocket};
use support::{
    ROLES,
    wire::{frame, input},
};
use tokio::io::AsyncReadExt as _;

#[test]
fn peer_that_has_begun_a_message_does_not_make_a_stream_of_bytes_panic() {
    for role in ROLES {
        run(async {
            let (pipe, probe) = pipe::Pipe::new();
            let mut ws: WebSocket<_> = websocket(pipe, end_of(role, Config::new(), false));
            probe.deliver(&input(role, &frame(0x02, b"first")));
            assert!(once(ws.recv()).await.is_none());
            let mut bytes = ByteStream::new(ws);
            probe.deliver(&input(role, &frame(0x80, b"last")));
            let mut read = [0; 9];
            bytes.read_exact(&mut read).await.expect("no error");
            assert_eq!(&read, b"firstlast");
        });
    }
}
