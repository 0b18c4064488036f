//! RFC 6455 sections 5.6 and 8.1: text is UTF-8 (RFC 3629), and what is not fails with 1007 at the
//! first byte that shows it.

mod support;

use bytes::Bytes;
use framewire::{Config, MessageKind, ProtocolError, RecvBuf, SendError, State};
use support::trace::{Seen, drain, feed, trace_frames, trace_hex};
use support::wire::{frame, hex, input, read_output};
use support::{ROLES, connection};

const INVALID: ProtocolError = ProtocolError::InvalidUtf8;

/// `bytes` as a text message in one frame, and cut into two fragments at every place.
fn all_frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let two = |cut| [frame(0x01, &bytes[..cut]), frame(0x80, &bytes[cut..])].concat();
    let one = frame(0x81, bytes);
    (0..=bytes.len()).map(two).chain([one]).collect()
}

/// Asserts that `bytes` is received as text in both roles, in whatever frames.
fn assert_valid(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("the tests agree with the standard library");
    for role in ROLES {
        for frames in all_frames(bytes) {
            let trace = trace_frames(role, &frames);
            assert_eq!(trace.events, [Seen::Text(text.into())], "{frames:02x?}");
            assert_eq!(trace.state, State::Open);
        }
    }
}

/// Asserts that `bytes` fails with 1007 in both roles, in whatever frames, whatever is around it.
fn assert_invalid(bytes: &[u8]) {
    assert!(std::str::from_utf8(bytes).is_err(), "{bytes:02x?}");
    for role in ROLES {
        for bytes in [bytes, &[b"valid \xf0\x9f\xa6\x80 ", bytes].concat()] {
            for frames in all_frames(bytes) {
                trace_frames(role, &frames).assert_failed(&[], INVALID);
            }
        }
    }
}

// req: T-01
#[test]
fn invalid_text_fails_with_1007() {
    for role in ROLES {
        trace_hex(role, "81 01 ff").assert_failed(&[], INVALID);
        let before = [Seen::Ping(b"p".to_vec()), Seen::Text("a".into())];
        let trace = trace_hex(role, "89 01 70  81 01 61  81 01 ff");
        trace.assert_failed(&before, INVALID);
    }
    for digits in [
        "ff", "80", "bf", "80bf", "c328", "e28228", "f0288cbc", "61ff",
    ] {
        assert_invalid(&hex(digits));
    }
}

// req: T-01
#[test]
fn invalid_text_of_any_length_fails_wherever_the_bad_byte_is() {
    for role in ROLES {
        for len in [1, 2, 63, 64, 65, 125, 126, 200, 5000] {
            for place in [0, len / 2, len - 1] {
                let mut text = vec![b'x'; len];
                text[place] = 0xff;
                // Cuts do not matter here, and `invalid_text_leaves_the_same_counters` looks at
                // what is counted.
                let bytes = input(role, &frame(0x81, &text));
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                let (events, output) = feed(&mut conn, &mut rx, [&bytes[..]]);
                assert_eq!(events, [Seen::Failed(INVALID)], "{len} at {place}");
                let output = read_output(role, &output);
                assert_eq!(output[0].payload, 1007u16.to_be_bytes());
                assert_eq!(output.len(), 1);
                assert_eq!(conn.stats().messages_received, 0);
            }
        }
    }
}

// req: T-01, P-INV
#[test]
fn invalid_text_leaves_the_same_counters_however_it_was_cut() {
    for role in ROLES {
        for digits in ["81 05 61ff626364", "01 05 61ff626364", "81 05 61e2806163"] {
            trace_hex(role, digits).assert_failed(&[], INVALID);
        }
        let mut text = vec![b'x'; 200];
        text[40] = 0xff;
        trace_frames(role, &frame(0x81, &text)).assert_failed(&[], INVALID);
    }
}

