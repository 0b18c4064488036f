//! RFC 6455 section 8.1 in bulk: the check agrees with the standard library for all short strings,
//! and its cost is linear however finely a text is cut.

mod support;

use framewire::{Config, Event, ProtocolError, RecvBuf, Role};
use support::trace::Seen;
use support::wire::{frame, input};
use support::{ROLES, connection};

// req: T-13, P-LIN
#[test]
fn a_large_text_in_fragments_of_one_byte_is_looked_at_and_copied_once() {
    // Looking at or copying all text so far with each fragment would be 10^13 bytes: this test
    // would run for half an hour.
    const SIZE: usize = 4 << 20;
    let text = "Grüße 🦀".repeat(SIZE / 12);
    let config = Config::new().max_fragments(u32::MAX);
    for role in ROLES {
        let mut frames = frame(0x01, b"");
        for byte in text.as_bytes() {
            frames.extend([0x00, 1, *byte]);
        }
        frames.extend(frame(0x80, b""));
        let (mut conn, mut rx) = (connection(role, config), RecvBuf::new());
        let wire = input(role, &frames);
        let mut event = None;
        for piece in wire.chunks(16 * 1024) {
            assert_eq!(event, None);
            rx.extend_from_slice(piece);
            event = conn.receive(&mut rx).map(Seen::from);
        }
        assert!(event == Some(Seen::Text(text.clone())));
        assert_eq!(conn.stats().bytes_received, wire.len() as u64);
        assert_eq!(conn.stats().frames_received, text.len() as u64 + 2);
        // What is held is the text, at most twice, and the piece: no list of fragments.
        assert!(
            rx.capacity() < 2 * text.len() + 64 * 1024,
            "{}",
            rx.capacity()
        );
    }
}

// req: T-13, P-LIN
#[test]
fn a_large_text_that_arrives_byte_by_byte_is_looked_at_and_copied_once() {
    let text = "Grüße 🦀".repeat((4 << 20) / 12);
    for role in ROLES {
        let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
        let wire = input(role, &frame(0x81, text.as_bytes()));
        let (last, wire) = wire.split_last().expect("bytes");
        for byte in wire {
            rx.extend_from_slice(&[*byte]);
            assert_eq!(conn.receive(&mut rx), None);
        }
        rx.extend_from_slice(&[*last]);
        assert!(conn.receive(&mut rx) == Some(Event::Text(&text)));
        assert!(
            rx.capacity() < 2 * text.len() + 64 * 1024,
            "{}",
            rx.capacity()
        );
    }
}

/// Checks the verdict on `bytes` in one frame, and in two fragments for every cut.
fn agrees_with_the_standard_library(role: Role, rx: &mut RecvBuf, bytes: &[u8]) {
    let expected = std::str::from_utf8(bytes).ok();
    let (bit, key): (u8, &[u8]) = match role {
        Role::Client => (0, &[]),
        Role::Server => (0x80, &[0x5a, 0xa5, 0x3c, 0xc3]),
    };
    let mut wire = [0; 32];
    for cut in 0..=bytes.len() {
        let mut end = 0;
        let mut push = |first: u8, payload: &[u8]| {
            let header = [first, bit | payload.len() as u8];
            let mask = key.iter().chain([&0; 4]);
            let payload = payload.iter().zip(mask).map(|(byte, key)| byte ^ key);
            let key = key.iter().copied();
            for byte in header.into_iter().chain(key).chain(payload) {
                wire[end] = byte;
                end += 1;
            }
        };
        if cut == 0 {
            push(0x81, bytes);
        } else {
            push(0x01, &bytes[..cut]);
            push(0x80, &bytes[cut..]);
        }
        let mut conn = connection(role, Config::new());
        rx.extend_from_slice(&wire[..end]);
        let event = conn.receive(rx);
        let expected = expected.map_or(Event::Failed(ProtocolError::InvalidUtf8), Event::Text);
        assert_eq!(event, Some(expected), "{bytes:02x?} cut at {cut}");
        // Discards what is behind a failure, so that the buffer can serve the next connection.
        assert_eq!(conn.receive(rx), None);
    }
}

// req: T-14
#[test]
fn strings_of_up_to_three_bytes_agree_with_the_standard_library_at_every_cut() {
    for role in ROLES {
        let mut rx = RecvBuf::new();
        agrees_with_the_standard_library(role, &mut rx, &[]);
        for a in 0..=255 {
            agrees_with_the_standard_library(role, &mut rx, &[a]);
            for b in 0..=255 {
                agrees_with_the_standard_library(role, &mut rx, &[a, b]);
            }
        }
        // What begins with another byte is a shorter string behind a character, or invalid at once.
        // One lead of each class (RFC 3629 section 4), and the borders between them.
        let leads = match role {
            Role::Server => &[0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef][..],
            Role::Client => &[0xe0, 0xed, 0xef],
        };
        for &a in leads {
            for b in 0..=255 {
                for c in 0..=255 {
                    agrees_with_the_standard_library(role, &mut rx, &[a, b, c]);
                }
            }
        }
    }
}

// req: T-14
#[test]
fn strings_of_four_bytes_agree_with_the_standard_library_at_every_cut() {
    for role in ROLES {
        let mut rx = RecvBuf::new();
        for a in 0xf0..=0xf5 {
            for b in 0..=255 {
                for c in (0..=255).step_by(15).chain([0x7f, 0x80, 0xbf, 0xc0]) {
                    for d in [0x7f, 0x80, 0xbf, 0xc0] {
                        agrees_with_the_standard_library(role, &mut rx, &[a, b, c, d]);
                    }
                }
            }
        }
    }
}
