//! `RetryBudget`: retries as a share of the calls plus a floor per second, in one atomic word.
//!
//! When a dependency fails, retries multiply its load just when it can bear it least. A budget bounds them: each first
//! call earns a share of a retry, each second earns a few more so that a quiet client can retry at all, and each retry
//! takes one. What was earned long ago is forgotten: at the end of each half window the balance halves, down to what the
//! floor earns in that time.
//!
//! ```
//! use core::time::Duration;
//! use fusebox_core::{Instant, RetryBudget, RetryBudgetConfig, RetryBudgetPolicy, Tokens};
//!
//! static BUDGET: RetryBudget = RetryBudget::new();
//! let policy = RetryBudgetPolicy::new(RetryBudgetConfig {
//!     share_milli: 200,
//!     floor_per_second: Tokens::whole(1),
//!     window: Duration::from_secs(2),
//!     burst: Tokens::whole(100),
//! })?;
//! let now = Instant::from_nanos(0);
//!
//! assert_eq!(BUDGET.try_withdraw(&policy, now), Ok(())); // what the floor has earned
//! let wait = BUDGET.try_withdraw(&policy, now).unwrap_err();
//! assert_eq!(wait.duration(), Some(Duration::from_secs(1)));
//! for _ in 0..5 {
//!     BUDGET.deposit(&policy, now); // five calls earn a retry
//! }
//! assert_eq!(BUDGET.try_withdraw(&policy, now), Ok(()));
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! Source: Finagle's `RetryBudget` (Twitter, 2015), which tower's `TpsBudget` follows: time to live, minimum per second,
//! share of calls. Those keep a ring of counters; here the balance halves at fixed times, so one number is enough. The
//! formulas and the layout of the word are in `retry_budget/state.rs`.
//!
//! **Guarantees.** Over any interval of a clock that only goes ahead, retries withdrawn (less those refunded) are at
//! most share x calls deposited + floor x time + the balance at its beginning, which is never above the burst. A
//! withdrawal takes a whole retry in one exchange or nothing. The balance is a function of the events and of the time;
//! how often somebody looks does not change it. A refusal says when the floor alone will have earned a retry, to the
//! nanosecond. A clock that goes back never yields more than the latest time did, and lengthens a wait by at most a
//! window; one that jumps ahead yields at most what the floor earns in a window.
//!
//! **Not guaranteed.** At a steady rate of calls the balance swings between what they earn in half a window and in a
//! whole one. The floor rounds down to a thousandth of a retry per half window. A reading that is late by more than
//! half a window is taken for a clock that went back. All callers must pass the same policy;
//! [`RetryBudget::change_policy`] moves the balance to another one.
//!
//! **Cost.** A deposit: one load and one compare-exchange; one load where the budget is full. A withdrawal: the same; a
//! refusal: one load. Two wide multiplications, no division. 8 bytes; no allocation.

mod policy;
mod state;

pub use policy::{RetryBudgetConfig, RetryBudgetPolicy};
pub use state::RetryBudgetState;

use crate::time::Instant;
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Word;

/// A retry budget: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct RetryBudget {
    word: Word<RetryBudgetState>,
}

/// What a retry budget held at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RetryBudgetSnapshot {
    /// Retries saved up, to a thousandth.
    pub balance: Tokens,
    /// How long a retry would be refused; `None` when it would not be. Not restored.
    pub refusal: Option<Wait>,
}

impl RetryBudget {
    /// A budget that holds what its floor alone would leave: half a window's worth at least.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(RetryBudgetState::NEW.bits()) }
    }

    /// A budget in `state`.
    pub const fn from_state(state: RetryBudgetState) -> Self {
        Self { word: Word::from_bits(state.bits()) }
    }

    /// A budget that holds at `now` what `snapshot` says, or what `policy` can save where that is less.
    pub const fn restore(policy: &RetryBudgetPolicy, now: Instant, snapshot: RetryBudgetSnapshot) -> Self {
        let state = RetryBudgetState::with_balance(snapshot.balance, now, policy);
        Self { word: Word::from_bits(state.bits()) }
    }

    /// Counts a first call, which earns its share of a retry. Do not count retries.
    #[inline]
    pub fn deposit(&self, policy: &RetryBudgetPolicy, now: Instant) {
        self.word.transition(|state| (state.deposit(now, policy), ()));
    }

    /// Takes one retry at `now`.
    ///
    /// # Errors
    /// How long until the floor alone has earned one if nobody else comes, or [`Wait::Never`] without a floor; calls
    /// may earn it sooner. A refusal writes nothing (but for a clock that went back).
    #[inline]
    pub fn try_withdraw(&self, policy: &RetryBudgetPolicy, now: Instant) -> Result<(), Wait> {
        self.word.transition(|state| state.withdraw(now, policy))
    }

    /// Gives back one retry that was withdrawn but did not happen. Saves no more than the burst.
    #[inline]
    pub fn refund(&self, policy: &RetryBudgetPolicy, now: Instant) {
        self.word.transition(|state| (state.refund(now, policy), ()));
    }

    /// How long a withdrawal at `now` would be refused; `None` when it would not be. Only reads.
    pub fn refusal(&self, policy: &RetryBudgetPolicy, now: Instant) -> Option<Wait> {
        self.word.load().refusal(now, policy)
    }

    /// When the answer to a withdrawal changes by itself: when a retry will have been earned, or when the last one will
    /// have been forgotten. `None` when it stays as it is until somebody comes, or beyond the clock's end.
    ///
    /// Only reads, so it does not follow a clock that went back as a withdrawal does; the same holds of
    /// [`RetryBudget::refusal`].
    pub fn next_change(&self, policy: &RetryBudgetPolicy, now: Instant) -> Option<Instant> {
        let nanos = self.word.load().next_change(now, policy)?;
        now.as_nanos().checked_add(nanos).map(Instant::from_nanos)
    }

    /// Whether this budget can be forgotten: a new one in its place would behave the same from `now` on, unless the clock
    /// goes back. Only reads.
    ///
    /// True after 14 windows without a call, at the latest.
    pub fn is_fresh(&self, policy: &RetryBudgetPolicy, now: Instant) -> bool {
        self.word.load().is_fresh(now, policy)
    }

    /// Moves the budget from one policy to another and keeps its balance, as far as the new burst allows.
    ///
    /// Calls that still pass `old` afterwards misread the balance, by at most one burst.
    pub fn change_policy(&self, old: &RetryBudgetPolicy, new: &RetryBudgetPolicy, now: Instant) {
        self.word.transition(|state| (state.under(old, new, now), ()));
    }

    /// The state that the pure steps work on, exactly. One load.
    pub fn state(&self) -> RetryBudgetState {
        self.word.load()
    }

    /// The budget as plain data. One load.
    pub fn snapshot(&self, policy: &RetryBudgetPolicy, now: Instant) -> RetryBudgetSnapshot {
        let state = self.word.load();
        RetryBudgetSnapshot { balance: state.balance(now, policy), refusal: state.refusal(now, policy) }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}
