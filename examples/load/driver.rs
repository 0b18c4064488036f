//! A thread of the load: its connections, and what it does with them when.

use std::{
    iter, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

use futures::stream::{self, StreamExt as _};
use hdrhistogram::Histogram;
use tokio::{
    runtime::Builder,
    task::{JoinSet, yield_now},
};

use crate::{
    Outcome,
    connection::{Connection, Opener, Sender as MessageSender},
    pace::Pace,
    tables::Plan,
};

/// How many handshakes there are at the same time, of each thread.
const HANDSHAKES: usize = 64;
/// How much is done, if it is late, before the messages that have come are looked at.
const BURST: u32 = 32;
/// How long to wait for the last messages. What comes later has failed.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) enum Command {
    /// Opens so many more.
    Open(usize),
    Load(Load),
    /// Closes all of them.
    Close,
}

/// For a thread, whose part of everything it is.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) start: Instant,
    pub(crate) time: Duration,
    /// Messages a second.
    pub(crate) rate: f64,
    /// Connections a second.
    pub(crate) churn: f64,
    /// How much of an interval after the start it begins, so that the threads take turns.
    pub(crate) phase: f64,
}

/// What has happened since the last command.
pub(crate) struct Tally {
    /// In nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// Messages that were due.
    pub(crate) due: u64,
    pub(crate) received: u64,
    /// Those whose connection has ended.
    pub(crate) given_up: u64,
    /// When the last one came.
    pub(crate) last: Duration,
    pub(crate) opened: u64,
    pub(crate) not_opened: u64,
    pub(crate) closed: u64,
    /// Connections that brought what was not asked for, and those that ended before they were asked to.
    pub(crate) wrong: u64,
    pub(crate) lost: u64,
    /// Why the first connection could not be opened.
    pub(crate) error: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1_000, 100_000_000_000, 3);
        Self {
            latency: latency.expect("from a microsecond up to minutes"),
            due: 0,
            received: 0,
            given_up: 0,
            last: Duration::ZERO,
            opened: 0,
            not_opened: 0,
            closed: 0,
            wrong: 0,
            lost: 0,
            error: None,
        }
    }

    pub(crate) fn receive(&mut self, due: u64, now: Duration) {
        self.received += 1;
        self.last = now;
        self.latency
            .saturating_record(nanoseconds(now).saturating_sub(due));
    }

    pub(crate) fn add(&mut self, other: Self) {
        let added = self.latency.add(&other.latency);
        added.expect("histograms of the same bounds");
        self.due += other.due;
        self.received += other.received;
        self.given_up += other.given_up;
        self.last = self.last.max(other.last);
        self.opened += other.opened;
        self.not_opened += other.not_opened;
        self.closed += other.closed;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.error = self.error.take().or(other.error);
    }

    /// Counts a connection that was to be opened. Gives it, if it was.
    fn open(&mut self, opened: Outcome<Connection>) -> Option<Connection> {
        match opened {
            Ok(connection) => {
                self.opened += 1;
                Some(connection)
            }
            Err(error) => {
                self.not_opened += 1;
                self.error.get_or_insert_with(|| error.to_string());
                None
            }
        }
    }
}

/// Does what it is told, and tells what came of it, until there is nobody to tell it.
pub(crate) fn drive(
    opener: Arc<Opener>,
    has_own_tables: bool,
    commands: &Receiver<Command>,
    tallies: &Sender<Outcome<Tally>>,
) -> Outcome<()> {
    Plan::enter(has_own_tables)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut driver = Driver {
        opener,
        places: Arc::default(),
        next: 0,
    };
    // Between two commands nothing is expected to come.
    for command in commands {
        let done = runtime.block_on(async {
            match command {
                Command::Open(count) => driver.open(count).await,
                Command::Load(load) => driver.load(load).await?,
                Command::Close => driver.close().await,
            }
            Ok(())
        });
        let tally = mem::replace(&mut *driver.opener.tally(), Tally::new());
        tallies.send(done.map(|()| tally))?;
    }
    Ok(())
}

/// Connections, but for those that are being replaced.
type Places = Mutex<Vec<Option<Connection>>>;

