//! The blocking adapter: from a URI to a WebSocket, and from an accepted socket, over real sockets; and
//! what comes of it when the other end is dead, silent, slow or something else.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream, ToSocketAddrs as _},
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use framewire::{
    CloseCode, Error, Message, TimedOut,
    blocking::{
        Incoming, MaybeTlsStream, Transport, Turns, WebSocket, accept, client, connect,
        connect_in_turn, connect_with, incoming,
    },
    client::{self, Request, Response},
    connect::ConnectError,
    server,
};
use sockets::{
    Frame, REQUEST, TEXT, Task, answer, dial, end_writing, in_time, is_gone, listen, read_head,
    read_to_end, spawn, upgrade,
};

/// Short, but long enough for everything that happens at once.
const SHORT: Duration = Duration::from_millis(40);

type Connected = Result<(WebSocket<MaybeTlsStream>, Response), Error>;

fn request(uri: &str) -> Request {
    Request::new(uri).expect("a valid URI")
}

fn config() -> client::Config {
    client::Config::new()
}

fn connect_within(uri: &str, timeout: Duration) -> Connected {
    connect_with(&request(uri), &config().timeout(timeout))
}

/// Echoes on every connection, until a message says that it was the last one.
fn echo_server(listener: TcpListener) -> Task<()> {
    spawn("the server", move || {
        loop {
            let (stream, _) = listener.accept().expect("it listens");
            let mut ws = accept(stream, &server::Config::new()).expect("a WebSocket");
            while let Some(message) = ws.recv().expect("messages") {
                ws.send(&message).expect("it can be sent");
                if message == Message::from("the last one") {
                    assert_eq!(ws.recv().expect("a Close frame"), None);
                    return;
                }
            }
        }
    })
}

fn assert_echoes<S: Transport>(ws: &mut WebSocket<S>, text: &str) {
    ws.send(text).expect("it can be sent");
    assert_eq!(ws.recv().expect("an answer"), Some(text.into()));
    assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
}

// Opening.

#[test]
fn request_is_routed_and_its_answer_has_a_subprotocol_and_cookies() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let server = spawn("the server", move || {
            let (stream, _) = listener.accept().expect("it listens");
            let Ok(Incoming::Upgrade(mut request)) = incoming(stream, &server::Config::new())
            else {
                panic!("no request for a WebSocket");
            };
            assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
            assert_eq!(request.host(), request_host(&listener));
            assert_eq!(request.header("cookie"), Some(&b"id=7"[..]));
            let chosen = request.choose_subprotocol(&["chat.v1", "chat.v2"]);
            assert_eq!(chosen, Some("chat.v2"));
            for cookie in ["a=1; HttpOnly", "b=2"] {
                request.add_header("Set-Cookie", cookie).expect("valid");
            }
            let mut ws = request.upgrade().expect("it is still there");
            assert_eq!(ws.connection().subprotocol(), Some("chat.v2"));
            assert_eq!(ws.recv().expect("a Close frame"), None);
        });
        let request = Request::new(&format!("{uri}chat?room=1"))
            .and_then(|request| request.subprotocol("chat.v2"))
            .and_then(|request| request.subprotocol("chat.v1"))
            .and_then(|request| request.header("Cookie", "id=7"))
            .expect("valid");
        let (mut ws, response) = connect_with(&request, &config()).expect("a WebSocket");
        assert_eq!(response.status(), 101);
        assert_eq!(ws.connection().subprotocol(), Some("chat.v2"));
        let cookies: Vec<_> = response
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(cookies, [&b"a=1; HttpOnly"[..], b"b=2"]);
        assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
        server.join();
    });
}

fn request_host(listener: &TcpListener) -> String {
    listener.local_addr().expect("it is bound").to_string()
}

#[test]
fn other_paths_are_refused_with_a_body_that_the_client_gets() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let server = spawn("the server", move || {
            let (stream, _) = listener.accept().expect("it listens");
            let Ok(Incoming::Upgrade(request)) = incoming(stream, &server::Config::new()) else {
                panic!("no request for a WebSocket");
            };
            assert_ne!(request.path(), "/chat");
            let response = server::Response::new(404).expect("a final status");
            let response = response.header("X-Why", "moved").expect("valid");
            request.respond(response.body("try /chat\n"))
        });
        let refused = connect(&uri).expect_err("another path");
        let Error::Refused(response) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(response.status(), 404);
        assert_eq!(response.header("x-why"), Some(&b"moved"[..]));
        assert_eq!(response.body(), b"try /chat\n");
        server.join().expect("it was answered");
    });
}

