//! `LayerPolicy`: a checked policy that layers can keep, and nothing of which they would ignore.

use crate::config::{BreakerConfig, RateConfig};
use crate::{ConfigError, DurationText, Policy, PolicyConfig};
use core::time::Duration;
use std::sync::Arc;

/// A checked policy that layers can keep.
#[derive(Clone, Debug)]
pub(super) struct LayerPolicy {
    pub(super) policy: Arc<Policy>,
    /// The longest wait; `None` is no bound, as tower's users expect it.
    pub(super) max_wait: Option<Duration>,
    of: PartsOf,
    /// Whether the layer learns how calls end.
    pub(super) judged: bool,
}

/// Which parts a circuit has where its configuration is silent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PartsOf {
    /// Those that every policy has by default.
    Policy,
    BreakerLayer,
    RateLimitLayer,
    BulkheadLayer,
}

impl LayerPolicy {
    pub(super) fn new(config: &PolicyConfig, of: PartsOf) -> Result<Self, ConfigError> {
        Self::checked(config, of, matches!(of, PartsOf::Policy | PartsOf::BreakerLayer))
    }

    /// Another policy in the place of this one, for the same layer.
    pub(super) fn changed(&self, config: &PolicyConfig) -> Result<Self, ConfigError> {
        Self::checked(config, self.of, self.judged)
    }

    fn checked(config: &PolicyConfig, of: PartsOf, judged: bool) -> Result<Self, ConfigError> {
        let policy = Policy::new(&of.complete(config))?;
        if policy.hedge.is_some() {
            return Err(unkept("hedge.enabled", true, "false for a layer: only an executor makes hedges"));
        }
        if let Some(idle_timeout) = config.idle_timeout {
            return Err(unkept("idle_timeout", idle_timeout, "none for a layer: services report no progress"));
        }
        if !judged {
            check_unjudged(&policy)?;
        }
        let max_wait = config.max_wait.map(|DurationText(max)| max);
        Ok(Self { policy: Arc::new(policy), max_wait, of, judged })
    }
}

impl PartsOf {
    /// The configuration, without the default parts that the layer does not have.
    fn complete(self, config: &PolicyConfig) -> PolicyConfig {
        let mut complete = config.clone();
        if !matches!(self, Self::Policy | Self::BreakerLayer) && config.breaker == BreakerConfig::default() {
            complete.breaker.enabled = Some(false);
        }
        if !matches!(self, Self::Policy | Self::RateLimitLayer) && config.rate == RateConfig::default() {
            complete.rate.enabled = Some(false);
        }
        complete
    }
}

/// What learns from failures needs to be told of them.
fn check_unjudged(policy: &Policy) -> Result<(), ConfigError> {
    const ALLOWED: &str = "false for a layer without a judge: use a CircuitLayer";
    if policy.limits.adaptive_rate.is_some() {
        return Err(unkept("rate.adaptive.enabled", true, ALLOWED));
    }
    let learns = policy.limits.circuit.bulkhead.as_ref().and_then(|bulkhead| bulkhead.adaptive_config());
    if learns.is_some_and(|limits| limits.slow_after.is_none()) {
        return Err(unkept("bulkhead.adaptive.slow_after", "absent", "a duration for a layer without a judge"));
    }
    Ok(())
}

fn unkept(field: &str, value: impl ToString, allowed: &str) -> ConfigError {
    ConfigError { field: field.to_owned(), value: value.to_string(), allowed: allowed.to_owned() }
}
