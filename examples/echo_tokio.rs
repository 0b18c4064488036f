//! An echo server on tokio, one task per connection.
//!
//! ```text
//! cargo run --features tokio --example echo_tokio -- [--listen ADDR] [--protocol NAME] [--deflate]
//! ```
//!
//! Every message comes back as it was sent, on any path. A browser that opens the address gets a
//! page that talks to it. ADDR is 127.0.0.1:9001 if it is not given; with port 0 the system picks a
//! free one, and the first line that is printed tells which. With NAME, that subprotocol is chosen
//! where a client offers it. With `--deflate`, messages are compressed where a client offers that.
//!
//! `echo` is the same with threads, `echo_by_hand` without an adapter.

use std::{env, error::Error, sync::Arc, time::Duration};

use framewire::{
    Deflate, Event,
    server::{Config, OriginPolicy, Response},
    tokio::{Incoming, incoming},
};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let options = Arc::new(Options::from_args(env::args().skip(1))?);
    let listener = TcpListener::bind(&options.listen).await?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    println!("open http://{address}/ in a browser, or connect to ws://{address}/ with any client");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let options = Arc::clone(&options);
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &options).await {
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

/// One transport from its first byte to its last.
async fn serve(stream: TcpStream, options: &Options) -> Outcome<()> {
    let mut ws = match incoming(stream, &options.config()).await {
        Ok(Incoming::Upgrade(mut request)) => {
            if let Some(protocol) = &options.protocol {
                // Not offered: the connection goes without one.
                let _ = request.select_subprotocol(protocol);
            }
            request.upgrade().await?
        }
        Ok(Incoming::Plain(request)) => {
            let answer = page(request.path())?;
            return Ok(request.respond(answer).await?);
        }
        // Browsers open connections that they may never use.
        Err(framewire::Error::Aborted(aborted)) if aborted.received == 0 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            Event::Failed(error) => eprintln!("failed: {error}"),
            // Pings and Close frames are answered by the connection itself.
            _ => {}
        }
    }
    Ok(())
}

/// Something to see for whoever opens the address in a browser.
fn page(path: &str) -> Outcome<Response> {
    Ok(match path {
        "/" => Response::new(200)?
            .header("Content-Type", "text/html; charset=utf-8")?
            .body(include_str!("echo_by_hand.html")),
        _ => Response::new(404)?.body("not here; the page is at /, the echo is everywhere\n"),
    })
}

struct Options {
    listen: String,
    protocol: Option<String>,
    deflate: bool,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            listen: "127.0.0.1:9001".into(),
            protocol: None,
            deflate: false,
        };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match &*name {
                "--listen" => options.listen = value()?,
                "--protocol" => options.protocol = Some(value()?),
                "--deflate" => options.deflate = true,
                _ => {
                    return Err(
                        "usage: echo_tokio [--listen ADDR] [--protocol NAME] [--deflate]".into(),
                    );
                }
            }
        }
        Ok(options)
    }

    /// What is accepted, and the connections that come of it.
    fn config(&self) -> Config {
        let mut connection = framewire::Config::new();
        if self.deflate {
            connection = connection.deflate(Deflate::new());
        }
        // Every page may talk to an echo server: it knows nothing that is worth a secret.
        Config::new()
            .origin(OriginPolicy::Any)
            .connection(connection)
    }
}
