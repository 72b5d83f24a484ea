//! Windows under real threads: tiny ones, so that records overtake each other by whole laps.

mod support;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use fusebox_core::*;
use std::sync::{Barrier, Mutex};
use std::thread;
use support::*;

const THREADS: usize = 4;

fn race<T: Send>(call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (barrier, call) = (Barrier::new(THREADS), &call);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    call(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn policy(rate: RateTrip) -> BreakerPolicy {
    breaker(BreakerConfig { trip: Trip::Rate(rate), jitter: Jitter::None, ..BreakerConfig::DEFAULT })
}

/// Counts slow calls, and never trips.
fn watching() -> BreakerPolicy {
    let slow_call = Duration::from_secs(1);
    policy(RateTrip { failure_rate_milli: None, max_failures: Some(100_000), slow_call, ..RateTrip::DEFAULT })
}

fn end<W: Window>(breaker: &Breaker<W>, policy: &BreakerPolicy, now: u64, bits: usize) -> Option<Transition> {
    let (ticket, _) = breaker.admit(policy, at(now)).ok()?;
    let outcome = if bits & 1 == 0 { Outcome::Success } else { Outcome::Failure };
    breaker.settle(policy, at(now + if bits & 2 == 0 { 0 } else { SECOND }), ticket, outcome)
}

/// A sequence that is different for each thread and goes through all outcomes.
fn scramble(thread: usize, call: usize) -> usize {
    (thread * 7 + call).wrapping_mul(0x9e37_79b9) >> 13
}

/// Counts that differ from the ring's contents show when the contents are replaced by known ones.
fn assert_counts_are_the_contents<const WORDS: usize>(
    breaker: &Breaker<CountWindow<WORDS>>,
    policy: &BreakerPolicy,
    before: &str,
) {
    let size = breaker.window().size();
    for (bits, calls) in [(3, size), (0, size), (3, size)] {
        (0..calls).for_each(|_| assert_eq!(end(breaker, policy, 0, bits), None));
        let bad = if bits == 0 { 0 } else { size };
        let counts = breaker.snapshot(policy, at(0)).window;
        assert_eq!(counts, WindowCounts { calls: size, failures: bad, slow: bad }, "{before}, size {size}");
    }
}

#[test]
fn when_no_call_is_under_way_the_counts_are_the_contents() {
    let policy = watching();
    for size in [1, 2, 3, 5, 27, 28, 29, 30, 56, 84].into_iter().cycle().take(60) {
        let breaker = Breaker::with_window(CountWindow::<3>::new(size).expect("in range"));
        race(|thread| {
            for call in 0..3_000 {
                assert_eq!(end(&breaker, &policy, 0, scramble(thread, call)), None);
            }
        });
        assert_counts_are_the_contents(&breaker, &policy, "racing records");
    }
}

#[test]
fn the_counts_are_the_contents_also_after_racing_generations() {
    let policy = policy(RateTrip { minimum_calls: 4, slow_call: Duration::from_secs(1), ..RateTrip::DEFAULT });
    for size in [1, 2, 3, 5, 28, 29, 56, 84].into_iter().cycle().take(40) {
        let breaker = Breaker::with_window(CountWindow::<3>::new(size).expect("in range"));
        let clock = TestClock::starting_at(0);
        race(|thread| {
            for call in 0..3_000 {
                // an open breaker recovers, so generations fly by
                let now = clock.advance(20 * MS);
                let _ = end(&breaker, &policy, now, scramble(thread, call));
                if thread == 0 && call % 16 == 0 {
                    let _ = breaker.reset();
                }
            }
        });
        let _ = breaker.force(Forced::Closed); // the last generation may be any
        let _ = end(&breaker, &policy, 0, 0);
        assert_counts_are_the_contents(&breaker, &policy, "racing generations");
    }
}

#[test]
fn b3_no_racing_outcome_of_an_older_generation_enters() {
    fn stale<W: Window>(new: impl Fn() -> W) {
        let policy = watching();
        for _ in 0..200 {
            let breaker = Breaker::with_window(new());
            let admit = || breaker.admit(&policy, at(0)).expect("closed").0;
            let old: Vec<Mutex<Vec<Ticket>>> = (0..2).map(|_| Mutex::new((0..50).map(|_| admit()).collect())).collect();
            race(|thread| match thread {
                0 | 1 => {
                    for ticket in core::mem::take(&mut *old[thread].lock().expect("not poisoned")) {
                        let _ = breaker.settle(&policy, at(0), ticket, Outcome::Failure);
                    }
                }
                2 => {
                    let _ = breaker.reset();
                }
                _ => (0..50).for_each(|_| assert_eq!(end(&breaker, &policy, 0, 0), None)),
            });
            assert_eq!(end(&breaker, &policy, 0, 0), None);
            let counts = breaker.snapshot(&policy, at(0)).window;
            assert_eq!((counts.failures, counts.slow), (0, 0), "{counts:?}");
            assert!(counts.calls >= 1);
        }
    }
    stale(|| CountWindow::<1>::new(5).expect("in range"));
    stale(|| CountWindow::<4>::new(100).expect("in range"));
    stale(|| TimeWindow::<4>::new(Duration::from_secs(4)).expect("in range"));
}

/// Of `calls` racing calls half fail, and the threshold is reached by the last of them, whichever that is.
fn last_call_trips<W: Window>(breaker: &Breaker<W>, now: impl Fn(usize, usize) -> u64 + Sync) {
    const CALLS: usize = 10;
    let total = u32::try_from(CALLS * THREADS).expect("fits");
    let policy = policy(RateTrip { minimum_calls: total, ..RateTrip::DEFAULT });
    let settled = AtomicUsize::new(0);
    let transitions = race(|thread| {
        let mut transitions = Vec::new();
        for call in 0..CALLS {
            let transition = end(breaker, &policy, now(thread, call), (thread + call) % 2);
            settled.fetch_add(1, Ordering::SeqCst);
            transitions.extend(transition);
        }
        transitions
    });
    let tripped = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };
    assert_eq!(transitions.concat(), [tripped], "after {settled:?} calls");
}

#[test]
fn b2_and_b6_the_racing_record_that_reaches_the_threshold_trips_and_one_caller_learns_of_it() {
    let second = Duration::from_secs(1);
    for _ in 0..1_500 {
        last_call_trips(&Breaker::with_window(CountWindow::<2>::new(40).expect("in range")), |_, _| 0);
        let window = || TimeWindow::<10>::new(second * 30).expect("in range");
        last_call_trips(&Breaker::with_window(window()), |_, _| 0);
        // threads in different slots
        last_call_trips(&Breaker::with_window(window()), |thread, _| 3 * SECOND * thread as u64 + 100);
        // and threads that move the window under each other
        last_call_trips(&Breaker::with_window(window()), |thread, call| 2 * SECOND * call as u64 + thread as u64);
    }
}

#[test]
fn racing_records_in_one_span_are_all_counted() {
    let policy = watching();
    for _ in 0..100 {
        let breaker = Breaker::with_window(TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range"));
        let clock = TestClock::starting_at(100);
        race(|thread| {
            for call in 0..500 {
                // 27 s of clock for all calls together
                let now = clock.advance(27 * SECOND / (500 * THREADS as u64));
                assert_eq!(end(&breaker, &policy, now, scramble(thread, call) & 1), None);
            }
        });
        let failures = (0..THREADS).flat_map(|thread| (0..500).map(move |call| scramble(thread, call) & 1)).sum();
        let counts = breaker.snapshot(&policy, clock.now()).window;
        assert_eq!((counts.calls as usize, counts.failures as usize), (500 * THREADS, failures));
    }
}

#[test]
fn b2_racing_successes_that_reach_the_minimum_and_pass_it_trip_as_in_any_order() {
    fn pass<W: Window>(breaker: &Breaker<W>) {
        let policy = policy(RateTrip { minimum_calls: 20, ..RateTrip::DEFAULT });
        for call in 0..19 {
            assert_eq!(end(breaker, &policy, 0, usize::from(call < 10)), None);
        }
        // 10 of 20 is reached by the first of them, whichever that is
        let transitions = race(|_| end(breaker, &policy, 0, 0));
        assert_eq!(transitions.into_iter().flatten().count(), 1);
    }
    for _ in 0..2_000 {
        pass(&Breaker::with_window(TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range")));
        pass(&Breaker::with_window(CountWindow::<4>::new(100).expect("in range")));
    }
}
