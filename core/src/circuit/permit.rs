//! `Permit` and `Rejection`: the two answers of a circuit.

use crate::breaker::Ticket;
use crate::bulkhead::BulkheadTicket;
use crate::gate::Pass;
use crate::time::Instant;
use crate::tokens::Tokens;
use crate::wait::Wait;
use core::fmt;

/// The right to one call, with all that it took: a ticket of the breaker, a slot of the bulkhead, tokens.
///
/// Settling consumes it. Dropping it unsettled leaks its slot; where a clock is at hand use a
/// [`Guard`](crate::Guard), which settles by itself.
#[derive(Debug)]
#[must_use = "an admitted call holds its slot until its permit is settled"]
pub struct Permit {
    pub(super) pass: Pass<Held>,
}

/// What the gates of a circuit hold, in their order.
type Held = ((Option<BulkheadTicket>, Option<Tokens>), Option<Ticket>);

impl Permit {
    /// When the call was admitted.
    pub const fn issued(&self) -> Instant {
        self.pass.issued()
    }

    /// The tokens that `Ignored` and `Cancelled` would give back.
    pub const fn tokens(&self) -> Tokens {
        match self.pass.held() {
            ((_, Some(tokens)), _) if !self.pass.is_spent() => *tokens,
            _ => Tokens::ZERO,
        }
    }

    /// Marks the tokens as used, see [`Pass::spend`].
    pub const fn spend(&mut self) {
        self.pass.spend();
    }
}

/// The part of a circuit that refused a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Part {
    /// The dependency fails: open, or all probes are out.
    Breaker,
    /// Too many calls are in flight.
    Bulkhead,
    /// Calls come too fast.
    Bucket,
    /// The dependency asked its callers to slow down.
    AdaptiveRate,
    /// The dependency refuses so many calls that this one is better not sent.
    Throttle,
    /// Too many calls are retries.
    RetryBudget,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::Bucket => "bucket",
            Self::AdaptiveRate => "adaptive rate",
            Self::Throttle => "throttle",
            Self::RetryBudget => "retry budget",
        })
    }
}

/// Why a call was refused and when to return. No part was changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rejection {
    /// The part that refused.
    pub by: Part,
    /// When the answer can change.
    pub wait: Wait,
}

impl Rejection {
    /// How long to wait, where a time is known.
    pub const fn retry_after(&self) -> Option<core::time::Duration> {
        self.wait.duration()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the {}", self.by)?;
        match (self.wait, self.wait.duration()) {
            (_, Some(wait)) => write!(f, ", retry after {wait:?}"),
            (Wait::Never, _) => f.write_str(", waiting does not help"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Rejection {}
