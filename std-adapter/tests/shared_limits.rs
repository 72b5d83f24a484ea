//! Limits above a tool's own: one for all tools that share it, taken all or nothing, and waited for like a tool's own.

mod support;

use core::task::Poll;
use core::time::Duration;
use fusebox::config::SharedLimitsConfig;
use fusebox::*;
use serde_json::{Value, json};
use support::*;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The tools `a` and `b` in the group `web`, and `c` in none.
fn registry(mut config: Value) -> Registry {
    let registry = unlimited_registry();
    if config["groups"]["web"].is_null() {
        config["groups"]["web"] = json!({});
    }
    for name in ["a", "b"] {
        config["tools"][name]["groups"] = json!(["web"]);
    }
    registry.apply(&registry_config(config)).expect("in range");
    for name in ["a", "b", "c"] {
        registry.register(name, sleeper()).expect("the name is free");
    }
    registry
}

fn web(limits: Value) -> Registry {
    registry(json!({ "groups": { "web": limits } }))
}

/// As [`web`], with calls that wait.
fn patient(limits: Value) -> Registry {
    registry(json!({ "groups": { "web": limits }, "defaults": { "max_wait": "1h" } }))
}

async fn refusal(registry: &Registry, name: &str) -> Refusal {
    registry.call(name, &json!(0)).await.expect_err("it is refused").refusal().expect("by a circuit").clone()
}

fn shared(name: &str) -> Scope {
    Scope::Shared(name.into())
}

type Waiting = JoinHandle<(Duration, Result<Value, CallError<ToolError>>)>;

/// Makes a call in a task of its own, which has asked when this returns. Tells when the call ended, counted from now.
async fn spawn(registry: &Registry, name: &'static str, args: impl Into<Value>) -> Waiting {
    let (registry, args, begun) = (registry.clone(), args.into(), Instant::now());
    let task = tokio::spawn(async move {
        let result = registry.call(name, &args).await;
        (begun.elapsed(), result)
    });
    tokio::task::yield_now().await;
    task
}

/// The call succeeds after so many milliseconds.
#[track_caller]
fn assert_ends((elapsed, result): (Duration, Result<Value, CallError<ToolError>>), millis: u64) {
    result.expect("it succeeds");
    assert_eq!(elapsed, ms(millis));
}

