//! framewire, in the idioms of its README and of the documentation of its module `tokio`.

use std::{sync::LazyLock, time::Duration};

use framewire::{Event, Keepalive, PreparedMessage, server::Config, tokio::accept};
use tokio::{net::TcpStream, sync::broadcast::Receiver};

use super::{Broadcasts, Library, Setup};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

/// The echo server of the README.
pub struct Framewire;

static PLAIN: Config = Config::new();

/// Signs of life are asked for, but not while it is measured.
static KEEPALIVE: LazyLock<Config> = LazyLock::new(|| {
    let long = Duration::from_secs(3600);
    let keepalive = Keepalive {
        interval: long,
        timeout: long,
    };
    Config::new().connection(framewire::Config::new().keepalive(keepalive))
});

impl Library for Framewire {
    const SETS_NODELAY: bool = true;

    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let config = match setup.purpose {
            Purpose::Keepalive => &KEEPALIVE,
            _ => &PLAIN,
        };
        let mut ws = accept(stream, config).await?;
        while let Some((event, conn)) = ws.recv_ref().await? {
            match event {
                Event::Text(text) => conn.send_text(text)?,
                Event::Binary(data) => conn.send_binary(data)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Broadcasts for Framewire {
    /// It is encoded once, header and all.
    type News = PreparedMessage;

    fn news(payload: &[u8]) -> PreparedMessage {
        PreparedMessage::binary(payload)
    }

    /// The task of "Broadcast" in the documentation, but for what it does at the end.
    async fn deliver(
        stream: TcpStream,
        _: Setup,
        mut news: Receiver<PreparedMessage>,
    ) -> Outcome<()> {
        let mut ws = accept(stream, &PLAIN).await?;
        loop {
            tokio::select! {
                message = ws.recv() => if message?.is_none() {
                    return Ok(());
                },
                message = news.recv() => ws.feed(&message?).await?,
            }
        }
    }
}

/// The same with messages that are handed over.
pub struct FramewireOwned;

impl Library for FramewireOwned {
    const SETS_NODELAY: bool = true;

    async fn echo(stream: TcpStream, setup: Setup) -> Outcome<()> {
        let mut ws = accept(stream, &PLAIN).await?;
        while let Some(message) = ws.recv().await? {
            match setup.idiom {
                // `send` writes at once, ...
                Idiom::Readme => ws.send(message).await?,
                // ... `feed` leaves it to `recv`, which writes before it waits.
                Idiom::Best => ws.feed(message).await?,
            }
        }
        Ok(())
    }
}
