//! The circuit: a refused admission takes nothing (F1), and what a call took comes back once or not at all (B5).

use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::Time;
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{
    BreakerConfig, BreakerPolicy, BucketPolicy, BulkheadPolicy, Circuit, CircuitPolicy, Clock, Guard, Outcome, Part,
    Priority, Rate, Tokens, Trip,
};
use std::time::Duration;

const OPERATIONS: u32 = 1_500;
/// A probe's lease, the longest for an open wait of a millisecond.
const LEASE: u64 = 32_000_000;

/// What the threads have seen.
#[derive(Default)]
struct Seen {
    spent: u64,
    transitions: u64,
    given_back: u64,
    by_breaker: u64,
    by_bulkhead: u64,
    by_bucket: u64,
}

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let burst = Tokens::milli(rng.u64(50_000..500_000));
    let rate = Rate { tokens: 1, per: Duration::from_secs(86_400) };
    let policy = CircuitPolicy {
        breaker: Some(breaker(rng)),
        bulkhead: Some(BulkheadPolicy::new(rng.u32(1..8)).expect("in range")),
        bucket: Some(BucketPolicy::new(rate, burst).expect("in range")),
    };
    // all readings of a round together are less than a lease, so that no probe is written off
    let step = LEASE / (2 * u64::from(OPERATIONS) * threads as u64);
    let (circuit, time) = (Circuit::new(), Time::starting_at(rng.u64(..1 << 62), step));
    let crew = crew(rng, threads, |_, rng| {
        let (mut seen, mut held) = (Seen::default(), Vec::new());
        for _ in 0..OPERATIONS {
            if rng.bool() {
                let cost = [Priority::Low, Priority::Normal, Priority::High][rng.usize(..3)].cost();
                match circuit.enter(&policy, &time, cost) {
                    Ok((guard, transition)) => {
                        seen.transitions += u64::from(transition.is_some());
                        held.push((guard, cost));
                    }
                    Err(rejection) => match rejection.by {
                        Part::Breaker => seen.by_breaker += 1,
                        Part::Bulkhead => seen.by_bulkhead += 1,
                        _ => seen.by_bucket += 1,
                    },
                }
            } else if let Some((guard, cost)) = held.pop() {
                seen.end(guard, cost, rng);
            }
        }
        drop(held); // cancels them
        seen
    });
    let mut sum = Seen::default();
    for seen in crew {
        sum.spent += seen.spent;
        sum.transitions += seen.transitions;
        sum.given_back += seen.given_back;
        sum.by_breaker += seen.by_breaker;
        sum.by_bulkhead += seen.by_bulkhead;
        sum.by_bucket += seen.by_bucket;
    }
    let end = circuit.snapshot(&policy, time.now());
    let breaker = end.breaker.expect("the policy has one");
    assert_eq!(end.in_flight, 0, "B5, F1: slots");
    assert_eq!(breaker.outstanding, 0, "B5, F1: probes");
    let tokens = end.tokens.expect("the policy has a bucket").as_milli();
    assert_eq!(burst.as_milli() - tokens, sum.spent, "B5, F1: thousandths of a token that are gone");
    assert_eq!(sum.transitions % 256, u64::from(breaker.generation), "B6: one report for each generation");
    Tally::from([
        ("transitions", sum.transitions),
        ("given back", sum.given_back),
        ("refused by the breaker", sum.by_breaker),
        ("by the bulkhead", sum.by_bulkhead),
        ("by the bucket", sum.by_bucket),
    ])
}

fn breaker(rng: &mut Rng) -> BreakerPolicy {
    BreakerPolicy::new(BreakerConfig {
        trip: Trip::Consecutive(rng.u32(3..10)),
        open_wait: Duration::from_millis(1),
        open_wait_max: Duration::from_millis(2),
        probes: rng.u8(1..4),
        required_successes: rng.u8(1..5),
        probe_lease: Duration::from_nanos(LEASE),
        ..BreakerConfig::DEFAULT
    })
    .expect("in range")
}

impl Seen {
    fn end(&mut self, mut guard: Guard<'_, &Time>, cost: Tokens, rng: &mut Rng) {
        // the dependency has done its work, whatever comes of it
        let spends = rng.u8(..4) == 0;
        if spends {
            guard.spend();
        }
        let outcome = if rng.u8(..4) == 0 {
            drop(guard);
            Outcome::Cancelled
        } else {
            let outcome = any_outcome(rng);
            self.transitions += u64::from(guard.settle(outcome).is_some());
            outcome
        };
        if spends || matches!(outcome, Outcome::Success | Outcome::Failure) {
            self.spent += cost.as_milli();
        } else {
            self.given_back += 1;
        }
    }
}
