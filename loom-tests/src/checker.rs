//! The checker that the build has chosen, behind one function.

#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
mod shuttle;

#[cfg(loom)]
pub use self::loom::{CHECKER, explore, spawn};
#[cfg(not(loom))]
pub use self::shuttle::{CHECKER, explore, spawn};

/// Which of a model's orders are tried, and how words are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exploration {
    /// All of them.
    All,
    /// Those in which at most so many times a thread stops where it could go on. loom only.
    #[cfg(loom)]
    Preemptions(usize),
    /// What loom finds with these reads; not all orders, unless it is `Reads::Exchanged`.
    #[cfg(loom)]
    Reading(fusebox_core::Reads),
    /// So many random ones, the same for the same seed. shuttle only.
    #[cfg(not(loom))]
    Random {
        /// Where the random numbers start.
        seed: u64,
        /// How many orders.
        orders: usize,
    },
}

impl Exploration {
    /// Whether each outcome that is possible must be seen.
    pub(crate) fn is_complete(self) -> bool {
        match self {
            Self::All => true,
            #[cfg(loom)]
            Self::Preemptions(_) => false, // three hide outcomes of three threads at one word
            #[cfg(loom)]
            Self::Reading(reads) => reads == fusebox_core::Reads::Exchanged,
            #[cfg(not(loom))]
            Self::Random { .. } => false,
        }
    }
}
