//! `Jitter`: how much of a wait is left to chance, so that callers which failed together do not return together.

use crate::time::low;

/// How a wait of length `w` is randomised; never above `w`.
///
/// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Jitter {
    /// Exactly `w`.
    None,
    /// Between `w / 2` and `w`.
    #[default]
    Equal,
    /// Between nothing and `w`.
    Full,
}

impl Jitter {
    /// A span of at most `span`, by `random`, of which all 64 bits count.
    #[inline]
    pub(crate) const fn apply(self, span: u64, random: u64) -> u64 {
        match self {
            Self::None => span,
            Self::Equal => span.saturating_sub(scale(span >> 1, random)),
            Self::Full => span.saturating_sub(scale(span, random)),
        }
    }
}

/// `span` times `random / 2^64`, rounded down.
pub(crate) const fn scale(span: u64, random: u64) -> u64 {
    low((span as u128).wrapping_mul(random as u128).unbounded_shr(u64::BITS))
}

/// A well-mixed 64-bit value for every input: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
#[inline]
pub(crate) const fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z.unbounded_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z.unbounded_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z.unbounded_shr(31)
}

#[cfg(test)]
mod tests {
    use super::{Jitter, mix};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn jitter_stays_within_its_band(span: u64, random: u64) {
            prop_assert_eq!(Jitter::None.apply(span, random), span);
            let equal = Jitter::Equal.apply(span, random);
            prop_assert!(equal <= span && equal >= span / 2);
            prop_assert!(Jitter::Full.apply(span, random) <= span);
        }
    }

    #[test]
    fn jitter_reaches_both_ends_of_its_band() {
        assert_eq!(Jitter::Equal.apply(1_000, 0), 1_000);
        assert_eq!(Jitter::Equal.apply(1_000, u64::MAX), 501);
        assert_eq!(Jitter::Full.apply(1_000, u64::MAX), 1);
    }

    /// The first numbers that SplitMix64 draws from a seed of 0, as its authors published them.
    #[test]
    fn the_mix_is_that_of_splitmix64() {
        let seeds = [0, 0x9e37_79b9_7f4a_7c15, 0x3c6e_f372_fe94_f82a];
        assert_eq!(seeds.map(mix), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }
}
