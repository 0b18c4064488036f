//! Messages of JSON, compressed by a server and decompressed by its client, with the default options.

use std::hint::black_box;

use bytes::Buf as _;
use framewire::{Deflate, Event, RecvBuf};

use crate::{
    Scenario, deliver, drain,
    pair::pair,
    wire::{KIB, size},
};

const SIZES: [usize; 3] = [150, 2 * KIB, 64 * KIB];
/// How many different ones there are.
const MESSAGES: usize = 8;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let compress = SIZES.map(|len| {
        let name = format!("server compresses {}", size(len));
        Scenario::new(name, MESSAGES, move || compress(len))
    });
    let decompress = SIZES.map(|len| {
        let name = format!("client decompresses {}", size(len));
        Scenario::new(name, MESSAGES, move || decompress(len))
    });
    compress.into_iter().chain(decompress).collect()
}

fn compress(len: usize) -> impl FnMut(usize) {
    let (mut server, _) = pair(Deflate::new());
    let all = messages(len);
    move |messages| {
        for message in all.iter().cycle().take(messages) {
            server.send_text(black_box(message)).expect("open");
            assert!(drain(&mut server) < len);
        }
    }
}

fn decompress(len: usize) -> impl FnMut(usize) {
    let (mut server, mut client) = pair(Deflate::new());
    let send = |message: String| {
        server.send_text(&message).expect("open");
        let frame = server.send_buf().chunk().to_vec();
        drain(&mut server);
        frame
    };
    let all: Vec<_> = messages(len).into_iter().map(send).collect();
    let mut rx = RecvBuf::new();
    move |messages| {
        for frame in all.iter().cycle().take(messages) {
            let mut wire = &frame[..];
            let mut received = None;
            while !wire.is_empty() {
                let room = rx.unfilled();
                let n = room.len().min(wire.len());
                deliver(&mut room[..n], &wire[..n]);
                rx.filled(n);
                wire = &wire[n..];
                match client.receive(&mut rx) {
                    Some(Event::Text(text)) => received = Some(black_box(text).len()),
                    None => {}
                    other => panic!("not on the wire: {other:?}"),
                }
            }
            assert_eq!(received, Some(len));
        }
    }
}

/// Messages of exactly `len` bytes each.
fn messages(len: usize) -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    let mut message = || {
        let mut text = String::from("{\"events\":[");
        while text.len() < len {
            text += &format!(
                "{{\"id\":{},\"symbol\":\"{}\",\"price\":{}.{:02},\"note\":\"the market is open\"}},",
                below(1_000_000),
                ["ABC", "DEF", "XYZ"][below(3) as usize],
                below(1000),
                below(100),
            );
        }
        text.truncate(len);
        text
    };
    (0..MESSAGES).map(|_| message()).collect()
}
