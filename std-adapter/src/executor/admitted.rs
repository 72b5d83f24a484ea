//! `Admitted`: an attempt's permit, settled once, as `Cancelled` when the attempt is dropped.

use super::Executor;
use super::shared::Shared;
use fusebox_core::{Clock, Instant, Outcome, Permit};

/// The permit of an attempt under way.
#[derive(Debug)]
pub(super) struct Admitted<'a, C: Clock> {
    executor: &'a Executor<C>,
    permit: Option<Permit>,
}

impl<'a, C: Clock> Admitted<'a, C> {
    pub(super) const fn new(executor: &'a Executor<C>, permit: Permit) -> Self {
        Self { executor, permit: Some(permit) }
    }

    /// Marks the tokens as used: the tool has run to its end.
    pub(super) const fn spend(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.spend();
        }
    }

    pub(super) fn settle(mut self, outcome: Outcome, now: Instant) {
        self.end(outcome, now);
    }

    fn end(&mut self, outcome: Outcome, now: Instant) {
        let Some(permit) = self.permit.take() else { return };
        let Shared { circuit, limits, counters, releases, .. } = &*self.executor.shared;
        counters.count_transition(circuit.settle(&limits.load().circuit, now, permit, outcome));
        releases.announce();
    }
}

impl<C: Clock> Drop for Admitted<'_, C> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.end(Outcome::Cancelled, self.executor.clock.now());
        }
    }
}
