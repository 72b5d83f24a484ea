//! Fusebox: `Breaker`, `TokenBucket`, `Circuit` and gates of the core, each under a policy without jitter.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::circuit::{CircuitSubject, CircuitUnderTest, Part};
use crate::limiter::{Hint, LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, Nanos};
use core::time::Duration;
use fusebox_core as core_;
use fusebox_core::{
    Ask, Booking, Breaker, BreakerConfig, BreakerPolicy, BreakerSnapshot, BucketPolicy, Circuit, CircuitPolicy,
    CountWindow, Gate, Gated, Instant, Jitter, Pass, Permit, Rate, RateTrip, State, Ticket, TimeWindow, TokenBucket,
    Tokens, Wait, Window,
};

/// Fusebox, with any clock.
#[derive(Debug)]
pub(crate) struct Fusebox;

/// A breaker, with or without a window, and its policy.
#[derive(Debug)]
pub(crate) struct OwnBreaker {
    breaker: Box<dyn AnyBreaker>,
    policy: BreakerPolicy,
}

/// A breaker whatever its window: its own methods, by their own names.
trait AnyBreaker: core::fmt::Debug {
    fn admit(&self, policy: &BreakerPolicy, now: Instant) -> Option<Ticket>;
    fn settle(&self, policy: &BreakerPolicy, now: Instant, ticket: Ticket, outcome: core_::Outcome);
    fn snapshot(&self, policy: &BreakerPolicy, now: Instant) -> BreakerSnapshot;
    fn is_fresh(&self, now: Instant) -> bool;
}

impl<W: Window> AnyBreaker for Breaker<W> {
    fn admit(&self, policy: &BreakerPolicy, now: Instant) -> Option<Ticket> {
        self.admit(policy, now).ok().map(|(ticket, _)| ticket)
    }

    fn settle(&self, policy: &BreakerPolicy, now: Instant, ticket: Ticket, outcome: core_::Outcome) {
        let _ = self.settle(policy, now, ticket, outcome);
    }

    fn snapshot(&self, policy: &BreakerPolicy, now: Instant) -> BreakerSnapshot {
        self.snapshot(policy, now)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.is_fresh(now)
    }
}

impl BreakerSubject for Fusebox {
    type Breaker = OwnBreaker;

    fn clock(&self) -> ClockKind {
        ClockKind::Any
    }

    fn build(&self, spec: &BreakerSpec) -> Result<OwnBreaker, String> {
        let text = |error: core_::PolicyError| error.to_string();
        let breaker: Box<dyn AnyBreaker> = match spec.trip {
            Trip::Consecutive(_) => Box::new(Breaker::new()),
            Trip::CountWindow { size, .. } => {
                Box::new(Breaker::with_window(CountWindow::<LARGEST>::new(size).map_err(text)?))
            }
            Trip::TimeWindow { span, .. } => {
                let window: TimeWindow = TimeWindow::new(Duration::from_nanos(span)).map_err(text)?;
                Box::new(Breaker::with_window(window))
            }
        };
        Ok(OwnBreaker { breaker, policy: breaker_policy(spec)? })
    }

    fn cost_of_recording(&self) -> &'static str {
        "not seen from outside, so not judged: its own tests (`h8_` in `core/src/window/tests.rs`) count the words that \
         a record loads and exchanges, the same in count windows of 2 to 2,047 calls and in time windows that hold 20 \
         to 300,000; a time window's record loads each of its slots"
    }
}

/// Words of the largest count window.
const LARGEST: usize = 74;

impl BreakerUnderTest for OwnBreaker {
    type Ticket = Ticket;

    fn admit(&self, now: Nanos) -> Option<Ticket> {
        self.breaker.admit(&self.policy, at(now))
    }

    fn settle(&self, now: Nanos, ticket: Ticket, outcome: Outcome) {
        self.breaker.settle(&self.policy, at(now), ticket, own(outcome));
    }

    fn is_open(&self, now: Nanos) -> bool {
        let snapshot = self.breaker.snapshot(&self.policy, at(now));
        snapshot.state == State::Open && snapshot.refusal.is_some()
    }

    fn change(&mut self, _now: Nanos, spec: &BreakerSpec) -> bool {
        breaker_policy(spec).map(|policy| self.policy = policy).is_ok()
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        Some(self.breaker.is_fresh(at(now)))
    }
}

