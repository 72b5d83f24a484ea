//! `AdaptiveRate`: finds the rate that a service can bear, between a floor and the bucket's own rate, from how calls end.
//!
//! Additive increase, multiplicative decrease (Chiu & Jain, "Analysis of the Increase and Decrease Algorithms for
//! Congestion Avoidance", 1989), as TCP does it: while calls succeed the rate grows by so much per second; a failure
//! multiplies it by a factor below one, at most once per *cooldown*, so that one burst of failures counts once. A
//! service that says when to return is taken at its word: [`AdaptiveRate::slow_down`].
//!
//! It works by the *cost* of a call: the bucket runs at its own rate, the ceiling, and a call costs
//! cost x ceiling / rate. So the bucket's units never change, and its fill level keeps its meaning.
//!
//! ```
//! use core::time::Duration;
//! use fusebox_core::*;
//!
//! static RATE: AdaptiveRate = AdaptiveRate::new();
//! let bucket = BucketPolicy::new(Rate::per_second(100), Tokens::whole(20))?;
//! let policy = AdaptivePolicy::new(AdaptiveConfig { decrease_milli: 500, ..AdaptiveConfig::DEFAULT }, &bucket)?;
//! let now = Instant::from_nanos(0);
//!
//! assert_eq!(RATE.scale(&policy, now, Tokens::ONE.into()), Ok(Tokens::ONE.into()));
//! assert_eq!(RATE.settle(&policy, now, Outcome::Failure), Adjustment::Cut);
//! assert_eq!(RATE.settle(&policy, now, Outcome::Failure), Adjustment::Kept); // the same burst of failures
//! let dearer = RATE.scale(&policy, now, Tokens::ONE.into()).unwrap().cost;
//! assert_eq!(dearer, Tokens::milli(2_001)); // half the rate, rounded up
//! RATE.slow_down(&policy, now, Duration::from_secs(3));
//! assert!(RATE.scale(&policy, now, Tokens::ONE.into()).is_err());
//! # Ok::<(), PolicyError>(())
//! ```
//!
//! **Guarantees.** The rate stays between floor and ceiling. At most one cut per cooldown. Nothing is admitted before
//! the end of a slow-down, rounded up to 1.05 ms. Against a service with a fixed capacity in that range, the delivered
//! rate settles within 80% to 100% of it with the default decrease, and follows when it halves or doubles; the time this
//! takes is set by `climb` and `cooldown`. A clock that goes back lengthens a slow-down by at most the longest one and a
//! second, a cooldown by at most one cooldown.
//!
//! **Not guaranteed.** A rate that is not used still grows, by one cooldown's worth per success at most, or 8 steps (TCP
//! validates its window, RFC 7661; this does not). A call that would cost more than the burst costs the burst: large calls near
//! the floor go faster than the rate says, never faster than the bucket's. The rate is not an admission: between
//! scaling a cost and taking it another call may change the rate.
//!
//! **Cost.** Scaling: one load, one 32-bit division. A settle is one load; it writes when the rate moves by 8 of its
//! 262143 steps or is cut, or a clock went back. 8 bytes; no allocation.

mod policy;
mod snapshot;
mod state;

pub use policy::{AdaptiveConfig, AdaptivePolicy};
pub use snapshot::AdaptiveSnapshot;
pub use state::{AdaptiveState, Adjustment};

use crate::bucket::Demand;
use crate::outcome::Outcome;
use crate::time::{Instant, nanos};
use crate::wait::Wait;
use crate::word::Word;
use core::time::Duration;

/// A rate that adapts: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct AdaptiveRate {
    word: Word<AdaptiveState>,
}

impl AdaptiveRate {
    /// A rate at its ceiling.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(AdaptiveState::NEW.bits()) }
    }

    /// A rate in `state`.
    pub const fn from_state(state: AdaptiveState) -> Self {
        Self { word: Word::from_bits(state.bits()) }
    }

    /// A rate that stands where `snapshot` says at `now`; a share outside the policy's range is moved into it.
    pub const fn restore(policy: &AdaptivePolicy, now: Instant, snapshot: AdaptiveSnapshot) -> Self {
        Self { word: Word::from_bits(AdaptiveState::restored(snapshot, now, policy).bits()) }
    }

    /// What `demand` costs at the rate of `now`, for [`TokenBucket::try_acquire_as`](crate::TokenBucket::try_acquire_as)
    /// under the policy's bucket. Exactly `demand` at the ceiling; at most what the burst holds beside what is to be
    /// left. Writes only when a clock went back.
    ///
    /// # Errors
    /// How long a slow-down lasts; nothing is admitted before.
    #[inline]
    pub fn scale(&self, policy: &AdaptivePolicy, now: Instant, demand: Demand) -> Result<Demand, Wait> {
        self.word.transition(|state| state.scale(demand, now, policy))
    }

    /// Learns how a call ended: a success raises the rate, a failure cuts it. `Ignored` and `Cancelled` change nothing.
    #[inline]
    pub fn settle(&self, policy: &AdaptivePolicy, now: Instant, outcome: Outcome) -> Adjustment {
        self.word.transition(|state| state.settle(outcome, now, policy))
    }

    /// The service asked for a pause of `wait`, at most the policy's longest: nothing is admitted before it is over, and
    /// the rate is cut, but not for a signal that comes in a pause or within a cooldown. A pause never becomes shorter.
    pub fn slow_down(&self, policy: &AdaptivePolicy, now: Instant, wait: Duration) -> Adjustment {
        let wait = nanos(wait);
        self.word.transition(|state| state.slow_down(wait, now, policy))
    }

    /// When the pause that holds at `now` is over; `None` when there is none. Only reads.
    pub fn next_change(&self, policy: &AdaptivePolicy, now: Instant) -> Option<Instant> {
        self.word.load().next_change(now, policy)
    }

    /// Whether forgetting this rate cannot be observed from `now` on: it is at its ceiling, with no pause. Only reads.
    pub fn is_fresh(&self, policy: &AdaptivePolicy, now: Instant) -> bool {
        self.word.load().is_fresh(now, policy)
    }

    /// The state that the pure steps work on, exactly. One load.
    pub fn state(&self) -> AdaptiveState {
        self.word.load()
    }

    /// The state at `now`, to show and to restore from. Only reads.
    pub fn snapshot(&self, policy: &AdaptivePolicy, now: Instant) -> AdaptiveSnapshot {
        self.word.load().snapshot(now, policy)
    }

    /// Moves the rate from one policy to another. What was learnt about the service is an absolute rate: it is kept, and
    /// clamped to the new floor and ceiling. A rate at its ceiling goes to the new ceiling: the policy stopped it there,
    /// not the service.
    ///
    /// A pause keeps its end, but lasts at most the new policy's longest and a second from its next use on; the cooldown
    /// after it is the new policy's. A cooldown keeps its end where two of the new policy's and 1.05 ms cover what is
    /// left of it; where they do not, it is over at once.
    pub fn change_policy(&self, old: &AdaptivePolicy, new: &AdaptivePolicy) {
        self.word.transition(|state| (state.under(old, new), ()));
    }
}

impl Default for AdaptiveRate {
    fn default() -> Self {
        Self::new()
    }
}
