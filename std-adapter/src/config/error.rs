//! `ConfigError`: a policy value that is not allowed, with its field, the value and the range.

use super::DurationText;
use core::error::Error;
use fusebox_core::{PolicyError, Quantity};
use std::fmt;

/// A value that a policy cannot have. Nothing was built or changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// The path of the field, such as `breaker.open_wait`.
    pub field: String,
    /// The value that was given.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl ConfigError {
    pub(super) fn new(field: &str, value: impl fmt::Display, allowed: impl Into<String>) -> Self {
        Self { field: field.to_owned(), value: value.to_string(), allowed: allowed.into() }
    }

    /// An error of the core under the name that its field has in the configuration.
    pub(super) fn in_section(section: &str, error: PolicyError) -> Self {
        let PolicyError { field, value, min, max } = error;
        let field = match (section, field) {
            ("breaker", "trip") => "breaker.consecutive_failures".to_owned(),
            ("breaker", "trip.slow_rate") => "breaker.slow_call_rate".to_owned(),
            ("breaker", "trip.slow_call") => "breaker.slow_call_duration".to_owned(),
            ("breaker", "trip.max_slow") => "breaker.max_slow_calls".to_owned(),
            ("breaker", "window.size") => "breaker.window.calls".to_owned(),
            ("rate", "rate.tokens" | "rate.per") => "rate.limit".to_owned(),
            ("rate.adaptive", "burst") => "rate.burst".to_owned(),
            ("bulkhead", "min_in_flight") => "bulkhead.adaptive.min".to_owned(),
            ("bulkhead", "initial_in_flight") => "bulkhead.adaptive.initial".to_owned(),
            ("bulkhead", "cut" | "slow_after") => format!("bulkhead.adaptive.{field}"),
            ("retry_budget", "retry_budget.floor") => "retry_budget.per_second".to_owned(),
            ("backoff" | "retry_budget" | "throttle", field) => field.to_owned(),
            (section, field) => format!("{section}.{}", field.strip_prefix("trip.").unwrap_or(field)),
        };
        let [value, min, max] = [value, min, max].map(as_written);
        Self { field, value, allowed: format!("{min} to {max}") }
    }

    /// The same error, for a policy that is itself part of something larger, such as `tools.search`.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

/// A value of the core as a configuration would have it.
fn as_written(value: Quantity) -> String {
    match value {
        Quantity::Time(span) => DurationText(span).to_string(),
        number => number.to_string(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: allowed is {}", self.field, self.value, self.allowed)
    }
}

impl Error for ConfigError {}
