//! Configurations by chance: of any kind, and such as are allowed.

use super::super::*;
use core::time::Duration;
use fusebox_core::Rate;
use proptest::option::of;
use proptest::prelude::*;

// boxed, because a strategy is as large as all of its parts, and lives on the stack
fn any_duration() -> BoxedStrategy<DurationText> {
    prop_oneof![
        any::<Duration>(),
        (0..40_000_000_000_000_000_u64).prop_map(Duration::from_nanos),
        (0..10_000_u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
    .prop_map(DurationText)
    .boxed()
}

fn any_number() -> BoxedStrategy<f64> {
    prop_oneof![any::<f64>(), 0.0..200.0, 0.0..1e13, Just(f64::NAN)].boxed()
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

fn any_window() -> impl Strategy<Value = WindowConfig> {
    (of(any::<u32>()), of(any_duration()), of(0..100_u32)).prop_map(|(calls, span, slots)| WindowConfig {
        calls,
        span,
        slots,
    })
}

/// Thresholds on a window, in a breaker that has nothing else.
fn any_rates() -> BoxedStrategy<BreakerConfig> {
    let rates = (of(any_number()), of(any_number()), of(any_duration()));
    let counts = (of(0..200_000_u32), of(0..200_000_u32), of(0..200_000_u32));
    (of(any_window()), of(rates), of(counts))
        .prop_map(|(window, rates, counts)| {
            let (failure_rate, slow_call_rate, slow_call_duration) = rates.unwrap_or_default();
            let (minimum_calls, max_failures, max_slow_calls) = counts.unwrap_or_default();
            BreakerConfig {
                window: window.unwrap_or_default(),
                failure_rate,
                slow_call_rate,
                slow_call_duration,
                minimum_calls,
                max_failures,
                max_slow_calls,
                ..BreakerConfig::default()
            }
        })
        .boxed()
}

fn any_adaptive_rate() -> BoxedStrategy<AdaptiveRateConfig> {
    let times = (of(any_duration()), of(any_duration()), of(any_duration()));
    (of(any::<bool>()), of(any_number()), of(any_number()), times)
        .prop_map(|(enabled, floor, decrease, (climb, cooldown, max_pause))| AdaptiveRateConfig {
            enabled,
            floor,
            decrease,
            climb,
            cooldown,
            max_pause,
        })
        .boxed()
}

fn any_adaptive_limit() -> BoxedStrategy<AdaptiveLimitConfig> {
    (of(any::<bool>()), of(0..5_000_u32), of(0..5_000_u32), of(any_number()), of(any_duration()))
        .prop_map(|(enabled, min, initial, cut, slow_after)| AdaptiveLimitConfig {
            enabled,
            min,
            initial,
            cut,
            slow_after,
        })
        .boxed()
}

fn any_throttle() -> BoxedStrategy<ThrottleConfig> {
    (of(any::<bool>()), of(any_number()), of(0..2_000_u32), of(any_duration()))
        .prop_map(|(enabled, ratio, padding, window)| ThrottleConfig { enabled, ratio, padding, window })
        .boxed()
}

fn any_priorities() -> BoxedStrategy<PrioritiesConfig> {
    let class = || (of(any_number()), of(0.0..1.1)).prop_map(|(cost, reserve)| ClassConfig { cost, reserve });
    (class(), class(), class(), class())
        .prop_map(|(low, normal, high, critical)| PrioritiesConfig { low, normal, high, critical })
        .boxed()
}

fn any_hedge() -> BoxedStrategy<HedgeConfig> {
    (of(any::<bool>()), of(any_duration()), of(any_number()), of(0..200_000_u32), of(any::<u8>()))
        .prop_map(|(enabled, delay, percentile, min_samples, max)| HedgeConfig {
            enabled,
            delay,
            percentile,
            min_samples,
            max,
        })
        .boxed()
}

/// Any configuration at all; few are allowed.
pub(super) fn any_config() -> BoxedStrategy<PolicyConfig> {
    let backoff = (of(any_duration()), of(any_number()), of(any_duration()), of(any_jitter()))
        .prop_map(|(base, factor, cap, jitter)| BackoffConfig { base, factor, cap, jitter });
    let waits = (of(any_duration()), of(any_number()), of(any_duration()), of(any_jitter()));
    let probes = (of(any::<u8>()), of(any::<u8>()), of(any_duration()), of(any::<bool>()));
    let breaker = (of(any::<bool>()), of(any::<u32>()), waits, probes, any_rates()).prop_map(
        |(enabled, consecutive_failures, (open_wait, open_wait_factor, open_wait_max, jitter), probing, rates)| {
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
                ..rates
            }
        },
    );
    let rate = (of(any::<bool>()), of(any_rate()), of(any_number()), any_adaptive_rate())
        .prop_map(|(enabled, limit, burst, adaptive)| RateConfig { enabled, limit, burst, adaptive });
    let bulkhead = (of(any::<bool>()), of(any::<u32>()), any_adaptive_limit())
        .prop_map(|(enabled, max_in_flight, adaptive)| BulkheadConfig { enabled, max_in_flight, adaptive });
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
    let more = (any_hedge(), any_priorities(), any_throttle(), any_categories());
    (
        times,
        millis,
        retries,
        retry_budget.boxed(),
        backoff.boxed(),
        breaker.boxed(),
        rate.boxed(),
        bulkhead.boxed(),
        more,
    )
        .prop_map(
            |(
                (timeout, idle_timeout, deadline, max_wait),
                (timeout_ms, backoff_base_ms),
                (max_retries, idempotent, nested_retries),
                retry_budget,
                backoff,
                breaker,
                rate,
                bulkhead,
                (hedge, priorities, throttle, categories),
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
                    hedge,
                    breaker,
                    rate,
                    priorities,
                    bulkhead,
                    throttle,
                    categories,
                }
            },
        )
        .boxed()
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
            BulkheadConfig { enabled: Some(true), max_in_flight, .. } => Some(max_in_flight.unwrap_or(1).max(1)),
            BulkheadConfig { max_in_flight, .. } => max_in_flight.map(|max| max.max(1)),
        };
        allow_window(&mut config.breaker);
        allow_learning(&mut config);
        allow_hedge(&mut config);
        config
    })
}

