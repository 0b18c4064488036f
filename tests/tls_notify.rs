//! How a transport with TLS ends: with `close_notify` behind everything else, whoever ends it and why.

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use framewire::{
    CloseCode, Config, Error, Role, blocking, nonblocking,
    server::{self, Response},
};
use script::{Call, Wire};
use support::{
    connection,
    trace::Seen,
    wire::{close, frame, input},
};
use tls::{Peer, VERSIONS, Version, contains, echo, good, server_config};
use tls_ends::{ADAPTERS, Adapter, Case, End, Runs, Tls, WireEnd, cases};

impl Case {
    /// A WebSocket, and a peer that says something first.
    fn open(self, say: &[u8]) -> (WireEnd, Wire, Rc<RefCell<Peer>>) {
        let other = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let mut say = Some(input(self.role, say));
        let seen = Rc::<RefCell<Vec<Seen>>>::default();
        let mut app = echo(connection(other, Config::new()), seen);
        let (wire, peer) = self.peer().attach(Wire::new([]), move |bytes| {
            let (answer, ends) = app(bytes);
            let said = say.take().unwrap_or_default();
            ([said, answer].concat(), ends)
        });
        let mut ws = self.tls().over(self.adapter, Config::new(), wire.clone());
        ws.send("begin").expect("the handshake is done");
        (ws, wire, peer)
    }
}

/// The peer has been told, and the transport has been ended behind that.
#[track_caller]
fn assert_told(wire: &Wire, peer: &RefCell<Peer>, name: &str) {
    let peer = peer.borrow();
    assert_eq!(peer.error, None, "{name}");
    assert!(peer.has_close_notify, "{name}");
    let count = wire.count(Call::EndWriting);
    assert!((1..=2).contains(&count), "{name}: {count}");
}

// req: C-24
#[test]
fn close_notify_is_sent_behind_the_closing_handshake() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open(b"");
        let closed = ws.close(CloseCode::NORMAL, "done").expect("an answer");
        assert!(closed.clean, "{case:?}");
        assert_told(&wire, &peer, &format!("we close, {case:?}"));

        let (mut ws, wire, peer) = case.open(&close(1000, "done"));
        while ws.recv().expect("no error").is_some() {}
        assert_told(&wire, &peer, &format!("the peer closes, {case:?}"));
    }
}

// req: C-24
#[test]
fn close_notify_is_sent_behind_a_failure() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open(&frame(0x83, b"reserved"));
        let end = ws.recv();
        assert!(matches!(end, Err(Error::Protocol(_))), "{case:?}: {end:?}");
        while ws.recv().expect("it has been told").is_some() {}
        assert_told(&wire, &peer, &format!("{case:?}"));
    }
}

// req: C-24
#[test]
fn close_notify_is_sent_when_one_half_closes() {
    for case in cases() {
        let (ws, wire, peer) = case.open(b"");
        match ws {
            End::Blocking(ws) => {
                let (mut receiver, sender) = ws.split().expect("another handle");
                sender.close(CloseCode::NORMAL, "").expect("open");
                while receiver.recv().expect("no error").is_some() {}
            }
            End::Tokio(ws, runs) => runs.run(async {
                let (mut receiver, sender) = ws.split();
                sender.close(CloseCode::NORMAL, "").await.expect("open");
                while receiver.recv().await.expect("no error").is_some() {}
            }),
        }
        assert_told(&wire, &peer, &format!("{case:?}"));
    }
}

/// What becomes of a request, and what the client gets.
fn request(adapter: Adapter, version: Version, request: &'static str) -> (Wire, Vec<u8>, bool) {
    let mut request = Some(request);
    let (wire, peer) = Peer::client(version).attach(Wire::new([]), move |_| {
        let bytes = request.take().unwrap_or_default();
        (bytes.into(), false)
    });
    let tls = Tls::Server(Arc::new(server_config(version, &good())));
    let config = server::Config::new();
    let not_found = || Response::new(404).expect("final").body("nothing\n");
    match adapter {
        Adapter::Blocking => match blocking::incoming(tls.blocking(wire.clone()), &config) {
            Ok(blocking::Incoming::Plain(plain)) => plain.respond(not_found()).expect("sent"),
            Ok(blocking::Incoming::Upgrade(_)) => panic!("an upgrade"),
            Err(error) => assert!(matches!(error, Error::Rejected(_)), "{error}"),
        },
        Adapter::Tokio => Runs::Paused.run(async {
            match framewire::tokio::incoming(tls.nonblocking(wire.clone()), &config).await {
                Ok(nonblocking::Incoming::Plain(plain)) => {
                    plain.respond(not_found()).await.expect("sent");
                }
                Ok(nonblocking::Incoming::Upgrade(_)) => panic!("an upgrade"),
                Err(error) => assert!(matches!(error, Error::Rejected(_)), "{error}"),
            }
        }),
    }
    let peer = peer.borrow();
    (wire, peer.plaintext.clone(), peer.has_close_notify)
}

// req: C-24
#[test]
fn close_notify_is_sent_behind_an_answer_that_is_no_upgrade() {
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let invalid = "GET / HTTP/1.1\r\nno header\r\n\r\n";
    for adapter in ADAPTERS {
        for version in VERSIONS {
            for (asked, status) in [(plain, "404"), (invalid, "400")] {
                let (_, got, is_told) = request(adapter, version, asked);
                assert!(contains(&got, status.as_bytes()), "{adapter:?}, {status}");
                assert!(is_told, "{adapter:?}, {version:?}, {status}");
            }
        }
    }
}

#[test]
fn half_of_tls_that_the_peer_has_ended_does_not_end_the_other() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open(b"");
        peer.borrow_mut().tls.send_close_notify();
        let notify = peer.borrow_mut().leave();
        wire.deliver(&notify);
        // Behind the end of the session nothing counts, however it looks.
        wire.deliver(b"\x17\x03\x03\xff\xffgarbage");
        let _ = peer.borrow_mut().plaintext.split_off(0);
        ws.send("still there").expect("it can be written");
        assert!(!peer.borrow().plaintext.is_empty(), "{case:?}");
        while let Ok(Some(_)) = ws.recv() {}
        assert!(!ws.connection().closed().expect("it has").clean, "{case:?}");
        assert_told(&wire, &peer, &format!("{case:?}"));
    }
}
