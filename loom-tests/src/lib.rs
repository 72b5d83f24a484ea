//! Model checking of `fusebox-core` as it is shipped: every order in which threads can meet, within stated bounds.
//!
//! The primitives are state machines whose transitions are pure functions, made atomic by one loop. So there is an oracle
//! for what threads may see, and it is the shipped code as well: run the *pure steps* of all threads in every order, and
//! collect what the threads were told and what state remained. Then run the same program on the *shared* primitive
//! under a checker that tries every order of the accesses to memory, and demand that both sets are equal:
//!
//! - whatever was seen is expected: each operation takes effect at one moment (it is linearizable);
//! - whatever is expected was seen: the checker really explored. A checker that stops early fails, too.
//!
//! Equal sets cannot show a bug of a step, which is on both sides. So the invariants are demanded as well, in words that
//! share nothing with the steps: `models/*/rules.rs`. After each operation of the pure steps, in every order, where
//! everything is known; and after each execution under a checker, from what the threads were told and what remained.
//!
//! | file | idea |
//! |---|---|
//! | `model.rs` | `Model`: a primitive as pure steps and as it is shared; where programs start, which operations they have |
//! | `oracle.rs` | all outcomes of a program by the pure steps |
//! | `checker.rs`, `checker/*` | loom and shuttle behind one function |
//! | `race.rs` | one program on both sides, compared |
//! | `programs.rs` | all programs of two threads and two operations, and samples of larger ones |
//! | `coverage.rs` | how much was covered, and that it is never less than `COVERAGE.md` or `COVERAGE-long.md` says |
//! | `models/*` | the primitives |
//! | `models/*/rules.rs` | the invariants, by id |
//!
//! Programs start from every kind of state, and not only from a new one: most races need a state that is one step short
//! of a change.
//!
//! **The two checkers.** shuttle tries every order of the accesses, quickly, and takes them all for sequentially
//! consistent. loom does so more slowly, and knows of stale loads; `fusebox_core::Reads` says how its loads are run.
//! Both exist only under `--cfg loom` or `--cfg shuttle`, without which this crate is empty. `.ci/loom` runs both.

#[cfg(any(loom, shuttle))]
mod checker;
#[cfg(any(loom, shuttle))]
mod coverage;
#[cfg(any(loom, shuttle))]
mod model;
#[cfg(any(loom, shuttle))]
pub mod models;
#[cfg(any(loom, shuttle))]
mod oracle;
#[cfg(any(loom, shuttle))]
mod programs;
#[cfg(any(loom, shuttle))]
mod race;

#[cfg(any(loom, shuttle))]
pub use {
    checker::{CHECKER, Exploration, explore, spawn},
    coverage::{Covered, hold},
    model::{Made, Model, Outcome, OutcomeOf, Program, ProgramOf, Start, StartOf, ToldOf},
    programs::{Shape, check_programs, scope},
    race::race,
};
