//! Windows by example: each scenario with its numbers worked out by hand.

mod support;

use core::time::Duration;
use fusebox_core::*;
use support::*;

fn rate(rate: RateTrip) -> BreakerPolicy {
    let config = BreakerConfig { trip: Trip::Rate(rate), jitter: Jitter::None, ..BreakerConfig::DEFAULT };
    breaker(config)
}

fn counting<const WORDS: usize>(size: u32) -> Breaker<CountWindow<WORDS>> {
    Breaker::with_window(CountWindow::new(size).expect("the test's window is in range"))
}

fn timing(seconds: u64) -> Breaker<TimeWindow> {
    Breaker::with_window(TimeWindow::new(Duration::from_secs(seconds)).expect("the test's window is in range"))
}

/// A call from `now` to `now + length`.
fn call<W: Window>(
    breaker: &Breaker<W>,
    policy: &BreakerPolicy,
    now: u64,
    length: u64,
    outcome: Outcome,
) -> Option<Transition> {
    let (ticket, _) = breaker.admit(policy, at(now)).expect("the call is admitted");
    breaker.settle(policy, at(now + length), ticket, outcome)
}

fn state<W: Window>(breaker: &Breaker<W>, policy: &BreakerPolicy, now: u64) -> (State, u32, u32, u32) {
    let snapshot = breaker.snapshot(policy, at(now));
    (snapshot.state, snapshot.window.calls, snapshot.window.failures, snapshot.window.slow)
}

const FAIL: Outcome = Outcome::Failure;
const GOOD: Outcome = Outcome::Success;

#[test]
fn the_defaults_are_half_of_at_least_20_calls() {
    let policy = rate(RateTrip::DEFAULT);
    let breaker = timing(30);
    for _ in 0..10 {
        assert!(call(&breaker, &policy, SECOND, 0, FAIL).is_none());
    }
    for _ in 0..9 {
        assert!(call(&breaker, &policy, SECOND, 0, GOOD).is_none());
    }
    let tripped = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };
    assert_eq!(call(&breaker, &policy, SECOND, 0, GOOD), Some(tripped), "the 20th call decides, though it succeeded");
}

#[test]
fn h7_after_any_number_of_successes_half_a_window_of_failures_trips() {
    let policy = rate(RateTrip::DEFAULT);
    let breaker = counting::<4>(100);
    for _ in 0..100_000 {
        assert!(call(&breaker, &policy, 0, 0, GOOD).is_none());
    }
    for failures in 1..50 {
        assert!(call(&breaker, &policy, 0, 0, FAIL).is_none());
        assert_eq!(state(&breaker, &policy, 0), (State::Closed, 100, failures, 0));
    }
    assert!(call(&breaker, &policy, 0, 0, FAIL).is_some());
}

#[test]
fn h7_failures_leave_a_count_window_in_the_order_in_which_they_came() {
    let policy = rate(RateTrip { failure_rate_milli: Some(1_000), ..RateTrip::DEFAULT });
    let breaker = counting::<2>(30);
    for (outcome, calls) in [(FAIL, 10), (GOOD, 20)] {
        (0..calls).for_each(|_| assert!(call(&breaker, &policy, 0, 0, outcome).is_none()));
    }
    for left in (0..10).rev() {
        let _ = call(&breaker, &policy, 0, 0, GOOD);
        assert_eq!(state(&breaker, &policy, 0), (State::Closed, 30, left, 0));
    }
}

#[test]
fn h7_failures_leave_a_time_window_after_its_span() {
    let policy = rate(RateTrip { failure_rate_milli: Some(1_000), ..RateTrip::DEFAULT });
    let breaker = timing(30);
    let _ = call(&breaker, &policy, 100 * SECOND, 0, FAIL);
    let _ = call(&breaker, &policy, 110 * SECOND, 0, GOOD);
    assert_eq!(state(&breaker, &policy, 110 * SECOND), (State::Closed, 2, 1, 0));
    assert_eq!(state(&breaker, &policy, 127 * SECOND), (State::Closed, 2, 1, 0), "at least span - span / slots");
    assert_eq!(state(&breaker, &policy, 130 * SECOND), (State::Closed, 1, 0, 0), "at most the span");
    assert_eq!(state(&breaker, &policy, 140 * SECOND), (State::Closed, 0, 0, 0));
}

