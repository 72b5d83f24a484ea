//! `AdaptivePolicy`: between which rates to move, and how fast; checked once, then only read.

use super::state::{CEILING, ticks};
use crate::bucket::{BucketPolicy, Scale};
use crate::error::{PolicyError, Quantity, check_milli, check_time};
use crate::time::{low, nanos};
use crate::tokens::Tokens;
use core::time::Duration;

/// The numbers of an adaptive rate, as a configuration has them; [`AdaptivePolicy::new`] checks them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AdaptiveConfig {
    /// The least rate, in thousandths of the bucket's: 1 to 1000, and so that one token still fits the burst when it
    /// costs ceiling / floor. Default: 100.
    pub floor_milli: u32,
    /// What a cut leaves of the rate, in thousandths: 100 to 990. Default: 850.
    pub decrease_milli: u32,
    /// The time in which successes raise the rate by the whole ceiling, 100 ms to 1 day. Default: 30 s.
    pub climb: Duration,
    /// The least time between two cuts, 1 ms to 1 h: longer than a call takes. Default: 1 s.
    pub cooldown: Duration,
    /// The longest pause that a slow-down may ask for, 1 ms to 365 days. Default: 120 s.
    pub max_pause: Duration,
}

impl AdaptiveConfig {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self {
        floor_milli: 100,
        decrease_milli: 850,
        climb: Duration::from_secs(30),
        cooldown: Duration::from_secs(1),
        max_pause: Duration::from_secs(120),
    };
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The fewest steps that a success moves the rate by: keeps the loss by rounding below an eighth, and writes rare.
pub(super) const LEAST_GAIN: u32 = 8;
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(86_400 * 365);
/// How late a reading may be when a pause has its full length.
const LATE: u64 = 1_000_000_000;

/// A checked [`AdaptiveConfig`] for one bucket policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdaptivePolicy {
    config: AdaptiveConfig,
    burst: Tokens,
    /// The ceiling in tokens per ns, times 2^64.
    speed: u128,
    floor: u32,
    /// Steps per tick of the clock.
    slope: Scale,
    /// The most ticks that one success may make up for.
    longest_gain: u64,
}

impl AdaptivePolicy {
    /// Checks every field against `bucket`, whose rate is the ceiling.
    ///
    /// # Errors
    /// Names the first field outside its range; `burst` where the bucket does not hold a single token.
    pub const fn new(config: AdaptiveConfig, bucket: &BucketPolicy) -> Result<Self, PolicyError> {
        if let Err(error) = check(&config, bucket.burst()) {
            return Err(error);
        }
        let climb = ticks(nanos(config.climb));
        let slope = Scale::quotient(CEILING as u128, climb as u128);
        let cooldown = ticks(nanos(config.cooldown));
        let least = slope.inverse().ceil(LEAST_GAIN as u64).saturating_add(2);
        let speed = match ((bucket.rate().tokens as u128) << 64).checked_div(nanos(bucket.rate().per) as u128) {
            Some(speed) => speed,
            None => 1,
        };
        let floor = (CEILING as u64).saturating_mul(config.floor_milli as u64).div_ceil(1_000);
        Ok(Self {
            config,
            burst: bucket.burst(),
            speed,
            floor: share(floor as u128, 1),
            slope,
            longest_gain: if cooldown > least { cooldown } else { least },
        })
    }

    /// The numbers that this policy was built from.
    pub const fn config(&self) -> &AdaptiveConfig {
        &self.config
    }

    pub(super) const fn burst(&self) -> Tokens {
        self.burst
    }

    /// The share moved into the range of this policy.
    pub(super) const fn clamp(&self, share: u32) -> u32 {
        if share < self.floor {
            self.floor
        } else if share > CEILING {
            CEILING
        } else {
            share
        }
    }

    pub(super) const fn cut(&self, share: u32) -> u32 {
        self.clamp(share.saturating_mul(self.config.decrease_milli) / 1_000)
    }

    /// The steps gained in this many ticks of success.
    pub(super) const fn gain(&self, ticks: u64) -> u32 {
        let ticks = if ticks < self.longest_gain { ticks } else { self.longest_gain };
        share(self.slope.floor(ticks) as u128, 0)
    }

    pub(super) const fn longest_gain(&self) -> u64 {
        self.longest_gain
    }

    pub(super) const fn cooldown(&self) -> u64 {
        nanos(self.config.cooldown)
    }

    pub(super) const fn max_pause(&self) -> u64 {
        nanos(self.config.max_pause)
    }

    /// The longest pause that is believed; longer ones come from a clock that went back.
    pub(super) const fn most_held(&self) -> u64 {
        self.max_pause().saturating_add(LATE)
    }

    /// The share of this ceiling that is the same rate as `old_share` of another.
    pub(super) const fn same_rate(&self, old_share: u32, old: &Self) -> u32 {
        match (old_share as u128).saturating_mul(old.speed).checked_div(self.speed) {
            Some(same) => self.clamp(share(same, 1)),
            None => CEILING,
        }
    }
}

/// A number of steps, `least` to the ceiling.
const fn share(steps: u128, least: u32) -> u32 {
    if steps >= CEILING as u128 {
        return CEILING;
    }
    let steps = crate::field::low_u32(low(steps));
    if steps > least { steps } else { least }
}

const fn check(config: &AdaptiveConfig, burst: Tokens) -> Result<(), PolicyError> {
    let milli = burst.as_milli();
    if milli < 1_000 {
        let (value, min, max) = (Quantity::Milli(milli), Quantity::Milli(1_000), Quantity::Milli(u64::MAX));
        return Err(PolicyError { field: "burst", value, min, max });
    }
    // one token costs 1000 / floor_milli tokens at the floor
    let least = match 1_000_000_u64.saturating_add(milli.saturating_sub(1)).checked_div(milli) {
        Some(least) => least,
        None => 1_000,
    };
    if let Err(error) = check_milli("floor", config.floor_milli as u64, least, 1_000) {
        return Err(error);
    }
    if let Err(error) = check_milli("decrease", config.decrease_milli as u64, 100, 990) {
        return Err(error);
    }
    if let Err(error) = check_time("climb", config.climb, Duration::from_millis(100), DAY) {
        return Err(error);
    }
    if let Err(error) = check_time("cooldown", config.cooldown, MILLISECOND, HOUR) {
        return Err(error);
    }
    check_time("max_pause", config.max_pause, MILLISECOND, YEAR)
}
