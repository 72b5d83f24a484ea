//! `Executor`: runs calls to one dependency under one policy.
//!
//! A call asks the circuit before each attempt, bounds the attempt by the timeout and by what is left of the deadline,
//! settles it, and decides by the error's category whether to try again. It is generic in output and error.
//!
//! ```
//! use fusebox::{CallError, ErrorCategory, Executor, Policy, ToolError};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
//! # runtime.block_on(async {
//! let executor = Executor::new(Policy::default());
//! let answer = executor
//!     .call(|attempt| async move {
//!         match attempt.number {
//!             1 => Err(ToolError::new(ErrorCategory::Network, "connection reset")),
//!             number => Ok(number),
//!         }
//!     })
//!     .await?;
//! assert_eq!(answer, 2);
//! # Ok::<(), CallError<ToolError>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Cancellation.** Every wait of a call is a place where its future may be dropped. While an attempt runs, dropping
//! settles it as [`Outcome::Cancelled`](fusebox_core::Outcome::Cancelled), which returns its slots and tokens; a wait
//! between attempts holds nothing.
//!
//! **Retries.** Before a retry the call waits for the backoff or for as long as the tool asked, whichever is longer. It
//! gives up at once, with the error of the last attempt, where no wait can help: no retry left, the category is not
//! retried, the tool asks for more than the backoff's cap, the deadline would pass meanwhile, or the circuit refuses
//! for longer than `max_wait`. [`Execution::stopped`] says which.

mod admitted;
mod bounded;
mod call;
mod execution;
mod releases;

pub use execution::{Execution, FailedAttempt, Stopped};

use crate::clock::TokioClock;
use crate::counters::{CounterSnapshot, Counters};
use crate::{Attempt, CallError, CallOptions, Classify, Policy};
use call::Call;
use fusebox_core::{BulkheadPolicy, Circuit, CircuitSnapshot, Clock, Forced, Instant, Wait};
use releases::Releases;
use std::sync::Arc;

/// Runs calls to one dependency under one policy; share it by reference or in an `Arc`.
/// See the [module documentation](self).
#[derive(Debug)]
pub struct Executor<C: Clock = TokioClock> {
    circuit: Arc<Circuit>,
    counters: Arc<Counters>,
    releases: Arc<Releases>,
    policy: Policy,
    clock: C,
}

impl Executor {
    /// A fresh circuit under `policy`, on tokio's clock.
    pub fn new(policy: Policy) -> Self {
        Self::with_clock(policy, TokioClock::new())
    }
}

impl<C: Clock> Executor<C> {
    /// A fresh circuit under `policy`, on a clock of your own.
    pub fn with_clock(policy: Policy, clock: C) -> Self {
        Self::with_parts(Arc::default(), Arc::default(), Arc::default(), policy, clock)
    }

    /// An executor under another policy that shares this one's circuit and counters: an open breaker stays open, a
    /// bucket keeps its fill level, calls in flight still count.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self
    where
        C: Clone,
    {
        if let (Some(old), Some(new)) = (&self.policy.circuit.bucket, &policy.circuit.bucket) {
            self.circuit.bucket().change_policy(old, new, self.clock.now());
        }
        let (circuit, counters, releases) = (&self.circuit, &self.counters, &self.releases);
        Self::with_parts(Arc::clone(circuit), Arc::clone(counters), Arc::clone(releases), policy, self.clock.clone())
    }

    fn with_parts(
        circuit: Arc<Circuit>,
        counters: Arc<Counters>,
        releases: Arc<Releases>,
        policy: Policy,
        clock: C,
    ) -> Self {
        if !policy.max_wait.is_zero() {
            releases.await_them();
        }
        Self { circuit, counters, releases, policy, clock }
    }

    /// Runs one call with the default options. `tool` is called once per attempt.
    ///
    /// # Errors
    /// Why the call did not succeed.
    pub async fn call<T, E, F, Fut>(&self, tool: F) -> Result<T, CallError<E>>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.run(&CallOptions::default(), tool).await.result
    }

    /// Runs one call and tells how it went. `tool` is called once per attempt.
    pub async fn run<T, E, F, Fut>(&self, options: &CallOptions, mut tool: F) -> Execution<T, E>
    where
        E: Classify,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut call = Call::start(self, options);
        let mut last = None;
        loop {
            let admitted = match call.admit().await {
                Ok(admitted) => admitted,
                Err(refused) => return call.refuse(refused, last),
            };
            let error = match call.attempt(admitted, &mut tool).await {
                Ok(output) => return call.succeed(output),
                Err(error) => error.after(last),
            };
            match call.pause(&error).await {
                Ok(()) => last = Some(error),
                Err(Stopped::Cancelled) => return call.fail(CallError::Cancelled, Stopped::Cancelled),
                Err(stopped) => return call.fail(error, stopped),
            }
        }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The state of breaker, bulkhead and bucket.
    pub fn snapshot(&self) -> CircuitSnapshot {
        self.circuit.snapshot(&self.policy.circuit, self.clock.now())
    }

    /// What has happened so far, as numbers.
    pub fn counters(&self) -> CounterSnapshot {
        self.counters.snapshot()
    }

    /// Forces the breaker open or closed until [`Executor::reset`].
    pub fn force(&self, forced: Forced) {
        self.counters.count_transition(self.circuit.breaker().force(forced));
        self.releases.announce();
    }

    /// Closes the breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.counters.count_transition(self.circuit.breaker().reset());
        self.releases.announce();
    }

    fn breaker_refusal(&self, now: Instant) -> Option<Wait> {
        let policy = self.policy.circuit.breaker.as_ref()?;
        self.circuit.breaker().refusal(policy, now)
    }

    /// Whether a call at `now` would not have to wait for another one to end.
    fn has_room(&self, now: Instant) -> bool {
        let has_slot =
            |policy: &BulkheadPolicy| self.circuit.bulkhead().in_flight() < u64::from(policy.max_in_flight());
        self.breaker_refusal(now) != Some(Wait::Release) && self.policy.circuit.bulkhead.as_ref().is_none_or(has_slot)
    }
}
