//! The breaker's transitions as pure functions of state, time and policy.
//!
//! ```text
//!                  a threshold is reached
//!      +--------+ ------------------------------> +------+ <---------------+
//!      | Closed |                                 | Open |                 |
//!      +--------+ <---------------+               +------+   a probe fails |
//!                  probes succeed |                   | wait over: the     |
//!                                 |                   v admission is the   |
//!                                 +----------- +----------+ first probe    |
//!                                              | HalfOpen | ---------------+
//!                                              +----------+
//!                                               |        ^ lease over: the lost probes
//!                                               +--------+ are written off, a new one goes
//! ```
//!
//! `force` leads to ForcedOpen and ForcedClosed from every state, `reset` back to Closed. Each arrow is a transition:
//! it starts a new generation, and it is returned to the one caller whose call caused it.
//!
//! 1. Tickets are issued in Closed, HalfOpen and ForcedClosed only, stamped with the generation.
//! 2. An outcome whose generation is not the current one is stale: it changes nothing.
//! 3. A probe is as old as its ticket. At the age of a lease it has expired: whatever it reports is stale.
//! 4. The slot of an expired probe returns when the *latest* probe expires: all of them are written off at once, by the
//!    next admission, in a new generation. The probes that have succeeded by then still count.
//! 5. Time stands in the word only while Open or HalfOpen. Should `now` lie before it, the clock went back: the word
//!    takes the new reading, so the wait starts anew, once, at the same length.
//!    A reading that is merely late is taken for that too: it shortens an open wait, or the lease of the probes that are
//!    out, by as much as it is late.

use super::policy::{BreakerPolicy, Trip};
use super::state::{BreakerState, MAX_STREAK, Mode, OpenTick, ProbeTick, Probing, State};
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::wait::Wait;

/// A change of state, returned to the one caller that caused it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a transition is reported only here"]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// What led to it.
    pub cause: Cause,
}

/// What led to a transition.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// The outcomes reached a threshold of the trip policy.
    Tripped,
    /// The open wait was over and a call came.
    WaitOver,
    /// A probe failed.
    ProbeFailed,
    /// The required probes succeeded.
    ProbesSucceeded,
    /// Outstanding probes did not report within their lease and were written off: HalfOpen to HalfOpen.
    ProbesLost,
    /// [`BreakerState::force`].
    Forced,
    /// [`BreakerState::reset`].
    Reset,
}

/// What an admitted call remembers of its breaker. The atomic [`Breaker`](crate::Breaker) wraps it in a
/// [`Ticket`](crate::Ticket), which cannot be copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    pub(crate) issued: Instant,
    pub(crate) generation: u8,
}

impl Stamp {
    /// When the call was admitted.
    pub const fn issued(&self) -> Instant {
        self.issued
    }

    /// The generation of the breaker that admitted the call.
    pub const fn generation(&self) -> u8 {
        self.generation
    }
}

/// The verdict of [`BreakerState::admit`]. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Admission {
    /// The call may go.
    Admitted(Stamp, Option<Transition>),
    /// The call may not go.
    Refused(Wait),
}

/// The verdict of [`BreakerState::settle`]. Complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Settled {
    /// The outcome was counted, with the transition that it caused.
    Counted(Option<Transition>),
    /// The outcome came from an earlier generation and changed nothing.
    Stale,
}

/// The states that an operator can force. Complete.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Forced {
    /// Refuse every call.
    Open,
    /// Admit every call; count, but decide nothing.
    Closed,
}

impl BreakerState {
    /// May a call go at `now`?
    #[inline]
    pub const fn admit(self, now: Instant, policy: &BreakerPolicy) -> (Self, Admission) {
        match self.mode {
            Mode::Closed { .. } | Mode::ForcedClosed { .. } => (self, self.admitted(now, None)),
            Mode::ForcedOpen => (self, Admission::Refused(Wait::Never)),
            Mode::Open { since, streak } => self.admit_open(since, streak, now, policy),
            Mode::HalfOpen(probing) => self.admit_half_open(probing, now, policy),
        }
    }

    const fn admitted(self, now: Instant, transition: Option<Transition>) -> Admission {
        Admission::Admitted(Stamp { issued: now, generation: self.generation }, transition)
    }

