//! `Judge`: how the answer of a service counts, as a success or as a category of error.

use crate::{CallError, Classify, ErrorCategory, RetryHint, ToolError};
use core::convert::Infallible;
use core::time::Duration;

/// How the answer of a service counts. It sees answers and errors alike, as many a service reports failure in an `Ok`.
///
/// A function or closure is a judge, too:
/// ```
/// use fusebox::ErrorCategory;
/// use fusebox::tower::{BreakerLayer, Verdict};
/// use std::io::Error;
///
/// let empty_is_a_failure = |result: Result<&String, &Error>| match result {
///     Ok(text) if !text.is_empty() => Verdict::success(),
///     Ok(_) => Verdict::failure(ErrorCategory::ExecutionError),
///     Err(error) => Verdict::of(error),
/// };
/// let layer = BreakerLayer::new(&Default::default())?.judged_by(empty_is_a_failure);
/// # Ok::<(), fusebox::ConfigError>(())
/// ```
pub trait Judge<T, E> {
    /// How `result` counts.
    fn judge(&self, result: Result<&T, &E>) -> Verdict;
}

impl<T, E, F: Fn(Result<&T, &E>) -> Verdict> Judge<T, E> for F {
    fn judge(&self, result: Result<&T, &E>) -> Verdict {
        self(result)
    }
}

/// How an answer counts, and what it says about trying again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The kind of the error, which decides over tripping and retrying; `None` for a success.
    pub category: Option<ErrorCategory>,
    /// How long the service asks its callers to stay away.
    pub retry_after: Option<Duration>,
    /// What the service knows about trying again.
    pub retry_hint: RetryHint,
}

impl Verdict {
    /// The call has succeeded.
    pub const fn success() -> Self {
        Self { category: None, retry_after: None, retry_hint: RetryHint::ByCategory }
    }

    /// The call has failed in this way.
    pub const fn failure(category: ErrorCategory) -> Self {
        Self { category: Some(category), ..Self::success() }
    }

    /// What an error says of itself.
    pub fn of<E: Classify + ?Sized>(error: &E) -> Self {
        let category = Some(error.category());
        Self { category, retry_after: error.retry_after(), retry_hint: error.retry_hint() }
    }

    /// The same verdict on a service that asks its callers to stay away for `retry_after`, where it does.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: impl Into<Option<Duration>>) -> Self {
        self.retry_after = retry_after.into();
        self
    }

    /// The same verdict, with what the service knows about trying again.
    #[must_use]
    pub const fn with_retry_hint(mut self, retry_hint: RetryHint) -> Self {
        self.retry_hint = retry_hint;
        self
    }

    /// The error of a tool for whose call this is the verdict, with this message; `None` for a success.
    ///
    /// ```
    /// use fusebox::{Classify, ErrorCategory, ToolError};
    /// use fusebox::tower::Verdict;
    ///
    /// fn text_of(answer: http::Response<String>) -> Result<String, ToolError> {
    ///     let verdict = Verdict::of_http(answer.status(), answer.headers());
    ///     verdict.error(answer.status().to_string()).map_or_else(|| Ok(answer.into_body()), Err)
    /// }
    ///
    /// let busy = http::Response::builder().status(503).header("retry-after", "7").body(String::new())?;
    /// let error = text_of(busy).unwrap_err();
    /// assert_eq!(error.category(), ErrorCategory::ServiceUnavailable);
    /// assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(7)));
    /// assert_eq!(text_of(http::Response::new("tea".to_owned()))?, "tea");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn error(self, message: impl Into<String>) -> Option<ToolError> {
        let Self { category, retry_after, retry_hint } = self;
        Some(ToolError::new(category?, message).with_retry_after(retry_after).with_retry_hint(retry_hint))
    }
}

/// The default: every answer is a success, and an error counts as what it says, by [`Classify`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ByError;

