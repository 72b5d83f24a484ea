//! `ThrottleConfig`: when a client refuses calls by itself that its dependency would refuse anyway.

use super::thousandths::{milli_u32, written};
use super::{ConfigError, DurationText};
use fusebox_core as bare;
use fusebox_core::ThrottlePolicy;
use serde::{Deserialize, Serialize};

/// When to refuse calls that the dependency would refuse anyway: once fewer than one in `ratio` succeed, the excess is
/// refused here, by chance, before it is sent. Errors that do not count against the tool are not counted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct ThrottleConfig {
    /// Whether calls are throttled. Default: whether anything else here is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Calls sent for each one that succeeds, 1 to 100 in thousandths. Lower throttles earlier; higher learns sooner of
    /// a recovery. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// So few calls do not decide much, 1 to 1000. Default: 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding: Option<u32>,
    /// What was counted halves at the end of each half of this, 1 s to 1 h. Default: `"30s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<DurationText>,
}

impl ThrottleConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            ratio: self.ratio.or(defaults.ratio),
            padding: self.padding.or(defaults.padding),
            window: self.window.or(defaults.window),
        }
    }

    pub(super) fn build(&self) -> Result<Option<ThrottlePolicy>, ConfigError> {
        if !self.enabled.unwrap_or(*self != Self::default()) {
            return Ok(None);
        }
        let default = bare::ThrottleConfig::DEFAULT;
        let ratio_milli = match self.ratio {
            Some(ratio) => milli_u32("throttle.ratio", ratio, 1_000, 100_000)?,
            None => default.ratio_milli,
        };
        let config = bare::ThrottleConfig {
            ratio_milli,
            padding: self.padding.unwrap_or(default.padding),
            window: self.window.map_or(default.window, |text| text.0),
        };
        ThrottlePolicy::new(config).map(Some).map_err(|error| ConfigError::in_section("throttle", error))
    }

    pub(super) fn show(policy: Option<&ThrottlePolicy>) -> Self {
        let Some(policy) = policy else { return Self { enabled: Some(false), ..Self::default() } };
        let config = policy.config();
        Self {
            enabled: Some(true),
            ratio: Some(written(config.ratio_milli.into())),
            padding: Some(config.padding),
            window: Some(config.window.into()),
        }
    }
}
