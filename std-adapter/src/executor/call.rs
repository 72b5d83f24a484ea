//! `Call`: one call under way, from its first admission to its result.

use super::Executor;
use super::admitted::Admitted;
use super::bounded::{Bounds, Cut};
use super::execution::{Execution, FailedAttempt, Stopped};
use super::nested;
use super::parts::Parts;
use super::retry::Retry;
use super::shared::Shared;
use crate::counters::add_one;
use crate::{Attempt, CallError, CallOptions, Classify, ErrorCategory, IdempotencyKey, Progress, RetryHint};
use core::time::Duration;
use fusebox_core::{Ask, Clock, Instant, Outcome, Part, Rejection, Wait};
use std::pin::pin;

/// How many failed attempts a call remembers one by one.
const REMEMBERED_FAILURES: usize = 32;

/// One call under way. Dropped before its end it counts as cancelled.
#[derive(Debug)]
pub(super) struct Call<'a, C: Clock> {
    executor: &'a Executor<C>,
    options: &'a CallOptions,
    started: Instant,
    /// The latest reading of the clock. It is read at the call's begin and after each wait, and serves until the next.
    now: Instant,
    /// The shorter of the caller's deadline and the policy's.
    deadline: Option<Duration>,
    /// What is left of the time that the call may wait for its circuit.
    wait_left: Duration,
    /// Whether an attempt of another call makes this one, and will be retried.
    nested: bool,
    key: Option<IdempotencyKey>,
    /// What the budget has granted for the next attempt.
    retry: Option<Retry<'a, C>>,
    attempts: u32,
    failures: Vec<FailedAttempt>,
    ended: bool,
}

/// Why an admission was given up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    By(Rejection),
    Deadline,
    Cancelled,
}