#[test]
fn plain_request_gets_a_page_and_the_end() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut browser = dial(&uri);
        browser
            .write_all(b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n")
            .expect("it is read");
        let (stream, _) = listener.accept().expect("it listens");
        let server = spawn("the server", move || {
            let Ok(Incoming::Plain(request)) = incoming(stream, &server::Config::new()) else {
                panic!("no plain request");
            };
            assert_eq!(request.path(), "/page");
            // More than the buffers of both sockets take at once.
            let page = "x".repeat(sockets::MUCH);
            let response = server::Response::new(200).expect("a final status");
            request.respond(response.body(page))
        });
        let head = read_head(&mut browser);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let (body, ended) = read_to_end(&mut browser);
        assert_eq!(body.len(), sockets::MUCH);
        ended.expect("an orderly end");
        drop(browser);
        server.join().expect("it was answered");
    });
}

#[test]
fn accept_tells_who_asks_for_no_websocket_so() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut browser = dial(&uri);
        browser
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .expect("it is read");
        end_writing(&browser);
        let accepted = accept(answer(&listener), &server::Config::new());
        assert!(matches!(accepted, Err(Error::NoUpgrade)), "{accepted:?}");
        let (text, ended) = read_to_end(&mut browser);
        assert!(text.starts_with("HTTP/1.1 426 "), "{text}");
        ended.expect("an orderly end");
    });
}

#[test]
fn sockets_send_at_once_on_both_sides() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || connect(&uri).expect("a WebSocket"));
        let (stream, _) = listener.accept().expect("it listens");
        stream.set_nodelay(false).expect("a socket");
        let server = accept(stream, &server::Config::new()).expect("a WebSocket");
        assert!(server.stream().nodelay().expect("a socket"));
        assert!(client.join().stream().tcp().nodelay().expect("a socket"));
    });
}

#[test]
fn frames_behind_the_handshake_are_received() {
    in_time("the test", || {
        // Both of them in the segment that ends the handshake.
        let (listener, uri) = listen();
        let mut peer = dial(&uri);
        let first = Frame::new(TEXT, "first").encode(framewire::Role::Server);
        let both = [REQUEST.as_bytes(), &first].concat();
        peer.write_all(&both).expect("it is read");
        let mut ws = accept(answer(&listener), &server::Config::new()).expect("a WebSocket");
        assert_eq!(ws.recv().expect("a message"), Some("first".into()));

        let client = spawn("the client", move || {
            let mut ws = connect(&uri).expect("a WebSocket");
            ws.recv().expect("a message")
        });
        let mut stream = answer(&listener);
        let response = upgrade(&read_head(&mut stream));
        let first = Frame::new(TEXT, "first").encode(framewire::Role::Client);
        stream
            .write_all(&[response, first].concat())
            .expect("it is read");
        assert_eq!(client.join(), Some("first".into()));
    });
}

#[cfg(unix)]
#[test]
fn any_connected_transport_will_do() {
    in_time("the test", || {
        let (here, there) = UnixStream::pair().expect("two sockets");
        let server = spawn("the server", move || {
            let mut ws = accept(there, &server::Config::new()).expect("a WebSocket");
            let message = ws.recv().expect("a message").expect("not the end");
            ws.send(&message).expect("it can be sent");
            ws.recv().expect("a Close frame")
        });
        let (mut ws, response) =
            client(here, &request("wss://example.com/"), &config()).expect("a WebSocket");
        assert_eq!(response.status(), 101);
        ws.send("Hello").expect("it can be sent");
        assert_eq!(ws.recv().expect("an answer"), Some("Hello".into()));
        assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
        assert_eq!(server.join(), None);
    });
}

// Where to connect.

