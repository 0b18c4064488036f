//! What a message costs over a blocking transport once everything is warm: no allocation, and one call
//! for each read and each write.

mod support;

use std::io::{self, Read, Write};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use framewire::blocking::{ByteStream, Parts, SplitTransport, Transport, WebSocket};
use framewire::{Config, Event, Keepalive, PartEvent, PreparedMessage, RecvBuf, Role};
use support::{
    ROLES, connection,
    wire::{frame, input},
};

/// A transport that delivers the same segments again and again, counts its calls, and keeps nothing.
#[derive(Clone, Debug)]
struct Belt {
    segments: Vec<Vec<u8>>,
    next: usize,
    reads: usize,
    writes: usize,
    limits: usize,
}

impl Belt {
    fn new(role: Role, frames: &[Vec<u8>], cut: usize) -> Self {
        let wire = frames.iter().flat_map(|frame| input(role, frame));
        let wire: Vec<u8> = wire.collect();
        Self {
            segments: wire.chunks(cut).map(Vec::from).collect(),
            next: 0,
            reads: 0,
            writes: 0,
            limits: 0,
        }
    }

    /// One segment for each frame.
    fn of_frames(role: Role, frames: &[Vec<u8>]) -> Self {
        let segments = frames.iter().map(|frame| input(role, frame)).collect();
        Self {
            segments,
            ..Self::new(role, &[], 1)
        }
    }
}

impl Read for Belt {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        let segment = &self.segments[self.next];
        self.next = (self.next + 1) % self.segments.len();
        buf[..segment.len()].copy_from_slice(segment);
        Ok(segment.len())
    }
}

impl Write for Belt {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        Ok(buf.len())
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.writes += 1;
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Belt {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, _: Option<Duration>) -> io::Result<()> {
        self.limits += 1;
        Ok(())
    }

    fn limit_write(&mut self, _: Option<Duration>) -> io::Result<()> {
        self.limits += 1;
        Ok(())
    }

    fn end_writing(&mut self) -> io::Result<()> {
        panic!("nothing ends here");
    }
}

impl SplitTransport for Belt {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn end(&self) -> io::Result<()> {
        panic!("nothing ends here");
    }
}

fn websocket(role: Role, config: Config, belt: Belt) -> WebSocket<Belt> {
    let parts = Parts::new(belt, connection(role, config), RecvBuf::new());
    WebSocket::from_parts(parts)
}

/// Takes as many messages as they come, and answers each.
fn echo(ws: &mut WebSocket<Belt>, messages: usize) {
    let mut left = messages;
    while left > 0 {
        let (event, conn) = ws.recv_ref().expect("no error").expect("no end");
        let sent = match event {
            Event::Text(text) => conn.send_text(text),
            Event::Binary(data) => conn.send_binary(data),
            _ => continue,
        };
        sent.expect("there is room");
        left -= 1;
    }
}

/// Messages of several kinds and sizes, pings between them, one in pieces.
fn traffic() -> Vec<Vec<u8>> {
    vec![
        frame(0x81, b"Hello"),
        frame(0x82, &[1; 1000]),
        frame(0x89, b"ping"),
        frame(0x02, &[2; 500]),
        frame(0x80, &[3; 500]),
        frame(0x81, "aé€🦀".repeat(30).as_bytes()),
        frame(0x82, &[4; 5000]),
    ]
}

#[test]
fn echo_allocates_nothing_once_it_is_warm() {
    let config = Config::new().keepalive(Keepalive::default());
    for (role, cut) in ROLES
        .into_iter()
        .flat_map(|r| [1, 100, 5000].map(|c| (r, c)))
    {
        let mut ws = websocket(role, config, Belt::new(role, &traffic(), cut));
        echo(&mut ws, 500);
        let warm = measure(|| echo(&mut ws, 1000));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}, {cut}");
    }
}

#[test]
fn halves_allocate_nothing_once_they_are_warm() {
    let config = Config::new().keepalive(Keepalive::default());
    for role in ROLES {
        let ws = websocket(role, config, Belt::new(role, &traffic(), 5000));
        let (mut receiver, sender) = ws.split().expect("another handle");
        let mut echo = |messages: usize| {
            let mut left = messages;
            while left > 0 {
                let event = receiver.recv_ref().expect("no error").expect("no end");
                let sent = match event {
                    Event::Text(text) => sender.feed(text),
                    Event::Binary(data) => sender.send(data),
                    _ => continue,
                };
                sent.expect("there is room");
                left -= 1;
            }
        };
        echo(1000);
        let info = measure(|| echo(1000));
        assert_eq!(info, AllocationInfo::default(), "{role:?}");
    }
}

#[test]
fn parts_are_lent_without_an_allocation() {
    for role in ROLES {
        let mut ws = websocket(role, Config::new(), Belt::new(role, &traffic(), 700));
        let mut take = |parts: usize| {
            for _ in 0..parts {
                let part = ws.recv_part_ref().expect("no error").expect("no end");
                assert!(!matches!(part, (PartEvent::Failed(_), _)));
            }
        };
        take(500);
        let warm = measure(|| take(1000));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}");
    }
}

