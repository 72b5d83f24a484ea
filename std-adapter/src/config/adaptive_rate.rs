//! `AdaptiveRateConfig`: a rate that follows what the dependency bears.

use super::thousandths::{milli_u32, written};
use super::{ConfigError, DurationText};
use fusebox_core as bare;
use fusebox_core::{AdaptivePolicy, BucketPolicy};
use serde::{Deserialize, Serialize};

/// A rate that follows what the dependency bears: it rises while calls succeed, up to the rate's `limit`; a failure, an
/// error of the category `RateLimit` or a `retry_after` cuts it, and a `retry_after` stops all calls for that long.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct AdaptiveRateConfig {
    /// Whether the rate adapts. Default: whether anything else here is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The least rate as a share of `limit`, 0.001 to 1 and at least 1 / `burst`. Default: 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// What a cut leaves of the rate, 0.1 to 0.99. Default: 0.85.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decrease: Option<f64>,
    /// The time in which successes raise the rate by the whole `limit`, 100 ms to 1 day. Default: `"30s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub climb: Option<DurationText>,
    /// The least time between two cuts, 1 ms to 1 h: longer than a call takes. Default: `"1s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<DurationText>,
    /// The longest stop that a `retry_after` may ask for, 1 ms to 365 days. Default: `"2m"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pause: Option<DurationText>,
}

impl AdaptiveRateConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            floor: self.floor.or(defaults.floor),
            decrease: self.decrease.or(defaults.decrease),
            climb: self.climb.or(defaults.climb),
            cooldown: self.cooldown.or(defaults.cooldown),
            max_pause: self.max_pause.or(defaults.max_pause),
        }
    }

    pub(super) fn build(&self, bucket: &BucketPolicy) -> Result<Option<AdaptivePolicy>, ConfigError> {
        if !self.enabled.unwrap_or(*self != Self::default()) {
            return Ok(None);
        }
        let default = bare::AdaptiveConfig::DEFAULT;
        let share = |field, value: Option<f64>, default, min, max| {
            value.map_or(Ok(default), |value| milli_u32(field, value, min, max))
        };
        let config = bare::AdaptiveConfig {
            floor_milli: share("rate.adaptive.floor", self.floor, default.floor_milli, 1, 1_000)?,
            decrease_milli: share("rate.adaptive.decrease", self.decrease, default.decrease_milli, 100, 990)?,
            climb: self.climb.map_or(default.climb, |text| text.0),
            cooldown: self.cooldown.map_or(default.cooldown, |text| text.0),
            max_pause: self.max_pause.map_or(default.max_pause, |text| text.0),
        };
        let policy = AdaptivePolicy::new(config, bucket);
        policy.map(Some).map_err(|error| ConfigError::in_section("rate.adaptive", error))
    }

    pub(super) fn show(policy: Option<&AdaptivePolicy>) -> Self {
        let Some(policy) = policy else { return Self { enabled: Some(false), ..Self::default() } };
        let config = policy.config();
        Self {
            enabled: Some(true),
            floor: Some(written(config.floor_milli.into())),
            decrease: Some(written(config.decrease_milli.into())),
            climb: Some(config.climb.into()),
            cooldown: Some(config.cooldown.into()),
            max_pause: Some(config.max_pause.into()),
        }
    }
}
