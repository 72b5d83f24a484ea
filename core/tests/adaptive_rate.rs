//! The adaptive rate's promises one by one: cuts, pauses, time in any order, policy changes, snapshots.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

const TICK: u64 = 1 << 20;

fn policy_of(config: AdaptiveConfig, ceiling: u64) -> AdaptivePolicy {
    let bucket = bucket(ceiling, Duration::from_secs(1), Tokens::whole(2_000));
    AdaptivePolicy::new(config, &bucket).expect("the test's policy is in range")
}

fn policies() -> impl Strategy<Value = AdaptivePolicy> {
    let times = (100_u64..100_000, 1_u64..5_000, 1_u64..10_000);
    (1_u32..=1_000, 100_u32..=990, times, 1_u64..1_000_000).prop_map(|(floor, decrease, times, ceiling)| {
        let (climb, cooldown, max_pause) = times;
        let config = AdaptiveConfig {
            floor_milli: floor,
            decrease_milli: decrease,
            climb: Duration::from_millis(climb),
            cooldown: Duration::from_millis(cooldown),
            max_pause: Duration::from_millis(max_pause),
        };
        policy_of(config, ceiling)
    })
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Settle(Outcome),
    SlowDown(u64),
}

fn signals(time: impl Strategy<Value = Move>) -> impl Strategy<Value = Vec<(Move, Signal)>> {
    let signal = prop_oneof![
        6 => outcome().prop_map(Signal::Settle),
        1 => (0..20 * SECOND).prop_map(Signal::SlowDown),
    ];
    prop::collection::vec((time, signal), 0..80)
}

fn apply(
    rate: &AdaptiveRate,
    state: &mut AdaptiveState,
    policy: &AdaptivePolicy,
    now: u64,
    signal: Signal,
) -> Adjustment {
    let (next, done) = match signal {
        Signal::Settle(outcome) => state.settle(outcome, at(now), policy),
        Signal::SlowDown(wait) => state.slow_down(wait, at(now), policy),
    };
    *state = next;
    let shared = match signal {
        Signal::Settle(outcome) => rate.settle(policy, at(now), outcome),
        Signal::SlowDown(wait) => rate.slow_down(policy, at(now), Duration::from_nanos(wait)),
    };
    assert_eq!(done, shared, "the atomic rate disagrees with its step");
    assert_eq!(rate.snapshot(policy, at(now)), state.snapshot(at(now), policy));
    done
}

/// Successes, as close as they count for most, until the ceiling is reached; returns when.
fn climb(rate: &AdaptiveRate, policy: &AdaptivePolicy, mut now: u64) -> u64 {
    let step = nanos(policy.config().climb) / 20_000 + 2 * TICK;
    for _ in 0..40_000 {
        if rate.snapshot(policy, at(now)).share == AdaptiveSnapshot::CEILING {
            break;
        }
        now += step;
        let _ = rate.settle(policy, at(now), Outcome::Success);
    }
    now
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("fits")
}