#[test]
fn every_address_of_a_host_is_tried() {
    in_time("the test", || {
        // On most machines these are `::1` and `127.0.0.1`: one of them is dead each time.
        let addresses: Vec<_> = ("localhost", 0)
            .to_socket_addrs()
            .expect("every machine has it")
            .collect();
        for address in addresses {
            let Ok(listener) = TcpListener::bind(address) else {
                continue; // No such interface.
            };
            let port = listener.local_addr().expect("it is bound").port();
            let server = echo_server(listener);
            let uri = format!("ws://localhost:{port}/");
            assert_echoes(&mut connect(&uri).expect("one is alive"), "any");
            let in_turn = connect_in_turn(&request(&uri), &config(), &Turns::new());
            let (mut ws, _) = in_turn.expect("one is alive");
            assert_echoes(&mut ws, "the last one");
            server.join();
        }
    });
}

#[test]
fn addresses_of_both_families_can_be_written_out() {
    in_time("the test", || {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host) else {
                continue; // No such interface.
            };
            let uri = format!("ws://{}/", listener.local_addr().expect("it is bound"));
            let server = echo_server(listener);
            assert_echoes(&mut connect(&uri).expect("it listens"), "the last one");
            server.join();
        }
    });
}

#[test]
fn nobody_listening_is_told_for_the_address() {
    in_time("the test", || {
        for timeout in [Duration::from_secs(5), Duration::MAX] {
            // That port is privileged and forgotten.
            let refused = connect_within("ws://127.0.0.1:1/", timeout);
            let Err(Error::Connect(error)) = refused else {
                panic!("{refused:?}");
            };
            let ConnectError::Tcp { host, attempts, .. } = *error else {
                panic!("{error:?}");
            };
            assert_eq!((&*host, attempts.len()), ("127.0.0.1", 1));
            assert_eq!(attempts[0].address, ([127, 0, 0, 1], 1).into());
            assert_eq!(attempts[0].error.kind(), io::ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn no_time_is_no_time_to_connect() {
    in_time("the test", || {
        let (_listener, uri) = listen();
        let connected = connect_within(&uri, Duration::ZERO);
        assert_eq!(sockets::timed_out(&connected), Some(TimedOut::Handshake));
    });
}

#[test]
fn largest_timeout_is_none() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let server = echo_server(listener);
        let (mut ws, _) = connect_within(&uri, Duration::MAX).expect("it listens");
        assert_echoes(&mut ws, "any");
        let config = config().timeout(Duration::MAX);
        let in_turn = connect_in_turn(&request(&uri), &config, &Turns::new());
        assert_echoes(&mut in_turn.expect("it listens").0, "the last one");
        server.join();
    });
}

#[cfg(not(feature = "rustls"))]
#[test]
fn secure_uris_need_tls_and_connect_to_nothing() {
    let (listener, uri) = listen();
    listener.set_nonblocking(true).expect("a socket");
    let uri = uri.replace("ws:", "wss:");
    let plain = connect(&uri).map(drop);
    let in_turn = connect_in_turn(&request(&uri), &config(), &Turns::new()).map(drop);
    for connected in [plain, in_turn] {
        let Err(Error::Connect(error)) = connected else {
            panic!("{connected:?}");
        };
        assert!(
            matches!(*error, ConnectError::TlsNeeded { .. }),
            "{error:?}"
        );
    }
    let nobody = listener.accept().expect_err("nothing was connected");
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn uri_that_is_none_is_an_error_of_the_request() {
    for uri in ["http://127.0.0.1/", "ws://", "ws://h:0/", "ws://a b/"] {
        let connected = connect(uri);
        assert!(matches!(connected, Err(Error::Request(_))), "{uri}");
    }
}

// Peers that are silent or slow.

#[test]
fn server_that_says_nothing_is_waited_for_no_longer_than_allowed() {
    in_time("the test", || {
        // The system accepts for it.
        let (_listener, uri) = listen();
        let connected = connect_within(&uri, SHORT);
        assert_eq!(sockets::timed_out(&connected), Some(TimedOut::Handshake));
    });
}

#[test]
fn server_that_drips_does_not_get_more_time() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || {
            let config = config().timeout(SHORT).max_head_size(usize::MAX);
            connect_with(&request(&uri), &config)
        });
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 101 ").expect("it is read");
        drip(stream);
        let connected = client.join();
        assert_eq!(sockets::timed_out(&connected), Some(TimedOut::Handshake));
    });
}

/// Writes byte by byte until nobody is there any more.
fn drip(mut stream: TcpStream) {
    while stream.write_all(b"x").is_ok() {
        thread::yield_now();
    }
}

