//! `BulkheadPolicy`: a cap on the calls in flight, fixed or between two bounds; checked once, then only read.

use super::state::MAX_ADAPTIVE;
use crate::error::{PolicyError, check_count, check_milli, check_time};
use crate::time::{Instant, nanos};
use core::time::Duration;

/// A checked cap on the calls in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BulkheadPolicy {
    max_in_flight: u32,
    adaptive: Option<LimitConfig>,
}

/// The numbers of a limit that adapts; [`BulkheadPolicy::adaptive`] checks them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LimitConfig {
    /// The lowest limit, 1 to 4095. Default: 1.
    pub min: u32,
    /// The highest limit, `min` to 4095. Default: 200.
    pub max: u32,
    /// The limit before anything was learned, `min` to `max`. Default: 20.
    pub initial: u32,
    /// What a sign of overload leaves of the limit, in thousandths, 100 to 990. Default: 900.
    pub cut_milli: u32,
    /// A success that took longer than this is a sign of overload, 1 us to 365 days, or `None`: only failures are.
    /// Twice the latency of an idle dependency is a good start. Default: none.
    pub slow_after: Option<Duration>,
}

impl LimitConfig {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self { min: 1, max: 200, initial: 20, cut_milli: 900, slow_after: None };
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const FASTEST: Duration = Duration::from_micros(1);
const SLOWEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl BulkheadPolicy {
    /// At most `max_in_flight` calls at a time, 1 to 2^32-1.
    ///
    /// # Errors
    /// When the cap is 0, under which no call could ever go.
    pub const fn new(max_in_flight: u32) -> Result<Self, PolicyError> {
        match check_count("max_in_flight", max_in_flight as u64, 1, u32::MAX as u64) {
            Ok(()) => Ok(Self { max_in_flight, adaptive: None }),
            Err(error) => Err(error),
        }
    }

    /// A limit that follows what [`Bulkhead::settle`](super::Bulkhead::settle) learns.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub const fn adaptive(config: LimitConfig) -> Result<Self, PolicyError> {
        match check(&config) {
            Ok(()) => Ok(Self { max_in_flight: config.max, adaptive: Some(config) }),
            Err(error) => Err(error),
        }
    }

    /// The cap, or the highest limit.
    pub const fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }

    /// The numbers of a limit that adapts; `None` when it is fixed.
    pub const fn adaptive_config(&self) -> Option<&LimitConfig> {
        self.adaptive.as_ref()
    }
}

impl LimitConfig {
    /// The limit in force where `learned` is what was learned, perhaps under another policy.
    #[inline]
    pub(crate) const fn limit(&self, learned: Option<u32>) -> u32 {
        let limit = match learned {
            Some(limit) => limit,
            None => self.initial,
        };
        if limit < self.min {
            self.min
        } else if limit > self.max {
            self.max
        } else {
            limit
        }
    }

    /// The limit after a sign of overload.
    #[inline]
    pub(crate) const fn cut(&self, limit: u32) -> u32 {
        let cut = limit.saturating_mul(self.cut_milli) / 1_000;
        if cut < self.min { self.min } else { cut }
    }

    #[inline]
    pub(crate) const fn is_slow(&self, issued: Instant, now: Instant) -> bool {
        match self.slow_after {
            Some(slow_after) => now.as_nanos().saturating_sub(issued.as_nanos()) > nanos(slow_after),
            None => false,
        }
    }
}

const fn check(config: &LimitConfig) -> Result<(), PolicyError> {
    if let Err(error) = check_count("min_in_flight", config.min as u64, 1, MAX_ADAPTIVE as u64) {
        return Err(error);
    }
    if let Err(error) = check_count("max_in_flight", config.max as u64, config.min as u64, MAX_ADAPTIVE as u64) {
        return Err(error);
    }
    if let Err(error) = check_count("initial_in_flight", config.initial as u64, config.min as u64, config.max as u64) {
        return Err(error);
    }
    if let Err(error) = check_milli("cut", config.cut_milli as u64, 100, 990) {
        return Err(error);
    }
    match config.slow_after {
        Some(slow_after) => check_time("slow_after", slow_after, FASTEST, SLOWEST),
        None => Ok(()),
    }
}
