//! Classes on one bucket: the bounds that `PriorityPolicy` states, and hints that are exact for each class.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::exact::*;
use support::*;

/// Any rate, a burst that the default costs fit into, and any reserves in order.
fn classes() -> impl Strategy<Value = (BucketPolicy, PriorityPolicy)> {
    (rate(), 4_000_u64..40_000, prop::array::uniform4(0_u32..=500), any::<bool>()).prop_map(
        |(rate, burst, mut reserves, defaults)| {
            reserves.sort_unstable();
            let [critical, high, normal, low] = reserves;
            let with = |class: Class, reserve_milli| Class { reserve_milli, ..class };
            let default = PriorityConfig::DEFAULT;
            let config = PriorityConfig {
                low: with(default.low, low),
                normal: with(default.normal, normal),
                high: with(default.high, high),
                critical: with(default.critical, critical),
            };
            let policy = bucket(rate.tokens, rate.per, Tokens::milli(burst));
            let config = if defaults { default } else { config };
            (policy, PriorityPolicy::new(config, &policy).expect("the costs fit"))
        },
    )
}

fn any_priority() -> impl Strategy<Value = Priority> {
    prop::sample::select(Priority::ALL.to_vec())
}

/// Which classes ask, in order, and by what share of the burst's refill the time moves before.
fn asks() -> impl Strategy<Value = Vec<(u64, Priority)>> {
    prop::collection::vec((prop_oneof![2 => Just(0), 3 => 0_u64..3_000], any_priority()), 1..150)
}

fn ahead(policy: &BucketPolicy, share: u64) -> u64 {
    u64::try_from(u128::from(burst_refill(policy)) * u128::from(share) / 10_000).expect("in range")
}

proptest! {
    #[test]
    fn critical_and_those_above_a_class_are_admitted_within_their_reserve_while_all_below_flood(
        (policy, classes) in classes(),
        asks in asks(),
        floor in 1_usize..4,
        start in start(),
    ) {
        // the shadow admits what a bucket of burst R - r and the full rate would; the classes below flood at every turn
        let (least, below) = (Priority::ALL[floor], Priority::ALL[floor - 1]);
        let own = Exact::full(&policy, start);
        let leaves = |priority| own.amount(classes.demand(priority).leave);
        let mut shadow = Exact { burst: leaves(below) - leaves(least), ..own };
        shadow.level = shadow.burst;
        let (mut state, mut now) = (BucketState::NEW, start);
        for (share, asked) in asks {
            now += ahead(&policy, share);
            shadow.refill(now);
            for priority in &Priority::ALL[..floor] {
                while let (next, Ok(())) = state.take_as(classes.demand(*priority), at(now), &policy) {
                    state = next;
                }
            }
            let demand = classes.demand(asked);
            if asked < least || shadow.level < own.amount(demand.cost) + own.slack() {
                continue;
            }
            shadow.level -= own.amount(demand.cost);
            let (next, verdict) = state.take_as(demand, at(now), &policy);
            prop_assert_eq!(verdict, Ok(()), "{:?} was refused within its reserve", asked);
            state = next;
        }
    }

    #[test]
    fn what_a_class_loses_others_were_admitted(
        (policy, classes) in classes(),
        asks in asks(),
        start in start(),
    ) {
        // Low asks after every move of the clock, so nothing flows over: all that flows in is admitted to somebody
        let (mut state, mut now, low) = (BucketState::NEW, start, classes.demand(Priority::Low));
        let own = Exact::full(&policy, start);
        let (mut admitted, mut idle) = (0, true);
        for (share, asked) in asks {
            let step = ahead(&policy, share);
            let room = policy.burst().as_milli() - low.cost.as_milli() - low.leave.as_milli();
            let fits = own.per_nano * i128::from(step) <= own.amount(Tokens::milli(room));
            now += if fits { step } else { 0 };
            for priority in [asked, Priority::Low] {
                let demand = classes.demand(priority);
                while let (next, Ok(())) = state.take_as(demand, at(now), &policy) {
                    (state, idle) = (next, false);
                    admitted += own.amount(demand.cost);
                }
            }
        }
        let flowed = own.per_nano * i128::from(now - start);
        prop_assert!(idle || admitted + own.amount(low.leave) + own.amount(low.cost) + own.slack() > flowed);
        prop_assert!(admitted <= own.burst + flowed + own.slack(), "T1 holds for all classes together");
    }

    #[test]
    fn t2_a_hint_is_exact_for_each_class((policy, classes) in classes(), asks in asks(), start in start()) {
        let (shared, mut state, mut now) = (TokenBucket::new(), BucketState::NEW, start);
        let mut exact = Exact::full(&policy, start);
        for (share, asked) in asks {
            now += ahead(&policy, share);
            exact.refill(now);
            let demand = classes.demand(asked);
            let needed = Tokens::milli(demand.cost.as_milli() + demand.leave.as_milli());
            let due = state.next_change(demand, at(now), &policy);
            prop_assert_eq!(shared.next_change(&policy, at(now), demand), due);
            let (next, verdict) = state.take_as(demand, at(now), &policy);
            state = next;
            prop_assert_eq!(shared.try_acquire_as(&policy, at(now), demand), verdict);
            match verdict {
                Ok(()) => {
                    prop_assert_eq!(due, None);
                    prop_assert!(exact.level + exact.slack() >= exact.amount(needed));
                    exact.level -= exact.amount(demand.cost);
                }
                Err(Wait::Nanos(wait)) => {
                    prop_assert_eq!(due, Some(at(now + wait)));
                    let tolerance = if exact.slack() == 0 { 0 } else { 3 };
                    prop_assert!(exact.wait(needed).abs_diff(wait) <= tolerance);
                    prop_assert!(state.take_as(demand, at(now + wait), &policy).1.is_ok());
                    prop_assert!(state.take_as(demand, at(now + wait - 1), &policy).1.is_err());
                }
                Err(wait) => prop_assert!(false, "every class fits, but {wait:?}"),
            }
        }
    }

    #[test]
    fn bookings_ahead_take_their_debt_from_the_reserve_and_no_more(
        (policy, classes) in classes(),
        debt in 0_u64..10_000,
        start in start(),
    ) {
        let policy = policy.with_debt(Tokens::milli(debt)).expect("in range");
        let (shared, low) = (TokenBucket::new(), classes.demand(Priority::Low));
        while shared.reserve_as(&policy, at(start), low, Duration::MAX).is_ok() {}
        let BucketSnapshot { level, debt: booked } = shared.snapshot(&policy, at(start));
        prop_assert!(level.as_milli() + debt >= low.leave.as_milli() + booked.as_milli());
    }
}

