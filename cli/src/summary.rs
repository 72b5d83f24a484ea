//! `Summary`: what a run came to, per tool and in all, as data.

mod table;
mod tally;

pub(crate) use tally::Tally;

use fusebox::ToolSnapshot;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a run came to.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Whether it was stopped before the end of its input.
    pub(crate) interrupted: bool,
    /// Milliseconds from its begin to its end.
    pub(crate) elapsed_ms: f64,
    /// The lines of the input by how they ended.
    pub(crate) totals: Totals,
    /// The tools by name.
    pub(crate) tools: BTreeMap<String, ToolSummary>,
}

/// The lines of the input; every line is `lines` and one of the others.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    /// All that were not blank.
    pub(crate) lines: u64,
    /// Calls with an output.
    pub(crate) ok: u64,
    /// Calls that ended with an error of the tool, a timeout or a deadline.
    pub(crate) failed: u64,
    /// Calls that were refused by breaker, rate or bulkhead.
    pub(crate) refused: u64,
    /// Calls that were cancelled by an interrupt.
    pub(crate) cancelled: u64,
    /// Calls of a tool that there is not.
    pub(crate) unknown_tool: u64,
    /// Lines that are no calls.
    pub(crate) invalid: u64,
}

/// One tool. Its `calls` are the sum of `ok`, `failed`, `refused` and `cancelled`.
#[derive(Debug, Serialize)]
pub(crate) struct ToolSummary {
    calls: u64,
    ok: u64,
    failed: u64,
    refused: Refused,
    cancelled: u64,
    /// Attempts made, over all calls.
    attempts: u64,
    /// Attempts after the first of their call.
    retries: u64,
    /// Attempts that took too long.
    timeouts: u64,
    /// Half of the calls that were attempted took at most this long; absent if there was none.
    p50_ms: Option<f64>,
    /// 99 of 100 took at most this long.
    p99_ms: Option<f64>,
    transitions: Transitions,
    /// The state of the breaker at the end; absent where the policy has none.
    breaker: Option<fusebox::BreakerStateName>,
}

/// Calls that were refused before any attempt, by the part that refused.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Refused {
    breaker: u64,
    rate: u64,
    bulkhead: u64,
}

/// How often the breaker changed its state.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Transitions {
    opened: u64,
    half_opened: u64,
    closed: u64,
}

impl Summary {
    /// Puts together what was counted here and what the registry has counted.
    pub(crate) fn new(interrupted: bool, elapsed_ms: f64, tally: &Tally, snapshots: Vec<ToolSnapshot>) -> Self {
        let tools = snapshots.into_iter().map(|snapshot| {
            let times = tally.times(&snapshot.name);
            (snapshot.name.clone(), ToolSummary::new(&snapshot, times))
        });
        Self { interrupted, elapsed_ms, totals: tally.totals, tools: tools.collect() }
    }
}

impl ToolSummary {
    fn new(snapshot: &ToolSnapshot, times: Option<tally::Times>) -> Self {
        let counters = &snapshot.counters;
        Self {
            calls: counters.calls,
            ok: counters.succeeded,
            failed: counters.failed,
            refused: Refused {
                breaker: counters.rejected_by_breaker,
                rate: counters.rejected_by_bucket,
                bulkhead: counters.rejected_by_bulkhead,
            },
            cancelled: counters.cancelled,
            attempts: counters.attempts,
            retries: counters.retries,
            timeouts: counters.timeouts,
            p50_ms: times.map(|times| times.p50_ms),
            p99_ms: times.map(|times| times.p99_ms),
            transitions: Transitions {
                opened: counters.opened,
                half_opened: counters.half_opened,
                closed: counters.closed,
            },
            breaker: snapshot.breaker.as_ref().map(|breaker| breaker.state),
        }
    }
}
