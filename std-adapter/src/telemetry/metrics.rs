//! `ToolMetrics`: the metrics of one tool, as handles that are made once and kept.
//!
//! A handle under a further label is made when it is first used, the others at once; from then on recording neither looks
//! up nor allocates.

mod catalogue;
mod family;
mod recording;

pub(crate) use recording::Recording;

use super::ending::{AttemptEnding, Ending};
use super::event::GivenUp;
use super::names;
use super::spans::Reason;
use crate::ErrorCategory;
use crate::refusal::{Refusal, Scope};
use family::{Durations, Family, Labels};
use fusebox_core::{Cause, State, Transition};
use metrics::{Counter, Gauge, counter, gauge};
use std::sync::Arc;

/// The metrics of one tool.
#[derive(Debug)]
pub(crate) struct ToolMetrics {
    calls: Family<16>,
    attempts: Family<{ 1 + ErrorCategory::ALL.len() }>,
    own_refusals: Family<8>,
    shared_refusals: Family<8>,
    transitions: Family<5>,
    given_up: Family<4>,
    call_durations: Durations,
    attempt_durations: Durations,
    probes_lost: Counter,
    retries: Counter,
    hedges: Counter,
    fallbacks: Counter,
    gauges: Option<Gauges>,
}

/// The states of a breaker.
const STATES: [State; 5] = [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed];

/// The gauges of one tool; tools beyond the cap, which share their label, have none.
#[derive(Debug)]
struct Gauges {
    breaker_state: Gauge,
    in_flight: Gauge,
    tokens: Gauge,
    retries_left: Gauge,
}

/// What the gauges show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Levels {
    /// The state of the breaker, where the policy has one.
    pub(crate) breaker: Option<State>,
    /// Calls under way.
    pub(crate) in_flight: u64,
    /// Tokens left of the rate limit, where the policy has one.
    pub(crate) tokens: Option<f64>,
    /// Retries left of the retry budget, where the policy has one.
    pub(crate) retries: Option<f64>,
}

impl ToolMetrics {
    /// The metrics under the label `tool`; with gauges where the label stands for one tool alone.
    fn new(tool: &Arc<str>, alone: bool) -> Self {
        let labels = || Labels::of(tool);
        Self {
            calls: Family::new(catalogue::CALLS, labels(), "result"),
            attempts: Family::new(catalogue::ATTEMPTS, labels(), "result"),
            own_refusals: Family::new(catalogue::REFUSALS, labels().with("scope", "own"), "part"),
            shared_refusals: Family::new(catalogue::REFUSALS, labels().with("scope", "shared"), "part"),
            transitions: Family::new(catalogue::TRANSITIONS, labels(), "to").at_zero(STATES.map(names::of_state)),
            given_up: Family::new(catalogue::RETRIES_GIVEN_UP, labels(), "why"),
            call_durations: Durations::new(catalogue::CALL_DURATION, labels()),
            attempt_durations: Durations::new(catalogue::ATTEMPT_DURATION, labels()),
            probes_lost: counter!(catalogue::PROBES_LOST, labels()),
            retries: counter!(catalogue::RETRIES, labels()),
            hedges: counter!(catalogue::HEDGES, labels()),
            fallbacks: counter!(catalogue::FALLBACKS, labels()),
            gauges: alone.then(|| Gauges {
                breaker_state: gauge!(catalogue::BREAKER_STATE, labels()),
                in_flight: gauge!(catalogue::CALLS_IN_FLIGHT, labels()),
                tokens: gauge!(catalogue::TOKENS, labels()),
                retries_left: gauge!(catalogue::RETRIES_LEFT, labels()),
            }),
        }
    }

    pub(super) fn call_ended(&self, ending: &Ending) {
        self.calls.add_one(ending.failure.map_or("success", |failure| names::of_kind(failure.kind)));
        if ending.attempts > 0 {
            self.call_durations.record(ending.elapsed, ending.failure.is_none());
        }
    }

    pub(super) fn attempt_started(&self, reason: Reason) {
        match reason {
            Reason::First => {}
            Reason::Retry => self.retries.increment(1),
            Reason::Hedge => self.hedges.increment(1),
        }
    }

    pub(super) fn attempt_ended(&self, ending: &AttemptEnding) {
        self.attempts.add_one(ending.error.map_or("success", ErrorCategory::name));
        self.attempt_durations.record(ending.elapsed, ending.error.is_none());
    }

    pub(super) fn retry_given_up(&self, why: GivenUp) {
        self.given_up.add_one(names::of_limit(why));
    }

    pub(super) fn fell_back(&self) {
        self.fallbacks.increment(1);
    }

    pub(super) fn refused(&self, refusal: &Refusal) {
        let refusals = match refusal.scope {
            Scope::Own => &self.own_refusals,
            Scope::Shared(_) => &self.shared_refusals,
        };
        refusals.add_one(names::of_part(refusal.by));
    }

    /// Counts a transition of the tool's breaker or of one of its sub-circuits'; the gauge shows the tool's.
    pub(super) fn transition(&self, Transition { to, cause, .. }: Transition, of_sub_circuit: bool) {
        if cause == Cause::ProbesLost {
            self.probes_lost.increment(1);
            return;
        }
        self.transitions.add_one(names::of_state(to));
        if let Some(gauges) = &self.gauges
            && !of_sub_circuit
        {
            gauges.breaker_state.set(state_value(to));
        }
    }

    /// Brings the gauges up to date.
    pub(super) fn show(&self, levels: &Levels) {
        let Some(gauges) = &self.gauges else { return };
        if let Some(state) = levels.breaker {
            gauges.breaker_state.set(state_value(state));
        }
        gauges.in_flight.set(levels.in_flight as f64);
        if let Some(tokens) = levels.tokens {
            gauges.tokens.set(tokens);
        }
        if let Some(retries) = levels.retries {
            gauges.retries_left.set(retries);
        }
    }
}

/// The higher, the less goes through; what was forced by hand comes last.
const fn state_value(state: State) -> f64 {
    match state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
        State::ForcedClosed => 3.0,
        State::ForcedOpen => 4.0,
    }
}

#[cfg(test)]
mod tests;
