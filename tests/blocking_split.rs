//! The two halves of a WebSocket over real sockets: a thread that receives and others that send, while
//! the peer reads, does not read, closes, fails, resets or says nothing.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use framewire::{
    CloseCode, Config, Connection, Error, Event, Message, MessageKind, PartEvent, RecvBuf, Role,
    SendError, State, TimedOut,
    blocking::{Parts, Receiver, Sender, SplitTransport, Transport, WebSocket},
};
use sockets::{
    BINARY, CLOSE, Frame, MUCH, PING, PONG, Peer, Socket, TEXT, Task, everywhere, in_time, is_gone,
    keepalive, patient, pattern, quick, spawn, timed_out, two, with_peer,
};

type Halves<S> = (Receiver<S>, Sender<S>);
type Received = Result<Option<Message>, Error>;

fn split<S: Socket>(ws: WebSocket<S>) -> Halves<S> {
    ws.split().expect("another handle")
}

fn split_with_peer<S: Socket>(role: Role, config: Config) -> (Receiver<S>, Sender<S>, Peer<S>) {
    let (ws, peer) = with_peer::<S>(role, config);
    let (receiver, sender) = split(ws);
    (receiver, sender, peer)
}

/// Receives one message, or the end, in a thread of its own.
fn receive<S: Socket>(mut receiver: Receiver<S>) -> Task<(Receiver<S>, Received)> {
    spawn("the receiver", move || {
        let received = receiver.recv();
        (receiver, received)
    })
}

/// Sends one message in a thread of its own.
fn send<S: Socket>(sender: &Sender<S>, message: impl Into<Message>) -> Task<Result<(), Error>> {
    let (sender, message) = (sender.clone(), message.into());
    spawn("a sender", move || sender.send(message))
}

/// Sends what fills all buffers, and waits until it has.
fn fill<S: Socket>(sender: &Sender<S>) -> Task<Result<(), Error>> {
    let sent = send(sender, pattern(0, MUCH));
    sent.wait_until_blocked();
    sent
}

fn assert_refused(sent: &Result<(), Error>) {
    let refused = matches!(sent, Err(Error::Send(SendError::Closed)));
    assert!(refused, "{sent:?}");
}

/// A reset is noticed once; whoever comes next only sees that the transport has ended.
fn assert_lost(received: &Received) {
    let lost = received
        .as_ref()
        .is_err_and(|error| is_gone(error) || matches!(error, Error::Eof(_)));
    assert!(lost, "{received:?}");
}

// One reads, one writes.

#[test]
fn receiver_that_waits_keeps_nobody_from_sending() {
    fn over<S: Socket>(role: Role) {
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        for n in 0..20 {
            let waiting = receive(receiver);
            waiting.wait_until_blocked();
            sender.send(format!("{n}")).expect("there is room");
            // Nothing has been sent to the receiver, so it waits all the time.
            assert_eq!(peer.frame(), Frame::new(TEXT, format!("{n}")));
            assert!(!waiting.is_finished());
            peer.send(TEXT, "go on");
            let received;
            (receiver, received) = waiting.join();
            assert_eq!(received.expect("a message"), Some("go on".into()));
        }
    }
    everywhere!(over);
}

