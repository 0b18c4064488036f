//! RFC 6455 section 7: the closing handshake from its beginning to the end of the transport, in
//! every order, and the other ways in which a connection ends.

mod support;

use bytes::Buf as _;
use framewire::{CloseCode, Closed, ClosedBy, Config, Role, SendError, State, UnexpectedEof};
use support::{
    ROLES,
    pair::{End, Pair},
    trace::{Seen, drain},
};

fn closed_with(code: CloseCode, reason: &str) -> Seen {
    Seen::Close(Some((code, reason.into())))
}

/// Writes all but the last byte, so that something is queued, and then that one; in between the
/// connection must not say that it is closed.
#[track_caller]
fn flush_to_the_last_byte(end: &mut End) {
    while end.conn.send_buf().remaining() > 1 {
        end.conn.send_buf().advance(1);
        assert_eq!(end.conn.state(), State::Closing);
        assert!(!end.conn.is_closed());
    }
    end.conn.send_buf().advance(1);
}

#[track_caller]
fn assert_closed(end: &End, code: CloseCode, clean: bool, by: ClosedBy) {
    let closed = end.conn.closed().expect("how it closed is known");
    assert_eq!((closed.code, closed.clean, closed.by), (code, clean, by));
}

// req: C-21
#[test]
fn server_is_closed_as_soon_as_its_answer_is_flushed() {
    let mut server = End::new(Role::Server, Config::new());
    assert_eq!(
        (server.conn.state(), server.conn.closed()),
        (State::Open, None)
    );
    server.take_hex("88 02 03e8");
    assert_eq!(server.seen, [closed_with(CloseCode::NORMAL, "")]);
    assert_eq!(server.conn.state(), State::Closing);
    flush_to_the_last_byte(&mut server);
    assert_eq!(server.conn.state(), State::Closed);
    assert!(server.conn.is_closed());
    assert_closed(&server, CloseCode::NORMAL, true, ClosedBy::Peer);
    // The transport's end comes later, and is expected.
    assert_eq!(server.conn.receive_eof(), Ok(()));
    assert_closed(&server, CloseCode::NORMAL, true, ClosedBy::Peer);
}

// req: C-21
#[test]
fn server_that_began_is_closed_with_the_peers_answer() {
    let mut server = End::new(Role::Server, Config::new());
    server.conn.close(CloseCode::GOING_AWAY, "later").unwrap();
    assert_eq!(server.conn.state(), State::Closing);
    server.writes(&[(8, b"\x03\xe9later")]);
    assert_eq!(
        (server.conn.state(), server.conn.closed()),
        (State::Closing, None)
    );
    server.take_hex("88 02 03e9");
    assert_eq!(server.conn.state(), State::Closed);
    assert_closed(&server, CloseCode::GOING_AWAY, true, ClosedBy::Us);
}

// req: C-22
#[test]
fn client_waits_for_the_end_of_the_transport() {
    for began in [false, true] {
        let mut client = End::new(Role::Client, Config::new());
        if began {
            client.conn.close(CloseCode::NORMAL, "").unwrap();
            flush_to_the_last_byte(&mut client);
            assert_eq!(
                (client.conn.state(), client.conn.closed()),
                (State::Closing, None)
            );
        }
        client.take_hex("88 02 03e8");
        if !began {
            flush_to_the_last_byte(&mut client);
        }
        // Both Close frames have passed: how it closed is known, but the server ends the transport.
        let by = [ClosedBy::Peer, ClosedBy::Us][usize::from(began)];
        assert_closed(&client, CloseCode::NORMAL, true, by);
        assert_eq!(client.conn.state(), State::Closing);
        assert_eq!(client.conn.receive_eof(), Ok(()));
        assert_eq!(client.conn.state(), State::Closed);
        assert_closed(&client, CloseCode::NORMAL, true, by);
    }
}

