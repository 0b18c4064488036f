//! What the command line says.

use std::time::Duration;

use crate::Outcome;

const USAGE: &str =
    "usage: sockets [--rounds N] [--seconds S] [--scenario TEXT]... [--contestant TEXT]...";

/// How long to measure, and what.
#[derive(Debug)]
pub struct Options {
    /// How often each contestant is measured.
    pub rounds: usize,
    /// How long each of these takes, about.
    pub time: Duration,
    scenarios: Vec<String>,
    contestants: Vec<String>,
}

impl Options {
    pub fn parse(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            rounds: 5,
            time: Duration::from_secs(1),
            scenarios: Vec::new(),
            contestants: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match &**arg {
                "--rounds" => options.rounds = value.parse()?,
                "--seconds" => options.time = Duration::try_from_secs_f64(value.parse()?)?,
                "--scenario" => options.scenarios.push(value.clone()),
                "--contestant" => options.contestants.push(value.clone()),
                _ => return Err(USAGE.into()),
            }
        }
        if options.rounds == 0 {
            return Err("a median needs at least one round".into());
        }
        Ok(options)
    }

    pub fn wants_scenario(&self, name: &str) -> bool {
        is_wanted(&self.scenarios, name)
    }

    pub fn wants_contestant(&self, name: &str) -> bool {
        is_wanted(&self.contestants, name)
    }
}

/// All are wanted if none is asked for.
fn is_wanted(asked: &[String], name: &str) -> bool {
    asked.is_empty() || asked.iter().any(|text| name.contains(&**text))
}
