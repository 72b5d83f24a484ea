//! `TimeoutLayer`: bounds the time until a service answers, for one attempt or for a whole call.

use super::service_circuit::ServiceCircuit;
use crate::{CallError, ConfigError, DurationText, Policy, PolicyConfig};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;

/// Bounds the time until a service answers.
///
/// The time counts from the response's first poll, so waiting in `poll_ready` is not in it, and it ends with the
/// response, not with its body. When it is over the service's future is dropped.
///
/// ```
/// use fusebox::CallError;
/// use fusebox::tower::TimeoutLayer;
/// use std::{io, time::Duration};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let service = ServiceBuilder::new()
///     .layer(TimeoutLayer::new(Duration::from_secs(2))?)
///     .service(service_fn(|()| std::future::pending::<io::Result<()>>()));
/// assert!(matches!(service.oneshot(()).await, Err(CallError::TimedOut { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    bound: Bound,
}

/// How long, and which error says so.
#[derive(Clone, Copy, Debug)]
enum Bound {
    None,
    Attempt(Duration),
    Call(Duration),
}

impl TimeoutLayer {
    /// One attempt may take so long, 1 ms to 365 days; then it ends as [`CallError::TimedOut`].
    ///
    /// # Errors
    /// The time, where it is out of range.
    pub fn new(timeout: Duration) -> Result<Self, ConfigError> {
        Policy::new(&PolicyConfig { timeout: Some(DurationText(timeout)), ..PolicyConfig::default() })?;
        Ok(Self { bound: Bound::Attempt(timeout) })
    }

    /// A whole call may take so long, 1 ms to 365 days; then it ends as [`CallError::DeadlineExceeded`]. For outside of
    /// a [`RetryLayer`](super::RetryLayer), to bound all attempts together with the waits between them.
    ///
    /// # Errors
    /// The time, where it is out of range.
    pub fn deadline(deadline: Duration) -> Result<Self, ConfigError> {
        Policy::new(&PolicyConfig { deadline: Some(DurationText(deadline)), ..PolicyConfig::default() })?;
        Ok(Self { bound: Bound::Call(deadline) })
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService { inner, source: Source::Layer(self.bound) }
    }
}

/// A service whose answers are bounded in time, made by [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    source: Source,
}

/// Who says how long.
#[derive(Clone, Debug)]
enum Source {
    Layer(Bound),
    /// The `timeout` of the policy in force.
    AttemptsOf(ServiceCircuit),
    /// Its `deadline`.
    CallsOf(ServiceCircuit),
}

impl Source {
    fn bound(&self) -> Bound {
        match self {
            Self::Layer(bound) => *bound,
            Self::AttemptsOf(circuit) => Bound::Attempt(circuit.layer_policy().policy.timeout),
            Self::CallsOf(circuit) => circuit.layer_policy().policy.deadline.map_or(Bound::None, Bound::Call),
        }
    }
}

impl<S> TimeoutService<S> {
    /// Bounds attempts as the circuit's policy says.
    pub(super) const fn of_attempts(inner: S, circuit: ServiceCircuit) -> Self {
        Self { inner, source: Source::AttemptsOf(circuit) }
    }

    /// Bounds calls as the circuit's policy says.
    pub(super) const fn of_calls(inner: S, circuit: ServiceCircuit) -> Self {
        Self { inner, source: Source::CallsOf(circuit) }
    }

    /// The service that is bounded.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S: Service<Request>, Request> Service<Request> for TimeoutService<S> {
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(CallError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        TimeoutFuture { future: Some(self.inner.call(request)), timer: None, bound: self.source.bound() }
    }
}

pin_project! {
    /// The response of a [`TimeoutService`]. One that is ready at once never arms a timer.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutFuture<F> {
        // gone when the call has ended
        #[pin]
        future: Option<F>,
        #[pin]
        timer: Option<Sleep>,
        bound: Bound,
    }
}

impl<F, T, E> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, CallError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        if let Poll::Ready(result) = future.poll(cx) {
            this.future.set(None);
            this.timer.set(None);
            return Poll::Ready(result.map_err(CallError::Failed));
        }
        let (after, error) = match *this.bound {
            Bound::None => return Poll::Pending,
            Bound::Attempt(after) => (after, CallError::TimedOut { after }),
            Bound::Call(after) => (after, CallError::DeadlineExceeded { after, last: None }),
        };
        if this.timer.is_none() {
            this.timer.set(Some(tokio::time::sleep(after)));
        }
        let expired = this.timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready());
        if !expired {
            return Poll::Pending;
        }
        this.future.set(None);
        this.timer.set(None);
        Poll::Ready(Err(error))
    }
}
