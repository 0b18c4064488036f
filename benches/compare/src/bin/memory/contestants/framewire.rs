//! framewire: the core, in the loop of its documentation. Masking keys: ChaCha12, cryptographic.

#![expect(
    clippy::disallowed_types,
    reason = "the loop has a clock, as everyone's has to"
)]

use std::{hint::black_box, rc::Rc, time::Instant};

use bytes::{Buf as _, Bytes};
use framewire::{
    Config, Connection, Deflate, Event, MessageKind, PreparedMessage, RecvBuf, client,
    server::{self, Opening},
};

use crate::{
    broadcast,
    contestant::{Compresses, Contestant, Entry, Load, Reads, Seen, Sends},
    deflate::{self, Texts},
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct Framewire;

impl Contestant for Framewire {
    fn name(&self) -> &'static str {
        "framewire"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        vec![parse::entry("best", stream, |wire| {
            Reader::new(Connection::server(Config::new()), wire)
        })]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let conn = if load.client {
            Connection::client
        } else {
            Connection::server
        };
        let conn = || conn(Config::new());
        let payload = load.payload.clone();
        // A large payload of a server is held as `Bytes`, and chained; nothing else is ever shared.
        let shared = !load.client && payload.len() >= 8 * 1024;
        if !shared {
            return vec![send::entry("best", load, |wire| Sender {
                conn: conn(),
                payload,
                wire,
            })];
        }
        let lent = send::entry("lent", load, |wire| LendingSender {
            conn: conn(),
            payload: payload.clone(),
            wire,
        });
        let shared = send::entry("best", load, |wire| SharedSender {
            conn: conn(),
            payload: payload.clone(),
            wire,
        });
        // A payload that is lent is written at once.
        if load.flush == 1 {
            vec![shared, lent]
        } else {
            vec![shared]
        }
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        let message = PreparedMessage::binary(payload);
        vec![broadcast::entry("best", payload, |wire| {
            let conn = Connection::server(Config::new());
            PreparedSender {
                conn,
                message: message.clone(),
                wire,
            }
        })]
    }

    fn compress(&self, texts: &Rc<Texts>) -> Vec<Entry> {
        vec![deflate::entry("default", texts, |wire| Compressor {
            conn: compressing(),
            wire,
        })]
    }

    fn decompress(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        vec![parse::entry("default", stream, |wire| {
            Reader::new(compressing(), wire)
        })]
    }
}

/// A server's connection that has agreed on compression by default.
fn compressing() -> Connection {
    let config = Config::new().deflate(Deflate::new());
    let request = client::Request::new("ws://h/").expect("a valid URI");
    let client_config = client::Config::new().connection(config);
    let mut handshake = client::Handshake::with_seed(&request, &client_config, [7; 32]);
    let mut up = RecvBuf::new();
    up.extend_from_slice(handshake.send_buf().chunk());
    let server_config = server::Config::new().connection(config);
    let opening = server::Handshake::new(&server_config).receive(&mut up);
    let Some(Opening::Upgrade(upgrade)) = opening else {
        panic!("{opening:?}");
    };
    let mut conn = upgrade.upgrade();
    let response = conn.send_buf().remaining();
    conn.send_buf().advance(response);
    conn
}

struct Reader {
    conn: Connection,
    rx: RecvBuf,
    wire: Wire,
    start: Instant,
}

impl Reader {
    fn new(conn: Connection, wire: Wire) -> Self {
        Self {
            conn,
            rx: RecvBuf::new(),
            wire,
            start: Instant::now(),
        }
    }
}

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        let Self {
            conn,
            rx,
            wire,
            start,
        } = self;
        let mut seen = 0;
        loop {
            while let Some(event) = conn.receive(rx) {
                match event {
                    Event::Text(text) => see.message(text.as_bytes()),
                    Event::Binary(data) => see.message(data),
                    Event::Ping(data) => {
                        black_box(data);
                        continue;
                    }
                    other => panic!("not in the stream: {other:?}"),
                }
                seen += 1;
            }
            conn.handle_timeout(start.elapsed())
                .expect("there are no deadlines");
            flush(conn, wire);
            // A turn ends where the wire begins again, with nothing left in the buffer.
            if seen == messages {
                return;
            }
            rx.read_from(wire).expect("a wire does not fail");
        }
    }
}

#[inline]
fn flush(conn: &mut Connection, wire: &mut Wire) {
    while !conn.send_buf().is_empty() {
        conn.send_buf()
            .write_to(wire)
            .expect("a wire does not fail");
    }
}

struct Sender {
    conn: Connection,
    payload: Bytes,
    wire: Wire,
}

impl Sends for Sender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            conn,
            payload,
            wire,
        } = self;
        sending(conn, wire, messages, every, |conn| {
            conn.send_binary(payload).expect("it is open")
        });
    }
}

struct SharedSender {
    conn: Connection,
    payload: Bytes,
    wire: Wire,
}

impl Sends for SharedSender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            conn,
            payload,
            wire,
        } = self;
        sending(conn, wire, messages, every, |conn| {
            conn.send_bytes(MessageKind::Binary, payload.clone())
                .expect("it is open");
        });
    }
}

struct LendingSender {
    conn: Connection,
    payload: Bytes,
    wire: Wire,
}

impl Sends for LendingSender {
    fn send(&mut self, messages: usize, _: usize) {
        for _ in 0..messages {
            self.conn
                .lend_binary(&self.payload, &mut self.wire)
                .expect("it is open");
            flush(&mut self.conn, &mut self.wire);
        }
    }
}

struct PreparedSender {
    conn: Connection,
    message: PreparedMessage,
    wire: Wire,
}

impl Sends for PreparedSender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            conn,
            message,
            wire,
        } = self;
        sending(conn, wire, messages, every, |conn| {
            conn.send_prepared(message).expect("it is open")
        });
    }
}

/// As the loop of the README: a flush at its time, and one when much is queued.
#[inline]
fn sending(
    conn: &mut Connection,
    wire: &mut Wire,
    messages: usize,
    every: usize,
    mut queue: impl FnMut(&mut Connection),
) {
    for batch in 0..messages.div_ceil(every) {
        for _ in 0..every.min(messages - batch * every) {
            queue(conn);
            if conn.send_buf().remaining() > 64 * 1024 {
                flush(conn, wire);
            }
        }
        flush(conn, wire);
    }
}

struct Compressor {
    conn: Connection,
    wire: Wire,
}

impl Compresses for Compressor {
    fn compress(&mut self, message: &Bytes) {
        self.conn.send_binary(message).expect("it is open");
        flush(&mut self.conn, &mut self.wire);
    }
}
