//! The deadline of connecting, with either adapter: it is one for all steps, and the step that is not done in time
//! is told. Without any time nothing is connected to, and without a limit nothing overflows.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use connects::{
    CONSENT, assert_nobody, authority, config, connect_error, each, echo, proxy, relay, request,
};
use framewire::{
    Error, TimedOut,
    connect::{ConnectError, Connector},
};
use sockets::{answer, listen, read_head, read_to_end, spawn, timed_out};

/// Long enough to come to the step that a test is about.
const SHORT: Duration = Duration::from_millis(300);

fn within(timeout: Duration) -> Connector {
    Connector::new().config(config().timeout(timeout))
}

#[test]
fn without_time_nothing_is_connected_to() {
    each(|adapter| {
        let (listener, uri) = listen();
        let (at_proxy, through) = proxy("http://");
        let through = through.config(config().timeout(Duration::ZERO));
        let by_name = uri.replace("127.0.0.1", "localhost");
        for (uri, connector) in [
            (&uri, &within(Duration::ZERO)),
            (&by_name, &within(Duration::ZERO)),
            (&uri, &through),
        ] {
            let error = connect_error(adapter.connect(&request(uri), connector));
            assert!(error.is_timeout(), "{error:?}");
            let is_first_step = matches!(
                error,
                ConnectError::Lookup { .. } | ConnectError::Tcp { .. }
            );
            assert!(is_first_step, "{error:?}");
            assert_nobody(&listener);
            assert_nobody(&at_proxy);
        }
    });
}

#[test]
fn time_without_a_limit_is_enough_for_every_step() {
    each(|adapter| {
        for timeout in [Duration::MAX, Duration::MAX - Duration::from_nanos(1)] {
            let (server, uri) = listen();
            let server_at = authority(&server);
            let served = echo(server);
            let by_name = uri.replace("127.0.0.1", "localhost");
            let direct = adapter.connect(&request(&by_name), &within(timeout));
            direct.expect("a WebSocket").0.assert_echoes();
            served.join();

            let served = echo(TcpListener::bind(&server_at).expect("it is free again"));
            let (listener, connector) = proxy("http://");
            let connector = connector.config(config().timeout(timeout));
            let client = adapter.connecting(&request(&uri), &connector);
            let mut stream = answer(&listener);
            read_head(&mut stream);
            stream.write_all(CONSENT).expect("it is read");
            let relayed = relay(stream, &server_at);
            client.join().expect("a WebSocket").0.assert_echoes();
            served.join();
            relayed.join();
        }
    });
}

/// Somebody listens there, but takes nobody any more. As long as the sockets live.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let (listener, _) = listen();
    let address = listener.local_addr().expect("it is bound");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        waiting.push(stream);
    }
    (listener, waiting)
}

#[test]
#[cfg(target_os = "linux")]
fn step_that_is_not_done_in_time_is_told() {
    each(|adapter| {
        // TCP: with the server, and with the proxy.
        let (listener, _waiting) = full();
        let place = authority(&listener);
        let dead = request(&format!("ws://{place}/"));
        let via = framewire::connect::Proxy::new(&format!("http://{place}")).expect("a proxy");
        let through = within(SHORT).proxies(via);
        for (request, connector) in [
            (&dead, &within(SHORT)),
            (&request("ws://server.invalid/"), &through),
        ] {
            let error = connect_error(adapter.connect(request, connector));
            assert!(error.is_timeout(), "{error:?}");
            let ConnectError::Tcp { attempts, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(attempts.len(), 1);
            assert_eq!(attempts[0].address.to_string(), place);
        }
        // The opening handshake, without a proxy and behind one.
        let (listener, uri) = listen();
        let client = adapter.connecting(&request(&uri), &within(SHORT));
        let mut stream = answer(&listener);
        assert_handshake_is_late(client.join());
        assert!(read_to_end(&mut stream).0.starts_with("GET "));

        let (listener, connector) = proxy("http://");
        let connector = connector.config(config().timeout(SHORT));
        let client = adapter.connecting(&request("ws://server.invalid/"), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(CONSENT).expect("it is read");
        assert_handshake_is_late(client.join());
        assert!(read_to_end(&mut stream).0.starts_with("GET "));
    });
}

#[track_caller]
fn assert_handshake_is_late(connected: connects::Connected) {
    assert!(
        matches!(connected, Err(Error::TimedOut(TimedOut::Handshake))),
        "{connected:?}"
    );
}

/// Each step is quick, but all of them together are not: hops through a proxy, one after the other for ever.
#[test]
fn steps_do_not_begin_a_deadline_anew() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        let connector = connector
            .config(config().timeout(SHORT))
            .redirects(u32::MAX);
        let client = adapter.connecting(&request("ws://server.invalid/"), &connector);
        let place = authority(&listener);
        let serving = spawn("the proxy", move || {
            let mut hops = 0;
            loop {
                let (mut stream, _) = listener.accept().expect("it listens");
                // Who gives up, and who wakes us, ends before its head does.
                let Some(_) = try_read_head(&mut stream) else {
                    return hops;
                };
                let _ = stream.write_all(CONSENT);
                let Some(_) = try_read_head(&mut stream) else {
                    return hops;
                };
                let answer = b"HTTP/1.1 302 x\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer);
                hops += 1;
            }
        });
        let connected = client.join();
        assert!(timed_out(&connected).is_some(), "{connected:?}");
        let _ = TcpStream::connect(place);
        let hops = serving.join();
        assert!(hops > 0, "not one hop in all that time");
    });
}

fn try_read_head(stream: &mut TcpStream) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match std::io::Read::read(stream, &mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(())
}
