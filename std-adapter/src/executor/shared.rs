//! `Shared`: what executors have in common that stand for one dependency, and `Limits`: the policy its state is under.

use super::releases::Releases;
use crate::config::LimitPolicy;
use crate::counters::Counters;
use arc_swap::{ArcSwap, Guard};
use core::time::Duration;
use fusebox_core::{BucketPolicy, BulkheadPolicy, Circuit, Instant, RetryBudget, RetryBudgetPolicy, Wait};
use std::sync::{Arc, Mutex, PoisonError};

/// What executors have in common that stand for one dependency.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) circuit: Circuit,
    pub(super) retry_budget: RetryBudget,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) releases: Releases,
}

impl Shared {
    pub(super) fn new(policy: &LimitPolicy) -> Self {
        let kept_under = KeptUnder { bucket: policy.circuit.bucket, retry_budget: policy.retry_budget };
        let limits = Limits { newest: ArcSwap::from_pointee(*policy), kept_under: Mutex::new(kept_under) };
        Self {
            circuit: Circuit::new(),
            retry_budget: RetryBudget::new(),
            limits,
            counters: Counters::default(),
            releases: Releases::default(),
        }
    }

    /// Puts the state under another policy; the bucket keeps its fill level and the retry budget its balance.
    pub(super) fn change_limits(&self, policy: &LimitPolicy, now: Instant) {
        let mut kept_under = self.limits.kept_under.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(new) = policy.circuit.bucket
            && let Some(old) = kept_under.bucket.replace(new)
        {
            self.circuit.bucket().change_policy(&old, &new, now);
        }
        if let Some(new) = policy.retry_budget
            && let Some(old) = kept_under.retry_budget.replace(new)
        {
            self.retry_budget.change_policy(&old, &new, now);
        }
        self.limits.newest.store(Arc::new(*policy));
    }

    /// How long the breaker would refuse a call at `now`.
    pub(super) fn breaker_refusal(&self, now: Instant) -> Option<Wait> {
        self.circuit.breaker().refusal(self.limits.load().circuit.breaker.as_ref()?, now)
    }

    /// How long the breaker would refuse calls from `now` on, even if no call ended; `None` where it does not refuse, or
    /// time does not decide.
    pub(super) fn longest_refusal(&self, now: Instant) -> Option<Duration> {
        let change = self.circuit.breaker().next_change(self.limits.load().circuit.breaker.as_ref()?, now)?;
        Some(change.saturating_since(now))
    }

    /// Whether a call at `now` would not have to wait for another one to end.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let has_slot = |policy: BulkheadPolicy| self.circuit.bulkhead().in_flight() < u64::from(policy.max_in_flight());
        self.breaker_refusal(now) != Some(Wait::Release) && self.limits.load().circuit.bulkhead.is_none_or(has_slot)
    }
}

/// The policy of the shared state: the newest one, for old executors too. A bucket's state means something under one
/// policy only, and two rates at once would be no limit.
#[derive(Debug)]
pub(super) struct Limits {
    newest: ArcSwap<LimitPolicy>,
    /// Held while limits change.
    kept_under: Mutex<KeptUnder>,
}

/// What states were last kept under; a policy without that part leaves them as they are.
#[derive(Debug)]
struct KeptUnder {
    bucket: Option<BucketPolicy>,
    retry_budget: Option<RetryBudgetPolicy>,
}

impl Limits {
    pub(super) fn load(&self) -> Guard<Arc<LimitPolicy>> {
        self.newest.load()
    }
}
