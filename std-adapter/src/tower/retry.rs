//! `RetryLayer`: makes a failed request again where that can help and does no harm.

use super::judge::{ByError, Judge};
use super::layer_policy::{LayerPolicy, PartsOf};
use super::repeat::{RepeatAny, RepeatRequest};
use super::retry_future::RetryFuture;
use super::service_circuit::ServiceCircuit;
use crate::{ConfigError, PolicyConfig};
use core::task::{Context, Poll};
use fusebox_core::RetryBudgetSnapshot;
use std::sync::Arc;
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
/// - the request is made by an attempt that will be retried itself, of a layer or of an [`Executor`](crate::Executor): the
///   two would multiply; unless `nested_retries` says otherwise;
/// - a circuit has refused it: to wait for a circuit is that circuit's `max_wait`.
///
/// Then the answer is the last one, as it is. Where a circuit behind this layer refuses the retry of an error, it is that
/// error. An answer that is retried is dropped before the wait, so that its connection is free.
///
/// **Whose budget.** Each service that the layer is applied to gets a budget of its own, which its clones share. After
/// [`RetryLayer::shared`] all services of the layer and of its clones share one.
///
/// **Order.** Put it outside of the circuit, so that each attempt asks, and the timeout of attempts inside. Errors are
/// those of the service; this layer has none. That a request is made within another one is known within its task, not
/// across a `spawn`.
#[derive(Clone, Debug)]
pub struct RetryLayer<Q = RepeatAny, J = ByError> {
    policy: Arc<LayerPolicy>,
    repeat: Q,
    judge: J,
    name: Option<Arc<str>>,
    /// Of which only the retry budget is used.
    shared: Option<ServiceCircuit>,
}

impl RetryLayer {
    /// Retries as `config` says in `max_retries`, `idempotent`, `nested_retries`, `backoff`, `retry_budget` and
    /// `categories`. The rest is for the layers around this one, which are made from the same configuration.
    ///
    /// # Errors
    /// The first field that is not allowed, or that no layer can keep: `hedge` and `idle_timeout`.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        let policy = Arc::new(LayerPolicy::new(config, PartsOf::Policy)?);
        Ok(Self { policy, repeat: RepeatAny, judge: ByError, name: None, shared: None })
    }
}

impl<Q, J> RetryLayer<Q, J> {
    /// The same layer, with answers that count as `judge` says.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> RetryLayer<Q, K> {
        let Self { policy, repeat, name, shared, .. } = self;
        RetryLayer { policy, repeat, judge, name, shared }
    }

    /// The same layer, with requests that are repeated as `repeat` says.
    #[must_use]
    pub fn repeated_by<R>(self, repeat: R) -> RetryLayer<R, J> {
        let Self { policy, judge, name, shared, .. } = self;
        RetryLayer { policy, repeat, judge, name, shared }
    }

    /// The same layer under a name, which its log lines bear. Default: `unnamed`.
    ///
    /// Name it before it makes services: those that it has made keep theirs, and a shared budget begins anew.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        if self.shared.is_some() { self.shared() } else { self }
    }

    /// One budget for all services that this layer and its clones are applied to. It is fresh; services of before keep
    /// theirs.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = Some(ServiceCircuit::new(Arc::clone(&self.policy), self.name.as_ref(), true));
        self
    }
}

impl<S, Q: Clone, J: Clone> Layer<S> for RetryLayer<Q, J> {
    type Service = RetryService<S, Q, J>;

    fn layer(&self, inner: S) -> Self::Service {
        let own = || ServiceCircuit::new(Arc::clone(&self.policy), self.name.as_ref(), false);
        let circuit = self.shared.clone().unwrap_or_else(own);
        RetryService { inner, circuit, repeat: self.repeat.clone(), judge: self.judge.clone() }
    }
}

/// A service whose failed requests are made again, made by [`RetryLayer`]. Clones share the retry budget.
///
/// A retry is made by a clone of the service behind it, which waits until it is ready.
#[derive(Clone, Debug)]
pub struct RetryService<S, Q = RepeatAny, J = ByError> {
    inner: S,
    /// Its policy and its retry budget; it asks nothing else of it.
    circuit: ServiceCircuit,
    repeat: Q,
    judge: J,
}

impl<S, Q, J> RetryService<S, Q, J> {
    /// Retries as the circuit's policy says, and within its budget.
    pub(super) const fn new(inner: S, circuit: ServiceCircuit, repeat: Q, judge: J) -> Self {
        Self { inner, circuit, repeat, judge }
    }

    /// The state of the retry budget, where the policy has one.
    pub fn retry_budget(&self) -> Option<RetryBudgetSnapshot> {
        self.circuit.snapshot().retry_budget
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
        RetryFuture::begin(&mut self.inner, request, self.circuit.clone(), self.repeat.clone(), self.judge.clone())
    }
}
