//! TLS and proxies, with either adapter: with the server through a tunnel, with the proxy itself, and one in the
//! other. Each certificate is for the host that it is asked for, and who has another one gets nothing to read.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connect_tls.rs"]
mod connect_tls;
#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use connect_tls::{Owner, trusting};
use connects::{
    Asked, CONSENT, authority, config, connect_error, each, proxy, relay, request, secretive, serve,
};
use framewire::connect::{ConnectError, Connector, Peer, Proxy};
use sockets::{Task, answer, listen, read_head, spawn};

const SERVER: &str = "wss://server.invalid/";

/// Echoes on one connection with TLS.
fn echo_with_tls(listener: TcpListener, owner: &Owner) -> Task<Asked> {
    let config = Arc::clone(&owner.server);
    spawn("the server", move || {
        let stream = listener.accept().expect("it listens").0;
        serve(framewire::blocking::TlsStream::server(stream, config).expect("valid"))
    })
}

/// A place for a proxy with TLS, by its name, and a connector that goes through it.
fn secure_proxy(userinfo: &str) -> (TcpListener, Connector) {
    let (listener, _) = listen();
    let port = listener.local_addr().expect("it is bound").port();
    let proxy = Proxy::new(&format!("https://{userinfo}localhost:{port}")).expect("a proxy");
    (listener, Connector::new().proxies(proxy))
}

// req: HC-31
#[test]
fn proxy_of_a_secure_server_sees_names_and_ciphertext() {
    each(|adapter| {
        let owner = Owner::of(&["server.invalid"]);
        for scheme in ["http://ann:s3cret@", "socks5://"] {
            let (server, _) = listen();
            let server_at = authority(&server);
            let served = echo_with_tls(server, &owner);
            let (listener, connector) = proxy(scheme);
            let connector = connector.tls(trusting(&[&owner]));
            let client = adapter.connecting(&secretive(SERVER), &connector);
            let mut stream = answer(&listener);
            if scheme == "socks5://" {
                stream.read_exact(&mut [0; 3]).expect("the methods");
                stream.write_all(&[5, 0]).expect("it is read");
                let mut asked = [0; 4 + 15 + 2];
                stream.read_exact(&mut asked).expect("the request");
                assert_eq!(asked, *b"\x05\x01\x00\x03\x0eserver.invalid\x01\xbb");
                let answer = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                stream.write_all(&answer).expect("it is read");
            } else {
                let expected = "CONNECT server.invalid:443 HTTP/1.1\r\nHost: server.invalid:443\r\n\
                    Proxy-Authorization: Basic YW5uOnMzY3JldA==\r\n\r\n";
                assert_eq!(read_head(&mut stream), expected);
                client.wait_until_blocked();
                connects::assert_silent(&stream);
                stream.write_all(CONSENT).expect("it is read");
            }
            let relayed = relay(stream, &server_at);
            client.join().expect("a WebSocket").0.assert_echoes();
            served.join().assert_has_secrets();
            assert_ciphertext(&relayed.join());
        }
    });
}

/// It begins with a handshake of TLS, and tells no secrets.
#[track_caller]
fn assert_ciphertext(bytes: &[u8]) {
    assert!(bytes.starts_with(&[22, 3]), "no ClientHello");
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(!has("t0ken") && !has("GET ") && !has("s3cret"));
}

// req: HC-31
#[test]
fn proxy_is_asked_within_tls_for_either_kind_of_server() {
    each(|adapter| {
        let (proxy_owner, owner) = (Owner::of(&["localhost"]), Owner::of(&["server.invalid"]));
        let trusted = trusting(&[&proxy_owner, &owner]);
        for (uri, port) in [("ws://server.invalid/", 80), (SERVER, 443)] {
            let (server, _) = listen();
            let server_at = authority(&server);
            let served = match port {
                443 => echo_with_tls(server, &owner),
                _ => connects::echo(server),
            };
            let (listener, connector) = secure_proxy("ann:s3cret@");
            let connector = connector.tls(Arc::clone(&trusted));
            let client = adapter.connecting(&secretive(uri), &connector);
            let mut stream = proxy_owner.encrypt(answer(&listener));
            let place = format!("server.invalid:{port}");
            assert_eq!(
                read_head(&mut stream),
                format!(
                    "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\
                     Proxy-Authorization: Basic YW5uOnMzY3JldA==\r\n\r\n"
                )
            );
            client.wait_until_blocked();
            connects::assert_silent(stream.stream());
            stream.write_all(CONSENT).expect("it is read");
            stream.flush().expect("it is read");
            let relayed = relay(stream, &server_at);
            client.join().expect("a WebSocket").0.assert_echoes();
            served.join().assert_has_secrets();
            let relayed = relayed.join();
            if port == 443 {
                assert_ciphertext(&relayed);
            } else {
                assert!(relayed.starts_with(b"GET / HTTP/1.1\r\n"));
            }
        }
    });
}

