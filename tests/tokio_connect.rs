//! The adapter for tokio from a URI to a WebSocket, and what either side makes of a handshake that does
//! not come to its end.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;
#[path = "support/tokio.rs"]
mod support;

use std::{
    future::Future,
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use framewire::{
    CloseCode, Error, TimedOut,
    client::{self, Request},
    connect::ConnectError,
    server,
    tokio::{Incoming, accept, client as open, connect, connect_with, incoming},
};
use sockets::{
    REQUEST, Socket as _, in_time, is_gone, listen, read_head, read_to_end, spawn, timed_out,
    upgrade,
};
use support::{Polled as _, reset, run};
use tokio::net::{self, TcpSocket};

const MOMENT: Duration = Duration::from_millis(40);

fn request(uri: &str) -> Request {
    Request::new(uri).expect("a valid URI")
}

/// Runs a test that must come to an end.
fn test<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    in_time("the test", || run(async { test().await }));
}

#[test]
fn nagle_is_off_on_both_sides() {
    test(|| async {
        let (listener, uri) = listen();
        let listener = {
            listener.set_nonblocking(true).expect("a socket");
            net::TcpListener::from_std(listener).expect("a runtime")
        };
        let config = server::Config::new();
        let accepting = async {
            let stream = listener.accept().await.expect("it listens").0;
            assert!(!stream.nodelay().expect("a socket"));
            let ws = accept(stream, &config).await.expect("a WebSocket");
            assert!(ws.stream().nodelay().expect("a socket"));
            ws
        };
        let (client, _server) = tokio::join!(connect(&uri), accepting);
        let client = client.expect("a WebSocket");
        assert!(client.stream().tcp().nodelay().expect("a socket"));

        // Over a socket that is connected already, and before the answer.
        let incoming = async {
            let stream = listener.accept().await.expect("it listens").0;
            let Ok(Incoming::Upgrade(request)) = incoming(stream, &config).await else {
                panic!("no request for a WebSocket");
            };
            assert!(request.stream().nodelay().expect("a socket"));
            request.upgrade().await.expect("a WebSocket")
        };
        let opening = async {
            let address = listener.local_addr().expect("it is bound");
            let stream = net::TcpStream::connect(address).await.expect("it listens");
            assert!(!stream.nodelay().expect("a socket"));
            open(stream, &request(&uri), &client::Config::new()).await
        };
        let (client, _server) = tokio::join!(opening, incoming);
        let (client, _) = client.expect("a WebSocket");
        assert!(client.stream().nodelay().expect("a socket"));
    });
}

