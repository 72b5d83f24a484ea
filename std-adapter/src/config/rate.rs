//! `RateConfig`: how many calls may go per time.

use super::thousandths::{MAX_MILLI, milli, written};
use super::{AdaptiveRateConfig, ConfigError, RateText, is_default};
use core::time::Duration;
use fusebox_core::{AdaptivePolicy, BucketPolicy, PolicyError, Quantity, Rate, Tokens};
use serde::{Deserialize, Serialize};

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
    /// Whether the rate follows what the dependency bears, with `limit` as the most. Default: no.
    #[serde(skip_serializing_if = "is_default")]
    pub adaptive: AdaptiveRateConfig,
}

const DEFAULT_RATE: Rate = Rate::per_second(2);
const DEFAULT_BURST: f64 = 10.0;

impl RateConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            enabled: self.enabled.or(defaults.enabled),
            limit: self.limit.or(defaults.limit),
            burst: self.burst.or(defaults.burst),
            adaptive: self.adaptive.or(&defaults.adaptive),
        }
    }

    /// A bucket in which as many tokens can be booked ahead as flow in within `max_wait`.
    pub(super) fn build(
        &self,
        max_wait: Duration,
    ) -> Result<Option<(BucketPolicy, Option<AdaptivePolicy>)>, ConfigError> {
        if self.enabled == Some(false) {
            return Ok(None);
        }
        let rate = self.limit.map_or(DEFAULT_RATE, |text| text.0);
        let burst = milli("rate.burst", self.burst.unwrap_or(DEFAULT_BURST), 1, MAX_MILLI)?;
        let bucket =
            BucketPolicy::new(rate, Tokens::milli(burst)).map_err(|error| ConfigError::in_section("rate", error))?;
        let bucket = with_debt(bucket, max_wait);
        Ok(Some((bucket, self.adaptive.build(&bucket)?)))
    }

    pub(super) fn show(bucket: Option<&BucketPolicy>, adaptive: Option<&AdaptivePolicy>) -> Self {
        match bucket {
            Some(bucket) => Self {
                enabled: Some(true),
                limit: Some(RateText(bucket.rate())),
                burst: Some(written(bucket.burst().as_milli())),
                adaptive: AdaptiveRateConfig::show(adaptive),
            },
            None => Self { enabled: Some(false), ..Self::default() },
        }
    }
}

/// The debt that a wait of `max_wait` amounts to, or the most that the bucket can owe where that is less.
fn with_debt(bucket: BucketPolicy, max_wait: Duration) -> BucketPolicy {
    let Rate { tokens, per } = bucket.rate();
    let milli = u128::from(tokens).saturating_mul(1_000).saturating_mul(max_wait.as_nanos());
    let milli = milli.div_ceil(per.as_nanos().max(1));
    match bucket.with_debt(Tokens::milli(u64::try_from(milli).unwrap_or(u64::MAX))) {
        Ok(bucket) => bucket,
        Err(PolicyError { max: Quantity::Milli(most), .. }) => bucket.with_debt(Tokens::milli(most)).unwrap_or(bucket),
        Err(_) => bucket,
    }
}
