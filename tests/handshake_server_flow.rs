//! The server's opening handshake over time: what is left for the connection, what is discarded,
//! deadlines and ends of the transport.

#[path = "support/http.rs"]
mod http;

use std::time::Duration;

use framewire::server::{Config, Handshake, Opening, PlainRequest, Request, Response};
use framewire::{Connection, Event, ProtocolError, RecvBuf, TimedOut};
use http::{Outcome, get, outcome, take, websocket};

const SECOND: Duration = Duration::from_secs(1);

fn filled(bytes: &[u8]) -> RecvBuf {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(bytes);
    rx
}

// req: HS-46
#[test]
fn frames_behind_the_request_are_delivered_after_the_101() {
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // text "Hello", masked
    let ping = b"\x89\x80\x00\x00\x00\x00"; // empty, masked
    let bytes = [&websocket().bytes()[..], hello, ping, &hello[..5]].concat();
    let Outcome::Upgraded { events, output, .. } = outcome(&Config::new(), &bytes) else {
        panic!("refused");
    };
    assert_eq!(events, ["Text(\"Hello\")", "Ping([])"]);
    assert_eq!(output, b"\x8a\x00");
}

// req: HS-48
#[test]
fn second_request_behind_an_accepted_one_fails_as_a_frame() {
    let bytes = [websocket().bytes(), websocket().bytes()].concat();
    let Outcome::Upgraded { events, output, .. } = outcome(&Config::new(), &bytes) else {
        panic!("refused");
    };
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("Failed("), "{events:?}");
    assert_eq!(&output[..1], b"\x88", "a Close frame");
    assert_eq!(&output[2..4], &1002_u16.to_be_bytes());
    assert_eq!(output.len(), 2 + usize::from(output[1]));
}

// req: HS-47
#[test]
fn nothing_behind_a_refused_request_is_parsed() {
    for first in [
        websocket().with("Sec-WebSocket-Version", "12"),
        websocket().and("Content-Length", "500"),
        websocket().and("Origin", "https://evil.example"),
        websocket().first("POST / HTTP/1.1"),
    ] {
        let refused = first.at(&Config::new());
        assert!(matches!(refused, Outcome::Rejected { .. }));
        // Behind the head, and in the middle of what was judged before its end.
        for behind in [
            websocket().bytes(),
            b"\x00".repeat(9),
            b"GET / HTTP/1.1\r\n\r\n".repeat(9),
        ] {
            let bytes = [first.bytes(), behind].concat();
            assert_eq!(outcome(&Config::new(), &bytes), refused);
        }
    }
}

// req: HS-47
#[test]
fn bytes_behind_a_request_without_upgrade_are_discarded() {
    let bytes = [get("/").bytes(), websocket().bytes()].concat();
    assert_eq!(outcome(&Config::new(), &bytes), get("/").at(&Config::new()));
}

// req: HS-47
#[test]
fn denied_request_leaves_what_follows_unparsed() {
    let mut rx = filled(&[websocket().bytes(), websocket().bytes()].concat());
    let mut handshake = Handshake::new(&Config::new());
    let Some(Opening::Upgrade(request)) = handshake.receive(&mut rx) else {
        panic!("refused");
    };
    let mut tx = request.respond(Response::new(403).expect("a final status"));
    assert!(handshake.receive(&mut rx).is_none());
    let answer = http::Answer::read(&take(&mut tx));
    assert_eq!(
        (answer.status, answer.header("Connection")),
        (403, Some("close"))
    );
    assert!(take(handshake.send_buf()).is_empty());
}

// req: HS-45
#[test]
fn deadline_is_not_moved_by_bytes() {
    let mut handshake = Handshake::new(&Config::new());
    let mut rx = RecvBuf::new();
    let start = 100 * SECOND;
    for (second, byte) in (0..).zip(websocket().bytes()) {
        let now = start + second * SECOND;
        rx.extend_from_slice(&[byte]);
        assert!(handshake.receive(&mut rx).is_none());
        if second == 10 {
            assert_eq!(handshake.handle_timeout(now), Err(TimedOut::Handshake));
            break;
        }
        assert_eq!(handshake.handle_timeout(now), Ok(Some(start + 10 * SECOND)));
    }
    // It is over, whatever comes.
    rx.extend_from_slice(&websocket().bytes());
    assert!(handshake.receive(&mut rx).is_none());
    assert!(rx.is_empty());
    assert_eq!(handshake.handle_timeout(start + 99 * SECOND), Ok(None));
    assert_eq!(handshake.receive_eof(), Ok(()));
}

// req: HS-45
#[test]
fn deadline_is_configured_and_starts_with_the_first_look_at_the_clock() {
    let config = Config::new().timeout(3 * SECOND);
    let mut handshake = Handshake::new(&config);
    assert_eq!(handshake.handle_timeout(SECOND), Ok(Some(4 * SECOND)));
    assert_eq!(
        handshake.handle_timeout(Duration::ZERO),
        Ok(Some(4 * SECOND))
    );
    assert_eq!(
        handshake.handle_timeout(9 * SECOND),
        Err(TimedOut::Handshake)
    );

    let mut handshake = Handshake::new(&Config::new().timeout(Duration::MAX));
    assert_eq!(handshake.handle_timeout(SECOND), Ok(None));
    assert_eq!(handshake.handle_timeout(Duration::MAX), Ok(None));

    let mut handshake = Handshake::new(&Config::new().timeout(Duration::ZERO));
    assert_eq!(handshake.handle_timeout(SECOND), Err(TimedOut::Handshake));
}

