//! `Breaker`: a circuit breaker in one atomic word, and in the words of a window where it has one.
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
//! lost, with a window but for the exceptions of [`window`](crate::window); an outcome of an earlier generation changes
//! nothing; a probe that never reports delays recovery by one lease at most; each transition is returned to exactly one
//! caller; no `now` panics or wedges.
//!
//! **Not guaranteed.** Calls admitted while closed are not called back when the breaker opens. Waits are kept in ticks
//! of 32.8 us and leases in ticks of 8.4 ms, and may end that much early.
//!
//! **No maximum time in half-open.** Nothing can hold the breaker there: a probe lasts at most its lease, then its slot
//! goes to the next call, and while no call comes there is nobody to refuse. A limit could only re-open, and so refuse
//! the very calls that would find out; and it would blame the dependency for callers that do not report.
//!
//! **Cost.** Closed without failures: admit and settle are one load each. Open: a refusal is one load. Everything else
//! is one load and one compare-exchange, retried while other calls commit first. 16 bytes; no allocation. A window adds
//! its own cost to the settling of calls that were admitted while Closed, see [`Window`], and one load.

mod policy;
mod rate;
mod snapshot;
mod state;
mod step;
mod ticket;

pub use policy::{BreakerConfig, BreakerPolicy, Trip};
pub use rate::RateTrip;
pub use snapshot::BreakerSnapshot;
pub use state::{BreakerState, State};
pub use step::{Admission, Cause, Forced, Settled, Stamp, Transition};
pub use ticket::Ticket;

use crate::outcome::Outcome;
use crate::tally::Tally;
use crate::time::Instant;
use crate::wait::Wait;
use crate::window::{NoWindow, Window, WindowCounts};
use crate::word::Word;

/// A circuit breaker: state only, the policy is an argument. See the [module documentation](self).
///
/// `W` is the window in which it keeps outcomes for [`Trip::Rate`]; without one it counts consecutive failures.
#[derive(Debug)]
pub struct Breaker<W = NoWindow> {
    word: Word<BreakerState>,
    stale: Tally,
    window: W,
}

impl Breaker {
    /// A closed breaker that has seen nothing, without a window.
    pub const fn new() -> Self {
        Self::with_window(NoWindow)
    }

    /// A breaker in `state` that has counted nothing stale, without a window.
    pub const fn from_state(state: BreakerState) -> Self {
        Self { word: Word::from_bits(state.bits()), stale: Tally::new(), window: NoWindow }
    }

    /// A breaker in the state of `snapshot`, without a window; values beyond a field's range saturate. Probes that were
    /// outstanding cannot report any more and are written off when their lease is over.
    pub const fn restore(snapshot: BreakerSnapshot) -> Self {
        let word = Word::from_bits(BreakerState::restored(snapshot).bits());
        Self { word, stale: Tally::starting_at(snapshot.stale), window: NoWindow }
    }
}

impl<W: Window> Breaker<W> {
    /// A closed breaker that has seen nothing and keeps outcomes in `window`, which must be new.
    pub const fn with_window(window: W) -> Self {
        Self { word: Word::from_bits(BreakerState::NEW.bits()), stale: Tally::new(), window }
    }

    /// [`Breaker::restore`] with a window, which must be new.
    ///
    /// The window's counts are entered as calls that ended at `now`, failures last, as many as it can hold. So they
    /// leave it later than they would have, by at most its length.
    pub fn restore_window(snapshot: BreakerSnapshot, window: W, now: Instant) -> Self {
        let state = BreakerState::restored(snapshot);
        if state.keeps(state.generation) {
            window.refill(state.generation, snapshot.window, now);
        }
        Self { word: Word::from_bits(state.bits()), stale: Tally::starting_at(snapshot.stale), window }
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
        let stamp = ticket.stamp;
        let settled = if self.window.keeps() {
            let reached = self.record(policy, now, stamp, outcome);
            self.word.transition(|state| state.settle_in_window(stamp, outcome, now, policy, reached))
        } else {
            self.word.transition(|state| state.settle(stamp, outcome, now, policy))
        };
        match settled {
            Settled::Counted(transition) => {
                if transition.is_some() {
                    self.window.finish(stamp.generation);
                }
                transition
            }
            Settled::Stale => {
                self.stale.add_one();
                None
            }
        }
    }

    /// Enters the outcome into the window, and says whether it has reached a threshold.
    #[inline]
    fn record(&self, policy: &BreakerPolicy, now: Instant, stamp: Stamp, outcome: Outcome) -> bool {
        let Some(mark) = policy.mark(outcome, stamp.issued, now) else { return false };
        if !self.word.load().keeps(stamp.generation) {
            return false;
        }
        let is_current = || self.word.load().generation == stamp.generation;
        let counts = self.window.record(stamp.generation, mark, now, policy.minimum_calls(), is_current);
        counts.is_some_and(|counts| policy.is_reached(counts, self.window.capacity()))
    }

    /// Forces the breaker open or closed until [`Breaker::reset`]. Calls under way become stale.
    pub fn force(&self, forced: Forced) -> Option<Transition> {
        self.end_generation(|state| state.force(forced))
    }

    /// Closes the breaker, forced or not, and forgets what it has counted. Calls under way become stale.
    pub fn reset(&self) -> Option<Transition> {
        self.end_generation(BreakerState::reset)
    }

    fn end_generation(&self, step: impl Fn(BreakerState) -> (BreakerState, Option<Transition>)) -> Option<Transition> {
        let (ended, transition) = self.word.transition(|state| {
            let (next, transition) = step(state);
            let ended = (next.generation != state.generation).then_some(state.generation);
            (next, (ended, transition))
        });
        if let Some(generation) = ended {
            self.window.finish(generation);
        }
        transition
    }

    /// When a call that is refused at `now` will be admitted by time alone, at the latest: the end of the open wait, or of
    /// the lease of the probes that are out. `None` when it would be admitted now, or when the breaker is forced open.
    pub fn next_change(&self, policy: &BreakerPolicy, now: Instant) -> Option<Instant> {
        self.word.load().next_change(now, policy)
    }

    /// Whether the breaker can be forgotten: while no call is under way, a new one in its place would decide the same from
    /// `now` on. Only reads.
    ///
    /// It is closed, and nothing is counted against its dependency, in a row or in its window.
    pub fn is_fresh(&self, now: Instant) -> bool {
        let state = self.word.load();
        state.is_fresh() && self.window.counts(state.generation, now) == WindowCounts::NONE
    }

    /// The state that the pure steps work on, exactly. One load; neither the stale count nor the window is in it.
    pub fn state(&self) -> BreakerState {
        self.word.load()
    }

    /// The state as plain data. One load, one for the stale count, and those of the window.
    pub fn snapshot(&self, policy: &BreakerPolicy, now: Instant) -> BreakerSnapshot {
        let state = self.word.load();
        let mut snapshot = state.snapshot(now, policy);
        snapshot.stale = self.stale.count();
        if state.keeps(state.generation) {
            snapshot.window = self.window.counts(state.generation, now);
        }
        snapshot
    }

    /// The window.
    pub const fn window(&self) -> &W {
        &self.window
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}