proptest! {
    #[test]
    fn the_rate_stays_in_range_is_cut_once_per_cooldown_and_never_rises_faster_than_the_slope(
        policy in policies(),
        signals in signals(forward()),
        start in 0..u64::MAX / 2,
    ) {
        let (rate, mut state, mut now) = (AdaptiveRate::new(), AdaptiveState::NEW, start);
        let (config, ceiling) = (*policy.config(), u64::from(AdaptiveSnapshot::CEILING));
        let (mut cut_at, mut paused_until) = (None, 0);
        let mut rose_at = start;
        for (time, signal) in signals {
            now = time.from(now);
            let before = state.snapshot(at(now), &policy);
            let paused = now < paused_until;
            let done = apply(&rate, &mut state, &policy, now, signal);
            let after = state.snapshot(at(now), &policy);
            prop_assert!(after.share * 1_000 / AdaptiveSnapshot::CEILING + 1 >= config.floor_milli);
            match done {
                Adjustment::Kept => prop_assert_eq!(after.share, before.share),
                Adjustment::Cut => {
                    let expected = (before.share * config.decrease_milli / 1_000).max(after.share);
                    prop_assert_eq!(after.share, expected);
                    if let (Some(cut_at), Signal::Settle(_)) = (cut_at, signal) {
                        prop_assert!(now - cut_at >= nanos(config.cooldown), "two cuts within a cooldown");
                    }
                    prop_assert!(!paused, "cut in a pause");
                    (cut_at, rose_at) = (Some(now), now);
                }
                Adjustment::Raised => {
                    prop_assert!(!paused && before.quiet.is_zero());
                    let gained = u64::from(after.share - before.share);
                    let span = u128::from(now - rose_at + TICK) * u128::from(ceiling);
                    prop_assert!(u128::from(gained) <= span / config.climb.as_nanos() + 1, "{gained} steps");
                    rose_at = now;
                }
            }
            if let Signal::SlowDown(wait) = signal {
                paused_until = paused_until.max(now + wait.min(nanos(config.max_pause)));
            }
            // nothing before the end of a pause, and soon after it
            let scaled = rate.scale(&policy, at(now), Tokens::ONE.into());
            prop_assert!(now >= paused_until || scaled.is_err(), "admitted in a pause");
            prop_assert!(now < paused_until + TICK || scaled.is_ok(), "a pause that does not end");
            let due = rate.next_change(&policy, at(now));
            prop_assert_eq!(due.is_some(), scaled.is_err());
            if let Some(due) = due {
                prop_assert!(rate.scale(&policy, due, Tokens::ONE.into()).is_ok());
                let before = at(due.as_nanos() - 1);
                prop_assert!(state.scale(Tokens::ONE.into(), before, &policy).1.is_err());
            }
        }
    }

    #[test]
    fn a_scaled_cost_is_the_cost_by_the_share_rounded_up(
        policy in policies(),
        share in 1..=AdaptiveSnapshot::CEILING,
        cost in 0_u64..3_000_000,
        leave in 0_u64..1_000_000,
    ) {
        let snapshot = AdaptiveSnapshot { share, held: Duration::ZERO, quiet: Duration::ZERO };
        let rate = AdaptiveRate::restore(&policy, at(9), snapshot);
        let share = u64::from(rate.snapshot(&policy, at(9)).share);
        let demand = Demand { cost: Tokens::milli(cost), leave: Tokens::milli(leave) };
        let scaled = rate.scale(&policy, at(9), demand).expect("no pause");
        prop_assert_eq!(scaled.leave, demand.leave);
        let room = 2_000_000 - leave;
        if cost > room {
            prop_assert_eq!(scaled, demand); // H12: the bucket says that it never fits
            return Ok(());
        }
        let exact = (cost * u64::from(AdaptiveSnapshot::CEILING)).div_ceil(share);
        prop_assert!(scaled.cost.as_milli() >= exact.min(room) && scaled.cost.as_milli() <= room);
        prop_assert!(scaled.cost.as_milli() <= exact + 1 + exact / 16_000, "{} for {exact}", scaled.cost);
    }

    #[test]
    fn c1_c2_whatever_the_clock_did_a_pause_ends_in_time_and_the_rate_lives(
        policy in policies(),
        signals in signals(hostile()),
        end in 0..u64::MAX / 2,
    ) {
        let (rate, mut state, mut now) = (AdaptiveRate::new(), AdaptiveState::NEW, 0);
        for (time, signal) in signals {
            now = time.from(now);
            apply(&rate, &mut state, &policy, now, signal);
        }
        let config = policy.config();
        let mut now = end;
        if let Err(Wait::Nanos(wait)) = rate.scale(&policy, at(now), Tokens::ONE.into()) {
            let most = nanos(config.max_pause) + SECOND + TICK;
            prop_assert!(wait <= most, "a pause of {wait} ns");
            now += wait;
            prop_assert!(rate.scale(&policy, at(now), Tokens::ONE.into()).is_ok());
        }
        // a failure counts again after two cooldowns at most, and then successes reach the ceiling again
        now += 2 * nanos(config.cooldown) + 2 * TICK;
        prop_assert_eq!(rate.settle(&policy, at(now), Outcome::Failure), Adjustment::Cut);
        now += nanos(config.cooldown) + TICK;
        now = climb(&rate, &policy, now);
        prop_assert_eq!(rate.snapshot(&policy, at(now)).share_milli(), 1_000);
    }

    #[test]
    fn h11_a_fresh_rate_cannot_be_told_from_a_new_one(
        policy in policies(),
        earlier in signals(forward()),
        later in signals(forward()),
    ) {
        let (rate, mut state, mut now) = (AdaptiveRate::new(), AdaptiveState::NEW, 0);
        for (time, signal) in earlier {
            now = time.from(now);
            apply(&rate, &mut state, &policy, now, signal);
        }
        now = climb(&rate, &policy, now + 30 * SECOND);
        state = AdaptiveState::restored(rate.snapshot(&policy, at(now)), at(now), &policy);
        prop_assert!(rate.is_fresh(&policy, at(now)), "it has climbed");
        let (new, mut twin) = (AdaptiveRate::new(), AdaptiveState::NEW);
        for (time, signal) in later {
            now = time.from(now);
            let fresh = rate.is_fresh(&policy, at(now));
            prop_assert!(!fresh || rate.snapshot(&policy, at(now)).share_milli() == 1_000);
            let done = apply(&rate, &mut state, &policy, now, signal);
            prop_assert_eq!(done, apply(&new, &mut twin, &policy, now, signal));
            prop_assert_eq!(state.snapshot(at(now), &policy), twin.snapshot(at(now), &policy));
        }
    }

    #[test]
    fn snapshot_restore_snapshot_is_the_identity(
        policy in policies(),
        signals in signals(forward()),
        later in 0..10 * SECOND,
    ) {
        let (rate, mut state, mut now) = (AdaptiveRate::new(), AdaptiveState::NEW, 0);
        for (time, signal) in signals {
            now = time.from(now);
            apply(&rate, &mut state, &policy, now, signal);
        }
        let snapshot = rate.snapshot(&policy, at(now + later));
        let restored = AdaptiveRate::restore(&policy, at(now + later), snapshot);
        prop_assert_eq!(restored.snapshot(&policy, at(now + later)), snapshot);
    }

    #[test]
    fn r1_a_change_of_policy_keeps_the_absolute_rate_within_the_new_range(
        old in policies(),
        new in policies(),
        ceilings in (1_u64..100_000, 1_u64..100_000),
        share in 1..=AdaptiveSnapshot::CEILING,
    ) {
        let (old, new) = (policy_of(*old.config(), ceilings.0), policy_of(*new.config(), ceilings.1));
        let quiet = Duration::from_millis(1);
        let rate = AdaptiveRate::restore(&old, at(0), AdaptiveSnapshot { share, held: Duration::ZERO, quiet });
        let before = u64::from(rate.snapshot(&old, at(0)).share);
        rate.change_policy(&old, &new);
        let after = u64::from(rate.snapshot(&new, at(0)).share);
        let full = u64::from(AdaptiveSnapshot::CEILING);
        let floor = (full * u64::from(new.config().floor_milli)).div_ceil(1_000);
        let same = (before * ceilings.0 / ceilings.1).clamp(floor, full);
        prop_assert!(after.abs_diff(if before == full { full } else { same }) <= 1, "{after}, not {same}");
    }
}

