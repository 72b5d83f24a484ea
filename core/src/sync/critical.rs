//! The cell inside a critical section, for targets whose compare-exchange is 32 bits wide.
//!
//! The binary links an implementation of the `critical-section` crate (a HAL usually has one); with interrupts off for
//! a few instructions, an interrupt never meets a half-written word and never waits for one.

use core::cell::Cell;
use critical_section::Mutex;

/// A shared 64-bit cell.
#[derive(Debug)]
pub(crate) struct Cell64(Mutex<Cell<u64>>);

impl Cell64 {
    pub(crate) const fn new(bits: u64) -> Self {
        Self(Mutex::new(Cell::new(bits)))
    }

    pub(crate) fn load(&self) -> u64 {
        critical_section::with(|section| self.0.borrow(section).get())
    }

    /// Replaces `current` by `new`, or returns what stands there instead.
    pub(crate) fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        critical_section::with(|section| {
            let cell = self.0.borrow(section);
            let seen = cell.get();
            if seen == current {
                cell.set(new);
                Ok(())
            } else {
                Err(seen)
            }
        })
    }
}
