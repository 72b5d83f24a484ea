//! Configurations by chance: of any kind, and such as are allowed.

use super::super::*;
use core::time::Duration;
use fusebox_core::Rate;
use proptest::option::of;
use proptest::prelude::*;

fn any_duration() -> impl Strategy<Value = DurationText> {
    prop_oneof![
        any::<Duration>(),
        (0..40_000_000_000_000_000_u64).prop_map(Duration::from_nanos),
        (0..10_000_u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
    .prop_map(DurationText)
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), 0.0..200.0, 0.0..1e13, Just(f64::NAN)]
}

fn any_jitter() -> impl Strategy<Value = JitterConfig> {
    prop_oneof![Just(JitterConfig::None), Just(JitterConfig::Equal), Just(JitterConfig::Full)]
}

fn any_rate() -> impl Strategy<Value = RateText> {
    let tokens = prop_oneof![any::<u64>(), 0..1_000_u64];
    (tokens, any_duration()).prop_map(|(tokens, per)| RateText(Rate { tokens, per: per.0 }))
}

fn any_categories() -> impl Strategy<Value = BTreeMap<ErrorCategory, CategoryChange>> {
    let change = (of(any::<bool>()), of(any::<bool>())).prop_map(|(trips, retry)| CategoryChange { trips, retry });
    proptest::collection::btree_map(proptest::sample::select(&ErrorCategory::ALL[..]), change, 0..4)
}

/// Any configuration at all; few are allowed.
pub(super) fn any_config() -> impl Strategy<Value = PolicyConfig> {
    let backoff = (of(any_duration()), of(any_number()), of(any_duration()), of(any_jitter()))
        .prop_map(|(base, factor, cap, jitter)| BackoffConfig { base, factor, cap, jitter });
    let waits = (of(any_duration()), of(any_number()), of(any_duration()), of(any_jitter()));
    let probes = (of(any::<u8>()), of(any::<u8>()), of(any_duration()), of(any::<bool>()));
    let breaker = (of(any::<bool>()), of(any::<u32>()), waits, probes).prop_map(
        |(enabled, consecutive_failures, (open_wait, open_wait_factor, open_wait_max, jitter), probing)| {
            let (probes, required_successes, probe_lease, cancelled_is_failure) = probing;
            BreakerConfig {
                enabled,
                consecutive_failures,
                open_wait,
                open_wait_factor,
                open_wait_max,
                jitter,
                probes,
                required_successes,
                probe_lease,
                cancelled_is_failure,
            }
        },
    );
    let rate = (of(any::<bool>()), of(any_rate()), of(any_number())).prop_map(|(enabled, limit, burst)| RateConfig {
        enabled,
        limit,
        burst,
    });
    let bulkhead = (of(any::<bool>()), of(any::<u32>()))
        .prop_map(|(enabled, max_in_flight)| BulkheadConfig { enabled, max_in_flight });
    let budget = (of(any::<bool>()), of(any_number()), of(any_number()), of(any_duration()), of(any_number()));
    let retry_budget = budget.prop_map(|(enabled, share, per_second, window, burst)| RetryBudgetConfig {
        enabled,
        share,
        per_second,
        window,
        burst,
    });
    let times = (of(any_duration()), of(any_duration()), of(any_duration()), of(any_duration()));
    let millis = (of(any::<u64>()), of(any::<u64>()));
    let retries = (of(any::<u32>()), of(any::<bool>()), of(any::<bool>()));
    (times, millis, retries, retry_budget, backoff, breaker, rate, bulkhead, any_categories()).prop_map(
        |(
            (timeout, idle_timeout, deadline, max_wait),
            (timeout_ms, backoff_base_ms),
            (max_retries, idempotent, nested_retries),
            retry_budget,
            backoff,
            breaker,
            rate,
            bulkhead,
            categories,
        )| {
            PolicyConfig {
                timeout,
                timeout_ms,
                idle_timeout,
                deadline,
                max_wait,
                max_retries,
                idempotent,
                nested_retries,
                retry_budget,
                backoff,
                backoff_base_ms,
                breaker,
                rate,
                bulkhead,
                categories,
            }
        },
    )
}

