//! `CircuitService`: a service behind a circuit. Its `poll_ready` reserves, its `call` uses the reservation.

use super::call_report::CallReport;
use super::circuit_future::CircuitFuture;
use super::circuit_layer::Manner;
use super::judge::{ByError, Judge};
use super::reservation::Reservation;
use super::service_circuit::ServiceCircuit;
use super::waiting::{Waiting, Woken};
use crate::CallError;
use crate::telemetry::Failure;
use core::convert::Infallible;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use fusebox_core::{Instant, Part, Rejection, Wait};
use tower_service::Service;

/// A service behind a circuit, made by [`CircuitLayer`](super::CircuitLayer). Clones share the circuit.
///
/// **Reservations.** `poll_ready` asks the service behind it first, and then takes a permit of the circuit (a slot, a
/// token, perhaps the probe of a half-open breaker) and keeps it for the next `call` of this clone; a new clone has
/// none. `call` moves it into the response's future, which settles it when the service has answered: when its response
/// is there, not when its body has ended. Dropping the clone gives all of it back; dropping the future does, too, and the
/// call counts as cancelled, which `cancelled_is_failure` may count against the service. So a clone that is ready and
/// neither called nor dropped keeps a slot from the others, as with tower's own limits; the probe that it may hold delays
/// the breaker's recovery by at most a lease, after which it is written off. A reservation from before the breaker opened,
/// or from longer ago than a lease, is not used: `call` takes a fresh one. What a throttle has drawn in `poll_ready` is
/// the answer of `call`.
///
/// A clone that waits and is neither polled nor dropped keeps its place in the queue. Slots and probes go to those that
/// have waited longest, but a call that does not wait may come before them; tokens go to whoever asks first.
///
/// While the circuit refuses, what the service behind it has reserved stays reserved.
///
/// **Cost.** A clone and a call each count a reference; admission, settlement and refusal allocate nothing, waiting does.
#[derive(Debug)]
pub struct CircuitService<S, J = ByError> {
    inner: S,
    circuit: ServiceCircuit,
    manner: Manner,
    judge: J,
    reservation: Option<Reservation>,
    /// What a throttle has drawn for the next call: `call` does not draw again.
    drawn: Option<Rejection>,
    waiting: Waiting,
}

impl<S, J> CircuitService<S, J> {
    pub(super) fn new(inner: S, circuit: ServiceCircuit, manner: Manner, judge: J) -> Self {
        Self { inner, circuit, manner, judge, reservation: None, drawn: None, waiting: Waiting::default() }
    }

    /// The circuit, which clones of this service share.
    pub const fn circuit(&self) -> &ServiceCircuit {
        &self.circuit
    }

    /// The service behind the circuit.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Takes a permit, or gives up: then `call` asks once more.
    fn poll_reserve(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.circuit.now();
        if self.reservation.as_ref().is_some_and(|reservation| reservation.is_current(now)) {
            return Poll::Ready(());
        }
        self.reservation = None;
        if self.drawn.is_some() {
            return Poll::Ready(());
        }
        let mut woken = ready!(self.waiting.poll_woken(cx));
        loop {
            let now = self.circuit.now();
            let answer = self.circuit.reserve(now, self.manner.priority);
            if woken == Woken::ByRelease {
                self.circuit.limiter().announce_room(now);
            }
            let rejection = match answer {
                Ok(reservation) => {
                    self.reservation = Some(reservation);
                    break;
                }
                Err(rejection) => rejection,
            };
            let by_lot = rejection.by == Part::Throttle;
            let Some(limit) = self.worth_waiting(rejection, now) else {
                self.drawn = by_lot.then_some(rejection);
                break;
            };
            let listens_anew = match rejection.wait {
                Wait::Release => self.waiting.for_release(&self.circuit, limit),
                _ => self.waiting.for_time(&self.circuit, limit),
            };
            woken = match self.waiting.poll_woken(cx) {
                Poll::Ready(woken) => woken,
                // listens before it asks, so that nothing is missed in between
                Poll::Pending if listens_anew && !by_lot => Woken::ByTime,
                Poll::Pending => return Poll::Pending,
            };
        }
        self.waiting.stop();
        Poll::Ready(())
    }

    /// Whether to wait after this refusal, and how long at most.
    fn worth_waiting(&mut self, rejection: Rejection, now: Instant) -> Option<Option<Duration>> {
        let max = self.manner.max_wait.or(self.circuit.layer_policy().max_wait);
        if !self.manner.waits_for(rejection.by) || max == Some(Duration::ZERO) {
            return None;
        }
        let waited = self.waiting.waited(now);
        let left = max.map(|max| max.saturating_sub(waited));
        let wait = match rejection.wait {
            // a probe that never reports releases nobody: time does, when its lease is over
            Wait::Release => match (self.circuit.limiter().longest_refusal(now), left) {
                (Some(wait), Some(left)) => Some(wait.min(left)),
                (wait, left) => wait.or(left),
            },
            wait => Some(wait.duration()?),
        };
        let in_vain = left.is_some_and(|left| left.is_zero() || wait.is_some_and(|wait| wait > left));
        (!in_vain).then_some(wait)
    }
}

impl<S: Clone, J: Clone> Clone for CircuitService<S, J> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.circuit.clone(), self.manner, self.judge.clone())
    }
}

impl<S, J, Request> Service<Request> for CircuitService<S, J>
where
    S: Service<Request>,
    J: Clone + Judge<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = CircuitFuture<S::Future, J>;

    /// Errors are those of the service behind; they do not count against it, as no call was made.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.poll_reserve(cx).map(Ok),
            not_ready => {
                // nobody shall wait for a clone that could not use what it holds
                self.reservation = None;
                self.waiting.stop();
                not_ready.map_err(CallError::Failed)
            }
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.waiting.stop();
        let now = self.circuit.now();
        let call = self.manner.tells_calls.then(|| CallReport::begin(&self.circuit, now));
        let reservation = self.reservation.take().filter(|reservation| reservation.is_current(now));
        let answer = match (reservation, self.drawn.take()) {
            (Some(reservation), _) => Ok(reservation),
            (None, Some(rejection)) => Err(rejection),
            (None, None) => self.circuit.reserve(now, self.manner.priority),
        };
        match answer {
            Ok(mut reservation) => {
                reservation.begin(call, now);
                let future = reservation.watch(|| self.inner.call(request));
                CircuitFuture::calling(future, reservation, self.judge.clone())
            }
            Err(rejection) => {
                let refusal = self.circuit.refuse(rejection, now);
                if let Some(call) = call {
                    let failure = Failure::from(&CallError::<Infallible>::Rejected(refusal.clone()));
                    call.end(0, Some(failure));
                }
                CircuitFuture::refused(refusal)
            }
        }
    }
}
