//! `DurationText`: a duration that is written as text, such as `"500ms"`.

use core::marker::PhantomData;
use core::str::FromStr;
use core::time::Duration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A duration that serde reads and writes as text: `"500ms"`, `"5s"`, `"1m 30s"`, `"2h"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DurationText(pub Duration);

impl DurationText {
    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl From<Duration> for DurationText {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for DurationText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("{text:?} is not a duration such as \"500ms\" or \"1m 30s\": {error}"))
    }
}

const DAY: u64 = 24 * 60 * 60;

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // no months and years, whose lengths nobody knows by heart
        let days = self.0.as_secs() / DAY;
        let rest = self.0 - Duration::from_secs(days * DAY);
        match (days, rest.is_zero()) {
            (0, _) => humantime::format_duration(rest).fmt(f),
            (_, true) => write!(f, "{days}days"),
            (_, false) => write!(f, "{days}days {}", humantime::format_duration(rest)),
        }
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("a duration as text, such as \"500ms\" or \"1m 30s\""))
    }
}

/// Reads any type from its text, and says what it expects where there is none.
pub(super) struct TextVisitor<T> {
    expecting: &'static str,
    value: PhantomData<T>,
}

impl<T> TextVisitor<T> {
    pub(super) const fn new(expecting: &'static str) -> Self {
        Self { expecting, value: PhantomData }
    }
}

impl<T: FromStr<Err = String>> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