#[test]
fn slow_calls_trip_by_their_rate_and_failed_calls_can_be_slow_too() {
    let second = Duration::from_secs(1);
    let slow =
        RateTrip { failure_rate_milli: None, slow_rate_milli: Some(400), slow_call: second, ..RateTrip::DEFAULT };
    let policy = rate(RateTrip { minimum_calls: 5, ..slow });
    let breaker = counting::<4>(100);
    assert!(call(&breaker, &policy, 0, SECOND - 1, FAIL).is_none());
    assert!(call(&breaker, &policy, 0, SECOND, FAIL).is_none());
    assert!(call(&breaker, &policy, 0, 0, GOOD).is_none());
    assert!(call(&breaker, &policy, 0, 0, GOOD).is_none());
    assert_eq!(state(&breaker, &policy, SECOND), (State::Closed, 4, 2, 1));
    assert!(call(&breaker, &policy, 0, 2 * SECOND, GOOD).is_some(), "2 of 5 are slow");
}

#[test]
fn absolute_counts_need_no_minimum_of_calls() {
    let counts = RateTrip { failure_rate_milli: None, max_failures: Some(3), ..RateTrip::DEFAULT };
    let policy = rate(counts);
    let (counted, timed) = (counting::<4>(10), timing(10));
    for _ in 0..2 {
        assert!(call(&counted, &policy, 0, 0, FAIL).is_none());
        assert!(call(&timed, &policy, 0, 0, FAIL).is_none());
    }
    assert!(call(&counted, &policy, 0, 0, FAIL).is_some());
    assert!(call(&timed, &policy, 0, 0, FAIL).is_some());

    let policy = rate(RateTrip { max_failures: None, max_slow: Some(1), slow_call: Duration::from_secs(1), ..counts });
    assert!(call(&counting::<1>(28), &policy, 0, SECOND, GOOD).is_some());
}

#[test]
fn a_count_window_smaller_than_the_minimum_decides_when_it_is_full() {
    let policy = rate(RateTrip::DEFAULT);
    let breaker = counting::<1>(4);
    assert!((0..3).all(|_| call(&breaker, &policy, 0, 0, FAIL).is_none()));
    assert!(call(&breaker, &policy, 0, 0, FAIL).is_some());
}

#[test]
fn a_breaker_that_closes_starts_with_an_empty_window_and_probes_do_not_enter() {
    fn recovers<W: Window>(breaker: &Breaker<W>) {
        let policy = rate(RateTrip { minimum_calls: 2, ..RateTrip::DEFAULT });
        for round in 0..1_000 {
            let now = round * 10 * SECOND;
            assert!(call(breaker, &policy, now, 0, FAIL).is_none(), "one call is less than the minimum");
            assert!(call(breaker, &policy, now, 0, GOOD).is_some());
            assert_eq!(state(breaker, &policy, now), (State::Open, 0, 0, 0));
            assert!(call(breaker, &policy, now + 5 * SECOND, 0, GOOD).is_some(), "the probe closes it");
            assert_eq!(state(breaker, &policy, now + 5 * SECOND), (State::Closed, 0, 0, 0));
        }
    }
    recovers(&counting::<1>(28));
    recovers(&counting::<4>(100));
    recovers(&timing(3_600));
}

#[test]
fn probes_do_not_enter_while_half_open() {
    fn probing<W: Window>(breaker: &Breaker<W>) {
        let config = BreakerConfig { required_successes: 3, ..*rate(RateTrip::DEFAULT).config() };
        let policy = support::breaker(config);
        (0..20).for_each(|_| _ = call(breaker, &policy, 0, 0, FAIL));
        for _ in 0..2 {
            assert!(call(breaker, &policy, 5 * SECOND, 0, GOOD).is_none());
            assert_eq!(state(breaker, &policy, 5 * SECOND), (State::HalfOpen, 0, 0, 0));
        }
    }
    probing(&counting::<4>(100));
    probing(&timing(30));
}

