//! `AdaptiveSnapshot`: an adaptive rate as plain data that outlives its clock.

use core::time::Duration;

/// Where an adaptive rate stood at one moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AdaptiveSnapshot {
    /// The rate as a share of the ceiling, in parts of [`AdaptiveSnapshot::CEILING`].
    pub share: u32,
    /// How long nothing is admitted.
    pub held: Duration,
    /// How long the rate stays as it is after a cut, where it is not held.
    pub quiet: Duration,
}

impl AdaptiveSnapshot {
    /// The share of a rate that is at its ceiling.
    pub const CEILING: u32 = super::state::CEILING;

    /// The rate in thousandths of the ceiling, rounded down.
    pub const fn share_milli(&self) -> u32 {
        let share = if self.share < Self::CEILING { self.share } else { Self::CEILING };
        share.saturating_mul(1_000) / Self::CEILING
    }
}
