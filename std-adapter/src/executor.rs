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
//! gives up at once, with the error of the last attempt, where a retry cannot help or may do harm:
//! - the category is not retried, or the tool says that a retry is in vain;
//! - the tool is not idempotent, and its error does not say that nothing was done;
//! - no retry is left, or none in the retry budget that all calls of this executor share;
//! - an attempt of another call makes this one, and will be retried itself: retries within retries would multiply;
//! - the tool asks for more than the backoff's cap, the deadline would pass meanwhile, or the circuit refuses for longer
//!   than `max_wait`.
//!
//! [`Execution::stopped`] says which. That a call is made within another one is known within its task, not across a
//! `spawn`.

mod admitted;
mod bounded;
mod call;
mod execution;
mod nested;
mod parts;
mod releases;
mod retry;
mod shared;

pub use execution::{Execution, FailedAttempt, Stopped};
pub use parts::{PartsSnapshot, PartsState};

use crate::clock::TokioClock;
use crate::counters::CounterSnapshot;
use crate::{Attempt, CallError, CallOptions, Classify, Policy};
use call::Call;
use core::time::Duration;
use fusebox_core::{CircuitSnapshot, Clock, Forced, RetryBudgetSnapshot, Wait};
use shared::Shared;
use std::sync::Arc;

/// Runs calls to one dependency under one policy; share it by reference or in an `Arc`.
/// See the [module documentation](self).
#[derive(Debug)]
pub struct Executor<C: Clock = TokioClock> {
    shared: Arc<Shared>,
    policy: Policy,
    clock: C,
}

/// That a breaker refuses calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    /// How long at the latest; `None` where time does not decide.
    pub(crate) returns_in: Option<Duration>,
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
        let shared = Arc::new(Shared::new(&policy.limits));
        Self::with_shared(shared, policy, clock)
    }

    /// An executor under another policy that shares this one's circuit and counters: an open breaker stays open, a
    /// bucket keeps its fill level, calls in flight still count.
    ///
    /// Breaker, rate limit and bulkhead are those of the newest policy from now on, for this executor too: two rates for
    /// one bucket would be no limit. Timeouts and retries of an executor stay as they are.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self
    where
        C: Clone,
    {
        self.shared.change_limits(&policy.limits, self.clock.now());
        Self::with_shared(Arc::clone(&self.shared), policy, self.clock.clone())
    }

    fn with_shared(shared: Arc<Shared>, policy: Policy, clock: C) -> Self {
        if !policy.max_wait.is_zero() {
            shared.releases.await_them();
        }
        Self { shared, policy, clock }
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
        let PartsSnapshot { breaker, in_flight, tokens, .. } = self.parts();
        CircuitSnapshot { breaker, in_flight, tokens }
    }

    /// The state of all parts that the policy has.
    pub fn parts(&self) -> PartsSnapshot {
        self.shared.parts.snapshot(&self.shared.limits.load(), self.clock.now())
    }

    /// Whether the breaker refuses calls, and how long at the latest.
    pub(crate) fn absence(&self) -> Option<Absence> {
        let now = self.clock.now();
        let returns_in = match self.shared.breaker_refusal(now)? {
            Wait::Release => self.shared.longest_refusal(now),
            wait => wait.duration(),
        };
        Some(Absence { returns_in })
    }

    /// The state of the retry budget, where the policy has one.
    pub fn retry_budget(&self) -> Option<RetryBudgetSnapshot> {
        let policy = self.shared.limits.load().retry_budget?;
        Some(self.shared.parts.retry_budget().snapshot(&policy, self.clock.now()))
    }

    /// What has happened so far, as numbers.
    pub fn counters(&self) -> CounterSnapshot {
        self.shared.counters.snapshot()
    }

    /// Forces the breaker open or closed until [`Executor::reset`].
    pub fn force(&self, forced: Forced) {
        self.shared.counters.count_transition(self.shared.parts.force(forced));
        self.shared.releases.announce();
    }

    /// Closes the breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.shared.counters.count_transition(self.shared.parts.reset());
        self.shared.releases.announce();
    }
}