#[test]
fn saturated_classes_share_the_rate_by_rank_and_without_reserves_as_they_come() {
    let policy = bucket(100, Duration::from_secs(1), Tokens::whole(10));
    let reserves = PriorityPolicy::new(PriorityConfig::DEFAULT, &policy).expect("fits");
    let open = |class: Class| Class { reserve_milli: 0, ..class };
    let PriorityConfig { low, normal, high, critical } = PriorityConfig::DEFAULT;
    let none = PriorityConfig { low: open(low), normal: open(normal), high: open(high), critical: open(critical) };
    let none = PriorityPolicy::new(none, &policy).expect("fits");
    // every 20 ms, 2 tokens flow in; Low asks first
    let admitted = |classes: &PriorityPolicy, asking: &[Priority]| {
        let shared = TokenBucket::new();
        let mut counts = [0; 4];
        for round in 0..=5_000 {
            for priority in asking {
                while shared.try_acquire_as(&policy, at(round * 20 * MS), classes.demand(*priority)).is_ok() {
                    counts[*priority as usize] += 1;
                }
            }
        }
        counts
    };
    let [low, normal, ..] = admitted(&reserves, &[Priority::Low, Priority::Normal]);
    assert!(low <= 3 && normal >= 9_995, "Low {low}, Normal {normal}");
    let [low, normal, ..] = admitted(&none, &[Priority::Low, Priority::Normal]);
    assert!(low >= 5_000 && normal <= 1, "Low {low}, Normal {normal}");
    let [low, ..] = admitted(&reserves, &[Priority::Low]);
    assert_eq!(low, 2 + 5_000, "alone it has the whole rate");
}

#[test]
fn h12_a_class_that_can_never_fit_is_refused_by_the_policy_and_by_the_bucket() {
    let policy = |burst| bucket(2, Duration::from_secs(1), Tokens::milli(burst));
    let field = |config, burst| PriorityPolicy::new(config, &policy(burst)).err().map(|error| error.field);
    let default = PriorityConfig::DEFAULT;
    assert_eq!((field(default, 4_000), field(default, 3_999)), (None, Some("low.cost")));
    let says = PriorityPolicy::new(default, &policy(1_000)).expect_err("Low costs two").to_string();
    assert_eq!(says, "low.cost is 2: allowed is 0.001 to 0.5");
    let with = |change: fn(&mut PriorityConfig)| {
        let mut config = default;
        change(&mut config);
        field(config, 10_000)
    };
    assert_eq!(with(|config| config.low.reserve_milli = 1_000), Some("low.reserve"));
    assert_eq!(with(|config| config.normal.reserve_milli = 501), Some("normal.reserve"));
    assert_eq!(with(|config| config.normal.cost = Tokens::milli(8_001)), Some("normal.cost"));
    assert_eq!(with(|config| config.normal.cost = Tokens::milli(8_000)), None);
    assert_eq!(with(|config| config.high.reserve_milli = 201), Some("high.reserve"));
    assert_eq!(with(|config| config.high.cost = Tokens::ZERO), Some("high.cost"));
    assert_eq!(with(|config| config.critical.reserve_milli = 101), Some("critical.reserve"));
    assert_eq!(with(|config| config.critical.cost = Tokens::milli(10_001)), Some("critical.cost"));

    let (policy, shared) = (policy(1_000), TokenBucket::new());
    let unfit = Demand { cost: Tokens::milli(501), leave: Tokens::milli(500) };
    assert_eq!(shared.try_acquire_as(&policy, at(0), unfit), Err(Wait::Never));
    assert_eq!(shared.reserve_as(&policy, at(0), unfit, Duration::MAX), Err(Wait::Never));
    let beyond = Demand { cost: Tokens::milli(u64::MAX), leave: Tokens::milli(u64::MAX) };
    assert_eq!(shared.try_acquire_as(&policy, at(0), beyond), Err(Wait::Never));
    assert!(shared.is_fresh(&policy, at(0)), "nothing was taken");
}

#[test]
fn each_class_asks_what_its_configuration_says() {
    let policy = bucket(2, Duration::from_secs(1), Tokens::milli(10_001));
    let classes = PriorityPolicy::new(PriorityConfig::DEFAULT, &policy).expect("fits");
    let asked = Priority::ALL
        .map(|priority| classes.demand(priority))
        .map(|demand| (demand.cost.as_milli(), demand.leave.as_milli()));
    assert_eq!(asked, [(2_000, 5_001), (1_000, 2_001), (500, 1_001), (100, 0)], "reserves are rounded up");
    assert_eq!(classes.config(), &PriorityConfig::default());
}
