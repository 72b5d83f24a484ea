//! `KeyedConfig`: a circuit for each host, tenant or other key that a tool's calls name.

use super::is_default;
use super::shared_limits::rate_if_given;
use crate::config::{BreakerConfig, BulkheadConfig, ConfigError, Policy, PolicyConfig, RateConfig, RetryBudgetConfig};
use serde::{Deserialize, Serialize};

/// A circuit of its own for each host, tenant or other key that a tool's calls name, below the circuit of the tool.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct KeyedConfig {
    /// The most keys remembered at a time, 1 to 1000000. Default: 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "config-file", schemars(range(min = 1, max = 1_000_000)))]
    pub max_keys: Option<u32>,
    /// When to stop calling with a key that keeps failing. What it leaves open comes from the breaker of the tool's policy,
    /// which has no other use then: the tool as a whole has no breaker.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: BreakerConfig,
    /// How many calls of one key may go per time. Unlike a tool's own rate, none unless `limit` is given.
    #[serde(skip_serializing_if = "is_default")]
    pub rate: RateConfig,
    /// How many calls of one key may be in flight.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadConfig,
}

impl KeyedConfig {
    const DEFAULT_MAX_KEYS: u32 = 1_024;
    const MOST_KEYS: u32 = 1_000_000;

    /// The most keys remembered at a time.
    ///
    /// # Errors
    /// When it is not 1 to 1000000.
    pub fn max_keys(&self) -> Result<u32, ConfigError> {
        match self.max_keys.unwrap_or(Self::DEFAULT_MAX_KEYS) {
            keys @ 1..=Self::MOST_KEYS => Ok(keys),
            keys => Err(ConfigError::new("max_keys", keys, format!("1 to {}", Self::MOST_KEYS))),
        }
    }

    /// A checked policy for the circuit of one key. `tool` is the whole policy of the tool, defaults included: its
    /// timeout sets how long a probe may take, its categories what counts as a failure, and its breaker what the key's own
    /// leaves open.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn policy(&self, tool: &PolicyConfig) -> Result<Policy, ConfigError> {
        Policy::new(&PolicyConfig {
            timeout: tool.timeout,
            timeout_ms: tool.timeout_ms,
            max_wait: tool.max_wait,
            categories: tool.categories.clone(),
            breaker: self.breaker.clone().or(&tool.breaker),
            rate: rate_if_given(&self.rate)?,
            bulkhead: self.bulkhead.clone(),
            retry_budget: RetryBudgetConfig { enabled: Some(false), ..RetryBudgetConfig::default() },
            ..PolicyConfig::default()
        })
    }
}
