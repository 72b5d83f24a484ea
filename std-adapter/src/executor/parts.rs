//! `Parts`: the state of one dependency, and how the core's gates combine over it.
//!
//! A call passes, in this order: the breaker and the throttle, which are asked without being taken; then it takes a slot
//! of the bulkhead, its tokens, and last the breaker's leave to go. A refusal gives back what was taken before. Each part
//! is there or not by the policy, which is an argument: the state outlives every change of policy.

mod gates;
mod memory;
mod snapshot;
#[cfg(test)]
mod tests;
mod window_slot;

pub use memory::PartsState;
pub use snapshot::PartsSnapshot;

use crate::config::LimitPolicy;
use core::time::Duration;
use fusebox_core::{
    AdaptivePolicy, AdaptiveRate, Ask, Booking, Breaker, BreakerPolicy, BucketPolicy, Bulkhead, Demand, Ending, Forced,
    Gate, HeldWindow, Instant, Outcome, Priority, Rejection, RetryBudget, RetryBudgetPolicy, Throttle, ThrottlePolicy,
    TokenBucket, Transition, Wait,
};
use gates::{BreakerGate, BucketGate, Gates, Taken};
use std::sync::{Mutex, PoisonError};
use window_slot::WindowSlot;

/// The state of one dependency. Every method takes the policy of the moment.
#[derive(Debug)]
pub(crate) struct Parts {
    breaker: Breaker<HeldWindow<WindowSlot>>,
    /// By how much the breaker's time is ahead of the caller's: so an opening can lie before the clock's origin.
    breaker_ahead: Duration,
    bulkhead: Bulkhead,
    bucket: TokenBucket,
    adaptive_rate: AdaptiveRate,
    throttle: Throttle,
    retry_budget: RetryBudget,
    /// Locked while the policy changes, and by nobody else.
    left: Mutex<LeftPolicies>,
}

/// What the parts that the policy lacks at present were last under. Their states mean something under that alone.
#[derive(Debug, Default)]
struct LeftPolicies {
    bucket: Option<BucketPolicy>,
    adaptive_rate: Option<AdaptivePolicy>,
    throttle: Option<ThrottlePolicy>,
    retry_budget: Option<RetryBudgetPolicy>,
}

/// What an admitted call holds. Dropping it unsettled leaks its slot.
#[derive(Debug)]
#[must_use = "an admitted call holds its slot until it is settled"]
pub(crate) struct Held {
    issued: Instant,
    spent: bool,
    taken: Taken,
}

impl Held {
    /// Marks the tokens as used: no outcome gives them back any more.
    pub(crate) const fn spend(&mut self) {
        self.spent = true;
    }
}

impl Parts {
    /// A dependency that nobody has called.
    pub(crate) fn new(policy: &LimitPolicy) -> Self {
        Self {
            breaker: Breaker::with_window(HeldWindow::new(WindowSlot::new(policy.window))),
            breaker_ahead: Duration::ZERO,
            bulkhead: Bulkhead::new(),
            bucket: TokenBucket::new(),
            adaptive_rate: AdaptiveRate::new(),
            throttle: Throttle::new(),
            retry_budget: RetryBudget::new(),
            left: Mutex::default(),
        }
    }

    /// May a call go? Returns what it holds, and the transition that admitting it caused.
    ///
    /// A throttle draws here, whatever the `ask` brings. With `booked` tokens the demand is what the booking took; it
    /// stays with the caller until the call is admitted.
    ///
    /// # Errors
    /// The part that refused and when to return; nothing was taken from any part.
    pub(crate) fn admit(&self, policy: &LimitPolicy, ask: &Ask) -> Result<(Held, Option<Transition>), Rejection> {
        let gates = self.gates(policy);
        let random = if policy.throttle.is_some() { fastrand::u64(..) } else { ask.random };
        let ask = Ask { random, ..*ask };
        if let Some(rejection) = gates.refusal(&ask) {
            return Err(rejection);
        }
        let (taken, transition) = gates.take(&ask)?;
        Ok((Held { issued: ask.now, spent: false, taken }, transition))
    }

    /// Ends a call, and returns the transition that its outcome caused.
    ///
    /// The policy may have changed since the admission. A part that it has lost learns nothing, and gets back its slot
    /// all the same; one that is new to it learns nothing of this call.
    pub(crate) fn settle(
        &self,
        policy: &LimitPolicy,
        now: Instant,
        held: Held,
        outcome: Outcome,
    ) -> Option<Transition> {
        let Held { issued, spent, taken: ((throttled, mut slot), (tokens, mut ticket)) } = held;
        if policy.circuit.bulkhead.is_none() && slot.take().is_some() {
            self.bulkhead.leave();
        }
        if policy.circuit.breaker.is_none()
            && let Some(ticket) = ticket.take()
        {
            // any policy will do: an ignored outcome only returns a probe's slot, and at the time of its admission no
            // lease is over
            let issued = ticket.issued();
            self.breaker.settle(&BreakerPolicy::DEFAULT, issued, ticket, Outcome::Ignored);
        }
        let taken = ((throttled, slot), (tokens, ticket));
        self.gates(policy).end(&Ending { issued, now, outcome, spent }, taken)
    }

