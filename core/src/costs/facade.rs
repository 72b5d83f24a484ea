//! The operations of a circuit, and of gates beyond its three parts.

use super::leaves::{adaptive_policy, bucket_policy, budget_policy};
use super::sheet::Sheet;
use super::{NOW, after};
use crate::*;
use core::time::Duration;

fn bulkhead_policy(slots: u32) -> BulkheadPolicy {
    BulkheadPolicy::new(slots).expect("in range")
}

fn breaker_policy() -> BreakerPolicy {
    let config = BreakerConfig { trip: Trip::Consecutive(1), jitter: Jitter::None, ..BreakerConfig::DEFAULT };
    BreakerPolicy::new(config).expect("in range")
}

pub(super) fn circuit() -> Sheet {
    let note = "`Circuit` with breaker, bulkhead and bucket, none with a window. `Fuse` and `Panel` add no access.";
    let mut sheet = Sheet::new("Circuit", note);
    let circuit = Circuit::new();
    let policy = CircuitPolicy {
        breaker: Some(breaker_policy()),
        bulkhead: Some(bulkhead_policy(1)),
        bucket: Some(bucket_policy()),
    };
    let admit = |now| circuit.admit(&policy, now, Tokens::ONE);
    let settle = |now, permit, outcome| circuit.settle(&policy, now, permit, outcome);

    let (permit, _) = sheet.costs("admit", "healthy", || admit(NOW)).expect("fresh");
    assert_eq!(sheet.refuses("admit", "by the bulkhead", || admit(NOW)).by, Part::Bulkhead);
    sheet.costs("settle", "a success, healthy", || settle(NOW, permit, Outcome::Success));
    let (permit, _) = admit(NOW).expect("a token is left");
    sheet.costs("settle", "ignored or cancelled", || settle(NOW, permit, Outcome::Cancelled));
    let (mut permit, _) = admit(NOW).expect("a token was returned");
    permit.spend();
    sheet.costs("settle", "ignored or cancelled, tokens spent", || settle(NOW, permit, Outcome::Ignored));
    assert_eq!(sheet.refuses("admit", "by the bucket", || admit(NOW)).by, Part::Bucket);
    sheet.costs("next_change", "the bucket refuses", || circuit.next_change(&policy, NOW, Tokens::ONE));

    let now = after(NOW, 2_000);
    let (permit, _) = admit(now).expect("refilled");
    let opened = sheet.costs("settle", "the failure that opens it", || settle(now, permit, Outcome::Failure));
    assert_eq!(opened.map(|opened| opened.to), Some(State::Open));
    assert_eq!(sheet.refuses("admit", "by the breaker", || admit(now)).by, Part::Breaker);
    sheet.costs("next_change", "the breaker refuses", || circuit.next_change(&policy, now, Tokens::ONE));
    let now = after(now, 5_000);
    let (probe, _) = sheet.costs("admit", "open, the wait is over: a probe", || admit(now)).expect("the wait is over");
    let closed = sheet.costs("settle", "the probe's success", || settle(now, probe, Outcome::Success));
    assert_eq!(closed.map(|closed| closed.to), Some(State::Closed));
    sheet.costs("next_change", "nothing refuses", || circuit.next_change(&policy, now, Tokens::ONE));
    sheet.costs("is_fresh", "all parts are", || circuit.is_fresh(&policy, after(now, 60_000)));
    sheet.costs("snapshot", "any", || circuit.snapshot(&policy, now));
    sheet
}

pub(super) fn smaller_circuit() -> Sheet {
    let note = "`Circuit` under a policy that leaves parts out.";
    let mut sheet = Sheet::new("Circuit with fewer parts", note);

    let (circuit, policy) = (Circuit::new(), CircuitPolicy::UNLIMITED);
    let (permit, _) = sheet.costs("admit", "no part", || circuit.admit(&policy, NOW, Tokens::ONE)).expect("unlimited");
    sheet.costs("settle", "no part, any outcome", || circuit.settle(&policy, NOW, permit, Outcome::Failure));
    sheet.costs("snapshot", "no part", || circuit.snapshot(&policy, NOW));

    let policy = CircuitPolicy { breaker: Some(breaker_policy()), ..CircuitPolicy::UNLIMITED };
    let admit = || circuit.admit(&policy, NOW, Tokens::ONE);
    let (permit, _) = sheet.costs("admit", "breaker only, healthy", admit).expect("closed");
    let settled = || circuit.settle(&policy, NOW, permit, Outcome::Success);
    sheet.costs("settle", "breaker only, a success, healthy", settled);

    let policy = CircuitPolicy { bucket: Some(bucket_policy()), ..policy };
    let admit = || circuit.admit(&policy, NOW, Tokens::whole(2));
    let (permit, _) = sheet.costs("admit", "breaker and bucket, healthy", admit).expect("full");
    assert_eq!(sheet.refuses("admit", "breaker and bucket, by the bucket", admit).by, Part::Bucket);
    let settled = || circuit.settle(&policy, NOW, permit, Outcome::Success);
    sheet.costs("settle", "breaker and bucket, a success, healthy", settled);
    sheet
}

pub(super) fn gates() -> Sheet {
    let note = "`((throttle, retry budget), ((bulkhead, bucket.adaptive(..)), breaker))`: everything at once.";
    let mut sheet = Sheet::new("Gates", note);
    let (throttle, budget, bulkhead, bucket, rate, breaker) =
        (Throttle::new(), RetryBudget::new(), Bulkhead::new(), TokenBucket::new(), AdaptiveRate::new(), Breaker::new());
    let (shed, retries, slots, tokens) =
        (ThrottlePolicy::DEFAULT, budget_policy(), bulkhead_policy(2), bucket_policy());
    let (adapts, trips) = (adaptive_policy(), breaker_policy());
    let limits = (bulkhead.gate(&slots), bucket.gate(&tokens).adaptive(&rate, &adapts));
    let gates = ((throttle.gate(&shed), budget.gate(&retries)), (limits, breaker.gate(&trips)));
    let (call, retry) = (Ask { random: 0, ..Ask::at(NOW) }, Ask { random: 0, retry: true, ..Ask::at(NOW) });

    assert_eq!(sheet.refuses("admit", "a retry, by the retry budget", || gates.admit(&retry)).by, Part::RetryBudget);
    let (pass, _) = sheet.costs("admit", "healthy", || gates.admit(&call)).expect("fresh");
    sheet.costs("settle", "a success, healthy", || gates.settle(NOW, pass, Outcome::Success));
    let (pass, _) = sheet.costs("admit", "a retry, healthy", || gates.admit(&retry)).expect("one was earned");
    sheet.costs("settle", "a retry's success, healthy", || gates.settle(NOW, pass, Outcome::Success));
    rate.slow_down(&adapts, NOW, Duration::from_secs(3));
    assert_eq!(sheet.refuses("admit", "by the adaptive rate", || gates.admit(&call)).by, Part::AdaptiveRate);
    (0..100).for_each(|_| throttle.settle(&shed, NOW, false));
    assert_eq!(sheet.refuses("admit", "by the throttle", || gates.admit(&call)).by, Part::Throttle);
    sheet
}
