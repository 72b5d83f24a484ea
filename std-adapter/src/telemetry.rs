//! What happens, told as it happens: counters, tracing spans and log lines, metrics, and a stream of events.
//!
//! Whoever looks at none of it pays a relaxed load for each: nothing is formatted, made or allocated.
//!
//! # Spans
//!
//! One span for each call and, within it, one for each attempt, by the OpenTelemetry conventions for the execution of
//! tools; `tracing-opentelemetry` exports them as they are. Both are of level `INFO`.
//!
//! | field | span | value |
//! |---|---|---|
//! | `otel.name` | both | `execute_tool {tool}`, `attempt {tool}` |
//! | `otel.kind` | both | `internal`: whether the tool goes out over a network only it knows |
//! | `gen_ai.operation.name` | call | `execute_tool` |
//! | `gen_ai.tool.name` | both | the tool's name |
//! | `error.type` | both | the [`ErrorCategory`], where there is an error |
//! | `otel.status_code` | both | `ERROR`, where there is an error and it is not that the caller gave up |
//! | `fusebox.result` | call | `success`, or the [`ErrorKind`] as in JSON |
//! | `fusebox.attempts` | call | attempts made |
//! | `fusebox.attempt` | attempt | its number, from 1 |
//! | `fusebox.resend_count` | attempt | which retry it is, from 1; absent for others |
//! | `fusebox.hedge` | attempt | whether it began while an earlier one ran |
//!
//! A service behind layers of `tower` is no tool: its spans are `call {name}` and `attempt {name}`, with the name
//! as `fusebox.service` and without the fields `gen_ai` and `fusebox.hedge`. In log lines, metrics and events its name
//! stands where a tool's does.
//!
//! # Log lines
//!
//! | target | level | line |
//! |---|---|---|
//! | `fusebox::call`, `fusebox::attempt` | INFO | the spans |
//! | `fusebox::breaker` | WARN, INFO | a breaker opened, or lost probes; half-opened, closed |
//! | `fusebox::refusal` | DEBUG | a limit refused |
//! | `fusebox::retry` | DEBUG, WARN | a retry was scheduled, or not made; the retry budget is used up |
//! | `fusebox::hedge`, `fusebox::fallback` | DEBUG | a hedge started, a fallback was used |
//! | `fusebox::registry` | INFO, WARN | a tool or the configuration changed; a configuration was refused |
//!
//! # Metrics
//!
//! With the feature `metrics`, through the facade of that name, from when they are switched on. Exporters write the names
//! their own way: for Prometheus `fusebox.calls` becomes `fusebox_calls`, or `fusebox_calls_total` with recommended naming.
//!
//! | metric | kind | labels beside `tool` | meaning |
//! |---|---|---|---|
//! | `fusebox.calls` | counter | `result` | calls that have ended: `success` or the kind of error |
//! | `fusebox.call.duration` | histogram, s | `result` | calls with an attempt, waits included: `success`, `error` |
//! | `fusebox.calls.in_flight` | gauge | | calls under way |
//! | `fusebox.attempts` | counter | `result` | attempts that have ended: `success` or the category |
//! | `fusebox.attempt.duration` | histogram, s | `result` | attempts: `success`, `error` |
//! | `fusebox.refusals` | counter | `part`, `scope` | attempts that a limit refused for good; `own` or `shared` |
//! | `fusebox.retries` | counter | | attempts made because an earlier one failed |
//! | `fusebox.retries.given_up` | counter | `why` | calls not retried: `budget`, `nested` |
//! | `fusebox.retries.left` | gauge | | retries left of the retry budget |
//! | `fusebox.hedges` | counter | | attempts begun while an earlier one ran |
//! | `fusebox.fallbacks` | counter | | failed calls that a fallback answered |
//! | `fusebox.breaker.transitions` | counter | `to` | changes of the state, by the state after |
//! | `fusebox.breaker.state` | gauge | | 0 closed, 1 half-open, 2 open, 3 forced closed, 4 forced open |
//! | `fusebox.breaker.probes_lost` | counter | | times that probes never reported |
//! | `fusebox.tokens` | gauge | | tokens left of the rate limit |
//!
//! Every label has few values. `tool` is the tool's name for as many names as were allowed when metrics were switched on;
//! all further ones share the label `other`, and have no gauges. A key of a sub-circuit is never a label. A tool's series
//! appear when something first happens to it, those with further labels when they first have something to count.
//!
//! # Events
//!
//! An [`EventStream`] yields an [`Event`] for each transition, refusal, end of an attempt or a call, retry, and change of the
//! registry.

