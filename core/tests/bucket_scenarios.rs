//! Hostile scenarios at the bucket: polling patterns, costs that never fit, long horizons.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::exact::*;
use support::*;

proptest! {
    #[test]
    fn h13_the_polling_pattern_does_not_change_the_rate(
        rate in prop::sample::select(vec![1_u64, 7, 20, 100, 333]),
        poll in 1_u64..200 * MS,
    ) {
        // nothing overflows: the burst holds what flows in between two polls, and one token more
        let policy = bucket(rate, Duration::from_secs(1), Tokens::whole(rate / 5 + 2));
        let (shared, mut now, mut admitted) = (TokenBucket::new(), 0, 0);
        for _ in 0..1_000 {
            while shared.try_acquire(&policy, at(now), Tokens::ONE).is_ok() {
                admitted += 1;
            }
            now += poll;
        }
        now -= poll;
        prop_assert_eq!(admitted, policy.burst().as_milli() / 1_000 + now * rate / SECOND);
    }

    #[test]
    fn h15_a_bucket_decides_alike_at_every_age_of_the_clock(
        policy in any_bucket(),
        turns in turns(),
        start in start(),
    ) {
        if Exact::full(&policy, 0).slack() > 0 {
            return Ok(()); // the rounded form depends on the time, by less than 2 ns
        }
        let (mut young, mut old, mut age) = (BucketState::NEW, BucketState::NEW, 0);
        for turn in turns {
            age += turn.step(&policy);
            let cost = turn.cost(&policy);
            let (next, verdict) = young.take(cost, at(age), &policy);
            young = next;
            let (next, later) = old.take(cost, at(start + age), &policy);
            old = next;
            prop_assert_eq!(verdict, later);
        }
    }
}

#[test]
fn h12_a_cost_above_the_burst_is_told_that_it_never_fits() {
    let policy = bucket(2, Duration::from_secs(1), Tokens::ONE);
    let shared = TokenBucket::new();
    for cost in [Priority::Low.cost(), Tokens::milli(1_001), Tokens::milli(u64::MAX), Tokens::whole(u64::MAX)] {
        assert_eq!(shared.try_acquire(&policy, at(0), cost), Err(Wait::Never), "{cost}");
    }
    assert!(shared.try_acquire(&policy, at(0), Priority::Normal.cost()).is_ok(), "the burst itself fits");
    let denied = shared.try_acquire(&policy, at(0), Priority::Low.cost());
    assert_eq!(denied, Err(Wait::Never), "an empty bucket does not make it a finite wait");
}

#[test]
fn h13_twenty_per_second_polled_every_99_ms_yields_twenty_per_second() {
    let policy = bucket(20, Duration::from_secs(1), Tokens::whole(5));
    let shared = TokenBucket::new();
    let mut admitted = 0;
    for poll in 0..=10_000_u64 {
        while shared.try_acquire(&policy, at(poll * 99 * MS), Tokens::ONE).is_ok() {
            admitted += 1;
        }
    }
    assert_eq!(admitted, 5 + 990 * 20);
}

#[test]
fn h9_a_refund_makes_room_for_exactly_the_call_that_gave_it() {
    let policy = bucket(1, Duration::from_secs(1), Tokens::whole(3));
    let shared = TokenBucket::new();
    shared.try_acquire(&policy, at(0), Tokens::whole(3)).expect("full");
    shared.refund(&policy, at(0), Tokens::milli(1_500));
    assert_eq!(shared.peek(&policy, at(0)), Tokens::milli(1_500));
    assert!(shared.try_acquire(&policy, at(0), Tokens::milli(1_501)).is_err());
    assert!(shared.try_acquire(&policy, at(0), Tokens::milli(1_500)).is_ok());
    assert!(shared.try_acquire(&policy, at(0), Tokens::milli(1)).is_err());
}

#[test]
fn h15_a_bucket_polled_once_a_day_for_500_years_never_denies_wrongly() {
    for tokens in [1, 7, 999_999_937, 1_000_000_000] {
        let policy = bucket(tokens, Duration::from_secs(1), Tokens::whole(1));
        let shared = TokenBucket::new();
        for day in 0..500 * 365 {
            let now = at(day * DAY);
            assert!(shared.try_acquire(&policy, now, Tokens::ONE).is_ok(), "{tokens}/s on day {day}");
            assert!(shared.try_acquire(&policy, now, Tokens::ONE).is_err(), "{tokens}/s on day {day}");
        }
    }
}

#[test]
fn h15_idling_beyond_the_range_of_the_mark_denies_for_the_leeway_and_admits_no_more_than_a_burst() {
    // 1000 units per ns: half the mark's range is 53 days
    let policy = bucket(1_000_000_000, Duration::from_secs(1), Tokens::whole(1_000));
    for idle in [54 * DAY, 100 * DAY, 106 * DAY, 107 * DAY, 10_000 * DAY] {
        let shared = TokenBucket::new();
        shared.try_acquire(&policy, at(0), Tokens::whole(1_000)).expect("full");
        let mut granted = 0;
        while shared.try_acquire(&policy, at(idle), Tokens::ONE).is_ok() {
            granted += 1;
        }
        assert!(granted <= 1_000, "after {idle}");
        let refilled = at(idle + burst_refill(&policy) + leeway(&policy));
        assert!(shared.try_acquire(&policy, refilled, Tokens::ONE).is_ok(), "after {idle} and a refill");
    }
}

#[test]
fn a_cost_of_nothing_is_always_admitted() {
    let policy = bucket(1, Duration::from_nanos(DAY), Tokens::milli(1));
    let shared = TokenBucket::new();
    shared.try_acquire(&policy, at(0), Tokens::milli(1)).expect("full");
    assert!(shared.try_acquire(&policy, at(0), Tokens::milli(1)).is_err());
    assert!(shared.try_acquire(&policy, at(0), Tokens::ZERO).is_ok());
}
