//! Windows: when all is quiet the counts are those of the outcomes in the window, and no trip is lost.

use super::outcomes::any_outcome;
use crate::crew::crew;
use crate::pace::{Pace, Time};
use crate::tally::Tally;
use fastrand::Rng;
use fusebox_core::{
    Breaker, BreakerConfig, BreakerPolicy, Cause, Clock, CountWindow, Forced, Jitter, Outcome, RateTrip, State, Ticket,
    TimeWindow, Transition, Trip, Window, WindowCounts,
};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
/// A call that takes this long is slow.
const SLOW: u64 = 1_000;
/// Ends of a generation in one round. A record that stalls while a time window moves by 32 windows may be lost, and a
/// generation's end moves it by two at most.
const RESETS: u32 = 8;

/// One round of a count window: a large one that no record laps, or a small one that all lap.
pub(crate) fn run_count(rng: &mut Rng, threads: usize) -> Tally {
    if rng.bool() {
        let breaker = Breaker::with_window(CountWindow::<74>::new(2_047).expect("in range"));
        let (settled, _) = race(&breaker, rng, threads, 2_047 / threads, 700);
        check_shadow(&breaker, &settled, 0)
    } else {
        let size = [1, 2, 3, 5, 27, 28, 29, 30, 56, 84][rng.usize(..10)];
        let breaker = Breaker::with_window(CountWindow::<3>::new(size).expect("in range"));
        let (settled, _) = race(&breaker, rng, threads, 1_000, 700);
        let _ = breaker.force(Forced::Closed); // so that nothing refuses
        let _ = breaker.reset();
        counts_are_the_contents(&breaker);
        Tally::from([("records", settled.values().map(|counts| u64::from(counts.calls)).sum()), ("laps", 1)])
    }
}

