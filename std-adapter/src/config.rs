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

mod duration_text;
mod error;
mod errors;
pub(crate) mod field_path;
mod policy;
mod rate_text;
mod registry;
mod retry_budget;
mod size_text;
#[cfg(feature = "config-file")]
mod text_schemas;

pub use duration_text::DurationText;
pub use error::ConfigError;
pub use errors::ConfigErrors;
pub(crate) use policy::LimitPolicy;
pub use policy::Policy;
pub use rate_text::RateText;
pub use registry::{DecisionConfig, KeyedConfig, RegistryConfig, RuleConfig, SharedLimitsConfig, ToolConfig};
pub use size_text::SizeText;

use crate::category::{CategoryChange, ErrorCategory};
use fusebox_core::Jitter;
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
    /// When to stop calling a tool that keeps failing.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: BreakerConfig,
    /// How many calls may go per time.
    #[serde(skip_serializing_if = "is_default")]
    pub rate: RateConfig,
    /// How many calls may be in flight.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadConfig,
    /// What follows from each kind of error, where it differs from [`ErrorCategory`]'s table:
    /// `categories = { RateLimit = { trips = false } }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "config-file", schemars(extend("propertyNames" = text_schemas::category_names())))]
    pub categories: BTreeMap<ErrorCategory, CategoryChange>,
}

/// The wait before a retry: `base x factor^n`, never above `cap`, jittered downwards.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct BackoffConfig {
    /// The wait before the first retry, 0 to 365 days. Default: `"500ms"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<DurationText>,
    /// The growth from one retry to the next, 1 to 100 in thousandths. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The longest wait, `base` to 365 days. Default: `"30s"`, or `base` where that is longer. A tool that asks its
    /// callers to stay away for longer than this is not retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<DurationText>,
    /// How the wait is randomised. Default: `"full"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<JitterConfig>,
}

/// How many of the calls may be retried: a share of them, and a few per second besides. What is saved up is forgotten
/// after a while.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct RetryBudgetConfig {
    /// Whether there is a budget. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Retries that each call earns, 0 to 10 in thousandths. Default: 0.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Retries that each second earns, 0 to 100000 in thousandths. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// What calls have earned halves at the end of each half of this, 1 s to 1 h. Default: `"10s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<DurationText>,
    /// The most retries saved up, `per_second` x `window` and at least 1, to 100000. Default: 1000, or the least where
    /// that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<f64>,
}

/// When to stop calling a tool that keeps failing, and how to try again.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct BreakerConfig {
    /// Whether there is a breaker. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// This many failures in a row open it, at least 1. Default: 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// How long it first stays open, 1 ms to 365 days. Default: `"5s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait: Option<DurationText>,
    /// The growth of that wait with each re-opening, 1 to 100 in thousandths. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait_factor: Option<f64>,
    /// The longest wait, `open_wait` to 365 days. Default: `"2m"`, or `open_wait` where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait_max: Option<DurationText>,
    /// How the wait is randomised. Default: `"equal"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<JitterConfig>,
    /// The most probes outstanding while half-open, 1 to 15. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<u8>,
    /// Successful probes that close it, 1 to 15. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_successes: Option<u8>,
    /// After this long a probe that has not reported is written off, 10 ms to 32 times `open_wait`. Default: a second
    /// more than `timeout`, so that no attempt outlives it, within that range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_lease: Option<DurationText>,
    /// Whether a cancelled call counts as a failure. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_is_failure: Option<bool>,
}

/// How many calls may go per time.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct RateConfig {
    /// Whether there is a limit. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The long-run rate, `"2/s"`, `"100/min"`, `"5/250ms"`; 1 per day to 10^9 per second. Default: `"2/s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<RateText>,
    /// The most calls at once after a pause, in thousandths from 0.001. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<f64>,
}

/// How many calls may be in flight.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct BulkheadConfig {
    /// Whether there is a limit. Default: whether `max_in_flight` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The most calls in flight, at least 1. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
}

/// How a wait is randomised; never above itself.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum JitterConfig {
    /// Not at all.
    None,
    /// Down to half of it.
    Equal,
    /// Down to nothing.
    Full,
}

impl From<JitterConfig> for Jitter {
    fn from(jitter: JitterConfig) -> Self {
        match jitter {
            JitterConfig::None => Self::None,
            JitterConfig::Equal => Self::Equal,
            JitterConfig::Full => Self::Full,
        }
    }
}

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
            retry_budget: RetryBudgetConfig {
                enabled: self.retry_budget.enabled.or(defaults.retry_budget.enabled),
                share: self.retry_budget.share.or(defaults.retry_budget.share),
                per_second: self.retry_budget.per_second.or(defaults.retry_budget.per_second),
                window: self.retry_budget.window.or(defaults.retry_budget.window),
                burst: self.retry_budget.burst.or(defaults.retry_budget.burst),
            },
            backoff: BackoffConfig {
                base: self.backoff.base.or(defaults.backoff.base.filter(|_| !own_base)),
                factor: self.backoff.factor.or(defaults.backoff.factor),
                cap: self.backoff.cap.or(defaults.backoff.cap),
                jitter: self.backoff.jitter.or(defaults.backoff.jitter),
            },
            backoff_base_ms: self.backoff_base_ms.or(defaults.backoff_base_ms.filter(|_| !own_base)),
            breaker: self.breaker.or(&defaults.breaker),
            rate: RateConfig {
                enabled: self.rate.enabled.or(defaults.rate.enabled),
                limit: self.rate.limit.or(defaults.rate.limit),
                burst: self.rate.burst.or(defaults.rate.burst),
            },
            bulkhead: BulkheadConfig {
                enabled: self.bulkhead.enabled.or(defaults.bulkhead.enabled),
                max_in_flight: self.bulkhead.max_in_flight.or(defaults.bulkhead.max_in_flight),
            },
            categories,
        }
    }
}

impl BreakerConfig {
    fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            consecutive_failures: self.consecutive_failures.or(defaults.consecutive_failures),
            open_wait: self.open_wait.or(defaults.open_wait),
            open_wait_factor: self.open_wait_factor.or(defaults.open_wait_factor),
            open_wait_max: self.open_wait_max.or(defaults.open_wait_max),
            jitter: self.jitter.or(defaults.jitter),
            probes: self.probes.or(defaults.probes),
            required_successes: self.required_successes.or(defaults.required_successes),
            probe_lease: self.probe_lease.or(defaults.probe_lease),
            cancelled_is_failure: self.cancelled_is_failure.or(defaults.cancelled_is_failure),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
