//! What the benches have in common: contestants do the same work on the same bytes in the same run, and what
//! each of them makes is looked at before it is measured.

use std::{hint::black_box, time::Duration};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};

use super::clock::now;

/// Somebody who can do the work of a case.
pub(crate) trait Contestant {
    /// Does all of it once, and shows `seen` everything that comes out.
    fn round(&mut self, seen: impl FnMut(&[u8]));
}

/// One row of a table.
pub(crate) struct Case<'c> {
    group: BenchmarkGroup<'c, ThreadTime>,
    name: String,
}

impl<'c> Case<'c> {
    /// A case of a group, whose round is this many messages with this many bytes of payload in all.
    pub(crate) fn new(
        criterion: &'c mut Criterion<ThreadTime>,
        group: &str,
        name: impl ToString,
        messages: usize,
        bytes: usize,
    ) -> Self {
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::ElementsAndBytes {
            elements: messages as u64,
            bytes: bytes as u64,
        });
        let name = name.to_string();
        Self { group, name }
    }

    /// Measures a contestant. What comes out of its first round is given to `check`, one after the other, with
    /// the number of pieces.
    pub(crate) fn measure(
        &mut self,
        side: &str,
        mut contestant: impl Contestant,
        check: impl Fn(&[u8], usize),
    ) {
        let mut is_checked = false;
        let id = BenchmarkId::new(side, &self.name);
        self.group.bench_function(id, |bencher| {
            if !is_checked {
                let (mut bytes, mut pieces) = (Vec::new(), 0);
                contestant.round(|piece| {
                    bytes.extend_from_slice(piece);
                    pieces += 1;
                });
                check(&bytes, pieces);
                is_checked = true;
            }
            bencher.iter(|| {
                contestant.round(|piece| {
                    black_box(piece);
                });
            });
        });
    }
}

/// Short measurements, so that all benches together take some minutes. Longer ones:
/// `-- --measurement-time 3`.
pub(crate) fn settings() -> Criterion<ThreadTime> {
    Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(20)
        .nresamples(10_000)
        .without_plots()
}

/// Measures by the time of this thread.
pub(crate) struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        now()
    }

    fn end(&self, start: Duration) -> Duration {
        now() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        time.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
