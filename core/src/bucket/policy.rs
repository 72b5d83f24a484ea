//! `BucketPolicy`: a rate and a burst, turned once into the units in which the bucket counts.
//!
//! The bucket counts in *units*: a fixed fraction of a thousandth of a token. They are chosen so that every nanosecond
//! adds a whole number of units wherever that is possible, which makes the arithmetic exact:
//!
//! ```text
//! rate = n tokens per P ns, n/P in lowest terms
//! exact:    1 token = P x m units, n x m units per ns        (m makes P x m a multiple of 1000)
//! rounded:  1 token = 1000 x j units, n x 1000 x j / P per ns, j as large as keeps this <= 1, but at least 1
//! ```
//!
//! The exact form is used while it adds at most 1000 units per ns: for 2/s, 7/s, 100/min, 10^6/s or 10^9/s, and for
//! nearly all rates that a person writes down. The rounded form, for rates such as 999,999,937/s, keeps the long-run
//! rate to 2^-63 and never exceeds it; at a single moment it may be ahead by less than one unit, 2 ns of refill.

use super::scale::Scale;
use crate::error::{PolicyError, Quantity, check_milli, check_time};
use crate::time::{Instant, low, nanos};
use crate::tokens::Tokens;
use core::time::Duration;

/// A rate: so many tokens per period, between 1 per day and 10^9 per second.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Rate {
    /// Whole tokens per period, at least 1.
    pub tokens: u64,
    /// The period, 1 ns to 365 days.
    pub per: Duration,
}

impl Rate {
    /// `tokens` per second.
    pub const fn per_second(tokens: u64) -> Self {
        Self { tokens, per: Duration::from_secs(1) }
    }
}

/// A checked rate and burst. Immutable; one policy serves any number of buckets.
///
/// ```
/// use fusebox_core::{BucketPolicy, Rate, Tokens};
///
/// const POLICY: BucketPolicy = match BucketPolicy::new(Rate::per_second(2), Tokens::whole(10)) {
///     Ok(policy) => policy,
///     Err(_) => panic!("checked at compile time"),
/// };
/// assert_eq!(POLICY.burst(), Tokens::whole(10));
/// let error = BucketPolicy::new(Rate::per_second(0), Tokens::whole(10)).unwrap_err();
/// assert_eq!(error.to_string(), "rate.tokens is 0: allowed is 1 to 1000000000");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BucketPolicy {
    rate: Rate,
    burst: Tokens,
    debt: Tokens,
    units_per_milli: u64,
    burst_units: u64,
    debt_units: u64,
    leeway: u64,
    units_per_nano: Scale,
    nanos_per_unit: Scale,
}

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
const MAX_PERIOD: Duration = Duration::from_nanos(DAY.saturating_mul(365));
const MAX_UNITS_PER_NANO: u128 = 1_000;
/// Keeps burst, debt and leeway together within half of the word's 63 bits.
const MAX_BURST_UNITS: u64 = 1 << 60;

impl BucketPolicy {
    /// Checks rate and burst.
    ///
    /// # Errors
    /// Names the field outside its range: a rate below 1 per day or above 10^9 per second, or a burst below a
    /// thousandth of a token or above 2^60 units: the refill of 36 years where a nanosecond adds one unit or less,
    /// of 13 days where it adds 1000.
    pub const fn new(rate: Rate, burst: Tokens) -> Result<Self, PolicyError> {
        if let Err(error) = check_rate(rate) {
            return Err(error);
        }
        let (units_per_milli, units_per_nano) = choose_units(rate);
        let max_burst = match MAX_BURST_UNITS.checked_div(units_per_milli) {
            Some(max) => max,
            None => 0,
        };
        if burst.as_milli() < 1 || burst.as_milli() > max_burst {
            return Err(PolicyError {
                field: "burst",
                value: Quantity::Milli(burst.as_milli()),
                min: Quantity::Milli(1),
                max: Quantity::Milli(max_burst),
            });
        }
        let burst_units = burst.as_milli().saturating_mul(units_per_milli);
        let second = units_per_nano.floor(SECOND);
        let leeway = if burst_units > second { burst_units } else { second };
        Ok(Self {
            rate,
            burst,
            debt: Tokens::ZERO,
            units_per_milli,
            burst_units,
            debt_units: 0,
            leeway,
            units_per_nano,
            nanos_per_unit: units_per_nano.inverse(),
        })
    }

