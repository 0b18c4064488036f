//! An echo server on hyper: messages come back at `/ws`, everything else is a page.
//!
//! ```text
//! cargo run --example hyper_upgrade --features http,tokio -- [--listen ADDR]
//! ```
//!
//! ADDR is 127.0.0.1:9001 if it is not given; with port 0 the system picks a free one, and the first
//! line that is printed tells which.
//!
//! HTTP is up to hyper, with its limits and time-outs. What a request for a WebSocket means, and what
//! is answered to a wrong one, is up to framewire.

use std::{convert::Infallible, env, error::Error, time::Duration};

use bytes::Bytes;
use framewire::{
    Event, RecvBuf, server,
    tokio::{Parts, WebSocket},
};
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let listener = TcpListener::bind(address(env::args().skip(1))?).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(async move {
                    if let Err(error) = serve(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: some will come free.
                eprintln!("not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One transport, up to its end or to the 101.
async fn serve(stream: TcpStream) -> hyper::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades()
        .await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/ws" {
        return Ok(Response::new("the echo is at /ws\n".into()));
    }
    let upgrade = match server::Request::from_http(&request, &server::Config::new()) {
        Ok(upgrade) => upgrade,
        Err(error) => return Ok(Response::from(error).map(Full::new)),
    };
    let (response, connection) = upgrade.upgrade_http();
    let transport = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Err(error) = open(transport, connection).await {
            eprintln!("{error}");
        }
    });
    Ok(response.map(|()| Full::default()))
}

/// Waits until hyper has written the 101, and goes on behind it.
async fn open(transport: OnUpgrade, connection: framewire::Connection) -> Outcome<()> {
    let stream = TokioIo::new(transport.await?);
    let parts = Parts::new(stream, connection, RecvBuf::new());
    Ok(echo(WebSocket::from_parts(parts)).await?)
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

/// Where to listen.
fn address(mut args: impl Iterator<Item = String>) -> Outcome<String> {
    let mut address = "127.0.0.1:9001".into();
    while let Some(name) = args.next() {
        match &*name {
            "--listen" => address = args.next().ok_or("--listen needs a value")?,
            _ => return Err("usage: hyper_upgrade [--listen ADDR]".into()),
        }
    }
    Ok(address)
}