#[test]
fn proxy_whose_certificate_is_not_trusted_is_asked_for_nothing() {
    each(|adapter| {
        let (trusted, stranger) = (Owner::of(&["localhost"]), Owner::of(&["localhost"]));
        let (server, uri) = listen();
        let (listener, connector) = secure_proxy("ann:s3cret@");
        let connector = connector.tls(trusting(&[&trusted]));
        let client = adapter.connecting(&secretive(&uri), &connector);
        let mut stream = stranger.encrypt(answer(&listener));
        stream.read(&mut [0]).expect_err("it is refused");
        let error = connect_error(client.join());
        assert!(!error.is_timeout());
        let line = error.to_string();
        let ConnectError::Tls {
            peer,
            host,
            address,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((peer, &*host), (Peer::Proxy, "localhost"));
        assert_eq!(address, listener.local_addr().expect("it is bound"));
        let expected =
            format!("no TLS with the proxy localhost ({address}): invalid peer certificate: ");
        assert!(line.starts_with(&expected), "{line}");
        assert!(!line.contains("s3cret") && !line.contains("ann"), "{line}");
        connects::assert_nobody(&server);
    });
}

#[test]
fn server_whose_certificate_is_for_another_name_is_told_by_its_own() {
    each(|adapter| {
        let other = Owner::of(&["other.invalid"]);
        let (listener, connector) = proxy("http://");
        let connector = connector.tls(trusting(&[&other]));
        let client = adapter.connecting(&secretive(SERVER), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(CONSENT).expect("it is read");
        other.encrypt(stream).read(&mut [0]).expect_err("refused");
        let error = connect_error(client.join());
        let ConnectError::Tls {
            peer,
            host,
            address,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((peer, &*host), (Peer::Server, "server.invalid"));
        assert_eq!(address, listener.local_addr().expect("it is bound"));
    });
}

#[test]
fn host_that_no_certificate_can_be_for_is_told() {
    each(|adapter| {
        let owner = Owner::of(&["localhost"]);
        let (listener, connector) = proxy("http://");
        let connector = connector.tls(trusting(&[&owner]));
        let host = format!("{}.invalid", "x".repeat(64));
        let client = adapter.connecting(&request(&format!("wss://{host}/")), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(CONSENT).expect("it is read");
        let error = connect_error(client.join());
        assert!(!error.is_timeout());
        assert_eq!(
            error.to_string(),
            format!("no TLS with {host}: host that no certificate can be for")
        );
        assert!(matches!(error, ConnectError::TlsConfig { .. }), "{error:?}");
        assert_eq!(sockets::read_to_end(&mut stream).0, "");
    });
}

/// Which of the two it is: the proxy, or the server behind it.
#[test]
fn tls_that_never_comes_is_given_up_at_the_deadline() {
    each(|adapter| {
        let limits = config().timeout(Duration::from_millis(300));
        let (listener, connector) = secure_proxy("");
        let client = adapter.connecting(&request(SERVER), &connector.config(limits));
        let _silent = answer(&listener);
        assert_late(client, "localhost");

        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request(SERVER), &connector.config(limits));
        let mut silent: TcpStream = answer(&listener);
        read_head(&mut silent);
        silent.write_all(CONSENT).expect("it is read");
        assert_late(client, "server.invalid");
    });
}

#[track_caller]
fn assert_late(client: Task<connects::Connected>, expected: &str) {
    let error = connect_error(client.join());
    assert!(error.is_timeout(), "{error:?}");
    let ConnectError::Tls { host, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(&*host, expected);
}

/// Not even a whole record, for ever.
#[test]
fn tls_that_drips_does_not_get_more_time() {
    each(|adapter| {
        let limits = config().timeout(Duration::from_millis(300));
        let (listener, connector) = secure_proxy("");
        let client = adapter.connecting(&request(SERVER), &connector.config(limits));
        let mut stream = answer(&listener);
        // Handshake records of one byte, of a message that is long.
        let message = [&[2, 0, 0xff, 0xff][..], &[3; 1000]].concat();
        let dripping = spawn("the proxy", move || {
            for byte in message {
                if stream.write_all(&[22, 3, 3, 0, 1, byte]).is_err() {
                    return;
                }
            }
            let _ = stream.read_to_end(&mut Vec::new());
        });
        assert_late(client, "localhost");
        dripping.join();
    });
}

#[test]
fn redirect_from_wss_to_ws_is_refused() {
    each(|adapter| {
        let owner = Owner::of(&["127.0.0.1"]);
        let (listener, uri) = listen();
        let (other, there) = listen();
        let connector = Connector::new().tls(trusting(&[&owner])).redirects(5);
        let client = adapter.connecting(&request(&uri.replace("ws:", "wss:")), &connector);
        let mut stream = owner.encrypt(answer(&listener));
        read_head(&mut stream);
        let answer = format!("HTTP/1.1 302 x\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).expect("it is read");
        stream.flush().expect("it is read");
        let error = connect_error(client.join());
        let insecure = framewire::client::InvalidRedirect::Insecure;
        assert!(
            matches!(&error, ConnectError::Redirect(error) if *error == insecure),
            "{error:?}"
        );
        connects::assert_nobody(&other);
    });
}
