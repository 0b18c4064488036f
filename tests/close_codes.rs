//! RFC 6455 section 7.4: which close codes are sent and received, all 65 536 of them.

mod support;

use framewire::{CloseCode, Config, ProtocolError, Role, SendError, State};
use support::{
    ROLES,
    pair::End,
    trace::{Seen, Trace, trace_frames, trace_of},
    wire::{close, input},
};

/// The row of the RFC's registry, written down a second time.
fn is_legal(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The code a Close frame is answered with: the same, but 1010 is for clients alone.
fn answer(role: Role, code: u16) -> u16 {
    match (role, code) {
        (Role::Server, 1010) => 1000,
        (Role::Server | Role::Client, code) => code,
    }
}

fn closed_with(code: u16, reason: &str) -> Seen {
    Seen::Close(Some((CloseCode::new(code), reason.into())))
}

#[track_caller]
fn assert_failed(trace: &Trace, code: CloseCode) {
    let error = ProtocolError::InvalidCloseCode(code);
    assert_eq!(trace.events, [Seen::Failed(error)]);
    assert_eq!(trace.close_sent(), Some(&b"\x03\xea"[..]));
    assert_eq!((trace.output.len(), trace.state), (1, State::Closed));
}

// req: C-04, C-05, C-06, C-07, C-08, C-11, C-12
#[test]
fn all_65_536_received_codes_are_echoed_or_fail_with_1002() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let bytes = input(role, &close(code, "x"));
            let whole = trace_of(role, Config::new(), [&bytes[..]]);
            let in_bytes = trace_of(role, Config::new(), bytes.chunks(1));
            assert_eq!(whole, in_bytes, "{code}");
            if is_legal(code) {
                assert_eq!(whole.events, [closed_with(code, "x")]);
                assert_eq!(
                    whole.close_sent(),
                    Some(&answer(role, code).to_be_bytes()[..])
                );
                assert_eq!(whole.failure, None);
                let closed = whole.closed.expect("both Close frames have passed");
                assert_eq!((closed.code.get(), closed.clean), (code, true));
            } else {
                assert_failed(&whole, CloseCode::new(code));
            }
        }
    }
}

// req: C-04, C-05, C-06, C-07, C-08
#[test]
fn codes_at_the_edges_of_their_ranges_are_judged_however_they_are_cut() {
    let illegal = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 0xffff,
    ];
    let legal = (1000..=1003)
        .chain(1007..=1014)
        .chain([3000, 3999, 4000, 4999]);
    for role in ROLES {
        for code in illegal {
            let trace = trace_frames(role, &close(code, ""));
            assert_failed(&trace, CloseCode::new(code));
        }
        for code in legal.clone() {
            let trace = trace_frames(role, &close(code, "why"));
            assert_eq!(trace.events, [closed_with(code, "why")]);
            assert_eq!(trace.code_sent(), Some(answer(role, code)));
        }
    }
}

// req: C-11, C-12, C-35
#[test]
fn all_65_536_codes_are_sent_or_refused() {
    for role in ROLES {
        let mut open = End::new(role, Config::new());
        for number in 0..=u16::MAX {
            let code = CloseCode::new(number);
            if is_legal(number) && (role, number) != (Role::Server, 1010) {
                for fails in [false, true] {
                    let mut end = End::new(role, Config::new());
                    let result = match fails {
                        true => end.conn.fail(code, ""),
                        false => end.conn.close(code, ""),
                    };
                    assert_eq!(result, Ok(()), "{number}");
                    end.writes(&[(8, &number.to_be_bytes())]);
                    assert_eq!(end.conn.stats().close_code_sent, Some(code));
                }
            } else {
                let refused = Err(SendError::CodeNotSendable(code));
                assert_eq!(open.conn.close(code, ""), refused, "{number}");
                assert_eq!(open.conn.fail(code, ""), refused, "{number}");
                assert_eq!(open.conn.state(), State::Open);
            }
        }
        open.writes(&[]);
        assert_eq!(open.conn.stats().close_code_sent, None);
    }
}

// req: C-12
#[test]
fn mandatory_extension_is_sent_by_clients_and_answered_with_1000_by_servers() {
    let code = CloseCode::MANDATORY_EXTENSION;
    let mut server = End::new(Role::Server, Config::new());
    let refused = Err(SendError::CodeNotSendable(code));
    assert_eq!(server.conn.close(code, "x"), refused);
    let mut client = End::new(Role::Client, Config::new());
    assert_eq!(client.conn.close(code, "x"), Ok(()));
    client.writes(&[(8, b"\x03\xf2x")]);
    server.take_hex("88 02 03f2");
    assert_eq!(server.seen, [closed_with(1010, "")]);
    server.writes(&[(8, b"\x03\xe8")]);
}

// req: C-40
#[test]
fn registered_codes_have_names_and_ranges_have_constructors() {
    let named = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::NO_STATUS, 1005),
        (CloseCode::ABNORMAL, 1006),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::MESSAGE_TOO_BIG, 1009),
        (CloseCode::MANDATORY_EXTENSION, 1010),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::TLS_HANDSHAKE, 1015),
    ];
    for (code, number) in named {
        assert_eq!(code.get(), number);
        assert_eq!(code, CloseCode::new(number));
        assert_eq!(code.is_receivable(), is_legal(number));
        // A name stands beside the number.
        assert!(code.to_string().starts_with(&format!("{number} (")));
    }
    for number in 0..=u16::MAX {
        let code = CloseCode::new(number);
        let library = (3000..=3999).contains(&number).then_some(code);
        let private = (4000..=4999).contains(&number).then_some(code);
        assert_eq!(CloseCode::library(number), library);
        assert_eq!(CloseCode::private(number), private);
    }
}