    /// The same policy with a debt cap: how many tokens may be booked ahead of the refill, 0 by default.
    ///
    /// ```
    /// use fusebox_core::{BucketPolicy, Rate, Tokens};
    ///
    /// let policy = BucketPolicy::new(Rate::per_second(2), Tokens::whole(10))?.with_debt(Tokens::whole(4))?;
    /// assert_eq!(policy.debt(), Tokens::whole(4)); // nobody waits longer than 2 s for a booking
    /// # Ok::<(), fusebox_core::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// When the debt exceeds 2^60 units, the bound of the burst in [`BucketPolicy::new`].
    pub const fn with_debt(self, debt: Tokens) -> Result<Self, PolicyError> {
        let max = match MAX_BURST_UNITS.checked_div(self.units_per_milli) {
            Some(max) => max,
            None => 0,
        };
        match check_milli("debt", debt.as_milli(), 0, max) {
            Ok(()) => Ok(Self { debt, debt_units: debt.as_milli().saturating_mul(self.units_per_milli), ..self }),
            Err(error) => Err(error),
        }
    }

    /// The rate.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The most tokens the bucket holds.
    pub const fn burst(&self) -> Tokens {
        self.burst
    }

    /// The most tokens that may be booked ahead.
    pub const fn debt(&self) -> Tokens {
        self.debt
    }

    /// Units that have flowed in since the clock's origin, modulo 2^63.
    #[inline]
    pub(crate) const fn inflow(&self, now: Instant) -> u64 {
        self.units_per_nano.floor(now.as_nanos())
    }

    /// The burst in units.
    #[inline]
    pub(crate) const fn burst_units(&self) -> u64 {
        self.burst_units
    }

    /// The most units that a full bucket lacks once the debt cap is booked.
    #[inline]
    pub(crate) const fn most_booked(&self) -> u64 {
        self.burst_units.saturating_add(self.debt_units)
    }

    /// The most units that a full bucket may seem to lack: what can be booked, and the leeway for readings that are
    /// late, which is what flows in within one second or the burst, whichever is more.
    #[inline]
    pub(crate) const fn most_owed(&self) -> u64 {
        self.most_booked().saturating_add(self.leeway)
    }

    /// The cost in units; a cost beyond the burst saturates above it.
    #[inline]
    pub(crate) const fn units(&self, cost: Tokens) -> u64 {
        cost.as_milli().saturating_mul(self.units_per_milli)
    }

    /// Whole thousandths in `units`.
    pub(crate) const fn tokens(&self, units: u64) -> Tokens {
        match units.checked_div(self.units_per_milli) {
            Some(milli) => Tokens::milli(milli),
            None => Tokens::ZERO,
        }
    }

    /// Thousandths that cover `units`.
    pub(crate) const fn tokens_rounded_up(&self, units: u64) -> Tokens {
        self.tokens(units.saturating_add(self.units_per_milli.saturating_sub(1)))
    }

    /// The least number of nanoseconds after `now` at which `units` have flowed in: exact, so that the instant it
    /// names depends on the mark alone and not on when somebody asked.
    pub(crate) const fn wait(&self, now: Instant, units: u64) -> u64 {
        // The product with the inverse is enough, and a few nanoseconds too much where a factor was rounded.
        let mut wait = self.nanos_per_unit.ceil(units);
        let start = self.inflow(now);
        while let Some(earlier) = wait.checked_sub(1) {
            let then = Instant::from_nanos(now.as_nanos().saturating_add(earlier));
            if self.inflow(then).wrapping_sub(start) < units {
                break;
            }
            wait = earlier;
        }
        wait
    }
}

const fn check_rate(rate: Rate) -> Result<(), PolicyError> {
    if let Err(error) = check_time("rate.per", rate.per, Duration::from_nanos(1), MAX_PERIOD) {
        return Err(error);
    }
    let per = nanos(rate.per);
    // 1 per day, rounded up to whole tokens, to 1 per ns
    let (min, max) = (per.div_ceil(DAY), per);
    crate::error::check_count("rate.tokens", rate.tokens, min, max)
}

/// Units per thousandth of a token, and units per nanosecond. See the module's formulas.
const fn choose_units(rate: Rate) -> (u64, Scale) {
    let (n, per) = reduce(rate.tokens as u128, nanos(rate.per) as u128);
    let m = reduce(1_000, per).0;
    if n.saturating_mul(m) <= MAX_UNITS_PER_NANO {
        let per_milli = per.saturating_mul(m) / 1_000;
        return (low(per_milli), Scale::quotient(n.saturating_mul(m), 1));
    }
    let j = match per.checked_div(n.saturating_mul(1_000)) {
        Some(0) | None => 1,
        Some(j) => j,
    };
    (low(j), Scale::quotient(n.saturating_mul(1_000).saturating_mul(j), per))
}

/// `a / b` in lowest terms.
const fn reduce(a: u128, b: u128) -> (u128, u128) {
    let (mut divisor, mut rest) = (a, b);
    while let Some(remainder) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, remainder);
    }
    match (a.checked_div(divisor), b.checked_div(divisor)) {
        (Some(a), Some(b)) => (a, b),
        _ => (a, b),
    }
}
