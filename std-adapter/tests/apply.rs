//! A configuration in force: all of it or nothing, on top of what the program gave, and state lives on.

mod support;

use core::sync::atomic::{AtomicBool, Ordering};
use fusebox::config::KeyedConfig;
use fusebox::*;
use futures_util::FutureExt;
use serde_json::{Value, json};
use support::*;
use tokio::task::JoinHandle;

fn apply(registry: &Registry, config: Value) -> Applied {
    registry.apply(&registry_config(config)).expect("in range")
}

/// Puts what `patch` says over `into`, table by table.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (field, patch) in patch {
                merge(into.entry(field).or_insert(Value::Null), patch);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

fn register(registry: &Registry, name: &str) -> Handle {
    registry.register(name, sleeper()).expect("the name is free")
}

async fn spawn(
    registry: &Registry,
    name: &'static str,
    millis: u64,
) -> JoinHandle<Result<Value, CallError<ToolError>>> {
    let registry = registry.clone();
    let task = tokio::spawn(async move { registry.call(name, &json!(millis)).await });
    tokio::task::yield_now().await;
    task
}

fn by(result: Result<Value, CallError<ToolError>>) -> Option<Part> {
    result.expect_err("it is refused").refusal().map(|refusal| refusal.by)
}

/// The tokens of the registry's limit and of the group `web`, in thousandths.
fn levels(registry: &Registry) -> [Value; 2] {
    let state = state_of(registry);
    [&state["limits"], &state["groups"]["web"]].map(|limits| limits["bucket"]["level"].clone())
}

/// Everything that a configuration can change, as it shows.
fn look(registry: &Registry) -> Value {
    let policies: Vec<_> = ["a", "b"].map(|name| registry.handle(name).unwrap().policy().effective().clone()).into();
    let names: Vec<_> = ["a", "b", "alpha", "beta", "gamma"].map(|name| registry.handle(name).is_some()).into();
    let roles: Vec<_> = [None, Some("admin"), Some("intern")].map(|role| registry.available_to(role)).into();
    json!({
        "config": registry.config(), "state": state_of(registry), "tools": registry.snapshot(), "policies": policies,
        "names": names, "roles": roles,
    })
}

