//! `ToolSnapshot`: a tool's state and counters as data, to show and to log.

use super::entry::Entry;
use crate::counters::CounterSnapshot;
use crate::{ErrorCategory, Sleep};
use fusebox_core::{State, Tokens};
use serde::{Deserialize, Serialize};

/// A tool's state and counters at one moment. Times are relative to that moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolSnapshot {
    /// The tool's name.
    pub name: String,
    /// The state of its breaker; absent where the policy has none.
    pub breaker: Option<BreakerReport>,
    /// Calls in flight under the bulkhead; 0 where the policy has none.
    pub in_flight: u64,
    /// Tokens left of the rate limit; absent where the policy has none.
    pub tokens: Option<f64>,
    /// Retries left of the retry budget; absent where the policy has none.
    #[serde(default)]
    pub retries: Option<f64>,
    /// The kind of the error with which an attempt last failed.
    #[serde(default)]
    pub last_error: Option<ErrorCategory>,
    /// How long ago a limit last refused a call, in milliseconds.
    #[serde(default)]
    pub last_refused_ms: Option<u64>,
    /// What has happened so far.
    pub counters: CounterSnapshot,
}

/// The state of a breaker.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BreakerReport {
    /// The state.
    pub state: BreakerStateName,
    /// Consecutive failures while closed.
    pub failures: u32,
    /// Re-openings since it last closed.
    pub streak: u8,
    /// Probes that have not reported, while half-open.
    pub outstanding_probes: u8,
    /// Outcomes that came too late to count.
    pub stale: u64,
    /// Whether it would refuse a call now.
    pub refuses: bool,
    /// How long it would refuse one, in milliseconds rounded up, where that is known.
    pub retry_after_ms: Option<u64>,
    /// How long ago it opened, in milliseconds rounded up; absent while it is not open, or was forced open. With
    /// `retry_after_ms` it is the whole wait.
    #[serde(default)]
    pub open_for_ms: Option<u64>,
}

/// The state of a breaker by name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerStateName {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls go through as probes.
    HalfOpen,
    /// Forced by hand: calls are refused.
    ForcedOpen,
    /// Forced by hand: calls go through.
    ForcedClosed,
}

impl From<State> for BreakerStateName {
    fn from(state: State) -> Self {
        match state {
            State::Closed => Self::Closed,
            State::Open => Self::Open,
            State::HalfOpen => Self::HalfOpen,
            State::ForcedOpen => Self::ForcedOpen,
            State::ForcedClosed => Self::ForcedClosed,
        }
    }
}

impl ToolSnapshot {
    pub(super) fn of<C: Sleep + Clone>(entry: &Entry<C>) -> Self {
        let (circuit, now) = (entry.executor().snapshot(), entry.executor().clock().now());
        let latest = entry.executor().telemetry().latest();
        let breaker = circuit.breaker.map(|breaker| BreakerReport {
            state: breaker.state.into(),
            failures: breaker.failures,
            streak: breaker.streak,
            outstanding_probes: breaker.outstanding,
            stale: breaker.stale,
            refuses: breaker.refusal.is_some(),
            retry_after_ms: breaker.refusal.and_then(|wait| wait.duration()).map(crate::result::millis_up),
            open_for_ms: breaker
                .since
                .filter(|_| breaker.state == State::Open)
                .map(|since| crate::result::millis_up(now.saturating_since(since))),
        });
        Self {
            name: entry.name.to_string(),
            breaker,
            in_flight: circuit.in_flight,
            tokens: circuit.tokens.map(whole),
            retries: entry.executor().retry_budget().map(|budget| whole(budget.balance)),
            last_error: latest.error(),
            last_refused_ms: latest.refused_at().map(|at| crate::result::millis_up(now.saturating_since(at))),
            counters: entry.executor().counters(),
        }
    }
}

fn whole(tokens: Tokens) -> f64 {
    tokens.as_milli() as f64 / 1_000.0
}
