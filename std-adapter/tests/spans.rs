//! Spans lie within spans. Alone in its file: which spans are looked at is decided for the whole process, so tests beside
//! it could hide some.

mod support;

use fusebox::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use support::*;
use tracing::span::{Attributes, Id};
use tracing::{Subscriber, field};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

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
            let registry = unlimited_registry();
            let retried: ToolConfig = serde_json::from_value(json!({
                "fallback": "spare", "policy": { "max_retries": 1, "backoff": { "base": "10ms" } },
            }))
            .unwrap();
            registry.register_with("live", sleeper(), retried).expect("the name is free");
            registry.register("spare", sleeper()).expect("the name is free");
            let inner = registry.handle("spare").expect("it is there");
            let outer = move |args: Value| {
                let inner = inner.clone();
                async move { inner.call(&args).await.map_err(|_| error(ErrorCategory::Network)) }
            };
            registry.register("outer", outer).expect("the name is free");
            registry.call("live", &json!("Network")).await.expect_err("the fallback fails too");
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
