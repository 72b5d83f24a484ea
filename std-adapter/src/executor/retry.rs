//! `Retry`: a retry that the budget has granted, given back when it is dropped before it was made.

use super::Executor;
use fusebox_core::{Clock, Instant};

/// A retry that the budget has granted. Dropped before [`Retry::made`] it goes back.
#[derive(Debug)]
pub(super) struct Retry<'a, C: Clock> {
    executor: &'a Executor<C>,
    granted: bool,
}

impl<'a, C: Clock> Retry<'a, C> {
    /// Takes a retry from the budget; `None` when it has none left. Without a budget every retry is granted.
    pub(super) fn withdraw(executor: &'a Executor<C>, now: Instant) -> Option<Self> {
        let shared = &executor.shared;
        let granted = match &shared.limits.load().retry_budget {
            Some(policy) => {
                shared.parts.retry_budget().try_withdraw(policy, now).ok()?;
                true
            }
            None => false,
        };
        Some(Self { executor, granted })
    }

    /// The retry begins: it is used up.
    pub(super) fn made(mut self) {
        self.granted = false;
    }
}

impl<C: Clock> Drop for Retry<'_, C> {
    fn drop(&mut self) {
        let shared = &self.executor.shared;
        if self.granted
            && let Some(policy) = &shared.limits.load().retry_budget
        {
            shared.parts.retry_budget().refund(policy, self.executor.clock.now());
        }
    }
}
