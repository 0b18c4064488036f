//! Contestants in turn, and how a figure is told.

use std::sync::atomic::{AtomicBool, Ordering};

use framewire_compare::{Figure, median};

use crate::{
    Outcome,
    contestants::{ALL, Contestant},
    options::Options,
};

/// Those who are asked for and of whom it is true.
pub fn contestants(options: &Options, takes_part: impl Fn(&Contestant) -> bool) -> Vec<Contestant> {
    let mut all = ALL.to_vec();
    all.retain(|contestant| takes_part(contestant) && options.wants_contestant(contestant.name));
    all
}

/// Whether any contestant has failed, which has no figures then.
static FAILED: AtomicBool = AtomicBool::new(false);

pub fn has_failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Measures all of them, round by round, and begins each round with another one. The medians of each.
/// Who fails is told once, and has none.
pub fn medians<const N: usize>(
    rounds: usize,
    scenario: &str,
    mut contestants: Vec<Contestant>,
    mut measure: impl FnMut(&Contestant) -> Outcome<[f64; N]>,
) -> Vec<(Contestant, [f64; N])> {
    let mut figures: Vec<Vec<[f64; N]>> = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        let mut number = 0;
        while number < contestants.len() {
            match measure(&contestants[number]) {
                Ok(values) => {
                    figures[number].push(values);
                    number += 1;
                }
                Err(error) => {
                    eprintln!("{scenario}: {}: {error}", contestants[number]);
                    FAILED.store(true, Ordering::Relaxed);
                    contestants.remove(number);
                    figures.remove(number);
                }
            }
        }
        let by = usize::from(contestants.len() > 1);
        contestants.rotate_left(by);
        figures.rotate_left(by);
    }
    let middle = |values: Vec<[f64; N]>| {
        std::array::from_fn(|which| median(values.iter().map(|values| values[which]).collect()))
    };
    contestants
        .into_iter()
        .zip(figures.into_iter().map(middle))
        .collect()
}

pub fn tell(scenario: &str, contestant: &Contestant, value: f64, unit: &'static str) {
    let (scenario, idiom) = (scenario.into(), contestant.idiom.name());
    let contestant = contestant.name.into();
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
