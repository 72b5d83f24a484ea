//! Invariants T1 to T4 of the bucket, against exact rational arithmetic.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::exact::*;
use support::*;

/// Takes from the pure state and from the atomic bucket, which must agree.
fn take(
    state: &mut BucketState,
    shared: &TokenBucket,
    policy: &BucketPolicy,
    now: u64,
    cost: Tokens,
) -> Result<(), Wait> {
    let (next, verdict) = state.take(cost, at(now), policy);
    *state = next;
    assert_eq!(shared.try_acquire(policy, at(now), cost), verdict, "the atomic bucket disagrees with its step");
    assert_eq!(shared.peek(policy, at(now)), state.level(at(now), policy));
    verdict
}

proptest! {
    #[test]
    fn t1_no_interval_admits_more_than_the_burst_and_the_refill(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
    ) {
        // the oracle follows the bucket's verdicts: its level falls below zero when some interval has admitted too much
        let (mut state, shared, mut now, mut taken) = (BucketState::NEW, TokenBucket::new(), start, Vec::new());
        let mut exact = Exact::full(&policy, now);
        for turn in turns {
            now += turn.step(&policy);
            exact.refill(now);
            let cost = turn.cost(&policy);
            if turn.refund {
                if let Some(cost) = taken.pop() {
                    state = state.give_back(cost, at(now), &policy);
                    shared.refund(&policy, at(now), cost);
                    exact.give_back(cost);
                }
            } else if take(&mut state, &shared, &policy, now, cost).is_ok() {
                taken.push(cost);
                exact.level -= exact.amount(cost);
            }
            prop_assert!(exact.level >= -exact.slack(), "{} too much at {now}", -exact.level);
        }
    }

    #[test]
    fn t1_readings_that_are_late_admit_no_more_than_those_on_time(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
        late in prop::collection::vec(prop_oneof![Just(0), 0_u64..1_000, 0..SECOND], 60),
    ) {
        // threads race: each reads a clock that only goes ahead, but their calls arrive in any order
        let (mut state, shared, mut now, mut admitted) = (BucketState::NEW, TokenBucket::new(), start, Vec::new());
        for (turn, late) in turns.iter().zip(late) {
            now += turn.step(&policy);
            let (cost, read) = (turn.cost(&policy), (now - start).saturating_sub(late) + start);
            if take(&mut state, &shared, &policy, read, cost).is_ok() {
                admitted.push((read, cost));
            }
        }
        admitted.sort_unstable();
        let mut exact = Exact::full(&policy, start);
        for (read, cost) in admitted {
            exact.refill(read);
            exact.level -= exact.amount(cost);
            prop_assert!(exact.level >= -exact.slack(), "{} too much at {read}", -exact.level);
        }
    }

    #[test]
    fn t2_a_denial_is_right_and_its_hint_is_exact(policy in any_bucket(), turns in turns(), start in start()) {
        let (mut state, shared, mut now) = (BucketState::NEW, TokenBucket::new(), start);
        let mut exact = Exact::full(&policy, now);
        for turn in turns {
            now += turn.step(&policy);
            exact.refill(now);
            let cost = turn.cost(&policy);
            match take(&mut state, &shared, &policy, now, cost) {
                Ok(()) => exact.level -= exact.amount(cost),
                Err(Wait::Nanos(wait)) => {
                    prop_assert!(exact.level < exact.amount(cost) + exact.slack(), "a spurious denial at {now}");
                    prop_assert!(exact.wait(cost).abs_diff(wait) <= 3, "{wait} instead of {}", exact.wait(cost));
                    prop_assert!(state.take(cost, at(now + wait), &policy).1.is_ok(), "too early after {wait}");
                    if exact.slack() == 0 {
                        let end = now + exact.wait(cost);
                        prop_assert!(state.take(cost, at(end), &policy).1.is_ok(), "denied at the exact end");
                        prop_assert!(state.take(cost, at(end - 1), &policy).1.is_err(), "admitted 1 ns too early");
                    }
                    if wait >= 3 {
                        let early = state.take(cost, at(now + wait - 3), &policy).1;
                        prop_assert!(early.is_err(), "admitted 3 ns before the hint");
                    }
                }
                Err(wait) => {
                    prop_assert_eq!(wait, Wait::Never);
                    prop_assert!(cost > policy.burst());
                }
            }
        }
    }

    #[test]
    fn t2_a_denial_writes_nothing(policy in any_bucket(), turns in turns(), start in start()) {
        let (mut state, mut now) = (BucketState::NEW, start);
        for turn in turns {
            now += turn.step(&policy);
            let (next, verdict) = state.take(turn.cost(&policy), at(now), &policy);
            prop_assert!(verdict.is_ok() || next == state);
            state = next;
        }
    }

    #[test]
    fn t4_a_refund_gives_back_what_was_taken_and_never_lifts_the_level_above_the_burst(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
    ) {
        let (mut state, mut now) = (BucketState::NEW, start);
        let mut exact = Exact::full(&policy, now);
        for turn in turns {
            now += turn.step(&policy);
            exact.refill(now);
            let cost = turn.cost(&policy);
            if turn.refund {
                // nobody took this much: a caller's mistake must not mint tokens either
                let before = state.level(at(now), &policy);
                state = state.give_back(cost, at(now), &policy);
                exact.give_back(cost);
                let after = state.level(at(now), &policy);
                prop_assert!(after <= policy.burst(), "{after} in a bucket of {}", policy.burst());
                let expected = policy.burst().as_milli().min(before.as_milli() + cost.as_milli());
                prop_assert_eq!(after.as_milli(), expected);
            } else if state.take(cost, at(now), &policy).1.is_ok() {
                state = state.take(cost, at(now), &policy).0;
                exact.level -= exact.amount(cost);
            }
            prop_assert!(exact.level >= -exact.slack(), "a refund minted tokens");
        }
    }

    #[test]
    fn t3_the_long_run_rate_is_within_a_millionth_of_the_policy(
        rate in rate(),
        fraction in 1_u64..3_000,
        start in 0..u64::MAX / 2,
    ) {
        long_run(rate, fraction, start)?;
    }
}

