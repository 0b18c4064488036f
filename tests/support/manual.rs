//! A runtime for tests: an executor that polls a task only when it was woken, and a clock that is a
//! variable, with timers that are counted.
#![allow(dead_code, reason = "every test crate uses a part of it")]
#![expect(clippy::disallowed_types, reason = "timers of an adapter")]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use framewire::nonblocking::{Runtime, Timer};

/// The family of [`Clock`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manual;

impl Runtime for Manual {
    type Timer = Alarm;
}

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Default)]
struct Clock {
    now: Duration,
    next: usize,
    /// The timers that there are: their deadlines, and whom they wake.
    timers: BTreeMap<usize, (Instant, Option<Waker>)>,
    most: usize,
    made: usize,
}

thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::default();
    static POLLS: Cell<usize> = const { Cell::new(0) };
}

/// A timer.
#[derive(Debug)]
pub(crate) struct Alarm(usize);

impl Timer for Alarm {
    fn now() -> Instant {
        CLOCK.with_borrow(|clock| *BASE + clock.now)
    }

    fn at(deadline: Instant) -> Self {
        CLOCK.with_borrow_mut(|clock| {
            let number = clock.next;
            clock.next += 1;
            clock.made += 1;
            clock.timers.insert(number, (deadline, None));
            clock.most = clock.most.max(clock.timers.len());
            Self(number)
        })
    }

    fn deadline(&self) -> Instant {
        CLOCK.with_borrow(|clock| clock.timers[&self.0].0)
    }

    fn reset(&mut self, deadline: Instant) {
        CLOCK.with_borrow_mut(|clock| {
            let timer = clock.timers.get_mut(&self.0).expect("as long as it lives");
            // Who waits for it is not told: it has to be polled again.
            *timer = (deadline, timer.1.take());
        });
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        POLLS.set(POLLS.get() + 1);
        CLOCK.with_borrow_mut(|clock| {
            let now = *BASE + clock.now;
            let timer = clock.timers.get_mut(&self.0).expect("as long as it lives");
            if timer.0 <= now {
                timer.1 = None;
                return Poll::Ready(());
            }
            timer.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        CLOCK.with_borrow_mut(|clock| clock.timers.remove(&self.0));
    }
}

/// Sets the clock back, for a test that begins.
pub(crate) fn reset_clock() {
    CLOCK.set(Clock::default());
    POLLS.set(0);
}

/// How many timers there are, were at most at the same time, and were made.
pub(crate) fn timers() -> (usize, usize, usize) {
    CLOCK.with_borrow(|clock| (clock.timers.len(), clock.most, clock.made))
}

pub(crate) fn timer_polls() -> usize {
    POLLS.get()
}

pub(crate) fn now() -> Duration {
    CLOCK.with_borrow(|clock| clock.now)
}

/// Lets time pass until the next timer that somebody waits for fires. `false`: there is none.
pub(crate) fn next_timer() -> bool {
    let wakers: Vec<Waker> = CLOCK.with_borrow_mut(|clock| {
        let waited = clock.timers.values().filter(|(_, waker)| waker.is_some());
        let Some(next) = waited.map(|(deadline, _)| *deadline).min() else {
            return Vec::new();
        };
        clock.now = clock.now.max(next.saturating_duration_since(*BASE));
        let now = *BASE + clock.now;
        let due = clock.timers.values_mut().filter(|timer| timer.0 <= now);
        due.filter_map(|timer| timer.1.take()).collect()
    });
    let any = !wakers.is_empty();
    wakers.into_iter().for_each(Waker::wake);
    any
}

/// Lets time pass, and no timer fires yet: as on a machine that is busy.
pub(crate) fn pass_unnoticed(by: Duration) {
    CLOCK.with_borrow_mut(|clock| clock.now += by);
}

#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task that is polled by hand, and only when it was woken.
pub(crate) struct Task<'a> {
    /// `None`: it has ended.
    future: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    flag: Arc<Flag>,
    pub(crate) polls: usize,
}

impl<'a> Task<'a> {
    pub(crate) fn new(future: impl Future<Output = ()> + 'a) -> Self {
        Self {
            future: Some(Box::pin(future)),
            flag: Arc::new(Flag(AtomicBool::new(true))),
            polls: 0,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.future.is_none()
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.future.is_some() && self.flag.0.load(Ordering::Relaxed)
    }

    /// Polls it once, whether it was woken or not.
    pub(crate) fn poll(&mut self) {
        self.flag.0.store(false, Ordering::Relaxed);
        self.polls += 1;
        let waker = Waker::from(Arc::clone(&self.flag));
        let cx = &mut Context::from_waker(&waker);
        if let Some(future) = &mut self.future
            && future.as_mut().poll(cx).is_ready()
        {
            self.future = None;
        }
    }

    /// Drops its future.
    pub(crate) fn abandon(&mut self) {
        self.future = None;
    }
}

/// Polls tasks that were woken, in turns, until none is.
pub(crate) fn run_woken(tasks: &mut [Task<'_>]) {
    let mut polls = 0;
    while tasks.iter().any(Task::is_woken) {
        for task in tasks.iter_mut().filter(|task| task.is_woken()) {
            task.poll();
            polls += 1;
            assert!(polls < 1_000_000, "tasks that wake each other for ever");
        }
    }
}

/// Random numbers, the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `n`.
    pub(crate) fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}
