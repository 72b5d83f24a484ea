//! `ChosenWindow`: a window whose kind is a value, for configurations that are read at run time.

use super::{CountWindow, Mark, NoWindow, Records, TimeWindow, Window, WindowCounts};
use crate::time::Instant;

/// No window, the latest calls, or the latest span of time, chosen when it is made. Complete.
///
/// It behaves as the kind that it is, for one comparison more, and is as large as the larger of the two. To exchange one
/// for another under a living breaker see [`HeldWindow`](super::HeldWindow).
///
/// ```
/// use core::time::Duration;
/// use fusebox_core::*;
///
/// let span = Duration::from_secs(60);
/// let window: ChosenWindow = ChosenWindow::Time(TimeWindow::with_slots(span, 6)?);
/// let breaker = Breaker::with_window(window);
/// assert!(breaker.is_fresh(Instant::ORIGIN));
/// # Ok::<(), PolicyError>(())
/// ```
#[allow(clippy::large_enum_variant, reason = "nothing is allocated, so the kinds share one place")]
#[derive(Debug)]
pub enum ChosenWindow<const WORDS: usize = 4, const SLOTS: usize = 10> {
    /// Keeps nothing, see [`NoWindow`].
    None,
    /// The latest calls.
    Count(CountWindow<WORDS>),
    /// The calls of the latest span of time.
    Time(TimeWindow<SLOTS>),
}

impl<const WORDS: usize, const SLOTS: usize> Window for ChosenWindow<WORDS, SLOTS> {}

impl<const WORDS: usize, const SLOTS: usize> Records for ChosenWindow<WORDS, SLOTS> {
    #[inline]
    fn keeps(&self) -> bool {
        match self {
            Self::None => NoWindow.keeps(),
            Self::Count(window) => window.keeps(),
            Self::Time(window) => window.keeps(),
        }
    }

    fn capacity(&self) -> u32 {
        match self {
            Self::None => NoWindow.capacity(),
            Self::Count(window) => window.capacity(),
            Self::Time(window) => window.capacity(),
        }
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
        match self {
            Self::None => NoWindow.record(generation, mark, now, minimum_calls, is_current),
            Self::Count(window) => window.record(generation, mark, now, minimum_calls, is_current),
            Self::Time(window) => window.record(generation, mark, now, minimum_calls, is_current),
        }
    }

    fn finish(&self, generation: u8) {
        match self {
            Self::None => NoWindow.finish(generation),
            Self::Count(window) => window.finish(generation),
            Self::Time(window) => window.finish(generation),
        }
    }

    fn counts(&self, generation: u8, now: Instant) -> WindowCounts {
        match self {
            Self::None => NoWindow.counts(generation, now),
            Self::Count(window) => window.counts(generation, now),
            Self::Time(window) => window.counts(generation, now),
        }
    }

    fn refill(&self, generation: u8, counts: WindowCounts, now: Instant) {
        match self {
            Self::None => NoWindow.refill(generation, counts, now),
            Self::Count(window) => window.refill(generation, counts, now),
            Self::Time(window) => window.refill(generation, counts, now),
        }
    }
}