// req: C-21, C-22
#[test]
fn closing_handshake_runs_from_either_end() {
    for role in ROLES {
        let mut pair = Pair::new(Config::new(), Config::new());
        let (us, peer) = pair.ends(role);
        us.conn.send_text("last").unwrap();
        us.conn
            .close(CloseCode::private(4001).unwrap(), "bye")
            .unwrap();
        peer.conn.send_text("on its way").unwrap();
        pair.exchange();
        let (us, peer) = pair.ends(role);
        let code = CloseCode::new(4001);
        assert_eq!(
            peer.seen,
            [Seen::Text("last".into()), closed_with(code, "bye")]
        );
        assert_eq!(
            us.seen,
            [Seen::Text("on its way".into()), closed_with(code, "")]
        );
        assert_closed(us, code, true, ClosedBy::Us);
        assert_closed(peer, code, true, ClosedBy::Peer);
        assert_eq!(pair.server.conn.state(), State::Closed);
        assert_eq!(pair.client.conn.state(), State::Closing);
        pair.client.conn.receive_eof().unwrap();
        assert_eq!(pair.client.conn.state(), State::Closed);
    }
}

// req: C-27, C-29
#[test]
fn when_both_sides_close_at_once_both_finish_without_a_third_close() {
    for reverse in [false, true] {
        let mut pair = Pair::new(Config::new(), Config::new());
        let (client, server) = (&mut pair.client, &mut pair.server);
        client.conn.close(CloseCode::new(3001), "c").unwrap();
        server.conn.close(CloseCode::new(3002), "s").unwrap();
        let (up, down) = (drain(&mut client.conn), drain(&mut server.conn));
        if reverse {
            client.take(&down);
            server.take(&up);
        } else {
            server.take(&up);
            client.take(&down);
        }
        client.writes(&[]);
        server.writes(&[]);
        // Each reports the code of the other.
        assert_eq!(server.seen, [closed_with(CloseCode::new(3001), "c")]);
        assert_eq!(client.seen, [closed_with(CloseCode::new(3002), "s")]);
        assert_closed(server, CloseCode::new(3001), true, ClosedBy::Us);
        assert_closed(client, CloseCode::new(3002), true, ClosedBy::Us);
        let stats = server.conn.stats();
        assert_eq!(stats.close_code_sent, Some(CloseCode::new(3002)));
        assert_eq!(stats.close_code_received, Some(CloseCode::new(3001)));
        assert_eq!(server.conn.state(), State::Closed);
        assert_eq!(client.conn.state(), State::Closing);
        assert_eq!(client.conn.receive_eof(), Ok(()));
        assert_eq!(client.conn.state(), State::Closed);
    }
}

// req: C-29
#[test]
fn our_close_still_leaves_when_the_peers_crosses_it_in_the_queue() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.close(CloseCode::new(3001), "").unwrap();
        end.conn.send_buf().advance(2);
        end.take_hex("88 02 0bba");
        assert_eq!(end.conn.state(), State::Closing);
        flush_to_the_last_byte(&mut end);
        let expected = match role {
            Role::Server => State::Closed,
            Role::Client => State::Closing,
        };
        assert_eq!(end.conn.state(), expected);
        end.writes(&[]);
        assert_closed(&end, CloseCode::new(3002), true, ClosedBy::Us);
    }
}

