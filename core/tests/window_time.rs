//! Invariants C1, C2 and H1 of time windows: no movement of the clock keeps a failure for ever, or loses a trip.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

const SLOTS: u64 = 10;
const SPAN: u64 = 30 * SECOND;

fn window() -> Breaker<TimeWindow> {
    Breaker::with_window(TimeWindow::new(Duration::from_nanos(SPAN)).expect("in range"))
}

fn policy(rate: RateTrip) -> BreakerPolicy {
    breaker(BreakerConfig { trip: Trip::Rate(rate), jitter: Jitter::None, ..BreakerConfig::DEFAULT })
}

/// A policy that reaches its threshold with the 1000th failure.
fn lenient() -> BreakerPolicy {
    policy(RateTrip { failure_rate_milli: None, max_failures: Some(1_000), ..RateTrip::DEFAULT })
}

fn end(breaker: &Breaker<TimeWindow>, policy: &BreakerPolicy, now: u64, outcome: Outcome) -> Option<Transition> {
    let (ticket, _) = breaker.admit(policy, at(now)).expect("closed");
    breaker.settle(policy, at(now), ticket, outcome)
}

fn counts(breaker: &Breaker<TimeWindow>, now: u64) -> WindowCounts {
    breaker.snapshot(&lenient(), at(now)).window
}

/// A window as a list of calls in slots that are numbered without end. Shares no code with the core.
#[derive(Default)]
struct Model {
    tick: i128,
    latest: i128,
    calls: Vec<(i128, bool)>,
}

impl Model {
    fn slot(&self, now: u64) -> (i128, i128, i128) {
        let (tick, slots) = (i128::from(now) / i128::from(SPAN / SLOTS), i128::from(SLOTS));
        let passed = tick - self.tick;
        if passed >= 0 {
            let latest = self.latest + passed.min(slots);
            (tick, latest, latest)
        } else if passed > -slots {
            (self.tick, self.latest, self.latest + passed)
        } else {
            (tick, self.latest, self.latest)
        }
    }

    fn record(&mut self, now: u64, failed: bool) {
        let (tick, latest, slot) = self.slot(now);
        (self.tick, self.latest) = (tick, latest);
        self.calls.push((slot, failed));
    }

    fn counts(&self, now: u64) -> WindowCounts {
        let (_, latest, _) = self.slot(now);
        let held = |failed: bool| {
            let held = self.calls.iter().filter(|call| call.0 > latest - i128::from(SLOTS) && call.1 >= failed);
            u32::try_from(held.count()).expect("fits")
        };
        WindowCounts { calls: held(false), failures: held(true), slow: 0 }
    }
}

fn hostile_moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        10 => (0..SPAN / 5).prop_map(Move::Ahead),
        2 => (0..3 * SPAN).prop_map(Move::Ahead),
        3 => (0..SPAN).prop_map(Move::Back),
        2 => (0..5 * SPAN).prop_map(Move::Back),
        1 => Just(Move::To(0)),
        1 => Just(Move::To(u64::MAX)),
        1 => any::<u64>().prop_map(Move::To),
    ]
}

/// Away from the edges of slots, where rounding of a few nanoseconds decides.
fn inside_a_slot(now: u64) -> u64 {
    let length = SPAN / SLOTS;
    (now / length).saturating_mul(length).saturating_add((now % length).max(100))
}

proptest! {
    #[test]
    fn c1_a_time_window_under_any_clock_holds_what_the_rules_say(
        calls in prop::collection::vec((hostile_moves(), any::<bool>()), 1..200),
    ) {
        let (breaker, mut model, mut now) = (window(), Model::default(), 0);
        for (time, failed) in calls {
            now = inside_a_slot(time.from(now));
            model.record(now, failed);
            let _ = end(&breaker, &lenient(), now, if failed { Outcome::Failure } else { Outcome::Success });
            prop_assert_eq!(counts(&breaker, now), model.counts(now), "at {}", now);
        }
    }

    #[test]
    fn h1_no_failure_counts_for_longer_than_two_spans_after_the_clock_has_moved(
        moves in prop::collection::vec(hostile_moves(), 1..50),
    ) {
        let (breaker, mut now) = (window(), 0);
        for time in moves {
            now = time.from(now).min(u64::MAX - 3 * SPAN);
            let _ = end(&breaker, &lenient(), now, Outcome::Failure);
        }
        // from here on the clock is sound
        for _ in 0..20 {
            now += SPAN / 10;
            let _ = end(&breaker, &lenient(), now, Outcome::Success);
        }
        now += SPAN / 10;
        prop_assert_eq!(counts(&breaker, now).failures, 0);
    }

    #[test]
    fn h1_a_step_back_of_any_size_forgets_no_failure(start in SPAN..u64::MAX, back: u64) {
        let breaker = window();
        for _ in 0..5 {
            let _ = end(&breaker, &lenient(), start, Outcome::Failure);
        }
        let now = start - back % start;
        let _ = end(&breaker, &lenient(), now, Outcome::Failure);
        prop_assert_eq!(counts(&breaker, now), WindowCounts { calls: 6, failures: 6, slow: 0 });
    }

    #[test]
    fn h1_and_b2_total_failure_trips_whatever_one_step_of_the_clock_does(
        before in 0_u64..40,
        step in hostile_moves(),
        pace in 0..SECOND,
    ) {
        let (breaker, policy) = (window(), policy(RateTrip::DEFAULT));
        let mut now = 1_000 * SECOND;
        let mut failures = 0;
        for call in 0..60 {
            now = if call == before { step.from(now) } else { now.saturating_add(pace) };
            failures += 1;
            if end(&breaker, &policy, now, Outcome::Failure).is_some() {
                break;
            }
        }
        prop_assert!(failures <= 40, "a step costs at most one more minimum of calls, not {failures}");
    }

    #[test]
    fn h15_a_window_left_alone_for_any_time_is_empty(idle in SPAN..u64::MAX / 2, before in 0..SPAN) {
        let breaker = window();
        let start = 7 * SECOND + before;
        let _ = end(&breaker, &lenient(), start, Outcome::Failure);
        prop_assert_eq!(counts(&breaker, start + idle), WindowCounts::NONE);
        let _ = end(&breaker, &lenient(), start + idle, Outcome::Success);
        prop_assert_eq!(counts(&breaker, start + idle), WindowCounts { calls: 1, failures: 0, slow: 0 });
    }
}

