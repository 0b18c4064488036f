//! The calls that receive: asking before taking, and keeping one buffer with one connection.

mod support;

use framewire::{Config, Connection, Event, RecvBuf, Role};
use support::trace::{Seen, drain, trace_of};
use support::wire::{frame, hex, input, input_hex, read_output};
use support::{ROLES, connection};

/// As [`feed`], but asks [`Connection::wants_read`] before every event.
fn feed_asking(conn: &mut Connection, rx: &mut RecvBuf, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut events = Vec::new();
    for piece in pieces {
        rx.extend_from_slice(piece);
        while !conn.wants_read(rx) {
            assert!(!conn.wants_read(rx), "asking again changes nothing");
            let event = conn.receive(rx).expect("an event is there");
            events.push(event.into());
        }
        assert_eq!(conn.receive(rx), None);
    }
    events
}

// req: P-INV
#[test]
fn asking_for_wants_read_first_changes_nothing() {
    let frames = "89 01 70  81 01 61  01 01 62  8a 01 71  80 01 63  82 00  02 00 80 01 64";
    for role in ROLES {
        for end in [
            "83 00",
            "81 01 ff",
            "01 01 ff",
            "88 02 03e8",
            "88 01 03",
            "",
        ] {
            let bytes = input_hex(role, &format!("{frames} {end}"));
            let expected = trace_of(role, Config::new(), [&bytes[..]]);
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                let events = feed_asking(&mut conn, &mut rx, &[left, right]);
                assert_eq!(events, expected.events, "{end} cut at {cut}");
                let output = read_output(role, &drain(&mut conn));
                assert_eq!(output, expected.output, "{end} cut at {cut}");
                assert_eq!(conn.state(), expected.state);
                assert_eq!(conn.stats(), expected.stats);
            }
        }
    }
}

// req: A-02
#[test]
fn an_event_that_was_asked_for_survives_more_input() {
    for role in ROLES {
        for (digits, expected) in [
            ("82 05 48656c6c6f", Seen::Binary(b"Hello".to_vec())),
            ("81 05 48656c6c6f", Seen::Text("Hello".into())),
            ("01 02 4865  80 03 6c6c6f", Seen::Text("Hello".into())),
            ("02 02 4865  80 03 6c6c6f", Seen::Binary(b"Hello".to_vec())),
            ("89 05 48656c6c6f", Seen::Ping(b"Hello".to_vec())),
        ] {
            for more in [1, 100, 20_000, 100_000] {
                let (mut conn, mut rx) = (connection(role, Config::new()), RecvBuf::new());
                rx.extend_from_slice(&input_hex(role, digits));
                assert!(!conn.wants_read(&mut rx));
                let next = vec![b'x'; more];
                rx.extend_from_slice(&input(role, &frame(0x82, &next)));
                let event = conn.receive(&mut rx).map(Seen::from);
                assert_eq!(event, Some(expected.clone()), "{digits}, then {more}");
                assert!(conn.receive(&mut rx) == Some(Event::Binary(&next)));
            }
        }
    }
}

// req: A-03
#[test]
fn another_buffer_may_be_used_when_the_first_is_empty() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        for digits in ["81 01 61", "82 00", "02 01 61  80 01 62", "89 00"] {
            let mut rx = RecvBuf::new();
            rx.extend_from_slice(&input_hex(role, digits));
            assert!(conn.receive(&mut rx).is_some());
            assert_eq!(conn.receive(&mut rx), None);
            assert!(rx.is_empty());
        }
    }
}

/// Receives from one buffer, then from another.
fn receive_from_two_buffers(first: &str) {
    let mut conn = Connection::server(Config::new());
    let (mut rx, mut other) = (RecvBuf::new(), RecvBuf::new());
    rx.extend_from_slice(&input_hex(Role::Server, first));
    let _ = conn.receive(&mut rx);
    let _ = conn.receive(&mut other);
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_a_frame_is_left_is_a_misuse() {
    receive_from_two_buffers("81 01 61  81 01 62");
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_a_frame_is_left_behind_a_longer_one_is_a_misuse() {
    receive_from_two_buffers(&format!("82 7e 0080 {}  81 01 62", "61".repeat(128)));
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_half_a_header_is_left_is_a_misuse() {
    receive_from_two_buffers("81");
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_a_binary_message_is_joined_is_a_misuse() {
    receive_from_two_buffers("02 01 61");
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_a_text_is_collected_is_a_misuse() {
    receive_from_two_buffers("01 01 61  00 00");
}

// req: A-03
#[test]
#[should_panic(expected = "the rest of this connection's input is in another RecvBuf")]
fn another_buffer_while_an_event_was_found_is_a_misuse() {
    let mut conn = Connection::client(Config::new());
    let (mut rx, mut other) = (RecvBuf::new(), RecvBuf::new());
    rx.extend_from_slice(&hex("81 01 61"));
    assert!(!conn.wants_read(&mut rx));
    let _ = conn.receive(&mut other);
}
