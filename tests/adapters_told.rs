//! What the adapters tell a transport beside reading and writing, and transports that answer with an error or
//! with a lie; and layers that keep what is written until they are flushed. What is said to blocking
//! transports alone is in `blocking_told.rs`.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/script.rs"]
mod script;
mod support;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ends::{FORMS, Form};
use framewire::{CloseCode, Closed, Config, Role};
use script::{Call, End, Fault, Moment, Why, Wire, why};
use support::{
    ROLES, connection,
    wire::{close, frame, input, read_output},
};

/// Calls `test` with every role, and every adapter, whole and split.
fn everywhere(test: impl Fn(Role, Form)) {
    for role in ROLES {
        FORMS.iter().for_each(|&form| test(role, form));
    }
}

fn websocket(role: Role, form: Form, wire: &Wire) -> ends::End {
    ends::End::new(form, wire.clone(), connection(role, Config::new()))
}

fn payloads(role: Role, wire: &Wire) -> Vec<Vec<u8>> {
    let frames = read_output(role, &wire.reached());
    frames.into_iter().map(|frame| frame.payload).collect()
}

#[test]
fn transport_that_can_not_be_told_its_end_is_left_alone() {
    everywhere(|role, form| {
        for last in [close(1000, ""), frame(0x83, b"reserved")] {
            let fault = Fault::Once(ErrorKind::NotConnected);
            let faults = move |moment: Moment| (moment.call == Call::EndWriting).then_some(fault);
            let wire = Wire::of(role, &[frame(0x81, b"one"), last]).faults(faults);
            let mut ws = websocket(role, form, &wire);
            while ws.recv_ref(|_, _| ()).expect("no error").is_some() {}
            assert!(ws.recv_ref(|_, _| ()).expect("no error").is_none());
            let last = wire.state().calls.last().copied();
            assert_eq!(last, Some(Call::EndWriting), "{role:?} {form:?}");
        }
    });
}

#[test]
fn peer_that_sends_on_behind_a_failure_is_listened_to_for_a_moment() {
    everywhere(|role, form| {
        // A call that is interrupted is made again.
        let mut is_interrupted = false;
        let faults = move |moment: Moment| {
            let now = moment.call == Call::Read && moment.nth == 3 && !is_interrupted;
            is_interrupted |= now;
            now.then_some(Fault::Once(ErrorKind::Interrupted))
        };
        let wire = Wire::of(role, &[frame(0x83, b"reserved")]).faults(faults);
        for _ in 0..40 {
            wire.deliver(&[0; 1000]);
        }
        let mut ws = websocket(role, form, &wire);
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let calls = wire.state().calls.clone();
        let end = calls.iter().position(|&call| call == Call::EndWriting);
        let behind = &calls[end.expect("it is told")..];
        let reads = behind.iter().filter(|&&call| call == Call::Read).count();
        assert_eq!(
            reads, 42,
            "one is interrupted, and one finds the end: {form:?}"
        );
        let limit = wire.state().limit_read;
        let is_limited = limit.is_some_and(|t| t <= Duration::from_secs(1));
        assert!(is_limited || !form.is_blocking(), "{limit:?}");
    });
}

#[test]
fn peer_that_sends_on_behind_a_failure_without_an_end_is_not_listened_to_for_ever() {
    everywhere(|role, form| {
        let wire = Wire::of(role, &[frame(0x83, b"reserved")]).end(End::Silence);
        for _ in 0..2000 {
            wire.deliver(&[0; 16 * 1024]);
        }
        let mut ws = websocket(role, form, &wire);
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        let discarded = wire.state().delivered.len();
        assert!(discarded <= (16 << 20) + 32 * 1024, "{discarded}");
    });
}

// req: A-09
#[test]
fn transport_that_claims_more_than_it_was_given_is_broken() {
    let lies = |call| move |moment: Moment| (moment.call == call).then_some(Fault::Lie);
    everywhere(|role, form| {
        let open = |call| websocket(role, form, &Wire::new([]).faults(lies(call)));
        let taken = "the transport claims to have";
        let mut ws = open(Call::Write);
        assert_panics(form, taken, || drop(ws.send("Hello")));
        // In more than one slice.
        let mut ws = open(Call::Write);
        assert_panics(form, taken, || drop(ws.send(vec![0; 20_000])));
        if form.may_lie_in_reading() {
            let read = "the transport claims more bytes than it had room for";
            let mut ws = open(Call::Read);
            assert_panics(form, read, || drop(ws.recv()));
        }
    });
}

#[track_caller]
fn assert_panics(form: Form, message: &str, run: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it is found out");
    let found = panic.downcast_ref::<&str>().copied();
    let found = found.or_else(|| panic.downcast_ref::<String>().map(|text| &text[..]));
    assert!(
        found.is_some_and(|text| text.contains(message)),
        "{form:?}: {found:?}"
    );
}

