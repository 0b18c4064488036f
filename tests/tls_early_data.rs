//! Early data (RFC 8446 section 2.3), which an attacker could replay: no server accepts it, whatever its configuration
//! says.

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{io::Write as _, sync::Arc};

use framewire::{
    Config,
    tls::rustls::{ClientConfig, Connection, HandshakeKind, ServerConfig},
};
use script::{End, Wire};
use tls::{Peer, VERSIONS, client_config, contains, good, server_config};
use tls_ends::{ADAPTERS, Adapter, Tls};

/// Configurations that allow early data.
fn eager() -> (ClientConfig, ServerConfig) {
    let mut client = client_config(VERSIONS[1]);
    client.enable_early_data = true;
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut server = server_config(VERSIONS[1], &good());
    server.max_early_data_size = 1 << 14;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    (client, server)
}

/// A client that says something early, if it may.
fn early(config: &ClientConfig) -> (Peer, bool) {
    let mut peer = Peer::client_of(config.clone());
    let Connection::Client(tls) = &mut peer.tls else {
        panic!("a client");
    };
    let early = tls.early_data();
    let may = early.is_some();
    if let Some(mut early) = early {
        early.write_all(b"early").expect("it is allowed");
    }
    (peer, may)
}

#[track_caller]
fn assert_refused(adapter: Adapter, server: &ServerConfig, peer: Peer, kind: HandshakeKind) {
    let wire = Wire::new([]).end(End::Silence);
    let (wire, peer) = peer.attach(wire, |_| (Vec::new(), false));
    let tls = Tls::Server(Arc::new(server.clone()));
    let mut ws = tls.over(adapter, Config::new(), wire);
    ws.send("Hello").expect("the handshake is done");
    let peer = peer.borrow();
    assert_eq!(peer.error, None, "{adapter:?}");
    let Connection::Client(tls) = &peer.tls else {
        panic!("a client");
    };
    assert!(!tls.is_early_data_accepted(), "{adapter:?}, {kind:?}");
    assert_eq!(tls.handshake_kind(), Some(kind), "{adapter:?}");
    assert!(contains(&peer.plaintext, b"Hello"), "{adapter:?}, {kind:?}");
}

#[test]
fn server_invites_no_early_data_although_its_configuration_allows_it() {
    for adapter in ADAPTERS {
        let (client, server) = eager();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (peer, may) = early(&client);
            assert!(!may, "{adapter:?}, {kind:?}");
            assert_refused(adapter, &server, peer, kind);
        }
    }
}

#[test]
fn server_refuses_early_data_that_another_with_the_same_sessions_has_invited() {
    for adapter in ADAPTERS {
        let (client, server) = eager();
        let (mut one, mut other) = (
            Peer::client_of(client.clone()),
            Peer::server_of(server.clone()),
        );
        for _ in 0..3 {
            let _ = other.take(&one.leave());
            let _ = one.take(&other.leave());
        }
        let (peer, may) = early(&client);
        assert!(may, "the other one has invited it");
        assert_refused(adapter, &server, peer, HandshakeKind::Resumed);
    }
}
