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
//! # Booking ahead
//!
//! Under a policy with a *debt cap* a call can take tokens that have not flowed in yet, and is told when to go:
//!
//! ```
//! use fusebox_core::{BucketPolicy, Instant, Rate, TokenBucket, Tokens};
//! use core::time::Duration;
//!
//! let policy = BucketPolicy::new(Rate::per_second(2), Tokens::ONE)?.with_debt(Tokens::whole(3))?;
//! let (bucket, now, max_wait) = (TokenBucket::new(), Instant::from_nanos(0), Duration::from_secs(1));
//!
//! let first = bucket.reserve(&policy, now, Tokens::ONE, max_wait).expect("full");
//! let second = bucket.reserve(&policy, now, Tokens::ONE, max_wait).expect("ready in half a second");
//! assert_eq!((first.ready_at().as_nanos(), second.ready_at().as_nanos()), (0, 500_000_000));
//! assert_eq!(bucket.cancel(&policy, now, second), Tokens::ONE);
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! Bookings are ready in the order in which they were made. While there is debt, [`TokenBucket::try_acquire`] refuses:
//! those who booked go first.
//!
//! # Guarantees
//!
//! - In any interval at most burst + rate x length is admitted, net of what is given back in it. A booking counts where
//!   it is ready, which is rounded up to a nanosecond: then it is rate x (length + 1 ns). Counted where they are made,
//!   bookings add the debt cap. One that leaves something to others, and still waits for that when an earlier booking
//!   is cancelled, counts where its cost alone was there: nothing tells it from one that is ready.
//! - A denial is right for some order of the concurrent calls. Its wait is exact: the same call is admitted, or booked,
//!   at that nanosecond and not before, if nobody else comes.
//! - The polling pattern does not change the rate. A refund or a cancel never lifts the level above the burst.
//! - A clock that goes back lengthens a denial by at most the refill of the debt cap and one burst (or one second, where
//!   that is longer); one that jumps ahead grants at most a burst. Readings that are late by no more than one burst's
//!   refill or one second, because threads race, change none of this.
//!
//! # Not guaranteed
//!
//! Who does not book is not queued: who asks first after the refill gets the token. All callers must pass the same
//! policy; [`TokenBucket::change_policy`] moves the state to another one. A *refund* while others have booked makes
//! room at the end of the line, so that as much as was refunded may become ready together with the last of them.
//!
//! # Cost
//!
//! Admission and booking: one load and one compare-exchange, retried while other calls commit first. Denial: one load.
//! One 64x64-bit multiplication, a few more to work out a wait; no division. 8 bytes; no allocation.

mod booking;
mod demand;
mod policy;
pub(crate) mod scale;
mod snapshot;
mod state;

pub use booking::Booking;
pub use demand::Demand;
pub use policy::{BucketPolicy, Rate};
pub(crate) use scale::Scale;
pub use snapshot::BucketSnapshot;
pub use state::BucketState;

