//! `CallReport`: tells of one call of a service, once, also when it is dropped.

use super::service_circuit::ServiceCircuit;
use crate::telemetry::{CallSpan, Ending, Failure};
use crate::{ErrorCategory, ErrorKind};
use core::cell::Cell;
use fusebox_core::Instant;
use tracing::Span;

/// A call whose end is still to be told. Dropped it was cancelled.
#[derive(Debug)]
pub(super) struct CallReport {
    circuit: ServiceCircuit,
    span: CallSpan,
    begun: Instant,
    so_far: SoFar,
    /// Code of the service is running: it panics if this is where the call ends.
    in_service: bool,
    told: bool,
}

/// What the attempts of a call tell to whoever tells of the call. They are several layers apart, so it goes from hand to
/// hand in the task, while the call is polled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SoFar {
    /// Attempts made.
    pub(super) attempts: u32,
    /// How the last one counted.
    pub(super) category: Option<ErrorCategory>,
}

tokio::task_local! {
    static SO_FAR: Cell<SoFar>;
}

impl SoFar {
    /// Tells the call that is polled of one more attempt, and returns its number.
    pub(super) fn attempt_begins() -> u32 {
        let count = |so_far: &Cell<Self>| {
            let attempts = so_far.get().attempts.saturating_add(1);
            so_far.set(Self { attempts, category: None });
            attempts
        };
        SO_FAR.try_with(count).unwrap_or(1)
    }

    /// Tells the call that is polled how its attempt counted.
    pub(super) fn attempt_ended(category: Option<ErrorCategory>) {
        // a call that is dropped wants to know no more
        let _ = SO_FAR.try_with(|so_far| so_far.set(Self { category, ..so_far.get() }));
    }
}

impl CallReport {
    /// Tells that a call begins.
    pub(super) fn begin(circuit: &ServiceCircuit, now: Instant) -> Self {
        let circuit = circuit.clone();
        let span = circuit.telemetry().call_started();
        Self { circuit, span, begun: now, so_far: SoFar::default(), in_service: false, told: false }
    }

    /// Runs a part of the call within its span, and hears of its attempts.
    pub(super) fn watch<T>(&mut self, part: impl FnOnce() -> T) -> T {
        self.in_service = true;
        let watched = || {
            let answer = part();
            (answer, SO_FAR.with(Cell::get))
        };
        let within_span = || SO_FAR.sync_scope(Cell::new(self.so_far), watched);
        let (answer, so_far) = self.span.span().in_scope(within_span);
        self.so_far = so_far;
        self.in_service = false;
        answer
    }

    /// The span that the call runs in.
    pub(super) const fn span(&self) -> &Span {
        self.span.span()
    }

    pub(super) const fn so_far(&self) -> SoFar {
        self.so_far
    }

    /// Tells how the call ended.
    pub(super) fn end(mut self, attempts: u32, failure: Option<Failure>) {
        self.tell(attempts, failure);
    }

    fn tell(&mut self, attempts: u32, failure: Option<Failure>) {
        self.told = true;
        let now = self.circuit.now();
        let ending = Ending { attempts, elapsed: now.saturating_since(self.begun), failure };
        self.circuit.telemetry().call_ended(&self.span, &ending, now);
    }
}

impl Drop for CallReport {
    fn drop(&mut self) {
        if !self.told {
            let failure = if self.in_service { PANICKED } else { Failure::CANCELLED };
            self.tell(self.so_far.attempts, Some(failure));
        }
    }
}

/// The service has panicked.
pub(super) const PANICKED: Failure =
    Failure { kind: ErrorKind::Panicked, category: ErrorCategory::ExecutionError, refused_by: None };

/// The service has answered with a failure of this kind.
pub(super) const fn failed(category: ErrorCategory) -> Failure {
    Failure { kind: ErrorKind::Failed, category, refused_by: None }
}
