//! web-socket, over `AsyncRead` and `AsyncWrite`. Masking keys: the thread's generator of `rand`, cryptographic.
//! It has no permessage-deflate.

use std::{rc::Rc, str};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use web_socket::{DataType, Event, MessageType, WebSocket};

use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    now::now,
    parse, send,
    stream::Stream,
};

pub(crate) struct WebSocketCrate;

impl Contestant for WebSocketCrate {
    fn name(&self) -> &'static str {
        "web-socket"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // It reads two bytes, then the next few, from whatever it is given: the README gives it the stream
        // itself, which can be buffered.
        let buffered = |wire| Reader(WebSocket::server(BufReader::with_capacity(64 * 1024, wire)));
        vec![
            parse::entry("best", stream, buffered),
            parse::entry("readme", stream, |wire| Reader(WebSocket::server(wire))),
        ]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let (client, payload) = (load.client, &load.payload);
        if load.flush == 1 {
            return vec![send::entry("best", load, |wire| {
                Sender::new(wire, client, payload)
            })];
        }
        // It writes each frame at once, so that many to a flush take a buffered stream.
        let buffered =
            |wire| Sender::new(BufWriter::with_capacity(64 * 1024, wire), client, payload);
        let plain = |wire| Sender::new(wire, client, payload);
        [
            Some(send::entry("best", load, buffered)),
            send::readme(load, plain),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // A borrowed payload: there is no frame that is encoded once.
        vec![broadcast::entry("best", payload, |wire| {
            Sender::new(wire, false, payload)
        })]
    }
}

struct Reader<S>(WebSocket<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Reads for Reader<S> {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now(async {
            let mut seen = 0;
            while seen < messages {
                match self.0.recv_event().await.expect("a wire does not fail") {
                    Event::Data {
                        ty: DataType::Complete(kind),
                        data,
                    } => {
                        if kind == MessageType::Text {
                            // It leaves this to the application.
                            str::from_utf8(&data).expect("it is text");
                        }
                        see.message(&data);
                    }
                    Event::Ping(data) => {
                        // The README answers pings itself.
                        self.0.send_pong(data).await.expect("a wire does not fail");
                        continue;
                    }
                    other => panic!("not in the stream: {other:?}"),
                }
                seen += 1;
            }
        });
    }
}

struct Sender<S> {
    ws: WebSocket<S>,
    payload: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    fn new(stream: S, client: bool, payload: &Bytes) -> Self {
        let ws = if client {
            WebSocket::client(stream)
        } else {
            WebSocket::server(stream)
        };
        Self {
            ws,
            payload: payload.clone(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sends for Sender<S> {
    fn send(&mut self, messages: usize, every: usize) {
        let Self { ws, payload } = self;
        now(async {
            for batch in 0..messages.div_ceil(every) {
                for _ in 0..every.min(messages - batch * every) {
                    ws.send(&payload[..]).await.expect("a wire does not fail");
                }
                ws.stream.flush().await.expect("a wire does not fail");
            }
        });
    }
}
