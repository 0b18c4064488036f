//! sockudo-ws.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::{Config, Http1, Message, WebSocketStream, server::WebSocketServer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::broadcast::Receiver,
};

use super::{Broadcasts, Library, Setup};
use crate::{Outcome, contestants::Idiom};

pub struct Sockudo;

impl Library for Sockudo {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        if setup.idiom == Idiom::Readme {
            let server = WebSocketServer::<Http1>::new(Config::default());
            let (ws, _) = server.accept(stream).await?;
            return pass_on(ws, setup).await;
        }
        pass_on(open(stream).await?, setup).await
    }
}

async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocketStream<S>,
    setup: Setup,
) -> Outcome<()> {
    while let Some(message) = ws.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => match setup.idiom {
                Idiom::Readme => ws.send(message).await?,
                // What has been fed leaves when its stream has nothing more, or with 64 KiB.
                Idiom::Best => ws.feed(message).await?,
            },
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

impl Broadcasts for Sockudo {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    async fn deliver(stream: TcpStream, _: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        let mut ws = open(stream).await?;
        loop {
            tokio::select! {
                message = ws.next() => if message.transpose()?.is_none() {
                    return Ok(());
                },
                message = news.recv() => ws.send(Message::Binary(message?)).await?,
            }
        }
    }
}

/// Without the box around the stream that `accept` makes, and without the signs of life that it asks for
/// by default, which take a look at the clock for each message.
async fn open(stream: TcpStream) -> Outcome<WebSocketStream<TcpStream>> {
    let config = Config::builder().auto_ping(false).idle_timeout(0).build();
    let (ws, _) = WebSocketServer::<Http1>::new(config)
        .accept_raw(stream)
        .await?;
    Ok(ws)
}
