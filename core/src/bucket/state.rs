//! The bucket's state in one word, and its transitions as pure functions: GCRA counted in tokens.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A) keeps one number, the *theoretical arrival time*. Here it is
//! kept in token units instead of time, so that no rate has to be rounded to whole nanoseconds:
//!
//! ```text
//! inflow(now)            units that have flowed in since the origin: now x rate
//! mark                   the inflow at which the bucket will be full again
//! owed  = mark - inflow  what is missing to a full bucket; 0 when the mark lies behind
//! level = burst - owed
//!
//! take cost:  owed + cost <= burst   ->  mark = inflow + owed + cost
//!             otherwise denied; (owed + cost - burst) units must flow in first
//! ```
//!
//! ```text
//!  bit   63                                                    0
//!        +---------+--------------------------------------------+
//!        | touched |        mark, modulo 2^63 (63 bits)         |
//!        +---------+--------------------------------------------+
//! ```
//!
//! A word of zero is a bucket that was never touched, full at whatever time. The mark is compared modulo 2^63: half of
//! that, 2^62 units, is 146 years of idling at 1 unit per ns, and 53 days at the extreme of 1000. A bucket left alone
//! for longer may look as though the clock went back and deny as it would then (see below); it never admits more.
//! A clock that goes back by more than that looks as though it had gone ahead: it grants at most a burst.
//!
//! **A clock that goes back** lowers the inflow, so more seems to be owed. It may be a reading that is merely late: a
//! thread read the clock, was preempted, and others came first. Nothing is written then, or every late reading would
//! leave tokens behind for those on time. A clock that really went back must not deny for as long as the step, so the
//! mark is never more than the burst and a *leeway* ahead: where it would be, a denial moves it down to that. The
//! leeway is one burst's refill or one second, whichever is longer. This is the only denial that writes. Should the
//! clock jump ahead again, what lies between counts as time that passed: it refills at most a burst.

use super::policy::BucketPolicy;
use crate::field::Field;
use crate::time::{Instant, low};
use crate::tokens::Tokens;
use crate::wait::Wait;
use crate::word::Packed;

const MARK: Field = Field::first(63);
const TOUCHED: Field = MARK.rest();
const _: () = assert!(TOUCHED.end() == 64 && TOUCHED.max() == 1);

/// The bucket's word, decoded. Steps are functions of this value; see [`BucketState::take`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BucketState {
    /// `None` until the first token is taken.
    mark: Option<u64>,
}

impl BucketState {
    /// A full bucket that was never touched.
    pub const NEW: Self = Self { mark: None };

    /// A bucket that holds `level` at `now`; a level above the burst is a full bucket.
    pub const fn with_level(level: Tokens, now: Instant, policy: &BucketPolicy) -> Self {
        let owed = policy.burst_units().saturating_sub(policy.units(level));
        Self::owing(owed, now, policy)
    }

    /// Takes `cost` at `now`, or says how long to wait for it.
    #[inline]
    pub const fn take(self, cost: Tokens, now: Instant, policy: &BucketPolicy) -> (Self, Result<(), Wait>) {
        let (cost, burst) = (policy.units(cost), policy.burst_units());
        if cost == 0 {
            return (self, Ok(()));
        }
        if cost > burst {
            return (self, Err(Wait::Never));
        }
        let (most, owed) = (policy.most_owed(), self.owed(now, policy));
        // the clock went back by more than a late reading explains
        let (state, owed) = if owed > most { (Self::owing(most, now, policy), most) } else { (self, owed) };
        let wanted = owed.saturating_add(cost);
        if wanted <= burst {
            return (Self::owing(wanted, now, policy), Ok(()));
        }
        (state, Err(Wait::Nanos(policy.refill_nanos(wanted.saturating_sub(burst)))))
    }

    /// Gives `cost` back at `now`; the level never rises above the burst.
    pub const fn give_back(self, cost: Tokens, now: Instant, policy: &BucketPolicy) -> Self {
        if self.mark.is_none() || policy.units(cost) == 0 {
            return self;
        }
        let owed = self.owed(now, policy).saturating_sub(policy.units(cost));
        Self::owing(owed, now, policy)
    }

    /// The tokens available at `now`, rounded down to thousandths.
    pub const fn level(self, now: Instant, policy: &BucketPolicy) -> Tokens {
        policy.tokens(policy.burst_units().saturating_sub(self.owed(now, policy)))
    }

    /// The same fill level, as a share of the burst, under another policy.
    pub const fn under(self, old: &BucketPolicy, new: &BucketPolicy, now: Instant) -> Self {
        if self.mark.is_none() {
            return self;
        }
        let (owed, burst) = (self.owed(now, old), old.burst_units());
        if owed >= burst {
            return Self::owing(new.burst_units(), now, new);
        }
        let product = (owed as u128).saturating_mul(new.burst_units() as u128);
        let rounded_up = product.saturating_add(burst.saturating_sub(1) as u128).checked_div(burst as u128);
        let Some(scaled) = rounded_up else { return Self::NEW }; // a burst of nothing, which no policy has
        Self::owing(low(scaled), now, new)
    }

    const fn owing(owed: u64, now: Instant, policy: &BucketPolicy) -> Self {
        Self { mark: Some(policy.inflow(now).wrapping_add(owed) & MARK.max()) }
    }

    /// Units missing to a full bucket; more than the burst when the clock went back.
    #[inline]
    const fn owed(self, now: Instant, policy: &BucketPolicy) -> u64 {
        let Some(mark) = self.mark else { return 0 };
        let ahead = mark.wrapping_sub(policy.inflow(now)) & MARK.max();
        if ahead <= MARK.max() >> 1 { ahead } else { 0 }
    }

    pub(crate) const fn bits(self) -> u64 {
        match self.mark {
            Some(mark) => TOUCHED.put(1) | MARK.put(mark),
            None => 0,
        }
    }
}

impl Packed for BucketState {
    #[inline]
    fn pack(self) -> u64 {
        self.bits()
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        Self { mark: if TOUCHED.get(bits) == 1 { Some(MARK.get(bits)) } else { None } }
    }
}
