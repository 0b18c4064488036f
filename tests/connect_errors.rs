//! What is shown of a connection that did not come about: one line that says where and why, for each variant, and
//! in none of them a secret. With either adapter.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    error::Error as _,
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use connects::{
    Adapter, Connected, authority, config, connect_error, each, proxy, request, secretive,
};
use framewire::{
    Error,
    client::Request,
    connect::{Attempt, ConnectError, Connector, ProxyError},
};
use sockets::{answer, listen, read_head};

const SECRETS: [&str; 7] = [
    "t0ken",
    "c00kie",
    "s3cret",
    "ann",
    "YW5uOnMzY3JldA",
    "qu3ry",
    "p4th",
];

/// The line, in which there are no secrets, nor in what is shown for debugging.
#[track_caller]
fn shown(connected: Connected) -> String {
    let error = connected.expect_err("it fails");
    let line = error.to_string();
    let mut all = format!("{line} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        all.push_str(&format!(" {inner} {inner:?}"));
        source = inner.source();
    }
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(!line.contains('\n'));
    line
}

fn full_of_secrets(host: &str) -> Request {
    secretive(&format!("ws://{host}/p4th?token=qu3ry"))
}

/// Through a proxy that gives this answer.
fn through(adapter: Adapter, scheme: &str, answer: &[u8]) -> (String, String) {
    let (listener, connector) = proxy(&format!("{scheme}ann:s3cret@"));
    let client = adapter.connecting(&full_of_secrets("server.example"), &connector);
    let mut stream = sockets::answer(&listener);
    if scheme == "http://" {
        read_head(&mut stream);
    } else {
        stream.read_exact(&mut [0; 4]).expect("the methods");
    }
    stream.write_all(answer).expect("it is read");
    sockets::end_writing(&stream);
    let shown = shown(client.join());
    let place = authority(&listener);
    (shown, format!("proxy {scheme}{place} ({place})"))
}

#[test]
fn lookup_names_the_host() {
    each(|adapter| {
        let connected = adapter.connect(&full_of_secrets("server.invalid"), &Connector::new());
        let shown = shown(connected);
        assert!(
            shown.starts_with("no address of server.invalid: "),
            "{shown}"
        );
        let late = Connector::new().config(config().timeout(Duration::ZERO));
        let error = connect_error(adapter.connect(&request("ws://server.invalid/"), &late));
        assert!(error.is_timeout());
        let expected = ["timed out", "deadline has elapsed"];
        let expected = expected.map(|why| format!("no address of server.invalid: {why}"));
        assert!(expected.contains(&error.to_string()), "{error}");
    });
}

#[test]
fn tcp_names_each_address_and_its_reason() {
    each(|adapter| {
        let (listener, _) = listen();
        let place = authority(&listener);
        drop(listener);
        let error = adapter.connect(&full_of_secrets(&place), &Connector::new());
        let expected = std::io::Error::from_raw_os_error(111);
        let shown = shown(error);
        if cfg!(target_os = "linux") {
            assert_eq!(
                shown,
                format!("no connection to 127.0.0.1: {place}: {expected}")
            );
        }
    });
}

#[test]
fn several_attempts_are_one_line() {
    let (listener, uri) = listen();
    drop(listener);
    let connected = Adapter::Blocking.connect(&request(&uri), &Connector::new());
    let mut error = connect_error(connected);
    let ConnectError::Tcp { host, attempts, .. } = &mut error else {
        panic!("{error:?}");
    };
    *host = "server.example".into();
    let attempt = |address: &str, kind: ErrorKind| {
        let connected = Adapter::Blocking.connect(&request(&uri), &Connector::new());
        let ConnectError::Tcp { mut attempts, .. } = connect_error(connected) else {
            panic!("nobody listens");
        };
        let mut attempt: Attempt = attempts.remove(0);
        attempt.address = address.parse().expect("an address");
        attempt.error = kind.into();
        attempt
    };
    *attempts = vec![
        attempt("[2001:db8::1]:443", ErrorKind::ConnectionRefused),
        attempt("192.0.2.1:443", ErrorKind::TimedOut),
    ];
    assert_eq!(
        error.to_string(),
        "no connection to server.example: [2001:db8::1]:443: connection refused; \
         192.0.2.1:443: timed out"
    );
    assert!(error.is_timeout());
    let ConnectError::Tcp { attempts, .. } = &mut error else {
        unreachable!("it was one before");
    };
    attempts.clear();
    assert!(!error.is_timeout());
}

