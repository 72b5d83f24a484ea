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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use core::time::Duration;
    use fusebox_core::{Part, Rejection, Wait};

    #[test]
    fn the_outer_error_stays_what_it_is_and_a_failure_is_the_inner_one() {
        let after = Duration::from_secs(1);
        let refusal = || Refusal::own(Rejection { by: Part::Bucket, wait: Wait::Release });
        let last = || Some(CallError::Failed("reset"));
        for (outer, expected) in [
            (CallError::Rejected(refusal()), CallError::Rejected(refusal())),
            (CallError::TimedOut { after }, CallError::TimedOut { after }),
            (CallError::Stalled { after }, CallError::Stalled { after }),
            (
                CallError::DeadlineExceeded { after, last: last() },
                CallError::DeadlineExceeded { after, last: Some("reset") },
            ),
            (
                CallError::DeadlineExceeded { after, last: Some(CallError::Cancelled) },
                CallError::DeadlineExceeded { after, last: None },
            ),
            (CallError::Failed(CallError::Failed("reset")), CallError::Failed("reset")),
            (CallError::Failed(CallError::Cancelled), CallError::Cancelled),
            (CallError::Panicked("index".to_owned()), CallError::Panicked("index".to_owned())),
            (CallError::Cancelled, CallError::Cancelled),
            (CallError::UnknownTool("serach".to_owned()), CallError::UnknownTool("serach".to_owned())),
            (CallError::InvalidArgs("q".to_owned()), CallError::InvalidArgs("q".to_owned())),
            (CallError::Denied("no".to_owned()), CallError::Denied("no".to_owned())),
            (CallError::NeedsApproval("ask".to_owned()), CallError::NeedsApproval("ask".to_owned())),
        ] {
            assert_eq!(format!("{:?}", outer.flatten()), format!("{expected:?}"));
        }
    }
}
