//! `Records`: what a window does for its breaker. Private, so that no other crate can add a window.

use super::WindowCounts;
use crate::time::Instant;
use core::fmt;

/// The operations of a window, for the breaker alone.
#[allow(unnameable_types, reason = "that it cannot be named is what seals `Window`")]
pub trait Records: fmt::Debug {
    /// Whether outcomes are kept at all.
    fn keeps(&self) -> bool;

    /// The most calls that the window can hold.
    fn capacity(&self) -> u32;

    /// Records a call that was admitted in `generation`, and returns the counts that contain it; `None` when there is
    /// nothing to decide, because the generation has passed, or because the call is a fast success that joins at least
    /// `minimum_calls`. Where the window holds another generation, `is_current` tells whether this one is newer.
    fn record(
        &self,
        generation: u8,
        mark: Mark,
        now: Instant,
        minimum_calls: u32,
        is_current: impl Fn() -> bool,
    ) -> Option<WindowCounts>;

    /// Forgets `generation`, which has ended.
    fn finish(&self, generation: u8);

    /// The counts of `generation` at `now`. Only reads.
    fn counts(&self, generation: u8, now: Instant) -> WindowCounts;

    /// Enters `counts` into a window that has seen nothing, as calls of `generation` that ended at `now`.
    fn refill(&self, generation: u8, counts: WindowCounts, now: Instant);
}

/// One call in a window.
#[allow(unnameable_types, reason = "part of a sealed trait")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}
