//! `Instant`: a point on the caller's clock, and the only place where durations become nanoseconds.

use core::time::Duration;

/// A point in time: nanoseconds since an origin of the caller's choosing.
///
/// The core reads no clock. Every operation takes `now`, and all operations on one primitive must be given readings
/// of one clock. Any sequence of readings is legal: an older `now` never panics or wedges a primitive, it lengthens an
/// open wait by at most one wait and a bucket's denial by at most one burst's refill or one second, whichever is longer,
/// and the refill of what may be booked ahead. The range, 584 years, includes both ends.
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::Instant;
///
/// let start = Instant::from_nanos(1_000);
/// let later = start.saturating_add(Duration::from_micros(2));
/// assert_eq!(later.as_nanos(), 3_000);
/// assert_eq!(later.saturating_since(start), Duration::from_micros(2));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ORIGIN: Self = Self(0);
    /// The last representable point, 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The point `span` later, or [`Instant::MAX`].
    #[must_use]
    pub const fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// The time passed since `earlier`, or zero when `earlier` lies ahead.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The span in nanoseconds, saturating at `u64::MAX` (584 years).
pub(crate) const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { low(nanos) }
}

/// The low 64 bits.
#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
pub(crate) const fn low(wide: u128) -> u64 {
    wide as u64
}

/// The low 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
pub(crate) const fn low32(wide: u64) -> u32 {
    wide as u32
}
