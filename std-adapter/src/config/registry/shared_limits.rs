//! `SharedLimitsConfig`: the limits that several tools share.

use super::is_default;
use crate::config::{
    BreakerConfig, BulkheadConfig, ConfigError, DurationText, Policy, PolicyConfig, RateConfig, RetryBudgetConfig,
};
use serde::{Deserialize, Serialize};

/// The limits that several tools share. What is absent does not limit.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct SharedLimitsConfig {
    /// How many calls of all of them may go per time. Unlike a tool's own rate, none unless `limit` is given.
    #[serde(skip_serializing_if = "is_default")]
    pub rate: RateConfig,
    /// How many calls of all of them may be in flight.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadConfig,
}

impl SharedLimitsConfig {
    /// A checked policy that has these limits and no other part.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        Policy::new(&PolicyConfig {
            rate: rate_if_given(&self.rate)?,
            bulkhead: self.bulkhead.clone(),
            max_wait: Some(BOOKED_AHEAD),
            breaker: BreakerConfig { enabled: Some(false), ..BreakerConfig::default() },
            retry_budget: RetryBudgetConfig { enabled: Some(false), ..RetryBudgetConfig::default() },
            ..PolicyConfig::default()
        })
    }
}

/// So far ahead tokens can be booked, so that calls which wait for them go in the order in which they came. Those that
/// would have to wait longer ask again by then.
const BOOKED_AHEAD: DurationText = DurationText::from_secs(60);

/// A rate that is off unless it is given, and whose numbers mean nothing without one.
pub(super) fn rate_if_given(rate: &RateConfig) -> Result<RateConfig, ConfigError> {
    if *rate == RateConfig::default() {
        return Ok(RateConfig { enabled: Some(false), ..RateConfig::default() });
    }
    if rate.limit.is_none() && rate.enabled != Some(false) {
        return Err(ConfigError::new("rate.limit", "absent", "a rate such as 2/s or 100/min"));
    }
    Ok(rate.clone())
}
