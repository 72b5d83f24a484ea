//! `BreakerPolicy`: when a breaker trips, how long it stays open and how it recovers; checked once, then only read.

use super::rate::RateTrip;
use super::state::{MAX_PROBES, MAX_STREAK, OpenTick};
use crate::error::{PolicyError, check_count, check_milli, check_time};
use crate::growth::grow;
use crate::jitter::{Jitter, mix};
use crate::outcome::Outcome;
use crate::time::{Instant, nanos};
use crate::window::{Mark, WindowCounts};
use core::time::Duration;

/// What makes a closed breaker open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Trip {
    /// This many failures in a row, 1 to 2^32-1.
    Consecutive(u32),
    /// Failures or slow calls in the breaker's window, as rates or counts. See [`NoWindow`](crate::NoWindow) for a
    /// breaker without one.
    Rate(RateTrip),
    /// Nothing: outcomes are counted, the breaker never opens by itself.
    Never,
}

/// The numbers of a breaker, as a configuration has them; [`BreakerPolicy::new`] checks them.
///
/// A plain struct with a default, so that it can be written as a literal in a `const`:
/// `BreakerConfig { probes: 3, ..BreakerConfig::DEFAULT }`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BreakerConfig {
    /// What makes the breaker open. Default: 7 consecutive failures.
    pub trip: Trip,
    /// The first open wait, 1 ms to 365 days. Default: 5 s.
    pub open_wait: Duration,
    /// Each re-opening multiplies the wait by this many thousandths, 1000 to 100000. Default: 2000 (doubled).
    pub open_wait_factor_milli: u32,
    /// The longest open wait, `open_wait` to 365 days. Default: 120 s.
    pub open_wait_max: Duration,
    /// How a wait is randomised. Default: equal jitter.
    pub jitter: Jitter,
    /// Mixed with the breaker's generation into the jitter; give each process its own. Default: 0.
    pub seed: u64,
    /// The most probes outstanding in half-open, 1 to 15. They ramp up: one, then one more than have succeeded.
    /// Default: 1.
    pub probes: u8,
    /// Successful probes that close the breaker, 1 to 15. Default: 1.
    pub required_successes: u8,
    /// After this long a probe that has not reported is written off, 10 ms to 32 x `open_wait`. Default: 30 s.
    ///
    /// Make it longer than a healthy call takes: the success of a probe that was written off no longer counts.
    pub probe_lease: Duration,
    /// Whether [`Outcome::Cancelled`](crate::Outcome::Cancelled) counts as a failure. Default: no.
    pub cancelled_is_failure: bool,
}

impl BreakerConfig {
    /// The longest `probe_lease`, in units of `open_wait`. It keeps a probe's ticket from outliving a wrap of the
    /// breaker's generation.
    pub const MAX_LEASE_IN_WAITS: u32 = 32;

    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self {
        trip: Trip::Consecutive(7),
        open_wait: Duration::from_secs(5),
        open_wait_factor_milli: 2_000,
        open_wait_max: Duration::from_secs(120),
        jitter: Jitter::Equal,
        seed: 0,
        probes: 1,
        required_successes: 1,
        probe_lease: Duration::from_secs(30),
        cancelled_is_failure: false,
    };
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const MIN_WAIT: Duration = Duration::from_millis(1);
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MIN_LEASE: Duration = Duration::from_millis(10);

/// A checked [`BreakerConfig`], with every wait worked out beforehand: admission looks it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerPolicy {
    config: BreakerConfig,
    /// The wait after each streak of re-openings in nanoseconds, before jitter.
    waits: [u64; MAX_STREAK as usize + 1],
    lease: u64,
    /// The duration in nanoseconds from which on a call is slow.
    slow: Option<u64>,
}

impl BreakerPolicy {
    /// The policy of [`BreakerConfig::DEFAULT`].
    pub const DEFAULT: Self = Self::checked(BreakerConfig::DEFAULT);

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub const fn new(config: BreakerConfig) -> Result<Self, PolicyError> {
        match check(&config) {
            Ok(()) => Ok(Self::checked(config)),
            Err(error) => Err(error),
        }
    }

    const fn checked(config: BreakerConfig) -> Self {
        let mut waits = [0; MAX_STREAK as usize + 1];
        let (initial, max) = (nanos(config.open_wait), nanos(config.open_wait_max));
        let mut rest: &mut [u64] = &mut waits;
        let mut streak: u32 = 0;
        while let Some((wait, longer)) = rest.split_first_mut() {
            *wait = grow(initial, config.open_wait_factor_milli, max, streak);
            rest = longer;
            streak = streak.saturating_add(1);
        }
        let slow = match config.trip {
            Trip::Rate(rate) => Some(nanos(rate.slow_call)),
            Trip::Consecutive(_) | Trip::Never => None,
        };
        Self { config, waits, lease: nanos(config.probe_lease), slow }
    }

    /// The numbers that this policy was built from.
    pub const fn config(&self) -> &BreakerConfig {
        &self.config
    }

