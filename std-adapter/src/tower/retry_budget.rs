//! `SharedBudget`: the retry budget of a service and its clones, under their policy.

use crate::Policy;
use crate::clock::TokioClock;
use fusebox_core::{Clock, RetryBudget, RetryBudgetSnapshot};
use std::sync::Arc;

/// The retry budget of a service and its clones, under their policy. A clone is the same budget.
#[derive(Clone, Debug)]
pub(super) struct SharedBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    budget: RetryBudget,
    policy: Policy,
    clock: TokioClock,
}

impl SharedBudget {
    pub(super) fn new(policy: Policy) -> Self {
        Self { shared: Arc::new(Shared { budget: RetryBudget::new(), policy, clock: TokioClock::new() }) }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// A call begins.
    pub(super) fn deposit(&self) {
        let Shared { budget, policy, clock } = &*self.shared;
        if let Some(policy) = &policy.limits.retry_budget {
            budget.deposit(policy, clock.now());
        }
    }

    /// Takes a retry from the budget; `None` when it has none left. Without a budget every retry is granted.
    pub(super) fn withdraw(&self) -> Option<GrantedRetry> {
        let Shared { budget, policy, clock } = &*self.shared;
        if let Some(policy) = &policy.limits.retry_budget {
            budget.try_withdraw(policy, clock.now()).ok()?;
        }
        Some(GrantedRetry { budget: self.clone(), made: false })
    }

    pub(super) fn snapshot(&self) -> Option<RetryBudgetSnapshot> {
        let Shared { budget, policy, clock } = &*self.shared;
        Some(budget.snapshot(policy.limits.retry_budget.as_ref()?, clock.now()))
    }
}

/// A retry that the budget has granted. Dropped before [`GrantedRetry::make`] it goes back.
#[derive(Debug)]
pub(super) struct GrantedRetry {
    budget: SharedBudget,
    made: bool,
}

impl GrantedRetry {
    /// The retry begins: it is used up.
    pub(super) fn make(mut self) {
        self.made = true;
    }
}

impl Drop for GrantedRetry {
    fn drop(&mut self) {
        let Shared { budget, policy, clock } = &*self.budget.shared;
        if !self.made
            && let Some(policy) = &policy.limits.retry_budget
        {
            budget.refund(policy, clock.now());
        }
    }
}
