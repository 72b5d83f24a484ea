//! `ServiceCircuit`: the breaker, bulkhead and bucket that services share, and `Reservation`: a permit of theirs.

use crate::clock::TokioClock;
use crate::{ErrorCategory, Policy};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use fusebox_core::{
    Circuit, CircuitPolicy, CircuitSnapshot, Clock, Forced, Instant, Outcome, Part, Permit, Rejection, Tokens, Wait,
};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The breaker, bulkhead and bucket that a service and its clones share. A clone of this is the same circuit.
///
/// It shows a circuit and lets a person take it out of service; calls go through
/// [`CircuitService`](super::CircuitService).
#[derive(Clone, Debug)]
pub struct ServiceCircuit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    circuit: Circuit,
    policy: Policy,
    clock: TokioClock,
    /// Tells services that wait that a call has ended. A release wakes the one that has waited longest; whoever was woken
    /// wakes the next one if there is still room after it has asked. So a release that nobody uses is not lost.
    released: Arc<Notify>,
    /// Whether any of the services may wait; it stays set.
    awaited: AtomicBool,
}

impl ServiceCircuit {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            shared: Arc::new(Shared {
                circuit: Circuit::new(),
                policy,
                clock: TokioClock::new(),
                released: Arc::default(),
                awaited: AtomicBool::new(false),
            }),
        }
    }

    /// The state of breaker, bulkhead and bucket, as far as the circuit has them. Only reads.
    pub fn snapshot(&self) -> CircuitSnapshot {
        self.shared.circuit.snapshot(self.limits(), self.now())
    }

    /// Forces the breaker open or closed until [`ServiceCircuit::reset`].
    ///
    /// A service that waits for a time, of the breaker or of the rate limit, looks again when that is over.
    pub fn force(&self, forced: Forced) {
        self.shared.circuit.breaker().force(forced);
        self.announce();
    }

    /// Closes the breaker, forced or not, and forgets what it has counted.
    pub fn reset(&self) {
        self.shared.circuit.breaker().reset();
        self.announce();
    }

    /// Takes a permit at `now`, or says who refuses.
    pub(super) fn reserve(&self, now: Instant) -> Result<Reservation, Rejection> {
        match self.shared.circuit.admit(self.limits(), now, Tokens::ONE) {
            Ok((permit, _)) => {
                let generation = self.generation(now);
                Ok(Reservation { circuit: self.clone(), permit: Some(permit), generation, stage: Stage::Reserved })
            }
            Err(rejection) => {
                // the part that refused late has made a slot look taken meanwhile
                if rejection.by != Part::Bulkhead && self.limits().bulkhead.is_some() {
                    self.pass_on(now);
                }
                Err(rejection)
            }
        }
    }

    /// Wakes a service that waits if a call at `now` would not have to wait for another one to end.
    pub(super) fn pass_on(&self, now: Instant) {
        let CircuitPolicy { breaker, bulkhead, .. } = self.limits();
        let circuit = &self.shared.circuit;
        let has_probe =
            breaker.as_ref().is_none_or(|policy| circuit.breaker().refusal(policy, now) != Some(Wait::Release));
        if has_probe && bulkhead.is_none_or(|policy| circuit.bulkhead().in_flight() < u64::from(policy.max_in_flight()))
        {
            self.announce();
        }
    }

    /// How long the breaker will refuse calls from `now` on, even if no call ends; `None` where time does not decide.
    pub(super) fn longest_refusal(&self, now: Instant) -> Option<Duration> {
        let change = self.shared.circuit.breaker().next_change(self.limits().breaker.as_ref()?, now)?;
        Some(change.saturating_since(now))
    }

    /// From now on some services wait.
    pub(super) fn await_releases(&self) {
        self.shared.awaited.store(true, Ordering::SeqCst);
    }

    /// The next release, or one that came while nobody waited: so none is missed between a refusal and the first poll.
    pub(super) fn next_release(&self) -> OwnedNotified {
        Arc::clone(&self.shared.released).notified_owned()
    }

    pub(super) fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Wakes the service that has waited longest. One load where none ever waits.
    fn announce(&self) {
        if self.shared.awaited.load(Ordering::SeqCst) {
            self.shared.released.notify_one();
        }
    }

    fn limits(&self) -> &CircuitPolicy {
        &self.shared.policy.limits.circuit
    }

    /// The breaker's generation, one more at every transition.
    fn generation(&self, now: Instant) -> Option<u8> {
        let policy = self.limits().breaker.as_ref()?;
        Some(self.shared.circuit.breaker().state().snapshot(now, policy).generation)
    }
}

/// A permit of a circuit, settled once. Dropped before its call it gives everything back, whatever the policy makes of
/// cancelled calls; dropped before the call's end it settles as `Cancelled`.
#[derive(Debug)]
pub(super) struct Reservation {
    circuit: ServiceCircuit,
    permit: Option<Permit>,
    generation: Option<u8>,
    stage: Stage,
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

impl Reservation {
    /// Whether a call may still begin at `now`: the breaker is as it was, and would not have written the call off by now
    /// if it were a probe.
    pub(super) fn is_current(&self, now: Instant) -> bool {
        let Some(policy) = &self.circuit.limits().breaker else { return true };
        let issued = self.permit.as_ref().map_or(now, Permit::issued);
        self.generation == self.circuit.generation(now) && now.saturating_since(issued) < policy.config().probe_lease
    }

    /// Runs code of the service, for the call. If that panics, the call has failed rather than been cancelled.
    pub(super) fn watch<T>(&mut self, service: impl FnOnce() -> T) -> T {
        self.stage = Stage::InService;
        let answer = service();
        self.stage = Stage::Begun;
        answer
    }

    /// Ends the call, as a success or with an error of this category. Its tokens are used up.
    pub(super) fn settle(mut self, category: Option<ErrorCategory>) {
        if let Some(permit) = &mut self.permit {
            permit.spend();
        }
        self.stage = Stage::Ended(category);
    }

    fn outcome(&self) -> Outcome {
        let category = match self.stage {
            Stage::Reserved => return Outcome::Ignored,
            Stage::Ended(None) => return Outcome::Success,
            Stage::Begun => ErrorCategory::Cancelled,
            Stage::InService => ErrorCategory::ExecutionError,
            Stage::Ended(Some(category)) => category,
        };
        match category {
            ErrorCategory::Cancelled => Outcome::Cancelled,
            category if self.circuit.shared.policy.rule(category).trips => Outcome::Failure,
            _ => Outcome::Ignored,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let ServiceCircuit { shared } = &self.circuit;
        shared.circuit.settle(self.circuit.limits(), self.circuit.now(), permit, self.outcome());
        self.circuit.announce();
    }
}
