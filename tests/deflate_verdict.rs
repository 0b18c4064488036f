//! What no sender of compressed messages may send (RFC 7692 sections 6 and 7.2.2), and that the way in which
//! bytes are cut never changes what is made of them.
#![cfg(feature = "deflate")]

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use framewire::{Connection, Deflate, PartEvent, ProtocolError, RecvBuf, Role};
use hostile::{
    BINARY, Bits, Hostile, KINDS, TEXT, fragments, hostile, limited, mutate, seen, trace, trace_of,
};
use proptest::{collection::vec, prelude::*};
use support::{
    ROLES,
    deflate::{Deflater, agreed, deflate},
    trace::{Seen, feed, random_pieces, trace_hex},
    wire::{frame, hex, input},
};

// req: D-19
#[test]
fn invalid_data_fails_with_1007_and_delivers_nothing() {
    for (what, payload) in [
        ("reserved block type", "ffff"),
        ("reserved block type", "07"),
        ("LEN and NLEN that differ", "000500fafe48656c6c6f00"),
        ("distance too far", "f20011 0000"),
        ("unknown distance", "02 0f 00"),
        ("bad code lengths", "04 ff ff ff ff ff"),
        ("the tail not removed", "f248cdc9c90700 0000ffff"),
        ("no header of the last block", "f248cdc9c907"),
        ("end inside of a Huffman block", "f248cdc9"),
        ("end inside of a Huffman block", "f2"),
        ("end inside of LEN and NLEN", "000500"),
        ("end inside of a stored block", "000500faff48656c"),
        ("end behind a stored block", "000500faff48656c6c6f"),
        ("the tail is data", "000400fbff"),
        ("the tail is a part of the data", "000900f6ff48656c6c6f"),
    ] {
        for (role, kind) in ROLES.into_iter().flat_map(|r| KINDS.map(|k| (r, k))) {
            let payload = hex(payload);
            for frames in [
                frame(kind, &payload),
                fragments(kind, &payload, 1),
                [frame(kind & 0x7f, &payload), frame(0x80, b"")].concat(),
            ] {
                let trace = trace(role, "", limited(1000), &frames);
                assert_eq!(
                    trace.failure,
                    Some(ProtocolError::InvalidCompression),
                    "{what}"
                );
                trace.assert_failed(&[], ProtocolError::InvalidCompression);
                assert_eq!(trace.code_sent(), Some(1007));
                assert_eq!(trace.stats.messages_received, 0);
            }
        }
    }
}

// req: D-35
#[test]
fn nothing_is_inflated_after_an_error_and_other_connections_are_not_affected() {
    let hello = frame(TEXT, &hex("f248cdc9c90700"));
    let bombs = [
        (hex("ffff"), ProtocolError::InvalidCompression),
        (hex("f24807"), ProtocolError::InvalidCompression),
        (
            deflate(&[b'a'; 1001]),
            ProtocolError::MessageTooBig {
                size: 1001,
                limit: 1000,
            },
        ),
        // Its last piece is not UTF-8.
        (deflate(b"Hello\xff"), ProtocolError::InvalidUtf8),
    ];
    for role in ROLES {
        for takeover in [false, true] {
            let deflate = Deflate::new().receive_takeover(takeover);
            let params = match (takeover, role) {
                (false, Role::Client) => "; server_no_context_takeover",
                _ => "",
            };
            let config = limited(1000).deflate(deflate);
            for (payload, error) in &bombs {
                let frames =
                    [&hello[..], &frame(TEXT, payload), &hello, &frame(0x89, b"")].concat();
                let trace = trace(role, params, config, &frames);
                trace.assert_failed(&[Seen::Text("Hello".into())], *error);
                assert_eq!(trace.stats.messages_received, 1);
            }
            // The states of those have been used again since.
            let mut conn = agreed(role, params, config);
            let (events, _) = feed(&mut conn, &mut RecvBuf::new(), [&input(role, &hello)[..]]);
            assert_eq!(events, [Seen::Text("Hello".into())]);
        }
    }
}

// req: D-09, D-10, D-12
#[test]
fn reserved_bits_of_any_other_frame_fail_with_1002() {
    for (first, before) in [
        // On a continuation, be the message compressed or not
        (0xc0_u8, "41 03 f248cd"),
        (0x40, "41 03 f248cd"),
        (0xc0, "01 01 48"),
        (0x40, "01 01 48"),
        (0xc0, ""),
        // On control frames, also between fragments
        (0xc8, ""),
        (0xc9, ""),
        (0xca, ""),
        (0xc9, "41 03 f248cd"),
        // RSV2 and RSV3, with RSV1 or without it
        (0xa1, ""),
        (0x91, ""),
        (0xe1, ""),
        (0xd2, ""),
        (0xf2, ""),
        (0xa0, "41 03 f248cd"),
        (0x90, "41 03 f248cd"),
        // On opcodes that mean nothing
        (0xc3, ""),
        (0xcb, ""),
    ] {
        for role in ROLES {
            let frames = [hex(before), frame(first, b"")].concat();
            let trace = trace(role, "", limited(1000), &frames);
            let bits = first & 0x70;
            trace.assert_failed(&[], ProtocolError::ReservedBits { bits });
            assert_eq!(trace.code_sent(), Some(1002));
        }
    }
}