// req: T-02
#[test]
fn characters_may_be_cut_by_fragments_at_any_byte() {
    for text in [
        "κόσμε",
        "😀",
        "é",
        "世界",
        "Grüße, 世界 🦀!",
        "\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}",
    ] {
        assert_valid(text.as_bytes());
        for role in ROLES {
            // A fragment for every byte, and empty ones between them.
            let bytes = text.bytes();
            let fragments = bytes.flat_map(|byte| [frame(0x00, &[byte]), frame(0x00, b"")]);
            let frames = [frame(0x01, b"")].into_iter().chain(fragments);
            let frames = frames
                .chain([frame(0x80, b"")])
                .collect::<Vec<_>>()
                .concat();
            assert_eq!(
                trace_frames(role, &frames).events,
                [Seen::Text(text.into())]
            );
        }
    }
}

// req: T-03
#[test]
fn text_that_ends_inside_a_character_fails_with_1007() {
    for digits in [
        "c3",
        "e2",
        "e282",
        "f0",
        "f09f",
        "f09f98",
        "61c3",
        "ceba e1bd",
    ] {
        assert_invalid(&hex(digits));
    }
}

// req: T-03
#[test]
fn text_that_ends_inside_a_character_fails_at_its_end_and_not_before() {
    for role in ROLES {
        for digits in ["c3", "e282", "f09f98"] {
            let unfinished = hex(digits);
            let first = input(role, &frame(0x01, &unfinished));
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            assert_eq!(feed(&mut conn, &mut rx, [&first[..]]).0, []);
            assert_eq!(conn.failure(), None);
            let end = input(role, &frame(0x80, b""));
            let (events, _) = feed(&mut conn, &mut rx, [&end[..]]);
            assert_eq!(events, [Seen::Failed(INVALID)]);
        }
    }
}

// req: T-04
#[test]
fn surrogates_fail_with_1007() {
    for digits in [
        "eda080",
        "eda0ff",
        "edadbf",
        "edae80",
        "edafbf",
        "edb080",
        "edbe80",
        "edbfbf",
        // A pair of them, as CESU-8 has it.
        "eda080 edb080",
    ] {
        assert_invalid(&hex(digits));
    }
    assert_valid("\u{d7ff}\u{e000}".as_bytes());
}

// req: T-05
#[test]
fn overlong_encodings_fail_with_1007() {
    for digits in [
        "c080",
        "c0af",
        "c1bf",
        "e08080",
        "e080af",
        "e09fbf",
        "f0808080",
        "f08080af",
        "f08fbfbf",
        "f880808080",
        "fc8080808080",
    ] {
        assert_invalid(&hex(digits));
    }
    assert_valid("\u{80}\u{7ff}\u{800}\u{fff}\u{10000}".as_bytes());
}

// req: T-06
#[test]
fn code_points_above_the_last_fail_with_1007() {
    for digits in [
        "f4908080",
        "f490",
        "f5808080",
        "f7bfbfbf",
        "f888808080",
        "fbbfbfbfbf",
        "fc8480808080",
        "fdbfbfbfbfbf",
        "fe",
        "ff",
        "feff",
        "fefeffff",
    ] {
        assert_invalid(&hex(digits));
    }
    assert_valid(&hex("f48fbfbf"));
}

// req: T-07
#[test]
fn non_characters_nul_and_byte_order_marks_pass_unchanged() {
    for text in [
        "\0",
        "a\0b",
        "\u{feff}",
        "\u{feff}text\u{feff}",
        "\u{fffe}\u{ffff}",
        "\u{1fffe}\u{1ffff}",
        "\u{10fffe}\u{10ffff}",
        "\u{fdd0}\u{fdef}",
        "\u{fffd}",
    ] {
        assert_valid(text.as_bytes());
    }
}

