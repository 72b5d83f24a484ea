//! `Summary`: what a run came to, per tool and in all, as data.

mod table;
mod tally;

pub(crate) use tally::Tally;

use crate::reloads::ReloadCounts;
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
    /// What became of the changes to the file; absent where it was not watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reloads: Option<ReloadCounts>,
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
    /// Calls with an output, be it that of a fallback.
    pub(crate) ok: u64,
    /// Calls that ended with an error of the tool, a timeout or a deadline.
    pub(crate) failed: u64,
    /// Calls that were refused by a part of a circuit.
    pub(crate) refused: u64,
    /// Calls that the rules deny, or that somebody must approve first.
    pub(crate) denied: u64,
    /// Calls whose arguments do not fit the tool's JSON Schema.
    pub(crate) invalid_args: u64,
    /// Calls that were cancelled by an interrupt.
    pub(crate) cancelled: u64,
    /// Calls of a tool that there is not.
    pub(crate) unknown_tool: u64,
    /// Lines that are no calls.
    pub(crate) invalid: u64,
}

/// One tool. Its `calls`, those that it got as a fallback included, are the sum of `ok`, `failed`, `refused`, `denied`,
/// `invalid_args` and `cancelled`.
#[derive(Debug, Serialize)]
pub(crate) struct ToolSummary {
    calls: u64,
    ok: u64,
    failed: u64,
    refused: Refused,
    denied: u64,
    invalid_args: u64,
    cancelled: u64,
    /// Calls that did not succeed and were answered by the tool's fallback.
    fallbacks: u64,
    /// Attempts made, over all calls.
    attempts: u64,
    /// Attempts after the first of their call.
    retries: u64,
    /// Attempts beside one that took long.
    hedges: u64,
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
    adaptive_rate: u64,
    bulkhead: u64,
    throttle: u64,
}

/// How often the breaker changed its state.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Transitions {
    opened: u64,
    half_opened: u64,
    closed: u64,
}

/// The tools by name. One that was removed and came back is one tool.
pub(crate) fn tools(tally: &Tally, snapshots: Vec<ToolSnapshot>) -> BTreeMap<String, ToolSummary> {
    let mut tools: BTreeMap<String, ToolSummary> = BTreeMap::new();
    for snapshot in snapshots {
        let mut tool = ToolSummary::new(&snapshot, tally.times(&snapshot.name));
        if let Some(before) = tools.get(&snapshot.name) {
            tool.add(before);
        }
        tools.insert(snapshot.name, tool);
    }
    tools
}

impl ToolSummary {
    fn new(snapshot: &ToolSnapshot, times: Option<tally::Times>) -> Self {
        let counters = &snapshot.counters;
        Self {
            calls: counters.ended(),
            ok: counters.succeeded,
            failed: counters.failed,
            refused: Refused {
                breaker: counters.rejected_by_breaker,
                rate: counters.rejected_by_bucket,
                adaptive_rate: counters.rejected_by_adaptive_rate,
                bulkhead: counters.rejected_by_bulkhead,
                throttle: counters.rejected_by_throttle,
            },
            denied: counters.denied,
            invalid_args: counters.invalid_args,
            cancelled: counters.cancelled,
            fallbacks: counters.fallbacks,
            attempts: counters.attempts,
            retries: counters.retries,
            hedges: counters.hedges,
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

    /// Adds what the tool of this name had counted before it was removed. Times are counted by name anyhow.
    const fn add(&mut self, before: &Self) {
        let Self { refused, transitions, .. } = self;
        refused.breaker += before.refused.breaker;
        refused.rate += before.refused.rate;
        refused.adaptive_rate += before.refused.adaptive_rate;
        refused.bulkhead += before.refused.bulkhead;
        refused.throttle += before.refused.throttle;
        transitions.opened += before.transitions.opened;
        transitions.half_opened += before.transitions.half_opened;
        transitions.closed += before.transitions.closed;
        self.calls += before.calls;
        self.ok += before.ok;
        self.failed += before.failed;
        self.denied += before.denied;
        self.invalid_args += before.invalid_args;
        self.cancelled += before.cancelled;
        self.fallbacks += before.fallbacks;
        self.attempts += before.attempts;
        self.retries += before.retries;
        self.hedges += before.hedges;
        self.timeouts += before.timeouts;
    }
}