/// Takes for at least 20 ms, always as soon as the bucket says, and compares what was taken with the time it took.
fn long_run(rate: Rate, fraction: u64, start: u64) -> Result<(), TestCaseError> {
    // fast rates take many tokens at once: the clock counts whole nanoseconds
    let per_10_us = u128::from(rate.tokens) * 10_000 * 1_000 / rate.per.as_nanos();
    let cost = Tokens::milli(u64::try_from(per_10_us)? + fraction);
    let policy = bucket(rate.tokens, rate.per, Tokens::milli(cost.as_milli() * 2));
    let (shared, mut now, mut taken) = (TokenBucket::new(), start, 0_u128);
    for _ in 0..2_000 {
        while let Err(wait) = shared.try_acquire(&policy, at(now), cost) {
            let Wait::Nanos(wait) = wait else { panic!("the cost is within the burst, not {wait:?}") };
            prop_assert!(wait > 0, "denied, yet told to come back at once");
            now += wait;
        }
        taken += u128::from(cost.as_milli());
    }
    let flowed = (taken - u128::from(policy.burst().as_milli())) * rate.per.as_nanos();
    let expected = u128::from(now - start) * u128::from(rate.tokens) * 1_000;
    let off = flowed.abs_diff(expected);
    prop_assert!(off * 1_000_000 <= expected, "{rate:?} at a cost of {cost}: {flowed} instead of {expected}");
    Ok(())
}

#[test]
fn t3_the_rates_that_the_design_names_hold_in_the_long_run() {
    let second = Duration::from_secs(1);
    for tokens in [1, 2, 7, 12_347, 600_000_000, 999_999_937, 1_000_000_000] {
        for fraction in [1, 333, 1_000, 1_500] {
            long_run(Rate { tokens, per: second }, fraction, 17).expect("within a millionth");
        }
    }
    for fraction in [100, 1_000] {
        long_run(Rate { tokens: 1, per: Duration::from_nanos(DAY) }, fraction, 17).expect("within a millionth");
    }
}
