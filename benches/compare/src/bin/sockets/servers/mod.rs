//! The servers: each echoes what its clients say, and sends news to those who only listen.

mod fastwebsockets;
mod floor;
mod framewire;
mod gather;
mod handshake;
mod http;
mod raw;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod unsent;
mod web_socket;
mod yawc;

use tokio::{net::TcpStream, sync::broadcast::Receiver};

pub use self::{
    fastwebsockets::Fastwebsockets,
    floor::Floor,
    framewire::{Framewire, FramewireOwned},
    raw::Raw,
    sockudo::Sockudo,
    soketto::Soketto,
    tokio_websockets::TokioWebsockets,
    tungstenite::Tungstenite,
    web_socket::WebSocket,
    yawc::Yawc,
};
use crate::{Outcome, contestants::Idiom, serve::Purpose};

/// How a library is to be used, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub idiom: Idiom,
    pub purpose: Purpose,
}

pub trait Library: 'static {
    /// Whether it switches off Nagle's algorithm by itself: it is off for everybody.
    const SETS_NODELAY: bool = false;

    /// Opens a connection, and sends back every message, until the end.
    fn echo(stream: TcpStream, setup: Setup) -> impl Future<Output = Outcome<()>> + Send;
}

pub trait Broadcasts: Library {
    /// What goes through the channel: a message in the form that is cheapest to clone and send.
    type News: Clone + Send + 'static;

    fn news(payload: &[u8]) -> Self::News;

    /// Opens a connection, and sends the news on it, until the end.
    fn deliver(
        stream: TcpStream,
        setup: Setup,
        news: Receiver<Self::News>,
    ) -> impl Future<Output = Outcome<()>> + Send;
}
