//! Peers that send much through TLS: many records at once, new keys without end, records and handshake messages that
//! are too large. What is kept of it is bounded, and so is what one poll takes.

#[path = "support/manual.rs"]
mod manual;
#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use framewire::{Config, Error, Role, blocking, server, tls::rustls};
use manual::Task;
use script::{Call, End, Wire};
use support::{
    ROLES,
    wire::{frame, input},
};
use tls::{Peer, VERSIONS, client_config, good, server_config};
use tls_ends::{ADAPTERS, Adapter, Runs, Tls};

fn tls(role: Role) -> Tls {
    match role {
        Role::Client => Tls::Client(Arc::new(client_config(VERSIONS[1]))),
        Role::Server => Tls::Server(Arc::new(server_config(VERSIONS[1], &good()))),
    }
}

fn peer(role: Role) -> Peer {
    match role {
        Role::Client => Peer::server(VERSIONS[1]),
        Role::Server => Peer::client(VERSIONS[1]),
    }
}

#[test]
fn many_records_at_once_are_read_through_a_small_buffer() {
    let plaintext: Vec<_> = (0..1_000_000).map(|n: usize| (n % 251) as u8).collect();
    for role in ROLES {
        // Read from the streams themselves.
        for most in [1000, 16_384] {
            let (wire, peer) = peer(role).attach(Wire::new([]), |_| (Vec::new(), false));
            let mut stream = tls(role).blocking(wire.clone());
            stream.write_all(b"begin").expect("the handshake is done");
            plaintext
                .chunks(most)
                .for_each(|part| peer.borrow_mut().say(part));
            wire.deliver(&peer.borrow_mut().leave());
            let mut got = Vec::<u8>::new();
            let mut buf = [0; 10];
            while let n @ 1.. = stream.read(&mut buf).expect("it is whole") {
                got.extend(&buf[..n]);
            }
            assert!(got == plaintext, "{role:?}, {most}");
        }
        let (wire, peer) = peer(role).attach(Wire::new([]), |_| (Vec::new(), false));
        let mut stream = tls(role).nonblocking(wire.clone());
        Runs::Paused.run(async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            stream
                .write_all(b"begin")
                .await
                .expect("the handshake is done");
            peer.borrow_mut().say(&plaintext);
            wire.deliver(&peer.borrow_mut().leave());
            let mut got = Vec::<u8>::new();
            let mut buf = [0; 10];
            while let n @ 1.. = stream.read(&mut buf).await.expect("it is whole") {
                got.extend(&buf[..n]);
            }
            assert!(got == plaintext, "{role:?}");
        });
    }
}

#[test]
fn new_keys_without_end_cost_nothing_and_messages_pass_or_it_is_an_error() {
    for (adapter, role) in ADAPTERS.into_iter().flat_map(|a| ROLES.map(|r| (a, r))) {
        let wire = Wire::new([]).end(End::Eof);
        let (wire, peer) = peer(role).attach(wire, |_| (Vec::new(), false));
        let mut ws = tls(role).over(adapter, Config::new(), wire.clone());
        ws.send("begin").expect("the handshake is done");
        let mut flood = Vec::new();
        for _ in 0..20_000 {
            let mut peer = peer.borrow_mut();
            peer.tls.refresh_traffic_keys().expect("TLS 1.3");
            flood.extend(peer.leave());
        }
        let message = input(role, &frame(0x81, b"one"));
        flood.extend(peer.borrow_mut().encrypt(&message));
        wire.deliver(&flood);
        let before = wire.reached().len();
        let mut received = None;
        let memory = allocation_counter::measure(|| received = Some(ws.recv()));
        // The wire keeps what it has delivered.
        let most = 2 * flood.len() as u64 + 200_000;
        assert!(memory.bytes_max < most, "{adapter:?}: {memory:?}");
        match received.expect("measured") {
            Ok(message) => {
                assert_eq!(message, Some("one".into()));
                ws.send("with new keys").expect("sent");
            }
            Err(error) => assert!(matches!(error, Error::Io(_)), "{error}"),
        }
        let answered = wire.reached().len() - before;
        assert!(answered < 10_000, "{adapter:?}, {role:?}: {answered}");
        assert_eq!(peer.borrow().error, None, "{adapter:?}, {role:?}");
    }
}

