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
//! book cost:  owed + cost <= burst + debt cap   ->  the same, ready when inflow = mark - burst
//! ```
//!
//! A demand that must leave tokens for others sees a burst that is smaller by them; the mark is the same.
//!
//! **Bookings** stand one behind the other: each takes the stretch of inflow between the mark before it and the mark
//! after it. When it is ready follows from its end alone, so bookings are ready in the order in which they were made.
//! A *cancel* gives the stretch back where nobody stands behind it: the booking's end is still the mark. Where somebody
//! does, and there is debt, it gives nothing: the mark would fall behind the end of a booking whose time was told, a
//! newcomer would get the same time, and both together could exceed the burst. Without debt everybody's cost is there,
//! and a booking is given back like any token. (golang.org/x/time/rate keeps back what was booked later, too.) Somebody
//! may still wait for what it is to leave; the mark does not tell, so a cancel treats it as one that went when its cost
//! was there, and there it counts.
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
//! mark is never more than the burst, the debt cap and a *leeway* ahead: where it would be, a denial moves it down to
//! that. The leeway is one burst's refill or one second, whichever is longer. This is the only denial that writes.
//! Should the clock jump ahead again, what lies between counts as time that passed: it refills at most a burst.
//! A refund or a cancel that fills the bucket fills it as of its own reading: one that is later finds it full, one that is
//! earlier finds what had not flowed in by then.