#[test]
fn a_pause_is_held_to_the_end_and_never_becomes_shorter() {
    let policy = policy_of(AdaptiveConfig::DEFAULT, 100);
    let rate = AdaptiveRate::new();
    let pause = |now, seconds| rate.slow_down(&policy, at(now), Duration::from_secs(seconds));
    let wait = |now| rate.scale(&policy, at(now), Tokens::ONE.into()).err().and_then(Wait::duration);
    assert_eq!(pause(0, 10), Adjustment::Cut);
    assert_eq!(pause(SECOND, 2), Adjustment::Kept, "the same trouble");
    assert_eq!(rate.settle(&policy, at(SECOND), Outcome::Failure), Adjustment::Kept);
    assert_eq!(rate.snapshot(&policy, at(0)).share_milli(), 849);
    let held = wait(SECOND).expect("held");
    assert!(held >= Duration::from_secs(9) && held < Duration::from_millis(9_002), "{held:?}");
    assert_eq!(wait(10 * SECOND + TICK), None);
    assert_eq!(pause(10 * SECOND + TICK, u64::MAX), Adjustment::Cut, "it was not long enough");
    let held = wait(10 * SECOND + TICK).expect("held");
    assert!(held >= Duration::from_secs(120) && held < Duration::from_millis(120_002), "the longest: {held:?}");
}

