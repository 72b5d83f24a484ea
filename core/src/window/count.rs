//! `CountWindow`: the latest calls, as many as its size says.
//!
//! A head word counts, ring words remember what leaves. One record:
//!
//! ```text
//!  1. load the head; if it is of an older generation, it starts afresh
//!  2. load the ring word of the slot that comes next, to see which outcome will leave
//!  3. exchange the head: cursor + 1, plus the new outcome, minus the one that leaves     <- the record's moment
//!  4. unless the slot holds the same outcome already: exchange the ring word
//!  5. if another outcome stood there than step 2 saw: exchange the head to make up for it
//! ```
//!
//! Step 3 takes effect at one moment, so the counts are at any time those of the latest calls, in the order of their
//! records, as long as no record is overtaken by a *whole lap* of others between two of its steps.
//!
//! **A record that is overtaken by a whole lap.** It and the one that comes to its slot a lap later may expect the same
//! outcome to leave, and it may put its own over the newer one, or leave an outcome where it should have put its own.
//! Step 5 makes the counts those of the ring again, and the record that runs it decides on them. So for each record
//! that stalls for a whole lap one outcome may be missing from the window, and one that should have left be kept in its
//! place until the slot comes round again, a lap later. Meanwhile the counts, also those that others decide on, may
//! differ from those of the latest calls by one failure and one slow call for each such record.
//!
//! **The dangerous race.** A record stops between steps 3 and 4, the breaker opens and closes, and the ring belongs to
//! another epoch when the record goes on. Seen from the late record: the ring word it finds is not of its epoch, so it
//! asks the head, finds that its epoch is over, and leaves the word alone. Seen from the word: whoever brings it into
//! an epoch has seen the head in that epoch *after* it saw the word, so the epoch that it replaces is an older one.
//!
//! **Why a wrapped epoch is harmless.** An epoch starts at a word boundary and takes over the words that it reaches, at
//! least one. So each word in use is taken over within as many epochs as there are words, at most 74, and 256 are told
//! apart. A record that stops between two steps for exactly 256 trips can put one outcome into the wrong epoch.
//!
//! **What a concurrent reader may see.** The same: counts that differ by one failure and one slow call for each record
//! that has stalled for a whole lap.
//!
//! **Cost of a record**, besides the breaker's load or two, whatever the size:
//!
//! | a record that replaces | loads | exchanges |
//! |---|---|---|
//! | the same outcome | 2 | 1, the head |
//! | another outcome, or the first in its word after a start | 3 | 2, head and ring word |

mod head;
mod ring;

use self::head::MAX_SIZE;
use self::ring::{LANES, Place};
use super::{Mark, Records, Window, WindowCounts};
use crate::error::{PolicyError, check_count};
use crate::time::Instant;
use crate::word::Word;

pub(super) use self::head::Head;
pub(super) use self::ring::Ring;

/// The latest calls of a breaker, at most 28 for each of its `WORDS` and at most 2047. The default holds 112.
/// See [`Window`] for what enters.
///
/// A record costs one exchange, and one or two more where the outcome differs from the one that leaves; never more,
/// whatever the size. 16 + 8 x `WORDS` bytes; no allocation.
///
/// ```
/// use fusebox_core::{Breaker, CountWindow};
///
/// let small: Breaker<CountWindow> = Breaker::with_window(CountWindow::new(100)?);
/// let large: Breaker<CountWindow<36>> = Breaker::with_window(CountWindow::new(1_000)?);
/// let error = CountWindow::<4>::new(113).unwrap_err();
/// assert_eq!(error.to_string(), "window.size is 113: allowed is 1 to 112");
/// # Ok::<(), fusebox_core::PolicyError>(())
/// ```
#[derive(Debug)]
pub struct CountWindow<const WORDS: usize = 4> {
    head: Word<Head>,
    ring: [Word<Ring>; WORDS],
    size: u32,
}

/// What a record has claimed, and what it expects to evict: `None` where the ring word was of another epoch.
#[derive(Clone, Copy)]
struct Claim {
    epoch: u8,
    place: Place,
    expected: Option<Mark>,
    counts: WindowCounts,
}