// req: T-08
#[test]
fn invalid_text_fails_with_the_fragment_that_carries_it() {
    // Autobahn 6.4.1 and 6.4.2.
    for second in ["00 04 f4908080", "00 02 f490", "00 01 ff"] {
        for role in ROLES {
            let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
            let first = frame(0x01, "κόσμε".as_bytes());
            let first = input(role, &first);
            assert_eq!(feed(&mut conn, &mut rx, [&first[..]]), (vec![], vec![]));
            let second = input(role, &hex(second));
            let (events, output) = feed(&mut conn, &mut rx, [&second[..]]);
            assert_eq!(events, [Seen::Failed(INVALID)]);
            let output = read_output(role, &output);
            assert_eq!(output[0].payload, 1007u16.to_be_bytes());
            let third = input(role, &frame(0x80, b"edited"));
            assert_eq!(feed(&mut conn, &mut rx, [&third[..]]), (vec![], vec![]));
        }
    }
}

/// The place of the first byte with which no continuation could be valid any more.
fn first_impossible(bytes: &[u8]) -> Option<usize> {
    let hopeless = |len: &usize| {
        let prefix = std::str::from_utf8(&bytes[..*len]);
        prefix.is_err_and(|error| error.error_len().is_some())
    };
    (1..=bytes.len()).find(hopeless).map(|len| len - 1)
}

// req: T-09
#[test]
fn invalid_text_fails_at_its_first_impossible_byte_in_an_incomplete_frame() {
    // Autobahn 6.4.3 and 6.4.4, and every class of mistake.
    for digits in [
        "cebae1bdb9cf83cebcceb5 f4908080 656469746564",
        "ff",
        "80",
        "c0",
        "c1",
        "f5",
        "fe",
        "c328",
        "c3c3",
        "e080",
        "e09f",
        "eda0",
        "e228",
        "e28228",
        "e282c0",
        "f080",
        "f08f",
        "f490",
        "f028",
        "f09028",
        "f0908028",
        "f09080c0",
        "eda080",
    ] {
        let bad = hex(digits);
        for before in ["", "text", "κόσμε", &"x".repeat(150)] {
            for first in [0x81, 0x01, 0x80] {
                for role in ROLES {
                    let bytes = [before.as_bytes(), &bad, b" and the rest"].concat();
                    let place = first_impossible(&bytes).expect("it is invalid");
                    let mut frames = if first == 0x80 {
                        frame(0x01, b"")
                    } else {
                        vec![]
                    };
                    frames.extend(frame(first, &bytes));
                    let wire = input(role, &frames);
                    let place = wire.len() - bytes.len() + place;

                    let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                    let (events, output) = feed(&mut conn, &mut rx, wire[..place].chunks(1));
                    assert_eq!((events, output), (vec![], vec![]), "{digits}: too early");
                    let (events, output) = feed(&mut conn, &mut rx, [&wire[place..=place]]);
                    assert_eq!(events, [Seen::Failed(INVALID)], "{digits}: too late");
                    let output = read_output(role, &output);
                    assert_eq!(output[0].payload, 1007u16.to_be_bytes());

                    // In two pieces, the second of which has the bad byte: as soon as that.
                    let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                    assert_eq!(feed(&mut conn, &mut rx, [&wire[..place]]).0, []);
                    let (events, _) = feed(&mut conn, &mut rx, [&wire[place..=place]]);
                    assert_eq!(events, [Seen::Failed(INVALID)], "{digits}: too late");
                }
            }
        }
    }
}

// req: T-10
#[test]
fn binary_messages_are_not_checked() {
    for role in ROLES {
        for digits in ["ff", "80", "c3", "eda080", "f4908080"] {
            let bytes = hex(digits);
            for frames in [
                frame(0x82, &bytes),
                [frame(0x02, &bytes[..1]), frame(0x80, &bytes[1..])].concat(),
            ] {
                let trace = trace_frames(role, &frames);
                assert_eq!(trace.events, [Seen::Binary(bytes.clone())]);
            }
        }
        // Neither are the payloads of pings and pongs.
        let trace = trace_hex(role, "89 01 ff  8a 01 c3");
        assert_eq!(
            trace.events,
            [Seen::Ping(vec![0xff]), Seen::Pong(vec![0xc3])]
        );
    }
}

