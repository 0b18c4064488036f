//! Proxies that refuse, say nothing, never end, hang up or are not there, with either adapter: who is to blame
//! is told, and nothing of the WebSocket was said.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use connects::{
    CONSENT, authority, config, connect_error, each, echo, proxy, proxy_error, relay, request,
    secretive,
};
use framewire::{
    client::{self, HandshakeError},
    connect::{ConnectError, Connector, Proxy, ProxyError},
};
use sockets::{answer, listen, read_head, read_to_end, spawn};

/// Long enough to come to the step that a test is about.
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn refusal_has_its_headers() {
    each(|adapter| {
        for (status, header) in [
            (407, "Proxy-Authenticate: Basic realm=\"x\""),
            (403, "Via: x"),
            // It is not the server that sends us there.
            (302, "Location: ws://127.0.0.1:1/"),
            (502, "X: y"),
        ] {
            let (listener, connector) = proxy("http://ann:wrong@");
            let request = secretive("ws://server.example/");
            let client = adapter.connecting(&request, &connector.redirects(3));
            let mut stream = answer(&listener);
            read_head(&mut stream);
            let refusal = format!("HTTP/1.1 {status} No\r\n{header}\r\nContent-Length: 9\r\n\r\n");
            stream.write_all(refusal.as_bytes()).expect("it is read");
            let ProxyError::Refused(response) = proxy_error(client.join(), &listener) else {
                panic!("it was refused");
            };
            assert_eq!(response.status(), status);
            let (name, value) = header.split_once(": ").expect("a header");
            assert_eq!(response.header(name), Some(value.as_bytes()));
            assert_eq!(read_to_end(&mut stream).0, "");
        }
    });
}

#[test]
fn refusal_arrives_of_a_proxy_that_has_not_read_the_request() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request("ws://server.example/"), &connector);
        let mut stream = answer(&listener);
        stream.read_exact(&mut [0]).expect("a request");
        let refusal = b"HTTP/1.1 403 No\r\nVia: x\r\n\r\n";
        stream.write_all(refusal).expect("it is read");
        drop(stream); // It is a reset behind the answer.
        let error = proxy_error(client.join(), &listener);
        let is_refused =
            matches!(&error, ProxyError::Refused(response) if response.status() == 403);
        assert!(is_refused, "{error:?}");
    });
}

#[test]
fn proxy_that_says_nothing_is_given_up_at_the_deadline() {
    each(|adapter| {
        for scheme in ["http://", "socks5://"] {
            let (listener, connector) = proxy(scheme);
            let request = request("ws://server.example/");
            let connector = connector.config(config().timeout(SHORT));
            let client = adapter.connecting(&request, &connector);
            let mut stream = answer(&listener);
            let error = connect_error(client.join());
            assert!(error.is_timeout());
            assert!(
                matches!(
                    error,
                    ConnectError::Proxy {
                        error: ProxyError::TimedOut,
                        ..
                    }
                ),
                "{error:?}"
            );
            let (said, ended) = read_to_end(&mut stream);
            ended.expect("it is closed");
            assert!(!said.contains("GET"), "{said}");
        }
    });
}

#[test]
fn proxy_that_drips_does_not_get_more_time() {
    each(|adapter| {
        // The head of an answer that never ends, or answers that are none yet.
        let (listener, connector) = proxy("http://");
        let limits = config().timeout(SHORT).max_head_size(usize::MAX);
        let request = request("ws://server.example/");
        let client = adapter.connecting(&request, &connector.config(limits));
        let mut stream = answer(&listener);
        read_head(&mut stream);
        let begun = stream.write_all(b"HTTP/1.1 200 Connected\r\nX: ");
        begun.expect("it is read");
        let dripping = spawn("the proxy", move || {
            while stream.write_all(b"x").is_ok() {
                thread::yield_now();
            }
        });
        assert_eq!(proxy_error(client.join(), &listener), ProxyError::TimedOut);
        dripping.join();
    });
}

