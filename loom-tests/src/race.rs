//! One program, by the pure steps and on the shared primitive, compared.

use crate::checker::{Exploration, explore, spawn};
use crate::coverage::Covered;
use crate::model::{Model, Outcome, OutcomeOf, ProgramOf, ToldOf};
use crate::oracle::{insert, outcomes};
use core::fmt::{self, Write};
use std::sync::{Arc, Mutex};

/// Runs `program` on the shared primitive in every order, and demands that its outcomes are those of the pure steps.
///
/// # Panics
/// When they are not.
pub fn race<M: Model>(model: &Arc<M>, program: ProgramOf<M>, exploration: Exploration) -> Covered {
    let expected = outcomes(&**model, &program);
    compare(model, program, &expected, exploration)
}

pub(crate) fn compare<M: Model>(
    model: &Arc<M>,
    program: ProgramOf<M>,
    expected: &[OutcomeOf<M>],
    exploration: Exploration,
) -> Covered {
    let program = Arc::new(program);
    let (executions, seen) = seen(model, &program, exploration);
    let is_complete = exploration.is_complete();
    let unexpected: Vec<_> = seen.iter().filter(|outcome| !expected.contains(outcome)).collect();
    let missing: Vec<_> = expected.iter().filter(|outcome| is_complete && !seen.contains(outcome)).collect();
    assert!(
        unexpected.is_empty() && missing.is_empty(),
        "{model:?}\nstarts {}: {:?}\nbefore: {:?}\nthreads: {:#?}\nnot expected, but seen: {unexpected:#?}\n\
         expected, but not seen: {missing:#?}",
        program.start.name,
        program.start.state,
        program.start.before,
        program.threads,
    );
    Covered { programs: 1, executions, outcomes: seen.len() as u64 }
}

/// The different outcomes on the shared primitive, and how many orders were tried.
fn seen<M: Model>(model: &Arc<M>, program: &Arc<ProgramOf<M>>, exploration: Exploration) -> (u64, Vec<OutcomeOf<M>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let executions = {
        let (model, program, seen) = (model.clone(), program.clone(), seen.clone());
        explore(exploration, move || {
            let outcome = execute(&model, &program);
            insert(&mut seen.lock().expect("nobody panics with it"), outcome);
        })
    };
    let seen = seen.lock().expect("nobody panics with it").drain(..).collect();
    (executions, seen)
}

/// The program once, in the order that the checker chooses. The first thread is the one that started the others.
fn execute<M: Model>(model: &Arc<M>, program: &Arc<ProgramOf<M>>) -> OutcomeOf<M> {
    let shared = Arc::new(model.shared(&program.start.state));
    read_all_words(&*shared);
    let mut tickets: Vec<M::Tickets> = program.threads.iter().map(|_| M::Tickets::default()).collect();
    let mut told: Vec<ToldOf<M>> = program.threads.iter().map(|_| Vec::new()).collect();
    for ((tickets, ops), told) in tickets.iter_mut().zip(&program.start.before).zip(&mut told) {
        told.extend(ops.iter().map(|&op| (op, model.run(&shared, tickets, op))));
    }
    let mut threads = tickets.into_iter().enumerate().map(|(thread, mut tickets)| {
        let (model, program, shared) = (model.clone(), program.clone(), shared.clone());
        move || -> Vec<M::Verdict> {
            program.threads[thread].iter().map(|&op| model.run(&shared, &mut tickets, op)).collect()
        }
    });
    let mut first = threads.next().expect("a program has a thread");
    let others: Vec<_> = threads.map(spawn).collect();
    let mut verdicts = vec![first()];
    verdicts.extend(others.into_iter().map(|wait| wait()));
    let state = model.state(&shared);
    for ((told, ops), verdicts) in told.iter_mut().zip(&program.threads).zip(&verdicts) {
        told.extend(ops.iter().copied().zip(verdicts.iter().cloned()));
    }
    model.check_told(&program.start, &told, &state);
    Outcome { verdicts, state }
}

/// Formatting reads every word, and loom wants that done before a word is shared.
fn read_all_words(shared: &impl fmt::Debug) {
    if cfg!(loom) {
        write!(Nowhere, "{shared:?}").expect("nothing is written");
    }
}

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}
