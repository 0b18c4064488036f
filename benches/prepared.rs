//! A message that is encoded once for many: what each recipient costs, beside sending it to each of them and
//! beside a copy of the payload; and what building it costs.
//!
//! ```text
//! cargo bench --bench prepared          # measures
//! python3 benches/ratios.py prepared    # prints what was measured as tables
//! ```
//!
//! Each recipient is a connection of its own, whose queue is written after the message.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
    pub(crate) mod json;
    pub(crate) mod memcpy;
    pub(crate) mod pair;
    pub(crate) mod text;
    pub(crate) mod wire;
}

use common::{
    contest::{Case, Contestant, ThreadTime, settings},
    json::json,
    memcpy::Memcpy,
    pair::pair,
    text::{ASCII, text},
    wire::{Wire, payloads},
};
use criterion::{Criterion, criterion_group, criterion_main};
use framewire::{Config, Connection, Deflate, Event, PreparedMessage, RecvBuf};

/// Few enough for their queues to stay in the cache, up to 1 KiB each.
const RECIPIENTS: usize = 64;
const SIZES: [usize; 9] = [
    0,
    16,
    125,
    1024,
    4096,
    8192,
    16 * 1024,
    64 * 1024,
    1024 * 1024,
];

/// Connections that all send the same, by `send`.
struct Recipients<S> {
    recipients: Vec<Connection>,
    send: S,
}

impl<S: FnMut(&mut Connection)> Contestant for Recipients<S> {
    fn round(&mut self, seen: impl FnMut(&[u8])) {
        let mut wire = Wire(seen);
        for conn in &mut self.recipients {
            (self.send)(conn);
            while !conn.send_buf().is_empty() {
                conn.send_buf().write_to(&mut wire).expect("takes it");
            }
        }
    }
}

fn servers() -> Vec<Connection> {
    let server = || Connection::server(Config::new());
    (0..RECIPIENTS).map(|_| server()).collect()
}

fn recipient(c: &mut Criterion<ThreadTime>) {
    for size in SIZES {
        let payload = text(ASCII, size);
        let prepared = PreparedMessage::binary(&payload);
        let bytes = RECIPIENTS * size;
        let mut case = Case::new(c, "prepared per recipient", size, RECIPIENTS, bytes);
        let check = |wire: &[u8], _| {
            let (bytes, frames) = payloads(wire);
            assert!(bytes == payload.repeat(RECIPIENTS), "another message");
            assert_eq!(frames, RECIPIENTS);
        };
        let append = Recipients {
            recipients: servers(),
            send: |conn: &mut Connection| conn.send_prepared(&prepared).expect("room"),
        };
        case.measure("framewire", append, check);
        let send = Recipients {
            recipients: servers(),
            send: |conn: &mut Connection| conn.send_binary(&payload).expect("room"),
        };
        case.measure("framewire, sent to each", send, check);
        let memcpy = Memcpy::new([&payload[..]; RECIPIENTS]);
        case.measure("limit memcpy", memcpy, |bytes, _| {
            assert!(bytes == payload.repeat(RECIPIENTS));
        });
    }
}

/// The same to connections that have agreed on compression.
fn compressed(c: &mut Criterion<ThreadTime>) {
    let deflate = Deflate::new();
    for size in [200, 2048, 64 * 1024] {
        let message = json(size).remove(0);
        let prepared = PreparedMessage::text(&message).compress(&deflate);
        let bytes = RECIPIENTS * size;
        let group = "prepared per recipient, compressed";
        let mut case = Case::new(c, group, size, RECIPIENTS, bytes);
        let check = |wire: &[u8], _| {
            let (mut client, mut rx) = (pair(deflate).1, RecvBuf::new());
            rx.extend_from_slice(wire);
            for _ in 0..RECIPIENTS {
                assert_eq!(client.receive(&mut rx), Some(Event::Text(&message)));
            }
            assert!(wire.len() < message.len() * RECIPIENTS && rx.is_empty());
        };
        let recipients = || (0..RECIPIENTS).map(|_| pair(deflate).0).collect();
        let append = Recipients {
            recipients: recipients(),
            send: |conn: &mut Connection| conn.send_prepared(&prepared).expect("room"),
        };
        case.measure("framewire", append, check);
        let send = Recipients {
            recipients: recipients(),
            send: |conn: &mut Connection| conn.send_text(&message).expect("room"),
        };
        case.measure("framewire, sent to each", send, check);
    }
}

/// Builds a message, by `build`.
struct Build<B>(B);

impl<B: FnMut() -> PreparedMessage> Contestant for Build<B> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        seen((self.0)().payload());
    }
}

fn build(c: &mut Criterion<ThreadTime>) {
    for size in SIZES {
        let payload = text(ASCII, size);
        let mut case = Case::new(c, "prepared build", size, 1, size);
        let check = |bytes: &[u8], _| assert!(bytes == payload, "another message");
        let binary = Build(|| PreparedMessage::binary(&payload));
        case.measure("framewire", binary, check);
        if size >= 1024 {
            let deflate = Deflate::new();
            let compressed = Build(|| PreparedMessage::binary(&payload).compress(&deflate));
            case.measure("framewire, compressed", compressed, check);
        }
        case.measure("limit memcpy", Memcpy::new([&payload[..]]), check);
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = recipient, compressed, build
}
criterion_main!(benches);