#[test]
fn both_ends_can_send_more_than_the_sockets_hold_at_the_same_time() {
    fn over<S: Socket>() {
        let (here, there) = two::<S>(patient());
        let ends = [here, there].map(split);
        let writers: Vec<_> = ends.iter().map(|(_, sender)| fill(sender)).collect();
        let readers = ends.map(|(receiver, _)| receive(receiver));
        for reader in readers {
            let (_, received) = reader.join();
            assert!(received.expect("a message") == Some(pattern(0, MUCH).into()));
        }
        for writer in writers {
            writer.join().expect("it was read");
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

#[test]
fn large_messages_flow_both_ways_without_a_stop() {
    fn over<S: Socket>() {
        let config = patient().write_timeout(Duration::from_secs(4));
        let (here, there) = two::<S>(config);
        let threads: Vec<_> = [here, there]
            .into_iter()
            .flat_map(|ws| {
                let (mut receiver, sender) = split(ws);
                let reader = spawn("the receiver", move || {
                    for n in 0..40 {
                        let message = receiver.recv().expect("a message");
                        assert!(message == Some(pattern(n, MUCH / 16).into()));
                    }
                });
                let writer = spawn("the sender", move || {
                    for n in 0..40 {
                        sender.send(pattern(n, MUCH / 16)).expect("it is read");
                    }
                });
                [reader, writer]
            })
            .collect();
        for thread in threads {
            thread.join();
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

#[test]
fn receivers_that_come_across_large_messages_do_not_wait_for_each_other() {
    fn over<S: Socket>() {
        let config = patient().write_timeout(Duration::from_secs(4));
        let (here, there) = two::<S>(config);
        let ends = [here, there].map(split);
        // As if `send` of both ends were interrupted between queueing and writing.
        for (_, sender) in &ends {
            let queued = sender.with(|conn| conn.send_binary(&pattern(0, MUCH)));
            queued.expect("there is room");
        }
        let (readers, writers): (Vec<_>, Vec<_>) = ends
            .map(|(receiver, sender)| {
                let reader = receive(receiver);
                reader.wait_until_blocked();
                (reader, spawn("a sender", move || sender.flush()))
            })
            .into_iter()
            .unzip();
        for reader in readers {
            let (_, received) = reader.join();
            assert!(received.expect("a message") == Some(pattern(0, MUCH).into()));
        }
        for writer in writers {
            writer.join().expect("it was read");
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

// req: A-07
#[test]
fn receivers_with_pings_to_answer_do_not_wait_for_each_other() {
    fn over<S: Socket>() {
        let config = patient().write_timeout(Duration::from_secs(4));
        let (here, there) = two::<S>(config);
        let ends = [here, there].map(split);
        for (_, sender) in &ends {
            let queued = sender.with(|conn| conn.send_ping(b"?"));
            queued.expect("there is room");
            sender.flush().expect("there is room");
        }
        let readers = ends.map(|(mut receiver, sender)| {
            spawn("the receiver", move || {
                // The pong is queued, and a sender comes right behind it.
                let pinged = receiver.recv_ref().expect("a ping");
                assert_eq!(pinged, Some(Event::Ping(b"?")));
                let queued = sender.with(|conn| conn.send_binary(&pattern(0, MUCH)));
                queued.expect("there is room");
                (receiver.recv(), sender)
            })
        });
        for reader in readers {
            let (received, _) = reader.join();
            assert!(received.expect("a message") == Some(pattern(0, MUCH).into()));
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

// req: A-07
#[test]
fn pings_are_answered_behind_a_large_write_and_after_it() {
    fn over<S: Socket>(role: Role) {
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let (pinged, pings) = mpsc::channel();
        let reader = spawn("the receiver", move || {
            while let Some(event) = receiver.recv_ref().expect("events") {
                if let Event::Ping(payload) = event {
                    pinged.send(payload.to_vec()).expect("somebody listens");
                }
            }
        });
        let writer = fill(&sender);
        peer.send(PING, "during");
        assert_eq!(pings.recv().expect("a ping"), b"during");
        assert!(!writer.is_finished());
        // From here on only the writer can move anything.
        assert!(peer.frame() == Frame::new(BINARY, pattern(0, MUCH)));
        assert_eq!(peer.frame(), Frame::new(PONG, "during"));
        writer.join().expect("it was read");
        peer.send(PING, "after");
        assert_eq!(peer.frame(), Frame::new(PONG, "after"));
        peer.send_close(1000);
        assert_eq!(peer.frame(), Frame::close(1000));
        peer.end_writing();
        reader.join();
    }
    everywhere!(over);
}

#[test]
fn nothing_is_left_behind_when_both_halves_write_at_once() {
    fn over<S: Socket>(role: Role) {
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let reader = spawn("the receiver", move || {
            receiver.recv().expect("a Close frame")
        });
        let start = Arc::new(Barrier::new(2));
        let writer = spawn("the sender", {
            let start = Arc::clone(&start);
            move || {
                for n in 0..400 {
                    start.wait();
                    sender.send(format!("{n}")).expect("it is read");
                }
            }
        });
        for n in 0..400 {
            start.wait();
            peer.send(PING, format!("{n}"));
            // Both come, without anything else that would push them.
            let mut frames = [peer.frame(), peer.frame()];
            frames.sort_by_key(|frame| frame.first);
            let expected = [TEXT, PONG].map(|first| Frame::new(first, format!("{n}")));
            assert_eq!(frames, expected);
        }
        writer.join();
        peer.send_close(1000);
        peer.end_writing();
        assert_eq!(reader.join(), None);
    }
    everywhere!(over);
}

#[test]
fn messages_of_many_senders_arrive_whole_and_in_order() {
    fn over<S: Socket>() {
        const SENDERS: usize = 4;
        const MESSAGES: usize = 100;
        let (here, mut there) = two::<S>(patient());
        let (receiver, sender) = split(here);
        // One byte says whose it is, and its length which one: a few are larger than a piece.
        let message = |who: usize, n: usize| {
            let len = 1 + n + if n % 10 == 9 { 100_000 } else { 0 };
            [vec![who as u8], pattern(who + n, len)].concat()
        };
        let ready = receive(receiver);
        let start = Arc::new(Barrier::new(SENDERS));
        let writers: Vec<_> = (0..SENDERS)
            .map(|who| {
                let (sender, start) = (sender.clone(), Arc::clone(&start));
                spawn("a sender", move || {
                    start.wait();
                    for n in 0..MESSAGES {
                        let message = message(who, n);
                        if (who + n) % 3 == 0 {
                            sender.feed(message).expect("it is read");
                        } else {
                            sender.send(message).expect("it is read");
                        }
                    }
                    sender.flush().expect("it is read");
                })
            })
            .collect();
        let mut next = BTreeMap::new();
        for _ in 0..SENDERS * MESSAGES {
            let received = there.recv().expect("a message").expect("not the end");
            let who = usize::from(received.payload()[0]);
            let n = next.entry(who).or_insert(0);
            assert!(received.payload() == message(who, *n), "{who}: {n}");
            *n += 1;
        }
        for writer in writers {
            writer.join();
        }
        let closing = spawn("the other end", move || there.close(CloseCode::NORMAL, ""));
        assert_eq!(ready.join().1.expect("an end"), None);
        assert!(closing.join().expect("an answer").clean);
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

#[test]
fn receiver_gets_its_turn_while_others_never_stop_sending() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let mut input = peer.another();
        let drain = spawn("the peer", move || {
            while input.next().is_ok_and(|frame| frame.is_some()) {}
        });
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (sender, stop) = (sender.clone(), Arc::clone(&stop));
                spawn("a sender", move || {
                    while !stop.load(Ordering::SeqCst) {
                        sender.send(&[0; 100]).expect("it is read");
                    }
                })
            })
            .collect();
        let (mut receiver, mut sender) = (receiver, Some(sender));
        for n in 0..100 {
            peer.send(PING, "");
            peer.send(TEXT, format!("{n}"));
            let received = receiver.recv().expect("a message");
            assert_eq!(received, Some(format!("{n}").into()));
        }
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.join();
        }
        drop((receiver, sender.take()));
        drain.join();
    }
    everywhere!(over);
}

#[test]
fn large_message_can_be_streamed_back_while_it_arrives() {
    fn over<S: Socket>() {
        let (here, there) = two::<S>(patient());
        let (mut receiver, sender) = split(here);
        let echo = spawn("the echo", move || {
            sender
                .with(|conn| conn.start_message(MessageKind::Binary))
                .expect("it is open");
            while let Some(event) = receiver.recv_part_ref().expect("events") {
                if let PartEvent::Binary { part, last } = event {
                    let queued = sender.with(|conn| {
                        if last {
                            conn.finish_message(part)
                        } else {
                            conn.send_part(part)
                        }
                    });
                    queued.expect("it was flushed");
                    sender.flush().expect("it is read");
                }
            }
        });
        let (receiver, sender) = split(there);
        let reader = receive(receiver);
        sender.send(pattern(3, MUCH)).expect("it is read");
        let (mut receiver, received) = reader.join();
        assert!(received.expect("a message") == Some(pattern(3, MUCH).into()));
        sender.close(CloseCode::NORMAL, "").expect("it is open");
        assert_eq!(receiver.recv().expect("an answer"), None);
        drop((receiver, sender));
        echo.join();
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

/// A transport that gathers what is written until it is flushed, as a layer of TLS may.
#[derive(Debug)]
struct Gathering {
    stream: TcpStream,
    gathered: Arc<Mutex<Vec<u8>>>,
    /// Is told of the first flush of something, which ends when it is told so.
    flushes: Option<(mpsc::SyncSender<()>, Arc<Barrier>)>,
    /// Whether that is before anything leaves.
    holds: bool,
}

impl Read for Gathering {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Gathering {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.gathered.lock().expect("no panic").write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        let gathered = std::mem::take(&mut *self.gathered.lock().expect("no panic"));
        let flushes = self.flushes.take_if(|_| !gathered.is_empty());
        let wait = || {
            if let Some((begun, end)) = &flushes {
                begun.send(()).expect("somebody waits for it");
                end.wait();
            }
        };
        if self.holds {
            wait();
        }
        self.stream.write_all(&gathered)?;
        if !self.holds {
            wait();
        }
        Ok(())
    }
}

impl Transport for Gathering {
    fn prepare(&mut self) -> io::Result<()> {
        self.stream.prepare()
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.limit_read(timeout)
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.limit_write(timeout)
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.stream.end_writing()
    }
}

impl SplitTransport for Gathering {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            gathered: Arc::clone(&self.gathered),
            flushes: self.flushes.clone(),
            holds: self.holds,
        })
    }

    fn end(&self) -> io::Result<()> {
        self.stream.end()
    }
}

/// A server over a transport that gathers, and its peer, which is not patient.
fn gathering(
    flushes: Option<(mpsc::SyncSender<()>, Arc<Barrier>)>,
    holds: bool,
) -> (WebSocket<Gathering>, Peer<TcpStream>) {
    let (here, there) = <TcpStream as Socket>::pair();
    let stream = Gathering {
        stream: here,
        gathered: Arc::default(),
        flushes,
        holds,
    };
    let parts = Parts::new(stream, Connection::server(patient()), RecvBuf::new());
    let peer = Peer::new(there, Role::Server);
    let patience = Some(Duration::from_secs(4));
    peer.stream.set_read_timeout(patience).expect("a socket");
    (WebSocket::from_parts(parts), peer)
}

#[test]
fn transport_that_gathers_is_flushed() {
    in_time("the test", || {
        let (mut ws, mut peer) = gathering(None, false);
        ws.send("whole").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "whole"));
        let (_receiver, sender) = ws.split().expect("another handle");
        sender.send("half").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "half"));
    });
}

#[test]
fn what_is_queued_behind_the_last_look_at_the_queue_leaves_as_well() {
    in_time("the test", || {
        let (flushes, flush) = mpsc::sync_channel(1);
        let end = Arc::new(Barrier::new(2));
        let (ws, mut peer) = gathering(Some((flushes, Arc::clone(&end))), false);
        let (mut receiver, sender) = ws.split().expect("another handle");
        let writer = spawn("the sender", move || sender.send("Hello"));
        assert_eq!(peer.frame(), Frame::new(TEXT, "Hello"));
        flush.recv().expect("a flush");
        // All of it is written, but the writer has not let go of the transport.
        peer.send(PING, "?");
        let (pinged, pings) = mpsc::channel();
        let reader = spawn("the receiver", move || {
            while let Some(event) = receiver.recv_ref().expect("events") {
                if let Event::Ping(_) = event {
                    pinged.send(()).expect("somebody listens");
                }
            }
        });
        pings.recv().expect("a ping");
        reader.wait_until_blocked();
        end.wait();
        assert_eq!(peer.frame(), Frame::new(PONG, "?"));
        writer.join().expect("it was read");
        peer.send_close(1000);
        reader.join();
    });
}

/// A split server whose layer holds back what it is given, until it is told not to; and what it waits in.
fn holding() -> (
    Halves<Gathering>,
    Peer<TcpStream>,
    mpsc::Receiver<()>,
    Arc<Barrier>,
) {
    let (flushes, flush) = mpsc::sync_channel(1);
    let end = Arc::new(Barrier::new(2));
    let (mut ws, peer) = gathering(Some((flushes, Arc::clone(&end))), true);
    ws.flush().expect("there is nothing");
    (ws.split().expect("another handle"), peer, flush, end)
}

#[test]
fn what_a_layer_is_passing_on_is_not_cut_off_by_a_peer_that_ends_its_direction() {
    in_time("the test", || {
        let ((mut receiver, sender), mut peer, flush, end) = holding();
        let writer = spawn("the sender", move || sender.send("Hello"));
        flush.recv().expect("a flush");
        peer.end_writing();
        let ended = receiver.recv();
        assert!(matches!(ended, Err(Error::Eof(_))), "{ended:?}");
        end.wait();
        assert_eq!(peer.frame(), Frame::new(TEXT, "Hello"));
        writer.join().expect("it was taken");
    });
}

#[test]
fn end_is_not_told_before_a_layer_has_passed_our_close_frame_on() {
    in_time("the test", || {
        for fails in [false, true] {
            let ((mut receiver, sender), mut peer, flush, end) = holding();
            if fails {
                let failing = sender.with(|conn| conn.fail(CloseCode::POLICY_VIOLATION, ""));
                failing.expect("it is open");
                peer.send(PING, "");
            } else {
                peer.send_close(1008);
                let event = receiver.recv_ref().expect("an event");
                assert!(matches!(event, Some(Event::Close(_))), "{event:?}");
            }
            let writer = spawn("the sender", move || sender.flush());
            flush.recv().expect("a flush");
            let reader = spawn("the receiver", move || receiver.recv());
            reader.wait_until_blocked();
            end.wait();
            assert_eq!(peer.frame(), Frame::close(1008));
            writer.join().expect("it was taken");
            peer.end_writing();
            assert_eq!(reader.join().expect("an end"), None);
        }
    });
}

// Closing.

#[test]
fn closing_by_a_sender_ends_the_receiver() {
    fn over<S: Socket>(role: Role) {
        let (here, there) = two::<S>(patient());
        let (ours, mut theirs) = match role {
            Role::Client => (here, there),
            Role::Server => (there, here),
        };
        let (receiver, sender) = split(ours);
        let reader = receive(receiver);
        reader.wait_until_blocked();
        sender.feed("last words").expect("there is room");
        sender.close(CloseCode::NORMAL, "bye").expect("it is open");
        let other = spawn("the other end", move || {
            let last = theirs.recv().expect("a message");
            (last, theirs.recv().expect("an end"))
        });
        assert_eq!(reader.join().1.expect("an answer"), None);
        assert_eq!(other.join(), (Some("last words".into()), None));
        let closed = sender.with(|conn| conn.closed()).expect("it is closed");
        assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
        assert_refused(&sender.send("too late"));
        assert_refused(&sender.close(CloseCode::NORMAL, ""));
    }
    everywhere!(over);
}

#[test]
fn close_that_is_refused_changes_nothing() {
    fn over<S: Socket>(role: Role) {
        let (_receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let refused = sender.close(CloseCode::ABNORMAL, "");
        assert!(
            matches!(
                refused,
                Err(Error::Send(SendError::CodeNotSendable(CloseCode::ABNORMAL)))
            ),
            "{refused:?}"
        );
        sender.send("still open").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "still open"));
    }
    everywhere!(over);
}

#[test]
fn messages_are_received_until_the_peer_answers_our_close_frame() {
    fn over<S: Socket>(role: Role) {
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        sender.close(CloseCode::NORMAL, "").expect("it is open");
        assert_eq!(peer.frame(), Frame::close(1000));
        peer.send(TEXT, "one more");
        peer.send_close(1000);
        peer.end_writing();
        let received = receiver.recv().expect("a message");
        assert_eq!(received, Some("one more".into()));
        assert_eq!(receiver.recv().expect("an answer"), None);
        assert_eq!(peer.frames_to_end(), []);
    }
    everywhere!(over);
}

#[test]
fn peer_that_never_answers_a_senders_close_frame_is_given_up() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, quick());
        let reader = receive(receiver);
        reader.wait_until_blocked();
        sender.close(CloseCode::NORMAL, "").expect("it is open");
        let (receiver, received) = reader.join();
        assert_eq!(timed_out(&received), Some(TimedOut::Close));
        drop((receiver, sender));
        assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
    }
    everywhere!(over);
}

