//! What came of a run, in words.

use std::{fmt, time::Duration};

use crate::{Outcome, driver::Tally, options::Options, process::Figures, tables::Plan};

pub(crate) struct Report {
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) opened: Tally,
    pub(crate) opening_time: Duration,
    pub(crate) loaded: Tally,
    /// When the load began, on the clock of the tallies.
    pub(crate) first: Duration,
    pub(crate) loaded_time: Duration,
    /// The time that the load has taken itself while it sent.
    pub(crate) own: Duration,
    pub(crate) closed: Tally,
    /// Before the connections, with all of them, after the load, and when they have gone.
    pub(crate) server: Option<[Figures; 4]>,
    /// What the kernel has allocated for the connections.
    pub(crate) slab: u64,
    /// From the beginning of the load on, each second.
    pub(crate) samples: Vec<Sample>,
}

/// The server at some time.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) time: Duration,
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
}

impl Report {
    /// Whether everything has worked.
    pub(crate) fn verdict(&self) -> Outcome<()> {
        let phases = [&self.opened, &self.loaded, &self.closed];
        let sum = |count: fn(&Tally) -> u64| phases.into_iter().map(count).sum::<u64>();
        let failed = [
            (sum(|tally| tally.not_opened), "connections not opened"),
            (sum(|tally| tally.wrong), "connections with wrong bytes"),
            (sum(|tally| tally.lost), "connections lost"),
            (self.loaded.failed(), "messages failed"),
            (self.not_closed(), "connections without a closing handshake"),
        ];
        let failed: Vec<_> = failed
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        let first = self.opened.error.as_ref().or(self.loaded.error.as_ref());
        let first = first.map(|error| format!(" (the first: {error})"));
        Err(format!("{}{}", failed.join(", "), first.unwrap_or_default()).into())
    }

    fn not_closed(&self) -> u64 {
        let opened = self.opened.opened + self.loaded.opened;
        opened.saturating_sub(self.loaded.closed + self.closed.closed)
    }

    pub(crate) fn latency(&self, quantile: f64) -> f64 {
        self.loaded.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Messages a second that came back, up to the last one.
    pub(crate) fn achieved(&self) -> f64 {
        let time = self.loaded.last.saturating_sub(self.first);
        // The last one may have come before the end of its interval.
        let time = time.max(Duration::from_secs(self.options.seconds.into()));
        self.loaded.received as f64 / time.as_secs_f64()
    }

    pub(crate) fn opened_per_second(&self) -> f64 {
        self.opened.opened as f64 / self.opening_time.as_secs_f64()
    }

    /// What the server has taken for a message, in microseconds.
    pub(crate) fn cpu_per_message(&self) -> Option<f64> {
        let [_, idle, after, _] = self.server?;
        let count = self.loaded.received;
        let cpu = (after.cpu - idle.cpu).as_secs_f64();
        (count > 0).then(|| cpu * 1e6 / count as f64)
    }

    /// How many cores were busy with the server, and how many with the load.
    pub(crate) fn cores(&self) -> Option<[f64; 2]> {
        let [_, idle, after, _] = self.server?;
        Some([after.cpu - idle.cpu, self.own].map(|cpu| cpu.div_duration_f64(self.loaded_time)))
    }

    /// The server's bytes for each connection: idle, the most with traffic, and after it.
    pub(crate) fn resident(&self) -> Option<[f64; 3]> {
        let [before, idle, after, _] = self.server?;
        let most = self.samples.iter().map(|sample| sample.resident).max()?;
        let per = |bytes: u64| {
            let added = bytes as f64 - before.resident as f64;
            added / self.opened.opened as f64
        };
        Some([idle.resident, most, after.resident].map(per))
    }

    /// First, last, most, and the slope of the second half in units a second.
    pub(crate) fn course(&self, of: fn(&Sample) -> u64) -> Option<Course> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        Some(Course {
            first: of(first) as f64,
            last: of(last) as f64,
            most: self.samples.iter().map(of).max()? as f64,
            slope: slope(&self.samples[self.samples.len() / 2..], of),
        })
    }
}

impl Tally {
    /// The messages that did not come back, or not in time.
    pub(crate) fn failed(&self) -> u64 {
        self.due - self.received
    }
}

/// How something has changed with time.
#[derive(Clone, Copy)]
pub(crate) struct Course {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) most: f64,
    pub(crate) slope: f64,
}

