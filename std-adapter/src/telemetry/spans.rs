//! `CallSpan` and `AttemptSpan`: tracing spans by the OpenTelemetry conventions for the execution of tools.
//!
//! A span that nobody listens to costs a load; its name is formatted only for a listener.

use super::ending::{AttemptEnding, Ending, Failure};
use super::names;
use crate::ErrorCategory;
use tracing::field::Empty;
use tracing::{Span, info_span};

/// The span of one call.
#[derive(Debug)]
pub(crate) struct CallSpan(Span);

/// The span of one attempt. It is a child of the span that it is made in: run the call in its span.
#[derive(Debug)]
pub(crate) struct AttemptSpan(Span);

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// It is its call's first.
    First,
    /// An earlier one failed.
    Retry,
    /// An earlier one takes long.
    Hedge,
}

impl CallSpan {
    pub(super) fn new(tool: &str) -> Self {
        Self(info_span!(
            target: "fusebox::call",
            "execute_tool",
            otel.name = format_args!("execute_tool {tool}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = tool,
            "error.type" = Empty,
            fusebox.result = Empty,
            fusebox.attempts = Empty,
        ))
    }

    /// Of a service that is no tool.
    #[cfg(feature = "tower")]
    pub(super) fn of_service(name: &str) -> Self {
        Self(info_span!(
            target: "fusebox::call",
            "call",
            otel.name = format_args!("call {name}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            fusebox.service = name,
            "error.type" = Empty,
            fusebox.result = Empty,
            fusebox.attempts = Empty,
        ))
    }

    /// The span, to run the call in.
    pub(crate) const fn span(&self) -> &Span {
        &self.0
    }

    pub(super) fn end(&self, ending: &Ending) {
        // signed: tracing-opentelemetry makes text of unsigned numbers
        self.0.record("fusebox.attempts", i64::from(ending.attempts));
        self.0.record("fusebox.result", ending.failure.map_or("success", |failure| names::of_kind(failure.kind)));
        if let Some(Failure { category, .. }) = ending.failure {
            record_error(&self.0, category);
        }
    }
}

impl AttemptSpan {
    pub(super) fn new(tool: &str, number: u32, reason: Reason) -> Self {
        let span = info_span!(
            target: "fusebox::attempt",
            "attempt",
            otel.name = format_args!("attempt {tool}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            gen_ai.tool.name = tool,
            "error.type" = Empty,
            fusebox.attempt = i64::from(number),
            fusebox.resend_count = Empty,
            fusebox.hedge = reason == Reason::Hedge,
        );
        Self(span).counted(number, reason)
    }

    /// Of a service that is no tool.
    #[cfg(feature = "tower")]
    pub(super) fn of_service(name: &str, number: u32, reason: Reason) -> Self {
        let span = info_span!(
            target: "fusebox::attempt",
            "attempt",
            otel.name = format_args!("attempt {name}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            fusebox.service = name,
            "error.type" = Empty,
            fusebox.attempt = i64::from(number),
            fusebox.resend_count = Empty,
        );
        Self(span).counted(number, reason)
    }

    fn counted(self, number: u32, reason: Reason) -> Self {
        if reason == Reason::Retry {
            self.0.record("fusebox.resend_count", i64::from(number.saturating_sub(1)));
        }
        self
    }

    /// The span, to run the attempt in.
    pub(crate) const fn span(&self) -> &Span {
        &self.0
    }

    pub(super) fn end(&self, ending: &AttemptEnding) {
        if let Some(error) = ending.error {
            record_error(&self.0, error);
        }
    }
}

/// Success leaves the status unset, as instrumentation should; and who gave up has not seen an error.
fn record_error(span: &Span, error: ErrorCategory) {
    span.record("error.type", error.name());
    if error != ErrorCategory::Cancelled {
        span.record("otel.status_code", "ERROR");
    }
}
