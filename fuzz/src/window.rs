//! `Calls`: every call that ever ended in a breaker's window, the oracle of windows. Nothing is counted ahead: the counts
//! are found by looking at all calls.

use fusebox_core::{RateTrip, WindowCounts};

/// Which of the calls are in the window.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// The latest, so many.
    Count(usize),
    /// Those of the latest slots.
    Time {
        /// How many slots there are.
        slots: i128,
        /// The length of a slot in nanoseconds.
        length: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Call {
    failed: bool,
    slow: bool,
    /// The slot in which it ended, on a count that only goes up.
    slot: i128,
}

/// All calls of one generation.
#[derive(Clone, Debug)]
pub struct Calls {
    extent: Extent,
    calls: Vec<Call>,
    /// The latest slot, and which slot of the clock it is.
    latest: (i128, i128),
}

impl Calls {
    /// An empty window.
    pub fn new(extent: Extent) -> Self {
        Self { extent, calls: Vec::new(), latest: (0, 0) }
    }

    /// Where the window stands at `now`, and the slot in which a call ends that ends then.
    ///
    /// A reading that is older by less than the window is late and counts in its own slot; one that is older still means
    /// that the clock went back: the window goes on under the new time and forgets nothing.
    fn follow(&self, now: u64) -> ((i128, i128), i128) {
        let Extent::Time { slots, length } = self.extent else { return ((0, 0), 0) };
        let (slot, of_clock) = self.latest;
        let then = i128::from(now / length);
        if then >= of_clock {
            let slot = slot + (then - of_clock);
            ((slot, then), slot)
        } else if of_clock - then < slots {
            (self.latest, slot - (of_clock - then))
        } else {
            ((slot, then), slot)
        }
    }

    /// A call has ended at `now`.
    pub fn record(&mut self, failed: bool, slow: bool, now: u64) {
        let (latest, slot) = self.follow(now);
        self.latest = latest;
        self.calls.push(Call { failed, slow, slot });
    }

    /// The calls that joined the slot of `now` before the latest one.
    pub fn joined(&self) -> usize {
        let Some((last, before)) = self.calls.split_last() else { return 0 };
        before.iter().filter(|call| call.slot == last.slot).count()
    }

    /// A new generation begins.
    pub fn forget(&mut self) {
        self.calls.clear();
    }

    /// The counts at `now`.
    pub fn counts(&self, now: u64) -> WindowCounts {
        let mut counts = WindowCounts::NONE;
        let (latest, _) = self.follow(now);
        let in_window = |place: usize, call: &Call| match self.extent {
            Extent::Count(size) => place + size >= self.calls.len(),
            Extent::Time { slots, .. } => call.slot > latest.0 - slots,
        };
        for (_, call) in self.calls.iter().enumerate().filter(|(place, call)| in_window(*place, call)) {
            counts.calls += 1;
            counts.failures += u32::from(call.failed);
            counts.slow += u32::from(call.slow);
        }
        counts
    }

    /// Enters counts into an empty window, failures last, as many as it holds.
    pub fn refill(&mut self, counts: WindowCounts, now: u64) {
        self.latest = self.follow(now).0;
        for place in (0..counts.calls).rev() {
            self.record(place < counts.failures, place < counts.slow, now);
        }
    }

    /// Whether the window reaches a threshold at `now`.
    pub fn reaches(&self, rate: &RateTrip, now: u64) -> bool {
        let WindowCounts { calls, failures, slow } = self.counts(now);
        let share = |part: u32, milli: Option<u32>| {
            milli.is_some_and(|milli| u64::from(part) * 1_000 >= u64::from(milli) * u64::from(calls))
        };
        let full = match self.extent {
            Extent::Count(size) => calls as usize == size,
            Extent::Time { .. } => false,
        };
        let enough = calls >= rate.minimum_calls || full;
        enough && (share(failures, rate.failure_rate_milli) || share(slow, rate.slow_rate_milli))
            || rate.max_failures.is_some_and(|most| failures >= most)
            || rate.max_slow.is_some_and(|most| slow >= most)
    }
}