#[test]
fn head_without_an_end_has_a_limit() {
    each(|adapter| {
        for (limits, expected) in [
            (config(), HandshakeError::HeadTooLarge),
            (
                config().max_head_size(usize::MAX),
                HandshakeError::TooManyHeaders,
            ),
        ] {
            let (listener, connector) = proxy("http://");
            let request = request("ws://server.example/");
            let client = adapter.connecting(&request, &connector.config(limits));
            let mut stream = answer(&listener);
            read_head(&mut stream);
            let endless = spawn("the proxy", move || {
                let header = format!("X: {}\r\n", "x".repeat(500));
                let mut sent = stream.write_all(b"HTTP/1.1 200 x\r\n");
                while sent.is_ok() {
                    sent = stream.write_all(header.as_bytes());
                }
            });
            let error = proxy_error(client.join(), &listener);
            assert_eq!(error, ProxyError::InvalidAnswer(expected));
            endless.join();
        }
    });
}

#[test]
fn proxy_that_hangs_up_anywhere_has_aborted() {
    each(|adapter| {
        let socks = [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for (scheme, answer) in [("http://", CONSENT), ("socks5://", &socks)] {
            for len in 0..answer.len() {
                let (listener, connector) = proxy(scheme);
                let request = request("ws://server.example/");
                let client = adapter.connecting(&request, &connector);
                let mut stream = sockets::answer(&listener);
                if scheme == "http://" {
                    read_head(&mut stream);
                } else {
                    stream.read_exact(&mut [0; 3]).expect("the methods");
                    stream.write_all(&answer[..len.min(2)]).expect("it is read");
                    if len >= 2 {
                        stream.read_exact(&mut [0; 21]).expect("the request");
                    }
                }
                let sent = if scheme == "http://" { 0 } else { len.min(2) };
                stream.write_all(&answer[sent..len]).expect("it is read");
                drop(stream);
                let error = proxy_error(client.join(), &listener);
                assert_eq!(error, ProxyError::Aborted { received: len });
            }
        }
    });
}

#[test]
fn proxy_that_resets_is_lost() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request("ws://server.example/"), &connector);
        let mut stream = answer(&listener);
        stream.read_exact(&mut [0]).expect("a request");
        drop(stream); // With the rest of it unread.
        let error = connect_error(client.join());
        let ConnectError::ProxyLost {
            proxy,
            address,
            error,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(
            proxy.to_string(),
            format!("http://{}", authority(&listener))
        );
        assert_eq!(address.to_string(), authority(&listener));
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn proxy_that_is_not_there_is_told_and_the_server_is_not() {
    each(|adapter| {
        let (server, uri) = listen();
        for scheme in ["http://", "socks5h://ann:s3cret@"] {
            let (listener, connector) = proxy(scheme);
            let address = authority(&listener);
            drop(listener);
            let error = connect_error(adapter.connect(&request(&uri), &connector));
            let ConnectError::Tcp { host, attempts, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(&*host, "127.0.0.1");
            let attempts = attempts.iter().map(|attempt| attempt.address.to_string());
            assert_eq!(attempts.collect::<Vec<_>>(), [address]);
            connects::assert_nobody(&server);
        }
    });
}

#[test]
fn proxy_may_have_a_name_and_one_that_nobody_knows_is_told() {
    each(|adapter| {
        let (server, uri) = listen();
        let server_at = authority(&server);
        let served = echo(server);
        let (listener, _) = listen();
        let port = listener.local_addr().expect("it is bound").port();
        let named = |name: &str| {
            let proxy = Proxy::new(&format!("http://{name}:{port}")).expect("a proxy");
            Connector::new().proxies(proxy)
        };
        // On most machines the first of its addresses is `::1`, where nobody listens.
        let client = adapter.connecting(&request(&uri), &named("localhost"));
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(CONSENT).expect("it is read");
        let relayed = relay(stream, &server_at);
        client.join().expect("a WebSocket").0.assert_echoes();
        served.join();
        relayed.join();
        let error = connect_error(adapter.connect(&request(&uri), &named("proxy.invalid")));
        let ConnectError::Lookup { host, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(&*host, "proxy.invalid");
    });
}

/// A name that SOCKS5 can't say is refused before anything is said.
#[test]
fn name_that_is_too_long_is_asked_for_nowhere() {
    each(|adapter| {
        let (listener, connector) = proxy("socks5://");
        let name = ["x"; 5].map(|label| label.repeat(60)).join(".");
        let client: client::Request = request(&format!("ws://{name}/"));
        let error = proxy_error(adapter.connect(&client, &connector), &listener);
        assert_eq!(error, ProxyError::NameTooLong);
        let mut stream: TcpStream = answer(&listener);
        assert_eq!(read_to_end(&mut stream).0, "");
    });
}
