//! `Bulkhead`: a cap on the calls in flight, fixed or learned.
//!
//! ```
//! use fusebox_core::{Bulkhead, BulkheadPolicy};
//!
//! static BULKHEAD: Bulkhead = Bulkhead::new();
//! let policy = BulkheadPolicy::new(1)?;
//! assert!(BULKHEAD.try_enter(&policy));
//! assert!(!BULKHEAD.try_enter(&policy));
//! BULKHEAD.leave();
//! assert!(BULKHEAD.try_enter(&policy));
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! Under an adaptive policy the limit climbs by one per round trip while calls succeed and the limit is in use, and falls
//! by a factor when one fails or is slow. It finds the number of calls that the dependency can work on, and follows it.
//!
//! ```
//! use core::time::Duration;
//! use fusebox_core::{LimitConfig, Bulkhead, BulkheadPolicy, Instant, LimitChange, Outcome};
//!
//! static BULKHEAD: Bulkhead = Bulkhead::new();
//! let policy = BulkheadPolicy::adaptive(LimitConfig {
//!     slow_after: Some(Duration::from_millis(200)),
//!     ..LimitConfig::DEFAULT
//! })?;
//! let now = Instant::from_nanos(0);
//!
//! let ticket = BULKHEAD.admit(&policy, now).expect("nothing is in flight");
//! let later = now.saturating_add(Duration::from_millis(300));
//! let change = BULKHEAD.settle(&policy, later, ticket, Outcome::Success);
//! assert_eq!(change, Some(LimitChange { from: 20, to: 18 }));
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! The rules by which a limit moves, their source and the layout of the word are in `bulkhead/state.rs`.
//!
//! **Guarantees.** Nobody enters while as many calls are in flight as the limit allows at that moment. Lowering the
//! limit, by hand or by itself, takes no slot away: calls in flight finish, new ones wait until the count is below the
//! new limit. A learned limit stays between the policy's bounds, also when those change, and falls at most once per
//! round trip. Each change is returned to one caller. A clock that goes back makes calls look fast, one that jumps ahead
//! makes those in flight look slow: one cut at most.
//!
//! **Not guaranteed.** A slot that is left with [`Bulkhead::leave`] teaches nothing. A [`BulkheadTicket`] that is dropped leaks its
//! place.
//!
//! **Cost.** One load and one compare-exchange to enter and to leave or settle; a refusal is one load. 8 bytes; no
//! allocation.

mod policy;
mod state;

pub use policy::{BulkheadPolicy, LimitConfig};
pub use state::{BulkheadStamp, BulkheadState, LimitChange};

use crate::outcome::Outcome;
use crate::time::Instant;
use crate::wait::Wait;
use crate::word::Word;

/// The number of calls in flight and a learned limit: state only, the policy is an argument.
/// See the [module documentation](self).
#[derive(Debug)]
pub struct Bulkhead {
    word: Word<BulkheadState>,
}

/// A slot that a call holds until [`Bulkhead::settle`]. Dropping it unsettled leaks the slot.
#[derive(Debug)]
#[must_use = "a slot that was taken must be settled"]
pub struct BulkheadTicket {
    stamp: BulkheadStamp,
}

/// What a bulkhead knew at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BulkheadSnapshot {
    /// Calls in flight. Not restored: they cannot leave any more.
    pub in_flight: u64,
    /// The limit that was learned; `None` when it never changed.
    pub learned_limit: Option<u32>,
}

impl Bulkhead {
    /// A bulkhead with nothing in flight.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(BulkheadState::NEW.bits()) }
    }

    /// A bulkhead in `state`.
    pub const fn from_state(state: BulkheadState) -> Self {
        Self { word: Word::from_bits(state.bits()) }
    }

    /// A bulkhead with nothing in flight and the learned limit of `snapshot`, up to 4095.
    pub const fn restore(snapshot: BulkheadSnapshot) -> Self {
        Self { word: Word::from_bits(BulkheadState::with_limit(snapshot.learned_limit).bits()) }
    }

    /// Takes a slot if fewer calls are in flight than the policy allows. A refusal only reads.
    #[inline]
    #[must_use = "a slot that was taken must be left again"]
    pub fn try_enter(&self, policy: &BulkheadPolicy) -> bool {
        self.word.transition(|state| state.enter(Instant::ORIGIN, policy)).is_some()
    }

    /// Gives a slot back that [`Bulkhead::try_enter`] took. Call it once for each; with none taken it does nothing.
    #[inline]
    pub fn leave(&self) {
        self.word.transition(|state| (state.leave(), ()));
    }

    /// Takes a slot for a call that begins at `now` and from whose end a limit may learn.
    ///
    /// # Errors
    /// [`Wait::Release`] when the limit is reached. A refusal only reads.
    #[inline]
    pub fn admit(&self, policy: &BulkheadPolicy, now: Instant) -> Result<BulkheadTicket, Wait> {
        match self.word.transition(|state| state.enter(now, policy)) {
            Some(stamp) => Ok(BulkheadTicket { stamp }),
            None => Err(Wait::Release),
        }
    }

    /// Gives a slot back, and returns the change of the limit that its call's end caused. `Ignored` and `Cancelled`
    /// teach nothing; neither does any outcome under a fixed policy.
    #[inline]
    pub fn settle(
        &self,
        policy: &BulkheadPolicy,
        now: Instant,
        ticket: BulkheadTicket,
        outcome: Outcome,
    ) -> Option<LimitChange> {
        self.word.transition(|state| state.settle(ticket.stamp, outcome, now, policy))
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u64 {
        self.word.load().in_flight().into()
    }

    /// The limit in force.
    pub fn limit(&self, policy: &BulkheadPolicy) -> u32 {
        self.word.load().limit(policy)
    }

    /// [`Wait::Release`] when a call would be refused; `None` when it would be admitted. Time alone changes neither.
    pub fn refusal(&self, policy: &BulkheadPolicy) -> Option<Wait> {
        let state = self.word.load();
        if state.in_flight() < state.limit(policy) { None } else { Some(Wait::Release) }
    }

    /// Whether this bulkhead can be forgotten: nothing is in flight and nothing was learned that a new one would not
    /// begin with. A learned limit does not fade with time.
    pub fn is_fresh(&self, policy: &BulkheadPolicy) -> bool {
        self.word.load().is_fresh(policy)
    }

    /// The state that the pure steps work on, exactly. One load.
    pub fn state(&self) -> BulkheadState {
        self.word.load()
    }

    /// The bulkhead as plain data. One load.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        let state = self.word.load();
        BulkheadSnapshot { in_flight: state.in_flight().into(), learned_limit: state.learned() }
    }
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self::new()
    }
}
