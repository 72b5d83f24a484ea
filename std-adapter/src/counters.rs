//! `Counters`: what has happened at one executor, as numbers that only grow.

use core::ops::AddAssign;
use core::sync::atomic::{AtomicU64, Ordering};
use fusebox_core::{Cause, Part, State, Transition};
use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// The counters themselves; relaxed, since each one stands for itself.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        /// What has happened at one executor since it was created.
        ///
        /// Every call that has ended is in exactly one of `succeeded`, `failed`, `cancelled`, `denied`, `invalid_args` and
        /// the `rejected_by` counts; `calls` minus their sum is in progress.
        #[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
        #[non_exhaustive]
        pub struct CounterSnapshot {
            $($(#[$meta])* pub $name: u64,)*
        }

        /// Adds the numbers of another executor, one by one; they saturate.
        impl AddAssign for CounterSnapshot {
            fn add_assign(&mut self, other: Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }
        }

        impl Counters {
            /// The numbers now, read one after another.
            pub(crate) fn snapshot(&self) -> CounterSnapshot {
                CounterSnapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Calls begun.
    calls,
    /// Calls that returned an output.
    succeeded,
    /// Calls that ended with an error of the tool, a timeout, a deadline or a panic.
    failed,
    /// Calls that the breaker refused before any attempt.
    rejected_by_breaker,
    /// Calls that the bulkhead refused before any attempt.
    rejected_by_bulkhead,
    /// Calls that the rate limit refused before any attempt.
    rejected_by_bucket,
    /// Calls that came before the end of a pause that the dependency had asked for.
    #[serde(default)]
    rejected_by_adaptive_rate,
    /// Calls that were not sent because the dependency refuses too many.
    #[serde(default)]
    rejected_by_throttle,
    /// Calls that were cancelled or dropped.
    cancelled,
    /// Calls that the registry's rules did not let through.
    #[serde(default)]
    denied,
    /// Calls whose arguments did not fit the tool's JSON Schema.
    #[serde(default)]
    invalid_args,
    /// Calls that could not be served and were answered by the tool's fallback.
    #[serde(default)]
    fallbacks,
    /// Attempts begun.
    attempts,
    /// Attempts made because an earlier one of their call had failed.
    retries,
    /// Attempts made beside one that took long.
    #[serde(default)]
    hedges,
    /// Calls that gave up because the retry budget was used up.
    retries_over_budget,
    /// Calls that gave up because they were made within a call that is retried itself.
    retries_nested,
    /// Attempts that took too long, or stalled.
    timeouts,
    /// Times the breaker opened.
    opened,
    /// Times the breaker went half-open.
    half_opened,
    /// Times the breaker closed.
    closed,
    /// Times the breaker wrote off probes that never reported.
    probes_lost,
}

impl Counters {
    pub(crate) fn count_rejection(&self, by: Part) {
        add_one(match by {
            Part::Bulkhead => &self.rejected_by_bulkhead,
            Part::Bucket => &self.rejected_by_bucket,
            Part::AdaptiveRate => &self.rejected_by_adaptive_rate,
            Part::Throttle => &self.rejected_by_throttle,
            _ => &self.rejected_by_breaker,
        });
    }

    pub(crate) fn count_transition(&self, transition: Option<Transition>) {
        let Some(Transition { to, cause, .. }) = transition else { return };
        match (cause, to) {
            (Cause::ProbesLost, _) => add_one(&self.probes_lost),
            (_, State::Open | State::ForcedOpen) => add_one(&self.opened),
            (_, State::HalfOpen) => add_one(&self.half_opened),
            (_, State::Closed | State::ForcedClosed) => add_one(&self.closed),
        }
    }
}

impl CounterSnapshot {
    /// Calls that have ended, however. Counters are read one after another: while calls are running it can be off by some.
    pub const fn ended(&self) -> u64 {
        let rejected = self.rejected_by_breaker
            + self.rejected_by_bulkhead
            + self.rejected_by_bucket
            + self.rejected_by_adaptive_rate
            + self.rejected_by_throttle;
        self.succeeded + self.failed + self.cancelled + self.denied + self.invalid_args + rejected
    }
}

pub(crate) fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
