//! A subscriber of `tracing` that keeps what it is told.

use core::fmt::Debug;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A span or a log line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) target: String,
    pub(super) level: Option<Level>,
    /// The name of the span that it lies in.
    pub(super) within: Option<&'static str>,
    pub(super) fields: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Captured {
    spans: Arc<Mutex<Vec<(Id, Line)>>>,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Captured {
    /// What is told while `tell` runs on this thread: the spans and the log lines, in their order.
    pub(super) fn while_running(tell: impl FnOnce()) -> (Vec<Line>, Vec<Line>) {
        let captured = Self::default();
        tracing::subscriber::with_default(Registry::default().with(captured.clone()), tell);
        let spans = captured.spans.lock().unwrap().iter().map(|(_, span)| span.clone()).collect();
        let lines = captured.lines.lock().unwrap().clone();
        (spans, lines)
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Captured {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (metadata, parent) = (attributes.metadata(), context.span(id).and_then(|span| span.parent()));
        let mut span = Line {
            name: metadata.name(),
            target: metadata.target().to_owned(),
            level: Some(*metadata.level()),
            within: parent.map(|parent| parent.name()),
            fields: BTreeMap::new(),
        };
        attributes.record(&mut span);
        self.spans.lock().unwrap().push((id.clone(), span));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.spans.lock().unwrap();
        // ids are used again, so the newest is meant
        let (_, span) = spans.iter_mut().rfind(|(its_id, _)| its_id == id).unwrap();
        values.record(span);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line {
            name: "",
            target: metadata.target().to_owned(),
            level: Some(*metadata.level()),
            within: context.lookup_current().map(|span| span.name()),
            fields: BTreeMap::new(),
        };
        event.record(&mut line);
        self.lines.lock().unwrap().push(line);
    }
}
