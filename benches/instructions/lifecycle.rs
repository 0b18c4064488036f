//! What happens once in the life of a connection: opening handshake, making, closing handshake, dropping.

use std::hint::black_box;

use bytes::Buf as _;
use framewire::{
    CloseCode, Config, Connection, Event, RecvBuf, Role, client,
    frame::Opcode,
    server::{self, Opening},
};

use crate::{
    Scenario, deliver, drain,
    wire::{push_frame, role_name},
};

const CONNECTIONS: usize = 64;
const SEED: [u8; 32] = [7; 32];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("server opens", CONNECTIONS, server_opens),
        Scenario::new("client opens", CONNECTIONS, client_opens),
        made(Role::Server),
        made(Role::Client),
        Scenario::new("server answers a Close", CONNECTIONS, || {
            closes(Role::Server)
        }),
        Scenario::new("client answers a Close", CONNECTIONS, || {
            closes(Role::Client)
        }),
        Scenario::new("server closes", CONNECTIONS, || is_closed(Role::Server)),
        Scenario::new("client closes", CONNECTIONS, || is_closed(Role::Client)),
    ]
}

fn server_opens() -> impl FnMut(usize) {
    let mut asking = handshake();
    let request = asking.send_buf().chunk().to_vec();
    let config = server::Config::new();
    let mut rx = RecvBuf::new();
    move |connections| {
        for _ in 0..connections {
            read(&mut rx, &request);
            let mut handshake = server::Handshake::new(&config);
            let Some(Opening::Upgrade(request)) = handshake.receive(&mut rx) else {
                panic!("this is a request");
            };
            let mut conn = request.upgrade();
            assert!(drain(&mut conn) > 100);
        }
    }
}

/// With a given seed, for the answer belongs to the nonce.
fn handshake() -> client::Handshake {
    let request = client::Request::new("ws://example.com/chat").expect("a valid URI");
    client::Handshake::with_seed(&request, &client::Config::new(), SEED)
}

fn client_opens() -> impl FnMut(usize) {
    let (mut asking, mut rx) = (handshake(), RecvBuf::new());
    rx.extend_from_slice(asking.send_buf().chunk());
    let opening = server::Handshake::new(&server::Config::new()).receive(&mut rx);
    let Some(Opening::Upgrade(request)) = opening else {
        panic!("{opening:?}");
    };
    let answer = request.upgrade().send_buf().chunk().to_vec();
    rx.clear();
    move |connections| {
        for _ in 0..connections {
            let mut handshake = handshake();
            let len = handshake.send_buf().remaining();
            black_box(handshake.send_buf().chunk());
            handshake.send_buf().advance(len);
            read(&mut rx, &answer);
            let outcome = handshake.receive(&mut rx);
            let Some(client::Outcome::Connected(conn, _)) = outcome else {
                panic!("{outcome:?}");
            };
            drop(black_box(conn));
        }
    }
}

fn made(role: Role) -> Scenario {
    let name = format!("{} is made and dropped", role_name(role));
    Scenario::new(name, CONNECTIONS, move || {
        move |connections| {
            for _ in 0..connections {
                drop(black_box(connection(role)));
            }
        }
    })
}

fn connection(role: Role) -> Connection {
    match role {
        Role::Server => Connection::server(Config::new()),
        Role::Client => Connection::client(Config::new()),
    }
}

/// The peer closes.
fn closes(role: Role) -> impl FnMut(usize) {
    let (wire, mut rx) = (close_frame(role), RecvBuf::new());
    move |connections| {
        for _ in 0..connections {
            let mut conn = connection(role);
            read(&mut rx, &wire);
            assert!(matches!(conn.receive(&mut rx), Some(Event::Close(_))));
            assert!(drain(&mut conn) > 2);
            end(conn);
        }
    }
}

/// This end closes.
fn is_closed(role: Role) -> impl FnMut(usize) {
    let (wire, mut rx) = (close_frame(role), RecvBuf::new());
    move |connections| {
        for _ in 0..connections {
            let mut conn = connection(role);
            conn.close(CloseCode::NORMAL, "").expect("open");
            assert!(drain(&mut conn) > 2);
            read(&mut rx, &wire);
            assert!(matches!(conn.receive(&mut rx), Some(Event::Close(_))));
            end(conn);
        }
    }
}

/// The transport ends.
fn end(mut conn: Connection) {
    conn.receive_eof().expect("it has been closed");
    assert!(conn.closed().expect("it has ended").clean);
}

fn close_frame(role: Role) -> Vec<u8> {
    let mut wire = Vec::new();
    let code = CloseCode::NORMAL.get().to_be_bytes();
    push_frame(&mut wire, role, true, Opcode::Close, &code);
    wire
}

fn read(rx: &mut RecvBuf, bytes: &[u8]) {
    deliver(&mut rx.unfilled()[..bytes.len()], bytes);
    rx.filled(bytes.len());
}
