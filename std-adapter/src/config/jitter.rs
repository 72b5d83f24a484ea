//! `JitterConfig`: how a wait is randomised.

use fusebox_core::Jitter;
use serde::{Deserialize, Serialize};

/// How a wait is randomised; never above itself.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "config-file", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum JitterConfig {
    /// Not at all.
    None,
    /// Down to half of it.
    Equal,
    /// Down to nothing.
    Full,
}

impl JitterConfig {
    /// `None` for a kind that the core has and a configuration has not.
    pub(super) const fn show(jitter: Jitter) -> Option<Self> {
        match jitter {
            Jitter::None => Some(Self::None),
            Jitter::Equal => Some(Self::Equal),
            Jitter::Full => Some(Self::Full),
            _ => None,
        }
    }
}

impl From<JitterConfig> for Jitter {
    fn from(jitter: JitterConfig) -> Self {
        match jitter {
            JitterConfig::None => Self::None,
            JitterConfig::Equal => Self::Equal,
            JitterConfig::Full => Self::Full,
        }
    }
}
