//! Does cost grow with the work, and no faster? For each kind of work: how many nanoseconds a unit of it takes,
//! when there are more and more of them.
//!
//! ```text
//! cargo bench --bench linear                              # prints tables
//! cargo bench --bench linear | python3 benches/plot.py    # renews docs/linear.md and its plots
//! ```
//!
//! A table's head is `# name: unit`; its lines are how many units there were, and the nanoseconds for each, in the
//! fastest of several rounds. What a round made is counted, and has to be what it was given.

mod common {
    pub(crate) mod clock;
    pub(crate) mod json;
    pub(crate) mod pair;
    pub(crate) mod stream;
    pub(crate) mod wire;
}

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use common::{
    clock::now,
    json::json,
    pair::{pair, written},
    stream::Stream,
    wire::Wire,
};
use framewire::{
    Config, Connection, Deflate, Event, MessageKind, PreparedMessage, RecvBuf, Role, frame::Opcode,
};

const KI: usize = 1024;
const ROUNDS: usize = 15;
/// The least time of a round: it is repeated that often.
const ROUND: Duration = Duration::from_millis(5);
/// The payload of a small message.
const SMALL: [u8; 16] = *b"0123456789abcdef";
const WINDOW: usize = 64 * KI;

fn main() {
    messages();
    bytes();
    copied();
    fragments();
    control_frames();
    reads();
    queued();
    shared();
    subscribers();
    compressed();
}

fn messages() {
    table("messages", "message of 16 bytes in one buffer");
    for n in powers(1, 64 * KI) {
        let mut stream = Stream::new(Role::Client);
        (0..n).for_each(|_| stream.push(Opcode::Binary, 1, &SMALL));
        let (mut conn, mut rx) = server();
        row(n, || {
            rx.extend_from_slice(&stream.wire);
            assert_eq!(receive(&mut conn, &mut rx), (n, n * SMALL.len()));
        });
    }
}

fn bytes() {
    table("bytes", "KiB of one message, in reads of 64 KiB");
    for n in powers(1, 16 * KI) {
        let mut stream = Stream::new(Role::Client);
        stream.push(Opcode::Binary, 1, &vec![7; n * KI]);
        let (mut conn, mut rx) = server();
        row(n, || {
            let mut received = (0, 0);
            for window in stream.wire.chunks(WINDOW) {
                rx.extend_from_slice(window);
                received = receive(&mut conn, &mut rx);
            }
            assert_eq!(received, (1, n * KI));
        });
    }
}

/// What memory is able to, to compare with.
fn copied() {
    table(
        "bytes copied",
        "KiB of a buffer that is copied to another one",
    );
    for n in powers(1, 16 * KI) {
        let (from, mut to) = (vec![7_u8; n * KI], vec![0; n * KI]);
        row(n, || {
            to.copy_from_slice(black_box(&from));
            assert_eq!(black_box(&to).last(), Some(&7));
        });
    }
}

fn fragments() {
    for (name, opcode) in [
        ("fragments", Opcode::Binary),
        ("fragments of text", Opcode::Text),
    ] {
        table(name, "fragment of 16 bytes of one message");
        for n in powers(1, 64 * KI) {
            let mut stream = Stream::new(Role::Client);
            stream.push(opcode, n, &SMALL.repeat(n));
            let (mut conn, mut rx) = server();
            row(n, || {
                rx.extend_from_slice(&stream.wire);
                assert_eq!(receive(&mut conn, &mut rx), (1, n * SMALL.len()));
            });
        }
    }
}

fn control_frames() {
    table("control frames", "ping inside of one message, answered");
    for n in powers(1, 64 * KI) {
        // A message in two fragments, and the pings between them.
        let mut message = Stream::new(Role::Client);
        message.push(Opcode::Binary, 2, &SMALL);
        let mut pings = Stream::new(Role::Client);
        (0..n).for_each(|_| pings.push(Opcode::Ping, 1, &SMALL));
        let (first, last) = message.wire.split_at(message.frames[0].payload.end);
        let wire = [first, &pings.wire, last].concat();
        let (mut conn, mut rx) = server();
        row(n, || {
            rx.extend_from_slice(&wire);
            assert_eq!(receive(&mut conn, &mut rx), (n + 1, (n + 1) * SMALL.len()));
            assert!(flush(&mut conn) > 0, "pongs");
        });
    }
}

