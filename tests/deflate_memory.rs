//! What memory permessage-deflate (RFC 7692) takes, counted by the allocator: none for an idle connection
//! without context takeover, one state for each direction with it, a few states for each thread to use
//! again, and no allocation for a message once that is warm.
#![cfg(feature = "deflate")]

mod support;

use std::{
    cell::RefCell,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use allocation_counter::{AllocationInfo, measure, opt_out};
use bytes::{Buf as _, Bytes};
use framewire::{
    Config, Connection, Deflate, Event, MessageKind, PartEvent, PreparedMessage, RecvBuf, Role,
};
use support::{
    ROLES, connection,
    deflate::{Deflater, Inflater, agreed, deflate},
    trace::drain,
    wire::{frame, input},
};

/// As documented: a state to compress with a window of 15 bits, and one to decompress.
const COMPRESS: usize = 279_680;
const DECOMPRESS: usize = 47_552;
const BOTH: usize = COMPRESS + DECOMPRESS;
/// What allocations are rounded by, and what the thread keeps of compressed payloads.
const SLACK: usize = 16 * 1024;
/// How many states of either kind a thread keeps.
const KEPT: usize = 4;

const NO_TAKEOVER: &str = "; server_no_context_takeover; client_no_context_takeover";

const TEXT: u8 = 0xc1;
const BINARY: u8 = 0xc2;

/// Whoever may compress with context takeover counts against a bound of the process.
fn alone() -> MutexGuard<'static, ()> {
    static TAKEOVERS: Mutex<()> = Mutex::new(());
    TAKEOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on a thread that keeps nothing yet.
fn on_new_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

fn with_takeover() -> Deflate {
    Deflate::new().send_takeover(true).receive_takeover(true)
}

fn config(deflate: Deflate) -> Config {
    Config::new().deflate(deflate)
}

/// A connection that has agreed on compression, with takeover in both directions or in none.
fn open(role: Role, takeover: bool) -> Connection {
    let (params, options) = match (takeover, role) {
        (true, _) => ("", with_takeover()),
        (false, Role::Server) => ("", Deflate::new()),
        (false, Role::Client) => (NO_TAKEOVER, Deflate::new()),
    };
    open_with(role, params, options)
}

fn open_with(role: Role, params: &str, options: Deflate) -> Connection {
    let mut conn = agreed(role, params, config(options));
    // What the opening handshake was written from.
    conn.send_buf().release();
    conn
}

fn json(len: usize) -> String {
    let entries =
        (0..).map(|i: usize| format!("{{\"id\":{},\"event\":\"trade\"}},", i * 7919 % 10_000));
    let mut text = String::new();
    entries
        .take_while(|entry| {
            text.push_str(entry);
            text.len() < len
        })
        .for_each(drop);
    text.truncate(len);
    text
}

/// Writes everything that is queued.
fn flush(conn: &mut Connection) {
    while conn.send_buf().has_remaining() {
        let n = conn.send_buf().chunk().len().min(1000);
        conn.send_buf().advance(n);
    }
}

/// Gives `wire` to `conn`, which must receive messages of `expected` bytes in all.
fn receive(conn: &mut Connection, rx: &mut RecvBuf, wire: &[u8], expected: usize) {
    let mut received = 0;
    for piece in wire.chunks(4096) {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive(rx) {
            received += match event {
                Event::Text(text) => text.len(),
                Event::Binary(data) => data.len(),
                other => panic!("{other:?}"),
            };
        }
    }
    assert_eq!(received, expected);
}

/// Sends and receives a compressed message, and gives back all other memory.
fn chat(conn: &mut Connection) {
    // Not counted, as it is not ours.
    opt_out(|| _ = LazyLock::force(&CHAT));
    let (message, wires) = &*CHAT;
    conn.send_text(message).expect("open");
    assert!(conn.send_buf().remaining() < 1000, "it is compressed");
    flush(conn);
    let mut rx = RecvBuf::new();
    let wire = &wires[usize::from(conn.role() == Role::Server)];
    receive(conn, &mut rx, wire, message.len());
    conn.send_buf().release();
}

/// A message, and how it arrives at a client and at a server.
static CHAT: LazyLock<(String, [Vec<u8>; 2])> = LazyLock::new(|| {
    let message = json(2000);
    let frame = frame(TEXT, &deflate(message.as_bytes()));
    (
        message,
        [Role::Client, Role::Server].map(|role| input(role, &frame)),
    )
});

/// The compressed payload that was queued for a message.
fn payload_sent(conn: &mut Connection) -> Vec<u8> {
    let role = conn.role();
    let output = drain(conn);
    assert_eq!(output[0] & 0x40, 0x40, "it is compressed");
    let (len, rest) = match output[1] & 0x7f {
        126 => (
            usize::from(u16::from_be_bytes([output[2], output[3]])),
            &output[4..],
        ),
        len => (usize::from(len), &output[2..]),
    };
    let Role::Client = role else {
        assert_eq!(rest.len(), len);
        return rest.to_vec();
    };
    let (key, rest) = rest.split_at(4);
    assert_eq!(rest.len(), len);
    rest.iter()
        .zip(key.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect()
}

#[track_caller]
fn assert_within(bytes: i64, least: usize, most: usize) {
    let expected = least as i64..=most as i64;
    assert!(expected.contains(&bytes), "{bytes} bytes, not {expected:?}");
}

// req: D-33
#[test]
fn connection_without_traffic_owns_no_state() {
    const N: usize = 100;
    let _alone = alone();
    for role in ROLES {
        let mut connections = Vec::with_capacity(2 * N);
        let plain = measure(|| {
            connections.extend((0..N).map(|_| connection(role, Config::new())));
        });
        for takeover in [false, true] {
            connections.truncate(N);
            let agreed = measure(|| connections.extend((0..N).map(|_| open(role, takeover))));
            assert!(connections[N..].iter().all(Connection::can_compress));
            let more = agreed.bytes_current - plain.bytes_current;
            assert_within(more, 0, N * 320);
        }
    }
}

// req: D-33
#[test]
fn connection_without_takeover_owns_no_state_after_traffic() {
    for role in ROLES {
        on_new_thread(|| {
            let mut connections: Vec<_> = (0..100).map(|_| open(role, false)).collect();
            // What the thread keeps comes with the first.
            let first = measure(|| chat(&mut connections[0]));
            assert_within(first.bytes_current, BOTH, BOTH + SLACK);
            let others = measure(|| connections.iter_mut().for_each(chat));
            assert_eq!((others.count_current, others.bytes_current), (0, 0));
            let dropped = measure(|| drop(connections));
            assert_within(-dropped.bytes_current, 0, 100 * 2048);
        });
    }
}

// req: D-33
#[test]
fn connections_of_a_thread_use_the_same_states() {
    for role in ROLES {
        on_new_thread(|| {
            // One after the other.
            let info = measure(|| (0..1000).for_each(|_| chat(&mut open(role, false))));
            assert_within(info.bytes_current, BOTH, BOTH + SLACK);
            assert!(info.bytes_max < (BOTH + 4 * SLACK) as u64, "{info:?}");
        });
    }
}

/// Connections that are within a message in both directions, so that each holds two states.
fn amid(role: Role, n: usize, deflate: impl Fn(usize) -> Deflate) -> Vec<(Connection, RecvBuf)> {
    let payload = self::deflate(json(500).as_bytes());
    let (begin, _) = payload.split_at(payload.len() / 2);
    let wire = input(role, &frame(TEXT & 0x7f, begin));
    let begun = |i| {
        let params = match role {
            Role::Server => "",
            Role::Client => NO_TAKEOVER,
        };
        let mut conn = open_with(role, params, deflate(i));
        conn.start_message(MessageKind::Text).expect("open");
        conn.send_part(json(500).as_bytes()).expect("open");
        flush(&mut conn);
        conn.send_buf().release();
        let mut rx = RecvBuf::new();
        receive(&mut conn, &mut rx, &wire, 0);
        (conn, rx)
    };
    (0..n).map(begun).collect()
}

// req: D-33
#[test]
fn thread_keeps_four_states_of_each_kind_at_most() {
    for role in ROLES {
        on_new_thread(|| {
            for _ in 0..3 {
                let mut held = Vec::new();
                let info = measure(|| held = amid(role, 20, |_| Deflate::new()));
                assert_within(
                    info.bytes_current,
                    (20 - KEPT) * BOTH,
                    20 * (BOTH + 3 * SLACK),
                );
                // In use they are, so that none is in the pool.
                let finished = measure(|| {
                    for (mut conn, _) in held.drain(..10) {
                        conn.finish_message(b"the end").expect("open");
                        flush(&mut conn);
                    }
                });
                assert!(finished.bytes_current < -(6 * COMPRESS as i64));
                let dropped = measure(|| drop(held));
                assert!(dropped.bytes_current < 0);
            }
        });
        // All of it, and with settings that differ.
        let settings = |i: usize| {
            let deflate = Deflate::new().level(1 + (i % 9) as u8);
            deflate.send_window_bits(9 + (i % 7) as u8)
        };
        on_new_thread(|| {
            let info = measure(|| drop(amid(role, 20, |_| Deflate::new())));
            assert_within(info.bytes_current, KEPT * BOTH, KEPT * BOTH + SLACK);
            let info = measure(|| drop(amid(role, 50, settings)));
            assert!(info.bytes_current <= 0, "{info:?}");
            let info = measure(|| drop(amid(role, 20, |_| Deflate::new())));
            assert_within(info.bytes_current, 0, KEPT * COMPRESS);
        });
    }
}

// req: D-33
#[test]
fn connection_with_takeover_holds_a_state_for_each_direction() {
    const N: usize = 10;
    let _alone = alone();
    for role in ROLES {
        on_new_thread(|| {
            let mut connections: Vec<_> = (0..N).map(|_| open(role, true)).collect();
            let info = measure(|| connections.iter_mut().for_each(chat));
            assert_within(info.bytes_current, N * BOTH, N * BOTH + SLACK);
            let info = measure(|| connections.iter_mut().for_each(chat));
            assert_eq!((info.count_current, info.bytes_current), (0, 0));
            let info = measure(|| drop(connections));
            let given_back = -info.bytes_current;
            assert_within(given_back, (N - KEPT) * BOTH, (N - KEPT) * BOTH + SLACK);
        });
        // In one direction.
        on_new_thread(|| {
            let options = Deflate::new().receive_takeover(true);
            let params = match role {
                Role::Client => "; client_no_context_takeover",
                Role::Server => "; server_no_context_takeover",
            };
            let mut connections: Vec<_> =
                (0..N).map(|_| open_with(role, params, options)).collect();
            let info = measure(|| connections.iter_mut().for_each(chat));
            let states = N * DECOMPRESS + COMPRESS;
            assert_within(info.bytes_current, states, states + SLACK);
        });
    }
}

// req: D-33
#[test]
fn connections_beyond_the_bound_compress_without_takeover() {
    const N: usize = 8;
    const MOST: usize = 3;
    let _alone = alone();
    let options = with_takeover().receive_takeover(false).max_takeovers(MOST);
    let message = json(1000);
    for role in ROLES {
        on_new_thread(|| {
            let params = match role {
                Role::Client => "; server_no_context_takeover",
                Role::Server => "",
            };
            let open = || (open_with(role, params, options), Inflater::new());
            let mut connections: Vec<_> = (0..N).map(|_| open()).collect();
            let info = measure(|| {
                connections.iter_mut().for_each(|(conn, _)| {
                    conn.send_text(&message).expect("open");
                });
            });
            let (least, rest) = ((MOST + 1) * COMPRESS, N * SLACK);
            assert_within(info.bytes_current, least, least + rest);

            let check = |(conn, inflater): &mut (Connection, Inflater)| {
                let first = payload_sent(conn);
                assert_eq!(inflater.message(&first), message.as_bytes());
                conn.send_text(&message).expect("open");
                let second = payload_sent(conn);
                assert_eq!(inflater.message(&second), message.as_bytes());
                second.len() < first.len() / 2
            };
            let refers_back: Vec<_> = connections.iter_mut().map(check).collect();
            let expected: Vec<_> = (0..N).map(|i| i < MOST).collect();
            assert_eq!(refers_back, expected);

            // A place that is given up is there for the next.
            connections.swap_remove(0);
            let mut again = [open(), open()];
            let refers_back = again.each_mut().map(|one| {
                one.0.send_text(&message).expect("open");
                check(one)
            });
            assert_eq!(refers_back, [true, false]);
        });
    }
}

static GONE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LATE: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
}

/// A connection that is used and dropped while its thread ends, when what the thread keeps may be gone.
struct Late(Connection);

impl Drop for Late {
    fn drop(&mut self) {
        let conn = &mut self.0;
        chat(conn);
        let message = PreparedMessage::text(&json(1000)).compress(&Deflate::new());
        conn.send_prepared(&message).expect("open");
        conn.start_message(MessageKind::Binary).expect("open");
        conn.send_part(&[7; 1000]).expect("open");
        conn.send_ping(b"").expect("open");
        GONE.fetch_add(1, Ordering::Relaxed);
    }
}

// req: D-33
#[test]
fn connections_are_used_and_dropped_while_their_thread_ends() {
    let _alone = alone();
    for (role, takeover) in ROLES.into_iter().flat_map(|r| [(r, false), (r, true)]) {
        let keep = |n| {
            let late = (0..n).map(|_| Late(open(role, takeover)));
            LATE.with(|kept| kept.borrow_mut().extend(late));
        };
        let before = GONE.load(Ordering::Relaxed);
        // What the thread keeps is made before, after and not at all.
        on_new_thread(|| {
            chat(&mut open(role, takeover));
            keep(6);
        });
        on_new_thread(|| {
            keep(6);
            chat(&mut open(role, takeover));
        });
        on_new_thread(|| keep(6));
        assert_eq!(GONE.load(Ordering::Relaxed), before + 18);
    }
}

// req: D-33
#[test]
fn states_go_with_their_connection_to_another_thread() {
    let _alone = alone();
    let message = json(1000);
    for role in ROLES {
        let mut conn = open(role, true);
        let (mut inflater, mut deflater) = (Inflater::new(), Deflater::new());
        for _ in 0..5 {
            let wire = input(role, &frame(TEXT, &deflater.message(message.as_bytes())));
            conn = on_new_thread(|| {
                conn.send_text(&message).expect("open");
                receive(&mut conn, &mut RecvBuf::new(), &wire, message.len());
                conn
            });
            let payload = payload_sent(&mut conn);
            assert_eq!(inflater.message(&payload), message.as_bytes());
        }
        on_new_thread(|| drop(conn));
    }
}

// req: D-33, A-04
#[test]
fn sending_allocates_nothing_once_it_is_warm() {
    let _alone = alone();
    let text = json(64 * 1024);
    let data = Bytes::from(text.clone());
    for (role, takeover) in ROLES.into_iter().flat_map(|r| [(r, false), (r, true)]) {
        let prepared = [200, 2000, 64 * 1024]
            .map(|n| PreparedMessage::text(&text[..n]).compress(&Deflate::new()));
        let mut conn = open(role, takeover);
        let mut round = || {
            for n in [0, 5, 127, 128, 200, 2000, 64 * 1024] {
                conn.send_text(&text[..n]).expect("open");
                conn.send_binary(&data[..n]).expect("open");
                conn.send_bytes(MessageKind::Text, data.slice(..n))
                    .expect("open");
                conn.start_message(MessageKind::Text).expect("open");
                conn.send_part(&data[..n]).expect("open");
                conn.send_part(b"more").expect("open");
                conn.finish_message(b"").expect("open");
            }
            for message in &prepared {
                conn.send_prepared(message).expect("open");
                // Of what is not smaller nothing is sent.
                conn.send_binary(&NOISE).expect("open");
            }
            flush(&mut conn);
        };
        (0..3).for_each(|_| round());
        let warm = measure(|| (0..10).for_each(|_| round()));
        assert_eq!(warm, AllocationInfo::default(), "{role:?}, {takeover}");
    }
}

/// Bytes that don't repeat.
const NOISE: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut i = 0;
    while i < 256 {
        bytes[i] = (i * 167 + i * i / 3) as u8;
        i += 1;
    }
    bytes
};

