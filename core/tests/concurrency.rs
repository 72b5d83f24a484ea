//! Invariants of the atomic types with real threads: what racing calls may and may not do together.

mod support;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use fusebox_core::*;
use std::thread;
use support::*;

const THREADS: usize = 4;
const ROUNDS: u32 = 300;

/// Runs `call` on all threads at once, and returns what each made of it.
fn race<T: Send>(call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (ready, call) = (&AtomicUsize::new(0), &call);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    ready.fetch_add(1, Ordering::SeqCst);
                    while ready.load(Ordering::SeqCst) < THREADS {
                        thread::yield_now();
                    }
                    call(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn half_open(now: u64) -> BreakerSnapshot {
    BreakerSnapshot { state: State::HalfOpen, since: Some(at(now)), ..BreakerSnapshot::default() }
}

#[test]
fn b1_racing_probes_never_exceed_the_ramp() {
    let policy = breaker(BreakerConfig { probes: 3, required_successes: 15, ..BreakerConfig::DEFAULT });
    for round in 0..ROUNDS {
        let successes = u8::try_from(round % 4).expect("fits");
        let breaker = Breaker::restore(BreakerSnapshot { successes, ..half_open(0) });
        let probes = race(|_| (0..5).filter_map(|_| breaker.admit(&policy, at(0)).ok()).count());
        assert_eq!(probes.iter().sum::<usize>(), usize::from(successes + 1).min(3));
    }
}

#[test]
fn b1_and_h6_probes_stay_within_the_ramp_while_others_report() {
    let policy = breaker(BreakerConfig { probes: 2, required_successes: 15, ..BreakerConfig::DEFAULT });
    for _ in 0..ROUNDS / 30 {
        let breaker = Breaker::restore(BreakerSnapshot { successes: 14, ..half_open(0) });
        let out = AtomicUsize::new(0);
        race(|_| {
            for _ in 0..5_000 {
                if let Ok((probe, _)) = breaker.admit(&policy, at(0)) {
                    let together = out.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(together <= 2, "{together} probes at a time");
                    out.fetch_sub(1, Ordering::SeqCst);
                    assert!(breaker.settle(&policy, at(0), probe, Outcome::Ignored).is_none());
                }
            }
        });
        assert_eq!(breaker.snapshot(&policy, at(0)).outstanding, 0, "a slot was lost");
    }
}

#[test]
fn b2_and_b6_racing_failures_open_the_breaker_and_one_caller_learns_of_it() {
    let threshold = 4 * 5_000;
    let policy = breaker(BreakerConfig { trip: Trip::Consecutive(threshold), ..BreakerConfig::DEFAULT });
    for _ in 0..ROUNDS / 30 {
        let breaker = Breaker::new();
        let transitions = race(|_| {
            let mut transitions = Vec::new();
            for _ in 0..5_000 {
                let (ticket, _) = breaker.admit(&policy, at(7)).expect("below the threshold");
                transitions.extend(breaker.settle(&policy, at(7), ticket, Outcome::Failure));
            }
            transitions
        });
        let tripped = Transition { from: State::Closed, to: State::Open, cause: Cause::Tripped };
        assert_eq!(transitions.concat(), [tripped]);
        assert_eq!(breaker.snapshot(&policy, at(7)).state, State::Open);
    }
}

#[test]
fn b6_one_of_the_racing_callers_starts_the_half_open_state() {
    let policy = breaker(BreakerConfig { probes: 4, ..BreakerConfig::DEFAULT });
    for _ in 0..ROUNDS {
        let breaker = Breaker::restore(BreakerSnapshot { state: State::Open, since: Some(at(0)), ..half_open(0) });
        let admitted = race(|_| breaker.admit(&policy, at(5 * SECOND)).ok());
        let admitted: Vec<_> = admitted.into_iter().flatten().collect();
        assert_eq!(admitted.len(), 1, "the ramp starts with one probe");
        assert_eq!(admitted[0].1.map(|transition| transition.cause), Some(Cause::WaitOver));
    }
}

#[test]
fn b6_the_reported_transitions_form_one_chain_and_are_all_there_were() {
    let policy = breaker(BreakerConfig {
        trip: Trip::Consecutive(2),
        open_wait: Duration::from_millis(1),
        open_wait_max: Duration::from_millis(1),
        probe_lease: Duration::from_millis(20),
        probes: 2,
        required_successes: 2,
        ..BreakerConfig::DEFAULT
    });
    for _ in 0..ROUNDS / 10 {
        let (breaker, clock) = (Breaker::new(), TestClock::starting_at(0));
        let transitions = race(|thread| {
            let mut transitions = Vec::new();
            for call in 0..2_000 {
                let now = at(clock.advance(100_000));
                let Ok((ticket, transition)) = breaker.admit(&policy, now) else { continue };
                transitions.extend(transition);
                let outcome = match (thread + call) % 5 {
                    0 => Outcome::Ignored,
                    1 | 2 => Outcome::Success,
                    3 => continue, // never reports
                    _ => Outcome::Failure,
                };
                transitions.extend(breaker.settle(&policy, clock.now(), ticket, outcome));
            }
            transitions
        })
        .concat();
        let snapshot = breaker.snapshot(&policy, clock.now());
        assert_eq!(transitions.len() % 256, usize::from(snapshot.generation), "one report for each generation");
        // a chain leaves each state as often as it enters it, but for its two ends
        for state in [State::Closed, State::Open, State::HalfOpen] {
            let entered = transitions.iter().filter(|transition| transition.to == state).count();
            let left = transitions.iter().filter(|transition| transition.from == state).count();
            let (begins, ends) = (usize::from(state == State::Closed), usize::from(state == snapshot.state));
            assert_eq!(entered + begins, left + ends, "{state:?}: {transitions:?}");
        }
    }
}

#[test]
fn b3_racing_stale_outcomes_are_all_counted() {
    let policy = BreakerPolicy::DEFAULT;
    let breaker = Breaker::new();
    let admit = || breaker.admit(&policy, at(0)).expect("closed").0;
    let tickets: Vec<_> = (0..THREADS).map(|_| std::sync::Mutex::new((0..20_000).map(|_| admit()).collect())).collect();
    let _ = breaker.force(Forced::Open);
    race(|thread| {
        let tickets: Vec<Ticket> = core::mem::take(&mut *tickets[thread].lock().expect("not poisoned"));
        for ticket in tickets {
            assert_eq!(breaker.settle(&policy, at(0), ticket, Outcome::Success), None);
        }
    });
    assert_eq!(breaker.snapshot(&policy, at(0)).stale, 20_000 * THREADS as u64);
}

#[test]
fn t1_and_t2_racing_callers_at_one_time_get_exactly_the_burst() {
    let policy = bucket(999_999_937, Duration::from_secs(1), Tokens::milli(30_000_500));
    for round in 0..u64::from(ROUNDS / 30) {
        let (shared, now) = (TokenBucket::new(), at(round * SECOND));
        let admitted = race(|_| (0..10_000).filter(|_| shared.try_acquire(&policy, now, Tokens::ONE).is_ok()).count());
        assert_eq!(admitted.iter().sum::<usize>(), 30_000);
        assert_eq!(shared.peek(&policy, now), Tokens::milli(500));
    }
}

#[test]
fn t1_racing_callers_on_a_moving_clock_get_the_burst_and_the_refill() {
    let policy = bucket(1_000, Duration::from_secs(1), Tokens::whole(1));
    let (shared, clock) = (TokenBucket::new(), TestClock::starting_at(0));
    let admitted = race(|_| {
        let read_and_take = |_: &u32| {
            // a thread that is preempted here comes late, with whatever the others have seen in between
            let now = at(clock.advance(1_000));
            shared.try_acquire(&policy, now, Tokens::ONE).is_ok()
        };
        (0..50_000).filter(read_and_take).count()
    });
    let refilled = usize::try_from(clock.now().as_nanos() / MS).expect("fits");
    let admitted = admitted.iter().sum::<usize>();
    assert!(admitted <= 1 + refilled, "{admitted} of {}", 1 + refilled);
}

#[test]
fn t4_racing_refunds_lose_nothing_and_mint_nothing() {
    let policy = bucket(1, Duration::from_nanos(DAY), Tokens::whole(3));
    let shared = TokenBucket::new();
    race(|_| {
        for _ in 0..50_000 {
            if shared.try_acquire(&policy, at(9), Tokens::ONE).is_ok() {
                shared.refund(&policy, at(9), Tokens::ONE);
            }
        }
    });
    assert_eq!(shared.peek(&policy, at(9)), Tokens::whole(3));
}

#[test]
fn t1_racing_bookings_get_the_burst_and_the_debt_each_at_its_own_time() {
    let policy =
        bucket(1_000, Duration::from_secs(1), Tokens::whole(10)).with_debt(Tokens::whole(40)).expect("in range");
    for round in 0..u64::from(ROUNDS) {
        let (shared, now) = (TokenBucket::new(), round * SECOND);
        let book = || shared.reserve(&policy, at(now), Tokens::ONE, Duration::MAX);
        let mut ready: Vec<_> =
            race(|_| (0..25).filter_map(|_| book().ok()).map(|booking| booking.ready_at()).collect())
                .into_iter()
                .flat_map(|ready: Vec<Instant>| ready)
                .collect();
        ready.sort_unstable();
        let expected: Vec<_> = (0..50_u64).map(|place| at(now + place.saturating_sub(9) * MS)).collect();
        assert_eq!(ready, expected);
    }
}

#[test]
fn h9_racing_bookings_and_cancels_mint_nothing_and_go_within_the_rate() {
    let policy =
        bucket(1_000, Duration::from_secs(1), Tokens::whole(3)).with_debt(Tokens::whole(20)).expect("in range");
    for round in 0..u64::from(ROUNDS) {
        let (shared, now) = (TokenBucket::new(), round * SECOND);
        let mut ready: Vec<_> = race(|thread| {
            let mut kept = Vec::new();
            for call in 0..40 {
                let Ok(booking) = shared.reserve(&policy, at(now), Tokens::ONE, Duration::MAX) else { continue };
                if booking.ready_at() > at(now) && (call + thread) % 2 == 0 {
                    let given = shared.cancel(&policy, at(now), booking);
                    assert!(given == Tokens::ONE || given == Tokens::ZERO);
                } else {
                    kept.push(booking.ready_at().as_nanos() - now);
                }
            }
            kept
        })
        .concat();
        ready.sort_unstable();
        for (first, from) in ready.iter().enumerate() {
            for (last, to) in ready.iter().enumerate().skip(first) {
                let (calls, allowed) = (last - first + 1, 3 + (to - from) / MS);
                assert!(calls as u64 <= allowed, "{calls} within {} ns", to - from);
            }
        }
        assert!(shared.snapshot(&policy, at(now)).debt <= Tokens::whole(20));
    }
}

#[test]
fn racing_failures_cut_an_adaptive_rate_once() {
    let bucket = bucket(100, Duration::from_secs(1), Tokens::whole(20));
    let policy = AdaptivePolicy::new(AdaptiveConfig::DEFAULT, &bucket).expect("in range");
    for _ in 0..ROUNDS {
        let rate = AdaptiveRate::new();
        let cuts = race(|_| {
            let settle = |_: &u32| rate.settle(&policy, at(SECOND), Outcome::Failure) == Adjustment::Cut;
            (0..20).filter(settle).count()
        });
        assert_eq!(cuts.iter().sum::<usize>(), 1);
        assert_eq!(rate.snapshot(&policy, at(SECOND)).share_milli(), 849);
    }
}

#[test]
fn a_bulkhead_never_holds_more_than_its_cap_and_loses_no_slot() {
    let (shared, policy, inside) = (Bulkhead::new(), bulkhead(2), AtomicUsize::new(0));
    race(|_| {
        for _ in 0..50_000 {
            if shared.try_enter(&policy) {
                let together = inside.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(together <= 2, "{together} calls in flight");
                inside.fetch_sub(1, Ordering::SeqCst);
                shared.leave();
            }
        }
    });
    assert_eq!(shared.in_flight(), 0);
}

#[test]
fn f1_a_probe_lost_to_a_race_costs_neither_tokens_nor_a_slot() {
    let policy = CircuitPolicy {
        breaker: Some(BreakerPolicy::DEFAULT),
        bulkhead: Some(bulkhead(100)),
        bucket: Some(bucket(1, Duration::from_nanos(DAY), Tokens::whole(10_000))),
    };
    let (mut collisions, now) = (0, at(0));
    for _ in 0..ROUNDS {
        let circuit = Circuit::from_parts(Breaker::restore(half_open(0)), Bulkhead::new(), TokenBucket::new());
        // the probe goes round: the breaker refuses some callers at once, and some only after all else was taken
        let refused: usize = race(|_| {
            let mut refused = 0;
            for _ in 0..100 {
                match circuit.admit(&policy, now, Tokens::ONE) {
                    Ok((permit, _)) => {
                        let _ = circuit.settle(&policy, now, permit, Outcome::Ignored);
                    }
                    Err(rejection) => {
                        assert_eq!(rejection.by, Part::Breaker);
                        refused += 1;
                    }
                }
            }
            refused
        })
        .into_iter()
        .sum();
        collisions += refused;
        let snapshot = circuit.snapshot(&policy, now);
        assert_eq!((snapshot.in_flight, snapshot.tokens), (0, Some(Tokens::whole(10_000))));
        assert_eq!(snapshot.breaker.map(|breaker| breaker.outstanding), Some(0));
    }
    let cores = thread::available_parallelism().map_or(1, core::num::NonZero::get);
    assert!(collisions > 0 || cores == 1, "no race took place, so this test has shown nothing");
}

#[test]
fn b5_guards_that_are_dropped_by_racing_threads_leave_nothing_behind() {
    let policy = CircuitPolicy {
        breaker: Some(BreakerPolicy::DEFAULT),
        bulkhead: Some(bulkhead(2)),
        bucket: Some(bucket(1, Duration::from_nanos(DAY), Tokens::whole(3))),
    };
    let (fuse, clock) = (Fuse::new(policy), TestClock::starting_at(SECOND));
    race(|_| (0..20_000).for_each(|_| drop(fuse.enter(&clock, Tokens::ONE))));
    let snapshot = fuse.snapshot(clock.now());
    assert_eq!((snapshot.in_flight, snapshot.tokens), (0, Some(Tokens::whole(3))));
}
