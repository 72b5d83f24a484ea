//! The bucket's invariants, by id, under the model's policy: one token per second, a burst of three, a debt of two.

use super::{BURST, Filling, LATE, Op, SOON, Verdict};
use crate::model::{Made, StartOf, ToldOf};
use fusebox_core::{BucketState, Demand, Instant, Tokens};

impl Filling {
    /// t2 besides: that a denial is right for some order of the calls is the equality of outcomes itself.
    pub(super) fn demand_of_operation(&self, made: &Made<'_, Self>) {
        if let (Op::Take(demand, now), Verdict::Took(took)) = (made.op, made.verdict) {
            let (level, wanted) = (made.before.level(now, &self.policy), wanted(demand));
            // the level shown is rounded down by less than a thousandth; whole tokens are asked of it
            assert_eq!(took.is_ok(), level >= wanted, "t1, t2: {wanted:?} of {level:?}");
            assert!(took.is_ok() || level == made.after.level(now, &self.policy), "t2: a denial takes nothing");
        }
        for now in [SOON, LATE] {
            let drained = self.drained(*made.after, now);
            assert!(drained <= BURST, "t4: {drained:?} at once after {:?}", made.op);
        }
    }

    /// t1: what was taken was there, flowed in, was given back or is debt. A change of policy makes tokens of its own.
    pub(super) fn demand_of_execution(&self, start: &StartOf<Self>, told: &[ToldOf<Self>], _: &BucketState) {
        let (mut taken, mut there) = (0, start.state.level(SOON, &self.policy).as_milli());
        let (mut first, mut last, mut debt) = (SOON, SOON, 0);
        for (op, verdict) in told.iter().flatten() {
            let now = match (op, verdict) {
                (Op::Change(_), _) => return,
                (Op::Take(demand, now), Verdict::Took(took)) => {
                    taken += if took.is_ok() { demand.cost.as_milli() } else { 0 };
                    now
                }
                (Op::Book(now), Verdict::Booked(booked)) => {
                    debt = self.policy.debt().as_milli();
                    taken += if booked.is_ok() { Tokens::ONE.as_milli() } else { 0 };
                    now
                }
                (Op::Cancel(now), Verdict::GaveBack(tokens)) => {
                    there += tokens.as_milli();
                    now
                }
                (Op::Refund(now), _) => {
                    there += Tokens::ONE.as_milli();
                    now
                }
                _ => continue,
            };
            (first, last) = (first.min(*now), last.max(*now));
        }
        let inflow = millis(last) - millis(first); // a thousandth of a token each
        assert!(taken <= there + inflow + debt, "t1: {taken} taken of {there}, {inflow} flowed in, {debt} of debt");
    }

    /// What can be taken at once.
    fn drained(&self, mut state: BucketState, now: Instant) -> Tokens {
        let mut count = 0;
        while let (next, Ok(())) = state.take(Tokens::ONE, now, &self.policy) {
            count += 1;
            state = next;
            if count > 2 * BURST.as_milli() {
                break; // it never ends
            }
        }
        Tokens::whole(count)
    }
}

/// The level that a demand needs.
const fn wanted(demand: Demand) -> Tokens {
    Tokens::milli(demand.cost.as_milli() + demand.leave.as_milli())
}

const fn millis(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000
}