#[test]
fn port_that_refuses_is_told_with_its_address() {
    test(|| async {
        let (listener, uri) = listen();
        drop(listener);
        let Err(Error::Connect(error)) = connect(&uri).await else {
            panic!("nobody listens");
        };
        let ConnectError::Tcp { host, attempts, .. } = *error else {
            panic!("{error:?}");
        };
        assert_eq!((&*host, attempts.len()), ("127.0.0.1", 1));
        assert_eq!(format!("ws://{}/", attempts[0].address), uri);
        assert_eq!(attempts[0].error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn every_address_of_a_host_is_tried() {
    test(|| async {
        // On most machines these are `::1` and `127.0.0.1`: one of them is dead each time.
        let addresses = ("localhost", 0)
            .to_socket_addrs()
            .expect("every machine has it");
        for address in addresses {
            let Ok(listener) = TcpListener::bind(address) else {
                continue; // No such interface.
            };
            let port = listener.local_addr().expect("it is bound").port();
            let server = spawn("the server", move || {
                let stream = listener.accept().expect("it listens").0;
                let config = server::Config::new();
                let mut ws = framewire::blocking::accept(stream, &config).expect("a WebSocket");
                ws.recv().expect("a closing handshake")
            });
            let mut ws = connect(&format!("ws://localhost:{port}/"))
                .await
                .expect("one is alive");
            ws.close(CloseCode::NORMAL, "").await.expect("an answer");
            assert_eq!(server.join(), None);
        }
    });
}

#[test]
fn listener_that_takes_nobody_any_more_is_given_up() {
    test(|| async {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = ([127, 0, 0, 1], 0).into();
        socket.bind(any).expect("a free port");
        let listener = socket.listen(1).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        // More than wait for it; those that do not get so far are on their way all the time.
        let waiting: Vec<_> = (0..8)
            .map(|_| tokio::spawn(net::TcpStream::connect(address)))
            .collect();
        let config = client::Config::new().timeout(MOMENT);
        let uri = format!("ws://{address}/");
        let connected = connect_with(&request(&uri), &config).await;
        assert_eq!(timed_out(&connected), Some(TimedOut::Handshake));
        for waits in waiting {
            waits.abort();
        }
    });
}

#[test]
fn what_is_no_websocket_uri_is_not_connected_to() {
    test(|| async {
        let connected = connect("http://127.0.0.1:1/").await;
        assert!(matches!(connected, Err(Error::Request(_))), "{connected:?}");
    });
}

#[test]
fn frames_that_come_with_the_answer_are_received() {
    test(|| async {
        let (listener, uri) = listen();
        let server = spawn("the server", move || {
            let mut stream = listener.accept().expect("it listens").0;
            let answer = upgrade(&read_head(&mut stream));
            let both = [&answer[..], b"\x81\x05Hello\x88\x02\x03\xe8"].concat();
            stream.write_all(&both).expect("a reader");
            // The answer to the Close frame, behind which the server ends the transport.
            stream.read_exact(&mut [0; 8]).expect("a Close frame");
        });
        let mut ws = connect(&uri).await.expect("a WebSocket");
        assert_eq!(ws.recv().await.expect("a message"), Some("Hello".into()));
        assert_eq!(ws.recv().await.expect("an end"), None);
        assert!(ws.connection().closed().expect("it is").clean);
        server.join();
    });
}

#[test]
fn either_side_that_says_nothing_is_given_up() {
    test(|| async {
        let (here, mut there) = TcpStream::pair();
        let config = server::Config::new().timeout(MOMENT);
        let accepted = accept(here.into_polled(), &config).await;
        assert_eq!(timed_out(&accepted), Some(TimedOut::Handshake));
        drop(accepted);
        assert_eq!(read_to_end(&mut there).0, "");

        let (here, _there) = TcpStream::pair();
        let config = client::Config::new().timeout(MOMENT);
        let opened = open(here.into_polled(), &request("ws://h/"), &config).await;
        assert_eq!(timed_out(&opened), Some(TimedOut::Handshake));
    });
}

#[test]
fn server_tells_a_client_that_left_from_one_that_reset() {
    test(|| async {
        for len in [0, 1, REQUEST.len() - 1] {
            for resets in [false, true] {
                let (here, mut there) = TcpStream::pair();
                let sent = there.write_all(&REQUEST.as_bytes()[..len]);
                sent.expect("a reader");
                let config = server::Config::new();
                let accepting = accept(here.into_polled(), &config);
                let ending = async {
                    if resets {
                        reset(there);
                    } else {
                        drop(there);
                    }
                };
                let (accepted, ()) = tokio::join!(biased; accepting, ending);
                let error = accepted.expect_err("half a request");
                let expected = match &error {
                    Error::Aborted(aborted) => !resets && aborted.received == len,
                    error => resets && is_gone(error),
                };
                assert!(expected, "{len} {resets} {error:?}");
            }
        }
    });
}

#[test]
fn client_tells_a_server_that_left_from_one_that_reset() {
    test(|| async {
        for resets in [false, true] {
            for answer in ["", "HTTP/1.1 101 Switching"] {
                let (here, mut there) = TcpStream::pair();
                let server = spawn("the server", move || {
                    read_head(&mut there);
                    there.write_all(answer.as_bytes()).expect("a reader");
                    if resets {
                        run(async { reset(there) });
                    }
                });
                let config = client::Config::new();
                let opened = open(here.into_polled(), &request("ws://h/"), &config).await;
                let error = opened.expect_err("half an answer");
                let expected = match &error {
                    Error::Aborted(_) => !resets,
                    error => resets && is_gone(error),
                };
                assert!(expected, "{answer:?} {resets} {error:?}");
                server.join();
            }
        }
    });
}

#[test]
fn client_that_leaves_behind_its_request_is_noticed_later() {
    test(|| async {
        let (here, mut there) = TcpStream::pair();
        there.write_all(REQUEST.as_bytes()).expect("a reader");
        let mut ws = accept(here.into_polled(), &server::Config::new())
            .await
            .expect("a WebSocket");
        there.read_exact(&mut [0; 12]).expect("an answer");
        reset(there);
        let error = ws.recv().await.expect_err("nobody is there");
        assert!(is_gone(&error), "{error:?}");
    });
}

#[test]
fn futures_that_open_a_websocket_are_small() {
    // Whoever awaits them has them inside.
    fn size<F: Future>(_: &F) -> usize {
        size_of::<F>()
    }
    test(|| async {
        let config = server::Config::new();
        let (here, there) = TcpStream::pair();
        let [here, there] = [here, there].map(|stream| stream.into_polled());
        assert!(size(&accept(here, &config)) <= 128);
        assert!(size(&incoming(there, &config)) <= 128);
        assert!(size(&connect("ws://h/")) <= 64);
        let (request, config) = (request("ws://h/"), client::Config::new());
        assert!(size(&connect_with(&request, &config)) <= 64);
    });
}
