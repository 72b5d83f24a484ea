//! Windows that are chosen at run time, and exchanged under a living breaker (R1).

mod support;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use fusebox_core::*;
use std::sync::{Arc, Mutex};
use support::*;

type Chosen = ChosenWindow<4, 63>;

/// A holder that is as simple as possible.
#[derive(Debug)]
struct Holder(Mutex<Arc<Chosen>>);

impl WindowHolder for Holder {
    type Window = Chosen;

    fn with<R>(&self, work: impl FnOnce(&Chosen) -> R) -> R {
        let window = Arc::clone(&self.0.lock().expect("nobody panics with it"));
        work(&window)
    }
}

type Held = Breaker<HeldWindow<Holder>>;

fn held(window: Chosen) -> Held {
    Breaker::with_window(HeldWindow::new(Holder(Mutex::new(Arc::new(window)))))
}

fn exchange(breaker: &Held, window: Chosen) {
    *breaker.window().holder().0.lock().expect("nobody panics with it") = Arc::new(window);
}

fn count(size: u32) -> Chosen {
    Chosen::Count(CountWindow::new(size).expect("in range"))
}

fn time(slots: u32) -> Chosen {
    Chosen::Time(TimeWindow::with_slots(Duration::from_secs(30), slots).expect("in range"))
}

/// Half of at least four calls.
fn half_of_four() -> BreakerPolicy {
    let rate = RateTrip { minimum_calls: 4, ..RateTrip::DEFAULT };
    breaker(BreakerConfig { trip: Trip::Rate(rate), jitter: Jitter::None, ..BreakerConfig::DEFAULT })
}

fn end<W: Window>(breaker: &Breaker<W>, now: u64, outcome: Outcome) -> Option<Transition> {
    let (ticket, _) = breaker.admit(&half_of_four(), at(now)).expect("it lets the call through");
    breaker.settle(&half_of_four(), at(now), ticket, outcome)
}

fn counts(breaker: &Held, now: u64) -> WindowCounts {
    breaker.snapshot(&half_of_four(), at(now)).window
}

#[test]
fn a_chosen_window_does_what_its_kind_does() {
    let outcomes = [true, false, false, true, false, false, false, true, true, false];
    for offset in 0..7 {
        let known = [Breaker::with_window(CountWindow::<4>::new(5).expect("in range"))];
        let timed = [Breaker::with_window(TimeWindow::<63>::with_slots(Duration::from_secs(30), 6).expect("in range"))];
        let (none, no_window) = (held(Chosen::None), Breaker::new());
        let (counted, slotted) = (held(count(5)), held(time(6)));
        for (call, &fails) in (0_u64..).zip(&outcomes) {
            let (now, outcome) = (call * (SECOND << offset), if fails { Outcome::Failure } else { Outcome::Success });
            let policy = half_of_four();
            let seen = [
                (known[0].snapshot(&policy, at(now)), counted.snapshot(&policy, at(now))),
                (timed[0].snapshot(&policy, at(now)), slotted.snapshot(&policy, at(now))),
                (no_window.snapshot(&policy, at(now)), none.snapshot(&policy, at(now))),
            ];
            for (expected, chosen) in seen {
                assert_eq!(expected, chosen, "before call {call}");
            }
            if seen.iter().all(|(snapshot, _)| snapshot.refusal.is_none()) {
                assert_eq!(end(&known[0], now, outcome), end(&counted, now, outcome));
                assert_eq!(end(&timed[0], now, outcome), end(&slotted, now, outcome));
                assert_eq!(end(&no_window, now, outcome), end(&none, now, outcome));
            }
        }
    }
}

#[test]
fn without_a_window_rates_fall_back_on_failures_in_a_row() {
    let none = held(Chosen::None);
    for _ in 0..3 {
        assert_eq!(end(&none, 0, Outcome::Failure), None);
    }
    assert_eq!(end(&none, 0, Outcome::Failure).map(|t| t.to), Some(State::Open));
}

#[test]
fn r1_an_open_breaker_stays_open_when_its_window_is_exchanged_and_probes_as_before() {
    let breaker = held(count(10));
    let opened = (0..4).filter_map(|_| end(&breaker, 0, Outcome::Failure)).count();
    assert_eq!(opened, 1);
    let before = breaker.snapshot(&half_of_four(), at(SECOND));
    assert_eq!(before.state, State::Open);
    for window in [time(10), Chosen::None, count(20)] {
        exchange(&breaker, window);
        assert_eq!(breaker.snapshot(&half_of_four(), at(SECOND)), before);
    }
    let transition = end(&breaker, 5 * SECOND, Outcome::Success);
    assert_eq!(transition.map(|t| t.to), Some(State::Closed));
    // and the window serves the generation that it has never seen
    (0..3).for_each(|_| assert_eq!(end(&breaker, 6 * SECOND, Outcome::Failure), None));
    assert_eq!(counts(&breaker, 6 * SECOND).failures, 3);
    assert_eq!(end(&breaker, 6 * SECOND, Outcome::Failure).map(|t| t.to), Some(State::Open));
}