#[test]
fn h15_years_of_ticks_leave_no_slot_behind() {
    let length = SPAN / SLOTS;
    let breaker = window();
    let mut now = 100;
    // one failure, then for 30,000 slots successes that never come to the slot that it is in
    let _ = end(&breaker, &lenient(), now, Outcome::Failure);
    for slot in 1..30_000 {
        now += length;
        if slot % SLOTS != 0 {
            let _ = end(&breaker, &lenient(), now, Outcome::Success);
        }
        let failures = u32::from(slot < SLOTS);
        assert_eq!(counts(&breaker, now).failures, failures, "in slot {slot}");
    }
}

#[test]
fn h15_no_idle_time_brings_the_slot_numbers_round() {
    for windows in (0..200).chain([1 << 12, 1 << 20, 1 << 28]) {
        let breaker = window();
        let _ = end(&breaker, &lenient(), 100, Outcome::Failure);
        let now = 100 + (windows + 1) * SPAN;
        let _ = end(&breaker, &lenient(), now, Outcome::Success);
        assert_eq!(counts(&breaker, now), WindowCounts { calls: 1, failures: 0, slow: 0 }, "{windows} windows");
    }
}

#[test]
fn h15_both_ends_of_the_clock_count_and_trip() {
    for start in [0, u64::MAX] {
        let (breaker, policy) = (window(), policy(RateTrip::DEFAULT));
        for _ in 0..19 {
            assert!(end(&breaker, &policy, start, Outcome::Failure).is_none());
        }
        assert!(end(&breaker, &policy, start, Outcome::Failure).is_some());
    }
}

#[test]
fn a_full_slot_keeps_its_rates() {
    let policy = policy(RateTrip { failure_rate_milli: Some(900), ..RateTrip::DEFAULT });
    let breaker = window();
    for call in 0..1_000_000 {
        let outcome = if call % 4 == 0 { Outcome::Failure } else { Outcome::Success };
        assert!(end(&breaker, &policy, 5, outcome).is_none());
    }
    let counts = counts(&breaker, 5);
    assert!(counts.calls > 131_071, "{counts:?}");
    assert!((249..=250).contains(&counts.failure_rate_milli()), "{counts:?}");
}

#[test]
fn h15_no_number_of_resets_without_a_call_brings_failures_back() {
    let policy = policy(RateTrip::DEFAULT);
    let day = 86_400 * SECOND;
    for resets in [1, 32, 62, 63, 64, 65, 128, 1_000] {
        for forced in [false, true] {
            for later in [0, day] {
                let (breaker, now) = (window(), 100 * SECOND);
                (0..19).for_each(|_| assert_eq!(end(&breaker, &policy, now, Outcome::Failure), None));
                for _ in 0..resets {
                    if forced {
                        let _ = breaker.force(Forced::Open);
                    }
                    let _ = breaker.reset();
                    assert_eq!(counts(&breaker, now), WindowCounts::NONE, "{resets} resets, forced: {forced}");
                    assert_eq!(counts(&breaker, now + day), WindowCounts::NONE, "{resets} resets, forced: {forced}");
                }
                assert_eq!(end(&breaker, &policy, now + later, Outcome::Failure), None);
                let held = WindowCounts { calls: 1, failures: 1, slow: 0 };
                assert_eq!(counts(&breaker, now + later), held, "{resets} resets, forced: {forced}");
            }
        }
    }
}
