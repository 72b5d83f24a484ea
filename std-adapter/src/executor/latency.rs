//! `Latency`: how long attempts took lately, for hedges that go out after a percentile of it.
//!
//! ```text
//!   attempt  1            512           1024          1536          2048
//!            AAAAAAAAAAAAAACCCCCCCCCCCCCCCCCCCCCCCCCCCCEEEEEEEEEEEEEE
//!            BBBBBBBBBBBBBBBBBBBBBBBBBBBBDDDDDDDDDDDDDDDDDDDDDDDDDDDD
//!   read     A A A A A A A B B B B B B B C C C C C C C D D D D D D D
//! ```
//!
//! A second histogram is filled beside the one that is read, and takes its place once it knows enough. So the one that is
//! read knows the latest 512 to 1,024 attempts, and the past is forgotten without ever reading too few. The window is
//! one of attempts, not of time: a tool that is seldom called keeps a percentile that means something.
//!
//! Durations are kept to two digits, from a microsecond to an hour; others count as the nearest of these. Record what an
//! attempt took that came to an end: one that was cut short says only that it would have taken longer.
//!
//! **Cost.** About 14 KB. A record is two increments under a lock; a percentile reads about a thousand small counters.

#[cfg(test)]
mod tests;

use core::time::Duration;
use hdrhistogram::Histogram;
use std::sync::{Mutex, PoisonError};

/// So many attempts are enough to be read.
const ENOUGH: u64 = 512;
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long attempts took lately. See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Latency {
    min_samples: u64,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    /// The one that is read.
    older: Histogram<u16>,
    newer: Histogram<u16>,
}

impl Latency {
    /// Knows nothing yet. Percentiles are told from `min_samples` records on, 1 to 512; others count as the nearest.
    pub(crate) fn new(min_samples: u32) -> Self {
        let recent = Recent { older: empty(), newer: empty() };
        Self { min_samples: u64::from(min_samples).clamp(1, ENOUGH), recent: Mutex::new(recent) }
    }

    /// An attempt took so long.
    pub(crate) fn record(&self, took: Duration) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Recent { older, newer } = &mut *recent;
        older.saturating_record(micros(took));
        newer.saturating_record(micros(took));
        if newer.len() >= ENOUGH {
            core::mem::swap(older, newer);
            newer.reset();
        }
    }

    /// The duration that `percentile` of the latest attempts did not exceed, at most 1% too long; `None` while too few
    /// are known. Values outside of 0 to 100 count as the nearest.
    pub(crate) fn percentile(&self, percentile: f64) -> Option<Duration> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.older.len() < self.min_samples {
            return None;
        }
        let micros = recent.older.value_at_percentile(percentile.clamp(0.0, 100.0));
        Some(Duration::from_micros(micros).min(LONGEST))
    }
}

fn empty() -> Histogram<u16> {
    // depends on constants alone: every test of this file would notice
    Histogram::new_with_bounds(1, micros(LONGEST), 2).expect("the bounds are in order")
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.min(LONGEST).as_micros()).unwrap_or(u64::MAX).max(1)
}
