//! One atomic word and the one loop that changes it.
//!
//! Every primitive keeps its state in a [`Word`]. A change is a *step*: a pure function from the state to the next
//! state and a verdict. The loop runs it as follows.
//!
//! 1. Load the word and decode it.
//! 2. Run the step.
//! 3. If the encoding is unchanged, return the verdict: nothing is written.
//! 4. Otherwise compare-exchange; when another call came first, go to 2 with the state that it left.
//!
//! The verdict is always the one of the attempt that committed (or that changed nothing).
//!
//! **Ordering policy.** Every access is sequentially consistent. One word carries a whole decision wherever that is
//! possible, and then acquire and release would do: whatever a caller did before it settled is seen by the caller that
//! its outcome admits. A time window decides on several words: a record adds to one and then reads the others, and of two
//! that do so in different slots one must see the other. That takes one order of all accesses. It costs nothing on
//! x86-64 and AArch64, where the instructions are the same.

use crate::sync::Cell64;
use core::fmt;
use core::marker::PhantomData;

/// A plain state with an exact encoding in 64 bits: `unpack(pack(s)) == s` for every state a step produces.
pub(crate) trait Packed: Copy {
    fn pack(self) -> u64;
    fn unpack(bits: u64) -> Self;
}

/// A state of type `S`, shared.
pub(crate) struct Word<S> {
    cell: Cell64,
    state: PhantomData<S>,
}

impl<S> Word<S> {
    /// A word holding `bits`, the encoding of a state; trait functions are not callable in constants.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self { cell: Cell64::new(bits), state: PhantomData }
    }
}

impl<S: Packed> Word<S> {
    /// The state now.
    #[inline]
    pub(crate) fn load(&self) -> S {
        S::unpack(self.cell.load())
    }

    /// Runs `step` until its result is committed, and returns that run's verdict.
    #[inline]
    pub(crate) fn transition<V>(&self, mut step: impl FnMut(S) -> (S, V)) -> V {
        let mut seen = self.cell.load();
        loop {
            let (next, verdict) = step(S::unpack(seen));
            let next = next.pack();
            if next == seen {
                return verdict;
            }
            match self.cell.compare_exchange(seen, next) {
                Ok(()) => return verdict,
                Err(actual) => seen = actual,
            }
        }
    }
}

impl<S: Packed + fmt::Debug> fmt::Debug for Word<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}
