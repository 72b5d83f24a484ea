//! `Ticket`: the right to one call through a breaker, settled once.

use super::step::Stamp;
use crate::time::Instant;

/// The right to one call. Settling consumes it, and it cannot be copied, so an outcome is counted once.
///
/// Dropping a ticket unsettled leaks its probe slot until the probe's lease is over. Where a clock is at hand use a
/// [`Guard`](crate::Guard), which settles by itself.
#[derive(Debug)]
#[must_use = "an admitted call holds its slot until its ticket is settled"]
pub struct Ticket {
    pub(crate) stamp: Stamp,
}

impl Ticket {
    /// When the call was admitted.
    pub const fn issued(&self) -> Instant {
        self.stamp.issued()
    }

    /// The generation of the breaker that admitted the call.
    pub const fn generation(&self) -> u8 {
        self.stamp.generation()
    }
}
