//! What the tests share: policies as JSON, scripted tools that log what they do, and a replay of that log.

#![allow(dead_code, reason = "every test file uses a part of it")]

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use fusebox::*;
use serde_json::Value;

pub(crate) mod world;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config(config: Value) -> PolicyConfig {
    serde_json::from_value(config).expect("the test's configuration can be read")
}

pub(crate) fn policy(json: Value) -> Policy {
    Policy::new(&config(json)).expect("the test's policy is in range")
}

/// No rate limit, no retry budget, no backoff to wait for.
pub(crate) fn plain(mut json: Value) -> Policy {
    let fields = json.as_object_mut().expect("a policy is an object");
    fields.entry("rate").or_insert(serde_json::json!({ "enabled": false }));
    fields.entry("backoff").or_insert(serde_json::json!({ "base": "0s" }));
    fields.entry("retry_budget").or_insert(serde_json::json!({ "enabled": false }));
    policy(json)
}

pub(crate) fn registry_config(json: Value) -> RegistryConfig {
    serde_json::from_value(json).expect("the test's configuration can be read")
}

/// A registry whose tools have no limits of their own and do not retry, unless the test says otherwise.
pub(crate) fn unlimited_registry() -> Registry {
    let defaults = serde_json::json!({
        "max_retries": 0, "rate": { "enabled": false }, "retry_budget": { "enabled": false },
    });
    Registry::with_defaults(config(defaults)).expect("in range")
}

/// A tool that sleeps for as many milliseconds as its argument says, and fails if that says a category.
pub(crate) fn sleeper() -> impl Tool {
    async |args: Value| {
        if let Ok(category) = serde_json::from_value(args.clone()) {
            return Err(error(category));
        }
        if let Some(millis) = args.as_u64().filter(|&millis| millis > 0) {
            tokio::time::sleep(ms(millis)).await;
        }
        Ok(args)
    }
}

/// All that a registry's circuits remember.
pub(crate) fn state_of(registry: &Registry) -> Value {
    serde_json::to_value(registry.state()).expect("it is data")
}

pub(crate) fn error(category: ErrorCategory) -> ToolError {
    ToolError::new(category, format!("a {category} error"))
}

/// Polls once, with nobody to wake.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Every call that has ended is counted exactly once, and `running` have not ended.
#[track_caller]
pub(crate) fn assert_balanced(counters: &CounterSnapshot, running: u64) {
    let ended = counters.succeeded
        + counters.failed
        + counters.cancelled
        + counters.denied
        + counters.invalid_args
        + counters.rejected_by_breaker
        + counters.rejected_by_bulkhead
        + counters.rejected_by_bucket
        + counters.rejected_by_adaptive_rate
        + counters.rejected_by_throttle;
    assert_eq!(counters.calls, ended + running, "{counters:?}");
}
