//! One file for each contestant. tokio-tungstenite is none: in memory it is tungstenite and a waker.

mod fastwebsockets;
mod floor;
mod framewire;
mod sockudo_ws;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod yawc;
pub(crate) mod zlib_rs;

use crate::contestant::Contestant;

pub(crate) fn all() -> Vec<Box<dyn Contestant>> {
    vec![
        Box::new(framewire::Framewire),
        Box::new(floor::Yardstick),
        Box::new(tungstenite::Tungstenite),
        Box::new(fastwebsockets::Fastwebsockets),
        Box::new(tokio_websockets::TokioWebsockets),
        Box::new(yawc::Yawc),
        Box::new(sockudo_ws::SockudoWs),
        Box::new(soketto::Soketto),
        Box::new(web_socket::WebSocketCrate),
        Box::new(zlib_rs::ZlibRs),
    ]
}