mod ending;
mod event;
mod hub;
mod latest;
#[cfg(feature = "metrics")]
mod metrics;
mod names;
mod spans;
mod stream;
mod trace;

pub use event::{Event, EventKind, GivenUp};
pub use stream::{EventStream, Missed};

pub(crate) use ending::{AttemptEnding, Ending, Failure};
pub(crate) use hub::Hub;
pub(crate) use latest::Latest;
#[cfg(feature = "metrics")]
pub(crate) use metrics::Levels;
pub(crate) use spans::{AttemptSpan, CallSpan, Reason};

use crate::counters::{Counters, add_one};
use crate::refusal::{Refusal, Scope};
use crate::{ErrorCategory, ErrorKind};
use core::time::Duration;
use fusebox_core::{Instant, Transition};
use std::sync::Arc;

/// What is told of one tool. Each method counts, traces, records and emits; nothing else does.
#[derive(Debug)]
pub(crate) struct Telemetry {
    tool: Arc<str>,
    /// Whether it is a service of the tower layers, and no tool: its spans are not those of a tool.
    #[cfg(feature = "tower")]
    is_service: bool,
    hub: Hub,
    counters: Counters,
    latest: Latest,
    /// Made when the first thing happens after metrics were switched on; boxed, because most of it is handles that wait
    /// to be made.
    #[cfg(feature = "metrics")]
    metrics: std::sync::OnceLock<Box<metrics::ToolMetrics>>,
}

impl Telemetry {
    pub(crate) fn new(tool: Arc<str>, hub: Hub) -> Self {
        Self {
            tool,
            #[cfg(feature = "tower")]
            is_service: false,
            hub,
            counters: Counters::default(),
            latest: Latest::default(),
            #[cfg(feature = "metrics")]
            metrics: std::sync::OnceLock::new(),
        }
    }

    /// What is told of a service that is no tool.
    #[cfg(feature = "tower")]
    pub(crate) fn of_service(name: Arc<str>, hub: Hub) -> Self {
        Self { is_service: true, ..Self::new(name, hub) }
    }

    pub(crate) const fn tool(&self) -> &Arc<str> {
        &self.tool
    }

