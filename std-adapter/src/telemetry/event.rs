//! `Event`: something that happened to a tool or to its registry, as plain data.

use crate::{BreakerStateName, ErrorCategory, ErrorKind, RefusedBy};
use core::time::Duration;
use fusebox_core::{Cause, Instant, Wait};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// Something that happened to a tool or to its registry. Cloning it allocates nothing.
///
/// As JSON it is one flat object; times are in milliseconds:
///
/// ```json
/// {"at_ms":5000.0,"tool":"search","event":"breaker_changed","from":"closed","to":"open","cause":"tripped"}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// When, on the clock of the registry or the executor.
    #[serde(rename = "at_ms", serialize_with = "since_origin")]
    pub at: Instant,
    /// The tool; absent where the event concerns the registry as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Arc<str>>,
    /// The key of the tool's sub-circuit, such as a host or a tenant, where the event is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The breaker changed its state.
    #[non_exhaustive]
    BreakerChanged {
        /// The state before.
        from: BreakerStateName,
        /// The state after. Where probes were lost it is half-open as before.
        to: BreakerStateName,
        /// What led to it.
        cause: Cause,
    },
    /// A limit refused an attempt for longer than its call may wait.
    #[non_exhaustive]
    Refused {
        /// The part that refused.
        by: RefusedBy,
        /// Whose part it is: the name of a group, or `registry` for the limit above all tools; absent for the tool's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<Arc<str>>,
        /// When the answer can change.
        wait: Wait,
    },
    /// An attempt is over.
    #[non_exhaustive]
    AttemptEnded {
        /// Its number within its call, from 1.
        attempt: u32,
        /// The kind of its error; `None` when it succeeded, `Cancelled` when it was dropped.
        error: Option<ErrorCategory>,
        /// How long it ran.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    /// A call waits before it tries again.
    #[non_exhaustive]
    RetryScheduled {
        /// The number of the attempt to come.
        attempt: u32,
        /// How long the call waits before it asks its circuit again.
        #[serde(rename = "delay_ms", serialize_with = "millis")]
        delay: Duration,
    },
    /// A call would have been retried but for a limit on retries.
    #[non_exhaustive]
    RetryGivenUp {
        /// The limit.
        why: GivenUp,
        /// Attempts made.
        attempts: u32,
    },
    /// Another attempt began while an earlier one still runs.
    #[non_exhaustive]
    HedgeStarted {
        /// Its number within its call.
        attempt: u32,
    },
    /// A call failed, and its fallback answers in its place.
    #[non_exhaustive]
    FellBack {
        /// How the call failed.
        error: ErrorKind,
    },
    /// A call is over.
    #[non_exhaustive]
    CallEnded {
        /// Attempts made; 0 when the first was refused.
        attempts: u32,
        /// The time from the call's begin to its end, waits included.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
        /// How it failed; `None` when it succeeded, `Cancelled` when it was dropped.
        error: Option<ErrorKind>,
        /// The kind of its error.
        category: Option<ErrorCategory>,
    },
    /// A tool was added.
    ToolRegistered,
    /// Another tool took the place of the one with this name; the state lives on.
    ToolReplaced,
    /// A tool was removed with its state.
    ToolRemoved,
    /// The tool has another policy; the state lives on.
    PolicyChanged,
    /// A configuration was put in force, as one step.
    ConfigApplied,
    /// A configuration was not put in force; nothing was changed.
    #[non_exhaustive]
    ConfigRefused {
        /// Why, in words.
        why: Arc<str>,
    },
}

/// The limit on retries that ended a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GivenUp {
    /// The retry budget was used up: too many calls were retried lately.
    Budget,
    /// The call was made by an attempt that is retried itself.
    Nested,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn since_origin<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    millis(&at.saturating_since(Instant::ORIGIN), serializer)
}

fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: EventKind) -> serde_json::Value {
        let at = Instant::from_nanos(1_500_000);
        serde_json::to_value(Event { at, tool: Some("search".into()), key: None, kind }).unwrap()
    }

    #[test]
    fn an_event_is_one_flat_json_object() {
        let changed = EventKind::BreakerChanged {
            from: BreakerStateName::Closed,
            to: BreakerStateName::Open,
            cause: Cause::Tripped,
        };
        let expected = json!({ "at_ms": 1.5, "tool": "search", "event": "breaker_changed", "from": "closed", "to": "open",
            "cause": "tripped" });
        assert_eq!(event(changed), expected);
        assert_eq!(event(EventKind::ToolRemoved), json!({ "at_ms": 1.5, "tool": "search", "event": "tool_removed" }));
    }

    #[test]
    fn spans_of_time_are_milliseconds() {
        let ended = EventKind::AttemptEnded { attempt: 1, error: None, elapsed: Duration::from_micros(2_500) };
        assert_eq!(event(ended)["elapsed_ms"], 2.5);
        let scheduled = EventKind::RetryScheduled { attempt: 2, delay: Duration::from_millis(20) };
        assert_eq!(event(scheduled)["delay_ms"], 20.0);
    }

    #[test]
    fn a_refusal_names_the_group_only_where_there_is_one() {
        let refused =
            |group: Option<Arc<str>>| event(EventKind::Refused { by: RefusedBy::Bucket, group, wait: Wait::Nanos(7) });
        assert_eq!(refused(Some("web".into()))["group"], "web");
        assert_eq!(refused(None).get("group"), None);
        assert_eq!(refused(None)["wait"], json!({ "nanos": 7 }));
    }
}
