//! `ErrorCategory`: what kind of error ended an attempt, and the table of what follows from it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The kind of an error. It decides whether the error counts against the tool and whether a retry can help.
///
/// | category | trips | retry | | category | trips | retry |
/// |---|---|---|---|---|---|---|
/// | Network | yes | yes | | ToolNotFound | no | no |
/// | Timeout | yes | yes | | ResourceNotFound | no | no |
/// | RateLimit | yes | yes | | PermissionDenied | no | no |
/// | ServiceUnavailable | yes | yes | | PolicyViolation | no | no |
/// | ExecutionError | yes | yes | | ResourceExhausted | no | no |
/// | CircuitOpen | no | yes | | InvalidParameters | no | no |
/// | Authentication | no | no | | Cancelled | no | no |
///
/// Each cell can be changed per tool, see [`PolicyConfig::categories`](crate::PolicyConfig).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema), schemars(description = "The kind of an error."))]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The tool could not be reached.
    Network,
    /// The tool did not answer in time.
    Timeout,
    /// The tool asks its callers to slow down.
    RateLimit,
    /// The tool is reachable but out of service.
    ServiceUnavailable,
    /// The tool ran and failed. Switch its retry off for tools that must not run twice.
    ExecutionError,
    /// Our own circuit refused the call. It never trips the breaker; the retry decides whether a call with time to
    /// spare (`max_wait`) waits until the circuit admits it.
    CircuitOpen,
    /// The credentials are wrong or missing.
    Authentication,
    /// There is no such tool.
    ToolNotFound,
    /// The tool works but what it was asked for does not exist.
    ResourceNotFound,
    /// The caller may not do this.
    PermissionDenied,
    /// A rule of the tool or of its operator forbids this.
    PolicyViolation,
    /// A quota, disk or memory is used up; trying again soon does not help.
    ResourceExhausted,
    /// The arguments are wrong.
    InvalidParameters,
    /// The caller gave up.
    Cancelled,
}

impl ErrorCategory {
    /// All categories, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::Network,
        Self::Timeout,
        Self::RateLimit,
        Self::ServiceUnavailable,
        Self::ExecutionError,
        Self::CircuitOpen,
        Self::Authentication,
        Self::ToolNotFound,
        Self::ResourceNotFound,
        Self::PermissionDenied,
        Self::PolicyViolation,
        Self::ResourceExhausted,
        Self::InvalidParameters,
        Self::Cancelled,
    ];

    /// What follows from this category unless a policy says otherwise.
    pub const fn default_rule(self) -> CategoryRule {
        let (trips, retry) = match self {
            Self::Network | Self::Timeout | Self::RateLimit | Self::ServiceUnavailable | Self::ExecutionError => {
                (true, true)
            }
            Self::CircuitOpen => (false, true),
            Self::Authentication
            | Self::ToolNotFound
            | Self::ResourceNotFound
            | Self::PermissionDenied
            | Self::PolicyViolation
            | Self::ResourceExhausted
            | Self::InvalidParameters
            | Self::Cancelled => (false, false),
        };
        CategoryRule { trips, retry }
    }

    /// The category's name, as in configurations and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Timeout => "Timeout",
            Self::RateLimit => "RateLimit",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::ExecutionError => "ExecutionError",
            Self::CircuitOpen => "CircuitOpen",
            Self::Authentication => "Authentication",
            Self::ToolNotFound => "ToolNotFound",
            Self::ResourceNotFound => "ResourceNotFound",
            Self::PermissionDenied => "PermissionDenied",
            Self::PolicyViolation => "PolicyViolation",
            Self::ResourceExhausted => "ResourceExhausted",
            Self::InvalidParameters => "InvalidParameters",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for ErrorCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct CategoryRule {
    /// Whether it counts against the tool, towards opening its breaker.
    pub trips: bool,
    /// Whether another attempt can help.
    pub retry: bool,
}

/// A change to a [`CategoryRule`]; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
pub struct CategoryChange {
    /// Whether it counts against the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trips: Option<bool>,
    /// Whether another attempt can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<bool>,
}

/// The rule of each category.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CategoryTable(BTreeMap<ErrorCategory, CategoryRule>);

impl CategoryTable {
    pub(crate) fn new(changes: &BTreeMap<ErrorCategory, CategoryChange>) -> Self {
        let changed = |(&category, change): (&ErrorCategory, &CategoryChange)| {
            let rule = category.default_rule();
            let trips = change.trips.unwrap_or(rule.trips);
            (category, CategoryRule { trips, retry: change.retry.unwrap_or(rule.retry) })
        };
        Self(changes.iter().map(changed).collect())
    }

    pub(crate) fn set_trips(&mut self, category: ErrorCategory, trips: bool) {
        let rule = self.rule(category);
        self.0.insert(category, CategoryRule { trips, ..rule });
    }

    pub(crate) fn rule(&self, category: ErrorCategory) -> CategoryRule {
        self.0.get(&category).copied().unwrap_or(category.default_rule())
    }
}