// req: HS-45
#[test]
fn deadline_ends_with_the_request_or_the_written_refusal() {
    let mut handshake = Handshake::new(&Config::new());
    assert!(handshake.handle_timeout(Duration::ZERO).is_ok());
    assert!(
        handshake
            .receive(&mut filled(&websocket().bytes()))
            .is_some()
    );
    assert_eq!(handshake.handle_timeout(99 * SECOND), Ok(None));

    let mut handshake = Handshake::new(&Config::new());
    assert!(handshake.handle_timeout(Duration::ZERO).is_ok());
    assert!(handshake.receive(&mut filled(b"\0")).is_some());
    let due = Ok(Some(10 * SECOND));
    assert_eq!(
        handshake.handle_timeout(SECOND),
        due,
        "nobody reads the answer"
    );
    assert!(!take(handshake.send_buf()).is_empty());
    assert_eq!(handshake.handle_timeout(99 * SECOND), Ok(None));

    let mut handshake = Handshake::new(&Config::new());
    assert!(handshake.handle_timeout(Duration::ZERO).is_ok());
    assert!(handshake.receive(&mut filled(b"\0")).is_some());
    assert_eq!(
        handshake.handle_timeout(10 * SECOND),
        Err(TimedOut::Handshake)
    );
    assert!(handshake.send_buf().is_empty());
}

// req: HS-53
#[test]
fn end_of_transport_inside_the_request_aborts() {
    let bytes = websocket().bytes();
    for end in [0, 1, 20, bytes.len() - 1] {
        let mut handshake = Handshake::new(&Config::new());
        let mut rx = filled(&bytes[..end]);
        assert!(handshake.receive(&mut rx).is_none());
        let aborted = handshake
            .receive_eof()
            .expect_err("the request is incomplete");
        assert_eq!(aborted.received, end);
        assert!(aborted.to_string().contains(&end.to_string()));
        // Nothing comes of it later, nothing is written, and it is told once.
        rx.extend_from_slice(&bytes[end..]);
        assert!(handshake.receive(&mut rx).is_none());
        assert!(rx.is_empty());
        rx.release();
        assert_eq!(rx.capacity(), 0);
        assert!(handshake.send_buf().is_empty());
        assert_eq!(handshake.send_buf().capacity(), 0);
        assert_eq!(handshake.receive_eof(), Ok(()));
    }
}

// req: HS-53
#[test]
fn end_of_transport_behind_the_request_is_the_business_of_its_answer() {
    for lines in [websocket(), get("/")] {
        let mut handshake = Handshake::new(&Config::new());
        assert!(handshake.receive(&mut filled(&lines.bytes())).is_some());
        assert_eq!(handshake.receive_eof(), Ok(()));
    }
}

#[test]
#[should_panic(expected = "another RecvBuf")]
fn another_buffer_in_the_middle_of_the_request_is_found() {
    let mut handshake = Handshake::new(&Config::new());
    assert!(handshake.receive(&mut filled(b"GET")).is_none());
    handshake.receive(&mut filled(b"GET / HTTP/1.1\r\n\r\n"));
}

#[test]
fn configuration_of_the_connection_is_used() {
    let config = Config::new().connection(framewire::Config::new().max_message_size(4));
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let mut rx = filled(&[&websocket().bytes()[..], hello].concat());
    let Some(Opening::Upgrade(request)) = Handshake::new(&config).receive(&mut rx) else {
        panic!("refused");
    };
    let mut conn = request.upgrade();
    let Some(Event::Failed(error)) = conn.receive(&mut rx) else {
        panic!("accepted");
    };
    assert!(matches!(error, ProtocolError::MessageTooBig { .. }));
    assert_eq!(
        conn.stats().bytes_sent,
        take(conn.send_buf()).len() as u64 - 129
    );
}

#[test]
fn messages_queue_behind_the_101() {
    let mut conn = http::request(&websocket()).upgrade();
    conn.send_text("hi").expect("open");
    let bytes = take(conn.send_buf());
    assert!(bytes.starts_with(b"HTTP/1.1 101 ") && bytes.ends_with(b"\r\n\r\n\x81\x02hi"));
}

#[test]
fn everything_can_be_sent_to_another_thread() {
    fn is_send<T: Send + Sync + 'static>() {}
    is_send::<Handshake>();
    is_send::<Config>();
    is_send::<Opening>();
    is_send::<Request>();
    is_send::<PlainRequest>();
    is_send::<Response>();
    is_send::<Connection>();
    is_send::<RecvBuf>();
    is_send::<framewire::SendBuf>();
    is_send::<framewire::PreparedMessage>();
    is_send::<framewire::Config>();
    is_send::<Event<'static>>();
    is_send::<framewire::PartEvent<'static>>();
    is_send::<framewire::CloseFrame<'static>>();
    is_send::<framewire::Closed>();
    is_send::<framewire::Stats>();
    is_send::<ProtocolError>();
    is_send::<framewire::SendError>();
    is_send::<TimedOut>();
    is_send::<framewire::UnexpectedEof>();
    is_send::<framewire::frame::Header>();
    is_send::<framewire::frame::HeaderError>();
    is_send::<framewire::frame::MaskingKey>();
    is_send::<framewire::server::HandshakeError>();
    is_send::<framewire::server::OriginPolicy>();
}
