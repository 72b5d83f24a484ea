//! Windows under racing records: counts are those of the latest calls, no trip is lost, no ended generation counts.

#![cfg(any(loom, shuttle))]

use core::time::Duration;
use fusebox_core::{
    Breaker, BreakerConfig, BreakerPolicy, CountWindow, Instant, Jitter, Outcome, RateTrip, State, TimeWindow, Trip,
    Window, WindowCounts,
};
use fusebox_loom_tests::{Covered, Exploration, explore, hold, scope, spawn};
use std::sync::Arc;

const NOON: Instant = Instant::from_nanos(1_000_000_000_000_000);
/// In the next slot of a window of two seconds in two slots.
const NEXT: Instant = Instant::from_nanos(1_000_001_000_000_000);

/// Where all orders are too many for every day: under loom those with at most so many preemptions, under shuttle random
/// ones, the same every time.
fn some() -> Exploration {
    #[cfg(loom)]
    return Exploration::Preemptions(scope(3, 4));
    #[cfg(not(loom))]
    return Exploration::Random { seed: 4, orders: scope(50_000, 500_000) };
}

/// All orders under loom, which knows that many are alike; shuttle has too many.
fn all_of_loom() -> Exploration {
    if cfg!(loom) { Exploration::All } else { some() }
}

/// Half of at least `minimum_calls`.
fn policy(minimum_calls: u32) -> BreakerPolicy {
    let trip = Trip::Rate(RateTrip { minimum_calls, ..RateTrip::DEFAULT });
    BreakerPolicy::new(BreakerConfig { trip, jitter: Jitter::None, ..BreakerConfig::DEFAULT }).expect("in range")
}

/// Settles these outcomes, one in each thread, on a breaker whose window already holds others, and hands it to `check`
/// with the number of transitions that were returned.
fn settle_together<W: Window + 'static>(
    window: fn() -> W,
    policy: BreakerPolicy,
    before: &'static [Outcome],
    racing: &'static [(Outcome, Instant)],
    exploration: Exploration,
    check: impl Fn(&Breaker<W>, usize) + Send + Sync + 'static,
) -> Covered {
    let executions = explore(exploration, move || {
        let breaker = Arc::new(Breaker::with_window(window()));
        let _ = format!("{breaker:?}"); // reads every word, as loom wants it
        for &outcome in before {
            let (ticket, _) = breaker.admit(&policy, NOON).expect("closed");
            assert_eq!(breaker.settle(&policy, NOON, ticket, outcome), None);
        }
        let mut threads = racing.iter().map(|&(outcome, now)| {
            let (ticket, _) = breaker.admit(&policy, NOON).expect("closed");
            let breaker = breaker.clone();
            move || breaker.settle(&policy, now, ticket, outcome)
        });
        let first = threads.next().expect("there is a thread");
        let others: Vec<_> = threads.map(spawn).collect();
        let own = first();
        let transitions = others.into_iter().map(|wait| wait()).chain([own]).flatten().count();
        check(&breaker, transitions);
    });
    Covered { programs: 1, executions, outcomes: 1 }
}

fn three_of_count() -> CountWindow<1> {
    CountWindow::new(3).expect("in range")
}

fn four_of_count() -> CountWindow<1> {
    CountWindow::new(4).expect("in range")
}

fn two_seconds() -> TimeWindow<2> {
    TimeWindow::new(Duration::from_secs(2)).expect("in range")
}

/// A success and a failure are in it, others race: the window of three holds the three latest of them all.
fn latest(racing: &'static [(Outcome, Instant)], failures: u32, exploration: Exploration) {
    const BEFORE: &[Outcome] = &[Outcome::Success, Outcome::Failure];
    let never = BreakerPolicy::new(BreakerConfig {
        trip: Trip::Rate(RateTrip { failure_rate_milli: Some(1_000), ..RateTrip::DEFAULT }),
        ..BreakerConfig::DEFAULT
    });
    let never = never.expect("in range");
    let covered = settle_together(three_of_count, never, BEFORE, racing, exploration, move |breaker, transitions| {
        assert_eq!(transitions, 0);
        assert_eq!(breaker.snapshot(&policy(1), NOON).window, WindowCounts { calls: 3, failures, slow: 0 });
    });
    hold(&format!("count window, latest calls, {} threads, {exploration:?}", racing.len()), covered);
}

