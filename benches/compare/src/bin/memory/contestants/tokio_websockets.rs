//! tokio-websockets, over `AsyncRead` and `AsyncWrite`. Masking keys: `fastrand`, weak. It has no
//! permessage-deflate.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};

use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    now::now,
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct TokioWebsockets;

impl Contestant for TokioWebsockets {
    fn name(&self) -> &'static str {
        "tokio-websockets"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // The README's `next`: the only way.
        vec![parse::entry("best", stream, |wire| {
            Reader(ServerBuilder::new().serve(wire))
        })]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let sender = |wire| {
            let ws = if load.client {
                ClientBuilder::new().take_over(wire)
            } else {
                ServerBuilder::new().serve(wire)
            };
            Sender {
                ws,
                message: Message::binary(load.payload.clone()),
            }
        };
        // Several `feed` and one `flush`, where the README has `send`.
        [
            Some(send::entry("best", load, sender)),
            send::readme(load, sender),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // "Cheaply clonable messages": there is no frame that is encoded once.
        let message = Message::binary(payload.clone());
        vec![broadcast::entry("best", payload, |wire| {
            let ws = ServerBuilder::new().serve(wire);
            Sender {
                ws,
                message: message.clone(),
            }
        })]
    }
}

struct Reader(WebSocketStream<Wire>);

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now(async {
            let mut seen = 0;
            while seen < messages {
                let message = self
                    .0
                    .next()
                    .await
                    .expect("a wire has no end")
                    .expect("the stream is right");
                if message.is_ping() {
                    continue;
                }
                assert!(
                    message.is_text() || message.is_binary(),
                    "not in the stream"
                );
                see.message(message.as_payload());
                seen += 1;
            }
        });
    }
}

struct Sender {
    ws: WebSocketStream<Wire>,
    message: Message,
}

impl Sends for Sender {
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
