//! `WindowCounts`: how many calls a window holds, and how they went.

use crate::time::low32;

/// The calls in a window.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WindowCounts {
    /// All calls in the window, successes and failures.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that took the policy's `slow_call` or longer when they ended, failed or not.
    pub slow: u32,
}

impl WindowCounts {
    /// No calls.
    pub const NONE: Self = Self { calls: 0, failures: 0, slow: 0 };

    /// Failures in thousandths of all calls, rounded down; 0 without calls.
    ///
    /// ```
    /// let counts = fusebox_core::WindowCounts { calls: 3, failures: 2, slow: 0 };
    /// assert_eq!(counts.failure_rate_milli(), 666);
    /// ```
    pub const fn failure_rate_milli(self) -> u32 {
        share(self.failures, self.calls)
    }

    /// Slow calls in thousandths of all calls, rounded down; 0 without calls.
    pub const fn slow_rate_milli(self) -> u32 {
        share(self.slow, self.calls)
    }
}

/// `part / whole` in thousandths, at most 1000: a reader may see an outcome of a call that is not counted yet.
const fn share(part: u32, whole: u32) -> u32 {
    if part >= whole {
        return if whole == 0 { 0 } else { 1_000 };
    }
    match (part as u64).saturating_mul(1_000).checked_div(whole as u64) {
        Some(share) => low32(share),
        None => 0,
    }
}
