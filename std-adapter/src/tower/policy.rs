//! `PolicyLayer`: a whole policy in one layer: deadline, retry, circuit and timeout, in the order that works.

use super::call_report::{CallReport, SoFar, failed};
use super::circuit_layer::{CircuitLayer, WhenRefused};
use super::circuit_service::CircuitService;
use super::http_status::HttpStatus;
use super::judge::{ByError, Judge, Within, of_the_layer};
use super::repeat::{RepeatAny, RepeatHttp, RepeatRequest};
use super::retry::RetryService;
use super::service_circuit::ServiceCircuit;
use super::timeout::TimeoutService;
use crate::telemetry::Failure;
use crate::{CallError, ConfigError, ErrorCategory, PolicyConfig};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use fusebox_core::{Priority, RetryBudgetSnapshot};
use pin_project_lite::pin_project;
use std::sync::Arc;
use tower_layer::Layer;
use tower_service::Service;

/// Puts services under a whole policy, from the outside in:
///
/// | layer | bounds | fields |
/// |---|---|---|
/// | deadline | the call, with all attempts and waits | `deadline` |
/// | retry | how often, and how many of all calls | `max_retries`, `idempotent`, `nested_retries`, `backoff`, `retry_budget` |
/// | circuit | each attempt asks, each is settled | `breaker`, `rate`, `priorities`, `bulkhead`, `throttle`, `max_wait` |
/// | timeout | each attempt | `timeout` |
///
/// `categories` say what follows from an error. It is [`TimeoutLayer::deadline`](super::TimeoutLayer::deadline),
/// [`RetryLayer`](super::RetryLayer), [`CircuitLayer`] and [`TimeoutLayer::new`](super::TimeoutLayer::new) stacked, with
/// one error for all of them. What these say of waiting and sharing goes for this layer too. Without a `max_wait` a call
/// waits for a slot and for the rate limit as long as it takes, before its `deadline` begins to run.
///
/// [`ServiceCircuit::change_policy`] changes all of it while calls go on.
///
/// ```
/// use fusebox::tower::PolicyLayer;
/// use fusebox::{ErrorCategory, PolicyConfig, ToolError};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let service = ServiceBuilder::new()
///     .layer(PolicyLayer::new(&PolicyConfig { max_retries: Some(1), ..Default::default() })?)
///     .service(service_fn(|_: u32| async { Err::<(), _>(ToolError::new(ErrorCategory::Network, "reset")) }));
///
/// let error = service.clone().oneshot(7).await.unwrap_err();
/// assert_eq!(error.to_string(), "reset");
/// let breaker = service.circuit().snapshot().breaker.expect("the default policy has one");
/// assert_eq!(breaker.failures, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PolicyLayer<Q = RepeatAny, J = ByError> {
    circuit: CircuitLayer<Within<J>>,
    repeat: Q,
}

impl PolicyLayer {
    /// The policy of `config`; errors count as they say, by [`Classify`](crate::Classify), and every request is idempotent
    /// unless the configuration says otherwise.
    ///
    /// # Errors
    /// The first field that is not allowed, or that no layer can keep: `hedge` and `idle_timeout`.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        let circuit = CircuitLayer::new(config)?.of_attempts().judged_by(Within(ByError));
        Ok(Self { circuit, repeat: RepeatAny })
    }
}

impl PolicyLayer<RepeatHttp, HttpStatus> {
    /// The policy of `config`, for HTTP: answers count by their status, see [`HttpStatus`], and requests are idempotent
    /// by their method or key, see [`RepeatHttp`].
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn http(config: &PolicyConfig) -> Result<Self, ConfigError> {
        Ok(PolicyLayer::new(config)?.repeated_by(RepeatHttp).judged_by(HttpStatus::new()))
    }
}

impl<Q, J> PolicyLayer<Q, J> {
    /// The same policy, with answers that count as `judge` says. It sees the service's own errors only.
    #[must_use]
    pub fn judged_by<K: Clone>(self, judge: K) -> PolicyLayer<Q, K> {
        PolicyLayer { circuit: self.circuit.judged_by(Within(judge)), repeat: self.repeat }
    }

    /// The same policy, with requests that are repeated as `repeat` says.
    #[must_use]
    pub fn repeated_by<R>(self, repeat: R) -> PolicyLayer<R, J> {
        PolicyLayer { circuit: self.circuit, repeat }
    }

