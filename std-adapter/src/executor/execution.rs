//! `Execution`: how a call went, attempt by attempt.

use crate::{CallError, ErrorCategory, Refusal};
use core::time::Duration;

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
    /// The error that a fallback stood in for; the result is the fallback's then.
    pub fallback_for: Option<CallError<E>>,
    pub(crate) unavailable: bool,
}

impl<T, E> Execution<T, E> {
    /// A call that ended before it reached a circuit.
    pub(crate) const fn never_made(error: CallError<E>) -> Self {
        Self {
            result: Err(error),
            attempts: 0,
            elapsed: Duration::ZERO,
            failures: Vec::new(),
            stopped: Some(Stopped::NotRetryable),
            fallback_for: None,
            unavailable: false,
        }
    }

    /// Whether the dependency could not serve the call: its circuit refused, or it ended with an error that counts against
    /// the dependency. Only then does it help to ask elsewhere.
    pub const fn is_unavailable(&self) -> bool {
        self.unavailable
    }

    /// This execution and after it another one, whose output counts where this one has none.
    pub(crate) fn answered_by(self, other: Self) -> Self {
        let elapsed = self.elapsed.saturating_add(other.elapsed);
        match (self.result, other.result) {
            (Err(error), Ok(output)) => Self { result: Ok(output), fallback_for: Some(error), elapsed, ..self },
            (result, _) => Self { result, elapsed, ..self },
        }
    }

    /// The same execution, with an answer from elsewhere where the dependency could not serve the call: a cached value, a
    /// default, another service. Where that fails too the first error stays, which tells more.
    ///
    /// ```
    /// use fusebox::{CallOptions, ErrorCategory, Executor, Policy, ToolError};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    /// # runtime.block_on(async {
    /// let executor = Executor::new(Policy::default());
    /// let live = async |_| Err::<u32, _>(ToolError::new(ErrorCategory::ServiceUnavailable, "maintenance"));
    /// let execution = executor.run(&CallOptions::default(), live).await;
    /// let execution = execution.or_else(async |_| Ok(42)).await;
    /// assert_eq!(execution.result.ok(), Some(42));
    /// assert!(execution.fallback_for.is_some());
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub async fn or_else<F>(self, fallback: F) -> Self
    where
        F: AsyncFnOnce(&CallError<E>) -> Result<T, E>,
    {
        match self.result {
            Err(error) if self.unavailable => match fallback(&error).await {
                Ok(output) => Self { result: Ok(output), fallback_for: Some(error), ..self },
                Err(_) => Self { result: Err(error), ..self },
            },
            result => Self { result, ..self },
        }
    }
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
#[derive(Clone, Debug, Eq, PartialEq)]
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
    /// A circuit refused the next attempt for longer than the call may wait.
    Rejected(Refusal),
    /// The call was cancelled through its token.
    Cancelled,
}