#[test]
fn both_ends_can_close_at_the_same_time() {
    fn over<S: Socket>() {
        for _ in 0..100 {
            let (here, there) = two::<S>(patient());
            let start = Arc::new(Barrier::new(2));
            let readers = [here, there].map(|ws| {
                let (receiver, sender) = split(ws);
                let start = Arc::clone(&start);
                let closer = spawn("a sender", move || {
                    start.wait();
                    // The other end's Close frame may have been received before.
                    match sender.close(CloseCode::NORMAL, "") {
                        Ok(()) | Err(Error::Send(SendError::Closed)) => sender,
                        Err(error) => panic!("{error:?}"),
                    }
                });
                (receive(receiver), closer)
            });
            for (reader, closer) in readers {
                assert_eq!(reader.join().1.expect("an answer"), None);
                let closed = closer.join().with(|conn| conn.closed());
                let closed = closed.expect("it is closed");
                assert_eq!((closed.code, closed.clean), (CloseCode::NORMAL, true));
            }
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}

#[test]
fn peer_may_close_while_a_message_is_being_written() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let writer = fill(&sender);
        peer.send(TEXT, "enough");
        peer.send_close(1001);
        let (receiver, received) = receive(receiver).join();
        assert_eq!(received.expect("a message"), Some("enough".into()));
        let reader = receive(receiver);
        reader.wait_until_blocked();
        assert!(peer.frame() == Frame::new(BINARY, pattern(0, MUCH)));
        assert_eq!(peer.frame(), Frame::close(1001));
        peer.end_writing();
        assert_eq!(reader.join().1.expect("an end"), None);
        writer.join().expect("it was read");
        assert_refused(&sender.send("too late"));
        let closed = sender.with(|conn| conn.closed()).expect("it is closed");
        assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, true));
    }
    everywhere!(over);
}

