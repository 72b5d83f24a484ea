//! `Execution`: how a call went, attempt by attempt.

use crate::{CallError, ErrorCategory};
use core::time::Duration;
use fusebox_core::Rejection;

/// How a call went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Execution<T, E> {
    /// The output, or why there is none.
    pub result: Result<T, CallError<E>>,
    /// Attempts made; 0 when the circuit refused the first.
    pub attempts: u32,
    /// The time from the call's begin to its end, waits included.
    pub elapsed: Duration,
    /// The attempts that failed, in order; of a long series the first 32.
    pub failures: Vec<FailedAttempt>,
    /// Why there was no further attempt; `None` for a call that succeeded.
    pub stopped: Option<Stopped>,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The kind of its error.
    pub category: ErrorCategory,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Why a call made no further attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// Errors of this kind are not retried.
    NotRetryable,
    /// The tool said that a retry cannot help, see [`RetryHint`](crate::RetryHint).
    ToldNotTo,
    /// The tool is not idempotent, and the attempt may have done something.
    NotIdempotent,
    /// The policy allows no more retries.
    RetriesExhausted,
    /// The call was made by an attempt that is retried itself; retries within retries would multiply.
    Nested,
    /// The retry budget was used up: too many calls were retried lately.
    RetryBudget,
    /// The tool asked its callers to stay away for longer than the backoff's cap.
    RetryAfterTooLong,
    /// The deadline has passed, or would pass before the next attempt.
    Deadline,
    /// The circuit refused the next attempt for longer than the call may wait.
    Rejected(Rejection),
    /// The call was cancelled through its token.
    Cancelled,
}