#[test]
fn refusal_that_drips_is_cut_off_at_the_deadline() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || {
            let config = config().timeout(SHORT).max_body_size(usize::MAX);
            connect_with(&request(&uri), &config)
        });
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 503 Busy\r\n\r\n")
            .expect("it is read");
        drip(stream);
        let connected = client.join();
        let Err(Error::Refused(response)) = connected else {
            panic!("{connected:?}");
        };
        assert_eq!(response.status(), 503);
        assert!(response.body().iter().all(|&byte| byte == b'x'));
    });
}

#[test]
fn client_that_says_nothing_is_waited_for_no_longer_than_allowed() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let _client = dial(&uri);
        let config = server::Config::new().timeout(SHORT);
        let accepted = accept(answer(&listener), &config);
        assert_eq!(sockets::timed_out(&accepted), Some(TimedOut::Handshake));
    });
}

#[test]
fn client_that_drips_does_not_get_more_time() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || {
            let mut stream = dial(&uri);
            stream
                .write_all(b"GET / HTTP/1.1\r\nX: ")
                .expect("it is read");
            drip(stream);
        });
        let config = server::Config::new()
            .timeout(SHORT)
            .max_head_size(usize::MAX);
        let accepted = accept(answer(&listener), &config);
        assert_eq!(sockets::timed_out(&accepted), Some(TimedOut::Handshake));
        drop(accepted);
        client.join();
    });
}

#[test]
fn client_that_does_not_read_its_page_is_not_waited_for_for_ever() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut browser = dial(&uri);
        browser
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .expect("it is read");
        let config = server::Config::new().connection(sockets::quick());
        let Ok(Incoming::Plain(request)) = incoming(answer(&listener), &config) else {
            panic!("no plain request");
        };
        let response = server::Response::new(200).expect("a final status");
        let answered = request.respond(response.body("x".repeat(sockets::MUCH)));
        assert_eq!(sockets::timed_out(&answered), Some(TimedOut::Write));
    });
}

// Peers that are gone, or in a hurry.

#[test]
fn server_that_hangs_up_aborts_the_handshake() {
    in_time("the test", || {
        for part in [&b""[..], b"HTTP/1.1 101 Switching"] {
            let (listener, uri) = listen();
            let client = spawn("the client", move || connect(&uri));
            let mut stream = answer(&listener);
            read_head(&mut stream);
            stream.write_all(part).expect("it is read");
            drop(stream);
            let connected = client.join();
            let Err(Error::Aborted(aborted)) = connected else {
                panic!("{connected:?}");
            };
            assert_eq!(aborted.received, part.len());
        }
    });
}

#[test]
fn client_that_hangs_up_aborts_the_handshake() {
    in_time("the test", || {
        for part in [&b""[..], b"GET / HTTP/1.1\r\n"] {
            let (listener, uri) = listen();
            let mut stream = dial(&uri);
            stream.write_all(part).expect("it is read");
            drop(stream);
            let accepted = accept(answer(&listener), &server::Config::new());
            let Err(Error::Aborted(aborted)) = accepted else {
                panic!("{accepted:?}");
            };
            assert_eq!(aborted.received, part.len());
        }
    });
}

#[test]
fn server_that_resets_is_an_io_error() {
    in_time("the test", || {
        for part in [&b""[..], b"HTTP/1.1 101 Switching"] {
            let (listener, uri) = listen();
            let client = spawn("the client", move || connect(&uri));
            let mut stream = answer(&listener);
            stream.read_exact(&mut [0]).expect("a request");
            stream.write_all(part).expect("it is read");
            drop(stream); // With the rest of the request unread.
            let error = client.join().expect_err("no answer");
            assert!(is_gone(&error), "{error:?}");
        }
    });
}

#[test]
fn client_that_resets_behind_its_request_is_an_io_error() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut stream = dial(&uri);
        stream.write_all(REQUEST.as_bytes()).expect("it is read");
        let mut ws = accept(answer(&listener), &server::Config::new()).expect("a WebSocket");
        stream.read_exact(&mut [0]).expect("an answer");
        drop(stream); // With the rest of the answer unread.
        let error = ws.recv().expect_err("no message");
        assert!(is_gone(&error), "{error:?}");
    });
}