    /// The same policy under a name, see [`CircuitLayer::named`].
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.circuit = self.circuit.named(name);
        self
    }

    /// The same policy, for services whose calls are of this priority, see [`CircuitLayer::priority`].
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.circuit = self.circuit.priority(priority);
        self
    }

    /// The same policy, with another answer to a refusal, see [`CircuitLayer`].
    #[must_use]
    pub fn when_refused(mut self, when_refused: WhenRefused) -> Self {
        self.circuit = self.circuit.when_refused(when_refused);
        self
    }

    /// The same policy, whose `max_wait` is this.
    #[must_use]
    pub fn max_wait(mut self, max: Duration) -> Self {
        self.circuit = self.circuit.max_wait(max);
        self
    }

    /// One circuit and one retry budget for all services that this layer and its clones are applied to. They are fresh;
    /// services of before keep theirs.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.circuit = self.circuit.shared();
        self
    }

    /// The circuit that all services share, where the layer is [`shared`](PolicyLayer::shared).
    pub const fn circuit(&self) -> Option<&ServiceCircuit> {
        self.circuit.circuit()
    }
}

impl<S, Q: Clone, J: Clone> Layer<S> for PolicyLayer<Q, J> {
    type Service = PolicyService<S, Q, J>;

    fn layer(&self, inner: S) -> Self::Service {
        let circuit = self.circuit.circuit_of_next();
        let bounded = TimeoutService::of_attempts(inner, circuit.clone());
        let attempts = self.circuit.put_behind(circuit.clone(), bounded);
        let judge = Within(self.circuit.judge().clone());
        let retried = RetryService::new(attempts, circuit.clone(), self.repeat.clone(), judge);
        PolicyService { stack: TimeoutService::of_calls(retried, circuit) }
    }
}

type Attempts<S, J> = CircuitService<TimeoutService<S>, Within<J>>;
type Stack<S, Q, J> = TimeoutService<RetryService<Attempts<S, J>, Q, Within<Within<J>>>>;

/// A service under a whole policy, made by [`PolicyLayer`]. Clones share circuit and retry budget.
#[derive(Clone, Debug)]
pub struct PolicyService<S, Q = RepeatAny, J = ByError> {
    stack: Stack<S, Q, J>,
}

impl<S, Q, J> PolicyService<S, Q, J> {
    /// The circuit, which clones of this service share.
    pub const fn circuit(&self) -> &ServiceCircuit {
        self.stack.get_ref().get_ref().circuit()
    }

    /// The state of the retry budget, where the policy has one.
    pub fn retry_budget(&self) -> Option<RetryBudgetSnapshot> {
        self.stack.get_ref().retry_budget()
    }

    /// The service under the policy.
    pub const fn get_ref(&self) -> &S {
        self.stack.get_ref().get_ref().get_ref().get_ref()
    }
}

impl<S, Q, J, Request> Service<Request> for PolicyService<S, Q, J>
where
    S: Clone + Service<Request>,
    Q: Clone + RepeatRequest<Request>,
    J: Clone + Judge<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = PolicyFuture<<Stack<S, Q, J> as Service<Request>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx).map_err(flatten_all)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let circuit = self.circuit();
        let mut report = CallReport::begin(circuit, circuit.now());
        let future = report.watch(|| self.stack.call(request));
        PolicyFuture { future, report: Some(report) }
    }
}

pin_project! {
    /// The response of a [`PolicyService`]. It may be dropped at any time; what it holds goes back.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct PolicyFuture<F> {
        #[pin]
        future: F,
        // of the call, until it is told
        report: Option<CallReport>,
    }
}

/// The error of three layers, one within another.
type Threefold<E> = CallError<CallError<CallError<E>>>;

impl<F, T, E> Future for PolicyFuture<F>
where
    F: Future<Output = Result<T, Threefold<E>>>,
{
    type Output = Result<T, CallError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = || this.future.poll(cx);
        let result = ready!(match this.report {
            Some(report) => report.watch(poll),
            None => poll(),
        });
        let result = result.map_err(flatten_all);
        if let Some(report) = this.report.take() {
            let so_far = report.so_far();
            report.end(so_far.attempts, failure(result.as_ref().err(), so_far));
        }
        Poll::Ready(result)
    }
}

fn flatten_all<E>(error: Threefold<E>) -> CallError<E> {
    error.flatten().flatten()
}

/// How a call counts that has ended with `error` or an answer.
fn failure<E>(error: Option<&CallError<E>>, so_far: SoFar) -> Option<Failure> {
    let of_the_service = || so_far.category.map(failed);
    match error.map(of_the_layer) {
        None => of_the_service(),
        // of `poll_ready`, where there was no attempt
        Some(Err(_)) => of_the_service().or(Some(failed(ErrorCategory::ExecutionError))),
        Some(Ok(error)) => {
            let failure = Failure::from(&error);
            // only a call without an attempt was refused; the others have failed before
            Some(Failure { refused_by: failure.refused_by.filter(|_| so_far.attempts == 0), ..failure })
        }
    }
}
