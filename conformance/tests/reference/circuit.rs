//! The reference facade: the breaker admits, the limiters are asked, and when one refuses, all is given back.

use super::breaker::{Breaker, Ticket};
use super::limiter::Limiter;
use super::{BreakerFlaw, LimiterFlaw, ReferenceBreaker, ReferenceLimiter};
use fusebox_conformance::{
    BreakerSpec, BreakerSubject, BreakerUnderTest, CircuitSubject, CircuitUnderTest, ClockKind, LimiterSpec,
    LimiterSubject, LimiterUnderTest, Nanos, Outcome, Part,
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CircuitFlaw {
    Nothing,
    TokensAreTakenFirst,
    ProbeIsNotReturned,
    OtherLimitersKeepTokens,
}

/// Builds facades with one flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceCircuit(pub(crate) CircuitFlaw);

#[derive(Debug)]
pub(crate) struct Circuit {
    flaw: CircuitFlaw,
    breaker: Breaker,
    limiters: Vec<Limiter>,
}

impl CircuitSubject for ReferenceCircuit {
    type Circuit = Circuit;

    fn build(&self, breaker: &BreakerSpec, limiters: &[LimiterSpec]) -> Result<Circuit, String> {
        let subject = ReferenceBreaker { flaw: BreakerFlaw::Nothing, clock: ClockKind::Any };
        let limiters = limiters.iter().map(|limiter| ReferenceLimiter(LimiterFlaw::Nothing).build(limiter));
        Ok(Circuit { flaw: self.0, breaker: subject.build(breaker)?, limiters: limiters.collect::<Result<_, _>>()? })
    }
}

impl CircuitUnderTest for Circuit {
    type Ticket = Ticket;

    fn admit(&self, now: Nanos) -> Result<Ticket, Part> {
        let take = || {
            let refuses = |limiter: &Limiter| limiter.try_acquire(now, 1).is_err();
            let Some(refusing) = self.limiters.iter().position(refuses) else { return Ok(()) };
            if self.flaw != CircuitFlaw::OtherLimitersKeepTokens {
                for taken in &self.limiters[..refusing] {
                    taken.give_back(now, 1);
                }
            }
            Err(Part::Limiter)
        };
        if self.flaw == CircuitFlaw::TokensAreTakenFirst {
            take()?;
            return self.breaker.admit(now).ok_or(Part::Breaker);
        }
        let ticket = self.breaker.admit(now).ok_or(Part::Breaker)?;
        match take() {
            Ok(()) => Ok(ticket),
            Err(part) => {
                if self.flaw != CircuitFlaw::ProbeIsNotReturned {
                    self.breaker.settle(now, ticket, Outcome::Cancelled);
                }
                Err(part)
            }
        }
    }

    fn settle(&self, now: Nanos, ticket: Ticket, outcome: Outcome) {
        self.breaker.settle(now, ticket, outcome);
    }
}
