//! Both halves of a WebSocket over TLS at the same time: one waits for the peer while others write, much goes both
//! ways at once, and records leave in order.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/script.rs"]
mod script;
#[path = "support/sockets.rs"]
mod sockets;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use framewire::{
    CloseCode, Config, Error, Role,
    blocking::{self, SplitTransport as _},
};
use sockets::{MUCH, Socket as _, in_time, patient, pattern, spawn};
use support::ROLES;
use tls::{Peer, VERSIONS, Version, client_config, good, server_config};
use tls_ends::{ADAPTERS, Adapter, End, Runs, ServerEnd, Tls, polled_socket};

const LARGE: usize = 16 << 20;

fn both(version: Version) -> [Tls; 2] {
    [
        Tls::Client(Arc::new(client_config(version))),
        Tls::Server(Arc::new(server_config(version, &good()))),
    ]
}

fn config() -> Config {
    patient().max_queued(1 << 20)
}

/// Two that are connected, the handshake of TLS done.
fn two(version: Version) -> [blocking::WebSocket<blocking::TlsStream<TcpStream>>; 2] {
    let (here, there) = TcpStream::pair();
    let [client, server] = both(version);
    let other = spawn("the server", move || {
        let mut ws = blocking_end(&server, there);
        assert_eq!(ws.recv().expect("a message"), Some("begin".into()));
        ws
    });
    let mut ws = blocking_end(&client, here);
    ws.send("begin").expect("sent");
    [ws, other.join()]
}

fn blocking_end(
    tls: &Tls,
    socket: TcpStream,
) -> blocking::WebSocket<blocking::TlsStream<TcpStream>> {
    let End::Blocking(ws) = tls.over_socket(Adapter::Blocking, config(), socket) else {
        panic!("another adapter");
    };
    *ws
}

#[test]
fn much_goes_both_ways_at_once_between_threads() {
    in_time("the test", || {
        for version in VERSIONS {
            let ends = two(version).map(|ws| {
                let (mut receiver, sender) = ws.split().expect("another handle");
                let reader = spawn("a reader", move || {
                    let message = receiver.recv().expect("it is whole").expect("a message");
                    assert!(message.payload() == pattern(1, LARGE));
                    receiver
                });
                let writer = spawn("a writer", move || {
                    sender.send(&pattern(1, LARGE)[..]).expect("it can be sent");
                    sender
                });
                (reader, writer)
            });
            let mut ends = ends.map(|(reader, writer)| (reader.join(), writer.join()));
            let closing = ends[0].1.close(CloseCode::NORMAL, "");
            closing.expect("open");
            for (receiver, _) in ends.iter_mut().rev() {
                assert_eq!(receiver.recv().expect("the end"), None);
            }
        }
    });
}

#[test]
fn much_goes_both_ways_at_once_between_tasks() {
    in_time("the test", || {
        for version in VERSIONS {
            let runs = Runs::sockets();
            let (here, there) = TcpStream::pair();
            let [client, server] = both(version);
            runs.run(async {
                let (here, there) = (polled_socket(here), polled_socket(there));
                let (one, other) = (client.nonblocking(here), server.nonblocking(there));
                tokio::join!(exchange(Role::Client, one), exchange(Role::Server, other));
            });
        }
    });
}

