//! A WebSocket as a stream of bytes: how its errors are told, and how it is given back.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::panic::{self, AssertUnwindSafe};

use framewire::blocking::{ByteStream, Transport, Untimed};
use framewire::{CloseCode, Config, Error, PartEvent, ProtocolError, Role, TimedOut};
use script::{Call, End, Fault, Moment, Wire, websocket};
use support::{
    ROLES,
    wire::{close, frame, input, read_output},
};

fn stream<S: Transport>(role: Role, config: Config, transport: S) -> ByteStream<S> {
    ByteStream::new(websocket(role, config, transport))
}

/// Why a stream failed.
fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn websocket_is_closed_in_the_middle_of_a_message_that_is_read() {
    for role in ROLES {
        let frames = [frame(0x02, b"begun"), frame(0x80, b"done"), close(1000, "")].concat();
        let wire = Wire::new([&input(role, &frames)[..]]);
        let mut stream = stream(role, Config::new(), wire);
        stream.read_exact(&mut [0; 3]).expect("read");
        let closed = stream.close(CloseCode::NORMAL, "").expect("closed");
        assert!(closed.clean);
    }
}

#[test]
fn failure_is_an_error_behind_what_had_arrived() {
    for role in ROLES {
        let frames = [
            frame(0x82, b"fine"),
            frame(0x01, b"half \xff"),
            frame(0x80, b""),
        ]
        .concat();
        let mut stream = stream(role, Config::new(), Wire::new([&input(role, &frames)[..]]));
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received).expect_err("not text");
        assert_eq!(received, b"fine");
        assert_eq!(end.kind(), ErrorKind::Other);
        let invalid = ProtocolError::InvalidUtf8;
        assert!(matches!(inner(&end), Some(Error::Protocol(error)) if *error == invalid));
        let end = stream.read(&mut [0]).expect_err("it stays so");
        assert!(matches!(inner(&end), Some(Error::Protocol(error)) if *error == invalid));
    }
}

#[test]
fn errors_of_the_transport_are_told_as_they_are() {
    for role in ROLES {
        let whole = input(role, &frame(0x82, b"before"));
        let faults = |moment: Moment| {
            let is_late = moment.call == Call::Read && moment.nth > 1;
            is_late.then_some(Fault::ForGood(ErrorKind::ConnectionReset))
        };
        let mut stream = stream(role, Config::new(), Wire::new([&whole[..]]).faults(faults));
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received).expect_err("reset");
        assert_eq!(
            (&received[..], end.kind()),
            (&b"before"[..], ErrorKind::ConnectionReset)
        );
        let mut stream = self::stream(role, Config::new(), Wire::new([&whole[..]]));
        let end = io::copy(&mut stream, &mut io::sink()).expect_err("no Close frame");
        assert!(matches!(inner(&end), Some(Error::Eof(_))), "{end:?}");
        let soon = std::time::Duration::from_millis(1);
        let silent = Wire::new([]).end(End::Silence);
        let mut stream = self::stream(role, Config::new().close_timeout(soon), silent);
        stream
            .connection_mut()
            .close(CloseCode::NORMAL, "")
            .expect("open");
        let end = stream.read(&mut [0]).expect_err("no answer");
        let late = TimedOut::Close;
        assert!(matches!(inner(&end), Some(Error::TimedOut(error)) if *error == late));
    }
}

#[test]
fn interrupted_transport_is_no_interrupted_stream() {
    for role in ROLES {
        let frames = [frame(0x82, b"some"), frame(0x82, b"thing"), close(1000, "")].concat();
        let mut fails = false;
        let faults = move |_: Moment| {
            fails = !fails;
            fails.then_some(Fault::Once(ErrorKind::Interrupted))
        };
        let wire = Wire::new([&input(role, &frames)[..]])
            .pieces(1, 1)
            .faults(faults);
        let mut stream = stream(role, Config::new(), Untimed(wire));
        let (mut received, mut buf) = (Vec::new(), [0; 2]);
        while let n @ 1.. = stream.read(&mut buf).expect("no error") {
            received.extend_from_slice(&buf[..n]);
        }
        assert_eq!(received, b"something");
    }
}

