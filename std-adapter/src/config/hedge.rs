//! `HedgeConfig`: when to make a second attempt beside one that takes long, and `HedgePolicy`: the same, checked.

use super::thousandths::{milli, written};
use super::{ConfigError, DurationText, LONGEST};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// When to make another attempt beside one that takes long; the first to succeed ends the call. Only for calls that may
/// be repeated (`idempotent`). Each attempt is admitted, counted and paid for like any other.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct HedgeConfig {
    /// Whether calls are hedged. Default: whether anything else here is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The time after which an attempt takes long, 0 to 365 days; either this or `percentile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DurationText>,
    /// An attempt takes long when it takes longer than this percentage of the latest ones, 1 to 99.9 in thousandths;
    /// either this or `delay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
    /// Attempts to have been measured before a percentile says anything, 1 to 100000. Default: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u32>,
    /// The most attempts beside the first, 1 to 5. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u8>,
}

/// When to hedge, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HedgePolicy {
    pub(crate) after: HedgeAfter,
    /// The most attempts beside the first.
    pub(crate) max: u8,
}

/// The time after which an attempt takes long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HedgeAfter {
    Delay(Duration),
    /// Longer than `percentile` per cent of the latest attempts, once `min_samples` were measured.
    Percentile {
        percentile: f64,
        min_samples: u32,
    },
}

const DEFAULT_SAMPLES: u32 = 20;
const MOST_SAMPLES: u32 = 100_000;
const MOST_HEDGES: u8 = 5;

impl HedgeConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        // a delay and a percentile are two ways to write one thing: setting either hides the other of the defaults
        let (own_delay, own_percentile) = (self.delay.is_some(), self.percentile.is_some());
        Self {
            enabled: self.enabled.or(defaults.enabled),
            delay: self.delay.or(defaults.delay.filter(|_| !own_percentile)),
            percentile: self.percentile.or(defaults.percentile.filter(|_| !own_delay)),
            min_samples: self.min_samples.or(defaults.min_samples.filter(|_| !own_delay)),
            max: self.max.or(defaults.max),
        }
    }

    pub(super) fn build(&self, idempotent: bool) -> Result<Option<HedgePolicy>, ConfigError> {
        if !self.enabled.unwrap_or(*self != Self::default()) {
            return Ok(None);
        }
        if !idempotent {
            return Err(ConfigError::new("hedge.enabled", true, "only where idempotent is true"));
        }
        let max = self.max.unwrap_or(1);
        if !(1..=MOST_HEDGES).contains(&max) {
            return Err(ConfigError::new("hedge.max", max, format!("1 to {MOST_HEDGES}")));
        }
        Ok(Some(HedgePolicy { after: self.after()?, max }))
    }

    fn after(&self) -> Result<HedgeAfter, ConfigError> {
        match (self.delay, self.percentile, self.min_samples) {
            (Some(delay), None, None) if delay.0 <= LONGEST => Ok(HedgeAfter::Delay(delay.0)),
            (Some(delay), None, None) => {
                Err(ConfigError::new("hedge.delay", delay, format!("0s to {}", DurationText(LONGEST))))
            }
            (Some(_), Some(percentile), _) => {
                Err(ConfigError::new("hedge.percentile", percentile, "only one of it and hedge.delay"))
            }
            (_, None, Some(samples)) => {
                Err(ConfigError::new("hedge.min_samples", samples, "only with hedge.percentile"))
            }
            (None, None, None) => {
                Err(ConfigError::new("hedge.delay", "absent", "a duration, unless there is a hedge.percentile"))
            }
            (None, Some(percentile), samples) => {
                let percentile = written(milli("hedge.percentile", percentile, 1_000, 99_900)?);
                let min_samples = samples.unwrap_or(DEFAULT_SAMPLES);
                if !(1..=MOST_SAMPLES).contains(&min_samples) {
                    return Err(ConfigError::new("hedge.min_samples", min_samples, format!("1 to {MOST_SAMPLES}")));
                }
                Ok(HedgeAfter::Percentile { percentile, min_samples })
            }
        }
    }

    pub(super) fn show(policy: Option<&HedgePolicy>) -> Self {
        let Some(HedgePolicy { after, max }) = policy else {
            return Self { enabled: Some(false), ..Self::default() };
        };
        let shown = Self { enabled: Some(true), max: Some(*max), ..Self::default() };
        match *after {
            HedgeAfter::Delay(delay) => Self { delay: Some(delay.into()), ..shown },
            HedgeAfter::Percentile { percentile, min_samples } => {
                Self { percentile: Some(percentile), min_samples: Some(min_samples), ..shown }
            }
        }
    }
}
