//! The primitives as models.

pub mod breaker;
pub mod bucket;

pub use breaker::Breaking;
pub use bucket::Filling;

use fusebox_core::Instant;

/// A time around which everything happens: late enough that a clock can go back.
pub const NOON: u64 = 1_000_000_000_000_000;

/// So many milliseconds after noon, or before it.
pub const fn noon(millis: i64) -> Instant {
    Instant::from_nanos(NOON.saturating_add_signed(millis * 1_000_000))
}
