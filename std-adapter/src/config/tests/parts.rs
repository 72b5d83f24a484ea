//! The sections that choose and shape parts of a dependency: their errors, what hides what, and what comes out.

use super::*;
use fusebox_core::{BucketPolicy, BulkheadPolicy, Priority, Tokens, Trip};

fn message(json: Value) -> String {
    check(json.clone()).expect_err(&json.to_string()).to_string()
}

#[test]
fn a_number_of_a_part_that_is_not_allowed_is_named_with_its_value_and_the_range() {
    let window = |mut breaker: Value| {
        let fields = breaker.as_object_mut().expect("an object");
        fields.entry("window").or_insert(json!({ "calls": 10 }));
        json!({ "breaker": breaker })
    };
    for (config, expected) in [
        (window(json!({ "window": { "calls": 0 } })), "breaker.window.calls is 0: allowed is 1 to 2047"),
        (window(json!({ "window": { "calls": 2_048 } })), "breaker.window.calls is 2048: allowed is 1 to 2047"),
        (window(json!({ "window": { "span": "999ms" } })), "breaker.window.span is 999ms: allowed is 1s to 365days"),
        (window(json!({ "window": { "span": "1m", "slots": 64 } })), "breaker.window.slots is 64: allowed is 2 to 63"),
        (window(json!({ "failure_rate": 0 })), "breaker.failure_rate is 0: allowed is 0.001 to 1"),
        (window(json!({ "failure_rate": 50 })), "breaker.failure_rate is 50: allowed is 0.001 to 1"),
        (window(json!({ "slow_call_rate": 1.1 })), "breaker.slow_call_rate is 1.1: allowed is 0.001 to 1"),
        (
            window(json!({ "slow_call_duration": "999ns" })),
            "breaker.slow_call_duration is 999ns: allowed is 1us to 365days",
        ),
        (window(json!({ "minimum_calls": 0 })), "breaker.minimum_calls is 0: allowed is 1 to 100000"),
        (window(json!({ "max_failures": 0 })), "breaker.max_failures is 0: allowed is 1 to 100000"),
        (window(json!({ "max_slow_calls": 0 })), "breaker.max_slow_calls is 0: allowed is 1 to 100000"),
        (json!({ "rate": { "adaptive": { "floor": 0.05 } } }), "rate.adaptive.floor is 0.05: allowed is 0.1 to 1"),
        (json!({ "rate": { "adaptive": { "floor": 2 } } }), "rate.adaptive.floor is 2: allowed is 0.001 to 1"),
        (
            json!({ "rate": { "burst": 0.5, "adaptive": { "enabled": true } } }),
            "rate.burst is 0.5: allowed is 1 to 18446744073709551.615",
        ),
        (json!({ "rate": { "adaptive": { "decrease": 1 } } }), "rate.adaptive.decrease is 1: allowed is 0.1 to 0.99"),
        (
            json!({ "rate": { "adaptive": { "climb": "9ms" } } }),
            "rate.adaptive.climb is 9ms: allowed is 100ms to 1days",
        ),
        (json!({ "rate": { "adaptive": { "cooldown": "2h" } } }), "rate.adaptive.cooldown is 2h: allowed is 1ms to 1h"),
        (
            json!({ "rate": { "adaptive": { "max_pause": "0s" } } }),
            "rate.adaptive.max_pause is 0s: allowed is 1ms to 365days",
        ),
        (json!({ "bulkhead": { "adaptive": { "min": 0 } } }), "bulkhead.adaptive.min is 0: allowed is 1 to 4095"),
        (
            json!({ "bulkhead": { "max_in_flight": 4_096, "adaptive": { "enabled": true } } }),
            "bulkhead.max_in_flight is 4096: allowed is 1 to 4095",
        ),
        (
            json!({ "bulkhead": { "max_in_flight": 2, "adaptive": { "min": 3 } } }),
            "bulkhead.max_in_flight is 2: allowed is 3 to 4095",
        ),
        (
            json!({ "bulkhead": { "adaptive": { "initial": 201 } } }),
            "bulkhead.adaptive.initial is 201: allowed is 1 to 200",
        ),
        (json!({ "bulkhead": { "adaptive": { "cut": 0 } } }), "bulkhead.adaptive.cut is 0: allowed is 0.1 to 0.99"),
        (
            json!({ "bulkhead": { "adaptive": { "slow_after": "0s" } } }),
            "bulkhead.adaptive.slow_after is 0s: allowed is 1us to 365days",
        ),
        (json!({ "throttle": { "ratio": 0.5 } }), "throttle.ratio is 0.5: allowed is 1 to 100"),
        (json!({ "throttle": { "padding": 0 } }), "throttle.padding is 0: allowed is 1 to 1000"),
        (json!({ "throttle": { "window": "9ms" } }), "throttle.window is 9ms: allowed is 1s to 1h"),
        (json!({ "priorities": { "low": { "cost": 11 } } }), "priorities.low.cost is 11: allowed is 0.001 to 10"),
        (
            json!({ "priorities": { "low": { "cost": 0 } } }),
            "priorities.low.cost is 0: allowed is 0.001 to 2251799813685.248",
        ),
        (
            json!({ "priorities": { "low": { "cost": 6, "reserve": 0.5 } } }),
            "priorities.low.cost is 6: allowed is 0.001 to 5",
        ),
        (json!({ "priorities": { "high": { "reserve": 1 } } }), "priorities.high.reserve is 1: allowed is 0 to 0.999"),
        (
            json!({ "priorities": { "critical": { "reserve": 0.1 } } }),
            "priorities.critical.reserve is 0.1: allowed is 0 to 0",
        ),
        (json!({ "hedge": { "delay": "366days" } }), "hedge.delay is 366days: allowed is 0s to 365days"),
        (json!({ "hedge": { "percentile": 100 } }), "hedge.percentile is 100: allowed is 1 to 99.9"),
        (json!({ "hedge": { "percentile": 95, "min_samples": 0 } }), "hedge.min_samples is 0: allowed is 1 to 100000"),
        (json!({ "hedge": { "delay": "1s", "max": 6 } }), "hedge.max is 6: allowed is 1 to 5"),
    ] {
        assert_eq!(message(config.clone()), expected, "{config}");
    }
}