fn reads() {
    table("reads", "read of 64 bytes of one message");
    for n in powers(1, 64 * KI) {
        let mut stream = Stream::new(Role::Client);
        stream.push(Opcode::Binary, 1, &vec![7; n * 64]);
        let (mut conn, mut rx) = server();
        row(n, || {
            let mut received = (0, 0);
            for read in stream.wire.chunks(64) {
                rx.extend_from_slice(read);
                received = receive(&mut conn, &mut rx);
            }
            assert_eq!(received, (1, n * 64));
        });
    }
}

fn queued() {
    table("queued sends", "message of 16 bytes queued before a flush");
    for n in powers(1, 64 * KI) {
        let mut conn = Connection::server(Config::new().max_queued(usize::MAX));
        row(n, || {
            (0..n).for_each(|_| conn.send_binary(&SMALL).expect("room"));
            assert_eq!(flush(&mut conn), n * (2 + SMALL.len()));
        });
    }
}

fn shared() {
    table(
        "shared sends",
        "message of 16 KiB queued by reference before a flush",
    );
    let payload = Bytes::from(vec![7; 16 * KI]);
    for n in powers(1, 16 * KI) {
        let mut conn = Connection::server(Config::new().max_queued(usize::MAX));
        row(n, || {
            for _ in 0..n {
                let sent = conn.send_bytes(MessageKind::Binary, payload.clone());
                sent.expect("room");
            }
            assert_eq!(flush(&mut conn), n * (4 + payload.len()));
        });
    }
}

fn subscribers() {
    for (name, size) in [("subscribers", 125), ("subscribers of 64 KiB", 64 * KI)] {
        table(name, "connection that a prepared message is sent on");
        let message = PreparedMessage::binary(&vec![7; size]);
        for n in powers(1, 8 * KI).chain([10_000]) {
            let conn = || Connection::server(Config::new());
            let mut subscribers: Vec<_> = (0..n).map(|_| conn()).collect();
            row(n, || {
                let mut bytes = 0;
                for conn in &mut subscribers {
                    conn.send_prepared(&message).expect("room");
                    bytes += flush(conn);
                }
                assert!(bytes >= n * size);
            });
        }
    }
}

fn compressed() {
    table(
        "compressed bytes",
        "KiB of one message, compressed and decompressed",
    );
    let (mut server, mut client) = pair(Deflate::new());
    let text = json(64 * KI).remove(0);
    for n in powers(1, 4 * KI) {
        let message = &text.repeat(n.div_ceil(64))[..n * KI];
        let mut rx = RecvBuf::new();
        row(n, || {
            server.send_text(message).expect("room");
            rx.extend_from_slice(&written(&mut server));
            assert_eq!(receive(&mut client, &mut rx), (1, n * KI));
        });
    }
}

fn server() -> (Connection, RecvBuf) {
    (Connection::server(Config::new()), RecvBuf::new())
}

/// Takes all that is there: how many messages and pings, and the bytes in them.
fn receive(conn: &mut Connection, rx: &mut RecvBuf) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    while let Some(event) = conn.receive(rx) {
        let payload = match event {
            Event::Text(text) => text.as_bytes(),
            Event::Binary(data) | Event::Ping(data) => data,
            other => panic!("{other:?}"),
        };
        count += 1;
        bytes += black_box(payload).len();
    }
    (count, bytes)
}

/// Writes all that is queued, and tells how much that was.
fn flush(conn: &mut Connection) -> usize {
    let mut bytes = 0;
    let mut wire = Wire(|slice: &[u8]| bytes += black_box(slice).len());
    while !conn.send_buf().is_empty() {
        conn.send_buf().write_to(&mut wire).expect("takes it");
    }
    bytes
}

/// 4 times as many each time.
fn powers(first: usize, last: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), |n| Some(4 * n)).take_while(move |n| *n <= last)
}

fn table(name: &str, unit: &str) {
    println!("\n# {name}: {unit}");
}

/// Measures and prints what one of `n` units takes.
fn row(n: usize, mut work: impl FnMut()) {
    let start = now();
    work();
    let once = now() - start;
    let repeat = (ROUND.as_nanos() / once.as_nanos().max(1) + 1) as usize;
    let round = |_| {
        let start = now();
        (0..repeat).for_each(|_| work());
        (now() - start).as_nanos() as f64 / (repeat * n) as f64
    };
    let fastest = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    println!("{n:>8} {fastest:>12.2}");
}
