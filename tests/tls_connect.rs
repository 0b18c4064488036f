//! `wss` over real sockets, both ends with either adapter: messages of every size, compression, close codes, both
//! versions of TLS, names and addresses, the application protocol, and sessions that are resumed.
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
    net::TcpListener,
    sync::Arc,
    time::Duration,
};

use framewire::{
    CloseCode, Config, client,
    client::Request,
    connect::Connector,
    server,
    tls::rustls::{self, ClientConfig, HandshakeKind, ServerConfig},
};
use sockets::{Task, answer, in_time, pattern, spawn};
use tls::{VERSIONS, client_config, good, roots, server_config};
use tls_ends::{ADAPTERS, Adapter, ClientEnd, accept, connect};

/// What both ends allow.
fn config() -> Config {
    let config = Config::new().max_message_size(32 << 20);
    #[cfg(feature = "deflate")]
    let config = config.deflate(framewire::Deflate::new());
    config
}

/// Echoes on so many connections, one after the other.
fn serve(adapter: Adapter, tls: Arc<ServerConfig>, address: &str, times: usize) -> (Task<()>, u16) {
    let listener = TcpListener::bind(address).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let server = spawn("the server", move || {
        for _ in 0..times {
            let config = server::Config::new().connection(config());
            let ws = accept(adapter, answer(&listener), &tls, &config);
            let mut ws = ws.unwrap_or_else(|error| panic!("{error}"));
            while let Some(message) = ws.recv().expect("messages") {
                ws.send(&message).expect("it can be sent");
            }
        }
    });
    (server, port)
}

fn open(adapter: Adapter, uri: &str, tls: &Arc<ClientConfig>) -> ClientEnd {
    let config = client::Config::new().connection(config());
    let connector = Connector::new().config(config).tls(Arc::clone(tls));
    let ws = connect(adapter, &Request::new(uri).expect("valid"), &connector);
    ws.unwrap_or_else(|error| panic!("{uri}: {error}"))
}

fn pairs() -> impl Iterator<Item = (Adapter, Adapter)> {
    ADAPTERS
        .into_iter()
        .flat_map(|one| ADAPTERS.map(|other| (one, other)))
}

#[test]
fn messages_of_every_size_come_back_in_both_versions() {
    for (here, there) in pairs() {
        for version in VERSIONS {
            in_time(format!("{here:?}, {there:?}, {version:?}"), move || {
                let tls = Arc::new(server_config(version, &good()));
                let (server, port) = serve(there, tls, "127.0.0.1:0", 1);
                let uri = format!("wss://localhost:{port}/");
                let mut ws = open(here, &uri, &Arc::new(client_config(version)));
                ws.send("Hello").expect("sent");
                assert_eq!(ws.recv().expect("an answer"), Some("Hello".into()));
                for len in [0, 1, 125, 16_383, 16_384, 16_385, 65_536, 16 << 20] {
                    let message = pattern(len, len);
                    ws.send(&message[..]).expect("sent");
                    let answer = ws.recv().expect("an answer").expect("a message");
                    assert!(answer.payload() == message, "{len}");
                }
                let agreed =
                    ws.tls(|tls| (tls.protocol_version(), tls.alpn_protocol().map(Vec::from)));
                assert_eq!(agreed, (Some(version.version), Some(b"http/1.1".to_vec())));
                let closed = ws.close(CloseCode::NORMAL, "").expect("an answer");
                assert!(closed.clean);
                server.join();
            });
        }
    }
}

#[test]
fn close_code_and_reason_pass() {
    in_time("the test", || {
        for (here, there) in pairs() {
            let tls = Arc::new(server_config(VERSIONS[1], &good()));
            let (server, port) = serve(there, tls, "127.0.0.1:0", 3);
            let tls = Arc::new(client_config(VERSIONS[1]));
            for code in [1000, 1001, 4999].map(CloseCode::new) {
                let mut ws = open(here, &format!("wss://localhost:{port}/"), &tls);
                let closed = ws.close(code, "because").expect("an answer");
                assert_eq!((closed.code, closed.clean), (code, true));
            }
            server.join();
        }
    });
}