#[test]
fn fields_that_exclude_or_need_each_other_say_so() {
    for (config, expected) in [
        (
            json!({ "breaker": { "consecutive_failures": 3, "window": { "calls": 10 } } }),
            "breaker.consecutive_failures is 3: allowed is only one of it and breaker.window",
        ),
        (
            json!({ "breaker": { "window": { "calls": 10, "span": "1m" } } }),
            "breaker.window.calls is 10: allowed is only one of it and breaker.window.span",
        ),
        (
            json!({ "breaker": { "window": { "calls": 10, "slots": 5 } } }),
            "breaker.window.slots is 5: allowed is only with breaker.window.span",
        ),
        (
            json!({ "breaker": { "window": { "slots": 5 } } }),
            "breaker.window.slots is 5: allowed is only with breaker.window.span",
        ),
        (
            json!({ "breaker": { "failure_rate": 0.5 } }),
            "breaker.failure_rate is 0.5: allowed is only with breaker.window",
        ),
        (
            json!({ "breaker": { "consecutive_failures": 3, "slow_call_rate": 0.5 } }),
            "breaker.slow_call_rate is 0.5: allowed is only with breaker.window",
        ),
        (
            json!({ "breaker": { "slow_call_duration": "1s" } }),
            "breaker.slow_call_duration is 1s: allowed is only with breaker.window",
        ),
        (
            json!({ "breaker": { "minimum_calls": 9 } }),
            "breaker.minimum_calls is 9: allowed is only with breaker.window",
        ),
        (json!({ "breaker": { "max_failures": 9 } }), "breaker.max_failures is 9: allowed is only with breaker.window"),
        (
            json!({ "breaker": { "max_slow_calls": 9 } }),
            "breaker.max_slow_calls is 9: allowed is only with breaker.window",
        ),
        (
            json!({ "hedge": { "delay": "1s", "percentile": 95 } }),
            "hedge.percentile is 95: allowed is only one of it and hedge.delay",
        ),
        (
            json!({ "hedge": { "delay": "1s", "min_samples": 9 } }),
            "hedge.min_samples is 9: allowed is only with hedge.percentile",
        ),
        (
            json!({ "hedge": { "enabled": true } }),
            "hedge.delay is absent: allowed is a duration, unless there is a hedge.percentile",
        ),
        (
            json!({ "hedge": { "delay": "1s" }, "idempotent": false }),
            "hedge.enabled is true: allowed is only where idempotent is true",
        ),
    ] {
        assert_eq!(message(config.clone()), expected, "{config}");
    }
}

