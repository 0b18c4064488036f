//! Deadlines hold with TLS in between: a peer that sends nothing, or a byte of a record now and then, in the
//! handshake of TLS and behind it, and one that does not read.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/script.rs"]
mod script;
#[path = "support/sockets.rs"]
mod sockets;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use framewire::{
    CloseCode, Config, Error, Keepalive, Role, TimedOut,
    blocking::{self, Transport as _},
    client::{self, Request},
    connect::Connector,
    server,
};
use script::{End, Fault, Moment, Why, Wire, why};
use sockets::{MUCH, Socket as _, answer, in_time, quick, spawn, timed_out};
use support::{
    ROLES,
    wire::{frame, input},
};
use tls::{Peer, VERSIONS, client_config, good, server_config};
use tls_ends::{ADAPTERS, Adapter, Runs, Tls, connect};

const SOON: Duration = Duration::from_millis(30);

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
fn connecting_to_a_server_that_says_nothing_times_out() {
    in_time("the test", || {
        for adapter in ADAPTERS {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("it is bound").port();
            let server = spawn("the server", move || {
                let mut socket = answer(&listener);
                let mut all = Vec::new();
                let _ = socket.read_to_end(&mut all);
            });
            let connector = Connector::new()
                .config(client::Config::new().timeout(SOON))
                .tls(Arc::new(client_config(VERSIONS[1])));
            let request = Request::new(&format!("wss://localhost:{port}/")).expect("valid");
            let result = connect(adapter, &request, &connector).map(drop);
            let Err(Error::Connect(error)) = &result else {
                panic!("{adapter:?}: {result:?}");
            };
            assert!(error.is_timeout(), "{adapter:?}: {error:?}");
            server.join();
        }
    });
}

/// A handshake message that is as long as it may be, in records of one byte each.
fn endless() -> Vec<u8> {
    let message = [&[1, 0, 0xff, 0][..], &[0; 0xff00]].concat();
    let record = |byte| [22, 3, 1, 0, 1, byte];
    message.into_iter().flat_map(record).collect()
}

/// A transport that takes its time for each byte.
fn slow(bytes: &[u8]) -> Wire {
    let slow = |_: Moment| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(100) {
            std::hint::spin_loop();
        }
        None
    };
    let segments = Some(bytes).filter(|bytes| !bytes.is_empty());
    Wire::new(segments)
        .pieces(1, usize::MAX)
        .end(End::Silence)
        .faults(slow)
}

#[test]
fn blocking_handshake_of_a_byte_now_and_then_times_out_in_both_roles() {
    let wire = slow(&endless());
    let config = server::Config::new().timeout(SOON);
    let end = blocking::accept(tls(Role::Server).blocking(wire.clone()), &config);
    let late = Err(Why::TimedOut(TimedOut::Handshake));
    assert_eq!(why(end.map(drop)), late);
    assert!(
        wire.state().delivered.len() < 100_000,
        "as little as in time"
    );

    let wire = slow(&endless());
    let config = client::Config::new().timeout(SOON);
    let request = Request::new("ws://localhost/").expect("valid");
    let end = blocking::client(tls(Role::Client).blocking(wire), &request, &config);
    assert_eq!(why(end.map(drop)), late);
}

