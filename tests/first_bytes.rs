//! RFC 6455 section 5.2: every pair of bytes that a frame can begin with, in every context, compared
//! with a second reading of the RFC.

mod support;

use framewire::frame::HeaderError;
use framewire::{Config, ProtocolError, Role, State};
use support::ROLES;
use support::trace::{Seen, trace_of};
use support::wire::input_hex;

/// What RFC 6455 says about a frame of which only the first two bytes are there.
#[derive(Debug)]
enum Verdict {
    /// Every rule that it breaks; which of them is reported is not the RFC's business.
    Breaks(Vec<ProtocolError>),
    /// Complete already: it is empty and has no key.
    Event(Seen),
    /// Nothing can be said yet.
    Nothing,
}

/// Sections 5.1, 5.2, 5.4 and 5.5, sentence by sentence. `inside` is the message in progress.
fn judge(role: Role, first: u8, second: u8, inside: Option<Seen>) -> Verdict {
    let (fin, reserved, opcode) = (first >> 7 == 1, first & 0x70, first & 0x0f);
    let (masked, len) = (second >> 7 == 1, second & 0x7f);
    let mut broken = Vec::new();
    if reserved != 0 {
        broken.push(ProtocolError::ReservedBits { bits: reserved });
    }
    if role == Role::Server && !masked {
        broken.push(ProtocolError::UnmaskedFrame);
    }
    if role == Role::Client && masked {
        broken.push(ProtocolError::MaskedFrame);
    }
    match opcode {
        0x0 if inside.is_none() => broken.push(ProtocolError::UnexpectedContinuation),
        0x1 | 0x2 if inside.is_some() => broken.push(ProtocolError::InterleavedMessage),
        0x3..=0x7 | 0xb..=0xf => broken.push(HeaderError::ReservedOpcode(opcode).into()),
        _ => {}
    }
    if matches!(opcode, 0x8..=0xa) {
        if !fin {
            broken.push(HeaderError::FragmentedControl.into());
        }
        if len > 125 {
            broken.push(HeaderError::OversizedControl.into());
        }
    }
    if !broken.is_empty() {
        return Verdict::Breaks(broken);
    }
    let event = match opcode {
        _ if len > 0 || masked => None,
        0x0 if fin => inside,
        0x1 if fin => Some(Seen::Text(String::new())),
        0x2 if fin => Some(Seen::Binary(vec![])),
        0x8 => Some(Seen::Close(None)),
        0x9 => Some(Seen::Ping(vec![])),
        0xa => Some(Seen::Pong(vec![])),
        _ => None,
    };
    event.map_or(Verdict::Nothing, Verdict::Event)
}

// req: F-10, F-11, F-12, F-13, F-14, F-15, F-28, M-01, M-02, M-12
#[test]
fn every_pair_of_first_two_bytes_is_judged_as_the_rfc_says() {
    for role in ROLES {
        let messages = [
            ("", None),
            ("01 01 61", Some(Seen::Text("a".into()))),
            ("02 01 61", Some(Seen::Binary(b"a".to_vec()))),
        ];
        for (before, inside) in messages {
            let before = input_hex(role, before);
            for pair in 0..=u16::MAX {
                let [first, second] = pair.to_be_bytes();
                let pieces = [&before[..], &[first], &[second]];
                let trace = trace_of(role, Config::new(), pieces);
                let codes: Vec<_> = trace.output.iter().map(|frame| frame.opcode).collect();
                match judge(role, first, second, inside.clone()) {
                    Verdict::Breaks(broken) => {
                        let [Seen::Failed(error)] = trace.events[..] else {
                            panic!("{first:02x} {second:02x}: {broken:?}, not {trace:?}");
                        };
                        assert!(broken.contains(&error), "{first:02x} {second:02x}: {error}");
                        trace.assert_failed(&[], error);
                        assert_eq!(trace.code_sent(), Some(1002));
                    }
                    Verdict::Event(seen) => {
                        let answer = match seen {
                            Seen::Ping(_) => &[10][..],
                            Seen::Close(_) => &[8],
                            _ => &[],
                        };
                        assert_eq!(trace.events, [seen], "{first:02x} {second:02x}");
                        assert_eq!(codes, answer, "{first:02x} {second:02x}");
                    }
                    Verdict::Nothing => {
                        assert_eq!(trace.events, [], "{first:02x} {second:02x}");
                        assert!(codes.is_empty(), "{first:02x} {second:02x}");
                        assert_eq!(trace.state, State::Open);
                    }
                }
            }
        }
    }
}