    /// What a call of this priority asks of the bucket.
    pub(crate) fn demand(policy: &LimitPolicy, priority: Priority) -> Demand {
        match &policy.priorities {
            Some(classes) => classes.demand(priority),
            None => Demand::plain(priority.cost()),
        }
    }

    /// Takes tokens in advance, in the order of asking. `None` without a bucket, and where they come later than
    /// `max_wait`.
    ///
    /// A booking is ready when its tokens are there. In a pause of the adaptive rate its call is refused all the same, and
    /// keeps the booking; a pause that is longer than `max_wait` books nothing.
    pub(crate) fn book(
        &self,
        policy: &LimitPolicy,
        now: Instant,
        demand: Demand,
        max_wait: Duration,
    ) -> Option<Booking> {
        let bucket = policy.circuit.bucket.as_ref()?;
        let demand = match &policy.adaptive_rate {
            Some(adaptive) => self.scaled(adaptive, now, demand, max_wait)?,
            None => demand,
        };
        self.bucket.reserve_as(bucket, now, demand, max_wait).ok()
    }

    /// What `demand` costs at the present rate, or at the end of a pause that lasts no longer than `max_wait`.
    fn scaled(&self, policy: &AdaptivePolicy, now: Instant, demand: Demand, max_wait: Duration) -> Option<Demand> {
        match self.adaptive_rate.scale(policy, now, demand) {
            Ok(demand) => Some(demand),
            Err(wait) => {
                let pause = wait.duration().filter(|pause| *pause <= max_wait)?;
                self.adaptive_rate.state().scale(demand, now.saturating_add(pause), policy).1.ok()
            }
        }
    }

    /// Ends a booking whose call does not go, and gives back what can still be given.
    pub(crate) fn cancel(&self, policy: &LimitPolicy, now: Instant, booking: Booking) {
        if let Some(bucket) = &policy.circuit.bucket {
            self.bucket.cancel(bucket, now, booking);
        }
    }

    /// The dependency asked its callers to slow down, and to stay away for `wait`: an adaptive rate is cut, and admits
    /// nothing meanwhile.
    ///
    /// The pause ends at the last tick of the rate's clock within `wait`, 1.05 ms early at most, and not at the first one
    /// after it: a call that has waited as long as it was asked to is not refused for a fraction of a tick.
    pub(crate) fn slow_down(&self, policy: &LimitPolicy, now: Instant, wait: Duration) {
        let Some(adaptive) = &policy.adaptive_rate else { return };
        let end = Instant::from_nanos(now.saturating_add(wait).as_nanos() & !(PAUSE_TICK - 1));
        if end > now {
            self.adaptive_rate.slow_down(adaptive, now, end.saturating_since(now));
        } else {
            self.adaptive_rate.settle(adaptive, now, Outcome::Failure); // a cut, and no pause
        }
    }

    /// How long the breaker would refuse a call.
    pub(crate) fn breaker_refusal(&self, policy: &LimitPolicy, now: Instant) -> Option<Wait> {
        self.breaker.refusal(policy.circuit.breaker.as_ref()?, self.breaker_time(now))
    }

    /// The breaker's generation, one more at every transition; `None` without a breaker.
    #[cfg(feature = "tower")]
    pub(crate) fn breaker_generation(&self, policy: &LimitPolicy, now: Instant) -> Option<u8> {
        let policy = policy.circuit.breaker.as_ref()?;
        Some(self.breaker.state().snapshot(self.breaker_time(now), policy).generation)
    }

    /// How long the breaker would refuse calls from `now` on, even if no call ended; `None` where it does not refuse, or
    /// time does not decide.
    pub(crate) fn longest_refusal(&self, policy: &LimitPolicy, now: Instant) -> Option<Duration> {
        let now = self.breaker_time(now);
        let change = self.breaker.next_change(policy.circuit.breaker.as_ref()?, now)?;
        Some(change.saturating_since(now))
    }

    /// Whether a call would not have to wait for another one to end.
    pub(crate) fn has_room(&self, policy: &LimitPolicy, now: Instant) -> bool {
        self.breaker_refusal(policy, now) != Some(Wait::Release)
            && policy.circuit.bulkhead.is_none_or(|bulkhead| self.bulkhead.refusal(&bulkhead).is_none())
    }

