//! The registry: names, replacement under calls, typed calls, snapshots, and edits from many threads.

mod support;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use fusebox::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::*;

fn unlimited() -> PolicyConfig {
    config(json!({ "rate": { "enabled": false } }))
}

/// A registry whose tools have no rate limit.
fn registry() -> Registry {
    Registry::with_defaults(unlimited()).expect("in range")
}

fn answers(answer: &'static str) -> impl Tool {
    move |_| async move { Ok(json!(answer)) }
}

fn fails(category: ErrorCategory) -> impl Tool {
    move |_: Value| async move { Err(error(category)) }
}

#[tokio::test(start_paused = true)]
async fn a_registered_tool_is_called_with_its_arguments() {
    let registry = registry();
    let handle = registry.register("echo", async |args| Ok(args)).expect("the name is free");
    assert_eq!(handle.name(), "echo");
    assert_eq!(registry.call("echo", &json!({ "a": 1 })).await.expect("it succeeds"), json!({ "a": 1 }));
    assert_eq!(handle.call(&json!(2)).await.expect("it succeeds"), json!(2));
    assert_eq!(handle.snapshot().counters.succeeded, 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_once_and_never_empty() {
    let registry = registry();
    registry.register("search", answers("first")).expect("the name is free");
    assert_eq!(
        registry.register("search", answers("second")).unwrap_err(),
        RegistryError::NameTaken("search".to_owned())
    );
    assert_eq!(registry.register("", answers("none")).unwrap_err(), RegistryError::EmptyName);
    assert_eq!(registry.replace("", answers("none"), PolicyConfig::default()).unwrap_err(), RegistryError::EmptyName);
    assert_eq!(registry.call("search", &Value::Null).await.expect("it succeeds"), json!("first"));
    assert_eq!(registry.snapshot().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_allowed_changes_nothing_and_names_tool_and_field() {
    let registry = registry();
    let wrong = config(json!({ "breaker": { "probes": 0 } }));
    let error = registry.register_with("search", answers("none"), &wrong).unwrap_err();
    assert_eq!(error.to_string(), "tools.search.policy.breaker.probes is 0: allowed is 1 to 15");
    assert!(registry.handle("search").is_none());

    registry.register("search", answers("old")).expect("the name is free");
    registry.replace("search", answers("new"), &wrong).unwrap_err();
    assert_eq!(registry.call("search", &Value::Null).await.expect("it succeeds"), json!("old"));

    let error = Registry::with_defaults(wrong).unwrap_err();
    assert_eq!(error.field, "breaker.probes");
}

#[tokio::test(start_paused = true)]
async fn a_tools_policy_is_combined_with_the_defaults() {
    let defaults = config(json!({ "timeout": "2s", "max_retries": 0, "breaker": { "consecutive_failures": 2 } }));
    let registry = Registry::with_defaults(defaults).expect("in range");
    let own = config(json!({ "timeout_ms": 500, "breaker": { "open_wait": "1s" } }));
    let handle = registry.register_with("search", answers("page"), &own).expect("in range");
    let policy = handle.policy();
    let effective = policy.effective();
    assert_eq!(effective.timeout, Some(DurationText::from_millis(500)));
    assert_eq!(effective.max_retries, Some(0));
    assert_eq!(effective.breaker.consecutive_failures, Some(2));
    assert_eq!(effective.breaker.open_wait, Some(DurationText::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn r1_a_replaced_tool_keeps_its_state_and_its_counters() {
    let registry = Registry::new();
    let policy = config(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1 } }));
    let old = registry.register_with("search", fails(ErrorCategory::Network), &policy).expect("the name is free");
    old.call(&Value::Null).await.expect_err("it fails");
    let new = registry.replace("search", answers("new"), &policy).expect("in range");
    let error = registry.call("search", &Value::Null).await.expect_err("the breaker is open");
    assert_eq!(error.refusal().map(|rejection| rejection.by), Some(Part::Breaker));
    assert_eq!(new.snapshot(), old.snapshot());
    assert_eq!(new.snapshot().tokens, Some(9.0));
    assert_eq!(new.snapshot().counters.calls, 2);

    new.reset();
    assert_eq!(registry.call("search", &Value::Null).await.expect("it succeeds"), json!("new"));
    assert_eq!(old.call(&Value::Null).await.expect("an old handle calls the new tool"), json!("new"));
}

#[tokio::test(start_paused = true)]
async fn replacing_a_name_that_is_free_adds_the_tool() {
    let registry = registry();
    registry.replace("search", answers("page"), PolicyConfig::default()).expect("in range");
    assert_eq!(registry.call("search", &Value::Null).await.expect("it succeeds"), json!("page"));
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_end_with_the_tool_that_they_began_with() {
    let registry = Arc::new(registry());
    let slow = async |_| {
        tokio::time::sleep(ms(100)).await;
        Ok(json!("old"))
    };
    registry.register("search", slow).expect("the name is free");
    let under_way: Vec<_> = (0..2)
        .map(|_| {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move { registry.call("search", &Value::Null).await })
        })
        .collect();
    tokio::task::yield_now().await;
    registry.replace("search", answers("new"), PolicyConfig::default()).expect("in range");
    assert!(registry.remove("search"));
    for call in under_way {
        assert_eq!(call.await.unwrap().expect("it succeeds"), json!("old"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_tool_that_was_removed_calls_nothing() {
    let registry = registry();
    let handle = registry.register("search", answers("page")).expect("the name is free");
    assert!(registry.remove("search"));
    assert!(!registry.remove("search"));
    let gone = |result| matches!(result, Err(CallError::UnknownTool(name)) if name == "search");
    assert!(gone(handle.call(&Value::Null).await));
    assert!(registry.handle("search").is_none());
    let again = registry.register("search", answers("other")).expect("the name is free again");
    assert!(gone(handle.call(&Value::Null).await), "it is not the other tool's");
    assert_eq!(again.snapshot().counters.calls, 0, "with a state of its own");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_an_unknown_name_says_so() {
    let registry = registry();
    let error = registry.call("serach", &Value::Null).await.unwrap_err();
    assert!(matches!(&error, CallError::UnknownTool(name) if name == "serach"));
    assert_eq!(error.category(), ErrorCategory::ToolNotFound);
    let result = registry.run("serach", &Value::Null, &CallOptions::default()).await;
    assert!(!result.success && result.attempts == 0);
    let report = result.error.expect("there is no output");
    assert_eq!((report.kind, report.category), (ErrorKind::UnknownTool, ErrorCategory::ToolNotFound));
    assert_eq!(report.message, "there is no tool named \"serach\"");
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_the_callers_fault() {
    let registry =
        Registry::with_defaults(config(json!({ "breaker": { "consecutive_failures": 1 } }))).expect("in range");
    let handle = registry.register("length", typed(async |text: String| Ok(text.len()))).expect("the name is free");
    for _ in 0..3 {
        let error = registry.call("length", &json!(17)).await.unwrap_err();
        assert_eq!(error.category(), ErrorCategory::InvalidParameters);
        assert!(error.to_string().contains("invalid type: integer `17`"), "{error}");
        assert!(core::error::Error::source(&error).is_some_and(|source| source.is::<serde_json::Error>()));
    }
    let snapshot = handle.snapshot();
    assert_eq!(snapshot.breaker.map(|breaker| (breaker.state, breaker.failures)), Some((BreakerStateName::Closed, 0)));
    assert_eq!(snapshot.counters.attempts, 3, "it is not retried");
}

#[tokio::test(start_paused = true)]
async fn a_typed_call_tells_whose_fault_it_was() {
    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("as it must"))
        }
    }
    let registry = registry();
    let handle = registry.register("length", typed(async |text: String| Ok(text.len()))).expect("the name is free");
    assert_eq!(registry.call_typed::<_, usize>("length", "four").await.expect("it succeeds"), 4);

    let error = registry.call_typed::<_, String>("length", "four").await.unwrap_err();
    assert!(matches!(error, TypedCallError::Output(_)), "{error}");
    let error = registry.call_typed::<_, usize>("length", &Unwritable).await.unwrap_err();
    assert!(matches!(error, TypedCallError::Args(_)), "{error}");
    assert_eq!(handle.snapshot().counters.calls, 2, "no call was made");
    let error = registry.call_typed::<_, usize>("length", &17).await.unwrap_err();
    assert!(matches!(&error, TypedCallError::Call(CallError::Failed(_))), "{error}");
    let error = registry.call_typed::<_, usize>("width", "four").await.unwrap_err();
    assert!(matches!(&error, TypedCallError::Call(CallError::UnknownTool(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_typed_output_that_is_no_json_is_the_tools_fault() {
    let registry = registry();
    let tool = typed(async |(): ()| Ok(std::collections::BTreeMap::from([((1, 2), 3)])));
    registry.register("map", tool).expect("the name is free");
    let error = registry.call("map", &Value::Null).await.unwrap_err();
    assert_eq!(error.category(), ErrorCategory::ExecutionError);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_sorted_by_name_and_can_be_read_back() {
    let registry = Registry::new();
    for name in ["zeta", "alpha", "mid", "\u{e9}"] {
        let policy = config(json!({ "max_retries": 0, "breaker": { "consecutive_failures": 1 } }));
        registry.register_with(name, fails(ErrorCategory::Network), &policy).expect("the name is free");
    }
    registry.call("mid", &Value::Null).await.expect_err("it fails");
    registry.replace("zeta", answers("page"), config(json!({ "breaker": { "enabled": false } }))).expect("in range");
    let snapshot = registry.snapshot();
    let names: Vec<_> = snapshot.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["alpha", "mid", "zeta", "\u{e9}"]);
    let mid = snapshot[1].breaker.as_ref().expect("it has one");
    assert_eq!((mid.state, mid.refuses), (BreakerStateName::Open, true));
    assert!(mid.retry_after_ms.is_some_and(|wait| (2_500..=5_000).contains(&wait)), "{mid:?}");
    assert!(snapshot[2].breaker.is_none());
    let text = serde_json::to_string(&snapshot).expect("it is data");
    assert_eq!(serde_json::from_str::<Vec<ToolSnapshot>>(&text).expect("it can be read back"), snapshot);
    assert!(text.contains(r#""state":"open""#), "{text}");
}

#[test]
fn the_global_registry_is_one() {
    let (here, there) = (Registry::global(), std::thread::spawn(Registry::global).join().unwrap());
    assert!(core::ptr::eq(here, there));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_can_be_forced_by_hand() {
    let registry = registry();
    let handle = registry.register("search", answers("page")).expect("the name is free");
    handle.force(Forced::Open);
    let error = handle.call(&Value::Null).await.unwrap_err();
    assert_eq!(error.refusal().map(|rejection| rejection.wait), Some(Wait::Never));
    assert_eq!(handle.snapshot().breaker.expect("it has one").state, BreakerStateName::ForcedOpen);
    handle.reset();
    handle.call(&Value::Null).await.expect("it is closed again");
    let counters = handle.snapshot().counters;
    assert_eq!((counters.opened, counters.closed), (1, 1));
}

const EDITORS: usize = 4;
const TOOLS: usize = 50;

#[test]
fn edits_from_many_threads_lose_nothing() {
    let registry = registry();
    std::thread::scope(|threads| {
        for editor in 0..EDITORS {
            let registry = &registry;
            threads.spawn(move || {
                for tool in 0..TOOLS {
                    let name = format!("{editor}/{tool}");
                    registry.register(&name, answers("a")).expect("the name is free");
                    registry.replace(&name, answers("b"), PolicyConfig::default()).expect("in range");
                    if tool % 2 == 1 {
                        assert!(registry.remove(&name));
                    }
                }
            });
        }
    });
    let names: BTreeSet<_> = registry.snapshot().into_iter().map(|tool| tool.name).collect();
    let expected: BTreeSet<_> =
        (0..EDITORS).flat_map(|editor| (0..TOOLS).step_by(2).map(move |tool| format!("{editor}/{tool}"))).collect();
    assert_eq!(names, expected);
}

#[test]
fn of_many_that_register_one_name_one_wins() {
    let registry = registry();
    let won = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                won.fetch_add(u64::from(registry.register("search", answers("a")).is_ok()), Ordering::Relaxed)
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn each_call_has_one_result_while_its_tool_is_replaced_and_removed() {
    const CALLS: u64 = 2_000;
    let registry = registry();
    let (done, ran) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
    let stays = registry.register("stays", answers("0")).expect("the name is free");
    let counting = || {
        let ran = Arc::clone(&ran);
        move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            core::future::ready(Ok(json!("ran")))
        }
    };
    let (mut succeeded, mut unknown) = (0, 0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                registry.replace("comes and goes", counting(), PolicyConfig::default()).expect("in range");
                registry.replace("stays", answers("1"), PolicyConfig::default()).expect("in range");
                registry.remove("comes and goes");
            }
        });
        let callers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let now = |name| {
                        futures_util::FutureExt::now_or_never(registry.call(name, &Value::Null)).expect("it is ready")
                    };
                    let (mut succeeded, mut unknown) = (0_u64, 0_u64);
                    for _ in 0..CALLS {
                        now("stays").expect("it is always there");
                        match now("comes and goes") {
                            Ok(_) => succeeded += 1,
                            Err(CallError::UnknownTool(_)) => unknown += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    (succeeded, unknown)
                })
            })
            .collect();
        for caller in callers {
            let counts = caller.join().unwrap();
            (succeeded, unknown) = (succeeded + counts.0, unknown + counts.1);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(succeeded + unknown, 2 * CALLS);
    assert_eq!(ran.load(Ordering::Relaxed), succeeded);
    let counters = stays.snapshot().counters;
    assert_eq!((counters.calls, counters.succeeded), (2 * CALLS, 2 * CALLS), "the counters live on");
}

#[tokio::test(start_paused = true)]
async fn tools_whose_breaker_refuses_are_not_available_and_say_when_they_return() {
    let registry = registry();
    let trips = config(json!({
        "max_retries": 0, "timeout": "1s",
        "breaker": { "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" },
    }));
    registry.register("well", answers("fine")).expect("the name is free");
    registry.register_with("ill", fails(ErrorCategory::Network), &trips).expect("the name is free");
    let hanging = async |_| core::future::pending::<Result<Value, ToolError>>().await;
    let lost = registry.register_with("lost", hanging, &trips).expect("the name is free");
    assert_eq!(registry.available().names(), ["ill", "lost", "well"]);

    lost.force(Forced::Open);
    let _ = registry.call("ill", &Value::Null).await;
    tokio::time::advance(ms(1_000)).await;
    let tools = registry.available();
    assert_eq!(tools.names(), ["well"]);
    let absent: Vec<_> = tools.unavailable.iter().map(|tool| (tool.name.as_str(), tool.returns_in_ms)).collect();
    assert_eq!(absent, [("ill", Some(4_000)), ("lost", None)]);
    let text = serde_json::to_string(&tools).expect("it is data");
    assert_eq!(serde_json::from_str::<AvailableTools>(&text).expect("it can be read back"), tools);

    tokio::time::advance(ms(4_000)).await;
    assert_eq!(registry.available().names(), ["ill", "well"], "at that time it is back");
}

#[tokio::test(start_paused = true)]
async fn a_tool_whose_probe_is_out_returns_when_the_probe_is_written_off() {
    let registry = registry();
    let policy =
        json!({ "timeout": "9s", "breaker": { "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" } });
    let tool = async |failing: Value| match failing.as_bool() {
        Some(true) => Err(error(ErrorCategory::PolicyViolation)),
        _ => core::future::pending().await,
    };
    let categories = json!({ "PolicyViolation": { "trips": true } });
    let mut policy = policy;
    policy["categories"] = categories;
    let handle = registry.register_with("t", tool, config(policy)).expect("the name is free");
    handle.call(&json!(true)).await.expect_err("it fails");
    tokio::time::advance(ms(5_000)).await;
    let args = json!(false);
    let mut probe = Box::pin(handle.call(&args));
    assert!(poll_once(probe.as_mut()).is_pending());
    let returns_in = registry.available().unavailable[0].returns_in_ms.expect("its lease ends");
    assert!((9_990..=10_000).contains(&returns_in), "a second after the timeout, to a tick: {returns_in}");
    drop(probe);
    assert_eq!(registry.available().names(), ["t"], "the probe has reported");
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_groups_tools_get_its_tokens_in_the_order_in_which_they_came() {
    let registry = Registry::with_defaults(config(json!({ "rate": { "enabled": false }, "max_wait": "10s" }))).unwrap();
    let config = json!({
        "groups": { "web": { "rate": { "limit": "1/s", "burst": 2 } } },
        "tools": { "a": { "groups": ["web"] }, "b": { "groups": ["web"] } }
    });
    registry.apply(&serde_json::from_value(config).unwrap()).unwrap();
    let begun = tokio::time::Instant::now();
    for name in ["a", "b"] {
        let elapsed = move |_| async move { Ok(json!(u64::try_from(begun.elapsed().as_millis()).unwrap())) };
        registry.register(name, elapsed).unwrap();
    }
    let mut calls = Vec::new();
    // the second lacks a token, and the third has all that it needs
    for (name, priority) in [("a", Priority::Normal), ("a", Priority::Low), ("b", Priority::Critical)] {
        let options = CallOptions { priority, ..CallOptions::default() };
        let registry = registry.clone();
        calls.push(tokio::spawn(async move { registry.run(name, &Value::Null, &options).await.output }));
        tokio::task::yield_now().await;
    }
    for (call, millis) in calls.into_iter().zip([0, 1_000, 1_100]) {
        assert_eq!(call.await.unwrap(), Some(json!(millis)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_since_when_a_breaker_is_open_and_what_was_refused_and_failed_last() {
    let registry = registry();
    let policy = config(json!({
        "max_retries": 0, "breaker": { "consecutive_failures": 1, "open_wait": "5s", "jitter": "none" }
    }));
    let handle = registry.register_with("search", fails(ErrorCategory::Network), policy).unwrap();
    let diagnosis = |snapshot: ToolSnapshot| {
        let breaker = snapshot.breaker.expect("the policy has one");
        (breaker.open_for_ms, breaker.retry_after_ms, snapshot.last_refused_ms, snapshot.last_error)
    };
    assert_eq!(diagnosis(handle.snapshot()), (None, None, None, None));
    handle.call(&Value::Null).await.expect_err("it fails, and opens");
    tokio::time::advance(ms(2_000)).await;
    handle.call(&Value::Null).await.expect_err("it is open");
    tokio::time::advance(ms(500)).await;
    let (open_for, left, refused, error) = diagnosis(handle.snapshot());
    assert!(open_for.zip(left).is_some_and(|(since, left)| (5_000..=5_001).contains(&(since + left))));
    assert!(open_for.is_some_and(|since| (2_500..=2_501).contains(&since)), "{open_for:?}");
    assert_eq!((refused, error), (Some(500), Some(ErrorCategory::Network)));
}

/// A tool that hangs until it is cancelled, and a fallback that counts.
async fn fallback_of(policy: Value, options: CallOptions) -> (CallResult, u64) {
    let registry = registry();
    let mut tool = ToolConfig::from(config(policy));
    tool.fallback = Some("other".to_owned());
    registry.register_with("slow", |_| core::future::pending(), tool).unwrap();
    let other = registry.register("other", answers("instead")).unwrap();
    let result = registry.run("slow", &Value::Null, &options).await;
    (result, other.snapshot().counters.calls)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_or_out_of_time_asks_no_fallback() {
    let token = tokio_util::sync::CancellationToken::new();
    let fires = token.clone();
    tokio::spawn(async move {
        tokio::time::sleep(ms(10)).await;
        fires.cancel();
    });
    let options = CallOptions { cancel: Some(token), ..CallOptions::default() };
    let trips = json!({ "categories": { "Cancelled": { "trips": true } } });
    let (result, calls) = fallback_of(trips, options).await;
    assert_eq!((result.error.map(|error| error.kind), calls), (Some(ErrorKind::Cancelled), 0));

    let options = CallOptions { deadline: Some(ms(10)), ..CallOptions::default() };
    let (result, calls) = fallback_of(json!({}), options).await;
    assert_eq!((result.error.map(|error| error.kind), calls), (Some(ErrorKind::DeadlineExceeded), 0));

    let options = CallOptions { deadline: Some(ms(20)), ..CallOptions::default() };
    let (result, calls) = fallback_of(json!({ "timeout": "10ms", "max_retries": 0 }), options).await;
    assert_eq!((result.output, calls), (Some(json!("instead")), 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_group_which_is_taken_away_waits_no_longer() {
    let registry = Registry::with_defaults(config(json!({ "rate": { "enabled": false }, "max_wait": "1h" }))).unwrap();
    let grouped = json!({
        "groups": { "web": { "bulkhead": { "max_in_flight": 1 } } }, "tools": { "search": { "groups": ["web"] } }
    });
    registry.apply(&serde_json::from_value(grouped).unwrap()).unwrap();
    let slow = async |args: Value| {
        tokio::time::sleep(ms(args.as_u64().unwrap_or(0))).await;
        Ok(args)
    };
    registry.register("search", slow).unwrap();
    let spawn = |millis: u64| {
        let registry = registry.clone();
        tokio::spawn(async move { registry.call("search", &json!(millis)).await })
    };
    let begun = tokio::time::Instant::now();
    let holds_the_slot = spawn(20_000);
    tokio::task::yield_now().await;
    let waits = [spawn(0), spawn(0)];
    tokio::time::sleep(ms(5)).await;
    registry.apply(&fusebox::config::RegistryConfig::default()).unwrap();
    for call in waits {
        call.await.unwrap().expect("nothing limits it");
    }
    assert_eq!(begun.elapsed(), ms(5));
    holds_the_slot.await.unwrap().expect("it ends as it would have");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_the_slot_of_a_key_goes_when_a_new_policy_has_room() {
    let keyed = |slots: u32| {
        let tools = json!({ "fetch": { "keyed": { "bulkhead": { "max_in_flight": slots } } } });
        serde_json::from_value(json!({ "tools": tools, "defaults": { "max_wait": "1h" } })).unwrap()
    };
    let registry = registry();
    registry.apply(&keyed(1)).unwrap();
    let slow = async |_| {
        tokio::time::sleep(ms(20_000)).await;
        Ok(Value::Null)
    };
    registry.register("fetch", slow).unwrap();
    let begun = tokio::time::Instant::now();
    let mut calls = Vec::new();
    for _ in 0..2 {
        let registry = registry.clone();
        calls.push(tokio::spawn(async move { registry.call("fetch", &Value::Null).await }));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(ms(5)).await;
    registry.apply(&keyed(2)).unwrap();
    for (call, millis) in calls.into_iter().zip([20_000, 20_005]) {
        call.await.unwrap().expect("it succeeds");
        assert_eq!(begun.elapsed(), ms(millis));
    }
}

#[test]
fn a_group_is_not_named_as_the_limits_above_all_tools() {
    let config = serde_json::from_value(json!({ "groups": { "registry": {} } })).unwrap();
    let error = registry().apply(&config).unwrap_err().to_string();
    assert_eq!(
        error,
        "groups.registry is \"registry\": allowed is another name: it is that of the limits above all tools"
    );
}
