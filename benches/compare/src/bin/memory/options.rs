//! What is to be measured, and for how long.

use std::time::Duration;

pub(crate) struct Options {
    scenarios: Vec<String>,
    contestants: Vec<String>,
    pub(crate) rounds: usize,
    /// The CPU time of a round of one contestant.
    pub(crate) round: Duration,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            scenarios: Vec::new(),
            contestants: Vec::new(),
            rounds: 5,
            round: Duration::from_millis(40),
        };
        while let Some(option) = args.next() {
            let value = args
                .next()
                .ok_or_else(|| format!("{option} needs a value"))?;
            let number = || match value.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{option}: not a number above 0: {value}")),
            };
            match &*option {
                "--scenario" => options.scenarios.push(value),
                "--contestant" => options.contestants.push(value),
                "--rounds" => options.rounds = number()?,
                "--ms" => options.round = Duration::from_millis(number()? as u64),
                _ => return Err(format!("no such option: {option}")),
            }
        }
        Ok(options)
    }

    /// Whether the name has one of the texts given in it.
    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|text| name.contains(&**text))
    }

    pub(crate) fn wants_contestant(&self, name: &str) -> bool {
        self.contestants.is_empty() || self.contestants.iter().any(|wanted| wanted == name)
    }
}