/// One round of a time window: all records lie within its span, and later all have left it.
pub(crate) fn run_time(rng: &mut Rng, threads: usize) -> Tally {
    let breaker = Breaker::with_window(TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range"));
    let calls = 400;
    // each call reads the clock twice; nine slots of three seconds in all, so nothing leaves
    let step = 26 * SECOND / (2 * calls as u64 * threads as u64 + 16);
    let (settled, end) = race(&breaker, rng, threads, calls, step);
    let tally = check_shadow(&breaker, &settled, end);
    let later = breaker.snapshot(&watching(), fusebox_core::Instant::from_nanos(end + 31 * SECOND)).window;
    assert_eq!(later, WindowCounts::NONE, "the span is over");
    tally
}

/// Settles calls from all threads, while one resets the breaker now and then. Returns what was settled for each
/// generation, and the time.
fn race<W: Window>(
    breaker: &Breaker<W>,
    rng: &mut Rng,
    threads: usize,
    calls: usize,
    step: u64,
) -> (BTreeMap<u8, WindowCounts>, u64) {
    let (policy, time) = (watching(), Time::starting_at(100, step));
    let pace = [Pace::Prompt, Pace::Late][rng.usize(..2)];
    let crew = crew(rng, threads, |member, rng| {
        let mut settled = BTreeMap::<u8, WindowCounts>::new();
        let (mut watch, mut held, mut resets) = (time.watch(pace), Vec::<Ticket>::new(), 0);
        for _ in 0..calls {
            if let Ok((ticket, _)) = breaker.admit(&policy, watch.read(rng)) {
                held.push(ticket);
            }
            if member == 0 && resets < RESETS && rng.u8(..32) == 0 {
                resets += 1;
                let _ = breaker.reset();
            }
            if held.len() > rng.usize(..4)
                && let Some(ticket) = held.pop()
            {
                let (generation, issued, outcome) = (ticket.generation(), ticket.issued(), any_outcome(rng));
                let now = watch.read(rng);
                assert_eq!(breaker.settle(&policy, now, ticket, outcome), None, "it never trips");
                let failed = u32::from(outcome == Outcome::Failure);
                let slow = u32::from(now.as_nanos().saturating_sub(issued.as_nanos()) >= SLOW);
                if matches!(outcome, Outcome::Success | Outcome::Failure) {
                    let counts = settled.entry(generation).or_default();
                    counts.calls += 1;
                    counts.failures += failed;
                    counts.slow += slow;
                }
            }
        }
        settled
    });
    let mut sum = BTreeMap::<u8, WindowCounts>::new();
    for (generation, counts) in crew.into_iter().flatten() {
        let entry = sum.entry(generation).or_default();
        entry.calls += counts.calls;
        entry.failures += counts.failures;
        entry.slow += counts.slow;
    }
    (sum, time.now().as_nanos())
}

/// The window holds what the calls of the latest generation were settled as, and nothing of an older one (B3).
fn check_shadow<W: Window>(breaker: &Breaker<W>, settled: &BTreeMap<u8, WindowCounts>, now: u64) -> Tally {
    let snapshot = breaker.snapshot(&watching(), fusebox_core::Instant::from_nanos(now));
    let expected = settled.get(&snapshot.generation).copied().unwrap_or_default();
    assert_eq!(snapshot.window, expected, "generation {} of {settled:?}", snapshot.generation);
    Tally::from([
        ("records", settled.values().map(|counts| u64::from(counts.calls)).sum()),
        ("records in the last generation", u64::from(expected.calls)),
        ("slow", settled.values().map(|counts| u64::from(counts.slow)).sum()),
    ])
}

/// Counts that differ from the ring's contents show when the contents are replaced by known ones.
fn counts_are_the_contents<const WORDS: usize>(breaker: &Breaker<CountWindow<WORDS>>) {
    let (policy, size, start) = (watching(), breaker.window().size(), fusebox_core::Instant::ORIGIN);
    for failed in [true, false, true] {
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        for _ in 0..size {
            let (ticket, _) = breaker.admit(&policy, start).expect("closed");
            let now = fusebox_core::Instant::from_nanos(if failed { SLOW } else { 0 });
            assert_eq!(breaker.settle(&policy, now, ticket, outcome), None);
        }
        let bad = if failed { size } else { 0 };
        let expected = WindowCounts { calls: size, failures: bad, slow: bad };
        assert_eq!(breaker.snapshot(&policy, start).window, expected, "the counts are not the contents, size {size}");
    }
}

/// B2 and B6: of racing calls half fail, and the threshold is reached by the last of them, whichever that is.
pub(crate) fn run_last_call(rng: &mut Rng, threads: usize) -> Tally {
    let each = rng.usize(1..12) * 2;
    let total = u32::try_from(each * threads).expect("few threads");
    let spread = rng.u64(..3);
    let now = |member: usize, call: usize| match spread {
        0 => 100,
        1 => 3 * SECOND * (member as u64 % 9) + 100, // threads in different slots
        _ => SECOND * call as u64 + member as u64,   // threads that move the window under each other
    };
    if rng.bool() {
        let breaker = Breaker::with_window(CountWindow::<14>::new(total).expect("in range"));
        trips_once(&breaker, rng, threads, each, now)
    } else {
        let breaker = Breaker::with_window(TimeWindow::<10>::new(Duration::from_secs(30)).expect("in range"));
        trips_once(&breaker, rng, threads, each, now)
    }
}

fn trips_once<W: Window>(
    breaker: &Breaker<W>,
    rng: &mut Rng,
    threads: usize,
    each: usize,
    now: impl Fn(usize, usize) -> u64 + Sync,
) -> Tally {
    let minimum_calls = u32::try_from(each * threads).expect("few threads");
    let policy = policy(RateTrip { minimum_calls, ..RateTrip::DEFAULT });
    let transitions = crew(rng, threads, |member, _| {
        let mut transitions = Vec::new();
        for call in 0..each {
            let now = fusebox_core::Instant::from_nanos(now(member, call));
            let (ticket, _) = breaker.admit(&policy, now).expect("below the threshold");
            let outcome = if call % 2 == 0 { Outcome::Success } else { Outcome::Failure };
            transitions.extend(breaker.settle(&policy, now, ticket, outcome));
        }
        transitions
    })
    .concat();
    let tripped = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };
    assert_eq!(transitions, [tripped], "B2, B6: the last of {minimum_calls} calls trips, and one caller learns of it");
    Tally::from([("calls", u64::from(minimum_calls))])
}

/// Counts slow calls, and never trips.
fn watching() -> BreakerPolicy {
    let slow_call = Duration::from_nanos(SLOW);
    policy(RateTrip { failure_rate_milli: None, max_failures: Some(100_000), slow_call, ..RateTrip::DEFAULT })
}

fn policy(rate: RateTrip) -> BreakerPolicy {
    BreakerPolicy::new(BreakerConfig { trip: Trip::Rate(rate), jitter: Jitter::None, ..BreakerConfig::DEFAULT })
        .expect("in range")
}