use crate::time::{Instant, nanos};
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Word;
use core::time::Duration;

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

    /// A bucket in `state`.
    pub const fn from_state(state: BucketState) -> Self {
        Self { word: Word::from_bits(state.bits()) }
    }

    /// A bucket that holds `level` at `now`; a level above the burst is a full bucket.
    pub const fn restore(policy: &BucketPolicy, now: Instant, level: Tokens) -> Self {
        Self { word: Word::from_bits(BucketState::with_level(level, now, policy).bits()) }
    }

    /// A bucket that holds, or owes, what `snapshot` says at `now`; values beyond the policy's range saturate.
    pub const fn resume(policy: &BucketPolicy, now: Instant, snapshot: BucketSnapshot) -> Self {
        Self { word: Word::from_bits(BucketState::restored(snapshot, now, policy).bits()) }
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

    /// [`TokenBucket::try_acquire`] for a call that leaves something to others, such as the one of a
    /// [class](crate::PriorityPolicy::demand).
    ///
    /// # Errors
    /// As [`TokenBucket::try_acquire`]; [`Wait::Never`] when cost and what is to be left exceed the burst together.
    #[inline]
    pub fn try_acquire_as(&self, policy: &BucketPolicy, now: Instant, demand: Demand) -> Result<(), Wait> {
        self.word.transition(|state| state.take_as(demand, now, policy))
    }

    /// Takes `cost` tokens at `now`, in advance where there are none: the booking says when to go, at most `max_wait`
    /// after `now`.
    ///
    /// # Errors
    /// How long until the same booking is accepted if nobody else comes, because it would wait for longer than
    /// `max_wait` or exceed the policy's debt cap; [`Wait::Never`] when the cost exceeds the burst, or when the time to
    /// go lies beyond the end of the clock. A denial writes nothing (but for a clock that went back).
    pub fn reserve(
        &self,
        policy: &BucketPolicy,
        now: Instant,
        cost: Tokens,
        max_wait: Duration,
    ) -> Result<Booking, Wait> {
        self.reserve_as(policy, now, Demand::plain(cost), max_wait)
    }

    /// [`TokenBucket::reserve`] for a call that leaves something to others. It is ready when its cost is there *and*
    /// what it leaves; among calls that leave alike the order of booking is the order of going.
    ///
    /// # Errors
    /// As [`TokenBucket::reserve`]; [`Wait::Never`] when cost and what is to be left exceed the burst together.
    pub fn reserve_as(
        &self,
        policy: &BucketPolicy,
        now: Instant,
        demand: Demand,
        max_wait: Duration,
    ) -> Result<Booking, Wait> {
        let max_wait = nanos(max_wait);
        self.word.transition(|state| state.book(demand, max_wait, now, policy))
    }

    /// Ends a booking whose call does not go, gives back what can still be given, and says how much that is.
    ///
    /// - Nobody stands behind it, or all who did have given their places back: everything, so that the next one to book
    ///   gets its place. Cancelling in the reverse order of booking gives everything back.
    /// - Somebody does, and there is debt: nothing. Their time was told and stays; a place in the middle of the line
    ///   cannot be given again at the end of it without exceeding the burst there. It goes unused, and its tokens are lost.
    /// - There is no debt any more: everything, as a refund. The cost of everybody behind it is there. Who still waits for
    ///   what it leaves to others goes as told, and may find less left: the tokens given back can be taken before it.
    ///
    /// In each case no more than lifts the level to the burst.
    #[allow(clippy::needless_pass_by_value, reason = "a booking is cancelled once")]
    pub fn cancel(&self, policy: &BucketPolicy, now: Instant, booking: Booking) -> Tokens {
        self.word.transition(|state| state.cancel(&booking, now, policy))
    }

    /// The tokens available at `now`, rounded down to thousandths. Only reads.
    pub fn peek(&self, policy: &BucketPolicy, now: Instant) -> Tokens {
        self.word.load().level(now, policy)
    }

    /// How long `demand` would be refused at `now`; `None` when it would be admitted. Only reads, so it does not follow a
    /// clock that went back as an acquisition does.
    pub fn refusal(&self, policy: &BucketPolicy, now: Instant, demand: Demand) -> Option<Wait> {
        self.word.load().take_as(demand, now, policy).1.err()
    }

    /// The first instant at which `demand`, refused at `now`, is admitted if nobody else comes: not a nanosecond before
    /// it. `None` where it would be admitted at `now`, or never. Only reads.
    pub fn next_change(&self, policy: &BucketPolicy, now: Instant, demand: Demand) -> Option<Instant> {
        self.word.load().next_change(demand, now, policy)
    }

    /// Whether forgetting this bucket cannot be observed from `now` on: it is full, and nothing is booked. Only reads.
    pub fn is_fresh(&self, policy: &BucketPolicy, now: Instant) -> bool {
        self.word.load().is_fresh(now, policy)
    }

    /// The state that the pure steps work on, exactly. One load.
    pub fn state(&self) -> BucketState {
        self.word.load()
    }

    /// The level and the debt at `now`, to show and to [`resume`](TokenBucket::resume) from. Only reads.
    pub fn snapshot(&self, policy: &BucketPolicy, now: Instant) -> BucketSnapshot {
        self.word.load().snapshot(now, policy)
    }

    /// Gives back `cost` tokens that were acquired but not used. The level never rises above the burst.
    #[inline]
    pub fn refund(&self, policy: &BucketPolicy, now: Instant, cost: Tokens) {
        self.word.transition(|state| (state.give_back(cost, now, policy), ()));
    }

    /// Moves the bucket from one policy to another and keeps its fill level as a share of the burst. Debt is a level
    /// below zero and scales alike, up to the new policy's cap. Bookings keep the time that they were told.
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
