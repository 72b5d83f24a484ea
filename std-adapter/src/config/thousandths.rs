//! Numbers with three decimals, as a person writes them, in thousandths, as the core has them.

use super::ConfigError;
use fusebox_core::Quantity;

/// Up to here a number in thousandths survives the way to a float and back.
pub(super) const MAX_MILLI: u64 = 1 << 51;

/// A number with three decimals in thousandths, of which it is at least `min` and at most `max`.
pub(super) fn milli(field: &str, value: f64, min: u64, max: u64) -> Result<u64, ConfigError> {
    let thousandths = (value * 1_000.0).round();
    // the comparison also refuses NaN
    if !(thousandths >= min as f64 && thousandths <= max as f64) {
        let [min, max] = [min, max].map(Quantity::Milli);
        return Err(ConfigError::new(field, value, format!("{min} to {max}")));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within range, as just checked")]
    Ok(thousandths as u64)
}

/// As [`milli`], for numbers that the core has in 32 bits.
pub(super) fn milli_u32(field: &str, value: f64, min: u32, max: u32) -> Result<u32, ConfigError> {
    let thousandths = milli(field, value, min.into(), max.into())?;
    Ok(u32::try_from(thousandths).unwrap_or(max))
}

/// A factor of growth, 1 to 100.
pub(super) fn factor(field: &str, value: f64) -> Result<u32, ConfigError> {
    milli_u32(field, value, 1_000, 100_000)
}

/// Thousandths as a person would write them.
pub(super) fn written(milli: u64) -> f64 {
    milli as f64 / 1_000.0
}
