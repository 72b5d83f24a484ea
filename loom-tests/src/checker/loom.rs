//! Models under loom.

use super::Exploration;
use core::sync::atomic::{AtomicU64, Ordering};
use fusebox_core::Reads;
use std::sync::Arc;

/// The checker's name.
pub const CHECKER: &str = "loom";

/// Runs `model` once for each order of its threads' accesses, and says how often.
///
/// # Panics
/// When the model does, or when a setting of the environment could end the exploration early, which loom takes for a
/// success.
pub fn explore(exploration: Exploration, model: impl Fn() + Send + Sync + 'static) -> u64 {
    let mut builder = loom::model::Builder::new();
    let is_cut_short = builder.max_duration.is_some() || builder.max_permutations.is_some();
    assert!(!is_cut_short, "LOOM_MAX_DURATION and LOOM_MAX_PERMUTATIONS end a run early, and as a success");
    let (reads, bound) = match exploration {
        Exploration::All => (Reads::Exchanged, None),
        Exploration::Preemptions(bound) => (Reads::Exchanged, Some(bound)),
        Exploration::Reading(reads) => (reads, None),
    };
    reads.choose();
    builder.preemption_bound = bound;
    let executions = Arc::new(AtomicU64::new(0));
    let counter = executions.clone();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}

/// Starts a thread of a model, and returns what waits for its result.
pub fn spawn<T: Send + 'static>(thread: impl FnOnce() -> T + Send + 'static) -> impl FnOnce() -> T {
    let handle = loom::thread::spawn(thread);
    move || handle.join().expect("a thread that panics ends the model")
}