    /// Whether the parts can be forgotten: while no call is under way, new ones in their place would decide the same from
    /// `now` on. Without a bulkhead they do not know of calls under way; the caller must.
    pub(crate) fn is_fresh(&self, policy: &LimitPolicy, now: Instant) -> bool {
        let LimitPolicy { circuit, adaptive_rate, throttle, retry_budget, .. } = policy;
        circuit.breaker.is_none_or(|_| self.breaker.is_fresh(self.breaker_time(now)))
            && circuit.bulkhead.is_none_or(|bulkhead| self.bulkhead.is_fresh(&bulkhead))
            && circuit.bucket.is_none_or(|bucket| self.bucket.is_fresh(&bucket, now))
            && adaptive_rate.is_none_or(|adaptive| self.adaptive_rate.is_fresh(&adaptive, now))
            && throttle.is_none_or(|throttle| self.throttle.is_fresh(&throttle, now))
            && retry_budget.is_none_or(|budget| self.retry_budget.is_fresh(&budget, now))
    }

    /// Moves the state from one policy to another (R1): an open breaker stays open, a bucket keeps its fill level, what
    /// was learned stays. A window of another kind or size begins empty. A part that the new policy lacks is kept for a
    /// later one. Called by one at a time, and before anybody uses the new policy.
    pub(crate) fn change_policy(&self, old: &LimitPolicy, new: &LimitPolicy, now: Instant) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if new.circuit.breaker.is_some() {
            self.breaker.window().holder().change(new.window);
        }
        carry_over(old.circuit.bucket, &mut left.bucket, new.circuit.bucket, |old, new| {
            self.bucket.change_policy(old, new, now);
        });
        carry_over(old.adaptive_rate, &mut left.adaptive_rate, new.adaptive_rate, |old, new| {
            self.adaptive_rate.change_policy(old, new);
        });
        carry_over(old.throttle, &mut left.throttle, new.throttle, |old, new| {
            self.throttle.change_policy(old, new, now);
        });
        carry_over(old.retry_budget, &mut left.retry_budget, new.retry_budget, |old, new| {
            self.retry_budget.change_policy(old, new, now);
        });
    }

    /// Forces the breaker open or closed until [`Parts::reset`].
    pub(crate) fn force(&self, forced: Forced) -> Option<Transition> {
        self.breaker.force(forced)
    }

    /// Closes the breaker, forced or not, and forgets what it has counted.
    pub(crate) fn reset(&self) -> Option<Transition> {
        self.breaker.reset()
    }

    /// The state of the parts that the policy has. Only reads; the parts are read one after another.
    pub(crate) fn snapshot(&self, policy: &LimitPolicy, now: Instant) -> PartsSnapshot {
        PartsSnapshot::of(self, policy, now)
    }

    /// What must survive a restart, for [`Parts::restored`].
    pub(crate) fn state(&self, policy: &LimitPolicy, now: Instant) -> PartsState {
        PartsState::of(&self.snapshot(policy, now))
    }

    /// The parts that a `state` of `passed` ago has become at `now`, by a clock that need not be the one of then.
    ///
    /// An open breaker stays open for what is left of its wait, a bucket has refilled, counts have faded. Calls that were
    /// under way are taken to be gone.
    pub(crate) fn restored(policy: &LimitPolicy, now: Instant, state: &PartsState, passed: Duration) -> Self {
        state.parts(policy, now, passed)
    }

    /// The retry budget, which is asked before a retry waits, and not when it is admitted.
    pub(crate) const fn retry_budget(&self) -> &RetryBudget {
        &self.retry_budget
    }

    fn gates<'a>(&'a self, policy: &'a LimitPolicy) -> Gates<'a> {
        let throttle = policy.throttle.as_ref().map(|policy| self.throttle.gate(policy));
        let bulkhead = policy.circuit.bulkhead.as_ref().map(|policy| self.bulkhead.gate(policy));
        let bucket = policy.circuit.bucket.as_ref().map(|bucket| match &policy.adaptive_rate {
            Some(policy) => BucketGate::Adaptive(self.bucket.gate(bucket).adaptive(&self.adaptive_rate, policy)),
            None => BucketGate::Plain(self.bucket.gate(bucket)),
        });
        let breaker = policy.circuit.breaker.as_ref();
        let breaker = breaker.map(|policy| BreakerGate::new(self.breaker.gate(policy), self.breaker_ahead));
        ((throttle, bulkhead), (bucket, breaker))
    }

    fn breaker_time(&self, now: Instant) -> Instant {
        now.saturating_add(self.breaker_ahead)
    }
}

/// A tick of the adaptive rate's clock, in nanoseconds.
const PAUSE_TICK: u64 = 1 << 20;

/// Moves a part's state from what it is under to `new`, or remembers what that is where `new` lacks the part.
fn carry_over<P>(old: Option<P>, left: &mut Option<P>, new: Option<P>, change: impl FnOnce(&P, &P)) {
    match (old.or(left.take()), new) {
        (Some(old), Some(new)) => change(&old, &new),
        (Some(old), None) => *left = Some(old),
        (None, _) => {} // never used
    }
}