#[tokio::test(start_paused = true)]
async fn a_configuration_with_any_fault_changes_nothing() {
    let faults = [
        ("limits.rate.burst", json!({ "limits": { "rate": { "burst": 0 } } })),
        ("limits.rate.limit", json!({ "limits": { "rate": { "limit": null } } })),
        ("groups.web.bulkhead.max_in_flight", json!({ "groups": { "web": { "bulkhead": { "max_in_flight": 0 } } } })),
        ("groups", json!({ "groups": { "": {} } })),
        ("defaults.timeout", json!({ "defaults": { "timeout": "0s" } })),
        ("tools.a.policy.breaker.probes", json!({ "tools": { "a": { "policy": { "breaker": { "probes": 0 } } } } })),
        ("tools.absent.policy.rate.burst", json!({ "tools": { "absent": { "policy": { "rate": { "burst": 0 } } } } })),
        ("tools.a.groups[0]", json!({ "tools": { "a": { "groups": ["nowhere"] } } })),
        (
            "tools.a.groups",
            json!({ "tools": { "a": { "groups": ["web", "g1", "g2", "g3"] } }, "groups": { "g1": {}, "g2": {}, "g3": {} } }),
        ),
        ("aliases[0]", json!({ "tools": { "a": { "aliases": ["b"] } } })),
        ("aliases[0]", json!({ "tools": { "a": { "aliases": [""] } } })),
        ("fallback", json!({ "tools": { "a": { "fallback": "b" } } })),
        ("tools.a.fallback", json!({ "tools": { "a": { "fallback": "" } } })),
        ("tools.a.keyed.max_keys", json!({ "tools": { "a": { "keyed": { "max_keys": 0 } } } })),
        ("tools.a.keyed.breaker.probes", json!({ "tools": { "a": { "keyed": { "breaker": { "probes": 0 } } } } })),
        ("tools.a.args", json!({ "tools": { "a": { "args": 7 } } })),
        ("tools.a.args", json!({ "tools": { "a": { "args": { "type": "nonsense" } } } })),
        ("tools.a.result", json!({ "tools": { "a": { "result": { "type": "nonsense" } } } })),
        ("tools.a.max_output", json!({ "tools": { "a": { "max_output": 0 } } })),
        ("tools.a.capabilities[0]", json!({ "tools": { "a": { "capabilities": ["*"] } } })),
        ("rules[0].role", json!({ "rules": [{ "role": "", "capability": "*", "decision": "deny" }] })),
    ];
    let registry = unlimited_registry();
    let given = json!({ "groups": ["web"], "fallback": "a", "policy": { "timeout_ms": 500 } });
    register(&registry, "a");
    let first = json!({
        "limits": { "rate": { "limit": "1/day", "burst": 100 } },
        "groups": { "web": { "rate": { "limit": "1/day", "burst": 50 } } },
        "tools": { "a": { "aliases": ["alpha"], "groups": ["web"], "policy": { "breaker": { "consecutive_failures": 1 } } } },
        "rules": [{ "role": "*", "capability": "*", "decision": "allow" }],
    });
    apply(&registry, first);
    let given: ToolConfig = serde_json::from_value(given).unwrap();
    registry.register_with("b", sleeper(), given).expect("the name is free");
    registry.call("b", &json!(0)).await.expect("it succeeds");
    registry.call("a", &json!("Network")).await.expect_err("it fails");
    let before = look(&registry);

    // allowed, and different in every respect
    let second = json!({
        "limits": { "rate": { "limit": "2/day", "burst": 10 } },
        "groups": { "web": { "rate": { "limit": "2/day", "burst": 10 } } },
        "defaults": { "deadline": "7s" },
        "tools": { "a": { "aliases": ["beta"], "policy": { "timeout": "3s" } }, "b": { "aliases": ["gamma"] } },
        "rules": [{ "role": "admin", "capability": "*", "decision": "allow" }],
    });
    for (field, patch) in faults {
        let mut faulty = second.clone();
        merge(&mut faulty, &patch);
        let errors = registry.apply(&registry_config(faulty)).expect_err(field);
        assert!(errors.to_string().contains(field), "{field}: {errors}");
        assert_eq!(look(&registry), before, "{field}");
    }
    let mut without_group = second.clone();
    without_group["groups"] = json!({});
    let errors = registry.apply(&registry_config(without_group)).expect_err("a tool is in the group");
    assert!(errors.to_string().contains("tools.b.groups[0]"), "{errors}");
    assert_eq!(look(&registry), before);

    apply(&registry, second);
    let after = look(&registry);
    for part in ["config", "state", "policies", "names", "roles"] {
        assert_ne!(after[part], before[part], "{part}: a change would have shown");
    }
}