// req: C-25, C-26
#[test]
fn end_of_the_transport_is_clean_exactly_behind_both_closes() {
    // What happens before it, whether it is expected, and how the connection closed.
    type Case = (
        &'static str,
        fn(&mut End),
        Result<(), UnexpectedEof>,
        (u16, bool, ClosedBy),
    );
    let eof_error = || {
        let mut conn = support::connection(Role::Server, Config::new());
        conn.receive_eof().expect_err("no Close frame came")
    };
    let cases: [Case; 7] = [
        (
            "at once",
            |_| {},
            Err(eof_error()),
            (1006, false, ClosedBy::Peer),
        ),
        (
            "in a message",
            |end| end.take_hex("01 01 61"),
            Err(eof_error()),
            (1006, false, ClosedBy::Peer),
        ),
        (
            "in a Close frame",
            |end| end.take_hex("88 02 03"),
            Err(eof_error()),
            (1006, false, ClosedBy::Peer),
        ),
        (
            "behind our Close",
            |end| end.conn.close(CloseCode::NORMAL, "").unwrap(),
            Err(eof_error()),
            (1006, false, ClosedBy::Us),
        ),
        (
            "behind the peer's",
            |end| end.take_hex("88 02 03e9"),
            Ok(()),
            (1001, true, ClosedBy::Peer),
        ),
        (
            "behind its failure",
            |end| end.take_hex("83 00"),
            Ok(()),
            (1006, false, ClosedBy::Us),
        ),
        (
            "behind ours",
            |end| end.conn.fail(CloseCode::INTERNAL_ERROR, "").unwrap(),
            Ok(()),
            (1006, false, ClosedBy::Us),
        ),
    ];
    for role in ROLES {
        for (when, before, expected, (code, clean, by)) in cases {
            for flushed in [false, true] {
                let mut end = End::new(role, Config::new());
                before(&mut end);
                if flushed {
                    drain(&mut end.conn);
                }
                assert_eq!(end.conn.receive_eof(), expected, "{when}");
                assert_closed(&end, CloseCode::new(code), clean, by);
                drain(&mut end.conn);
                assert_eq!(end.conn.state(), State::Closed, "{when}");
                assert_closed(&end, CloseCode::new(code), clean, by);
                // Telling it twice changes nothing.
                assert_eq!(end.conn.receive_eof(), expected, "{when}");
                assert_closed(&end, CloseCode::new(code), clean, by);
            }
        }
    }
}

// req: C-25
#[test]
fn what_was_queued_still_leaves_to_a_peer_that_ended_its_own_direction() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text("reply").unwrap();
        end.take_hex("89 01 70");
        assert!(end.conn.receive_eof().is_err());
        assert_eq!(end.conn.state(), State::Closing);
        assert_closed(&end, CloseCode::ABNORMAL, false, ClosedBy::Peer);
        assert_eq!(end.conn.send_text("more"), Err(SendError::Closed));
        assert_eq!(
            end.conn.close(CloseCode::NORMAL, ""),
            Err(SendError::Closed)
        );
        assert_eq!(end.conn.fail(CloseCode::NORMAL, ""), Err(SendError::Closed));
        end.writes(&[(1, b"reply"), (10, b"p")]);
        assert_eq!(end.conn.state(), State::Closed);
        // Bytes behind the end are none.
        end.take_hex("81 01 61");
        assert_eq!(end.seen, [Seen::Ping(b"p".to_vec())]);
        assert!(end.rx.is_empty());

        // With nothing queued there is nothing left to do.
        let mut end = End::new(role, Config::new());
        assert!(end.conn.receive_eof().is_err());
        assert!(end.conn.is_closed());
    }
}

// req: C-30, C-38
#[test]
fn failure_by_the_application_sends_its_code_and_receives_no_more() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.send_text("queued").unwrap();
        let code = CloseCode::INTERNAL_ERROR;
        assert_eq!(end.conn.fail(code, "handler panicked"), Ok(()));
        end.take_hex("81 01 61 88 02 03e8");
        assert_eq!(end.seen, []);
        assert!(end.rx.is_empty());
        assert_eq!(end.conn.fail(code, ""), Err(SendError::Closed));
        assert_eq!(end.conn.close(code, ""), Err(SendError::Closed));
        assert_eq!(end.conn.send_text("more"), Err(SendError::Closed));
        assert_eq!(end.conn.state(), State::Closing);
        end.writes(&[(1, b"queued"), (8, b"\x03\xf3handler panicked")]);
        // Also a client need not wait: it is failing, not closing.
        assert_eq!(end.conn.state(), State::Closed);
        assert_closed(&end, CloseCode::ABNORMAL, false, ClosedBy::Us);
        // The peer did nothing wrong.
        assert_eq!(end.conn.failure(), None);
    }
}

// req: C-30, C-31
#[test]
fn failure_by_the_application_cuts_its_own_closing_handshake_short() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.conn.close(CloseCode::NORMAL, "").unwrap();
        end.writes(&[(8, b"\x03\xe8")]);
        assert_eq!(end.conn.state(), State::Closing);
        assert_eq!(end.conn.fail(CloseCode::POLICY_VIOLATION, ""), Ok(()));
        assert_eq!(end.conn.state(), State::Closed);
        end.writes(&[]);
        assert_closed(&end, CloseCode::ABNORMAL, false, ClosedBy::Us);
        end.take_hex("88 02 03e8");
        assert_eq!(end.seen, []);
    }
}

