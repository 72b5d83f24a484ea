//! `RetryBudgetConfig`: how many of the calls may be retried.

use super::thousandths::{milli, milli_u32, written};
use super::{ConfigError, DurationText};
use fusebox_core as bare;
use fusebox_core::{RetryBudgetPolicy, Tokens};
use serde::{Deserialize, Serialize};

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

const MOST: u64 = 100_000_000;

impl RetryBudgetConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            share: self.share.or(defaults.share),
            per_second: self.per_second.or(defaults.per_second),
            window: self.window.or(defaults.window),
            burst: self.burst.or(defaults.burst),
        }
    }

    pub(super) fn build(&self) -> Result<Option<RetryBudgetPolicy>, ConfigError> {
        if self.enabled == Some(false) {
            return Ok(None);
        }
        let default = bare::RetryBudgetConfig::DEFAULT;
        let number = |field, value: Option<f64>, default: u64| value.map_or(Ok(default), |v| milli(field, v, 0, MOST));
        let share_milli = match self.share {
            Some(share) => milli_u32("retry_budget.share", share, 0, 10_000)?,
            None => default.share_milli,
        };
        let floor = number("retry_budget.per_second", self.per_second, default.floor_per_second.as_milli())?;
        let window = self.window.map_or(default.window, |text| text.0);
        let floor_in_window = u128::from(floor).saturating_mul(window.as_nanos()).div_ceil(1_000_000_000);
        let least = u64::try_from(floor_in_window).unwrap_or(u64::MAX).clamp(1_000, MOST);
        let burst = number("retry_budget.burst", self.burst, default.burst.as_milli().max(least))?;
        let config = bare::RetryBudgetConfig {
            share_milli,
            floor_per_second: Tokens::milli(floor),
            window,
            burst: Tokens::milli(burst),
        };
        RetryBudgetPolicy::new(config).map(Some).map_err(|error| ConfigError::in_section("retry_budget", error))
    }

    pub(super) fn show(policy: Option<&RetryBudgetPolicy>) -> Self {
        let Some(policy) = policy else { return Self { enabled: Some(false), ..Self::default() } };
        let config = policy.config();
        Self {
            enabled: Some(true),
            share: Some(written(config.share_milli.into())),
            per_second: Some(written(config.floor_per_second.as_milli())),
            window: Some(config.window.into()),
            burst: Some(written(config.burst.as_milli())),
        }
    }
}
