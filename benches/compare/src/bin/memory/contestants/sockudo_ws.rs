//! sockudo-ws, over `AsyncRead` and `AsyncWrite`. Masking keys: `fastrand`, weak.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use sockudo_ws::{
    CompressedWebSocketStream, Config, DeflateConfig, Message, Role, WebSocketStream,
    protocol::Protocol,
};
use std::io::Write as _;

use crate::{
    broadcast,
    contestant::{Compresses, Contestant, Entry, Load, Reads, Seen, Sends},
    deflate::{self, Texts},
    now::now,
    parse, send,
    stream::Stream,
    wire::{MOST_READ, Wire},
};

pub(crate) struct SockudoWs;

impl Contestant for SockudoWs {
    fn name(&self) -> &'static str {
        "sockudo-ws"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // The README's `next`; without its heartbeat, which reads a clock for each message and which nobody
        // else has switched on; and the protocol without a stream, whose documentation calls it "zero-allocation
        // hot path".
        vec![
            parse::entry("best", stream, |wire| {
                Reader(WebSocketStream::server(wire, no_heartbeat()))
            }),
            parse::entry("readme", stream, |wire| {
                Reader(WebSocketStream::server(wire, Config::default()))
            }),
            parse::entry("protocol", stream, ProtocolReader::new),
        ]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let role = if load.client {
            Role::Client
        } else {
            Role::Server
        };
        let sender = |config| {
            let message = Message::Binary(load.payload.clone());
            move |wire| Sender {
                ws: WebSocketStream::from_raw(wire, role, config),
                message,
            }
        };
        // Several `feed` and one `flush`, where the README has `send`.
        let best = send::entry("best", load, sender(no_heartbeat()));
        let protocol = send::entry("protocol", load, |wire| {
            ProtocolSender::new(wire, role, &load.payload)
        });
        let readme = send::readme(load, sender(Config::default()));
        [Some(best), readme, Some(protocol)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // A clone of the message, as its publish and subscribe does.
        let message = Message::Binary(payload.clone());
        vec![broadcast::entry("best", payload, |wire| {
            let ws = WebSocketStream::server(wire, no_heartbeat());
            Sender {
                ws,
                message: message.clone(),
            }
        })]
    }

    fn compress(&self, texts: &Rc<Texts>) -> Vec<Entry> {
        // Level 6 with context takeover by default; and its only preset of level 1, with small windows.
        vec![
            deflate::entry("default", texts, |wire| {
                Compressor(compressed(wire, DeflateConfig::default()))
            }),
            deflate::entry("low memory", texts, |wire| {
                Compressor(compressed(wire, DeflateConfig::low_memory()))
            }),
        ]
    }

    fn decompress(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        let config = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..DeflateConfig::default()
        };
        vec![parse::entry("default", stream, |wire| {
            Reader(compressed(wire, config))
        })]
    }
}

fn no_heartbeat() -> Config {
    Config::builder().auto_ping(false).idle_timeout(0).build()
}

fn compressed(wire: Wire, deflate: DeflateConfig) -> CompressedWebSocketStream<Wire> {
    CompressedWebSocketStream::server(wire, no_heartbeat(), deflate)
}

struct Reader<S>(S);

impl<S> Reads for Reader<S>
where
    S: futures_util::Stream<Item = sockudo_ws::Result<Message>> + Unpin,
{
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now(async {
            let mut seen = 0;
            while seen < messages {
                match self
                    .0
                    .next()
                    .await
                    .expect("a wire has no end")
                    .expect("the stream is right")
                {
                    Message::Text(data) | Message::Binary(data) => see.message(&data),
                    Message::Ping(_) => continue,
                    other => panic!("not in the stream: {other:?}"),
                }
                seen += 1;
            }
        });
    }
}

struct Sender<S> {
    ws: S,
    message: Message,
}

impl<S: Sink<Message, Error = sockudo_ws::Error> + Unpin> Sends for Sender<S> {
    fn send(&mut self, messages: usize, every: usize) {
        let Self { ws, message } = self;
        now(async {
            for batch in 0..messages.div_ceil(every) {
                for _ in 0..every.min(messages - batch * every) {
                    ws.feed(message.clone()).await.expect("it is open");
                }
                ws.flush().await.expect("it is open");
            }
        });
    }
}

struct Compressor(CompressedWebSocketStream<Wire>);

impl Compresses for Compressor {
    fn compress(&mut self, message: &Bytes) {
        now(self.0.send(Message::Binary(message.clone()))).expect("it is open");
    }
}

/// The limits of the default configuration.
fn protocol(role: Role) -> Protocol {
    let config = Config::default();
    Protocol::new(role, config.max_frame_size, config.max_message_size)
}

struct ProtocolReader {
    protocol: Protocol,
    input: BytesMut,
    messages: Vec<Message>,
    pongs: BytesMut,
    wire: Wire,
}

impl ProtocolReader {
    fn new(wire: Wire) -> Self {
        let protocol = protocol(Role::Server);
        Self {
            protocol,
            input: BytesMut::new(),
            messages: Vec::new(),
            pongs: BytesMut::new(),
            wire,
        }
    }
}

impl Reads for ProtocolReader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        let mut seen = 0;
        while seen < messages {
            self.input.extend_from_slice(self.wire.window(MOST_READ));
            self.protocol
                .process_into(&mut self.input, &mut self.messages)
                .expect("the stream is right");
            for message in self.messages.drain(..) {
                match message {
                    Message::Text(data) | Message::Binary(data) => see.message(&data),
                    Message::Ping(data) => {
                        self.protocol.encode_pong(&data, &mut self.pongs);
                        continue;
                    }
                    other => panic!("not in the stream: {other:?}"),
                }
                seen += 1;
            }
            if !self.pongs.is_empty() {
                let _ = self.wire.write(&self.pongs).expect("a wire does not fail");
                self.pongs.clear();
            }
        }
    }
}

struct ProtocolSender {
    protocol: Protocol,
    message: Message,
    output: BytesMut,
    wire: Wire,
}

impl ProtocolSender {
    fn new(wire: Wire, role: Role, payload: &Bytes) -> Self {
        let message = Message::Binary(payload.clone());
        Self {
            protocol: protocol(role),
            message,
            output: BytesMut::new(),
            wire,
        }
    }

    fn flush(&mut self) {
        let _ = self.wire.write(&self.output).expect("a wire does not fail");
        self.output.clear();
    }
}

impl Sends for ProtocolSender {
    fn send(&mut self, messages: usize, every: usize) {
        for batch in 0..messages.div_ceil(every) {
            for _ in 0..every.min(messages - batch * every) {
                self.protocol
                    .encode_message(&self.message, &mut self.output)
                    .expect("it is open");
                if self.output.len() > 64 * 1024 {
                    self.flush();
                }
            }
            self.flush();
        }
    }
}
