//! `CircuitLayer`: puts services behind a breaker, a bulkhead and a rate limit, and the constructors for one of them.

use super::circuit_service::CircuitService;
use super::judge::{ByError, Unjudged};
use super::service_circuit::ServiceCircuit;
use crate::config::{BreakerConfig, BulkheadConfig, RateConfig};
use crate::{ConfigError, DurationText, Policy, PolicyConfig};
use core::time::Duration;
use fusebox_core::Part;
use tower_layer::Layer;

/// Puts services behind a circuit: breaker, bulkhead and rate limit together, all or nothing.
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
/// | rate limit | waits, as `RateLimit` | waits | rejects |
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
    policy: Policy,
    waits: Waits,
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

/// For what a service waits, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    when_refused: WhenRefused,
    max: Option<Duration>,
}

impl Waits {
    /// Whether it waits where `part` refuses.
    pub(super) fn wait_for(self, part: Part) -> bool {
        match self.when_refused {
            WhenRefused::ByPart => self.ever() && part != Part::Breaker,
            WhenRefused::Wait => self.ever(),
            WhenRefused::Reject => false,
        }
    }

    /// What is left of the longest wait; `None` is no bound.
    pub(super) fn left(self, waited: Duration) -> Option<Duration> {
        self.max.map(|max| max.saturating_sub(waited))
    }

    fn ever(self) -> bool {
        self.when_refused != WhenRefused::Reject && self.max != Some(Duration::ZERO)
    }
}

impl CircuitLayer {
    /// A circuit of all the parts that `config` has. Of the other fields, `categories` say what counts as a failure, and
    /// `max_wait` bounds the waits.
    ///
    /// An empty configuration has a breaker and a rate limit of 2 calls per second, as everywhere in this crate.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        let max = config.max_wait.map(|DurationText(max)| max);
        let waits = Waits { when_refused: WhenRefused::default(), max };
        Ok(Self { policy: Policy::new(config)?, waits, judge: ByError, shared: None })
    }
}

impl<J> CircuitLayer<J> {
    /// The same circuit, with answers that count as `judge` says.
    #[must_use]
    pub fn judged_by<K>(self, judge: K) -> CircuitLayer<K> {
        let Self { policy, waits, shared, .. } = self;
        CircuitLayer { policy, waits, judge, shared }
    }

    /// The same circuit, with another answer to a refusal.
    #[must_use]
    pub const fn when_refused(mut self, when_refused: WhenRefused) -> Self {
        self.waits.when_refused = when_refused;
        self
    }

    /// The same circuit, which waits no longer than this before it rejects; with zero it rejects at once. It is
    /// `max_wait` of the configuration.
    #[must_use]
    pub const fn max_wait(mut self, max: Duration) -> Self {
        self.waits.max = Some(max);
        self
    }

    /// One circuit for all services that this layer and its clones are applied to. It is fresh; services of before keep
    /// theirs.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = Some(ServiceCircuit::new(self.policy.clone()));
        self
    }

    /// The circuit that all services share, where the layer is [`shared`](CircuitLayer::shared).
    pub const fn circuit(&self) -> Option<&ServiceCircuit> {
        self.shared.as_ref()
    }
}

impl<S, J: Clone> Layer<S> for CircuitLayer<J> {
    type Service = CircuitService<S, J>;

    fn layer(&self, inner: S) -> Self::Service {
        let circuit = self.shared.clone().unwrap_or_else(|| ServiceCircuit::new(self.policy.clone()));
        if self.waits.ever() {
            circuit.await_releases();
        }
        CircuitService::new(inner, circuit, self.waits, self.judge.clone())
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
        CircuitLayer::new(&PolicyConfig { breaker, ..nothing() })
    }
}

/// A constructor: a [`CircuitLayer`] with nothing but a rate limit.
#[derive(Debug)]
pub enum RateLimitLayer {}

impl RateLimitLayer {
    /// A rate limit, which takes no interest in how calls end.
    ///
    /// # Errors
    /// The first field that is not allowed.
    #[allow(clippy::new_ret_no_self, reason = "one kind of layer, by the name of its part")]
    pub fn new(config: &RateConfig) -> Result<CircuitLayer<Unjudged>, ConfigError> {
        let rate = RateConfig { enabled: config.enabled.or(Some(true)), ..config.clone() };
        Ok(CircuitLayer::new(&PolicyConfig { rate, ..nothing() })?.judged_by(Unjudged))
    }
}

/// A constructor: a [`CircuitLayer`] with nothing but a bulkhead.
#[derive(Debug)]
pub enum BulkheadLayer {}

impl BulkheadLayer {
    /// A limit to the calls in flight, which takes no interest in how they end.
    ///
    /// # Errors
    /// The first field that is not allowed.
    #[allow(clippy::new_ret_no_self, reason = "one kind of layer, by the name of its part")]
    pub fn new(config: &BulkheadConfig) -> Result<CircuitLayer<Unjudged>, ConfigError> {
        let bulkhead = BulkheadConfig { enabled: config.enabled.or(Some(true)), ..config.clone() };
        Ok(CircuitLayer::new(&PolicyConfig { bulkhead, ..nothing() })?.judged_by(Unjudged))
    }
}

/// A circuit without parts.
fn nothing() -> PolicyConfig {
    PolicyConfig {
        breaker: BreakerConfig { enabled: Some(false), ..BreakerConfig::default() },
        rate: RateConfig { enabled: Some(false), ..RateConfig::default() },
        bulkhead: BulkheadConfig { enabled: Some(false), ..BulkheadConfig::default() },
        ..PolicyConfig::default()
    }
}
