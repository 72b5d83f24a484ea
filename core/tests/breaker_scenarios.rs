//! Hostile scenarios at the breaker: stale successes, minted permits, clocks that step, generations that wrap.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

const WAIT: u64 = 5 * SECOND;

fn policy() -> BreakerPolicy {
    breaker(BreakerConfig { trip: Trip::Consecutive(1), jitter: Jitter::None, probes: 2, ..BreakerConfig::DEFAULT })
}

fn admit(breaker: &Breaker, now: u64) -> Ticket {
    breaker.admit(&policy(), at(now)).expect("admitted").0
}

fn settle(breaker: &Breaker, now: u64, ticket: Ticket, outcome: Outcome) -> Option<Cause> {
    breaker.settle(&policy(), at(now), ticket, outcome).map(|transition| transition.cause)
}

fn state(breaker: &Breaker) -> State {
    breaker.snapshot(&policy(), at(0)).state
}

/// A breaker that opened at 0, with `calls` still under way from the time before.
fn opened(calls: usize) -> (Breaker, Vec<Ticket>) {
    let breaker = Breaker::new();
    let under_way = (0..calls).map(|_| admit(&breaker, 0)).collect();
    let failing = admit(&breaker, 0);
    assert_eq!(settle(&breaker, 0, failing, Outcome::Failure), Some(Cause::Tripped));
    (breaker, under_way)
}

#[test]
fn h2_a_success_admitted_while_closed_does_not_close_a_half_open_breaker() {
    for outcome in [Outcome::Success, Outcome::Failure] {
        let (breaker, late) = opened(3);
        let _probe = admit(&breaker, WAIT);
        for ticket in late {
            assert_eq!(settle(&breaker, WAIT, ticket, outcome), None);
        }
        let snapshot = breaker.snapshot(&policy(), at(WAIT));
        assert_eq!((snapshot.state, snapshot.outstanding, snapshot.stale), (State::HalfOpen, 1, 3));
    }
}

#[test]
fn h2_a_success_in_open_does_not_close_the_breaker() {
    let (breaker, late) = opened(1);
    for ticket in late {
        assert_eq!(settle(&breaker, 1, ticket, Outcome::Success), None);
    }
    assert_eq!(state(&breaker), State::Open);
}

#[test]
fn h5_fifty_stale_ignores_mint_no_permit() {
    for outcome in [Outcome::Ignored, Outcome::Cancelled, Outcome::Success] {
        let (breaker, stale) = opened(50);
        let _probe = admit(&breaker, WAIT);
        for ticket in stale {
            assert_eq!(settle(&breaker, WAIT, ticket, outcome), None);
        }
        assert_eq!(breaker.admit(&policy(), at(WAIT)).err(), Some(Wait::Release), "the ramp is one probe");
    }
}

#[test]
fn h4_a_cancelled_probe_frees_its_slot_for_exactly_one_other() {
    let (breaker, _) = opened(0);
    let probe = admit(&breaker, WAIT);
    assert_eq!(settle(&breaker, WAIT, probe, Outcome::Cancelled), None);
    let _next = admit(&breaker, WAIT);
    assert!(breaker.admit(&policy(), at(WAIT)).is_err());
}

#[test]
fn h1_an_hour_back_delays_an_open_breaker_by_one_wait() {
    let breaker = Breaker::new();
    let ticket = admit(&breaker, 3_600 * SECOND);
    assert_eq!(settle(&breaker, 3_600 * SECOND, ticket, Outcome::Failure), Some(Cause::Tripped));
    let mut polls = (0..100 * SECOND).step_by(100_000_000);
    assert_eq!(polls.find(|now| breaker.admit(&policy(), at(*now)).is_ok()), Some(WAIT));
}

#[test]
fn h3_probes_that_never_report_are_replaced_for_thirty_days() {
    let (breaker, _) = opened(0);
    let (mut now, mut probes) = (WAIT, 0);
    while now < 30 * DAY {
        let _lost = admit(&breaker, now);
        probes += 1;
        now += 30 * SECOND; // the lease
    }
    assert_eq!(probes, 30 * 86_400 / 30);
    let probe = admit(&breaker, now);
    assert_eq!(settle(&breaker, now, probe, Outcome::Success), Some(Cause::ProbesSucceeded));
}

