//! Invariants C1 to C3 and R1 of the bucket: time in any order, and a policy that changes under way.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::exact::*;
use support::*;

/// Below half the range of the mark at any rate: 52 days at the fastest.
const LONGEST_STEP_BACK: u64 = 1 << 52;

/// A bucket some way into its life, and the latest time it has seen.
fn used(policy: &BucketPolicy, turns: &[Turn], start: u64) -> (BucketState, u64) {
    let (mut state, mut now) = (BucketState::NEW, start);
    for turn in turns {
        now += turn.step(policy);
        state = state.take(turn.cost(policy), at(now), policy).0;
    }
    (state, now)
}

proptest! {
    #[test]
    fn c1_whatever_the_clock_did_a_caller_that_waits_as_told_is_admitted(
        policy in any_bucket(),
        calls in prop::collection::vec((hostile(), 0_u64..200_000, any::<bool>()), 1..60),
        end in 0..u64::MAX / 2,
        cost in 1_u64..=100_000,
    ) {
        let (mut state, mut now) = (BucketState::NEW, 0);
        for (time, cost, refund) in calls {
            now = time.from(now);
            let cost = Tokens::milli(cost);
            state = if refund {
                state.give_back(cost, at(now), &policy)
            } else {
                state.take(cost, at(now), &policy).0
            };
            prop_assert!(state.level(at(now), &policy) <= policy.burst());
        }
        let cost = Tokens::milli(cost.min(policy.burst().as_milli()));
        if let (denied, Err(Wait::Nanos(wait))) = state.take(cost, at(end), &policy) {
            prop_assert!(denied.take(cost, at(end + wait), &policy).1.is_ok());
        }
    }

    #[test]
    fn c2_a_step_back_lengthens_a_denial_by_the_leeway_at_most(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
        back: u64,
        cost in 1_u64..=100_000,
    ) {
        let (state, latest) = used(&policy, &turns, start);
        let earlier = back % (latest + 1);
        let cost = Tokens::milli(cost.min(policy.burst().as_milli()));
        if let (denied, Err(wait)) = state.take(cost, at(earlier), &policy) {
            let Wait::Nanos(wait) = wait else { panic!("the cost is within the burst, not {wait:?}") };
            let empty = Exact { level: 0, ..Exact::full(&policy, 0) };
            prop_assert!(wait <= empty.wait(cost) + leeway(&policy) + 3, "{wait} ns for {cost}");
            prop_assert!(denied.take(cost, at(earlier + wait), &policy).1.is_ok());
        }
    }

    #[test]
    fn c3_an_older_now_admits_nothing_that_the_latest_would_refuse(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
        back in 0..LONGEST_STEP_BACK,
        cost in 1_u64..=100_000,
    ) {
        let (state, latest) = used(&policy, &turns, start);
        let (earlier, cost) = (latest.saturating_sub(back), Tokens::milli(cost));
        prop_assert!(state.level(at(earlier), &policy) <= state.level(at(latest), &policy));
        let verdict = state.take(cost, at(earlier), &policy).1;
        prop_assert!(verdict.is_err() || state.take(cost, at(latest), &policy).1.is_ok());
    }

    #[test]
    fn c3_a_reading_that_is_late_leaves_no_token_behind(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
        late: u64,
        cost in 1_u64..=100_000,
    ) {
        let (state, latest) = used(&policy, &turns, start);
        let earlier = latest.saturating_sub(late % leeway(&policy));
        let next = state.take(Tokens::milli(cost), at(earlier), &policy).0;
        prop_assert!(next.level(at(latest), &policy) <= state.level(at(latest), &policy));
    }

    #[test]
    fn c3_no_step_back_of_any_size_grants_more_than_one_burst(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
        back: u64,
        cost in 1_u64..=100_000,
    ) {
        let (mut state, latest) = used(&policy, &turns, start);
        let earlier = at(back % (latest + 1));
        let (cost, mut granted) = (Tokens::milli(cost), 0);
        while let (next, Ok(())) = state.take(cost, earlier, &policy) {
            (state, granted) = (next, granted + cost.as_milli());
            prop_assert!(granted <= policy.burst().as_milli());
        }
    }

    #[test]
    fn r1_a_change_of_policy_keeps_the_fill_level_as_a_share_of_the_burst(
        old in any_bucket(),
        new in any_bucket(),
        turns in turns(),
        start in start(),
    ) {
        let (state, now) = used(&old, &turns, start);
        let before = u128::from(state.level(at(now), &old).as_milli());
        let moved = state.under(&old, &new, at(now));
        let after = u128::from(moved.level(at(now), &new).as_milli());
        let (old_burst, new_burst) = (u128::from(old.burst().as_milli()), u128::from(new.burst().as_milli()));
        // levels are shown in whole thousandths, rounded down: `before` may be one short, and so may `after`
        prop_assert!(after * old_burst <= (before + 1) * new_burst, "a change of policy minted tokens");
        prop_assert!((after + 1) * old_burst >= before * new_burst, "a change of policy took tokens");
        if before == 0 && state.take(Tokens::milli(1), at(now), &old).1.is_err() {
            prop_assert!(after <= new_burst / old_burst + 1);
        }
    }

    #[test]
    fn r1_changing_to_the_same_policy_and_back_changes_nothing(
        policy in any_bucket(),
        other in any_bucket(),
        turns in turns(),
        start in start(),
    ) {
        let (state, now) = used(&policy, &turns, start);
        let same = state.under(&policy, &policy, at(now));
        prop_assert_eq!(same.level(at(now), &policy), state.level(at(now), &policy));
        let back = state.under(&policy, &other, at(now)).under(&other, &policy, at(now));
        prop_assert!(back.level(at(now), &policy) <= state.level(at(now), &policy), "a round trip minted tokens");
    }
}

