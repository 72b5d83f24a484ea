//! A registry that goes on from the state of one before it, as after a restart of the process.

mod support;

use core::time::Duration;
use fusebox::config::RegistryConfig;
use fusebox::*;
use serde_json::{Value, json};
use support::*;

fn fails() -> impl Tool {
    async |_| Err(error(ErrorCategory::Network))
}

fn answers() -> impl Tool {
    async |_| Ok(json!("fine"))
}

/// Opens after one failure, for ten seconds.
fn fragile() -> PolicyConfig {
    config(json!({
        "max_retries": 0, "rate": { "enabled": false },
        "breaker": { "consecutive_failures": 1, "open_wait": "10s", "jitter": "none" }
    }))
}

fn registry_config(json: Value) -> RegistryConfig {
    serde_json::from_value(json).expect("the test's configuration can be read")
}

/// The state as it comes back from disk.
fn through_text(state: &RegistryState) -> RegistryState {
    let text = serde_json::to_string(state).expect("it is data");
    serde_json::from_str(&text).expect("it can be read back")
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_stays_open_across_a_restart_for_what_is_left_of_its_wait() {
    let before = Registry::new();
    before.register_with("search", fails(), fragile()).unwrap().call(&Value::Null).await.expect_err("it fails");
    tokio::time::advance(ms(3_000)).await;
    let state = through_text(&before.state());

    // a clock that has just begun, and a state that is two seconds old
    let after = Registry::new();
    after.restore(&state, ms(2_000));
    let search = after.register_with("search", answers(), fragile()).unwrap();
    let refused = search.call(&Value::Null).await.expect_err("it is open");
    let left = refused.refusal().and_then(Refusal::retry_after).expect("it says when to return");
    assert!(left <= ms(5_000) && left > ms(4_900), "{left:?}");
    tokio::time::advance(ms(5_000)).await;
    search.call(&Value::Null).await.expect("the wait is over");
}

#[tokio::test(start_paused = true)]
async fn time_that_passes_before_a_tool_is_registered_counts_too() {
    let before = Registry::new();
    before.register_with("search", fails(), fragile()).unwrap().call(&Value::Null).await.expect_err("it fails");
    let after = Registry::new();
    after.restore(&before.state(), ms(4_000));
    tokio::time::advance(ms(6_000)).await;
    let search = after.register_with("search", answers(), fragile()).unwrap();
    search.call(&Value::Null).await.expect("the wait is over");
}

#[tokio::test(start_paused = true)]
async fn tools_that_are_registered_already_go_on_from_the_state_as_well() {
    let before = Registry::new();
    before.register_with("search", fails(), fragile()).unwrap().call(&Value::Null).await.expect_err("it fails");
    let after = Registry::new();
    let search = after.register_with("search", answers(), fragile()).unwrap();
    after.restore(&before.state(), Duration::ZERO);
    assert!(search.call(&Value::Null).await.expect_err("it is open").refusal().is_some());
}

#[tokio::test(start_paused = true)]
async fn buckets_of_tools_groups_and_the_registry_have_refilled_meanwhile_and_no_more() {
    let limits = json!({
        "limits": { "rate": { "limit": "1/s", "burst": 10 } },
        "groups": { "web": { "rate": { "limit": "2/s", "burst": 10 } } },
        "tools": { "search": { "groups": ["web"], "policy": { "rate": { "limit": "3/s", "burst": 10 } } } }
    });
    let limits = registry_config(limits);
    let before = Registry::new();
    before.apply(&limits).unwrap();
    let search = before.register("search", answers()).unwrap();
    for _ in 0..8 {
        search.call(&Value::Null).await.expect("there are tokens");
    }
    let state = through_text(&before.state());

    for (age, most) in [(0, 2), (3_000, 5), (60_000, 10)] {
        let after = Registry::new();
        after.apply(&limits).unwrap();
        after.restore(&state, ms(age));
        let search = after.register("search", answers()).unwrap();
        let mut calls = 0;
        let refusal = loop {
            match search.call(&Value::Null).await {
                Ok(_) => calls += 1,
                Err(error) => break error.refusal().cloned().expect("it was refused"),
            }
        };
        assert_eq!((calls, refusal.scope), (most, Scope::Shared("registry".into())), "after {age} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_groups_bucket_is_restored_when_the_group_comes_later() {
    let limits = registry_config(json!({
        "groups": { "web": { "rate": { "limit": "1/day", "burst": 3 } } }, "tools": { "search": { "groups": ["web"] } }
    }));
    let before = Registry::with_defaults(config(json!({ "rate": { "enabled": false } }))).unwrap();
    before.apply(&limits).unwrap();
    let search = before.register("search", answers()).unwrap();
    for _ in 0..2 {
        search.call(&Value::Null).await.expect("there are tokens");
    }
    let after = Registry::with_defaults(config(json!({ "rate": { "enabled": false } }))).unwrap();
    after.restore(&before.state(), Duration::ZERO);
    after.apply(&limits).unwrap();
    let search = after.register("search", answers()).unwrap();
    search.call(&Value::Null).await.expect("one token is left");
    let refused = search.call(&Value::Null).await.expect_err("none is left");
    assert_eq!(refused.refusal().map(|refusal| refusal.scope.clone()), Some(Scope::Shared("web".into())));
}

#[tokio::test(start_paused = true)]
async fn each_keys_circuit_is_restored() {
    let mut tool = ToolConfig::from(fragile());
    tool.keyed = Some(serde_json::from_value(json!({ "rate": { "limit": "1/day", "burst": 2 } })).unwrap());
    let of = |key: &str| CallOptions { circuit_key: Some(key.into()), ..CallOptions::default() };
    let sick = async |args: Value| if args["down"] == true { Err(error(ErrorCategory::Network)) } else { Ok(args) };

    let before = Registry::new();
    let fetch = before.register_with("fetch", sick, tool.clone()).unwrap();
    assert!(!fetch.run(&json!({ "down": true }), &of("a.example")).await.success);
    assert!(fetch.run(&Value::Null, &of("b.example")).await.success);

    let after = Registry::new();
    after.restore(&through_text(&before.state()), Duration::ZERO);
    let fetch = after.register_with("fetch", sick, tool).unwrap();
    let by = async |key| fetch.run(&Value::Null, &of(key)).await.error.and_then(|error| error.by);
    assert_eq!(by("a.example").await, Some(RefusedBy::Breaker));
    assert_eq!(by("b.example").await, None);
    assert_eq!(by("b.example").await, Some(RefusedBy::Bucket), "it had one token left");
    assert_eq!((by("c.example").await, by("c.example").await), (None, None), "a key that is new");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_removed_and_registered_again_begins_anew() {
    let before = Registry::new();
    before.register_with("search", fails(), fragile()).unwrap().call(&Value::Null).await.expect_err("it fails");
    let after = Registry::new();
    after.restore(&before.state(), Duration::ZERO);
    after.register_with("search", answers(), fragile()).unwrap();
    assert!(after.remove("search"));
    after.register_with("search", answers(), fragile()).unwrap().call(&Value::Null).await.expect("it is new");
}

#[test]
fn an_empty_state_is_a_state() {
    assert_eq!(serde_json::from_str::<RegistryState>("{}").unwrap(), RegistryState::default());
    let registry = Registry::new();
    registry.restore(&RegistryState::default(), Duration::MAX);
    registry.register("search", answers()).expect("the name is free");
}
