//! tungstenite, over `Read` and `Write`. Masking keys: the thread's generator of `rand`, cryptographic.

use std::rc::Rc;

use bytes::Bytes;
use tungstenite::{
    Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct Tungstenite;

impl Contestant for Tungstenite {
    fn name(&self) -> &'static str {
        "tungstenite"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // The README's `read`; its buffer of 128 KiB is what the documentation advises for a high load, but
        // all of it is zeroed for each read, so that one of the size of a read can be better.
        let config = WebSocketConfig::default().read_buffer_size(64 * 1024);
        let reader =
            |config| move |wire| Reader(WebSocket::from_raw_socket(wire, Role::Server, config));
        vec![
            parse::entry("best", stream, reader(Some(config))),
            parse::entry("readme", stream, reader(None)),
        ]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let role = if load.client {
            Role::Client
        } else {
            Role::Server
        };
        let sender = |wire| Sender::new(wire, role, &load.payload);
        // Several `write` and one `flush`, where the README has `send`.
        [
            Some(send::entry("best", load, sender)),
            send::readme(load, sender),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // A clone of the message: there is no frame that is encoded once.
        vec![broadcast::entry("best", payload, |wire| {
            Sender::new(wire, Role::Server, payload)
        })]
    }
}

struct Reader(WebSocket<Wire>);

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        let mut seen = 0;
        while seen < messages {
            match self.0.read().expect("the stream is right") {
                Message::Text(text) => see.message(text.as_bytes()),
                Message::Binary(data) => see.message(&data),
                Message::Ping(_) => continue,
                other => panic!("not in the stream: {other:?}"),
            }
            seen += 1;
        }
    }
}

struct Sender {
    ws: WebSocket<Wire>,
    message: Message,
}

impl Sender {
    fn new(wire: Wire, role: Role, payload: &Bytes) -> Self {
        let ws = WebSocket::from_raw_socket(wire, role, None);
        Self {
            ws,
            message: Message::Binary(payload.clone()),
        }
    }
}

impl Sends for Sender {
    fn send(&mut self, messages: usize, every: usize) {
        for batch in 0..messages.div_ceil(every) {
            for _ in 0..every.min(messages - batch * every) {
                self.ws.write(self.message.clone()).expect("it is open");
            }
            self.ws.flush().expect("it is open");
        }
    }
}