#[test]
fn r1_a_full_bucket_stays_full_and_an_empty_one_empty() {
    let (small, large) = (bucket(1, Duration::from_secs(1), Tokens::whole(3)), {
        bucket(999_999_937, Duration::from_secs(1), Tokens::milli(100_001))
    });
    for (old, new) in [(&small, &large), (&large, &small)] {
        let shared = TokenBucket::new();
        shared.change_policy(old, new, at(SECOND));
        assert_eq!(shared.peek(new, at(SECOND)), new.burst());
        shared.try_acquire(new, at(SECOND), new.burst()).expect("full");
        shared.change_policy(new, old, at(SECOND));
        assert_eq!(shared.peek(old, at(SECOND)), Tokens::ZERO);
    }
}

#[test]
fn c1_both_ends_of_the_clock_admit_a_burst_and_then_deny() {
    let policy = bucket(7, Duration::from_secs(1), Tokens::whole(2));
    for now in [0, 1, u64::MAX - 1, u64::MAX] {
        let shared = TokenBucket::new();
        let admitted = (0..10).filter(|_| shared.try_acquire(&policy, at(now), Tokens::ONE).is_ok()).count();
        assert_eq!(admitted, 2, "at {now}");
    }
}

#[test]
fn t1_a_change_of_policy_with_a_late_reading_mints_nothing() {
    let policy = bucket(1_000, Duration::from_secs(1), Tokens::whole(10));
    let (shared, late, now) = (TokenBucket::new(), at(SECOND), at(SECOND + 50 * MS));
    let take_all = |now| while shared.try_acquire(&policy, now, Tokens::ONE).is_ok() {};
    take_all(late);
    take_all(now); // what has flowed in since
    shared.change_policy(&policy, &policy, late);
    assert_eq!(shared.peek(&policy, now), Tokens::ZERO);
    assert_eq!(shared.try_acquire(&policy, now, Tokens::ONE), Err(Wait::Nanos(MS)), "and takes nothing");

    let slower = bucket(10, Duration::from_secs(1), Tokens::whole(10));
    shared.change_policy(&policy, &slower, late);
    assert_eq!(shared.try_acquire(&slower, now, Tokens::ONE), Err(Wait::Nanos(100 * MS)));
}
