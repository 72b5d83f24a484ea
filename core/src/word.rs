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
        commit(
            self.cell.load(),
            |seen, next| self.cell.compare_exchange(seen, next),
            |bits| {
                let (next, verdict) = step(S::unpack(bits));
                (next.pack(), verdict)
            },
        )
    }
}

/// The loop over bits: `exchange` puts the second value where the first stands, or returns what stands there instead.
#[inline]
fn commit<V>(
    mut seen: u64,
    exchange: impl Fn(u64, u64) -> Result<(), u64>,
    mut step: impl FnMut(u64) -> (u64, V),
) -> V {
    loop {
        let (next, verdict) = step(seen);
        if next == seen {
            return verdict;
        }
        match exchange(seen, next) {
            Ok(()) => return verdict,
            Err(actual) => seen = actual,
        }
    }
}

impl<S: Packed + fmt::Debug> fmt::Debug for Word<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::commit;
    use core::cell::Cell;

    /// An exchange that fails without a reason now and then, and sometimes because another value has come.
    #[test]
    fn the_loop_goes_round_until_its_exchange_succeeds() {
        let (word, tries, steps) = (Cell::new(10), Cell::new(0), Cell::new(0));
        let exchange = |seen: u64, next: u64| {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 | 2 | 4 => Err(word.get()),
                3 => {
                    word.set(20);
                    Err(20)
                }
                _ if word.get() == seen => {
                    word.set(next);
                    Ok(())
                }
                _ => Err(word.get()),
            }
        };
        let verdict = commit(10, exchange, |bits| {
            steps.set(steps.get() + 1);
            (bits + 1, (bits, steps.get()))
        });
        assert_eq!(verdict, (20, 5), "the verdict is that of the step that was committed");
        assert_eq!((word.get(), tries.get()), (21, 5));
    }

    #[test]
    fn a_step_that_changes_nothing_writes_nothing() {
        let verdict = commit(10, |_, _| unreachable!("nothing has changed"), |bits| (bits, "as it was"));
        assert_eq!(verdict, "as it was");
    }
}
