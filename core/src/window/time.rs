//! `TimeWindow`: the calls that ended within the latest span of time, in slots.
//!
//! One word says which slot is the latest, and there is a word for each slot. One record:
//!
//! ```text
//!  1. load the clock word: has a slot length passed since, or is it of an older generation?
//!  2. only if so: exchange it, and empty the slots that have left the window
//!  3. exchange the slot's word: one more call
//!  4. load the clock word and all other slots, and add up those in the window, its own as step 3 left it; unless it is
//!     a fast success that joins `minimum_calls` or more in its slot, which can only lower the rates that the others
//!     have decided on
//! ```
//!
//! The window moves by whole slots: it covers the current slot so far and all of the others, so between
//! `span - span / SLOTS` and `span`.
//!
//! **Why a trip is never lost.** Each record adds first and sums afterwards. Records in one slot have an order, and each
//! decides on the slot as its own step 3 left it, however late it comes to step 4. Of two records in different slots at
//! least one sees the other's call, because all accesses to words have one order that all threads agree on. So a
//! threshold that racing calls reach together trips the breaker, in whichever slots they end.
//!
//! What remains is a slot change: a record that stops before its sum also sees calls that end meanwhile in other slots.
//! Of two racing calls in different slots each may see the other, and then nobody decides on counts with only one of
//! them. So a rate that the first reaches and the second, a success, lowers again may go unseen.
//!
//! **Time in any order.** A reading that lies behind by less than the span counts in the slot of its own time. One that
//! lies further behind says that the clock went back: the window goes on from there, forgets nothing, and lets
//! everything expire within one span. So no failure counts for longer than two spans, however the clock moves. A jump
//! ahead expires what a wait of that length would.
//!
//! **A slot that is full.** When a slot holds 2^18 calls, or 2^17 failures or slow calls, all of its counts are halved:
//! its rates stay, to 2^-16, but it weighs at most half. Rates are exact up to 131,071 calls in a slot, and right beyond
//! as long as the calls of full slots went alike. Absolute counts are exact up to 131,071 calls in a slot.
//!
//! **Why a wrapped sequence is harmless.** The window moves when a record finds that time has passed or that the
//! generation is new, by two windows at most, and when a generation ends, by one. Whoever moves it then empties the
//! slots that have left it. So numbers 64 windows apart do not meet. A record or a reset that stops between two of its
//! steps while the window moves by 32 windows can empty a slot that is in use, or count its outcome in the wrong one.
//! When 15 or more stop at a time, each between moving and emptying, a slot may be left behind.
//!
//! **What a concurrent reader may see.** A slot's counts belong together; slots are read one after another. So the sum
//! may lack calls that end meanwhile in a slot that it has passed, and contain later ones of another slot. A call that
//! is as old as the window when it is recorded may not be counted at all.
//!
//! **Not guaranteed.** A call that is settled with a reading older than the span looks like a clock that went back, and
//! the next reading like a jump ahead, which expires the window.
//!
//! A threshold that a change of policy lowers decides from the next failure, slow call or slot on.
//!
//! **Cost of a record**, besides the breaker's loads: 2 loads and 1 exchange for most successes of a busy breaker; with
//! the sum 2 + `SLOTS` loads and 1 exchange; once for each slot length 2 + `SLOTS` loads and up to 1 + `SLOTS` exchanges
//! more. A generation that ends costs 2 + `SLOTS` loads and up to 1 + `SLOTS` exchanges.

mod latest;
mod slot;

use self::latest::MAX_SLOTS;
use super::{Mark, Records, Window, WindowCounts};
use crate::bucket::scale::Scale;
use crate::error::{PolicyError, check_count, check_time};
use crate::time::{Instant, low32, nanos};
use crate::word::Word;
use core::ptr;
use core::time::Duration;

pub(super) use self::latest::Latest;
pub(crate) use self::slot::EXACT;
pub(super) use self::slot::Slot;

