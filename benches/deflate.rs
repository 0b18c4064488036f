//! Compressing and decompressing messages of JSON and prose, through a connection.
//!
//! ```text
//! cargo bench --bench deflate
//! ```
//!
//! Prints first what messages are compressed to, in bytes on the wire. Messages differ, so that context
//! takeover finds what messages of one kind have in common and not the same message again.

use std::hint::black_box;

use bytes::Buf as _;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use framewire::{
    Config, Connection, Deflate, Event, RecvBuf, client,
    server::{self, Opening},
};

/// The sizes in use everywhere, and those that show what a level or a threshold is worth.
const SIZES: [usize; 3] = [200, 2048, 64 * 1024];
const LADDER: [usize; 7] = [64, 128, 256, 1024, 4096, 16 * 1024, 64 * 1024];
const LEVELS: [u8; 5] = [1, 2, 3, 6, 9];
/// How many different messages there are, or as many as come to 1 MiB.
const MESSAGES: usize = 256;

/// Messages of exactly `size` bytes each.
fn messages(size: usize) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "market", "limit", "filled", "order", "the", "and", "price", "moved", "below", "open",
        "buyer", "seller", "waits", "for", "close", "again",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    let mut message = || {
        let mut text = String::from("{\"events\":[");
        while text.len() < size {
            let note: Vec<_> = (0..2 + below(5))
                .map(|_| WORDS[below(16) as usize])
                .collect();
            text += &format!(
                "{{\"id\":{},\"symbol\":\"{}{}\",\"price\":{}.{:02},\"size\":{},\"time\":{},\"note\":\"{}\"}},",
                below(1_000_000),
                char::from(b'A' + below(26) as u8),
                char::from(b'A' + below(26) as u8),
                below(1000),
                below(100),
                below(500),
                1_700_000_000_000 + below(1_000_000_000),
                note.join(" "),
            );
        }
        text.truncate(size);
        text
    };
    (0..MESSAGES.min((1 << 20) / size))
        .map(|_| message())
        .collect()
}

/// Messages of prose: of this crate's README, from other places each.
fn prose(size: usize) -> Vec<String> {
    let text = include_str!("../README.md");
    assert!(text.is_ascii() && size <= text.len());
    let places = (0..MESSAGES).map(|n| n * 9973 % (text.len() - size + 1));
    places.map(|at| text[at..at + size].into()).collect()
}

/// A server and a client that have agreed on compression.
fn pair(deflate: Deflate) -> (Connection, Connection) {
    let config = Config::new().deflate(deflate);
    let request = client::Request::new("ws://h/").expect("a valid URI");
    let client_config = client::Config::new().connection(config);
    let mut handshake = client::Handshake::with_seed(&request, &client_config, [7; 32]);
    let (mut up, mut down) = (RecvBuf::new(), RecvBuf::new());
    up.extend_from_slice(handshake.send_buf().chunk());
    let server_config = server::Config::new().connection(config);
    let opening = server::Handshake::new(&server_config).receive(&mut up);
    let Some(Opening::Upgrade(upgrade)) = opening else {
        panic!("{opening:?}");
    };
    let mut server = upgrade.upgrade();
    down.extend_from_slice(&written(&mut server));
    match handshake.receive(&mut down) {
        Some(client::Outcome::Connected(client, _)) => (server, client),
        other => panic!("{other:?}"),
    }
}

fn options(level: u8, takeover: bool) -> Deflate {
    let deflate = Deflate::new().level(level).threshold(0);
    deflate.send_takeover(takeover).receive_takeover(takeover)
}

fn written(conn: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while conn.send_buf().has_remaining() {
        let chunk = conn.send_buf().chunk().len();
        bytes.extend_from_slice(conn.send_buf().chunk());
        conn.send_buf().advance(chunk);
    }
    bytes
}

/// What the server writes for each of these messages.
fn sent(server: &mut Connection, messages: &[String]) -> Vec<Vec<u8>> {
    let mut send = |message: &String| {
        server.send_text(message).expect("open");
        written(server)
    };
    messages.iter().map(&mut send).collect()
}

fn print_sizes(kind: &str, ladder: &[usize], messages: fn(usize) -> Vec<String>) {
    for takeover in [false, true] {
        let takes_over = if takeover { "with" } else { "without" };
        println!("bytes of a frame of {kind}, {takes_over} context takeover, by level");
        print!("{:>8}", "message");
        LEVELS.iter().for_each(|level| print!("{level:>9}"));
        println!();
        for &size in ladder {
            print!("{size:>8}");
            let messages = messages(size);
            for level in LEVELS {
                let (mut server, _) = pair(options(level, takeover));
                let bytes: usize = sent(&mut server, &messages).iter().map(Vec::len).sum();
                print!("{:>9.1}", bytes as f64 / messages.len() as f64);
            }
            println!();
        }
        println!();
    }
}

fn name(level: u8, takeover: bool) -> String {
    let takeover = if takeover { ", takeover" } else { "" };
    format!("level {level}{takeover}")
}

fn compress(c: &mut Criterion) {
    print_sizes("JSON", &LADDER, messages);
    print_sizes("prose", &LADDER[..5], prose);
    let ladder = LADDER
        .into_iter()
        .flat_map(|size| LEVELS.map(|level| (size, level, false)));
    let modes = [(1, false), (1, true), (6, false), (6, true)];
    let usual = SIZES
        .into_iter()
        .flat_map(|size| modes.map(|(level, takeover)| (size, level, takeover)));
    let mut group = c.benchmark_group("compress");
    for (size, level, takeover) in usual.chain(ladder.filter(|(size, ..)| !SIZES.contains(size))) {
        let messages = messages(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new(name(level, takeover), size), |bencher| {
            let (mut server, _client) = pair(options(level, takeover));
            let mut messages = messages.iter().cycle();
            bencher.iter(|| {
                let message = messages.next().expect("there are some");
                server.send_text(message).expect("open");
                let bytes = server.send_buf().remaining();
                black_box(server.send_buf().chunk());
                server.send_buf().advance(bytes);
            });
        });
    }
    group.finish();
}

fn decompress(c: &mut Criterion) {
    let modes = [(1, false), (1, true), (6, false), (6, true)];
    let mut group = c.benchmark_group("decompress");
    for (size, (level, takeover)) in SIZES
        .into_iter()
        .flat_map(|size| modes.map(|mode| (size, mode)))
    {
        let (mut server, mut client) = pair(options(level, takeover));
        // The same again can follow, for nothing in it refers to what was before.
        let frames = sent(&mut server, &messages(size));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new(name(level, takeover), size), |bencher| {
            // An iteration may begin anywhere, but the messages stay in order.
            let mut rx = RecvBuf::new();
            let mut next = 0;
            for frame in &frames {
                receive(&mut client, &mut rx, frame);
            }
            bencher.iter(|| {
                receive(&mut client, &mut rx, &frames[next]);
                next = (next + 1) % frames.len();
            });
            for frame in &frames[next..] {
                receive(&mut client, &mut rx, frame);
            }
        });
    }
    group.finish();
}

fn receive(client: &mut Connection, rx: &mut RecvBuf, frame: &[u8]) {
    rx.extend_from_slice(frame);
    match client.receive(rx) {
        Some(Event::Text(text)) => drop(black_box(text)),
        other => panic!("{other:?}"),
    }
}

criterion_group!(benches, compress, decompress);
criterion_main!(benches);
