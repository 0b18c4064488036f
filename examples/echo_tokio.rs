//! An echo server on tokio, one task per connection.
//!
//! ```text
//! cargo run --features tokio,rustls --example echo_tokio -- [--listen ADDR] [--protocol NAME] [--deflate]
//!     [--tls-listen ADDR --cert FILE --key FILE]
//! ```
//!
//! Every message comes back as it was sent, on any path. A browser that opens the address gets a
//! page that talks to it. ADDR is 127.0.0.1:9001 if it is not given; with port 0 the system picks a
//! free one, and the first line that is printed tells which. With NAME, that subprotocol is chosen
//! where a client offers it. With `--deflate`, messages are compressed where a client offers that.
//!
//! With the feature `rustls` it listens with TLS as well where that is asked for, with the certificates and the
//! private key in two files (PEM); a line tells which address that is.
//!
//! `echo` is the same with threads, `echo_by_hand` without an adapter.

use std::{convert::Infallible, env, error::Error, sync::Arc, time::Duration};

use framewire::{
    Deflate, Event,
    server::{Config, OriginPolicy, Response},
    tokio::{Incoming, incoming},
};
#[cfg(feature = "rustls")]
use framewire::{
    tls::{self, rustls::ServerConfig},
    tokio::TlsStream,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

const USAGE: &str = "usage: echo_tokio [--listen ADDR] [--protocol NAME] [--deflate] \
                     [--tls-listen ADDR --cert FILE --key FILE]";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let options = Arc::new(Options::from_args(env::args().skip(1))?);
    let listener = bind(&options.listen).await?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    #[cfg(feature = "rustls")]
    if let Some(tls) = &options.tls {
        let listener = bind(&tls.listen).await?;
        println!("listening on {} with TLS", listener.local_addr()?);
        let (config, options) = (Arc::clone(&tls.config), Arc::clone(&options));
        tokio::spawn(async move {
            let encrypt = |stream| TlsStream::server(stream, Arc::clone(&config));
            accept(listener, &options, encrypt).await;
        });
    }
    println!("open http://{address}/ in a browser, or connect to ws://{address}/ with any client");
    accept(listener, &options, Ok::<_, Infallible>).await;
    Ok(())
}

async fn bind(address: &str) -> Outcome<TcpListener> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|error| format!("{address}: {error}"))?)
}

/// Takes in whoever comes, for ever. `wrap` makes a transport of the socket.
async fn accept<S, E>(
    listener: TcpListener,
    options: &Arc<Options>,
    wrap: impl Fn(TcpStream) -> Result<S, E>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    E: Error,
{
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match wrap(stream) {
                Ok(stream) => {
                    let options = Arc::clone(options);
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, &options).await {
                            eprintln!("{peer}: {error}");
                        }
                    });
                }
                Err(error) => eprintln!("{peer}: {error}"),
            },
            Err(error) => {
                // Out of descriptors, most likely: some will come free.
                eprintln!("not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// One transport from its first byte to its last.
async fn serve<S>(stream: S, options: &Options) -> Outcome<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
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
    #[cfg(feature = "rustls")]
    tls: Option<Tls>,
    protocol: Option<String>,
    deflate: bool,
}

/// Where to listen with TLS, and what to show there.
#[cfg(feature = "rustls")]
struct Tls {
    listen: String,
    config: Arc<ServerConfig>,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut listen, mut protocol) = ("127.0.0.1:9001".to_owned(), None);
        let (mut tls_listen, mut cert, mut key, mut deflate) = (None, None, None, false);
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match &*name {
                "--listen" => listen = value()?,
                "--tls-listen" => tls_listen = Some(value()?),
                "--cert" => cert = Some(value()?),
                "--key" => key = Some(value()?),
                "--protocol" => protocol = Some(value()?),
                "--deflate" => deflate = true,
                _ => return Err(USAGE.into()),
            }
        }
        #[cfg(not(feature = "rustls"))]
        if tls_listen.or(cert).or(key).is_some() {
            return Err("TLS needs the feature rustls".into());
        }
        #[cfg(feature = "rustls")]
        let tls = match (tls_listen, cert, key) {
            (None, None, None) => None,
            (Some(listen), Some(cert), Some(key)) => Some(tls_from_files(listen, &cert, &key)?),
            _ => return Err(USAGE.into()),
        };
        Ok(Self {
            listen,
            #[cfg(feature = "rustls")]
            tls,
            protocol,
            deflate,
        })
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

#[cfg(feature = "rustls")]
fn tls_from_files(listen: String, cert: &str, key: &str) -> Outcome<Tls> {
    let read = |file| std::fs::read(file).map_err(|error| format!("{file}: {error}"));
    let config = tls::server(&read(cert)?, &read(key)?);
    let config = config.map_err(|error| format!("{cert}, {key}: {error}"))?;
    Ok(Tls { listen, config })
}