/// A bucket and its policy.
#[derive(Debug)]
pub(crate) struct OwnBucket {
    bucket: TokenBucket,
    policy: BucketPolicy,
}

impl LimiterSubject for Fusebox {
    type Limiter = OwnBucket;

    fn clock(&self) -> ClockKind {
        ClockKind::Any
    }

    fn build(&self, spec: &LimiterSpec) -> Result<OwnBucket, String> {
        Ok(OwnBucket { bucket: TokenBucket::new(), policy: bucket_policy(spec)? })
    }
}

impl LimiterUnderTest for OwnBucket {
    type Wait = Booking;

    fn try_acquire(&self, now: Nanos, cost: u32) -> Result<(), Hint> {
        self.bucket.try_acquire(&self.policy, at(now), tokens(cost)).map_err(|wait| match wait {
            Wait::Nanos(nanos) => Hint::After(nanos),
            Wait::Never => Hint::Never,
            Wait::Release => Hint::Unknown,
        })
    }

    fn start_wait(&self, now: Nanos, cost: u32) -> Option<Booking> {
        self.bucket.reserve(&self.policy, at(now), tokens(cost), Duration::MAX).ok()
    }

    fn cancel_wait(&self, now: Nanos, wait: Booking) {
        let _ = self.bucket.cancel(&self.policy, at(now), wait);
    }

    fn give_back(&self, now: Nanos, cost: u32) -> bool {
        self.bucket.refund(&self.policy, at(now), tokens(cost));
        true
    }

    fn change(&mut self, now: Nanos, spec: &LimiterSpec) -> bool {
        let Ok(new) = bucket_policy(spec) else { return false };
        self.bucket.change_policy(&self.policy, &new, at(now));
        self.policy = new;
        true
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        Some(self.bucket.is_fresh(&self.policy, at(now)))
    }
}

/// A circuit and its policy; with two buckets, the gates that make one. Neither has a bulkhead.
#[derive(Debug)]
pub(crate) enum OwnCircuit {
    Circuit(Circuit, CircuitPolicy),
    Gates { buckets: [(TokenBucket, BucketPolicy); 2], breaker: Breaker, policy: BreakerPolicy },
}

/// The right to one call through an [`OwnCircuit`] of the same kind.
#[derive(Debug)]
pub(crate) enum OwnPermit {
    Circuit(Permit),
    Gates(Pass<<Gates<'static> as Gate>::Held>),
}

type Gates<'a> = ([Gated<'a, TokenBucket, BucketPolicy>; 2], Gated<'a, Breaker, BreakerPolicy>);

fn gates<'a>(
    buckets: &'a [(TokenBucket, BucketPolicy); 2],
    breaker: &'a Breaker,
    policy: &'a BreakerPolicy,
) -> Gates<'a> {
    (buckets.each_ref().map(|(bucket, policy)| bucket.gate(policy)), breaker.gate(policy))
}

impl CircuitSubject for Fusebox {
    type Circuit = OwnCircuit;

    fn build(&self, breaker: &BreakerSpec, limiters: &[LimiterSpec]) -> Result<OwnCircuit, String> {
        let policy = breaker_policy(breaker)?;
        match limiters {
            [limiter] => {
                let (breaker, bucket) = (Some(policy), Some(bucket_policy(limiter)?));
                let policy = CircuitPolicy { breaker, bucket, ..CircuitPolicy::UNLIMITED };
                Ok(OwnCircuit::Circuit(Circuit::new(), policy))
            }
            [first, second] => {
                let bucket = |limiter| bucket_policy(limiter).map(|policy| (TokenBucket::new(), policy));
                Ok(OwnCircuit::Gates { buckets: [bucket(first)?, bucket(second)?], breaker: Breaker::new(), policy })
            }
            _ => Err("it is run with one bucket or two".to_owned()),
        }
    }
}

impl CircuitUnderTest for OwnCircuit {
    type Ticket = OwnPermit;

    fn admit(&self, now: Nanos) -> Result<OwnPermit, Part> {
        let admitted = match self {
            Self::Circuit(circuit, policy) => {
                circuit.admit(policy, at(now), Tokens::ONE).map(|(permit, _)| OwnPermit::Circuit(permit))
            }
            Self::Gates { buckets, breaker, policy } => {
                gates(buckets, breaker, policy).admit(&Ask::at(at(now))).map(|(pass, _)| OwnPermit::Gates(pass))
            }
        };
        admitted.map_err(|refused| if refused.by == core_::Part::Breaker { Part::Breaker } else { Part::Limiter })
    }

