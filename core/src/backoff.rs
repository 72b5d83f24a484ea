//! `Backoff`: how long to wait before each retry, by the number of the retry.

use crate::error::{PolicyError, check_milli, check_time};
use crate::growth::grow;
use crate::jitter::Jitter;
use crate::time::nanos;
use core::time::Duration;

/// The numbers of a backoff; [`Backoff::new`] checks them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BackoffConfig {
    /// The delay before the first retry, 0 to 365 days. Default: 500 ms.
    pub base: Duration,
    /// Each further delay is this many thousandths of the one before, 1000 to 100000. Default: 2000 (doubled).
    pub factor_milli: u32,
    /// The longest delay, `base` to 365 days. Default: 30 s.
    pub cap: Duration,
    /// How a delay is randomised. Default: full jitter.
    pub jitter: Jitter,
}

impl BackoffConfig {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self {
        base: Duration::from_millis(500),
        factor_milli: 2_000,
        cap: Duration::from_secs(30),
        jitter: Jitter::Full,
    };
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A checked exponential backoff: `base x factor^retry`, never above the cap, then jittered downwards.
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::{Backoff, BackoffConfig, Jitter};
///
/// let backoff = Backoff::new(BackoffConfig { jitter: Jitter::None, ..BackoffConfig::DEFAULT })?;
/// assert_eq!(backoff.delay(0, 0), Duration::from_millis(500));
/// assert_eq!(backoff.delay(3, 0), Duration::from_secs(4));
/// assert_eq!(backoff.delay(u32::MAX, 0), Duration::from_secs(30));
/// # Ok::<(), fusebox_core::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    config: BackoffConfig,
}

impl Backoff {
    /// The backoff of [`BackoffConfig::DEFAULT`].
    pub const DEFAULT: Self = Self { config: BackoffConfig::DEFAULT };

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub const fn new(config: BackoffConfig) -> Result<Self, PolicyError> {
        if let Err(error) = check_time("backoff.base", config.base, Duration::ZERO, LONGEST) {
            return Err(error);
        }
        if let Err(error) = check_milli("backoff.factor", config.factor_milli as u64, 1_000, 100_000) {
            return Err(error);
        }
        match check_time("backoff.cap", config.cap, config.base, LONGEST) {
            Ok(()) => Ok(Self { config }),
            Err(error) => Err(error),
        }
    }

    /// The same delay before every retry, 0 to 365 days, then jittered downwards.
    ///
    /// # Errors
    /// When the delay is too long.
    pub const fn fixed(delay: Duration, jitter: Jitter) -> Result<Self, PolicyError> {
        Self::new(BackoffConfig { base: delay, factor_milli: 1_000, cap: delay, jitter })
    }

    /// The numbers that this backoff was built from.
    pub const fn config(&self) -> &BackoffConfig {
        &self.config
    }

    /// The delay before retry number `retry`, counted from 0; all 64 bits of `random` count. Never above the cap, and at
    /// most 65 multiplications whatever the number is.
    pub const fn delay(&self, retry: u32, random: u64) -> Duration {
        let BackoffConfig { base, factor_milli, cap, jitter } = self.config;
        Duration::from_nanos(jitter.apply(grow(nanos(base), factor_milli, nanos(cap), retry), random))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}
