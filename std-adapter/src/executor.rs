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
//! **Waiting in line.** Under a `max_wait` a call waits for what refuses it. One that lacks tokens books them and goes when
//! they are there, so calls for tokens go in the order in which they came; a place that is given up goes to others. A booking
//! also outranks priority: who comes later waits behind a call of low priority that has booked. Keep `max_wait` short, or
//! the rates of low and high priority apart, where that matters. Calls that wait for a slot, or for another call's probe,
//! are woken one by one, the longest waiting first. While it waits a call holds bookings, and no slots.
//!
//! **Hedging.** Where the policy hedges, an attempt that takes long gets another one beside it, and the first output ends
//! the call; the rest are dropped, which gives back what they hold. A hedge is an attempt: it has its own number and
//! timeout, passes all limiters, and is paid from the retry budget. Where a limiter or the budget
//! refuses it there is none, and nobody waits. An attempt that fails waits for the others if its error can be retried, and
//! ends the call if not. Then comes a retry as ever: while the attempts made, hedges among them, are no more than
//! `max_retries`. So a call makes at most 1 + `max_retries` + `max` attempts. Calls made within one that is hedged or
//! retried are not hedged.
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

mod admission;
mod bounded;
mod call;
mod execution;
mod keyed;
mod latency;
mod limiter;
mod nested;
mod parts;
mod releases;
mod retry;
mod shared;

pub use execution::{Execution, FailedAttempt, Stopped};
pub use keyed::KeyedExecutor;
pub use parts::{PartsSnapshot, PartsState};

use crate::clock::TokioClock;
use crate::counters::CounterSnapshot;
#[cfg(feature = "metrics")]
use crate::telemetry::Levels;
use crate::telemetry::{EventStream, Hub, Telemetry};
use crate::{Attempt, CallError, CallOptions, Classify, Policy, Scope, Sleep};
pub(crate) use admission::MOST_LIMITERS;
use call::Call;
use core::iter;
use core::time::Duration;
#[cfg(feature = "metrics")]
use fusebox_core::Tokens;
use fusebox_core::{Clock, Forced, Instant, RetryBudgetSnapshot, Transition, Wait};
pub(crate) use keyed::{KeyedPolicy, Remembered};
pub(crate) use limiter::Limiter;
#[cfg(feature = "tower")]
pub(crate) use nested::Nested;
#[cfg(feature = "tower")]
pub(crate) use parts::Held;
use shared::Shared;
use std::sync::Arc;
use tracing::Instrument;

/// Runs calls to one dependency under one policy; share it by reference or clone it, which shares its state.
/// See the [module documentation](self).
#[derive(Clone, Debug)]
pub struct Executor<C: Clock = TokioClock> {
    shared: Arc<Shared>,
    /// The dependency's own limiter, the last that a call passes.
    own: Arc<Limiter>,
    /// Those that it shares with others, the outermost first.
    above: Arc<[Arc<Limiter>]>,
    /// The one of the dependency as a whole, whose retry budget pays for retries; `own` where circuits are not keyed.
    payer: Arc<Limiter>,
    /// The key whose circuit `own` is, where circuits are keyed.
    key: Option<Arc<str>>,
    policy: Arc<Policy>,
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

impl<C: Sleep> Executor<C> {
    /// A fresh circuit under `policy`, on a clock of your own.
    pub fn with_clock(policy: Policy, clock: C) -> Self {
        let own = Limiter::new(Scope::Own, Arc::new(policy.limits));
        Self::with_limiter(policy, own, Telemetry::new("unnamed".into(), Hub::default()), clock)
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
        self.own.change_policy(Arc::new(policy.limits), self.clock.now());
        Self { policy: Arc::new(policy), ..self.clone() }
    }

    /// An executor whose own limiter is `own`, which must be under the policy.
    pub(crate) fn with_limiter(policy: Policy, own: Limiter, telemetry: Telemetry, clock: C) -> Self {
        let own = Arc::new(own);
        let payer = Arc::clone(&own);
        let shared = Arc::new(Shared::new(telemetry));
        Self { shared, own, above: Arc::default(), payer, key: None, policy: Arc::new(policy), clock }
    }

