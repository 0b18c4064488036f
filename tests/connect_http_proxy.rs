//! Through an HTTP proxy to a server, with either adapter: what the proxy gets to see, when, and what
//! neither of the two may (RFC 6455 section 4.1, RFC 9110 section 9.3.6).
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::io::Write as _;

use connects::{
    CONSENT, assert_nobody, assert_silent, authority, each, echo, proxy, proxy_error, relay,
    request, secretive,
};
use framewire::connect::ProxyError;
use sockets::{answer, listen, read_head, read_to_end};

// req: HC-31
#[test]
fn proxy_is_asked_for_a_tunnel_and_sees_nothing_else_before_it_consents() {
    each(|adapter| {
        for (userinfo, header) in [
            ("", ""),
            (
                "Aladdin:open%20sesame@",
                "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
            ),
        ] {
            let (server, uri) = listen();
            let server_at = authority(&server);
            let served = echo(server);
            let (listener, connector) = proxy(&format!("http://{userinfo}"));
            let client = adapter.connecting(&secretive(&uri), &connector);
            let mut stream = answer(&listener);
            let expected =
                format!("CONNECT {server_at} HTTP/1.1\r\nHost: {server_at}\r\n{header}\r\n");
            assert_eq!(read_head(&mut stream), expected);
            client.wait_until_blocked();
            assert_silent(&stream);
            stream.write_all(CONSENT).expect("it is read");
            let relayed = relay(stream, &server_at);
            let (ws, response) = client.join().expect("a WebSocket");
            assert_eq!(response.status(), 101);
            let proxy_at = listener.local_addr().expect("it is bound");
            assert_eq!(ws.peer(), proxy_at);
            ws.assert_echoes();
            let asked = served.join();
            asked.assert_has_secrets();
            assert_eq!(asked.host, server_at);
            assert!(relayed.join().starts_with(b"GET / HTTP/1.1\r\n"));
            assert_nobody(&listener);
        }
    });
}

// req: HC-31
#[test]
fn consent_may_come_byte_by_byte_and_behind_interim_answers() {
    each(|adapter| {
        let (server, uri) = listen();
        let server_at = authority(&server);
        let served = echo(server);
        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request(&uri), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        let answer = [
            &b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200\r\nContent-Length: 9\r\n\r"[..],
            b"\n",
        ];
        for byte in answer[0] {
            stream.write_all(&[*byte]).expect("it is read");
        }
        client.wait_until_blocked();
        assert_silent(&stream);
        stream.write_all(answer[1]).expect("it is read");
        let relayed = relay(stream, &server_at);
        client.join().expect("a WebSocket").0.assert_echoes();
        assert!(served.join().proxy_authorization.is_none());
        relayed.join();
    });
}

// req: HC-31
#[test]
fn bytes_that_come_with_the_consent_are_nobodys() {
    each(|adapter| {
        for early in [&b"\x81\x01x"[..], b"HTTP/1.1 101 x\r\n\r\n", b"\n"] {
            let (listener, connector) = proxy("http://");
            let client = adapter.connecting(&secretive("ws://server.example/"), &connector);
            let mut stream = answer(&listener);
            read_head(&mut stream);
            let answer = [CONSENT, early].concat();
            stream.write_all(&answer).expect("it is read");
            let error = proxy_error(client.join(), &listener);
            assert_eq!(error, ProxyError::EarlyBytes);
            assert_eq!(read_to_end(&mut stream).0, "", "nothing more was written");
        }
    });
}

#[test]
fn server_that_refuses_behind_a_proxy_is_not_the_proxy() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request("ws://server.example/"), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream.write_all(CONSENT).expect("it is read");
        read_head(&mut stream);
        let refusal = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal).expect("it is read");
        let Err(framewire::Error::Refused(response)) = client.join() else {
            panic!("it was refused");
        };
        assert_eq!(response.status(), 407);
        assert_eq!(read_to_end(&mut stream).0, "", "no frame was sent");
    });
}
