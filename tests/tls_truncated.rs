//! A transport that ends without `close_notify`, or is reset, at every point of a session: what had arrived is
//! received, and the outcome is that without TLS.

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{cell::RefCell, io::ErrorKind, rc::Rc};

use framewire::{Config, Error, Message, Role, blocking, client, server};
use script::{End, Why, Wire, websocket, why};
use support::wire::{close, frame, input};
use tls::Peer;
use tls_ends::{Adapter, Case, Runs, cases};

impl Case {
    /// A peer that says these frames, a record for each, as soon as it can, but of whose ciphertext only so
    /// much arrives. Tells how much there was.
    fn cut(self, say: Vec<Vec<u8>>, most: usize, end: End) -> (Wire, Rc<RefCell<usize>>) {
        let mut peer = match self.role {
            Role::Client => Peer::server(self.version),
            Role::Server => Peer::client(self.version),
        };
        let whole = Rc::new(RefCell::new(0));
        let count = Rc::clone(&whole);
        let cut = move |mut bytes: Vec<u8>| {
            let mut before = count.borrow_mut();
            let left = most.saturating_sub(*before);
            *before += bytes.len();
            bytes.truncate(left);
            Vec::from_iter(Some(bytes).filter(|bytes| !bytes.is_empty()))
        };
        let wire = Wire::new([]).end(end);
        let hello = peer.leave();
        for segment in cut(hello) {
            wire.deliver(&segment);
        }
        let mut say = Some(say);
        let wire = wire.peer(move |bytes| {
            let _ = peer.take(bytes);
            if !peer.tls.is_handshaking()
                && let Some(frames) = say.take()
            {
                for frame in frames {
                    peer.say(&frame);
                }
            }
            cut(peer.leave())
        });
        (wire, whole)
    }
}

/// Receives to the end.
fn outcome(mut recv: impl FnMut() -> Result<Option<Message>, Error>) -> (usize, Result<(), Why>) {
    let mut messages = 0;
    loop {
        match why(recv()) {
            Ok(Some(_)) => messages += 1,
            Ok(None) => return (messages, Ok(())),
            Err(why) => return (messages, Err(why)),
        }
    }
}

#[test]
fn end_at_every_byte_is_what_it_is_without_tls() {
    let frames = [
        frame(0x81, b"one"),
        frame(0x82, &[2; 300]),
        frame(0x01, b"in "),
        frame(0x80, b"pieces"),
        close(1000, ""),
    ];
    for case in cases() {
        for end in [End::Eof, End::Error(ErrorKind::ConnectionReset)] {
            let said: Vec<_> = frames.iter().map(|frame| input(case.role, frame)).collect();
            // What there is to see without TLS, when so many frames arrive.
            let plain: Vec<_> = (0..=said.len())
                .map(|n| {
                    let wire = Wire::new(said[..n].iter().map(|frame| &frame[..])).end(end);
                    let mut ws = websocket(case.role, Config::new(), wire);
                    ws.send("begin").expect("sent");
                    outcome(|| ws.recv())
                })
                .collect();
            let mut seen = Vec::new();
            for most in (0..).step_by(3) {
                let (wire, whole) = case.cut(said.clone(), most, end);
                let mut ws = case.tls().over(case.adapter, Config::new(), wire);
                // The error of a write that reads may be told by either.
                let sent = why(ws.send("begin"));
                let is_sent = sent.is_ok();
                let found = sent.map_or_else(|why| (0, Err(why)), |()| outcome(|| ws.recv()));
                assert!(
                    plain.contains(&found),
                    "{case:?}, {end:?}, {most}: {found:?}"
                );
                let again = why(ws.recv());
                assert!(!is_sent || again == Ok(None), "{case:?}, {end:?}, {most}");
                seen.push(found);
                if most >= *whole.borrow() {
                    break;
                }
            }
            assert!(seen.is_sorted_by_key(|(messages, _)| *messages), "{seen:?}");
            assert_eq!(seen.last(), plain.last(), "{case:?}");
            for (messages, end) in &plain {
                let any = |(n, e): &(usize, Result<(), Why>)| n == messages && e == end;
                assert!(seen.iter().any(any), "{case:?}: never {messages}, {end:?}");
            }
        }
    }
}

#[test]
fn opening_handshake_that_is_cut_off_is_aborted_as_without_tls() {
    let request = client::Request::new("ws://localhost/").expect("valid");
    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websock".to_vec();
    let asked = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr".to_vec();
    for case in cases() {
        for most in (0..).step_by(5) {
            let say = match case.role {
                Role::Client => head.clone(),
                Role::Server => asked.clone(),
            };
            let len = say.len();
            let (wire, whole) = case.cut(vec![say], most, End::Eof);
            let end = open(case, wire, &request);
            let Err(Why::Aborted(received)) = end else {
                panic!("{case:?}, {most}: {end:?}");
            };
            assert!([0, len].contains(&received), "{case:?}, {most}: {received}");
            if most >= *whole.borrow() {
                assert_eq!(received, len, "{case:?}");
                break;
            }
        }
    }
}

fn open(case: Case, wire: Wire, request: &client::Request) -> Result<(), Why> {
    let tls = case.tls();
    let (client, server) = (client::Config::new(), server::Config::new());
    why(match (case.adapter, case.role) {
        (Adapter::Blocking, Role::Client) => {
            blocking::client(tls.blocking(wire), request, &client).map(drop)
        }
        (Adapter::Blocking, Role::Server) => {
            blocking::accept(tls.blocking(wire), &server).map(drop)
        }
        (Adapter::Tokio, Role::Client) => Runs::Paused
            .run(framewire::tokio::client(
                tls.nonblocking(wire),
                request,
                &client,
            ))
            .map(drop),
        (Adapter::Tokio, Role::Server) => Runs::Paused
            .run(framewire::tokio::accept(tls.nonblocking(wire), &server))
            .map(drop),
    })
}

#[test]
fn much_that_is_sent_to_a_peer_that_is_gone_in_the_handshake_comes_to_an_end() {
    for case in cases() {
        let (wire, _) = case.cut(Vec::new(), 20, End::Eof);
        let mut ws = case.tls().over(case.adapter, Config::new(), wire);
        let sent = why(ws.send(&[7; 200_000][..]));
        assert_eq!(sent, Err(Why::Io(ErrorKind::WriteZero)), "{case:?}");
    }
}
