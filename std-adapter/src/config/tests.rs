//! The configuration: what can be written, what is refused and in which words, and that nothing panics.

mod any;
mod parts;

use super::*;
use crate::category::CategoryRule;
use any::{any_allowed_config, any_config};
use core::time::Duration;
use fusebox_core::Rate;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(json: Value) -> PolicyConfig {
    serde_json::from_value(json).expect("it can be read")
}

fn check(json: Value) -> Result<Policy, ConfigError> {
    Policy::new(&read(json))
}

/// Every field, away from its default.
const FULL: &str = r#"
    timeout = "1m 30s"
    idle_timeout = "20s"
    idempotent = true
    deadline = "2h"
    max_wait = "250ms"
    max_retries = 7
    nested_retries = true

    [retry_budget]
    enabled = true
    share = 0.1
    per_second = 2.5
    window = "30s"
    burst = 500

    [backoff]
    base = "10ms"
    factor = 1.5
    cap = "1s"
    jitter = "equal"

    [hedge]
    enabled = true
    percentile = 99.5
    min_samples = 50
    max = 2

    [breaker]
    enabled = true
    window = { span = "1m", slots = 12 }
    failure_rate = 0.25
    slow_call_rate = 0.75
    slow_call_duration = "2s"
    minimum_calls = 5
    max_failures = 90
    max_slow_calls = 80
    open_wait = "2s"
    open_wait_factor = 3
    open_wait_max = "1m"
    jitter = "full"
    probes = 2
    required_successes = 4
    probe_lease = "10s"
    cancelled_is_failure = true

    [rate]
    enabled = true
    limit = "100/min"
    burst = 20

    [rate.adaptive]
    enabled = true
    floor = 0.2
    decrease = 0.5
    climb = "1m"
    cooldown = "2s"
    max_pause = "5m"

    [priorities]
    low = { cost = 3, reserve = 0.4 }
    normal = { cost = 1.5, reserve = 0.3 }
    high = { cost = 0.75, reserve = 0.2 }
    critical = { cost = 0.2, reserve = 0.1 }

    [bulkhead]
    enabled = true
    max_in_flight = 90

    [bulkhead.adaptive]
    enabled = true
    min = 2
    initial = 10
    cut = 0.8
    slow_after = "250ms"

    [throttle]
    enabled = true
    ratio = 1.5
    padding = 4
    window = "1m"

    [categories.RateLimit]
    trips = false

    [categories.Cancelled]
    retry = true
"#;

fn full() -> PolicyConfig {
    toml::from_str(FULL).expect("it can be read")
}

#[test]
fn every_field_can_be_written_as_toml_and_json() {
    let config = full();
    assert_eq!(config.timeout, Some(DurationText(Duration::from_secs(90))));
    assert_eq!(config.backoff.factor, Some(1.5));
    assert_eq!(config.breaker.jitter, Some(JitterConfig::Full));
    assert_eq!(config.rate.limit.map(|limit| limit.0), Some(Rate { tokens: 100, per: Duration::from_secs(60) }));
    assert_eq!(config.categories[&ErrorCategory::RateLimit].trips, Some(false));
    let text = serde_json::to_string(&config).expect("it is data");
    assert_eq!(serde_json::from_str::<PolicyConfig>(&text).expect("it can be read back"), config);

    let policy = Policy::new(&config).expect("it is allowed");
    assert_eq!(policy.rule(ErrorCategory::RateLimit), CategoryRule { trips: false, retry: true });
    assert_eq!(policy.effective().deadline, config.deadline);
    assert_eq!(Policy::new(policy.effective()).as_ref(), Ok(&policy));
}

#[test]
fn an_empty_configuration_is_the_default_and_writes_nothing() {
    assert_eq!(check(json!({})), Ok(Policy::default()));
    assert_eq!(serde_json::to_value(PolicyConfig::default()).expect("it is data"), json!({}));
    assert_eq!(toml::from_str::<PolicyConfig>("").expect("it can be read"), PolicyConfig::default());
}

