//! Every program with `--deflate`: messages are compressed where the other side can do so, and nothing else
//! changes.

use std::net::{SocketAddr, TcpStream};

use framewire::{
    Config, Deflate, Message,
    blocking::{self, WebSocket},
    server,
};

use crate::{
    ECHOES, assert_done, connect, connect_with,
    programs::{Program, accepted, peer},
};

fn config() -> Config {
    Config::new().deflate(Deflate::new())
}

/// Offers compression.
fn connect_compressed(address: SocketAddr) -> WebSocket<TcpStream> {
    connect_with(address, "/", config())
}

fn long() -> String {
    "tide is high, ".repeat(1000)
}

#[test]
fn servers_compress_for_those_who_offer_it() {
    for echo in ECHOES {
        for (args, offers, compresses) in [
            (&["--deflate"][..], true, true),
            (&["--deflate"], false, false),
            (&[], true, false),
        ] {
            let (server, address) = Program::serve(echo, args);
            let mut ws = if offers {
                connect_compressed(address)
            } else {
                connect(address, "/")
            };
            assert_eq!(ws.connection().can_compress(), compresses, "{echo}");
            for message in [Message::from(long()), Message::from("short")] {
                ws.send(&message).expect("a reader");
                assert_eq!(ws.recv().expect("a message"), Some(message));
            }
            let received = ws.connection().stats().bytes_received;
            assert_eq!(received < 1000, compresses, "{echo}: {received}");
            server.kill();
        }
    }
}

#[test]
fn client_offers_compression_if_it_is_told_to() {
    for deflate in [true, false] {
        let server = peer(|listener| {
            let config = server::Config::new().connection(config());
            let mut ws = blocking::accept(accepted(listener), &config).expect("a WebSocket");
            while let Some(message) = ws.recv().expect("a closing handshake") {
                ws.send(&message).expect("a reader");
            }
            ws.connection().stats().bytes_received
        });
        let uri = server.uri();
        let args = [&uri, "--deflate"];
        let mut client = Program::start("client", &args[..1 + usize::from(deflate)]);
        client.say(long() + "\n");
        client.end_stdin();
        assert_done(&client.finish(), &(long() + "\n"));
        let received = server.join();
        assert_eq!(received < 1000, deflate, "{received}");
    }
}

#[test]
fn broadcast_compresses_once_for_those_who_offer_it() {
    let (mut server, address) = Program::serve("broadcast", &["--deflate"]);
    let mut compressed = connect_compressed(address);
    let mut plain = connect(address, "/");
    server.say(long() + "\nshort\n");
    for subscriber in [&mut compressed, &mut plain] {
        assert_eq!(subscriber.recv().expect("a line"), Some(long().into()));
        assert_eq!(subscriber.recv().expect("a line"), Some("short".into()));
    }
    assert!(compressed.connection().stats().bytes_received < 1000);
    assert!(plain.connection().stats().bytes_received > 10_000);
    server.end_stdin();
    assert_eq!(compressed.recv().expect("a closing handshake"), None);
    assert_eq!(plain.recv().expect("a closing handshake"), None);
    assert_done(&server.finish(), "");
}