#[test]
fn an_exchanged_window_begins_empty_and_tickets_from_before_count_in_it_once() {
    let (breaker, policy) = (held(count(10)), half_of_four());
    (0..3).for_each(|_| assert_eq!(end(&breaker, 0, Outcome::Failure), None));
    let (early, _) = breaker.admit(&policy, at(0)).expect("closed");
    exchange(&breaker, time(10));
    assert_eq!(counts(&breaker, 0), WindowCounts::NONE);
    assert_eq!(breaker.settle(&policy, at(0), early, Outcome::Failure), None, "the three before are forgotten");
    assert_eq!(counts(&breaker, 0), WindowCounts { calls: 1, failures: 1, slow: 0 });
    (0..256).for_each(|_| assert_eq!(breaker.reset(), None));
    assert_eq!(
        counts(&breaker, 0),
        WindowCounts::NONE,
        "a generation that ends is forgotten, before its number returns"
    );
}

#[test]
fn b3_a_ticket_of_an_older_generation_is_stale_also_after_an_exchange() {
    let (breaker, policy) = (held(count(10)), half_of_four());
    let (early, _) = breaker.admit(&policy, at(0)).expect("closed");
    breaker.reset();
    for window in [time(10), count(7)] {
        exchange(&breaker, window);
    }
    assert_eq!(breaker.settle(&policy, at(0), early, Outcome::Failure), None);
    assert_eq!((counts(&breaker, 0), breaker.snapshot(&policy, at(0)).stale), (WindowCounts::NONE, 1));
}

/// Shows one window at first, and another from some call on: an exchange in the middle of a settlement.
#[derive(Debug)]
struct Switching {
    windows: [Chosen; 2],
    left: AtomicU32,
}

impl WindowHolder for Switching {
    type Window = Chosen;

    fn with<R>(&self, work: impl FnOnce(&Chosen) -> R) -> R {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        work(&self.windows[usize::from(left == 0)])
    }
}

#[test]
fn b2_a_trip_that_the_old_window_decides_is_not_lost_and_leaves_the_new_one_empty() {
    let policy = half_of_four();
    for (generations, steps) in (0..=4).flat_map(|steps| [0, 1, 255, 256].map(|generations| (generations, steps))) {
        let holder = Switching { windows: [count(10), time(5)], left: AtomicU32::new(u32::MAX) };
        let breaker = Breaker::with_window(HeldWindow::new(holder));
        (0..generations).for_each(|_| assert_eq!(breaker.reset(), None));
        (0..3).for_each(|_| assert_eq!(end(&breaker, 0, Outcome::Failure), None));
        // a settlement asks whether outcomes are kept, records, asks for the capacity, and tells of a generation's end
        breaker.window().holder().left.store(steps, Ordering::SeqCst);
        let opened = end(&breaker, 0, Outcome::Failure);
        assert_eq!(opened.is_some(), steps >= 2, "what is recorded in the old window is decided there");
        breaker.window().holder().left.store(0, Ordering::SeqCst);
        let expected = if steps >= 2 { WindowCounts::NONE } else { WindowCounts { calls: 1, failures: 1, slow: 0 } };
        assert_eq!(breaker.snapshot(&policy, at(0)).window, expected);
        breaker.reset();
        end(&breaker, 0, Outcome::Failure);
        assert_eq!(breaker.snapshot(&policy, at(0)).window, WindowCounts { calls: 1, failures: 1, slow: 0 });
    }
}

#[test]
fn a_window_of_fewer_slots_than_it_has_room_for_moves_by_those() {
    let window = TimeWindow::<63>::with_slots(Duration::from_secs(30), 3).expect("in range");
    assert_eq!((window.span(), window.slots()), (Duration::from_secs(30), 3));
    let breaker = Breaker::with_window(window);
    for now in [5, 15, 25] {
        end(&breaker, now * SECOND, Outcome::Success);
    }
    let calls = |now: u64| breaker.snapshot(&half_of_four(), at(now * SECOND)).window.calls;
    assert_eq!([25, 29, 31, 39, 41, 51].map(calls), [3, 3, 2, 2, 1, 0]);
    for (slots, range) in [(0, "2 to 63"), (1, "2 to 63"), (64, "2 to 63")] {
        let error = TimeWindow::<63>::with_slots(Duration::from_secs(30), slots).expect_err("out of range");
        assert_eq!(error.to_string(), format!("window.slots is {slots}: allowed is {range}"));
    }
}
