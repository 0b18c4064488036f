//! Decoding as a server, beside the floor of the same bytes in the same run.
//!
//! ```text
//! cargo bench --bench decode            # measures
//! python3 benches/ratios.py             # prints what was measured as a table of ratios
//! ```
//!
//! Input comes in windows of 64 KiB, as from a busy socket, out of a stream that stays in the
//! second-level cache. Each side is given every window in turn and hands out every payload; pings
//! are answered.

mod floor;

use std::{hint::black_box, time::Duration};

use bytes::Buf as _;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use floor::Floor;
use framewire::{
    Config, Connection, Event, RecvBuf,
    frame::{Header, MaskingKey, Opcode},
};

const WINDOW: usize = 64 * 1024;

/// Frames of a client, one after the other, until there are about 256 KiB of them and at least four.
/// Gives their bytes and their number.
fn stream(opcode: Opcode, payloads: impl Fn(usize) -> Vec<u8>) -> (Vec<u8>, usize) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    while bytes.len() < 256 * 1024 || count < 4 {
        let payload = payloads(count);
        let key = MaskingKey::new((count as u32).wrapping_mul(0x9e37_79b9).to_le_bytes());
        let header = Header {
            fin: true,
            reserved: 0,
            opcode,
            masking_key: Some(key),
            payload_len: payload.len() as u64,
        };
        bytes.extend_from_slice(&header.encode());
        let start = bytes.len();
        bytes.extend_from_slice(&payload);
        key.apply(&mut bytes[start..], 0);
        count += 1;
    }
    (bytes, count)
}

fn framewire(conn: &mut Connection, rx: &mut RecvBuf, stream: &[u8]) {
    for window in stream.chunks(WINDOW) {
        rx.extend_from_slice(window);
        while let Some(event) = conn.receive(rx) {
            match event {
                Event::Text(text) => drop(black_box(text)),
                Event::Binary(data) | Event::Ping(data) => drop(black_box(data)),
                other => panic!("not in the stream: {other:?}"),
            }
        }
        let pongs = conn.send_buf().remaining();
        black_box(conn.send_buf().chunk());
        conn.send_buf().advance(pongs);
    }
}

fn floor(floor: &mut Floor, pongs: &mut Vec<u8>, stream: &[u8]) {
    for window in stream.chunks(WINDOW) {
        pongs.clear();
        floor.decode(window, |opcode, payload| {
            black_box(payload);
            if opcode == Opcode::Ping as u8 {
                pongs.extend_from_slice(&[0x8a, payload.len() as u8]);
                pongs.extend_from_slice(payload);
            }
        });
        black_box(&pongs);
    }
}

/// Text of exactly `len` bytes: `sample` over and over, filled up with dots.
fn text(sample: &str, len: usize) -> Vec<u8> {
    let mut text = String::with_capacity(len);
    for character in sample.chars().cycle() {
        if text.len() + character.len_utf8() > len {
            break;
        }
        text.push(character);
    }
    while text.len() < len {
        text.push('.');
    }
    text.into_bytes()
}

/// Sizes from 0 to 125 in an order that no branch predictor knows.
fn random_size(n: usize) -> usize {
    (n as u64 ^ 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 33 & 0x7fff_ffff
}

fn decode(c: &mut Criterion) {
    const ASCII: &str = "The quick brown fox jumps over the lazy dog. ";
    const MIXED: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю. 世界 🦀 ";
    const SIZES: [usize; 6] = [16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];

    for size in [0, 16] {
        measure(
            c,
            "ping",
            &size.to_string(),
            &stream(Opcode::Ping, |_| vec![7; size]),
        );
    }
    for size in SIZES {
        let payload = |_| (0..size).map(|i| i as u8).collect();
        measure(
            c,
            "binary",
            &size.to_string(),
            &stream(Opcode::Binary, payload),
        );
    }
    let random = |n| vec![7; random_size(n) % 126];
    measure(
        c,
        "binary",
        "random to 125",
        &stream(Opcode::Binary, random),
    );
    for size in SIZES {
        measure(
            c,
            "ascii",
            &size.to_string(),
            &stream(Opcode::Text, |_| text(ASCII, size)),
        );
    }
    for size in SIZES {
        measure(
            c,
            "mixed",
            &size.to_string(),
            &stream(Opcode::Text, |_| text(MIXED, size)),
        );
    }
}

fn measure(c: &mut Criterion, group: &str, size: &str, (stream, count): &(Vec<u8>, usize)) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(*count as u64));
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    group.bench_function(BenchmarkId::new("framewire", size), |bencher| {
        let (mut conn, mut rx) = (Connection::server(Config::new()), RecvBuf::new());
        bencher.iter(|| framewire(&mut conn, &mut rx, stream));
    });
    group.bench_function(BenchmarkId::new("floor", size), |bencher| {
        let (mut state, mut pongs) = (Floor::default(), Vec::new());
        bencher.iter(|| floor(&mut state, &mut pongs, stream));
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