#[test]
fn every_field_is_checked_on_both_sides() {
    let field = |config, burst| {
        AdaptivePolicy::new(config, &bucket(10, Duration::from_secs(1), Tokens::milli(burst)))
            .err()
            .map(|error| error.field)
    };
    let sound = AdaptiveConfig::DEFAULT;
    let with = |change: fn(&mut AdaptiveConfig)| {
        let mut config = sound;
        change(&mut config);
        field(config, 10_000)
    };
    assert_eq!((field(sound, 10_000), field(sound, 9_999), field(sound, 999)), (None, Some("floor"), Some("burst")));
    assert_eq!(with(|config| config.floor_milli = 1_001), Some("floor"));
    assert_eq!(with(|config| config.floor_milli = 99), Some("floor"));
    assert_eq!(with(|config| config.floor_milli = 1_000), None);
    assert_eq!(with(|config| config.decrease_milli = 99), Some("decrease"));
    assert_eq!(with(|config| config.decrease_milli = 991), Some("decrease"));
    assert_eq!(with(|config| config.climb = Duration::from_millis(99)), Some("climb"));
    assert_eq!(with(|config| config.climb = Duration::from_secs(86_401)), Some("climb"));
    assert_eq!(with(|config| config.climb = Duration::from_secs(86_400)), None);
    assert_eq!(with(|config| config.cooldown = Duration::ZERO), Some("cooldown"));
    assert_eq!(with(|config| config.cooldown = Duration::from_secs(3_601)), Some("cooldown"));
    assert_eq!(with(|config| config.max_pause = Duration::ZERO), Some("max_pause"));
    assert_eq!(with(|config| config.max_pause = Duration::MAX), Some("max_pause"));
}

#[test]
fn one_token_fits_the_burst_at_the_floor() {
    for (floor_milli, burst) in [(1, 1_000_000), (3, 333_334), (100, 10_000), (999, 1_002), (1_000, 1_000)] {
        let bucket = bucket(10, Duration::from_secs(1), Tokens::milli(burst));
        let policy = AdaptivePolicy::new(AdaptiveConfig { floor_milli, ..AdaptiveConfig::DEFAULT }, &bucket);
        let policy = policy.expect("it fits");
        let snapshot = AdaptiveSnapshot { share: 0, held: Duration::ZERO, quiet: Duration::ZERO };
        let rate = AdaptiveRate::restore(&policy, at(0), snapshot);
        let demand = rate.scale(&policy, at(0), Tokens::ONE.into()).expect("no pause");
        assert_eq!(TokenBucket::new().try_acquire_as(&bucket, at(0), demand), Ok(()), "{floor_milli}");
    }
}

#[test]
fn c2_successes_raise_the_rate_again_after_a_clock_that_went_back_by_any_step() {
    let policy = policy_of(AdaptiveConfig::DEFAULT, 100);
    for (late, early) in [(100 * DAY, 0), (u64::MAX - 60 * SECOND, 5 * SECOND), (DAY, DAY - 10 * SECOND)] {
        let rate = AdaptiveRate::new();
        assert_eq!(rate.settle(&policy, at(late), Outcome::Failure), Adjustment::Cut);
        assert_eq!(rate.settle(&policy, at(late + 2 * SECOND), Outcome::Success), Adjustment::Raised);
        assert_eq!(rate.settle(&policy, at(early), Outcome::Success), Adjustment::Kept, "from here it counts");
        assert_eq!(rate.settle(&policy, at(early + SECOND / 10), Outcome::Success), Adjustment::Raised);
    }
}

