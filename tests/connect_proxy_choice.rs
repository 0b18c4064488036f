//! Which proxy a connection goes through, with either adapter: that of the variables, none for their exceptions, and
//! always the one that was given.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{io::Write as _, net::TcpListener};

use connects::{
    Adapter, CONSENT, assert_nobody, authority, connect_error, each, echo, proxy, relay, request,
};
use framewire::connect::{ConnectError, Connector, Proxies, Proxy};
use sockets::{answer, listen, read_head};

fn from_vars(vars: &[(&str, &str)]) -> Connector {
    let var = |name: &str| {
        let found = vars.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| String::from(*value))
    };
    Connector::new().proxies(Proxies::from_vars(var).expect("they are valid"))
}

/// Connects to a server that is reached through the proxy at `listener` alone.
fn goes_through(adapter: Adapter, listener: &TcpListener, connector: &Connector, uri: &str) {
    let (server, _) = listen();
    let server_at = authority(&server);
    let served = echo(server);
    let client = adapter.connecting(&request(uri), connector);
    let mut stream = answer(listener);
    assert!(read_head(&mut stream).starts_with("CONNECT "));
    stream.write_all(CONSENT).expect("it is read");
    let relayed = relay(stream, &server_at);
    client.join().expect("a WebSocket").0.assert_echoes();
    served.join();
    relayed.join();
}

#[test]
fn variable_names_the_proxy_of_its_scheme() {
    each(|adapter| {
        let (listener, _) = proxy("http://");
        let place = authority(&listener);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            let connector = from_vars(&[(name, &place), ("https_proxy", "http://127.0.0.1:1")]);
            goes_through(adapter, &listener, &connector, "ws://server.invalid/");
        }
    });
}

#[test]
fn exceptions_are_connected_to_without_the_proxy() {
    each(|adapter| {
        let (listener, _) = proxy("http://");
        let place = authority(&listener);
        let (server, uri) = listen();
        let port = server.local_addr().expect("it is bound").port();
        let served = echo(server);
        let connector = from_vars(&[("http_proxy", &place), ("no_proxy", ".invalid")]);
        // This machine is one always.
        let (ws, _) = adapter
            .connect(&request(&uri), &connector)
            .expect("a WebSocket");
        assert_eq!(ws.peer().port(), port);
        ws.assert_echoes();
        served.join();
        // And this one is listed: that nobody knows it is found out here, and not by the proxy.
        let listed = adapter.connect(&request("ws://server.invalid/"), &connector);
        let error = connect_error(listed);
        assert!(matches!(error, ConnectError::Lookup { .. }), "{error:?}");
        assert_nobody(&listener);
        goes_through(adapter, &listener, &connector, "ws://invalid/");
    });
}

#[test]
fn proxy_that_was_given_is_used_for_this_machine_as_well() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        for uri in ["ws://localhost:1/", "ws://127.0.0.1:1/", "ws://[::1]:1/"] {
            goes_through(adapter, &listener, &connector, uri);
        }
    });
}

#[test]
fn last_word_about_proxies_counts() {
    each(|adapter| {
        let (server, uri) = listen();
        let served = echo(server);
        let dead = Proxy::new("http://127.0.0.1:1").expect("a proxy");
        let connector = Connector::new().proxies(dead).proxies(Proxies::none());
        let connected = adapter.connect(&request(&uri), &connector);
        connected.expect("a WebSocket").0.assert_echoes();
        served.join();
    });
}
