//! Exponential growth under a maximum, in integers: the waits of a breaker and the delays of a backoff.

use crate::time::low;

/// `initial x factor^steps`, rounded down, at most `max`; the factor is in thousandths, 1000 or more.
///
/// The power is found by squaring, at most 64 multiplications whatever `steps` is. Whole factors are exact; others are
/// short by less than `steps` x 2^-61 of the result: after a hundred steps, by two nanoseconds in a year.
pub(crate) const fn grow(initial: u64, factor_milli: u32, max: u64, steps: u32) -> u64 {
    let (mut value, mut square, mut rest) = (Float::whole(initial), Float::milli(factor_milli), steps);
    // an odd bit multiplies by the square that belongs to it
    while rest > 0 {
        if rest & 1 == 1 {
            value = value.times(square);
        }
        square = square.times(square);
        rest >>= 1;
    }
    let value = value.floor();
    if value > max { max } else { value }
}

/// `mantissa x 2^exponent`, with the mantissa's top bit set unless it is zero; rounded down.
#[derive(Clone, Copy)]
struct Float {
    mantissa: u64,
    exponent: i32,
}

impl Float {
    const fn whole(value: u64) -> Self {
        let lead = value.leading_zeros();
        Self { mantissa: value.unbounded_shl(lead), exponent: 0_i32.saturating_sub_unsigned(lead) }
    }

    const fn milli(factor: u32) -> Self {
        // 32 bits above the point and 64 below, divided, then normalised
        let wide = (factor as u128).unbounded_shl(64) / 1_000;
        let lead = wide.leading_zeros();
        let mantissa = low(wide.unbounded_shl(lead).unbounded_shr(64));
        // the top bit of the mantissa stands for 2^(127 - 64 - lead)
        Self { mantissa, exponent: 0_i32.saturating_sub_unsigned(lead) }
    }

    const fn times(self, other: Self) -> Self {
        let wide = (self.mantissa as u128).wrapping_mul(other.mantissa as u128);
        let lead = wide.leading_zeros();
        let exponent = self.exponent.saturating_add(other.exponent).saturating_add(64).saturating_sub_unsigned(lead);
        Self { mantissa: low(wide.unbounded_shl(lead).unbounded_shr(64)), exponent }
    }

    /// Rounded down, saturating.
    const fn floor(self) -> u64 {
        if self.mantissa == 0 || self.exponent <= 0 {
            self.mantissa.unbounded_shr(self.exponent.unsigned_abs())
        } else {
            u64::MAX
        }
    }
}

#[cfg(test)]
mod tests {
    use super::grow;
    use proptest::prelude::*;

    #[test]
    fn growth_doubles_up_to_the_maximum() {
        for (steps, wait) in (0..).zip([5, 10, 20, 40, 80, 120, 120]) {
            assert_eq!(grow(5, 2_000, 120, steps), wait);
        }
    }

    #[test]
    fn growth_ends_where_it_no_longer_moves_or_at_the_maximum() {
        assert_eq!(grow(5, 1_000, 120, u32::MAX), 5);
        assert_eq!(grow(0, 2_000, 120, u32::MAX), 0);
        assert_eq!(grow(1, 1_100, 120, u32::MAX), 120);
        assert_eq!(grow(200, 2_000, 120, 0), 120);
        assert_eq!(grow(u64::MAX - 1, 100_000, u64::MAX, 1), u64::MAX);
        assert_eq!(grow(u64::MAX - 1, 1_000, u64::MAX, 9), u64::MAX - 1);
        assert_eq!(grow(1, 2_000, u64::MAX, 63), 1 << 63);
        assert_eq!(grow(1, 2_000, u64::MAX, 64), u64::MAX);
    }

    proptest! {
        #[test]
        fn growth_is_the_power_as_exactly_as_documented(
            initial in prop_oneof![0_u64..1_000, 0_u64..1 << 55],
            factor in prop_oneof![Just(2_000_u32), (1_u32..=100).prop_map(|whole| whole * 1_000), 1_000_u32..=100_000],
            max in prop_oneof![0_u64..1_000_000, 0_u64..=1 << 55],
            steps in prop_oneof![0_u32..8, 0_u32..4_000],
        ) {
            // exact while it fits: an integer part and 50 bits below the point, rounded up once a step
            let (mut upper, mut lower) = (u128::from(initial) << 50, u128::from(initial) << 50);
            let ceiling = u128::from(max) << 50;
            for _ in 0..steps {
                upper = (upper * u128::from(factor)).div_ceil(1_000).min(ceiling);
                lower = (lower * u128::from(factor) / 1_000).min(ceiling);
            }
            let grown = grow(initial, factor, max, steps);
            let (upper, lower) = (upper.min(ceiling) >> 50, lower.min(ceiling) >> 50);
            let short = 1 + ((lower * u128::from(steps)) >> 61);
            prop_assert!(u128::from(grown) <= upper && u128::from(grown) + short >= lower, "{lower} {grown} {upper}");
            if factor % 1_000 == 0 {
                prop_assert_eq!(u128::from(grown), lower);
            }
            prop_assert!(grow(initial, factor, max, steps.saturating_add(1)) >= grown);
        }
    }
}