struct Driver {
    opener: Arc<Opener>,
    places: Arc<Places>,
    /// The place whose turn it is.
    next: usize,
}

impl Driver {
    async fn open(&self, count: usize) {
        let attempts = stream::iter(iter::repeat_n((), count)).map(|()| self.opener.open());
        let opened: Vec<_> = attempts.buffer_unordered(HANDSHAKES).collect().await;
        let mut tally = self.opener.tally();
        let opened = opened.into_iter().map(|opened| tally.open(opened));
        lock(&self.places).extend(opened.filter(Option::is_some));
    }

    async fn close(&mut self) {
        let places = mem::take(&mut *lock(&self.places));
        let closing = stream::iter(places.into_iter().flatten()).map(async |connection| {
            connection.close().await;
            connection.closed().await;
        });
        closing.buffer_unordered(HANDSHAKES).count().await;
        self.next = 0;
    }

    async fn load(&mut self, load: Load) -> Outcome<()> {
        let mut pace = Pace::new()?;
        let start = load.start.duration_since(self.opener.origin);
        let end = start + load.time;
        let mut messages = Schedule::new(start, load.rate, load.phase);
        let mut closings = Schedule::new(start, load.churn, load.phase);
        let (mut frame, mut burst) = (Vec::new(), 0);
        let mut replacements = JoinSet::new();
        loop {
            let due = messages.next().min(closings.next()).min(end);
            let now = self.opener.origin.elapsed();
            burst += 1;
            if burst % BURST == 0 {
                yield_now().await;
            }
            if now < due {
                pace.wait(due - now).await?;
                burst = 0;
            } else if due == end {
                break;
            } else if due == messages.next() {
                messages.count += 1;
                self.opener.tally().due += 1;
                match self.sender() {
                    Some(sender) => {
                        let messages = &self.opener.messages;
                        if !sender.send(messages, nanoseconds(due), &mut frame).await {
                            self.opener.tally().given_up += 1;
                        }
                    }
                    None => self.opener.tally().given_up += 1,
                }
            } else {
                closings.count += 1;
                if let Some((place, connection)) = self.take() {
                    // Not in the task: no message is being written to it here.
                    connection.close().await;
                    let (opener, places) = (Arc::clone(&self.opener), Arc::clone(&self.places));
                    replacements.spawn(async move {
                        connection.closed().await;
                        let opened = opener.open().await;
                        let opened = opener.tally().open(opened);
                        lock(&places)[place] = opened;
                    });
                    while replacements.try_join_next().is_some() {}
                }
            }
        }
        while replacements.join_next().await.is_some() {}
        let patience = self.opener.origin.elapsed() + PATIENCE;
        while self.is_waiting() && self.opener.origin.elapsed() < patience {
            pace.wait(Duration::from_millis(1)).await?;
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        let tally = self.opener.tally();
        tally.received + tally.given_up < tally.due
    }

    /// The next place that has a connection.
    fn place(&mut self) -> Option<usize> {
        let places = lock(&self.places);
        let len = places.len();
        let mut turns = (self.next..self.next + len).map(|place| place % len);
        let place = turns.find(|place| places[*place].is_some())?;
        self.next = place + 1;
        Some(place)
    }

    fn sender(&mut self) -> Option<Arc<MessageSender>> {
        let place = self.place()?;
        let places = lock(&self.places);
        let connection = places[place].as_ref()?;
        Some(Arc::clone(&connection.sender))
    }

    /// A connection that leaves its place to another one.
    fn take(&mut self) -> Option<(usize, Connection)> {
        let place = self.place()?;
        let connection = lock(&self.places)[place].take()?;
        Some((place, connection))
    }
}

/// What is due at regular intervals, however late what was before.
struct Schedule {
    start: Duration,
    rate: f64,
    phase: f64,
    count: u64,
}

impl Schedule {
    fn new(start: Duration, rate: f64, phase: f64) -> Self {
        Self {
            start,
            rate,
            phase,
            count: 0,
        }
    }

    fn next(&self) -> Duration {
        if self.rate == 0.0 {
            return Duration::MAX;
        }
        let after = (self.count as f64 + self.phase) / self.rate;
        self.start + Duration::from_secs_f64(after)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("less than centuries")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