#[test]
fn refusal_arrives_of_a_server_that_has_not_read_the_request() {
    in_time("the test", || {
        // The reset meets a client that waits for the answer, or one that is still writing.
        for len in [0, sockets::MUCH] {
            // It comes behind the body, or instead of the end of it.
            for length in ["Content-Length: 4\r\n", ""] {
                let (listener, uri) = listen();
                let client = spawn("the client", move || {
                    let request = request(&uri).header("X-Long", "x".repeat(len));
                    connect_with(&request.expect("valid"), &config())
                });
                let mut stream = answer(&listener);
                stream.read_exact(&mut [0]).expect("a request");
                let response = format!("HTTP/1.1 429 Too Many\r\n{length}\r\nlate");
                stream.write_all(response.as_bytes()).expect("it is read");
                drop(stream);
                let connected = client.join();
                let Err(Error::Refused(response)) = connected else {
                    panic!("{connected:?}");
                };
                assert_eq!((response.status(), response.body()), (429, &b"late"[..]));
            }
        }
    });
}

#[test]
fn rejected_client_that_is_still_sending_gets_its_answer() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut stream = dial(&uri);
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n")
            .expect("it is read");
        let server = spawn("the server", move || {
            accept(
                listener.accept().expect("it listens").0,
                &server::Config::new(),
            )
        });
        // Only when the answer is there is the body sent: the server has read none of it by then.
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        stream.write_all(&[b'x'; 30_000]).expect("it is read");
        end_writing(&stream);
        let (_, ended) = read_to_end(&mut stream);
        ended.expect("an orderly end");
        let accepted = server.join();
        let rejected = matches!(
            accepted,
            Err(Error::Rejected(server::HandshakeError::MethodNotAllowed))
        );
        assert!(rejected, "{accepted:?}");
    });
}

#[test]
fn rejected_client_that_never_stops_sending_is_left_alone() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || {
            let mut stream = dial(&uri);
            let head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).expect("it is read");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        });
        let accepted = accept(answer(&listener), &server::Config::new());
        assert!(matches!(accepted, Err(Error::Rejected(_))), "{accepted:?}");
        client.join();
    });
}

#[test]
fn client_that_ends_its_direction_behind_the_request_is_served() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let mut stream = dial(&uri);
        stream.write_all(REQUEST.as_bytes()).expect("it is read");
        end_writing(&stream);
        let mut ws = accept(answer(&listener), &server::Config::new()).expect("a WebSocket");
        ws.send("news").expect("it can be sent");
        let ended = ws.recv();
        assert!(matches!(ended, Err(Error::Eof(_))), "{ended:?}");
        drop(ws);
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let (rest, ended) = read_to_end(&mut stream);
        ended.expect("an orderly end");
        assert!(rest.starts_with("\u{fffd}\u{4}news"), "{rest:?}");
    });
}

#[test]
fn answer_against_the_rules_fails_the_handshake() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let client = spawn("the client", move || connect(&uri));
        let mut stream = answer(&listener);
        read_head(&mut stream);
        // The answer to somebody else's key.
        stream.write_all(&upgrade(REQUEST)).expect("it is read");
        let connected = client.join();
        let failed = matches!(
            connected,
            Err(Error::Handshake(client::HandshakeError::WrongAccept))
        );
        assert!(failed, "{connected:?}");
        let (rest, _) = read_to_end(&mut stream);
        assert_eq!(rest, "", "no frame was sent");
    });
}

// One after the other.

/// Connects in turn, in a thread.
fn in_turn(uri: &str, turns: &Turns, timeout: Duration) -> Task<Connected> {
    let (request, turns) = (request(uri), turns.clone());
    spawn("a client in turn", move || {
        connect_in_turn(&request, &config().timeout(timeout), &turns)
    })
}

const LONG: Duration = Duration::from_secs(100);

/// Lets a handshake succeed.
fn let_in(mut stream: TcpStream) -> TcpStream {
    let response = upgrade(&read_head(&mut stream));
    stream.write_all(&response).expect("it is read");
    stream
}

/// Whether somebody is connecting.
fn is_waiting(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).expect("a socket");
    let accepted = listener.accept().ok().map(|(stream, _)| {
        stream.set_nonblocking(false).expect("a socket");
        stream
    });
    listener.set_nonblocking(false).expect("a socket");
    accepted
}

