//! tower-resilience-circuitbreaker: its layer around a call driven by hand, on its own clock, with an open wait of zero.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::call::{Call, Ended, Wrapped};
use crate::time::{ClockKind, Nanos};
use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
use tower_service::Service;

/// tower-resilience-circuitbreaker, with its own clock.
#[derive(Debug)]
pub(crate) struct TowerResilience;

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A service behind the layer, with a handle to its state.
pub(crate) struct Layered {
    call: RefCell<Box<dyn FnMut(Wrapped) -> Running>>,
    is_open: Box<dyn Fn() -> bool>,
}

/// The innermost service: its requests are their own answers.
#[derive(Clone, Debug)]
struct Innermost;

impl Service<Wrapped> for Innermost {
    type Response = ();
    type Error = Ended;
    type Future = Wrapped;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Wrapped) -> Wrapped {
        request
    }
}

impl BreakerSubject for TowerResilience {
    type Breaker = Layered;

    fn clock(&self) -> ClockKind {
        ClockKind::Own
    }

    fn build(&self, spec: &BreakerSpec) -> Result<Layered, String> {
        let builder = CircuitBreakerLayer::builder()
            .wait_duration_in_open(Duration::from_nanos(spec.open_wait))
            .permitted_calls_in_half_open(spec.probes.into());
        let size = |size: u32| usize::try_from(size).map_err(|error| error.to_string());
        let builder = match spec.trip {
            Trip::Consecutive(failures) => builder.consecutive_failures(size(failures)?),
            Trip::CountWindow { size: calls, failure_percent, minimum_calls } => builder
                .sliding_window_type(SlidingWindowType::CountBased)
                .sliding_window_size(size(calls)?)
                .minimum_number_of_calls(size(minimum_calls)?)
                .failure_rate_threshold(f64::from(failure_percent) / 100.0),
            Trip::TimeWindow { .. } => return Err("its time window reads a clock of its own".to_owned()),
        };
        let builder = builder.failure_classifier(|end: &Result<(), Ended>| end.as_ref().is_err_and(Ended::is_failure));
        let (layer, handle) = builder.build_with_handle().map_err(|error| error.to_string())?;
        let mut service = layer.layer_fn(Innermost);
        let call = move |wrapped| -> Running {
            match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(())) => {
                    let running = service.call(wrapped);
                    Box::pin(async move { drop(running.await) })
                }
                Poll::Ready(Err(_)) | Poll::Pending => Box::pin(async {}),
            }
        };
        Ok(Layered { call: RefCell::new(Box::new(call)), is_open: Box::new(move || handle.is_open()) })
    }

    fn cost_of_recording(&self) -> &'static str {
        "read from its source, not judged: its time window adds up all its records at every call"
    }
}

impl BreakerUnderTest for Layered {
    type Ticket = Call<Running>;

    fn admit(&self, _: Nanos) -> Option<Call<Running>> {
        Call::begin(|wrapped| self.call.borrow_mut()(wrapped))
    }

    fn settle(&self, _: Nanos, ticket: Call<Running>, outcome: Outcome) {
        match outcome {
            Outcome::Success => ticket.end(Ok(())),
            Outcome::Failure => ticket.end(Err(Ended::Failure)),
            Outcome::Ignored => ticket.end(Err(Ended::Ignored)),
            Outcome::Cancelled => drop(ticket),
        }
    }

    fn is_open(&self, _: Nanos) -> bool {
        (self.is_open)()
    }
}
