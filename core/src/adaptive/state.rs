//! The adaptive rate's state in one word, and its transitions as pure functions.
//!
//! ```text
//!             success, not quiet: share += time since the last change x slope
//!             +--------+
//!             v        |         failure: share x decrease
//!   New ---> Rising ---+------------------------------------> Quiet, one cooldown
//!             ^  ^     |         slow-down: share x decrease
//!             |  |     +------------------------------------> Held, as long as asked; then as Quiet
//!             |  +---- success after it ---- Quiet
//!             +------- success after it ---- Held
//! ```
//!
//! ```text
//!  bit   63              20 19    18 17               0
//!        +-----------------+--------+------------------+
//!        |  time (44 bits) |  mode  |  share (18 bits) |
//!        +-----------------+--------+------------------+
//! ```
//!
//! The time is in ticks of 2^20 ns, 1.05 ms: when the rate last rose, rounded down, or when quiet or pause end, rounded
//! up. A word of zero is a rate that was never touched, at its ceiling.

use super::policy::{AdaptivePolicy, LEAST_GAIN};
use super::snapshot::AdaptiveSnapshot;
use crate::bucket::Demand;
use crate::field::Field;
use crate::outcome::Outcome;
use crate::time::{Instant, low, nanos};
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Packed;
use core::time::Duration;

const SHARE: Field = Field::first(18);
const MODE: Field = SHARE.then(2);
const TIME: Field = MODE.rest();
const _: () = assert!(TIME.end() == 64 && TIME.bits() + TICK_BITS == 64 && SHARE.max() == CEILING as u64);

const TICK_BITS: u32 = 20;
/// The share of a rate at its ceiling.
pub(super) const CEILING: u32 = (1 << 18) - 1;
/// The binary places of the cost factor; `CEILING << FACTOR_BITS` is below 2^32.
const FACTOR_BITS: u32 = 14;

/// What a settled call did to the rate. Complete.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Adjustment {
    /// Nothing, so far.
    Kept,
    /// The rate rose.
    Raised,
    /// The rate was cut, or is at its floor and stays there.
    Cut,
}

/// The adaptive rate's word, decoded. Steps are functions of this value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AdaptiveState {
    share: u32,
    mode: Mode,
}

/// Times are in ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Mode {
    New,
    Rising { since: u64 },
    Quiet { until: u64 },
    Held { until: u64 },
}

impl AdaptiveState {
    /// A rate at its ceiling that was never touched.
    pub const NEW: Self = Self { share: CEILING, mode: Mode::New };

    /// What `demand` costs at `now`, or how long nothing is admitted.
    #[inline]
    pub const fn scale(self, demand: Demand, now: Instant, policy: &AdaptivePolicy) -> (Self, Result<Demand, Wait>) {
        if self.held(now) == 0 {
            return (self, Ok(self.dearer(demand, policy)));
        }
        let state = self.believable(now, policy);
        (state, Err(Wait::Nanos(state.held(now))))
    }

    /// How a call ended at `now`.
    pub const fn settle(self, outcome: Outcome, now: Instant, policy: &AdaptivePolicy) -> (Self, Adjustment) {
        let state = self.believable(now, policy);
        match outcome {
            Outcome::Success => state.raise(now, policy),
            Outcome::Failure if state.is_quiet(now, policy) => (state, Adjustment::Kept),
            Outcome::Failure => {
                let until = ticks_up(now.as_nanos().saturating_add(policy.cooldown()));
                (Self { share: policy.cut(state.share), mode: Mode::Quiet { until } }, Adjustment::Cut)
            }
            Outcome::Ignored | Outcome::Cancelled => (self, Adjustment::Kept),
        }
    }

    /// The service asked for a pause of `wait` nanoseconds at `now`.
    pub const fn slow_down(self, wait: u64, now: Instant, policy: &AdaptivePolicy) -> (Self, Adjustment) {
        let wait = if wait < policy.max_pause() { wait } else { policy.max_pause() };
        let asked = ticks_up(now.as_nanos().saturating_add(wait));
        let state = self.believable(now, policy);
        let (until, known) = match state.mode {
            Mode::Held { until } if state.held(now) > 0 => (until, true),
            // a pause that is over was not long enough: that is news
            Mode::Held { .. } => (0, false),
            Mode::New | Mode::Rising { .. } | Mode::Quiet { .. } => (0, state.is_quiet(now, policy)),
        };
        let mode = Mode::Held { until: if until > asked { until } else { asked } };
        if known {
            return (Self { share: state.share, mode }, Adjustment::Kept);
        }
        (Self { share: policy.cut(state.share), mode }, Adjustment::Cut)
    }

