//! An echo server on axum: messages come back at `/ws`, and there is a page at `/`.
//!
//! ```text
//! cargo run --example axum_upgrade --features http,tokio -- [--listen ADDR]
//! ```
//!
//! ADDR is 127.0.0.1:9001 if it is not given; with port 0 the system picks a free one, and the first
//! line that is printed tells which.
//!
//! The extractor [`WebSocketUpgrade`] is all that axum needs: take it into your application, and
//! change what does not fit.

use std::{env, error::Error, future::Future};

use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
    routing,
};
use framewire::{
    Event, RecvBuf, server,
    tokio::{Parts, WebSocket},
};
use http::{StatusCode, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let listener = TcpListener::bind(address(env::args().skip(1))?).await?;
    println!("listening on {}", listener.local_addr()?);
    let router = Router::new()
        .route("/", routing::get(async || "the echo is at /ws\n"))
        .route("/ws", routing::any(serve));
    Ok(axum::serve(listener, router).await?)
}

async fn serve(upgrade: WebSocketUpgrade) -> Response {
    upgrade.subprotocols(&["echo"]).on_upgrade(async |ws| {
        if let Err(error) = echo(ws).await {
            eprintln!("{error}");
        }
    })
}

async fn echo(mut ws: WebSocket<TokioIo<Upgraded>>) -> Result<(), framewire::Error> {
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            // Pings and Close frames are answered by the connection itself.
            _ => {}
        }
    }
    Ok(())
}

/// A valid request for a WebSocket, as the argument of a handler. Any other request is refused.
struct WebSocketUpgrade {
    request: server::Request,
    transport: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Response> {
        let request = server::Request::from_http(parts, &server::Config::new())
            .map_err(|error| http::Response::from(error).map(Body::from))?;
        // There is none if something below axum serves without upgrades.
        let transport = parts
            .extensions
            .remove()
            .ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        Ok(Self { request, transport })
    }
}

impl WebSocketUpgrade {
    /// Chooses the first of the client's subprotocols that is among these.
    fn subprotocols(mut self, supported: &[&str]) -> Self {
        self.request.choose_subprotocol(supported);
        self
    }

    /// Accepts the request, and runs `talk` when the 101 has been written.
    fn on_upgrade<F>(
        self,
        talk: impl FnOnce(WebSocket<TokioIo<Upgraded>>) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (response, connection) = self.request.upgrade_http();
        let transport = self.transport;
        tokio::spawn(async move {
            match transport.await {
                Ok(upgraded) => {
                    let stream = TokioIo::new(upgraded);
                    let parts = Parts::new(stream, connection, RecvBuf::new());
                    talk(WebSocket::from_parts(parts)).await;
                }
                Err(error) => eprintln!("not upgraded: {error}"),
            }
        });
        response.map(|()| Body::empty())
    }
}

/// Where to listen.
fn address(mut args: impl Iterator<Item = String>) -> Outcome<String> {
    let mut address = "127.0.0.1:9001".into();
    while let Some(name) = args.next() {
        match &*name {
            "--listen" => address = args.next().ok_or("--listen needs a value")?,
            _ => return Err("usage: axum_upgrade [--listen ADDR]".into()),
        }
    }
    Ok(address)
}
