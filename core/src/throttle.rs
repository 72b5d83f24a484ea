//! `Throttle`: a client that is refused by its dependency refuses by itself, in proportion; one atomic word.
//!
//! Even a refusal costs an overloaded dependency something. A throttle counts the calls that ended and those that the
//! dependency accepted, and once fewer than one in K are accepted it refuses the excess by chance, before they are sent.
//! The rate of calls sent settles near K times the rate accepted; when the dependency accepts more, more are sent.
//!
//! ```
//! use fusebox_core::{Instant, Throttle, ThrottlePolicy};
//!
//! static THROTTLE: Throttle = Throttle::new();
//! let (policy, now) = (ThrottlePolicy::DEFAULT, Instant::from_nanos(0));
//!
//! for _ in 0..1_000 {
//!     THROTTLE.try_admit(&policy, now, 0).expect("all is accepted"); // 0 is the unluckiest draw
//!     THROTTLE.settle(&policy, now, true);
//! }
//! for _ in 0..2_000 {
//!     THROTTLE.settle(&policy, now, false); // overloaded
//! }
//! // 3000 calls, 1000 of them accepted: (3000 - 2 x 1000) / (3000 + 8) are refused
//! assert_eq!(THROTTLE.snapshot(&policy, now).refused_milli, 332);
//! assert!(THROTTLE.try_admit(&policy, now, u64::MAX / 100 * 33).is_err());
//! assert!(THROTTLE.try_admit(&policy, now, u64::MAX / 100 * 34).is_ok());
//! ```
//!
//! Source: "Handling Overload" in *Site Reliability Engineering* (Beyer, Jones, Petoff, Murphy, 2016), with two changes
//! that gRPC's adaptive throttler has too: a padding, and a call is counted when it *ends*. The book counts it when it
//! is sent; then ten calls that start together, with nothing answered yet, look like ten refusals. The formula and the
//! layout of the word are in `throttle/state.rs`.
//!
//! **Guarantees.** While all calls that ended were accepted, nothing is refused. Otherwise each call is refused with
//! the probability of the formula, to 2^-64, if `random` is uniform. A call that never ends, is cancelled or says
//! nothing about the dependency is not counted and leaves nothing behind. Counts fade with time, however often somebody
//! looks; a clock that goes back admits nobody whom the latest time would have refused by the same draw, and delays the
//! fading by at most a window.
//!
//! **Not guaranteed.** Draws are independent: who is refused may be admitted at the next attempt. Above some 8000 calls
//! per half window older calls fade sooner. All callers must pass the same policy; [`Throttle::change_policy`] moves the
//! counts to another one.
//!
//! **Cost.** Admission: one load, and while all is accepted a comparison. A refusal counts as a request, as the formula
//! has it: one load and one compare-exchange. Settling: the same. Two wide multiplications, no division. 8 bytes; no
//! allocation.

mod policy;
mod state;

pub use policy::{ThrottleConfig, ThrottlePolicy};
pub use state::ThrottleState;

use crate::time::Instant;
use crate::wait::Wait;
use crate::word::Word;

/// A client-side throttle: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct Throttle {
    word: Word<ThrottleState>,
}

/// What a throttle had counted at one moment, with older calls counted less.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ThrottleSnapshot {
    /// Calls that ended or were refused here, up to 16383.
    pub requests: u64,
    /// Those of them that the dependency accepted.
    pub accepts: u64,
    /// The share of calls refused, in thousandths, rounded down. Not restored.
    pub refused_milli: u64,
}

impl Throttle {
    /// A throttle that has counted nothing.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(ThrottleState::NEW.bits()) }
    }

    /// A throttle in `state`.
    pub const fn from_state(state: ThrottleState) -> Self {
        Self { word: Word::from_bits(state.bits()) }
    }

    /// A throttle that has counted at `now` what `snapshot` says; values beyond a field's range are scaled down.
    pub const fn restore(policy: &ThrottlePolicy, now: Instant, snapshot: ThrottleSnapshot) -> Self {
        Self { word: Word::from_bits(ThrottleState::with_counts(snapshot, now, policy).bits()) }
    }

    /// May a call go at `now`? `random` is a fresh uniform number for each call, of which all 64 bits count.
    ///
    /// # Errors
    /// How long until the same draw is admitted if nobody else comes. A later call draws anew and need not wait.
    #[inline]
    pub fn try_admit(&self, policy: &ThrottlePolicy, now: Instant, random: u64) -> Result<(), Wait> {
        self.word.transition(|state| state.admit(now, random, policy))
    }

    /// Counts a call that was admitted and has ended: whether the dependency accepted it. A call that it took on and
    /// failed for a reason of its own was accepted; one that it refused for overload, or did not answer in time, was not.
    #[inline]
    pub fn settle(&self, policy: &ThrottlePolicy, now: Instant, accepted: bool) {
        self.word.transition(|state| (state.settle(now, accepted, policy), ()));
    }

    /// When the counts, and so the share refused, change by themselves; `None` when there is nothing to fade, or beyond
    /// the clock's end. Only reads.
    pub fn next_change(&self, policy: &ThrottlePolicy, now: Instant) -> Option<Instant> {
        let nanos = self.word.load().next_change(now, policy)?;
        now.as_nanos().checked_add(nanos).map(Instant::from_nanos)
    }

    /// Whether this throttle can be forgotten: a new one in its place would behave the same from `now` on. Only reads.
    ///
    /// True after 7 windows without a call, at the latest.
    pub fn is_fresh(&self, policy: &ThrottlePolicy, now: Instant) -> bool {
        self.word.load().is_fresh(now, policy)
    }

    /// Moves the counts from one policy to another. Ratio and padding need no move; only a changed window does.
    pub fn change_policy(&self, old: &ThrottlePolicy, new: &ThrottlePolicy, now: Instant) {
        self.word.transition(|state| (state.under(old, new, now), ()));
    }

    /// The state that the pure steps work on, exactly. One load.
    pub fn state(&self) -> ThrottleState {
        self.word.load()
    }

    /// The throttle as plain data. One load.
    pub fn snapshot(&self, policy: &ThrottlePolicy, now: Instant) -> ThrottleSnapshot {
        self.word.load().counts(now, policy)
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}