#[test]
fn certificate_may_be_for_an_address() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            for (bind, host) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")] {
                if TcpListener::bind(bind).is_err() {
                    // There is no IPv6 on this machine.
                    continue;
                }
                let identity = good();
                let (chain, key) = (identity.chain.as_bytes(), identity.key.as_bytes());
                let tls = framewire::tls::server(chain, key).expect("valid");
                let (server, port) = serve(adapter, tls, bind, 1);
                let tls = framewire::tls::client(roots().as_bytes()).expect("valid");
                let mut ws = open(adapter, &format!("wss://{host}:{port}/"), &tls);
                ws.send("Hello").expect("sent");
                assert_eq!(ws.recv().expect("an answer"), Some("Hello".into()));
                assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
                server.join();
            }
        }
    });
}

#[test]
fn connecting_may_take_for_ever() {
    in_time("the test", || {
        for (here, there) in pairs() {
            let tls = Arc::new(server_config(VERSIONS[1], &good()));
            let (server, port) = serve(there, tls, "127.0.0.1:0", 1);
            let connector = Connector::new()
                .config(client::Config::new().timeout(Duration::MAX))
                .tls(Arc::new(client_config(VERSIONS[1])));
            let request = Request::new(&format!("wss://localhost:{port}/")).expect("valid");
            let ws = connect(here, &request, &connector);
            let mut ws = ws.unwrap_or_else(|error| panic!("{here:?}: {error}"));
            assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
            server.join();
        }
    });
}

#[test]
fn client_offers_exactly_http_1_1_whatever_its_configuration_said() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            for said in [
                &[][..],
                &[&b"h2"[..]],
                &[b"h2", b"http/1.1"],
                &[b"http/1.1"],
            ] {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let port = listener.local_addr().expect("it is bound").port();
                let server = spawn("the server", move || {
                    let mut socket = answer(&listener);
                    let mut acceptor = rustls::server::Acceptor::default();
                    let accepted = loop {
                        let mut bytes = [0; 100];
                        let n = socket.read(&mut bytes).expect("a ClientHello");
                        acceptor.read_tls(&mut &bytes[..n]).expect("room");
                        if let Some(accepted) = acceptor.accept().expect("a ClientHello") {
                            break accepted;
                        }
                    };
                    let hello = accepted.client_hello();
                    let offered = hello.alpn().expect("an application protocol");
                    let offered: Vec<_> = offered.map(Vec::from).collect();
                    // It is over then.
                    socket
                        .write_all(&[21, 3, 3, 0, 2, 2, 40])
                        .expect("it is open");
                    offered
                });
                let mut tls = client_config(VERSIONS[1]);
                tls.alpn_protocols = said.iter().map(|name| name.to_vec()).collect();
                let connector = Connector::new().tls(Arc::new(tls));
                let request = Request::new(&format!("wss://localhost:{port}/")).expect("valid");
                assert!(connect(adapter, &request, &connector).is_err());
                assert_eq!(server.join(), [b"http/1.1".to_vec()], "{adapter:?}");
            }
        }
    });
}

#[test]
fn second_connection_with_the_same_configuration_resumes_the_session_of_the_first() {
    in_time("the test", || {
        for (here, there) in pairs() {
            for version in VERSIONS {
                let tls = Arc::new(server_config(version, &good()));
                let (server, port) = serve(there, tls, "127.0.0.1:0", 2);
                let tls = Arc::new(client_config(version));
                for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                    let mut ws = open(here, &format!("wss://localhost:{port}/"), &tls);
                    let found = ws.tls(|tls| tls.handshake_kind());
                    assert_eq!(found, Some(kind), "{here:?}, {there:?}, {version:?}");
                    ws.send("Hello").expect("sent");
                    assert_eq!(ws.recv().expect("an answer"), Some("Hello".into()));
                    assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
                }
                server.join();
            }
        }
    });
}
