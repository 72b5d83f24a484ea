//! `Guard`: a permit that settles itself as `Cancelled` when it is dropped.

use super::{Circuit, CircuitPolicy, Permit};
use crate::breaker::Transition;
use crate::clock::Clock;
use crate::outcome::Outcome;
use crate::window::{NoWindow, Window};

/// A permit with its circuit and a clock. Dropped unsettled (a cancelled future, a `?`, a panic that unwinds) it
/// settles as [`Outcome::Cancelled`], so nothing leaks.
///
/// ```
/// use fusebox_core::*;
///
/// struct Stopped;
/// impl Clock for Stopped {
///     fn now(&self) -> Instant {
///         Instant::ORIGIN
///     }
/// }
///
/// let circuit = Circuit::new();
/// let policy = CircuitPolicy { bulkhead: Some(BulkheadPolicy::new(1)?), ..CircuitPolicy::UNLIMITED };
/// let (guard, _) = circuit.enter(&policy, Stopped, Tokens::ONE).expect("nothing is in flight");
/// drop(guard);
/// assert_eq!(circuit.bulkhead().in_flight(), 0);
/// # Ok::<(), PolicyError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a guard cancels its call"]
pub struct Guard<'a, C: Clock, W: Window = NoWindow> {
    circuit: &'a Circuit<W>,
    policy: &'a CircuitPolicy,
    clock: C,
    permit: Option<Permit>,
}

impl<'a, C: Clock, W: Window> Guard<'a, C, W> {
    pub(super) const fn new(circuit: &'a Circuit<W>, policy: &'a CircuitPolicy, clock: C, permit: Permit) -> Self {
        Self { circuit, policy, clock, permit: Some(permit) }
    }

    /// Marks the tokens as used, see [`Permit::spend`].
    pub const fn spend(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.spend();
        }
    }

    /// Ends the call, and returns the transition that its outcome caused. A drop settles too, but has nobody to tell.
    pub fn settle(mut self, outcome: Outcome) -> Option<Transition> {
        self.end(outcome)
    }

    fn end(&mut self, outcome: Outcome) -> Option<Transition> {
        let permit = self.permit.take()?;
        self.circuit.settle(self.policy, self.clock.now(), permit, outcome)
    }
}

impl<C: Clock, W: Window> Drop for Guard<'_, C, W> {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}
