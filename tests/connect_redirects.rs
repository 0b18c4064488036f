//! Redirects that are followed, or not, with either adapter (RFC 9110 section 15.4): how often, with which
//! credentials, and until when.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    io::{ErrorKind, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use connects::{
    CONSENT, assert_nobody, authority, config, connect_error, each, echo, proxy, relay, request,
    secretive,
};
use framewire::{
    Error,
    client::{InvalidRedirect, Request},
    connect::{ConnectError, Connector},
};
use sockets::{Task, answer, listen, read_head, spawn, timed_out};

/// Sends whoever comes next somewhere else. The request comes out.
fn redirect(listener: &TcpListener, status: u16, location: &str) -> String {
    let mut stream = answer(listener);
    let head = read_head(&mut stream);
    let length = "Content-Length: 0\r\n";
    let answer = format!("HTTP/1.1 {status} There\r\nLocation: {location}\r\n{length}\r\n");
    stream.write_all(answer.as_bytes()).expect("it is read");
    head
}

fn redirects(most: u32) -> Connector {
    Connector::new().redirects(most)
}

/// Redirects for ever. How often it did comes out, once it is told to end by a connection without a request.
fn endless(listener: TcpListener) -> Task<u32> {
    spawn("the server", move || {
        let mut count = 0;
        loop {
            let (mut stream, _) = listener.accept().expect("it listens");
            let mut byte = [0];
            if !matches!(stream.peek(&mut byte), Ok(1)) {
                return count;
            }
            // Who has given up does not finish the request.
            count += 1;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match std::io::Read::read(&mut stream, &mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let answer = b"HTTP/1.1 302 x\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer);
        }
    })
}

// req: HC-11
#[test]
fn redirect_is_a_refusal_unless_it_is_wanted() {
    each(|adapter| {
        for status in [301, 302, 303, 307, 308] {
            let (listener, uri) = listen();
            let client = adapter.connecting(&request(&uri), &Connector::new());
            redirect(&listener, status, "/elsewhere");
            let Err(Error::Refused(response)) = client.join() else {
                panic!("it was refused");
            };
            assert_eq!(response.status(), status);
            assert_eq!(response.header("location"), Some(&b"/elsewhere"[..]));
            assert_nobody(&listener);
        }
    });
}

#[test]
fn redirects_are_followed_up_to_the_limit() {
    each(|adapter| {
        let (first, uri) = listen();
        let (second, second_uri) = listen();
        let there = second_uri.replace("ws:", "http:");
        let client = adapter.connecting(&request(&format!("{uri}a/b?q")), &redirects(4));
        for (listener, line, status, location) in [
            (&first, "GET /a/b?q ", 301, "../c"),
            (&first, "GET /c ", 302, "?x=1"),
            (&first, "GET /c?x=1 ", 307, &*format!("{there}chat")),
            (&second, "GET /chat ", 308, "//"),
        ] {
            if location == "//" {
                let own = format!("//{}/last", authority(&second));
                assert!(redirect(listener, status, &own).starts_with(line));
            } else {
                assert!(redirect(listener, status, location).starts_with(line));
            }
        }
        let served = echo(second);
        client.join().expect("a WebSocket").0.assert_echoes();
        let asked = served.join();
        assert_eq!(asked.path, "/last");
        assert_eq!(format!("ws://{}/", asked.host), second_uri);
    });
}

#[test]
fn loop_of_redirects_ends_after_as_many_as_are_wanted() {
    each(|adapter| {
        for most in [0, 1, 5] {
            let (listener, uri) = listen();
            let server = endless(listener);
            let connected = adapter.connect(&request(&uri), &redirects(most));
            let Err(Error::Refused(response)) = connected else {
                panic!("{connected:?}");
            };
            assert_eq!(response.status(), 302);
            drop(sockets::dial(&uri));
            assert_eq!(server.join(), most + 1);
        }
    });
}

#[test]
fn credentials_are_for_the_same_origin_alone() {
    each(|adapter| {
        let (first, uri) = listen();
        let (second, second_uri) = listen();
        let client = adapter.connecting(&secretive(&uri), &redirects(3));
        for (listener, location, has_secrets) in [
            (&first, "/kept", true),
            (&first, &*format!("{second_uri}lost"), true),
            // They do not come back.
            (&second, &*format!("{uri}still-lost"), false),
        ] {
            let head = redirect(listener, 302, location);
            assert_eq!(
                head.contains("\r\nAuthorization: Bearer t0ken\r\n"),
                has_secrets
            );
            assert_eq!(head.contains("\r\nCookie: id=c00kie\r\n"), has_secrets);
            assert!(head.contains(&format!("\r\nHost: {}\r\n", authority(listener))));
        }
        let served = echo(first);
        client.join().expect("a WebSocket").0.assert_echoes();
        let asked = served.join();
        assert_eq!(asked.path, "/still-lost");
        asked.assert_has_no_secrets();
    });
}

#[test]
fn redirect_that_leads_nowhere_is_told() {
    each(|adapter| {
        for (location, expected) in [
            ("ftp://server.example/", None),
            ("ws://ann:s3cret@server.example/", None),
            (
                "/x\r\nLocation: /y",
                Some(InvalidRedirect::RepeatedLocation),
            ),
        ] {
            let (listener, uri) = listen();
            let client = adapter.connecting(&request(&uri), &redirects(9));
            redirect(&listener, 302, location);
            match connect_error(client.join()) {
                ConnectError::Redirect(error) => {
                    assert_eq!(error, expected.unwrap_or(error), "{location}");
                    assert!(!error.to_string().contains("s3cret"));
                }
                other => panic!("{other:?}"),
            }
            assert_nobody(&listener);
        }
    });
}

#[test]
fn hop_that_fails_is_told_by_its_own_name() {
    each(|adapter| {
        let (gone, dead_uri) = listen();
        drop(gone);
        let (listener, uri) = listen();
        let client = adapter.connecting(&request(&uri), &redirects(1));
        redirect(&listener, 302, &dead_uri);
        let error = connect_error(client.join());
        let ConnectError::Tcp { attempts, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(format!("ws://{}/", attempts[0].address), dead_uri);
        assert_eq!(attempts[0].error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn proxy_is_asked_anew_for_each_hop() {
    each(|adapter| {
        let (server, uri) = listen();
        let server_at = authority(&server);
        let (listener, connector) = proxy("http://ann:s3cret@");
        let client = adapter.connecting(&secretive("ws://first.invalid/"), &connector.redirects(1));
        let mut stream = answer(&listener);
        let asked = read_head(&mut stream);
        assert!(asked.starts_with("CONNECT first.invalid:80 HTTP/1.1\r\n"));
        stream.write_all(CONSENT).expect("it is read");
        assert!(read_head(&mut stream).contains("t0ken"));
        let redirect = format!("HTTP/1.1 302 x\r\nLocation: {uri}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(redirect.as_bytes()).expect("it is read");
        let mut stream = answer(&listener);
        let asked = read_head(&mut stream);
        assert!(asked.starts_with(&format!("CONNECT {server_at} HTTP/1.1\r\n")));
        // Of the proxy, unlike those of the server.
        assert!(asked.contains("\r\nProxy-Authorization: Basic YW5uOnMzY3JldA==\r\n"));
        let served = echo(server);
        stream.write_all(CONSENT).expect("it is read");
        let relayed = relay(stream, &server_at);
        client.join().expect("a WebSocket").0.assert_echoes();
        served.join().assert_has_no_secrets();
        relayed.join();
    });
}

#[test]
fn all_hops_have_one_deadline() {
    each(|adapter| {
        let (listener, uri) = listen();
        let authority = authority(&listener);
        let server = endless(listener);
        let limits = config().timeout(Duration::from_millis(200));
        let connector = redirects(u32::MAX).config(limits);
        let again: Request = request(&uri);
        let connected = adapter.connect(&again, &connector);
        let is_late = timed_out(&connected).is_some();
        assert!(is_late, "{connected:?}");
        // It may have ended by itself, for a connection that came too late.
        let _ = TcpStream::connect(authority);
        assert!(server.join() > 1, "it was redirected");
    });
}
