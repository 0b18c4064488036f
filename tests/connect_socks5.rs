//! Through a SOCKS5 proxy to a server, with either adapter: every byte of the dialogue (RFC 1928, RFC 1929),
//! and none of the WebSocket before it is over.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use connects::{
    assert_silent, authority, each, echo, proxy, proxy_error, relay, request, secretive,
};
use framewire::connect::{ProxyError, SocksFailure};
use sockets::{answer, listen, read_to_end};

/// An answer that says: connected, as 0.0.0.0:0.
const OPEN: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("all of it");
    bytes
}

/// What asks for this port of 127.0.0.1.
fn asks_for(server_at: &str) -> [u8; 10] {
    let address: std::net::SocketAddr = server_at.parse().expect("an address");
    let [high, low] = address.port().to_be_bytes();
    [5, 1, 0, 1, 127, 0, 0, 1, high, low]
}

#[test]
fn proxy_is_asked_step_by_step_and_sees_nothing_else_before_it_consents() {
    each(|adapter| {
        for userinfo in ["", "ann:s3cret@"] {
            let (server, uri) = listen();
            let server_at = authority(&server);
            let served = echo(server);
            let (listener, connector) = proxy(&format!("socks5://{userinfo}"));
            let client = adapter.connecting(&secretive(&uri), &connector);
            let mut stream = answer(&listener);
            if userinfo.is_empty() {
                assert_eq!(read(&mut stream), [5, 1, 0]);
                client.wait_until_blocked();
                assert_silent(&stream);
                stream.write_all(&[5, 0]).expect("it is read");
            } else {
                assert_eq!(read(&mut stream), [5, 2, 0, 2]);
                client.wait_until_blocked();
                assert_silent(&stream);
                stream.write_all(&[5, 2]).expect("it is read");
                assert_eq!(read(&mut stream), *b"\x01\x03ann\x06s3cret");
                client.wait_until_blocked();
                assert_silent(&stream);
                stream.write_all(&[1, 0]).expect("it is read");
            }
            assert_eq!(read(&mut stream), asks_for(&server_at));
            // Each byte of the answer alone.
            for byte in OPEN {
                client.wait_until_blocked();
                assert_silent(&stream);
                stream.write_all(&[*byte]).expect("it is read");
            }
            let relayed = relay(stream, &server_at);
            client.join().expect("a WebSocket").0.assert_echoes();
            served.join().assert_has_secrets();
            assert!(relayed.join().starts_with(b"GET / HTTP/1.1\r\n"));
        }
    });
}

#[test]
fn name_of_the_server_is_the_business_of_the_proxy() {
    each(|adapter| {
        for scheme in ["socks5://", "socks5h://"] {
            let (server, _) = listen();
            let server_at = authority(&server);
            let served = echo(server);
            let (listener, connector) = proxy(scheme);
            let request = request("ws://server.invalid:81/");
            let client = adapter.connecting(&request, &connector);
            let mut stream = answer(&listener);
            assert_eq!(read(&mut stream), [5, 1, 0]);
            stream.write_all(&[5, 0]).expect("it is read");
            assert_eq!(
                read(&mut stream),
                *b"\x05\x01\x00\x03\x0eserver.invalid\x00Q"
            );
            let answer = [&[5, 0, 0, 3, 5][..], b"there", &[0, 9]].concat();
            stream.write_all(&answer).expect("it is read");
            let relayed = relay(stream, &server_at);
            client.join().expect("a WebSocket").0.assert_echoes();
            assert_eq!(served.join().host, "server.invalid:81");
            relayed.join();
        }
    });
}

/// Nothing forbids a proxy to answer what it was not asked yet; what it consents to has to be asked all the same.
#[test]
fn proxy_that_consents_in_advance_is_told_everything_all_the_same() {
    each(|adapter| {
        let (server, uri) = listen();
        let server_at = authority(&server);
        let served = echo(server);
        let (listener, connector) = proxy("socks5://");
        let client = adapter.connecting(&request(&uri), &connector);
        let mut stream = answer(&listener);
        let answers = [&[5, 0], OPEN].concat();
        stream.write_all(&answers).expect("it is read");
        assert_eq!(read(&mut stream), [5, 1, 0]);
        assert_eq!(read(&mut stream), asks_for(&server_at));
        let relayed = relay(stream, &server_at);
        client.join().expect("a WebSocket").0.assert_echoes();
        served.join();
        relayed.join();
    });
}

#[test]
fn proxy_that_does_not_connect_says_why() {
    each(|adapter| {
        let refused = |answer: &[u8]| {
            let (listener, connector) = proxy("socks5://ann:s3cret@");
            let client = adapter.connecting(&secretive("ws://server.example/"), &connector);
            let mut stream = sockets::answer(&listener);
            assert_eq!(read(&mut stream), [5, 2, 0, 2]);
            stream.write_all(answer).expect("it is read");
            let error = proxy_error(client.join(), &listener);
            let (rest, _) = read_to_end(&mut stream);
            assert!(!rest.contains("GET") && !rest.contains("t0ken"), "{rest}");
            error
        };
        for (answer, expected) in [
            (&[5, 0xff][..], ProxyError::NoAcceptableMethod),
            (&[5, 1], ProxyError::MethodNotOffered(1)),
            (&[4, 90], ProxyError::SocksVersion(4)),
            (b"HTTP/1.1 400 x\r\n\r\n", ProxyError::SocksVersion(b'H')),
            (&[5, 2, 1, 1], ProxyError::WrongCredentials),
            (&[5, 2, 1, 0xff], ProxyError::WrongCredentials),
            (&[5, 2, 5, 0], ProxyError::SocksVersion(5)),
            (&[5, 0, 5, 2], SocksFailure::NotAllowed.into()),
            (&[5, 2, 1, 0, 5, 5], SocksFailure::ConnectionRefused.into()),
            (&[5, 0, 5, 200], SocksFailure::Unknown(200).into()),
            (&[5, 0, 5, 0, 0, 9], ProxyError::AddressType(9)),
        ] {
            assert_eq!(refused(answer), expected, "{answer:?}");
        }
        let early = [&[5, 0], OPEN, b"\x81\x01x"].concat();
        assert_eq!(refused(&early), ProxyError::EarlyBytes);
    });
}
