//! `Shared`: what executors have in common that stand for one dependency, and `Limits`: the policy its state is under.

use super::parts::Parts;
use super::releases::Releases;
use crate::config::LimitPolicy;
use crate::counters::Counters;
use arc_swap::{ArcSwap, Guard};
use core::time::Duration;
use fusebox_core::{Instant, Wait};
use std::sync::{Arc, Mutex, PoisonError};

/// What executors have in common that stand for one dependency.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) parts: Parts,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) releases: Releases,
}

impl Shared {
    pub(super) fn new(policy: &LimitPolicy) -> Self {
        Self {
            parts: Parts::new(policy),
            limits: Limits { newest: ArcSwap::from_pointee(*policy), changing: Mutex::default() },
            counters: Counters::default(),
            releases: Releases::default(),
        }
    }

    /// Puts the state under another policy.
    pub(super) fn change_limits(&self, policy: &LimitPolicy, now: Instant) {
        let _one_at_a_time = self.limits.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.parts.change_policy(&self.limits.load(), policy, now);
        self.limits.newest.store(Arc::new(*policy));
    }

    /// How long the breaker would refuse a call at `now`.
    pub(super) fn breaker_refusal(&self, now: Instant) -> Option<Wait> {
        self.parts.breaker_refusal(&self.limits.load(), now)
    }

    /// How long the breaker would refuse calls from `now` on, even if no call ended; `None` where it does not refuse, or
    /// time does not decide.
    pub(super) fn longest_refusal(&self, now: Instant) -> Option<Duration> {
        self.parts.longest_refusal(&self.limits.load(), now)
    }

    /// Whether a call at `now` would not have to wait for another one to end.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.parts.has_room(&self.limits.load(), now)
    }
}

/// The policy of the shared state: the newest one, for old executors too. A bucket's state means something under one
/// policy only, and two rates at once would be no limit.
#[derive(Debug)]
pub(super) struct Limits {
    newest: ArcSwap<LimitPolicy>,
    /// Held while limits change.
    changing: Mutex<()>,
}

impl Limits {
    pub(super) fn load(&self) -> Guard<Arc<LimitPolicy>> {
        self.newest.load()
    }
}
