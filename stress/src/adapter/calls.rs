//! Calls from tasks and from plain threads, most of which their callers give up, under an operator who changes
//! everything; then every account has to balance.

use super::interruption::{Interruption, observed};
use super::operator::operate;
use super::subject::Subject;
use crate::tally::Tally;
use fastrand::Rng;
use fusebox::{CallOptions, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// Calls to each subject.
const CALLS: usize = 250;
/// Tasks that call, beside as many plain threads as there are workers.
const TASKS: usize = 24;

/// One round.
pub(crate) fn run(rng: &mut Rng, threads: usize) -> Tally {
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_time().build().expect("a runtime");
    let inside = runtime.enter();
    let begun = Instant::now();
    let registry = Arc::new(Registry::new());
    let mut subjects: Vec<_> =
        (0..3).map(|tool| Subject::named(format!("tool {tool}"), Arc::clone(&registry), CALLS, rng)).collect();
    subjects.push(Subject::bare(CALLS, rng));
    let (subjects, done) = (Arc::new(subjects), AtomicBool::new(false));
    drop(inside);

    let changes = thread::scope(|scope| {
        let operator = {
            let (subjects, registry, done) = (&subjects, &registry, &done);
            let (mut rng, runtime) = (rng.fork(), runtime.handle().clone());
            scope.spawn(move || {
                let _inside = runtime.enter();
                operate(subjects, registry, done, &mut rng)
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(call_all(Arc::clone(&subjects), rng.fork()))).collect();
        let plain: Vec<_> = (0..threads)
            .map(|_| {
                let (subjects, rng, runtime) = (Arc::clone(&subjects), rng.fork(), runtime.handle().clone());
                scope.spawn(move || runtime.block_on(call_all(subjects, rng)))
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("no task panics");
            }
        });
        for thread in plain {
            thread.join().expect("no thread panics");
        }
        done.store(true, Ordering::Release);
        operator.join().expect("the operator does not panic")
    });
    no_task_is_left(&runtime);

    let inside = runtime.enter();
    let mut sums = [("calls", 0), ("dropped", 0), ("succeeded", 0), ("failed", 0), ("timeouts", 0), ("rejected", 0)];
    for subject in subjects.iter() {
        let sum = subject.settle_accounts(begun);
        let rejected = sum.by_breaker + sum.by_bulkhead + sum.by_bucket;
        let counts = [sum.calls, sum.dropped, sum.succeeded, sum.failed, sum.timeouts, rejected];
        sums.iter_mut().zip(counts).for_each(|((_, total), count)| *total += count);
        runtime.block_on(subject.goes_on());
    }
    drop(inside);
    no_task_is_left(&runtime);
    let mut tally = Tally::from(sums);
    tally.add(Tally::from([("policies", changes.policies), ("forced", changes.forced), ("anew", changes.anew)]));
    tally
}

/// Makes calls, one after another, until there are none left.
async fn call_all(subjects: Arc<Vec<Subject>>, mut rng: Rng) {
    while let Some((place, number)) = next(&subjects, rng.usize(..subjects.len())) {
        let (interruption, by_name) = (Interruption::any(&mut rng), rng.bool());
        let token = interruption.token();
        let options = CallOptions {
            cancel: token.clone(),
            deadline: rng.bool().then(|| Duration::from_micros(rng.u64(500..20_000))),
            ..CallOptions::default()
        };
        let subjects = Arc::clone(&subjects);
        let call = async move {
            let subject = &subjects[place];
            observed(subject.account(number), subject.call(number, by_name, options)).await;
        };
        interruption.run(call, token).await;
    }
}

/// The next call: its subject, this one or the first after it that has calls left, and its number there.
fn next(subjects: &[Subject], from: usize) -> Option<(usize, usize)> {
    let places = (from..subjects.len()).chain(0..from);
    places.into_iter().find_map(|place| Some((place, subjects[place].next()?)))
}

/// Waits until the runtime has let go of every task. One that is left would hang here.
fn no_task_is_left(runtime: &Runtime) {
    let handle: &Handle = runtime.handle();
    while handle.metrics().num_alive_tasks() > 0 {
        thread::yield_now();
    }
}
