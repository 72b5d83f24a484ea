//! `Permit` and `Rejection`: the two answers of a circuit.

use crate::breaker::Ticket;
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
    pub(crate) issued: Instant,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) slot: bool,
    pub(crate) tokens: Tokens,
}

impl Permit {
    /// When the call was admitted.
    pub const fn issued(&self) -> Instant {
        self.issued
    }

    /// The tokens that `Ignored` and `Cancelled` would give back.
    pub const fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// Marks the tokens as used: the dependency has done its work, so no outcome gives them back any more.
    ///
    /// Without it a caller that keeps getting ignored errors, such as "not found", would never be rate limited.
    pub const fn spend(&mut self) {
        self.tokens = Tokens::ZERO;
    }
}

/// The part of a circuit that refused a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// The dependency fails: open, or all probes are out.
    Breaker,
    /// Too many calls are in flight.
    Bulkhead,
    /// Calls come too fast.
    Bucket,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::Bucket => "bucket",
        })
    }
}

/// Why a call was refused and when to return. No part was changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
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