// req: D-11
#[test]
fn compressed_message_without_an_agreement_fails_with_1002() {
    for role in ROLES {
        let error = ProtocolError::ReservedBits { bits: 0x40 };
        for frames in ["c1 07 f248cdc9c90700", "c2 01 00", "41 00"] {
            trace_hex(role, frames).assert_failed(&[], error);
        }
    }
    // The application wants it, and the peer did not ask for it.
    let (mut conn, response) = support::deflate::server("", limited(1000));
    assert_eq!(response, None);
    let wire = input(Role::Server, &hex("c1 07 f248cdc9c90700"));
    let (events, _) = feed(&mut conn, &mut RecvBuf::new(), [&wire[..]]);
    assert_eq!(
        events,
        [Seen::Failed(ProtocolError::ReservedBits { bits: 0x40 })]
    );
}

// req: D-24
#[test]
fn first_error_of_a_text_is_found_however_it_is_cut() {
    // As literals, so that each byte of input is about one of output.
    let literals = |bytes: &[u8]| {
        let mut bits = Bits::default();
        bits.literals(bytes);
        bits
    };
    let mut too_long = b"\x00\x01\x00\xfe\xffa".to_vec();
    too_long.extend(literals(&[0xff; 1110]).payload());
    let mut invalid = literals(&[0xff; 20]);
    // A block of the reserved type.
    invalid.push(0b110, 3);
    for role in ROLES {
        for payload in [&too_long, &invalid.bytes] {
            for size in [1, 10, usize::MAX] {
                let frames = fragments(TEXT, payload, size);
                let failed = trace(role, "", limited(1100), &frames);
                failed.assert_failed(&[], ProtocolError::InvalidUtf8);
            }
        }
    }
}

/// All that is received in parts: the bytes of each message, as far as it came, and how it ended.
fn in_parts<'a>(
    mut conn: Connection,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Vec<u8>, Option<ProtocolError>) {
    let (mut messages, mut message, mut rx) = (vec![], vec![], RecvBuf::new());
    for piece in pieces {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive_part(&mut rx) {
            let (part, last) = match event {
                PartEvent::Text { part, last } => (part.as_bytes(), last),
                PartEvent::Binary { part, last } => (part, last),
                PartEvent::Failed(_) => continue,
                other => panic!("{other:?}"),
            };
            message.extend_from_slice(part);
            if last {
                messages.push(std::mem::take(&mut message));
            }
        }
    }
    assert!(rx.is_empty() || conn.failure().is_none());
    (messages, message, conn.failure())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: D-24, D-34
    #[test]
    fn verdict_on_any_data_does_not_depend_on_how_it_is_cut(
        messages in vec(hostile(), 1..4),
        limit in prop_oneof![0..500_usize, 0..10_000_usize, Just(100_000)],
        takeover in any::<bool>(),
        server in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (role, params) = match (server, takeover) {
            (true, _) => (Role::Server, ""),
            (false, true) => (Role::Client, ""),
            (false, false) => (Role::Client, "; server_no_context_takeover"),
        };
        let mut frames = Vec::new();
        let mut deflater = Deflater::new();
        for Hostile { kind, content, mutations, fragment } in &messages {
            let mut payload = deflater.message(content);
            if !takeover {
                deflater = Deflater::new();
            }
            for mutation in mutations {
                mutate(&mut payload, mutation);
            }
            frames.extend(fragments(*kind, &payload, *fragment));
        }
        let config = limited(limit).deflate(Deflate::new().receive_takeover(takeover));
        let bytes = input(role, &frames);
        let fresh = || agreed(role, params, config);
        let whole = trace_of(fresh(), [&bytes[..]]);
        prop_assert_eq!(&trace_of(fresh(), bytes.chunks(1)), &whole);
        let parts = in_parts(fresh(), [&bytes[..]]);
        let mut cut = vec![bytes.chunks(1).collect()];
        for seed in [seed, seed ^ 1, seed ^ 2] {
            let pieces = random_pieces(&bytes, seed);
            prop_assert_eq!(&trace_of(fresh(), pieces.iter().copied()), &whole);
            cut.push(pieces);
        }
        // In parts, all but the last bytes before a failure are the same.
        for pieces in cut {
            let (complete, begun, failure) = in_parts(fresh(), pieces);
            prop_assert_eq!((&complete, failure), (&parts.0, parts.2));
            prop_assert!(begun.starts_with(&parts.1) || parts.1.starts_with(&begun));
        }
        prop_assert_eq!(parts.2, whole.failure);
        // What was not changed and fits comes through.
        if messages.iter().all(|m| m.mutations.is_empty() && m.content.len() <= limit) {
            let valid = messages.iter().take_while(|m| m.kind == BINARY || std::str::from_utf8(&m.content).is_ok());
            let expected: Vec<_> = valid.map(|m| seen(m.kind, &m.content)).collect();
            prop_assert!(whole.events.starts_with(&expected), "{:?}", whole.failure);
        }
    }
}
