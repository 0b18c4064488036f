//! Whom a client trusts: a `wss` server whose certificate is not right is told so and nothing else, and the name
//! in the URI goes before everything.
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
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use framewire::{
    Error,
    client::Request,
    connect::{self, ConnectError, Connector},
    tls::rustls::{self, AlertDescription, CertificateError, version::TLS13},
};
use sockets::{Task, answer, in_time, spawn};
use tls::{
    FLAWS, Flaw, Peer, VERSIONS, client_config, client_config_with, contains, flawed, good,
    good_for, records, server_config, strict_server_config,
};
use tls_ends::{ADAPTERS, connect};

/// Lets a peer answer until the client is gone, and gives it for what it has got.
fn record(listener: TcpListener, mut peer: impl FnMut() -> Peer + Send + 'static) -> Task<Got> {
    spawn("the server", move || {
        let mut socket = answer(&listener);
        let mut peer = peer();
        exchange(&mut socket, &mut peer);
        Got {
            ciphertext: peer.ciphertext,
            plaintext: peer.plaintext,
            error: peer.error,
        }
    })
}

/// What a server got.
struct Got {
    ciphertext: Vec<u8>,
    plaintext: Vec<u8>,
    error: Option<rustls::Error>,
}

fn exchange(socket: &mut TcpStream, peer: &mut Peer) {
    let mut buf = [0; 16 * 1024];
    while let Ok(n @ 1..) = socket.read(&mut buf) {
        let _ = peer.take(&buf[..n]);
        if socket.write_all(&peer.leave()).is_err() {
            break;
        }
    }
}

fn listen(host: &str) -> (TcpListener, String, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let uri = format!("wss://{host}:{}/", address.port());
    (listener, uri, address)
}

/// The error of a step that is TLS, which must name host and address.
#[track_caller]
fn io_error(result: Result<tls_ends::ClientEnd, Error>, at: (&str, SocketAddr)) -> io::Error {
    let Err(Error::Connect(error)) = result.map(drop) else {
        panic!("no error of connecting");
    };
    let ConnectError::Tls {
        peer: connect::Peer::Server,
        host,
        address,
        error,
    } = *error
    else {
        panic!("{error}");
    };
    assert_eq!((&*host, address), at);
    error
}

/// The error of rustls in that.
#[track_caller]
fn tls_error(result: Result<tls_ends::ClientEnd, Error>, at: (&str, SocketAddr)) -> rustls::Error {
    let error = io_error(result, at);
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    let inner: &rustls::Error = inner.unwrap_or_else(|| panic!("{error:?}"));
    inner.clone()
}

fn is_for(flaw: Flaw, error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(error) = error else {
        return false;
    };
    match flaw {
        Flaw::WrongName => matches!(error, CertificateError::NotValidForNameContext { .. }),
        Flaw::Expired => matches!(error, CertificateError::ExpiredContext { .. }),
        Flaw::NotYetValid => matches!(error, CertificateError::NotValidYetContext { .. }),
        Flaw::SelfSigned => matches!(error, CertificateError::UnknownIssuer),
        // It claims to be of an issuer that is known, but it is another one's signature.
        Flaw::UnknownIssuer => matches!(
            error,
            CertificateError::BadSignature | CertificateError::UnknownIssuer
        ),
    }
}

/// Asserts that the server got no byte of a WebSocket, encrypted or not.
#[track_caller]
fn assert_silent(got: &Got, name: &str) {
    assert!(got.plaintext.is_empty(), "{name}");
    assert!(!contains(&got.ciphertext, b"GET"), "{name}");
    let kinds: Vec<_> = records(&got.ciphertext)
        .iter()
        .map(|(kind, _)| *kind)
        .collect();
    // A client that has seen the certificate has keys, with TLS 1.3: then an alert is of that type as well.
    let is_alert = matches!(got.error, Some(rustls::Error::AlertReceived(_)));
    assert!(is_alert, "{name}: {:?}", got.error);
    let encrypted = kinds.iter().filter(|kind| **kind == 23).count();
    assert!(encrypted <= 1, "{name}: {kinds:?}");
}

// req: U-16
#[test]
fn certificate_that_is_not_right_is_told_and_no_byte_of_a_websocket_is_sent() {
    in_time("the test", || {
        for (flaw, host) in FLAWS
            .into_iter()
            .flat_map(|flaw| ["localhost", "127.0.0.1"].map(|host| (flaw, host)))
        {
            for (adapter, version) in ADAPTERS
                .into_iter()
                .flat_map(|adapter| VERSIONS.map(|version| (adapter, version)))
            {
                let name = format!("{flaw:?}, {host}, {adapter:?}, {version:?}");
                let (listener, uri, address) = listen(host);
                let config = server_config(version, &flawed(flaw));
                let server = record(listener, move || Peer::server_of(config.clone()));
                let connector = Connector::new().tls(Arc::new(client_config(version)));
                let request = Request::new(&uri).expect("valid");
                let error = tls_error(connect(adapter, &request, &connector), (host, address));
                assert!(is_for(flaw, &error), "{name}: {error:?}");
                let got = server.join();
                assert_silent(&got, &name);
                if version.version == rustls::ProtocolVersion::TLSv1_2 {
                    let of_data = records(&got.ciphertext);
                    assert!(of_data.iter().all(|(kind, _)| *kind != 23), "{name}");
                }
            }
        }
    });
}

