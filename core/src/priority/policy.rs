//! `PriorityPolicy`: what a call of each class costs, and how much of the burst it leaves to more important ones.
//!
//! ```
//! use fusebox_core::*;
//!
//! let bucket = BucketPolicy::new(Rate::per_second(2), Tokens::whole(10))?;
//! let classes = PriorityPolicy::new(PriorityConfig::DEFAULT, &bucket)?;
//! let (shared, now) = (TokenBucket::new(), Instant::from_nanos(0));
//!
//! while shared.try_acquire_as(&bucket, now, classes.demand(Priority::Low)).is_ok() {}
//! assert_eq!(shared.peek(&bucket, now), Tokens::whole(6)); // 2 more would leave less than half of the burst
//! assert!(shared.try_acquire_as(&bucket, now, classes.demand(Priority::Normal)).is_ok());
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! **Bound for the important.** Take a class that leaves *r*, and let *R* be what the next less important one leaves.
//! Whatever the less important classes do, at every instant: as long as the class and those above it together ask for no
//! more than a bucket of burst *R - r* and the full rate would admit, none of them is refused. For the less important
//! only ever take what lies above *R*. With the defaults `Critical` has a tenth of the burst and the whole refill to
//! itself, `High` and `Critical` together another tenth, and all but `Low` together three tenths. What is booked ahead
//! stands before the reserve: with a debt cap *D* the burst of this bound is *R - r - D*.
//!
//! **Bound for the unimportant.** A class loses what the others are admitted, and no more: while it keeps asking, all
//! classes together are admitted rate x length, less at most its own reserve and cost. So `Low` can lose the whole
//! rate, if the others ask for all of it: a class that asks at every instant keeps the level below the reserves and
//! costs of those under it, and takes all that flows in. With all reserves at 0 the classes share as they come, weighted by
//! cost.
//!
//! **Cost.** A demand is a look-up; the bucket multiplies once more than for a plain cost.

use super::Priority;
use crate::bucket::{BucketPolicy, Demand};
use crate::error::{PolicyError, check_milli};
use crate::tokens::Tokens;

/// How one class of calls draws on the bucket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Class {
    /// What a call takes, a thousandth of a token to what the reserve leaves of the burst.
    pub cost: Tokens,
    /// The share of the burst that the class may not touch, in thousandths; 0 to 999.
    pub reserve_milli: u32,
}

/// The classes, as a configuration has them; [`PriorityPolicy::new`] checks them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct PriorityConfig {
    /// Default: 2 tokens, leaves 50% of the burst.
    pub low: Class,
    /// Default: 1 token, leaves 20%; at most what `low` leaves.
    pub normal: Class,
    /// Default: half a token, leaves 10%; at most what `normal` leaves.
    pub high: Class,
    /// Default: a tenth of a token, leaves nothing; at most what `high` leaves.
    pub critical: Class,
}

impl PriorityConfig {
    /// The defaults, as each field states them. They need a burst of four tokens.
    pub const DEFAULT: Self = Self {
        low: Class { cost: Priority::Low.cost(), reserve_milli: 500 },
        normal: Class { cost: Priority::Normal.cost(), reserve_milli: 200 },
        high: Class { cost: Priority::High.cost(), reserve_milli: 100 },
        critical: Class { cost: Priority::Critical.cost(), reserve_milli: 0 },
    };
}

impl Default for PriorityConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A checked [`PriorityConfig`] for one bucket policy. It has no state: when the bucket's policy changes, build another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PriorityPolicy {
    config: PriorityConfig,
    low: Demand,
    normal: Demand,
    high: Demand,
    critical: Demand,
}

impl PriorityPolicy {
    /// Checks every class against the burst of `bucket`, so that each can be admitted by a full one.
    ///
    /// # Errors
    /// Names the first field outside its range: a reserve above the one of the class below it, or a cost that exceeds
    /// what the reserve leaves of the burst.
    pub const fn new(config: PriorityConfig, bucket: &BucketPolicy) -> Result<Self, PolicyError> {
        let PriorityConfig { low, normal, high, critical } = config;
        let demands = (
            check(["low.reserve", "low.cost"], low, 999, bucket),
            check(["normal.reserve", "normal.cost"], normal, low.reserve_milli, bucket),
            check(["high.reserve", "high.cost"], high, normal.reserve_milli, bucket),
            check(["critical.reserve", "critical.cost"], critical, high.reserve_milli, bucket),
        );
        match demands {
            (Ok(low), Ok(normal), Ok(high), Ok(critical)) => Ok(Self { config, low, normal, high, critical }),
            (Err(error), ..) | (_, Err(error), ..) | (_, _, Err(error), _) | (.., Err(error)) => Err(error),
        }
    }

    /// The numbers that this policy was built from.
    pub const fn config(&self) -> &PriorityConfig {
        &self.config
    }

    /// What a call of this priority asks of the bucket.
    #[inline]
    pub const fn demand(&self, priority: Priority) -> Demand {
        match priority {
            Priority::Low => self.low,
            Priority::Normal => self.normal,
            Priority::High => self.high,
            Priority::Critical => self.critical,
        }
    }
}

const fn check(
    [reserve, cost]: [&'static str; 2],
    class: Class,
    most: u32,
    bucket: &BucketPolicy,
) -> Result<Demand, PolicyError> {
    if let Err(error) = check_milli(reserve, class.reserve_milli as u64, 0, most as u64) {
        return Err(error);
    }
    let burst = bucket.burst().as_milli();
    let leave = (burst as u128).saturating_mul(class.reserve_milli as u128).div_ceil(1_000);
    let leave = crate::time::low(leave);
    if let Err(error) = check_milli(cost, class.cost.as_milli(), 1, burst.saturating_sub(leave)) {
        return Err(error);
    }
    Ok(Demand { cost: class.cost, leave: Tokens::milli(leave) })
}
