//! `BreakerConfig`: when to stop calling a tool that keeps failing, and how to try again.

use super::thousandths::{factor, milli_u32, written};
use super::window::WindowPolicy;
use super::{ConfigError, DurationText, JitterConfig, WindowConfig, is_default};
use core::time::Duration;
use fusebox_core as bare;
use fusebox_core::{BreakerPolicy, RateTrip, Trip};
use serde::{Deserialize, Serialize};

/// When to stop calling a tool that keeps failing, and how to try again.
///
/// It opens after so many failures in a row, or, with a `window`, on rates among the latest calls:
///
/// ```
/// use fusebox::{Policy, PolicyConfig};
///
/// let config: PolicyConfig = toml::from_str(r#"
///     [breaker]
///     window = { span = "1m" } # or { calls = 100 }
///     failure_rate = 0.3
///     slow_call_rate = 0.5
///     slow_call_duration = "2s"
/// "#)?;
/// assert_eq!(Policy::new(&config)?.effective().breaker.minimum_calls, Some(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct BreakerConfig {
    /// Whether there is a breaker. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// This many failures in a row open it, at least 1; not with a `window`. Default: 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// The calls that the rates below are about. Default: none, failures in a row count. A change forgets what the window
    /// held; whether the breaker is open stays.
    #[serde(skip_serializing_if = "is_default")]
    pub window: WindowConfig,
    /// This share of the window's calls opens it when they fail, 0.001 to 1. Only with a `window`. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// This share of the window's calls opens it when they are slow, 0.001 to 1. Only with a `window`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_call_rate: Option<f64>,
    /// A call is slow when it took this long or longer, 1 us to 365 days. Only with a `window`. Default: `"1m"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_call_duration: Option<DurationText>,
    /// Rates decide from this many calls on, or from a full window of fewer `calls`; 1 to 100000. Only with a `window`.
    /// Default: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_calls: Option<u32>,
    /// This many failures open it, however many calls the window holds, 1 to 100000. Only with a `window`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// This many slow calls open it, however many the window holds, 1 to 100000. Only with a `window`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_slow_calls: Option<u32>,
    /// How long it first stays open, 1 ms to 365 days. Default: `"5s"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait: Option<DurationText>,
    /// The growth of that wait with each re-opening, 1 to 100 in thousandths. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait_factor: Option<f64>,
    /// The longest wait, `open_wait` to 365 days. Default: `"2m"`, or `open_wait` where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_wait_max: Option<DurationText>,
    /// How the wait is randomised. Default: `"equal"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<JitterConfig>,
    /// The most probes outstanding while half-open, 1 to 15. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<u8>,
    /// Successful probes that close it, 1 to 15. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_successes: Option<u8>,
    /// After this long a probe that has not reported is written off, 10 ms to 32 times `open_wait`. Default: a second
    /// more than `timeout`, so that no attempt outlives it, within that range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_lease: Option<DurationText>,
    /// Whether a cancelled call counts as a failure. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_is_failure: Option<bool>,
}

/// How much longer than an attempt a probe's lease is, so that an attempt that times out still reports.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

impl BreakerConfig {
    pub(super) fn or(self, defaults: &Self) -> Self {
        // failures in a row and rates are two kinds of trip: setting either hides the other of the defaults
        let own_window = self.window.is_given();
        let rates = if self.consecutive_failures.is_some() { &Self::default() } else { defaults };
        Self {
            enabled: self.enabled.or(defaults.enabled),
            consecutive_failures: self.consecutive_failures.or(defaults.consecutive_failures.filter(|_| !own_window)),
            window: self.window.or(&rates.window),
            failure_rate: self.failure_rate.or(rates.failure_rate),
            slow_call_rate: self.slow_call_rate.or(rates.slow_call_rate),
            slow_call_duration: self.slow_call_duration.or(rates.slow_call_duration),
            minimum_calls: self.minimum_calls.or(rates.minimum_calls),
            max_failures: self.max_failures.or(rates.max_failures),
            max_slow_calls: self.max_slow_calls.or(rates.max_slow_calls),
            open_wait: self.open_wait.or(defaults.open_wait),
            open_wait_factor: self.open_wait_factor.or(defaults.open_wait_factor),
            open_wait_max: self.open_wait_max.or(defaults.open_wait_max),
            jitter: self.jitter.or(defaults.jitter),
            probes: self.probes.or(defaults.probes),
            required_successes: self.required_successes.or(defaults.required_successes),
            probe_lease: self.probe_lease.or(defaults.probe_lease),
            cancelled_is_failure: self.cancelled_is_failure.or(defaults.cancelled_is_failure),
        }
    }

