//! The head of a count window in one word: whose outcomes it holds, where the next one goes, and the counts.
//!
//! ```text
//!  bit   63         50         37       26       15          7          0
//!        +----------+----------+--------+--------+-----------+-----------+
//!        |   slow   | failures | filled | cursor |   epoch   | generation|
//!        | (13 bits)| (13 bits)|(11 b.) |(11 b.) |  (8 bits) |  (8 bits) |
//!        +----------+----------+--------+--------+-----------+-----------+
//! ```
//!
//! | field | range | at its end |
//! |---|---|---|
//! | generation | the breaker's generation whose outcomes are counted | wraps with the breaker's |
//! | epoch | one more whenever the window starts afresh | wraps, see the window's documentation |
//! | cursor | the slot of the next outcome, 0 to size - 1 | goes round |
//! | filled | outcomes held, 0 to size | stays at the size |
//! | failures, slow | signed, -4096 to 4095 | wraps within the field, so that sums stay exact |
//!
//! The counts are signed because two records that claim the same slot, one lap apart, may for a moment both have
//! subtracted the outcome that stood there. At most 2047 are held, so 2048 such races at a time cannot overflow.

use super::super::{Mark, WindowCounts};
use super::ring::{self, Place};
use crate::field::Field;
use crate::word::Packed;

const GENERATION: Field = Field::first(8);
const EPOCH: Field = GENERATION.then(8);
const CURSOR: Field = EPOCH.then(11);
const FILLED: Field = CURSOR.then(11);
const FAILURES: Field = FILLED.then(13);
const SLOW: Field = FAILURES.then(13);
const _: () = assert!(SLOW.end() == 64);

/// The most outcomes that a head can count.
pub(crate) const MAX_SIZE: u32 = 2_047;
const _: () = assert!(FILLED.max() == MAX_SIZE as u64 && CURSOR.max() == MAX_SIZE as u64);

/// The head word, decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) generation: u8,
    pub(crate) epoch: u8,
    pub(crate) cursor: u32,
    pub(crate) filled: u32,
    failures: Signed,
    slow: Signed,
}

/// A count modulo 2^13; the upper half of the range is negative.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Signed(u32);

impl Signed {
    const MASK: u32 = 0x1fff;

    /// One more if `added`, one less if `removed`.
    const fn change(self, added: bool, removed: bool) -> Self {
        Self(self.0.wrapping_add(added as u32).wrapping_sub(removed as u32) & Self::MASK)
    }

    const fn at_least_zero(self) -> u32 {
        if self.0 > Self::MASK >> 1 { 0 } else { self.0 }
    }
}

impl Head {
    /// The same window in a newer generation: empty.
    ///
    /// The next outcome goes to the next word of the ring, so that every epoch takes over at least one word. An epoch
    /// that has claimed nothing goes on, so that idle generations use up no epochs.
    pub(crate) const fn restarted(self, generation: u8, size: u32) -> Self {
        if self.filled == 0 {
            return Self { generation, ..self };
        }
        Self {
            generation,
            epoch: self.epoch.wrapping_add(1),
            cursor: ring::next_word(self.cursor, size),
            filled: 0,
            failures: Signed(0),
            slow: Signed(0),
        }
    }

    /// The next slot goes to `mark`, in place of `evicted`.
    #[inline]
    pub(crate) const fn claim(self, mark: Mark, evicted: Mark, size: u32) -> Self {
        let next = self.cursor.saturating_add(1);
        let filled = self.filled.saturating_add(1);
        Self {
            cursor: if next >= size { 0 } else { next },
            filled: if filled > size { size } else { filled },
            failures: self.failures.change(mark.failed, evicted.failed),
            slow: self.slow.change(mark.slow, evicted.slow),
            ..self
        }
    }

    /// A claim in `epoch` expected to evict `expected` and has evicted `evicted`. `None` when the epoch has passed.
    pub(crate) const fn correct(self, epoch: u8, expected: Mark, evicted: Mark) -> (Self, Option<WindowCounts>) {
        if self.epoch != epoch {
            return (self, None);
        }
        let next = Self {
            failures: self.failures.change(expected.failed, evicted.failed),
            slow: self.slow.change(expected.slow, evicted.slow),
            ..self
        };
        (next, Some(next.counts()))
    }

    /// The slot of the next outcome.
    #[inline]
    pub(crate) const fn place(self) -> Place {
        Place::at(self.cursor)
    }

    #[inline]
    pub(crate) const fn counts(self) -> WindowCounts {
        WindowCounts { calls: self.filled, failures: self.failures.at_least_zero(), slow: self.slow.at_least_zero() }
    }
}

impl Packed for Head {
    #[inline]
    fn pack(self) -> u64 {
        GENERATION.put(self.generation.into())
            | EPOCH.put(self.epoch.into())
            | CURSOR.put(self.cursor.into())
            | FILLED.put(self.filled.into())
            | FAILURES.put(self.failures.0.into())
            | SLOW.put(self.slow.0.into())
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        Self {
            generation: GENERATION.get_u8(bits),
            epoch: EPOCH.get_u8(bits),
            cursor: CURSOR.get_u32(bits),
            filled: FILLED.get_u32(bits),
            failures: Signed(FAILURES.get_u32(bits)),
            slow: Signed(SLOW.get_u32(bits)),
        }
    }
}
