//! `Messages` and `ByteStream` that are used by two tasks, as `StreamExt::split` and `tokio::io::split` make
//! possible: each direction wakes who waits for it.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::cell::Cell;

use framewire::{
    Config, Error, Message, TimedOut,
    nonblocking::{ByteStream, Messages, WebSocket},
    tokio::Tokio,
};
use futures::{SinkExt as _, StreamExt as _};
use manual::{Manual, Task, run_woken};
use pipe::{Call, Pipe};
use polled::{end_of, run, websocket};
use support::{
    ROLES,
    wire::{frame, input},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[test]
fn sink_goes_on_when_the_stream_is_polled_by_another_task_meanwhile() {
    for role in ROLES {
        manual::reset_clock();
        let (pipe, probe) = Pipe::new();
        let ws: WebSocket<_, Manual> = websocket(pipe, end_of(role, Config::new(), false));
        let (mut sink, mut stream) = Messages::new(ws).split();
        probe.capacity(10);
        let (received, sent) = (Cell::new(0), Cell::new(false));
        let mut tasks = [
            Task::new(async {
                while let Some(message) = stream.next().await {
                    message.expect("no error");
                    received.set(received.get() + 1);
                }
            }),
            Task::new(async {
                sink.send(Message::from(vec![7_u8; 100]))
                    .await
                    .expect("no error");
                sent.set(true);
            }),
        ];
        run_woken(&mut tasks);
        // The stream has something to do while the sink waits: its task is now the last one that asked.
        probe.deliver(&input(role, &frame(0x82, b"news")));
        run_woken(&mut tasks);
        assert_eq!((received.get(), sent.get()), (1, false));
        probe.capacity(usize::MAX);
        run_woken(&mut tasks);
        assert!(sent.get(), "{role:?}: the sink is never woken");
    }
}

#[test]
fn stream_learns_that_the_sink_has_been_closed() {
    for role in ROLES {
        manual::reset_clock();
        let (pipe, probe) = Pipe::new();
        probe.stays_open();
        let ws: WebSocket<_, Manual> = websocket(pipe, end_of(role, Config::new(), false));
        let (mut sink, mut stream) = Messages::new(ws).split();
        let told = Cell::new(None);
        let mut tasks = [
            Task::new(async {
                told.set(Some(stream.next().await));
            }),
            Task::new(async {
                sink.close().await.expect("no error");
            }),
        ];
        run_woken(&mut tasks);
        // The peer does not answer.
        while manual::next_timer() {
            run_woken(&mut tasks);
        }
        assert!(
            matches!(
                told.take(),
                Some(Some(Err(Error::TimedOut(TimedOut::Close))))
            ),
            "{role:?}: the stream waits for ever"
        );
        assert!(probe.count(Call::Write) > 0);
    }
}

#[test]
fn halves_of_a_byte_stream_do_not_take_each_others_wake_ups() {
    for role in ROLES {
        run(async {
            let (pipe, probe) = Pipe::new();
            let ws: WebSocket<_, Tokio> = websocket(pipe, end_of(role, Config::new(), false));
            let (mut reader, mut writer) = tokio::io::split(ByteStream::new(ws));
            probe.capacity(10);
            let reading = async {
                let mut read = [0; 4];
                reader.read_exact(&mut read).await.expect("no error");
                // Waits, and is woken for everything that the transport says to its last asker.
                let _ = reader.read(&mut read).await;
            };
            let writing = tokio::spawn(async move {
                writer.write_all(&[7; 100]).await.expect("no error");
                writer.flush().await.expect("no error");
            });
            let reading = async {
                tokio::select! {
                    () = reading => panic!("the peer says no more"),
                    () = tokio::time::sleep(std::time::Duration::from_secs(2)) => {}
                }
            };
            let peer = async {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                probe.deliver(&input(role, &frame(0x82, b"news")));
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                probe.capacity(usize::MAX);
            };
            tokio::join!(reading, peer);
            assert!(writing.is_finished(), "{role:?}: the writer is never woken");
            writing.await.expect("no panic");
        });
    }
}
