//! Whether a call is made by an attempt of another call that is retried itself: then its own retries would multiply.

use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static RETRIED: bool;
}

/// Whether the current task is making an attempt that will be retried if it fails.
pub(super) fn in_a_retried_attempt() -> bool {
    RETRIED.try_with(|retried| *retried).unwrap_or(false)
}

/// Runs an attempt so that calls which it makes know whether it will be retried.
pub(super) fn attempt<F: Future>(retried: bool, future: F) -> TaskLocalFuture<bool, F> {
    RETRIED.scope(retried, future)
}