    pub(super) fn build(
        &self,
        timeout: Duration,
        cancelled_trips: bool,
    ) -> Result<Option<(BreakerPolicy, Option<WindowPolicy>)>, ConfigError> {
        if self.enabled == Some(false) {
            return Ok(None);
        }
        let default = bare::BreakerConfig::DEFAULT;
        let window = self.window.build()?;
        let open_wait = self.open_wait.map_or(default.open_wait, |text| text.0);
        let open_wait_factor_milli = match self.open_wait_factor {
            Some(value) => factor("breaker.open_wait_factor", value)?,
            None => default.open_wait_factor_milli,
        };
        let longest_lease = open_wait.saturating_mul(bare::BreakerConfig::MAX_LEASE_IN_WAITS);
        let config = bare::BreakerConfig {
            trip: self.trip(window.is_some())?,
            open_wait,
            open_wait_factor_milli,
            open_wait_max: self.open_wait_max.map_or(default.open_wait_max.max(open_wait), |text| text.0),
            jitter: self.jitter.map_or(default.jitter, Into::into),
            seed: process_seed(),
            probes: self.probes.unwrap_or(default.probes),
            required_successes: self.required_successes.unwrap_or(default.required_successes),
            probe_lease: self.probe_lease.map_or((timeout + LEASE_MARGIN).min(longest_lease), |text| text.0),
            cancelled_is_failure: self.cancelled_is_failure.unwrap_or(default.cancelled_is_failure) || cancelled_trips,
        };
        let policy = BreakerPolicy::new(config).map_err(|error| ConfigError::in_section("breaker", error))?;
        Ok(Some((policy, window)))
    }

    fn trip(&self, windowed: bool) -> Result<Trip, ConfigError> {
        if !windowed {
            self.refuse_rates()?;
            return Ok(self.consecutive_failures.map_or(bare::BreakerConfig::DEFAULT.trip, Trip::Consecutive));
        }
        if let Some(failures) = self.consecutive_failures {
            let allowed = "only one of it and breaker.window";
            return Err(ConfigError::new("breaker.consecutive_failures", failures, allowed));
        }
        let default = RateTrip::DEFAULT;
        let rate = |field, value: Option<f64>| value.map(|value| milli_u32(field, value, 1, 1_000)).transpose();
        Ok(Trip::Rate(RateTrip {
            failure_rate_milli: rate("breaker.failure_rate", self.failure_rate)?.or(default.failure_rate_milli),
            slow_rate_milli: rate("breaker.slow_call_rate", self.slow_call_rate)?.or(default.slow_rate_milli),
            slow_call: self.slow_call_duration.map_or(default.slow_call, |text| text.0),
            minimum_calls: self.minimum_calls.unwrap_or(default.minimum_calls),
            max_failures: self.max_failures.or(default.max_failures),
            max_slow: self.max_slow_calls.or(default.max_slow),
        }))
    }

    /// Without a window nothing would come of them, and whoever wrote them expects something.
    fn refuse_rates(&self) -> Result<(), ConfigError> {
        let refused = |field, value: Option<String>| {
            value.map_or(Ok(()), |value| Err(ConfigError::new(field, value, "only with breaker.window")))
        };
        refused("breaker.failure_rate", self.failure_rate.map(|rate| rate.to_string()))?;
        refused("breaker.slow_call_rate", self.slow_call_rate.map(|rate| rate.to_string()))?;
        refused("breaker.slow_call_duration", self.slow_call_duration.map(|text| text.to_string()))?;
        refused("breaker.minimum_calls", self.minimum_calls.map(|calls| calls.to_string()))?;
        refused("breaker.max_failures", self.max_failures.map(|calls| calls.to_string()))?;
        refused("breaker.max_slow_calls", self.max_slow_calls.map(|calls| calls.to_string()))
    }

    pub(super) fn show(policy: Option<&BreakerPolicy>, window: Option<WindowPolicy>) -> Self {
        let Some(policy) = policy else { return Self { enabled: Some(false), ..Self::default() } };
        let config = policy.config();
        let (consecutive_failures, rate) = match config.trip {
            Trip::Consecutive(failures) => (Some(failures), None),
            Trip::Rate(rate) => (None, Some(rate)),
            _ => (None, None),
        };
        let share = |milli: Option<u32>| milli.map(|milli| written(milli.into()));
        Self {
            enabled: Some(true),
            consecutive_failures,
            window: WindowConfig::show(window),
            failure_rate: share(rate.and_then(|rate| rate.failure_rate_milli)),
            slow_call_rate: share(rate.and_then(|rate| rate.slow_rate_milli)),
            slow_call_duration: rate.map(|rate| rate.slow_call.into()),
            minimum_calls: rate.map(|rate| rate.minimum_calls),
            max_failures: rate.and_then(|rate| rate.max_failures),
            max_slow_calls: rate.and_then(|rate| rate.max_slow),
            open_wait: Some(config.open_wait.into()),
            open_wait_factor: Some(written(config.open_wait_factor_milli.into())),
            open_wait_max: Some(config.open_wait_max.into()),
            jitter: JitterConfig::show(config.jitter),
            probes: Some(config.probes),
            required_successes: Some(config.required_successes),
            probe_lease: Some(config.probe_lease.into()),
            cancelled_is_failure: Some(config.cancelled_is_failure),
        }
    }
}

/// One seed per process, so that processes which opened together do not try again together.
fn process_seed() -> u64 {
    static SEED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| fastrand::u64(..));
    *SEED
}
