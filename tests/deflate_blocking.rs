//! Compression over the blocking adapter: one setting on each side, and nothing else changes.
#![cfg(feature = "deflate")]
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets and threads are what is tested"
)]

use std::{net::TcpListener, thread};

use framewire::{
    CloseCode, Config, Deflate, Error, Event, Message,
    blocking::{MaybeTlsStream, WebSocket, accept, connect_with},
    client::{self, Request},
    server,
};

fn config() -> Config {
    Config::new().deflate(Deflate::new())
}

/// An echo for one connection, and a client of it that offers compression or not.
fn echo(accepts: Config, offers: Config) -> (WebSocket<MaybeTlsStream>, thread::JoinHandle<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("ws://{}/", listener.local_addr().expect("it is bound"));
    let server = thread::spawn(move || {
        let stream = listener.accept().expect("a client").0;
        let config = server::Config::new().connection(accepts);
        let mut ws = accept(stream, &config).expect("a WebSocket");
        while let Some((event, conn)) = ws.recv_ref().expect("no error") {
            match event {
                Event::Text(text) => conn.send_text(text).expect("room"),
                Event::Binary(data) => conn.send_binary(data).expect("room"),
                _ => {}
            }
        }
        ws.connection().stats().bytes_received
    });
    let request = Request::new(&uri).expect("a valid URI");
    let config = client::Config::new().connection(offers);
    let (ws, _) = connect_with(&request, &config).expect("a WebSocket");
    (ws, server)
}

#[test]
fn messages_are_compressed_if_both_ends_say_so() -> Result<(), Error> {
    for (accepts, offers, compresses) in [
        (config(), config(), true),
        (Config::new(), config(), false),
        (config(), Config::new(), false),
    ] {
        let (mut ws, server) = echo(accepts, offers);
        assert_eq!(ws.connection().can_compress(), compresses);
        let text = "tide is high, ".repeat(10_000);
        for message in [Message::from(&text[..]), text.as_bytes().into(), "".into()] {
            ws.send(&message)?;
            assert_eq!(ws.recv()?, Some(message));
        }
        // In halves, and in the other direction of calls.
        let (mut receiver, sender) = ws.split()?;
        sender.send(&text)?;
        assert_eq!(receiver.recv()?, Some(Message::from(&text[..])));
        sender.close(CloseCode::NORMAL, "")?;
        assert_eq!(receiver.recv()?, None);
        let received = server.join().expect("no panic");
        assert_eq!(received < 10_000, compresses, "{received}");
    }
    Ok(())
}