#[test]
fn the_counts_are_those_of_the_latest_calls() {
    latest(&[(Outcome::Failure, NOON), (Outcome::Success, NOON)], 2, Exploration::All);
}

#[test]
fn the_counts_are_those_of_the_latest_calls_of_three_threads() {
    latest(&[(Outcome::Failure, NOON), (Outcome::Success, NOON), (Outcome::Success, NOON)], 1, some());
}

/// Failures reach together what none of them reaches alone.
fn trips<W: Window + 'static>(
    name: &str,
    window: fn() -> W,
    racing: &'static [(Outcome, Instant)],
    exploration: Exploration,
) {
    const BEFORE: &[Outcome] = &[Outcome::Success];
    let calls = 1 + u32::try_from(racing.len()).expect("fits");
    let covered = settle_together(window, policy(calls), BEFORE, racing, exploration, |breaker, transitions| {
        assert_eq!(breaker.state().state(), State::Open, "b2: the trip is lost");
        assert_eq!(transitions, 1, "b6: the trip is reported once");
    });
    hold(&format!("{name}, {} threads, {exploration:?}", racing.len()), covered);
}

const ONE_SLOT: &[(Outcome, Instant)] = &[(Outcome::Failure, NOON), (Outcome::Failure, NOON)];
const ONE_SLOT_OF_THREE: &[(Outcome, Instant)] =
    &[(Outcome::Failure, NOON), (Outcome::Failure, NOON), (Outcome::Failure, NOON)];
const TWO_SLOTS: &[(Outcome, Instant)] = &[(Outcome::Failure, NOON), (Outcome::Failure, NEXT)];
const TWO_SLOTS_OF_THREE: &[(Outcome, Instant)] =
    &[(Outcome::Failure, NOON), (Outcome::Failure, NEXT), (Outcome::Failure, NOON)];

#[test]
fn b2_b6_a_count_window_trips_once_when_records_race() {
    trips("count window, trip", three_of_count, ONE_SLOT, Exploration::All);
    trips("count window, trip", four_of_count, ONE_SLOT_OF_THREE, some());
}

#[test]
fn b2_b6_a_time_window_trips_once_when_records_race_in_one_slot() {
    trips("time window, trip in one slot", two_seconds, ONE_SLOT, all_of_loom());
    trips("time window, trip in one slot", two_seconds, ONE_SLOT_OF_THREE, some());
}

#[test]
fn b2_b6_a_time_window_trips_once_when_records_race_in_two_slots() {
    trips("time window, trip in two slots", two_seconds, TWO_SLOTS, scope(some(), all_of_loom()));
    trips("time window, trip in two slots", two_seconds, TWO_SLOTS_OF_THREE, some());
}

/// A failure that trips, or comes too late, and a reset: the window of the generation that follows is empty.
fn reset<W: Window + 'static>(name: &str, window: fn() -> W, exploration: Exploration) {
    let policy = policy(1);
    let executions = explore(exploration, move || {
        let breaker = Arc::new(Breaker::with_window(window()));
        let _ = format!("{breaker:?}");
        let (ticket, _) = breaker.admit(&policy, NOON).expect("closed");
        let resets = {
            let breaker = breaker.clone();
            spawn(move || breaker.reset())
        };
        let tripped = breaker.settle(&policy, NOON, ticket, Outcome::Failure);
        let _ = resets();
        let snapshot = breaker.snapshot(&policy, NOON);
        assert_eq!((snapshot.state, snapshot.window), (State::Closed, WindowCounts::NONE), "b3: an ended generation");
        assert_eq!(snapshot.stale, u64::from(tripped.is_none()), "b3: stale, or counted");
    });
    hold(&format!("{name}, {exploration:?}"), Covered { programs: 1, executions, outcomes: 1 });
}

#[test]
fn b3_a_count_window_forgets_what_a_reset_ends() {
    reset("count window, trip and reset", three_of_count, Exploration::All);
}

#[test]
fn b3_a_time_window_forgets_what_a_reset_ends() {
    reset("time window, trip and reset", two_seconds, scope(some(), all_of_loom()));
}
