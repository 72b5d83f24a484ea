//! A bucket with debt in exact rational arithmetic that remembers every call: the oracle of the bookings' tests.

use super::exact::*;
use super::*;

/// One call that holds its tokens: when it goes, and its cost in exact amounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) id: usize,
    pub(crate) ready: u64,
    pub(crate) amount: i128,
    pub(crate) goes: bool,
}

/// The level may fall below zero by the debt cap; calls stand in the order in which they were accepted.
#[derive(Clone, Debug)]
pub(crate) struct Booked {
    pub(crate) exact: Exact,
    pub(crate) line: Vec<Held>,
    debt: i128,
    next: usize,
}

impl Booked {
    pub(crate) fn full(policy: &BucketPolicy, now: u64) -> Self {
        let exact = Exact::full(policy, now);
        Self { debt: exact.amount(policy.debt()), exact, line: Vec::new(), next: 0 }
    }

    /// Nanoseconds until the level has risen to `level`, rounded up.
    fn until(&self, level: i128) -> u64 {
        let short = (level - self.exact.level).max(0);
        u64::try_from((short + self.exact.per_nano - 1) / self.exact.per_nano).expect("waits are in range")
    }

    /// The wait until the call may go, and the one until it is accepted.
    pub(crate) fn ask(&self, demand: Demand, max_wait: u64) -> (u64, u64) {
        let needed = self.exact.amount(demand.cost) + self.exact.amount(demand.leave);
        let ready = self.until(needed);
        (ready, ready.saturating_sub(max_wait).max(self.until(needed - self.debt)))
    }

    pub(crate) fn accept(&mut self, cost: Tokens, ready: u64) -> usize {
        let amount = self.exact.amount(cost);
        self.exact.level -= amount;
        self.line.push(Held { id: self.next, ready, amount, goes: true });
        self.next += 1;
        self.next - 1
    }

    /// Takes a call out of the line: the last one gives back everything, others only where there is no debt.
    /// Returns what was given, and whether the call was the last.
    pub(crate) fn cancel(&mut self, id: usize) -> (i128, bool) {
        let place = self.line.iter().position(|held| held.id == id).expect("cancelled once");
        let last = place + 1 == self.line.len();
        if !last && self.exact.level < 0 {
            self.line[place].goes = false; // its place in the line stays taken
            return (0, false);
        }
        let held = self.line.remove(place);
        let given = held.amount.min(self.exact.burst - self.exact.level);
        self.exact.level += given;
        (given, last)
    }
}

/// Any bucket, with no debt, a little, or several bursts of it.
pub(crate) fn indebted() -> impl Strategy<Value = BucketPolicy> {
    let debt = prop_oneof![1 => Just(0), 3 => 1_u64..2_000, 3 => 1_000_u64..5_000];
    (any_bucket(), debt).prop_map(|(policy, share)| {
        let debt = Tokens::milli(policy.burst().as_milli() * share / 1_000);
        policy.with_debt(debt).expect("the test's debt is in range")
    })
}

/// The time in which the debt cap flows in, rounded up.
pub(crate) fn debt_refill(policy: &BucketPolicy) -> u64 {
    let mut empty = Exact::full(policy, 0);
    empty.level = 0;
    empty.wait(policy.debt())
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Take,
    /// Books, with a longest wait as a share of the time in which burst and debt flow in.
    Book(u64),
    Cancel(Index),
    CancelLast,
}

/// Forward time, costs, and what is done with them.
pub(crate) fn deeds() -> impl Strategy<Value = Vec<(Turn, Deed)>> {
    let deed = prop_oneof![
        3 => Just(Deed::Take),
        4 => Just(Deed::Book(2_000)),
        2 => (0_u64..1_000).prop_map(Deed::Book),
        1 => any::<Index>().prop_map(Deed::Cancel),
        2 => Just(Deed::CancelLast),
    ];
    (turns(), prop::collection::vec(deed, 60)).prop_map(|(turns, deeds)| turns.into_iter().zip(deeds).collect())
}

/// The longest wait in nanoseconds that a deed names.
pub(crate) fn max_wait(policy: &BucketPolicy, share: u64) -> u64 {
    let all = u128::from(burst_refill(policy)) + u128::from(debt_refill(policy));
    u64::try_from(all * u128::from(share) / 1_000).expect("in range")
}
