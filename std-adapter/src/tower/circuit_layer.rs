//! `CircuitLayer`: puts services behind a breaker, a bulkhead and a rate limit, and the constructors for one of them.

use super::circuit_service::CircuitService;
use super::judge::{ByError, Unjudged};
use super::layer_policy::{LayerPolicy, PartsOf};
use super::service_circuit::ServiceCircuit;
use crate::config::{BreakerConfig, BulkheadConfig, RateConfig};
use crate::{ConfigError, PolicyConfig};
use core::time::Duration;
use fusebox_core::{Part, Priority};
use std::sync::Arc;
use tower_layer::Layer;

/// Puts services behind a circuit: breaker, bulkhead, rate limit and throttle together, all or nothing.
///
/// **Whose state.** Each service that the layer is applied to gets a circuit of its own, which its clones share, as
/// with tower's `ConcurrencyLimitLayer`. After [`CircuitLayer::shared`] all services of the layer and of its clones
/// share one. Mind that axum's `Router::layer` applies a layer to every route.
///
/// **What happens to a call that is refused** depends on the part, as tower's users expect it; `max_wait` bounds each
/// wait, and where it is absent there is no bound:
///
/// | part that refuses | [`ByPart`](WhenRefused::ByPart) (the default) | [`Wait`](WhenRefused::Wait) | [`Reject`](WhenRefused::Reject) |
/// |---|---|---|---|
/// | breaker | rejects | waits | rejects |
/// | bulkhead | waits, as `ConcurrencyLimit` | waits | rejects |
/// | rate limit, also in a pause that the service has asked for | waits, as `RateLimit` | waits | rejects |
/// | throttle | rejects | waits, until what it has counted has faded | rejects |
///
/// To wait is `Pending` from `poll_ready`. To reject is `Ready` from `poll_ready` and
/// [`CallError::Rejected`](crate::CallError::Rejected) from `call`: an error of `poll_ready` would mean that the service
/// is dead. Where waiting cannot help, or would exceed `max_wait` for certain, the call is rejected at once.
///
/// ```
/// use fusebox::config::BulkheadConfig;
/// use fusebox::tower::{BulkheadLayer, WhenRefused};
///
/// let config = BulkheadConfig { max_in_flight: Some(8), ..Default::default() };
/// let layer = BulkheadLayer::new(&config)?.when_refused(WhenRefused::Reject).shared();
/// assert_eq!(layer.circuit().expect("it is shared").snapshot().in_flight, 0);
/// # Ok::<(), fusebox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CircuitLayer<J = ByError> {
    policy: Arc<LayerPolicy>,
    name: Option<Arc<str>>,
    manner: Manner,
    judge: J,
    shared: Option<ServiceCircuit>,
}

/// What `poll_ready` does while the circuit refuses, see [`CircuitLayer`]. Complete.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum WhenRefused {
    /// Waits for a slot and for the rate limit; an open breaker rejects.
    #[default]
    ByPart,
    /// Waits, whichever part refuses.
    Wait,
    /// Rejects, whichever part refuses.
    Reject,
}

/// How a service asks its circuit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    when_refused: WhenRefused,
    /// Takes the place of the policy's.
    pub(super) max_wait: Option<Duration>,
    pub(super) priority: Priority,
    /// Whether a call of the service is a call, and not one attempt of a call around it.
    pub(super) tells_calls: bool,
}

impl Manner {
    /// Whether it waits where `part` refuses.
    pub(super) fn waits_for(self, part: Part) -> bool {
        match self.when_refused {
            WhenRefused::ByPart => matches!(part, Part::AdaptiveRate | Part::Bucket | Part::Bulkhead),
            WhenRefused::Wait => true,
            WhenRefused::Reject => false,
        }
    }
}

impl CircuitLayer {
    /// A circuit of all the parts that `config` has: `breaker`, `rate` with `priorities`, `bulkhead` and `throttle`. Of the
    /// other fields, `categories` say what counts as a failure, and `max_wait` bounds the waits. The rest is for the
    /// layers around this one, which are made from the same configuration.
    ///
    /// An empty configuration has a breaker and a rate limit of 2 calls per second, as everywhere in this crate.
    ///
    /// # Errors
    /// The first field that is not allowed, or that no layer can keep: `hedge` and `idle_timeout`.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        Self::of(PartsOf::Policy, ByError, config)
    }
}

impl<J> CircuitLayer<J> {
    fn of(parts: PartsOf, judge: J, config: &PolicyConfig) -> Result<Self, ConfigError> {
        let policy = Arc::new(LayerPolicy::new(config, parts)?);
        let manner = Manner {
            when_refused: WhenRefused::default(),
            max_wait: None,
            priority: Priority::default(),
            tells_calls: true,
        };
        Ok(Self { policy, name: None, manner, judge, shared: None })
    }

    /// The same circuit, with answers that count as `judge` says. Say so before [`CircuitLayer::shared`].
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> CircuitLayer<K> {
        let Self { mut policy, name, manner, shared, .. } = self;
        Arc::make_mut(&mut policy).judged = true;
        CircuitLayer { policy, name, manner, judge, shared }
    }