#[test]
fn record_or_handshake_message_that_is_too_large_is_refused_in_little_memory() {
    // A record, of which nothing need arrive; a ClientHello of 16 MiB; one of 65 KiB in records of a byte.
    let record = [&[22, 3, 1, 0xff, 0xff][..], &[0; 70_000]].concat();
    let part = [&[22, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
    let mut message = part.repeat(1024);
    message[5..9].copy_from_slice(&[1, 0xff, 0xff, 0xff]);
    let mut small: Vec<_> = [22, 3, 1, 0, 1, 0].repeat(1 << 20);
    small.splice(..6, [22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]);
    for adapter in ADAPTERS {
        for bytes in [&record, &message, &small] {
            let wire = Wire::new([&bytes[..]]).end(End::Eof);
            let config = server::Config::new();
            let mut end = None;
            // The configuration is not what is measured.
            let (tls, other) = (tls(Role::Server), wire.clone());
            let memory = allocation_counter::measure(|| {
                end = Some(match adapter {
                    Adapter::Blocking => blocking::accept(tls.blocking(other), &config).map(drop),
                    Adapter::Tokio => Runs::Paused
                        .run(framewire::tokio::accept(tls.nonblocking(other), &config))
                        .map(drop),
                });
            });
            let Some(Err(Error::Io(error))) = end else {
                panic!("{adapter:?}: {end:?}");
            };
            let inner = error.get_ref().and_then(|error| error.downcast_ref());
            let inner: &rustls::Error = inner.expect("an error of rustls");
            assert!(
                matches!(inner, rustls::Error::InvalidMessage(_)),
                "{inner:?}"
            );
            // The wire itself has what it delivers, split off, and what it has delivered.
            let of_wire = 2 * bytes.len() as u64 + wire.state().delivered.len() as u64 * 2;
            assert!(
                memory.bytes_max < of_wire + 500_000,
                "{adapter:?}: {memory:?}"
            );
        }
    }
}

/// Asserts that a byte arrives in several polls, none of which reads without end.
#[track_caller]
fn assert_takes_turns(wire: &Wire, mut stream: framewire::tokio::TlsStream<Wire>) {
    use tokio::io::AsyncReadExt as _;
    let mut task = Task::new(async {
        assert_eq!(stream.read_u8().await.expect("it is whole"), b'!');
    });
    while !task.is_done() {
        assert!(task.is_woken(), "it would never go on");
        let before = wire.count(Call::Read);
        task.poll();
        let reads = wire.count(Call::Read) - before;
        assert!(reads <= 130, "{reads} in one poll");
    }
    assert!(task.polls > 2, "it is no flood");
}

#[test]
fn flood_without_plaintext_lets_others_have_their_turn() {
    for role in ROLES {
        let peer = match role {
            // Behind the handshake there is more for a client that is not for its user.
            Role::Client => {
                let mut config = server_config(VERSIONS[1], &good());
                config.send_tls13_tickets = 100;
                Peer::server_of(config)
            }
            Role::Server => peer(role),
        };
        let wire = Wire::new([]).end(End::Silence).pieces(16, usize::MAX);
        let (wire, peer) = peer.attach(wire, |_| (Vec::new(), false));
        let mut stream = tls(role).nonblocking(wire.clone());
        Runs::Paused.run(async {
            use tokio::io::AsyncWriteExt as _;
            let begun = stream.write_all(b"begin").await;
            begun.expect("the handshake is done");
        });
        // There is no plaintext in any part of a record.
        wire.deliver(&peer.borrow_mut().encrypt(&[b'!'; 16_000]));
        assert_takes_turns(&wire, stream);
    }
}
