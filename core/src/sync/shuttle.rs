//! The cell that shuttle schedules: every access is a point at which another thread may come first.
//!
//! shuttle takes every ordering for sequentially consistent, which is what this cell asks for anyway: its runs cover
//! the interleavings of accesses and prove nothing about orderings. Its exchange never fails spuriously.

use shuttle::sync::atomic::{AtomicU64, Ordering};

/// A shared 64-bit cell.
#[derive(Debug)]
pub(crate) struct Cell64(AtomicU64);

impl Cell64 {
    pub(crate) const fn new(bits: u64) -> Self {
        Self(AtomicU64::new(bits))
    }

    pub(crate) fn load(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Replaces `current` by `new`, or returns what stands there instead.
    pub(crate) fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        self.0.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst).map(drop)
    }
}
