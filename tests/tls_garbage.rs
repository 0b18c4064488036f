//! Peers that do not speak TLS, or speak it against the rules: a typed error, told again when it is asked
//! again, and nothing that had arrived before is lost.

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use framewire::{
    Config, Error, Message, server,
    tls::rustls::{self, AlertDescription},
};
use script::{End, Wire};
use support::wire::{close, frame, input};
use tls::{Peer, VERSIONS, good, records, server_config};
use tls_ends::{ADAPTERS, Adapter, Case, Tls, WireEnd, cases};

impl Case {
    /// A WebSocket that has sent a message, and a peer that has said nothing yet.
    fn open(self) -> (WireEnd, Wire, Rc<RefCell<Peer>>) {
        let wire = Wire::new([]).end(End::Silence);
        let (wire, peer) = self.peer().attach(wire, |_| (Vec::new(), false));
        let mut ws = self.tls().over(self.adapter, quick(), wire.clone());
        ws.send("begin").expect("the handshake is done");
        (ws, wire, peer)
    }
}

/// So that what would wait ends.
fn quick() -> Config {
    let soon = std::time::Duration::from_millis(30);
    let keepalive = framewire::Keepalive {
        interval: soon,
        timeout: soon,
    };
    Config::new()
        .close_timeout(soon)
        .write_timeout(soon)
        .keepalive(keepalive)
}

/// The error of rustls in an error of the transport.
#[track_caller]
fn tls_error<T: std::fmt::Debug>(result: Result<T, Error>) -> rustls::Error {
    let Err(Error::Io(error)) = &result else {
        panic!("{result:?}");
    };
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    let inner: &rustls::Error = inner.unwrap_or_else(|| panic!("{error:?}"));
    inner.clone()
}

#[test]
fn what_came_before_a_broken_record_is_received_and_then_the_error_is_told() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open();
        let good = [frame(0x81, b"one"), frame(0x81, b"two")].concat();
        let mut bytes = peer.borrow_mut().encrypt(&input(case.role, &good));
        let mut broken = peer
            .borrow_mut()
            .encrypt(&input(case.role, &frame(0x81, b"three")));
        *broken.last_mut().expect("a record") ^= 1;
        bytes.extend(broken);
        wire.deliver(&bytes);
        for text in ["one", "two"] {
            let message = ws.recv().unwrap_or_else(|e| panic!("{case:?}: {e}"));
            assert_eq!(message, Some(Message::from(text)), "{case:?}");
        }
        assert_eq!(
            tls_error(ws.recv()),
            rustls::Error::DecryptError,
            "{case:?}"
        );
        // The peer is told why.
        let error = peer.borrow_mut().error.clone();
        let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
        assert_eq!(error, Some(alert), "{case:?}");
    }
}

#[test]
fn broken_session_is_not_waited_for() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open();
        let mut broken = peer.borrow_mut().encrypt(b"anything");
        *broken.last_mut().expect("a record") ^= 1;
        wire.deliver(&broken);
        assert_eq!(
            tls_error(ws.recv()),
            rustls::Error::DecryptError,
            "{case:?}"
        );
        let reads = wire.count(script::Call::Read);
        assert_eq!(
            tls_error(ws.recv()),
            rustls::Error::DecryptError,
            "{case:?}"
        );
        assert_eq!(wire.count(script::Call::Read), reads, "{case:?}");
    }
}

#[test]
fn message_before_an_alert_is_received() {
    for case in cases() {
        let (mut ws, wire, peer) = case.open();
        let mut bytes = peer
            .borrow_mut()
            .encrypt(&input(case.role, &frame(0x81, b"one")));
        // An endpoint that gets garbage has something to say about it.
        let _ = peer.borrow_mut().take(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5]);
        let _ = peer.borrow_mut().take(&[7; 15]);
        let alert = peer.borrow_mut().leave();
        assert!(!alert.is_empty());
        bytes.extend(alert);
        wire.deliver(&bytes);
        let message = ws.recv().unwrap_or_else(|e| panic!("{case:?}: {e}"));
        assert_eq!(message, Some("one".into()), "{case:?}");
        let error = tls_error(ws.recv());
        assert!(matches!(error, rustls::Error::AlertReceived(_)), "{error}");
    }
}