    const fn admit_open(self, since: OpenTick, streak: u8, now: Instant, policy: &BreakerPolicy) -> (Self, Admission) {
        let tick = OpenTick::at(now);
        let since = if tick.0 < since.0 { tick } else { since }; // rule 5
        let elapsed = now.as_nanos().saturating_sub(since.start().as_nanos());
        let wait = policy.open_wait(self.generation, streak);
        if elapsed < wait {
            let rest = Wait::Nanos(wait.saturating_sub(elapsed));
            return (self.with(Mode::Open { since, streak }), Admission::Refused(rest));
        }
        let first = Probing { since: ProbeTick::at(now), streak, outstanding: 1, successes: 0 };
        let (next, transition) = self.enter(Mode::HalfOpen(first), Cause::WaitOver);
        (next, next.admitted(now, Some(transition)))
    }

    const fn admit_half_open(self, probing: Probing, now: Instant, policy: &BreakerPolicy) -> (Self, Admission) {
        let tick = ProbeTick::at(now);
        if probing.outstanding > 0 && policy.lease_is_over(probing.since.start(), now) {
            let first = Probing { since: tick, outstanding: 1, ..probing };
            let (next, transition) = self.enter(Mode::HalfOpen(first), Cause::ProbesLost); // rule 4
            return (next, next.admitted(now, Some(transition)));
        }
        if probing.outstanding < policy.ramp(probing.successes) {
            let outstanding = probing.outstanding.saturating_add(1);
            let next = self.with(Mode::HalfOpen(Probing { since: tick, outstanding, ..probing }));
            return (next, next.admitted(now, None));
        }
        let since = if tick.0 < probing.since.0 { tick } else { probing.since }; // rule 5
        (self.with(Mode::HalfOpen(Probing { since, ..probing })), Admission::Refused(Wait::Release))
    }

    /// The call stamped `stamp` ended as `outcome` at `now`.
    #[inline]
    pub const fn settle(self, stamp: Stamp, outcome: Outcome, now: Instant, policy: &BreakerPolicy) -> (Self, Settled) {
        if stamp.generation != self.generation {
            return (self, Settled::Stale); // rule 2
        }
        let failed = policy.failed(outcome);
        match self.mode {
            Mode::Closed { failures } => {
                let failures = count(failures, failed);
                let reached = match policy.config().trip {
                    Trip::Consecutive(threshold) => Some(threshold),
                    Trip::Rate(rate) => rate.failures_in_a_row(),
                    Trip::Never => None,
                };
                let trips = matches!(reached, Some(threshold) if failures >= threshold) && matches!(failed, Some(true));
                self.settle_closed(failures, trips, now)
            }
            Mode::ForcedClosed { failures } => {
                let mode = Mode::ForcedClosed { failures: count(failures, failed) };
                (self.with(mode), Settled::Counted(None))
            }
            Mode::HalfOpen(probing) => {
                if probing.outstanding == 0 || policy.lease_is_over(stamp.issued, now) {
                    return (self, Settled::Stale); // rule 3
                }
                self.settle_probe(probing, failed, now, policy)
            }
            Mode::Open { .. } | Mode::ForcedOpen => (self, Settled::Stale), // rule 1
        }
    }

    /// [`BreakerState::settle`] for a breaker with a window, which holds the outcome and says whether it has `reached`
    /// a threshold.
    ///
    /// Under a policy of rates, failures in a row are not counted, so that a mixture of outcomes does not write here;
    /// a success still ends a row that another policy has counted.
    #[inline]
    pub(crate) const fn settle_in_window(
        self,
        stamp: Stamp,
        outcome: Outcome,
        now: Instant,
        policy: &BreakerPolicy,
        reached: bool,
    ) -> (Self, Settled) {
        match (self.mode, policy.config().trip) {
            (Mode::Closed { failures }, Trip::Rate(_)) if stamp.generation == self.generation => {
                let failures = if matches!(outcome, Outcome::Success) { 0 } else { failures };
                self.settle_closed(failures, reached, now)
            }
            _ => self.settle(stamp, outcome, now, policy),
        }
    }

    /// Whether calls of `generation` go to the window.
    #[inline]
    pub(crate) const fn keeps(self, generation: u8) -> bool {
        self.generation == generation && matches!(self.mode, Mode::Closed { .. } | Mode::ForcedClosed { .. })
    }

    const fn settle_closed(self, failures: u32, trips: bool, now: Instant) -> (Self, Settled) {
        if trips {
            return self.enter_counted(Mode::Open { since: OpenTick::at(now), streak: 0 }, Cause::Tripped);
        }
        (self.with(Mode::Closed { failures }), Settled::Counted(None))
    }