#[test]
fn peer_that_only_ended_its_own_direction_gets_the_message_that_is_being_written() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let writer = fill(&sender);
        peer.end_writing();
        let (receiver, received) = receive(receiver).join();
        assert!(matches!(received, Err(Error::Eof(_))), "{received:?}");
        drop(receiver);
        assert!(peer.frame() == Frame::new(BINARY, pattern(0, MUCH)));
        writer.join().expect("it was read");
        drop(sender);
        assert_eq!(peer.frames_to_end(), []);
    }
    everywhere!(over);
}

#[test]
fn failing_by_a_sender_ends_the_transport_at_once() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let reader = receive(receiver);
        reader.wait_until_blocked();
        let failing = sender.with(|conn| conn.fail(CloseCode::POLICY_VIOLATION, "no"));
        failing.expect("it is open");
        sender.flush().expect("there is room");
        let close = Frame::new(CLOSE, b"\x03\xf0no".as_slice());
        assert_eq!(peer.frame(), close);
        // The peer never answers: there is nothing to wait for.
        peer.stream
            .limit_read(Some(Duration::from_secs(4)))
            .expect("a socket");
        assert_eq!(peer.frames_to_end(), []);
        drop(peer);
        assert_eq!(reader.join().1.expect("an end"), None);
    }
    everywhere!(over);
}

