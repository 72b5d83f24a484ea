//! `HalfWindows`: time cut into equal spans at whose ends counts are halved, which is how budgets forget.
//!
//! The boundaries are multiples of the length, counted from the clock's origin, not from a first call. So a count is a
//! function of what happened and of the time, and not of how often somebody looked: halving twice by one is halving by
//! two, to the bit.

use crate::time::{Instant, low, nanos};
use core::time::Duration;

/// Bits that hold the number of any half window of the clock.
pub(crate) const NUMBER_BITS: u32 = 36;

const _: () = assert!(u64::MAX / 500_000_000 < 1 << NUMBER_BITS, "half of the shortest window is 500 ms");

/// Half windows of one length, found without a division.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HalfWindows {
    nanos: u64,
    /// 2^64 / nanos, rounded down.
    reciprocal: u64,
}

/// Where an instant lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// The half window's number.
    pub(crate) number: u64,
    /// Nanoseconds since it began.
    pub(crate) offset: u64,
}

/// What has become of a count that was last written in one half window and is read in another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passed {
    /// It is to be halved this many times.
    Halvings(u32),
    /// The reading is late by less than two half windows: the count stands as it was when its half window began.
    Late {
        /// Nanoseconds until that beginning.
        ahead: u64,
    },
    /// The clock went back by more than a late reading explains.
    Back,
}

impl HalfWindows {
    /// The shortest and the longest window.
    pub(crate) const SHORTEST: Duration = Duration::from_secs(1);
    pub(crate) const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// The halves of `window`, which its policy has checked.
    pub(crate) const fn halves(window: Duration) -> Self {
        let nanos = nanos(window) >> 1;
        let reciprocal = match (1_u128 << 64).checked_div(nanos as u128) {
            Some(reciprocal) => low(reciprocal),
            None => 0, // no window is shorter than 2 ns
        };
        Self { nanos, reciprocal }
    }

    /// The length in nanoseconds.
    #[inline]
    pub(crate) const fn nanos(&self) -> u64 {
        self.nanos
    }

    /// The half window that contains `now`.
    #[inline]
    pub(crate) const fn place(&self, now: Instant) -> Place {
        let now = now.as_nanos();
        // rounding the reciprocal down puts the estimate at most one below
        let number = low((now as u128).wrapping_mul(self.reciprocal as u128).unbounded_shr(64));
        let offset = now.wrapping_sub(number.wrapping_mul(self.nanos));
        if offset < self.nanos {
            Place { number, offset }
        } else {
            Place { number: number.saturating_add(1), offset: offset.saturating_sub(self.nanos) }
        }
    }

    /// What has passed for a count of half window `written` that is read at `place`.
    #[inline]
    pub(crate) const fn passed(&self, written: u64, place: Place) -> Passed {
        match written.checked_sub(place.number) {
            None | Some(0) => {
                let halvings = place.number.saturating_sub(written);
                Passed::Halvings(if halvings < 64 { low_32(halvings) } else { 64 })
            }
            Some(1) => Passed::Late { ahead: self.nanos.saturating_sub(place.offset) },
            Some(_) => Passed::Back,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the caller has checked the range")]
const fn low_32(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_lies_where_a_division_says(window in 1_000_000_000_u64..=3_600_000_000_000, now: u64) {
            let halves = HalfWindows::halves(Duration::from_nanos(window));
            let length = window / 2;
            for now in [now, now - now % length, (now - now % length).saturating_sub(1), 0, u64::MAX] {
                let place = halves.place(Instant::from_nanos(now));
                prop_assert_eq!((place.number, place.offset), (now / length, now % length));
                prop_assert!(place.number < 1 << NUMBER_BITS);
            }
        }

        #[test]
        fn halvings_are_the_boundaries_between(written in 0_u64..1_000, read in 0_u64..1_000, offset in 0_u64..500) {
            let halves = HalfWindows { nanos: 500, reciprocal: u64::MAX / 500 };
            let expected = match written as i64 - read as i64 {
                1 => Passed::Late { ahead: 500 - offset },
                2.. => Passed::Back,
                behind => Passed::Halvings(u32::try_from(-behind).expect("not negative").min(64)),
            };
            prop_assert_eq!(halves.passed(written, Place { number: read, offset }), expected);
        }
    }
}