const MIN_SPAN: Duration = Duration::from_secs(1);
const MAX_SPAN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The calls that ended within the latest span of time, in `SLOTS` slots, 2 to 63. See [`Window`] for what enters.
///
/// A record costs one exchange and a load for each slot, however many calls there are. 40 + 8 x `SLOTS` bytes; no
/// allocation.
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::{Breaker, TimeWindow};
///
/// let breaker: Breaker<TimeWindow> = Breaker::with_window(TimeWindow::new(Duration::from_secs(30))?);
/// let error = TimeWindow::<10>::new(Duration::from_millis(999)).unwrap_err();
/// assert_eq!(error.to_string(), "window.span is 999ms: allowed is 1s to 31536000s");
/// # Ok::<(), fusebox_core::PolicyError>(())
/// ```
#[derive(Debug)]
pub struct TimeWindow<const SLOTS: usize = 10> {
    latest: Word<Latest>,
    slots: [Word<Slot>; SLOTS],
    /// Slot lengths in a nanosecond.
    scale: Scale,
    /// In nanoseconds.
    span: u64,
    /// The slots in use, at most `SLOTS`.
    count: u32,
}

/// A call that is in its slot, but not decided on: steps 1 to 3 of a record.
#[derive(Clone, Copy)]
pub(super) struct Added {
    generation: u8,
    /// The slot with the call, as the exchange left it.
    slot: Slot,
    /// The calls that it joined there.
    joined: u32,
    /// Whether the window has moved.
    moved: bool,
}

impl<const SLOTS: usize> TimeWindow<SLOTS> {
    const MOST: u32 = {
        assert!(SLOTS >= 2 && SLOTS <= MAX_SLOTS as usize, "a time window has 2 to 63 slots");
        low32(SLOTS as u64)
    };

    /// An empty window of `span`, 1 s to 365 days.
    ///
    /// # Errors
    /// When the span is outside of its range. A number of slots outside of its range does not compile.
    pub const fn new(span: Duration) -> Result<Self, PolicyError> {
        Self::with_slots(span, Self::MOST)
    }

    /// An empty window of `span`, 1 s to 365 days, that uses only `slots` of its slots, 2 to `SLOTS`: for a number that
    /// is known at run time only. The others take up their place, and no time.
    ///
    /// # Errors
    /// Names the first of the two that is outside of its range.
    pub const fn with_slots(span: Duration, slots: u32) -> Result<Self, PolicyError> {
        if let Err(error) = check_time("window.span", span, MIN_SPAN, MAX_SPAN) {
            return Err(error);
        }
        if let Err(error) = check_count("window.slots", slots as u64, 2, Self::MOST as u64) {
            return Err(error);
        }
        let words = [const { Word::from_bits(0) }; SLOTS];
        let scale = Scale::quotient(1, nanos(span).div_ceil(slots as u64) as u128);
        Ok(Self { latest: Word::from_bits(0), slots: words, scale, span: nanos(span), count: slots })
    }

    /// The time that the window covers.
    pub const fn span(&self) -> Duration {
        Duration::from_nanos(self.span)
    }

    /// The slots that it is cut into.
    pub const fn slots(&self) -> u32 {
        self.count
    }

    #[inline]
    fn tick(&self, now: Instant) -> u64 {
        self.scale.floor(now.as_nanos())
    }

    /// The word of the slot numbered `sequence`.
    #[inline]
    fn slot(&self, sequence: u32) -> Option<&Word<Slot>> {
        let index = sequence.checked_rem(self.count)?;
        self.slots.get(index as usize)
    }

    #[inline]
    fn in_use(&self) -> impl Iterator<Item = &Word<Slot>> {
        self.slots.iter().take(self.count as usize)
    }

