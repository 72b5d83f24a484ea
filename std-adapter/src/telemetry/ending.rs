//! `Ending` and `AttemptEnding`: how a call and an attempt ended, as telemetry needs it.

use crate::{CallError, Classify, ErrorCategory, ErrorKind};
use core::time::Duration;
use fusebox_core::Part;

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// Attempts made.
    pub(crate) attempts: u32,
    /// The time from the call's begin to its end.
    pub(crate) elapsed: Duration,
    /// Why there is no output.
    pub(crate) failure: Option<Failure>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptEnding {
    /// Its number within its call, from 1.
    pub(crate) number: u32,
    /// How long it ran.
    pub(crate) elapsed: Duration,
    /// The kind of its error; `Cancelled` where it was dropped.
    pub(crate) error: Option<ErrorCategory>,
    /// Whether it was cut short: by its timeout, its idle timeout or the deadline.
    pub(crate) too_long: bool,
}

/// Why a call has no output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) category: ErrorCategory,
    /// The part that refused the call, where one did.
    pub(crate) refused_by: Option<Part>,
}

impl Failure {
    /// The call was cancelled or dropped.
    pub(crate) const CANCELLED: Self =
        Self { kind: ErrorKind::Cancelled, category: ErrorCategory::Cancelled, refused_by: None };
}

impl<E: Classify> From<&CallError<E>> for Failure {
    fn from(error: &CallError<E>) -> Self {
        let kind = match error {
            CallError::Rejected(_) => ErrorKind::Rejected,
            CallError::TimedOut { .. } => ErrorKind::TimedOut,
            CallError::Stalled { .. } => ErrorKind::Stalled,
            CallError::DeadlineExceeded { .. } => ErrorKind::DeadlineExceeded,
            CallError::Failed(_) => ErrorKind::Failed,
            CallError::Panicked(_) => ErrorKind::Panicked,
            CallError::Cancelled => ErrorKind::Cancelled,
            CallError::UnknownTool(_) => ErrorKind::UnknownTool,
            CallError::InvalidArgs(_) => ErrorKind::InvalidArgs,
            CallError::Denied(_) => ErrorKind::Denied,
            CallError::NeedsApproval(_) => ErrorKind::NeedsApproval,
        };
        Self { kind, category: error.category(), refused_by: error.refusal().map(|refusal| refusal.by) }
    }
}
