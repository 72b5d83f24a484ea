//! `TokenBucket`: a rate limiter in one atomic word, exact for every rate from 1 per day to 10^9 per second.
//!
//! A bucket holds up to a *burst* of tokens and refills at a *rate*; a call takes its cost or is denied with the time
//! after which the same call is admitted. It starts full.
//!
//! ```
//! use core::time::Duration;
//! use fusebox_core::{BucketPolicy, Instant, Rate, TokenBucket, Tokens, Wait};
//!
//! static BUCKET: TokenBucket = TokenBucket::new();
//! let policy = BucketPolicy::new(Rate::per_second(2), Tokens::whole(1))?;
//! let now = Instant::from_nanos(0);
//!
//! assert!(BUCKET.try_acquire(&policy, now, Tokens::ONE).is_ok());
//! let wait = BUCKET.try_acquire(&policy, now, Tokens::ONE).unwrap_err();
//! assert_eq!(wait.duration(), Some(Duration::from_millis(500)));
//! assert_eq!(BUCKET.try_acquire(&policy, now, Tokens::whole(2)), Err(Wait::Never));
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! The formula and the layout of the word are in `bucket/state.rs`; how a rate becomes exact, in `bucket/policy.rs`.
//!
//! **Guarantees.** In any interval at most burst + rate x length is admitted; a denial is right for some order of the
//! concurrent calls; the polling pattern does not change the rate; a refund never lifts the level above the burst; a
//! clock that goes back lengthens a denial by at most one burst's refill (or one second, where that is longer), one
//! that jumps ahead grants at most a burst. Readings that are late by no more than that, because threads race, change
//! none of this.
//!
//! **Not guaranteed.** Nobody is queued: who asks first after the refill gets the token. All callers must pass the same
//! policy; [`TokenBucket::change_policy`] moves the state to another one.
//!
//! **Cost.** Admission: one load and one compare-exchange, retried while other calls commit first. Denial: one load.
//! One 64x64-bit multiplication, no division. 8 bytes; no allocation.

mod policy;
pub(crate) mod scale;
mod state;

pub use policy::{BucketPolicy, Rate};
pub use state::BucketState;

use crate::time::Instant;
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Word;

/// A token bucket: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct TokenBucket {
    word: Word<BucketState>,
}

impl TokenBucket {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(BucketState::NEW.bits()) }
    }

    /// A bucket that holds `level` at `now`; a level above the burst is a full bucket.
    pub const fn restore(policy: &BucketPolicy, now: Instant, level: Tokens) -> Self {
        Self { word: Word::from_bits(BucketState::with_level(level, now, policy).bits()) }
    }

    /// Takes `cost` tokens at `now`.
    ///
    /// # Errors
    /// How long until the same call is admitted if nobody else comes, or [`Wait::Never`] when the cost exceeds the
    /// burst. A denial writes nothing (but for a clock that went back).
    #[inline]
    pub fn try_acquire(&self, policy: &BucketPolicy, now: Instant, cost: Tokens) -> Result<(), Wait> {
        self.word.transition(|state| state.take(cost, now, policy))
    }

    /// The tokens available at `now`, rounded down to thousandths. Only reads.
    pub fn peek(&self, policy: &BucketPolicy, now: Instant) -> Tokens {
        self.word.load().level(now, policy)
    }

    /// Gives back `cost` tokens that were acquired but not used. The level never rises above the burst.
    #[inline]
    pub fn refund(&self, policy: &BucketPolicy, now: Instant, cost: Tokens) {
        self.word.transition(|state| (state.give_back(cost, now, policy), ()));
    }

    /// Moves the bucket from one policy to another and keeps its fill level as a share of the burst.
    ///
    /// Calls that still pass `old` afterwards misread the level, by at most one burst.
    pub fn change_policy(&self, old: &BucketPolicy, new: &BucketPolicy, now: Instant) {
        self.word.transition(|state| (state.under(old, new, now), ()));
    }
}

impl Default for TokenBucket {
    fn default() -> Self {
        Self::new()
    }
}
