//! `BackoffConfig`: the wait before a retry.

use super::thousandths::{factor, written};
use super::{ConfigError, DurationText, JitterConfig};
use core::time::Duration;
use fusebox_core as bare;
use fusebox_core::Backoff;
use serde::{Deserialize, Serialize};

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

impl BackoffConfig {
    /// `own_base` says that the base is set, here or in milliseconds.
    pub(super) fn or(self, defaults: &Self, own_base: bool) -> Self {
        Self {
            base: self.base.or(defaults.base.filter(|_| !own_base)),
            factor: self.factor.or(defaults.factor),
            cap: self.cap.or(defaults.cap),
            jitter: self.jitter.or(defaults.jitter),
        }
    }

    pub(super) fn build(&self, base: Option<Duration>) -> Result<Backoff, ConfigError> {
        let default = bare::BackoffConfig::DEFAULT;
        let base = base.unwrap_or(default.base);
        let config = bare::BackoffConfig {
            base,
            factor_milli: self.factor.map_or(Ok(default.factor_milli), |value| factor("backoff.factor", value))?,
            cap: self.cap.map_or(default.cap.max(base), |text| text.0),
            jitter: self.jitter.map_or(default.jitter, Into::into),
        };
        Backoff::new(config).map_err(|error| ConfigError::in_section("backoff", error))
    }

    pub(super) fn show(backoff: &Backoff) -> Self {
        let bare::BackoffConfig { base, factor_milli, cap, jitter } = *backoff.config();
        Self {
            base: Some(base.into()),
            factor: Some(written(factor_milli.into())),
            cap: Some(cap.into()),
            jitter: JitterConfig::show(jitter),
        }
    }
}
