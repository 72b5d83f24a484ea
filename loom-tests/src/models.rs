//! The primitives as models.

pub mod adaptive;
pub mod breaker;
pub mod bucket;
pub mod bulkhead;
pub mod circuit;
pub mod retry_budget;
pub mod throttle;

pub use adaptive::Adapting;
pub use breaker::Breaking;
pub use bucket::Filling;
pub use bulkhead::Entering;
pub use circuit::Passing;
pub use retry_budget::Retrying;
pub use throttle::Throttling;

use fusebox_core::Instant;

/// A time around which everything happens: late enough that a clock can go back.
pub const NOON: u64 = 1_000_000_000_000_000;

/// So many milliseconds after noon, or before it.
pub const fn noon(millis: i64) -> Instant {
    Instant::from_nanos(NOON.saturating_add_signed(millis * 1_000_000))
}
