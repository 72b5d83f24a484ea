//! All outcomes that a program can have, by its pure steps in every order.

use crate::model::{Made, Model, Outcome, OutcomeOf, ProgramOf};

/// A moment of a program: everything that decides how it can go on.
#[derive(Clone, PartialEq)]
struct Moment<S, T> {
    state: S,
    threads: Vec<T>,
}

/// A thread: what it remembers, and what it was told.
#[derive(Clone, PartialEq)]
struct Thread<R, V> {
    memory: R,
    verdicts: Vec<V>,
}

type MomentOf<M> = Moment<<M as Model>::State, Thread<<M as Model>::Memory, <M as Model>::Verdict>>;

/// The different outcomes of `program`. Moments that different orders lead to alike are followed once.
pub(crate) fn outcomes<M: Model>(model: &M, program: &ProgramOf<M>) -> Vec<OutcomeOf<M>> {
    let (mut moments, mut outcomes) = (vec![first(model, program)], Vec::new());
    while !moments.is_empty() {
        let mut next = Vec::new();
        for moment in moments {
            let mut is_over = true;
            for (thread, ops) in program.threads.iter().enumerate() {
                let Some(&op) = ops.get(moment.threads[thread].verdicts.len()) else { continue };
                is_over = false;
                let mut then = moment.clone();
                let local = &mut then.threads[thread];
                if let Some(verdict) = model.step(&mut then.state, &mut local.memory, op) {
                    local.verdicts.push(verdict.clone());
                    model.check_made(&Made {
                        op,
                        before: &moment.state,
                        remembered: &moment.threads[thread].memory,
                        verdict: &verdict,
                        after: &then.state,
                        memories: then.threads.iter().map(|thread| &thread.memory).collect(),
                    });
                }
                insert(&mut next, then);
            }
            if is_over {
                let verdicts = moment.threads.into_iter().map(|thread| thread.verdicts).collect();
                insert(&mut outcomes, Outcome { verdicts, state: moment.state });
            }
        }
        moments = next;
    }
    outcomes
}

fn first<M: Model>(model: &M, program: &ProgramOf<M>) -> MomentOf<M> {
    let mut state = program.start.state.clone();
    let mut threads = Vec::new();
    for thread in 0..program.threads.len() {
        let mut memory = M::Memory::default();
        for &op in program.start.before.get(thread).into_iter().flatten() {
            while model.step(&mut state, &mut memory, op).is_none() {}
        }
        threads.push(Thread { memory, verdicts: Vec::new() });
    }
    Moment { state, threads }
}

/// Adds what is not there yet.
pub(crate) fn insert<T: PartialEq>(set: &mut Vec<T>, element: T) {
    if !set.contains(&element) {
        set.push(element);
    }
}
