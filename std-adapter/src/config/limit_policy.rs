//! `LimitPolicy`: the part of a policy that all executors of one dependency share, as they share the state under it.

use super::{ConfigError, PolicyConfig, WindowPolicy};
use core::time::Duration;
use fusebox_core::{AdaptivePolicy, CircuitPolicy, PriorityPolicy, RetryBudgetPolicy, ThrottlePolicy};

/// Which parts a dependency has, each under its own checked policy. A part that is `None` admits everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LimitPolicy {
    /// Breaker, bulkhead and bucket.
    pub(crate) circuit: CircuitPolicy,
    /// Where the breaker keeps the outcomes that its rates are about; `None` for failures in a row.
    pub(crate) window: Option<WindowPolicy>,
    /// How the bucket's rate adapts. Only with a bucket, and checked for it.
    pub(crate) adaptive_rate: Option<AdaptivePolicy>,
    /// What the priorities are, where they are not the core's. Only with a bucket, and checked for it.
    pub(crate) priorities: Option<PriorityPolicy>,
    pub(crate) throttle: Option<ThrottlePolicy>,
    pub(crate) retry_budget: Option<RetryBudgetPolicy>,
}

impl LimitPolicy {
    /// No part at all. A start for struct literals.
    #[allow(dead_code, reason = "for parts that are put together without a whole policy")]
    pub(crate) const UNLIMITED: Self = Self {
        circuit: CircuitPolicy::UNLIMITED,
        window: None,
        adaptive_rate: None,
        priorities: None,
        throttle: None,
        retry_budget: None,
    };

    /// Whether it has a part that can refuse a call.
    pub(crate) const fn limits(&self) -> bool {
        let CircuitPolicy { breaker, bulkhead, bucket } = &self.circuit;
        breaker.is_some() || bulkhead.is_some() || bucket.is_some() || self.throttle.is_some()
    }

    /// The parts of `config`, whose other fields say how long attempts and waits last and whether a cancelled call
    /// counts as a failure.
    pub(super) fn new(
        config: &PolicyConfig,
        timeout: Duration,
        max_wait: Duration,
        cancelled_trips: bool,
    ) -> Result<Self, ConfigError> {
        let (breaker, window) = config.breaker.build(timeout, cancelled_trips)?.unzip();
        let (bucket, adaptive_rate) = config.rate.build(max_wait)?.unzip();
        let priorities = bucket.as_ref().map(|bucket| config.priorities.build(bucket)).transpose()?;
        Ok(Self {
            circuit: CircuitPolicy { breaker, bulkhead: config.bulkhead.build()?, bucket },
            window: window.flatten(),
            adaptive_rate: adaptive_rate.flatten(),
            priorities: priorities.flatten(),
            throttle: config.throttle.build()?,
            retry_budget: config.retry_budget.build()?,
        })
    }
}