#[test]
fn transport_that_would_block_is_a_stream_that_would_block() {
    for role in ROLES {
        let message = input(role, &frame(0x82, b"later"));
        let wire = Wire::new([]).end(End::WouldBlock);
        let mut stream = stream(role, Config::new(), Untimed(wire.clone()));
        let mut received = Vec::new();
        for byte in message {
            let mut buf = [0; 10];
            let blocked = stream.read(&mut buf).expect_err("nothing is there");
            assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
            wire.deliver(&[byte]);
            if let Ok(n) = stream.read(&mut buf) {
                received.extend_from_slice(&buf[..n]);
            }
        }
        assert_eq!(received, b"later");
    }
}

// `Write::write`: an error means that nothing was taken.
#[test]
fn write_that_says_it_would_block_has_taken_nothing() {
    for role in ROLES {
        let mut blocks = true;
        let faults = move |moment: Moment| {
            if moment.call != Call::Write {
                return None;
            }
            blocks = !blocks;
            (!blocks).then_some(Fault::Once(ErrorKind::WouldBlock))
        };
        let wire = Wire::new([]).end(End::WouldBlock).faults(faults);
        let mut stream = stream(role, Config::new(), Untimed(wire.clone()));
        let sent = bytes(300_000);
        let mut rest = &sent[..];
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        while stream.flush().is_err() {}
        let frames = read_output(role, &wire.reached());
        let received: Vec<u8> = frames.into_iter().flat_map(|frame| frame.payload).collect();
        assert_eq!(received.len(), sent.len(), "{role:?}");
        assert!(received == sent);
    }
}

/// A stream in the middle of a message, whose line has been read and whose rest has not.
fn behind_one_line(role: Role, rest: &[u8]) -> ByteStream<Wire> {
    let frames = [
        frame(0x01, b"one line\n"),
        frame(0x80, rest),
        frame(0x81, b"a message"),
        close(1000, ""),
    ];
    let wire = Wire::new([&input(role, &frames.concat())[..]]);
    let mut stream = stream(role, Config::new(), wire);
    stream.read_exact(&mut [0; 9]).expect("a line");
    stream
}

// Whether a message has ended with what was read is up to the peer and to the network.
#[test]
fn websocket_that_is_given_back_can_receive_wherever_the_stream_was() {
    for (role, rest) in ROLES
        .into_iter()
        .flat_map(|r| [&b""[..], b"not read"].map(|b| (r, b)))
    {
        // "The rest of a message that has been read in part is lost."
        let mut ws = behind_one_line(role, rest)
            .into_websocket()
            .expect("the rest of the message");
        let message = ws.recv().expect("no error");
        assert_eq!(message, Some("a message".into()), "{role:?}");
        assert_eq!(ws.recv().expect("no error"), None);
        // Whoever goes on by the part.
        let mut ws = behind_one_line(role, rest)
            .into_websocket()
            .expect("the rest of the message");
        let (part, _) = ws.recv_part_ref().expect("no error").expect("a part");
        let message = PartEvent::Text {
            part: "a message",
            last: true,
        };
        assert_eq!(part, message, "{role:?}");
        // And whoever only closes.
        let mut ws = behind_one_line(role, rest)
            .into_websocket()
            .expect("the rest of the message");
        assert!(ws.close(CloseCode::NORMAL, "").expect("closed").clean);
    }
}

#[test]
fn websocket_that_is_given_back_can_be_split_wherever_the_stream_was() {
    for role in ROLES {
        let ws = behind_one_line(role, b"not read")
            .into_websocket()
            .expect("the rest of the message");
        let (mut receiver, _sender) = ws.split().expect("it can be");
        let message = receiver.recv().expect("no error");
        assert_eq!(message, Some("a message".into()), "{role:?}");
    }
}

#[test]
fn websocket_that_is_given_back_between_two_messages_skips_nothing_later() {
    for role in ROLES {
        let frames = [
            frame(0x82, b"stream"),
            frame(0x02, b"begun"),
            frame(0x80, b" and done"),
            close(1000, ""),
        ];
        let wire = Wire::new([&input(role, &frames.concat())[..]]);
        let mut stream = stream(role, Config::new(), wire);
        stream.read_exact(&mut [0; 6]).expect("the first message");
        let mut ws = stream.into_websocket().expect("the rest of the message");
        let (part, _) = ws.recv_part_ref().expect("no error").expect("a part");
        assert!(
            matches!(part, PartEvent::Binary { part: b"begun", .. }),
            "{part:?}"
        );
        // Documented as a panic: in the middle of a message that is handed out in parts.
        let mixed = panic::catch_unwind(AssertUnwindSafe(|| ws.recv().map(drop)));
        assert!(
            mixed.is_err(),
            "{role:?}: the rest was dropped without a word"
        );
    }
}
