//! `Tally`: a shared count that only grows and saturates.

use crate::word::{Packed, Word};

/// A count of rare events.
#[derive(Debug)]
pub(crate) struct Tally(Word<u64>);

impl Packed for u64 {
    fn pack(self) -> u64 {
        self
    }

    fn unpack(bits: u64) -> Self {
        bits
    }
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Self::starting_at(0)
    }

    pub(crate) const fn starting_at(count: u64) -> Self {
        Self(Word::from_bits(count))
    }

    pub(crate) fn add_one(&self) {
        self.0.transition(|count| (count.saturating_add(1), ()));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load()
    }
}