    /// The same executor under a name, which spans, log lines, metrics and events bear. Default: `unnamed`.
    ///
    /// Name it before it makes calls and before it is cloned: counters begin anew, and so do subscriptions.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { shared: Arc::new(Shared::new(Telemetry::new(name.into(), Hub::default()))), ..self }
    }

    /// What happens from now on, for a subscriber who may be slow: `capacity` events wait for it, at least 1, and of those
    /// that are missed it learns how many. Calls never wait for it.
    pub fn subscribe(&self, capacity: usize) -> EventStream {
        self.shared.telemetry.hub().subscribers.subscribe(capacity)
    }

    /// Records metrics from now on, through the recorder that is installed; see [`telemetry`](crate::telemetry) for their
    /// names. Install it before.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        self.shared.telemetry.hub().recording.start(1);
    }

    /// Brings the gauges of the metrics up to date, such as before they are scraped; everything else is recorded as it
    /// happens. Without [`Executor::record_metrics`] it does nothing.
    #[cfg(feature = "metrics")]
    pub fn record_gauges(&self) {
        self.shared.telemetry.show(&self.levels());
    }

    /// What its own limiter remembers across a restart.
    pub(crate) fn state(&self) -> PartsState {
        self.own.state(self.clock.now())
    }

    /// The same executor below other limiters, the outermost first.
    pub(crate) fn under(self, above: Arc<[Arc<Limiter>]>) -> Self {
        Self { above, ..self }
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
        let span = call.span();
        let run = async {
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
        };
        run.instrument(span).await
    }

    /// The dependency has asked its callers to slow down: what is its own learns from it, what it shares does not.
    fn slow_down(&self, now: Instant, wait: Duration) {
        self.own.slow_down(now, wait);
        if !Arc::ptr_eq(&self.own, &self.payer) {
            self.payer.slow_down(now, wait);
        }
    }

    /// Tells of a transition of its own breaker.
    fn report(&self, transition: Option<Transition>, now: Instant) {
        self.shared.telemetry.transition(self.key.as_ref(), transition, now);
    }

    /// The limiters that a call passes, the outermost first.
    fn limiters(&self) -> impl Iterator<Item = &Limiter> {
        self.above.iter().chain(iter::once(&self.own)).map(Arc::as_ref)
    }

    /// The name, see [`Executor::named`].
    pub fn name(&self) -> &str {
        self.shared.telemetry.tool()
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    pub(crate) const fn clock(&self) -> &C {
        &self.clock
    }

    /// The state of breaker, bulkhead and bucket.
    pub fn snapshot(&self) -> PartsSnapshot {
        self.own.parts().snapshot(&self.own.policy(), self.clock.now())
    }

    /// What its gauges show.
    #[cfg(feature = "metrics")]
    pub(crate) fn levels(&self) -> Levels {
        let tokens = |tokens: Tokens| tokens.as_milli() as f64 / 1_000.0;
        let snapshot = self.snapshot();
        Levels {
            breaker: snapshot.breaker.map(|breaker| breaker.state),
            in_flight: snapshot.in_flight,
            tokens: snapshot.tokens.map(tokens),
            retries: self.retry_budget().map(|budget| tokens(budget.balance)),
        }
    }

    /// Whether the breaker refuses calls, and how long at the latest.
    pub(crate) fn absence(&self) -> Option<Absence> {
        let now = self.clock.now();
        let returns_in = match self.own.breaker_refusal(now)? {
            Wait::Release => self.own.longest_refusal(now),
            wait => wait.duration(),
        };
        Some(Absence { returns_in })
    }

    /// The state of the retry budget, where the policy has one.
    pub fn retry_budget(&self) -> Option<RetryBudgetSnapshot> {
        let policy = self.payer.policy().retry_budget?;
        Some(self.payer.parts().retry_budget().snapshot(&policy, self.clock.now()))
    }

    /// What has happened so far, as numbers.
    pub fn counters(&self) -> CounterSnapshot {
        self.shared.telemetry.counters().snapshot()
    }

    /// Forces the breaker open or closed until [`Executor::reset`].
    pub fn force(&self, forced: Forced) {
        self.report(self.own.parts().force(forced), self.clock.now());
        self.own.releases().announce_to_all();
    }

    /// Closes the breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.report(self.own.parts().reset(), self.clock.now());
        self.own.releases().announce_to_all();
    }
}
