//! `BucketSnapshot`: a bucket's state as plain data that outlives its clock.

use crate::tokens::Tokens;

/// What a bucket held at one moment. At most one of the two is above zero.
///
/// It says nothing about the clock, so a bucket is restored from it at whatever time the new clock shows. Both are
/// rounded to thousandths of a token, to the disadvantage of the callers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BucketSnapshot {
    /// The tokens available, rounded down.
    pub level: Tokens,
    /// The tokens booked ahead, rounded up.
    pub debt: Tokens,
}
