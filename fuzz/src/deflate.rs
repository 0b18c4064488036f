//! Compressed payloads, in messages of both kinds, to both roles.

use flate2::{Decompress, FlushDecompress, Status};
use framewire::{Config, Deflate, ProtocolError, Role};

use crate::support::{
    deflate::{deflate, take},
    trace::{Seen, random_pieces},
    wire::{frame, hex, input},
};

pub(crate) fn run(data: &[u8]) {
    let [flags, limit, payload @ ..] = data else {
        return;
    };
    // Either the payload itself, or what it is to be decompressed to.
    let content = (*limit == u8::MAX).then_some(payload);
    let compressed = content.map(deflate);
    let payload = compressed.as_deref().unwrap_or(payload);
    let limit = match limit {
        0 | &u8::MAX => 16 << 20,
        limit => usize::from(*limit) * 16,
    };
    let (is_text, takeover) = (flags & 1 == 0, flags & 2 != 0);
    let first = if is_text { 0x41 } else { 0x42 };
    // Pieces of the payload in frames of their own, and another message behind them.
    let size = match flags >> 2 {
        0 => payload.len().max(1),
        size => usize::from(size),
    };
    let mut frames = Vec::new();
    for (n, piece) in payload.chunks(size).take(1000).enumerate() {
        frames.extend(frame(if n == 0 { first } else { 0 }, piece));
    }
    if payload.is_empty() {
        frames.extend(frame(first, b""));
    }
    frames.extend(frame(0x80, b""));
    frames.extend(hex("c1 07 f248cdc9c90700"));

    let options = Deflate::new().receive_takeover(takeover);
    let config = Config::new().deflate(options).max_message_size(limit);
    for role in [Role::Server, Role::Client] {
        let params = match (role, takeover) {
            (Role::Client, false) => "; server_no_context_takeover",
            _ => "",
        };
        let bytes = input(role, &frames);
        let whole = take(role, params, config, &[&bytes]);
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(take(role, params, config, &single), whole, "byte by byte");
        let seed = payload.len() as u64;
        let pieces = random_pieces(&bytes, seed);
        assert_eq!(take(role, params, config, &pieces), whole, "cut at random");
        check(&whole, payload, limit);
        if let Some(content) = content.filter(|_| !is_text) {
            assert!(whole[0] == Seen::Binary(content.into()), "it is taken");
        }
    }
}

/// Holds the events against another implementation.
fn check(events: &[Seen], payload: &[u8], limit: usize) {
    let inflated = match &events[0] {
        Seen::Failed(error) => {
            assert!(matches!(
                error,
                ProtocolError::InvalidCompression
                    | ProtocolError::InvalidUtf8
                    | ProtocolError::MessageTooBig { .. }
            ));
            assert_eq!(events.len(), 1);
            return;
        }
        Seen::Text(text) => text.as_bytes(),
        Seen::Binary(data) => data,
        other => panic!("{other:?}"),
    };
    assert!(inflated.len() <= limit);
    // The message behind it.
    match &events[1..] {
        [Seen::Text(text)] => assert_eq!(text, "Hello"),
        [Seen::Failed(ProtocolError::MessageTooBig { .. })] => assert!(limit < 5),
        other => panic!("{other:?}"),
    }
    if let Some(expected) = inflate(payload) {
        assert_eq!(inflated, expected);
    }
}

/// What another implementation makes of a payload, if it is one stream without an end.
fn inflate(payload: &[u8]) -> Option<Vec<u8>> {
    let input = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut inflate = Decompress::new(false);
    let mut out = Vec::new();
    loop {
        out.reserve(64 * 1024);
        let (used, len, room) = (inflate.total_in(), out.len(), out.capacity() - out.len());
        let input = &input[used as usize..];
        let status = inflate.decompress_vec(input, &mut out, FlushDecompress::Sync);
        match status {
            Ok(Status::StreamEnd) => return None,
            Ok(Status::Ok | Status::BufError) => {}
            Err(error) => panic!("what we take is valid: {error}"),
        }
        let is_used = inflate.total_in() as usize == payload.len() + 4;
        if is_used && out.len() - len < room {
            return Some(out);
        }
    }
}
