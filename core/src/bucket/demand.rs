//! `Demand`: what a call takes from a bucket, and what it must leave in it.

use crate::tokens::Tokens;

/// What a call asks of a bucket. A plain cost leaves nothing; the classes of a
/// [`PriorityPolicy`](crate::PriorityPolicy) leave their reserve to more important calls.
///
/// ```
/// use fusebox_core::{Demand, Tokens};
///
/// assert_eq!(Demand::from(Tokens::ONE), Demand { cost: Tokens::ONE, leave: Tokens::ZERO });
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Demand {
    /// What the call takes. A cost of nothing is always admitted.
    pub cost: Tokens,
    /// The level below which the call may not bring the bucket. Cost and this together must fit into the burst, or
    /// the call is told [`Wait::Never`](crate::Wait::Never).
    pub leave: Tokens,
}

impl Demand {
    /// A demand that may empty the bucket.
    pub const fn plain(cost: Tokens) -> Self {
        Self { cost, leave: Tokens::ZERO }
    }
}

impl From<Tokens> for Demand {
    fn from(cost: Tokens) -> Self {
        Self::plain(cost)
    }
}
