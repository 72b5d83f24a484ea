//! `RateText`: a rate that is written as text, such as `"100/min"`.

use super::duration_text::{DurationText, TextVisitor};
use core::str::FromStr;
use core::time::Duration;
use fusebox_core::Rate;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A rate that serde reads and writes as text: whole calls, a slash, and a unit (`s`, `min`, `h`, `day`) or any
/// duration (`250ms`).
///
/// ```
/// use fusebox::RateText;
///
/// let rate: RateText = "100/min".parse()?;
/// assert_eq!(rate.0.tokens, 100);
/// assert_eq!(rate.to_string(), "100/1m");
/// assert_eq!(rate.to_string().parse(), Ok(rate));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateText(pub Rate);

impl FromStr for RateText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a rate such as \"2/s\", \"100/min\" or \"5/250ms\"");
        let (tokens, per) = text.split_once('/').ok_or_else(wrong)?;
        let tokens = tokens.trim().parse().map_err(|_| wrong())?;
        Ok(Self(Rate { tokens, per: period(per.trim()).ok_or_else(wrong)? }))
    }
}

/// A duration, of which a bare unit counts as one.
fn period(text: &str) -> Option<Duration> {
    let one = format!("1{text}");
    let text = if text.starts_with(|first: char| first.is_ascii_alphabetic()) { &one } else { text };
    humantime::parse_duration(text).ok()
}

impl fmt::Display for RateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rate { tokens, per } = self.0;
        write!(f, "{tokens}/{}", DurationText(per))
    }
}

impl Serialize for RateText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("a rate as text, such as \"2/s\" or \"100/min\""))
    }
}
