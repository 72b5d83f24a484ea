//! Traces for OpenTelemetry: a span for each call and, within it, one for each attempt.
//!
//! `cargo run -p fusebox-guides --example opentelemetry` shows the trace of a call that is retried. Its spans go to memory,
//! so that it can check them; a program has the exporter of its collector in that place.

use core::error::Error;
use fusebox::testing::{Fault, Faults, faulty};
use fusebox::{ErrorCategory, Registry};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    for SpanData { name, status, attributes, .. } in trace().await? {
        println!("{name}: {status:?}");
        for attribute in attributes {
            println!("    {} = {}", attribute.key, attribute.value);
        }
    }
    Ok(())
}

/// Makes a call whose first attempt fails, and returns the spans of it in the order in which they ended.
async fn trace() -> Result<Vec<SpanData>, Box<dyn Error>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("an agent"))
        .with_location(false) // of the code in Fusebox: it says nothing about the call
        .with_threads(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry().with(layer).try_init()?;

    let registry = Registry::new();
    let reset = Faults::sequence([Fault::Error(ErrorCategory::Network)]);
    registry.register("search", faulty(async |query: Value| Ok(query), &reset))?;
    registry.call("search", &json!("fuses")).await?;

    provider.force_flush()?;
    Ok(exporter.get_finished_spans()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::Status;

    fn attribute(span: &SpanData, key: &str) -> Option<String> {
        span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|found| found.value.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn the_trace_has_a_span_for_the_call_and_one_for_each_attempt() {
        let spans = trace().await.unwrap();
        let [first, second, call] = &spans[..] else { panic!("{spans:#?}") };
        assert_eq!(call.name, "execute_tool search");
        assert_eq!(attribute(call, "gen_ai.tool.name").as_deref(), Some("search"));
        assert_eq!(attribute(call, "fusebox.attempts").as_deref(), Some("2"));
        for attempt in [first, second] {
            assert_eq!(attempt.name, "attempt search");
            assert_eq!(attempt.parent_span_id, call.span_context.span_id());
        }
        assert_eq!(attribute(first, "error.type").as_deref(), Some("Network"));
        assert!(matches!(first.status, Status::Error { .. }));
        assert_eq!(attribute(second, "fusebox.resend_count").as_deref(), Some("1"));
        assert_eq!(second.status, Status::Unset);
    }
}
