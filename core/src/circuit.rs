//! `Circuit`: one admission over breaker, bulkhead and bucket, all or nothing, and one settle for all of them.
//!
//! ```
//! use fusebox_core::*;
//!
//! static CIRCUIT: Circuit = Circuit::new();
//! let policy = CircuitPolicy {
//!     breaker: Some(BreakerPolicy::DEFAULT),
//!     bulkhead: Some(BulkheadPolicy::new(8)?),
//!     bucket: Some(BucketPolicy::new(Rate::per_second(2), Tokens::ONE)?),
//! };
//! let now = Instant::from_nanos(0);
//!
//! let (permit, _) = CIRCUIT.admit(&policy, now, Tokens::ONE).expect("everything is fresh");
//! let refused = CIRCUIT.admit(&policy, now, Tokens::ONE).unwrap_err();
//! assert_eq!(refused.by, Part::Bucket);
//! CIRCUIT.settle(&policy, now, permit, Outcome::Success);
//! assert_eq!(CIRCUIT.snapshot(&policy, now).in_flight, 0);
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! A circuit is the usual three of the gates that [`gate`](crate::gate) combines: for a throttle, a retry budget, a rate
//! that adapts, or several buckets at once, combine them there.
//!
//! **Admission** asks the breaker without taking anything, takes a slot of the bulkhead and the tokens, and only then
//! lets the breaker admit. What was taken is given back in reverse order when a later part refuses. So a refusal by the
//! bucket or the bulkhead never uses up a probe and never moves an open breaker to half-open, and an open breaker costs
//! no token.
//!
//! **Guarantees.** A refused admission leaves every part as it was (but for a clock that went back); a refusal names
//! its part; `Ignored` and `Cancelled` return exactly what the permit still holds, once.
//!
//! **Not guaranteed.** The parts are separate words: while an admission that will be refused is under way, another one
//! may see its slot or its tokens as taken.
//!
//! **Cost.** The sum of the parts that the policy has; a part that is absent costs a branch. 32 bytes and the
//! breaker's window; no allocation.

mod guard;
mod permit;
mod policy;

pub use guard::Guard;
pub use permit::{Part, Permit, Rejection};
pub use policy::CircuitPolicy;

use crate::breaker::{Breaker, BreakerPolicy, BreakerSnapshot, Transition};
use crate::bucket::{BucketPolicy, Demand, TokenBucket};
use crate::bulkhead::{Bulkhead, BulkheadPolicy};
use crate::clock::Clock;
use crate::gate::{Ask, Gate, Gated};
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::tokens::Tokens;
use crate::window::{NoWindow, Window};

/// A breaker, a bulkhead and a bucket behind one door: state only, the policy is an argument.
/// See the [module documentation](self).
#[derive(Debug)]
pub struct Circuit<W = NoWindow> {
    breaker: Breaker<W>,
    bulkhead: Bulkhead,
    bucket: TokenBucket,
}

/// A circuit's parts, as one gate.
type Gates<'a, W> = (
    (Option<Gated<'a, Bulkhead, BulkheadPolicy>>, Option<Gated<'a, TokenBucket, BucketPolicy>>),
    Option<Gated<'a, Breaker<W>, BreakerPolicy>>,
);

/// What a circuit knew at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CircuitSnapshot {
    /// The breaker, where the policy has one.
    pub breaker: Option<BreakerSnapshot>,
    /// Calls in flight; 0 where the policy has no bulkhead.
    pub in_flight: u64,
    /// Tokens available, where the policy has a bucket.
    pub tokens: Option<Tokens>,
}

impl Circuit {
    /// A circuit that has seen nothing: closed, empty and full. Its breaker has no window.
    pub const fn new() -> Self {
        Self::from_parts(Breaker::new(), Bulkhead::new(), TokenBucket::new())
    }
}

impl Default for Circuit {
    fn default() -> Self {
        Self::new()
    }
}

impl<W: Window> Circuit<W> {
    /// A circuit of parts in any state, such as restored ones or a breaker with a window.
    pub const fn from_parts(breaker: Breaker<W>, bulkhead: Bulkhead, bucket: TokenBucket) -> Self {
        Self { breaker, bulkhead, bucket }
    }

    /// May a call that asks for `demand` of the bucket go at `now`? Returns its permit, and the transition that admitting
    /// it caused.
    ///
    /// # Errors
    /// The part that refused and when to return; nothing was taken from any part.
    #[inline]
    pub fn admit(
        &self,
        policy: &CircuitPolicy,
        now: Instant,
        demand: impl Into<Demand>,
    ) -> Result<(Permit, Option<Transition>), Rejection> {
        let ask = Ask { demand: demand.into(), ..Ask::at(now) };
        let (pass, transition) = self.gates(policy).admit(&ask)?;
        Ok((Permit { pass }, transition))
    }

