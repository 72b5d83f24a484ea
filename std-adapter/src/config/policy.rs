//! `Policy`: a checked policy, ready to run calls under.

use super::hedge::HedgePolicy;
use super::{
    BackoffConfig, BreakerConfig, BulkheadConfig, ConfigError, DurationText, JitterConfig, PolicyConfig, RateConfig,
    RateText, retry_budget,
};
use crate::category::{CategoryRule, CategoryTable, ErrorCategory};
use core::time::Duration;
use fusebox_core as bare;
use fusebox_core::{
    Backoff, BreakerPolicy, BucketPolicy, BulkheadPolicy, CircuitPolicy, Rate, RetryBudgetPolicy, Tokens, Trip,
};

/// A checked policy. Built from a [`PolicyConfig`]; the default is what an empty one gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) limits: LimitPolicy,
    pub(crate) timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_wait: Duration,
    pub(crate) max_retries: u32,
    pub(crate) idempotent: bool,
    pub(crate) nested_retries: bool,
    pub(crate) hedge: Option<HedgePolicy>,
    pub(crate) backoff: Backoff,
    categories: CategoryTable,
    effective: PolicyConfig,
}

/// The part of a policy that all executors of one dependency share, as they share the state under it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LimitPolicy {
    pub(crate) circuit: CircuitPolicy,
    pub(crate) retry_budget: Option<RetryBudgetPolicy>,
}

impl LimitPolicy {
    /// Whether it has a part that can refuse a call.
    pub(crate) const fn limits(&self) -> bool {
        self.circuit.breaker.is_some() || self.circuit.bulkhead.is_some() || self.circuit.bucket.is_some()
    }

    /// This policy, with the parts that it leaves out as they are in `other`.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            circuit: CircuitPolicy {
                breaker: self.circuit.breaker.or(other.circuit.breaker),
                bulkhead: self.circuit.bulkhead.or(other.circuit.bulkhead),
                bucket: self.circuit.bucket.or(other.circuit.bucket),
            },
            retry_budget: self.retry_budget.or(other.retry_budget),
        }
    }
}

const DEFAULT_RATE: Rate = Rate::per_second(2);
const DEFAULT_BURST: f64 = 10.0;
const DEFAULT_RETRIES: u32 = 2;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How much longer than an attempt a probe's lease is, so that an attempt that times out still reports.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// Up to here a burst in thousandths survives the way to a float and back.
const MAX_BURST_MILLI: u64 = 1 << 51;
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Policy {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first field that is not allowed, with its value and the range.
    pub fn new(config: &PolicyConfig) -> Result<Self, ConfigError> {
        let timeout = one_of("timeout", config.timeout, "timeout_ms", config.timeout_ms)?.unwrap_or(DEFAULT_TIMEOUT);
        within("timeout", timeout, Duration::from_millis(1))?;
        let idle_timeout = config.idle_timeout.map(|text| text.0);
        within("idle_timeout", idle_timeout.unwrap_or(LONGEST), Duration::from_millis(1))?;
        let deadline = config.deadline.map(|text| text.0);
        within("deadline", deadline.unwrap_or(LONGEST), Duration::from_millis(1))?;
        let max_wait = config.max_wait.map_or(Duration::ZERO, |text| text.0);
        within("max_wait", max_wait, Duration::ZERO)?;
        let max_retries = config.max_retries.unwrap_or(DEFAULT_RETRIES);
        let idempotent = config.idempotent.unwrap_or(true);
        let nested_retries = config.nested_retries.unwrap_or(false);

        let base = one_of("backoff.base", config.backoff.base, "backoff_base_ms", config.backoff_base_ms)?;
        let backoff = backoff(base, &config.backoff)?;
        let mut categories = CategoryTable::new(&config.categories);
        let cancelled_trips = categories.rule(ErrorCategory::Cancelled).trips;
        let circuit = CircuitPolicy {
            breaker: breaker(&config.breaker, timeout, cancelled_trips)?,
            bucket: bucket(&config.rate, max_wait)?,
            bulkhead: bulkhead(&config.bulkhead)?,
        };
        let retry_budget = retry_budget::build(&config.retry_budget)?;
        if let Some(breaker) = &circuit.breaker {
            // two ways to write one thing
            categories.set_trips(ErrorCategory::Cancelled, breaker.config().cancelled_is_failure);
        }
        let effective = PolicyConfig {
            timeout: Some(timeout.into()),
            timeout_ms: None,
            idle_timeout: config.idle_timeout,
            deadline: config.deadline,
            max_wait: Some(max_wait.into()),
            max_retries: Some(max_retries),
            idempotent: Some(idempotent),
            nested_retries: Some(nested_retries),
            retry_budget: retry_budget::show(retry_budget.as_ref()),
            backoff: show_backoff(&backoff),
            backoff_base_ms: None,
            breaker: show_breaker(circuit.breaker.as_ref()),
            rate: show_rate(circuit.bucket.as_ref()),
            bulkhead: show_bulkhead(circuit.bulkhead.as_ref()),
            categories: config.categories.clone(),
        };
        Ok(Self {
            limits: LimitPolicy { circuit, retry_budget },
            timeout,
            idle_timeout,
            deadline,
            max_wait,
            max_retries,
            idempotent,
            nested_retries,
            hedge: None,
            backoff,
            categories,
            effective,
        })
    }

    /// The configuration with every default filled in. Building a policy from it gives this policy again.
    pub const fn effective(&self) -> &PolicyConfig {
        &self.effective
    }

    /// What follows from an error of this category.
    pub fn rule(&self, category: ErrorCategory) -> CategoryRule {
        self.categories.rule(category)
    }
}

