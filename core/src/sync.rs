//! The atomic cell behind every word: one backend per kind of target behind one tiny API.
//!
//! | target | backend | lock-free |
//! |---|---|---|
//! | 64-bit compare-exchange (x86-64, AArch64, ARMv7-A, wasm32, RISC-V 64) | [`native`] | yes |
//! | no compare-exchange at all (Cortex-M0, riscv32imc) | [`native`]: portable-atomic, on the backend that the *binary* enables (`critical-section`, or `unsafe-assume-single-core`) | no, but safe in interrupts |
//! | 32-bit compare-exchange only (Cortex-M3/M4, riscv32imac) | `critical`: a critical section | no, but safe in interrupts |
//! | under `--cfg loom`, `--cfg shuttle` | `loom`, `shuttle`: the cells of a model checker | |
//!
//! The third row exists because portable-atomic's 64-bit type is a global spinning lock there: an interrupt that meets
//! the lock's holder spins for ever.
//!
//! Each backend is a `Cell64` with `new`, `load` and `compare_exchange`; nothing else of it is visible to the core.

#[cfg(loom)]
pub(crate) mod loom;
#[cfg(loom)]
pub(crate) use self::loom::Cell64;

#[cfg(all(shuttle, not(loom)))]
mod shuttle;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use self::shuttle::Cell64;

#[cfg(all(not(any(loom, shuttle)), any(target_has_atomic = "64", not(target_has_atomic = "32"))))]
mod native;
#[cfg(all(not(any(loom, shuttle)), any(target_has_atomic = "64", not(target_has_atomic = "32"))))]
pub(crate) use native::Cell64;

#[cfg(all(not(any(loom, shuttle)), any(test, all(target_has_atomic = "32", not(target_has_atomic = "64")))))]
mod critical;
#[cfg(all(not(any(loom, shuttle)), target_has_atomic = "32", not(target_has_atomic = "64")))]
pub(crate) use critical::Cell64;

/// How often a thread has accessed words, so that tests can say what an operation costs without measuring time.
#[cfg(test)]
#[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "a model checker's cells do not count"))]
pub(crate) mod counted {
    use core::cell::Cell;
    use std::thread::LocalKey;

    pub(crate) struct Count(&'static LocalKey<Cell<u32>>);

    std::thread_local! {
        static LOADED: Cell<u32> = const { Cell::new(0) };
        static EXCHANGED: Cell<u32> = const { Cell::new(0) };
    }
    pub(crate) const LOADS: Count = Count(&LOADED);
    pub(crate) const EXCHANGES: Count = Count(&EXCHANGED);

    impl Count {
        pub(crate) fn add_one(&self) {
            self.0.set(self.0.get() + 1);
        }
    }

    /// The loads and the exchanges that `operation` makes.
    pub(crate) fn cost<T>(operation: impl FnOnce() -> T) -> (T, (u32, u32)) {
        let before = (LOADED.get(), EXCHANGED.get());
        let result = operation();
        (result, (LOADED.get() - before.0, EXCHANGED.get() - before.1))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::{critical, native};
    use std::thread;

    macro_rules! backend_tests {
        ($name:ident, $cell:ty) => {
            #[test]
            fn $name() {
                static CELL: $cell = <$cell>::new(5);
                assert_eq!(CELL.load(), 5);
                assert_eq!(CELL.compare_exchange(4, 9), Err(5));
                assert_eq!(CELL.compare_exchange(5, 0), Ok(()));
                thread::scope(|scope| {
                    for _ in 0..4 {
                        scope.spawn(|| {
                            for _ in 0..1_000 {
                                let mut seen = CELL.load();
                                while let Err(actual) = CELL.compare_exchange(seen, seen + 1) {
                                    seen = actual;
                                }
                            }
                        });
                    }
                });
                assert_eq!(CELL.load(), 4_000);
            }
        };
    }

    backend_tests!(native_exchanges_lose_no_update, native::Cell64);
    backend_tests!(critical_section_exchanges_lose_no_update, critical::Cell64);
}
