//! A WebSocket as a stream of bytes: what is written at one end is read at the other, however it is cut.
//! Errors, and the WebSocket given back, are in `blocking_bytes_errors.rs`.

#[path = "support/script.rs"]
mod script;
mod support;

use std::io::{self, Read, Write};

use framewire::blocking::ByteStream;
use framewire::{CloseCode, Config, Error, Role};
use proptest::{collection::vec, prelude::*};
use script::{Call, End, Wire, websocket};
use support::{
    ROLES,
    wire::{close, frame, input, read_output},
};

fn stream(role: Role, config: Config, wire: Wire) -> ByteStream<Wire> {
    ByteStream::new(websocket(role, config, wire))
}

/// Two streams that are connected.
fn pair(seed: u64) -> [ByteStream<Wire>; 2] {
    let [client, server] = Wire::pair(seed);
    [
        stream(Role::Client, Config::new(), client),
        stream(Role::Server, Config::new(), server),
    ]
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// Why a stream failed.
fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

#[test]
fn bytes_go_both_ways_in_any_size() {
    for size in [1, 2, 125, 126, 1000, 65_535, 65_536, 65_537, 200_000] {
        let [mut client, mut server] = pair(size as u64);
        let sent = bytes(size);
        for (from, to) in [(0, 1), (1, 0)] {
            let ends = [&mut client, &mut server];
            let [from, to] = if from < to {
                ends
            } else {
                let [a, b] = ends;
                [b, a]
            };
            from.write_all(&sent).expect("written");
            from.flush().expect("flushed");
            let mut received = vec![0; size];
            to.read_exact(&mut received).expect("read");
            assert!(received == sent, "{size}");
        }
    }
}

#[test]
fn messages_of_either_kind_and_any_cut_are_one_stream() {
    let frames = [
        frame(0x81, b"text, "),
        frame(0x82, b"binary, "),
        frame(0x89, b"not this"),
        frame(0x01, "in pièces".as_bytes()),
        frame(0x00, b""),
        frame(0x8a, b"nor that"),
        frame(0x80, b""),
        frame(0x82, b""),
        frame(0x02, b", "),
        frame(0x80, b"the end"),
        close(1000, "bye"),
    ]
    .concat();
    let expected = "text, binary, in pièces, the end";
    for role in ROLES {
        let wire = input(role, &frames);
        for most in [1, 2, 3, 7, 1000] {
            for room in [1, 3, 1000] {
                let transport = Wire::new([&wire[..]]).pieces(most, usize::MAX);
                let mut stream = stream(role, Config::new(), transport);
                let (mut received, mut buf) = (Vec::new(), vec![0; room]);
                loop {
                    match stream.read(&mut buf).expect("no error") {
                        0 => break,
                        n => received.extend_from_slice(&buf[..n]),
                    }
                }
                assert_eq!(String::from_utf8(received).expect("text"), expected);
                assert_eq!(stream.read(&mut buf).expect("no error"), 0, "the end stays");
            }
        }
    }
}

#[test]
fn part_that_is_larger_than_the_room_is_read_in_several_calls() {
    for role in ROLES {
        let message = bytes(100_000);
        let wire = input(role, &[frame(0x82, &message), close(1000, "")].concat());
        for room in [1000, 99_999, 100_000, 100_001] {
            let mut stream = stream(role, Config::new(), Wire::new([&wire[..]]));
            let (mut received, mut buf) = (Vec::new(), vec![0; room]);
            while let n @ 1.. = stream.read(&mut buf).expect("no error") {
                received.extend_from_slice(&buf[..n]);
            }
            assert!(received == message);
        }
    }
}

#[test]
fn message_beyond_all_limits_is_read_as_it_arrives() {
    for role in ROLES {
        let config = Config::new()
            .max_message_size(usize::MAX)
            .max_frame_size(usize::MAX);
        let wire = Wire::new([&input(role, &support::wire::claim(0x82, 1 << 40))[..]]);
        for _ in 0..100 {
            wire.deliver(&[b'a'; 5000]);
        }
        let mut stream = stream(role, config, wire);
        let mut buf = [0; 5000];
        for _ in 0..90 {
            assert_eq!(stream.read(&mut buf[..1]).expect("no error"), 1);
            stream.read_exact(&mut buf).expect("no error");
        }
    }
}

#[test]
fn nothing_is_read_or_written_for_an_empty_buffer() {
    for role in ROLES {
        // `Silence` panics when a read would wait.
        let wire = Wire::new([]).end(End::Silence);
        let mut stream = stream(role, Config::new(), wire.clone());
        assert_eq!(stream.read(&mut []).expect("no error"), 0);
        assert_eq!(stream.write(&[]).expect("no error"), 0);
        stream.flush().expect("no error");
        assert_eq!((wire.count(Call::Read), wire.count(Call::Write)), (0, 0));
    }
}

#[test]
fn what_is_written_gathers_until_a_flush_or_a_read_that_waits() {
    for role in ROLES {
        let wire = Wire::new([]);
        let mut stream = stream(role, Config::new(), wire.clone());
        stream.write_all(b"one line\n").expect("queued");
        stream.write_all(b"and another\n").expect("queued");
        assert_eq!(wire.reached(), b"");
        stream.flush().expect("written");
        stream.write_all(b"a third").expect("queued");
        let end = stream.read(&mut [0]).expect_err("the peer goes");
        assert!(matches!(inner(&end), Some(Error::Eof(_))), "{end:?}");
        let frames = read_output(role, &wire.reached());
        assert!(frames.iter().all(|frame| frame.opcode == 2 && frame.fin));
        let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
        assert_eq!(payloads, [&b"one line\n"[..], b"and another\n", b"a third"]);
        assert_eq!(wire.count(Call::Write), 2);
    }
}

#[test]
fn much_is_sent_in_messages_that_any_peer_takes() {
    for role in ROLES {
        let wire = Wire::new([]);
        let mut stream = stream(role, Config::new(), wire.clone());
        let sent = bytes(1_000_000);
        stream.write_all(&sent).expect("written");
        stream.flush().expect("written");
        let frames = read_output(role, &wire.reached());
        assert!(frames.iter().all(|frame| frame.payload.len() <= 64 * 1024));
        let received: Vec<u8> = frames.into_iter().flat_map(|frame| frame.payload).collect();
        assert!(received == sent);
    }
}

#[test]
fn stream_ends_where_the_peer_closes_and_can_still_be_closed() {
    let [mut client, mut server] = pair(1);
    client.write_all(b"last words").expect("queued");
    client
        .connection_mut()
        .close(CloseCode::NORMAL, "")
        .expect("open");
    client.flush().expect("written");
    let mut received = String::new();
    server
        .read_to_string(&mut received)
        .expect("closed cleanly");
    assert_eq!(received, "last words");
    let closed = server.close(CloseCode::NORMAL, "").expect("closed");
    assert!(closed.clean);
    let refused = server.write(b"one more").expect_err("closed");
    assert!(
        matches!(inner(&refused), Some(Error::Send(_))),
        "{refused:?}"
    );
    // The client sees the end as well.
    assert_eq!(client.read(&mut [0; 10]).expect("closed cleanly"), 0);
    assert!(
        client
            .into_websocket()
            .expect("the rest of the message")
            .connection()
            .closed()
            .expect("it has")
            .clean
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_writes_are_read_as_one_stream_whatever_the_reads(
        writes in vec((vec(any::<u8>(), 0..300), any::<bool>(), any::<bool>()), 0..20),
        reads in vec(1..500_usize, 1..20),
        seed in any::<u64>(),
    ) {
        let [mut client, mut server] = pair(seed);
        let (mut sent, mut received) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (bytes, by_client, flush) in &writes {
            let (stream, sent) = if *by_client {
                (&mut client, &mut sent[0])
            } else {
                (&mut server, &mut sent[1])
            };
            stream.write_all(bytes).expect("written");
            sent.extend_from_slice(bytes);
            if *flush {
                stream.flush().expect("written");
            }
        }
        for stream in [&mut client, &mut server] {
            stream.connection_mut().close(CloseCode::NORMAL, "").expect("open");
            stream.flush().expect("written");
        }
        let mut reads = reads.iter().cycle();
        for (stream, received) in [&mut server, &mut client].into_iter().zip(&mut received) {
            loop {
                let mut buf = vec![0; *reads.next().expect("a cycle")];
                match stream.read(&mut buf).expect("closed cleanly") {
                    0 => break,
                    n => received.extend_from_slice(&buf[..n]),
                }
            }
        }
        prop_assert_eq!(&received, &sent);
    }
}

#[test]
fn message_that_was_being_joined_before_is_read_as_well() {
    for role in ROLES {
        // The first fragment, and then nothing for the moment.
        let wire = Wire::of(role, &[frame(0x02, b"first")]).end(End::WouldBlock);
        let mut ws = websocket(role, Config::new(), wire.clone());
        assert!(matches!(ws.recv(), Err(Error::Io(_))));
        let mut stream = ByteStream::new(ws);
        wire.deliver(&input(role, &frame(0x80, b"last")));
        let mut read = [0; 9];
        stream.read_exact(&mut read).expect("no error");
        assert_eq!(&read, b"firstlast");
    }
}
