//! `Breaker`: a circuit breaker whose whole state is one atomic word.
//!
//! A breaker refuses calls to a dependency that keeps failing, waits, and lets a few probes find out whether it has
//! recovered. The policy is passed in, so one policy serves any number of breakers and can be swapped at any time.
//!
//! ```
//! use fusebox_core::{Breaker, BreakerConfig, BreakerPolicy, Instant, Outcome, State, Trip};
//!
//! static BREAKER: Breaker = Breaker::new();
//! let policy = BreakerPolicy::new(BreakerConfig { trip: Trip::Consecutive(2), ..BreakerConfig::DEFAULT })?;
//! let now = Instant::from_nanos(0);
//!
//! for _ in 0..2 {
//!     let (ticket, _) = BREAKER.admit(&policy, now).expect("closed");
//!     BREAKER.settle(&policy, now, ticket, Outcome::Failure);
//! }
//! assert_eq!(BREAKER.snapshot(&policy, now).state, State::Open);
//! let wait = BREAKER.admit(&policy, now).unwrap_err().duration().expect("an open breaker knows its wait");
//!
//! let (probe, transition) = BREAKER.admit(&policy, now.saturating_add(wait)).expect("the wait is over");
//! assert_eq!(transition.map(|t| t.to), Some(State::HalfOpen));
//! BREAKER.settle(&policy, now.saturating_add(wait), probe, Outcome::Success);
//! assert_eq!(BREAKER.snapshot(&policy, now).state, State::Closed);
//! # Ok::<(), fusebox_core::PolicyError>(())
//! ```
//!
//! The state diagram and the numbered rules are in `breaker/step.rs`, the layout of the word in `breaker/state.rs`.
//!
//! **Guarantees.** Never more probes outstanding in one half-open generation than the ramp allows; a trip is never
//! lost; an outcome of an earlier generation changes nothing; a probe that never reports delays recovery by one lease
//! at most; each transition is returned to exactly one caller; no `now` panics or wedges.
//!
//! **Not guaranteed.** Calls admitted while closed are not called back when the breaker opens. Waits are kept in ticks
//! of 32.8 us and leases in ticks of 8.4 ms, and may end that much early.
//!
//! **Cost.** Closed without failures: admit and settle are one load each. Open: a refusal is one load. Everything else
//! is one load and one compare-exchange, retried while other calls commit first. 16 bytes; no allocation.

mod policy;
mod snapshot;
mod state;
mod step;
mod ticket;

pub use policy::{BreakerConfig, BreakerPolicy, Trip};
pub use snapshot::BreakerSnapshot;
pub use state::{BreakerState, State};
pub use step::{Admission, Cause, Forced, Settled, Stamp, Transition};
pub use ticket::Ticket;

use crate::outcome::Outcome;
use crate::tally::Tally;
use crate::time::Instant;
use crate::wait::Wait;
use crate::word::Word;

/// A circuit breaker: state only, the policy is an argument. See the [module documentation](self).
#[derive(Debug)]
pub struct Breaker {
    word: Word<BreakerState>,
    stale: Tally,
}

impl Breaker {
    /// A closed breaker that has seen nothing.
    pub const fn new() -> Self {
        Self { word: Word::from_bits(BreakerState::NEW.bits()), stale: Tally::new() }
    }

    /// A breaker in the state of `snapshot`; values beyond a field's range saturate. Probes that were outstanding
    /// cannot report any more and are written off when their lease is over.
    pub const fn restore(snapshot: BreakerSnapshot) -> Self {
        Self { word: Word::from_bits(snapshot.to_state().bits()), stale: Tally::starting_at(snapshot.stale) }
    }

    /// May a call go at `now`? Returns the ticket and the transition that the admission caused.
    ///
    /// # Errors
    /// How long to wait, when the call may not go. A refusal writes nothing (but for a clock that went back).
    #[inline]
    pub fn admit(&self, policy: &BreakerPolicy, now: Instant) -> Result<(Ticket, Option<Transition>), Wait> {
        match self.word.transition(|state| state.admit(now, policy)) {
            Admission::Admitted(stamp, transition) => Ok((Ticket { stamp }, transition)),
            Admission::Refused(wait) => Err(wait),
        }
    }

    /// How long a call at `now` would be refused; `None` when it would be admitted.
    ///
    /// Only reads, so it does not follow a clock that went back as [`Breaker::admit`] does: do not make admission
    /// depend on it alone.
    #[inline]
    pub fn refusal(&self, policy: &BreakerPolicy, now: Instant) -> Option<Wait> {
        self.word.load().refusal(now, policy)
    }

    /// [`Breaker::refusal`] for callers that act on it: a refusal follows a clock that went back.
    #[inline]
    pub(crate) fn refuse(&self, policy: &BreakerPolicy, now: Instant) -> Option<Wait> {
        self.word.transition(|state| state.refuse(now, policy))
    }

    /// Ends the ticket's call, and returns the transition that its outcome caused.
    #[inline]
    pub fn settle(&self, policy: &BreakerPolicy, now: Instant, ticket: Ticket, outcome: Outcome) -> Option<Transition> {
        match self.word.transition(|state| state.settle(ticket.stamp, outcome, now, policy)) {
            Settled::Counted(transition) => transition,
            Settled::Stale => {
                self.stale.add_one();
                None
            }
        }
    }

    /// Forces the breaker open or closed until [`Breaker::reset`]. Calls under way become stale.
    pub fn force(&self, forced: Forced) -> Option<Transition> {
        self.word.transition(|state| state.force(forced))
    }

    /// Closes the breaker, forced or not, and forgets what it has counted. Calls under way become stale.
    pub fn reset(&self) -> Option<Transition> {
        self.word.transition(BreakerState::reset)
    }

    /// The state as plain data. One load, plus one for the stale count.
    pub fn snapshot(&self, policy: &BreakerPolicy, now: Instant) -> BreakerSnapshot {
        BreakerSnapshot { stale: self.stale.count(), ..BreakerSnapshot::of(self.word.load(), now, policy) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}