#[test]
fn failing_by_a_sender_ends_the_receiver_in_time() {
    in_time("the test", || {
        let (receiver, sender, _peer) = split_with_peer::<TcpStream>(Role::Server, quick());
        let reader = receive(receiver);
        reader.wait_until_blocked();
        let failing = sender.with(|conn| conn.fail(CloseCode::POLICY_VIOLATION, ""));
        failing.expect("it is open");
        sender.flush().expect("there is room");
        // The peer says nothing, now or ever.
        assert_eq!(reader.join().1.expect("an end"), None);
        assert_refused(&sender.send("too late"));
    });
}

#[test]
fn mistake_of_the_peer_is_told_while_a_message_is_being_written() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let writer = fill(&sender);
        peer.send(0x83, "");
        let reader = receive(receiver);
        assert!(peer.frame() == Frame::new(BINARY, pattern(0, MUCH)));
        assert_eq!(peer.frame(), Frame::close(1002));
        assert_eq!(peer.frames_to_end(), []);
        drop(peer);
        let (_, received) = reader.join();
        assert!(matches!(received, Err(Error::Protocol(_))), "{received:?}");
        writer.join().expect("it was read");
        assert_refused(&sender.send("too late"));
    }
    everywhere!(over);
}

// Time-outs.

#[test]
fn peer_that_never_reads_is_given_up_by_both_halves() {
    fn over<S: Socket>(role: Role) {
        for _ in 0..3 {
            let (receiver, sender, _peer) = split_with_peer::<S>(role, quick());
            let reader = receive(receiver);
            let sent = send(&sender, pattern(0, MUCH)).join();
            let (_, received) = reader.join();
            assert_eq!(timed_out(&sent), Some(TimedOut::Write), "{sent:?}");
            assert_eq!(timed_out(&received), Some(TimedOut::Write), "{received:?}");
            assert_refused(&sender.send("too late"));
        }
    }
    everywhere!(over);
}

