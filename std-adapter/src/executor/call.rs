//! `Call`: one call under way, from its first admission to its result.

mod admit;
mod attempt;
mod hedge;
mod pause;
mod report;

use super::Executor;
use super::execution::{Execution, FailedAttempt, Stopped};
use super::nested::Nested;
use super::retry::Retry;
use crate::telemetry::{CallSpan, Ending, Failure, GivenUp};
use crate::{CallError, CallOptions, Classify, ErrorCategory, IdempotencyKey, Refusal, Sleep};
use core::time::Duration;
use fusebox_core::Instant;
use tracing::Span;

/// One call under way. Dropped before its end it counts as cancelled.
#[derive(Debug)]
pub(super) struct Call<'a, C: Sleep> {
    executor: &'a Executor<C>,
    options: &'a CallOptions,
    started: Instant,
    /// The latest reading of the clock. It is read at the call's begin and after each wait, and serves until the next.
    now: Instant,
    /// The shorter of the caller's deadline and the policy's.
    deadline: Option<Duration>,
    /// What is left of the time that the call may wait for its circuit.
    wait_left: Duration,
    /// The attempt of another call that makes this one.
    nested: Nested,
    key: Option<IdempotencyKey>,
    /// What the budget has granted for the next attempt.
    retry: Option<Retry<'a, C>>,
    /// Whether the call has earned its share of a retry: a call that is cancelled earns none.
    has_earned: bool,
    attempts: u32,
    failures: Vec<FailedAttempt>,
    span: CallSpan,
    ended: bool,
}

/// Why an admission was given up.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    By(Refusal),
    Deadline,
    Cancelled,
}

impl<'a, C: Sleep> Call<'a, C> {
    pub(super) fn start(executor: &'a Executor<C>, options: &'a CallOptions) -> Self {
        let span = executor.shared.telemetry.call_started();
        let now = executor.clock.now();
        let policy = &executor.policy;
        let waits = policy.rule(ErrorCategory::CircuitOpen).retry;
        Self {
            executor,
            options,
            started: now,
            now,
            deadline: shorter(policy.deadline, options.deadline),
            wait_left: if waits { policy.max_wait } else { Duration::ZERO },
            nested: Nested::around(),
            key: options.idempotency_key.clone(),
            retry: None,
            has_earned: false,
            attempts: 0,
            failures: Vec::new(),
            span,
            ended: false,
        }
    }

    pub(super) fn succeed<T, E: Classify>(self, output: T) -> Execution<T, E> {
        self.end(Ok(output), None)
    }

    /// Ends a call whose last attempt failed.
    pub(super) fn fail<T, E: Classify>(self, error: CallError<E>, stopped: Stopped) -> Execution<T, E> {
        let Executor { shared, key, .. } = self.executor;
        match &stopped {
            Stopped::Rejected(refusal) => shared.telemetry.refused(key.as_ref(), refusal, self.now),
            Stopped::RetryBudget => shared.telemetry.retry_given_up(GivenUp::Budget, self.attempts, self.now),
            Stopped::Nested => shared.telemetry.retry_given_up(GivenUp::Nested, self.attempts, self.now),
            _ => {}
        }
        self.end(Err(error), Some(stopped))
    }

    /// Ends a call whose next attempt was not admitted; an earlier failure tells more than the refusal.
    pub(super) fn refuse<T, E: Classify>(self, refused: Refused, last: Option<CallError<E>>) -> Execution<T, E> {
        match (refused, last) {
            (Refused::Cancelled, _) => self.fail(CallError::Cancelled, Stopped::Cancelled),
            (Refused::Deadline, Some(last)) => self.fail(last, Stopped::Deadline),
            (Refused::Deadline, None) => {
                let after = self.deadline.unwrap_or_default();
                self.fail(CallError::DeadlineExceeded { after, last: None }, Stopped::Deadline)
            }
            (Refused::By(refusal), Some(last)) => self.fail(last, Stopped::Rejected(refusal)),
            (Refused::By(refusal), None) => self.fail(CallError::Rejected(refusal.clone()), Stopped::Rejected(refusal)),
        }
    }

    fn end<T, E: Classify>(mut self, result: Result<T, CallError<E>>, stopped: Option<Stopped>) -> Execution<T, E> {
        self.ended = true;
        let elapsed = self.now.saturating_since(self.started);
        let ending = Ending { attempts: self.attempts, elapsed, failure: result.as_ref().err().map(Failure::from) };
        self.executor.shared.telemetry.call_ended(&self.span, &ending, self.now);
        let unavailable = result.as_ref().is_err_and(|error| {
            if matches!(error, CallError::Cancelled) {
                return false; // nobody wants an answer
            }
            let category = error.category();
            category == ErrorCategory::CircuitOpen || self.executor.policy.rule(category).trips
        });
        Execution {
            result,
            attempts: self.attempts,
            elapsed,
            failures: core::mem::take(&mut self.failures),
            stopped,
            fallback_for: None,
            unavailable,
        }
    }

    /// The span that the call runs in.
    pub(super) fn span(&self) -> Span {
        self.span.span().clone()
    }

    /// What is left of the deadline.
    fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(self.now.saturating_since(self.started)))
    }
}

impl<C: Sleep> Drop for Call<'_, C> {
    fn drop(&mut self) {
        if !self.ended {
            let now = self.executor.clock.now();
            let elapsed = now.saturating_since(self.started);
            self.executor.shared.telemetry.call_cancelled(&self.span, self.attempts, elapsed, now);
        }
    }
}

/// The shorter of two limits, where `None` is no limit.
fn shorter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
