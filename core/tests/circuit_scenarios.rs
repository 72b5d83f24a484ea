//! Hostile scenarios at the circuit: clocks that step back, refusals that cost nothing, guards that are dropped.

mod support;

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use fusebox_core::*;
use std::panic::catch_unwind;
use support::*;

const WAIT: u64 = 5 * SECOND;

/// Trips at the first failure, waits 5 s, then probes one at a time; one token per second, one call in flight.
fn policy() -> CircuitPolicy {
    CircuitPolicy {
        breaker: Some(breaker(BreakerConfig {
            trip: Trip::Consecutive(1),
            jitter: Jitter::None,
            ..BreakerConfig::DEFAULT
        })),
        bulkhead: Some(bulkhead(2)),
        bucket: Some(bucket(1, Duration::from_secs(1), Tokens::whole(3))),
    }
}

fn open_at(circuit: &Circuit, policy: &CircuitPolicy, now: u64) {
    let (permit, _) = circuit.admit(policy, at(now), Tokens::ONE).expect("everything is fresh");
    let transition = circuit.settle(policy, at(now), permit, Outcome::Failure).expect("trips");
    assert_eq!(transition.to, State::Open);
}

fn state(circuit: &Circuit, policy: &CircuitPolicy, now: u64) -> State {
    circuit.snapshot(policy, at(now)).breaker.expect("the policy has a breaker").state
}

#[test]
fn h1_a_clock_that_steps_back_an_hour_delays_an_open_circuit_by_one_wait() {
    let (circuit, policy) = (Circuit::new(), CircuitPolicy { bucket: None, ..policy() });
    open_at(&circuit, &policy, 3_600 * SECOND);
    let admitted = (0..10 * SECOND)
        .step_by(usize::try_from(100 * MS).expect("fits"))
        .find(|now| circuit.admit(&policy, at(*now), Tokens::ONE).is_ok());
    assert_eq!(admitted, Some(WAIT));
}

#[test]
fn h1_a_clock_that_steps_back_an_hour_delays_a_lost_probe_by_one_lease() {
    let (circuit, policy) = (Circuit::new(), CircuitPolicy { bulkhead: None, bucket: None, ..policy() });
    open_at(&circuit, &policy, 3_600 * SECOND);
    let _lost = circuit.admit(&policy, at(3_600 * SECOND + WAIT), Tokens::ONE).expect("the wait is over");
    let admitted = (0..100 * SECOND)
        .step_by(usize::try_from(100 * MS).expect("fits"))
        .find(|now| circuit.admit(&policy, at(*now), Tokens::ONE).is_ok());
    assert_eq!(admitted, Some(30 * SECOND));
}

#[test]
fn h3_a_probe_that_never_reports_is_replaced_after_its_lease() {
    let (circuit, policy) = (Circuit::new(), policy());
    open_at(&circuit, &policy, 0);
    let (lost, _) = circuit.admit(&policy, at(WAIT), Tokens::ONE).expect("the wait is over");
    let refused = circuit.admit(&policy, at(WAIT + 29 * SECOND), Tokens::ONE).expect_err("the probe is out");
    assert_eq!((refused.by, refused.wait), (Part::Breaker, Wait::Release));
    let later = WAIT + 30 * SECOND;
    let (probe, transition) = circuit.admit(&policy, at(later), Tokens::ONE).expect("the lease is over");
    assert_eq!(transition.map(|transition| transition.cause), Some(Cause::ProbesLost));
    assert!(circuit.settle(&policy, at(later), lost, Outcome::Failure).is_none(), "the lost probe is stale");
    let closed = circuit.settle(&policy, at(later), probe, Outcome::Success).expect("closes");
    assert_eq!(closed.to, State::Closed);
    assert_eq!(circuit.bulkhead().in_flight(), 0, "a lost probe that comes back returns its slot of the bulkhead");
}

#[test]
fn h4_a_cancelled_probe_neither_closes_nor_reopens() {
    let (circuit, policy) = (Circuit::new(), policy());
    open_at(&circuit, &policy, 0);
    for _ in 0..5 {
        let (probe, _) = circuit.admit(&policy, at(WAIT), Tokens::ONE).expect("a free slot");
        assert!(circuit.settle(&policy, at(WAIT), probe, Outcome::Cancelled).is_none());
        assert_eq!(state(&circuit, &policy, WAIT), State::HalfOpen);
    }
}

#[test]
fn h14_a_bucket_that_refuses_does_not_move_an_open_breaker_to_half_open() {
    let (circuit, policy) = (Circuit::new(), policy());
    open_at(&circuit, &policy, 0);
    for cost in [Tokens::whole(4), Tokens::milli(3_001)] {
        let refused = circuit.admit(&policy, at(WAIT), cost).expect_err("more than the burst");
        assert_eq!((refused.by, refused.wait), (Part::Bucket, Wait::Never));
        assert_eq!(state(&circuit, &policy, WAIT), State::Open);
    }
    assert!(circuit.admit(&policy, at(WAIT), Tokens::ONE).is_ok(), "the probe was not used up");
}