#[test]
fn http_without_tls_is_refused_by_a_server_with_it() {
    let tls = Arc::new(server_config(VERSIONS[1], &good()));
    for adapter in ADAPTERS {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let wire = Wire::new([&request[..]]).end(End::Silence);
        let tls = Tls::Server(Arc::clone(&tls));
        let config = server::Config::new();
        let error = match adapter {
            Adapter::Blocking => {
                let stream = tls.blocking(wire.clone());
                framewire::blocking::accept(stream, &config).map(drop)
            }
            Adapter::Tokio => {
                let stream = tls.nonblocking(wire.clone());
                tls_ends::Runs::Paused
                    .run(framewire::tokio::accept(stream, &config))
                    .map(drop)
            }
        };
        let error = tls_error(error);
        assert!(matches!(error, rustls::Error::InvalidMessage(_)), "{error}");
        // No answer but an alert.
        let said = records(&wire.reached());
        assert!(said.iter().all(|(kind, _)| *kind == 21), "{said:?}");
    }
}

#[test]
fn client_hello_is_no_http() {
    let mut peer = Peer::client(VERSIONS[1]);
    let hello = peer.leave();
    for adapter in ADAPTERS {
        let wire = Wire::new([&hello[..]]);
        let config = server::Config::new();
        let end = match adapter {
            Adapter::Blocking => framewire::blocking::accept(wire, &config).map(drop),
            Adapter::Tokio => tls_ends::Runs::Paused
                .run(framewire::tokio::accept(wire, &config))
                .map(drop),
        };
        assert!(matches!(end, Err(Error::Rejected(_))), "{end:?}");
    }
}

/// One pass over a whole session, with one byte flipped.
#[test]
fn flipped_byte_at_any_place_never_passes_for_another_message() {
    for case in cases() {
        let mut n = 0;
        loop {
            let mut at = n;
            let (mut flipped, mut before) = (false, 0);
            let frames = [frame(0x81, b"one"), frame(0x81, b"two"), close(1000, "")].concat();
            let mut said = Some(input(case.role, &frames));
            let mut peer = case.peer();
            let wire = Wire::new([]).end(End::Eof);
            let mut flip = move |mut bytes: Vec<u8>| {
                if !flipped && at < before + bytes.len() {
                    bytes[at - before] ^= 0x20;
                    flipped = true;
                    at = 0;
                }
                before += bytes.len();
                bytes
            };
            let flipped_all = Rc::new(RefCell::new(0));
            let count = Rc::clone(&flipped_all);
            let hello = peer.leave();
            if !hello.is_empty() {
                *count.borrow_mut() += hello.len();
                wire.deliver(&flip(hello));
            }
            let wire = wire.peer(move |bytes| {
                let _ = peer.take(bytes);
                if !peer.tls.is_handshaking()
                    && peer.error.is_none()
                    && let Some(said) = said.take()
                {
                    peer.say(&said);
                }
                let answer = peer.leave();
                *count.borrow_mut() += answer.len();
                if answer.is_empty() {
                    Vec::new()
                } else {
                    vec![flip(answer)]
                }
            });
            let mut ws = case.tls().over(case.adapter, quick(), wire);
            let sent = ws.send("begin");
            let mut messages = Vec::new();
            let mut errors = Vec::from_iter(sent.err());
            while errors.len() < 3 {
                match ws.recv() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => errors.push(error),
                }
            }
            let all = [Message::from("one"), Message::from("two")];
            assert!(all.starts_with(&messages), "{case:?}, {n}: {messages:?}");
            let len = *flipped_all.borrow();
            if n >= len {
                assert_eq!(
                    (messages.len(), errors.len()),
                    (2, 0),
                    "{case:?}: {errors:?}"
                );
                break;
            }
            n += 1 + n / 40;
        }
    }
}
