//! `SizeText`: a number of bytes that is written as text, such as `"1 MiB"`.

use bytesize::ByteSize;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A number of bytes that serde reads as text (`"512 KiB"`, `"1.5MB"`) or as a number, and writes as text that gives the
/// same number again.
///
/// ```
/// use fusebox::config::SizeText;
///
/// let size: SizeText = "2 MiB".parse()?;
/// assert_eq!(size, SizeText(2 * 1024 * 1024));
/// assert_eq!(size.to_string(), "2 MiB");
/// assert_eq!(SizeText(1_500).to_string(), "1500 B");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SizeText(pub u64);

impl FromStr for SizeText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|error| format!("{text:?} is not a size such as \"512 KiB\" or \"1 MiB\": {error}"))
    }
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        // only a unit of which it is a whole number, so that nothing is rounded
        let unit = UNITS.into_iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (size, name) = unit.unwrap_or((1, "B"));
        write!(f, "{} {name}", self.0 / size)
    }
}

impl Serialize for SizeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = SizeText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in bytes, as a number or as text such as \"1 MiB\"")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<SizeText, E> {
        Ok(SizeText(bytes))
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<SizeText, E> {
        u64::try_from(bytes).map(SizeText).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SizeText, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_text_or_number_and_written_without_rounding() {
        for (written, bytes) in [("\"1MiB\"", 1 << 20), ("\"1.5 kB\"", 1_500), ("77", 77), ("\"3\"", 3), ("0", 0)] {
            let size: SizeText = serde_json::from_str(written).expect(written);
            assert_eq!(size, SizeText(bytes), "{written}");
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for bytes in [1, 1_023, 1_024, 1_025, (1 << 20) + 1, 3 << 30, (5 << 40) + 1_024, u64::MAX >> 11] {
            assert_eq!(SizeText(bytes).to_string().parse(), Ok(SizeText(bytes)));
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_value_and_an_example() {
        for wrong in ["\"big\"", "-1", "1.5", "true", "\"\"", "\"-3\""] {
            let error = serde_json::from_str::<SizeText>(wrong).expect_err(wrong).to_string();
            assert!(error.contains("1 MiB"), "{error}");
            assert!(error.contains(wrong.trim_matches('"')), "{error}");
        }
    }
}
