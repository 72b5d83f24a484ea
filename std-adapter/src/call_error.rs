//! `CallError`: why a call did not succeed.

use crate::{Classify, ErrorCategory, Refusal, RetryHint};
use core::error::Error;
use core::time::Duration;
use std::fmt;

/// Why a call did not succeed. `E` is the tool's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// A circuit refused, and no attempt was made. The refusal names the part, whose it is, and when to return.
    ///
    /// Where an earlier attempt failed and only its retry was refused, the call ends with that attempt's error.
    Rejected(Refusal),
    /// The last attempt took longer than one attempt may.
    TimedOut {
        /// The limit it exceeded.
        after: Duration,
    },
    /// The last attempt made no progress for longer than it may.
    Stalled {
        /// The limit it exceeded.
        after: Duration,
    },
    /// The whole call took longer than it may.
    DeadlineExceeded {
        /// The limit it exceeded.
        after: Duration,
        /// The error of the attempt before the one that the deadline cut short.
        last: Option<E>,
    },
    /// The last attempt failed.
    Failed(E),
    /// The last attempt panicked, with this message.
    Panicked(String),
    /// The call was cancelled through its token.
    Cancelled,
    /// No tool has this name.
    UnknownTool(String),
    /// The arguments are not what the tool's JSON Schema allows; no attempt was made. What is wrong, in words.
    InvalidArgs(String),
    /// The registry's rules do not let this caller call the tool; no attempt was made. Which rule, in words.
    Denied(String),
    /// The registry's rules let this caller call the tool once somebody has approved it; no attempt was made. Which rule, in
    /// words.
    NeedsApproval(String),
}

impl<E> CallError<E> {
    /// The part that refused and when to return, where a circuit did.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Rejected(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// This error, which came after `last`: a deadline keeps the tool's own error as its source.
    pub(crate) fn after(self, last: Option<Self>) -> Self {
        match (self, last) {
            (Self::DeadlineExceeded { after, last: None }, Some(Self::Failed(last))) => {
                Self::DeadlineExceeded { after, last: Some(last) }
            }
            (error, _) => error,
        }
    }
}

impl<E: Classify> Classify for CallError<E> {
    fn category(&self) -> ErrorCategory {
        match self {
            Self::Rejected(_) => ErrorCategory::CircuitOpen,
            Self::TimedOut { .. } | Self::Stalled { .. } | Self::DeadlineExceeded { .. } => ErrorCategory::Timeout,
            Self::Failed(error) => error.category(),
            Self::Panicked(_) => ErrorCategory::ExecutionError,
            Self::Cancelled => ErrorCategory::Cancelled,
            Self::UnknownTool(_) => ErrorCategory::ToolNotFound,
            Self::InvalidArgs(_) => ErrorCategory::InvalidParameters,
            Self::Denied(_) | Self::NeedsApproval(_) => ErrorCategory::PermissionDenied,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(refusal) => refusal.retry_after(),
            Self::Failed(error) => error.retry_after(),
            _ => None,
        }
    }

    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Rejected(_)
            | Self::UnknownTool(_)
            | Self::InvalidArgs(_)
            | Self::Denied(_)
            | Self::NeedsApproval(_) => RetryHint::NothingDone,
            Self::Failed(error) => error.retry_hint(),
            _ => RetryHint::ByCategory,
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(refusal) => refusal.fmt(f),
            Self::TimedOut { after } => write!(f, "timed out after {after:?}"),
            Self::Stalled { after } => write!(f, "no progress for {after:?}"),
            Self::DeadlineExceeded { after, last: None } => write!(f, "deadline of {after:?} exceeded"),
            Self::DeadlineExceeded { after, last: Some(last) } => {
                write!(f, "deadline of {after:?} exceeded, after: {last}")
            }
            Self::Failed(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::UnknownTool(name) => write!(f, "there is no tool named {name:?}"),
            Self::InvalidArgs(problems) => write!(f, "the arguments are not allowed: {problems}"),
            Self::Denied(why) | Self::NeedsApproval(why) => f.write_str(why),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(refusal) => Some(refusal),
            // its own message is shown as this error's, so the source is what lies behind it
            Self::Failed(error) => error.source(),
            Self::DeadlineExceeded { last, .. } => last.as_ref().map(|last| last as _),
            Self::TimedOut { .. }
            | Self::Stalled { .. }
            | Self::Panicked(_)
            | Self::Cancelled
            | Self::UnknownTool(_)
            | Self::InvalidArgs(_)
            | Self::Denied(_)
            | Self::NeedsApproval(_) => None,
        }
    }
}
