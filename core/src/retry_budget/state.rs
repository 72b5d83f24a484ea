//! The budget's state in one word, and its transitions as pure functions.
//!
//! ```text
//! c        what the floor earns in half a window
//! surplus  how far the balance is from what the floor alone would leave
//! balance  = c + surplus + what the floor has earned since this half window began     (never above the burst)
//!
//! deposit                          surplus = min(surplus + share, burst - 2c)
//! withdraw, if balance >= 1        surplus = surplus - 1
//! at the end of each half window
//!   where calls have saved         surplus = surplus / 2         (the balance halves)
//!   where retries are ahead        surplus = min(surplus + c, 0) (the balance stays, but for what exceeds c)
//! ```
//!
//! So what calls have earned fades away, and what the floor earns is there in full for whoever uses it at once.
//!
//! The surplus does not depend on the time within a half window, so a floor that is exact to the nanosecond needs no
//! timestamp finer than the number of the half window, and that one covers the whole clock: nothing wraps.
//!
//! ```text
//!  bit   63                          28   27  26                         0
//!        +----------------------------+------+----------------------------+
//!        |  half window (36 bits)     | debt | surplus, thousandths (27)  |
//!        +----------------------------+------+----------------------------+
//! ```
//!
//! A word of zero is a budget that was never touched: at any time it holds what the floor alone would leave, between
//! half a window's worth and a whole one.
//!
//! **A clock that goes back.** Within its half window a reading that is older finds what the floor had earned by then.
//! A reading from the half window before finds the balance as it was when the stored one began, and what it deposits or
//! takes is booked there: it is taken to be late. One that is older still means that the clock went back. It goes on
//! from there with that same balance, else an open debt would last as long as the step was wide.

use super::policy::{RETRY, RetryBudgetPolicy};
use crate::field::Field;
use crate::half_window::{NUMBER_BITS, Passed};
use crate::time::Instant;
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Packed;

const SURPLUS: Field = Field::first(27);
const DEBT: Field = SURPLUS.then(1);
const HALF: Field = DEBT.then(NUMBER_BITS);
const _: () = assert!(HALF.end() == 64);
const _: () = assert!(SURPLUS.max() > Tokens::whole(100_000).as_milli());

/// The budget's word, decoded. Steps are functions of this value; see [`RetryBudgetState::withdraw`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RetryBudgetState {
    /// The half window in which the surplus was written.
    half: u64,
    /// In thousandths of a retry; negative while more was withdrawn than calls have earned.
    surplus: i64,
}

/// A state brought up to a time: where in its half window that lies.
#[derive(Clone, Copy)]
struct Current {
    state: RetryBudgetState,
    /// Nanoseconds since the state's half window began; 0 for a late reading.
    offset: u64,
    /// Nanoseconds until it begins; 0 unless the reading is late.
    ahead: u64,
    went_back: bool,
}

impl RetryBudgetState {
    /// A budget that was never touched.
    pub const NEW: Self = Self { half: 0, surplus: 0 };

    /// A budget that holds `balance` at `now`; more than the policy can save is as much as it can.
    pub const fn with_balance(balance: Tokens, now: Instant, policy: &RetryBudgetPolicy) -> Self {
        let place = policy.halves().place(now);
        let milli =
            if balance.as_milli() > i64::MAX.unsigned_abs() { i64::MAX } else { balance.as_milli().cast_signed() };
        let surplus = milli.saturating_sub(policy.half_floor()).saturating_sub(policy.earned(place.offset));
        Self { half: place.number, surplus: 0 }.plus(surplus, policy)
    }

    /// Adds what one call earns.
    #[inline]
    pub const fn deposit(self, now: Instant, policy: &RetryBudgetPolicy) -> Self {
        self.current(now, policy).state.plus(policy.share(), policy)
    }

    /// Takes one retry, or says how long the floor alone needs to earn it.
    #[inline]
    pub const fn withdraw(self, now: Instant, policy: &RetryBudgetPolicy) -> (Self, Result<(), Wait>) {
        let current = self.current(now, policy);
        if current.balance(policy) >= RETRY {
            return (current.state.plus(-RETRY, policy), Ok(()));
        }
        let state = if current.went_back { current.state } else { self };
        (state, Err(current.wait(policy)))
    }

    /// Gives one retry back that did not happen.
    pub const fn refund(self, now: Instant, policy: &RetryBudgetPolicy) -> Self {
        self.current(now, policy).state.plus(RETRY, policy)
    }

    /// The retries saved up at `now`.
    pub const fn balance(self, now: Instant, policy: &RetryBudgetPolicy) -> Tokens {
        let balance = self.current(now, policy).balance(policy);
        Tokens::milli(if balance > 0 { balance.unsigned_abs() } else { 0 })
    }

    /// How long a withdrawal at `now` would be refused; `None` when it would not be.
    pub const fn refusal(self, now: Instant, policy: &RetryBudgetPolicy) -> Option<Wait> {
        let current = self.current(now, policy);
        if current.balance(policy) >= RETRY { None } else { Some(current.wait(policy)) }
    }

    /// Nanoseconds after `now` when the answer to a withdrawal changes by itself, if it ever does.
    pub const fn next_change(self, now: Instant, policy: &RetryBudgetPolicy) -> Option<u64> {
        self.current(now, policy).next_change(policy)
    }

