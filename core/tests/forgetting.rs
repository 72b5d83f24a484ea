//! When a circuit may be forgotten, and when a refusal ends by time alone.

use core::time::Duration;
use fusebox_core::*;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn policy() -> CircuitPolicy {
    CircuitPolicy {
        breaker: Some(BreakerPolicy::DEFAULT),
        bulkhead: BulkheadPolicy::new(1).ok(),
        bucket: BucketPolicy::new(Rate::per_second(2), Tokens::whole(2)).ok(),
    }
}

fn fail(circuit: &Circuit, now: Instant) {
    let (permit, _) = circuit.admit(&policy(), now, Tokens::ZERO).expect("closed and empty");
    circuit.settle(&policy(), now, permit, Outcome::Failure);
}

#[test]
fn h11_a_circuit_is_fresh_only_when_a_new_one_would_decide_the_same() {
    let circuit = Circuit::new();
    assert!(circuit.is_fresh(&policy(), at(0)));

    let (permit, _) = circuit.admit(&policy(), at(0), Tokens::ONE).expect("fresh");
    assert!(!circuit.is_fresh(&policy(), at(10_000)), "a call is in flight");
    circuit.settle(&policy(), at(0), permit, Outcome::Success);
    assert!(!circuit.is_fresh(&policy(), at(499)), "a token is missing");
    assert!(circuit.is_fresh(&policy(), at(500)), "full again");

    fail(&circuit, at(1_000));
    assert!(!circuit.is_fresh(&policy(), at(1_000_000)), "a failure is counted");
    for _ in 0..6 {
        fail(&circuit, at(1_000));
    }
    assert!(!circuit.is_fresh(&policy(), at(1_000_000_000)), "open, also after its wait");
    circuit.breaker().reset();
    assert!(circuit.is_fresh(&policy(), at(1_000)));
}

#[test]
fn h11_a_window_that_holds_outcomes_is_not_fresh_until_they_have_left() {
    let window = TimeWindow::<10>::new(Duration::from_secs(10)).expect("in range");
    let breaker = Breaker::with_window(window);
    let policy = BreakerPolicy::new(BreakerConfig { trip: Trip::Rate(RateTrip::DEFAULT), ..BreakerConfig::DEFAULT })
        .expect("in range");
    let (ticket, _) = breaker.admit(&policy, at(0)).expect("closed");
    breaker.settle(&policy, at(0), ticket, Outcome::Failure);
    assert!(!breaker.is_fresh(at(0)));
    assert!(breaker.is_fresh(at(20_000)));
}

#[test]
fn a_refusal_ends_at_its_next_change_and_not_a_nanosecond_before() {
    let (circuit, policy) = (Circuit::new(), policy());
    assert_eq!(circuit.next_change(&policy, at(0), Tokens::ONE), None, "it would be admitted now");
    for _ in 0..2 {
        let (permit, _) = circuit.admit(&policy, at(0), Tokens::ONE).expect("two tokens");
        circuit.settle(&policy, at(0), permit, Outcome::Success);
    }
    let then = circuit.next_change(&policy, at(0), Tokens::ONE).expect("the bucket refills");
    assert_eq!(then, at(500));
    assert_eq!(circuit.next_change(&policy, at(0), Tokens::whole(3)), None, "it never fits");

    for _ in 0..7 {
        fail(&circuit, at(100));
    }
    let then = circuit.next_change(&policy, at(100), Tokens::ONE).expect("the open wait ends");
    let before = Instant::from_nanos(then.as_nanos() - 1);
    assert!(circuit.admit(&policy, before, Tokens::ONE).is_err());
    assert!(circuit.admit(&policy, then, Tokens::ONE).is_ok());
}

#[test]
fn b4_while_all_probes_are_out_the_next_change_is_the_end_of_the_lease() {
    let (breaker, policy) = (Breaker::new(), BreakerPolicy::DEFAULT);
    for _ in 0..7 {
        let (ticket, _) = breaker.admit(&policy, at(0)).expect("closed");
        breaker.settle(&policy, at(0), ticket, Outcome::Failure);
    }
    let (_lost, _) = breaker.admit(&policy, at(10_000)).expect("the first probe");
    let then = breaker.next_change(&policy, at(10_001)).expect("the lease ends");
    assert!(breaker.admit(&policy, Instant::from_nanos(then.as_nanos() - 1)).is_err());
    assert!(breaker.admit(&policy, then).is_ok());
    breaker.force(Forced::Open);
    assert_eq!(breaker.next_change(&policy, at(20_000)), None, "time does not decide");
}
