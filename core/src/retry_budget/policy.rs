//! `RetryBudgetPolicy`: how many retries calls and time earn; checked once, then only read.

use crate::error::{PolicyError, check_milli, check_time};
use crate::flow::Flow;
use crate::half_window::HalfWindows;
use crate::time::{low, nanos};
use crate::tokens::Tokens;
use core::time::Duration;

/// The numbers of a retry budget; [`RetryBudgetPolicy::new`] checks them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RetryBudgetConfig {
    /// Retries that one call earns, in thousandths, 0 to 10000. Default: 200, a fifth.
    pub share_milli: u32,
    /// Retries that each second earns whether calls come or not, 0 to 100000. Default: 10.
    pub floor_per_second: Tokens,
    /// What calls have earned halves at the end of each half window. 1 s to 1 h; long enough for a floor to earn two
    /// retries, and not so long that it earns more than 100000. Default: 10 s.
    pub window: Duration,
    /// The most retries saved up, `floor_per_second` x `window` and at least 1, to 100000. Default: 1000.
    pub burst: Tokens,
}

impl RetryBudgetConfig {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self {
        share_milli: 200,
        floor_per_second: Tokens::whole(10),
        window: Duration::from_secs(10),
        burst: Tokens::whole(1_000),
    };
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The cost of one retry, in the thousandths in which the budget counts.
pub(crate) const RETRY: i64 = 1_000;
const MAX: Tokens = Tokens::whole(100_000);
const SECOND: u64 = 1_000_000_000;

/// A checked [`RetryBudgetConfig`].
///
/// ```
/// use fusebox_core::{RetryBudgetConfig, RetryBudgetPolicy, Tokens};
///
/// let config = RetryBudgetConfig { burst: Tokens::whole(50), ..RetryBudgetConfig::DEFAULT };
/// let error = RetryBudgetPolicy::new(config).unwrap_err();
/// assert_eq!(error.to_string(), "retry_budget.burst is 50: allowed is 100 to 100000");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryBudgetPolicy {
    config: RetryBudgetConfig,
    halves: HalfWindows,
    floor: Flow,
    /// What the floor earns in half a window, in thousandths.
    half_floor: i64,
    /// The highest surplus over what the floor alone would leave, in thousandths.
    most_surplus: i64,
}

impl RetryBudgetPolicy {
    /// The policy of [`RetryBudgetConfig::DEFAULT`].
    pub const DEFAULT: Self = Self::checked(RetryBudgetConfig::DEFAULT);

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub const fn new(config: RetryBudgetConfig) -> Result<Self, PolicyError> {
        match check(&config) {
            Ok(()) => Ok(Self::checked(config)),
            Err(error) => Err(error),
        }
    }

    const fn checked(config: RetryBudgetConfig) -> Self {
        let halves = HalfWindows::halves(config.window);
        let floor = Flow::per_second(config.floor_per_second.as_milli());
        let half_floor = floor.within(halves.nanos()).cast_signed();
        let most_surplus = config.burst.as_milli().cast_signed().saturating_sub(half_floor.saturating_mul(2));
        Self { config, halves, floor, half_floor, most_surplus }
    }

    /// The numbers that this policy was built from.
    pub const fn config(&self) -> &RetryBudgetConfig {
        &self.config
    }

    #[inline]
    pub(crate) const fn halves(&self) -> &HalfWindows {
        &self.halves
    }

    #[inline]
    pub(crate) const fn share(&self) -> i64 {
        self.config.share_milli as i64
    }

    #[inline]
    pub(crate) const fn half_floor(&self) -> i64 {
        self.half_floor
    }

    #[inline]
    pub(crate) const fn most_surplus(&self) -> i64 {
        self.most_surplus
    }

    /// What the floor earns in the first `offset` nanoseconds of a half window.
    #[inline]
    pub(crate) const fn earned(&self, offset: u64) -> i64 {
        self.floor.within(offset).cast_signed()
    }

    /// How far into a half window the floor has earned `missing`, or `None` when it has not by the end of it.
    pub(crate) const fn offset_of(&self, missing: i64) -> Option<u64> {
        if missing > self.half_floor {
            return None;
        }
        let offset = self.floor.time_for(missing.unsigned_abs());
        if offset < self.halves.nanos() { Some(offset) } else { None }
    }
}

impl Default for RetryBudgetPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const fn check(config: &RetryBudgetConfig) -> Result<(), PolicyError> {
    if let Err(error) = check_milli("retry_budget.share", config.share_milli as u64, 0, 10_000) {
        return Err(error);
    }
    let floor = config.floor_per_second.as_milli();
    if let Err(error) = check_milli("retry_budget.floor", floor, 0, MAX.as_milli()) {
        return Err(error);
    }
    let (mut shortest, mut longest) = (HalfWindows::SHORTEST, HalfWindows::LONGEST);
    if floor > 0 {
        // in which the floor earns two retries, and the most that can be saved
        let (two, most) = (2_000_u64.saturating_mul(SECOND).div_ceil(floor), MAX.as_milli().saturating_mul(SECOND));
        shortest = if two > nanos(shortest) { Duration::from_nanos(two) } else { shortest };
        longest = match most.checked_div(floor) {
            Some(most) if most < nanos(longest) => Duration::from_nanos(most),
            _ => longest,
        };
    }
    if let Err(error) = check_time("retry_budget.window", config.window, shortest, longest) {
        return Err(error);
    }
    let window_floor = (floor as u128).saturating_mul(config.window.as_nanos()).div_ceil(SECOND as u128);
    let least = if window_floor < 1_000 { 1_000 } else { low(window_floor) };
    check_milli("retry_budget.burst", config.burst.as_milli(), least, MAX.as_milli())
}