#[tokio::test(start_paused = true)]
async fn all_faults_are_told_at_once() {
    let registry = unlimited_registry();
    let faulty = json!({
        "limits": { "rate": { "burst": 0 } },
        "groups": { "web": { "bulkhead": { "max_in_flight": 0 } } },
        "tools": { "a": { "groups": ["nowhere"], "max_output": 0 } },
    });
    let errors = registry.apply(&registry_config(faulty)).unwrap_err().to_string();
    for field in ["limits.rate", "groups.web.bulkhead.max_in_flight", "tools.a.groups[0]", "tools.a.max_output"] {
        assert!(errors.contains(field), "{field}: {errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn r1_an_open_breaker_stays_open_and_fill_levels_stay_proportional() {
    let registry = unlimited_registry();
    let rate = |burst: u32| json!({ "enabled": true, "limit": "1/day", "burst": burst });
    let with_burst = |burst: u32| {
        let rate = rate(burst);
        json!({
            "limits": { "rate": rate }, "groups": { "web": { "rate": rate } },
            "tools": { "a": { "groups": ["web"], "policy": { "rate": rate, "breaker": { "consecutive_failures": 5 } } } },
        })
    };
    apply(&registry, with_burst(10));
    let handle = register(&registry, "a");
    for _ in 0..5 {
        handle.call(&json!("Network")).await.expect_err("it fails");
    }
    let opened = handle.snapshot().breaker;
    assert_eq!(opened.as_ref().map(|breaker| breaker.state), Some(BreakerStateName::Open));
    assert_eq!((levels(&registry), handle.snapshot().tokens), ([json!(5_000), json!(5_000)], Some(5.0)));

    apply(&registry, with_burst(20));
    assert_eq!(handle.snapshot().breaker, opened);
    assert_eq!((levels(&registry), handle.snapshot().tokens), ([json!(10_000), json!(10_000)], Some(10.0)));
    handle.reset();
    for _ in 0..10 {
        handle.call(&json!(0)).await.expect("a token is left");
    }
    assert_eq!(by(handle.call(&json!(0)).await), Some(Part::Bucket));
    assert_eq!(handle.snapshot().counters.calls, 16, "the counters live on");
}

#[tokio::test(start_paused = true)]
async fn r1_calls_in_flight_still_count_after_a_change() {
    let limits = |max: u32| json!({ "bulkhead": { "max_in_flight": max } });
    let policy = |max: u32| json!({ "tools": { "a": { "policy": limits(max) } } });
    let group = |max: u32| json!({ "groups": { "web": limits(max) }, "tools": { "a": { "groups": ["web"] } } });
    let all = |max: u32| json!({ "limits": limits(max) });
    let configs: [&dyn Fn(u32) -> Value; 3] = [&policy, &group, &all];
    for config in configs {
        let registry = unlimited_registry();
        apply(&registry, config(5));
        register(&registry, "a");
        let running = [spawn(&registry, "a", 100).await, spawn(&registry, "a", 200).await];
        apply(&registry, config(2));
        assert_eq!(by(registry.call("a", &json!(0)).await), Some(Part::Bulkhead), "{}", config(2));
        let [first, second] = running;
        first.await.unwrap().expect("it succeeds");
        registry.call("a", &json!(0)).await.expect("one has ended");
        apply(&registry, config(1));
        assert_eq!(by(registry.call("a", &json!(0)).await), Some(Part::Bulkhead), "{}", config(1));
        second.await.unwrap().expect("it succeeds");
        registry.call("a", &json!(0)).await.expect("both have ended");
    }
}

#[tokio::test(start_paused = true)]
async fn r1_keys_keep_their_circuits_and_live_ones_get_the_new_policy() {
    let registry = unlimited_registry();
    let config = |failures: u32| json!({ "tools": { "a": { "keyed": { "breaker": { "consecutive_failures": failures, "open_wait": "1h" } } } } });
    apply(&registry, config(3));
    let handle = register(&registry, "a");
    let call = async |key: &str, args: Value| {
        let options = CallOptions { circuit_key: Some(key.into()), ..CallOptions::default() };
        handle.execute(&args, &options).await.result
    };
    for _ in 0..3 {
        call("open", json!("Network")).await.expect_err("it fails");
    }
    call("ailing", json!("Network")).await.expect_err("it fails");
    apply(&registry, config(2));
    assert_eq!(by(call("open", json!(0)).await), Some(Part::Breaker), "it stays open");
    call("ailing", json!("Network")).await.expect_err("the second failure");
    assert_eq!(by(call("ailing", json!(0)).await), Some(Part::Breaker), "two are enough now");
    call("fresh", json!(0)).await.expect("it is another one");
}

#[tokio::test(start_paused = true)]
async fn the_file_goes_before_the_code_and_both_before_the_defaults() {
    let defaults = json!({ "timeout": "1s", "deadline": "1s", "max_wait": "1s", "max_retries": 1 });
    let registry = Registry::with_defaults(config(defaults)).expect("in range");
    let code = config(json!({ "timeout": "2s", "deadline": "2s" }));
    let handle = registry.register_with("a", sleeper(), &code).expect("the name is free");
    let shown = || {
        let policy = handle.policy();
        let effective = policy.effective();
        let text = |text: Option<DurationText>| text.map(|text| text.to_string()).unwrap_or_default();
        [text(effective.timeout), text(effective.deadline), text(effective.max_wait), text(effective.idle_timeout)]
    };
    assert_eq!(shown(), ["2s", "2s", "1s", ""]);
    apply(
        &registry,
        json!({
            "defaults": { "timeout": "4s", "deadline": "4s", "max_wait": "4s", "idle_timeout": "4s" },
            "tools": { "a": { "policy": { "timeout": "3s" } } },
        }),
    );
    assert_eq!(shown(), ["3s", "2s", "4s", "4s"], "the file, the code, and the file's defaults");
    assert_eq!(handle.policy().effective().max_retries, Some(1), "the code's defaults");
    assert_eq!(registry.config().tools["a"].policy.deadline.map(|text| text.to_string()).as_deref(), Some("2s"));
    apply(&registry, json!({}));
    assert_eq!(shown(), ["2s", "2s", "1s", ""], "what an earlier configuration said is over");
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_name_that_nobody_has_holds_once_it_is_registered() {
    let registry = unlimited_registry();
    register(&registry, "a");
    let config = json!({ "tools": {
        "a": {}, "late": { "aliases": ["later"], "description": "comes late", "policy": { "timeout": "3s" } }, "slip": {},
    } });
    let applied = apply(&registry, config);
    assert_eq!(applied.unregistered, ["late", "slip"]);
    assert!(registry.handle("late").is_none() && registry.handle("later").is_none());
    let late = register(&registry, "late");
    assert_eq!(late.policy().effective().timeout, Some(DurationText(ms(3_000))));
    assert_eq!(registry.handle("later"), Some(late));
    assert_eq!(registry.available().available[1].description.as_deref(), Some("comes late"));
}

#[tokio::test(start_paused = true)]
async fn aliases_lead_to_their_tool_move_and_go() {
    let registry = unlimited_registry();
    let (a, b) = (register(&registry, "a"), register(&registry, "b"));
    apply(&registry, json!({ "tools": { "a": { "aliases": ["x", "y"] } } }));
    assert_eq!((registry.handle("x").as_ref(), registry.handle("y").as_ref()), (Some(&a), Some(&a)));
    registry.call("x", &json!(0)).await.expect("it succeeds");
    assert_eq!(a.snapshot().counters.calls, 1);
    assert_eq!(registry.snapshot().len(), 2, "an alias is not another tool");
    assert_eq!(registry.register("x", sleeper()).unwrap_err(), RegistryError::NameTaken("x".to_owned()));
    assert!(!registry.remove("x"), "an alias is not a tool");

    apply(&registry, json!({ "tools": { "b": { "aliases": ["x"] } } }));
    assert_eq!((registry.handle("x"), registry.handle("y")), (Some(b.clone()), None));
    assert!(registry.remove("b"));
    assert_eq!(registry.handle("x"), None, "it goes with its tool");
    register(&registry, "x");
    let taken: ToolConfig = serde_json::from_value(json!({ "aliases": ["x"] })).unwrap();
    let error = registry.replace("a", sleeper(), taken).unwrap_err();
    assert_eq!(error, RegistryError::NameTaken("x".to_owned()));
    assert_eq!(registry.register("b", sleeper()).unwrap_err(), RegistryError::NameTaken("x".to_owned()), "as applied");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_taken_away_limits_nobody_and_begins_anew_when_it_returns() {
    let registry = unlimited_registry();
    let grouped = json!({
        "groups": { "web": { "rate": { "limit": "1/day", "burst": 1 } } }, "tools": { "a": { "groups": ["web"] } },
    });
    apply(&registry, grouped.clone());
    register(&registry, "a");
    registry.call("a", &json!(0)).await.expect("there is a token");
    assert_eq!(by(registry.call("a", &json!(0)).await), Some(Part::Bucket));
    apply(&registry, json!({}));
    registry.call("a", &json!(0)).await.expect("there is no limit");
    apply(&registry, grouped);
    registry.call("a", &json!(0)).await.expect("there is a token");
    assert_eq!(by(registry.call("a", &json!(0)).await), Some(Part::Bucket));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_applied_twice_is_applied_once() {
    let registry = unlimited_registry();
    let config = json!({
        "limits": { "rate": { "limit": "1/day", "burst": 10 } },
        "groups": { "web": { "bulkhead": { "max_in_flight": 3 } } },
        "tools": { "a": { "groups": ["web"], "aliases": ["alpha"], "policy": { "timeout": "3s" } }, "absent": {} },
    });
    register(&registry, "a");
    register(&registry, "b");
    let first = apply(&registry, config.clone());
    registry.call("alpha", &json!("Network")).await.expect_err("it fails");
    let (before, mut events) = (look(&registry), registry.subscribe(10));
    assert_eq!(apply(&registry, config), first);
    assert_eq!(look(&registry), before);
    let applied = events.next().await.expect("it was told").expect("none was missed");
    assert_eq!(applied.kind, EventKind::ConfigApplied, "and no policy has changed");
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_go_when_a_change_makes_room() {
    let limits = |max: u32| json!({ "bulkhead": { "max_in_flight": max } });
    let policy = |max: u32| json!({ "tools": { "a": { "policy": limits(max) } } });
    let group = |max: u32| json!({ "groups": { "web": limits(max) }, "tools": { "a": { "groups": ["web"] } } });
    let all = |max: u32| json!({ "limits": limits(max) });
    let configs: [&dyn Fn(u32) -> Value; 3] = [&policy, &group, &all];
    for config in configs {
        let registry = unlimited_registry();
        let patient = |max| {
            let mut config = config(max);
            config["defaults"]["max_wait"] = json!("1h");
            config
        };
        apply(&registry, patient(1));
        register(&registry, "a");
        let begun = tokio::time::Instant::now();
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(spawn(&registry, "a", 1_000).await);
        }
        tokio::time::sleep(ms(100)).await;
        apply(&registry, patient(4));
        for (call, millis) in calls.into_iter().zip([1_000, 1_100, 1_100, 1_100, 2_000]) {
            call.await.unwrap().expect("it succeeds");
            assert_eq!(begun.elapsed(), ms(millis), "{}", config(4));
        }
        assert_balanced(&registry.snapshot()[0].counters, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_group_that_is_taken_away_end_as_they_would_have() {
    let registry = unlimited_registry();
    let grouped = json!({
        "groups": { "web": { "bulkhead": { "max_in_flight": 1 } } },
        "tools": { "a": { "groups": ["web"], "policy": { "max_wait": "1h" } } },
    });
    apply(&registry, grouped);
    let handle = register(&registry, "a");
    let calls = [spawn(&registry, "a", 100).await, spawn(&registry, "a", 100).await, spawn(&registry, "a", 100).await];
    apply(&registry, json!({}));
    for call in calls {
        call.await.unwrap().expect("it succeeds");
    }
    assert_eq!(handle.snapshot().counters.succeeded, 3);
}

#[test]
fn keyed_circuits_can_be_switched_on_and_off() {
    let registry = unlimited_registry();
    let handle = register(&registry, "a");
    let keyed = RegistryConfig {
        tools: [("a".to_owned(), ToolConfig { keyed: Some(KeyedConfig::default()), ..ToolConfig::default() })].into(),
        ..RegistryConfig::default()
    };
    for _ in 0..3 {
        registry.apply(&keyed).expect("in range");
        assert_eq!(handle.snapshot().breaker, None);
        handle.call(&json!(0)).now_or_never().expect("it is ready").expect("it succeeds");
        assert_eq!(handle.keys().len(), 1);
        registry.apply(&RegistryConfig::default()).expect("in range");
        assert!(handle.snapshot().breaker.is_some());
        handle.call(&json!(0)).now_or_never().expect("it is ready").expect("it succeeds");
        assert_eq!(handle.keys().len(), 0);
    }
    assert_eq!(handle.snapshot().counters.succeeded, 6);
}

#[test]
fn every_call_has_one_result_while_configurations_come_and_go() {
    const CALLS: u64 = 2_000;
    let registry = unlimited_registry();
    let limited = json!({ "bulkhead": { "max_in_flight": 3 } });
    let configs = [
        json!({ "limits": limited, "tools": { "a": { "keyed": { "max_keys": 2 } } } }),
        json!({ "groups": { "web": limited }, "tools": { "a": { "groups": ["web"], "policy": limited } } }),
        json!({ "groups": { "web": limited }, "tools": { "a": { "groups": ["web"] }, "b": { "groups": ["web"] } } }),
        json!({}),
    ];
    let handles = [register(&registry, "a"), register(&registry, "b")];
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for config in &configs {
                    apply(&registry, config.clone());
                }
            }
        });
        let callers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    for call in 0..CALLS {
                        let name = ["a", "b"][usize::from(call % 2 == 0)];
                        let result = registry.call(name, &json!(0)).now_or_never().expect("it is ready");
                        result.expect("two at once are within every limit");
                    }
                })
            })
            .collect();
        let callers: Vec<_> = callers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        callers.into_iter().for_each(|caller| caller.expect("it made its calls"));
    });
    for handle in handles {
        assert_balanced(&handle.snapshot().counters, 0);
        assert_eq!(handle.snapshot().counters.succeeded, CALLS);
    }
    // nothing of what was taken is still taken
    for config in &configs {
        apply(&registry, config.clone());
        let args = json!(1_000);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _time = runtime.enter();
        let mut calls = [(); 3].map(|()| Box::pin(registry.call("a", &args)));
        for call in &mut calls {
            assert!(poll_once(call.as_mut()).is_pending(), "there is room for three: {config}");
        }
    }
}