/// Of the straight line that fits best.
fn slope(samples: &[Sample], of: fn(&Sample) -> u64) -> f64 {
    let count = samples.len() as f64;
    let points = || {
        let points = samples.iter();
        points.map(|sample| (sample.time.as_secs_f64(), of(sample) as f64))
    };
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let (above, below) = points().fold((0.0, 0.0), |(above, below), point| {
        let dx = point.0 - x;
        (above + dx * (point.1 - y), below + dx * dx)
    });
    if below == 0.0 { 0.0 } else { above / below }
}

const MIB: f64 = 1024.0 * 1024.0;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options {
            rate,
            size,
            seconds,
            churn,
            ..
        } = self.options;
        writeln!(f, "{}", self.plan)?;
        writeln!(
            f,
            "opened       {} of {} connections, {:.0} a second",
            self.opened.opened,
            self.plan.connections,
            self.opened_per_second()
        )?;
        if let Some([before, idle, ..]) = self.server {
            let cpu = (idle.cpu - before.cpu).as_secs_f64() * 1e6;
            writeln!(
                f,
                "             {:.1} us of the server's CPU each; {} errors of accept",
                cpu / self.opened.opened as f64,
                idle.not_accepted
            )?;
        }
        if rate > 0 {
            writeln!(
                f,
                "sent         {} messages of {size} B in {seconds} s: {rate} a second",
                self.loaded.due
            )?;
            writeln!(
                f,
                "received     {} and compared: {:.0} a second; {} failed",
                self.loaded.received,
                self.achieved(),
                self.loaded.failed()
            )?;
            let [p50, p90, p99, p999, max] =
                [0.5, 0.9, 0.99, 0.999, 1.0].map(|quantile| self.latency(quantile));
            writeln!(
                f,
                "latency      p50 {p50:.3} ms, p90 {p90:.3}, p99 {p99:.3}, p99.9 {p999:.3}, max {max:.3}"
            )?;
        }
        if churn > 0 {
            writeln!(
                f,
                "churn        {} closed, {} opened anew; {} not, {} wrong, {} lost",
                self.loaded.closed,
                self.loaded.opened,
                self.loaded.not_opened,
                self.loaded.wrong,
                self.loaded.lost
            )?;
        }
        self.fmt_server(f)?;
        let closed = self.closed.closed;
        writeln!(
            f,
            "closed       {closed} with a closing handshake, {} without",
            self.not_closed()
        )
    }
}

impl Report {
    fn fmt_server(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cpu) = self.cpu_per_message() {
            writeln!(f, "CPU          {cpu:.2} us of the server's a message")?;
        }
        if let Some([server, load]) = self.cores() {
            writeln!(
                f,
                "             {server:.2} cores were busy with the server, {load:.2} with the load"
            )?;
        }
        if let (Some([before, _, _, end]), Some([idle, most, after])) =
            (self.server, self.resident())
        {
            writeln!(
                f,
                "resident     {idle:.0} B for each idle connection, {most:.0} with traffic, {after:.0} after it"
            )?;
            writeln!(
                f,
                "             {:.1} MiB before the first connection, {:.1} MiB after the last one",
                before.resident as f64 / MIB,
                end.resident as f64 / MIB
            )?;
            writeln!(
                f,
                "kernel       {:.0} B for each connection, both ends (all slabs of the system)",
                self.slab as f64 / self.opened.opened as f64
            )?;
        }
        if self.options.churn > 0
            && let Some(resident) = self.course(|sample| sample.resident)
            && let Some(descriptors) = self.course(|sample| sample.descriptors)
        {
            let Course {
                first,
                last,
                most,
                slope,
            } = resident;
            let [first, last, most] = [first, last, most].map(|bytes| bytes / MIB);
            writeln!(
                f,
                "each second  resident: first {first:.1} MiB, last {last:.1}, most {most:.1}; {:+.1} KiB a second",
                slope / 1024.0
            )?;
            let Course {
                first,
                last,
                most,
                slope,
            } = descriptors;
            writeln!(
                f,
                "             descriptors: first {first:.0}, last {last:.0}, most {most:.0}; {slope:+.1} a second"
            )?;
            writeln!(f, "             (the slopes are those of the second half)")?;
        }
        Ok(())
    }
}