#[test]
fn h15_no_number_of_generations_brings_an_old_window_back() {
    fn flaps<W: Window>(breaker: &Breaker<W>) {
        let policy = rate(RateTrip { minimum_calls: 30, ..RateTrip::DEFAULT });
        for round in 0..1_000 {
            // an odd and an even number of transitions, so that every distance of generations comes up
            if round % 3 == 0 {
                let _ = breaker.force(Forced::Closed);
            }
            let _ = breaker.reset();
            assert_eq!(state(breaker, &policy, 0), (State::Closed, 0, 0, 0), "round {round}");
            for outcome in [FAIL, GOOD].into_iter().cycle().take(29).skip(round % 29) {
                assert!(call(breaker, &policy, 0, 0, outcome).is_none(), "round {round}");
            }
            let expected = 29 - u32::try_from(round % 29).expect("fits");
            assert_eq!(state(breaker, &policy, 0).1, expected, "round {round}");
        }
    }
    flaps(&counting::<4>(112));
    flaps(&counting::<3>(84));
    flaps(&timing(10));
}

#[test]
fn b3_outcomes_of_an_older_generation_do_not_enter() {
    fn stale<W: Window>(breaker: &Breaker<W>) {
        let policy = rate(RateTrip { minimum_calls: 1, ..RateTrip::DEFAULT });
        let (old, _) = breaker.admit(&policy, at(0)).expect("closed");
        let _ = breaker.reset();
        assert!(breaker.settle(&policy, at(0), old, FAIL).is_none());
        assert_eq!(breaker.snapshot(&policy, at(0)).stale, 1);
        assert!(call(breaker, &policy, 0, 0, GOOD).is_none());
        assert_eq!(state(breaker, &policy, 0), (State::Closed, 1, 0, 0));
    }
    stale(&counting::<4>(100));
    stale(&timing(30));
}

#[test]
fn b5_ignored_and_cancelled_calls_do_not_enter() {
    let policy = rate(RateTrip::DEFAULT);
    let breaker = counting::<4>(100);
    assert!(call(&breaker, &policy, 0, 0, Outcome::Ignored).is_none());
    assert!(call(&breaker, &policy, 0, 0, Outcome::Cancelled).is_none());
    assert_eq!(state(&breaker, &policy, 0), (State::Closed, 0, 0, 0));
    let strict = breaker_with_cancelled(&policy);
    assert!(call(&breaker, &strict, 0, 0, Outcome::Cancelled).is_none());
    assert_eq!(state(&breaker, &strict, 0), (State::Closed, 1, 1, 0));
}

fn breaker_with_cancelled(policy: &BreakerPolicy) -> BreakerPolicy {
    breaker(BreakerConfig { cancelled_is_failure: true, ..*policy.config() })
}

#[test]
fn a_breaker_that_is_forced_closed_counts_and_never_trips() {
    fn forced<W: Window>(breaker: &Breaker<W>) {
        let policy = rate(RateTrip::DEFAULT);
        let _ = breaker.force(Forced::Closed);
        for calls in 1..=50 {
            assert!(call(breaker, &policy, 0, 0, FAIL).is_none());
            assert_eq!(state(breaker, &policy, 0), (State::ForcedClosed, calls, calls, 0));
        }
        let _ = breaker.reset();
        assert_eq!(state(breaker, &policy, 0), (State::Closed, 0, 0, 0));
    }
    forced(&counting::<4>(100));
    forced(&timing(30));
}