impl<const WORDS: usize> CountWindow<WORDS> {
    /// An empty window of the latest `size` calls, 1 to 28 x `WORDS` and at most 2047.
    ///
    /// # Errors
    /// When the words cannot hold `size` calls, or `size` is 0.
    pub const fn new(size: u32) -> Result<Self, PolicyError> {
        let lanes = (WORDS as u64).saturating_mul(LANES as u64);
        let most = if lanes < MAX_SIZE as u64 { lanes } else { MAX_SIZE as u64 };
        if let Err(error) = check_count("window.size", size as u64, 1, most) {
            return Err(error);
        }
        Ok(Self { head: Word::from_bits(0), ring: [const { Word::from_bits(0) }; WORDS], size })
    }

    /// How many calls the window holds when it is full.
    pub const fn size(&self) -> u32 {
        self.size
    }

    #[inline]
    fn claim(&self, head: Head, mark: Mark) -> (Head, Claim) {
        let (epoch, place) = (head.epoch, head.place());
        let word = self.ring.get(place.word).map(Word::load);
        let expected = word.filter(|word| word.epoch == epoch).map(|word| word.outcome(place));
        let next = head.claim(mark, expected.unwrap_or_default(), self.size);
        (next, Claim { epoch, place, expected, counts: next.counts() })
    }

    /// Puts `mark` into the ring and returns what stood there; `None` when the claim's epoch has passed.
    #[inline]
    fn put(&self, claim: Claim, mark: Mark) -> Option<Mark> {
        self.ring.get(claim.place.word)?.transition(|word| {
            let is_current = word.epoch == claim.epoch || self.head.load().epoch == claim.epoch;
            word.put(claim.epoch, is_current, claim.place, mark)
        })
    }
}

impl<const WORDS: usize> Window for CountWindow<WORDS> {}

impl<const WORDS: usize> Records for CountWindow<WORDS> {
    fn keeps(&self) -> bool {
        true
    }

    fn capacity(&self) -> u32 {
        self.size
    }

    #[inline]
    fn record(
        &self,
        generation: u8,
        mark: Mark,
        _: Instant,
        _: u32,
        is_current: impl Fn() -> bool,
    ) -> Option<WindowCounts> {
        let claim = self.head.transition(|head| {
            let own = if head.generation == generation {
                head
            } else if is_current() {
                head.restarted(generation, self.size)
            } else {
                return (head, None);
            };
            let (next, claim) = self.claim(own, mark);
            (next, Some(claim))
        })?;
        if claim.expected == Some(mark) {
            return Some(claim.counts);
        }
        let evicted = self.put(claim, mark)?;
        let expected = claim.expected.unwrap_or_default();
        if evicted == expected {
            return Some(claim.counts);
        }
        self.head.transition(|head| head.correct(claim.epoch, expected, evicted))
    }

    fn finish(&self, generation: u8) {
        self.head.transition(|head| {
            let over = head.generation == generation;
            (if over { head.restarted(generation.wrapping_add(1), self.size) } else { head }, ())
        });
    }

    fn counts(&self, generation: u8, _: Instant) -> WindowCounts {
        let head = self.head.load();
        if head.generation == generation { head.counts() } else { WindowCounts::NONE }
    }

    fn refill(&self, generation: u8, counts: WindowCounts, now: Instant) {
        let calls = counts.calls.min(self.size);
        for call in (0..calls).rev() {
            let mark = Mark { failed: call < counts.failures, slow: call < counts.slow };
            let _ = self.record(generation, mark, now, 0, || true);
        }
    }
}

#[cfg(test)]
impl<const WORDS: usize> CountWindow<WORDS> {
    pub(super) fn place(&self) -> Place {
        self.head.load().place()
    }

    /// The outcomes in the ring, those of an older epoch as empty.
    pub(super) fn contents(&self) -> std::vec::Vec<Mark> {
        let epoch = self.head.load().epoch;
        let outcome = |place: Place| {
            let word = self.ring[place.word].load();
            if word.epoch == epoch { word.outcome(place) } else { Mark::default() }
        };
        (0..self.size).map(Place::at).map(outcome).collect()
    }
}
