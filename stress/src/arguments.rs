//! `Arguments`: how long to run, and from which seed.

use clap::Parser;
use std::time::Duration;

/// Races the core and the adapter on real threads, and counts whether anything was lost.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Where all randomness comes from [default: drawn, and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How long to look, at least; a few rounds of each scenario run in any case
    #[arg(long, default_value_t = 15, conflicts_with = "rounds")]
    seconds: u64,
    /// How many rounds of each scenario to run instead
    #[arg(long)]
    pub(crate) rounds: Option<u64>,
    /// Threads of a round; more than the machine has cores, so that they interrupt each other anywhere
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..=16))]
    pub(crate) threads: usize,
    /// Only these scenarios, such as `breaker,calls`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Arguments {
    pub(crate) fn includes(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }

    pub(crate) const fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
