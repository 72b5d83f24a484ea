//! `Wait`: when a refused caller should come back.

use core::time::Duration;

/// When the answer to a refused call can change.
///
/// The enum is complete: a refusal either ends at a known time, or when another call ends, or not by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Wait {
    /// Come back in this many nanoseconds: the same call at that time is admitted unless others come first.
    Nanos(u64),
    /// Come back when a call now under way ends; nobody knows when.
    Release,
    /// Waiting does not help: the cost exceeds the burst, or the breaker is forced open.
    Never,
}

impl Wait {
    /// The wait as a duration, where a time is known.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fusebox_core::Wait;
    ///
    /// assert_eq!(Wait::Nanos(1_500_000).duration(), Some(Duration::from_micros(1_500)));
    /// assert_eq!(Wait::Never.duration(), None);
    /// ```
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::Nanos(nanos) => Some(Duration::from_nanos(nanos)),
            Self::Release | Self::Never => None,
        }
    }
}