#[test]
fn the_shape_in_milliseconds_is_the_default() {
    let short = json!({ "timeout_ms": 30_000, "max_retries": 2, "backoff_base_ms": 500 });
    assert_eq!(check(short.clone()), Ok(Policy::default()));
    assert_eq!(serde_json::to_value(read(short.clone())).expect("it is data"), short);
    let toml = "timeout_ms = 30000\nmax_retries = 2\nbackoff_base_ms = 500";
    assert_eq!(Policy::new(&toml::from_str(toml).expect("it can be read")), Ok(Policy::default()));
}

#[test]
fn the_defaults_are_those_that_the_fields_state() {
    let effective = Policy::default().effective().clone();
    let expected = json!({
        "timeout": "30s", "max_wait": "0s", "max_retries": 2, "idempotent": true, "nested_retries": false,
        "retry_budget": { "enabled": true, "share": 0.2, "per_second": 10.0, "window": "10s", "burst": 1000.0 },
        "backoff": { "base": "500ms", "factor": 2.0, "cap": "30s", "jitter": "full" },
        "hedge": { "enabled": false },
        "breaker": {
            "enabled": true, "consecutive_failures": 7, "open_wait": "5s", "open_wait_factor": 2.0,
            "open_wait_max": "2m", "jitter": "equal", "probes": 1, "required_successes": 1, "probe_lease": "31s",
            "cancelled_is_failure": false
        },
        "rate": { "enabled": true, "limit": "2/1s", "burst": 10.0, "adaptive": { "enabled": false } },
        "priorities": {
            "low": { "cost": 2.0, "reserve": 0.0 }, "normal": { "cost": 1.0, "reserve": 0.0 },
            "high": { "cost": 0.5, "reserve": 0.0 }, "critical": { "cost": 0.1, "reserve": 0.0 }
        },
        "bulkhead": { "enabled": false },
        "throttle": { "enabled": false }
    });
    assert_eq!(serde_json::to_value(effective).expect("it is data"), expected);
}

