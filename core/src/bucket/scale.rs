//! `Scale`: multiplication by a rational, as one wide multiplication and a shift.

use crate::time::low;

/// A factor `multiplier / 2^shift`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Scale {
    multiplier: u64,
    shift: u32,
}

impl Scale {
    /// `numerator / denominator`: exact when it is a whole number, else rounded down at the 64th significant bit.
    /// The quotient must lie in `2^-20 ..= 2^20`, and the numerator below `2^75`; or, where no inverse is wanted, be
    /// `1 / denominator` for a denominator up to `2^63`.
    pub(crate) const fn quotient(numerator: u128, denominator: u128) -> Self {
        let (mut value, mut shift) = (numerator, 0_u32);
        // After this, 2^63 <= value / denominator, unless the quotient was whole to begin with.
        while !value.is_multiple_of(denominator) && value.unbounded_shr(63) < denominator {
            value = value.unbounded_shl(1);
            shift = shift.saturating_add(1);
        }
        match value.checked_div(denominator) {
            Some(multiplier) => Self { multiplier: low(multiplier), shift },
            None => Self { multiplier: 0, shift },
        }
    }

    /// `1 / self`, rounded up.
    pub(crate) const fn inverse(self) -> Self {
        // 2^126 / multiplier needs at most 63 bits once the multiplier has its top bit set.
        let lead = self.multiplier.leading_zeros();
        let multiplier = self.multiplier.unbounded_shl(lead);
        let rounded = match (1_u128 << 126).checked_add(multiplier.saturating_sub(1) as u128) {
            Some(sum) => sum.checked_div(multiplier as u128),
            None => None,
        };
        match rounded {
            Some(inverse) => {
                Self { multiplier: low(inverse), shift: 126_u32.saturating_sub(self.shift.saturating_add(lead)) }
            }
            None => Self { multiplier: 0, shift: 0 },
        }
    }

    /// `value x self`, rounded down, modulo 2^64.
    #[inline]
    pub(crate) const fn floor(self, value: u64) -> u64 {
        low(self.product(value).unbounded_shr(self.shift))
    }

    /// `value x self`, rounded up, saturating.
    pub(crate) const fn ceil(self, value: u64) -> u64 {
        let below_one = 1_u128.unbounded_shl(self.shift).wrapping_sub(1);
        let rounded = self.product(value).saturating_add(below_one).unbounded_shr(self.shift);
        if rounded > u64::MAX as u128 { u64::MAX } else { low(rounded) }
    }

    const fn product(self, value: u64) -> u128 {
        (value as u128).wrapping_mul(self.multiplier as u128)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;
    use proptest::prelude::*;

    #[test]
    fn whole_quotients_are_exact_over_the_whole_range() {
        let seven = Scale::quotient(14, 2);
        assert_eq!(seven, Scale { multiplier: 7, shift: 0 });
        assert_eq!(seven.floor(u64::MAX), u64::MAX.wrapping_mul(7));
        let one = Scale::quotient(1, 1);
        assert_eq!((one.floor(u64::MAX), one.inverse().ceil(u64::MAX >> 2)), (u64::MAX, u64::MAX >> 2));
    }

    /// Quotients from 1/1000 to 1000.
    fn rationals() -> impl Strategy<Value = (u128, u128)> {
        (1_u128..1 << 30).prop_flat_map(|a| (Just(a), a.div_ceil(1_000)..=a * 1_000))
    }

    proptest! {
        #[test]
        fn a_quotient_is_never_above_the_rational_and_right_to_62_bits((a, b) in rationals(), value: u64) {
            let exact = u128::from(value) * a / b;
            let value = if exact <= u128::from(u64::MAX) { value } else { value / 1_000 };
            let exact = u128::from(value) * a / b;
            let short = exact - u128::from(Scale::quotient(a, b).floor(value));
            prop_assert!(short <= 1 + (exact >> 62), "off by {short}");
        }

        #[test]
        fn the_inverse_is_the_least_sufficient_value_to_60_bits(
            (a, b) in rationals(),
            units in 0_u64..1 << 53,
        ) {
            let scale = Scale::quotient(a, b);
            let enough = scale.inverse().ceil(units);
            let reached = |value: u64| scale.product(value) >> scale.shift >= u128::from(units);
            prop_assert!(reached(enough));
            let slack = 2 + (enough >> 60);
            prop_assert!(enough < slack || !reached(enough - slack));
        }
    }
}
