//! The names under which states, causes, parts and kinds appear in spans, logs and metrics: those of their JSON.

#[cfg(feature = "metrics")]
use super::event::GivenUp;
use crate::ErrorKind;
use fusebox_core::{Cause, Part, State};

pub(super) const fn of_state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
        State::ForcedOpen => "forced_open",
        State::ForcedClosed => "forced_closed",
    }
}

pub(super) const fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Tripped => "tripped",
        Cause::WaitOver => "wait_over",
        Cause::ProbeFailed => "probe_failed",
        Cause::ProbesSucceeded => "probes_succeeded",
        Cause::ProbesLost => "probes_lost",
        Cause::Forced => "forced",
        Cause::Reset => "reset",
        _ => "other",
    }
}

pub(super) const fn of_part(part: Part) -> &'static str {
    match part {
        Part::Breaker => "breaker",
        Part::Bulkhead => "bulkhead",
        Part::Bucket => "bucket",
        Part::AdaptiveRate => "adaptive_rate",
        Part::Throttle => "throttle",
        Part::RetryBudget => "retry_budget",
        _ => "other",
    }
}

pub(super) const fn of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Rejected => "rejected",
        ErrorKind::TimedOut => "timed_out",
        ErrorKind::Stalled => "stalled",
        ErrorKind::DeadlineExceeded => "deadline_exceeded",
        ErrorKind::Failed => "failed",
        ErrorKind::Panicked => "panicked",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::UnknownTool => "unknown_tool",
        ErrorKind::InvalidArgs => "invalid_args",
        ErrorKind::Denied => "denied",
        ErrorKind::NeedsApproval => "needs_approval",
    }
}

#[cfg(feature = "metrics")]
pub(super) const fn of_limit(limit: GivenUp) -> &'static str {
    match limit {
        GivenUp::Budget => "budget",
        GivenUp::Nested => "nested",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[track_caller]
    fn assert_json(name: &str, value: impl Serialize) {
        assert_eq!(serde_json::to_value(value).unwrap(), name);
    }

    #[test]
    fn names_are_those_of_the_json() {
        for state in [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed] {
            assert_json(of_state(state), state);
        }
        let causes = [
            Cause::Tripped,
            Cause::WaitOver,
            Cause::ProbeFailed,
            Cause::ProbesSucceeded,
            Cause::ProbesLost,
            Cause::Forced,
            Cause::Reset,
        ];
        causes.into_iter().for_each(|cause| assert_json(of_cause(cause), cause));
        let parts =
            [Part::Breaker, Part::Bulkhead, Part::Bucket, Part::AdaptiveRate, Part::Throttle, Part::RetryBudget];
        parts.into_iter().for_each(|part| assert_json(of_part(part), part));
        let kinds = [
            ErrorKind::Rejected,
            ErrorKind::TimedOut,
            ErrorKind::Stalled,
            ErrorKind::DeadlineExceeded,
            ErrorKind::Failed,
            ErrorKind::Panicked,
            ErrorKind::Cancelled,
            ErrorKind::UnknownTool,
            ErrorKind::InvalidArgs,
            ErrorKind::Denied,
            ErrorKind::NeedsApproval,
        ];
        kinds.into_iter().for_each(|kind| assert_json(of_kind(kind), kind));
        #[cfg(feature = "metrics")]
        for limit in [GivenUp::Budget, GivenUp::Nested] {
            assert_json(of_limit(limit), limit);
        }
    }
}
