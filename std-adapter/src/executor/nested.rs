//! Whether a call is made by an attempt of another call that is made more than once: then its own attempts would
//! multiply.

use tokio::task::futures::TaskLocalFuture;

/// How an attempt of a call, or of one around it, is made more than once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Nested {
    /// It will be retried if it fails.
    pub(crate) retried: bool,
    /// Another one may be made beside it.
    pub(crate) hedged: bool,
}

tokio::task_local! {
    static AROUND: Nested;
}

impl Nested {
    /// The attempt that the current task is making.
    pub(crate) fn around() -> Self {
        AROUND.try_with(|around| *around).unwrap_or_default()
    }

    pub(super) const fn is_repeated(self) -> bool {
        self.retried || self.hedged
    }

    /// Runs an attempt so that calls which it makes know of it.
    pub(super) fn run<F: Future>(self, attempt: F) -> TaskLocalFuture<Self, F> {
        AROUND.scope(self, attempt)
    }

    /// Runs a part of an attempt, such as one poll, so that calls which it makes know of it.
    #[cfg(feature = "tower")]
    pub(crate) fn run_now<T>(self, part: impl FnOnce() -> T) -> T {
        AROUND.sync_scope(self, part)
    }
}
