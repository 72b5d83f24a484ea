//! `PolicyConfig`: a tool's policy as a person writes it, with every field optional.
//!
//! ```
//! use fusebox::{Policy, PolicyConfig};
//!
//! let config: PolicyConfig = toml::from_str(r#"
//!     timeout = "2s"
//!     max_retries = 1
//!     rate = { limit = "100/min", burst = 20 }
//!     breaker = { consecutive_failures = 3 }
//! "#)?;
//! let policy = Policy::new(&config)?;
//! assert_eq!(policy.effective().breaker.open_wait, Some(fusebox::DurationText::from_secs(5)));
//!
//! let short: PolicyConfig = serde_json::from_str(r#"{"timeout_ms":30000,"max_retries":2,"backoff_base_ms":500}"#)?;
//! assert_eq!(Policy::new(&short)?, Policy::default());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adaptive_rate;
mod backoff;
mod breaker;
mod bulkhead;
mod duration_text;
mod error;
mod errors;
pub(crate) mod field_path;
mod hedge;
mod jitter;
mod limit_policy;
mod policy;
mod priorities;
mod rate;
mod rate_text;
mod registry;
mod retry_budget;
mod size_text;
#[cfg(feature = "config-file")]
mod text_schemas;
mod thousandths;
mod throttle;
mod window;

pub use adaptive_rate::AdaptiveRateConfig;
pub use backoff::BackoffConfig;
pub use breaker::BreakerConfig;
pub use bulkhead::{AdaptiveLimitConfig, BulkheadConfig};
pub use duration_text::DurationText;
pub use error::ConfigError;
pub use errors::ConfigErrors;
pub(crate) use field_path::member;
pub use hedge::HedgeConfig;
pub(crate) use hedge::{HedgeAfter, HedgePolicy};
pub use jitter::JitterConfig;
pub(crate) use limit_policy::LimitPolicy;
pub use policy::Policy;
pub use priorities::{ClassConfig, PrioritiesConfig};
pub use rate::RateConfig;
pub use rate_text::RateText;
pub use registry::{KeyedConfig, RegistryConfig, SharedLimitsConfig, ToolConfig};
pub(crate) use registry::{MOST_GROUPS, OF_THE_REGISTRY};
pub use retry_budget::RetryBudgetConfig;
pub use size_text::SizeText;
pub use throttle::ThrottleConfig;
pub use window::WindowConfig;
pub(crate) use window::{BreakerWindow, WindowPolicy};

use crate::category::{CategoryChange, ErrorCategory};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A tool's policy as a person writes it. What is absent comes from the defaults that it is combined with, see
/// [`PolicyConfig::or`], and in the end from [`Policy::default`].
///
/// Durations are text: `"500ms"`, `"5s"`, `"1m 30s"`. The millisecond fields `timeout_ms` and `backoff_base_ms` are
/// another way to write `timeout` and `backoff.base`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct PolicyConfig {
    /// The longest that one attempt may take, 1 ms to 365 days. Default: `"30s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// `timeout` in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The longest that one attempt may go without progress, 1 ms to 365 days; for tools that report it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<DurationText>,
    /// The longest that a whole call may take, with all attempts and waits, 1 ms to 365 days. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DurationText>,
    /// The longest that a call waits for its circuit to admit it, all attempts together. Default: `"0s"`, a refusal
    /// is returned at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<DurationText>,
    /// How often a failed attempt is repeated. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Whether a call may be repeated where it is not known what the attempt before has done. Default: true. Where it may
    /// not, only errors are retried that say that nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// Whether a call retries also when it is made by an attempt that is retried itself. Default: false, as the two
    /// would multiply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested_retries: Option<bool>,
    /// How many of the calls may be retried.
    #[serde(skip_serializing_if = "is_default")]
    pub retry_budget: RetryBudgetConfig,
    /// The wait before a retry.
    #[serde(skip_serializing_if = "is_default")]
    pub backoff: BackoffConfig,
    /// `backoff.base` in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_base_ms: Option<u64>,
    /// When to make another attempt beside one that takes long. Default: never.
    #[serde(skip_serializing_if = "is_default")]
    pub hedge: HedgeConfig,
    /// When to stop calling a tool that keeps failing.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: BreakerConfig,
    /// How many calls may go per time.
    #[serde(skip_serializing_if = "is_default")]
    pub rate: RateConfig,
    /// What calls of each priority cost of the rate, and what they leave to more important ones.
    #[serde(skip_serializing_if = "is_default")]
    pub priorities: PrioritiesConfig,
    /// How many calls may be in flight.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadConfig,
    /// When to refuse calls that the dependency would refuse anyway. Default: never.
    #[serde(skip_serializing_if = "is_default")]
    pub throttle: ThrottleConfig,
    /// What follows from each kind of error, where it differs from [`ErrorCategory`]'s table:
    /// `categories = { RateLimit = { trips = false } }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "config-file", schemars(extend("propertyNames" = text_schemas::category_names())))]
    pub categories: BTreeMap<ErrorCategory, CategoryChange>,
}

/// The longest time that a configuration may name.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl PolicyConfig {
    /// This configuration, with what it leaves open taken from `defaults`.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        let own_timeout = self.timeout.is_some() || self.timeout_ms.is_some();
        let own_base = self.backoff.base.is_some() || self.backoff_base_ms.is_some();
        let mut categories = defaults.categories.clone();
        for (category, change) in self.categories {
            let merged = categories.entry(category).or_default();
            merged.trips = change.trips.or(merged.trips);
            merged.retry = change.retry.or(merged.retry);
        }
        Self {
            // the two ways to write a field are one field: setting either hides both of the defaults'
            timeout: self.timeout.or(defaults.timeout.filter(|_| !own_timeout)),
            timeout_ms: self.timeout_ms.or(defaults.timeout_ms.filter(|_| !own_timeout)),
            idle_timeout: self.idle_timeout.or(defaults.idle_timeout),
            deadline: self.deadline.or(defaults.deadline),
            max_wait: self.max_wait.or(defaults.max_wait),
            max_retries: self.max_retries.or(defaults.max_retries),
            idempotent: self.idempotent.or(defaults.idempotent),
            nested_retries: self.nested_retries.or(defaults.nested_retries),
            retry_budget: self.retry_budget.or(&defaults.retry_budget),
            backoff: self.backoff.or(&defaults.backoff, own_base),
            backoff_base_ms: self.backoff_base_ms.or(defaults.backoff_base_ms.filter(|_| !own_base)),
            hedge: self.hedge.or(&defaults.hedge),
            breaker: self.breaker.or(&defaults.breaker),
            rate: self.rate.or(&defaults.rate),
            priorities: self.priorities.or(&defaults.priorities),
            bulkhead: self.bulkhead.or(&defaults.bulkhead),
            throttle: self.throttle.or(&defaults.throttle),
            categories,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