#[test]
fn c2_a_pause_outlives_a_clock_that_went_back_whatever_comes_next() {
    let policy = policy_of(AdaptiveConfig::DEFAULT, 100);
    let most = Duration::from_nanos(121 * SECOND + TICK);
    for (outcome, pause) in [
        (Some(Outcome::Success), None),
        (Some(Outcome::Failure), None),
        (Some(Outcome::Ignored), None),
        (None, Some(Duration::from_millis(1))),
        (None, Some(Duration::MAX)),
    ] {
        for back in [SECOND, 100 * SECOND, 1_000 * SECOND] {
            let (rate, now) = (AdaptiveRate::new(), 1_000 * SECOND - back);
            assert_eq!(rate.slow_down(&policy, at(1_000 * SECOND), Duration::from_secs(60)), Adjustment::Cut);
            let cut = rate.snapshot(&policy, at(1_000 * SECOND)).share;
            if let Some(outcome) = outcome {
                assert_eq!(rate.settle(&policy, at(now), outcome), Adjustment::Kept, "{outcome:?}");
            }
            if let Some(pause) = pause {
                assert_eq!(rate.slow_down(&policy, at(now), pause), Adjustment::Kept, "{pause:?}");
            }
            let held = rate.scale(&policy, at(now), Tokens::ONE.into()).err().and_then(Wait::duration);
            let held = held.expect("the pause holds");
            assert!(held >= Duration::from_secs(60) && held <= most, "{outcome:?}, {pause:?}, {back}: {held:?}");
            assert_eq!(rate.snapshot(&policy, at(now)).share, cut);
        }
    }
}

#[test]
fn c2_a_cooldown_is_believed_for_twice_its_length() {
    let policy = policy_of(AdaptiveConfig { cooldown: Duration::from_secs(1), ..AdaptiveConfig::DEFAULT }, 100);
    let cut_at = 100 * SECOND;
    let again = |now| {
        let rate = AdaptiveRate::new();
        assert_eq!(rate.settle(&policy, at(cut_at), Outcome::Failure), Adjustment::Cut);
        rate.settle(&policy, at(now), Outcome::Failure)
    };
    assert_eq!(again(cut_at - SECOND), Adjustment::Kept, "late, and the end of the cooldown was rounded up");
    assert_eq!(again(cut_at - SECOND - 2 * TICK), Adjustment::Cut, "the clock went back");
}

#[test]
fn a_cost_is_multiplied_exactly_where_the_share_divides_the_ceiling() {
    let policy = policy_of(AdaptiveConfig { floor_milli: 100, ..AdaptiveConfig::DEFAULT }, 100);
    let snapshot =
        AdaptiveSnapshot { share: AdaptiveSnapshot::CEILING / 3, held: Duration::ZERO, quiet: Duration::ZERO };
    let rate = AdaptiveRate::restore(&policy, at(0), snapshot);
    let demand = rate.scale(&policy, at(0), Tokens::ONE.into()).expect("no pause");
    assert_eq!(demand.cost, Tokens::whole(3));
}

#[test]
fn r1_pauses_and_cooldowns_keep_their_end_as_far_as_the_new_policy_believes_them() {
    let of = |cooldown, pause| {
        let (cooldown, max_pause) = (Duration::from_secs(cooldown), Duration::from_secs(pause));
        policy_of(AdaptiveConfig { cooldown, max_pause, ..AdaptiveConfig::DEFAULT }, 100)
    };
    let (old, new) = (of(60, 600), of(1, 120));
    let held = |asked| {
        let rate = AdaptiveRate::new();
        rate.slow_down(&old, at(0), Duration::from_secs(asked));
        rate.change_policy(&old, &new);
        rate.snapshot(&new, at(0)).held.as_secs()
    };
    assert_eq!((held(100), held(500)), (100, 121));
    let quiet = |elapsed| {
        let rate = AdaptiveRate::new();
        rate.settle(&old, at(0), Outcome::Failure);
        rate.change_policy(&old, &new);
        rate.snapshot(&new, at(elapsed)).quiet.as_secs()
    };
    assert_eq!((quiet(0), quiet(57 * SECOND), quiet(58 * SECOND)), (0, 0, 2));
}