    /// When the pause that holds at `now` is over.
    pub const fn next_change(self, now: Instant, policy: &AdaptivePolicy) -> Option<Instant> {
        match self.scale(Demand::plain(Tokens::ZERO), now, policy).1 {
            Err(Wait::Nanos(held)) => Some(Instant::from_nanos(now.as_nanos().saturating_add(held))),
            Ok(_) | Err(Wait::Never | Wait::Release) => None,
        }
    }

    /// Whether a rate that was never touched would answer alike from `now` on.
    pub const fn is_fresh(self, now: Instant, policy: &AdaptivePolicy) -> bool {
        policy.clamp(self.share) == CEILING && self.held(now) == 0 && !self.is_quiet(now, policy)
    }

    /// Where the rate stands at `now`.
    pub const fn snapshot(self, now: Instant, policy: &AdaptivePolicy) -> AdaptiveSnapshot {
        let held = match self.scale(Demand::plain(Tokens::ZERO), now, policy).1 {
            Err(Wait::Nanos(held)) => held,
            Ok(_) | Err(Wait::Never | Wait::Release) => 0,
        };
        let quiet = if held == 0 && self.is_quiet(now, policy) { until(self.quiet_end(policy), now) } else { 0 };
        AdaptiveSnapshot {
            share: policy.clamp(self.share),
            held: Duration::from_nanos(held),
            quiet: Duration::from_nanos(quiet),
        }
    }

    /// The state that `snapshot` describes, at `now`.
    pub const fn restored(snapshot: AdaptiveSnapshot, now: Instant, policy: &AdaptivePolicy) -> Self {
        let (held, quiet) = (nanos(snapshot.held), nanos(snapshot.quiet));
        let mode = if held > 0 {
            let held = if held < policy.most_held() { held } else { policy.most_held() };
            Mode::Held { until: ticks_up(now.as_nanos().saturating_add(held)) }
        } else if quiet > 0 {
            Mode::Quiet { until: ticks_up(now.as_nanos().saturating_add(quiet)) }
        } else {
            Mode::Rising { since: ticks(now.as_nanos()) }
        };
        Self { share: policy.clamp(snapshot.share), mode }
    }

    /// The same absolute rate under another policy; the ceiling stays the ceiling.
    pub const fn under(self, old: &AdaptivePolicy, new: &AdaptivePolicy) -> Self {
        if self.share >= CEILING {
            return self;
        }
        Self { share: new.same_rate(old.clamp(self.share), old), mode: self.mode }
    }

    const fn raise(self, now: Instant, policy: &AdaptivePolicy) -> (Self, Adjustment) {
        if self.share >= CEILING || self.is_quiet(now, policy) {
            return (self, Adjustment::Kept);
        }
        let now_ticks = ticks(now.as_nanos());
        let since = match self.mode {
            Mode::New => now_ticks,
            Mode::Rising { since } => since,
            Mode::Quiet { .. } | Mode::Held { .. } => ticks(self.quiet_end(policy)),
        };
        let mode = Mode::Rising { since: now_ticks };
        if since > now_ticks.saturating_add(policy.longest_gain()) {
            return (Self { share: self.share, mode }, Adjustment::Kept); // the clock went back
        }
        let gain = policy.gain(now_ticks.saturating_sub(since));
        let share = policy.clamp(self.share.saturating_add(gain));
        if gain < LEAST_GAIN && (share < CEILING || gain == 0) {
            return (self, Adjustment::Kept);
        }
        (Self { share, mode }, Adjustment::Raised)
    }

    /// The state with no longer a pause than one that a late reading explains: a longer one comes from a clock that went
    /// back, and is the longest one from `now` on.
    #[inline]
    const fn believable(self, now: Instant, policy: &AdaptivePolicy) -> Self {
        let most = policy.most_held();
        if self.held(now) <= most {
            return self;
        }
        Self { share: self.share, mode: Mode::Held { until: ticks_up(now.as_nanos().saturating_add(most)) } }
    }

    /// Nanoseconds for which nothing is admitted; more than the longest pause when the clock went back.
    #[inline]
    const fn held(self, now: Instant) -> u64 {
        match self.mode {
            Mode::Held { until: end } => until(end.unbounded_shl(TICK_BITS), now),
            Mode::New | Mode::Rising { .. } | Mode::Quiet { .. } => 0,
        }
    }

    /// Whether the rate stays as it is at `now`: in a pause, and for a cooldown after a pause or a cut.
    const fn is_quiet(self, now: Instant, policy: &AdaptivePolicy) -> bool {
        let left = until(self.quiet_end(policy), now);
        let pause = if self.held(now) > 0 { policy.most_held() } else { 0 };
        // more than this comes from a clock that went back
        left > 0 && left <= policy.cooldown().saturating_mul(2).saturating_add(1 << TICK_BITS).saturating_add(pause)
    }

