//! `BulkheadConfig`: how many calls may be in flight, and `AdaptiveLimitConfig`: a limit that learns.

use super::thousandths::{milli_u32, written};
use super::{ConfigError, DurationText, is_default};
use fusebox_core::{BulkheadPolicy, LimitConfig};
use serde::{Deserialize, Serialize};

/// How many calls may be in flight.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct BulkheadConfig {
    /// Whether there is a limit. Default: whether `max_in_flight` is given, or the limit learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The most calls in flight, at least 1; of a limit that learns at most 4095. Default: none, or 200 for one that
    /// learns, and at least its `min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Whether the limit follows what the dependency bears. Default: no.
    #[serde(skip_serializing_if = "is_default")]
    pub adaptive: AdaptiveLimitConfig,
}

/// A limit on the calls in flight that learns: it rises while calls succeed and the limit is in use, and falls when one
/// fails or is slow.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct AdaptiveLimitConfig {
    /// Whether the limit learns. Default: whether anything else here is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The lowest limit, 1 to 4095. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The limit before anything was learned, `min` to `max_in_flight`. Default: 20, within that range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// What a sign of overload leaves of the limit, 0.1 to 0.99. Default: 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<f64>,
    /// A success that took longer than this is a sign of overload, 1 us to 365 days. Default: none, only failures are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<DurationText>,
}

impl BulkheadConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            max_in_flight: self.max_in_flight.or(defaults.max_in_flight),
            adaptive: self.adaptive.or(&defaults.adaptive),
        }
    }

    pub(super) fn build(&self) -> Result<Option<BulkheadPolicy>, ConfigError> {
        if self.enabled == Some(false) {
            return Ok(None);
        }
        let policy = match (self.adaptive.limits(self.max_in_flight)?, self.max_in_flight) {
            (Some(limits), _) => BulkheadPolicy::adaptive(limits),
            (None, Some(max)) => BulkheadPolicy::new(max),
            (None, None) if self.enabled == Some(true) => {
                return Err(ConfigError::new("bulkhead.max_in_flight", "absent", "1 to 4294967295"));
            }
            (None, None) => return Ok(None),
        };
        policy.map(Some).map_err(|error| ConfigError::in_section("bulkhead", error))
    }

    pub(super) fn show(policy: Option<&BulkheadPolicy>) -> Self {
        let Some(policy) = policy else { return Self { enabled: Some(false), ..Self::default() } };
        Self {
            enabled: Some(true),
            max_in_flight: Some(policy.max_in_flight()),
            adaptive: AdaptiveLimitConfig::show(policy.adaptive_config()),
        }
    }
}

impl AdaptiveLimitConfig {
    fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            min: self.min.or(defaults.min),
            initial: self.initial.or(defaults.initial),
            cut: self.cut.or(defaults.cut),
            slow_after: self.slow_after.or(defaults.slow_after),
        }
    }

    fn limits(&self, max_in_flight: Option<u32>) -> Result<Option<LimitConfig>, ConfigError> {
        if !self.enabled.unwrap_or(*self != Self::default()) {
            return Ok(None);
        }
        let default = LimitConfig::DEFAULT;
        let min = self.min.unwrap_or(default.min);
        let max = max_in_flight.unwrap_or(default.max.max(min));
        let cut_milli = match self.cut {
            Some(cut) => milli_u32("bulkhead.adaptive.cut", cut, 100, 990)?,
            None => default.cut_milli,
        };
        Ok(Some(LimitConfig {
            min,
            max,
            initial: self.initial.unwrap_or(default.initial.min(max).max(min)),
            cut_milli,
            slow_after: self.slow_after.map(|text| text.0).or(default.slow_after),
        }))
    }

    fn show(limits: Option<&LimitConfig>) -> Self {
        let Some(limits) = limits else { return Self { enabled: Some(false), ..Self::default() } };
        Self {
            enabled: Some(true),
            min: Some(limits.min),
            initial: Some(limits.initial),
            cut: Some(written(limits.cut_milli.into())),
            slow_after: limits.slow_after.map(Into::into),
        }
    }
}
