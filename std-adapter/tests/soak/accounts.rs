//! `Account`: one call, as its caller and its tools saw it and as it was reported, and whether these tell the same story.

use core::time::Duration;
use fusebox::{
    CallError, CounterSnapshot, ErrorCategory, ErrorKind, ErrorReport, Event, EventKind, Execution, GivenUp,
};
use fusebox::{RefusedBy, ToolError};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the tools of one name did for one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    /// Attempts that were begun.
    pub(crate) begun: u64,
    /// Attempts that returned an output.
    pub(crate) answered: u64,
}

/// What the caller saw.
#[derive(Debug)]
pub(crate) enum Seen {
    /// The call was dropped before it was ever polled.
    Nothing,
    Dropped,
    Ended {
        error: Option<ErrorReport>,
        fallback_for: Option<ErrorReport>,
        attempts: u64,
        elapsed: Duration,
    },
}

impl From<&Execution<Value, ToolError>> for Seen {
    fn from(execution: &Execution<Value, ToolError>) -> Self {
        let report = |error: &CallError<ToolError>| ErrorReport::from(error);
        Self::Ended {
            error: execution.result.as_ref().err().map(report),
            fallback_for: execution.fallback_for.as_ref().map(report),
            attempts: execution.attempts.into(),
            elapsed: execution.elapsed,
        }
    }
}

/// One call that is over.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) seen: Seen,
    /// What was reported while the call was polled or dropped, and by no call within it.
    pub(crate) events: Vec<Event>,
    pub(crate) work: BTreeMap<&'static str, Work>,
    /// The caller's deadline.
    pub(crate) deadline: Option<Duration>,
}

/// A call's end at one tool, as it was reported.
#[derive(Clone, Copy, Debug)]
struct End<'a> {
    tool: &'a str,
    error: Option<ErrorKind>,
    attempts: u64,
}

/// What calls did at each tool, in the numbers that the adapter counts.
pub(crate) type Sums = BTreeMap<String, CounterSnapshot>;

impl Account {
    /// Checks that all tell the same story, and adds the call to the sums.
    pub(crate) fn add_to(&self, sums: &mut Sums) -> Result<(), String> {
        let ends: Vec<_> = self.events.iter().filter_map(end).collect();
        self.compare_with_what_was_seen(&ends)?;
        for (tool, work) in &self.work {
            check(ends.iter().filter(|end| end.tool == *tool).count() == 1, || {
                format!("{work:?} without an end at {tool}")
            })?;
        }
        for end in &ends {
            let sum = sums.entry(end.tool.to_owned()).or_default();
            self.add_end(end, sum)?;
        }
        Ok(())
    }

