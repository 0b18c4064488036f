//! tokio-websockets.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, sync::broadcast::Receiver};
use tokio_websockets::{Config, Message, ServerBuilder, WebSocketStream};

use super::{Broadcasts, Library, Setup};
use crate::{Outcome, contestants::Idiom};

pub struct TokioWebsockets;

/// How many messages are answered together. All that is in flight is.
const BATCH: usize = 64;

impl Library for TokioWebsockets {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let mut ws = open(stream, setup).await?;
        if setup.idiom == Idiom::Readme {
            while let Some(message) = ws.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    ws.send(message).await?;
                }
            }
            return Ok(());
        }
        // Its stream writes what is queued whenever it is asked for the next message: to gather answers,
        // one has to take all messages that are there first.
        let mut ws = ws.ready_chunks(BATCH);
        while let Some(messages) = ws.next().await {
            for message in messages {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    ws.feed(message).await?;
                }
            }
            ws.flush().await?;
        }
        Ok(())
    }
}

impl Broadcasts for TokioWebsockets {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    async fn deliver(stream: TcpStream, setup: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        let mut ws = open(stream, setup).await?;
        loop {
            tokio::select! {
                message = ws.next() => if message.transpose()?.is_none() {
                    return Ok(());
                },
                message = news.recv() => ws.send(Message::binary(message?)).await?,
            }
        }
    }
}

async fn open(stream: TcpStream, setup: Setup) -> Outcome<WebSocketStream<TcpStream>> {
    let mut builder = ServerBuilder::new();
    if setup.idiom == Idiom::Best {
        // A batch of larger messages is not to be written one by one, as beyond the 8 KiB that it begins
        // with.
        builder = builder.config(Config::default().flush_threshold(64 * 1024));
    }
    let (_, ws) = builder.accept(stream).await?;
    Ok(ws)
}
