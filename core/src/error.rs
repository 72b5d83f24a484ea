//! `PolicyError`: why a policy was refused, as the field, the value and the allowed range.

use core::fmt;
use core::time::Duration;

/// A policy value outside its range. Nothing was built.
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::{BreakerConfig, BreakerPolicy};
///
/// let config = BreakerConfig { open_wait: Duration::ZERO, ..BreakerConfig::DEFAULT };
/// let error = BreakerPolicy::new(config).unwrap_err();
/// assert_eq!(error.to_string(), "open_wait is 0ns: allowed is 1ms to 31536000s");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PolicyError {
    /// The field as it is named in the configuration.
    pub field: &'static str,
    /// The value that was given.
    pub value: Quantity,
    /// The least allowed value.
    pub min: Quantity,
    /// The greatest allowed value.
    pub max: Quantity,
}

/// A value in the unit of its field.
///
/// Complete: the policies of this crate are built from these kinds of value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Quantity {
    /// A plain number.
    Count(u64),
    /// Thousandths: factors and tokens.
    Milli(u64),
    /// A span of time.
    Time(Duration),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Milli(milli) => {
                write!(f, "{}", milli / 1_000)?;
                match milli % 1_000 {
                    0 => Ok(()),
                    rest if rest % 100 == 0 => write!(f, ".{}", rest / 100),
                    rest if rest % 10 == 0 => write!(f, ".{:02}", rest / 10),
                    rest => write!(f, ".{rest:03}"),
                }
            }
            Self::Time(span) => write!(f, "{span:?}"),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: allowed is {} to {}", self.field, self.value, self.min, self.max)
    }
}

impl core::error::Error for PolicyError {}

pub(crate) const fn check_count(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), PolicyError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(PolicyError { field, value: Quantity::Count(value), min: Quantity::Count(min), max: Quantity::Count(max) })
}

pub(crate) const fn check_milli(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), PolicyError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(PolicyError { field, value: Quantity::Milli(value), min: Quantity::Milli(min), max: Quantity::Milli(max) })
}

pub(crate) const fn check_time(
    field: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), PolicyError> {
    if value.as_nanos() >= min.as_nanos() && value.as_nanos() <= max.as_nanos() {
        return Ok(());
    }
    Err(PolicyError { field, value: Quantity::Time(value), min: Quantity::Time(min), max: Quantity::Time(max) })
}