use super::booking::Booking;
use super::demand::Demand;
use super::policy::BucketPolicy;
use super::snapshot::BucketSnapshot;
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
        self.take_as(Demand::plain(cost), now, policy)
    }

    /// Takes what `demand` asks at `now`, or says how long to wait for it.
    #[inline]
    pub const fn take_as(self, demand: Demand, now: Instant, policy: &BucketPolicy) -> (Self, Result<(), Wait>) {
        let (cost, limit) = limits(demand, policy);
        if cost == 0 {
            return (self, Ok(()));
        }
        if cost > limit {
            return (self, Err(Wait::Never));
        }
        let (state, owed) = self.believable(now, policy);
        let wanted = owed.saturating_add(cost);
        if wanted <= limit {
            return (Self::owing(wanted, now, policy), Ok(()));
        }
        (state, Err(Wait::Nanos(policy.wait(now, wanted.saturating_sub(limit)))))
    }

    /// Books what `demand` asks, to go within `max_wait` nanoseconds, or says how long until that can be booked.
    pub const fn book(
        self,
        demand: Demand,
        max_wait: u64,
        now: Instant,
        policy: &BucketPolicy,
    ) -> (Self, Result<Booking, Wait>) {
        let (cost, limit) = limits(demand, policy);
        if cost == 0 {
            return (self, Ok(Booking { ready_at: now, cost: demand.cost, mark: None }));
        }
        if cost > limit {
            return (self, Err(Wait::Never));
        }
        let (state, owed) = self.believable(now, policy);
        let wanted = owed.saturating_add(cost);
        let wait = policy.wait(now, wanted.saturating_sub(limit));
        let Some(ready_at) = now.as_nanos().checked_add(wait) else {
            return (state, Err(Wait::Never)); // beyond the end of the clock
        };
        let bookable = limit.saturating_add(policy.most_booked().saturating_sub(policy.burst_units()));
        if wanted <= bookable && wait <= max_wait {
            let next = Self::owing(wanted, now, policy);
            let booking = Booking { ready_at: Instant::from_nanos(ready_at), cost: demand.cost, mark: next.mark };
            return (next, Ok(booking));
        }
        // Until `ready_at` is near enough, and until the debt has room: neither moves while nobody else comes.
        let (near, room) = (wait.saturating_sub(max_wait), policy.wait(now, wanted.saturating_sub(bookable)));
        (state, Err(Wait::Nanos(if near > room { near } else { room })))
    }

    /// Gives back what can still be given of `booking`, and says how much that was.
    pub const fn cancel(self, booking: &Booking, now: Instant, policy: &BucketPolicy) -> (Self, Tokens) {
        let (Some(mark), Some(booked)) = (self.mark, booking.mark) else { return (self, Tokens::ZERO) };
        let owed = self.owed(now, policy);
        if mark != booked && owed > policy.burst_units() {
            return (self, Tokens::ZERO); // others wait behind it, and were told their time
        }
        let left = owed.saturating_sub(policy.units(booking.cost));
        (Self::owing(left, now, policy), policy.tokens(owed.saturating_sub(left)))
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

    /// The tokens booked ahead of the refill at `now`, rounded up to thousandths; at most the policy's debt cap.
    pub const fn debt(self, now: Instant, policy: &BucketPolicy) -> Tokens {
        let (owed, most) = (self.owed(now, policy), policy.most_booked());
        let owed = if owed < most { owed } else { most };
        policy.tokens_rounded_up(owed.saturating_sub(policy.burst_units()))
    }

    /// The first instant at which `demand`, refused at `now`, is admitted if nobody else comes; `None` where it would be
    /// admitted at `now`, or never.
    pub const fn next_change(self, demand: Demand, now: Instant, policy: &BucketPolicy) -> Option<Instant> {
        match self.take_as(demand, now, policy).1 {
            Err(Wait::Nanos(wait)) => match now.as_nanos().checked_add(wait) {
                Some(then) => Some(Instant::from_nanos(then)),
                None => None,
            },
            Ok(()) | Err(Wait::Never | Wait::Release) => None,
        }
    }

    /// Whether a bucket that was never touched would answer alike from `now` on: it is full, and nothing is booked.
    pub const fn is_fresh(self, now: Instant, policy: &BucketPolicy) -> bool {
        self.owed(now, policy) == 0
    }

    /// What the bucket holds, or owes, at `now`.
    pub const fn snapshot(self, now: Instant, policy: &BucketPolicy) -> BucketSnapshot {
        BucketSnapshot { level: self.level(now, policy), debt: self.debt(now, policy) }
    }

    /// The state that `snapshot` describes, at `now`; a level above the burst and a debt above its cap saturate.
    pub const fn restored(snapshot: BucketSnapshot, now: Instant, policy: &BucketPolicy) -> Self {
        let missing = policy.burst_units().saturating_sub(policy.units(snapshot.level));
        let owed = missing.saturating_add(policy.units(snapshot.debt));
        Self::owing(if owed < policy.most_booked() { owed } else { policy.most_booked() }, now, policy)
    }

    /// The same fill level, as a share of the burst, under another policy. Debt is a level below zero: it scales in the
    /// same way, and ends at the new policy's cap.
    ///
    /// Where more is owed than burst and debt, `now` is late: the policy changes when no more than that is owed. Else
    /// what has flowed in since `now`, and was taken by others, would flow in once more.
    pub const fn under(self, old: &BucketPolicy, new: &BucketPolicy, now: Instant) -> Self {
        if self.mark.is_none() {
            return self;
        }
        let ((state, owed), most, burst) = (self.believable(now, old), old.most_booked(), old.burst_units());
        let late = old.wait(now, owed.saturating_sub(most));
        let now = Instant::from_nanos(now.as_nanos().saturating_add(late));
        let owed = state.owed(now, old);
        let owed = if owed < most { owed } else { most };
        let product = (owed as u128).saturating_mul(new.burst_units() as u128);
        let rounded_up = product.saturating_add(burst.saturating_sub(1) as u128).checked_div(burst as u128);
        let Some(scaled) = rounded_up else { return Self::NEW }; // a burst of nothing, which no policy has
        let most = new.most_booked();
        Self::owing(if scaled < most as u128 { low(scaled) } else { most }, now, new)
    }

    /// The state and what it owes, as far as a clock that only goes ahead explains it; see the module's last paragraph.
    #[inline]
    const fn believable(self, now: Instant, policy: &BucketPolicy) -> (Self, u64) {
        let (most, owed) = (policy.most_owed(), self.owed(now, policy));
        if owed > most { (Self::owing(most, now, policy), most) } else { (self, owed) }
    }

    const fn owing(owed: u64, now: Instant, policy: &BucketPolicy) -> Self {
        Self { mark: Some(policy.inflow(now).wrapping_add(owed) & MARK.max()) }
    }

    /// Units missing to a full bucket; more than the burst while there is debt, or when the clock went back.
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

/// The units that `demand` takes, and the most that may be owed once it has them.
#[inline]
const fn limits(demand: Demand, policy: &BucketPolicy) -> (u64, u64) {
    (policy.units(demand.cost), policy.burst_units().saturating_sub(policy.units(demand.leave)))
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
