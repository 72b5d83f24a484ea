//! One circuit, used by both sides: its slot, its tokens and its breaker are accounted for to the last.

use super::{Side, Sides};
use crate::{Shared, board};
use fusebox_core::{
    BreakerPolicy, BucketPolicy, BulkheadPolicy, CircuitPolicy, Fuse, Instant, Outcome, Part, Permit, Rate, Tokens,
};
use semihosting::println;

const ROUNDS: u32 = 400;
const TOKENS: u64 = 60;
const SLOTS: u32 = 1;

/// A token each nanosecond: the next round finds the bucket full, and within a round nothing flows in.
static FUSE: Fuse = Fuse::new(CircuitPolicy {
    breaker: Some(BreakerPolicy::DEFAULT),
    bulkhead: match BulkheadPolicy::new(SLOTS) {
        Ok(policy) => Some(policy),
        Err(_) => panic!("checked at compile time"),
    },
    bucket: match BucketPolicy::new(Rate::per_second(1_000_000_000), Tokens::whole(TOKENS)) {
        Ok(policy) => Some(policy),
        Err(_) => panic!("checked at compile time"),
    },
});
static NOW: Shared<Instant> = Shared::new(Instant::ORIGIN);
static COUNTS: Shared<Counts> = Shared::new(Counts::NONE);
static HELD: Shared<Option<Permit>> = Shared::new(None);

#[derive(Clone, Copy, Debug)]
struct Counts {
    in_flight: u32,
    /// Calls that succeeded and so have used their token; every other call is cancelled and gives it back.
    spent: Sides,
    given_back: Sides,
    /// Refused because the other side had the slot.
    crowded: Sides,
}

impl Counts {
    const NONE: Self = Self { in_flight: 0, spent: Sides::NONE, given_back: Sides::NONE, crowded: Sides::NONE };
}

/// Races for the circuit.
pub fn run() {
    for (round, period) in (0..).zip(super::periods(ROUNDS)) {
        NOW.replace(Instant::from_nanos(TOKENS * round));
        use_up(period);
    }
    let counts = COUNTS.get();
    counts.given_back.expect_both("given tokens back");
    counts.crowded.expect_both("met the other");
    println!("circuit: {ROUNDS} rounds of {TOKENS} tokens: {counts:?}");
}

fn use_up(period: u32) {
    let before = COUNTS.get();
    super::round(period, on_tick, || {
        let mut cancelled = false;
        loop {
            match admit(Side::Main) {
                Ok(permit) => {
                    board::delay(50);
                    settle(Side::Main, permit, cancelled);
                    cancelled = !cancelled;
                }
                Err(Part::Bucket) => break,
                Err(_) => {}
            }
        }
    });
    if let Some(permit) = HELD.replace(None) {
        settle(Side::Main, permit, true);
    }

    let after = COUNTS.get();
    let spent = Tokens::whole((after.spent.sum() - before.spent.sum()).into());
    let snapshot = FUSE.snapshot(NOW.get());
    let left = snapshot.tokens.unwrap_or_default();
    let total = spent.as_milli() + left.as_milli();
    assert!(total == Tokens::whole(TOKENS).as_milli(), "{spent} were spent and {left} are left, period {period}");
    assert!((after.in_flight, snapshot.in_flight) == (0, 0), "{} are in flight, period {period}", snapshot.in_flight);
}

/// The interrupt begins a call, and ends it at the next tick.
fn on_tick() {
    match HELD.replace(None) {
        Some(permit) => {
            let cancelled = COUNTS.get().spent.sum().is_multiple_of(2);
            settle(Side::Interrupt, permit, cancelled);
        }
        None => {
            HELD.replace(admit(Side::Interrupt).ok());
        }
    }
}

fn admit(side: Side) -> Result<Permit, Part> {
    match FUSE.admit(NOW.get(), Tokens::ONE) {
        Ok((permit, transition)) => {
            assert!(transition.is_none(), "nothing fails, and yet {transition:?}");
            let in_flight = COUNTS.update(|counts| counts.in_flight += 1).in_flight;
            assert!(in_flight <= SLOTS, "{in_flight} calls are in flight");
            Ok(permit)
        }
        Err(rejection) => {
            match rejection.by {
                Part::Bulkhead => {
                    COUNTS.update(|counts| counts.crowded.add(side));
                }
                Part::Bucket => {}
                other => panic!("nothing fails, and yet the {other} refuses"),
            }
            Err(rejection.by)
        }
    }
}

fn settle(side: Side, permit: Permit, cancelled: bool) {
    COUNTS.update(|counts| {
        counts.in_flight -= 1;
        if cancelled { counts.given_back.add(side) } else { counts.spent.add(side) }
    });
    let outcome = if cancelled { Outcome::Cancelled } else { Outcome::Success };
    let transition = FUSE.settle(NOW.get(), permit, outcome);
    assert!(transition.is_none(), "nothing fails, and yet {transition:?}");
}