/// Sends and receives at the same time, and then closes.
async fn exchange(role: Role, stream: framewire::tokio::TlsStream<tokio::net::TcpStream>) {
    let connection = support::connection(role, config());
    let parts = framewire::tokio::Parts::new(stream, connection, framewire::RecvBuf::new());
    let (mut receiver, sender) = framewire::tokio::WebSocket::from_parts(parts).split();
    let write = async {
        sender.send(&pattern(1, LARGE)[..]).await.expect("sent");
    };
    let read = async {
        let message = receiver.recv().await.expect("it is whole");
        assert!(message.expect("a message").payload() == pattern(1, LARGE));
    };
    tokio::join!(write, read);
    match sender.close(CloseCode::NORMAL, "").await {
        // The other one was first.
        Ok(()) | Err(Error::Send(_)) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(receiver.recv().await.expect("the end"), None);
}

#[test]
fn records_of_many_threads_leave_in_order_and_the_last_is_that_of_who_closes() {
    in_time("the test", || {
        for version in VERSIONS {
            for role in ROLES {
                let [client, server] = two(version);
                let (here, mut there) = match role {
                    Role::Client => (client, server),
                    Role::Server => (server, client),
                };
                let (mut receiver, sender) = here.split().expect("another handle");
                let writers = [1, 2, 3].map(|seed| {
                    let sender = sender.clone();
                    spawn("a writer", move || {
                        let mut sent = 0;
                        while sender.send(&pattern(seed, 5000)[..]).is_ok() {
                            sent += 1;
                        }
                        sent
                    })
                });
                let reader = spawn("the reader", move || {
                    while receiver.recv().expect("fine").is_some() {}
                });
                for _ in 0..100 {
                    let message = there.recv().expect("in order").expect("a message");
                    let all = [1, 2, 3].map(|seed| pattern(seed, 5000));
                    assert!(all.iter().any(|pattern| message.payload() == pattern));
                }
                // It waits for what was sent before, which somebody has to read.
                let closing = spawn("who closes", move || {
                    sender.close(CloseCode::NORMAL, "enough")
                });
                let mut got = 100;
                while there.recv().expect("in order").is_some() {
                    got += 1;
                }
                closing.join().expect("open");
                let sent: usize = writers.into_iter().map(|writer| writer.join()).sum();
                // What was queued just before the Close frame is sent, whoever was told.
                assert!((sent..=sent + 3).contains(&got), "{sent} {got}");
                assert!(there.connection().closed().expect("it has").clean);
                reader.join();
            }
        }
    });
}

#[test]
fn end_wakes_a_thread_that_is_blocked_in_a_read() {
    in_time("the test", || {
        for which in [0, 1] {
            let (here, there) = TcpStream::pair();
            let [client, server] = both(VERSIONS[1]);
            let mut streams = [client.blocking(here), server.blocking(there)];
            let [one, other] = &mut streams;
            std::thread::scope(|scope| {
                scope.spawn(|| one.write_all(b"x").expect("sent"));
                let mut byte = [0];
                other.read_exact(&mut byte).expect("it arrives");
            });
            let handle = streams[which].try_clone().expect("another handle");
            let [mut one, mut other] = streams;
            let reader = spawn("the reader", move || {
                let mut byte = [0];
                let stream = if which == 0 { &mut one } else { &mut other };
                stream.read(&mut byte)
            });
            reader.wait_until_blocked();
            handle.end().expect("it was open");
            assert_eq!(reader.join().expect("no error"), 0);
        }
    });
}

#[test]
fn blocking_transport_is_not_split_before_the_handshake_of_tls() {
    let (here, _there) = TcpStream::pair();
    for tls in both(VERSIONS[1]) {
        let ws = blocking_end(&tls, here.try_clone().expect("a socket"));
        let Err(Error::Io(error)) = ws.split() else {
            panic!("two halves of nothing");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    }
}

#[test]
fn adapters_split_alike() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            let (here, there) = TcpStream::pair();
            let [client, server] = both(VERSIONS[1]);
            let other = spawn("the server", move || {
                let mut ws = server.over_socket(adapter, config(), there);
                ws.send("begin").expect("sent");
                while let Some(message) = ws.recv().expect("messages") {
                    ws.send(&message).expect("sent");
                }
            });
            let mut ws: ServerEnd = client.over_socket(adapter, config(), here);
            assert_eq!(ws.recv().expect("a message"), Some("begin".into()));
            match ws {
                End::Blocking(ws) => {
                    let (mut receiver, sender) = ws.split().expect("another handle");
                    sender.send("Hello").expect("sent");
                    assert_eq!(receiver.recv().expect("an answer"), Some("Hello".into()));
                    sender.close(CloseCode::NORMAL, "").expect("open");
                    assert_eq!(receiver.recv().expect("the end"), None);
                }
                End::Tokio(ws, runs) => runs.run(async {
                    let (mut receiver, sender) = ws.split();
                    sender.send("Hello").await.expect("sent");
                    let message = receiver.recv().await.expect("an answer");
                    assert_eq!(message, Some("Hello".into()));
                    sender.close(CloseCode::NORMAL, "").await.expect("open");
                    assert_eq!(receiver.recv().await.expect("the end"), None);
                }),
            }
            other.join();
        }
    });
}

#[test]
fn reader_learns_of_a_broken_record_while_a_write_is_blocked() {
    in_time("the test", || {
        for role in ROLES {
            let (here, mut there) = TcpStream::pair();
            let [client, server] = both(VERSIONS[1]);
            let (tls, mut peer) = match role {
                Role::Client => (client, Peer::server(VERSIONS[1])),
                Role::Server => (server, Peer::client(VERSIONS[1])),
            };
            let mut stream = tls.blocking(here);
            let shaken = spawn("the peer", move || {
                let mut buf = [0; 1000];
                there.write_all(&peer.leave()).expect("it is open");
                while peer.plaintext.is_empty() {
                    let n = there.read(&mut buf).expect("the handshake");
                    let _ = peer.take(&buf[..n]);
                    there.write_all(&peer.leave()).expect("it is open");
                }
                there
            });
            stream.write_all(b"x").expect("sent");
            let mut there = shaken.join();
            let mut other = stream.try_clone().expect("another handle");
            let writer = spawn("a writer", move || other.write_all(&vec![7; MUCH]));
            writer.wait_until_blocked();
            there.write_all(b"garbage").expect("room");
            let end = stream.read(&mut [0; 10]);
            let error = end.expect_err("no record");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{role:?}");
            stream.end().expect("it was open");
            assert!(writer.join().is_err());
        }
    });
}
