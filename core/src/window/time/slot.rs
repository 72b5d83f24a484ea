//! A slot of a time window in one word: how many calls ended in it, and how.
//!
//! ```text
//!  bit   63              46              28              11          0
//!        +---------------+---------------+---------------+-----------+
//!        |     slow      |   failures    |     calls     | sequence  |
//!        |   (17 bits)   |   (17 bits)   |   (18 bits)   | (12 bits) |
//!        +---------------+---------------+---------------+-----------+
//! ```
//!
//! | field | range | at its end |
//! |---|---|---|
//! | sequence | the number of the slot that the counts belong to | goes round |
//! | calls | 0 to 2^18 - 1; 0 is an empty slot, whatever its number | all three counts are halved |
//! | failures, slow | 0 to 2^17 - 1 | all three counts are halved |

use super::super::{Mark, WindowCounts};
use crate::field::Field;
use crate::word::Packed;

const SEQUENCE: Field = Field::first(12);
const CALLS: Field = SEQUENCE.then(18);
const FAILURES: Field = CALLS.then(17);
const SLOW: Field = FAILURES.then(17);
const _: () = assert!(SLOW.end() == 64);

/// The most calls of a slot that are certain to be counted one by one.
pub(crate) const EXACT: u32 = 131_071;
const _: () = assert!(FAILURES.max() == EXACT as u64 && SLOW.max() == EXACT as u64 && CALLS.max() >= EXACT as u64);

/// The slot word, decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    sequence: u32,
    pub(crate) counts: WindowCounts,
}

impl Slot {
    pub(crate) const EMPTY: Self = Self { sequence: 0, counts: WindowCounts::NONE };

    /// The slot's number, unless it is empty.
    #[inline]
    pub(crate) const fn sequence(self) -> Option<u32> {
        if self.counts.calls == 0 { None } else { Some(self.sequence) }
    }

    /// One more call in the slot numbered `sequence`. A slot of another number is empty if that one is `in_window`;
    /// else the record came too late, and nothing changes.
    #[inline]
    pub(crate) const fn add(self, sequence: u32, mark: Mark, in_window: bool) -> Self {
        let own = matches!(self.sequence(), Some(own) if own == sequence);
        if !own && !in_window {
            return self;
        }
        let before = if own { self.counts } else { WindowCounts::NONE };
        let counts = WindowCounts {
            calls: before.calls.saturating_add(1),
            failures: before.failures.saturating_add(mark.failed as u32),
            slow: before.slow.saturating_add(mark.slow as u32),
        };
        Self { sequence, counts: fitting(counts) }
    }

    /// The slot numbered `sequence` with these counts.
    pub(crate) const fn with(sequence: u32, counts: WindowCounts) -> Self {
        Self { sequence, counts: fitting(counts) }
    }
}

/// The counts halved until they fit, so that their ratios stay.
const fn fitting(mut counts: WindowCounts) -> WindowCounts {
    while counts.calls as u64 > CALLS.max() || counts.failures > EXACT || counts.slow > EXACT {
        counts = WindowCounts { calls: counts.calls >> 1, failures: counts.failures >> 1, slow: counts.slow >> 1 };
    }
    counts
}

impl Packed for Slot {
    #[inline]
    fn pack(self) -> u64 {
        SEQUENCE.put(self.sequence.into())
            | CALLS.put(self.counts.calls.into())
            | FAILURES.put(self.counts.failures.into())
            | SLOW.put(self.counts.slow.into())
    }

    #[inline]
    fn unpack(bits: u64) -> Self {
        let counts =
            WindowCounts { calls: CALLS.get_u32(bits), failures: FAILURES.get_u32(bits), slow: SLOW.get_u32(bits) };
        Self { sequence: SEQUENCE.get_u32(bits), counts }
    }
}