#[test]
fn sender_is_told_if_its_message_was_given_up() {
    fn over<S: Socket>(role: Role) {
        for _ in 0..5 {
            let config = quick().max_queued(usize::MAX);
            let (receiver, sender, _peer) = split_with_peer::<S>(role, config);
            let reader = receive(receiver);
            let first = fill(&sender);
            let others = [1, 2, 3].map(|n| send(&sender, pattern(n, 1000)));
            for sent in [first].into_iter().chain(others) {
                let sent = sent.join();
                assert!(sent.is_err(), "it was lost");
            }
            assert!(reader.join().1.is_err());
        }
    }
    everywhere!(over);
}

#[test]
fn deadline_of_closing_holds_for_everybody_while_a_write_waits() {
    fn over<S: Socket>(role: Role) {
        let config = patient().close_timeout(Duration::from_millis(40));
        let (receiver, sender, _peer) = split_with_peer::<S>(role, config);
        let reader = receive(receiver);
        let writer = fill(&sender);
        let closer = spawn("the one who closes", move || {
            sender.close(CloseCode::NORMAL, "")
        });
        let (_, received) = reader.join();
        assert_eq!(timed_out(&received), Some(TimedOut::Close), "{received:?}");
        let (sent, closed) = (writer.join(), closer.join());
        assert!(sent.is_err(), "it was lost");
        assert!(closed.is_err(), "it was lost");
    }
    everywhere!(over);
}

#[test]
fn deadline_of_closing_holds_for_a_peer_that_closes_and_does_not_read() {
    fn over<S: Socket>(role: Role) {
        let config = patient().close_timeout(Duration::from_millis(40));
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, config);
        let reader = receive(receiver);
        let writer = fill(&sender);
        peer.send_close(1000);
        let (_, received) = reader.join();
        assert_eq!(timed_out(&received), Some(TimedOut::Close), "{received:?}");
        assert!(writer.join().is_err(), "it was lost");
    }
    everywhere!(over);
}

