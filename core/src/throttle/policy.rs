//! `ThrottlePolicy`: how much refusal a client takes before it refuses by itself; checked once, then only read.

use crate::error::{PolicyError, check_count, check_milli, check_time};
use crate::half_window::HalfWindows;
use core::time::Duration;

/// The numbers of a throttle; [`ThrottlePolicy::new`] checks them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ThrottleConfig {
    /// K: calls sent for each one that is accepted, in thousandths, 1000 to 100000. Lower throttles earlier; higher
    /// sends more in vain, but learns sooner of a recovery. Default: 2000.
    pub ratio_milli: u32,
    /// Added to the calls when a share of them is worked out, 1 to 1000: so few calls do not decide much. The book has
    /// 1, gRPC's throttle 8. Default: 8.
    pub padding: u32,
    /// Counts halve at the end of each half window, 1 s to 1 h. Default: 30 s.
    pub window: Duration,
}

impl ThrottleConfig {
    /// The defaults, as each field states them.
    pub const DEFAULT: Self = Self { ratio_milli: 2_000, padding: 8, window: Duration::from_secs(30) };
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A checked [`ThrottleConfig`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ThrottlePolicy {
    config: ThrottleConfig,
    halves: HalfWindows,
}

impl ThrottlePolicy {
    /// The policy of [`ThrottleConfig::DEFAULT`].
    pub const DEFAULT: Self = Self::checked(ThrottleConfig::DEFAULT);

    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field outside its range.
    pub const fn new(config: ThrottleConfig) -> Result<Self, PolicyError> {
        if let Err(error) = check_milli("throttle.ratio", config.ratio_milli as u64, 1_000, 100_000) {
            return Err(error);
        }
        if let Err(error) = check_count("throttle.padding", config.padding as u64, 1, 1_000) {
            return Err(error);
        }
        match check_time("throttle.window", config.window, HalfWindows::SHORTEST, HalfWindows::LONGEST) {
            Ok(()) => Ok(Self::checked(config)),
            Err(error) => Err(error),
        }
    }

    const fn checked(config: ThrottleConfig) -> Self {
        Self { config, halves: HalfWindows::halves(config.window) }
    }

    /// The numbers that this policy was built from.
    pub const fn config(&self) -> &ThrottleConfig {
        &self.config
    }

    #[inline]
    pub(crate) const fn halves(&self) -> &HalfWindows {
        &self.halves
    }

    /// The share of calls to refuse as a fraction, in thousandths above and below the line.
    #[inline]
    pub(crate) const fn refused_share(&self, requests: u64, accepts: u64) -> (u64, u64) {
        let excused = accepts.saturating_mul(self.config.ratio_milli as u64);
        let padded = requests.saturating_add(self.config.padding as u64);
        (requests.saturating_mul(1_000).saturating_sub(excused), padded.saturating_mul(1_000))
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
