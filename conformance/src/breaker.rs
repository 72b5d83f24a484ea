//! `BreakerUnderTest`: the little of a circuit breaker that the scenarios use.

use crate::time::{ClockKind, Nanos};

/// How an admitted call ended. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency failed.
    Failure,
    /// The call ended in an error that the user has declared to say nothing about the dependency.
    Ignored,
    /// The caller gave up and dropped the call.
    Cancelled,
}

/// What makes a closed breaker open. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trip {
    /// This many failures in a row. A new breaker opens at the last of them.
    Consecutive(u32),
    /// At least this share of the last `size` calls failed, of which there have been at least `minimum_calls`.
    CountWindow {
        /// Calls in the window.
        size: u32,
        /// Percent of failures that open the breaker.
        failure_percent: u8,
        /// Calls before the share counts.
        minimum_calls: u32,
    },
    /// At least this share of the calls of the last `span` failed, of which there were at least `minimum_calls`.
    TimeWindow {
        /// The length of the window.
        span: Nanos,
        /// Percent of failures that open the breaker.
        failure_percent: u8,
        /// Calls before the share counts.
        minimum_calls: u32,
    },
}

/// The plain configuration of a breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerSpec {
    /// What opens it.
    pub trip: Trip,
    /// How long it stays open. Zero for subjects with a clock of their own.
    pub open_wait: Nanos,
    /// Probes that may be outstanding in half-open.
    pub probes: u8,
    /// Successful probes that close it.
    pub required_successes: u8,
    /// How long a probe may take, for subjects that limit it.
    pub probe_lease: Nanos,
}

/// A circuit breaker behind the suite's interface.
pub trait BreakerUnderTest {
    /// The right to one call, settled once. Dropping it says nothing to the breaker.
    type Ticket;

    /// May a call go at `now`?
    fn admit(&self, now: Nanos) -> Option<Self::Ticket>;

    /// Ends the ticket's call.
    fn settle(&self, now: Nanos, ticket: Self::Ticket, outcome: Outcome);

    /// Whether the breaker refuses calls at `now` because it is open: not closed, and not half-open.
    fn is_open(&self, now: Nanos) -> bool;

    /// Changes the policy of the live breaker; `false` when there is no such feature.
    fn change(&mut self, _now: Nanos, _spec: &BreakerSpec) -> bool {
        false
    }

    /// Whether a keyed table would drop this breaker at `now`; `None` when there is no such rule.
    fn can_be_forgotten(&self, _now: Nanos) -> Option<bool> {
        None
    }

    /// Records that were touched so far, for breakers that count their own work.
    fn work(&self) -> Option<u64> {
        None
    }
}

/// A kind of breaker, of which the scenarios build as many as they need.
pub trait BreakerSubject {
    /// What is built.
    type Breaker: BreakerUnderTest;

    /// What clock can be supplied.
    fn clock(&self) -> ClockKind;

    /// A new breaker.
    ///
    /// # Errors
    /// Which feature that `spec` needs is missing.
    fn build(&self, spec: &BreakerSpec) -> Result<Self::Breaker, String>;

    /// What is known about the cost of recording a call in a window, where [`BreakerUnderTest::work`] is `None`.
    fn cost_of_recording(&self) -> &'static str {
        "its work cannot be counted from outside"
    }
}