#[test]
fn a_window_makes_the_breaker_trip_on_rates_with_the_defaults_that_the_fields_state() {
    let policy = check(json!({ "breaker": { "window": { "span": "1m" } } })).expect("it is allowed");
    assert_eq!(policy.limits.window, Some(WindowPolicy::Span { span: Duration::from_secs(60), slots: 10 }));
    let breaker = policy.limits.circuit.breaker.expect("it has one");
    assert_eq!(breaker.config().trip, Trip::Rate(fusebox_core::RateTrip::DEFAULT));
    let effective = serde_json::to_value(&policy.effective().breaker).expect("it is data");
    assert_eq!(effective["window"], json!({ "span": "1m", "slots": 10 }));
    assert_eq!((&effective["failure_rate"], &effective["minimum_calls"]), (&json!(0.5), &json!(20)));
    assert_eq!((&effective["slow_call_duration"], &effective["slow_call_rate"]), (&json!("1m"), &Value::Null));
    assert_eq!(effective["consecutive_failures"], Value::Null);
}

#[test]
fn either_kind_of_trip_hides_the_other_of_the_defaults() {
    let row = json!({ "breaker": { "consecutive_failures": 3 } });
    let calls = json!({ "breaker": { "window": { "calls": 50 }, "failure_rate": 0.2 } });
    let span = json!({ "breaker": { "window": { "span": "1m", "slots": 6 }, "minimum_calls": 9 } });
    assert_eq!(read(row.clone()).or(&read(calls.clone())), read(row.clone()));
    assert_eq!(read(calls.clone()).or(&read(row)), read(calls.clone()));
    let merged = read(calls.clone()).or(&read(span.clone())).breaker;
    assert_eq!(merged.window, read(calls.clone()).breaker.window, "calls hide a span and its slots");
    assert_eq!((merged.failure_rate, merged.minimum_calls), (Some(0.2), Some(9)), "thresholds are merged");
    let merged = read(span.clone()).or(&read(calls)).breaker;
    assert_eq!(merged.window, read(span).breaker.window);
    let merged = read(json!({ "breaker": { "window": { "slots": 3 } } }));
    let merged = merged.or(&read(json!({ "breaker": { "window": { "span": "9s" } } })));
    assert_eq!(
        merged.breaker.window,
        WindowConfig { calls: None, span: Some(DurationText::from_secs(9)), slots: Some(3) }
    );
}

#[test]
fn either_kind_of_hedge_hides_the_other_of_the_defaults() {
    let delay = json!({ "hedge": { "delay": "1s" } });
    let percentile = json!({ "hedge": { "percentile": 95.0, "min_samples": 9 } });
    assert_eq!(read(delay.clone()).or(&read(percentile.clone())), read(delay.clone()));
    assert_eq!(read(percentile.clone()).or(&read(delay)), read(percentile));
}