    /// [`Circuit::admit`] with the time of `clock`, and a guard that settles as `Cancelled` when it is dropped.
    ///
    /// # Errors
    /// As [`Circuit::admit`].
    pub fn enter<'a, C: Clock>(
        &'a self,
        policy: &'a CircuitPolicy,
        clock: C,
        demand: impl Into<Demand>,
    ) -> Result<(Guard<'a, C, W>, Option<Transition>), Rejection> {
        let (permit, transition) = self.admit(policy, clock.now(), demand)?;
        Ok((Guard::new(self, policy, clock, permit), transition))
    }

    /// Ends the permit's call in all parts, and returns the transition that its outcome caused.
    ///
    /// A part that the policy has lost since the admission learns nothing; its slot returns all the same.
    #[inline]
    pub fn settle(&self, policy: &CircuitPolicy, now: Instant, permit: Permit, outcome: Outcome) -> Option<Transition> {
        let mut pass = permit.pass;
        let ((slot, _), _) = pass.held_mut();
        if policy.bulkhead.is_none() && slot.take().is_some() {
            self.bulkhead.leave(); // the policy has lost its bulkhead since the admission
        }
        self.gates(policy).settle(now, pass, outcome)
    }

    /// The parts that the policy has, the breaker last.
    #[inline]
    const fn gates<'a>(&'a self, policy: &'a CircuitPolicy) -> Gates<'a, W> {
        let bulkhead = match &policy.bulkhead {
            Some(policy) => Some(self.bulkhead.gate(policy)),
            None => None,
        };
        let bucket = match &policy.bucket {
            Some(policy) => Some(self.bucket.gate(policy)),
            None => None,
        };
        let breaker = match &policy.breaker {
            Some(policy) => Some(self.breaker.gate(policy)),
            None => None,
        };
        ((bulkhead, bucket), breaker)
    }

    /// The breaker, for `force` and `reset`.
    pub const fn breaker(&self) -> &Breaker<W> {
        &self.breaker
    }

    /// The bulkhead.
    pub const fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// The bucket.
    pub const fn bucket(&self) -> &TokenBucket {
        &self.bucket
    }

    /// When a call that is refused at `now` will be admitted by time alone, at the latest. `None` when it would be admitted
    /// now, or when time does not decide: every slot is taken, the demand can never fit, the breaker is forced open.
    pub fn next_change(&self, policy: &CircuitPolicy, now: Instant, demand: impl Into<Demand>) -> Option<Instant> {
        let demand = demand.into();
        let mut latest = None;
        if let Some(breaker) = &policy.breaker
            && self.breaker.refusal(breaker, now).is_some()
        {
            latest = Some(self.breaker.next_change(breaker, now)?);
        }
        if let Some(bulkhead) = &policy.bulkhead
            && self.bulkhead.refusal(bulkhead).is_some()
        {
            return None;
        }
        if let Some(bucket) = &policy.bucket
            && self.bucket.refusal(bucket, now, demand).is_some()
        {
            latest = latest.max(Some(self.bucket.next_change(bucket, now, demand)?));
        }
        latest
    }

    /// Whether the circuit can be forgotten: while no call is under way, a new one in its place would decide the same from
    /// `now` on. Only reads. Without a bulkhead the circuit does not know of calls under way; the caller must.
    pub fn is_fresh(&self, policy: &CircuitPolicy, now: Instant) -> bool {
        policy.breaker.is_none_or(|_| self.breaker.is_fresh(now))
            && policy.bulkhead.is_none_or(|bulkhead| self.bulkhead.is_fresh(&bulkhead))
            && policy.bucket.is_none_or(|bucket| self.bucket.is_fresh(&bucket, now))
    }

    /// The state of the parts that the policy has. Only reads; the parts are read one after another.
    pub fn snapshot(&self, policy: &CircuitPolicy, now: Instant) -> CircuitSnapshot {
        CircuitSnapshot {
            breaker: policy.breaker.as_ref().map(|breaker| self.breaker.snapshot(breaker, now)),
            in_flight: policy.bulkhead.map_or(0, |_| self.bulkhead.in_flight()),
            tokens: policy.bucket.as_ref().map(|bucket| self.bucket.peek(bucket, now)),
        }
    }
}