#[test]
fn r1_and_h10_a_change_of_policy_keeps_what_the_window_holds() {
    fn changed<W: Window>(breaker: &Breaker<W>) {
        let rows = support::breaker(BreakerConfig { trip: Trip::Consecutive(100), ..BreakerConfig::DEFAULT });
        let patient = rate(RateTrip { failure_rate_milli: Some(900), ..RateTrip::DEFAULT });
        let strict = rate(RateTrip { failure_rate_milli: Some(300), ..RateTrip::DEFAULT });
        for outcome in [FAIL, GOOD].into_iter().cycle().take(40) {
            assert!(call(breaker, &rows, 0, 0, outcome).is_none());
        }
        assert_eq!(state(breaker, &patient, 0), (State::Closed, 40, 20, 0));
        assert!(call(breaker, &patient, 0, 0, FAIL).is_none());
        assert!(call(breaker, &strict, 0, 0, FAIL).is_some(), "22 of 42 have failed");
    }
    changed(&counting::<4>(100));
    changed(&timing(30));
}

#[test]
fn without_a_window_a_rate_trips_when_the_minimum_of_calls_fails_in_a_row() {
    let policy = rate(RateTrip { minimum_calls: 3, ..RateTrip::DEFAULT });
    let breaker = Breaker::new();
    for outcome in [FAIL, FAIL, GOOD, FAIL, FAIL] {
        assert!(call(&breaker, &policy, 0, 0, outcome).is_none());
    }
    assert!(call(&breaker, &policy, 0, 0, FAIL).is_some());
}

#[test]
fn without_a_window_the_first_threshold_on_failures_counts_in_a_row_and_slow_calls_count_for_nothing() {
    let sound = RateTrip { minimum_calls: 4, ..RateTrip::DEFAULT };
    let none =
        RateTrip { failure_rate_milli: None, slow_rate_milli: Some(1), slow_call: Duration::from_secs(1), ..sound };
    let cases = [
        (RateTrip { max_failures: Some(2), ..sound }, Some(2)),
        (RateTrip { max_failures: Some(9), ..sound }, Some(4)),
        (RateTrip { max_failures: Some(9), ..none }, Some(9)),
        (none, None),
    ];
    for (trip, expected) in cases {
        let (breaker, policy) = (Breaker::new(), rate(trip));
        let tripped = (1..50).find(|_| call(&breaker, &policy, 0, 2 * SECOND, FAIL).is_some());
        assert_eq!(tripped, expected, "{trip:?}");
    }
}

#[test]
fn a_restored_window_holds_what_the_snapshot_says() {
    let policy =
        rate(RateTrip { failure_rate_milli: Some(900), slow_call: Duration::from_secs(1), ..RateTrip::DEFAULT });
    let old = counting::<4>(100);
    for index in 0..250 {
        let outcome = if index % 3 == 0 { FAIL } else { GOOD };
        let _ = call(&old, &policy, 0, if index % 4 == 0 { SECOND } else { 0 }, outcome);
    }
    let snapshot = old.snapshot(&policy, at(0));
    assert_eq!((snapshot.window.calls, snapshot.window.failures, snapshot.window.slow), (100, 34, 25));
    assert_eq!((snapshot.window.failure_rate_milli(), snapshot.window.slow_rate_milli()), (340, 250));
    let window = CountWindow::<4>::new(100).expect("in range");
    let counted = Breaker::restore_window(snapshot, window, at(SECOND));
    assert_eq!(counted.snapshot(&policy, at(SECOND)), snapshot);
    let window = TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range");
    let timed = Breaker::restore_window(snapshot, window, at(SECOND));
    assert_eq!(timed.snapshot(&policy, at(SECOND)), snapshot);
    assert!(call(&counted, &policy, SECOND, 0, GOOD).is_none());
    assert!(call(&timed, &policy, SECOND, 0, GOOD).is_none());
    assert_eq!(state(&timed, &policy, SECOND).1, 101);
    let window = CountWindow::<1>::new(10).expect("in range");
    assert_eq!(state(&Breaker::restore_window(snapshot, window, at(0)), &policy, 0), (State::Closed, 10, 10, 10));
}
