//! `CallResult`: how a named call went, as data that can be written to a log or sent to an agent.

use crate::telemetry::Failure;
use crate::{CallError, Classify, ErrorCategory, Execution, ToolError};
use core::time::Duration;
use fusebox_core::Part;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a named call went.
///
/// ```
/// use fusebox::CallResult;
///
/// let text = r#"{"success":true,"attempts":1,"output":"hello","error":null}"#;
/// let result: CallResult = serde_json::from_str(text)?;
/// assert!(result.success && result.error.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CallResult {
    /// Whether there is an output.
    pub success: bool,
    /// Attempts made; 0 when the call was refused.
    pub attempts: u32,
    /// What the tool returned.
    pub output: Option<Value>,
    /// Why there is no output.
    pub error: Option<ErrorReport>,
    /// Why the output is that of the tool's fallback; absent where it is the tool's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_for: Option<ErrorReport>,
    /// Milliseconds from the call's begin to its end, waits included.
    #[serde(default)]
    pub elapsed_ms: f64,
    /// How each attempt ended, in order; of a long series the first 32 failures.
    #[serde(default)]
    pub outcomes: Vec<AttemptReport>,
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptReport {
    /// The kind of its error; absent when it succeeded.
    pub error: Option<ErrorCategory>,
    /// How long it ran, in milliseconds; absent when it succeeded.
    pub elapsed_ms: Option<f64>,
}

/// Why a call has no output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ErrorReport {
    /// Who ended the call, and how.
    pub kind: ErrorKind,
    /// The kind of the error.
    pub category: ErrorCategory,
    /// The error in words.
    pub message: String,
    /// When to call again, in milliseconds rounded up, where that is known.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    /// The part that refused: `breaker`, `bulkhead`, `bucket`, `adaptive_rate` or `throttle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RefusedBy>,
}

/// Who ended a call, and how; the variants of [`CallError`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The circuit refused.
    Rejected,
    /// The last attempt took too long.
    TimedOut,
    /// The last attempt made no progress.
    Stalled,
    /// The whole call took too long.
    DeadlineExceeded,
    /// The tool failed.
    Failed,
    /// The tool panicked.
    Panicked,
    /// The caller gave up.
    Cancelled,
    /// No tool has the name.
    UnknownTool,
    /// The arguments do not fit the tool's JSON Schema.
    InvalidArgs,
    /// The caller may not call the tool.
    Denied,
    /// The caller may call the tool once somebody has approved it.
    NeedsApproval,
}

/// The part of a circuit that refused a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusedBy {
    /// The tool keeps failing.
    Breaker,
    /// Too many calls are in flight.
    Bulkhead,
    /// Calls come too fast.
    Bucket,
    /// The tool asked its callers to slow down.
    AdaptiveRate,
    /// The tool refuses so many calls that this one was better not sent.
    Throttle,
}

impl From<Part> for RefusedBy {
    fn from(part: Part) -> Self {
        match part {
            Part::Bulkhead => Self::Bulkhead,
            Part::Bucket => Self::Bucket,
            Part::AdaptiveRate => Self::AdaptiveRate,
            Part::Throttle => Self::Throttle,
            _ => Self::Breaker,
        }
    }
}

impl From<Execution<Value, ToolError>> for CallResult {
    fn from(execution: Execution<Value, ToolError>) -> Self {
        let failed = execution
            .failures
            .iter()
            .map(|failure| AttemptReport { error: Some(failure.category), elapsed_ms: Some(millis(failure.elapsed)) });
        let mut outcomes: Vec<_> = failed.collect();
        let (output, error) = match execution.result {
            Ok(output) => (Some(output), None),
            Err(error) => (None, Some(ErrorReport::from(&error))),
        };
        let fallback_for = execution.fallback_for.as_ref().map(ErrorReport::from);
        if error.is_none() && fallback_for.is_none() {
            outcomes.push(AttemptReport { error: None, elapsed_ms: None });
        }
        Self {
            success: error.is_none(),
            attempts: execution.attempts,
            output,
            error,
            fallback_for,
            elapsed_ms: millis(execution.elapsed),
            outcomes,
        }
    }
}

impl From<&CallError<ToolError>> for ErrorReport {
    fn from(error: &CallError<ToolError>) -> Self {
        let Failure { kind, category, .. } = Failure::from(error);
        Self {
            kind,
            category,
            message: error.to_string(),
            retry_after_ms: error.retry_after().map(millis_up),
            by: error.refusal().map(|refusal| refusal.by.into()),
        }
    }
}

/// Milliseconds with decimals.
fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// Whole milliseconds, never less than `span`: who comes back then is not refused for a fraction.
pub(crate) fn millis_up(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
