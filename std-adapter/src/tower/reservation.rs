//! `Reservation`: a permit of a circuit, from `poll_ready` to the end of the call, settled and told once.

use super::call_report::{CallReport, PANICKED, SoFar, failed};
use super::judge::Verdict;
use super::service_circuit::ServiceCircuit;
use crate::ErrorCategory;
use crate::executor::Held;
use crate::telemetry::{AttemptEnding, AttemptSpan, Failure, Reason};
use fusebox_core::{Instant, Outcome};

/// A permit of a circuit, settled once. Dropped before its call it gives everything back, whatever the policy makes of
/// cancelled calls; dropped before the call's end it settles as `Cancelled`.
#[derive(Debug)]
pub(super) struct Reservation {
    circuit: ServiceCircuit,
    held: Option<Held>,
    issued: Instant,
    /// That of the breaker when it was taken.
    generation: Option<u8>,
    stage: Stage,
    attempt: Option<Attempt>,
    /// The call, where the attempt is all of it.
    call: Option<CallReport>,
}

/// How far the call has come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Reserved,
    Begun,
    /// Code of the service is running: it panics if this is where the call ends.
    InService,
    Ended(Option<ErrorCategory>),
}

/// The attempt for which the reservation is used.
#[derive(Debug)]
struct Attempt {
    span: AttemptSpan,
    number: u32,
    begun: Instant,
}

impl Reservation {
    pub(super) fn new(circuit: ServiceCircuit, held: Held, now: Instant) -> Self {
        let generation = circuit.limiter().breaker_generation(now);
        let held = Some(held);
        Self { circuit, held, issued: now, generation, stage: Stage::Reserved, attempt: None, call: None }
    }

    /// Whether a call may still begin at `now`: the breaker is as it was, and would not have written the call off by now
    /// if it were a probe.
    pub(super) fn is_current(&self, now: Instant) -> bool {
        let limiter = self.circuit.limiter();
        let lease = limiter.policy().circuit.breaker.as_ref().map(|breaker| breaker.config().probe_lease);
        self.generation == limiter.breaker_generation(now)
            && lease.is_none_or(|lease| now.saturating_since(self.issued) < lease)
    }

    /// Begins the attempt: of `call`, or of the one that is polled.
    pub(super) fn begin(&mut self, call: Option<CallReport>, now: Instant) {
        self.stage = Stage::Begun;
        let number = if call.is_some() { 1 } else { SoFar::attempt_begins() };
        let reason = if number == 1 { Reason::First } else { Reason::Retry };
        let telemetry = self.circuit.telemetry();
        let span = || telemetry.attempt_started(number, reason, now);
        let span = call.as_ref().map_or_else(span, |call| call.span().in_scope(span));
        self.attempt = Some(Attempt { span, number, begun: now });
        self.call = call;
    }

    /// Runs code of the service, for the call. If that panics, the call has failed rather than been cancelled.
    pub(super) fn watch<T>(&mut self, service: impl FnOnce() -> T) -> T {
        let Self { stage, attempt, call, .. } = self;
        *stage = Stage::InService;
        let run = || match attempt {
            Some(attempt) => attempt.span.span().in_scope(service),
            None => service(),
        };
        let answer = match call {
            Some(call) => call.watch(run),
            None => run(),
        };
        *stage = Stage::Begun;
        answer
    }

    /// Ends the call as its answer counts. Its tokens are used up.
    pub(super) fn settle(mut self, verdict: Verdict) {
        if let Some(held) = &mut self.held {
            held.spend();
        }
        let Verdict { category, retry_after, .. } = verdict;
        if category == Some(ErrorCategory::RateLimit) || category.is_some() && retry_after.is_some() {
            self.circuit.limiter().slow_down(self.circuit.now(), retry_after.unwrap_or_default());
        }
        self.stage = Stage::Ended(category);
    }

    fn outcome(&self) -> Outcome {
        match self.error() {
            _ if matches!(self.stage, Stage::Reserved) => Outcome::Ignored,
            None => Outcome::Success,
            Some(ErrorCategory::Cancelled) => Outcome::Cancelled,
            Some(category) if self.circuit.layer_policy().policy.rule(category).trips => Outcome::Failure,
            Some(_) => Outcome::Ignored,
        }
    }

    const fn error(&self) -> Option<ErrorCategory> {
        match self.stage {
            Stage::Reserved | Stage::Begun => Some(ErrorCategory::Cancelled),
            Stage::InService => Some(ErrorCategory::ExecutionError),
            Stage::Ended(category) => category,
        }
    }

    fn failure(&self) -> Option<Failure> {
        match self.stage {
            Stage::Reserved | Stage::Begun => Some(Failure::CANCELLED),
            Stage::InService => Some(PANICKED),
            Stage::Ended(category) => category.map(failed),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let now = self.circuit.now();
        let transition = self.circuit.limiter().settle(now, held, self.outcome());
        self.circuit.report(transition, now);
        let error = self.error();
        if let Some(Attempt { span, number, begun }) = self.attempt.take() {
            let too_long = error == Some(ErrorCategory::Timeout);
            let ending = AttemptEnding { number, elapsed: now.saturating_since(begun), error, too_long };
            self.circuit.telemetry().attempt_ended(&span, &ending, now);
        }
        match self.call.take() {
            Some(call) => call.end(1, self.failure()),
            None => SoFar::attempt_ended(error),
        }
    }
}
