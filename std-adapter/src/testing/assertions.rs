//! Checks of snapshots and counters that say what was expected and show all that there is.

use crate::{BreakerStateName, CounterSnapshot, Part, Registry, Sleep, ToolSnapshot};

/// Begins a chain of checks of a tool's snapshot.
///
/// ```
/// use fusebox::testing::assert_that;
/// use fusebox::{BreakerStateName, Registry};
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let registry = Registry::new();
/// let search = registry.register("search", async |query| Ok(query))?;
/// search.call(&json!("fuses")).await?;
/// assert_that(&search.snapshot()).has_state(BreakerStateName::Closed).has_succeeded(1).has_in_flight(0);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const fn assert_that(snapshot: &ToolSnapshot) -> AssertSnapshot<'_> {
    AssertSnapshot { snapshot }
}

/// A chain of checks, begun by [`assert_that`]. Each one panics where it does not hold, with what was expected, what was
/// found, and the whole snapshot.
#[derive(Clone, Copy, Debug)]
pub struct AssertSnapshot<'a> {
    snapshot: &'a ToolSnapshot,
}

impl AssertSnapshot<'_> {
    /// The breaker is in this state. Without a breaker the check fails.
    #[track_caller]
    pub fn has_state(self, state: BreakerStateName) -> Self {
        let found = self.snapshot.breaker.as_ref().map(|breaker| breaker.state);
        self.check("breaker", &Some(state), &found)
    }

    /// The breaker lets calls through: there is none, or it would not refuse one now.
    #[track_caller]
    pub fn lets_calls_through(self) -> Self {
        let refuses = self.snapshot.breaker.as_ref().is_some_and(|breaker| breaker.refuses);
        self.check("breaker.refuses", &false, &refuses)
    }

    /// The breaker would refuse a call now.
    #[track_caller]
    pub fn refuses_calls(self) -> Self {
        let refuses = self.snapshot.breaker.as_ref().is_some_and(|breaker| breaker.refuses);
        self.check("breaker.refuses", &true, &refuses)
    }

    /// So many calls were begun.
    #[track_caller]
    pub fn has_calls(self, expected: u64) -> Self {
        self.check("counters.calls", &expected, &self.snapshot.counters.calls)
    }

    /// So many calls returned an output.
    #[track_caller]
    pub fn has_succeeded(self, expected: u64) -> Self {
        self.check("counters.succeeded", &expected, &self.snapshot.counters.succeeded)
    }

    /// So many calls ended with an error of the tool, a timeout, a deadline or a panic.
    #[track_caller]
    pub fn has_failed(self, expected: u64) -> Self {
        self.check("counters.failed", &expected, &self.snapshot.counters.failed)
    }

    /// So many calls were cancelled or dropped.
    #[track_caller]
    pub fn has_cancelled(self, expected: u64) -> Self {
        self.check("counters.cancelled", &expected, &self.snapshot.counters.cancelled)
    }

    /// This part refused so many calls before any attempt.
    #[track_caller]
    pub fn has_rejected(self, by: Part, expected: u64) -> Self {
        let counters = &self.snapshot.counters;
        let (field, found) = match by {
            Part::Bulkhead => ("counters.rejected_by_bulkhead", counters.rejected_by_bulkhead),
            Part::Bucket => ("counters.rejected_by_bucket", counters.rejected_by_bucket),
            _ => ("counters.rejected_by_breaker", counters.rejected_by_breaker),
        };
        self.check(field, &expected, &found)
    }

    /// So many attempts were begun.
    #[track_caller]
    pub fn has_attempts(self, expected: u64) -> Self {
        self.check("counters.attempts", &expected, &self.snapshot.counters.attempts)
    }

    /// So many attempts came after the first of their call.
    #[track_caller]
    pub fn has_retries(self, expected: u64) -> Self {
        self.check("counters.retries", &expected, &self.snapshot.counters.retries)
    }

    /// So many attempts took too long, or stalled.
    #[track_caller]
    pub fn has_timeouts(self, expected: u64) -> Self {
        self.check("counters.timeouts", &expected, &self.snapshot.counters.timeouts)
    }

    /// The breaker opened so often.
    #[track_caller]
    pub fn has_opened(self, expected: u64) -> Self {
        self.check("counters.opened", &expected, &self.snapshot.counters.opened)
    }

    /// So many calls are in flight under the bulkhead; always 0 where the policy has none.
    #[track_caller]
    pub fn has_in_flight(self, expected: u64) -> Self {
        self.check("in_flight", &expected, &self.snapshot.in_flight)
    }

    #[track_caller]
    fn check<T: core::fmt::Debug + PartialEq>(self, field: &str, expected: &T, found: &T) -> Self {
        let Self { snapshot } = self;
        assert!(expected == found, "{}: {field} is {found:?}, expected {expected:?}, in {snapshot:#?}", snapshot.name);
        self
    }
}

/// Checks that no call of any tool is under way, and that none has left a slot or a probe behind.
///
/// # Panics
/// When something is in flight, with the tool's whole snapshot.
#[track_caller]
pub fn nothing_in_flight<C: Sleep + Clone>(registry: &Registry<C>) {
    for snapshot in registry.snapshot() {
        let probes = snapshot.breaker.as_ref().map_or(0, |breaker| breaker.outstanding_probes);
        assert_that(&snapshot).has_in_flight(0).check("breaker.outstanding_probes", &0, &probes).check(
            "calls under way",
            &0,
            &snapshot.counters.calls.wrapping_sub(snapshot.counters.ended()),
        );
    }
}

/// Checks that every call has ended in exactly one way. Calls under way fail it: wait for them, or drop them, before.
///
/// ```
/// use fusebox::testing::every_call_accounted_for;
/// use fusebox::{Executor, Policy, ToolError};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let executor = Executor::new(Policy::default());
/// executor.call(async |_| Ok::<_, ToolError>(1)).await.unwrap();
/// every_call_accounted_for(&executor.counters());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// When the sum of all ends is not the number of calls, with all counters.
#[track_caller]
pub fn every_call_accounted_for(counters: &CounterSnapshot) {
    let ended = counters.ended();
    assert!(counters.calls == ended, "{} calls have begun and {ended} have ended: {counters:#?}", counters.calls);
}
