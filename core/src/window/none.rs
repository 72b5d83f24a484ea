//! `NoWindow`: a breaker that keeps no outcomes.

use super::{Mark, Records, Window, WindowCounts};
use crate::time::Instant;

/// No window: the breaker counts consecutive failures only, and is 16 bytes.
///
/// Under [`Trip::Rate`](crate::Trip::Rate) it trips when that many failures follow one another that a rate over any
/// number of calls would be reached: `minimum_calls`, or `max_failures` if that is less. Slow calls never trip it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NoWindow;

impl Window for NoWindow {}

impl Records for NoWindow {
    fn keeps(&self) -> bool {
        false
    }

    fn capacity(&self) -> u32 {
        0
    }

    fn record(&self, _: u8, _: Mark, _: Instant, _: u32, _: impl Fn() -> bool) -> Option<WindowCounts> {
        None
    }

    fn finish(&self, _: u8) {}

    fn counts(&self, _: u8, _: Instant) -> WindowCounts {
        WindowCounts::NONE
    }

    fn refill(&self, _: u8, _: WindowCounts, _: Instant) {}
}
