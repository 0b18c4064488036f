//! A chat in the browser: one port serves a page, and the WebSocket behind it.
//!
//! ```text
//! cargo run --release --features tokio --example chat -- [--listen ADDR]
//! ```
//!
//! Open the address that is printed in two windows. ADDR is 127.0.0.1:9001 if it is not given; with port 0
//! the system picks a free one, and the first line that is printed tells which.
//!
//! # The subprotocol `chat.v1`
//!
//! The WebSocket is at `/chat`, for pages of this server and for programs that are no browsers. A client
//! has to offer the subprotocol. It may send:
//!
//! | message | meaning |
//! |---|---|
//! | empty text | is answered by the same, to the sender alone: measures the round trip |
//! | other text, binary | goes to everybody, the sender included |
//!
//! and it receives:
//!
//! | message | meaning |
//! |---|---|
//! | text without a line break | first of all: the name that the client has been given |
//! | empty text | the answer to an empty text |
//! | text, binary | a name, a line break, and what a client of this name has sent |
//! | text that begins with a line break | what the server has to say: who comes and who goes |
//!
//! `page` holds what is served by HTTP, `room` who is there. There is no end to it: Ctrl-C stops it at once.

mod page;
mod room;

use std::{env, error::Error, sync::Arc, time::Duration};

use framewire::{
    CloseCode, Config, Keepalive, Message, PreparedMessage,
    server::{self, OriginPolicy, Request},
    tokio::{Incoming, Receiver, Sender, WebSocket, incoming},
};
use room::{Member, Room};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, broadcast},
    time::{MissedTickBehavior, interval},
};

/// What clients have to speak.
const SUBPROTOCOL: &str = "chat.v1";

/// The bytes of a message that somebody may send.
const MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// How much time lies between two messages of a client. Without that, one that sends as fast as it can would
/// throw out all those who can't read as fast.
const PACE: Duration = Duration::from_millis(5);

/// The bytes that wait for the socket of a client; others wait in the [`Room`].
const MAX_QUEUED: usize = 256 * 1024;

/// How long the socket of a client may take nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections there may be, those that fetch the page included. More wait to be accepted.
const MAX_CONNECTIONS: usize = room::CAPACITY + 128;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let address = address(env::args().skip(1))?;
    let listener = TcpListener::bind(&address).await;
    let listener = listener.map_err(|error| format!("{address}: {error}"))?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    println!("open http://{address}/ in a browser, in two windows");
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (room, config) = (Arc::new(Room::new()), Arc::new(config()));
    loop {
        let place = Arc::clone(&connections).acquire_owned().await?;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (room, config) = (Arc::clone(&room), Arc::clone(&config));
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &room, &config).await {
                        eprintln!("{peer}: {error}");
                    }
                    drop(place);
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

fn address(mut args: impl Iterator<Item = String>) -> Outcome<String> {
    match (args.next().as_deref(), args.next(), args.next()) {
        (None, ..) => Ok("127.0.0.1:9001".into()),
        (Some("--listen"), Some(address), None) => Ok(address),
        _ => Err("usage: chat [--listen ADDR]".into()),
    }
}

fn config() -> server::Config {
    let connection = Config::new()
        .deflate(room::DEFLATE)
        .max_message_size(MAX_MESSAGE_SIZE)
        .max_frame_size(MAX_MESSAGE_SIZE)
        .message_timeout(Duration::from_secs(60))
        .max_queued(MAX_QUEUED)
        .write_timeout(WRITE_TIMEOUT)
        .receive_while_closing(false)
        // Windows that are open but silent are asked whether they are still there.
        .keepalive(Keepalive::default());
    // Other sites may not speak for those who visit them. It is the default, and worth a line here.
    server::Config::new()
        .origin(OriginPolicy::SameOrigin)
        .connection(connection)
}

/// One transport from its first byte to its last.
async fn serve(stream: TcpStream, room: &Arc<Room>, config: &server::Config) -> Outcome<()> {
    let mut request = match incoming(stream, config).await {
        Ok(Incoming::Upgrade(request)) => request,
        Ok(Incoming::Plain(request)) => {
            let answer = page::answer(request.path())?;
            return Ok(request.respond(answer).await?);
        }
        // Browsers open connections that they may never use.
        Err(framewire::Error::Aborted(aborted)) if aborted.received == 0 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let refusal = match refuse(&mut request) {
        Some(refusal) => refusal,
        None => match room.join() {
            Some((member, news)) => {
                let ws = request.upgrade().await?;
                return Ok(talk(ws, member, news).await?);
            }
            None => page::refusal(503, "the room is full\n"),
        },
    };
    Ok(request.respond(refusal?).await?)
}

/// The answer to a request for another WebSocket than ours.
fn refuse(request: &mut Request) -> Option<Outcome<server::Response>> {
    if request.path() != page::WEBSOCKET {
        return Some(page::refusal(404, "the WebSocket is at /chat\n"));
    }
    let selected = request.select_subprotocol(SUBPROTOCOL);
    selected
        .is_err()
        .then(|| page::refusal(400, "clients have to offer the subprotocol chat.v1\n"))
}

/// A member of the room, until one of both has enough of the other.
async fn talk(
    ws: WebSocket<TcpStream>,
    member: Member,
    news: broadcast::Receiver<PreparedMessage>,
) -> Result<(), framewire::Error> {
    let (receiver, sender) = ws.split();
    let delivering = tokio::spawn(deliver(sender.clone(), member.name().to_owned(), news));
    let ended = listen(receiver, sender, &member).await;
    delivering.abort();
    ended
}

/// Tells one of them its name and what everybody gets, until it is too far behind.
async fn deliver(
    sender: Sender<TcpStream>,
    name: String,
    mut news: broadcast::Receiver<PreparedMessage>,
) -> Result<(), framewire::Error> {
    sender.send(&name).await?;
    while let Ok(message) = news.recv().await {
        sender.feed(&message).await?;
        if news.is_empty() {
            // What has gathered leaves in one write.
            sender.flush().await?;
        }
    }
    sender.close(CloseCode::POLICY_VIOLATION, "too slow").await
}

/// Passes on what one of them says. It also answers pings and notices the end, whatever it comes from.
async fn listen(
    mut receiver: Receiver<TcpStream>,
    sender: Sender<TcpStream>,
    member: &Member,
) -> Result<(), framewire::Error> {
    let mut pace = interval(PACE);
    // Who was silent has not gained anything by that.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(message) = receiver.recv().await? {
        if message == Message::Text(String::new()) {
            sender.feed(message).await?;
        } else {
            member.say(&message);
            // What comes meanwhile waits in the socket, and then at the other end.
            pace.tick().await;
        }
    }
    Ok(())
}
