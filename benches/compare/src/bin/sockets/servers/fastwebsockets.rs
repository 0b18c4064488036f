//! fastwebsockets.

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket,
    WebSocketError,
    upgrade::{UpgradeFut, upgrade},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::broadcast::Receiver,
};

use super::{Broadcasts, Library, Setup, gather::Gather, http};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

pub struct Fastwebsockets;

impl Library for Fastwebsockets {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let upgrade = |request: &mut _| Ok(upgrade(request)?);
        http::serve(stream, setup, upgrade, async move |upgraded: UpgradeFut| {
            let ws = upgraded.await?;
            match (setup.idiom, setup.purpose) {
                (Idiom::Readme, _) => pass_on(ws).await,
                // Nothing more around the socket than it has to be.
                (Idiom::Best, Purpose::Idle) => {
                    pass_on(WebSocket::after_handshake(socket(ws)?, Role::Server)).await
                }
                // It writes each frame at once, and its way of reading may not be dropped to see
                // whether more is there: gathering is left to the transport.
                (Idiom::Best, _) => {
                    let stream = Gather::new(socket(ws)?);
                    pass_on(WebSocket::after_handshake(stream, Role::Server)).await
                }
            }
        })
        .await
    }
}

/// The loop of its README.
async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(ws: WebSocket<S>) -> Outcome<()> {
    let mut ws = FragmentCollector::new(ws);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// The socket itself: what hyper hands over is behind a pointer and a buffer.
fn socket(ws: WebSocket<TokioIo<Upgraded>>) -> Outcome<TcpStream> {
    let upgraded = ws.into_inner().into_inner();
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| "it is another transport")?;
    if parts.read_buf.is_empty() {
        Ok(parts.io.into_inner())
    } else {
        Err("it came too early".into())
    }
}

impl Broadcasts for Fastwebsockets {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    /// In two tasks, because its way of reading may not be dropped.
    async fn deliver(stream: TcpStream, setup: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        let upgrade = |request: &mut _| Ok(upgrade(request)?);
        http::serve(stream, setup, upgrade, async move |upgraded: UpgradeFut| {
            let ws = WebSocket::after_handshake(socket(upgraded.await?)?, Role::Server);
            let (reader, mut writer) = ws.split(TcpStream::into_split);
            let mut reader = FragmentCollectorRead::new(reader);
            tokio::spawn(async move {
                // Nobody says anything that had to be answered.
                let mut refuse = async |_| Err::<(), _>(WebSocketError::ConnectionClosed);
                while reader.read_frame(&mut refuse).await.is_ok() {}
            });
            loop {
                let payload = news.recv().await?;
                writer
                    .write_frame(Frame::binary(Payload::Borrowed(&payload)))
                    .await?;
            }
        })
        .await
    }
}