#[test]
fn deadline_of_closing_holds_for_a_peer_that_fails_and_does_not_read() {
    fn over<S: Socket>(role: Role) {
        let config = patient().close_timeout(Duration::from_millis(40));
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, config);
        let reader = receive(receiver);
        let writer = fill(&sender);
        peer.send(0x83, "");
        let (_, received) = reader.join();
        let ended = matches!(
            received,
            Err(Error::Protocol(_) | Error::TimedOut(TimedOut::Close))
        );
        assert!(ended, "{received:?}");
        assert!(writer.join().is_err(), "it was lost");
    }
    everywhere!(over);
}

#[test]
fn peer_that_goes_silent_is_given_up() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_millis(10)));
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, config);
        let (_, received) = receive(receiver).join();
        assert_eq!(timed_out(&received), Some(TimedOut::Keepalive));
        assert_eq!(sender.with(|conn| conn.state()), State::Closed);
        assert_eq!(peer.frame().first, PING);
    }
    everywhere!(over);
}

#[test]
fn peer_that_answers_pings_is_alive() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_secs(100)));
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, config);
        let reader = receive(receiver);
        for _ in 0..5 {
            let ping = peer.frame();
            assert_eq!(ping.first, PING);
            peer.send(PONG, ping.payload);
        }
        peer.send_close(1000);
        peer.end_writing();
        assert_eq!(reader.join().1.expect("an end"), None);
        assert!(sender.with(|conn| conn.stats()).pings_sent >= 5);
    }
    everywhere!(over);
}

#[test]
fn peer_is_not_silent_because_nobody_receives() {
    fn over<S: Socket>(role: Role) {
        let config = patient().keepalive(keepalive(Duration::from_millis(10)));
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, config);
        let peer = spawn("the peer", move || {
            peer.send(TEXT, "I am here");
            while let Ok(Some(frame)) = peer.next() {
                if frame.first == PING && peer.try_send(PONG, frame.payload).is_err() {
                    break;
                }
            }
        });
        // Several times as long as a peer may be silent, whose answers lie there.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            sender.send("are you there?").expect("it is");
        }
        let received = receiver.recv().expect("a message");
        assert_eq!(received, Some("I am here".into()));
        drop((receiver, sender));
        peer.join();
    }
    everywhere!(over);
}

// Resets, and halves that are gone.

#[test]
fn reset_wakes_both_halves() {
    fn over<S: Socket>(role: Role) {
        for _ in 0..5 {
            let (receiver, sender, peer) = split_with_peer::<S>(role, patient());
            let reader = receive(receiver);
            let writer = fill(&sender);
            reader.wait_until_blocked();
            peer.reset();
            let error = writer.join().expect_err("nobody reads it");
            assert!(is_gone(&error), "{error:?}");
            assert_lost(&reader.join().1);
            assert_refused(&sender.send("too late"));
        }
    }
    everywhere!(over);
}

#[test]
fn reset_is_told_to_every_sender_that_waits() {
    fn over<S: Socket>(role: Role) {
        for _ in 0..5 {
            let config = patient().max_queued(usize::MAX);
            let (receiver, sender, peer) = split_with_peer::<S>(role, config);
            let reader = receive(receiver);
            let first = fill(&sender);
            let others = [1, 2, 3].map(|n| send(&sender, pattern(n, 1000)));
            others.iter().for_each(Task::wait_until_blocked);
            peer.reset();
            for sent in [first].into_iter().chain(others) {
                let sent = sent.join();
                assert!(sent.is_err(), "it was lost");
            }
            assert_lost(&reader.join().1);
        }
    }
    everywhere!(over);
}

#[test]
fn what_came_before_a_reset_is_received_though_a_sender_has_failed() {
    fn over<S: Socket>(role: Role) {
        let (mut receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        sender.send("unread").expect("there is room");
        peer.send(TEXT, "last words");
        peer.reset();
        let error = loop {
            if let Err(error) = sender.send("anybody there?") {
                break error;
            }
        };
        assert!(is_gone(&error), "{error:?}");
        let received = receiver.recv().expect("a message");
        assert_eq!(received, Some("last words".into()));
        assert_lost(&receiver.recv());
    }
    everywhere!(over);
}

#[test]
fn sender_goes_on_without_a_receiver() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let writer = fill(&sender);
        drop(receiver);
        assert!(peer.frame() == Frame::new(BINARY, pattern(0, MUCH)));
        writer.join().expect("it was read");
        sender.send("Hello").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "Hello"));
        drop(sender);
        assert_eq!(peer.frames_to_end(), []);
    }
    everywhere!(over);
}

