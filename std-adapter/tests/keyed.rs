//! Keyed circuits: each key's breaker for itself, the limits of the tool for all of them, a bounded number of keys.

mod support;

use core::task::Poll;
use fusebox::config::KeyedConfig;
use fusebox::*;
use serde_json::{Value, json};
use support::*;

/// A tool under `policy`, whose keys' breakers open at the first failure, and what else `keyed` says.
fn registry(policy: Value, mut keyed: Value) -> (Registry, Handle) {
    let registry = unlimited_registry();
    let breaker = json!({ "consecutive_failures": 1, "open_wait": "10s", "jitter": "none" });
    keyed.as_object_mut().expect("it is one").entry("breaker").or_insert(breaker);
    let config: ToolConfig = serde_json::from_value(json!({ "keyed": keyed, "policy": policy })).unwrap();
    let handle = registry.register_with("fetch", sleeper(), config).expect("the name is free");
    (registry, handle)
}

fn keyed(key: &str) -> CallOptions {
    CallOptions { circuit_key: Some(key.into()), ..CallOptions::default() }
}

async fn call(handle: &Handle, key: &str, args: Value) -> Result<Value, CallError<ToolError>> {
    handle.execute(&args, &keyed(key)).await.result
}

async fn refused_by(handle: &Handle, key: &str) -> Part {
    call(handle, key, json!(0)).await.expect_err("it is refused").refusal().expect("by a circuit").by
}

fn keys(handle: &Handle) -> Vec<String> {
    let mut keys: Vec<_> = handle.keys().into_iter().map(|(key, _)| key).collect();
    keys.sort();
    keys
}

#[tokio::test(start_paused = true)]
async fn a_key_that_fails_opens_its_own_breaker_only() {
    let (registry, handle) = registry(json!({}), json!({}));
    call(&handle, "down", json!("Network")).await.expect_err("it fails");
    assert_eq!(refused_by(&handle, "down").await, Part::Breaker);
    call(&handle, "up", json!(0)).await.expect("it is another one");
    let refused: Vec<_> = handle
        .keys()
        .into_iter()
        .map(|(key, parts)| (key, parts.breaker.is_some_and(|breaker| breaker.refusal.is_some())))
        .collect();
    assert!(refused.contains(&("down".to_owned(), true)) && refused.contains(&("up".to_owned(), false)), "{refused:?}");
    assert_eq!(handle.snapshot().breaker, None, "the tool as a whole has none");
    assert_eq!(registry.available().names(), ["fetch"]);
    let counters = handle.snapshot().counters;
    assert_eq!((counters.calls, counters.opened, counters.rejected_by_breaker), (3, 1, 1));
    assert_balanced(&counters, 0);

    tokio::time::advance(ms(10_000)).await;
    call(&handle, "down", json!(0)).await.expect("a probe");
}

