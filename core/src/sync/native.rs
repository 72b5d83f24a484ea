//! The cell as a 64-bit atomic: hardware where there is one, else the backend that the binary chose.

use portable_atomic::{AtomicU64, Ordering};

/// A shared 64-bit cell.
#[derive(Debug)]
pub(crate) struct Cell64(AtomicU64);

impl Cell64 {
    pub(crate) const fn new(bits: u64) -> Self {
        Self(AtomicU64::new(bits))
    }

    #[inline]
    pub(crate) fn load(&self) -> u64 {
        #[cfg(test)]
        super::counted::LOADS.add_one();
        self.0.load(Ordering::SeqCst)
    }

    /// Replaces `current` by `new`, or returns what stands there instead; may fail spuriously.
    #[inline]
    pub(crate) fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        #[cfg(test)]
        super::counted::EXCHANGES.add_one();
        self.0.compare_exchange_weak(current, new, Ordering::SeqCst, Ordering::SeqCst).map(drop)
    }
}
