//! `CallError::flatten`: one error for services that stand behind several layers.

use crate::CallError;

impl<E> CallError<CallError<E>> {
    /// One error out of two, for a service that stands behind two layers.
    ///
    /// ```
    /// use fusebox::CallError;
    /// use std::{io, time::Duration};
    ///
    /// let inner: CallError<io::Error> = CallError::TimedOut { after: Duration::from_secs(1) };
    /// assert!(matches!(CallError::Failed(inner).flatten(), CallError::TimedOut { .. }));
    /// ```
    pub fn flatten(self) -> CallError<E> {
        match self {
            Self::Failed(error) => error,
            Self::Rejected(refusal) => CallError::Rejected(refusal),
            Self::TimedOut { after } => CallError::TimedOut { after },
            Self::Stalled { after } => CallError::Stalled { after },
            Self::DeadlineExceeded { after, last } => {
                let last = match last {
                    Some(CallError::Failed(error)) => Some(error),
                    _ => None,
                };
                CallError::DeadlineExceeded { after, last }
            }
            Self::Panicked(message) => CallError::Panicked(message),
            Self::Cancelled => CallError::Cancelled,
            Self::UnknownTool(name) => CallError::UnknownTool(name),
            Self::InvalidArgs(problems) => CallError::InvalidArgs(problems),
            Self::Denied(why) => CallError::Denied(why),
            Self::NeedsApproval(why) => CallError::NeedsApproval(why),
        }
    }
}
