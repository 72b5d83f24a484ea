//! `Shared`: what executors have in common that stand for one dependency, and `Limits`: the policy its circuit is under.

use super::releases::Releases;
use crate::counters::Counters;
use arc_swap::{ArcSwap, Guard};
use core::time::Duration;
use fusebox_core::{BucketPolicy, BulkheadPolicy, Circuit, CircuitPolicy, Instant, Wait};
use std::sync::{Arc, Mutex, PoisonError};

/// What executors have in common that stand for one dependency.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) circuit: Circuit,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) releases: Releases,
}

impl Shared {
    pub(super) fn new(policy: &CircuitPolicy) -> Self {
        let limits = Limits { newest: ArcSwap::from_pointee(*policy), bucket: Mutex::new(policy.bucket) };
        Self { circuit: Circuit::new(), limits, counters: Counters::default(), releases: Releases::default() }
    }

    /// Puts the circuit under another policy; the bucket keeps its fill level.
    pub(super) fn change_limits(&self, policy: &CircuitPolicy, now: Instant) {
        let mut bucket = self.limits.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(new) = policy.bucket
            && let Some(old) = bucket.replace(new)
        {
            self.circuit.bucket().change_policy(&old, &new, now);
        }
        self.limits.newest.store(Arc::new(*policy));
    }

    /// How long the breaker would refuse a call at `now`.
    pub(super) fn breaker_refusal(&self, now: Instant) -> Option<Wait> {
        self.circuit.breaker().refusal(self.limits.load().breaker.as_ref()?, now)
    }

    /// How long the breaker would refuse calls from `now` on, even if no call ended; `None` where it does not refuse, or
    /// time does not decide.
    pub(super) fn longest_refusal(&self, now: Instant) -> Option<Duration> {
        let change = self.circuit.breaker().next_change(self.limits.load().breaker.as_ref()?, now)?;
        Some(change.saturating_since(now))
    }

    /// Whether a call at `now` would not have to wait for another one to end.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let has_slot = |policy: BulkheadPolicy| self.circuit.bulkhead().in_flight() < u64::from(policy.max_in_flight());
        self.breaker_refusal(now) != Some(Wait::Release) && self.limits.load().bulkhead.is_none_or(has_slot)
    }
}

/// The policy of the circuit: the newest one, for old executors too. A bucket's state means something under one policy
/// only, and two rates at once would be no limit.
#[derive(Debug)]
pub(super) struct Limits {
    newest: ArcSwap<CircuitPolicy>,
    /// What the bucket's state was last kept under; a policy without a rate limit leaves it. Held while limits change.
    bucket: Mutex<Option<BucketPolicy>>,
}

impl Limits {
    pub(super) fn load(&self) -> Guard<Arc<CircuitPolicy>> {
        self.newest.load()
    }
}
