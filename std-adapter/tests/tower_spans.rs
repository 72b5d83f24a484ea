//! The spans of services behind layers. Alone in its binary: `tracing` remembers for all threads who is interested.

use fusebox::tower::{CircuitLayer, PolicyLayer};
use fusebox::{ErrorCategory, PolicyConfig, ToolError};
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

#[test]
fn spans_are_those_of_a_service_and_no_tool() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let config = PolicyConfig { max_retries: Some(1), ..PolicyConfig::default() };
        let fails = service_fn(|()| async { Err::<(), _>(ToolError::new(ErrorCategory::Network, "reset")) });
        assert!(PolicyLayer::new(&config).unwrap().layer(fails).oneshot(()).await.is_err());
        assert!(CircuitLayer::new(&config).unwrap().layer(fails).oneshot(()).await.is_err());
    });
    assert_eq!(*spans.0.lock().unwrap(), ["/call", "call/attempt", "call/attempt", "/call", "call/attempt"]);
}

/// The spans, each with its parent, and the names of its fields.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);
impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("it is new");
        let parent = span.parent().map_or("", |parent| parent.name());
        assert!(attributes.fields().iter().all(|field| !field.name().starts_with("gen_ai")));
        assert!(attributes.fields().field("fusebox.service").is_some());
        self.0.lock().unwrap().push(format!("{parent}/{}", span.name()));
    }
}
