//! What both halves of the comparison share: the clocks, the median, and how a figure is told.

use std::{fmt, time::Duration};

/// What a figure is a figure of. Printed as one line of JSON; `report.py` makes tables of them.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The row of the table, as in "parse binary 16".
    pub scenario: String,
    /// The column, as in "tungstenite".
    pub contestant: String,
    /// "best" for the fastest way that the contestant documents or allows, "readme" for the one that
    /// its README shows.
    pub idiom: &'static str,
    pub value: f64,
    pub unit: &'static str,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            contestant,
            idiom,
            value,
            unit,
        } = self;
        let line = serde_json::json!({
            "scenario": scenario, "contestant": contestant, "idiom": idiom, "value": value, "unit": unit,
        });
        write!(f, "{line}")
    }
}

/// The middle of them: of an even number, the mean of the two in the middle.
///
/// # Panics
///
/// If there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        values[middle - 1].midpoint(values[middle])
    } else {
        values[middle]
    }
}

/// The time that the processors have spent on this process, in it and in the kernel for it.
pub fn process_cpu() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID);
    Duration::from(now.expect("Linux has this clock"))
}