    const fn settle_probe(
        self,
        probing: Probing,
        failed: Option<bool>,
        now: Instant,
        policy: &BreakerPolicy,
    ) -> (Self, Settled) {
        let outstanding = probing.outstanding.saturating_sub(1);
        let successes = match failed {
            Some(true) => {
                let streak = if probing.streak < MAX_STREAK { probing.streak.saturating_add(1) } else { MAX_STREAK };
                return self.enter_counted(Mode::Open { since: OpenTick::at(now), streak }, Cause::ProbeFailed);
            }
            Some(false) => probing.successes.saturating_add(1),
            None => probing.successes,
        };
        if matches!(failed, Some(false)) && successes >= policy.config().required_successes {
            return self.enter_counted(Mode::Closed { failures: 0 }, Cause::ProbesSucceeded);
        }
        (self.with(Mode::HalfOpen(Probing { outstanding, successes, ..probing })), Settled::Counted(None))
    }

    /// Forces a state until [`BreakerState::reset`], from any state.
    pub const fn force(self, forced: Forced) -> (Self, Option<Transition>) {
        match (forced, self.mode) {
            (Forced::Open, Mode::ForcedOpen) | (Forced::Closed, Mode::ForcedClosed { .. }) => (self, None),
            (Forced::Open, _) => self.enter_reported(Mode::ForcedOpen, Cause::Forced),
            (Forced::Closed, _) => self.enter_reported(Mode::ForcedClosed { failures: 0 }, Cause::Forced),
        }
    }

    /// Closes the breaker from any state and forgets what it has counted; calls under way become stale. It always starts
    /// a generation; a breaker that was closed already reports no transition.
    pub const fn reset(self) -> (Self, Option<Transition>) {
        let (next, transition) = self.enter(Mode::Closed { failures: 0 }, Cause::Reset);
        match self.mode {
            Mode::Closed { .. } => (next, None),
            _ => (next, Some(transition)),
        }
    }

    /// How long a call at `now` would be refused; `None` when it would be admitted.
    #[inline]
    pub const fn refusal(self, now: Instant, policy: &BreakerPolicy) -> Option<Wait> {
        match self.admit(now, policy).1 {
            Admission::Admitted(..) => None,
            Admission::Refused(wait) => Some(wait),
        }
    }

    /// When a call that is refused at `now` will be admitted by time alone, at the latest. `None` when it would be admitted
    /// now, or when time does not decide: forced open.
    pub const fn next_change(self, now: Instant, policy: &BreakerPolicy) -> Option<Instant> {
        match self.refuse(now, policy) {
            (_, Some(Wait::Nanos(wait))) => Some(Instant::from_nanos(now.as_nanos().saturating_add(wait))),
            // the probes that are out may report sooner
            (Self { mode: Mode::HalfOpen(probing), .. }, Some(_)) => Some(policy.lease_end(probing.since.start())),
            _ => None,
        }
    }

    /// Whether the breaker has nothing counted, and would decide like a new one. Its window is not asked.
    pub(crate) const fn is_fresh(self) -> bool {
        matches!(self.mode, Mode::Closed { failures: 0 })
    }

    /// [`BreakerState::refusal`], with the state in which an admission that is refused leaves the breaker: unchanged,
    /// unless the clock went back (rule 5).
    #[inline]
    pub(crate) const fn refuse(self, now: Instant, policy: &BreakerPolicy) -> (Self, Option<Wait>) {
        match self.admit(now, policy) {
            (_, Admission::Admitted(..)) => (self, None),
            (next, Admission::Refused(wait)) => (next, Some(wait)),
        }
    }

    /// The same generation in another mode.
    const fn with(self, mode: Mode) -> Self {
        Self { generation: self.generation, mode }
    }

    /// A transition: the next generation.
    const fn enter(self, mode: Mode, cause: Cause) -> (Self, Transition) {
        let next = Self { generation: self.generation.wrapping_add(1), mode };
        (next, Transition { from: self.state(), to: next.state(), cause })
    }

    const fn enter_counted(self, mode: Mode, cause: Cause) -> (Self, Settled) {
        let (next, transition) = self.enter(mode, cause);
        (next, Settled::Counted(Some(transition)))
    }

    const fn enter_reported(self, mode: Mode, cause: Cause) -> (Self, Option<Transition>) {
        let (next, transition) = self.enter(mode, cause);
        (next, Some(transition))
    }
}

/// Consecutive failures after one more outcome.
const fn count(failures: u32, failed: Option<bool>) -> u32 {
    match failed {
        Some(true) => failures.saturating_add(1),
        Some(false) => 0,
        None => failures,
    }
}
