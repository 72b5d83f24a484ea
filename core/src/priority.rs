//! `Priority`: the classes of calls on one shared bucket.

mod policy;

pub use policy::{Class, PriorityConfig, PriorityPolicy};

use crate::tokens::Tokens;

/// The importance of a call. All priorities draw on the same bucket, so that they really compete; an important call
/// costs less of it, and under a [`PriorityPolicy`] finds tokens that others may not touch. Complete.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Priority {
    /// Costs two tokens.
    Low,
    /// Costs one token.
    #[default]
    Normal,
    /// Costs half a token.
    High,
    /// Costs a tenth of a token.
    Critical,
}

impl Priority {
    /// All of them, the least important first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// What a call of this priority takes from the bucket, where no [`PriorityPolicy`] says otherwise.
    pub const fn cost(self) -> Tokens {
        match self {
            Self::Low => Tokens::milli(2_000),
            Self::Normal => Tokens::milli(1_000),
            Self::High => Tokens::milli(500),
            Self::Critical => Tokens::milli(100),
        }
    }
}
