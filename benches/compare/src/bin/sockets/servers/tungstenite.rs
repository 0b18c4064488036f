//! tokio-tungstenite.

use std::future::ready;

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, TryStreamExt as _};
use tokio::{net::TcpStream, sync::broadcast::Receiver};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use super::{Broadcasts, Library, Setup};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

pub struct Tungstenite;

impl Library for Tungstenite {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let mut ws = open(stream, setup).await?;
        if setup.idiom == Idiom::Readme {
            // Its example `echo-server`, to which the README refers. `forward` flushes only when nothing
            // more is there.
            let (writer, reader) = ws.split();
            let is_data = |message: &Message| ready(message.is_text() || message.is_binary());
            return Ok(reader.try_filter(is_data).forward(writer).await?);
        }
        loop {
            // Its stream may be dropped while it waits, so that it can be asked whether more is there.
            // What has been fed leaves only when nothing is, or with 128 KiB.
            let next = match ws.next().now_or_never() {
                Some(next) => next,
                None => {
                    ws.flush().await?;
                    ws.next().await
                }
            };
            let Some(message) = next.transpose()? else {
                return Ok(());
            };
            if message.is_text() || message.is_binary() {
                ws.feed(message).await?;
            }
        }
    }
}

impl Broadcasts for Tungstenite {
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
                message = news.recv() => ws.send(Message::Binary(message?)).await?,
            }
        }
    }
}

async fn open(stream: TcpStream, setup: Setup) -> Outcome<WebSocketStream<TcpStream>> {
    let mut config = WebSocketConfig::default();
    match (setup.idiom, setup.purpose) {
        // What its documentation advises where there are many connections that say little.
        (Idiom::Best, Purpose::Idle | Purpose::Broadcast) => {
            config = config.read_buffer_size(4 * 1024);
        }
        // It fills its buffer of 128 KiB with zeros before each read, which costs more than the read
        // where little comes at once.
        (Idiom::Best, Purpose::Small) => config = config.read_buffer_size(16 * 1024),
        _ => {}
    }
    Ok(accept_async_with_config(stream, Some(config)).await?)
}