impl<'a, C: Clock> Call<'a, C> {
    pub(super) fn start(executor: &'a Executor<C>, options: &'a CallOptions) -> Self {
        add_one(&executor.shared.counters.calls);
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
            nested: nested::in_a_retried_attempt(),
            key: options.idempotency_key.clone(),
            retry: None,
            attempts: 0,
            failures: Vec::new(),
            ended: false,
        }
    }

    /// Waits until the circuit admits an attempt, for as long as the policy allows.
    pub(super) async fn admit(&mut self) -> Result<Admitted<'a, C>, Refused> {
        let executor = self.executor;
        let mut woken = false;
        loop {
            // listens before it asks, so that a release in between is not missed
            let mut released = pin!(executor.shared.releases.next());
            if !self.wait_left.is_zero() {
                released.as_mut().enable();
            }
            let answer = self.ask();
            // a bucket that refuses has made the slot look taken meanwhile
            let refused_late =
                matches!(answer, Err(Refused::By(Rejection { by: Part::Bucket | Part::AdaptiveRate, .. })));
            if (woken || refused_late) && executor.shared.has_room(self.now) {
                executor.shared.releases.announce();
            }
            let rejection = match answer {
                Ok(admitted) => return Ok(admitted),
                Err(Refused::By(rejection)) => rejection,
                Err(given_up) => return Err(given_up),
            };
            let Some(wait) = self.worth_waiting(rejection) else {
                return Err(Refused::By(rejection));
            };
            let bounds = Bounds { limit: Some(wait), cancel: self.options.cancel.as_ref() };
            let ended = if rejection.wait == Wait::Release {
                bounds.run(released).await
            } else {
                // stops listening, so that a release goes to a call that waits for one
                released.set(executor.shared.releases.next());
                bounds.run(core::future::pending()).await
            };
            woken = ended.is_ok();
            let asked = core::mem::replace(&mut self.now, executor.clock.now());
            let waited = match ended {
                Err(Cut::Cancelled) => return Err(Refused::Cancelled),
                // at least that, also where the circuit's clock stands still
                Err(Cut::Expired) => self.now.saturating_since(asked).max(wait),
                Ok(()) => self.now.saturating_since(asked),
            };
            self.wait_left = self.wait_left.saturating_sub(waited);
        }
    }

    /// Asks the circuit once, unless the call is over anyway.
    fn ask(&self) -> Result<Admitted<'a, C>, Refused> {
        let executor = self.executor;
        if self.options.cancel.as_ref().is_some_and(|token| token.is_cancelled()) {
            return Err(Refused::Cancelled);
        }
        if self.time_left().is_some_and(|left| left.is_zero()) {
            return Err(Refused::Deadline);
        }
        let Shared { parts, limits, counters, .. } = &*executor.shared;
        let limits = limits.load();
        let ask = Ask { demand: Parts::demand(&limits, self.options.priority), ..Ask::at(self.now) };
        match parts.admit(&limits, &ask) {
            Ok((held, transition)) => {
                counters.count_transition(transition);
                if self.attempts == 0
                    && let Some(policy) = &limits.retry_budget
                {
                    parts.retry_budget().deposit(policy, self.now);
                }
                Ok(Admitted::new(executor, held))
            }
            Err(rejection) => Err(Refused::By(rejection)),
        }
    }

    /// How long to wait for the circuit after a refusal; `None` where that is longer than the call may wait.
    fn worth_waiting(&self, rejection: Rejection) -> Option<Duration> {
        let most = shorter(Some(self.wait_left), self.time_left())?;
        let wait = match rejection.wait {
            // a probe that never reports releases nobody: time does, when its lease is over
            Wait::Release => self.executor.shared.longest_refusal(self.now).map_or(most, |wait| wait.min(most)),
            wait => wait.duration()?,
        };
        (wait <= most && !most.is_zero()).then_some(wait)
    }

    /// Makes one attempt and settles it.
    pub(super) async fn attempt<T, E, F, Fut>(
        &mut self,
        mut admitted: Admitted<'a, C>,
        tool: &mut F,
    ) -> Result<T, CallError<E>>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let Executor { shared, policy, clock } = self.executor;
        let counters = &shared.counters;
        let (begun, time_left) = (self.now, self.time_left());
        add_one(&counters.attempts);
        if self.attempts > 0 {
            add_one(&counters.retries);
        }
        self.attempts = self.attempts.saturating_add(1);
        if let Some(retry) = self.retry.take() {
            retry.made();
        }
        let key = self.key.get_or_insert_with(IdempotencyKey::random).clone();
        let progress = if policy.idle_timeout.is_some() { Progress::watched() } else { Progress::default() };
        let attempt = Attempt::new(self.attempts, time_left, key, progress.clone());
        let retried = self.nested || policy.max_retries > 0;
        let bounds = Bounds { limit: shorter(Some(policy.timeout), time_left), cancel: self.options.cancel.as_ref() };
        let ended = {
            // pinned here, because each future that owned another one would double its size
            let running = pin!(nested::attempt(retried, async { tool(attempt).await }));
            bounds.run_caught(progress.watch(policy.idle_timeout, running)).await
        };

        self.now = clock.now();
        let error = match ended {
            Ok(Ok(Some(Ok(output)))) => {
                admitted.settle(Outcome::Success, self.now);
                return Ok(output);
            }
            Ok(Ok(Some(Err(error)))) => CallError::Failed(error),
            Ok(Ok(None)) => CallError::Stalled { after: policy.idle_timeout.unwrap_or_default() },
            Ok(Err(message)) => CallError::Panicked(message),
            Err(Cut::Cancelled) => CallError::Cancelled,
            Err(Cut::Expired) => match (time_left, self.deadline) {
                (Some(left), Some(deadline)) if left < policy.timeout => {
                    CallError::DeadlineExceeded { after: deadline, last: None }
                }
                _ => CallError::TimedOut { after: policy.timeout },
            },
        };
        match error {
            CallError::Failed(_) | CallError::Panicked(_) => admitted.spend(),
            CallError::TimedOut { .. } | CallError::Stalled { .. } | CallError::DeadlineExceeded { .. } => {
                add_one(&counters.timeouts);
            }
            _ => {}
        }
        let category = error.category();
        if error.retry_after().is_some() || category == ErrorCategory::RateLimit {
            let wait = error.retry_after().unwrap_or_default();
            shared.parts.slow_down(&shared.limits.load(), self.now, wait);
        }
        admitted.settle(self.outcome(category), self.now);
        if self.failures.len() < REMEMBERED_FAILURES {
            self.failures.push(FailedAttempt { category, elapsed: self.now.saturating_since(begun) });
        }
        Err(error)
    }

    fn outcome(&self, category: ErrorCategory) -> Outcome {
        match category {
            ErrorCategory::Cancelled => Outcome::Cancelled,
            category if self.executor.policy.rule(category).trips => Outcome::Failure,
            _ => Outcome::Ignored,
        }
    }

    /// Waits for the time of the next attempt, or says at once why there is none.
    pub(super) async fn pause<E: Classify>(&mut self, error: &CallError<E>) -> Result<(), Stopped> {
        let delay = self.delay(error)?;
        self.retry = Some(Retry::withdraw(self.executor, self.now).ok_or(Stopped::RetryBudget)?);
        let bounds = Bounds { limit: Some(delay), cancel: self.options.cancel.as_ref() };
        let ended = bounds.run(core::future::pending::<()>()).await;
        self.now = self.executor.clock.now();
        if ended == Err(Cut::Cancelled) { Err(Stopped::Cancelled) } else { Ok(()) }
    }

    fn delay<E: Classify>(&self, error: &CallError<E>) -> Result<Duration, Stopped> {
        let policy = &self.executor.policy;
        match error {
            CallError::Cancelled => return Err(Stopped::Cancelled),
            CallError::DeadlineExceeded { .. } => return Err(Stopped::Deadline),
            CallError::Panicked(_) => return Err(Stopped::NotRetryable),
            _ if !policy.rule(error.category()).retry => return Err(Stopped::NotRetryable),
            _ => {}
        }
        match error.retry_hint() {
            RetryHint::Never => return Err(Stopped::ToldNotTo),
            RetryHint::ByCategory if !policy.idempotent => return Err(Stopped::NotIdempotent),
            RetryHint::ByCategory | RetryHint::NothingDone => {}
        }
        if self.attempts > policy.max_retries {
            return Err(Stopped::RetriesExhausted);
        }
        if self.nested && !policy.nested_retries {
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
        let Some(wait) = self.executor.shared.breaker_refusal(self.now) else { return Ok(delay) };
        let in_vain = match wait {
            Wait::Nanos(nanos) => Duration::from_nanos(nanos) > delay.saturating_add(self.wait_left),
            Wait::Release => false, // the probe of another call may have ended by then
            Wait::Never => true,
        };
        if in_vain { Err(Stopped::Rejected(Rejection { by: Part::Breaker, wait })) } else { Ok(delay) }
    }

    pub(super) fn succeed<T, E>(self, output: T) -> Execution<T, E> {
        add_one(&self.executor.shared.counters.succeeded);
        self.end(Ok(output), None)
    }

    /// Ends a call whose last attempt failed.
    pub(super) fn fail<T, E>(self, error: CallError<E>, stopped: Stopped) -> Execution<T, E> {
        let counters = &self.executor.shared.counters;
        match (&error, stopped) {
            (CallError::Cancelled, _) => add_one(&counters.cancelled),
            (CallError::Rejected(rejection), _) => counters.count_rejection(rejection.by),
            _ => add_one(&counters.failed),
        }
        match stopped {
            Stopped::RetryBudget => add_one(&counters.retries_over_budget),
            Stopped::Nested => add_one(&counters.retries_nested),
            _ => {}
        }
        self.end(Err(error), Some(stopped))
    }

    /// Ends a call whose next attempt was not admitted; an earlier failure tells more than the refusal.
    pub(super) fn refuse<T, E>(self, refused: Refused, last: Option<CallError<E>>) -> Execution<T, E> {
        match (refused, last) {
            (Refused::Cancelled, _) => self.fail(CallError::Cancelled, Stopped::Cancelled),
            (Refused::Deadline, Some(last)) => self.fail(last, Stopped::Deadline),
            (Refused::Deadline, None) => {
                let after = self.deadline.unwrap_or_default();
                self.fail(CallError::DeadlineExceeded { after, last: None }, Stopped::Deadline)
            }
            (Refused::By(rejection), Some(last)) => self.fail(last, Stopped::Rejected(rejection)),
            (Refused::By(rejection), None) => self.fail(CallError::Rejected(rejection), Stopped::Rejected(rejection)),
        }
    }

    fn end<T, E>(mut self, result: Result<T, CallError<E>>, stopped: Option<Stopped>) -> Execution<T, E> {
        self.ended = true;
        let elapsed = self.now.saturating_since(self.started);
        Execution { result, attempts: self.attempts, elapsed, failures: core::mem::take(&mut self.failures), stopped }
    }

    /// What is left of the deadline.
    fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(self.now.saturating_since(self.started)))
    }
}

impl<C: Clock> Drop for Call<'_, C> {
    fn drop(&mut self) {
        if !self.ended {
            add_one(&self.executor.shared.counters.cancelled);
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