#[test]
fn proxy_is_named_without_its_password() {
    each(|adapter| {
        let http = |answer: &str| through(adapter, "http://", answer.as_bytes());
        for (answer, why) in [
            (
                "HTTP/1.1 407 s3cret\r\nX: y\r\n\r\n",
                "the proxy refused with status 407",
            ),
            (
                "s3cret\r\n\r\n",
                "the proxy broke the rules: malformed status line",
            ),
            (
                "HTTP/1.1 101 x\r\n\r\n",
                "the proxy switched protocols, which it was not asked for",
            ),
            (
                "HTTP/1.1 200 x\r\n\r\ns3cret",
                "bytes behind the answer of the proxy, before anything was sent",
            ),
            (
                "HTTP/1.1",
                "the transport ended 8 bytes into the answer of the proxy",
            ),
        ] {
            let (shown, named) = match answer.contains("407") {
                // What the proxy says is there to be looked at.
                true => http(&answer.replace("s3cret", "x")),
                false => http(answer),
            };
            assert_eq!(shown, format!("{named}: {why}"));
        }
        let socks = |answer: &[u8]| through(adapter, "socks5://", answer);
        for (answer, why) in [
            (
                &[5, 0xff][..],
                "the proxy accepts no method of authentication that was offered",
            ),
            (
                &[5, 7],
                "the proxy chose method 7 of authentication, which was not offered",
            ),
            (&[5, 2, 1, 1], "the proxy refused the user or the password"),
            (
                &[5, 0, 5, 2],
                "the proxy did not connect to the server: not allowed",
            ),
            (
                &[5, 0, 5, 0, 0, 7],
                "the proxy has an address of the unknown type 7",
            ),
            (
                &[72, 84],
                "answer of version 72, which is not that of SOCKS5",
            ),
        ] {
            let (shown, named) = socks(answer);
            assert_eq!(shown, format!("{named}: {why}"));
        }
    });
}

#[test]
fn late_proxy_is_named_as_well() {
    each(|adapter| {
        let (listener, connector) = proxy("http://ann:s3cret@");
        let limits = config().timeout(Duration::from_millis(300));
        let client = adapter.connecting(
            &full_of_secrets("server.example"),
            &connector.config(limits),
        );
        let _silent = answer(&listener);
        let place = authority(&listener);
        assert_eq!(
            shown(client.join()),
            format!("proxy http://{place} ({place}): the proxy took too long")
        );
    });
}

#[test]
fn lost_proxy_is_named_as_well() {
    each(|adapter| {
        let (listener, connector) = proxy("socks5://ann:s3cret@");
        let client = adapter.connecting(&full_of_secrets("server.example"), &connector);
        let mut stream = answer(&listener);
        stream.read_exact(&mut [0]).expect("the methods");
        drop(stream); // With the rest of them unread.
        let place = authority(&listener);
        let line = shown(client.join());
        let named = format!("proxy socks5://{place} ({place}): ");
        assert!(line.starts_with(&named), "{line}");
    });
}

#[test]
fn redirect_and_refusal_tell_no_place() {
    each(|adapter| {
        for (status, location, most, expected) in [
            (
                302,
                "http://ann:s3cret@h/qu3ry",
                0,
                "the server refused with status 302",
            ),
            (
                302,
                "ftp://ann:s3cret@h/qu3ry",
                1,
                "redirect with an unusable Location: ",
            ),
        ] {
            let (listener, uri) = listen();
            let request = secretive(&format!("{uri}p4th?qu3ry"));
            let client = adapter.connecting(&request, &Connector::new().redirects(most));
            let mut stream = answer(&listener);
            read_head(&mut stream);
            let answer =
                format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("it is read");
            let connected = client.join();
            let line = match &connected {
                // Its headers are there to be looked at.
                Err(error @ Error::Refused(_)) => error.to_string(),
                _ => shown(connected),
            };
            assert!(line.starts_with(expected), "{line}");
            assert!(!line.contains("s3cret") && !line.contains("qu3ry"));
        }
    });
}

#[test]
fn why_is_the_source() {
    each(|adapter| {
        let (listener, connector) = proxy("http://");
        let client = adapter.connecting(&request("ws://server.example/"), &connector);
        let mut stream = answer(&listener);
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 101 x\r\n\r\n")
            .expect("it is read");
        let error = client.join().expect_err("it fails");
        let source = error.source().expect("there is one");
        assert_eq!(
            source.downcast_ref::<ProxyError>(),
            Some(&ProxyError::UnexpectedUpgrade)
        );
    });
}
