//! `RetryLayer`: makes a failed request again where that can help and does no harm.

use super::judge::{ByError, Judge};
use super::repeat::{RepeatAny, RepeatRequest};
use super::retry_budget::SharedBudget;
use super::retry_future::RetryFuture;
use crate::{ConfigError, Policy, PolicyConfig};
use core::task::{Context, Poll};
use fusebox_core::RetryBudgetSnapshot;
use tower_layer::Layer;
use tower_service::Service;

/// Makes a failed request again where that can help and does no harm.
///
/// A request is made again after the backoff or after as long as the service asks its callers to stay away, whichever is
/// longer, unless
/// - its answer is a success, or of a category that is not retried, or says that a retry is in vain, see [`Judge`];
/// - it is not idempotent or cannot be copied, see [`RepeatRequest`];
/// - no retry is left, or none in the retry budget;
/// - the service asks for more than the backoff's cap;
/// - a circuit has refused it: to wait for a circuit is that circuit's `max_wait`.
///
/// Then the answer is the last one, as it is. Where a circuit behind this layer refuses the retry of an error, it is that
/// error. An answer that is retried is dropped before the wait, so that its connection is free.
///
/// **Whose budget.** Each service that the layer is applied to gets a budget of its own, which its clones share. After
/// [`RetryLayer::shared`] all services of the layer and of its clones share one.
///
/// **Order.** Put it outside of the circuit, so that each attempt asks, and the timeout of attempts inside. Errors are
/// those of the service; this layer has none. Retries of one layer within those of another multiply.
#[derive(Clone, Debug)]
pub struct RetryLayer<Q = RepeatAny, J = ByError> {
    policy: Policy,
    repeat: Q,
    judge: J,
    shared: Option<SharedBudget>,
}

impl RetryLayer {
    /// Retries as `config` says in `max_retries`, `idempotent`, `backoff`, `retry_budget` and `categories`.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        Ok(Self { policy: Policy::new(config)?, repeat: RepeatAny, judge: ByError, shared: None })
    }
}

impl<Q, J> RetryLayer<Q, J> {
    /// The same layer, with answers that count as `judge` says.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> RetryLayer<Q, K> {
        let Self { policy, repeat, shared, .. } = self;
        RetryLayer { policy, repeat, judge, shared }
    }

    /// The same layer, with requests that are repeated as `repeat` says.
    #[must_use]
    pub fn repeated_by<R>(self, repeat: R) -> RetryLayer<R, J> {
        let Self { policy, judge, shared, .. } = self;
        RetryLayer { policy, repeat, judge, shared }
    }

    /// One budget for all services that this layer and its clones are applied to. It is fresh; services of before keep
    /// theirs.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = Some(SharedBudget::new(self.policy.clone()));
        self
    }
}

impl<S, Q: Clone, J: Clone> Layer<S> for RetryLayer<Q, J> {
    type Service = RetryService<S, Q, J>;

    fn layer(&self, inner: S) -> Self::Service {
        let budget = self.shared.clone().unwrap_or_else(|| SharedBudget::new(self.policy.clone()));
        RetryService { inner, budget, repeat: self.repeat.clone(), judge: self.judge.clone() }
    }
}

/// A service whose failed requests are made again, made by [`RetryLayer`]. Clones share the retry budget.
///
/// A retry is made by a clone of the service behind it, which waits until it is ready.
#[derive(Clone, Debug)]
pub struct RetryService<S, Q = RepeatAny, J = ByError> {
    inner: S,
    budget: SharedBudget,
    repeat: Q,
    judge: J,
}

impl<S, Q, J> RetryService<S, Q, J> {
    /// The state of the retry budget, where the policy has one.
    pub fn retry_budget(&self) -> Option<RetryBudgetSnapshot> {
        self.budget.snapshot()
    }

    /// The service whose requests are made again.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, Q, J, Request> Service<Request> for RetryService<S, Q, J>
where
    S: Clone + Service<Request>,
    Q: Clone + RepeatRequest<Request>,
    J: Clone + Judge<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, Request, Q, J>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.budget.deposit();
        RetryFuture::begin(&mut self.inner, request, self.budget.clone(), self.repeat.clone(), self.judge.clone())
    }
}
