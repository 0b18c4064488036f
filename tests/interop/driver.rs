//! What the interoperability tests ask of this crate and the other examples have no options for: a server
//! that closes, pings and cuts messages into fragments when it is told to, and a client that does so.
//!
//! ```text
//! interop_driver serve [--takeover] [--deflate] [--protocol NAME]
//! interop_driver fragments URI [--takeover]
//! interop_driver ping URI
//! interop_driver close URI CODE REASON
//! ```
//!
//! The server echoes; at the path `/fragments` each message in three fragments with pings between. At
//! `/commands` these texts are no messages: `close CODE REASON`, `ping PAYLOAD` (answered by
//! `pong PAYLOAD` when the pong is there), `closed` (answered by the code and the reason of the Close
//! frame that came last, from any client). The client expects an echo, and its status is 1 if something is
//! different from what it expects. With `--takeover`, messages are compressed with context takeover where
//! the peer agrees; with `--deflate` without.

use std::{
    env,
    error::Error,
    sync::{Arc, Mutex},
};

use framewire::{
    CloseCode, Config, Connection, Deflate, Event, Message, MessageKind, SendError, client, server,
    tokio::{Incoming, WebSocket, connect_with, incoming},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// With TLS or without.
trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Stream for S {}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args: Vec<_> = env::args().skip(1).collect();
    let mut flag = |name: &str| {
        let found = args.iter().position(|arg| arg == name);
        found.map(|index| args.remove(index)).is_some()
    };
    let (takeover, deflate) = (flag("--takeover"), flag("--deflate"));
    // The parts of a message are queued at once.
    let mut config = Config::new().max_queued(32 << 20);
    if takeover {
        let deflate = Deflate::new().send_takeover(true).receive_takeover(true);
        config = config.deflate(deflate.threshold(0));
    } else if deflate {
        config = config.deflate(Deflate::new().threshold(0));
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve"] => serve(config, None).await,
        ["serve", "--protocol", name] => serve(config, Some(name)).await,
        ["fragments", uri] => fragments(connect(uri, config).await?).await,
        ["ping", uri] => ping(connect(uri, config).await?).await,
        ["close", uri, code, reason] => {
            let code = CloseCode::new(code.parse()?);
            let closed = connect(uri, config).await?.close(code, reason).await?;
            expect(closed.clean, &format!("no clean end: {closed:?}"))
        }
        _ => Err("see the first lines of tests/interop/driver.rs".into()),
    }
}

async fn serve(config: Config, protocol: Option<&str>) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let config = server::Config::new().connection(config);
    let told = Arc::new(Mutex::new(String::new()));
    loop {
        let (stream, peer) = listener.accept().await?;
        let (config, told) = (config.clone(), Arc::clone(&told));
        let protocol = protocol.map(str::to_owned);
        tokio::spawn(async move {
            if let Err(error) = obey(stream, &config, protocol, &told).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn obey(
    stream: TcpStream,
    config: &server::Config,
    protocol: Option<String>,
    told: &Mutex<String>,
) -> Outcome<()> {
    let Incoming::Upgrade(mut request) = incoming(stream, config).await? else {
        return Err("no upgrade".into());
    };
    if let Some(protocol) = protocol {
        // Not offered: the connection goes without one.
        let _ = request.select_subprotocol(&protocol);
    }
    let path = request.path().to_owned();
    let mut ws = request.upgrade().await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) if path == "/commands" => command(conn, text, told)?,
            Event::Text(text) if path == "/fragments" => {
                queue_fragments(conn, MessageKind::Text, text.as_bytes())?;
            }
            Event::Binary(data) if path == "/fragments" => {
                queue_fragments(conn, MessageKind::Binary, data)?;
            }
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            Event::Pong(payload) if path == "/commands" => {
                conn.send_text(&format!("pong {}", String::from_utf8_lossy(payload)))?;
            }
            Event::Close(Some(frame)) => {
                let close = format!("{} {}", frame.code.get(), frame.reason);
                *told.lock().expect("no thread panics with it") = close;
            }
            Event::Failed(error) => eprintln!("failed: {error}"),
            _ => {}
        }
    }
    Ok(())
}

fn command(conn: &mut Connection, text: &str, told: &Mutex<String>) -> Outcome<()> {
    let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "close" => {
            let (code, reason) = argument.split_once(' ').unwrap_or((argument, ""));
            conn.close(CloseCode::new(code.parse()?), reason)?;
        }
        "ping" => conn.send_ping(argument.as_bytes())?,
        "closed" => conn.send_text(&told.lock().expect("no thread panics with it"))?,
        _ => conn.send_text(text)?,
    }
    Ok(())
}

/// Three fragments, cut anywhere, and a ping behind each but the last.
fn queue_fragments(
    conn: &mut Connection,
    kind: MessageKind,
    message: &[u8],
) -> Result<(), SendError> {
    let third = message.len() / 3;
    conn.start_message(kind)?;
    for part in [&message[..third], &message[third..2 * third]] {
        conn.send_part(part)?;
        conn.send_ping(b"between")?;
    }
    conn.finish_message(&message[2 * third..])
}

async fn connect(uri: &str, connection: Config) -> Outcome<WebSocket<impl Stream>> {
    let config = client::Config::new().connection(connection);
    let (ws, _) = connect_with(&client::Request::new(uri)?, &config).await?;
    Ok(ws)
}

/// Messages in fragments come back, whatever they are cut into.
async fn fragments(mut ws: WebSocket<impl Stream>) -> Outcome<()> {
    let line = "Käthe's tide table: 😀 𝄞 €; ";
    for size in [0_usize, 1, 8, 1000, 70_000, 3 << 20]
        .into_iter()
        .chain([1000; 20])
    {
        let text = line.repeat(size.div_ceil(line.len()));
        queue_fragments(ws.connection_mut(), MessageKind::Text, text.as_bytes())?;
        let answer = ws.recv().await?;
        expect(answer == Some(text.as_str().into()), "the text differs")?;
        let data = text.into_bytes();
        queue_fragments(ws.connection_mut(), MessageKind::Binary, &data)?;
        let answer = ws.recv().await?;
        expect(answer == Some(data.into()), "the binary message differs")?;
    }
    let stats = ws.connection().stats();
    let compresses = ws.connection().can_compress();
    println!(
        "{} bytes sent, {} received, compresses: {compresses}",
        stats.bytes_sent, stats.bytes_received
    );
    end(ws).await
}

async fn ping(mut ws: WebSocket<impl Stream>) -> Outcome<()> {
    let longest = [b'p'; 125];
    for payload in [&b""[..], b"framewire", &longest] {
        ws.connection_mut().send_ping(payload)?;
        loop {
            match ws.recv_ref().await? {
                Some((Event::Pong(answer), _)) => {
                    expect(answer == payload, "the pong differs")?;
                    break;
                }
                Some(_) => {}
                None => return Err("the connection ended before the pong".into()),
            }
        }
    }
    ws.send("and on").await?;
    let answer = ws.recv().await?;
    expect(
        answer == Some(Message::from("and on")),
        "no echo after the pings",
    )?;
    end(ws).await
}

async fn end(mut ws: WebSocket<impl Stream>) -> Outcome<()> {
    let closed = ws.close(CloseCode::NORMAL, "").await?;
    let well = closed.clean && closed.code == CloseCode::NORMAL;
    expect(well, &format!("no clean end: {closed:?}"))
}

fn expect(condition: bool, complaint: &str) -> Outcome<()> {
    if condition {
        Ok(())
    } else {
        Err(complaint.into())
    }
}
