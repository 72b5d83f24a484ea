//! What a registry tells of its calls and of itself: events in their order, spans within spans, and counters that agree.

mod support;

use fusebox::*;
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::*;
use tracing::span::{Attributes, Id};
use tracing::{Subscriber, field};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What has been told so far, each event in a few words: the tool and what happened.
fn told(events: &mut EventStream) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        let event = event.expect("the queue is long enough");
        let of = event.key.map(|key| format!("[{key}]")).unwrap_or_default();
        let tool = event.tool.as_deref().unwrap_or("registry").to_owned() + &of;
        told.push(match event.kind {
            EventKind::AttemptEnded { attempt, error, .. } => {
                format!("{tool}: attempt {attempt} ended, {}", error.map_or("ok", ErrorCategory::name))
            }
            EventKind::CallEnded { attempts, error, .. } => format!("{tool}: call ended after {attempts}, {error:?}"),
            EventKind::RetryScheduled { attempt, .. } => format!("{tool}: attempt {attempt} scheduled"),
            EventKind::BreakerChanged { from, to, .. } => format!("{tool}: {from:?} to {to:?}"),
            EventKind::Refused { by, group, .. } => format!("{tool}: refused by {by:?} of {group:?}"),
            EventKind::FellBack { error, .. } => format!("{tool}: fell back, {error:?}"),
            EventKind::ConfigRefused { why, .. } => format!("{tool}: refused, {why}"),
            other => format!("{tool}: {other:?}"),
        });
    }
    told
}

