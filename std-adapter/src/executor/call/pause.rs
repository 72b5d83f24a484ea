//! What follows a failed attempt: a wait, or the reason why there is no other one. The one place where retries are gated.

use super::super::bounded::{Bounds, Cut};
use super::super::execution::Stopped;
use super::super::retry::Retry;
use super::Call;
use crate::{CallError, Classify, RetryHint, Sleep};
use core::time::Duration;
use fusebox_core::{Part, Rejection, Wait};

impl<C: Sleep> Call<'_, C> {
    /// Waits for the time of the next attempt, or says at once why there is none.
    pub(in super::super) async fn pause<E: Classify>(&mut self, error: &CallError<E>) -> Result<(), Stopped> {
        let delay = self.delay(error)?;
        self.retry = Some(Retry::withdraw(self.executor, self.now).ok_or(Stopped::RetryBudget)?);
        let next = self.attempts.saturating_add(1);
        self.executor.shared.telemetry.retry_scheduled(next, delay, self.now);
        let bounds = Bounds::new(&self.executor.clock, Some(delay), self.options.cancel.as_ref());
        let ended = bounds.run(core::future::pending::<()>()).await;
        self.now = self.executor.clock.now();
        if ended == Err(Cut::Cancelled) { Err(Stopped::Cancelled) } else { Ok(()) }
    }

    fn delay<E: Classify>(&self, error: &CallError<E>) -> Result<Duration, Stopped> {
        let policy = &self.executor.policy;
        match error {
            CallError::Cancelled => return Err(Stopped::Cancelled),
            CallError::DeadlineExceeded { .. } => return Err(Stopped::Deadline),
            _ => self.can_help(error)?,
        }
        if self.attempts > policy.max_retries {
            return Err(Stopped::RetriesExhausted);
        }
        if self.nested.retried && !policy.nested_retries {
            return Err(Stopped::Nested);
        }
        let asked = error.retry_after().unwrap_or_default();
        if asked > policy.backoff.config().cap {
            return Err(Stopped::RetryAfterTooLong);
        }
        let delay = policy.backoff.delay(self.attempts.saturating_sub(1), fastrand::u64(..)).max(asked);
        if self.time_left().is_some_and(|left| left <= delay) {
            return Err(Stopped::Deadline);
        }
        let own = &self.executor.own;
        let Some(wait) = own.breaker_refusal(self.now) else { return Ok(delay) };
        let in_vain = match wait {
            Wait::Nanos(nanos) => Duration::from_nanos(nanos) > delay.saturating_add(self.wait_left),
            Wait::Release => false, // the probe of another call may have ended by then
            Wait::Never => true,
        };
        if in_vain { Err(Stopped::Rejected(own.refusal(Rejection { by: Part::Breaker, wait }))) } else { Ok(delay) }
    }

    /// Whether another attempt can help after `error`, and may be made.
    pub(super) fn can_help<E: Classify>(&self, error: &CallError<E>) -> Result<(), Stopped> {
        let policy = &self.executor.policy;
        if matches!(error, CallError::Panicked(_)) || !policy.rule(error.category()).retry {
            return Err(Stopped::NotRetryable);
        }
        match error.retry_hint() {
            RetryHint::Never => Err(Stopped::ToldNotTo),
            RetryHint::ByCategory if !policy.idempotent => Err(Stopped::NotIdempotent),
            RetryHint::ByCategory | RetryHint::NothingDone => Ok(()),
        }
    }
}
