//! `Report`: tells how an attempt ended, once, also when it is dropped.

use super::super::Executor;
use crate::telemetry::{AttemptEnding, AttemptSpan, Reason};
use crate::{ErrorCategory, Sleep};
use fusebox_core::Instant;
use tracing::Span;

/// An attempt whose end is still to be told. Dropped it was cancelled.
#[derive(Debug)]
pub(super) struct Report<'a, C: Sleep> {
    executor: &'a Executor<C>,
    span: AttemptSpan,
    number: u32,
    pub(super) begun: Instant,
    told: bool,
}

impl<'a, C: Sleep> Report<'a, C> {
    /// Tells that the attempt begins.
    pub(super) fn begin(executor: &'a Executor<C>, number: u32, reason: Reason, now: Instant) -> Self {
        let span = executor.shared.telemetry.attempt_started(number, reason, now);
        Self { executor, span, number, begun: now, told: false }
    }

    /// Tells how it ended.
    pub(super) fn end(mut self, error: Option<ErrorCategory>, too_long: bool, now: Instant) {
        self.tell(error, too_long, now);
    }

    /// The span that the attempt runs in.
    pub(super) fn span(&self) -> Span {
        self.span.span().clone()
    }

    fn tell(&mut self, error: Option<ErrorCategory>, too_long: bool, now: Instant) {
        self.told = true;
        let elapsed = now.saturating_since(self.begun);
        let ending = AttemptEnding { number: self.number, elapsed, error, too_long };
        self.executor.shared.telemetry.attempt_ended(&self.span, &ending, now);
    }
}

impl<C: Sleep> Drop for Report<'_, C> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Some(ErrorCategory::Cancelled), false, self.executor.clock.now());
        }
    }
}
