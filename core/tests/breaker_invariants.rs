//! Invariants B1 to B6 of the breaker, as properties of its pure step under hostile time.

mod support;

use fusebox_core::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use support::*;

/// How many more calls a state admits at `now` without a transition.
fn room(mut state: BreakerState, now: u64, policy: &BreakerPolicy) -> usize {
    for admitted in 0..20 {
        match state.admit(at(now), policy) {
            (next, Admission::Admitted(_, None)) => state = next,
            _ => return admitted,
        }
    }
    usize::MAX
}

proptest! {
    #[test]
    fn b1_half_open_never_has_more_probes_outstanding_than_the_ramp_allows(
        policy in small_policy(),
        operations in operations(hostile()),
    ) {
        let (mut unreported, mut successes) = (BTreeSet::new(), 0);
        for step in run(&[policy], &operations) {
            match step.event.transition().map(|transition| transition.cause) {
                Some(Cause::ProbesLost) => unreported.clear(),
                Some(_) => {
                    unreported.clear();
                    successes = 0;
                }
                None => {}
            }
            match step.event {
                Event::Admitted(call, ..) => {
                    unreported.insert(call);
                }
                Event::Settled(call, _, outcome, settled) => {
                    let counted = matches!(settled, Settled::Counted(None)) && outcome == Outcome::Success;
                    successes += usize::from(unreported.remove(&call) && counted);
                }
                Event::Refused(_) | Event::Forced(..) | Event::Reset(_) => {}
            }
            if step.after.state() == State::HalfOpen {
                let ramp = usize::from(policy.config().probes).min(successes + 1);
                prop_assert!(unreported.len() <= ramp, "{} probes of {ramp} after {step:?}", unreported.len());
            } else {
                successes = 0;
            }
        }
    }

    #[test]
    fn b2_the_failure_that_reaches_the_threshold_leaves_the_breaker_open(
        policy in small_policy(),
        operations in operations(hostile()),
    ) {
        let Trip::Consecutive(threshold) = policy.config().trip else { return Ok(()) };
        let mut failures = 0;
        for step in run(&[policy], &operations) {
            if step.before.state() == State::Closed
                && let Event::Settled(_, _, outcome, Settled::Counted(_)) = step.event
            {
                match outcome {
                    Outcome::Success => failures = 0,
                    Outcome::Failure => failures += 1,
                    Outcome::Cancelled if policy.config().cancelled_is_failure => failures += 1,
                    Outcome::Ignored | Outcome::Cancelled => {}
                }
                let expected = if failures >= threshold { State::Open } else { State::Closed };
                prop_assert_eq!(step.after.state(), expected, "after {} failures", failures);
            }
            if step.after.state() != State::Closed || matches!(step.event, Event::Forced(..) | Event::Reset(_)) {
                failures = 0;
            }
        }
    }

    #[test]
    fn b3_an_outcome_of_an_older_generation_changes_nothing(
        policy in small_policy(),
        operations in operations(hostile()),
    ) {
        let (mut generation, mut admitted_in) = (0, Vec::new());
        for step in run(&[policy], &operations) {
            // a reset forgets, so it may start a generation of which nobody is told
            let forgot = matches!(step.event, Event::Forced(..) | Event::Reset(_)) && step.before != step.after;
            if step.event.transition().is_some() || forgot {
                generation += 1;
            }
            match step.event {
                Event::Admitted(..) => admitted_in.push(generation),
                Event::Settled(call, _, _, settled) => {
                    let was = generation - i32::from(step.event.transition().is_some());
                    if admitted_in[call] != was {
                        prop_assert_eq!(settled, Settled::Stale);
                        prop_assert_eq!(step.before, step.after);
                    } else if step.before.state() == State::Closed {
                        prop_assert!(matches!(settled, Settled::Counted(_)), "a current outcome is counted");
                    }
                }
                Event::Refused(_) | Event::Forced(..) | Event::Reset(_) => {}
            }
        }
    }

    #[test]
    fn b4_probes_that_never_report_delay_recovery_by_one_lease(
        policy in small_policy(),
        operations in operations(hostile()),
    ) {
        let lease = u64::try_from(policy.config().probe_lease.as_nanos())?;
        for step in run(&[policy], &operations) {
            let Some(later) = step.now.checked_add(lease) else { continue };
            if step.after.state() == State::HalfOpen {
                let (state, first) = step.after.admit(at(step.now), &policy);
                if let Admission::Refused(wait) = first {
                    prop_assert_eq!(wait, Wait::Release);
                    let (_, second) = state.admit(at(later), &policy);
                    prop_assert!(matches!(second, Admission::Admitted(..)), "refused after a lease: {step:?}");
                }
            }
        }
    }

    #[test]
    fn b5_ignored_and_cancelled_return_exactly_their_slot_and_decide_nothing(
        policies in prop::collection::vec(small_policy(), 2),
        operations in operations(hostile()),
    ) {
        for step in run(&policies, &operations) {
            let (state, now) = (step.after, step.now);
            let policy = &policies[0];
            if let (taken, Admission::Admitted(stamp, None)) = state.admit(at(now), policy) {
                let mut neutral = vec![Outcome::Ignored];
                if !policy.config().cancelled_is_failure {
                    neutral.push(Outcome::Cancelled);
                }
                for outcome in neutral {
                    let (returned, settled) = taken.settle(stamp, outcome, at(now), policy);
                    prop_assert_eq!(settled, Settled::Counted(None), "{:?} decided something", outcome);
                    prop_assert_eq!(returned.state(), state.state());
                    prop_assert_eq!(room(returned, now, policy), room(state, now, policy));
                }
            }
        }
    }

    #[test]
    fn b5_an_ignored_call_causes_no_transition_whatever_policy_it_meets(
        policies in prop::collection::vec(small_policy(), 3),
        operations in operations(hostile()),
    ) {
        for step in run(&policies, &operations) {
            if let Event::Settled(_, _, Outcome::Ignored, settled) = step.event {
                prop_assert!(matches!(settled, Settled::Stale | Settled::Counted(None)), "{step:?}");
                prop_assert_eq!(step.before.state(), step.after.state());
            }
        }
    }

    #[test]
    fn b6_a_change_of_state_is_reported_by_the_operation_that_caused_it(
        policies in prop::collection::vec(small_policy(), 1..3),
        operations in operations(hostile()),
    ) {
        for step in run(&policies, &operations) {
            let (from, to) = (step.before.state(), step.after.state());
            match step.event.transition() {
                Some(transition) => prop_assert_eq!((transition.from, transition.to), (from, to)),
                None => prop_assert_eq!(from, to),
            }
        }
    }
}

#[test]
fn b1_the_ramp_is_one_probe_and_then_one_more_than_have_succeeded() {
    let policy = breaker(BreakerConfig { probes: 4, required_successes: 15, ..BreakerConfig::DEFAULT });
    let now = 1_000 * SECOND;
    let half_open = BreakerSnapshot { state: State::HalfOpen, ..BreakerSnapshot::default() };
    for (successes, expected) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 4), (14, 4)] {
        let breaker = Breaker::restore(BreakerSnapshot { successes, ..half_open });
        let admitted = (0..10).filter(|_| breaker.admit(&policy, at(now)).is_ok()).count();
        assert_eq!(admitted, expected, "after {successes} successes");
    }
}
