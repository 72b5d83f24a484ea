//! `CircuitUnderTest`: a breaker and a limiter behind one door.

use crate::breaker::{BreakerSpec, Outcome};
use crate::limiter::LimiterSpec;
use crate::time::Nanos;

/// The part that refused a call. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The breaker.
    Breaker,
    /// The limiter.
    Limiter,
}

/// A facade over a breaker and a limiter, behind the suite's interface. Every call costs one token.
pub trait CircuitUnderTest {
    /// The right to one call, settled once.
    type Ticket;

    /// May a call go at `now`?
    ///
    /// # Errors
    /// The part that refused.
    fn admit(&self, now: Nanos) -> Result<Self::Ticket, Part>;

    /// Ends the ticket's call.
    fn settle(&self, now: Nanos, ticket: Self::Ticket, outcome: Outcome);
}

/// A kind of facade, of which the scenarios build as many as they need.
pub trait CircuitSubject {
    /// What is built.
    type Circuit: CircuitUnderTest;

    /// A new facade.
    ///
    /// # Errors
    /// Which feature that the specs need is missing.
    fn build(&self, breaker: &BreakerSpec, limiter: &LimiterSpec) -> Result<Self::Circuit, String>;
}
