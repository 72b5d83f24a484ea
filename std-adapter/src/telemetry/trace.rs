//! Log lines, as `tracing` events: every transition, every refusal, and what changes in a registry.
//!
//! Nothing is formatted, and nothing allocated, where no subscriber of `tracing` is interested.

use super::event::{EventKind, GivenUp};
use super::names;
use crate::refusal::{Refusal, Scope};
use core::time::Duration;
use fusebox_core::{Cause, State, Transition};
use tracing::{debug, info, warn};

pub(super) fn transition(tool: &str, key: Option<&str>, Transition { from, to, cause }: Transition) {
    let (from, to_name, cause_name) = (names::of_state(from), names::of_state(to), names::of_cause(cause));
    macro_rules! line {
        ($level:ident, $text:literal) => {
            $level!(target: "fusebox::breaker", { gen_ai.tool.name = tool, fusebox.key = key,
                fusebox.breaker.from = from, fusebox.breaker.to = to_name, fusebox.breaker.cause = cause_name }, $text)
        };
    }
    match (cause, to) {
        (Cause::ProbesLost, _) => line!(warn, "probes never reported and were written off"),
        (_, State::Open | State::ForcedOpen) => line!(warn, "breaker opened"),
        (_, State::HalfOpen) => line!(info, "breaker half-open"),
        (_, State::Closed | State::ForcedClosed) => line!(info, "breaker closed"),
    }
}

pub(super) fn refused(tool: &str, key: Option<&str>, refusal: &Refusal) {
    let group = match &refusal.scope {
        Scope::Own => None,
        Scope::Shared(group) => Some(&**group),
    };
    debug!(target: "fusebox::refusal", { gen_ai.tool.name = tool, fusebox.key = key,
        fusebox.refused_by = names::of_part(refusal.by), fusebox.group = group }, "{refusal}");
}

pub(super) fn retry_scheduled(tool: &str, attempt: u32, delay: Duration) {
    debug!(target: "fusebox::retry", { gen_ai.tool.name = tool, fusebox.attempt = attempt }, "retry after {delay:?}");
}

pub(super) fn retry_given_up(tool: &str, why: GivenUp) {
    match why {
        GivenUp::Budget => {
            warn!(target: "fusebox::retry", { gen_ai.tool.name = tool }, "no retry: the retry budget is used up");
        }
        GivenUp::Nested => {
            debug!(target: "fusebox::retry", { gen_ai.tool.name = tool }, "no retry: the calling attempt is retried itself");
        }
    }
}

pub(super) fn hedged(tool: &str, attempt: u32) {
    debug!(target: "fusebox::hedge", { gen_ai.tool.name = tool, fusebox.attempt = attempt }, "hedge started");
}

pub(super) fn fell_back(tool: &str, error: &str) {
    debug!(target: "fusebox::fallback", { gen_ai.tool.name = tool, fusebox.result = error }, "fallback used");
}

/// A change of the registry; other events are not of a registry.
pub(super) fn registry(tool: Option<&str>, kind: &EventKind) {
    macro_rules! line {
        ($level:ident, $($text:tt)+) => {
            $level!(target: "fusebox::registry", { gen_ai.tool.name = tool }, $($text)+)
        };
    }
    match kind {
        EventKind::ToolRegistered => line!(info, "tool registered"),
        EventKind::ToolReplaced => line!(info, "tool replaced"),
        EventKind::ToolRemoved => line!(info, "tool removed"),
        EventKind::PolicyChanged => line!(info, "policy changed"),
        EventKind::ConfigApplied => line!(info, "configuration applied"),
        EventKind::ConfigRefused { why } => line!(warn, "configuration refused, nothing was changed: {why}"),
        _ => {}
    }
}