// req: D-33, A-04
#[test]
fn receiving_allocates_nothing_once_it_is_warm() {
    const ROUNDS: usize = 6;
    let text = json(64 * 1024);
    for (role, takeover) in ROLES.into_iter().flat_map(|r| [(r, false), (r, true)]) {
        let options = Deflate::new().receive_takeover(takeover);
        let params = match role {
            Role::Client if !takeover => "; server_no_context_takeover",
            Role::Client | Role::Server => "",
        };
        let mut deflater = Deflater::new();
        let mut rounds = Vec::new();
        let mut expected = 0;
        for _ in 0..ROUNDS {
            let mut frames = Vec::new();
            expected = 0;
            for (kind, n) in [TEXT, BINARY]
                .into_iter()
                .flat_map(|kind| [0, 5, 200, 2000, 64 * 1024].map(|n| (kind, n)))
            {
                for in_fragments in [false, true] {
                    if !takeover {
                        deflater = Deflater::new();
                    }
                    let payload = deflater.message(&text.as_bytes()[..n]);
                    if in_fragments {
                        let (first, second) = payload.split_at(payload.len() / 2);
                        frames.extend(frame(kind & 0x7f, first));
                        frames.extend(frame(0x80, second));
                    } else {
                        frames.extend(frame(kind, &payload));
                    }
                    expected += n;
                }
            }
            rounds.push(input(role, &frames));
        }
        let (warm, measured) = rounds.split_at(3);
        for in_parts in [false, true] {
            let mut conn = open_with(role, params, options);
            let mut rx = RecvBuf::new();
            let mut round = |wire: &Vec<u8>| {
                if in_parts {
                    receive_in_parts(&mut conn, &mut rx, wire, expected);
                } else {
                    receive(&mut conn, &mut rx, wire, expected);
                }
            };
            warm.iter().for_each(&mut round);
            let info = measure(|| measured.iter().for_each(&mut round));
            assert_eq!(
                info,
                AllocationInfo::default(),
                "{role:?}, {takeover}, {in_parts}"
            );
        }
    }
}

fn receive_in_parts(conn: &mut Connection, rx: &mut RecvBuf, wire: &[u8], expected: usize) {
    let mut received = 0;
    for piece in wire.chunks(4096) {
        rx.extend_from_slice(piece);
        while let Some(event) = conn.receive_part(rx) {
            received += match event {
                PartEvent::Text { part, .. } => part.len(),
                PartEvent::Binary { part, .. } => part.len(),
                other => panic!("{other:?}"),
            };
        }
    }
    assert_eq!(received, expected);
}

// req: D-33
#[test]
fn what_the_thread_keeps_of_payloads_is_bounded() {
    // A message that is compressed to several MiB, which the thread does not keep.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 59) as u8
    };
    let data: Vec<u8> = (0..4 << 20).map(|_| next()).collect();
    for role in ROLES {
        on_new_thread(|| {
            let mut conn = open(role, false);
            let info = measure(|| {
                conn.send_binary(&data).expect("open");
                assert!(conn.send_buf().remaining() > 1 << 20);
                flush(&mut conn);
                conn.send_buf().release();
            });
            assert_within(info.bytes_current, COMPRESS, COMPRESS + 64 * 1024 + SLACK);
        });
    }
}
