//! `Fuse`: a circuit together with its policy, for the common case of one owner and for statics.

use crate::breaker::{Forced, Transition};
use crate::bucket::Demand;
use crate::circuit::{Circuit, CircuitPolicy, CircuitSnapshot, Guard, Permit, Rejection};
use crate::clock::Clock;
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::window::{NoWindow, Window};

/// A [`Circuit`] that owns its [`CircuitPolicy`].
///
/// ```
/// use fusebox_core::*;
///
/// static RADIO: Fuse = Fuse::new(CircuitPolicy {
///     breaker: Some(BreakerPolicy::DEFAULT),
///     bulkhead: match BulkheadPolicy::new(1) {
///         Ok(policy) => Some(policy),
///         Err(_) => panic!("checked at compile time"),
///     },
///     ..CircuitPolicy::UNLIMITED
/// });
///
/// let now = Instant::from_nanos(17);
/// let (permit, _) = RADIO.admit(now, Tokens::ONE).expect("idle");
/// assert_eq!(RADIO.admit(now, Tokens::ONE).unwrap_err().by, Part::Bulkhead);
/// RADIO.settle(now, permit, Outcome::Success);
/// ```
#[derive(Debug)]
pub struct Fuse<W = NoWindow> {
    circuit: Circuit<W>,
    policy: CircuitPolicy,
}

impl Fuse {
    /// A fresh circuit under `policy`. Its breaker has no window.
    pub const fn new(policy: CircuitPolicy) -> Self {
        Self::from_circuit(Circuit::new(), policy)
    }
}

impl Default for Fuse {
    fn default() -> Self {
        Self::new(CircuitPolicy::UNLIMITED)
    }
}

impl<W: Window> Fuse<W> {
    /// A circuit in any state, such as one whose breaker has a window, under `policy`.
    pub const fn from_circuit(circuit: Circuit<W>, policy: CircuitPolicy) -> Self {
        Self { circuit, policy }
    }

    /// See [`Circuit::admit`].
    ///
    /// # Errors
    /// The part that refused and when to return; nothing was taken from any part.
    #[inline]
    pub fn admit(&self, now: Instant, demand: impl Into<Demand>) -> Result<(Permit, Option<Transition>), Rejection> {
        self.circuit.admit(&self.policy, now, demand)
    }

    /// See [`Circuit::enter`].
    ///
    /// # Errors
    /// As [`Fuse::admit`].
    pub fn enter<C: Clock>(
        &self,
        clock: C,
        demand: impl Into<Demand>,
    ) -> Result<(Guard<'_, C, W>, Option<Transition>), Rejection> {
        self.circuit.enter(&self.policy, clock, demand)
    }

    /// See [`Circuit::settle`].
    #[inline]
    pub fn settle(&self, now: Instant, permit: Permit, outcome: Outcome) -> Option<Transition> {
        self.circuit.settle(&self.policy, now, permit, outcome)
    }

    /// See [`Breaker::force`](crate::Breaker::force).
    pub fn force(&self, forced: Forced) -> Option<Transition> {
        self.circuit.breaker().force(forced)
    }

    /// See [`Breaker::reset`](crate::Breaker::reset).
    pub fn reset(&self) -> Option<Transition> {
        self.circuit.breaker().reset()
    }

    /// See [`Circuit::snapshot`].
    pub fn snapshot(&self, now: Instant) -> CircuitSnapshot {
        self.circuit.snapshot(&self.policy, now)
    }

    /// The state.
    pub const fn circuit(&self) -> &Circuit<W> {
        &self.circuit
    }

    /// The policy.
    pub const fn policy(&self) -> &CircuitPolicy {
        &self.policy
    }
}
