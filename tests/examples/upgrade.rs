//! `hyper_upgrade` and `axum_upgrade`: one table for both, with clients of ours and one on hyper.

use std::{io::Write as _, net::SocketAddr};

use bytes::Bytes;
use framewire::{
    CloseCode, Message, RecvBuf,
    client::{Config, HttpHandshake, Request},
    tokio::{Parts, WebSocket, connect_with},
};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Builder,
};

use crate::programs::{Program, connected, rest};

/// Checks a server of each kind.
fn for_both<F: Future<Output = ()>>(check: impl Fn(&'static str, SocketAddr) -> F) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for name in ["hyper_upgrade", "axum_upgrade"] {
        let (server, address) = Program::serve(name, &["--listen", "127.0.0.1:0"]);
        runtime.block_on(check(name, address));
        server.kill();
    }
}

/// Talks until the closing handshake is done.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) {
    for message in [
        Message::from("κόσμε"),
        Message::from(&b"\xff\x00"[..]),
        Message::from(vec![7; 300_000]),
    ] {
        ws.send(&message).await.expect("a reader");
        assert_eq!(ws.recv().await.expect("an echo"), Some(message));
    }
    for n in 0..1000 {
        ws.feed(&n.to_string()).await.expect("a reader");
    }
    for n in 0..1000 {
        let expected = Message::from(n.to_string());
        assert_eq!(ws.recv().await.expect("an echo"), Some(expected));
    }
    let closed = ws.close(CloseCode::new(3000), "done").await;
    let closed = closed.expect("a closing handshake");
    assert!(
        closed.clean && closed.code == CloseCode::new(3000),
        "{closed:?}"
    );
}

#[test]
fn both_upgrade_a_request_and_send_back_every_message() {
    for_both(|name, address| async move {
        let request = Request::new(&format!("ws://{address}/ws")).expect("a URI");
        let request = request.subprotocol("echo").expect("a token");
        let (ws, response) = connect_with(&request, &Config::new()).await.expect("a 101");
        assert_eq!(response.status(), 101);
        let chosen = (name == "axum_upgrade").then_some("echo");
        assert_eq!(ws.connection().subprotocol(), chosen);
        talk(ws).await;
    });
}

#[test]
fn client_on_hyper_opens_a_websocket_with_both() {
    for_both(|_, address| async move {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("a connection");
        tokio::spawn(connection.with_upgrades());
        let request = Request::new(&format!("ws://{address}/ws")).expect("a URI");
        let handshake = HttpHandshake::new(&request, &Config::new()).expect("a request");
        let request = handshake.request().map(|()| Empty::<Bytes>::new());
        let response = sender.send_request(request).await.expect("an answer");
        let connection = handshake.receive(&response).expect("a 101");
        let upgraded = hyper::upgrade::on(response).await.expect("a transport");
        let parts = Parts::new(TokioIo::new(upgraded), connection, RecvBuf::new());
        talk(WebSocket::from_parts(parts)).await;
    });
}

#[test]
fn both_answer_what_is_no_request_for_a_websocket() {
    for_both(|name, address| async move {
        for (path, headers, status) in [
            ("/", "", 200),
            ("/ws", "", 426),
            ("/ws", "Upgrade: websocket\r\n", 400),
            (
                "/ws",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n",
                426,
            ),
            (
                "/ws",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
                400,
            ),
            (
                "/ws",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://elsewhere.example\r\n",
                403,
            ),
        ] {
            let answer = ask(address, path, headers);
            let expected = format!("HTTP/1.1 {status} ");
            assert!(
                answer.starts_with(&expected),
                "{name} {path} {headers}: {answer}"
            );
            let names_version = answer
                .to_lowercase()
                .contains("sec-websocket-version: 13\r\n");
            assert_eq!(names_version, status == 426, "{answer}");
        }
    });
}

/// Everything that is answered to a GET, up to the end of the transport.
fn ask(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = connected(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a reader");
    String::from_utf8(rest(&stream)).expect("text")
}
