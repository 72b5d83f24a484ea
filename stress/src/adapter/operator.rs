//! The operator: changes policies, forces breakers, and gives names to other tools, while calls are under way.

use super::subject::Subject;
use fastrand::Rng;
use fusebox::{Forced, Registry};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the operator has done.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) policies: u64,
    pub(super) forced: u64,
    pub(super) anew: u64,
}

/// The states that one name may have in a round.
const MOST_STATES: usize = 6;

/// Works until `done`. There is one operator: who forces a breaker is who resets it.
pub(super) fn operate(subjects: &[Subject], registry: &Registry, done: &AtomicBool, rng: &mut Rng) -> Changes {
    let mut changes = Changes::default();
    while !done.load(Ordering::Acquire) {
        let place = rng.usize(..subjects.len());
        let subject = &subjects[place];
        match rng.u8(..16) {
            0 => {
                let forced = if rng.bool() { Forced::Open } else { Forced::Closed };
                subject.force(forced, Duration::from_micros(rng.u64(..500)));
                changes.forced += 1;
            }
            // the first subject keeps its state for the whole round
            1 if place > 0 && subject.states() < MOST_STATES => {
                subject.begin_anew(rng);
                changes.anew += 1;
            }
            2..=5 => assert!(registry.snapshot().is_sorted_by(|a, b| a.name < b.name)),
            _ => {
                subject.replace(rng);
                changes.policies += 1;
            }
        }
        std::thread::sleep(Duration::from_micros(rng.u64(..1_000)));
    }
    changes
}
