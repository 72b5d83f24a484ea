//! The retry budget between the configuration's numbers and the core's.

use super::RetryBudgetConfig;
use super::error::ConfigError;
use super::policy::milli_from;
use fusebox_core as bare;
use fusebox_core::{RetryBudgetPolicy, Tokens};

const MAX_MILLI: u64 = 100_000_000;

pub(super) fn build(config: &RetryBudgetConfig) -> Result<Option<RetryBudgetPolicy>, ConfigError> {
    if config.enabled == Some(false) {
        return Ok(None);
    }
    let default = bare::RetryBudgetConfig::DEFAULT;
    let number = |field, value: Option<f64>, default, max| value.map_or(Ok(default), |v| milli_from(0, field, v, max));
    let share = number("retry_budget.share", config.share, u64::from(default.share_milli), 10_000)?;
    let floor = number("retry_budget.per_second", config.per_second, default.floor_per_second.as_milli(), MAX_MILLI)?;
    let window = config.window.map_or(default.window, |text| text.0);
    let floor_in_window = u128::from(floor).saturating_mul(window.as_nanos()).div_ceil(1_000_000_000);
    let least = u64::try_from(floor_in_window).unwrap_or(u64::MAX).clamp(1_000, MAX_MILLI);
    let burst = number("retry_budget.burst", config.burst, default.burst.as_milli().max(least), MAX_MILLI)?;
    let config = bare::RetryBudgetConfig {
        share_milli: u32::try_from(share).unwrap_or(u32::MAX),
        floor_per_second: Tokens::milli(floor),
        window,
        burst: Tokens::milli(burst),
    };
    RetryBudgetPolicy::new(config).map(Some).map_err(|error| ConfigError::in_section("retry_budget", error))
}

pub(super) fn show(policy: Option<&RetryBudgetPolicy>) -> RetryBudgetConfig {
    let Some(policy) = policy else {
        return RetryBudgetConfig { enabled: Some(false), ..RetryBudgetConfig::default() };
    };
    let config = policy.config();
    RetryBudgetConfig {
        enabled: Some(true),
        share: Some(f64::from(config.share_milli) / 1_000.0),
        per_second: Some(config.floor_per_second.as_milli() as f64 / 1_000.0),
        window: Some(config.window.into()),
        burst: Some(config.burst.as_milli() as f64 / 1_000.0),
    }
}
