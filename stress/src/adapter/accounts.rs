//! `Account`: what became of one call, as its tool saw it and as its caller saw it, and `Sum`: of all calls to one tool.

use fusebox::{CallError, CallResult, ErrorCategory, ErrorKind, Execution, Part, RefusedBy, ToolError};
use serde_json::Value;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// One call.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// What its attempts do; `None` for a call that is to succeed.
    seed: Option<u64>,
    pub(super) begun: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) cut: AtomicU64,
    /// The attempts that had been cut when the caller began to drop the call.
    cut_before_drop: AtomicU64,
    seen: Mutex<Seen>,
}

/// What the caller saw.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Seen {
    /// The call was never polled, or no tool had the name.
    #[default]
    Nothing,
    /// It is under way.
    Begun,
    /// It was dropped before its end.
    Dropped,
    Ended(Ending),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ending {
    pub(super) result: EndedAs,
    pub(super) attempts: u64,
    /// Attempts that took too long.
    pub(super) timeouts: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndedAs {
    Succeeded,
    /// The tool failed, panicked, or took too long.
    Failed,
    Rejected(Part),
    Cancelled,
}

impl From<&Execution<Value, ToolError>> for Ending {
    fn from(execution: &Execution<Value, ToolError>) -> Self {
        let result = match &execution.result {
            Ok(_) => EndedAs::Succeeded,
            Err(CallError::Rejected(rejection)) => EndedAs::Rejected(rejection.by),
            Err(CallError::Cancelled) => EndedAs::Cancelled,
            Err(_) => EndedAs::Failed,
        };
        let timeouts = execution.failures.iter().filter(|failure| failure.category == ErrorCategory::Timeout).count();
        Self { result, attempts: execution.attempts.into(), timeouts: timeouts as u64 }
    }
}

impl Ending {
    /// `None` where no tool has the name: then no call was made.
    pub(super) fn of_named(result: &CallResult) -> Option<Self> {
        let ended_as = match &result.error {
            None => EndedAs::Succeeded,
            Some(error) => match (error.kind, error.by) {
                (ErrorKind::UnknownTool, _) => return None,
                (ErrorKind::Rejected, Some(RefusedBy::Bulkhead)) => EndedAs::Rejected(Part::Bulkhead),
                (ErrorKind::Rejected, Some(RefusedBy::Bucket)) => EndedAs::Rejected(Part::Bucket),
                (ErrorKind::Rejected, _) => EndedAs::Rejected(Part::Breaker),
                (ErrorKind::Cancelled, _) => EndedAs::Cancelled,
                _ => EndedAs::Failed,
            },
        };
        let timeouts = result.outcomes.iter().filter(|attempt| attempt.error == Some(ErrorCategory::Timeout)).count();
        Some(Self { result: ended_as, attempts: result.attempts.into(), timeouts: timeouts as u64 })
    }
}

impl Account {
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) const fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The caller saw something. Each step comes once: begun, and then one end; nothing where no tool had the name.
    pub(super) fn saw(&self, what: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = if what == Seen::Begun { Seen::Nothing } else { Seen::Begun };
        assert_eq!(*seen, expected, "a call has one end, and then {what:?} was seen");
        *seen = what;
    }

    /// The caller is about to drop the call.
    pub(super) fn drops(&self) {
        self.cut_before_drop.store(self.cut.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All calls to one tool.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) calls: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) by_breaker: u64,
    pub(super) by_bulkhead: u64,
    pub(super) by_bucket: u64,
    /// By token, or dropped.
    pub(super) cancelled: u64,
    pub(super) dropped: u64,
    /// Attempts that their tools began.
    pub(super) begun: u64,
    /// Calls that were cancelled between the admission of an attempt and its begin.
    pub(super) admitted_in_vain: u64,
    pub(super) timeouts: u64,
    /// Attempts whose tokens are gone: they came to an end, or took too long.
    pub(super) spent: u64,
}

impl Sum {
    /// Checks that tool and caller tell the same story of one call, and adds it.
    pub(super) fn add(&mut self, account: &Account) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (begun, cut) = (load(&account.begun), load(&account.cut));
        let (succeeded, ended) = (load(&account.succeeded), load(&account.failed) + load(&account.panicked));
        assert_eq!(begun, succeeded + ended + cut, "an attempt is under way, or ended twice: {account:?}");
        self.begun += begun;
        let timeouts = match account.seen() {
            Seen::Nothing => {
                assert_eq!(begun, 0, "a call that was never made ran its tool: {account:?}");
                return;
            }
            Seen::Begun => panic!("a call has no end: {account:?}"),
            Seen::Dropped => {
                self.cancelled += 1;
                self.dropped += 1;
                assert_eq!(succeeded, 0, "a call was dropped after its result: {account:?}");
                load(&account.cut_before_drop)
            }
            Seen::Ended(ending) => {
                self.count(ending.result);
                let cancelled = ending.result == EndedAs::Cancelled;
                assert_eq!(succeeded, u64::from(ending.result == EndedAs::Succeeded), "{account:?}");
                // a token may fire when the attempt is admitted and its tool not yet called
                let in_vain = ending.attempts - begun;
                assert!(in_vain == 0 || in_vain == 1 && cancelled, "attempts: {account:?}");
                self.admitted_in_vain += in_vain;
                let by_token = cut - ending.timeouts;
                assert!(by_token == 0 || by_token == 1 && cancelled && in_vain == 0, "cuts: {account:?}");
                ending.timeouts
            }
        };
        self.calls += 1;
        self.timeouts += timeouts;
        self.spent += succeeded + ended + timeouts;
    }

    fn count(&mut self, result: EndedAs) {
        let count = match result {
            EndedAs::Succeeded => &mut self.succeeded,
            EndedAs::Failed => &mut self.failed,
            EndedAs::Rejected(Part::Bulkhead) => &mut self.by_bulkhead,
            EndedAs::Rejected(Part::Bucket) => &mut self.by_bucket,
            EndedAs::Rejected(_) => &mut self.by_breaker,
            EndedAs::Cancelled => &mut self.cancelled,
        };
        *count += 1;
    }
}
