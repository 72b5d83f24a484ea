//! `Tokens`: an amount of tokens in exact thousandths.

use core::fmt;

/// An amount of tokens, exact to a thousandth: whole calls, and fractions of one.
///
/// ```
/// use fusebox_core::Tokens;
///
/// assert_eq!(Tokens::ONE, Tokens::whole(1));
/// assert_eq!(Tokens::milli(1_500).to_string(), "1.5");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Tokens(u64);

impl Tokens {
    /// No tokens: a call that costs nothing is always admitted.
    pub const ZERO: Self = Self(0);
    /// One token, the cost of a plain call.
    pub const ONE: Self = Self::whole(1);

    /// Whole tokens; saturates at 2^64 thousandths.
    pub const fn whole(tokens: u64) -> Self {
        Self(tokens.saturating_mul(1_000))
    }

    /// Thousandths of a token.
    pub const fn milli(thousandths: u64) -> Self {
        Self(thousandths)
    }

    /// The amount in thousandths.
    pub const fn as_milli(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::Quantity::Milli(self.0).fmt(f)
    }
}