#[test]
fn transport_that_lies_behind_the_end_is_not_listened_to() {
    everywhere(|role, form| {
        if !form.may_lie_in_reading() {
            return;
        }
        let is_late = |moment: Moment| moment.call == Call::Read && moment.nth > 1;
        let lie = move |moment| is_late(moment).then_some(Fault::Lie);
        let wire = Wire::of(role, &[frame(0x83, b"reserved")]).faults(lie);
        let mut ws = websocket(role, form, &wire);
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        assert!(wire.count(Call::Read) < 5000, "{form:?}");
    });
}

#[test]
fn peer_that_is_silent_behind_a_failure_is_not_waited_for_without_a_limit() {
    everywhere(|role, form| {
        // `Silence` panics when nothing would end a wait.
        let silent = Wire::of(role, &[frame(0x83, b"reserved")]).end(End::Silence);
        let mut ws = websocket(role, form, &silent);
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
    });
}

#[test]
fn vectored_write_may_end_in_the_middle_of_any_slice() {
    let large = vec![7; 9000];
    everywhere(|role, form| {
        for most in [1, 3, 8_999, 9_000, 9_001, 9_010, 18_000, 18_050] {
            let wire = Wire::new([]).pieces(1, most).end(End::Silence);
            let mut ws = websocket(role, form, &wire);
            for _ in 0..3 {
                // Of a server: a header, a payload that is shared, a short frame, all in one write.
                let data = large.clone().into();
                ws.with(|conn| conn.send_bytes(framewire::MessageKind::Binary, data))
                    .expect("open");
                ws.feed("short").expect("there is room");
            }
            ws.flush().expect("nothing fails");
            let expected: Vec<&[u8]> = [&large[..], b"short"].repeat(3);
            assert_eq!(payloads(role, &wire), expected, "{form:?}, {most} at once");
        }
    });
}

#[test]
fn layer_that_gathers_is_flushed_by_send_and_flush_but_not_by_feed() {
    everywhere(|role, form| {
        let wire = Wire::new([]).gathering().end(End::Silence);
        let mut ws = websocket(role, form, &wire);
        ws.send("sent").expect("sent");
        assert_eq!(payloads(role, &wire), [b"sent"]);
        ws.feed("fed").expect("queued");
        assert_eq!(wire.count(Call::Write), 1, "it waits for others");
        ws.flush().expect("sent");
        assert_eq!(payloads(role, &wire), [&b"sent"[..], b"fed"]);
        let flushes = wire.count(Call::Flush);
        ws.flush().expect("nothing is left to do");
        assert_eq!(wire.count(Call::Flush), flushes);
    });
}

/// A peer that answers the first bytes that reach it.
fn answering(role: Role, frames: Vec<u8>) -> Wire {
    let mut answer = Some(input(role, &frames));
    Wire::new([])
        .peer(move |_| answer.take().into_iter().collect())
        .gathering()
        .end(End::Silence)
}

#[test]
fn layer_that_gathers_is_flushed_before_anything_is_waited_for() {
    everywhere(|role, form| {
        // What was fed.
        let wire = answering(role, frame(0x81, b"answer"));
        let mut ws = websocket(role, form, &wire);
        ws.feed("question").expect("queued");
        assert_eq!(why(ws.recv()), Ok(Some("answer".into())));
        // The answer to a ping.
        let wire = answering(role, frame(0x81, b"thanks"));
        wire.deliver(&input(role, &frame(0x89, b"ping")));
        let mut ws = websocket(role, form, &wire);
        assert_eq!(why(ws.recv()), Ok(Some("thanks".into())));
    });
}

#[test]
fn layer_that_gathers_is_flushed_when_the_connection_closes() {
    everywhere(|role, form| {
        // A client waits for the server to end the transport, which this one does at once.
        let end = End::Eof;
        let wire = answering(role, close(1000, "")).end(end);
        let mut ws = websocket(role, form, &wire);
        let closed = ws.close(CloseCode::NORMAL, "done", false).expect("closed");
        assert!(matches!(closed, Closed { clean: true, .. }));
        assert_eq!(payloads(role, &wire), [b"\x03\xe8done"]);
        let wire = Wire::of(role, &[close(1001, "")]).gathering();
        let mut ws = websocket(role, form, &wire);
        assert_eq!(why(ws.recv()), Ok(None));
        assert_eq!(payloads(role, &wire), [b"\x03\xe9"]);
        let wire = Wire::of(role, &[frame(0x83, b"")]).gathering();
        let mut ws = websocket(role, form, &wire);
        assert!(matches!(why(ws.recv()), Err(Why::Protocol(_))));
        assert_eq!(payloads(role, &wire), [b"\x03\xea"]);
    });
}

#[test]
fn close_frame_that_a_layer_lost_is_no_clean_end() {
    everywhere(|role, form| {
        let faults = |moment: Moment| {
            let kind = ErrorKind::BrokenPipe;
            (moment.call == Call::Flush).then_some(Fault::ForGood(kind))
        };
        let wire = Wire::of(role, &[close(1000, "")])
            .gathering()
            .faults(faults);
        let mut ws = websocket(role, form, &wire);
        assert_eq!(why(ws.recv()), Ok(None), "the peer has closed");
        assert_eq!(wire.reached(), b"");
        let closed = ws.with(|conn| conn.closed()).expect("it has");
        assert!(!closed.clean, "our Close frame has not left: {closed:?}");
    });
}
