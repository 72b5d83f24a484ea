//! `Limiter`: what admits calls: its parts, the policy that they are under, and the calls that wait for them.
//!
//! An executor has one of its own. Above it may stand others that it shares: those of its groups, that of a registry.

use super::parts::{Held, Parts, PartsSnapshot, PartsState};
use super::releases::Releases;
use crate::config::LimitPolicy;
use crate::{Refusal, Scope};
use arc_swap::{ArcSwap, Guard};
use core::time::Duration;
use fusebox_core::{Ask, Booking, Demand, Instant, Outcome, Priority, Rejection, Transition, Wait};
use std::sync::{Arc, Mutex, PoisonError};

/// The parts of one circuit under the newest policy.
///
/// Executors that share it are all under the newest policy, also those which were made under another: a bucket's state
/// means something under one policy only, and two rates at once would be no limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    scope: Scope,
    parts: Parts,
    policy: ArcSwap<LimitPolicy>,
    /// Held while the policy changes.
    changing: Mutex<()>,
    releases: Releases,
}

impl Limiter {
    /// A fresh one.
    pub(crate) fn new(scope: Scope, policy: Arc<LimitPolicy>) -> Self {
        Self {
            scope,
            parts: Parts::new(&policy),
            changing: Mutex::default(),
            policy: ArcSwap::new(policy),
            releases: Releases::default(),
        }
    }

    /// One that goes on from a `state` of `passed` ago.
    pub(crate) fn restored(
        scope: Scope,
        policy: Arc<LimitPolicy>,
        now: Instant,
        state: &PartsState,
        passed: Duration,
    ) -> Self {
        let parts = Parts::restored(&policy, now, state, passed);
        Self { parts, ..Self::new(scope, policy) }
    }

    /// What it remembers across a restart.
    pub(crate) fn state(&self, now: Instant) -> PartsState {
        self.parts.state(&self.policy(), now)
    }

    /// Puts the state under another policy; what it holds is kept, as far as it means something there.
    pub(crate) fn change_policy(&self, policy: Arc<LimitPolicy>, now: Instant) {
        let one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.parts.change_policy(&self.policy(), &policy, now);
        self.policy.store(policy);
        drop(one_at_a_time);
        self.releases.announce(); // there may be more room
    }

    pub(crate) fn policy(&self) -> Guard<Arc<LimitPolicy>> {
        self.policy.load()
    }

    pub(crate) const fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) const fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Admits a call; one that has booked its tokens takes no others.
    pub(crate) fn admit(
        &self,
        now: Instant,
        priority: Priority,
        booking: Option<&Booking>,
    ) -> Result<(Held, Option<Transition>), Rejection> {
        let policy = self.policy();
        let (demand, booked) = match booking {
            Some(booking) => (Demand::plain(booking.cost()), true),
            None => (Parts::demand(&policy, priority), false),
        };
        self.parts.admit(&policy, &Ask { demand, booked, ..Ask::at(now) })
    }

    /// Ends what was admitted, and wakes who waits for its place.
    pub(crate) fn settle(&self, now: Instant, held: Held, outcome: Outcome) -> Option<Transition> {
        let transition = self.parts.settle(&self.policy(), now, held, outcome);
        self.releases.announce();
        transition
    }

    /// Books the tokens of a call ahead, if they come within `max_wait`.
    pub(crate) fn book(&self, now: Instant, priority: Priority, max_wait: Duration) -> Option<Booking> {
        let policy = self.policy();
        self.parts.book(&policy, now, Parts::demand(&policy, priority), max_wait)
    }

    pub(crate) fn cancel(&self, booking: Booking, now: Instant) {
        self.parts.cancel(&self.policy(), now, booking);
    }

    /// Whether the policy has a part at all.
    pub(crate) fn limits(&self) -> bool {
        self.policy().limits()
    }

    /// Whether it can be forgotten: while no call is under way, a new one would decide the same from `now` on.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.parts.is_fresh(&self.policy(), now)
    }

    pub(crate) fn snapshot(&self, now: Instant) -> PartsSnapshot {
        self.parts.snapshot(&self.policy(), now)
    }

    /// A call begins: it earns its share of a retry.
    pub(crate) fn earn_retry(&self, now: Instant) {
        if let Some(policy) = &self.policy().retry_budget {
            self.parts.retry_budget().deposit(policy, now);
        }
    }

    /// The dependency has asked its callers to stay away.
    pub(crate) fn slow_down(&self, now: Instant, wait: Duration) {
        self.parts.slow_down(&self.policy(), now, wait);
    }

    /// How long the breaker would refuse a call at `now`.
    pub(crate) fn breaker_refusal(&self, now: Instant) -> Option<Wait> {
        self.parts.breaker_refusal(&self.policy(), now)
    }

    /// The breaker's generation, one more at every transition; `None` without a breaker.
    #[cfg(feature = "tower")]
    pub(crate) fn breaker_generation(&self, now: Instant) -> Option<u8> {
        self.parts.breaker_generation(&self.policy(), now)
    }

    /// How long the breaker would refuse calls from `now` on, even if no call ended; `None` where it does not refuse, or
    /// time does not decide.
    pub(crate) fn longest_refusal(&self, now: Instant) -> Option<Duration> {
        self.parts.longest_refusal(&self.policy(), now)
    }

    /// Wakes who waits, if a call at `now` would not have to wait for another one to end.
    pub(crate) fn announce_room(&self, now: Instant) {
        if self.releases.are_awaited() && self.parts.has_room(&self.policy(), now) {
            self.releases.announce();
        }
    }

    pub(crate) fn refusal(&self, rejection: Rejection) -> Refusal {
        Refusal { by: rejection.by, wait: rejection.wait, scope: self.scope.clone() }
    }
}
