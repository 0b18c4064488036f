//! Whom TLS wakes: each half of a WebSocket that waits, whatever the other one does meanwhile.

#[path = "support/manual.rs"]
mod manual;
#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{slice, sync::Arc};

use framewire::{Config, Error, RecvBuf, Role, tls::rustls, tokio as adapter};
use futures::FutureExt as _;
use manual::{Task, run_woken};
use support::ROLES;
use tls::{Peer, VERSIONS, Version, client_config, good, server_config};
use tls_ends::{Runs, Tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::unconstrained,
};

/// A stream behind its handshake, and the other end of what is below.
async fn shaken(
    role: Role,
    version: Version,
) -> (adapter::TlsStream<DuplexStream>, DuplexStream, Peer) {
    let (tls, mut peer) = match role {
        Role::Client => (
            Tls::Client(Arc::new(client_config(version))),
            Peer::server(version),
        ),
        Role::Server => (
            Tls::Server(Arc::new(server_config(version, &good()))),
            Peer::client(version),
        ),
    };
    let (here, mut there) = duplex(1 << 14);
    let mut stream = tls.nonblocking(here);
    let begin = async {
        stream.write_all(b"begin").await.expect("it is open");
        stream.flush().await.expect("it is open");
    };
    let answer = async {
        there.write_all(&peer.leave()).await.expect("it is open");
        let mut buf = [0; 1 << 14];
        while peer.plaintext.is_empty() {
            let n = there.read(&mut buf).await.expect("it is open");
            let _ = peer.take(&buf[..n]);
            there.write_all(&peer.leave()).await.expect("it is open");
        }
    };
    tokio::join!(begin, answer);
    (stream, there, peer)
}

#[test]
fn sender_that_waits_for_room_is_woken_although_the_receiver_has_an_alert_to_send() {
    for (role, version) in ROLES.into_iter().flat_map(|r| VERSIONS.map(|v| (r, v))) {
        // No deadline passes: time stands still while this is polled.
        let test = async {
            let (stream, mut there, mut peer) = shaken(role, version).await;
            let connection = support::connection(role, Config::new());
            let parts = adapter::Parts::new(stream, connection, RecvBuf::new());
            let (mut receiver, sender) = adapter::WebSocket::from_parts(parts).split();
            let mut send = Task::new(async {
                let _ = sender.send(&[7; 1 << 20][..]).await;
            });
            let mut receive = Task::new(async {
                let end = receiver.recv().await;
                assert!(matches!(end, Err(Error::Io(_))), "{end:?}");
            });
            run_woken(slice::from_mut(&mut send));
            run_woken(slice::from_mut(&mut receive));
            assert!(!send.is_done() && !receive.is_done(), "there is no room");
            // A record that nobody has encrypted.
            let forged = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
            there.write_all(&forged).await.expect("room");
            run_woken(slice::from_mut(&mut receive));
            assert!(receive.is_done(), "{role:?}, {version:?}");
            // Then the peer reads.
            let mut buf = [0; 1 << 14];
            while let Some(n) = there.read(&mut buf).now_or_never() {
                let _ = peer.take(&buf[..n.expect("it is open")]);
                run_woken(slice::from_mut(&mut send));
            }
            assert!(send.is_done(), "{role:?}, {version:?}: it sleeps");
            let alert = rustls::AlertDescription::BadRecordMac;
            let alert = Some(rustls::Error::AlertReceived(alert));
            assert_eq!(peer.error, alert, "{role:?}, {version:?}");
        };
        Runs::Paused.run(unconstrained(test));
    }
}
