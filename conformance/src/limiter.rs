//! `LimiterUnderTest`: the little of a rate limiter that the scenarios use.

use crate::time::{ClockKind, Nanos};

/// The plain configuration of a limiter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimiterSpec {
    /// Tokens per period.
    pub tokens: u32,
    /// The period.
    pub per: Nanos,
    /// The most tokens that can be saved up; a new limiter has them all.
    pub burst: u32,
    /// The most tokens for which callers may wait at a time, for subjects that limit it.
    pub waiting: u32,
}

/// What a denial says. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// Come back after this long.
    After(Nanos),
    /// It can never fit.
    Never,
    /// Nothing.
    Unknown,
}

/// A rate limiter behind the suite's interface.
pub trait LimiterUnderTest {
    /// A caller that waits for tokens.
    type Wait;

    /// Takes `cost` tokens at `now`.
    ///
    /// # Errors
    /// What the denial says.
    fn try_acquire(&self, now: Nanos, cost: u32) -> Result<(), Hint>;

    /// Begins to wait for `cost` tokens, in whatever way callers wait; `None` when the limiter has no waiting.
    fn start_wait(&self, _now: Nanos, _cost: u32) -> Option<Self::Wait> {
        None
    }

    /// The waiting caller gives up.
    fn cancel_wait(&self, _now: Nanos, _wait: Self::Wait) {}

    /// Gives back `cost` tokens that were taken and not used; `false` when there is no such feature.
    fn give_back(&self, _now: Nanos, _cost: u32) -> bool {
        false
    }

    /// Changes the policy of the live limiter; `false` when there is no such feature.
    fn change(&mut self, _now: Nanos, _spec: &LimiterSpec) -> bool {
        false
    }

    /// Whether a keyed table would drop this limiter at `now`, or has just done so; `None` when there is no such rule.
    fn can_be_forgotten(&self, _now: Nanos) -> Option<bool> {
        None
    }
}

/// A kind of limiter, of which the scenarios build as many as they need.
pub trait LimiterSubject {
    /// What is built.
    type Limiter: LimiterUnderTest;

    /// What clock can be supplied.
    fn clock(&self) -> ClockKind;

    /// A new limiter.
    ///
    /// # Errors
    /// Which feature that `spec` needs is missing.
    fn build(&self, spec: &LimiterSpec) -> Result<Self::Limiter, String>;
}
