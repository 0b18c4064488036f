//! A server and a client that have agreed on compression.

use bytes::Buf as _;
use framewire::{
    Config, Connection, Deflate, RecvBuf, client,
    server::{self, Opening},
};

pub(crate) fn pair(deflate: Deflate) -> (Connection, Connection) {
    let config = Config::new().deflate(deflate);
    let request = client::Request::new("ws://h/").expect("a valid URI");
    let client_config = client::Config::new().connection(config);
    let mut handshake = client::Handshake::with_seed(&request, &client_config, [7; 32]);
    let (mut up, mut down) = (RecvBuf::new(), RecvBuf::new());
    up.extend_from_slice(handshake.send_buf().chunk());
    let server_config = server::Config::new().connection(config);
    let opening = server::Handshake::new(&server_config).receive(&mut up);
    let Some(Opening::Upgrade(upgrade)) = opening else {
        panic!("{opening:?}");
    };
    let mut server = upgrade.upgrade();
    down.extend_from_slice(&written(&mut server));
    match handshake.receive(&mut down) {
        Some(client::Outcome::Connected(client, _)) => (server, client),
        other => panic!("{other:?}"),
    }
}

/// All that a connection has queued.
pub(crate) fn written(conn: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while conn.send_buf().has_remaining() {
        let chunk = conn.send_buf().chunk().len();
        bytes.extend_from_slice(conn.send_buf().chunk());
        conn.send_buf().advance(chunk);
    }
    bytes
}