    /// The tool first, then its fallback and that one's: each but the last has failed.
    fn compare_with_what_was_seen(&self, ends: &[End<'_>]) -> Result<(), String> {
        let (first, last) = (ends.first(), ends.last());
        let failed_before = |ends: &[End<'_>]| ends.iter().all(|end| end.error.is_some());
        match &self.seen {
            Seen::Nothing => check(self.events.is_empty(), || "it was never polled".to_owned()),
            Seen::Dropped => {
                let cancelled = last.is_some_and(|last| last.error == Some(ErrorKind::Cancelled));
                check(cancelled && failed_before(ends), || "a call that is dropped was cancelled".to_owned())
            }
            Seen::Ended { error: Some(error), .. } if error.kind == ErrorKind::UnknownTool => {
                check(ends.is_empty(), || "nobody was called".to_owned())
            }
            Seen::Ended { error, fallback_for, attempts, elapsed } => {
                let first_error = error.as_ref().or(fallback_for.as_ref()).map(|error| error.kind);
                check(first.is_some_and(|end| end.error == first_error), || "the first error".to_owned())?;
                check(first.is_some_and(|end| end.attempts == *attempts), || "the attempts".to_owned())?;
                match error {
                    None => {
                        let (failed, answered) = ends.split_at(ends.len() - 1);
                        check(failed_before(failed) && answered[0].error.is_none(), || "who answered".to_owned())?;
                        check(failed.is_empty() == fallback_for.is_none(), || "a fallback's answer".to_owned())?;
                    }
                    Some(_) => check(failed_before(ends), || "an answer was lost".to_owned())?,
                }
                // tokio's timers are at most a millisecond late
                let limit = self.deadline.unwrap_or(Duration::MAX).saturating_add(Duration::from_millis(2));
                check(*elapsed <= limit, || "it took longer than its deadline".to_owned())
            }
        }
    }

    fn add_end(&self, end: &End<'_>, sum: &mut CounterSnapshot) -> Result<(), String> {
        let of_tool =
            || self.events.iter().filter(|event| event.tool.as_deref() == Some(end.tool)).map(|event| &event.kind);
        let count = |is_it: fn(&EventKind) -> bool| of_tool().filter(|kind| is_it(kind)).count() as u64;
        let work = self.work.get(end.tool).copied().unwrap_or_default();
        let ended = count(|kind| matches!(kind, EventKind::AttemptEnded { .. }));
        let repeated = count(|kind| matches!(kind, EventKind::AttemptEnded { attempt: 2.., .. }));
        let hedges = count(|kind| matches!(kind, EventKind::HedgeStarted { .. }));
        check(ended == end.attempts, || format!("{ended} of {} attempts have ended", end.attempts))?;
        // a token may fire when an attempt is admitted and its tool not yet called, another attempt may just have ended
        let in_vain = end.attempts.checked_sub(work.begun).ok_or("more attempts were begun than reported")?;
        let may_be = u64::from(end.error == Some(ErrorKind::Cancelled)) + hedges;
        check(in_vain <= may_be, || format!("{in_vain} attempts that no tool has seen"))?;
        check(end.error.is_some() || work.answered > 0, || "an output that no tool gave".to_owned())?;

        sum.calls += 1;
        sum.attempts += work.begun + in_vain;
        sum.retries += repeated - hedges;
        sum.hedges += hedges;
        sum.timeouts +=
            count(|kind| matches!(kind, EventKind::AttemptEnded { error: Some(ErrorCategory::Timeout), .. }));
        sum.fallbacks += count(|kind| matches!(kind, EventKind::FellBack { .. }));
        sum.retries_over_budget += count(|kind| matches!(kind, EventKind::RetryGivenUp { why: GivenUp::Budget, .. }));
        sum.retries_nested += count(|kind| matches!(kind, EventKind::RetryGivenUp { why: GivenUp::Nested, .. }));
        let mut by = of_tool().filter_map(|kind| match kind {
            EventKind::Refused { by, .. } => Some(*by),
            _ => None,
        });
        *match (end.error, by.next_back()) {
            (None, _) => &mut sum.succeeded,
            (Some(ErrorKind::Cancelled), _) => &mut sum.cancelled,
            (Some(ErrorKind::Denied | ErrorKind::NeedsApproval), _) => &mut sum.denied,
            (Some(ErrorKind::InvalidArgs), _) => &mut sum.invalid_args,
            (Some(ErrorKind::Rejected), Some(RefusedBy::Breaker)) => &mut sum.rejected_by_breaker,
            (Some(ErrorKind::Rejected), Some(RefusedBy::Bulkhead)) => &mut sum.rejected_by_bulkhead,
            (Some(ErrorKind::Rejected), Some(RefusedBy::Bucket)) => &mut sum.rejected_by_bucket,
            (Some(ErrorKind::Rejected), Some(RefusedBy::AdaptiveRate)) => &mut sum.rejected_by_adaptive_rate,
            (Some(ErrorKind::Rejected), Some(RefusedBy::Throttle)) => &mut sum.rejected_by_throttle,
            (Some(ErrorKind::Rejected), _) => return Err("nobody has refused".to_owned()),
            (Some(_), _) => &mut sum.failed,
        } += 1;
        Ok(())
    }
}

fn end(event: &Event) -> Option<End<'_>> {
    let EventKind::CallEnded { attempts, error, .. } = event.kind else { return None };
    Some(End { tool: event.tool.as_deref()?, error, attempts: attempts.into() })
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
