//! Measuring: everyone's work is checked, then timed in rounds, each of which begins with another contestant.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use framewire_compare::{Figure, median, process_cpu};

use crate::{
    contestant::{Entry, Told},
    options::Options,
};

/// Prints a figure for each entry of a scenario. Gives whether all of them were right.
pub(crate) fn measure(
    scenario: &str,
    entries: Vec<(&'static str, Entry)>,
    options: &Options,
) -> bool {
    let (mut right, mut runners) = (true, Vec::new());
    for (contestant, mut entry) in entries {
        match checked(&mut entry) {
            Ok(told) => {
                for (what, value, unit) in told {
                    print(
                        &format!("{scenario}, {what}"),
                        contestant,
                        entry.idiom,
                        value,
                        unit,
                    );
                }
                let turns = calibrated(&mut entry, options.round);
                runners.push(Runner {
                    contestant,
                    entry,
                    turns,
                    times: Vec::new(),
                });
            }
            Err(error) => {
                eprintln!("error: {scenario}: {contestant} ({}): {error}", entry.idiom);
                right = false;
            }
        }
    }
    let count = runners.len();
    for round in 0..options.rounds {
        for i in 0..count {
            runners[(round + i) % count].run();
        }
    }
    for Runner {
        contestant,
        entry,
        times,
        ..
    } in runners
    {
        print(scenario, contestant, entry.idiom, median(times), "ns");
    }
    right
}

struct Runner {
    contestant: &'static str,
    entry: Entry,
    /// How many turns there are to a round.
    turns: usize,
    /// Nanoseconds a message, by round.
    times: Vec<f64>,
}

impl Runner {
    fn run(&mut self) {
        let took = time(&mut self.entry, self.turns);
        let messages = self.turns * self.entry.job.messages();
        self.times.push(took.as_nanos() as f64 / messages as f64);
    }
}

fn checked(entry: &mut Entry) -> Result<Vec<Told>, String> {
    // Whoever refuses the input panics; the message is on standard error.
    catch_unwind(AssertUnwindSafe(|| entry.job.check()))
        .unwrap_or_else(|_| Err("it panicked".into()))
}

/// How many turns take about as long as a round; they have warmed everything up as well.
fn calibrated(entry: &mut Entry, round: Duration) -> usize {
    let mut turns = 1;
    loop {
        let took = time(entry, turns);
        if took >= round / 4 {
            return (turns as f64 * round.as_secs_f64() / took.as_secs_f64()).ceil() as usize;
        }
        turns *= 2;
    }
}

fn time(entry: &mut Entry, turns: usize) -> Duration {
    let start = process_cpu();
    entry.job.run(turns);
    process_cpu() - start
}

fn print(scenario: &str, contestant: &str, idiom: &'static str, value: f64, unit: &'static str) {
    let (scenario, contestant) = (scenario.into(), contestant.into());
    println!(
        "{}",
        Figure {
            scenario,
            contestant,
            idiom,
            value,
            unit
        }
    );
}
