//! A connection that always has something to do lets others have their turn: over a transport that is always
//! ready, a task that does nothing but use it gives way to another one again and again.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread_local;

use framewire::{
    CloseCode, Config, Message, Role, client, server,
    tokio::{ByteStream, Messages, Tokio},
};
use futures::{SinkExt as _, StreamExt as _};
use polled::{End, FORMS, end_of, websocket};
use support::{
    ROLES,
    wire::{claim, frame, input},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// How many turns the other task has until the test has seen enough.
const TURNS: usize = 10;
/// How much may be done within one turn: calls of the transport, and operations that end.
const MOST: usize = 3000;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// Something has been done, and nobody else had a turn.
fn count() {
    DONE.set(DONE.get() + 1);
    assert!(DONE.get() < MOST, "nobody else has a turn");
}

/// A transport that takes everything at once and delivers the same for ever.
struct Flood {
    head: Vec<u8>,
    pattern: Vec<u8>,
    at: usize,
}

impl Flood {
    fn new(head: Vec<u8>, pattern: Vec<u8>) -> Self {
        let at = 0;
        Self { head, pattern, at }
    }

    fn of(role: Role, frames: &[u8]) -> Self {
        Self::new(Vec::new(), input(role, frames))
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        count();
        let n = self.head.len().min(buf.remaining());
        buf.put_slice(&self.head[..n]);
        self.head.drain(..n);
        let mut left = buf.remaining().min(self.pattern.len().max(64));
        while left > 0 {
            let rest = &self.pattern[self.at..];
            let n = rest.len().min(left);
            buf.put_slice(&rest[..n]);
            self.at = (self.at + n) % self.pattern.len();
            left -= n;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        count();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        count();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        count();
        Poll::Ready(Ok(()))
    }
}

/// Does something that never ends beside a task that wants nothing but its turns.
fn beside(busy: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    let other = async {
        for _ in 0..TURNS {
            DONE.set(0);
            tokio::task::yield_now().await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = other => {}
            () = busy => {}
        }
    });
}

/// Limits that nothing here meets.
fn unlimited() -> Config {
    let config = Config::new().max_message_size(usize::MAX);
    config.max_frame_size(usize::MAX).max_fragments(u32::MAX)
}

fn cases() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let endless = [claim(0x82, 1 << 40), vec![0; 100]].concat();
    vec![
        ("messages", Vec::new(), frame(0x81, b"Hello")),
        ("large messages", Vec::new(), frame(0x82, &[1; 70_000])),
        ("pings", Vec::new(), frame(0x89, b"ping")),
        ("pongs", Vec::new(), frame(0x8a, b"")),
        ("a message without an end", endless, Vec::new()),
        (
            "fragments without an end",
            frame(0x02, b"a"),
            frame(0x00, b"b"),
        ),
        ("empty fragments", frame(0x02, b""), frame(0x00, b"")),
    ]
}

fn flood(role: Role, head: &[u8], pattern: &[u8]) -> Flood {
    if pattern.is_empty() {
        return Flood::new(input(role, head), vec![7]);
    }
    Flood::new(input(role, head), input(role, pattern))
}

#[test]
fn events_without_an_end_let_others_have_their_turn() {
    for role in ROLES {
        for form in FORMS {
            for (_, head, pattern) in cases() {
                let open = || {
                    let stream = flood(role, &head, &pattern);
                    End::<_, Tokio>::new(form, stream, end_of(role, unlimited(), false))
                };
                beside(async {
                    let mut end = open();
                    while let Some(()) = end.recv_ref(|_| ()).await.expect("no error") {
                        count();
                    }
                });
                beside(async {
                    let mut end = open();
                    while let Some(()) = end.recv_part_ref(|_| ()).await.expect("no error") {
                        count();
                    }
                });
                beside(async {
                    let mut end = open();
                    while end.recv().await.expect("no error").is_some() {
                        count();
                    }
                });
            }
        }
    }
}

#[test]
fn streams_without_an_end_let_others_have_their_turn() {
    for role in ROLES {
        for (_, head, pattern) in cases() {
            let open = || {
                let stream = flood(role, &head, &pattern);
                websocket::<_, Tokio>(stream, end_of(role, unlimited(), false))
            };
            beside(async {
                let mut stream = Messages::new(open());
                while let Some(message) = stream.next().await {
                    message.expect("no error");
                    count();
                }
            });
            beside(async {
                let mut stream = ByteStream::new(open());
                let mut buf = [0; 64];
                while stream.read(&mut buf).await.expect("no error") > 0 {
                    count();
                }
            });
        }
    }
}

#[test]
fn closing_lets_others_have_their_turn_while_the_peer_sends_on() {
    for role in ROLES {
        for form in FORMS {
            for (_, head, pattern) in cases() {
                let stream = flood(role, &head, &pattern);
                let mut end = End::<_, Tokio>::new(form, stream, end_of(role, unlimited(), false));
                // Ends in time, or is at it when the test has seen enough.
                beside(async move {
                    let _ = end.close(CloseCode::NORMAL, "").await;
                });
            }
        }
    }
}

#[test]
fn what_follows_a_failure_lets_others_have_their_turn() {
    for role in ROLES {
        for form in FORMS {
            let stream = Flood::new(vec![0xff; 100], vec![0xff]);
            let mut end = End::<_, Tokio>::new(form, stream, end_of(role, unlimited(), false));
            beside(async move {
                assert!(end.recv().await.is_err());
            });
        }
    }
}

#[test]
fn sending_without_an_end_lets_others_have_their_turn() {
    for role in ROLES {
        for form in FORMS {
            for data in [&[1; 10][..], &[1; 80_000]] {
                let open = || {
                    let stream = Flood::of(role, &frame(0x8a, b""));
                    End::<_, Tokio>::new(form, stream, end_of(role, unlimited(), false))
                };
                beside(async {
                    let mut end = open();
                    loop {
                        end.send(data).await.expect("no error");
                        count();
                    }
                });
                beside(async {
                    let mut end = open();
                    loop {
                        end.feed(data).await.expect("no error");
                        count();
                    }
                });
                beside(async {
                    let mut end = open();
                    loop {
                        end.flush().await.expect("no error");
                        count();
                    }
                });
            }
        }
    }
}

#[test]
fn sinks_that_are_fed_without_an_end_let_others_have_their_turn() {
    for role in ROLES {
        let open = || {
            let stream = Flood::of(role, &frame(0x8a, b""));
            websocket::<_, Tokio>(stream, end_of(role, unlimited(), false))
        };
        beside(async {
            let mut stream = Messages::new(open());
            loop {
                stream
                    .feed(Message::from(&[1; 5000][..]))
                    .await
                    .expect("no error");
                count();
            }
        });
        beside(async {
            let mut stream = ByteStream::new(open());
            loop {
                stream.write_all(&[1; 5000]).await.expect("no error");
                count();
            }
        });
    }
}

#[test]
fn opening_handshake_without_an_end_lets_others_have_their_turn() {
    for pattern in ["x: y\r\n", "x"] {
        beside(async {
            let head = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
            let stream = Flood::new(head, pattern.into());
            let accepted = framewire::tokio::accept(stream, &server::Config::new()).await;
            assert!(accepted.is_err());
        });
        beside(async {
            let head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n".to_vec();
            let stream = Flood::new(head, pattern.into());
            let request = client::Request::new("ws://h/").expect("a URI");
            let connected =
                framewire::tokio::client(stream, &request, &client::Config::new()).await;
            assert!(connected.is_err());
        });
    }
}
