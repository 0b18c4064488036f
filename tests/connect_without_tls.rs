//! What needs TLS where the feature `rustls` is off, with either adapter: it is told, and nothing is connected to; all
//! else is as ever.
#![cfg(not(feature = "rustls"))]
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{io::Write as _, time::Duration};

use connects::{
    Connected, assert_nobody, authority, config, connect_error, each, proxy, request, secretive,
};
use framewire::connect::{ConnectError, Connector, Peer, Proxy};
use sockets::{answer, listen, read_head};

#[track_caller]
fn assert_needs_tls(connected: Connected, with: Peer) {
    let error = connect_error(connected);
    assert!(!error.is_timeout());
    let ConnectError::TlsNeeded { peer, host, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*peer, with);
    assert_eq!(
        error.to_string(),
        format!(
            "TLS with {peer}{host} is needed: enable the feature rustls, or do the handshake on a \
             transport with TLS"
        )
    );
}

#[test]
fn secure_server_and_secure_proxy_are_not_connected_to() {
    each(|adapter| {
        let (listener, uri) = listen();
        let secure = secretive(&uri.replace("ws:", "wss:"));
        let (at_proxy, through) = proxy("http://ann:s3cret@");
        let (at_secure, through_secure) = proxy("https://ann:s3cret@");
        let none = Connector::new().config(config().timeout(Duration::ZERO));
        for (request, connector, with) in [
            (&secure, &Connector::new(), Peer::Server),
            (&secure, &none, Peer::Server),
            (&secure, &through, Peer::Server),
            (&secure, &through_secure, Peer::Server),
            (&request(&uri), &through_secure, Peer::Proxy),
        ] {
            assert_needs_tls(adapter.connect(request, connector), with);
        }
        for listener in [&listener, &at_proxy, &at_secure] {
            assert_nobody(listener);
        }
    });
}

#[test]
fn redirect_to_a_secure_server_is_not_followed() {
    each(|adapter| {
        let (listener, uri) = listen();
        let (other, _) = listen();
        let client = adapter.connecting(&request(&uri), &Connector::new().redirects(2));
        let mut stream = answer(&listener);
        read_head(&mut stream);
        let there = authority(&other);
        let redirect =
            format!("HTTP/1.1 307 x\r\nLocation: https://{there}/\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(redirect.as_bytes()).expect("it is read");
        assert_needs_tls(client.join(), Peer::Server);
        assert_nobody(&other);
    });
}

#[test]
fn exception_needs_no_tls_with_a_proxy() {
    each(|adapter| {
        let (listener, uri) = listen();
        let served = connects::echo(listener);
        let proxy = "https://127.0.0.1:1";
        assert!(Proxy::new(proxy).is_ok(), "a proxy may still be named");
        let var = |name: &str| (name == "all_proxy").then(|| proxy.into());
        let proxies = framewire::connect::Proxies::from_vars(var).expect("valid");
        let connector = Connector::new().proxies(proxies);
        let connected = adapter.connect(&request(&uri), &connector);
        connected.expect("a WebSocket").0.assert_echoes();
        served.join();
    });
}
