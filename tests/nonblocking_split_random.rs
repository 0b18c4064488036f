//! The two halves of a split WebSocket under thousands of orders in which things may happen: tasks are
//! polled only when they were woken, the transport remembers one waker for each direction, and the clock
//! stands still. Whoever is not woken although he could go on, fails the test.
#![cfg(feature = "tokio")]

#[path = "support/manual.rs"]
mod manual;
#[path = "support/pipe.rs"]
mod pipe;
#[path = "support/piped.rs"]
mod polled;
mod support;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use framewire::{
    CloseCode, Config, Role,
    nonblocking::{Receiver, Sender},
};
use manual::{Dice, Manual, Task};
use pipe::{Act, Behind, Pipe, Probe};
use polled::{Peer, end_of, other, websocket};
use support::{ROLES, trace::Seen};

/// How many messages each of them sends.
const MESSAGES: usize = 12;

type Shared<'a> = &'a RefCell<Dice>;

/// Polls a future, and drops it at some of the times when it has to wait.
async fn unless_dropped<F: Future>(
    dice: Shared<'_>,
    one_in: usize,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if one_in > 0 && dice.borrow_mut().roll(one_in) == 0 => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn message(who: usize, n: usize, len: usize) -> Vec<u8> {
    let mut data = vec![who as u8, n as u8];
    data.extend((0..len).map(|i| (i * 7 + n) as u8));
    data
}

async fn send_all(sender: Sender<Pipe, Manual>, who: usize, dice: Shared<'_>, one_in: usize) {
    for n in 0..MESSAGES {
        let len = dice.borrow_mut().roll(400);
        let data = message(who, n, len);
        loop {
            let fed = unless_dropped(dice, one_in, sender.feed(&data)).await;
            if let Some(result) = fed {
                break result.expect("it is open");
            }
        }
        if dice.borrow_mut().roll(3) == 0 {
            flush(&sender, dice, one_in).await;
        }
        if dice.borrow_mut().roll(8) == 0 {
            sender.with(|conn| conn.send_ping(b"").ok());
        }
    }
    flush(&sender, dice, one_in).await;
}

async fn flush(sender: &Sender<Pipe, Manual>, dice: Shared<'_>, one_in: usize) {
    loop {
        if let Some(result) = unless_dropped(dice, one_in, sender.flush()).await {
            return result.expect("nobody is gone");
        }
    }
}

async fn receive_all(
    mut receiver: Receiver<Pipe, Manual>,
    got: &RefCell<Vec<Vec<u8>>>,
    dice: Shared<'_>,
    one_in: usize,
) {
    loop {
        let Some(result) = unless_dropped(dice, one_in, receiver.recv()).await else {
            continue;
        };
        match result.expect("nobody is gone") {
            Some(message) => got.borrow_mut().push(message.payload().to_vec()),
            None => break,
        }
    }
    let closed = receiver.sender().with(|conn| conn.closed());
    assert!(closed.expect("it has ended").clean, "{closed:?}");
}

/// The peer: reads, says its part and writes, a little at a time.
struct Driver {
    peer: Peer,
    probe: Probe,
    script: VecDeque<Option<Vec<u8>>>,
    out: Vec<u8>,
    /// How many messages it waits for until it closes, if it does.
    closes_at: Option<usize>,
    has_ended: bool,
}

impl Driver {
    fn can_act(&self) -> bool {
        let ends = self.peer.conn.is_closed() && !self.has_ended;
        self.probe.has_unseen() || !self.script.is_empty() || !self.out.is_empty() || ends
    }

    fn act(&mut self, dice: &mut Dice) {
        let most = [1, 9, 200, 5000][dice.roll(4)];
        match dice.roll(3) {
            0 => {
                let answer = self.peer.take(&self.probe.take(most));
                self.out.extend(answer);
                let data = |seen: &&Seen| matches!(seen, Seen::Binary(_));
                let count = self.peer.seen.iter().filter(data).count();
                if self.script.is_empty() && self.closes_at == Some(count) {
                    self.closes_at = None;
                    self.peer.conn.close(CloseCode::NORMAL, "").expect("open");
                    self.out.extend(support::trace::drain(&mut self.peer.conn));
                }
            }
            1 => {
                let Some(next) = self.script.pop_front() else {
                    return;
                };
                // It may have been closed by now.
                let conn = &mut self.peer.conn;
                let _ = match next {
                    Some(data) => conn.send_binary(&data),
                    None => conn.send_ping(b"are you there?"),
                };
                self.out.extend(support::trace::drain(conn));
            }
            _ => {
                let now: Vec<_> = self.out.drain(..most.min(self.out.len())).collect();
                self.probe.deliver(&now);
                if self.out.is_empty() && self.peer.conn.is_closed() && !self.has_ended {
                    self.has_ended = true;
                    self.probe.end(Behind::Eof);
                }
            }
        }
    }
}

fn play(role: Role, seed: u64, senders: usize) {
    manual::reset_clock();
    let dice = &RefCell::new(Dice::new(seed));
    let roll = |n| dice.borrow_mut().roll(n);
    let config = Config::new().max_queued([60, 1000, 1 << 20][roll(3)]);
    let (pipe, probe) = Pipe::new();
    probe.capacity([1, 70, 500, 4000][roll(4)]);
    probe.pieces([3, 100, 9999][roll(3)], [3, 100, 9999][roll(3)]);
    if roll(3) == 0 {
        probe.gathering();
        probe.capacity([500, 9000][roll(2)]);
    }
    let (mut acts, one_in) = (Dice::new(seed ^ 99), [2, 5, 30][roll(3)]);
    probe.plan(move |_| match acts.roll(one_in * 2) {
        0 => Some(Act::Pend),
        1 => Some(Act::Part),
        _ => None,
    });
    let peer_closes = roll(2) == 0;
    let mut driver = Driver {
        peer: Peer::new(end_of(other(role), Config::new(), false)),
        probe: probe.clone(),
        script: (0..MESSAGES * 2)
            .map(|n| (n % 2 == 0).then(|| message(9, n / 2, 150)))
            .collect(),
        out: Vec::new(),
        closes_at: peer_closes.then_some(senders * MESSAGES),
        has_ended: false,
    };
    let got = &RefCell::new(Vec::new());
    let left = &Cell::new(senders);
    let one_in = [0, 0, 2, 9][roll(4)];
    let (receiver, sender) = websocket::<_, Manual>(pipe, end_of(role, config, false)).split();
    let mut tasks = vec![Task::new(receive_all(receiver, got, dice, one_in))];
    for who in 0..senders {
        let sender = sender.clone();
        tasks.push(Task::new(async move {
            send_all(sender.clone(), who, dice, one_in).await;
            left.set(left.get() - 1);
            if left.get() == 0 && !peer_closes {
                sender
                    .close(CloseCode::NORMAL, "")
                    .await
                    .expect("it is open");
            }
        }));
    }
    drop(sender);

    let mut turns = 0;
    while tasks.iter().any(|task| !task.is_done()) {
        turns += 1;
        assert!(turns < 1_000_000, "seed {seed}: it never ends");
        let woken: Vec<_> = (0..tasks.len()).filter(|n| tasks[*n].is_woken()).collect();
        let chances = woken.len() + usize::from(driver.can_act());
        let done: Vec<_> = tasks.iter().map(Task::is_done).collect();
        let stuck = "nobody is woken, and not all are done";
        assert!(
            chances > 0,
            "{role:?}, seed {seed}: {stuck}: {done:?} {peer_closes}"
        );
        match woken.get(roll(chances)) {
            Some(n) => tasks[*n].poll(),
            None => driver.act(&mut dice.borrow_mut()),
        }
    }
    drop(tasks);
    let (live, most, _) = manual::timers();
    assert!(
        live == 0 && most <= 1,
        "{most} timers, {live} of them still"
    );
    assert_eq!(probe.dropped(), 1);

    // What the last of them wrote may not have been looked at.
    let rest = probe.take(usize::MAX);
    driver.peer.take(&rest);
    for who in 0..senders {
        let of_it = |seen: &&Seen| matches!(seen, Seen::Binary(data) if data[0] == who as u8);
        let numbers = driver
            .peer
            .seen
            .iter()
            .filter(of_it)
            .map(|seen| match seen {
                Seen::Binary(data) => {
                    assert_eq!(*data, message(who, data[1].into(), data.len() - 2));
                    usize::from(data[1])
                }
                other => panic!("{other:?}"),
            });
        assert!(
            numbers.eq(0..MESSAGES),
            "seed {seed}: {:?}",
            driver.peer.seen
        );
    }
    let got = got.borrow();
    if peer_closes {
        assert_eq!(got.len(), MESSAGES, "seed {seed}");
    }
    for (n, data) in got.iter().enumerate() {
        assert_eq!(*data, message(9, n, 150), "seed {seed}");
    }
    let pongs = driver.peer.seen.iter();
    let pongs = pongs.filter(|seen| matches!(seen, Seen::Pong(_))).count();
    assert!(pongs <= MESSAGES, "seed {seed}");
    assert!(!peer_closes || pongs > 0, "seed {seed}");
}

// req
#[test]
fn no_wake_up_is_lost_between_a_receiver_and_a_sender_in_any_order() {
    for role in ROLES {
        (0..1500).for_each(|seed| play(role, seed, 1));
    }
}

// req
#[test]
fn no_wake_up_is_lost_between_a_receiver_and_two_senders_in_any_order() {
    for role in ROLES {
        (0..1500).for_each(|seed| play(role, seed, 2));
    }
}

// req
#[test]
fn no_wake_up_is_lost_between_a_receiver_and_five_senders_in_any_order() {
    for role in ROLES {
        (0..200).for_each(|seed| play(role, seed, 5));
    }
}
