//! `RetryFuture`: the response of a request that is made again while it fails.

use super::judge::{Judge, Verdict};
use super::repeat::RepeatRequest;
use super::retry_budget::{GrantedRetry, SharedBudget};
use crate::{ErrorCategory, RetryHint};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use pin_project_lite::pin_project;
use std::fmt;
use tokio::time::Sleep;
use tower_service::Service;

pin_project! {
    /// The response of a [`RetryService`](super::RetryService). Dropped between two attempts it holds nothing; the retry
    /// that it was granted goes back to the budget.
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, R, Q, J>
    where
        S: Service<R>,
    {
        #[pin]
        state: State<S::Future>,
        // makes the retries
        service: S,
        // for the next attempt; none where there can be none
        request: Option<R>,
        idempotent: bool,
        retries: u32,
        // what the budget has granted for the next attempt
        granted: Option<GrantedRetry>,
        // the error of the attempt before
        last: Option<S::Error>,
        budget: SharedBudget,
        repeat: Q,
        judge: J,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling { #[pin] future: F },
        BackingOff { #[pin] timer: Sleep },
        GettingReady,
    }
}

impl<S, R, Q, J> RetryFuture<S, R, Q, J>
where
    S: Clone + Service<R>,
    Q: RepeatRequest<R>,
{
    /// Makes the first attempt with `ready`, and the others with a clone of it.
    pub(super) fn begin(ready: &mut S, request: R, budget: SharedBudget, repeat: Q, judge: J) -> Self {
        let policy = budget.policy();
        let idempotent = policy.idempotent && repeat.is_idempotent(&request);
        let copy = if policy.max_retries > 0 { repeat.copy(&request) } else { None };
        Self {
            service: ready.clone(),
            state: State::Calling { future: ready.call(request) },
            request: copy,
            idempotent,
            retries: 0,
            granted: None,
            last: None,
            budget,
            repeat,
            judge,
        }
    }
}

impl<S, R, Q, J> Future for RetryFuture<S, R, Q, J>
where
    S: Service<R>,
    Q: RepeatRequest<R>,
    J: Judge<S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { future } => {
                    let result = ready!(future.poll(cx));
                    let verdict = this.judge.judge(result.as_ref());
                    let refused = verdict.category == Some(ErrorCategory::CircuitOpen);
                    if refused && let Some(last) = this.last.take() {
                        return Poll::Ready(Err(last)); // it tells more than the refusal
                    }
                    let wait = match this.request {
                        Some(_) => delay(this.budget, *this.retries, *this.idempotent, verdict),
                        None => None,
                    };
                    let granted = wait.and_then(|wait| Some((wait, this.budget.withdraw()?)));
                    let Some((wait, granted)) = granted else { return Poll::Ready(result) };
                    *this.granted = Some(granted);
                    *this.last = result.err();
                    match wait {
                        Duration::ZERO => State::GettingReady,
                        wait => State::BackingOff { timer: tokio::time::sleep(wait) },
                    }
                }
                StateProjection::BackingOff { timer } => {
                    ready!(timer.poll(cx));
                    State::GettingReady
                }
                StateProjection::GettingReady => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        return Poll::Ready(Err(this.last.take().unwrap_or(error)));
                    }
                    let Some(request) = this.request.take() else { return Poll::Pending };
                    *this.retries = this.retries.saturating_add(1);
                    let is_last = *this.retries >= this.budget.policy().max_retries;
                    *this.request = if is_last { None } else { this.repeat.copy(&request) };
                    if let Some(granted) = this.granted.take() {
                        granted.make();
                    }
                    State::Calling { future: this.service.call(request) }
                }
            };
            this.state.set(next);
        }
    }
}

/// How long to wait before the next attempt; `None` where there is none.
fn delay(budget: &SharedBudget, retries: u32, idempotent: bool, verdict: Verdict) -> Option<Duration> {
    let policy = budget.policy();
    let category = verdict.category.filter(|category| policy.rule(*category).retry)?;
    let does_no_harm = match verdict.retry_hint {
        RetryHint::Never => false,
        RetryHint::ByCategory => idempotent,
        RetryHint::NothingDone => true,
    };
    let asked = verdict.retry_after.unwrap_or_default();
    if category == ErrorCategory::CircuitOpen || !does_no_harm || asked > policy.backoff.config().cap {
        return None;
    }
    Some(policy.backoff.delay(retries, fastrand::u64(..)).max(asked))
}

impl<S: Service<R>, R, Q, J> fmt::Debug for RetryFuture<S, R, Q, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture").field("retries", &self.retries).finish_non_exhaustive()
    }
}