    pub(crate) const fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) const fn latest(&self) -> &Latest {
        &self.latest
    }

    /// A call begins. It runs in the span, which goes to [`Telemetry::call_ended`].
    pub(crate) fn call_started(&self) -> CallSpan {
        add_one(&self.counters.calls);
        #[cfg(feature = "tower")]
        if self.is_service {
            return CallSpan::of_service(&self.tool);
        }
        CallSpan::new(&self.tool)
    }

    /// A call is over; said once for each call.
    pub(crate) fn call_ended(&self, span: &CallSpan, ending: &Ending, now: Instant) {
        match ending.failure {
            None => add_one(&self.counters.succeeded),
            Some(Failure { kind: ErrorKind::Cancelled, .. }) => add_one(&self.counters.cancelled),
            Some(Failure { kind: ErrorKind::Denied | ErrorKind::NeedsApproval, .. }) => add_one(&self.counters.denied),
            Some(Failure { kind: ErrorKind::InvalidArgs, .. }) => add_one(&self.counters.invalid_args),
            Some(Failure { refused_by: Some(part), .. }) => self.counters.count_rejection(part),
            Some(_) => add_one(&self.counters.failed),
        }
        span.end(ending);
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.call_ended(ending));
        self.tell(now, None, || EventKind::CallEnded {
            attempts: ending.attempts,
            elapsed: ending.elapsed,
            error: ending.failure.map(|failure| failure.kind),
            category: ending.failure.map(|failure| failure.category),
        });
    }

    /// A call was dropped, or cancelled through its token.
    pub(crate) fn call_cancelled(&self, span: &CallSpan, attempts: u32, elapsed: Duration, now: Instant) {
        self.call_ended(span, &Ending { attempts, elapsed, failure: Some(Failure::CANCELLED) }, now);
    }

    /// An attempt begins. It runs in the span, which goes to [`Telemetry::attempt_ended`].
    pub(crate) fn attempt_started(&self, number: u32, reason: Reason, now: Instant) -> AttemptSpan {
        add_one(&self.counters.attempts);
        match reason {
            Reason::First => {}
            Reason::Retry => add_one(&self.counters.retries),
            Reason::Hedge => {
                add_one(&self.counters.hedges);
                trace::hedged(&self.tool, number);
                self.tell(now, None, || EventKind::HedgeStarted { attempt: number });
            }
        }
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.attempt_started(reason));
        #[cfg(feature = "tower")]
        if self.is_service {
            return AttemptSpan::of_service(&self.tool, number, reason);
        }
        AttemptSpan::new(&self.tool, number, reason)
    }

    /// An attempt is over, or was dropped; said once for each attempt.
    pub(crate) fn attempt_ended(&self, span: &AttemptSpan, ending: &AttemptEnding, now: Instant) {
        if ending.too_long {
            add_one(&self.counters.timeouts);
        }
        if let Some(error) = ending.error
            && error != ErrorCategory::Cancelled
        {
            self.latest.failed(error);
        }
        span.end(ending);
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.attempt_ended(ending));
        let AttemptEnding { number, elapsed, error, .. } = *ending;
        self.tell(now, None, || EventKind::AttemptEnded { attempt: number, error, elapsed });
    }

    /// A call waits for `delay` before its next attempt, number `attempt`.
    pub(crate) fn retry_scheduled(&self, attempt: u32, delay: Duration, now: Instant) {
        trace::retry_scheduled(&self.tool, attempt, delay);
        self.tell(now, None, || EventKind::RetryScheduled { attempt, delay });
    }

    /// A call is not retried because of a limit on retries.
    pub(crate) fn retry_given_up(&self, why: GivenUp, attempts: u32, now: Instant) {
        add_one(match why {
            GivenUp::Budget => &self.counters.retries_over_budget,
            GivenUp::Nested => &self.counters.retries_nested,
        });
        trace::retry_given_up(&self.tool, why);
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.retry_given_up(why));
        self.tell(now, None, || EventKind::RetryGivenUp { why, attempts });
    }

    /// A fallback answers in the place of a call that failed.
    pub(crate) fn fell_back(&self, error: ErrorKind, now: Instant) {
        add_one(&self.counters.fallbacks);
        trace::fell_back(&self.tool, names::of_kind(error));
        #[cfg(feature = "metrics")]
        self.record(metrics::ToolMetrics::fell_back);
        self.tell(now, None, || EventKind::FellBack { error });
    }

    /// The breaker of the tool, or that of its sub-circuit under `key`, may have changed its state.
    pub(crate) fn transition(&self, key: Option<&Arc<str>>, transition: Option<Transition>, now: Instant) {
        let Some(transition) = transition else { return };
        self.counters.count_transition(Some(transition));
        trace::transition(&self.tool, key.map(AsRef::as_ref), transition);
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.transition(transition, key.is_some()));
        let Transition { from, to, cause } = transition;
        self.tell(now, key, || EventKind::BreakerChanged { from: from.into(), to: to.into(), cause });
    }

    /// A limit refused an attempt for longer than its call may wait, within the tool's sub-circuit under `key` where there is
    /// one. Which call ended thereby counts when it ends.
    pub(crate) fn refused(&self, key: Option<&Arc<str>>, refusal: &Refusal, now: Instant) {
        self.latest.refused(now);
        trace::refused(&self.tool, key.map(AsRef::as_ref), refusal);
        #[cfg(feature = "metrics")]
        self.record(|metrics| metrics.refused(refusal));
        self.tell(now, key, || EventKind::Refused {
            by: refusal.by.into(),
            group: match &refusal.scope {
                Scope::Own => None,
                Scope::Shared(group) => Some(Arc::clone(group)),
            },
            wait: refusal.wait,
        });
    }

    /// Brings the tool's gauges up to date, where metrics are on.
    #[cfg(feature = "metrics")]
    pub(crate) fn show(&self, levels: &Levels) {
        self.record(|metrics| metrics.show(levels));
    }

    #[cfg(feature = "metrics")]
    fn record(&self, record: impl FnOnce(&metrics::ToolMetrics)) {
        if self.hub.recording.is_on() {
            record(self.metrics.get_or_init(|| Box::new(self.hub.recording.metrics_of(&self.tool))));
        }
    }

    fn tell(&self, at: Instant, key: Option<&Arc<str>>, kind: impl FnOnce() -> EventKind) {
        self.hub.subscribers.tell(|| Event { at, tool: Some(Arc::clone(&self.tool)), key: key.cloned(), kind: kind() });
    }
}

#[cfg(test)]
mod tests;
