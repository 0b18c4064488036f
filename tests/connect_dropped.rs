//! Connecting that is given up, with tokio: a future that is dropped at any of its awaits leaves no task and no
//! socket behind, however far it had come.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/connects.rs"]
mod connects;
#[path = "support/sockets.rs"]
mod sockets;

use std::{
    future::{Future, poll_fn},
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    pin::pin,
    task::Poll,
};

use connects::{CONSENT, proxy, request, runtime};
use framewire::{client::Request, connect::Connector, tokio::connect_via};
use sockets::{answer, in_time, listen, read_to_end};
use tokio::runtime::Handle;

/// Goes on with connecting until the peer has seen enough, and gives it up. `see` is asked between two polls, and does
/// the part of the peer.
fn give_up(request: &Request, connector: &Connector, mut see: impl FnMut() -> bool) {
    runtime().block_on(async {
        {
            let mut connecting = pin!(connect_via(request, connector));
            poll_fn(|cx| {
                let polled = connecting.as_mut().poll(cx);
                assert!(polled.is_pending(), "{polled:?}");
                // The socket is looked at again and again, as long as this takes.
                cx.waker().wake_by_ref();
                if see() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    });
}

/// Reads what is there, without waiting.
fn read_some(stream: &mut TcpStream, into: &mut Vec<u8>) {
    stream.set_nonblocking(true).expect("a socket");
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => panic!("it ended too early"),
            Ok(n) => into.extend(&buf[..n]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
    stream.set_nonblocking(false).expect("a socket");
}

/// A peer that says these things, each once what the client says ends like this. It must see the end of it when
/// the future is dropped behind the last.
#[track_caller]
fn is_closed_behind(
    listener: &TcpListener,
    request: &Request,
    connector: &Connector,
    steps: &[(&[u8], &[u8])],
) {
    let (mut stream, mut said) = (None::<TcpStream>, Vec::new());
    let mut steps = steps.iter();
    let mut step = steps.next();
    give_up(request, connector, || {
        let stream = stream.get_or_insert_with(|| answer(listener));
        read_some(stream, &mut said);
        if let Some((expected, answer)) = step
            && said.ends_with(expected)
        {
            stream.write_all(answer).expect("it is read");
            said.clear();
            step = steps.next();
            // As far as it gets with the last answer is in the next poll.
            return step.is_none() && answer.is_empty();
        }
        step.is_none()
    });
    let mut stream = stream.expect("it has connected");
    stream.set_nonblocking(false).expect("a socket");
    // A reset, if there was something left to read for it.
    let _ = read_to_end(&mut stream);
    connects::assert_nobody(listener);
}

const HEAD: &[u8] = b"\r\n\r\n";

#[test]
fn future_that_is_dropped_anywhere_closes_its_socket() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let direct = Connector::new();
        for answer in [
            &b""[..],
            b"HTTP/1.1 ",
            b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n",
        ] {
            is_closed_behind(&listener, &request(&uri), &direct, &[(HEAD, answer)]);
        }
        let server = request("ws://server.invalid/");
        let (listener, through) = proxy("http://");
        for steps in [
            &[(HEAD, &b""[..])][..],
            &[(HEAD, b"HTTP/1.1 200 x\r\n")],
            &[(HEAD, CONSENT)],
            &[(HEAD, CONSENT), (HEAD, b"HTTP/1.1 101 ")],
        ] {
            is_closed_behind(&listener, &server, &through, steps);
        }
        let (listener, through) = proxy("socks5://");
        for steps in [
            &[(&[5, 1, 0][..], &b""[..])][..],
            &[(&[5, 1, 0], &[5])],
            &[(&[5, 1, 0], &[5, 0])],
            &[(&[5, 1, 0], &[5, 0]), (b"invalid\0P", &[5, 0, 0, 3, 9])],
        ] {
            is_closed_behind(&listener, &server, &through, steps);
        }
    });
}

#[test]
#[cfg(feature = "rustls")]
fn future_that_is_dropped_within_tls_closes_its_socket() {
    in_time("the test", || {
        let (listener, uri) = listen();
        let secure = request(&uri.replace("ws:", "wss:"));
        let (mut stream, mut said) = (None::<TcpStream>, Vec::new());
        give_up(&secure, &Connector::new(), || {
            let stream = stream.get_or_insert_with(|| answer(&listener));
            read_some(stream, &mut said);
            said.starts_with(&[22, 3])
        });
        let _ = read_to_end(&mut stream.expect("it has connected"));
    });
}

#[test]
fn future_that_is_dropped_before_it_is_connected_leaves_nothing() {
    in_time("the test", || {
        for host in ["localhost", "127.0.0.1"] {
            let (listener, uri) = listen();
            let request = request(&uri.replace("127.0.0.1", host));
            give_up(&request, &Connector::new(), || true);
            drop(connect_via(&request, &Connector::new()));
            if let Some(mut stream) = accept(&listener) {
                stream.set_nonblocking(false).expect("a socket");
                assert_eq!(read_to_end(&mut stream).0, "");
            }
        }
    });
}

#[test]
fn hops_before_the_last_one_are_closed() {
    in_time("the test", || {
        let ((first, uri), (second, there)) = (listen(), listen());
        let (mut one, mut two) = (None::<TcpStream>, None::<TcpStream>);
        let (mut said, mut is_redirected) = (Vec::new(), false);
        let connector = Connector::new().redirects(1);
        give_up(&request(&uri), &connector, || {
            let stream = one.get_or_insert_with(|| answer(&first));
            if !is_redirected {
                read_some(stream, &mut said);
                if said.ends_with(HEAD) {
                    let redirect =
                        format!("HTTP/1.1 302 x\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(redirect.as_bytes()).expect("it is read");
                    said.clear();
                    is_redirected = true;
                }
                return false;
            }
            two = two.take().or_else(|| accept(&second));
            let Some(last) = &mut two else {
                return false;
            };
            read_some(last, &mut said);
            if said.ends_with(HEAD) {
                // The last one waits, and the one before it is over.
                let (rest, ended) = read_to_end(stream);
                ended.expect("it is closed");
                assert_eq!(rest, "");
            }
            said.ends_with(HEAD)
        });
        let _ = read_to_end(&mut two.expect("it has connected"));
    });
}

/// Who has connected by now.
fn accept(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).expect("a socket");
    let accepted = listener.accept().ok();
    listener.set_nonblocking(false).expect("a socket");
    accepted.map(|(stream, _)| stream)
}
