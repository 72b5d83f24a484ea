//! Invariants C1 to C3 and R1 of the breaker: time in any order, and a policy that changes under way.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

fn lease(policy: &BreakerPolicy) -> u64 {
    u64::try_from(policy.config().probe_lease.as_nanos()).expect("leases are in range")
}

/// The open wait after `streak` re-openings, before jitter.
fn full_wait(policy: &BreakerPolicy, streak: u32) -> u64 {
    let config = policy.config();
    let mut wait = config.open_wait.as_nanos();
    for _ in 0..streak.min(15) {
        wait = (wait * u128::from(config.open_wait_factor_milli) / 1_000).min(config.open_wait_max.as_nanos());
    }
    u64::try_from(wait).expect("waits are in range")
}

proptest! {
    #[test]
    fn c1_whatever_the_clock_did_a_caller_that_waits_as_told_is_admitted(
        policy in small_policy(),
        operations in operations(hostile()),
        start in 0..u64::MAX / 2,
    ) {
        for step in run(&[policy], &operations) {
            if step.after.state() == State::ForcedOpen {
                continue;
            }
            let (mut state, mut now, mut refusals) = (step.after, start, 0);
            while let (next, Admission::Refused(wait)) = state.admit(at(now), &policy) {
                let wait = match wait {
                    Wait::Nanos(nanos) => nanos,
                    Wait::Release => lease(&policy),
                    Wait::Never => unreachable!("only a forced breaker never admits"),
                };
                prop_assert!(refusals == 0, "refused again after waiting as told: {step:?}");
                (state, now, refusals) = (next, now + wait, refusals + 1);
            }
        }
    }

    #[test]
    fn c1_a_hint_is_the_least_wait(policy in small_policy(), operations in operations(hostile())) {
        for step in run(&[policy], &operations) {
            let Event::Refused(Wait::Nanos(wait)) = step.event else { continue };
            prop_assert!(wait > 0, "refused, yet told to come back at once");
            let Some(end) = step.now.checked_add(wait) else { continue };
            let admits = |now| matches!(step.after.admit(at(now), &policy).1, Admission::Admitted(..));
            prop_assert!(admits(end) && !admits(end - 1));
        }
    }

    #[test]
    fn c2_a_step_back_lengthens_an_open_wait_by_one_wait_at_most(
        policy in small_policy(),
        operations in operations(forward()),
        back: u64,
    ) {
        let mut reopened = 0;
        for step in run(&[policy], &operations) {
            match step.event.transition().map(|transition| transition.cause) {
                Some(Cause::ProbeFailed) => reopened += 1,
                Some(Cause::WaitOver | Cause::ProbesLost) | None => {}
                Some(_) => reopened = 0,
            }
            if step.after.state() != State::Open {
                continue;
            }
            let earlier = back % (step.now + 1);
            if let (state, Admission::Refused(wait)) = step.after.admit(at(earlier), &policy) {
                let Wait::Nanos(nanos) = wait else { panic!("an open breaker knows its wait, not {wait:?}") };
                prop_assert!(nanos <= full_wait(&policy, reopened), "{nanos} ns after {reopened} re-openings");
                let (_, then) = state.admit(at(earlier + nanos), &policy);
                prop_assert!(matches!(then, Admission::Admitted(..)));
            }
        }
    }

    #[test]
    fn c3_an_older_now_admits_nothing_that_the_latest_would_refuse(
        policy in small_policy(),
        operations in operations(forward()),
        back: u64,
    ) {
        for step in run(&[policy], &operations) {
            let earlier = back % (step.now + 1);
            if let Admission::Refused(_) = step.after.admit(at(step.now), &policy).1 {
                let (next, admission) = step.after.admit(at(earlier), &policy);
                prop_assert!(matches!(admission, Admission::Refused(_)), "{step:?} at {earlier}");
                prop_assert_eq!(next.state(), step.after.state());
            }
        }
    }

    #[test]
    fn open_waits_end_at_most_one_tick_early_and_never_late(
        policy in small_policy(),
        opened: u64,
        reopened in 0_u8..=15,
    ) {
        let opened = opened / 2;
        let full = full_wait(&policy, reopened.into());
        let (least, most) = match policy.config().jitter {
            Jitter::None => (full, full),
            Jitter::Equal => (full / 2, full),
            _ => (0, full),
        };
        let breaker = Breaker::new();
        let mut snapshot = breaker.snapshot(&policy, at(opened));
        snapshot.state = State::HalfOpen;
        snapshot.streak = reopened.saturating_sub(1);
        let mut state = Breaker::restore(snapshot);
        if reopened == 0 {
            state = Breaker::restore(BreakerSnapshot { state: State::Closed, failures: u32::MAX - 1, ..snapshot });
        }
        let (ticket, _) = state.admit(&policy, at(opened)).expect("closed, or a free probe slot");
        let Some(transition) = state.settle(&policy, at(opened), ticket, Outcome::Failure) else {
            return Ok(()); // a policy that never trips
        };
        prop_assert_eq!(transition.to, State::Open);
        let wait = state.admit(&policy, at(opened)).expect_err("just opened").duration().expect("waits end");
        let wait = u64::try_from(wait.as_nanos())?;
        prop_assert!(wait <= most && wait + OPEN_TICK > least, "{wait} is not within {least} to {most}");
    }

    #[test]
    fn leases_end_at_most_one_tick_early_and_never_late(
        policy in small_policy(),
        probed in 0..u64::MAX / 2,
    ) {
        let half_open = BreakerSnapshot { state: State::HalfOpen, ..BreakerSnapshot::default() };
        let early = lease(&policy).saturating_sub(PROBE_TICK);
        for (age, admitted) in [(early, false), (lease(&policy), true)] {
            let breaker = Breaker::restore(half_open);
            let (_probe, _) = breaker.admit(&policy, at(probed)).expect("a free probe slot");
            prop_assert_eq!(breaker.admit(&policy, at(probed + age)).is_ok(), admitted, "at the age of {} ns", age);
        }
    }

    #[test]
    fn r1_an_open_breaker_stays_open_under_another_policy(
        old in small_policy(),
        new in small_policy(),
        operations in operations(forward()),
    ) {
        for step in run(&[old], &operations) {
            if step.after.state() != State::Open || step.before.state() == State::Open {
                continue;
            }
            let (next, admission) = step.after.admit(at(step.now), &new);
            if new.config().jitter == Jitter::Full && matches!(admission, Admission::Admitted(..)) {
                continue; // full jitter may draw a wait of less than a tick
            }
            let Admission::Refused(Wait::Nanos(wait)) = admission else {
                panic!("a change of policy opened the door: {admission:?}");
            };
            prop_assert_eq!(next.state(), State::Open);
            let (_, then) = next.admit(at(step.now + wait), &new);
            let half_open = matches!(then, Admission::Admitted(_, Some(Transition { to: State::HalfOpen, .. })));
            prop_assert!(half_open, "{then:?}");
        }
    }
}

