//! fastwebsockets, over `AsyncRead` and `AsyncWrite`. Masking keys: the thread's generator of `rand`,
//! cryptographic. It has no permessage-deflate.

use std::rc::Rc;

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};

use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    now::now,
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct Fastwebsockets;

impl Contestant for Fastwebsockets {
    fn name(&self) -> &'static str {
        "fastwebsockets"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // The README's `read_frame`, which is its fastest: messages in fragments would need a collector.
        // It answers pings itself and does not hand them out.
        vec![parse::entry("best", stream, |wire| {
            Reader(WebSocket::after_handshake(wire, Role::Server))
        })]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let role = if load.client {
            Role::Client
        } else {
            Role::Server
        };
        if load.flush == 1 {
            return vec![send::entry("best", load, |wire| {
                Sender::new(wire, role, &load.payload)
            })];
        }
        // It writes each frame at once, so that many to a flush take a buffered stream, for which
        // `flush` is documented. The README has none.
        let buffered = |wire| {
            Sender::new(
                BufWriter::with_capacity(64 * 1024, wire),
                role,
                &load.payload,
            )
        };
        let plain = |wire| Sender::new(wire, role, &load.payload);
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
            Sender::new(wire, Role::Server, payload)
        })]
    }
}

struct Reader(WebSocket<Wire>);

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now(async {
            for _ in 0..messages {
                let frame = self.0.read_frame().await.expect("the stream is right");
                assert!(
                    matches!(frame.opcode, OpCode::Text | OpCode::Binary),
                    "not in the stream"
                );
                see.message(&frame.payload);
            }
        });
    }
}

struct Sender<S> {
    ws: WebSocket<S>,
    payload: Bytes,
    client: bool,
    /// A client masks a payload where it lies, unless it is lent for reading, which takes a new `Vec`.
    scratch: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    fn new(stream: S, role: Role, payload: &Bytes) -> Self {
        let ws = WebSocket::after_handshake(stream, role);
        let scratch = payload.to_vec();
        Self {
            ws,
            payload: payload.clone(),
            client: role == Role::Client,
            scratch,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sends for Sender<S> {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            ws,
            payload,
            client,
            scratch,
        } = self;
        now(async {
            for batch in 0..messages.div_ceil(every) {
                for _ in 0..every.min(messages - batch * every) {
                    let payload = if *client {
                        scratch.copy_from_slice(payload);
                        Payload::BorrowedMut(scratch)
                    } else {
                        Payload::Borrowed(payload)
                    };
                    ws.write_frame(Frame::binary(payload))
                        .await
                        .expect("it is open");
                }
                ws.flush().await.expect("it is open");
            }
        });
    }
}