    const fn quiet_end(self, policy: &AdaptivePolicy) -> u64 {
        match self.mode {
            Mode::New | Mode::Rising { .. } => 0,
            Mode::Quiet { until } => until.unbounded_shl(TICK_BITS),
            Mode::Held { until } => {
                let pause_end = until.unbounded_shl(TICK_BITS);
                ticks_up(pause_end.saturating_add(policy.cooldown())).unbounded_shl(TICK_BITS)
            }
        }
    }

    #[inline]
    const fn dearer(self, demand: Demand, policy: &AdaptivePolicy) -> Demand {
        let share = policy.clamp(self.share);
        let room = policy.burst().as_milli().saturating_sub(demand.leave.as_milli());
        if share == CEILING || demand.cost.as_milli() > room {
            return demand;
        }
        let dividend = CEILING << FACTOR_BITS;
        let Some(quotient) = dividend.checked_div(share) else { return demand };
        let rounds = quotient.saturating_mul(share) < dividend;
        let factor = quotient.saturating_add(rounds as u32);
        let product = (demand.cost.as_milli() as u128).saturating_mul(factor as u128);
        let cost = product.saturating_add((1 << FACTOR_BITS) - 1).unbounded_shr(FACTOR_BITS);
        let cost = if cost < room as u128 { low(cost) } else { room };
        Demand { cost: Tokens::milli(cost), leave: demand.leave }
    }

    pub(crate) const fn bits(self) -> u64 {
        let (mode, time) = match self.mode {
            Mode::New => return 0,
            Mode::Rising { since } => (1, since),
            Mode::Quiet { until } => (2, until),
            Mode::Held { until } => (3, until),
        };
        SHARE.put(self.share as u64) | MODE.put(mode) | TIME.put(time)
    }
}

impl Packed for AdaptiveState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        let (share, time) = (SHARE.get_u32(bits), TIME.get(bits));
        match MODE.get(bits) {
            0 => Self::NEW,
            1 => Self { share, mode: Mode::Rising { since: time } },
            2 => Self { share, mode: Mode::Quiet { until: time } },
            _ => Self { share, mode: Mode::Held { until: time } },
        }
    }
}

/// Nanoseconds from `now` until `end`.
const fn until(end: u64, now: Instant) -> u64 {
    end.saturating_sub(now.as_nanos())
}

/// Whole ticks in `nanos`.
pub(super) const fn ticks(nanos: u64) -> u64 {
    nanos.unbounded_shr(TICK_BITS)
}

/// Ticks that cover `nanos`, or the last one of the clock.
const fn ticks_up(nanos: u64) -> u64 {
    let ticks = ticks(nanos.saturating_add((1 << TICK_BITS) - 1));
    if ticks < TIME.max() { ticks } else { TIME.max() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptive::AdaptiveConfig;
    use crate::bucket::{BucketPolicy, Rate};

    const NOW: u64 = 1_000_000;

    /// 4.3 of the share in a tick: two ticks make the least gain.
    fn policy() -> AdaptivePolicy {
        let bucket = BucketPolicy::new(Rate::per_second(1), Tokens::whole(1_000)).expect("in range");
        let config = AdaptiveConfig { climb: Duration::from_secs(64), ..AdaptiveConfig::DEFAULT };
        AdaptivePolicy::new(config, &bucket).expect("in range")
    }

    fn rising(share: u32, since: u64) -> AdaptiveState {
        AdaptiveState { share, mode: Mode::Rising { since } }
    }

    fn success(state: AdaptiveState, tick: u64) -> (AdaptiveState, Adjustment) {
        state.settle(Outcome::Success, Instant::from_nanos(tick << TICK_BITS), &policy())
    }

    #[test]
    fn a_gain_is_written_from_the_least_one_on_or_when_it_reaches_the_ceiling() {
        let half = CEILING / 2;
        assert_eq!(success(rising(half, NOW), NOW + 1), (rising(half, NOW), Adjustment::Kept), "4 is too little");
        let raised = rising(half + LEAST_GAIN, NOW + 2);
        assert_eq!(success(rising(half, NOW), NOW + 2), (raised, Adjustment::Raised));
        let full = rising(CEILING, NOW + 1);
        assert_eq!(success(rising(CEILING - 3, NOW), NOW + 1), (full, Adjustment::Raised));
    }

    #[test]
    fn c2_a_reading_that_is_older_than_the_longest_gain_means_that_the_clock_went_back() {
        let (late, back) = (NOW + policy().longest_gain(), NOW + policy().longest_gain() + 1);
        assert_eq!(success(rising(99_999, late), NOW), (rising(99_999, late), Adjustment::Kept));
        assert_eq!(success(rising(99_999, back), NOW), (rising(99_999, NOW), Adjustment::Kept), "it rises from here");
    }
}