/// `value` as a share of what lies between `min` and `max`.
fn between(value: f64, min: f64, max: f64) -> f64 {
    let share = value.fract().abs();
    min + (max - min) * if share.is_nan() { 0.5 } else { share }
}

/// Of failures in a row, calls and a span of time the first that is there stays.
fn allow_window(breaker: &mut BreakerConfig) {
    let window = &mut breaker.window;
    if breaker.consecutive_failures.is_some() || !window.is_given() {
        *breaker = BreakerConfig {
            window: WindowConfig::default(),
            failure_rate: None,
            slow_call_rate: None,
            slow_call_duration: None,
            minimum_calls: None,
            max_failures: None,
            max_slow_calls: None,
            ..breaker.clone()
        };
        return;
    }
    *window = match (window.calls, window.span) {
        (Some(calls), _) => WindowConfig { calls: Some(1 + calls % 2_047), span: None, slots: None },
        (None, span) => WindowConfig {
            calls: None,
            span: Some(span.map_or(DurationText::from_secs(30), |span| {
                fold(span, Duration::from_secs(1), Duration::from_secs(365 * 86_400))
            })),
            slots: window.slots.map(|slots| 2 + slots % 62),
        },
    };
    breaker.failure_rate = breaker.failure_rate.map(|rate| between(rate, 0.001, 1.0));
    breaker.slow_call_rate = breaker.slow_call_rate.map(|rate| between(rate, 0.001, 1.0));
    breaker.slow_call_duration =
        breaker.slow_call_duration.map(|slow| fold(slow, Duration::from_millis(1), Duration::from_secs(86_400)));
    let count = |count: Option<u32>| count.map(|count| 1 + count % 100_000);
    breaker.minimum_calls = count(breaker.minimum_calls);
    breaker.max_failures = count(breaker.max_failures);
    breaker.max_slow_calls = count(breaker.max_slow_calls);
}

fn allow_learning(config: &mut PolicyConfig) {
    const SECOND: Duration = Duration::from_secs(1);
    let adaptive = &mut config.rate.adaptive;
    if config.rate.burst.unwrap_or(10.0) < 20.0 {
        config.rate.burst = Some(20.0); // a token fits also at the floor, and what the reserves leave
    }
    adaptive.floor = adaptive.floor.map(|floor| between(floor, 0.1, 1.0));
    adaptive.decrease = adaptive.decrease.map(|decrease| between(decrease, 0.1, 0.99));
    adaptive.climb = adaptive.climb.map(|climb| fold(climb, SECOND, 80_000 * SECOND));
    adaptive.cooldown = adaptive.cooldown.map(|cooldown| fold(cooldown, SECOND, 3_600 * SECOND));
    adaptive.max_pause = adaptive.max_pause.map(|pause| fold(pause, SECOND, 80_000 * SECOND));
    let bulkhead = &mut config.bulkhead;
    if bulkhead.adaptive != AdaptiveLimitConfig::default() && bulkhead.adaptive.enabled != Some(false) {
        let max = bulkhead.max_in_flight.map_or(200, |max| 1 + max % 4_095);
        bulkhead.max_in_flight = bulkhead.max_in_flight.and(Some(max));
        bulkhead.adaptive.min = bulkhead.adaptive.min.map(|min| 1 + min % max);
        let min = bulkhead.adaptive.min.unwrap_or(1);
        bulkhead.adaptive.initial = bulkhead.adaptive.initial.map(|initial| min + initial % (max - min + 1));
        bulkhead.adaptive.cut = bulkhead.adaptive.cut.map(|cut| between(cut, 0.1, 0.99));
        bulkhead.adaptive.slow_after = bulkhead.adaptive.slow_after.map(|slow| fold(slow, SECOND, 3_600 * SECOND));
    }
    let throttle = &mut config.throttle;
    throttle.ratio = throttle.ratio.map(|ratio| between(ratio, 1.0, 100.0));
    throttle.padding = throttle.padding.map(|padding| 1 + padding % 1_000);
    throttle.window = throttle.window.map(|window| fold(window, SECOND, 3_600 * SECOND));
    // reserves fall from class to class, and leave half of the burst
    let PrioritiesConfig { low, normal, high, critical } = &mut config.priorities;
    for (class, reserve) in [(low, 0.5), (normal, 0.4), (high, 0.3), (critical, 0.2)] {
        class.cost = class.cost.map(|cost| between(cost, 0.001, 10.0));
        class.reserve = Some(reserve);
    }
}

fn allow_hedge(config: &mut PolicyConfig) {
    let hedge = &mut config.hedge;
    if config.idempotent == Some(false) {
        hedge.enabled = Some(false);
    }
    hedge.delay = match (hedge.delay, hedge.percentile) {
        (None, None) => Some(DurationText::from_secs(1)),
        (delay, _) => delay.map(|delay| fold(delay, Duration::ZERO, Duration::from_secs(86_400))),
    };
    hedge.percentile = hedge.percentile.filter(|_| hedge.delay.is_none()).map(|value| between(value, 1.0, 99.9));
    hedge.min_samples = hedge.min_samples.filter(|_| hedge.delay.is_none()).map(|samples| 1 + samples % 100_000);
    hedge.max = hedge.max.map(|max| 1 + max % 5);
}