    fn settle(&self, now: Nanos, ticket: OwnPermit, outcome: Outcome) {
        let _ = match (self, ticket) {
            (Self::Circuit(circuit, policy), OwnPermit::Circuit(permit)) => {
                circuit.settle(policy, at(now), permit, own(outcome))
            }
            (Self::Gates { buckets, breaker, policy }, OwnPermit::Gates(pass)) => {
                gates(buckets, breaker, policy).settle(at(now), pass, own(outcome))
            }
            _ => panic!("a permit is settled where it was given"),
        };
    }
}

fn breaker_policy(spec: &BreakerSpec) -> Result<BreakerPolicy, String> {
    let rate = |failure_percent, minimum_calls| {
        let failure_rate_milli = Some(10 * u32::from(failure_percent));
        core_::Trip::Rate(RateTrip { failure_rate_milli, minimum_calls, ..RateTrip::DEFAULT })
    };
    let trip = match spec.trip {
        Trip::Consecutive(failures) => core_::Trip::Consecutive(failures),
        Trip::CountWindow { failure_percent, minimum_calls, .. }
        | Trip::TimeWindow { failure_percent, minimum_calls, .. } => rate(failure_percent, minimum_calls),
    };
    let config = BreakerConfig {
        trip,
        open_wait: Duration::from_nanos(spec.open_wait),
        open_wait_factor_milli: 1_000,
        open_wait_max: Duration::from_nanos(spec.open_wait),
        jitter: Jitter::None,
        probes: spec.probes,
        required_successes: spec.required_successes,
        probe_lease: Duration::from_nanos(spec.probe_lease),
        ..BreakerConfig::DEFAULT
    };
    BreakerPolicy::new(config).map_err(|error| error.to_string())
}

fn bucket_policy(spec: &LimiterSpec) -> Result<BucketPolicy, String> {
    let rate = Rate { tokens: spec.tokens.into(), per: Duration::from_nanos(spec.per) };
    let policy = BucketPolicy::new(rate, tokens(spec.burst)).and_then(|policy| policy.with_debt(tokens(spec.waiting)));
    policy.map_err(|error| error.to_string())
}

fn tokens(count: u32) -> Tokens {
    Tokens::whole(count.into())
}

fn at(now: Nanos) -> Instant {
    Instant::from_nanos(now)
}

fn own(outcome: Outcome) -> core_::Outcome {
    match outcome {
        Outcome::Success => core_::Outcome::Success,
        Outcome::Failure => core_::Outcome::Failure,
        Outcome::Ignored => core_::Outcome::Ignored,
        Outcome::Cancelled => core_::Outcome::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    /// A scenario passes over what a subject does not have; so that nothing of this one is passed over:
    #[test]
    fn it_has_all_that_scenarios_make_use_of() {
        let spec = BreakerSpec {
            trip: Trip::Consecutive(5),
            open_wait: SECOND,
            probes: 1,
            required_successes: 1,
            probe_lease: SECOND,
        };
        let count = Trip::CountWindow { size: 100, failure_percent: 50, minimum_calls: 100 };
        let time = Trip::TimeWindow { span: 5 * SECOND, failure_percent: 50, minimum_calls: 5 };
        for trip in [spec.trip, count, time] {
            let mut breaker = BreakerSubject::build(&Fusebox, &BreakerSpec { trip, ..spec }).expect("it has it");
            assert!(breaker.change(0, &spec));
            assert_eq!(breaker.can_be_forgotten(0), Some(true));
        }
        let limiter = LimiterSpec { tokens: 1, per: SECOND, burst: 1, waiting: 1 };
        let mut bucket = LimiterSubject::build(&Fusebox, &limiter).expect("in range");
        assert!(bucket.start_wait(0, 1).is_some());
        assert!(bucket.start_wait(0, 1).is_some(), "in debt");
        assert_eq!(bucket.can_be_forgotten(0), Some(false));
        assert!(bucket.give_back(0, 1) && bucket.change(0, &limiter));
        assert!(CircuitSubject::build(&Fusebox, &spec, &[limiter]).is_ok());
        assert!(CircuitSubject::build(&Fusebox, &spec, &[limiter, limiter]).is_ok());
    }
}
