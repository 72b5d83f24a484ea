//! The cell that loom schedules.
//!
//! loom's atomics cannot be made in constants, so the cell keeps its first value and makes the atomic at the first
//! access. A model must make that access in its first thread, before it shares the cell: formatting a primitive with
//! `{:?}` reads all of its words. A model that forgets to fails with loom's "causality violation".
//!
//! **Loads.** loom explores too little where a loop begins with a plain load: it does not reorder the load with the
//! exchanges of other threads, and reaches only what stale values happen to yield (tokio-rs/loom issues 166 and 392). So
//! there are three ways to read, see [`Reads`].
//!
//! **What is proved.** Under [`Reads::Exchanged`] every order of the accesses, with each value the latest: all that
//! sequential consistency, which the native cell asks for, allows. [`Reads::Shipped`] runs the native cell's own
//! accesses, and [`Reads::Acquired`] weaker ones, whose loads may be stale: nothing may come of them that the first
//! way does not show. That all accesses have one order is assumed, not proved: loom has it for accesses that are all
//! sequentially consistent. Not covered is an exchange that fails spuriously; a test in `word.rs` has those.

use core::cell::Cell;
use loom::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

/// How the cells of the calling thread read, until it says otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reads {
    /// Like the native cell: sequentially consistent loads. Nothing that is not allowed, but not all that is.
    Shipped,
    /// With loads that only acquire, so that they may be stale.
    Acquired,
    /// By an exchange that changes nothing, so that loom explores each order of the accesses.
    Exchanged,
}

std::thread_local! {
    static READS: Cell<Reads> = const { Cell::new(Reads::Exchanged) };
}

impl Reads {
    /// Makes all cells that the calling thread uses read in this way. A model runs on the thread that started it.
    pub fn choose(self) {
        READS.set(self);
    }
}

/// A shared 64-bit cell.
#[derive(Debug)]
pub(crate) struct Cell64 {
    first: u64,
    atomic: OnceLock<AtomicU64>,
}

impl Cell64 {
    pub(crate) const fn new(bits: u64) -> Self {
        Self { first: bits, atomic: OnceLock::new() }
    }

    fn atomic(&self) -> &AtomicU64 {
        self.atomic.get_or_init(|| {
            let atomic = AtomicU64::new(self.first);
            // loom does not count the first value among the sequentially consistent ones, and would return it later on
            atomic.fetch_or(0, Ordering::SeqCst);
            atomic
        })
    }

    pub(crate) fn load(&self) -> u64 {
        match READS.get() {
            Reads::Shipped => self.atomic().load(Ordering::SeqCst),
            Reads::Acquired => self.atomic().load(Ordering::Acquire),
            Reads::Exchanged => self.atomic().fetch_or(0, Ordering::SeqCst),
        }
    }

    /// Replaces `current` by `new`, or returns what stands there instead.
    pub(crate) fn compare_exchange(&self, current: u64, new: u64) -> Result<(), u64> {
        self.atomic().compare_exchange_weak(current, new, Ordering::SeqCst, Ordering::SeqCst).map(drop)
    }
}
