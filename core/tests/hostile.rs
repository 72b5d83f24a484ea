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
