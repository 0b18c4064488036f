//! Sending in both roles, beside the floor and beside a copy of the same payloads in the same run.
//!
//! ```text
//! cargo bench --bench encode            # measures
//! python3 benches/ratios.py encode      # prints what was measured as tables
//! ```
//!
//! A message is queued and written to a transport that takes everything at once: after each of them, or after
//! 64, which is done with messages of up to 16 KiB, as the queue has a bound. "Bytes" are payloads that are
//! owned and may be shared: making and dropping the reference to each is in the figure. The floor refers to large
//! payloads of a server without any count, so that "Bytes" has to be compared with it, and borrowed bytes, which
//! have to be copied, with memcpy.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
    pub(crate) mod memcpy;
    pub(crate) mod text;
    pub(crate) mod wire;
}
mod floor {
    pub(crate) mod encode;
}

use bytes::Bytes;
use common::{
    contest::{Case, Contestant, ThreadTime, settings},
    memcpy::Memcpy,
    text::{ASCII, text},
    wire::{Wire, payloads},
};
use criterion::{Criterion, criterion_group, criterion_main};
use floor::encode::Queue;
use framewire::{Config, Connection, MessageKind, Role};

/// Messages of a round.
const ROUND: usize = 64;
const SIZES: [usize; 8] = [0, 16, 125, 126, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];

/// A connection that sends messages by `send`, so many to a flush.
struct Framewire<S> {
    conn: Connection,
    send: S,
    batch: usize,
}

impl<S: FnMut(&mut Connection)> Contestant for Framewire<S> {
    fn round(&mut self, seen: impl FnMut(&[u8])) {
        let mut wire = Wire(seen);
        for _ in 0..ROUND / self.batch {
            for _ in 0..self.batch {
                (self.send)(&mut self.conn);
            }
            while !self.conn.send_buf().is_empty() {
                self.conn.send_buf().write_to(&mut wire).expect("takes it");
            }
        }
    }
}

struct Floor<'p> {
    queue: Queue<'p>,
    payload: &'p [u8],
    role: Role,
    batch: usize,
}

impl Contestant for Floor<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for _ in 0..ROUND / self.batch {
            for _ in 0..self.batch {
                match self.role {
                    Role::Server => self.queue.push(0x82, self.payload),
                    Role::Client => self.queue.push_masked(0x82, self.payload),
                }
            }
            self.queue.flush(&mut seen);
        }
    }
}

fn measure(c: &mut Criterion<ThreadTime>, role: Role, batch: usize, size: usize) {
    let payload = text(ASCII, size);
    let shared = Bytes::copy_from_slice(&payload);
    let text = str::from_utf8(&payload).expect("ASCII");
    let all = |wire: &[u8], _| {
        let (bytes, frames) = payloads(wire);
        assert!(bytes == payload.repeat(ROUND), "other payloads than sent");
        assert_eq!(frames, ROUND);
    };
    let conn = || match role {
        Role::Server => Connection::server(Config::new()),
        Role::Client => Connection::client_with_seed(Config::new(), [7; 32]),
    };

    let group = format!("encode as {}, flush after {batch}", name(role));
    let mut case = Case::new(c, &group, size, ROUND, ROUND * size);
    let framewire = Framewire {
        conn: conn(),
        send: |conn: &mut Connection| conn.send_binary(&payload).expect("room"),
        batch,
    };
    case.measure("framewire", framewire, all);
    let framewire = Framewire {
        conn: conn(),
        send: |conn: &mut Connection| conn.send_text(text).expect("room"),
        batch,
    };
    case.measure("framewire, text", framewire, all);
    let framewire = Framewire {
        conn: conn(),
        send: |conn: &mut Connection| {
            conn.send_bytes(MessageKind::Binary, shared.clone())
                .expect("room");
        },
        batch,
    };
    case.measure("framewire, Bytes", framewire, all);
    let floor = Floor {
        queue: Queue::default(),
        payload: &payload,
        role,
        batch,
    };
    case.measure("floor", floor, all);
    let memcpy = Memcpy::new([&payload[..]; ROUND]);
    case.measure("limit memcpy", memcpy, |bytes, _| {
        assert!(bytes == payload.repeat(ROUND));
    });
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

fn encode(c: &mut Criterion<ThreadTime>) {
    for role in [Role::Server, Role::Client] {
        for batch in [1, 64] {
            for size in SIZES {
                if batch * size <= 1 << 20 {
                    measure(c, role, batch, size);
                }
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = encode
}
criterion_main!(benches);
