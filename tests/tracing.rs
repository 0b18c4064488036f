//! What a collector of `tracing` is told about a connection, and what it is not.

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use framewire::{
    CloseCode, Config, Error, client, server,
    tokio::{WebSocket, accept, client},
};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, set_default},
};

/// One line for each span and event.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<String>>>);

impl Collector {
    /// Collects what this thread tells.
    fn start() -> (Self, DefaultGuard) {
        let collector = Self::default();
        (collector.clone(), set_default(collector))
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("framewire")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().into());
        span.record(&mut line);
        let mut lines = self.lines();
        lines.push(line.0);
        Id::from_u64(lines.len() as u64)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        // Whose it is: the line of its span.
        let parent = event.parent().map(Id::into_u64);
        self.lines()
            .push(format!("in {}:{}", parent.unwrap_or(0), line.0));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Two ends that have opened a connection.
async fn pair() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (here, there) = duplex(4096);
    let request = client::Request::new("ws://localhost/?secret").expect("a URI");
    let request = request.header("Cookie", "secret").expect("a header");
    let (request, config) = (
        request.subprotocol("chat").expect("a token"),
        client::Config::new(),
    );
    let server_config = server::Config::new();
    let (server, client) = tokio::join!(
        accept(there, &server_config),
        client(here, &request, &config)
    );
    (server.expect("opened"), client.expect("opened").0)
}

#[tokio::test(start_paused = true)]
async fn connection_has_a_span_from_its_opening_to_its_end() {
    let (collector, _guard) = Collector::start();
    let (mut server, mut client) = pair().await;
    client.send("secret").await.expect("a reader");
    assert!(server.recv().await.expect("open").is_some());
    let (closed, end) = tokio::join!(client.close(CloseCode::NORMAL, "secret"), server.recv());
    assert!(closed.expect("a closing handshake").clean && matches!(end, Ok(None)));
    // Told once.
    assert!(matches!(server.recv().await, Ok(None)));
    let lines = collector.lines().clone();
    assert_eq!(
        lines,
        [
            "websocket role=Server",
            "in 1: message=opened compression=false",
            "websocket role=Client",
            "in 3: message=opened compression=false",
            "in 1: message=closed code=1000 clean=true by=Peer messages_received=1 messages_sent=0",
            "in 3: message=closed code=1000 clean=true by=Us messages_received=0 messages_sent=1",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_without_a_byte_of_the_peer() {
    let (collector, _guard) = Collector::start();
    let (mut server, client) = pair().await;
    let mut stream = client.into_parts().stream;
    stream
        .write_all(b"\x81\x86\0\0\0\0secret\x83\x80secret")
        .await
        .expect("a reader");
    assert!(server.recv().await.expect("a message").is_some());
    assert!(matches!(server.recv().await, Err(Error::Protocol(_))));
    drop(server);
    let (here, _silent) = duplex(4096);
    let silent = accept(here, &server::Config::new()).await;
    assert!(matches!(silent, Err(Error::TimedOut(_))));
    let (here, mut there) = duplex(4096);
    there
        .write_all(b"GET /secret HTTP/9.9\r\n\r\n")
        .await
        .expect("a reader");
    drop(there);
    let refused = accept(here, &server::Config::new()).await;
    assert!(matches!(refused, Err(Error::Rejected(_))));
    let lines = collector.lines().join("\n");
    for told in [
        "in 1: message=failed error=frame header broke the rules",
        "in 0: message=not opened error=the opening handshake took too long",
        "in 0: message=not opened error=the client's handshake was refused",
    ] {
        assert!(lines.contains(told), "{told}:\n{lines}");
    }
    assert!(!lines.contains("secret"), "{lines}");
}

#[tokio::test(start_paused = true)]
async fn time_out_of_a_connection_is_told_in_its_span() {
    let (collector, _guard) = Collector::start();
    let (server, _client) = pair().await;
    let mut parts = server.into_parts();
    parts.connection = framewire::Connection::server(Config::new());
    let mut server = WebSocket::from_parts(parts);
    let closed = server.close(CloseCode::GOING_AWAY, "").await;
    assert!(matches!(closed, Err(Error::TimedOut(_))));
    let lines = collector.lines().join("\n");
    assert!(
        lines.contains("failed error=the closing handshake took too long"),
        "{lines}"
    );
}
