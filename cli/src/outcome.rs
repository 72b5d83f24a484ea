//! `Outcome`: one line of the results, how one line of the input ended.

use crate::call::{Id, InvalidCall};
use fusebox::{CallResult, ErrorCategory, ErrorReport};
use serde::Serialize;
use serde_json::Value;

/// How a line of the input ended.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The number of the line, from 1.
    pub(crate) line: u64,
    /// The call's id; null where it cannot be told.
    pub(crate) id: Option<Id>,
    /// The tool's name, likewise.
    pub(crate) tool: Option<String>,
    /// Whether there is an output.
    pub(crate) success: bool,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// What the tool returned.
    pub(crate) output: Option<Value>,
    /// Why there is none.
    pub(crate) error: Option<Failure>,
    /// Why the output is that of the tool's fallback; absent where it is the tool's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fallback_for: Option<ErrorReport>,
    /// Milliseconds from the call's begin to its end, to the microsecond.
    pub(crate) elapsed_ms: f64,
}

/// Why a line has no output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Failure {
    /// The call was made and reports so.
    Call(ErrorReport),
    /// The line was not understood.
    Line(InvalidLine),
}

/// The report of a line that was not understood, of the same shape as that of a call.
#[derive(Debug, Serialize)]
pub(crate) struct InvalidLine {
    kind: &'static str,
    category: ErrorCategory,
    message: String,
    retry_after_ms: Option<u64>,
}

impl Outcome {
    /// Of a call that was made.
    pub(crate) fn of_call(line: u64, id: Id, tool: String, result: CallResult) -> Self {
        Self {
            line,
            id: Some(id),
            tool: Some(tool),
            success: result.success,
            attempts: result.attempts,
            output: result.output,
            error: result.error.map(Failure::Call),
            fallback_for: result.fallback_for,
            elapsed_ms: (result.elapsed_ms * 1e3).round() / 1e3,
        }
    }

    /// Of a line that was not understood.
    pub(crate) fn of_invalid(line: u64, InvalidCall { id, tool, message }: InvalidCall) -> Self {
        let error = InvalidLine {
            kind: "invalid_call",
            category: ErrorCategory::InvalidParameters,
            message,
            retry_after_ms: None,
        };
        let error = Some(Failure::Line(error));
        Self { line, id, tool, success: false, attempts: 0, output: None, error, fallback_for: None, elapsed_ms: 0.0 }
    }
}