#[tokio::test(start_paused = true)]
async fn the_rate_and_the_bulkhead_of_the_tool_hold_for_all_keys_together() {
    let rate = json!({ "rate": { "enabled": true, "limit": "1/day", "burst": 2 } });
    let (_registry, handle) = registry(rate, json!({}));
    call(&handle, "a", json!(0)).await.expect("the first token");
    call(&handle, "b", json!(0)).await.expect("the second token");
    assert_eq!(refused_by(&handle, "c").await, Part::Bucket);
    assert_eq!(handle.snapshot().tokens, Some(0.0));

    let (_registry, handle) = registry(json!({ "bulkhead": { "max_in_flight": 1 } }), json!({}));
    let (args, options) = (json!(100), keyed("a"));
    let mut running = Box::pin(handle.execute(&args, &options));
    assert!(poll_once(running.as_mut()).is_pending());
    assert_eq!(refused_by(&handle, "b").await, Part::Bulkhead);
    assert_eq!(handle.snapshot().in_flight, 1);
    running.await.result.expect("it succeeds");
    call(&handle, "b", json!(0)).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn f1_a_refusal_by_a_keys_own_limits_costs_nothing_of_the_tools() {
    let rate = |burst: u32| json!({ "enabled": true, "limit": "1/day", "burst": burst });
    let (registry, handle) = registry(
        json!({ "rate": rate(10), "bulkhead": { "max_in_flight": 5 } }),
        json!({ "rate": rate(1), "bulkhead": { "max_in_flight": 1 } }),
    );
    call(&handle, "poor", json!(0)).await.expect("its one token");
    call(&handle, "down", json!("Network")).await.expect_err("it fails");
    let before = (state_of(&registry), handle.snapshot().tokens);
    for _ in 0..5 {
        assert_eq!(refused_by(&handle, "poor").await, Part::Bucket);
        assert_eq!(refused_by(&handle, "down").await, Part::Breaker);
    }
    assert_eq!((state_of(&registry), handle.snapshot().tokens), before);
    assert_eq!((handle.snapshot().in_flight, before.1), (0, Some(8.0)));
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_is_the_tools() {
    let budget = json!({ "enabled": true, "share": 0, "per_second": 1, "burst": 10 });
    let policy = json!({ "max_retries": 1, "backoff": { "base": "0s" }, "retry_budget": budget });
    let (_registry, handle) = registry(policy, json!({ "breaker": { "consecutive_failures": 1_000 } }));
    let mut retries = 0;
    for call in 0..100 {
        let execution = handle.execute(&json!("Network"), &keyed(&call.to_string())).await;
        retries += execution.attempts - 1;
        if retries > 0 && execution.attempts == 1 {
            assert_eq!(execution.stopped, Some(Stopped::RetryBudget));
            break;
        }
    }
    assert!((1..100).contains(&retries), "{retries} calls were retried, each with another key");
    assert!(handle.snapshot().retries.is_some_and(|left| left < 1.0));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_keys_only_those_are_forgotten_whose_circuits_are_as_new() {
    let (_registry, handle) = registry(json!({}), json!({ "max_keys": 2 }));
    call(&handle, "down", json!("Network")).await.expect_err("it fails");
    for key in ["a", "b", "c"] {
        call(&handle, key, json!(0)).await.expect("it succeeds");
    }
    assert_eq!(keys(&handle), ["c", "down"]);
    assert_eq!(refused_by(&handle, "down").await, Part::Breaker);

    call(&handle, "c", json!("Network")).await.expect_err("it fails");
    call(&handle, "d", json!("Network")).await.expect_err("there is no room, so it shares a circuit");
    assert_eq!(refused_by(&handle, "e").await, Part::Breaker, "that of all keys for which there is no room");
    assert_eq!(keys(&handle), ["c", "down"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_call_under_way_is_never_forgotten() {
    let (_registry, handle) = registry(json!({}), json!({ "max_keys": 1 }));
    let (args, options) = (json!(100), keyed("busy"));
    let mut running = Box::pin(handle.execute(&args, &options));
    assert!(poll_once(running.as_mut()).is_pending());
    call(&handle, "other", json!(0)).await.expect("it shares a circuit");
    assert_eq!(keys(&handle), ["busy"]);
    drop(running);
    call(&handle, "other", json!(0)).await.expect("it has one of its own");
    assert_eq!(keys(&handle), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn calls_without_a_key_share_the_circuit_of_the_empty_key() {
    let (_registry, handle) = registry(json!({}), json!({}));
    handle.call(&json!("Network")).await.expect_err("it fails");
    let error = handle.call(&json!(0)).await.expect_err("its breaker is open");
    assert_eq!(error.refusal().map(|refusal| refusal.by), Some(Part::Breaker));
    assert_eq!(refused_by(&handle, "").await, Part::Breaker);
    call(&handle, "a", json!(0)).await.expect("it is another one");
    assert_eq!(keys(&handle), ["", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_a_tool_without_keyed_circuits_means_nothing() {
    let registry = unlimited_registry();
    let policy = config(json!({ "breaker": { "consecutive_failures": 1 } }));
    let handle = registry.register_with("fetch", sleeper(), &policy).expect("the name is free");
    call(&handle, "a", json!("Network")).await.expect_err("it fails");
    assert_eq!(refused_by(&handle, "b").await, Part::Breaker);
    assert_eq!(keys(&handle), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_key_dropped_at_any_poll_leaves_nothing() {
    for polls in 0_u32.. {
        assert!(polls < 50, "the call comes to an end");
        let bulkhead = json!({ "max_in_flight": 1 });
        let (registry, handle) = registry(
            json!({ "bulkhead": bulkhead, "max_wait": "1h", "rate": { "enabled": true, "limit": "1/s", "burst": 1 } }),
            json!({ "bulkhead": bulkhead, "max_keys": 1 }),
        );
        call(&handle, "a", json!(0)).await.expect("the first token");
        let before = keys(&handle);
        let (args, options) = (json!(10), keyed("a"));
        let mut dropped = Box::pin(handle.execute(&args, &options));
        let mut polled = 0;
        let ended = core::future::poll_fn(|cx| {
            if polled == polls {
                return Poll::Ready(false);
            }
            polled += 1;
            dropped.as_mut().poll(cx).map(|_| true)
        });
        let ended = ended.await;
        drop(dropped);
        assert_eq!(handle.snapshot().in_flight, 0, "after {polls} polls");
        assert!(handle.keys().iter().all(|(_, parts)| parts.in_flight == 0), "after {polls} polls");
        assert_balanced(&handle.snapshot().counters, 0);
        assert_eq!(keys(&handle), before);
        tokio::time::sleep(ms(1_000)).await;
        assert_eq!(handle.snapshot().tokens, Some(1.0), "after {polls} polls");
        call(&handle, "b", json!(0)).await.expect("the key is not held, so another one takes its place");
        assert_eq!(keys(&handle), ["b"], "after {polls} polls");
        drop(registry);
        if ended {
            assert!(polls > 2, "it waited and ran");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyed_executor_by_itself_counts_all_keys_and_forgets_on_demand() {
    let keyed: KeyedConfig =
        serde_json::from_value(json!({ "max_keys": 1, "breaker": { "consecutive_failures": 1 } })).unwrap();
    let executor = KeyedExecutor::new(&config(json!({ "max_retries": 0 })), &keyed).expect("in range");
    let fails = async |_| Err::<(), _>(error(ErrorCategory::Network));
    let works = async |_| Ok::<_, ToolError>(());
    executor.call("a", fails).await.expect_err("it fails");
    executor.call("b", works).await.expect("it shares a circuit");
    assert_eq!((executor.counters().calls, executor.shared_calls()), (2, 1));
    assert_eq!(executor.shared_snapshot().breaker.map(|breaker| breaker.generation), Some(0));
    assert!(!executor.forget("b"));
    assert!(executor.forget("a"));
    executor.call("a", works).await.expect("its breaker is forgotten");
    executor.call("a", fails).await.expect_err("it fails");
    assert_eq!(executor.forget_all(), 1);
    assert_eq!(executor.snapshot().len(), 0);
    assert_balanced(&executor.counters(), 0);
}
