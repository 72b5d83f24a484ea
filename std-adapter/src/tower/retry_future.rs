//! `RetryFuture`: the response of a request that is made again while it fails.

use super::judge::{Judge, Verdict};
use super::repeat::RepeatRequest;
use super::retry_budget::GrantedRetry;
use super::service_circuit::ServiceCircuit;
use crate::executor::Nested;
use crate::{ErrorCategory, GivenUp, Policy, RetryHint};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use pin_project_lite::pin_project;
use std::fmt;
use std::sync::Arc;
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
        // whether it can be made more than once at all
        repeatable: bool,
        retries: u32,
        // what the budget has granted for the next attempt
        granted: Option<GrantedRetry>,
        // the error of the attempt before
        last: Option<S::Error>,
        circuit: ServiceCircuit,
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
    pub(super) fn begin(ready: &mut S, request: R, circuit: ServiceCircuit, repeat: Q, judge: J) -> Self {
        let policy = Arc::clone(&circuit.layer_policy().policy);
        let idempotent = policy.idempotent && repeat.is_idempotent(&request);
        let copy = if policy.max_retries > 0 { repeat.copy(&request) } else { None };
        let repeatable = copy.is_some();
        Self {
            service: ready.clone(),
            state: State::Calling { future: inside(repeatable).run_now(|| ready.call(request)) },
            request: copy,
            idempotent,
            repeatable,
            retries: 0,
            granted: None,
            last: None,
            circuit,
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
                    let result = ready!(inside(*this.repeatable).run_now(|| future.poll(cx)));
                    let verdict = this.judge.judge(result.as_ref());
                    let refused = verdict.category == Some(ErrorCategory::CircuitOpen);
                    if refused && let Some(last) = this.last.take() {
                        return Poll::Ready(Err(last)); // it tells more than the refusal
                    }
                    let now = this.circuit.now();
                    // a call that was refused or cancelled earns nothing
                    if *this.retries == 0 && !refused && verdict.category != Some(ErrorCategory::Cancelled) {
                        this.circuit.limiter().earn_retry(now);
                    }
                    if this.request.is_none() {
                        return Poll::Ready(result);
                    }
                    let attempts = this.retries.saturating_add(1);
                    let wait = delay(&this.circuit.layer_policy().policy, *this.retries, *this.idempotent, verdict);
                    let granted = wait.and_then(|wait| {
                        let granted = GrantedRetry::withdraw(this.circuit).ok_or(Some(GivenUp::Budget))?;
                        Ok((wait, granted))
                    });
                    let (wait, granted) = match granted {
                        Ok(granted) => granted,
                        Err(why) => {
                            if let Some(why) = why {
                                this.circuit.telemetry().retry_given_up(why, attempts, now);
                            }
                            return Poll::Ready(result);
                        }
                    };
                    this.circuit.telemetry().retry_scheduled(attempts.saturating_add(1), wait, now);
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
                    let is_last = *this.retries >= this.circuit.layer_policy().policy.max_retries;
                    *this.request = if is_last { None } else { this.repeat.copy(&request) };
                    if let Some(granted) = this.granted.take() {
                        granted.make();
                    }
                    let future = inside(*this.repeatable).run_now(|| this.service.call(request));
                    State::Calling { future }
                }
            };
            this.state.set(next);
        }
    }
}

/// How long to wait before the next attempt; an error where there is none, and the limit on retries that says so.
fn delay(policy: &Policy, retries: u32, idempotent: bool, verdict: Verdict) -> Result<Duration, Option<GivenUp>> {
    let category = verdict.category.filter(|category| policy.rule(*category).retry).ok_or(None)?;
    let does_no_harm = match verdict.retry_hint {
        RetryHint::Never => false,
        RetryHint::ByCategory => idempotent,
        RetryHint::NothingDone => true,
    };
    if category == ErrorCategory::CircuitOpen || !does_no_harm || retries >= policy.max_retries {
        return Err(None);
    }
    if Nested::around().retried && !policy.nested_retries {
        return Err(Some(GivenUp::Nested));
    }
    let asked = verdict.retry_after.unwrap_or_default();
    if asked > policy.backoff.config().cap {
        return Err(None);
    }
    Ok(policy.backoff.delay(retries, fastrand::u64(..)).max(asked))
}

/// What calls that are made by an attempt know of it. Asked anew for each poll: where the request is made need not be where
/// its response is polled.
fn inside(repeatable: bool) -> Nested {
    let around = Nested::around();
    Nested { retried: around.retried || repeatable, ..around }
}

impl<S: Service<R>, R, Q, J> fmt::Debug for RetryFuture<S, R, Q, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture").field("retries", &self.retries).finish_non_exhaustive()
    }
}
