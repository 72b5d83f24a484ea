//! `CircuitUnderTest`: a breaker and limiters behind one door.

use crate::breaker::{BreakerSpec, Outcome};
use crate::limiter::LimiterSpec;
use crate::time::Nanos;

/// The part that refused a call. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The breaker.
    Breaker,
    /// A limiter.
    Limiter,
}

/// A facade over a breaker and one or more limiters, behind the suite's interface. Every call costs one token of each.
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

    /// A new facade over a breaker and at least one limiter, asked in this order where the order can be chosen.
    ///
    /// # Errors
    /// Which feature that the specs need is missing. A facade that has room for one limiter only is still judged with
    /// one.
    fn build(&self, breaker: &BreakerSpec, limiters: &[LimiterSpec]) -> Result<Self::Circuit, String>;
}
