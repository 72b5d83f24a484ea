//! Models under shuttle.

use super::Exploration;
use shuttle::scheduler::{DfsScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// The checker's name.
pub const CHECKER: &str = "shuttle";

/// Runs `model` once for each order of its threads' accesses, and says how often.
///
/// # Panics
/// When the model does.
pub fn explore(exploration: Exploration, model: impl Fn() + Send + Sync + 'static) -> u64 {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None; // a program says itself which one it is
    let executions = match exploration {
        Exploration::All => Runner::new(DfsScheduler::new(None, false), config).run(model),
        Exploration::Random { seed, orders } => {
            Runner::new(RandomScheduler::new_from_seed(seed, orders), config).run(model)
        }
    };
    u64::try_from(executions).expect("fits")
}

/// Starts a thread of a model, and returns what waits for its result.
pub fn spawn<T: Send + 'static>(thread: impl FnOnce() -> T + Send + 'static) -> impl FnOnce() -> T {
    let handle = shuttle::thread::spawn(thread);
    move || handle.join().expect("a thread that panics ends the model")
}
