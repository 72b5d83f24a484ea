//! recloser: its future-wrapping breaker on its own clock, with a first open wait of zero.
//!
//! It has no trip by consecutive failures. A ring of n-1 calls at a rate of 100% opens at the n-th failure of a new
//! breaker, because a call is judged only when the ring was full before it.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::call::{Call, Ended, Wrapped};
use crate::time::{ClockKind, Nanos};
use core::time::Duration;
use recloser::{AsyncRecloser, RecloserFuture};
use std::time::Instant;

/// recloser, with its own clock.
#[derive(Debug)]
pub(crate) struct Recloser;

type Future = RecloserFuture<Wrapped, fn(&Ended) -> bool>;

/// An `AsyncRecloser`.
#[derive(Debug)]
pub(crate) struct Ring {
    breaker: AsyncRecloser,
}

impl BreakerSubject for Recloser {
    type Breaker = Ring;

    fn clock(&self) -> ClockKind {
        ClockKind::Own
    }

    fn build(&self, spec: &BreakerSpec) -> Result<Ring, String> {
        let (length, rate) = match spec.trip {
            Trip::Consecutive(failures) => (failures.saturating_sub(1), 1.0),
            Trip::CountWindow { size, failure_percent, .. } => (size, f32::from(failure_percent) / 100.0),
            Trip::TimeWindow { .. } => return Err("it has no time window".to_owned()),
        };
        let breaker = recloser::Recloser::custom()
            .closed_len(usize::try_from(length).map_err(|error| error.to_string())?)
            .error_rate_closed(rate)
            .half_open_len(spec.required_successes.into())
            .error_rate_half_open(0.5)
            .open_wait(Duration::from_nanos(spec.open_wait))
            // so that an opening from half-open can be seen
            .open_wait_strategy(|_, _| Duration::from_secs(3_600))
            .build();
        Ok(Ring { breaker: breaker.into() })
    }

    fn cost_of_recording(&self) -> &'static str {
        "read from its source, not judged: its ring keeps a running count and touches one slot per call"
    }
}

impl BreakerUnderTest for Ring {
    type Ticket = Call<Future>;

    fn admit(&self, _: Nanos) -> Option<Call<Future>> {
        tick();
        Call::begin(|wrapped| self.breaker.call_with(Ended::is_failure as fn(&Ended) -> bool, wrapped))
    }

    fn settle(&self, _: Nanos, ticket: Call<Future>, outcome: Outcome) {
        match outcome {
            Outcome::Success => ticket.end(Ok(())),
            Outcome::Failure => ticket.end(Err(Ended::Failure)),
            Outcome::Ignored => ticket.end(Err(Ended::Ignored)),
            Outcome::Cancelled => drop(ticket),
        }
    }

    /// By a call that is dropped, which reports nothing.
    fn is_open(&self, now: Nanos) -> bool {
        self.admit(now).is_none()
    }
}

/// An open wait of zero is over when the clock has moved at all.
fn tick() {
    let before = Instant::now();
    while Instant::now() <= before {
        core::hint::spin_loop();
    }
}
