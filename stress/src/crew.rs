//! `crew`: threads that begin together, each with its own randomness.

use fastrand::Rng;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `work` on so many threads at once, and returns what each made of it. A panic in one is passed on.
pub(crate) fn crew<T: Send>(rng: &mut Rng, threads: usize, work: impl Fn(usize, &mut Rng) -> T + Sync) -> Vec<T> {
    let (ready, work) = (&AtomicUsize::new(0), &work);
    thread::scope(|scope| {
        let crew: Vec<_> = (0..threads)
            .map(|member| {
                let mut rng = rng.fork();
                scope.spawn(move || {
                    ready.fetch_add(1, Ordering::SeqCst);
                    while ready.load(Ordering::SeqCst) < threads {
                        thread::yield_now();
                    }
                    work(member, &mut rng)
                })
            })
            .collect();
        crew.into_iter().map(|member| member.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
