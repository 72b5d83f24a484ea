//! Any `now` whatever, from every thread: nothing panics, nothing leaks, and what does not depend on time still holds
//! (C1, B1, B5, B6, T4).

use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{
    AdaptiveConfig, AdaptivePolicy, AdaptiveRate, AdaptiveSnapshot, Breaker, BreakerConfig, BreakerPolicy,
    BucketPolicy, Bulkhead, BulkheadPolicy, Circuit, CircuitPolicy, Forced, Instant, Outcome, Rate, RateTrip,
    RetryBudget, RetryBudgetPolicy, Throttle, ThrottlePolicy, TimeWindow, TokenBucket, Tokens, Trip,
};
use std::time::Duration;

const OPERATIONS: u32 = 1_000;

/// The states that the threads race on, and their policies.
struct World {
    circuit: Circuit<TimeWindow>,
    policies: [CircuitPolicy; 2],
    rate: (AdaptiveRate, AdaptivePolicy),
    budget: RetryBudget,
    throttle: Throttle,
}

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let world = World::new(rng);
    let time = Time::starting_at(rng.u64(..1 << 62), rng.u64(1..50_000_000));
    let crew = crew(rng, threads, |_, rng| {
        let (mut held, mut transitions, mut admitted, mut watch) = (Vec::new(), 0, 0_u64, time.watch(Pace::Hostile));
        for _ in 0..OPERATIONS {
            let (now, policy) = (watch.read(rng), &world.policies[rng.usize(..2)]);
            match rng.u8(..16) {
                0 => world.others(now, rng),
                1 if rng.u8(..16) == 0 => transitions += usize::from(world.operator(rng)),
                1..=8 => {
                    if let Ok((permit, transition)) = world.circuit.admit(policy, now, Tokens::ONE) {
                        transitions += usize::from(transition.is_some());
                        admitted += 1;
                        held.push(permit);
                    }
                }
                _ => {
                    if let Some(permit) = held.pop() {
                        let transition = world.circuit.settle(policy, now, permit, any_outcome(rng));
                        transitions += usize::from(transition.is_some());
                    }
                }
            }
        }
        for permit in held {
            let transition = world.circuit.settle(&world.policies[0], watch.read(rng), permit, Outcome::Cancelled);
            transitions += usize::from(transition.is_some());
        }
        (transitions, admitted)
    });
    let (mut transitions, mut admitted) = (0, 0);
    for seen in crew {
        (transitions, admitted) = (transitions + seen.0, admitted + seen.1);
    }
    let end = world.circuit.snapshot(&world.policies[0], Instant::ORIGIN);
    assert_eq!(end.in_flight, 0, "B5: slots");
    let generation = end.breaker.expect("the policy has one").generation;
    assert_eq!(transitions % 256, usize::from(generation), "B6: one report for each generation");
    world.is_within_bounds(Instant::from_nanos(rng.u64(..)));
    world.goes_on(&time);
    Tally::from([("admitted", admitted), ("transitions", transitions as u64)])
}

impl World {
    fn new(rng: &mut Rng) -> Self {
        let bucket = BucketPolicy::new(Rate::per_second(1_000), Tokens::whole(20)).expect("in range");
        let mut policy = |trip| CircuitPolicy {
            breaker: Some(
                BreakerPolicy::new(BreakerConfig {
                    trip,
                    open_wait: Duration::from_millis(rng.u64(1..50)),
                    open_wait_max: Duration::from_millis(200),
                    probes: rng.u8(1..4),
                    probe_lease: Duration::from_millis(32),
                    ..BreakerConfig::DEFAULT
                })
                .expect("in range"),
            ),
            bulkhead: Some(BulkheadPolicy::new(rng.u32(1..6)).expect("in range")),
            bucket: Some(bucket),
        };
        let rate = Trip::Rate(RateTrip { minimum_calls: 4, ..RateTrip::DEFAULT });
        let window = TimeWindow::new(Duration::from_secs(1)).expect("in range");
        Self {
            policies: [policy(rate), policy(Trip::Consecutive(2))],
            circuit: Circuit::from_parts(Breaker::with_window(window), Bulkhead::new(), TokenBucket::new()),
            rate: (AdaptiveRate::new(), AdaptivePolicy::new(AdaptiveConfig::DEFAULT, &bucket).expect("in range")),
            budget: RetryBudget::new(),
            throttle: Throttle::new(),
        }
    }

    /// Forces the breaker or resets it, and says whether that began a generation. A reset does in any case.
    fn operator(&self, rng: &mut Rng) -> bool {
        let breaker = self.circuit.breaker();
        match rng.u8(..4) {
            0 => breaker.force(Forced::Open).is_some(),
            1 => breaker.force(Forced::Closed).is_some(),
            _ => {
                let _ = breaker.reset();
                true
            }
        }
    }

    fn others(&self, now: Instant, rng: &mut Rng) {
        let (rate, policy) = &self.rate;
        match rng.u8(..8) {
            0 => drop(rate.slow_down(policy, now, Duration::from_nanos(rng.u64(..)))),
            1 => drop(rate.settle(policy, now, any_outcome(rng))),
            2 => drop(rate.scale(policy, now, Tokens::ONE.into())),
            3 => self.budget.deposit(&RetryBudgetPolicy::DEFAULT, now),
            4 => drop(self.budget.try_withdraw(&RetryBudgetPolicy::DEFAULT, now)),
            5 => self.throttle.settle(&ThrottlePolicy::DEFAULT, now, rng.bool()),
            6 => drop(self.throttle.try_admit(&ThrottlePolicy::DEFAULT, now, rng.u64(..))),
            _ => self.is_within_bounds(now),
        }
    }

    fn is_within_bounds(&self, now: Instant) {
        let bucket = self.policies[0].bucket.expect("the policy has a bucket");
        assert!(self.circuit.bucket().peek(&bucket, now) <= bucket.burst(), "T4");
        assert!(self.rate.0.snapshot(&self.rate.1, now).share <= AdaptiveSnapshot::CEILING);
        let budget = self.budget.snapshot(&RetryBudgetPolicy::DEFAULT, now).balance;
        assert!(budget <= RetryBudgetPolicy::DEFAULT.config().burst, "{budget} retries saved up");
        let throttle = self.throttle.snapshot(&ThrottlePolicy::DEFAULT, now);
        assert!(throttle.accepts <= throttle.requests, "{throttle:?}");
    }

    /// C1: nothing is wedged. On a clock that only goes ahead every part admits again after its longest wait.
    fn goes_on(&self, time: &Time) {
        let _ = self.circuit.breaker().reset();
        for policy in &self.policies {
            let mut admitted = 0;
            // a clock that went back is believed at the first asking, and costs one wait from there
            for _ in 0..8 {
                let now = time.advance(5_000_000_000);
                if let Ok((permit, _)) = self.circuit.admit(policy, now, Tokens::ONE) {
                    admitted += 1;
                    let _ = self.circuit.settle(policy, now, permit, Outcome::Success);
                }
            }
            assert!(admitted >= 6, "C1: {admitted} of 8 calls admitted");
        }
    }
}
