//! soketto.

use bytes::Bytes;
use soketto::{
    Receiver as Reader, Sender as Writer,
    handshake::{Server, server::Response},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufStream},
    net::TcpStream,
    sync::broadcast::Receiver,
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use super::{Broadcasts, Library, Setup, gather::or_flush};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

pub struct Soketto;

impl Library for Soketto {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        match (setup.idiom, setup.purpose) {
            // The server of its documentation reads and writes the socket itself.
            (Idiom::Readme, _) | (_, Purpose::Idle) => pass_on(stream, setup).await,
            // Its examples put buffers around it.
            (Idiom::Best, _) => pass_on(buffered(stream), setup).await,
        }
    }
}

async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(stream: S, setup: Setup) -> Outcome<()> {
    let (mut writer, mut reader) = open(stream).await?;
    let mut message = Vec::new();
    loop {
        message.clear();
        let data = match setup.idiom {
            Idiom::Readme => reader.receive_data(&mut message).await?,
            // The two halves are apart: before the one waits, the other is flushed.
            Idiom::Best => or_flush(reader.receive_data(&mut message), writer.flush()).await??,
        };
        if data.is_text() {
            writer.send_text(str::from_utf8(&message)?).await?;
        } else {
            writer.send_binary(&message).await?;
        }
        if setup.idiom == Idiom::Readme {
            writer.flush().await?;
        }
    }
}

impl Broadcasts for Soketto {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    /// In two tasks, because its way of reading may not be dropped.
    async fn deliver(stream: TcpStream, _: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        let (mut writer, mut reader) = open(buffered(stream)).await?;
        tokio::spawn(async move {
            let mut message = Vec::new();
            while reader.receive_data(&mut message).await.is_ok() {
                message.clear();
            }
        });
        loop {
            writer.send_binary(&news.recv().await?).await?;
            writer.flush().await?;
        }
    }
}

fn buffered(stream: TcpStream) -> BufStream<TcpStream> {
    BufStream::with_capacity(64 * 1024, 64 * 1024, stream)
}

type Halves<S> = (Writer<Compat<S>>, Reader<Compat<S>>);

async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Outcome<Halves<S>> {
    let mut server = Server::new(stream.compat());
    let key = server.receive_request().await?.key();
    server
        .send_response(&Response::Accept {
            key,
            protocol: None,
        })
        .await?;
    Ok(server.into_builder().finish())
}
