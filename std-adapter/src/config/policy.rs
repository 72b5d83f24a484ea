//! `Policy`: a checked policy, ready to run calls under.

use super::{
    BackoffConfig, BreakerConfig, BulkheadConfig, ConfigError, DurationText, HedgeConfig, HedgePolicy, LONGEST,
    LimitPolicy, PolicyConfig, PrioritiesConfig, RateConfig, RetryBudgetConfig, ThrottleConfig,
};
use crate::category::{CategoryRule, CategoryTable, ErrorCategory};
use core::time::Duration;
use fusebox_core::Backoff;

/// A checked policy. Built from a [`PolicyConfig`]; the default is what an empty one gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) limits: LimitPolicy,
    pub(crate) timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_wait: Duration,
    pub(crate) max_retries: u32,
    pub(crate) idempotent: bool,
    pub(crate) nested_retries: bool,
    pub(crate) backoff: Backoff,
    #[allow(dead_code, reason = "for the executor, which decides by it")]
    pub(crate) hedge: Option<HedgePolicy>,
    categories: CategoryTable,
    effective: PolicyConfig,
}

const DEFAULT_RETRIES: u32 = 2;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

impl Policy {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first field that is not allowed, with its value and the range.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        let timeout = one_of("timeout", config.timeout, "timeout_ms", config.timeout_ms)?.unwrap_or(DEFAULT_TIMEOUT);
        within("timeout", timeout, Duration::from_millis(1))?;
        let idle_timeout = config.idle_timeout.map(|text| text.0);
        within("idle_timeout", idle_timeout.unwrap_or(LONGEST), Duration::from_millis(1))?;
        let deadline = config.deadline.map(|text| text.0);
        within("deadline", deadline.unwrap_or(LONGEST), Duration::from_millis(1))?;
        let max_wait = config.max_wait.map_or(Duration::ZERO, |text| text.0);
        within("max_wait", max_wait, Duration::ZERO)?;
        let max_retries = config.max_retries.unwrap_or(DEFAULT_RETRIES);
        let idempotent = config.idempotent.unwrap_or(true);
        let nested_retries = config.nested_retries.unwrap_or(false);

        let base = one_of("backoff.base", config.backoff.base, "backoff_base_ms", config.backoff_base_ms)?;
        let backoff = config.backoff.build(base)?;
        let mut categories = CategoryTable::new(&config.categories);
        let limits = LimitPolicy::new(config, timeout, max_wait, categories.rule(ErrorCategory::Cancelled).trips)?;
        let hedge = config.hedge.build(idempotent)?;
        if let Some(breaker) = &limits.circuit.breaker {
            // two ways to write one thing
            categories.set_trips(ErrorCategory::Cancelled, breaker.config().cancelled_is_failure);
        }
        let effective = PolicyConfig {
            timeout: Some(timeout.into()),
            timeout_ms: None,
            idle_timeout: config.idle_timeout,
            deadline: config.deadline,
            max_wait: Some(max_wait.into()),
            max_retries: Some(max_retries),
            idempotent: Some(idempotent),
            nested_retries: Some(nested_retries),
            retry_budget: RetryBudgetConfig::show(limits.retry_budget.as_ref()),
            backoff: BackoffConfig::show(&backoff),
            backoff_base_ms: None,
            hedge: HedgeConfig::show(hedge.as_ref()),
            breaker: BreakerConfig::show(limits.circuit.breaker.as_ref(), limits.window),
            rate: RateConfig::show(limits.circuit.bucket.as_ref(), limits.adaptive_rate.as_ref()),
            priorities: match limits.circuit.bucket {
                Some(_) => PrioritiesConfig::show(limits.priorities.as_ref()),
                None => PrioritiesConfig::default(), // nothing to cost anything of
            },
            bulkhead: BulkheadConfig::show(limits.circuit.bulkhead.as_ref()),
            throttle: ThrottleConfig::show(limits.throttle.as_ref()),
            categories: config.categories.clone(),
        };
        Ok(Self {
            limits,
            timeout,
            idle_timeout,
            deadline,
            max_wait,
            max_retries,
            idempotent,
            nested_retries,
            backoff,
            hedge,
            categories,
            effective,
        })
    }

    /// The configuration with every default filled in. Building a policy from it gives this policy again.
    pub const fn effective(&self) -> &PolicyConfig {
        &self.effective
    }

    /// What follows from an error of this category.
    pub fn rule(&self, category: ErrorCategory) -> CategoryRule {
        self.categories.rule(category)
    }
}

impl Default for Policy {
    fn default() -> Self {
        let Ok(policy) = Self::new(&PolicyConfig::default()) else {
            unreachable!("the defaults are within their ranges, which a test checks")
        };
        policy
    }
}

/// A field that can be written in two ways, of which at most one may be used.
fn one_of(
    field: &str,
    text: Option<DurationText>,
    millis_field: &str,
    millis: Option<u64>,
) -> Result<Option<Duration>, ConfigError> {
    match (text, millis) {
        (Some(_), Some(millis)) => Err(ConfigError::new(millis_field, millis, format!("only one of it and {field}"))),
        (Some(text), None) => Ok(Some(text.0)),
        (None, millis) => Ok(millis.map(Duration::from_millis)),
    }
}

fn within(field: &str, value: Duration, min: Duration) -> Result<(), ConfigError> {
    if (min..=LONGEST).contains(&value) {
        return Ok(());
    }
    let [value, min, max] = [value, min, LONGEST].map(DurationText);
    Err(ConfigError::new(field, value, format!("{min} to {max}")))
}
