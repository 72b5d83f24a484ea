//! `Attempt`: what a tool is told about the attempt that it makes, and `Progress`: how it says that it still works.

use crate::{CallOptions, IdempotencyKey, Sleep};
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a tool is told about the attempt that it makes.
///
/// ```
/// use fusebox::{Attempt, CallError, Executor, Policy, ToolError};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let executor = Executor::new(Policy::default());
/// let download = async |attempt: Attempt| {
///     let stopped = attempt.cancellation();
///     let part = tokio::spawn(async move { stopped.run_until_cancelled(async { 7 }).await });
///     attempt.progress().made(); // under an idle timeout, the time starts anew
///     Ok::<_, ToolError>(part.await.unwrap_or(None))
/// };
/// assert_eq!(executor.call(download).await?, Some(7));
/// # Ok::<(), CallError<ToolError>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the attempt within its call, from 1.
    pub number: u32,
    /// What is left of the call's deadline, where it has one.
    pub time_left: Option<Duration>,
    /// What tells the dependency that this attempt and earlier ones are one call.
    pub idempotency_key: IdempotencyKey,
    progress: Progress,
    /// Made when it is first asked for.
    cancellation: OnceLock<CancellationToken>,
}

impl Attempt {
    pub(crate) const fn new(
        number: u32,
        time_left: Option<Duration>,
        idempotency_key: IdempotencyKey,
        progress: Progress,
    ) -> Self {
        Self { number, time_left, idempotency_key, progress, cancellation: OnceLock::new() }
    }

    /// A token that fires when this value is dropped: at the end of the attempt, however it ends, as long as it stays
    /// with the tool's future.
    ///
    /// Dropping that future is how a timeout, a deadline and a cancelled call stop a tool. The token is for work that it
    /// has handed to others, such as a spawned task. The first call of this method allocates.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancellation.get_or_init(CancellationToken::new).clone()
    }

    /// Options for a call that this attempt makes: it has what is left of the deadline, and ends with this attempt.
    ///
    /// The idempotency key is not handed on: two calls that one attempt makes are two calls.
    pub fn call_options(&self) -> CallOptions {
        CallOptions { deadline: self.time_left, cancel: Some(self.cancellation()), ..CallOptions::default() }
    }

    /// How the tool says that it still works, which starts its idle timeout anew. Cheap to clone.
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(token) = self.cancellation.get() {
            token.cancel();
        }
    }
}

/// How a tool says that it still works. Without an idle timeout nobody listens.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<Arc<Notify>>);

impl Progress {
    /// Progress that somebody listens to.
    pub(crate) fn watched() -> Self {
        Self(Some(Arc::default()))
    }

    /// The tool has got on: its idle timeout starts anew.
    pub fn made(&self) {
        if let Some(watcher) = &self.0 {
            watcher.notify_one();
        }
    }

    /// The output of `future`, or `None` when it made no progress for as long as `limit`. It has been dropped by then.
    pub(crate) async fn watch<C: Sleep, F: Future>(
        &self,
        clock: &C,
        limit: Option<Duration>,
        future: F,
    ) -> Option<F::Output> {
        let (Some(limit), Some(watcher)) = (limit, &self.0) else { return Some(future.await) };
        let progressed = async || {
            tokio::select! {
                biased; // what is made at the last moment counts
                () = watcher.notified() => true,
                () = clock.sleep(limit) => false,
            }
        };
        let stalled = async { while progressed().await {} };
        tokio::select! {
            biased; // a future that is ready has not stalled
            output = future => Some(output),
            () = stalled => None,
        }
    }
}