    /// The same circuit under a name, which spans, log lines, metrics and events bear, and refusals of a circuit that is
    /// [`shared`](CircuitLayer::shared): they are of the [scope](crate::Scope) `Shared`. Default: `unnamed`.
    ///
    /// Name it before it makes services: those that it has made keep theirs, and a shared circuit begins anew.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        if self.shared.is_some() { self.shared() } else { self }
    }

    /// The same circuit, for services whose calls are of this priority. It decides what they cost of the rate, and what
    /// they leave of it to more important ones, see `priorities`. Default: normal.
    ///
    /// Services of a shared circuit can have different ones:
    /// ```
    /// use fusebox::tower::CircuitLayer;
    /// use fusebox::{PolicyConfig, Priority};
    /// use tower::{Layer, service_fn};
    ///
    /// let layer = CircuitLayer::new(&PolicyConfig::default())?.shared();
    /// let pages = service_fn(|page: u32| async move { Ok::<_, std::io::Error>(page) });
    /// let (people, robots) = (layer.layer(pages), layer.clone().priority(Priority::Low).layer(pages));
    /// # Ok::<(), fusebox::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.manner.priority = priority;
        self
    }

    /// The same circuit, with another answer to a refusal.
    #[must_use]
    pub const fn when_refused(mut self, when_refused: WhenRefused) -> Self {
        self.manner.when_refused = when_refused;
        self
    }

    /// The same circuit, which waits no longer than this before it rejects; with zero it rejects at once. It takes the
    /// place of the configuration's `max_wait`.
    #[must_use]
    pub const fn max_wait(mut self, max: Duration) -> Self {
        self.manner.max_wait = Some(max);
        self
    }

    /// One circuit for all services that this layer and its clones are applied to. It is fresh; services of before keep
    /// theirs.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = Some(ServiceCircuit::new(Arc::clone(&self.policy), self.name.as_ref(), true));
        self
    }

    /// The circuit that all services share, where the layer is [`shared`](CircuitLayer::shared).
    pub const fn circuit(&self) -> Option<&ServiceCircuit> {
        self.shared.as_ref()
    }

    /// The circuit of the next service: the shared one, or one of its own.
    pub(super) fn circuit_of_next(&self) -> ServiceCircuit {
        let own = || ServiceCircuit::new(Arc::clone(&self.policy), self.name.as_ref(), false);
        self.shared.clone().unwrap_or_else(own)
    }

    /// The same layer for a service whose calls are attempts of calls around it.
    pub(super) const fn of_attempts(mut self) -> Self {
        self.manner.tells_calls = false;
        self
    }

    pub(super) const fn judge(&self) -> &J {
        &self.judge
    }
}

impl<J: Clone> CircuitLayer<J> {
    /// A service behind `circuit`, which this layer has made.
    pub(super) fn put_behind<S>(&self, circuit: ServiceCircuit, inner: S) -> CircuitService<S, J> {
        CircuitService::new(inner, circuit, self.manner, self.judge.clone())
    }
}

impl<S, J: Clone> Layer<S> for CircuitLayer<J> {
    type Service = CircuitService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        self.put_behind(self.circuit_of_next(), inner)
    }
}

/// A constructor: a [`CircuitLayer`] with nothing but a breaker.
#[derive(Debug)]
pub enum BreakerLayer {}

impl BreakerLayer {
    /// A breaker. The lease of a probe is 31 s unless the configuration says otherwise.
    ///
    /// # Errors
    /// The first field that is not allowed.
    #[allow(clippy::new_ret_no_self, reason = "one kind of layer, by the name of its part")]
    pub fn new(config: &BreakerConfig) -> Result<CircuitLayer, ConfigError> {
        let breaker = BreakerConfig { enabled: config.enabled.or(Some(true)), ..config.clone() };
        CircuitLayer::of(PartsOf::BreakerLayer, ByError, &PolicyConfig { breaker, ..PolicyConfig::default() })
    }
}

/// A constructor: a [`CircuitLayer`] with nothing but a rate limit.
#[derive(Debug)]
pub enum RateLimitLayer {}

impl RateLimitLayer {
    /// A rate limit, which takes no interest in how calls end.
    ///
    /// # Errors
    /// The first field that is not allowed; `adaptive` is not, as it learns from failures: that takes a [`CircuitLayer`].
    #[allow(clippy::new_ret_no_self, reason = "one kind of layer, by the name of its part")]
    pub fn new(config: &RateConfig) -> Result<CircuitLayer<Unjudged>, ConfigError> {
        let rate = RateConfig { enabled: config.enabled.or(Some(true)), ..config.clone() };
        CircuitLayer::of(PartsOf::RateLimitLayer, Unjudged, &PolicyConfig { rate, ..PolicyConfig::default() })
    }
}

/// A constructor: a [`CircuitLayer`] with nothing but a bulkhead.
#[derive(Debug)]
pub enum BulkheadLayer {}

impl BulkheadLayer {
    /// A limit to the calls in flight, which takes no interest in how they end: one that is `adaptive` learns from how
    /// long they take.
    ///
    /// # Errors
    /// The first field that is not allowed; `adaptive` without `slow_after` is not, as it learns from failures alone: that
    /// takes a [`CircuitLayer`].
    #[allow(clippy::new_ret_no_self, reason = "one kind of layer, by the name of its part")]
    pub fn new(config: &BulkheadConfig) -> Result<CircuitLayer<Unjudged>, ConfigError> {
        let bulkhead = BulkheadConfig { enabled: config.enabled.or(Some(true)), ..config.clone() };
        CircuitLayer::of(PartsOf::BulkheadLayer, Unjudged, &PolicyConfig { bulkhead, ..PolicyConfig::default() })
    }
}
