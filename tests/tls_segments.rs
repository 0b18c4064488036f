//! TLS in memory: what is received and what reaches the peer do not depend on how ciphertext is cut, how much
//! the transport takes at once, nor on the size of records.

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tls_ends.rs"]
mod tls_ends;

use std::{cell::RefCell, io::ErrorKind, rc::Rc};

use framewire::{Config, Event, Keepalive, MessageKind};
use script::{End, Fault, Moment, Wire};
use support::{
    trace::Seen,
    wire::{close, frame, input},
};
use tls_ends::{Case, cases};

/// Everything that can be observed.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    seen: Vec<Seen>,
    end: Option<ErrorKind>,
    /// What the peer has decrypted.
    reached: Vec<u8>,
    has_close_notify: bool,
    clean: bool,
}

impl Case {
    /// Echoes all that a peer says, which it does in records of `most` bytes.
    fn echoes(self, frames: &[u8], most: usize, shape: impl Fn(Wire) -> Wire) -> Run {
        // Deadlines, so that no call of a blocking transport is without a limit.
        let config = Config::new().keepalive(Keepalive::default());
        let mut to_say = Some(input(self.role, frames));
        let peer = Rc::new(RefCell::new(self.peer()));
        let said = Rc::clone(&peer);
        let wire = Wire::new([]).end(End::Silence);
        let hello = peer.borrow_mut().leave();
        if !hello.is_empty() {
            wire.deliver(&hello);
        }
        let over = wire.clone();
        let wire = shape(wire).peer(move |bytes| {
            let mut peer = said.borrow_mut();
            let _ = peer.take(bytes);
            if !peer.tls.is_handshaking()
                && let Some(bytes) = to_say.take()
            {
                for record in bytes.chunks(most) {
                    peer.say(record);
                }
            }
            if peer.has_close_notify || peer.error.is_some() {
                peer.tls.send_close_notify();
            }
            let answer = peer.leave();
            if answer.is_empty() {
                Vec::new()
            } else {
                vec![answer]
            }
        });
        let mut ws = self.tls().over(self.adapter, config, wire);
        // A client has the first word.
        ws.send("begin").expect("the handshake is done");
        let mut seen = Vec::new();
        let end = loop {
            let event = ws.recv_ref(|event, conn| {
                let _ = match event {
                    Event::Text(text) => conn.send_text(text),
                    Event::Binary(data) => {
                        conn.send_bytes(MessageKind::Binary, data.to_vec().into())
                    }
                    _ => Ok(()),
                };
                Seen::from(event)
            });
            match event {
                Ok(Some(event)) => seen.push(event),
                Ok(None) => break None,
                Err(framewire::Error::Io(error)) => break Some(error.kind()),
                Err(error) => panic!("{self:?}: {error}, behind {} events", seen.len()),
            }
            if matches!(seen.last(), Some(Seen::Close(_))) {
                over.state().end_now();
            }
        };
        let closed = ws.connection().closed().expect("it has ended");
        let peer = peer.borrow();
        Run {
            seen,
            end,
            reached: peer.plaintext.clone(),
            has_close_notify: peer.has_close_notify,
            clean: closed.clean,
        }
    }
}

fn said() -> Vec<u8> {
    [
        frame(0x81, b"one"),
        frame(0x82, &[2; 300]),
        frame(0x89, b"ping"),
        frame(0x01, b"in "),
        frame(0x80, b"pieces"),
        frame(0x82, &[9; 20_000]),
        close(1000, "bye"),
    ]
    .concat()
}

/// Fails calls that move bytes, in no order that their own could keep step with.
fn often(kind: ErrorKind) -> impl FnMut(Moment) -> Option<Fault> {
    let mut dice = 1_u32;
    move |moment| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (moment.call.is_io() && dice >> 31 == 0).then_some(Fault::Once(kind))
    }
}

/// A way to move bytes, and its name.
type Shape = (&'static str, fn(Wire) -> Wire);

const SHAPES: [Shape; 8] = [
    ("by the byte", |wire| wire.pieces(1, 1)),
    ("read by the byte", |wire| wire.pieces(1, usize::MAX)),
    ("written by the byte", |wire| wire.pieces(usize::MAX, 1)),
    ("in pieces", |wire| wire.pieces(50, 777)),
    ("behind a flush", Wire::gathering),
    ("in pieces behind a flush", |wire| {
        wire.pieces(777, 50).gathering()
    }),
    ("would often block", |wire| {
        wire.faults(often(ErrorKind::WouldBlock))
    }),
    ("often interrupted, in pieces", |wire| {
        wire.pieces(333, 333).faults(often(ErrorKind::Interrupted))
    }),
];

#[track_caller]
fn assert_same(run: &Run, expected: &Run, name: &str) {
    let outline = |run: &Run| (run.seen.len(), run.end, run.reached.len(), run.clean);
    assert_eq!(outline(run), outline(expected), "{name}");
    let same = run.seen == expected.seen && run.reached == expected.reached;
    assert!(same, "{name}: other bytes");
    // A limit that has passed in the very last write is one that the peer has not kept.
    let may_miss = name.contains("Blocking") && name.contains("would often block");
    assert!(run.has_close_notify || may_miss, "{name}");
}

#[test]
fn events_and_output_do_not_depend_on_how_ciphertext_is_cut() {
    for case in cases() {
        let expected = case.echoes(&said(), usize::MAX, |wire| wire);
        assert_eq!(expected.seen.len(), 6, "{case:?}");
        assert_eq!(
            (expected.end, expected.has_close_notify, expected.clean),
            (None, true, true),
            "{case:?}"
        );
        for (shape, shaped) in SHAPES {
            let run = case.echoes(&said(), usize::MAX, shaped);
            assert_same(&run, &expected, &format!("{case:?}, {shape}"));
        }
    }
}

#[test]
fn size_of_records_changes_nothing() {
    for case in cases() {
        let expected = case.echoes(&said(), usize::MAX, |wire| wire);
        for most in [1, 2, 100, 5000, 16_384] {
            for (shape, shaped) in [SHAPES[3], SHAPES[4], SHAPES[6]] {
                let run = case.echoes(&said(), most, shaped);
                assert_same(&run, &expected, &format!("{case:?}, {shape}, {most}"));
            }
        }
    }
}

#[test]
fn message_much_larger_than_the_buffers_of_rustls_passes_both_ways() {
    let large = [
        frame(0x82, &vec![5; 3 << 20]),
        frame(0x81, b"more"),
        close(1000, ""),
    ];
    for case in cases() {
        let run = case.echoes(&large.concat(), usize::MAX, |wire| wire);
        assert_eq!(run.seen[0], Seen::Binary(vec![5; 3 << 20]), "{case:?}");
        assert_eq!(run.seen[1], Seen::Text("more".into()), "{case:?}");
        assert!(run.reached.len() > 3 << 20, "{case:?}");
        assert!(run.clean, "{case:?}");
    }
}
