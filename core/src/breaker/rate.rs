//! `RateTrip`: thresholds on the failures and the slow calls in a window.

use crate::error::{PolicyError, check_count, check_milli, check_time};
use crate::window::WindowCounts;
use core::time::Duration;

/// Thresholds on a breaker's [`Window`](crate::Window). The breaker opens as soon as *one* of them is reached.
///
/// A plain struct with a default: `RateTrip { failure_rate_milli: Some(300), ..RateTrip::DEFAULT }`.
///
/// How many calls the window holds is not here but in the window, so thresholds can be changed while it lives on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RateTrip {
    /// Failures in thousandths of all calls, 1 to 1000. Default: 500, half of them.
    pub failure_rate_milli: Option<u32>,
    /// Slow calls in thousandths of all calls, 1 to 1000. Default: none.
    pub slow_rate_milli: Option<u32>,
    /// A call is slow when it took this long or longer from its ticket to its settling, 1 us to 365 days.
    /// Default: 60 s.
    pub slow_call: Duration,
    /// Rates decide from this many calls on, or from a full count window if it holds fewer; 1 to 100,000. Default: 20.
    pub minimum_calls: u32,
    /// Failures in the window, however many calls it holds, 1 to 100,000. Default: none.
    pub max_failures: Option<u32>,
    /// Slow calls in the window, however many calls it holds, 1 to 100,000. Default: none.
    pub max_slow: Option<u32>,
}

const MIN_SLOW: Duration = Duration::from_micros(1);
const MAX_SLOW: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A slot of a time window counts this many calls one by one.
const MAX_COUNT: u32 = 100_000;
const _: () = assert!(MAX_COUNT <= crate::window::EXACT);

impl RateTrip {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self {
        failure_rate_milli: Some(500),
        slow_rate_milli: None,
        slow_call: Duration::from_secs(60),
        minimum_calls: 20,
        max_failures: None,
        max_slow: None,
    };

    /// Whether `counts` of a window that holds at most `capacity` calls reach a threshold.
    #[inline]
    pub(crate) const fn is_reached(&self, counts: WindowCounts, capacity: u32) -> bool {
        let minimum = if self.minimum_calls < capacity { self.minimum_calls } else { capacity };
        let enough = counts.calls >= minimum;
        let by_rate = is_share(counts.failures, counts.calls, self.failure_rate_milli)
            || is_share(counts.slow, counts.calls, self.slow_rate_milli);
        enough && by_rate || is_count(counts.failures, self.max_failures) || is_count(counts.slow, self.max_slow)
    }

    /// The failures in a row that reach a threshold in a window that holds nothing else.
    pub(crate) const fn failures_in_a_row(&self) -> Option<u32> {
        match (self.failure_rate_milli, self.max_failures) {
            (Some(_), Some(count)) if count < self.minimum_calls => Some(count),
            (Some(_), _) => Some(self.minimum_calls),
            (None, count) => count,
        }
    }

    pub(super) const fn check(&self) -> Result<(), PolicyError> {
        let thresholds = (self.failure_rate_milli.is_some() as u64)
            .saturating_add(self.slow_rate_milli.is_some() as u64)
            .saturating_add(self.max_failures.is_some() as u64)
            .saturating_add(self.max_slow.is_some() as u64);
        if let Err(error) = check_count("trip.thresholds", thresholds, 1, 4) {
            return Err(error);
        }
        if let Some(rate) = self.failure_rate_milli
            && let Err(error) = check_milli("trip.failure_rate", rate as u64, 1, 1_000)
        {
            return Err(error);
        }
        if let Some(rate) = self.slow_rate_milli
            && let Err(error) = check_milli("trip.slow_rate", rate as u64, 1, 1_000)
        {
            return Err(error);
        }
        if let Err(error) = check_time("trip.slow_call", self.slow_call, MIN_SLOW, MAX_SLOW) {
            return Err(error);
        }
        if let Err(error) = check_count("trip.minimum_calls", self.minimum_calls as u64, 1, MAX_COUNT as u64) {
            return Err(error);
        }
        if let Some(count) = self.max_failures
            && let Err(error) = check_count("trip.max_failures", count as u64, 1, MAX_COUNT as u64)
        {
            return Err(error);
        }
        match self.max_slow {
            Some(count) => check_count("trip.max_slow", count as u64, 1, MAX_COUNT as u64),
            None => Ok(()),
        }
    }
}

impl Default for RateTrip {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether `part` is at least `rate` thousandths of `whole`.
#[inline]
const fn is_share(part: u32, whole: u32, rate: Option<u32>) -> bool {
    match rate {
        Some(rate) => (part as u64).saturating_mul(1_000) >= (whole as u64).saturating_mul(rate as u64),
        None => false,
    }
}

#[inline]
const fn is_count(count: u32, limit: Option<u32>) -> bool {
    match limit {
        Some(limit) => count >= limit,
        None => false,
    }
}
