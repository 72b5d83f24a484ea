//! Programs: all of two threads and two operations, or an even sample of larger ones.

use crate::checker::Exploration;
use crate::coverage::Covered;
use crate::model::{Model, Outcome, OutcomeOf, Program, StartOf};
use crate::oracle::outcomes;
use crate::race::compare;
use core::fmt;
use std::env;
use std::sync::Arc;

/// Which programs are run.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many threads.
    pub threads: u32,
    /// How many operations each.
    pub ops: u32,
    /// One program of so many, evenly spread; 1 is all of them.
    pub one_in: u64,
}

impl Shape {
    /// All programs of two threads and one operation each.
    pub const TWO_BY_ONE: Self = Self { threads: 2, ops: 1, one_in: 1 };
    /// All programs of two threads and two operations each.
    pub const TWO_BY_TWO: Self = Self { threads: 2, ops: 2, one_in: 1 };
    /// All programs of three threads and one operation each.
    pub const THREE_BY_ONE: Self = Self { threads: 3, ops: 1, one_in: 1 };
    /// All programs of three threads and two operations each.
    pub const THREE_BY_TWO: Self = Self { threads: 3, ops: 2, one_in: 1 };
    /// All programs of three threads and three operations each.
    pub const THREE_BY_THREE: Self = Self { threads: 3, ops: 3, one_in: 1 };

    /// One program of so many of this shape.
    #[must_use]
    pub const fn one_in(self, one_in: u64) -> Self {
        Self { one_in, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads x {}", self.threads, self.ops)?;
        if self.one_in == 1 { f.write_str(", all") } else { write!(f, ", 1 in {}", self.one_in) }
    }
}

/// What to run: `short`, or `long` where the environment variable `LONG_MODELS` is set.
pub fn scope<T>(short: T, long: T) -> T {
    if env::var_os("LONG_MODELS").is_some() { long } else { short }
}

/// Runs the programs of `shape` from every start of `model`.
///
/// # Panics
/// When a program's outcomes are not those of the pure steps.
pub fn check_programs<M: Model>(model: M, shape: Shape, exploration: Exploration) -> Covered {
    let model = Arc::new(model);
    let ops = model.ops();
    let lists = (ops.len() as u64).pow(shape.ops);
    let mut covered = Covered::default();
    let all = lists.pow(shape.threads);
    for start in model.starts() {
        for number in 0..all.div_ceil(shape.one_in) {
            // one of each `one_in` consecutive programs
            let code = (number * shape.one_in + scattered(number) % shape.one_in).min(all - 1);
            let lists = digits(code, lists, shape.threads);
            if is_alike::<M>(&start, shape) && !lists.is_sorted() {
                continue; // the same threads under other names
            }
            let op = |digit: u64| ops[usize::try_from(digit).expect("an index")];
            let threads =
                lists.iter().map(|&list| digits(list, ops.len() as u64, shape.ops).into_iter().map(op).collect());
            let program = Program { start: start.clone(), threads: threads.collect() };
            let expected = outcomes(&*model, &program);
            if !does_nothing::<M>(&expected) {
                covered += compare(&model, program, &expected, exploration);
            }
        }
    }
    covered
}

/// `code` in the system of this base, lowest first.
fn digits(code: u64, base: u64, count: u32) -> Vec<u64> {
    (0..count).map(|place| code / base.pow(place) % base).collect()
}

/// Whether all threads start alike.
fn is_alike<M: Model>(start: &StartOf<M>, shape: Shape) -> bool {
    (1..shape.threads as usize).all(|thread| start.before.get(thread) == start.before.first())
}

/// Whether an operation has nothing to work on, whatever the order.
fn does_nothing<M: Model>(outcomes: &[OutcomeOf<M>]) -> bool {
    let Some(Outcome { verdicts, .. }) = outcomes.first() else { return true };
    verdicts.iter().enumerate().any(|(thread, told)| {
        (0..told.len()).any(|op| outcomes.iter().all(|outcome| outcome.verdicts[thread][op] == M::nothing()))
    })
}

/// Spreads consecutive numbers evenly.
const fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24
}