#[test]
fn connections_at_the_same_time_do_not_wait_for_each_other_without_turns() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let uri = uri.clone();
                spawn("a client", move || connect(&uri).map(drop))
            })
            .collect();
        // All of them are in their handshake before the first one is answered.
        let streams: Vec<_> = (0..8).map(|_| answer(&listener)).collect();
        let _open: Vec<_> = streams.into_iter().map(let_in).collect();
        for client in clients {
            client.join().expect("a WebSocket");
        }
    });
}

// req: U-17
#[test]
fn connections_in_turn_are_never_in_their_handshake_at_the_same_time() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let turns = Turns::new();
        let clients: Vec<_> = (0..8).map(|_| in_turn(&uri, &turns, LONG)).collect();
        let mut open = Vec::new();
        for _ in 0..8 {
            let mut stream = answer(&listener);
            let head = read_head(&mut stream);
            for client in &clients {
                client.wait_until_blocked();
            }
            assert!(is_waiting(&listener).is_none(), "two at the same time");
            stream.write_all(&upgrade(&head)).expect("it is read");
            open.push(stream);
        }
        for client in clients {
            client.join().expect("a WebSocket");
        }
    });
}

#[test]
fn connections_to_other_addresses_do_not_wait_for_a_turn() {
    in_time("the test", || {
        let turns = Turns::new();
        let (slow, slow_uri) = listen();
        let waiting = in_turn(&slow_uri, &turns, LONG);
        let stream = answer(&slow); // It has the turn of this address by now.
        let (listener, uri) = listen();
        let other = in_turn(&uri, &turns, LONG);
        let _open = let_in(answer(&listener));
        other.join().expect("a WebSocket");
        let _open = let_in(stream);
        waiting.join().expect("a WebSocket");
    });
}

#[test]
fn turn_ends_however_the_handshake_does() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let turns = Turns::new();
        let mut open = Vec::new();
        for failure in 0..5 {
            let timeout = if failure == 4 { SHORT } else { LONG };
            let first = in_turn(&uri, &turns, timeout);
            let mut stream = answer(&listener);
            let second = in_turn(&uri, &turns, LONG);
            match failure {
                0 => {} // It succeeds.
                1 => {
                    let refusal = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(refusal).expect("it is read");
                }
                2 => drop(stream.read(&mut [0])), // Reset.
                3 => drop(read_head(&mut stream)),
                _ => {} // Silence.
            }
            if failure == 0 {
                open.push(let_in(stream));
            } else if failure < 4 {
                drop(stream);
            } else {
                open.push(stream);
            }
            let ended = first.join();
            assert_eq!(ended.is_ok(), failure == 0, "{ended:?}");
            open.push(let_in(answer(&listener)));
            second.join().expect("its turn has come");
        }
    });
}

#[test]
fn turn_of_a_dead_address_is_free_again() {
    in_time("the test", || {
        let turns = Turns::new();
        for _ in 0..3 {
            let refused = in_turn("ws://127.0.0.1:1/", &turns, LONG).join();
            assert!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
        }
    });
}

#[test]
fn waiting_for_a_turn_counts_for_the_timeout() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let turns = Turns::new();
        let first = in_turn(&uri, &turns, LONG);
        let stream = answer(&listener); // It has the turn by now.
        for _ in 0..3 {
            let late = in_turn(&uri, &turns, SHORT).join();
            assert_eq!(sockets::timed_out(&late), Some(TimedOut::Handshake));
            assert!(is_waiting(&listener).is_none(), "it was not its turn");
        }
        // Who gives up takes nobody's turn away.
        let last = in_turn(&uri, &turns, LONG);
        last.wait_until_blocked();
        assert!(is_waiting(&listener).is_none(), "it was not its turn");
        let _open = let_in(stream);
        first.join().expect("a WebSocket");
        let _open = let_in(answer(&listener));
        last.join().expect("a WebSocket");
    });
}

#[test]
fn turns_under_load_let_everybody_in() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let (turns, start) = (Turns::new(), Arc::new(Barrier::new(8)));
        let (request, config) = (request(&uri), config().timeout(LONG));
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (turns, start) = (turns.clone(), Arc::clone(&start));
                let request = request.clone();
                spawn("a client in turn", move || {
                    start.wait();
                    for _ in 0..25 {
                        let (ws, _) =
                            connect_in_turn(&request, &config, &turns).expect("a WebSocket");
                        drop(ws);
                    }
                })
            })
            .collect();
        for _ in 0..200 {
            drop(let_in(answer(&listener)));
        }
        for client in clients {
            client.join();
        }
    });
}