#[test]
fn h3_a_probe_that_reports_after_its_lease_decides_nothing() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let (breaker, _) = opened(0);
        let late = admit(&breaker, WAIT);
        assert_eq!(settle(&breaker, WAIT + 30 * SECOND, late, outcome), None);
        assert_eq!(state(&breaker), State::HalfOpen);
    }
}

#[test]
fn the_wait_doubles_at_each_reopening_up_to_its_maximum_and_closing_resets_it() {
    let (breaker, _) = opened(0);
    let mut now = 0;
    for seconds in [5, 10, 20, 40, 80, 120, 120] {
        let wait = breaker.admit(&policy(), at(now)).expect_err("open").duration().expect("waits end");
        assert!(
            wait <= Duration::from_secs(seconds) && wait > Duration::from_secs(seconds) - Duration::from_micros(33)
        );
        now += seconds * SECOND;
        let probe = admit(&breaker, now);
        assert_eq!(settle(&breaker, now, probe, Outcome::Failure), Some(Cause::ProbeFailed));
    }
    now += 120 * SECOND;
    let probe = admit(&breaker, now);
    assert_eq!(settle(&breaker, now, probe, Outcome::Success), Some(Cause::ProbesSucceeded));
    let ticket = admit(&breaker, now);
    assert_eq!(settle(&breaker, now, ticket, Outcome::Failure), Some(Cause::Tripped));
    assert!(breaker.admit(&policy(), at(now + WAIT)).is_ok(), "the first wait again");
}

#[test]
fn forced_open_refuses_for_ever_and_forced_closed_admits_and_counts() {
    let breaker = Breaker::new();
    assert_eq!(breaker.force(Forced::Open).map(|transition| transition.to), Some(State::ForcedOpen));
    assert_eq!(breaker.force(Forced::Open), None, "already forced");
    assert_eq!(breaker.admit(&policy(), Instant::MAX).err(), Some(Wait::Never));
    let _ = breaker.force(Forced::Closed);
    for _ in 0..5 {
        let ticket = admit(&breaker, 0);
        assert_eq!(settle(&breaker, 0, ticket, Outcome::Failure), None);
    }
    let snapshot = breaker.snapshot(&policy(), at(0));
    assert_eq!((snapshot.state, snapshot.failures), (State::ForcedClosed, 5));
    assert_eq!(breaker.reset().map(|transition| transition.to), Some(State::Closed));
    assert_eq!(breaker.snapshot(&policy(), at(0)).failures, 0);
}

proptest! {
    #[test]
    fn b3_no_generation_wraps_within_the_longest_lease(seed: u64) {
        // a breaker that flaps as fast as it can, with the longest lease that a policy may have
        let wait = Duration::from_millis(100);
        let policy = breaker(BreakerConfig {
            trip: Trip::Consecutive(1),
            open_wait: wait,
            open_wait_factor_milli: 1_000,
            probe_lease: wait * BreakerConfig::MAX_LEASE_IN_WAITS,
            probes: 2,
            required_successes: 1,
            jitter: Jitter::Equal,
            seed,
            ..BreakerConfig::DEFAULT
        });
        let half_open = BreakerSnapshot { state: State::HalfOpen, successes: 1, ..BreakerSnapshot::default() };
        let breaker = Breaker::restore(half_open);
        let (_forgotten, _) = breaker.admit(&policy, at(0)).expect("a free slot");
        let (mut now, mut transitions) = (0, 0);
        while now < u64::try_from(policy.config().probe_lease.as_nanos())? {
            match breaker.admit(&policy, at(now)) {
                Err(wait) => {
                    let wait = wait.duration().expect("waits end");
                    prop_assert!(!wait.is_zero(), "refused, yet told to come back at once");
                    now += u64::try_from(wait.as_nanos())?;
                }
                Ok((ticket, entered)) => {
                    let closed = breaker.snapshot(&policy, at(now)).state == State::Closed;
                    let outcome = if closed { Outcome::Failure } else { Outcome::Success };
                    let left = breaker.settle(&policy, at(now), ticket, outcome);
                    transitions += usize::from(entered.is_some()) + usize::from(left.is_some());
                }
            }
        }
        prop_assert!(transitions < 256, "{transitions} transitions within a lease");
    }
}