// req: T-12
#[test]
fn control_frames_between_the_halves_of_a_character_do_not_disturb_it() {
    for role in ROLES {
        let trace = trace_hex(role, "01 01 c3  89 00  80 01 a9");
        assert_eq!(trace.events, [Seen::Ping(vec![]), Seen::Text("é".into())]);
        let trace = trace_hex(
            role,
            "01 01 f0  89 01 80  00 01 9f  8a 01 ff  00 01 98  80 01 80",
        );
        let expected = [
            Seen::Ping(vec![0x80]),
            Seen::Pong(vec![0xff]),
            Seen::Text("😀".into()),
        ];
        assert_eq!(trace.events, expected);
        let trace = trace_hex(role, "01 01 c3  89 01 a9  80 01 28");
        trace.assert_failed(&[Seen::Ping(vec![0xa9])], INVALID);
    }
}

// req: T-12
#[test]
fn a_character_is_not_continued_by_the_next_message() {
    for role in ROLES {
        let trace = trace_hex(role, "82 01 c3  81 01 a9");
        trace.assert_failed(&[Seen::Binary(vec![0xc3])], INVALID);
        let trace = trace_hex(role, "02 01 c3  80 00  81 01 a9");
        trace.assert_failed(&[Seen::Binary(vec![0xc3])], INVALID);
    }
}

// req: T-15
#[test]
fn bytes_that_are_not_utf8_cannot_be_sent_as_text() {
    for role in ROLES {
        for digits in ["ff", "c3", "eda080", "f4908080", "c080"] {
            let bytes = Bytes::from(hex(digits));
            let mut conn = connection(role, Config::new());
            let refused = conn.send_bytes(MessageKind::Text, bytes.clone());
            assert_eq!(refused, Err(SendError::InvalidUtf8));
            assert!(conn.send_buf().is_empty());
            conn.send_bytes(MessageKind::Binary, bytes.clone())
                .expect("any bytes");
            drain(&mut conn);

            conn.start_message(MessageKind::Text).expect("open");
            assert_eq!(conn.finish_message(&bytes), Err(SendError::InvalidUtf8));
            assert!(conn.send_buf().is_empty());
            // Still in progress: something else can be sent in its place.
            conn.finish_message(b"text").expect("in progress");
        }
    }
}

// req: T-15
#[test]
fn text_sent_in_parts_is_checked_as_a_whole() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        conn.start_message(MessageKind::Text).expect("open");
        for byte in "é🦀".as_bytes() {
            conn.send_part(&[*byte]).expect("the text may go on");
        }
        conn.send_part(b"\xe2\x82").expect("the text may go on");
        assert_eq!(conn.send_part(b"x"), Err(SendError::InvalidUtf8));
        assert_eq!(conn.finish_message(b""), Err(SendError::InvalidUtf8));
        assert_eq!(conn.finish_message(b"x"), Err(SendError::InvalidUtf8));
        conn.finish_message(b"\xac").expect("the text is complete");
        let frames = read_output(role, &drain(&mut conn));
        let payloads = frames.iter().map(|frame| &frame.payload[..]);
        assert_eq!(payloads.collect::<Vec<_>>().concat(), "é🦀€".as_bytes());
    }
}

// req: T-16
#[test]
fn the_reason_of_a_close_is_held_to_the_same_check() {
    for role in ROLES {
        for digits in ["ff", "c3", "eda080", "f4908080", "c080", "6162ff"] {
            let payload = [&hex("03e8")[..], &hex(digits)].concat();
            let trace = trace_frames(role, &frame(0x88, &payload));
            trace.assert_failed(&[], INVALID);
            assert_eq!(trace.code_sent(), Some(1007));
        }
        // A text in progress is another text.
        let trace = trace_hex(role, "01 01 c3  88 03 03e8 a9");
        trace.assert_failed(&[], INVALID);
        let trace = trace_frames(role, &support::wire::close(1000, "Grüße 🦀"));
        assert_eq!(trace.events.len(), 1);
        assert_eq!(trace.code_sent(), Some(1000));
    }
}
