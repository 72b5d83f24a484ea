//! Fallbacks: asked only where the tool could not serve, under their own rules and within what is left of the call.

mod support;

use core::task::Poll;
use fusebox::*;
use serde_json::{Value, json};
use support::*;
use tokio_util::sync::CancellationToken;

fn with(config: Value) -> ToolConfig {
    serde_json::from_value(config).expect("the test's configuration can be read")
}

fn answers(answer: &'static str) -> impl Tool {
    move |_| async move { Ok(json!(answer)) }
}

fn hangs() -> impl Tool {
    async |_| core::future::pending::<Result<Value, ToolError>>().await
}

/// The tool `live`, which falls back to `spare`, and `spare` itself.
fn pair(live: impl Tool, policy: Value, spare: impl Tool) -> Registry {
    let registry = unlimited_registry();
    let config = with(json!({ "fallback": "spare", "policy": policy }));
    registry.register_with("live", live, config).expect("the name is free");
    registry.register("spare", spare).expect("the name is free");
    registry
}

fn counters(registry: &Registry, name: &str) -> CounterSnapshot {
    registry.handle(name).expect("it is there").snapshot().counters
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_asked_where_the_error_counts_against_the_tool_and_only_then() {
    for category in ErrorCategory::ALL {
        for trips in [None, Some(true), Some(false)] {
            let mut policy = json!({});
            if let Some(trips) = trips.filter(|_| category != ErrorCategory::Cancelled) {
                policy["categories"][category.name()] = json!({ "trips": trips });
            }
            let fails = move |_: Value| async move { Err(error(category)) };
            let registry = pair(fails, policy, answers("spare"));
            let execution = registry.execute("live", &Value::Null, &CallOptions::default()).await;

            // our own circuit's refusals are never the caller's fault, whatever the table says
            let expected = category == ErrorCategory::CircuitOpen || trips.unwrap_or(category.default_rule().trips);
            let expected = expected && category != ErrorCategory::Cancelled;
            assert_eq!(execution.result.is_ok(), expected, "{category} {trips:?}");
            assert_eq!(execution.fallback_for.is_some(), expected, "{category} {trips:?}");
            assert_eq!(execution.attempts, 1, "those of the tool itself");
            let (live, spare) = (counters(&registry, "live"), counters(&registry, "spare"));
            assert_eq!((live.fallbacks, spare.calls), (u64::from(expected), u64::from(expected)), "{category}");
            assert_eq!(live.failed + live.cancelled, 1, "{category}: the tool's own call failed all the same");
            assert_balanced(&live, 0);
            assert_balanced(&spare, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_stands_in_for_a_tool_that_is_late_panics_or_is_refused() {
    let registry = pair(hangs(), json!({ "timeout": "1s" }), answers("spare"));
    assert_eq!(registry.call("live", &Value::Null).await.expect("it is late"), "spare");

    let registry = pair(hangs(), json!({ "idle_timeout": "1s" }), answers("spare"));
    assert_eq!(registry.call("live", &Value::Null).await.expect("it stalls"), "spare");

    let panics = async |_: Value| -> Result<Value, ToolError> { panic!("as planned") };
    let registry = pair(panics, json!({}), answers("spare"));
    assert_eq!(registry.call("live", &Value::Null).await.expect("it panics"), "spare");

    let registry = pair(answers("live"), json!({}), answers("spare"));
    registry.handle("live").unwrap().force(Forced::Open);
    let result = registry.run("live", &Value::Null, &CallOptions::default()).await;
    assert_eq!((result.output, result.attempts), (Some(json!("spare")), 0));
    assert_eq!(result.fallback_for.map(|error| error.kind), Some(ErrorKind::Rejected));
    assert_eq!(counters(&registry, "live").rejected_by_breaker, 1);

    let rate = json!({ "rate": { "enabled": true, "limit": "1/day", "burst": 1 } });
    let registry = pair(answers("live"), rate, answers("spare"));
    assert_eq!(registry.call("live", &Value::Null).await.expect("it succeeds"), "live");
    assert_eq!(registry.call("live", &Value::Null).await.expect("its tokens are gone"), "spare");
}

#[tokio::test(start_paused = true)]
async fn where_the_fallback_fails_too_the_first_error_stays() {
    let registry = pair(sleeper(), json!({}), async |_| Err(error(ErrorCategory::Authentication)));
    let execution = registry.execute("live", &json!("Network"), &CallOptions::default()).await;
    assert_eq!(execution.result.unwrap_err().category(), ErrorCategory::Network);
    assert!(execution.fallback_for.is_none());
    assert_eq!((counters(&registry, "live").fallbacks, counters(&registry, "spare").failed), (0, 1));

    assert!(registry.remove("spare"));
    let error = registry.call("live", &json!("Network")).await.unwrap_err();
    assert_eq!(error.category(), ErrorCategory::Network, "there is no fallback any more");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_has_what_is_left_of_the_callers_deadline() {
    let live = async |_| {
        tokio::time::sleep(ms(60)).await;
        Err(error(ErrorCategory::Network))
    };
    let spare = with_attempt(async |_, attempt: Attempt| {
        assert_eq!(attempt.time_left, Some(ms(40)));
        core::future::pending::<Result<Value, ToolError>>().await
    });
    let registry = pair(live, json!({}), spare);
    let options = CallOptions { deadline: Some(ms(100)), ..CallOptions::default() };
    let begun = tokio::time::Instant::now();
    let execution = registry.execute("live", &Value::Null, &options).await;
    assert_eq!((begun.elapsed(), execution.elapsed), (ms(100), ms(100)));
    assert_eq!(execution.result.unwrap_err().category(), ErrorCategory::Network);
    assert_eq!(counters(&registry, "spare").failed, 1);

    // nothing is left of it
    let registry = pair(hangs(), json!({}), answers("spare"));
    let execution = registry.execute("live", &Value::Null, &options).await;
    assert!(matches!(execution.result, Err(CallError::DeadlineExceeded { .. })), "{execution:?}");
    assert_eq!((execution.elapsed, counters(&registry, "spare").attempts), (ms(100), 0));

    // the deadline of the tool's own policy is not the fallback's
    let registry = pair(hangs(), json!({ "deadline": "100ms" }), answers("spare"));
    assert_eq!(registry.call("live", &Value::Null).await.expect("it is answered"), "spare");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_cancels_its_fallback_and_is_not_answered_by_one() {
    let registry = pair(sleeper(), json!({}), hangs());
    let token = CancellationToken::new();
    let options = CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
    let args = json!("Network");
    let mut call = Box::pin(registry.execute("live", &args, &options));
    assert!(poll_once(call.as_mut()).is_pending(), "the fallback runs");
    token.cancel();
    assert!(call.await.result.is_err());
    assert_eq!(counters(&registry, "spare").cancelled, 1);
    assert_eq!(counters(&registry, "live").fallbacks, 0);

    let execution = registry.execute("live", &args, &options).await;
    assert!(matches!(execution.result, Err(CallError::Cancelled)), "{execution:?}");
    assert_eq!(counters(&registry, "spare").calls, 1, "the second call never came to it");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_may_have_one_itself() {
    let registry = pair(sleeper(), json!({}), sleeper());
    let to_last = with(json!({ "fallback": "last" }));
    registry.replace("spare", sleeper(), to_last).expect("in range");
    let last = async |_| {
        tokio::time::sleep(ms(5)).await;
        Ok(json!("last"))
    };
    registry.register("last", last).expect("the name is free");
    let execution = registry.execute("live", &json!("Network"), &CallOptions::default()).await;
    assert_eq!(execution.result.expect("it is answered"), "last");
    assert!(matches!(execution.fallback_for, Some(CallError::Failed(_))), "{:?}", execution.fallback_for);
    assert_eq!(execution.elapsed, ms(5));
    for name in ["live", "spare"] {
        let counters = counters(&registry, name);
        assert_eq!((counters.failed, counters.fallbacks), (1, 1), "{name}");
    }
    assert_eq!(counters(&registry, "last").succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn fallbacks_that_lead_back_are_refused_wherever_they_are_given() {
    let registry = unlimited_registry();
    let falls_back_to = |name: &str| with(json!({ "fallback": name }));
    let led_back = |error: RegistryError| error.to_string().contains("a tool whose fallbacks do not lead back");
    assert!(led_back(registry.register_with("a", sleeper(), falls_back_to("a")).unwrap_err()), "to itself");
    registry.register_with("a", sleeper(), falls_back_to("b")).expect("there is no b yet");
    registry.register_with("b", sleeper(), falls_back_to("c")).expect("there is no c yet");
    assert!(led_back(registry.register_with("c", sleeper(), falls_back_to("a")).unwrap_err()), "over two");
    assert!(registry.handle("c").is_none());

    registry.register("c", sleeper()).expect("the name is free");
    assert!(led_back(registry.replace("c", sleeper(), falls_back_to("a")).unwrap_err()));
    let by_alias = with(json!({ "aliases": ["see"], "fallback": "see" }));
    assert!(led_back(registry.replace("c", sleeper(), by_alias).unwrap_err()), "to itself by an alias");

    for config in [
        json!({ "tools": { "c": { "fallback": "a" } } }),
        json!({ "tools": { "c": { "fallback": "c" } } }),
        json!({ "tools": { "a": { "aliases": ["ay"] }, "c": { "fallback": "ay" } } }),
    ] {
        let errors = registry.apply(&registry_config(config)).unwrap_err().to_string();
        assert!(errors.contains("a tool whose fallbacks do not lead back"), "{errors}");
    }
    assert_eq!(registry.call("a", &json!("Network")).await.unwrap_err().category(), ErrorCategory::Network);

    let config = json!({ "tools": { "a": { "aliases": ["ay"] } } });
    registry.apply(&registry_config(config)).expect("in range");
    assert!(led_back(registry.replace("c", sleeper(), falls_back_to("ay")).unwrap_err()), "over an alias of another");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_can_be_named_by_an_alias() {
    let registry = pair(sleeper(), json!({}), answers("spare"));
    let config = json!({ "tools": { "live": { "fallback": "old" }, "spare": { "aliases": ["old"] } } });
    registry.apply(&registry_config(config)).expect("in range");
    assert_eq!(registry.call("live", &json!("Network")).await.expect("it is answered"), "spare");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_call_the_fallback_gets_no_answer_from_it() {
    let registry = pair(sleeper(), json!({}), answers("spare"));
    let rules = json!({ "rules": [
        { "role": "admin", "capability": "*", "decision": "allow" },
        { "role": "*", "capability": "live", "decision": "allow" },
        { "role": "clerk", "capability": "spare", "decision": "needs_approval" },
    ] });
    registry.apply(&registry_config(rules)).expect("in range");
    let call = async |role: &str, approved| {
        let options = CallOptions { role: Some(role.into()), approved, ..CallOptions::default() };
        registry.execute("live", &json!("Network"), &options).await.result.is_ok()
    };
    assert!(call("admin", false).await);
    assert!(!call("intern", true).await);
    assert!(!call("clerk", false).await);
    assert!(call("clerk", true).await);
    let spare = counters(&registry, "spare");
    assert_eq!((spare.denied, spare.succeeded, spare.attempts), (2, 2, 2));
    assert_eq!(counters(&registry, "live").fallbacks, 2);
    assert_balanced(&spare, 0);
}

#[cfg(feature = "json-schema")]
#[tokio::test(start_paused = true)]
async fn a_fallback_checks_its_arguments_and_its_output_itself() {
    let registry = pair(sleeper(), json!({}), answers("spare"));
    let of_spare = |schema: Value| registry_config(json!({ "tools": { "spare": schema } }));
    for schema in [json!({ "args": { "type": "number" } }), json!({ "result": { "type": "number" } })] {
        registry.apply(&of_spare(schema)).expect("in range");
        let error = registry.call("live", &json!("Network")).await.unwrap_err();
        assert_eq!(error.category(), ErrorCategory::Network);
    }
    let spare = counters(&registry, "spare");
    assert_eq!((spare.invalid_args, spare.failed, spare.attempts), (1, 1, 1));
    assert_balanced(&spare, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_of_the_tool_or_its_fallback_is_counted_once_and_leaves_nothing() {
    let slow = |end: Result<Value, ErrorCategory>| {
        move |_: Value| {
            let end = end.clone();
            async move {
                tokio::time::sleep(ms(10)).await;
                tokio::task::yield_now().await;
                end.map_err(error)
            }
        }
    };
    let bulkhead = json!({ "bulkhead": { "max_in_flight": 1 } });
    let mut in_fallback = 0;
    for polls in 0_u32.. {
        assert!(polls < 50, "the call comes to an end");
        let registry = pair(slow(Err(ErrorCategory::Network)), bulkhead.clone(), slow(Ok(json!("spare"))));
        let args = Value::Null;
        let mut call = Box::pin(registry.call("live", &args));
        let mut polled = 0;
        let ended = core::future::poll_fn(|cx| {
            if polled == polls {
                return Poll::Ready(None);
            }
            polled += 1;
            call.as_mut().poll(cx).map(Some)
        });
        let ended = ended.await;
        drop(call);
        let (live, spare) = (registry.handle("live").unwrap().snapshot(), registry.handle("spare").unwrap().snapshot());
        for tool in [&live, &spare] {
            assert_balanced(&tool.counters, 0);
            assert_eq!(tool.in_flight, 0, "after {polls} polls");
        }
        if let Some(result) = ended {
            assert_eq!(result.expect("it is answered"), "spare");
            break;
        }
        assert_eq!(live.counters.fallbacks, 0, "after {polls} polls");
        assert_eq!(live.counters.cancelled + live.counters.failed, u64::from(polls > 0), "after {polls} polls");
        assert_eq!(spare.counters.cancelled, spare.counters.calls, "after {polls} polls");
        in_fallback += spare.counters.calls;
    }
    assert!(in_fallback > 1, "it was dropped in the fallback at {in_fallback} places");
}
