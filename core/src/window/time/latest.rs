//! The clock of a time window in one word: whose outcomes it holds, and which slot is the latest.
//!
//! ```text
//!  bit   63                               19            7          0
//!        +--------------------------------+-------------+-----------+
//!        |         tick (44 bits)         |  sequence   | generation|
//!        |                                |  (12 bits)  |  (8 bits) |
//!        +--------------------------------+-------------+-----------+
//! ```
//!
//! | field | range | at its end |
//! |---|---|---|
//! | generation | the breaker's generation whose outcomes are counted | wraps with the breaker's |
//! | sequence | the number of the latest slot, 0 to 64 x slots - 1 | goes round, see the window's documentation |
//! | tick | `now` in slot lengths, all 584 years of the clock | cannot overflow: a slot is longer than 2^23 ns |
//!
//! Slots are numbered by the sequence and not by the clock, so that the contents can outlive a clock that goes back.

use crate::field::Field;
use crate::time::low32;
use crate::word::Packed;

const GENERATION: Field = Field::first(8);
const SEQUENCE: Field = GENERATION.then(12);
const TICK: Field = SEQUENCE.rest();
const _: () = assert!(TICK.end() == 64 && TICK.bits() == 44);

/// The most slots that the sequence can number.
pub(crate) const MAX_SLOTS: u32 = 63;
/// Rounds of the slots after which the sequence starts again.
const ROUNDS: u32 = 64;
const _: () = assert!((ROUNDS as u64) * (MAX_SLOTS as u64) <= SEQUENCE.max());

/// The clock word, decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Latest {
    pub(crate) generation: u8,
    pub(crate) sequence: u32,
    pub(crate) tick: u64,
}

impl Latest {
    /// The same window in another generation: all that it held is as if it had expired.
    pub(crate) const fn restarted(self, generation: u8, slots: u32) -> Self {
        Self { generation, sequence: ahead(self.sequence, slots, slots), ..self }
    }

    /// Time is `tick`: returns the window then, and the number of the slot that a call ending at `tick` goes to.
    ///
    /// 1. Time goes on: as many slots expire as slot lengths have passed, all of them at most.
    /// 2. A reading that lies behind by less than the window is late: its call goes to its own slot.
    /// 3. A reading that lies behind by the whole window or more says that the clock went back: the latest slot goes
    ///    on under the new time, so nothing is forgotten, and everything expires within one span of the new time.
    #[inline]
    pub(crate) const fn follow(self, tick: u64, slots: u32) -> (Self, u32) {
        if let Some(passed) = tick.checked_sub(self.tick) {
            let passed = if passed < slots as u64 { low32(passed) } else { slots };
            let sequence = ahead(self.sequence, passed, slots);
            return (Self { sequence, tick, ..self }, sequence);
        }
        let behind = self.tick.saturating_sub(tick);
        if behind < slots as u64 {
            return (self, back(self.sequence, low32(behind), slots));
        }
        (Self { tick, ..self }, self.sequence)
    }

    /// Whether the slot numbered `sequence` is in the window.
    #[inline]
    pub(crate) const fn holds(self, sequence: u32, slots: u32) -> bool {
        back(self.sequence, sequence, slots) < slots
    }

    /// Whether the slot numbered `sequence` has left the window; false also where it lies ahead, because others have
    /// moved on since the window's clock was read.
    pub(crate) const fn has_left(self, sequence: u32, slots: u32) -> bool {
        let age = back(self.sequence, sequence, slots);
        age >= slots && age < slots.saturating_mul(ROUNDS / 2)
    }
}

/// `sequence + steps`, going round.
const fn ahead(sequence: u32, steps: u32, slots: u32) -> u32 {
    let (sum, round) = (sequence.saturating_add(steps), slots.saturating_mul(ROUNDS));
    if sum >= round { sum.saturating_sub(round) } else { sum }
}

/// `sequence - steps`, going round.
const fn back(sequence: u32, steps: u32, slots: u32) -> u32 {
    match sequence.checked_sub(steps) {
        Some(difference) => difference,
        None => sequence.saturating_add(slots.saturating_mul(ROUNDS)).saturating_sub(steps),
    }
}

impl Packed for Latest {
    #[inline]
    fn pack(self) -> u64 {
        GENERATION.put(self.generation.into()) | SEQUENCE.put(self.sequence.into()) | TICK.put(self.tick)
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        Self { generation: GENERATION.get_u8(bits), sequence: SEQUENCE.get_u32(bits), tick: TICK.get(bits) }
    }
}
