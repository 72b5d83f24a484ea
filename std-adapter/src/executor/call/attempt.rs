//! One attempt: begun, bounded while it runs, and settled by how it ended.

use super::super::Executor;
use super::super::admission::Admitted;
use super::super::bounded::{Bounds, Cut};
use super::super::execution::FailedAttempt;
use super::super::nested::Nested;
use super::report::Report;
use super::{Call, shorter};
use crate::telemetry::Reason;
use crate::{Attempt, CallError, CallOptions, Classify, ErrorCategory, IdempotencyKey, Progress, Sleep};
use core::time::Duration;
use fusebox_core::Outcome;
use std::pin::pin;
use tracing::Instrument;

/// How many failed attempts a call remembers one by one.
const REMEMBERED_FAILURES: usize = 32;

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Started<'a, C: Sleep> {
    admitted: Admitted<'a, C>,
    report: Report<'a, C>,
    /// What was left of the deadline when it began.
    time_left: Option<Duration>,
    bounds: Bounds<'a, C>,
    progress: Progress,
    idle_timeout: Option<Duration>,
    /// What calls that it makes know of it.
    inside: Nested,
}

/// How an attempt ended: cut short, with a panic's message, stalled, or by the tool itself.
pub(super) type Ended<T, E> = Result<Result<Option<Result<T, E>>, String>, Cut>;

impl<'a, C: Sleep> Call<'a, C> {
    /// Makes one attempt, and where calls are hedged others beside it, and settles them.
    pub(in super::super) async fn attempt<T, E, F, Fut>(
        &mut self,
        admitted: Admitted<'a, C>,
        tool: &mut F,
    ) -> Result<T, CallError<E>>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(hedging) = self.hedging() {
            return self.hedged(admitted, tool, hedging).await;
        }
        let reason = if self.attempts == 0 { Reason::First } else { Reason::Retry };
        let (started, attempt) = self.begin(admitted, reason);
        let ended = {
            // pinned here, because each future that owned another one would double its size
            let running = pin!(started.surround(async { tool(attempt).await }));
            started.run(running).await
        };
        self.conclude(started, ended)
    }

    /// Begins an attempt: everything but running it.
    pub(super) fn begin(&mut self, admitted: Admitted<'a, C>, reason: Reason) -> (Started<'a, C>, Attempt) {
        let Executor { policy, clock, .. } = self.executor;
        let options: &'a CallOptions = self.options;
        self.attempts = self.attempts.saturating_add(1);
        if let Some(retry) = self.retry.take() {
            retry.made();
        }
        let time_left = self.time_left();
        let key = self.key.get_or_insert_with(IdempotencyKey::random).clone();
        let progress = if policy.idle_timeout.is_some() { Progress::watched() } else { Progress::default() };
        let attempt = Attempt::new(self.attempts, time_left, key, progress.clone());
        let bounds = Bounds::new(clock, shorter(Some(policy.timeout), time_left), options.cancel.as_ref());
        let inside = Nested {
            retried: self.nested.retried || policy.max_retries > 0,
            hedged: self.nested.hedged || policy.hedge.is_some(),
        };
        (
            Started {
                admitted,
                report: Report::begin(self.executor, self.attempts, reason, self.now),
                time_left,
                bounds,
                progress,
                idle_timeout: policy.idle_timeout,
                inside,
            },
            attempt,
        )
    }

    /// Settles an attempt that has ended.
    pub(super) fn conclude<T, E: Classify>(
        &mut self,
        mut started: Started<'a, C>,
        ended: Ended<T, E>,
    ) -> Result<T, CallError<E>> {
        let Executor { shared, policy, clock, .. } = self.executor;
        self.now = clock.now();
        let elapsed = self.now.saturating_since(started.report.begun);
        let error = match ended {
            Ok(Ok(Some(Ok(output)))) => {
                started.admitted.settle(Outcome::Success, self.now);
                started.report.end(None, false, self.now);
                self.earn_retry();
                if let Some(latency) = shared.latency.get() {
                    latency.record(elapsed);
                }
                return Ok(output);
            }
            Ok(Ok(Some(Err(error)))) => CallError::Failed(error),
            Ok(Ok(None)) => CallError::Stalled { after: policy.idle_timeout.unwrap_or_default() },
            Ok(Err(message)) => CallError::Panicked(message),
            Err(Cut::Cancelled) => CallError::Cancelled,
            Err(Cut::Expired) => match (started.time_left, self.deadline) {
                (Some(left), Some(deadline)) if left < policy.timeout => {
                    CallError::DeadlineExceeded { after: deadline, last: None }
                }
                _ => CallError::TimedOut { after: policy.timeout },
            },
        };
        if matches!(error, CallError::Failed(_) | CallError::Panicked(_)) {
            started.admitted.spend();
        }
        let too_long = matches!(
            error,
            CallError::TimedOut { .. } | CallError::Stalled { .. } | CallError::DeadlineExceeded { .. }
        );
        let category = error.category();
        if error.retry_after().is_some() || category == ErrorCategory::RateLimit {
            self.executor.slow_down(self.now, error.retry_after().unwrap_or_default());
        }
        let outcome = self.outcome(category);
        started.admitted.settle(outcome, self.now);
        started.report.end(Some(category), too_long, self.now);
        if outcome != Outcome::Cancelled {
            self.earn_retry();
        }
        if self.failures.len() < REMEMBERED_FAILURES {
            self.failures.push(FailedAttempt { category, elapsed });
        }
        Err(error)
    }

    /// The first attempt that was not cancelled earns the call's share of a retry.
    fn earn_retry(&mut self) {
        if !core::mem::replace(&mut self.has_earned, true) {
            self.executor.payer.earn_retry(self.now);
        }
    }

    fn outcome(&self, category: ErrorCategory) -> Outcome {
        match category {
            ErrorCategory::Cancelled => Outcome::Cancelled,
            category if self.executor.policy.rule(category).trips => Outcome::Failure,
            _ => Outcome::Ignored,
        }
    }
}

impl<C: Sleep> Started<'_, C> {
    /// Runs the tool within the attempt's bounds.
    pub(super) async fn run<T, E, Fut>(&self, running: Fut) -> Ended<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { bounds, progress, .. } = self;
        bounds.run_caught(progress.watch(bounds.clock(), self.idle_timeout, running)).await
    }

    /// The tool's future with what surrounds it: the span, and that calls which it makes know that they are within one.
    pub(super) fn surround<F: Future>(&self, running: F) -> impl Future<Output = F::Output> + use<F, C> {
        self.inside.run(running).instrument(self.report.span())
    }
}