/// `value` where it lies between `min` and `max`, else what it leaves when divided into that range.
fn fold(value: DurationText, min: Duration, max: Duration) -> DurationText {
    let (min, max) = (min.as_nanos(), max.as_nanos());
    let nanos = min + value.0.as_nanos() % (max - min + 1);
    DurationText(Duration::from_nanos(u64::try_from(nanos).expect("a year fits")))
}

/// Any configuration that is allowed.
pub(super) fn any_allowed_config() -> impl Strategy<Value = PolicyConfig> {
    let factors = (of(1.0..=100.0), of(1.0..=100.0), of(0.001..1e4), of(1..1_000_u64));
    let earned = (of(0.0..=10.0), of(0.2..=1_000.0));
    (any_config(), factors, earned).prop_map(|(mut config, factors, (share, per_second))| {
        let (backoff_factor, wait_factor, burst, tokens) = factors;
        const MS: Duration = Duration::from_millis(1);
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        config.timeout = config.timeout.map(|timeout| fold(timeout, MS, YEAR));
        config.timeout_ms = None;
        config.idle_timeout = config.idle_timeout.map(|idle_timeout| fold(idle_timeout, MS, YEAR));
        let budget = &mut config.retry_budget;
        budget.share = share;
        budget.per_second = per_second;
        budget.window = budget.window.map(|window| fold(window, 20_000 * MS, 100_000 * MS));
        // the floor of the longest window, to the most that can be saved
        budget.burst = budget.burst.and(Some(100_000.0));
        config.deadline = config.deadline.map(|deadline| fold(deadline, MS, YEAR));
        config.max_wait = config.max_wait.map(|max_wait| fold(max_wait, Duration::ZERO, YEAR));
        config.backoff_base_ms = None;
        let base = config.backoff.base.map(|base| fold(base, Duration::ZERO, YEAR));
        config.backoff.base = base;
        let least_cap = base.map_or(Duration::from_millis(500), |base| base.0);
        config.backoff.cap = config.backoff.cap.map(|cap| fold(cap, least_cap, YEAR));
        config.backoff.factor = backoff_factor;
        let breaker = &mut config.breaker;
        breaker.consecutive_failures = breaker.consecutive_failures.map(|failures| failures.max(1));
        breaker.open_wait = breaker.open_wait.map(|wait| fold(wait, MS, YEAR));
        let wait = breaker.open_wait.map_or(Duration::from_secs(5), |wait| wait.0);
        breaker.open_wait_max = breaker.open_wait_max.map(|longest| fold(longest, wait, YEAR));
        breaker.open_wait_factor = wait_factor;
        breaker.probes = breaker.probes.map(|probes| 1 + probes % 15);
        breaker.required_successes = breaker.required_successes.map(|successes| 1 + successes % 15);
        breaker.probe_lease = breaker.probe_lease.map(|lease| fold(lease, 10 * MS, 32 * wait));
        config.rate.limit = tokens.map(|tokens| {
            // whole milliseconds: the longest burst of an odder period is shorter than those drawn here
            let millis =
                config.deadline.map_or(86_400_000, |deadline| fold(deadline, MS, 86_400_000 * MS).0.as_millis());
            let per = Duration::from_millis(u64::try_from(millis).expect("a day fits"));
            RateText(Rate { tokens, per })
        });
        config.rate.burst = burst;
        config.bulkhead.max_in_flight = match config.bulkhead {
            BulkheadConfig { enabled: Some(true), max_in_flight } => Some(max_in_flight.unwrap_or(1).max(1)),
            BulkheadConfig { max_in_flight, .. } => max_in_flight.map(|max| max.max(1)),
        };
        config
    })
}
