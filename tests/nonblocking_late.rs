//! A task that is busy with something else for longer than a deadline: what the peer has done meanwhile
//! counts.
#![cfg(feature = "tokio")]

mod support;

use std::{task::Poll, time::Duration};

use framewire::{
    Config, Error, Keepalive, Message, RecvBuf, Role, TimedOut,
    tokio::{Parts, WebSocket},
};
use support::{
    ROLES, connection,
    wire::{frame, input},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::advance,
};

const LONG: Duration = Duration::from_secs(3600);

fn websocket(role: Role, config: Config, most: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (here, there) = duplex(most);
    let parts = Parts::new(here, connection(role, config), RecvBuf::new());
    (WebSocket::from_parts(parts), there)
}

/// Polls once, and drops the future.
async fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn peer_that_has_answered_a_ping_in_time_is_not_silent() {
    for role in ROLES {
        for answers in [true, false] {
            let interval = Duration::from_secs(20);
            let timeout = interval;
            let keepalive = Keepalive { interval, timeout };
            let config = Config::new().keepalive(keepalive);
            let (mut ws, mut peer) = websocket(role, config, 1024);
            assert!(once(ws.recv()).await.is_pending());
            advance(interval).await;
            assert!(once(ws.recv()).await.is_pending());
            let mut ping = [0; 128];
            assert!(peer.read(&mut ping).await.expect("a ping") > 0);
            if answers {
                let answer = [frame(0x8a, b"pong"), frame(0x81, b"text")].concat();
                peer.write_all(&input(role, &answer))
                    .await
                    .expect("a reader");
            }
            advance(LONG).await;
            match ws.recv().await {
                Ok(Some(message)) => assert!(answers && message == Message::from("text")),
                told => {
                    assert!(!answers && matches!(told, Err(Error::TimedOut(TimedOut::Keepalive))))
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_has_read_in_time_does_not_stall() {
    for role in ROLES {
        for reads in [true, false] {
            let (mut ws, mut peer) = websocket(role, Config::new(), 64);
            assert!(once(ws.send(&[7; 100])).await.is_pending());
            if reads {
                assert_eq!(peer.read(&mut [0; 64]).await.expect("a message"), 64);
            }
            advance(LONG).await;
            let flushed = ws.flush().await;
            match flushed {
                Ok(()) => assert!(reads),
                told => assert!(!reads && matches!(told, Err(Error::TimedOut(TimedOut::Write)))),
            }
        }
    }
}