    /// The sum of the slots in the window, of which `own` is known. Only reads.
    #[inline]
    fn sum(&self, latest: Latest, own: Slot) -> WindowCounts {
        let in_window = |slot: Slot| slot.sequence().filter(|&sequence| latest.holds(sequence, self.count));
        let known = in_window(own).and_then(|sequence| self.slot(sequence));
        let mut sum = WindowCounts::NONE;
        for word in self.in_use() {
            let slot = if known.is_some_and(|known| ptr::eq(known, word)) { own } else { word.load() };
            if in_window(slot).is_some() {
                sum.calls = sum.calls.saturating_add(slot.counts.calls);
                sum.failures = sum.failures.saturating_add(slot.counts.failures);
                sum.slow = sum.slow.saturating_add(slot.counts.slow);
            }
        }
        sum
    }

    /// Empties the slots that have left the window, so that their numbers do not come back.
    fn tidy(&self, latest: Latest) {
        for slot in self.in_use() {
            slot.transition(|slot| {
                let old = slot.sequence().is_some_and(|sequence| latest.has_left(sequence, self.count));
                (if old { Slot::EMPTY } else { slot }, ())
            });
        }
    }

    /// Steps 1 to 3. `None` when the call's generation or slot has passed.
    #[inline]
    pub(super) fn add(&self, generation: u8, mark: Mark, now: Instant, is_current: impl Fn() -> bool) -> Option<Added> {
        let tick = self.tick(now);
        let (moved, sequence) = self.latest.transition(|latest| {
            let own = if latest.generation == generation {
                latest
            } else if is_current() {
                latest.restarted(generation, self.count)
            } else {
                return (latest, None);
            };
            let (next, sequence) = own.follow(tick, self.count);
            (next, Some((next.sequence != latest.sequence, sequence)))
        })?;
        if moved {
            self.tidy(self.latest.load());
        }
        let (slot, joined) = self.slot(sequence)?.transition(|slot| {
            let own = slot.sequence() == Some(sequence);
            let in_window = own || {
                let latest = self.latest.load();
                latest.generation == generation && latest.holds(sequence, self.count)
            };
            let next = slot.add(sequence, mark, in_window);
            (next, (next, if own { slot.counts.calls } else { 0 }))
        });
        (slot.sequence() == Some(sequence)).then_some(Added { generation, slot, joined, moved })
    }

    /// Step 4: the counts to decide on.
    #[inline]
    pub(super) fn decide(&self, added: Added, mark: Mark, minimum_calls: u32) -> Option<WindowCounts> {
        let Added { generation, slot, joined, moved } = added;
        if !moved && mark == Mark::default() && joined > 0 && joined >= minimum_calls {
            return None; // the rates were decided on before, and this call lowers them
        }
        let latest = self.latest.load();
        (latest.generation == generation).then(|| self.sum(latest, slot))
    }
}

impl<const SLOTS: usize> Window for TimeWindow<SLOTS> {}

impl<const SLOTS: usize> Records for TimeWindow<SLOTS> {
    fn keeps(&self) -> bool {
        true
    }

    fn capacity(&self) -> u32 {
        u32::MAX
    }

    #[inline]
    fn record(
        &self,
        generation: u8,
        mark: Mark,
        now: Instant,
        minimum_calls: u32,
        is_current: impl Fn() -> bool,
    ) -> Option<WindowCounts> {
        let added = self.add(generation, mark, now, is_current)?;
        self.decide(added, mark, minimum_calls)
    }

    fn finish(&self, generation: u8) {
        let over = self.latest.transition(|latest| {
            let over = latest.generation == generation;
            (if over { latest.restarted(generation.wrapping_add(1), self.count) } else { latest }, over)
        });
        if over {
            self.tidy(self.latest.load());
        }
    }

    fn counts(&self, generation: u8, now: Instant) -> WindowCounts {
        let latest = self.latest.load();
        if latest.generation != generation {
            return WindowCounts::NONE;
        }
        self.sum(latest.follow(self.tick(now), self.count).0, Slot::EMPTY)
    }

    fn refill(&self, generation: u8, counts: WindowCounts, now: Instant) {
        let latest = Latest { generation, sequence: 0, tick: self.tick(now) };
        self.latest.transition(|_| (latest, ()));
        if let Some(slot) = self.slot(latest.sequence) {
            slot.transition(|_| (Slot::with(latest.sequence, counts), ()));
        }
    }
}
