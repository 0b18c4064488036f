//! What `connect` connects, [`MaybeTlsStream`] of either adapter: without TLS, with it, and with it twice. All of them
//! can be looked into, split, taken apart and put together again.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connect_tls.rs"]
mod connect_tls;
#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{io::Write as _, net::TcpListener, sync::Arc};

use connect_tls::{Owner, trusting};
use connects::{CONSENT, Ws, authority, each, echo, relay, request, serve};
use framewire::{
    CloseCode, Message, blocking,
    connect::{Connector, Proxy},
};
use sockets::{Task, answer, listen, pattern, read_head, spawn};

/// Whoever has to come to an end when the WebSocket has.
struct Others(Vec<Box<dyn FnOnce()>>);

impl Others {
    fn join(self) {
        for join in self.0 {
            join();
        }
    }

    fn add<T: 'static>(&mut self, task: Task<T>) {
        self.0.push(Box::new(move || drop(task.join())));
    }
}

fn echo_with_tls(listener: TcpListener, owner: &Owner) -> Task<connects::Asked> {
    let config = Arc::clone(&owner.server);
    spawn("the server", move || {
        let stream = listener.accept().expect("it listens").0;
        serve(blocking::TlsStream::server(stream, config).expect("valid"))
    })
}

/// A WebSocket to a server that echoes, with so many layers of TLS.
fn connected(adapter: connects::Adapter, layers: u32) -> (Ws, Others) {
    let owner = Owner::of(&["localhost", "127.0.0.1"]);
    let connector = Connector::new().tls(trusting(&[&owner]));
    let (server, uri) = listen();
    let server_at = authority(&server);
    let secure = uri.replace("ws:", "wss:");
    let mut others = Others(Vec::new());
    let ws = match layers {
        0 => {
            others.add(echo(server));
            adapter.connect(&request(&uri), &connector)
        }
        1 => {
            others.add(echo_with_tls(server, &owner));
            adapter.connect(&request(&secure), &connector)
        }
        _ => {
            others.add(echo_with_tls(server, &owner));
            let (listener, _) = listen();
            let proxy = format!("https://{}", authority(&listener));
            let connector = connector.proxies(Proxy::new(&proxy).expect("a proxy"));
            let client = adapter.connecting(&request(&secure), &connector);
            let mut stream = owner.encrypt(answer(&listener));
            read_head(&mut stream);
            stream.write_all(CONSENT).expect("it is read");
            stream.flush().expect("it is read");
            others.add(relay(stream, &server_at));
            client.join()
        }
    };
    (ws.expect("a WebSocket").0, others)
}

#[test]
fn socket_and_session_can_be_looked_at() {
    each(|adapter| {
        for layers in [0, 1, 2] {
            let (ws, others) = connected(adapter, layers);
            assert!(ws.peer().ip().is_loopback());
            let (has_tls, shown) = match &ws {
                Ws::Blocking(ws) => {
                    let stream = ws.stream();
                    assert!(stream.tcp().nodelay().expect("a socket"));
                    let has_tls = stream.tls(|session| session.peer_certificates().is_some());
                    (has_tls, format!("{stream:?}"))
                }
                #[cfg(feature = "tokio")]
                Ws::Tokio(ws, _) => {
                    let stream = ws.stream();
                    assert!(stream.tcp().nodelay().expect("a socket"));
                    let has_tls = stream.tls().map(|tls| tls.peer_certificates().is_some());
                    (has_tls, format!("{stream:?}"))
                }
            };
            assert_eq!(has_tls, (layers > 0).then_some(true));
            assert!(shown.starts_with("MaybeTlsStream("), "{shown}");
            assert_eq!(
                shown.matches("TlsStream {").count() as u32,
                layers,
                "{shown}"
            );
            ws.assert_echoes();
            others.join();
        }
    });
}

#[test]
fn halves_work_at_the_same_time() {
    each(|adapter| {
        for layers in [0, 1, 2] {
            let (ws, others) = connected(adapter, layers);
            let much = pattern(1, 1 << 20);
            let expected = Message::Binary(much.clone().into());
            match ws {
                Ws::Blocking(ws) => {
                    let (mut receiver, sender) = ws.split().expect("it can be split");
                    let sending = spawn("the sender", move || {
                        for _ in 0..3 {
                            sender.send(&much[..]).expect("it is read");
                        }
                        sender.close(CloseCode::NORMAL, "").expect("it is open");
                    });
                    for _ in 0..3 {
                        assert!(receiver.recv().expect("an echo") == Some(expected.clone()));
                    }
                    assert_eq!(receiver.recv().expect("an answer"), None);
                    sending.join();
                }
                #[cfg(feature = "tokio")]
                Ws::Tokio(ws, runtime) => runtime.block_on(async {
                    let (mut receiver, sender) = ws.split();
                    let sending = tokio::spawn(async move {
                        for _ in 0..3 {
                            sender.send(&much[..]).await.expect("it is read");
                        }
                        let closed = sender.close(CloseCode::NORMAL, "").await;
                        closed.expect("it is open");
                    });
                    for _ in 0..3 {
                        assert!(receiver.recv().await.expect("an echo") == Some(expected.clone()));
                    }
                    assert_eq!(receiver.recv().await.expect("an answer"), None);
                    sending.await.expect("no panic");
                }),
            }
            others.join();
        }
    });
}

#[test]
fn parts_are_a_websocket_again() {
    each(|adapter| {
        for layers in [0, 1, 2] {
            let (ws, others) = connected(adapter, layers);
            let ws = match ws {
                Ws::Blocking(ws) => {
                    let parts = ws.into_parts();
                    assert!(parts.stream.tcp().peer_addr().is_ok());
                    Ws::Blocking(Box::new(blocking::WebSocket::from_parts(parts)))
                }
                #[cfg(feature = "tokio")]
                Ws::Tokio(ws, runtime) => {
                    let parts = ws.into_parts();
                    assert!(parts.stream.tcp().peer_addr().is_ok());
                    let ws = framewire::tokio::WebSocket::from_parts(parts);
                    Ws::Tokio(Box::new(ws), runtime)
                }
            };
            ws.assert_echoes();
            others.join();
        }
    });
}
