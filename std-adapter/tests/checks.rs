//! What a call's arguments and its output must be: a bad argument reaches no circuit, a bad output is the tool's failure.

mod support;

use fusebox::*;
use serde_json::{Value, json};
use support::*;

fn register(config: Value, tool: impl Tool) -> (Registry, Handle) {
    let registry = unlimited_registry();
    let config: ToolConfig = serde_json::from_value(config).expect("the test's configuration can be read");
    let handle = registry.register_with("t", tool, config).expect("in range");
    (registry, handle)
}

#[cfg(feature = "json-schema")]
#[tokio::test(start_paused = true)]
async fn a_bad_argument_touches_no_part_of_the_circuit() {
    let (registry, handle) = register(
        json!({
            "args": { "type": "number" },
            "policy": {
                "max_retries": 2, "backoff": { "base": "0s" }, "bulkhead": { "max_in_flight": 1 },
                "rate": { "enabled": true, "limit": "1/day", "burst": 3 },
                "retry_budget": { "enabled": true, "share": 1, "per_second": 0 },
                "breaker": { "consecutive_failures": 1 },
                "categories": { "InvalidParameters": { "trips": true, "retry": true } },
            },
        }),
        sleeper(),
    );
    let (before, fresh) = (state_of(&registry), handle.snapshot());
    let args = json!(100);
    let mut running = Box::pin(handle.call(&args)); // the bulkhead is full
    assert!(poll_once(running.as_mut()).is_pending());
    for _ in 0..10 {
        let execution = handle.execute(&json!("seven"), &CallOptions::default()).await;
        let error = execution.result.expect_err("it is no number");
        assert!(matches!(&error, CallError::InvalidArgs(_)), "{error}");
        assert!(error.to_string().starts_with("the arguments are not allowed: "), "{error}");
        assert_eq!((error.category(), execution.attempts), (ErrorCategory::InvalidParameters, 0));
    }
    drop(running);
    assert_eq!(state_of(&registry), before);
    let after = handle.snapshot();
    assert_eq!((after.in_flight, after.tokens, after.retries), (0, fresh.tokens, fresh.retries));
    assert_eq!((after.breaker, after.last_error, after.last_refused_ms), (fresh.breaker, None, None));
    assert_eq!((after.counters.invalid_args, after.counters.attempts), (10, 1));
    assert_balanced(&after.counters, 0);
    let result = registry.run("t", &json!("seven"), &CallOptions::default()).await;
    assert_eq!(result.error.map(|error| error.kind), Some(ErrorKind::InvalidArgs));
    handle.force(Forced::Open);
    let error = handle.call(&json!("seven")).await.expect_err("it is no number");
    assert!(matches!(error, CallError::InvalidArgs(_)), "said first, as waiting would not help: {error}");
}

#[cfg(feature = "json-schema")]
#[tokio::test(start_paused = true)]
async fn a_bad_output_is_the_tools_failure_which_trips_and_is_retried() {
    let (_registry, handle) = register(
        json!({
            "result": { "type": "number" },
            "policy": { "max_retries": 1, "backoff": { "base": "0s" }, "breaker": { "consecutive_failures": 2 } },
        }),
        async |args| Ok(args),
    );
    let execution = handle.execute(&json!("text"), &CallOptions::default()).await;
    let error = execution.result.expect_err("its output is no number");
    assert_eq!((error.category(), execution.attempts), (ErrorCategory::ExecutionError, 2));
    assert!(error.to_string().starts_with("the output is wrong: "), "{error}");
    let error = handle.call(&json!(7)).await.expect_err("the breaker has tripped");
    assert_eq!(error.refusal().map(|refusal| refusal.by), Some(Part::Breaker));
    handle.reset();
    assert_eq!(handle.call(&json!(7)).await.expect("it is a number"), 7);
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_too_long_is_the_tools_failure_which_does_not_trip_and_is_not_retried() {
    let policy = json!({ "max_retries": 2, "breaker": { "consecutive_failures": 1 } });
    let (_registry, handle) = register(json!({ "max_output": 6, "policy": policy }), async |args| Ok(args));
    assert_eq!(handle.call(&json!("four")).await.expect("quotes included it is just as long"), "four");
    let execution = handle.execute(&json!("fiver"), &CallOptions::default()).await;
    let error = execution.result.expect_err("it is too long");
    assert_eq!((error.category(), execution.attempts), (ErrorCategory::ResourceExhausted, 1));
    assert_eq!(error.to_string(), "the output is longer than its max_output of 6 bytes");
    let snapshot = handle.snapshot();
    assert_eq!(snapshot.breaker.map(|breaker| (breaker.state, breaker.failures)), Some((BreakerStateName::Closed, 0)));
    assert_eq!((snapshot.counters.failed, snapshot.counters.invalid_args), (1, 0));
    assert_balanced(&snapshot.counters, 0);
}

#[tokio::test(start_paused = true)]
async fn checks_change_with_the_configuration_under_a_handle() {
    let (registry, handle) = register(json!({}), async |args| Ok(args));
    handle.call(&json!("fiver")).await.expect("any length will do");
    let config = json!({ "tools": { "t": { "max_output": 6 } } });
    registry.apply(&registry_config(config)).expect("in range");
    handle.call(&json!("fiver")).await.expect_err("it is too long");
    registry.apply(&RegistryConfig::default()).expect("in range");
    handle.call(&json!("fiver")).await.expect("any length will do");
}

#[cfg(feature = "json-schema")]
#[tokio::test(start_paused = true)]
async fn who_chooses_among_tools_sees_what_they_do_and_take() {
    let schema = json!({ "type": "number", "description": "how many" });
    let (registry, handle) = register(json!({ "description": "counts", "args": schema }), sleeper());
    let tools = registry.available();
    assert_eq!(tools.available[0].description.as_deref(), Some("counts"));
    assert_eq!(tools.available[0].args, Some(schema));
    handle.force(Forced::Open);
    assert_eq!(registry.available().names(), [""; 0]);
}

#[cfg(not(feature = "json-schema"))]
#[test]
fn without_the_feature_a_schema_is_refused_and_not_passed_over() {
    for field in ["args", "result"] {
        let registry = unlimited_registry();
        let config = json!({ "tools": { "t": { (field): { "type": "number" } } } });
        let given: ToolConfig = serde_json::from_value(config["tools"]["t"].clone()).unwrap();
        let error = registry.register_with("t", sleeper(), given).unwrap_err().to_string();
        let expected = format!("tools.t.{field} is a JSON Schema: allowed is none, as the feature json-schema is off");
        assert_eq!(error, expected);
        registry.register("t", sleeper()).expect("the name is free");
        assert_eq!(registry.apply(&registry_config(config)).unwrap_err().to_string(), expected);
    }
}