#[test]
fn c1_both_ends_of_the_clock_open_and_recover() {
    let policy = breaker(BreakerConfig { trip: Trip::Consecutive(1), ..BreakerConfig::DEFAULT });
    for now in [0, 1, u64::MAX - 1, u64::MAX] {
        let breaker = Breaker::new();
        let (ticket, _) = breaker.admit(&policy, at(now)).expect("closed");
        assert!(breaker.settle(&policy, at(now), ticket, Outcome::Failure).is_some());
        assert!(breaker.admit(&policy, at(now)).is_err(), "opened at {now} and admits at once");
        assert!(breaker.admit(&policy, at(0)).is_err(), "a clock that went back to 0 opened the door");
        assert!(breaker.admit(&policy, Instant::ORIGIN.saturating_add(Duration::from_secs(5))).is_ok());
    }
}

#[test]
fn r1_a_lower_threshold_counts_the_failures_that_are_there() {
    let patient = breaker(BreakerConfig { trip: Trip::Consecutive(5), ..BreakerConfig::DEFAULT });
    let strict = breaker(BreakerConfig { trip: Trip::Consecutive(3), ..BreakerConfig::DEFAULT });
    let breaker = Breaker::new();
    for (policy, state) in [(&patient, State::Closed), (&patient, State::Closed), (&strict, State::Open)] {
        let (ticket, _) = breaker.admit(policy, at(0)).expect("closed");
        let _ = breaker.settle(policy, at(0), ticket, Outcome::Failure);
        assert_eq!(breaker.snapshot(policy, at(0)).state, state);
    }
}

#[test]
fn c3_a_step_back_does_not_open_the_door_whatever_the_jitter_draws() {
    let policy = |seed| {
        let (trip, jitter, wait) = (Trip::Consecutive(1), Jitter::Full, Duration::from_millis(1));
        let probe_lease = wait * 32;
        breaker(BreakerConfig { trip, jitter, seed, open_wait: wait, probe_lease, ..BreakerConfig::DEFAULT })
    };
    for seed in 0..1_000 {
        let (breaker, policy) = (Breaker::new(), policy(seed));
        let (ticket, _) = breaker.admit(&policy, at(SECOND)).expect("closed");
        let _ = breaker.settle(&policy, at(SECOND), ticket, Outcome::Failure);
        for now in [SECOND, SECOND - OPEN_TICK, OPEN_TICK - 1, 0] {
            assert!(breaker.admit(&policy, at(now)).is_err(), "at {now} under seed {seed}");
        }
    }
}