// req: C-13, C-30
#[test]
fn failure_by_the_application_comes_too_late_behind_both_closes() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.take_hex("88 02 03e8");
        let result = end.conn.fail(CloseCode::POLICY_VIOLATION, "");
        assert_eq!(result, Err(SendError::Closed));
        end.writes(&[(8, b"\x03\xe8")]);
        assert_closed(&end, CloseCode::NORMAL, true, ClosedBy::Peer);
    }
}

// req: C-35, C-38
#[test]
fn applications_shut_down_with_the_codes_made_for_it() {
    for role in ROLES {
        for code in [
            CloseCode::GOING_AWAY,
            CloseCode::SERVICE_RESTART,
            CloseCode::TRY_AGAIN_LATER,
            CloseCode::INTERNAL_ERROR,
        ] {
            let mut pair = Pair::new(Config::new(), Config::new());
            let (us, _) = pair.ends(role);
            us.conn.close(code, "maintenance").unwrap();
            pair.exchange();
            let (us, peer) = pair.ends(role);
            assert_eq!(peer.seen, [closed_with(code, "maintenance")]);
            assert_closed(peer, code, true, ClosedBy::Peer);
            assert_closed(us, code, true, ClosedBy::Us);
        }
    }
}

// req: C-13, C-18
#[test]
fn event_found_by_wants_read_is_delivered_although_we_close_before_taking_it() {
    for role in ROLES {
        for digits in ["81 01 61", "01 00 80 01 61"] {
            let mut end = End::new(role, Config::new());
            end.rx
                .extend_from_slice(&support::wire::input_hex(role, digits));
            assert!(!end.conn.wants_read(&mut end.rx));
            end.conn.close(CloseCode::NORMAL, "").unwrap();
            end.take_hex("88 02 03e8");
            let expected = [Seen::Text("a".into()), closed_with(CloseCode::NORMAL, "")];
            assert_eq!(end.seen, expected);
            end.writes(&[(8, b"\x03\xe8")]);
        }
        // A Close frame found that way is answered already.
        let mut end = End::new(role, Config::new());
        end.rx
            .extend_from_slice(&support::wire::input_hex(role, "88 02 03e9"));
        assert!(!end.conn.wants_read(&mut end.rx));
        let late = end.conn.close(CloseCode::NORMAL, "");
        assert_eq!(late, Err(SendError::Closed));
        end.writes(&[(8, b"\x03\xe9")]);
        end.take(&[]);
        assert_eq!(end.seen, [closed_with(CloseCode::GOING_AWAY, "")]);
        assert!(end.conn.wants_read(&mut end.rx), "no event is left");
    }
}

// req: C-39
#[test]
fn connection_can_be_dropped_in_any_state() {
    let steps: [fn(&mut End); 6] = [
        |end| end.conn.send_text(&"x".repeat(100_000)).unwrap(),
        |end| end.take_hex("02 05 6162"), // in the middle of a message
        |end| {
            end.conn
                .start_message(framewire::MessageKind::Text)
                .unwrap()
        },
        |end| end.conn.send_buf().advance(1),
        |end| end.conn.close(CloseCode::NORMAL, "").unwrap(),
        |end| end.conn.receive_eof().unwrap_or_default(),
    ];
    for role in ROLES {
        for count in 0..=steps.len() {
            let mut end = End::new(role, Config::new());
            steps[..count].iter().for_each(|step| step(&mut end));
            // Its buffer is free for another connection only when nothing of it is left in there,
            // and dropping the connection neither writes nor waits: it owns no transport.
            drop(end.conn);
            assert_eq!(end.rx.is_empty(), count < 2);
        }
    }
}

#[test]
fn closed_is_unknown_as_long_as_the_connection_is_open() {
    for role in ROLES {
        let mut end = End::new(role, Config::new());
        end.take_hex("81 01 61 89 00");
        drain(&mut end.conn);
        let closed: Option<Closed> = end.conn.closed();
        assert_eq!((end.conn.state(), closed), (State::Open, None));
        assert!(!end.conn.is_closed());
    }
}
