//! `Verdict`: how a subject fared in one scenario.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// How a subject fared in one scenario. Complete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It did what the scenario demands.
    Pass,
    /// It did not: what was observed, in one sentence whose figures are the same in every run.
    Fail(String),
    /// The scenario does not concern it: which feature it does not have.
    NotApplicable(String),
    /// The scenario concerns it, but the suite cannot tell: why, and what is known.
    NotJudged(String),
}

impl Verdict {
    /// The verdict of a scenario that ends early with anything but a pass. A panic is a failure.
    pub(crate) fn of(scenario: impl FnOnce() -> Result<(), Self>) -> Self {
        match catch_unwind(AssertUnwindSafe(scenario)) {
            Ok(Ok(())) => Self::Pass,
            Ok(Err(verdict)) => verdict,
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                Self::Fail(format!("panicked: {}", text.unwrap_or("no message")))
            }
        }
    }

    /// `Err(Fail)` with what `observed` says, unless `sound`.
    pub(crate) fn demand(sound: bool, observed: impl FnOnce() -> String) -> Result<(), Self> {
        if sound { Ok(()) } else { Err(Self::Fail(observed())) }
    }

    /// What there is to say beyond the verdict itself.
    pub fn remark(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Fail(remark) | Self::NotApplicable(remark) | Self::NotJudged(remark) => Some(remark),
        }
    }
}
