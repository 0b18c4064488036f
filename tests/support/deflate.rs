//! Connections that have agreed on permessage-deflate, and a second implementation of deflate to hold ours
//! against.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use framewire::{
    Config, Connection, PartEvent, RecvBuf, Role, client,
    frame::{Header, Opcode},
    server::{self, Opening},
};

use super::{
    trace::{Seen, drain, feed, random_pieces},
    wire::input,
};

/// The sample key of RFC 6455 section 1.3.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// The answer to the key that comes of the seed of the clients here.
const ACCEPT: &str = "MXHCaJPMZA/Ir6yhiiyxoBpnBAA=";
const SEED: [u8; 32] = [7; 32];

/// The server's end behind an opening handshake with these Sec-WebSocket-Extensions, and those of its
/// answer.
pub(crate) fn server(offer: &str, config: Config) -> (Connection, Option<String>) {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(REQUEST.as_bytes());
    if !offer.is_empty() {
        rx.extend_from_slice(format!("Sec-WebSocket-Extensions: {offer}\r\n").as_bytes());
    }
    rx.extend_from_slice(b"\r\n");
    let config = server::Config::new().connection(config);
    let Some(Opening::Upgrade(request)) = server::Handshake::new(&config).receive(&mut rx) else {
        panic!("{offer:?} is in a valid request");
    };
    let mut conn = request.upgrade();
    let answer = String::from_utf8(drain(&mut conn)).expect("ASCII");
    (conn, extensions(&answer))
}

/// What a client with this configuration offers in Sec-WebSocket-Extensions.
pub(crate) fn offer(config: Config) -> Option<String> {
    let (mut handshake, _) = begin(config);
    let mut request = Vec::new();
    while !handshake.send_buf().is_empty() {
        handshake.send_buf().write_to(&mut request).expect("memory");
    }
    extensions(&String::from_utf8(request).expect("ASCII"))
}

/// The client's end behind an opening handshake with these Sec-WebSocket-Extensions in the answer.
pub(crate) fn client(response: &str, config: Config) -> Result<Connection, client::HandshakeError> {
    let (mut handshake, mut rx) = begin(config);
    let mut answer = format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
    );
    if !response.is_empty() {
        answer += &format!("Sec-WebSocket-Extensions: {response}\r\n");
    }
    rx.extend_from_slice(answer.as_bytes());
    rx.extend_from_slice(b"\r\n");
    match handshake.receive(&mut rx) {
        Some(client::Outcome::Connected(mut conn, _)) => {
            drain(&mut conn);
            Ok(conn)
        }
        Some(client::Outcome::Failed(error)) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn begin(config: Config) -> (client::Handshake, RecvBuf) {
    let request = client::Request::new("ws://h/").expect("a valid URI");
    let config = client::Config::new().connection(config);
    let handshake = client::Handshake::with_seed(&request, &config, SEED);
    (handshake, RecvBuf::new())
}

fn extensions(head: &str) -> Option<String> {
    let mut lines = head.lines();
    let line = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    line.map(String::from)
}

/// An end in this role that has agreed on permessage-deflate with these parameters, such as
/// `; client_max_window_bits=10`: offered to a server, answered to a client.
#[track_caller]
pub(crate) fn agreed(role: Role, params: &str, config: Config) -> Connection {
    let extension = format!("permessage-deflate{params}");
    match role {
        Role::Client => client(&extension, config).expect("it was offered"),
        Role::Server => {
            let (conn, response) = server(&extension, config);
            assert!(response.is_some(), "it is accepted");
            conn
        }
    }
}

/// The payload of a compressed message, by a second implementation.
pub(crate) fn deflate(payload: &[u8]) -> Vec<u8> {
    Deflater::new().message(payload)
}

/// Compresses messages with context takeover.
pub(crate) struct Deflater(Compress);

impl Deflater {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    pub(crate) fn message(&mut self, mut payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            out.reserve(1024);
            let before = self.0.total_in();
            let status = self.0.compress_vec(payload, &mut out, FlushCompress::Sync);
            assert_eq!(status.expect("no error"), Status::Ok);
            payload = &payload[(self.0.total_in() - before) as usize..];
            if !payload.is_empty() || out.len() == out.capacity() {
                continue;
            }
            if out.is_empty() {
                // Nothing to flush.
                return vec![0];
            }
            // The end of a block may come first, and the flush with the next call.
            if out.ends_with(&[0, 0, 0xff, 0xff]) {
                out.truncate(out.len() - 4);
                return out;
            }
        }
    }
}

/// What a compressed payload stands for, by a second implementation that remembers nothing.
pub(crate) fn inflate(payload: &[u8]) -> Vec<u8> {
    Inflater::new().message(payload)
}

