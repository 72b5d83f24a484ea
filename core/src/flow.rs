//! `Flow`: thousandths per second as exact functions of nanoseconds, without a division.

use crate::time::low;

const SECOND: u128 = 1_000_000_000;

/// A constant inflow of whole thousandths per second.
///
/// Both factors keep 64 significant bits and are rounded up. A result is off by less than itself x 2^-63, which is too
/// little to reach the next whole number as long as amounts stay below 2^33: the exact values are multiples of
/// `1 / 10^9`, or of `1 / milli_per_second`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flow {
    per_nano: Factor,
    nanos_per: Factor,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Factor {
    multiplier: u64,
    shift: u32,
}

impl Flow {
    /// `milli` thousandths per second, below 2^33; 0 is no inflow.
    pub(crate) const fn per_second(milli: u64) -> Self {
        Self { per_nano: Factor::ratio(milli as u128, SECOND), nanos_per: Factor::ratio(SECOND, milli as u128) }
    }

    /// Thousandths that flow in within `nanos`, rounded down.
    #[inline]
    pub(crate) const fn within(&self, nanos: u64) -> u64 {
        self.per_nano.times(nanos)
    }

    /// The least time in which `milli` thousandths flow in; without inflow, nothing sensible.
    pub(crate) const fn time_for(&self, milli: u64) -> u64 {
        let floor = self.nanos_per.times(milli);
        if self.within(floor) < milli { floor.saturating_add(1) } else { floor }
    }
}

impl Factor {
    /// `a / b`, rounded up at the 64th significant bit; 0 where either is.
    const fn ratio(a: u128, b: u128) -> Self {
        if a == 0 || b == 0 {
            return Self { multiplier: 0, shift: 0 };
        }
        // the most shifts that keep the quotient below 2^64
        let (mut value, mut shift) = (a, 0_u32);
        while value.unbounded_shr(63).unbounded_shr(1) < b && value.leading_zeros() > 1 && shift < 127 {
            let next = value.unbounded_shl(1);
            if next.div_ceil(b) > u64::MAX as u128 {
                break;
            }
            value = next;
            shift = shift.saturating_add(1);
        }
        Self { multiplier: low(value.div_ceil(b)), shift }
    }

    #[inline]
    const fn times(self, value: u64) -> u64 {
        low((value as u128).wrapping_mul(self.multiplier as u128).unbounded_shr(self.shift))
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_flow_is_what_a_division_says(
            milli in prop_oneof![1_u64..100_000, 1_u64..=100_000_000],
            amount in 1_u64..1 << 27,
            offset in -2_i64..=2,
        ) {
            let flow = Flow::per_second(milli);
            let exact = |nanos: u64| u128::from(nanos) * u128::from(milli) / 1_000_000_000;
            let needed = (u128::from(amount) * 1_000_000_000).div_ceil(u128::from(milli));
            let needed = u64::try_from(needed).expect("fits");
            prop_assert_eq!(flow.time_for(amount), needed);
            let near = needed.saturating_add_signed(offset);
            prop_assert_eq!(u128::from(flow.within(near)), exact(near));
        }
    }

    #[test]
    fn a_time_that_comes_out_even_is_not_rounded_up() {
        for (milli, amount, nanos) in [(1_000, 1_000, 1_000_000_000), (10_000, 1_000, 100_000_000), (8, 1, 125_000_000)]
        {
            assert_eq!(Flow::per_second(milli).time_for(amount), nanos);
        }
    }

    #[test]
    fn no_inflow_brings_nothing() {
        assert_eq!(Flow::per_second(0).within(u64::MAX), 0);
    }
}
