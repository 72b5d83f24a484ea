//! `Admitted`: what an attempt holds, settled once, as `Cancelled` when the attempt is dropped.

use super::Executor;
use super::parts::Held;
use super::shared::Shared;
use fusebox_core::{Clock, Instant, Outcome};

/// What an attempt under way holds.
#[derive(Debug)]
pub(super) struct Admitted<'a, C: Clock> {
    executor: &'a Executor<C>,
    held: Option<Held>,
}

impl<'a, C: Clock> Admitted<'a, C> {
    pub(super) const fn new(executor: &'a Executor<C>, held: Held) -> Self {
        Self { executor, held: Some(held) }
    }

    /// Marks the tokens as used: the tool has run to its end.
    pub(super) const fn spend(&mut self) {
        if let Some(held) = &mut self.held {
            held.spend();
        }
    }

    pub(super) fn settle(mut self, outcome: Outcome, now: Instant) {
        self.end(outcome, now);
    }

    fn end(&mut self, outcome: Outcome, now: Instant) {
        let Some(held) = self.held.take() else { return };
        let Shared { parts, limits, counters, releases, .. } = &*self.executor.shared;
        counters.count_transition(parts.settle(&limits.load(), now, held, outcome));
        releases.announce();
    }
}

impl<C: Clock> Drop for Admitted<'_, C> {
    fn drop(&mut self) {
        if self.held.is_some() {
            self.end(Outcome::Cancelled, self.executor.clock.now());
        }
    }
}
