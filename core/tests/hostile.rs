//! Hostile configurations: no input panics, and an error names the field, the value and the range.

mod support;

use core::time::Duration;
use fusebox_core::*;
use proptest::prelude::*;
use support::*;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const TICK: Duration = Duration::from_nanos(1);

/// Any duration, extremes included.
fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        any::<u64>().prop_map(Duration::from_nanos),
        (0_u64..100).prop_map(Duration::from_millis),
        (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..10_000, any::<u64>(), Just(u64::MAX), (0_u32..64).prop_map(|bit| 1 << bit)]
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full)]
}

fn any_breaker() -> impl Strategy<Value = BreakerConfig> {
    let trip = prop_oneof![any::<u32>().prop_map(Trip::Consecutive), Just(Trip::Never)];
    let counts = (any::<u32>(), 0_u8..20, 0_u8..20, any::<u64>());
    (trip, span(), span(), span(), counts, any_jitter(), any::<bool>()).prop_map(
        |(trip, open_wait, open_wait_max, probe_lease, counts, jitter, cancelled_is_failure)| {
            let (open_wait_factor_milli, probes, required_successes, seed) = counts;
            BreakerConfig {
                trip,
                open_wait,
                open_wait_factor_milli,
                open_wait_max,
                jitter,
                seed,
                probes,
                required_successes,
                probe_lease,
                cancelled_is_failure,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_window_panics_at_any_time_or_with_any_snapshot(
        span in 1_u64..365 * 86_400,
        size in 1_u32..=56,
        counts: (u32, u32, u32),
        generation: u8,
        operations in operations(hostile()),
    ) {
        let trip = Trip::Rate(RateTrip { minimum_calls: 3, ..RateTrip::DEFAULT });
        let policy = breaker(BreakerConfig { trip, ..BreakerConfig::DEFAULT });
        let window = WindowCounts { calls: counts.0, failures: counts.1, slow: counts.2 };
        let snapshot = BreakerSnapshot { generation, window, ..BreakerSnapshot::default() };
        let counting = Breaker::restore_window(snapshot, CountWindow::<2>::new(size)?, at(0));
        let timing = Breaker::restore_window(snapshot, TimeWindow::<3>::new(Duration::from_secs(span))?, at(0));
        let (mut now, mut counted, mut timed) = (0, Vec::new(), Vec::new());
        for (time, action) in operations {
            now = time.from(now);
            counted.extend(counting.admit(&policy, at(now)).ok().map(|(ticket, _)| ticket));
            timed.extend(timing.admit(&policy, at(now)).ok().map(|(ticket, _)| ticket));
            if let Action::Settle(_, outcome) = action {
                let _ = counted.pop().map(|ticket| counting.settle(&policy, at(now), ticket, outcome));
                let _ = timed.pop().map(|ticket| timing.settle(&policy, at(now), ticket, outcome));
            }
            prop_assert!(counting.snapshot(&policy, at(now)).window.calls <= size);
            prop_assert!(timing.snapshot(&policy, at(now)).window.failure_rate_milli() <= 1_000);
        }
    }

    #[test]
    fn no_breaker_configuration_panics(config in any_breaker()) {
        if let Ok(policy) = BreakerPolicy::new(config) {
            prop_assert_eq!(*policy.config(), config);
        }
    }

    #[test]
    fn c1_no_accepted_breaker_policy_panics_at_any_time(
        mut config in any_breaker(),
        wait in 1_u64..365 * 86_400_000,
        max in 1_u64..365 * 86_400_000,
        lease in 0_u64..=1_000,
        operations in operations(hostile()),
    ) {
        config.trip = Trip::Consecutive(2);
        config.open_wait = Duration::from_millis(wait);
        config.open_wait_max = Duration::from_millis(max.max(wait));
        config.open_wait_factor_milli = 1_000 + config.open_wait_factor_milli % 99_001;
        config.probe_lease = Duration::from_millis(10.max(32 * wait * lease / 1_000));
        config.probes = config.probes % 15 + 1;
        config.required_successes = config.required_successes % 15 + 1;
        let policy = BreakerPolicy::new(config)?;
        for step in run(&[policy], &operations) {
            let _ = step.after.refusal(at(u64::MAX), &policy);
        }
    }

    #[test]
    fn no_bucket_configuration_panics(
        tokens in amount(),
        per in span(),
        burst in amount(),
        calls in prop::collection::vec((hostile(), amount(), any::<bool>()), 1..40),
    ) {
        let Ok(policy) = BucketPolicy::new(Rate { tokens, per }, Tokens::milli(burst)) else { return Ok(()) };
        let (shared, mut now) = (TokenBucket::new(), 0);
        for (time, cost, refund) in calls {
            now = time.from(now);
            if refund {
                shared.refund(&policy, at(now), Tokens::milli(cost));
            } else {
                let _ = shared.try_acquire(&policy, at(now), Tokens::milli(cost));
            }
            prop_assert!(shared.peek(&policy, at(now)) <= policy.burst());
        }
    }

    #[test]
    fn no_backoff_panics_or_exceeds_its_cap(
        base in span(),
        factor_milli: u32,
        cap in span(),
        jitter in any_jitter(),
        retry: u32,
        random: u64,
    ) {
        if let Ok(backoff) = Backoff::new(BackoffConfig { base, factor_milli, cap, jitter }) {
            prop_assert!(backoff.delay(retry, random) <= cap);
        }
    }

    #[test]
    fn no_snapshot_panics_when_it_is_restored(
        policy in small_policy(),
        counts: (u8, u32, u8, u8, u8, u64),
        since: Option<u64>,
        now: u64,
        state in 0_usize..5,
    ) {
        let (generation, failures, streak, outstanding, successes, stale) = counts;
        let state =
            [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed][state];
        let since = since.map(at);
        let refusal = None;
        let breaker = Breaker::restore(BreakerSnapshot {
            state, generation, failures, streak, since, outstanding, successes, refusal, stale,
            window: WindowCounts::NONE,
        });
        prop_assert_eq!(breaker.snapshot(&policy, at(now)).state, state);
        if let Ok((ticket, _)) = breaker.admit(&policy, at(now)) {
            let _ = breaker.settle(&policy, at(now), ticket, Outcome::Failure);
        }
    }

    #[test]
    fn numbers_and_times_saturate_instead_of_panicking(tokens: u64, from in span(), to in span()) {
        let _ = (Tokens::whole(tokens), Tokens::milli(tokens).to_string(), Priority::Low.cost());
        let (from, to) = (Instant::ORIGIN.saturating_add(from), Instant::ORIGIN.saturating_add(to));
        prop_assert!(from.saturating_since(to).is_zero() || to.saturating_since(from).is_zero());
    }
}

fn field_of<T: core::fmt::Debug>(result: Result<T, PolicyError>) -> Option<&'static str> {
    result.err().map(|error| error.field)
}

#[test]
fn every_field_of_a_breaker_is_checked_on_both_sides() {
    let sound = BreakerConfig::DEFAULT;
    let with_waits = |open_wait, open_wait_max| BreakerConfig { open_wait, open_wait_max, ..sound };
    let millis = Duration::from_millis;
    let cases = [
        (BreakerConfig { trip: Trip::Consecutive(0), ..sound }, Some("trip")),
        (BreakerConfig { trip: Trip::Consecutive(1), ..sound }, None),
        (BreakerConfig { trip: Trip::Consecutive(u32::MAX), ..sound }, None),
        (with_waits(millis(1) - TICK, YEAR), Some("open_wait")),
        (BreakerConfig { probe_lease: millis(10), ..with_waits(millis(1), YEAR) }, None),
        (with_waits(YEAR, YEAR), None),
        (with_waits(YEAR + TICK, YEAR), Some("open_wait")),
        (with_waits(Duration::MAX, Duration::MAX), Some("open_wait")),
        (BreakerConfig { open_wait_factor_milli: 999, ..sound }, Some("open_wait_factor")),
        (BreakerConfig { open_wait_factor_milli: 1_000, ..sound }, None),
        (BreakerConfig { open_wait_factor_milli: 100_000, ..sound }, None),
        (BreakerConfig { open_wait_factor_milli: 100_001, ..sound }, Some("open_wait_factor")),
        (with_waits(sound.open_wait, sound.open_wait - TICK), Some("open_wait_max")),
        (with_waits(sound.open_wait, sound.open_wait), None),
        (with_waits(sound.open_wait, YEAR + TICK), Some("open_wait_max")),
        (BreakerConfig { probes: 0, ..sound }, Some("probes")),
        (BreakerConfig { probes: 15, ..sound }, None),
        (BreakerConfig { probes: 16, ..sound }, Some("probes")),
        (BreakerConfig { required_successes: 0, ..sound }, Some("required_successes")),
        (BreakerConfig { required_successes: 15, ..sound }, None),
        (BreakerConfig { required_successes: 16, ..sound }, Some("required_successes")),
        (BreakerConfig { probe_lease: millis(10) - TICK, ..sound }, Some("probe_lease")),
        (BreakerConfig { probe_lease: millis(10), ..sound }, None),
        (BreakerConfig { probe_lease: sound.open_wait * 32, ..sound }, None),
        (BreakerConfig { probe_lease: sound.open_wait * 32 + TICK, ..sound }, Some("probe_lease")),
    ];
    for (config, field) in cases {
        assert_eq!(field_of(BreakerPolicy::new(config)), field, "{config:?}");
    }
}

#[test]
fn every_field_of_a_rate_and_a_window_is_checked_on_both_sides() {
    let sound = RateTrip::DEFAULT;
    let none = RateTrip { failure_rate_milli: None, ..sound };
    let cases = [
        (none, Some("trip.thresholds")),
        (RateTrip { slow_rate_milli: Some(1), ..none }, None),
        (RateTrip { failure_rate_milli: Some(0), ..sound }, Some("trip.failure_rate")),
        (RateTrip { failure_rate_milli: Some(1), ..sound }, None),
        (RateTrip { failure_rate_milli: Some(1_000), ..sound }, None),
        (RateTrip { failure_rate_milli: Some(1_001), ..sound }, Some("trip.failure_rate")),
        (RateTrip { slow_rate_milli: Some(0), ..sound }, Some("trip.slow_rate")),
        (RateTrip { slow_rate_milli: Some(1_001), ..sound }, Some("trip.slow_rate")),
        (RateTrip { slow_call: Duration::from_nanos(999), ..sound }, Some("trip.slow_call")),
        (RateTrip { slow_call: Duration::from_nanos(1_000), ..sound }, None),
        (RateTrip { slow_call: YEAR, ..sound }, None),
        (RateTrip { slow_call: YEAR + TICK, ..sound }, Some("trip.slow_call")),
        (RateTrip { minimum_calls: 0, ..sound }, Some("trip.minimum_calls")),
        (RateTrip { minimum_calls: 100_000, ..sound }, None),
        (RateTrip { minimum_calls: 100_001, ..sound }, Some("trip.minimum_calls")),
        (RateTrip { max_failures: Some(0), ..sound }, Some("trip.max_failures")),
        (RateTrip { max_failures: Some(100_000), ..none }, None),
        (RateTrip { max_failures: Some(100_001), ..sound }, Some("trip.max_failures")),
        (RateTrip { max_slow: Some(0), ..sound }, Some("trip.max_slow")),
        (RateTrip { max_slow: Some(100_001), ..sound }, Some("trip.max_slow")),
    ];
    for (rate, field) in cases {
        let config = BreakerConfig { trip: Trip::Rate(rate), ..BreakerConfig::DEFAULT };
        assert_eq!(field_of(BreakerPolicy::new(config)), field, "{rate:?}");
    }
    for (size, sound) in [(0, false), (1, true), (112, true), (113, false), (u32::MAX, false)] {
        assert_eq!(CountWindow::<4>::new(size).is_ok(), sound, "{size}");
    }
    assert_eq!((CountWindow::<80>::new(2_047).is_ok(), CountWindow::<80>::new(2_048).is_ok()), (true, false));
    assert_eq!(field_of(CountWindow::<0>::new(1)), Some("window.size"));
    let second = Duration::from_secs(1);
    for (span, sound) in [(second - TICK, false), (second, true), (YEAR, true), (YEAR + TICK, false)] {
        assert_eq!(TimeWindow::<2>::new(span).is_ok(), sound, "{span:?}");
        assert_eq!(TimeWindow::<63>::new(span).is_ok(), sound, "{span:?}");
    }
}

#[test]
fn every_field_of_the_other_policies_is_checked_on_both_sides() {
    let rate = |tokens, per| field_of(BucketPolicy::new(Rate { tokens, per }, Tokens::ONE));
    assert_eq!(rate(1, Duration::ZERO), Some("rate.per"));
    assert_eq!(rate(1, TICK), None);
    assert_eq!(rate(365, YEAR), None);
    assert_eq!(rate(365, YEAR + TICK), Some("rate.per"));
    assert_eq!(rate(364, YEAR), Some("rate.tokens"));
    assert_eq!(rate(0, Duration::from_secs(1)), Some("rate.tokens"));
    assert_eq!(rate(SECOND, Duration::from_secs(1)), None);
    assert_eq!(rate(SECOND + 1, Duration::from_secs(1)), Some("rate.tokens"));
    assert_eq!(rate(u64::MAX, Duration::MAX), Some("rate.per"));

    let burst = |milli| BucketPolicy::new(Rate::per_second(2), Tokens::milli(milli));
    assert_eq!(field_of(burst(0)), Some("burst"));
    assert_eq!(field_of(burst(1)), None);
    let Quantity::Milli(max) = burst(u64::MAX).expect_err("too large").max else { panic!("a burst is in tokens") };
    assert_eq!((field_of(burst(max)), field_of(burst(max + 1))), (None, Some("burst")));
    assert!(u128::from(max) * 500_000 > 36 * YEAR.as_nanos(), "the documented 36 years of refill");

    assert_eq!(field_of(BulkheadPolicy::new(0)), Some("max_in_flight"));
    assert_eq!(field_of(BulkheadPolicy::new(u32::MAX)), None);

    let sound = BackoffConfig::DEFAULT;
    let cases = [
        (BackoffConfig { base: Duration::ZERO, ..sound }, None),
        (BackoffConfig { base: YEAR + TICK, cap: YEAR, ..sound }, Some("backoff.base")),
        (BackoffConfig { factor_milli: 999, ..sound }, Some("backoff.factor")),
        (BackoffConfig { factor_milli: 100_000, ..sound }, None),
        (BackoffConfig { factor_milli: 100_001, ..sound }, Some("backoff.factor")),
        (BackoffConfig { cap: sound.base - TICK, ..sound }, Some("backoff.cap")),
        (BackoffConfig { cap: YEAR, ..sound }, None),
        (BackoffConfig { cap: YEAR + TICK, ..sound }, Some("backoff.cap")),
    ];
    for (config, field) in cases {
        assert_eq!(field_of(Backoff::new(config)), field, "{config:?}");
    }
}

#[test]
fn an_error_says_the_field_the_value_and_the_range() {
    let says = |error: PolicyError, text: &str| assert_eq!(error.to_string(), text);
    let sound = BreakerConfig::DEFAULT;
    let error = BreakerPolicy::new(BreakerConfig { probes: 16, ..sound }).unwrap_err();
    says(error, "probes is 16: allowed is 1 to 15");
    let error = BreakerPolicy::new(BreakerConfig { open_wait_factor_milli: 500, ..sound }).unwrap_err();
    says(error, "open_wait_factor is 0.5: allowed is 1 to 100");
    let error = BreakerPolicy::new(BreakerConfig { probe_lease: Duration::from_secs(200), ..sound }).unwrap_err();
    says(error, "probe_lease is 200s: allowed is 10ms to 160s");
    let error = BulkheadPolicy::new(0).unwrap_err();
    says(error, "max_in_flight is 0: allowed is 1 to 4294967295");
}