    /// The open wait in nanoseconds of `generation` after `streak` re-openings. At least one tick: whatever the jitter
    /// draws, a call at the time of the opening is refused.
    ///
    /// The draw does not depend on the time of the opening, so that a clock that goes back does not draw again.
    #[inline]
    pub(crate) const fn open_wait(&self, generation: u8, streak: u8) -> u64 {
        let full = match self.waits.split_at_checked(streak as usize) {
            Some((_, [wait, ..])) => *wait,
            _ => nanos(self.config.open_wait_max),
        };
        let random = mix(self.config.seed ^ (generation as u64).rotate_left(8) ^ streak as u64);
        let wait = self.config.jitter.apply(full, random);
        if wait < OpenTick::NANOS { OpenTick::NANOS } else { wait }
    }

    /// Whether a probe admitted at `since` is written off at `now`.
    #[inline]
    pub(crate) const fn lease_is_over(&self, since: Instant, now: Instant) -> bool {
        now.as_nanos().saturating_sub(since.as_nanos()) >= self.lease
    }

    /// When a probe admitted at `since` is written off.
    pub(crate) const fn lease_end(&self, since: Instant) -> Instant {
        Instant::from_nanos(since.as_nanos().saturating_add(self.lease))
    }

    /// Whether an outcome counts as a failure; `None` when it decides nothing.
    #[inline]
    pub(crate) const fn failed(&self, outcome: Outcome) -> Option<bool> {
        match outcome {
            Outcome::Success => Some(false),
            Outcome::Failure => Some(true),
            Outcome::Ignored => None,
            Outcome::Cancelled if self.config.cancelled_is_failure => Some(true),
            Outcome::Cancelled => None,
        }
    }

    /// How a call that was admitted at `issued` and ends at `now` enters a window; `None` when it does not.
    #[inline]
    pub(crate) const fn mark(&self, outcome: Outcome, issued: Instant, now: Instant) -> Option<Mark> {
        let Some(failed) = self.failed(outcome) else { return None };
        let slow = match self.slow {
            Some(slow) => now.as_nanos().saturating_sub(issued.as_nanos()) >= slow,
            None => false,
        };
        Some(Mark { failed, slow })
    }

    /// Whether the counts of a window that holds at most `capacity` calls reach a threshold.
    #[inline]
    pub(crate) const fn is_reached(&self, counts: WindowCounts, capacity: u32) -> bool {
        match &self.config.trip {
            Trip::Rate(rate) => rate.is_reached(counts, capacity),
            Trip::Consecutive(_) | Trip::Never => false,
        }
    }

    /// From this many calls on, a fast success that joins them reaches no threshold.
    #[inline]
    pub(crate) const fn minimum_calls(&self) -> u32 {
        match &self.config.trip {
            Trip::Rate(rate) => rate.minimum_calls,
            Trip::Consecutive(_) | Trip::Never => 0,
        }
    }

    /// How many probes may be outstanding after `successes` of them.
    #[inline]
    pub(crate) const fn ramp(&self, successes: u8) -> u8 {
        let next = successes.saturating_add(1);
        if next < self.config.probes { next } else { self.config.probes }
    }
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const fn check(config: &BreakerConfig) -> Result<(), PolicyError> {
    let trip = match config.trip {
        Trip::Consecutive(failures) => check_count("trip", failures as u64, 1, u32::MAX as u64),
        Trip::Rate(rate) => rate.check(),
        Trip::Never => Ok(()),
    };
    if trip.is_err() {
        return trip;
    }
    if let Err(error) = check_time("open_wait", config.open_wait, MIN_WAIT, MAX_WAIT) {
        return Err(error);
    }
    if let Err(error) = check_milli("open_wait_factor", config.open_wait_factor_milli as u64, 1_000, 100_000) {
        return Err(error);
    }
    if let Err(error) = check_time("open_wait_max", config.open_wait_max, config.open_wait, MAX_WAIT) {
        return Err(error);
    }
    if let Err(error) = check_count("probes", config.probes as u64, 1, MAX_PROBES as u64) {
        return Err(error);
    }
    if let Err(error) = check_count("required_successes", config.required_successes as u64, 1, MAX_PROBES as u64) {
        return Err(error);
    }
    let longest = config.open_wait.saturating_mul(BreakerConfig::MAX_LEASE_IN_WAITS);
    check_time("probe_lease", config.probe_lease, MIN_LEASE, longest)
}

#[cfg(test)]
mod tests {
    use super::{BreakerConfig, BreakerPolicy};
    use crate::jitter::Jitter;
    use core::time::Duration;
    use std::collections::HashSet;

    #[test]
    fn seed_generation_and_streak_draw_each_for_themselves() {
        let hour = Duration::from_secs(3_600);
        let fixed =
            BreakerConfig { open_wait: hour, open_wait_max: hour, jitter: Jitter::Full, ..BreakerConfig::DEFAULT };
        let mut waits = HashSet::new();
        for seed in [0, u64::MAX, 1 << 63] {
            let policy = BreakerPolicy::new(BreakerConfig { seed, ..fixed }).expect("in range");
            for (generation, streak) in
                (0..=u8::MAX).flat_map(|generation| [0, 1, 15].map(|streak| (generation, streak)))
            {
                let wait = policy.open_wait(generation, streak);
                assert!(waits.insert(wait), "seed {seed}, generation {generation}, streak {streak}: {wait} again");
            }
        }
    }
}
