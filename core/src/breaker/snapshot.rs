//! `BreakerSnapshot`: a breaker's state as plain data, to show and to restore from.

use super::policy::BreakerPolicy;
use super::state::{BreakerState, MAX_PROBES, MAX_STREAK, Mode, OpenTick, ProbeTick, Probing, State};
use crate::time::Instant;
use crate::wait::Wait;
use crate::window::WindowCounts;

/// What a breaker knew at one moment. Counts that its state does not keep are zero.
///
/// Denials are not in it: a refusal only reads, so that refusing scales with the cores. Whoever is refused knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BreakerSnapshot {
    /// The state.
    pub state: State,
    /// One more at every transition and every reset; wraps after 255.
    pub generation: u8,
    /// Consecutive failures (Closed, ForcedClosed); a breaker with a window does not count them under rates.
    pub failures: u32,
    /// Re-openings since the breaker last closed (Open, HalfOpen); saturates at 15.
    pub streak: u8,
    /// When it opened (Open), to 32.8 us, or when the latest probe went (HalfOpen), to 8.4 ms.
    pub since: Option<Instant>,
    /// Probes that have not reported (HalfOpen).
    pub outstanding: u8,
    /// Probes that have succeeded (HalfOpen).
    pub successes: u8,
    /// How long a call would be refused; `None` when it would be admitted. Not restored.
    pub refusal: Option<Wait>,
    /// Outcomes that came from an earlier generation or an expired probe. Saturates.
    pub stale: u64,
    /// What the window holds; nothing in a breaker without one, and in states of which no calls enter.
    pub window: WindowCounts,
}

impl BreakerState {
    /// The state as plain data; neither the stale count nor the window is in it.
    pub const fn snapshot(self, now: Instant, policy: &BreakerPolicy) -> BreakerSnapshot {
        BreakerSnapshot::of(self, now, policy)
    }
}

impl BreakerSnapshot {
    pub(crate) const fn of(state: BreakerState, now: Instant, policy: &BreakerPolicy) -> Self {
        let mut snapshot = Self {
            state: state.state(),
            generation: state.generation,
            failures: 0,
            streak: 0,
            since: None,
            outstanding: 0,
            successes: 0,
            refusal: state.refusal(now, policy),
            stale: 0,
            window: WindowCounts::NONE,
        };
        match state.mode {
            Mode::Closed { failures } | Mode::ForcedClosed { failures } => snapshot.failures = failures,
            Mode::Open { since, streak } => {
                snapshot.since = Some(since.start());
                snapshot.streak = streak;
            }
            Mode::HalfOpen(probing) => {
                snapshot.since = Some(probing.since.start());
                snapshot.streak = probing.streak;
                snapshot.outstanding = probing.outstanding;
                snapshot.successes = probing.successes;
            }
            Mode::ForcedOpen => {}
        }
        snapshot
    }

    /// The state that this snapshot describes; values beyond a field's range saturate.
    pub(crate) const fn to_state(self) -> BreakerState {
        let streak = if self.streak < MAX_STREAK { self.streak } else { MAX_STREAK };
        let since = match self.since {
            Some(since) => since,
            None => Instant::ORIGIN,
        };
        let mode = match self.state {
            State::Closed => Mode::Closed { failures: self.failures },
            State::Open => Mode::Open { since: OpenTick::at(since), streak },
            State::HalfOpen => Mode::HalfOpen(Probing {
                since: ProbeTick::at(since),
                streak,
                outstanding: if self.outstanding < MAX_PROBES { self.outstanding } else { MAX_PROBES },
                successes: if self.successes < MAX_PROBES { self.successes } else { MAX_PROBES },
            }),
            State::ForcedOpen => Mode::ForcedOpen,
            State::ForcedClosed => Mode::ForcedClosed { failures: self.failures },
        };
        BreakerState { generation: self.generation, mode }
    }
}
