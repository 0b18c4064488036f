//! yawc.

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, sync::broadcast::Receiver};
use yawc::{Frame, OpCode, Options, UpgradeFut, WebSocket};

use super::{Broadcasts, Library, Setup, http};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

pub struct Yawc;

impl Library for Yawc {
    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let upgrade =
            |request: &mut _| Ok(WebSocket::upgrade_with_options(request, options(setup))?);
        http::serve(stream, setup, upgrade, async move |upgraded: UpgradeFut| {
            let mut ws = upgraded.await?;
            loop {
                let frame = match setup.idiom {
                    Idiom::Readme => ws.next_frame().await?,
                    // "Batches immediately ready messages, then flushes", as its README tells how it is
                    // measured.
                    Idiom::Best => match ws.next_frame().now_or_never() {
                        Some(frame) => frame?,
                        None => {
                            ws.flush().await?;
                            ws.next_frame().await?
                        }
                    },
                };
                match (frame.opcode(), setup.idiom) {
                    (OpCode::Close, _) => return Ok(()),
                    (OpCode::Text | OpCode::Binary, Idiom::Readme) => ws.send(frame).await?,
                    (OpCode::Text | OpCode::Binary, Idiom::Best) => ws.feed(frame).await?,
                    _ => {}
                }
            }
        })
        .await
    }
}

impl Broadcasts for Yawc {
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    async fn deliver(stream: TcpStream, setup: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        let upgrade =
            |request: &mut _| Ok(WebSocket::upgrade_with_options(request, options(setup))?);
        http::serve(stream, setup, upgrade, async move |upgraded: UpgradeFut| {
            let mut ws = upgraded.await?;
            loop {
                tokio::select! {
                    frame = ws.next() => if frame.is_none() {
                        return Ok(());
                    },
                    message = news.recv() => ws.send(Frame::binary(message?)).await?,
                }
            }
        })
        .await
    }
}

fn options(setup: Setup) -> Options {
    // By default a message has to be smaller than 1 MiB, which one of those that are sent is not.
    let options = Options::default().with_limits(16 << 20, 32 << 20);
    match (setup.idiom, setup.purpose) {
        (Idiom::Readme, _) => options,
        // What its documentation gives for many idle connections, ...
        (Idiom::Best, Purpose::Idle) => options
            .with_read_buffer_capacity(1024)
            .with_write_buffer_capacity(1024),
        // ... and its README for throughput.
        (Idiom::Best, _) => options
            .with_read_buffer_capacity(128 * 1024)
            .with_backpressure_boundary(64 * 1024),
    }
}