#[test]
fn sending_allocates_nothing_once_it_is_warm() {
    let prepared = PreparedMessage::binary(&[5; 9000]);
    let (text, data) = ("a".repeat(300), vec![6; 3000]);
    for role in ROLES {
        let mut ws = websocket(role, Config::new(), Belt::new(role, &traffic(), 700));
        let mut round = || {
            for _ in 0..20 {
                ws.feed(&text).expect("sent");
                ws.feed(&data[..]).expect("sent");
                ws.feed(&prepared).expect("sent");
            }
            ws.flush().expect("sent");
            ws.send("Hello").expect("sent");
        };
        round();
        let warm = measure(|| (0..50).for_each(|_| round()));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}");
    }
}

#[test]
fn stream_of_bytes_allocates_nothing_once_it_is_warm() {
    for role in ROLES {
        let ws = websocket(role, Config::new(), Belt::new(role, &traffic(), 700));
        let mut stream = ByteStream::new(ws);
        let mut buf = [0; 333];
        let mut round = || {
            for _ in 0..100 {
                let n = stream.read(&mut buf).expect("no error");
                stream.write_all(&buf[..n]).expect("sent");
            }
            stream.flush().expect("sent");
        };
        round();
        let warm = measure(|| (0..20).for_each(|_| round()));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}");
    }
}

#[test]
fn message_that_is_echoed_costs_one_read_and_one_write() {
    const MESSAGES: usize = 10_000;
    let keepalive = Config::new().keepalive(Keepalive::default());
    let message_timeout = keepalive.message_timeout(Duration::from_secs(60));
    for config in [Config::new(), keepalive, message_timeout] {
        for role in ROLES {
            let belt = Belt::of_frames(role, &[frame(0x81, b"Hello")]);
            let mut ws = websocket(role, config, belt);
            echo(&mut ws, MESSAGES);
            ws.flush().expect("sent");
            let Belt {
                reads,
                writes,
                limits,
                ..
            } = *ws.stream();
            assert_eq!((reads, writes), (MESSAGES, MESSAGES), "{role:?}");
            assert!(limits <= 10, "{role:?}: {limits} for {MESSAGES} messages");
        }
    }
}

#[test]
fn message_that_comes_in_two_segments_costs_two_reads_and_one_write() {
    const MESSAGES: usize = 10_000;
    let keepalive = Config::new().keepalive(Keepalive::default());
    let message_timeout = Config::new().message_timeout(Duration::from_secs(60));
    for config in [Config::new(), keepalive, message_timeout] {
        for role in ROLES {
            let message = input(role, &frame(0x82, &[1; 100]));
            let belt = Belt {
                segments: vec![message[..50].to_vec(), message[50..].to_vec()],
                ..Belt::of_frames(role, &[])
            };
            let mut ws = websocket(role, config, belt);
            echo(&mut ws, MESSAGES);
            ws.flush().expect("sent");
            let Belt {
                reads,
                writes,
                limits,
                ..
            } = *ws.stream();
            assert_eq!((reads, writes), (2 * MESSAGES, MESSAGES), "{role:?}");
            assert!(limits <= 10, "{role:?}: {limits} for {MESSAGES} messages");
        }
    }
}

#[test]
fn message_that_is_not_answered_costs_nothing_but_its_read() {
    const MESSAGES: usize = 10_000;
    let keepalive = Config::new().keepalive(Keepalive::default());
    for config in [Config::new(), keepalive] {
        for role in ROLES {
            // Of every ten, one is a ping, which is.
            let mut frames = vec![frame(0x81, b"Hello"); 9];
            frames.push(frame(0x89, b""));
            let mut ws = websocket(role, config, Belt::of_frames(role, &frames));
            for _ in 0..MESSAGES {
                assert!(ws.recv_ref().expect("no error").is_some());
            }
            let Belt {
                reads,
                writes,
                limits,
                ..
            } = *ws.stream();
            assert_eq!((reads, writes), (MESSAGES, (MESSAGES - 1) / 10), "{role:?}");
            assert!(limits <= 10, "{role:?}: {limits} for {MESSAGES} messages");
        }
    }
}

#[test]
fn messages_in_one_segment_are_answered_in_one_write() {
    for role in ROLES {
        let message = input(role, &frame(0x81, b"Hello"));
        let belt = Belt {
            segments: vec![message.repeat(100)],
            ..Belt::of_frames(role, &[])
        };
        let mut ws = websocket(role, Config::new(), belt);
        echo(&mut ws, 1000);
        ws.flush().expect("sent");
        assert_eq!(
            (ws.stream().reads, ws.stream().writes),
            (10, 10),
            "{role:?}"
        );
    }
}

#[test]
fn messages_that_are_fed_leave_in_writes_of_64_kib() {
    for role in ROLES {
        let mut ws = websocket(role, Config::new(), Belt::of_frames(role, &[]));
        for _ in 0..1000 {
            ws.feed(&[1; 1024 - 8]).expect("sent"); // with its header 1020 or 1024 bytes
        }
        ws.flush().expect("sent");
        let writes = ws.stream().writes;
        assert!((15..=17).contains(&writes), "{role:?}: {writes}");
    }
}