/// Decompresses messages with context takeover.
pub(crate) struct Inflater(Decompress);

impl Inflater {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    #[track_caller]
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut input = &input[..];
        let mut out = Vec::new();
        loop {
            out.reserve(64 * 1024);
            let before = self.0.total_in();
            let room = out.capacity() - out.len();
            let len = out.len();
            let status = self
                .0
                .decompress_vec(input, &mut out, FlushDecompress::Sync);
            assert_ne!(status.expect("valid data"), Status::StreamEnd);
            input = &input[(self.0.total_in() - before) as usize..];
            if input.is_empty() && out.len() - len < room {
                return out;
            }
        }
    }
}

/// The events for these frames, which are given without masks; asserts that they are the same however the
/// frames are cut, and whether messages are taken whole or in parts.
#[track_caller]
pub(crate) fn events(role: Role, params: &str, config: Config, frames: &[u8]) -> Vec<Seen> {
    let bytes = input(role, frames);
    let take = |pieces: &[&[u8]]| take(role, params, config, pieces);
    let whole = take(&[&bytes]);
    if bytes.len() <= 20_000 {
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(take(&single), whole, "byte by byte");
    }
    if bytes.len() <= 200 {
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(take(&[left, right]), whole, "cut at {cut}");
        }
    }
    for seed in 0..6 {
        assert_eq!(take(&random_pieces(&bytes, seed)), whole, "seed {seed}");
    }
    whole
}

/// The events for these pieces of input, which are the same for messages that are taken in parts.
#[track_caller]
pub(crate) fn take(role: Role, params: &str, config: Config, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut conn = agreed(role, params, config);
    let mut rx = RecvBuf::new();
    let (events, _) = feed(&mut conn, &mut rx, pieces.iter().copied());
    let mut parts = agreed(role, params, config);
    let streamed = feed_parts(&mut parts, pieces);
    if let Some((failed @ Seen::Failed(_), before)) = events.split_last() {
        // Parts of the message that failed have been delivered.
        assert_eq!(streamed.last(), Some(failed));
        assert!(streamed.starts_with(before));
    } else {
        assert_eq!(streamed, events, "in parts");
    }
    assert_eq!(conn.failure(), parts.failure());
    events
}

/// The events of a connection whose messages are taken in parts and joined here.
fn feed_parts(conn: &mut Connection, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut rx = RecvBuf::new();
    let (mut events, mut message) = (Vec::new(), Vec::new());
    for piece in pieces {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive_part(&mut rx) {
            events.push(match event {
                PartEvent::Text { part, last } => {
                    message.extend_from_slice(part.as_bytes());
                    if !last {
                        continue;
                    }
                    let text = String::from_utf8(std::mem::take(&mut message));
                    Seen::Text(text.expect("each part is text"))
                }
                PartEvent::Binary { part, last } => {
                    message.extend_from_slice(part);
                    if !last {
                        continue;
                    }
                    Seen::Binary(std::mem::take(&mut message))
                }
                PartEvent::Ping(payload) => Seen::Ping(payload.into()),
                PartEvent::Pong(payload) => Seen::Pong(payload.into()),
                PartEvent::Close(frame) => Seen::Close(frame.map(|f| (f.code, f.reason.into()))),
                PartEvent::Failed(error) => Seen::Failed(error),
                other => panic!("unknown event {other:?}"),
            });
        }
        drain(conn);
    }
    events
}

/// A frame of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) fin: bool,
    pub(crate) compressed: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// Reads what an endpoint in this role has written: RSV1 only where a data message begins.
#[track_caller]
pub(crate) fn sent(role: Role, output: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    let mut rest = output;
    while !rest.is_empty() {
        let (header, size) = Header::decode(rest).expect("valid").expect("complete");
        assert_eq!(header.masking_key.is_some(), role == Role::Client);
        let first = rest[0];
        assert_eq!(first & 0x30, 0, "RSV2 and RSV3");
        let compressed = first & 0x40 != 0;
        let begins = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        assert!(begins || !compressed, "RSV1 in the first frame alone");
        let (_, behind) = rest.split_at(size);
        let (payload, behind) = behind.split_at(header.payload_len as usize);
        let mut payload = payload.to_vec();
        if let Some(key) = header.masking_key {
            key.apply(&mut payload, 0);
        }
        frames.push(Sent {
            fin: header.fin,
            compressed,
            opcode: first & 0xf,
            payload,
        });
        rest = behind;
    }
    frames
}

/// Bytes that no compression makes fewer.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    (0..len).map(|_| next()).collect()
}