#[test]
fn a_field_that_is_not_allowed_is_named_with_its_value_and_the_range() {
    for (config, message) in [
        (json!({ "timeout": "0s" }), "timeout is 0s: allowed is 1ms to 365days"),
        (json!({ "timeout": "366days" }), "timeout is 366days: allowed is 1ms to 365days"),
        (json!({ "timeout_ms": 0 }), "timeout is 0s: allowed is 1ms to 365days"),
        (json!({ "timeout": "1s", "timeout_ms": 1 }), "timeout_ms is 1: allowed is only one of it and timeout"),
        (json!({ "deadline": "999us" }), "deadline is 999us: allowed is 1ms to 365days"),
        (json!({ "max_wait": "366days" }), "max_wait is 366days: allowed is 0s to 365days"),
        (json!({ "backoff": { "base": "366days" } }), "backoff.base is 366days: allowed is 0s to 365days"),
        (
            json!({ "backoff_base_ms": u64::MAX }),
            "backoff.base is 213503982334days 14h 25m 51s 615ms: allowed is 0s to 365days",
        ),
        (
            json!({ "backoff": { "base": "1s" }, "backoff_base_ms": 1 }),
            "backoff_base_ms is 1: allowed is only one of it and backoff.base",
        ),
        (json!({ "backoff": { "factor": 0.999 } }), "backoff.factor is 0.999: allowed is 1 to 100"),
        (json!({ "backoff": { "factor": 100.001 } }), "backoff.factor is 100.001: allowed is 1 to 100"),
        (json!({ "backoff": { "factor": -2 } }), "backoff.factor is -2: allowed is 1 to 100"),
        (json!({ "backoff": { "cap": "499ms" } }), "backoff.cap is 499ms: allowed is 500ms to 365days"),
        (
            json!({ "breaker": { "consecutive_failures": 0 } }),
            "breaker.consecutive_failures is 0: allowed is 1 to 4294967295",
        ),
        (json!({ "breaker": { "open_wait": "0s" } }), "breaker.open_wait is 0s: allowed is 1ms to 365days"),
        (json!({ "breaker": { "open_wait_factor": 0.5 } }), "breaker.open_wait_factor is 0.5: allowed is 1 to 100"),
        (json!({ "breaker": { "open_wait_max": "4s" } }), "breaker.open_wait_max is 4s: allowed is 5s to 365days"),
        (json!({ "breaker": { "probes": 0 } }), "breaker.probes is 0: allowed is 1 to 15"),
        (json!({ "breaker": { "probes": 16 } }), "breaker.probes is 16: allowed is 1 to 15"),
        (json!({ "breaker": { "required_successes": 16 } }), "breaker.required_successes is 16: allowed is 1 to 15"),
        (json!({ "breaker": { "probe_lease": "9ms" } }), "breaker.probe_lease is 9ms: allowed is 10ms to 2m 40s"),
        (json!({ "rate": { "limit": "0/s" } }), "rate.limit is 0: allowed is 1 to 1000000000"),
        (json!({ "rate": { "limit": "1/0s" } }), "rate.limit is 0s: allowed is 1ns to 365days"),
        (json!({ "rate": { "limit": "1/2days" } }), "rate.limit is 1: allowed is 2 to 172800000000000"),
        (json!({ "rate": { "burst": 0 } }), "rate.burst is 0: allowed is 0.001 to 2251799813685.248"),
        (json!({ "rate": { "burst": -1.5 } }), "rate.burst is -1.5: allowed is 0.001 to 2251799813685.248"),
        (json!({ "bulkhead": { "max_in_flight": 0 } }), "bulkhead.max_in_flight is 0: allowed is 1 to 4294967295"),
        (json!({ "bulkhead": { "enabled": true } }), "bulkhead.max_in_flight is absent: allowed is 1 to 4294967295"),
    ] {
        let error = check(config.clone()).expect_err(message);
        assert_eq!(error.to_string(), message, "{config}");
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE] {
        let factor = PolicyConfig {
            backoff: BackoffConfig { factor: Some(number), ..BackoffConfig::default() },
            ..PolicyConfig::default()
        };
        assert_eq!(Policy::new(&factor).unwrap_err().field, "backoff.factor", "{number}");
        let wait = PolicyConfig {
            breaker: BreakerConfig { open_wait_factor: Some(number), ..BreakerConfig::default() },
            ..PolicyConfig::default()
        };
        assert_eq!(Policy::new(&wait).unwrap_err().field, "breaker.open_wait_factor", "{number}");
        let burst = PolicyConfig {
            rate: RateConfig { burst: Some(number), ..RateConfig::default() },
            ..PolicyConfig::default()
        };
        assert_eq!(Policy::new(&burst).unwrap_err().field, "rate.burst", "{number}");
    }
}