#[test]
fn error_shows_the_names_in_a_certificate_in_one_line_which_is_not_long() {
    in_time("the test", || {
        let names: Vec<_> = (0..100)
            .map(|n| format!("{n}.example\r\n2001-01-01 forged \u{1b}[31m\u{7f}"))
            .collect();
        let names: Vec<_> = names.iter().map(|name| &name[..]).collect();
        let identity = good_for(&names);
        for adapter in ADAPTERS {
            for version in VERSIONS {
                let (listener, uri, _) = listen("localhost");
                let config = server_config(version, &identity);
                let server = record(listener, move || Peer::server_of(config.clone()));
                let connector = Connector::new().tls(Arc::new(client_config(version)));
                let request = Request::new(&uri).expect("valid");
                let result = connect(adapter, &request, &connector).map(drop);
                let error = result.expect_err("it is for other names").to_string();
                assert!(error.contains("0.example"), "{adapter:?}: {error:?}");
                assert!(!error.contains(char::is_control), "{adapter:?}: {error:?}");
                assert!(error.len() < 1000, "{adapter:?}: {}", error.len());
                server.join();
            }
        }
    });
}

#[test]
fn client_without_a_certificate_learns_that_the_server_wants_one() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            for version in VERSIONS {
                let (listener, uri, address) = listen("localhost");
                let config = strict_server_config(version, &good());
                let server = record(listener, move || Peer::server_of(config.clone()));
                let connector = Connector::new().tls(Arc::new(client_config(version)));
                let request = Request::new(&uri).expect("valid");
                let result = connect(adapter, &request, &connector);
                let wanted = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
                let old = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
                // With TLS 1.3 the client is done before the server has seen that there is none.
                let error = match result {
                    Err(Error::Io(error)) if version.version == TLS13.version => {
                        let inner = error.get_ref();
                        let inner = inner.and_then(|error| error.downcast_ref::<rustls::Error>());
                        inner.cloned().expect("an error of rustls")
                    }
                    result => tls_error(result, ("localhost", address)),
                };
                assert!([wanted, old].contains(&error), "{adapter:?}: {error:?}");
                let got = server.join();
                assert!(got.plaintext.is_empty(), "{adapter:?}");
            }
        }
    });
}

#[test]
fn client_with_a_certificate_is_let_in() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            for version in VERSIONS {
                let (listener, uri, _) = listen("localhost");
                let config = Arc::new(strict_server_config(version, &good()));
                let server = spawn("the server", move || {
                    let server = framewire::server::Config::new();
                    let ws = tls_ends::accept(adapter, answer(&listener), &config, &server);
                    let mut ws = ws.unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(ws.recv().expect("a Close frame"), None);
                });
                let tls = client_config_with(version, &good());
                let connector = Connector::new().tls(Arc::new(tls));
                let request = Request::new(&uri).expect("valid");
                let ws = connect(adapter, &request, &connector);
                let mut ws = ws.unwrap_or_else(|error| panic!("{error}"));
                let closed = ws.close(framewire::CloseCode::NORMAL, "");
                assert!(closed.expect("an answer").clean);
                server.join();
            }
        }
    });
}

/// The name in a ClientHello, if there is one, from its very first bytes.
fn server_name(hello: &[u8]) -> Option<String> {
    let mut acceptor = rustls::server::Acceptor::default();
    acceptor.read_tls(&mut &hello[..]).expect("bytes");
    let accepted = acceptor
        .accept()
        .expect("a ClientHello")
        .expect("all of it");
    accepted.client_hello().server_name().map(str::to_owned)
}

// req: U-16
#[test]
fn first_bytes_are_a_client_hello_with_the_name_and_none_for_an_address() {
    in_time("the test", || {
        let hosts = [("localhost", Some("localhost")), ("127.0.0.1", None)];
        for (adapter, (host, name)) in ADAPTERS.into_iter().flat_map(|a| hosts.map(|h| (a, h))) {
            let (listener, uri, address) = listen(host);
            let server = spawn("the server", move || {
                let mut socket = answer(&listener);
                let mut head = [0; 5];
                socket.read_exact(&mut head).expect("the head of a record");
                let len = u16::from_be_bytes([head[3], head[4]]);
                let mut body = vec![0; len.into()];
                socket.read_exact(&mut body).expect("a record");
                assert_eq!(head[0], 22, "nothing goes before the handshake");
                socket
                    .shutdown(std::net::Shutdown::Write)
                    .expect("it was open");
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest);
                assert!(!contains(&rest, b"GET"), "{rest:?}");
                [&head[..], &body].concat()
            });
            let connector = Connector::new().tls(Arc::new(client_config(&TLS13)));
            let request = Request::new(&uri).expect("valid");
            let result = connect(adapter, &request, &connector);
            let error = io_error(result, (host, address));
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(server_name(&server.join()).as_deref(), name, "{adapter:?}");
        }
    });
}

#[test]
fn client_that_has_no_protocol_but_h2_gets_an_alert() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            for version in VERSIONS {
                let (listener, _, address) = listen("localhost");
                let tls = Arc::new(server_config(version, &good()));
                let server = spawn("the server", move || {
                    let config = framewire::server::Config::new();
                    tls_ends::accept(adapter, answer(&listener), &tls, &config).map(drop)
                });
                let mut config = client_config(version);
                config.alpn_protocols = vec![b"h2".to_vec()];
                let mut peer = Peer::client_of(config);
                let mut socket = TcpStream::connect(address).expect("it listens");
                socket.write_all(&peer.leave()).expect("it is open");
                exchange(&mut socket, &mut peer);
                let alert = AlertDescription::NoApplicationProtocol;
                assert_eq!(peer.error, Some(rustls::Error::AlertReceived(alert)));
                assert!(matches!(server.join(), Err(Error::Io(_))), "{adapter:?}");
            }
        }
    });
}
