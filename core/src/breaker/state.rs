//! The breaker's state as a plain value, and its layout in one 64-bit word.
//!
//! ```text
//!  bit   63                    23        19        15          7        3       0
//!        +-----------------------------------------+-----------+--------+-------+
//! Closed |            failures (49 bits)           |           |    0   |       |
//! Open   |      since, 32.8 us ticks (49 bits)     | generation| streak | state |
//!        +---------------------+---------+---------+  (8 bits) |(4 bits)|(3 bits)
//! HalfOp.| since, 8.4 ms ticks | success.| outst.  |           |        |       |
//!        |      (41 bits)      | (4 bits)| (4 bits)|           |        |       |
//!        +---------------------+---------+---------+-----------+--------+-------+
//! ```
//!
//! | field | range | at its end |
//! |---|---|---|
//! | state | 5 of 8 codes | the spare codes decode as Closed; no step produces them |
//! | streak | 0-15 re-opens since the breaker last closed | saturates: the wait stays at its 15th power, or at its maximum |
//! | generation | 0-255, one more at every transition | wraps, see below |
//! | failures | 0 to 2^32-1 consecutive failures | saturates |
//! | since (Open) | the opening, all of the clock's 584 years in ticks of 2^15 ns | cannot overflow |
//! | since (HalfOpen) | the latest probe's admission, all of the clock in ticks of 2^23 ns | cannot overflow |
//! | outstanding, successes | 0-15 each | the policy allows at most 15 of both |
//!
//! **Why a wrapped generation is harmless.** For a stale ticket to be taken for a current one, 256 transitions must
//! happen while its call is under way. A probe's ticket expires by its own age after one lease, and a policy whose
//! lease is longer than 32 open waits is refused. A breaker that flaps as fast as it can makes 3 transitions per open
//! wait, and equal jitter leaves at least half of a wait, so a lease has time for at most 192. (Not bounded are an
//! operator who forces them by hand, a clock that goes back, and full jitter, which would have to draw 85 waits that
//! average less than three quarters of their mean.) A ticket from Closed holds no slot: if its call outlives 256
//! transitions and ends in the one matching generation, a single outcome is counted that should have been counted as
//! stale.

use crate::field::Field;
use crate::time::Instant;
use crate::word::Packed;

/// The state of a breaker as users see it. Complete.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum State {
    /// Calls go through and failures are counted.
    #[default]
    Closed,
    /// Calls are refused until the open wait is over.
    Open,
    /// A few calls go through as probes.
    HalfOpen,
    /// Forced by hand: every call is refused.
    ForcedOpen,
    /// Forced by hand: every call goes through; outcomes are counted but decide nothing.
    ForcedClosed,
}

/// The breaker's word, decoded. Steps are functions of this value; see [`BreakerState::admit`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BreakerState {
    pub(crate) generation: u8,
    pub(crate) mode: Mode,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Mode {
    Closed { failures: u32 },
    Open { since: OpenTick, streak: u8 },
    HalfOpen(Probing),
    ForcedOpen,
    ForcedClosed { failures: u32 },
}

/// The half-open state: who is out, and what came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Probing {
    /// When the latest probe was admitted.
    pub(crate) since: ProbeTick,
    pub(crate) streak: u8,
    pub(crate) outstanding: u8,
    pub(crate) successes: u8,
}

/// A time in units of 2^15 ns (32.8 us).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct OpenTick(pub(crate) u64);

/// A time in units of 2^23 ns (8.4 ms).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct ProbeTick(pub(crate) u64);

impl OpenTick {
    const SHIFT: u32 = u64::BITS.saturating_sub(OPEN_SINCE.bits());
    /// The length of one tick.
    pub(crate) const NANOS: u64 = 1_u64.unbounded_shl(Self::SHIFT);

    /// The tick that contains `now`.
    #[inline]
    pub(crate) const fn at(now: Instant) -> Self {
        Self(now.as_nanos().unbounded_shr(Self::SHIFT))
    }

    /// The first instant of the tick, or the clock's last for a tick beyond it.
    pub(crate) const fn start(self) -> Instant {
        Instant::from_nanos(self.0.saturating_mul(Self::NANOS))
    }
}

impl ProbeTick {
    const SHIFT: u32 = u64::BITS.saturating_sub(PROBE_SINCE.bits());
    /// The length of one tick.
    pub(crate) const NANOS: u64 = 1_u64.unbounded_shl(Self::SHIFT);

    /// The tick that contains `now`.
    #[inline]
    pub(crate) const fn at(now: Instant) -> Self {
        Self(now.as_nanos().unbounded_shr(Self::SHIFT))
    }

    /// The first instant of the tick, or the clock's last for a tick beyond it.
    pub(crate) const fn start(self) -> Instant {
        Instant::from_nanos(self.0.saturating_mul(Self::NANOS))
    }
}