#[test]
fn typos_are_refused_at_every_level() {
    for config in [
        json!({ "time_out": "1s" }),
        json!({ "backoff": { "bass": "1s" } }),
        json!({ "breaker": { "probe": 1 } }),
        json!({ "rate": { "brust": 1 } }),
        json!({ "bulkhead": { "max": 1 } }),
        json!({ "breaker": { "window": { "size": 1 } } }),
        json!({ "rate": { "adaptive": { "flor": 1 } } }),
        json!({ "bulkhead": { "adaptive": { "max": 1 } } }),
        json!({ "throttle": { "rat": 1 } }),
        json!({ "priorities": { "urgent": {} } }),
        json!({ "priorities": { "low": { "costs": 1 } } }),
        json!({ "hedge": { "after": "1s" } }),
        json!({ "categories": { "Network": { "trip": true } } }),
    ] {
        let error = serde_json::from_value::<PolicyConfig>(config).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `") && error.contains("expected"), "{error}");
    }
    let error = serde_json::from_value::<PolicyConfig>(json!({ "categories": { "Netwrok": {} } })).unwrap_err();
    assert!(error.to_string().starts_with("unknown variant `Netwrok`, expected one of `Network`"), "{error}");
    let error = serde_json::from_value::<PolicyConfig>(json!({ "backoff": { "jitter": "some" } })).unwrap_err();
    assert!(error.to_string().contains("expected one of `none`, `equal`, `full`"), "{error}");
}

#[test]
fn a_text_that_is_no_duration_or_rate_says_what_one_is() {
    for (json, message) in [
        (json!({ "timeout": "fast" }), "\"fast\" is not a duration such as \"500ms\" or \"1m 30s\": "),
        (json!({ "timeout": "" }), "\"\" is not a duration"),
        (json!({ "timeout": "-1s" }), "\"-1s\" is not a duration"),
        (json!({ "timeout": "99999999999999999999y" }), "\"99999999999999999999y\" is not a duration"),
        (json!({ "timeout": 30 }), "invalid type: integer `30`, expected a duration as text, such as \"500ms\""),
        (json!({ "rate": { "limit": "fast" } }), "\"fast\" is not a rate such as \"2/s\", \"100/min\" or \"5/250ms\""),
        (json!({ "rate": { "limit": "1/" } }), "\"1/\" is not a rate"),
        (json!({ "rate": { "limit": "/s" } }), "\"/s\" is not a rate"),
        (json!({ "rate": { "limit": "1.5/s" } }), "\"1.5/s\" is not a rate"),
        (json!({ "rate": { "limit": "-1/s" } }), "\"-1/s\" is not a rate"),
        (json!({ "rate": { "limit": "1/s/s" } }), "\"1/s/s\" is not a rate"),
        (json!({ "rate": { "limit": 2 } }), "invalid type: integer `2`, expected a rate as text, such as \"2/s\""),
    ] {
        let error = serde_json::from_value::<PolicyConfig>(json).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_rate_has_a_unit_or_any_duration() {
    for (text, tokens, per) in [
        ("2/s", 2, Duration::from_secs(1)),
        ("100/min", 100, Duration::from_secs(60)),
        ("7/h", 7, Duration::from_secs(3_600)),
        ("1/day", 1, Duration::from_secs(86_400)),
        (" 5 / 250ms ", 5, Duration::from_millis(250)),
        ("1/1m 30s", 1, Duration::from_secs(90)),
    ] {
        assert_eq!(text.parse(), Ok(RateText(Rate { tokens, per })), "{text}");
    }
}

#[test]
fn or_fills_in_what_is_absent_only() {
    let own = read(
        json!({ "max_retries": 0, "breaker": { "probes": 3 }, "categories": { "RateLimit": { "retry": false } } }),
    );
    let merged = own.or(&full());
    assert_eq!(merged.max_retries, Some(0));
    assert_eq!(merged.breaker, BreakerConfig { probes: Some(3), ..full().breaker });
    assert_eq!(merged.timeout, full().timeout);
    let rate_limit = CategoryChange { trips: Some(false), retry: Some(false) };
    assert_eq!(merged.categories[&ErrorCategory::RateLimit], rate_limit, "both changes to one category count");
    assert_eq!(merged.categories[&ErrorCategory::Cancelled].retry, Some(true));
    assert_eq!(PolicyConfig::default().or(&full()), full());
    assert_eq!(full().or(&PolicyConfig::default()), full());
    assert_eq!(full().or(&full()), full());
}

#[test]
fn one_way_to_write_a_field_hides_the_other_way_of_the_defaults() {
    let (text, millis) = (
        json!({ "timeout": "1s", "backoff": { "base": "1ms" } }),
        json!({ "timeout_ms": 2_000, "backoff_base_ms": 2 }),
    );
    let merged = read(text.clone()).or(&read(millis.clone()));
    assert_eq!(merged, read(text.clone()));
    let merged = read(millis.clone()).or(&read(text));
    assert_eq!(merged, read(millis));
    let both = read(json!({ "timeout": "1s", "timeout_ms": 1_000 }));
    assert_eq!(Policy::new(&both.or(&PolicyConfig::default())).unwrap_err().field, "timeout_ms");
}

#[test]
fn a_part_that_is_switched_off_stays_off_whatever_its_numbers() {
    let off = json!({
        "breaker": { "enabled": false, "failure_rate": 7 },
        "rate": { "enabled": false, "adaptive": { "floor": 7 } },
        "priorities": { "low": { "cost": 0 } },
        "bulkhead": { "enabled": false, "max_in_flight": 3, "adaptive": { "min": 7 } },
        "throttle": { "enabled": false, "ratio": 0 },
        "retry_budget": { "enabled": false, "share": 11 },
        "hedge": { "enabled": false, "delay": "1s", "percentile": 1 },
    });
    let policy = check(off).expect("it is allowed");
    assert_eq!(policy.limits, LimitPolicy::UNLIMITED);
    assert_eq!(policy.hedge, None);
    assert_eq!(Policy::new(policy.effective()), Ok(policy));
}

#[test]
fn a_cancellation_trips_where_either_field_says_so() {
    for (config, trips) in [
        (json!({}), false),
        (json!({ "breaker": { "cancelled_is_failure": true } }), true),
        (json!({ "categories": { "Cancelled": { "trips": true } } }), true),
    ] {
        let policy = check(config).expect("it is allowed");
        let breaker = policy.limits.circuit.breaker.expect("it has one");
        assert_eq!(breaker.config().cancelled_is_failure, trips);
    }
}

#[test]
fn an_error_within_something_larger_names_the_whole_path() {
    let error = check(json!({ "rate": { "limit": "0/s" } })).unwrap_err().within("search").within("tools");
    assert_eq!(error.to_string(), "tools.search.rate.limit is 0: allowed is 1 to 1000000000");
}

proptest! {
    #[test]
    fn no_configuration_panics_and_an_effective_one_is_allowed(config in any_config()) {
        match Policy::new(&config) {
            Ok(policy) => prop_assert_eq!(Policy::new(policy.effective()), Ok(policy)),
            Err(error) => prop_assert!(!error.field.is_empty() && !error.allowed.is_empty()),
        }
    }

    #[test]
    fn an_effective_configuration_gives_its_policy_again(config in any_allowed_config()) {
        let policy = Policy::new(&config).expect("it is allowed");
        prop_assert_eq!(&Policy::new(policy.effective()).expect("it is allowed"), &policy);
        let json = serde_json::to_string(policy.effective()).expect("it is data");
        let read: PolicyConfig = serde_json::from_str(&json).expect("it can be read back");
        prop_assert_eq!(&read, policy.effective());
        prop_assert_eq!(&Policy::new(&read.or(&config)).expect("it is allowed"), &policy);
    }

    #[test]
    fn a_burst_is_exact_to_a_thousandth(milli in 1_u64..=1 << 51) {
        let config = PolicyConfig {
            rate: RateConfig {
                limit: "2/s".parse().ok(),
                burst: Some(milli as f64 / 1_000.0),
                ..RateConfig::default()
            },
            ..PolicyConfig::default()
        };
        if let Ok(policy) = Policy::new(&config) {
            prop_assert_eq!(policy.limits.circuit.bucket.expect("it has one").burst().as_milli(), milli);
        }
    }

    #[test]
    fn a_duration_can_be_read_back(nanos: u64) {
        let duration = DurationText(Duration::from_nanos(nanos));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = text.parse::<DurationText>();
        let _ = text.parse::<RateText>();
    }

    #[test]
    fn no_text_like_a_rate_panics(text in "[0-9+-]{0,25}/[0-9]{0,25}(ns|us|ms|s|min|h|day|y)?") {
        let _ = text.parse::<RateText>();
        let _ = text.parse::<DurationText>();
    }
}

#[test]
fn a_breaker_that_counts_cancellations_says_so_in_the_rule_of_their_category() {
    for config in [
        json!({ "breaker": { "cancelled_is_failure": true } }),
        json!({ "categories": { "Cancelled": { "trips": true } } }),
    ] {
        let policy = Policy::new(&serde_json::from_value(config).unwrap()).unwrap();
        assert!(policy.rule(ErrorCategory::Cancelled).trips);
        assert_eq!(policy.effective().breaker.cancelled_is_failure, Some(true));
    }
    assert!(!Policy::default().rule(ErrorCategory::Cancelled).trips);
}