#[test]
fn receiver_goes_on_without_a_sender() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let reader = receive(receiver);
        reader.wait_until_blocked();
        drop(sender);
        peer.send(PING, "?");
        assert_eq!(peer.frame(), Frame::new(PONG, "?"));
        peer.send(TEXT, "Hello");
        let (mut receiver, received) = reader.join();
        assert_eq!(received.expect("a message"), Some("Hello".into()));
        // There can always be another one.
        receiver.sender().send("Hello").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "Hello"));
        peer.send_close(1000);
        peer.end_writing();
        assert_eq!(receiver.recv().expect("an end"), None);
        // The transport was told, although a half of it lives on.
        assert_eq!(peer.frames_to_end(), [Frame::close(1000)]);
    }
    everywhere!(over);
}

#[test]
fn transport_ends_with_the_last_half() {
    fn over<S: Socket>(role: Role) {
        for receiver_first in [true, false] {
            let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
            let another = sender.clone();
            sender.send("Hello").expect("there is room");
            if receiver_first {
                drop(receiver);
                drop((sender, another));
            } else {
                drop((sender, another));
                drop(receiver);
            }
            assert_eq!(peer.frames_to_end(), [Frame::new(TEXT, "Hello")]);
        }
    }
    everywhere!(over);
}

// The connection behind both.

#[test]
fn senders_lend_the_connection() {
    fn over<S: Socket>(role: Role) {
        let (receiver, sender, mut peer) = split_with_peer::<S>(role, patient());
        let reader = receive(receiver);
        reader.wait_until_blocked();
        assert_eq!(sender.with(|conn| conn.role()), role);
        let queued = sender.with(|conn| {
            conn.send_ping(b"?")?;
            conn.start_message(MessageKind::Text)?;
            conn.send_part(b"Hel")?;
            conn.finish_message(b"lo")
        });
        queued.expect("it is open");
        sender.flush().expect("there is room");
        let expected = [(PING, "?"), (0x01, "Hel"), (0x80, "lo")];
        for (first, payload) in expected {
            assert_eq!(peer.frame(), Frame::new(first, payload));
        }
        // A panic in there is nobody else's.
        let panicked = catch_unwind(AssertUnwindSafe(|| sender.with(|_| panic!("on purpose"))));
        assert!(panicked.is_err());
        sender.send("Hello").expect("there is room");
        assert_eq!(peer.frame(), Frame::new(TEXT, "Hello"));
        peer.send(TEXT, "Hello");
        assert_eq!(reader.join().1.expect("a message"), Some("Hello".into()));
    }
    everywhere!(over);
}

#[test]
fn what_was_queued_before_the_split_leaves_in_order() {
    fn over<S: Socket>(role: Role) {
        let (mut ws, mut peer) = with_peer::<S>(role, patient());
        ws.feed("first").expect("there is room");
        let (receiver, sender) = split(ws);
        sender.feed("second").expect("there is room");
        let _reader = receive(receiver);
        assert_eq!(peer.frame(), Frame::new(TEXT, "first"));
        assert_eq!(peer.frame(), Frame::new(TEXT, "second"));
        peer.send(TEXT, "Hello");
    }
    everywhere!(over);
}

#[test]
fn short_conversations_end_as_they_should() {
    fn over<S: Socket>() {
        for round in 0..200 {
            let (here, there) = two::<S>(patient());
            let (mut receiver, sender) = split(there);
            let echo = spawn("the echo", move || {
                while let Some(message) = receiver.recv().expect("messages") {
                    match sender.send(message) {
                        Ok(()) | Err(Error::Send(SendError::Closed)) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                sender.with(|conn| conn.closed()).expect("it is closed")
            });
            let (mut receiver, sender) = split(here);
            let writer = spawn("the sender", move || {
                for n in 0..3 {
                    sender.send(format!("{n}")).expect("there is room");
                }
                if round % 2 == 0 {
                    sender.close(CloseCode::NORMAL, "").expect("it is open");
                }
                sender
            });
            let mut heard = 0;
            while let Some(message) = receiver.recv().expect("messages") {
                assert_eq!(message, format!("{heard}").into());
                heard += 1;
                if heard == 3 && round % 2 == 1 {
                    let sender = receiver.sender();
                    sender.close(CloseCode::NORMAL, "").expect("it is open");
                }
            }
            assert!(heard == 3 || round % 2 == 0, "nothing was cut off");
            let here = writer.join().with(|conn| conn.closed());
            assert!(here.expect("it is closed").clean && echo.join().clean);
        }
    }
    in_time("over TCP", over::<TcpStream>);
    #[cfg(unix)]
    in_time("over Unix sockets", over::<std::os::unix::net::UnixStream>);
}
