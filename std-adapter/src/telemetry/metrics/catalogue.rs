//! The names of all metrics, and what a recorder is told about them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const CALLS: &str = "fusebox.calls";
pub(super) const CALL_DURATION: &str = "fusebox.call.duration";
pub(super) const CALLS_IN_FLIGHT: &str = "fusebox.calls.in_flight";
pub(super) const ATTEMPTS: &str = "fusebox.attempts";
pub(super) const ATTEMPT_DURATION: &str = "fusebox.attempt.duration";
pub(super) const REFUSALS: &str = "fusebox.refusals";
pub(super) const RETRIES: &str = "fusebox.retries";
pub(super) const RETRIES_GIVEN_UP: &str = "fusebox.retries.given_up";
pub(super) const RETRIES_LEFT: &str = "fusebox.retries.left";
pub(super) const HEDGES: &str = "fusebox.hedges";
pub(super) const FALLBACKS: &str = "fusebox.fallbacks";
pub(super) const TRANSITIONS: &str = "fusebox.breaker.transitions";
pub(super) const BREAKER_STATE: &str = "fusebox.breaker.state";
pub(super) const PROBES_LOST: &str = "fusebox.breaker.probes_lost";
pub(super) const TOKENS: &str = "fusebox.tokens";

/// Tells the recorder each metric's unit and meaning.
pub(super) fn describe() {
    describe_counter!(CALLS, Unit::Count, "Calls that have ended, by result");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "Duration of calls with an attempt, waits included");
    describe_gauge!(CALLS_IN_FLIGHT, Unit::Count, "Calls under way");
    describe_counter!(ATTEMPTS, Unit::Count, "Attempts that have ended, by result");
    describe_histogram!(ATTEMPT_DURATION, Unit::Seconds, "Duration of attempts");
    describe_counter!(REFUSALS, Unit::Count, "Attempts that a limit refused for good, by part");
    describe_counter!(RETRIES, Unit::Count, "Attempts made because an earlier one failed");
    describe_counter!(RETRIES_GIVEN_UP, Unit::Count, "Calls not retried because of a limit on retries");
    describe_gauge!(RETRIES_LEFT, Unit::Count, "Retries left of the retry budget");
    describe_counter!(HEDGES, Unit::Count, "Attempts begun while an earlier one ran");
    describe_counter!(FALLBACKS, Unit::Count, "Failed calls that a fallback answered");
    describe_counter!(TRANSITIONS, Unit::Count, "Changes of a breaker's state, by the state after");
    describe_gauge!(
        BREAKER_STATE,
        "State of the breaker: 0 closed, 1 half-open, 2 open, 3 forced closed, 4 forced open"
    );
    describe_counter!(PROBES_LOST, Unit::Count, "Times that probes were written off because they never reported");
    describe_gauge!(TOKENS, Unit::Count, "Tokens left of the rate limit");
}