    /// Whether a budget that was never touched would behave the same from `now` on.
    pub const fn is_fresh(self, now: Instant, policy: &RetryBudgetPolicy) -> bool {
        let current = self.current(now, policy);
        current.state.surplus == 0 && current.ahead == 0 && !current.went_back
    }

    /// The same balance under another policy, as far as that one can save it.
    pub const fn under(self, old: &RetryBudgetPolicy, new: &RetryBudgetPolicy, now: Instant) -> Self {
        if self.is_fresh(now, old) {
            return Self::NEW;
        }
        Self::with_balance(self.balance(now, old), now, new)
    }

    const fn plus(self, amount: i64, policy: &RetryBudgetPolicy) -> Self {
        let surplus = self.surplus.saturating_add(amount);
        let most = policy.most_surplus();
        Self { half: self.half, surplus: if surplus < most { surplus } else { most } }
    }

    /// This state with all that the time has done to it until `now`.
    #[inline]
    const fn current(self, now: Instant, policy: &RetryBudgetPolicy) -> Current {
        let place = policy.halves().place(now);
        match policy.halves().passed(self.half, place) {
            Passed::Halvings(halvings) => {
                let state = Self { half: place.number, surplus: aged(self.surplus, halvings, policy) };
                Current { state, offset: place.offset, ahead: 0, went_back: false }
            }
            Passed::Late { ahead } => Current { state: self, offset: 0, ahead, went_back: false },
            Passed::Back => {
                let balance = policy.half_floor().saturating_add(self.surplus);
                let balance = if balance > 0 { balance } else { 0 };
                let surplus = balance.saturating_sub(policy.half_floor()).saturating_sub(policy.earned(place.offset));
                let state = Self { half: place.number, surplus };
                Current { state, offset: place.offset, ahead: 0, went_back: true }
            }
        }
    }

    pub(crate) const fn bits(self) -> u64 {
        let debt = if self.surplus < 0 { 1 } else { 0 };
        HALF.put(self.half) | DEBT.put(debt) | SURPLUS.put(self.surplus.unsigned_abs())
    }
}

impl Current {
    const fn balance(&self, policy: &RetryBudgetPolicy) -> i64 {
        self.balance_after(0, self.offset, policy)
    }

    /// The balance when `halves` half windows have passed, `offset` nanoseconds into that one.
    const fn balance_after(&self, halves: u32, offset: u64, policy: &RetryBudgetPolicy) -> i64 {
        let start = policy.half_floor().saturating_add(aged(self.state.surplus, halves, policy));
        start.saturating_add(policy.earned(offset))
    }

    #[cold]
    const fn wait(&self, policy: &RetryBudgetPolicy) -> Wait {
        match self.next_change(policy) {
            Some(nanos) => Wait::Nanos(nanos),
            None => Wait::Never,
        }
    }

    /// Walks through the half windows until the answer differs from the one now. After 27 halvings no surplus is left,
    /// and every further half window is like the last.
    const fn next_change(&self, policy: &RetryBudgetPolicy) -> Option<u64> {
        let allowed = self.balance(policy) >= RETRY;
        let (mut halves, mut start) = (0, self.ahead);
        while halves <= SURPLUS.bits() {
            let missing = RETRY.saturating_sub(self.balance_after(halves, 0, policy));
            // where in this half window the answer becomes yes
            let from = if missing <= 0 { Some(0) } else { policy.offset_of(missing) };
            match from {
                Some(offset) if !allowed => return Some(start.saturating_add(offset).saturating_sub(self.offset)),
                Some(0) => {}
                _ if !allowed || halves == 0 => {}
                _ => return Some(start.saturating_sub(self.offset)),
            }
            halves = halves.saturating_add(1);
            start = start.saturating_add(policy.halves().nanos());
        }
        None
    }
}

/// The surplus after so many half windows; two steps make the same as one of both together.
#[inline]
const fn aged(surplus: i64, halves: u32, policy: &RetryBudgetPolicy) -> i64 {
    if surplus >= 0 {
        return surplus.unsigned_abs().unbounded_shr(halves).cast_signed();
    }
    let repaid = surplus.saturating_add(policy.half_floor().saturating_mul(halves as i64));
    if repaid < 0 { repaid } else { 0 }
}

impl Packed for RetryBudgetState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        let size = SURPLUS.get(bits).cast_signed();
        Self { half: HALF.get(bits), surplus: if DEBT.get(bits) == 1 { size.saturating_neg() } else { size } }
    }
}

#[cfg(test)]
mod tests {
    use super::RetryBudgetState;
    use crate::word::Packed;

    #[test]
    fn a_state_has_one_encoding_so_that_nothing_is_written_where_nothing_changes() {
        assert_eq!(RetryBudgetState::NEW.bits(), 0, "a word of zero was never touched");
        for surplus in [-100_000_000, -1, 0, 1, 100_000_000] {
            let state = RetryBudgetState { half: 7, surplus };
            assert_eq!(RetryBudgetState::unpack(state.pack()), state);
            assert_eq!(RetryBudgetState::unpack(state.pack()).pack(), state.pack());
        }
    }
}
