//! `wants_read`, which looks for an event without taking it.

mod support;

use framewire::{Config, Event, PartEvent, RecvBuf};
use support::{
    ROLES, connection,
    trace::{Seen, random_pieces, trace},
    wire::{frame, input, input_hex},
};

#[test]
fn event_that_was_found_stays_the_next_one_when_limits_change() {
    for role in ROLES {
        let mut conn = connection(role, Config::new());
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&input_hex(role, "0101 61 8001 62 8101 63"));
        assert!(!conn.wants_read(&mut rx));
        conn.set_max_message_size(1000);
        assert_eq!(conn.receive(&mut rx), Some(Event::Text("ab")));
        assert_eq!(conn.receive(&mut rx), Some(Event::Text("c")));
        assert_eq!(conn.receive(&mut rx), None);
    }
}

// req: P-INV
#[test]
fn asking_first_changes_nothing_about_the_events() {
    let frames = [
        frame(0x81, b"short"),
        frame(0x82, &[7; 300]),
        frame(0x81, "Grüße ".repeat(50).as_bytes()),
        frame(0x01, b"in "),
        frame(0x89, b"ping"),
        frame(0x80, b"pieces"),
        frame(0x8a, b""),
        frame(0x81, b"not \xff text"),
    ]
    .concat();
    for role in ROLES {
        let bytes = input(role, &frames);
        let expected = trace(role, Config::new(), &bytes).events;
        for seed in 0..20 {
            let mut conn = connection(role, Config::new());
            let (mut rx, mut events) = (RecvBuf::new(), Vec::new());
            for piece in random_pieces(&bytes, seed) {
                rx.extend_from_slice(piece);
                while !conn.wants_read(&mut rx) {
                    assert!(!conn.wants_read(&mut rx), "asking twice is asking once");
                    let event = conn.receive(&mut rx).expect("an event was found");
                    events.push(Seen::from(event));
                }
                assert_eq!(conn.receive(&mut rx), None);
            }
            assert_eq!(events, expected);
        }
    }
}

#[test]
fn asking_for_parts_begins_no_message_that_has_to_be_joined() {
    for role in ROLES {
        let mut conn = connection(role, Config::new().max_message_size(usize::MAX));
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&input_hex(role, "02 05 48656c"));
        assert!(!conn.wants_read_part(&mut rx));
        let part = PartEvent::Binary {
            part: b"Hel",
            last: false,
        };
        assert_eq!(conn.receive_part(&mut rx), Some(part));
        assert!(conn.wants_read_part(&mut rx));
        assert_eq!(conn.receive_part(&mut rx), None);
    }
}