/// `live`, which is retried once, trips at the second failure, and falls back to `spare`.
fn pair() -> (Registry, EventStream) {
    let registry = unlimited_registry();
    let config: ToolConfig = serde_json::from_value(json!({
        "fallback": "spare",
        "policy": { "max_retries": 1, "backoff": { "base": "10ms" }, "breaker": { "consecutive_failures": 2 } },
    }))
    .unwrap();
    registry.register_with("live", sleeper(), config).expect("the name is free");
    registry.register("spare", async |_| Ok(json!("spare"))).expect("the name is free");
    let events = registry.subscribe(100);
    (registry, events)
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_call_come_in_the_order_in_which_things_happened() {
    let (registry, mut events) = pair();
    registry.call("live", &json!("Network")).await.expect("the fallback answers");
    let expected = [
        "live: attempt 1 ended, Network",
        "live: attempt 2 scheduled",
        "live: Closed to Open",
        "live: attempt 2 ended, Network",
        "live: call ended after 2, Some(Failed)",
        "spare: attempt 1 ended, ok",
        "spare: call ended after 1, None",
        "live: fell back, Failed",
    ];
    assert_eq!(told(&mut events), expected);
    registry.call("live", &json!(0)).await.expect("the fallback answers");
    let expected = [
        "live: refused by Breaker of None",
        "live: call ended after 0, Some(Rejected)",
        "spare: attempt 1 ended, ok",
        "spare: call ended after 1, None",
        "live: fell back, Rejected",
    ];
    assert_eq!(told(&mut events), expected);

    let args = json!(100);
    registry.handle("live").unwrap().reset();
    let mut dropped = Box::pin(registry.call("live", &args));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    let expected =
        ["live: Open to Closed", "live: attempt 1 ended, Cancelled", "live: call ended after 1, Some(Cancelled)"];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_the_registry_is_told() {
    let registry = unlimited_registry();
    let mut events = registry.subscribe(100);
    registry.register("a", sleeper()).expect("the name is free");
    registry.register("a", sleeper()).expect_err("it is taken");
    registry.replace("a", sleeper(), ToolConfig::default()).expect("in range");
    let config = json!({ "tools": { "a": { "aliases": ["alpha"], "policy": { "timeout": "3s" } } } });
    registry.apply(&registry_config(config)).expect("in range");
    let faulty = json!({ "tools": { "a": { "max_output": 0 } } });
    registry.apply(&registry_config(faulty)).expect_err("it is faulty");
    assert!(!registry.remove("alpha") && registry.remove("a"));
    let expected = [
        "a: ToolRegistered",
        "a: ToolReplaced",
        "a: PolicyChanged",
        "registry: ConfigApplied",
        "registry: refused, tools.a.max_output is 0 B: allowed is at least 1 B",
        "a: ToolRemoved",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_whose_limit_it_was_and_a_key_with_its_name() {
    let registry = unlimited_registry();
    let config = json!({
        "groups": { "web": { "rate": { "limit": "1/day", "burst": 1 } } },
        "tools": { "a": { "groups": ["web"] }, "b": { "keyed": { "breaker": { "consecutive_failures": 1 } } } },
        "rules": [{ "role": "clerk", "capability": "*", "decision": "needs_approval" },
            { "role": "*", "capability": "*", "decision": "allow" }],
    });
    registry.apply(&registry_config(config)).expect("in range");
    registry.register("a", sleeper()).expect("the name is free");
    registry.register("b", sleeper()).expect("the name is free");
    let mut events = registry.subscribe(100);
    registry.call("a", &json!(0)).await.expect("there is a token");
    registry.call("a", &json!(0)).await.expect_err("there is none");
    let options = CallOptions { circuit_key: Some("host".into()), ..CallOptions::default() };
    registry.run("b", &json!("Network"), &options).await;
    registry.run("b", &json!(0), &options).await;
    let clerk = CallOptions { role: Some("clerk".into()), ..CallOptions::default() };
    registry.run("a", &json!(0), &clerk).await;
    let expected = [
        "a: attempt 1 ended, ok",
        "a: call ended after 1, None",
        r#"a: refused by Bucket of Some("web")"#,
        "a: call ended after 0, Some(Rejected)",
        "b[host]: Closed to Open",
        "b: attempt 1 ended, Network",
        "b: call ended after 1, Some(Failed)",
        "b[host]: refused by Breaker of None",
        "b: call ended after 0, Some(Rejected)",
        "a: call ended after 0, Some(NeedsApproval)",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn the_counters_agree_with_the_events() {
    let (registry, mut events) = pair();
    let live = registry.handle("live").expect("it is there");
    let mut all = Vec::new();
    for call in 0..200_u64 {
        let args = match call % 7 {
            0 | 3 => json!("Network"),
            1 => json!("Authentication"),
            _ => json!(call % 5),
        };
        let mut one = Box::pin(live.call(&args));
        if call % 11 == 0 {
            let _ = poll_once(one.as_mut());
            drop(one);
        } else {
            let _ = one.await;
        }
        tokio::time::advance(ms(1_000)).await;
        all.extend(told(&mut events));
        assert_agree(&live.snapshot().counters, &all);
    }
    let counters = live.snapshot().counters;
    let seen = [counters.opened, counters.closed, counters.fallbacks, counters.cancelled, counters.retries];
    assert!(seen.iter().all(|&count| count > 0), "{counters:?}");
    assert_balanced(&counters, 0);
}

/// Compares the counters of `live` with what was told of it so far.
fn assert_agree(counters: &CounterSnapshot, told: &[String]) {
    let count =
        |what: &str| told.iter().filter(|event| event.starts_with("live: ") && event.contains(what)).count() as u64;
    let pairs = [
        (counters.calls, count("call ended")),
        (counters.succeeded, count(", None")),
        (counters.failed, count("Some(Failed)")),
        (counters.cancelled, count("Some(Cancelled)")),
        (counters.rejected_by_breaker, count("Some(Rejected)")),
        (counters.attempts, count(": attempt") - count("scheduled")),
        (counters.fallbacks, count("fell back")),
        (counters.opened, count("to Open")),
        (counters.half_opened, count("to HalfOpen")),
        (counters.closed, count("to Closed")),
    ];
    assert!(pairs.iter().all(|(counter, events)| counter == events), "{pairs:?}");
}

/// Each span, as the name of its tool below that of the span around it.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

struct Tool(String);

impl field::Visit for Tool {
    fn record_debug(&mut self, _: &field::Field, _: &dyn core::fmt::Debug) {}

    fn record_str(&mut self, field: &field::Field, value: &str) {
        if field.name() == "gen_ai.tool.name" {
            value.clone_into(&mut self.0);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut tool = Tool(String::new());
        attributes.record(&mut tool);
        let span = context.span(id).expect("it is new");
        let within = span.parent().and_then(|parent| parent.extensions().get::<String>().cloned());
        let name = if attributes.metadata().name() == "attempt" { "attempt" } else { "call" };
        let path = format!("{}{name} {}", within.map(|within| within + " > ").unwrap_or_default(), tool.0);
        span.extensions_mut().insert(path.clone());
        self.0.lock().unwrap().push(path);
    }
}

#[test]
fn spans_of_attempts_lie_in_those_of_their_calls_and_calls_that_a_tool_makes_in_its_attempts() {
    let spans = Spans::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.clone()), || {
        runtime.block_on(async {
            let (registry, _events) = pair();
            let inner = registry.handle("spare").expect("it is there");
            let outer = move |args: Value| {
                let inner = inner.clone();
                async move { inner.call(&args).await.map_err(|_| error(ErrorCategory::Network)) }
            };
            registry.register("outer", outer).expect("the name is free");
            registry.call("live", &json!("Network")).await.expect("the fallback answers");
            registry.call("outer", &json!(0)).await.expect("it succeeds");
        });
    });
    let expected = [
        "call live",
        "call live > attempt live",
        "call live > attempt live",
        "call spare",
        "call spare > attempt spare",
        "call outer",
        "call outer > attempt outer",
        "call outer > attempt outer > call spare",
        "call outer > attempt outer > call spare > attempt spare",
    ];
    assert_eq!(*spans.0.lock().unwrap(), expected);
}