#[test]
fn a_part_is_on_when_anything_of_it_is_given() {
    let all = json!({
        "rate": { "adaptive": { "floor": 0.5 } }, "bulkhead": { "adaptive": { "min": 2 } }, "throttle": { "padding": 9 }
    });
    let policy = check(all).expect("it is allowed");
    assert_eq!(policy.limits.adaptive_rate.expect("it adapts").config().floor_milli, 500);
    let bulkhead = policy.limits.circuit.bulkhead.expect("it has one");
    let limits = bulkhead.adaptive_config().expect("it learns");
    assert_eq!((limits.min, limits.initial, limits.max, limits.cut_milli, limits.slow_after), (2, 20, 200, 900, None));
    assert_eq!(policy.limits.throttle.expect("it has one").config().padding, 9);
    let bare = json!({
        "rate": { "adaptive": { "enabled": true } }, "bulkhead": { "adaptive": { "enabled": true } },
        "throttle": { "enabled": true }
    });
    let policy = check(bare).expect("it is allowed");
    assert_eq!(policy.limits.adaptive_rate.expect("it adapts").config(), &fusebox_core::AdaptiveConfig::DEFAULT);
    assert_eq!(policy.limits.circuit.bulkhead, BulkheadPolicy::adaptive(fusebox_core::LimitConfig::DEFAULT).ok());
    assert_eq!(policy.limits.throttle, Some(fusebox_core::ThrottlePolicy::DEFAULT));
}

#[test]
fn the_initial_limit_lies_within_the_bounds_that_are_given() {
    for (bulkhead, initial) in [
        (json!({ "max_in_flight": 5, "adaptive": { "enabled": true } }), 5),
        (json!({ "adaptive": { "min": 30 } }), 30),
        (json!({ "adaptive": { "min": 300 } }), 300),
    ] {
        let policy = check(json!({ "bulkhead": bulkhead })).expect("it is allowed").limits.circuit.bulkhead;
        assert_eq!(policy.expect("it has one").adaptive_config().expect("it learns").initial, initial);
    }
}

#[test]
fn priorities_cost_what_they_always_did_until_one_is_set() {
    let plain = check(json!({ "rate": { "burst": 1 } })).expect("a cost above the burst is refused call by call");
    assert_eq!(plain.limits.priorities, None);
    assert_eq!(check(json!({ "priorities": { "low": { "cost": 2 }, "high": {} } })), Ok(Policy::default()));
    let set = check(json!({ "priorities": { "low": { "reserve": 0.3 } } })).expect("it is allowed");
    let classes = set.limits.priorities.expect("one is set");
    for priority in Priority::ALL {
        let demand = classes.demand(priority);
        let leave = if priority == Priority::Low { Tokens::whole(3) } else { Tokens::ZERO };
        assert_eq!((demand.cost, demand.leave), (priority.cost(), leave));
    }
}

#[test]
fn as_many_tokens_can_be_booked_ahead_as_flow_in_while_a_call_may_wait() {
    for (config, debt) in [
        (json!({}), Tokens::ZERO),
        (json!({ "max_wait": "3s" }), Tokens::whole(6)),
        (json!({ "max_wait": "3s", "rate": { "limit": "1/7s" } }), Tokens::milli(429)),
    ] {
        assert_eq!(check(config).expect("it is allowed").limits.circuit.bucket.map(|bucket| bucket.debt()), Some(debt));
    }
    let long = json!({ "max_wait": "365days", "rate": { "limit": "1000000000/s" } });
    let debt = check(long).expect("as much as fits").limits.circuit.bucket.map_or(Tokens::ZERO, |bucket| bucket.debt());
    let least = BucketPolicy::new(fusebox_core::Rate::per_second(1_000_000_000), Tokens::ONE).expect("in range");
    assert!(least.with_debt(debt).is_ok() && least.with_debt(Tokens::milli(debt.as_milli() + 1)).is_err());
}

#[test]
fn a_hedge_is_a_delay_or_a_percentile() {
    for (hedge, after, max) in [
        (json!({ "delay": "200ms" }), HedgeAfter::Delay(Duration::from_millis(200)), 1),
        (json!({ "delay": "0s", "max": 5 }), HedgeAfter::Delay(Duration::ZERO), 5),
        (json!({ "percentile": 95 }), HedgeAfter::Percentile { percentile: 95.0, min_samples: 20 }, 1),
        (
            json!({ "percentile": 99.9, "min_samples": 7 }),
            HedgeAfter::Percentile { percentile: 99.9, min_samples: 7 },
            1,
        ),
    ] {
        let policy = check(json!({ "hedge": hedge })).expect("it is allowed");
        assert_eq!(policy.hedge, Some(HedgePolicy { after, max }));
    }
    assert_eq!(Policy::default().hedge, None);
}
