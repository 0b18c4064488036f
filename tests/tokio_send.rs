//! What has to cross threads does: every type of the adapter for tokio, and every future of it.
//!
//! It compiles, or it does not.

use std::{
    fmt::Debug,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use framewire::{
    CloseCode, Connection, Message, PreparedMessage, RecvBuf, client, server,
    tokio::{
        ByteStream, Incoming, Messages, Parts, Pending, Receiver, Sender, Timer, Tokio, WebSocket,
        accept, connect, connect_with, incoming,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A transport that may move to another thread, but not be seen by two.
struct Unshared(std::cell::Cell<()>);

impl AsyncRead for Unshared {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Unshared {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

fn value<T: Send + Unpin + Debug + 'static>() {}
fn shared<T: Send + Sync + Unpin + Debug + 'static>() {}
fn spawned<T: Send + 'static>(_: impl Future<Output = T> + Send + 'static) {}
fn future<T: Send>(_: impl Future<Output = T> + Send) {}
/// What lends an event: only the future itself has to cross threads.
fn lending(_: impl Future + Send) {}

#[test]
fn types_are_send_unpin_and_debug() {
    fn all<S: Send + 'static>() {
        value::<WebSocket<S>>();
        value::<Receiver<S>>();
        value::<Sender<S>>();
        spawned(async { None::<Messages<S>> });
        spawned(async { None::<ByteStream<S>> });
    }
    all::<TcpStream>();
    all::<tokio::io::DuplexStream>();
    all::<Unshared>();
    value::<Incoming<TcpStream>>();
    value::<Pending<TcpStream, server::Request>>();
    value::<Parts<TcpStream>>();
    shared::<WebSocket<TcpStream>>();
    shared::<Receiver<TcpStream>>();
    shared::<Sender<TcpStream>>();
    shared::<Messages<TcpStream>>();
    shared::<ByteStream<TcpStream>>();
    // Behind a lock, so that one who sends can be shared whatever the transport is.
    shared::<Sender<Unshared>>();
    shared::<Tokio>();
    shared::<Timer>();
}

#[test]
fn futures_of_opening_are_send() {
    let _ = || {
        spawned(connect("ws://127.0.0.1/"));
        let (request, config) = (
            client::Request::new("ws://127.0.0.1/").expect("valid"),
            client::Config::new(),
        );
        future(connect_with(&request, &config));
        future(framewire::tokio::client(stream(), &request, &config));
        let config = server::Config::new();
        future(accept(stream(), &config));
        future(incoming(stream(), &config));
        future(framewire::tokio::client(
            Unshared(().into()),
            &request,
            &client::Config::new(),
        ));
        future(accept(Unshared(().into()), &config));
        future(incoming(Unshared(().into()), &config));
    };
    let _ = |incoming: Incoming<Unshared>, answer: server::Response| match incoming {
        Incoming::Upgrade(request) => spawned(request.upgrade()),
        Incoming::Plain(request) => spawned(request.respond(answer)),
    };
    let _ = |incoming: Pending<Unshared, server::Request>, answer: server::Response| {
        spawned(incoming.respond(answer));
    };
}

fn stream() -> TcpStream {
    unreachable!("nobody calls this")
}

#[test]
fn futures_of_a_websocket_are_send() {
    let _ = |mut ws: WebSocket<Unshared>, prepared: PreparedMessage| {
        future(ws.recv());
        lending(ws.recv_ref());
        lending(ws.recv_part_ref());
        future(ws.send("text"));
        future(ws.send(Message::from("text")));
        future(ws.feed(&prepared));
        future(ws.flush());
        future(ws.close(CloseCode::NORMAL, ""));
        let mut bytes = ByteStream::new(ws);
        future(bytes.close(CloseCode::NORMAL, ""));
        spawned(bytes.into_websocket());
    };
    let _ = |(mut receiver, sender): (Receiver<Unshared>, Sender<Unshared>)| {
        future(receiver.recv());
        lending(receiver.recv_ref());
        lending(receiver.recv_part_ref());
        future(sender.send("text"));
        future(sender.feed("text"));
        future(sender.flush());
        future(sender.close(CloseCode::NORMAL, ""));
        spawned(async move { sender.send("text").await });
    };
    // An event may be held over an await, with the connection beside it.
    let _ = |mut ws: WebSocket<TcpStream>| {
        spawned(async move {
            while let Some((event, connection)) = ws.recv_ref().await? {
                tokio::task::yield_now().await;
                if let framewire::Event::Text(text) = event {
                    connection.send_text(text)?;
                }
            }
            Ok::<_, framewire::Error>(())
        });
    };
    let _ = |(mut receiver, sender): (Receiver<TcpStream>, Sender<TcpStream>)| {
        spawned(async move {
            while let Some(event) = receiver.recv_ref().await? {
                if let framewire::Event::Text(text) = event {
                    sender.send(text).await?;
                }
            }
            Ok::<_, framewire::Error>(())
        });
    };
}

/// The receiver has let go of the lock when it lends an event: a sender can answer with it.
#[tokio::test]
async fn sender_answers_with_an_event_that_the_receiver_lends() {
    let (near, far) = tokio::io::duplex(1024);
    let parts = |stream, connection| Parts::new(stream, connection, RecvBuf::new());
    let ws = WebSocket::from_parts(parts(near, Connection::server(framewire::Config::new())));
    let far_end = Connection::client_with_seed(framewire::Config::new(), [7; 32]);
    let mut far = WebSocket::from_parts(parts(far, far_end));
    let (mut receiver, sender) = ws.split();
    far.send("Hello").await.expect("there is room");
    let event = receiver.recv_ref().await.expect("open").expect("an event");
    let framewire::Event::Text(text) = event else {
        panic!("a text was sent");
    };
    sender.send(text).await.expect("there is room");
    assert_eq!(far.recv().await.expect("open"), Some("Hello".into()));
}