#[test]
fn h14_a_bulkhead_that_refuses_does_not_move_an_open_breaker_to_half_open() {
    let (circuit, policy) = (Circuit::new(), policy());
    let (slow, _) = circuit.admit(&policy, at(0), Tokens::ONE).expect("everything is fresh");
    let (_slower, _) = circuit.admit(&policy, at(0), Tokens::ONE).expect("two slots");
    let _ = circuit.settle(&policy, at(0), slow, Outcome::Failure);
    let narrow = CircuitPolicy { bulkhead: Some(bulkhead(1)), ..policy };
    let tokens = circuit.snapshot(&narrow, at(WAIT)).tokens;
    let refused = circuit.admit(&narrow, at(WAIT), Tokens::ONE).expect_err("the slot is taken");
    assert_eq!((refused.by, refused.wait), (Part::Bulkhead, Wait::Release));
    assert_eq!(state(&circuit, &narrow, WAIT), State::Open);
    assert_eq!(circuit.snapshot(&narrow, at(WAIT)).tokens, tokens);
}

#[test]
fn h14_an_open_breaker_costs_no_token_and_no_slot() {
    let (circuit, policy) = (Circuit::new(), policy());
    open_at(&circuit, &policy, 0);
    let before = circuit.snapshot(&policy, at(0));
    for _ in 0..100 {
        assert_eq!(circuit.admit(&policy, at(0), Tokens::ONE).expect_err("open").by, Part::Breaker);
    }
    assert_eq!(circuit.snapshot(&policy, at(0)), before);
}

#[test]
fn h9_a_cancelled_call_gives_its_tokens_back_and_a_spent_one_does_not() {
    let (circuit, policy) = (Circuit::new(), policy());
    let clock = TestClock::starting_at(SECOND);
    let left = || circuit.snapshot(&policy, clock.now()).tokens;
    let (guard, _) = circuit.enter(&policy, &clock, Tokens::whole(3)).expect("everything is fresh");
    assert_eq!(left(), Some(Tokens::ZERO));
    drop(guard);
    assert_eq!(left(), Some(Tokens::whole(3)));
    let (mut guard, _) = circuit.enter(&policy, &clock, Tokens::whole(2)).expect("given back");
    guard.spend();
    drop(guard);
    assert_eq!(left(), Some(Tokens::ONE));
}

#[test]
fn a_guard_that_a_panic_drops_settles_as_cancelled() {
    let (circuit, policy) = (Circuit::new(), policy());
    let clock = TestClock::starting_at(0);
    let before = circuit.snapshot(&policy, clock.now());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _guard = circuit.enter(&policy, &clock, Tokens::ONE).expect("everything is fresh");
        assert_eq!(circuit.bulkhead().in_flight(), 1);
        panic!("the call blew up");
    }));
    assert!(unwound.is_err());
    assert_eq!(circuit.snapshot(&policy, clock.now()), before);
}

#[test]
fn a_guard_settles_once_and_reads_the_clock_when_it_does() {
    let (circuit, policy) = (Circuit::new(), policy());
    let clock = TestClock::starting_at(0);
    let (guard, _) = circuit.enter(&policy, &clock, Tokens::ONE).expect("everything is fresh");
    clock.set(70 * SECOND);
    let transition = guard.settle(Outcome::Failure).expect("trips");
    assert_eq!((transition.to, transition.cause), (State::Open, Cause::Tripped));
    let snapshot = circuit.snapshot(&policy, clock.now());
    assert_eq!(snapshot.in_flight, 0);
    let opened = snapshot.breaker.and_then(|breaker| breaker.since).expect("it is open");
    assert!(opened.as_nanos() > 70 * SECOND - OPEN_TICK && opened.as_nanos() <= 70 * SECOND);
}

#[test]
fn a_dropped_guard_counts_as_a_failure_where_the_policy_says_so() {
    let strict =
        breaker(BreakerConfig { trip: Trip::Consecutive(1), cancelled_is_failure: true, ..BreakerConfig::DEFAULT });
    let (circuit, policy) = (Circuit::new(), CircuitPolicy { breaker: Some(strict), ..CircuitPolicy::UNLIMITED });
    let (guard, _) = circuit.enter(&policy, TestClock::default(), Tokens::ONE).expect("closed");
    drop(guard);
    assert_eq!(state(&circuit, &policy, 0), State::Open);
}

#[test]
fn a_part_that_comes_or_goes_while_a_call_is_under_way_leaks_nothing() {
    let (circuit, full) = (Circuit::new(), policy());
    let (early, _) = circuit.admit(&CircuitPolicy::UNLIMITED, at(0), Tokens::ONE).expect("no part");
    let (late, _) = circuit.admit(&full, at(0), Tokens::ONE).expect("everything is fresh");
    let _ = circuit.settle(&full, at(0), early, Outcome::Cancelled);
    let snapshot = circuit.snapshot(&full, at(0));
    assert_eq!(
        (snapshot.in_flight, snapshot.tokens),
        (1, Some(Tokens::whole(2))),
        "what was not taken is not returned"
    );
    let _ = circuit.settle(&CircuitPolicy::UNLIMITED, at(0), late, Outcome::Cancelled);
    assert_eq!(circuit.bulkhead().in_flight(), 0, "a slot returns even when the bulkhead's policy is gone");
}