impl Default for Policy {
    fn default() -> Self {
        let Ok(policy) = Self::new(&PolicyConfig::default()) else {
            unreachable!("the defaults are within their ranges, which a test checks")
        };
        policy
    }
}

/// A field that can be written in two ways, of which at most one may be used.
fn one_of(
    field: &str,
    text: Option<DurationText>,
    millis_field: &str,
    millis: Option<u64>,
) -> Result<Option<Duration>, ConfigError> {
    match (text, millis) {
        (Some(_), Some(millis)) => Err(ConfigError::new(millis_field, millis, format!("only one of it and {field}"))),
        (Some(text), None) => Ok(Some(text.0)),
        (None, millis) => Ok(millis.map(Duration::from_millis)),
    }
}

fn within(field: &str, value: Duration, min: Duration) -> Result<(), ConfigError> {
    if (min..=LONGEST).contains(&value) {
        return Ok(());
    }
    let [value, min, max] = [value, min, LONGEST].map(DurationText);
    Err(ConfigError::new(field, value, format!("{min} to {max}")))
}

/// A positive number with three decimals, in thousandths.
fn milli(field: &str, value: f64, max: u64) -> Result<u64, ConfigError> {
    milli_from(1, field, value, max)
}

/// A number with three decimals, in thousandths, of which it is at least `min` and at most `max`.
pub(super) fn milli_from(min: u64, field: &str, value: f64, max: u64) -> Result<u64, ConfigError> {
    let thousandths = (value * 1_000.0).round();
    // the comparison also refuses NaN
    if !(thousandths >= min as f64 && thousandths <= max as f64) {
        let [min, max] = [min, max].map(bare::Quantity::Milli);
        return Err(ConfigError::new(field, value, format!("{min} to {max}")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within range, as just checked")]
    Ok(thousandths as u64)
}

/// A factor in thousandths.
fn factor(field: &str, value: f64) -> Result<u32, ConfigError> {
    let thousandths = milli(field, value, 100_000).unwrap_or(0);
    match u32::try_from(thousandths) {
        Ok(factor) if factor >= 1_000 => Ok(factor),
        _ => Err(ConfigError::new(field, value, "1 to 100")),
    }
}

fn backoff(base: Option<Duration>, config: &BackoffConfig) -> Result<Backoff, ConfigError> {
    let default = bare::BackoffConfig::DEFAULT;
    let base = base.unwrap_or(default.base);
    let config = bare::BackoffConfig {
        base,
        factor_milli: config.factor.map_or(Ok(default.factor_milli), |value| factor("backoff.factor", value))?,
        cap: config.cap.map_or(default.cap.max(base), |text| text.0),
        jitter: config.jitter.map_or(default.jitter, Into::into),
    };
    Backoff::new(config).map_err(|error| ConfigError::in_section("backoff", error))
}

fn breaker(
    config: &BreakerConfig,
    timeout: Duration,
    cancelled_trips: bool,
) -> Result<Option<BreakerPolicy>, ConfigError> {
    if config.enabled == Some(false) {
        return Ok(None);
    }
    let default = bare::BreakerConfig::DEFAULT;
    let open_wait = config.open_wait.map_or(default.open_wait, |text| text.0);
    let open_wait_factor_milli = match config.open_wait_factor {
        Some(value) => factor("breaker.open_wait_factor", value)?,
        None => default.open_wait_factor_milli,
    };
    let longest_lease = open_wait.saturating_mul(bare::BreakerConfig::MAX_LEASE_IN_WAITS);
    let config = bare::BreakerConfig {
        trip: config.consecutive_failures.map_or(default.trip, Trip::Consecutive),
        open_wait,
        open_wait_factor_milli,
        open_wait_max: config.open_wait_max.map_or(default.open_wait_max.max(open_wait), |text| text.0),
        jitter: config.jitter.map_or(default.jitter, Into::into),
        seed: process_seed(),
        probes: config.probes.unwrap_or(default.probes),
        required_successes: config.required_successes.unwrap_or(default.required_successes),
        probe_lease: config.probe_lease.map_or((timeout + LEASE_MARGIN).min(longest_lease), |text| text.0),
        cancelled_is_failure: config.cancelled_is_failure.unwrap_or(default.cancelled_is_failure) || cancelled_trips,
    };
    BreakerPolicy::new(config).map(Some).map_err(|error| ConfigError::in_section("breaker", error))
}

/// One seed per process, so that processes which opened together do not try again together.
fn process_seed() -> u64 {
    static SEED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| fastrand::u64(..));
    *SEED
}

fn bucket(config: &RateConfig, max_wait: Duration) -> Result<Option<BucketPolicy>, ConfigError> {
    if config.enabled == Some(false) {
        return Ok(None);
    }
    let rate = config.limit.map_or(DEFAULT_RATE, |text| text.0);
    let burst = milli("rate.burst", config.burst.unwrap_or(DEFAULT_BURST), MAX_BURST_MILLI)?;
    let policy =
        BucketPolicy::new(rate, Tokens::milli(burst)).map_err(|error| ConfigError::in_section("rate", error))?;
    Ok(Some(with_room_for_bookings(policy, max_wait)))
}

/// Lets as many tokens be booked ahead as come within `max_wait`, or as many as the bucket can owe where that is less.
fn with_room_for_bookings(policy: BucketPolicy, max_wait: Duration) -> BucketPolicy {
    let Rate { tokens, per } = policy.rate();
    let milli = (u128::from(tokens) * 1_000).saturating_mul(max_wait.as_nanos()).div_ceil(per.as_nanos().max(1));
    let debt = u64::try_from(milli).unwrap_or(u64::MAX);
    (0..u64::BITS).find_map(|halved| policy.with_debt(Tokens::milli(debt >> halved)).ok()).unwrap_or(policy)
}

fn bulkhead(config: &BulkheadConfig) -> Result<Option<BulkheadPolicy>, ConfigError> {
    match (config.enabled, config.max_in_flight) {
        (Some(false), _) | (None, None) => Ok(None),
        (Some(true), None) => Err(ConfigError::new("bulkhead.max_in_flight", "absent", "1 to 4294967295")),
        (_, Some(max)) => {
            BulkheadPolicy::new(max).map(Some).map_err(|error| ConfigError::in_section("bulkhead", error))
        }
    }
}

fn show_backoff(backoff: &Backoff) -> BackoffConfig {
    let bare::BackoffConfig { base, factor_milli, cap, jitter } = *backoff.config();
    BackoffConfig {
        base: Some(base.into()),
        factor: Some(f64::from(factor_milli) / 1_000.0),
        cap: Some(cap.into()),
        jitter: show_jitter(jitter),
    }
}

fn show_breaker(policy: Option<&BreakerPolicy>) -> BreakerConfig {
    let Some(policy) = policy else {
        return BreakerConfig { enabled: Some(false), ..BreakerConfig::default() };
    };
    let config = policy.config();
    BreakerConfig {
        enabled: Some(true),
        consecutive_failures: match config.trip {
            Trip::Consecutive(failures) => Some(failures),
            _ => None,
        },
        open_wait: Some(config.open_wait.into()),
        open_wait_factor: Some(f64::from(config.open_wait_factor_milli) / 1_000.0),
        open_wait_max: Some(config.open_wait_max.into()),
        jitter: show_jitter(config.jitter),
        probes: Some(config.probes),
        required_successes: Some(config.required_successes),
        probe_lease: Some(config.probe_lease.into()),
        cancelled_is_failure: Some(config.cancelled_is_failure),
    }
}

fn show_rate(policy: Option<&BucketPolicy>) -> RateConfig {
    match policy {
        Some(policy) => RateConfig {
            enabled: Some(true),
            limit: Some(RateText(policy.rate())),
            burst: Some(policy.burst().as_milli() as f64 / 1_000.0),
        },
        None => RateConfig { enabled: Some(false), ..RateConfig::default() },
    }
}

fn show_bulkhead(policy: Option<&BulkheadPolicy>) -> BulkheadConfig {
    BulkheadConfig { enabled: Some(policy.is_some()), max_in_flight: policy.map(BulkheadPolicy::max_in_flight) }
}

fn show_jitter(jitter: bare::Jitter) -> Option<JitterConfig> {
    match jitter {
        bare::Jitter::None => Some(JitterConfig::None),
        bare::Jitter::Equal => Some(JitterConfig::Equal),
        bare::Jitter::Full => Some(JitterConfig::Full),
        _ => None,
    }
}