impl<T, E: Classify> Judge<T, E> for ByError {
    fn judge(&self, result: Result<&T, &E>) -> Verdict {
        result.map_or_else(Verdict::of, |_| Verdict::success())
    }
}

/// For errors that are not [`Classify`]: every answer is a success, and every error is of this category.
#[derive(Clone, Copy, Debug)]
pub struct AnyError(pub ErrorCategory);

impl<T, E> Judge<T, E> for AnyError {
    fn judge(&self, result: Result<&T, &E>) -> Verdict {
        result.map_or_else(|_| Verdict::failure(self.0), |_| Verdict::success())
    }
}

/// Whatever the service answers is a success: for circuits without a breaker, which do not ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unjudged;

impl<T, E> Judge<T, E> for Unjudged {
    fn judge(&self, _: Result<&T, &E>) -> Verdict {
        Verdict::success()
    }
}

/// Judges the answers of a service that stands behind another layer of this module: errors of the layer count as
/// [`CallError`] says, and those of the service as `J` says.
///
/// Needed only where the service's own error is not [`Classify`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Within<J>(pub J);

impl<T, E, J: Judge<T, E>> Judge<T, CallError<E>> for Within<J> {
    fn judge(&self, result: Result<&T, &CallError<E>>) -> Verdict {
        match result.map_err(of_the_layer) {
            Ok(answer) => self.0.judge(Ok(answer)),
            Err(Err(error)) => self.0.judge(Err(error)),
            Err(Ok(of_the_layer)) => Verdict::of(&of_the_layer),
        }
    }
}

/// An error of a layer without what is not [`Classify`]; or the error of the service behind it.
pub(super) fn of_the_layer<E>(error: &CallError<E>) -> Result<CallError<Infallible>, &E> {
    Ok(match error {
        CallError::Failed(error) => return Err(error),
        CallError::Rejected(refusal) => CallError::Rejected(refusal.clone()),
        CallError::TimedOut { after } => CallError::TimedOut { after: *after },
        CallError::Stalled { after } => CallError::Stalled { after: *after },
        CallError::DeadlineExceeded { after, .. } => CallError::DeadlineExceeded { after: *after, last: None },
        CallError::Panicked(_) => CallError::Panicked(String::new()),
        CallError::Cancelled => CallError::Cancelled,
        CallError::UnknownTool(_) => CallError::UnknownTool(String::new()),
        CallError::InvalidArgs(_) => CallError::InvalidArgs(String::new()),
        CallError::Denied(_) => CallError::Denied(String::new()),
        CallError::NeedsApproval(_) => CallError::NeedsApproval(String::new()),
    })
}

impl Classify for Infallible {
    fn category(&self) -> ErrorCategory {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use fusebox_core::{Part, Rejection, Wait};

    struct Opaque;

    #[test]
    fn errors_of_a_layer_count_as_what_they_are_and_those_behind_it_as_their_judge_says() {
        let judge = Within(AnyError(ErrorCategory::Network));
        let of = |error: CallError<Opaque>| judge.judge(Err::<&(), _>(&error));

        assert_eq!(of(CallError::Failed(Opaque)), Verdict::failure(ErrorCategory::Network));
        let after = Duration::from_secs(1);
        assert_eq!(of(CallError::TimedOut { after }), Verdict::failure(ErrorCategory::Timeout));
        let last = Some(Opaque);
        assert_eq!(of(CallError::DeadlineExceeded { after, last }), Verdict::failure(ErrorCategory::Timeout));
        let refusal = Refusal::own(Rejection { by: Part::Bucket, wait: Wait::Nanos(7) });
        let refused = Verdict::failure(ErrorCategory::CircuitOpen)
            .with_retry_after(Duration::from_nanos(7))
            .with_retry_hint(RetryHint::NothingDone);
        assert_eq!(of(CallError::Rejected(refusal)), refused);
        assert_eq!(judge.judge(Ok::<_, &CallError<Opaque>>(&())), Verdict::success());
    }
}