#[test]
fn polled_handshake_of_a_byte_now_and_then_times_out_in_both_roles() {
    for role in ROLES {
        let end = Runs::Paused.run(async {
            let (here, mut there) = tokio::io::duplex(1 << 20);
            let drip = async {
                for byte in endless() {
                    use tokio::io::AsyncWriteExt as _;
                    there.write_all(&[byte]).await.expect("room");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            let open = async {
                match role {
                    Role::Client => {
                        let request = Request::new("ws://localhost/").expect("valid");
                        let stream = tls(role).nonblocking(here);
                        let config = client::Config::new();
                        framewire::tokio::client(stream, &request, &config)
                            .await
                            .map(drop)
                    }
                    Role::Server => {
                        let stream = tls(role).nonblocking(here);
                        framewire::tokio::accept(stream, &server::Config::new())
                            .await
                            .map(drop)
                    }
                }
            };
            tokio::select! {
                end = open => end,
                () = drip => panic!("{role:?}: it goes on for ever"),
            }
        });
        assert_eq!(
            why(end),
            Err(Why::TimedOut(TimedOut::Handshake)),
            "{role:?}"
        );
    }
}

#[test]
fn limit_of_a_read_is_for_the_whole_record_and_loses_nothing_of_it() {
    let wire = slow(b"");
    let (wire, peer) = Peer::client(VERSIONS[1]).attach(wire, |_| (Vec::new(), false));
    let mut stream = tls(Role::Server).blocking(wire.clone());
    stream
        .limit_read(Some(Duration::from_secs(10)))
        .expect("it can");
    // The handshake happens, and nothing comes.
    let mut buf = [0; 20_000];
    let error = stream.read(&mut buf).expect_err("nothing to read");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    wire.deliver(&peer.borrow_mut().encrypt(&[7; 16_000]));
    let before = wire.state().delivered.len();
    stream.limit_read(Some(SOON)).expect("it can");
    let error = stream.read(&mut buf).expect_err("it takes too long");
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    let read = wire.state().delivered.len() - before;
    assert!((1..10_000).contains(&read), "{read}");
    stream.limit_read(None).expect("it can");
    let n = stream.read(&mut buf).expect("the record");
    assert!(n == 16_000 && buf[..n] == [7; 16_000]);
}

#[test]
fn peer_that_is_silent_is_given_up_and_one_that_does_not_close_as_well() {
    for (adapter, role) in ADAPTERS.into_iter().flat_map(|a| ROLES.map(|r| (a, r))) {
        let keepalive = Keepalive {
            interval: SOON,
            timeout: SOON,
        };
        for closes in [false, true] {
            let config = Config::new().close_timeout(SOON);
            let config = if closes {
                config
            } else {
                config.keepalive(keepalive)
            };
            let wire = Wire::new([]).end(End::Silence);
            let (wire, peer) = peer(role).attach(wire, |_| (Vec::new(), false));
            let mut ws = tls(role).over(adapter, config, wire);
            ws.send("begin").expect("the handshake is done");
            let end = if closes {
                let closed = ws.close(CloseCode::NORMAL, "");
                (why(closed.map(drop)), TimedOut::Close)
            } else {
                (why(ws.recv().map(drop)), TimedOut::Keepalive)
            };
            assert_eq!(end.0, Err(Why::TimedOut(end.1)), "{adapter:?}, {role:?}");
            assert!(peer.borrow().has_close_notify, "{adapter:?}, {role:?}");
        }
    }
}

#[test]
fn part_of_a_record_is_no_sign_of_life() {
    for role in ROLES {
        let keepalive = Keepalive {
            interval: SOON,
            timeout: SOON,
        };
        let (wire, peer) = peer(role).attach(slow(b""), |_| (Vec::new(), false));
        let config = Config::new().keepalive(keepalive);
        let mut ws = tls(role).over(Adapter::Blocking, config, wire.clone());
        ws.send("begin").expect("the handshake is done");
        let message = input(role, &frame(0x82, &[7; 16_000]));
        wire.deliver(&peer.borrow_mut().encrypt(&message));
        let end = why(ws.recv().map(drop));
        assert_eq!(end, Err(Why::TimedOut(TimedOut::Keepalive)), "{role:?}");
    }
}

/// Does its part of the handshake, and does not read from then on.
fn deaf(mut socket: TcpStream, mut peer: Peer) -> TcpStream {
    let mut buf = [0; 1000];
    socket.write_all(&peer.leave()).expect("it is open");
    while peer.tls.is_handshaking() {
        let n = socket.read(&mut buf).expect("the handshake");
        let _ = peer.take(&buf[..n]);
        socket.write_all(&peer.leave()).expect("it is open");
    }
    socket
}

#[test]
fn peer_that_does_not_read_times_out() {
    in_time("the test", || {
        for (adapter, role) in ADAPTERS.into_iter().flat_map(|a| ROLES.map(|r| (a, r))) {
            let (here, there) = TcpStream::pair();
            let peer = spawn("the peer", move || deaf(there, peer(role)));
            let mut ws = tls(role).over_socket(adapter, quick(), here);
            let sent = ws.send(&vec![7; MUCH][..]);
            assert_eq!(
                timed_out(&sent),
                Some(TimedOut::Write),
                "{adapter:?}, {role:?}"
            );
            drop(peer.join());
        }
    });
}

#[test]
fn socket_whose_peer_does_not_begin_times_out_in_both_roles() {
    in_time("the test", || {
        for (adapter, role) in ADAPTERS.into_iter().flat_map(|a| ROLES.map(|r| (a, r))) {
            let (here, _there) = TcpStream::pair();
            let mut ws = tls(role).over_socket(adapter, quick(), here);
            let sent = ws.send("Hello");
            assert_eq!(
                timed_out(&sent),
                Some(TimedOut::Write),
                "{adapter:?}, {role:?}"
            );
        }
    });
}

#[test]
fn transport_that_fails_once_does_not_move_a_deadline() {
    for role in ROLES {
        let mut first = true;
        let faults = move |moment: Moment| {
            let fails = moment.call == script::Call::Read && std::mem::take(&mut first);
            fails.then_some(Fault::Once(ErrorKind::Interrupted))
        };
        let wire = Wire::new([]).end(End::Silence).faults(faults);
        let mut ws = tls(role).over(Adapter::Blocking, quick(), wire);
        assert_eq!(why(ws.send("Hello")), Err(Why::TimedOut(TimedOut::Write)));
    }
}

#[test]
fn end_of_writing_waits_no_longer_than_a_write() {
    for role in ROLES {
        let wire = Wire::new([]).end(End::Silence);
        let (wire, _peer) = peer(role).attach(wire, |_| (Vec::new(), false));
        let mut stream = tls(role).blocking(wire.clone());
        stream.write_all(b"begin").expect("the handshake is done");
        stream.limit_write(Some(SOON)).expect("it can");
        // From now on the peer takes nothing.
        let full = |moment: Moment| {
            (moment.call == script::Call::Write).then_some(Fault::Once(ErrorKind::WouldBlock))
        };
        let wire = wire.faults(full);
        assert_eq!(stream.write(b"more").expect("it is kept"), 4);
        let before = wire.count(script::Call::Write);
        wire.state().limits.clear();
        stream.end_writing().expect("it was open");
        let state = wire.state();
        let limits = state.limits.iter().map(|(_, limit)| *limit);
        for limit in limits.chain([state.limit_write]) {
            let is_short = limit.is_some_and(|limit| limit <= SOON);
            assert!(is_short, "{role:?}: {limit:?}");
        }
        drop(state);
        assert_eq!(wire.count(script::Call::Write), before + 1, "{role:?}");
    }
}
