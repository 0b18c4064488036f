//! web-socket, behind the handshake of the floor: it has none.

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    sync::broadcast::Receiver,
};
use web_socket::{CloseCode, Event};

use super::{Broadcasts, Library, Setup, gather::Gather, handshake};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

pub struct WebSocket;

impl Library for WebSocket {
    async fn echo(mut stream: TcpStream, setup: Setup) -> Outcome<()> {
        handshake::accept(&mut stream).await?;
        match (setup.idiom, setup.purpose) {
            // It reads header and payload one after the other; its examples put a buffer before it.
            (Idiom::Readme, _) | (_, Purpose::Idle) => pass_on(BufReader::new(stream)).await,
            // It writes each message at once, and its way of reading may not be dropped to see whether
            // more is there: gathering is left to the transport.
            (Idiom::Best, _) => {
                pass_on(BufReader::with_capacity(64 * 1024, Gather::new(stream))).await
            }
        }
    }
}

/// The match of its README.
async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Outcome<()> {
    let mut ws = web_socket::WebSocket::server(stream);
    loop {
        match ws.recv_event().await? {
            Event::Data { data, .. } => ws.send(&*data).await?,
            Event::Ping(data) => ws.send_pong(data).await?,
            Event::Pong(_) => {}
            Event::Error(_) => return Ok(ws.close(CloseCode::ProtocolError).await?),
            Event::Close { .. } => return Ok(ws.close(()).await?),
        }
    }
}

impl Broadcasts for WebSocket {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    /// In two tasks, because its way of reading may not be dropped.
    async fn deliver(mut stream: TcpStream, _: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        handshake::accept(&mut stream).await?;
        let (reader, writer) = stream.into_split();
        let mut reader = web_socket::WebSocket::server(reader);
        let mut writer = web_socket::WebSocket::server(writer);
        tokio::spawn(async move { while reader.recv().await.is_ok() {} });
        loop {
            writer.send(&*news.recv().await?).await?;
        }
    }
}
