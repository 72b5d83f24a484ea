//! `Parts`: the state of one limiter, and how the core's gates combine over it.

use crate::config::LimitPolicy;
use core::time::Duration;
use fusebox_core::{
    Ask, Booking, Breaker, BreakerPolicy, BucketPolicy, Bulkhead, BulkheadPolicy, BulkheadTicket, Circuit,
    CircuitSnapshot, Demand, Forced, Gate, Gated, Instant, Outcome, Pass, Priority, Rejection, RetryBudget, Ticket,
    TokenBucket, Tokens, Transition, Wait,
};

#[derive(Debug)]
pub(crate) struct Parts {
    circuit: Circuit,
    retry_budget: RetryBudget,
}

#[derive(Debug)]
#[must_use]
pub(crate) struct Held(Pass<((Option<BulkheadTicket>, Option<Tokens>), Option<Ticket>)>);

impl Held {
    pub(crate) const fn spend(&mut self) {
        self.0.spend();
    }
}

type Gates<'a> = (
    (Option<Gated<'a, Bulkhead, BulkheadPolicy>>, Option<Gated<'a, TokenBucket, BucketPolicy>>),
    Option<Gated<'a, Breaker, BreakerPolicy>>,
);

impl Parts {
    pub(crate) fn new(_: &LimitPolicy) -> Self {
        Self { circuit: Circuit::new(), retry_budget: RetryBudget::new() }
    }

    fn gates<'a>(&'a self, policy: &'a LimitPolicy) -> Gates<'a> {
        let policy = &policy.circuit;
        let bulkhead = policy.bulkhead.as_ref().map(|policy| self.circuit.bulkhead().gate(policy));
        let bucket = policy.bucket.as_ref().map(|policy| self.circuit.bucket().gate(policy));
        ((bulkhead, bucket), policy.breaker.as_ref().map(|policy| self.circuit.breaker().gate(policy)))
    }

    pub(crate) fn admit(&self, policy: &LimitPolicy, ask: &Ask) -> Result<(Held, Option<Transition>), Rejection> {
        self.gates(policy).admit(ask).map(|(pass, transition)| (Held(pass), transition))
    }

    pub(crate) fn settle(
        &self,
        policy: &LimitPolicy,
        now: Instant,
        held: Held,
        outcome: Outcome,
    ) -> Option<Transition> {
        self.gates(policy).settle(now, held.0, outcome)
    }

    pub(crate) fn demand(_: &LimitPolicy, priority: Priority) -> Demand {
        Demand::plain(priority.cost())
    }

    pub(crate) fn book(
        &self,
        policy: &LimitPolicy,
        now: Instant,
        demand: Demand,
        max_wait: Duration,
    ) -> Option<Booking> {
        self.circuit.bucket().reserve_as(policy.circuit.bucket.as_ref()?, now, demand, max_wait).ok()
    }

    pub(crate) fn cancel(&self, policy: &LimitPolicy, now: Instant, booking: Booking) {
        if let Some(bucket) = &policy.circuit.bucket {
            self.circuit.bucket().cancel(bucket, now, booking);
        }
    }

    pub(crate) fn slow_down(&self, _: &LimitPolicy, _: Instant, _: Duration) {}

    pub(crate) fn breaker_refusal(&self, policy: &LimitPolicy, now: Instant) -> Option<Wait> {
        self.circuit.breaker().refusal(policy.circuit.breaker.as_ref()?, now)
    }

    pub(crate) fn longest_refusal(&self, policy: &LimitPolicy, now: Instant) -> Option<Duration> {
        let change = self.circuit.breaker().next_change(policy.circuit.breaker.as_ref()?, now)?;
        Some(change.saturating_since(now))
    }

    pub(crate) fn has_room(&self, policy: &LimitPolicy, now: Instant) -> bool {
        let has_slot = |policy: BulkheadPolicy| self.circuit.bulkhead().in_flight() < u64::from(policy.max_in_flight());
        self.breaker_refusal(policy, now) != Some(Wait::Release) && policy.circuit.bulkhead.is_none_or(has_slot)
    }

    pub(crate) fn is_fresh(&self, policy: &LimitPolicy, now: Instant) -> bool {
        self.circuit.is_fresh(&policy.circuit, now)
    }

    pub(crate) fn change_policy(&self, old: &LimitPolicy, new: &LimitPolicy, now: Instant) {
        if let (Some(old), Some(new)) = (old.circuit.bucket, new.circuit.bucket) {
            self.circuit.bucket().change_policy(&old, &new, now);
        }
        if let (Some(old), Some(new)) = (old.retry_budget, new.retry_budget) {
            self.retry_budget.change_policy(&old, &new, now);
        }
    }

    pub(crate) fn force(&self, forced: Forced) -> Option<Transition> {
        self.circuit.breaker().force(forced)
    }

    pub(crate) fn reset(&self) -> Option<Transition> {
        self.circuit.breaker().reset()
    }

    pub(crate) fn snapshot(&self, policy: &LimitPolicy, now: Instant) -> CircuitSnapshot {
        self.circuit.snapshot(&policy.circuit, now)
    }

    pub(crate) const fn retry_budget(&self) -> &RetryBudget {
        &self.retry_budget
    }
}