/// How many calls of a tool can be in flight at once, up to 10.
fn room(registry: &Registry, name: &str) -> usize {
    let args = json!(1_000);
    let mut calls: Vec<_> = (0..10).map(|_| Box::pin(registry.call(name, &args))).collect();
    calls.iter_mut().map(|call| poll_once(call.as_mut())).filter(Poll::is_pending).count()
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_a_group_is_one_for_all_its_tools_and_for_no_other() {
    let registry = web(json!({ "rate": { "limit": "1/s", "burst": 2 } }));
    registry.call("a", &json!(0)).await.expect("the first token");
    registry.call("b", &json!(0)).await.expect("the second token");
    for name in ["a", "b"] {
        let refusal = refusal(&registry, name).await;
        assert_eq!((refusal.by, &refusal.scope), (Part::Bucket, &shared("web")));
        assert_eq!(refusal.retry_after(), Some(ms(1_000)));
        assert_eq!(refusal.to_string(), r#"refused by the bucket of "web", retry after 1s"#);
    }
    registry.call("c", &json!(0)).await.expect("it is not in the group");
    tokio::time::advance(ms(1_000)).await;
    registry.call("b", &json!(0)).await.expect("a token came");
}

#[tokio::test(start_paused = true)]
async fn the_bulkhead_of_a_group_is_one_for_all_its_tools_and_for_no_other() {
    let registry = web(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let running = spawn(&registry, "a", 100).await;
    for name in ["a", "b"] {
        let refusal = refusal(&registry, name).await;
        assert_eq!((refusal.by, refusal.scope), (Part::Bulkhead, shared("web")));
    }
    registry.call("c", &json!(0)).await.expect("it is not in the group");
    assert_ends(running.await.unwrap(), 100);
    registry.call("b", &json!(0)).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_the_registry_are_above_all_tools() {
    let registry =
        registry(json!({ "limits": { "rate": { "limit": "1/s", "burst": 3 }, "bulkhead": { "max_in_flight": 2 } } }));
    let running = [spawn(&registry, "a", 100).await, spawn(&registry, "c", 100).await];
    let refused = refusal(&registry, "b").await;
    assert_eq!((refused.by, refused.scope), (Part::Bulkhead, shared("registry")));
    for call in running {
        assert_ends(call.await.unwrap(), 100);
    }
    registry.call("b", &json!(0)).await.expect("the third token: a refusal costs none");
    let refused = refusal(&registry, "c").await;
    assert_eq!((refused.by, refused.scope), (Part::Bucket, shared("registry")));
    let counters = registry.snapshot()[1].counters;
    assert_eq!((counters.succeeded, counters.rejected_by_bulkhead), (1, 1));
    assert_balanced(&counters, 0);
}

/// The tool `t` below all limiters that a call can have, each with room for 8 calls, but for the tight one, whose rate or
/// bulkhead lets a single one go. `u` has none of its own.
fn all_limiters(tight: &str, part: &str) -> Registry {
    let mut limits = json!({ "rate": { "limit": "1/day", "burst": 8 }, "bulkhead": { "max_in_flight": 8 } });
    let loose = limits.clone();
    match part {
        "rate" => limits["rate"]["burst"] = json!(1),
        _ => limits["bulkhead"]["max_in_flight"] = json!(1),
    }
    let of = |scope: &str| if scope == tight { limits.clone() } else { loose.clone() };
    let mut policy = of("own");
    policy["rate"]["enabled"] = json!(true);
    policy["breaker"] = json!({ "consecutive_failures": 5 });
    let groups = ["g1", "g2", "g3"];
    let config = json!({
        "limits": of("registry"),
        "groups": { "g1": of("g1"), "g2": of("g2"), "g3": of("g3") },
        "tools": {
            "t": { "groups": groups, "policy": policy },
            "u": { "groups": groups, "policy": { "rate": { "enabled": false } } },
        },
    });
    let registry = unlimited_registry();
    registry.apply(&registry_config(config)).expect("in range");
    registry.register("t", sleeper()).expect("the name is free");
    registry.register("u", sleeper()).expect("the name is free");
    registry
}

#[tokio::test(start_paused = true)]
async fn f1_a_refusal_by_any_limiter_leaves_those_before_it_as_they_were() {
    for tight in ["registry", "g1", "g2", "g3", "own"] {
        for (part, by) in [("rate", Part::Bucket), ("bulkhead", Part::Bulkhead)] {
            let registry = all_limiters(tight, part);
            let args = json!(if part == "rate" { 0 } else { 1_000 });
            let mut running = Box::pin(registry.call("t", &args));
            assert_eq!(poll_once(running.as_mut()).is_ready(), part == "rate");
            let (before, breaker) = (state_of(&registry), registry.snapshot()[0].breaker.clone());
            for _ in 0..20 {
                let refusal = refusal(&registry, "t").await;
                let scope = if tight == "own" { Scope::Own } else { shared(tight) };
                assert_eq!((refusal.by, refusal.scope), (by, scope), "{tight} {part}");
            }
            assert_eq!(state_of(&registry), before, "{tight} {part}");
            assert_eq!(registry.snapshot()[0].breaker, breaker, "{tight} {part}");
            if tight == "own" {
                assert_eq!(room(&registry, "u"), 7, "{part}: of 8 slots and tokens the one call has one");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_several_would_refuse_the_outermost_does() {
    let registry = all_limiters("none", "rate");
    for _ in 0..8 {
        registry.call("t", &json!(0)).await.expect("there is a token everywhere");
    }
    assert_eq!(refusal(&registry, "t").await.scope, shared("registry"));
    let mut config = registry.config();
    for scope in ["g1", "g2", "g3"] {
        if scope == "g1" {
            config.limits = SharedLimitsConfig::default();
        } else {
            config.tools.values_mut().for_each(|tool| drop(tool.groups.remove(0)));
        }
        registry.apply(&config).expect("in range");
        assert_eq!(refusal(&registry, "t").await.scope, shared(scope));
    }
    config.tools.values_mut().for_each(|tool| tool.groups.clear());
    registry.apply(&config).expect("in range");
    assert_eq!(refusal(&registry, "t").await.scope, Scope::Own);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_costs_nothing_of_what_is_shared() {
    let registry = registry(json!({
        "limits": { "rate": { "limit": "1/day", "burst": 2 }, "bulkhead": { "max_in_flight": 1 } },
        "groups": { "web": { "rate": { "limit": "1/day", "burst": 2 } } },
        "tools": { "a": { "policy": { "breaker": { "consecutive_failures": 1 } } } },
    }));
    registry.call("a", &json!("Network")).await.expect_err("it fails");
    let before = state_of(&registry);
    for _ in 0..5 {
        let refusal = refusal(&registry, "a").await;
        assert_eq!((refusal.by, refusal.scope), (Part::Breaker, Scope::Own));
    }
    assert_eq!(state_of(&registry), before);
    registry.call("b", &json!(0)).await.expect("the last token is there");
    let refused = refusal(&registry, "a").await;
    assert_eq!(refused.by, Part::Breaker, "said before anything is asked that is shared");
}

#[tokio::test(start_paused = true)]
async fn calls_of_all_its_tools_get_a_groups_slot_in_the_order_in_which_they_came() {
    let registry = patient(json!({ "bulkhead": { "max_in_flight": 1 } }));
    let mut calls = Vec::new();
    for name in ["a", "b", "b", "a", "b", "a"] {
        calls.push(spawn(&registry, name, 100).await);
    }
    assert_ends(spawn(&registry, "c", 0).await.await.unwrap(), 0);
    for (call, millis) in calls.into_iter().zip((100..).step_by(100)) {
        assert_ends(call.await.unwrap(), millis);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_all_its_tools_get_a_groups_tokens_at_its_rate() {
    let registry = patient(json!({ "rate": { "limit": "1/s", "burst": 1 } }));
    let mut calls = Vec::new();
    for name in ["a", "b", "b", "a", "b", "a"] {
        calls.push(spawn(&registry, name, 0).await);
    }
    let mut ends = Vec::new();
    for call in calls {
        let (elapsed, result) = call.await.unwrap();
        result.expect("it succeeds");
        ends.push(elapsed);
    }
    assert_eq!(ends, [0, 1, 2, 3, 4, 5].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn a_call_gives_up_waiting_for_a_group_after_max_wait_and_leaves_its_place_to_the_next() {
    let registry = registry(json!({
        "groups": { "web": { "bulkhead": { "max_in_flight": 1 } } },
        "tools": { "a": { "policy": { "max_wait": "300ms" } }, "b": { "policy": { "max_wait": "1h" } } },
    }));
    let running = spawn(&registry, "b", 1_000).await;
    let impatient = spawn(&registry, "a", 0).await;
    let next = spawn(&registry, "b", 100).await;
    let (elapsed, result) = impatient.await.unwrap();
    assert_eq!(elapsed, ms(300));
    let refusal = result.unwrap_err().refusal().cloned().expect("it is refused");
    assert_eq!((refusal.by, refusal.scope), (Part::Bulkhead, shared("web")));
    assert_ends(running.await.unwrap(), 1_000);
    assert_ends(next.await.unwrap(), 1_100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_own_tokens_keeps_no_slot_of_a_group() {
    let registry = registry(json!({
        "groups": { "web": { "bulkhead": { "max_in_flight": 1 } } },
        "tools": { "a": { "policy": { "max_wait": "1h", "rate": { "enabled": true, "limit": "1/10s", "burst": 1 } } } },
    }));
    registry.call("a", &json!(0)).await.expect("there is a token");
    let waits = spawn(&registry, "a", 0).await;
    registry.call("b", &json!(0)).await.expect("the group has room");
    assert_ends(waits.await.unwrap(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_every_limiter_as_it_was() {
    let slow = json!({ "rate": { "limit": "1/s", "burst": 1 }, "bulkhead": { "max_in_flight": 1 } });
    let mut waits = 0;
    for polls in 0_u32.. {
        assert!(polls < 100, "the call comes to an end");
        let registry = registry(json!({
            "limits": slow, "groups": { "web": slow },
            "defaults": { "max_wait": "1h" },
            "tools": { "a": { "policy": { "rate": { "enabled": true, "limit": "1/2s", "burst": 1 } } } },
        }));
        // takes all tokens, and for a while the slots
        let before = spawn(&registry, "a", 500).await;
        let args = json!(10);
        let mut call = Box::pin(registry.call("a", &args));
        let mut polled = 0;
        let ended = core::future::poll_fn(|cx| {
            if polled == polls {
                return Poll::Ready(false);
            }
            polled += 1;
            call.as_mut().poll(cx).map(|result| result.is_ok())
        });
        if ended.await {
            break;
        }
        drop(call);
        waits += 1;
        let _ = before.await.unwrap();
        tokio::time::sleep(ms(3_000)).await;
        let fresh: Vec<_> = registry.snapshot().iter().map(|tool| (tool.tokens, tool.in_flight)).collect();
        assert_eq!(fresh, [(Some(1.0), 0), (None, 0), (None, 0)], "after {polls} polls");
        let state = state_of(&registry);
        let level = |state: &Value| state["bucket"]["level"].clone();
        assert_eq!(level(&state["limits"]), json!(1_000), "after {polls} polls: {state}");
        assert_eq!(level(&state["groups"]["web"]), json!(1_000), "after {polls} polls");
        assert_ends(spawn(&registry, "a", 0).await.await.unwrap(), 0);
        let tool = &registry.snapshot()[0];
        assert_balanced(&tool.counters, 0);
        assert_eq!(tool.counters.cancelled, u64::from(polls > 0), "after {polls} polls");
    }
    assert!(waits > 4, "it was dropped at {waits} places");
}

#[test]
fn calls_that_pass_groups_in_opposite_order_never_wait_for_each_other_for_ever() {
    const CALLS: usize = 2_000;
    let registry = unlimited_registry();
    let config = registry_config(json!({
        "groups": { "x": { "bulkhead": { "max_in_flight": 1 } }, "y": { "bulkhead": { "max_in_flight": 1 } } },
        "defaults": { "max_wait": "1h" },
        "tools": { "xy": { "groups": ["x", "y"] }, "yx": { "groups": ["y", "x"] } },
    }));
    registry.apply(&config).expect("in range");
    for name in ["xy", "yx"] {
        let tool = async |args| {
            tokio::task::yield_now().await;
            Ok(args)
        };
        registry.register(name, tool).expect("the name is free");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let calls: Vec<_> = (0..CALLS)
            .map(|call| {
                let registry = registry.clone();
                tokio::spawn(async move { registry.call(["xy", "yx"][call % 2], &Value::Null).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().expect("its turn comes");
        }
    });
    for tool in registry.snapshot() {
        assert_eq!(tool.counters.succeeded, CALLS as u64 / 2);
        assert_balanced(&tool.counters, 0);
    }
}
