//! `Tally`: what has happened in a scenario, so that a run which showed nothing does not pass for one that did.

use std::collections::BTreeMap;
use std::fmt;

/// Named counts.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl<const N: usize> From<[(&'static str, u64); N]> for Tally {
    fn from(counts: [(&'static str, u64); N]) -> Self {
        Self(BTreeMap::from(counts))
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// What never happened.
    pub(crate) fn zeros(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter(|(_, count)| **count == 0).map(|(what, _)| *what)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (what, count)) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{count} {what}")?;
        }
        Ok(())
    }
}