const STATE: Field = Field::first(3);
const STREAK: Field = STATE.then(4);
const GENERATION: Field = STREAK.then(8);
const FAILURES: Field = GENERATION.rest();
const OPEN_SINCE: Field = GENERATION.rest();
const OUTSTANDING: Field = GENERATION.then(4);
const SUCCESSES: Field = OUTSTANDING.then(4);
const PROBE_SINCE: Field = SUCCESSES.rest();

const _: () = assert!(FAILURES.end() == 64 && OPEN_SINCE.end() == 64 && PROBE_SINCE.end() == 64);
const _: () = assert!(FAILURES.max() >= u32::MAX as u64);

/// The most re-openings that the streak counts.
pub(crate) const MAX_STREAK: u8 = 15;
/// The most probes, and the most required successes, that the word can count.
pub(crate) const MAX_PROBES: u8 = 15;
const _: () = assert!(STREAK.max() == MAX_STREAK as u64 && OUTSTANDING.max() == MAX_PROBES as u64);
const _: () = assert!(SUCCESSES.max() == MAX_PROBES as u64);

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;
const FORCED_OPEN: u64 = 3;
const FORCED_CLOSED: u64 = 4;

impl BreakerState {
    /// A breaker that has seen nothing: closed, generation 0.
    pub const NEW: Self = Self { generation: 0, mode: Mode::Closed { failures: 0 } };

    /// The state as users see it.
    pub const fn state(self) -> State {
        match self.mode {
            Mode::Closed { .. } => State::Closed,
            Mode::Open { .. } => State::Open,
            Mode::HalfOpen(_) => State::HalfOpen,
            Mode::ForcedOpen => State::ForcedOpen,
            Mode::ForcedClosed { .. } => State::ForcedClosed,
        }
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        let generation = GENERATION.put(self.generation as u64);
        generation
            | match self.mode {
                Mode::Closed { failures } => STATE.put(CLOSED) | FAILURES.put(failures as u64),
                Mode::Open { since, streak } => STATE.put(OPEN) | STREAK.put(streak as u64) | OPEN_SINCE.put(since.0),
                Mode::HalfOpen(Probing { since, streak, outstanding, successes }) => {
                    STATE.put(HALF_OPEN)
                        | STREAK.put(streak as u64)
                        | OUTSTANDING.put(outstanding as u64)
                        | SUCCESSES.put(successes as u64)
                        | PROBE_SINCE.put(since.0)
                }
                Mode::ForcedOpen => STATE.put(FORCED_OPEN),
                Mode::ForcedClosed { failures } => STATE.put(FORCED_CLOSED) | FAILURES.put(failures as u64),
            }
    }
}

impl Packed for BreakerState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        let streak = STREAK.get_u8(bits);
        let mode = match STATE.get(bits) {
            OPEN => Mode::Open { since: OpenTick(OPEN_SINCE.get(bits)), streak },
            HALF_OPEN => Mode::HalfOpen(Probing {
                since: ProbeTick(PROBE_SINCE.get(bits)),
                streak,
                outstanding: OUTSTANDING.get_u8(bits),
                successes: SUCCESSES.get_u8(bits),
            }),
            FORCED_OPEN => Mode::ForcedOpen,
            FORCED_CLOSED => Mode::ForcedClosed { failures: FAILURES.get_u32(bits) },
            _ => Mode::Closed { failures: FAILURES.get_u32(bits) },
        };
        Self { generation: GENERATION.get_u8(bits), mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_mode() -> impl Strategy<Value = Mode> {
        let streak = 0..=MAX_STREAK;
        let count = 0..=MAX_PROBES;
        prop_oneof![
            any::<u32>().prop_map(|failures| Mode::Closed { failures }),
            any::<u32>().prop_map(|failures| Mode::ForcedClosed { failures }),
            Just(Mode::ForcedOpen),
            (any::<u64>(), streak.clone())
                .prop_map(|(at, streak)| Mode::Open { since: OpenTick::at(Instant::from_nanos(at)), streak }),
            (any::<u64>(), streak, count.clone(), count).prop_map(|(at, streak, outstanding, successes)| {
                let since = ProbeTick::at(Instant::from_nanos(at));
                Mode::HalfOpen(Probing { since, streak, outstanding, successes })
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_state_survives_packing(generation: u8, mode in any_mode()) {
            let state = BreakerState { generation, mode };
            prop_assert_eq!(BreakerState::unpack(state.pack()), state);
        }

        #[test]
        fn every_word_decodes_to_a_state_that_survives_packing(bits: u64) {
            let state = BreakerState::unpack(bits);
            prop_assert_eq!(BreakerState::unpack(state.pack()), state);
        }
    }

    #[test]
    fn ticks_cover_the_whole_clock() {
        assert!(OpenTick::at(Instant::MAX).0 <= OPEN_SINCE.max());
        assert!(ProbeTick::at(Instant::MAX).0 <= PROBE_SINCE.max());
        assert_eq!(OpenTick::at(Instant::from_nanos(OpenTick::NANOS)).start().as_nanos(), 1 << 15);
        assert_eq!(ProbeTick::NANOS, 1 << 23);
    }
}
