//! A word of a count window's ring: 28 outcomes of two bits, and the epoch that they belong to.
//!
//! ```text
//!  bit   63                                       7         0
//!        +----+----+--   --+----+----+----+----+------------+
//!        | 27 | 26 |  ...  |  3 |  2 |  1 |  0 |   epoch    |
//!        +----+----+--   --+----+----+----+----+------------+
//!         each: bit 1 slow, bit 0 failed; 0 is an empty slot or a fast success, which count alike
//! ```

use super::super::Mark;
use crate::field::Field;
use crate::word::Packed;

/// Outcomes in a word.
pub(crate) const LANES: u32 = 28;

const EPOCH: Field = Field::first(8);
const LANE_0: Field = EPOCH.then(56);
const _: () = assert!(LANE_0.end() == 64 && LANE_0.bits() == 2 * LANES);

/// Where an outcome stands: a word of the ring, and a lane of that word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) word: usize,
    lane: u32,
}

impl Place {
    #[inline]
    pub(crate) const fn at(slot: u32) -> Self {
        let (word, lane) = (slot / LANES, slot % LANES);
        Self { word: word as usize, lane }
    }
}

/// The first slot of the next word that a window of `size` slots uses; `slot` itself where it begins a word.
pub(crate) const fn next_word(slot: u32, size: u32) -> u32 {
    let next = slot.div_ceil(LANES).saturating_mul(LANES);
    if next >= size { 0 } else { next }
}

/// A ring word, decoded as far as needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ring {
    pub(crate) epoch: u8,
    outcomes: u64,
}

impl Ring {
    #[inline]
    pub(crate) const fn outcome(self, place: Place) -> Mark {
        let bits = self.outcomes.unbounded_shr(place.lane << 1);
        Mark { failed: bits & 1 != 0, slow: bits & 2 != 0 }
    }

    /// Puts `mark` at `place` and returns what stood there. A word of another epoch is empty if the record's epoch
    /// `is_current`, else the record came too late: `None`.
    #[inline]
    pub(crate) const fn put(self, epoch: u8, is_current: bool, place: Place, mark: Mark) -> (Self, Option<Mark>) {
        let outcomes = if self.epoch == epoch { self.outcomes } else { 0 };
        if self.epoch != epoch && !is_current {
            return (self, None);
        }
        let bits = mark.failed as u64 | (mark.slow as u64) << 1;
        let shift = place.lane << 1;
        let cleared = outcomes & !3_u64.unbounded_shl(shift);
        let next = Self { epoch, outcomes: cleared | bits.unbounded_shl(shift) };
        (next, Some(Self { epoch, outcomes }.outcome(place)))
    }
}

impl Packed for Ring {
    #[inline]
    fn pack(self) -> u64 {
        EPOCH.put(self.epoch.into()) | LANE_0.put(self.outcomes)
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        Self { epoch: EPOCH.get_u8(bits), outcomes: LANE_0.get(bits) }
    }
}
