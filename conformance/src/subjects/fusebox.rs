//! Fusebox: `Breaker`, `TokenBucket` and `Circuit` of the core, each under a policy without jitter.

use crate::breaker::{BreakerSpec, BreakerSubject, BreakerUnderTest, Outcome, Trip};
use crate::circuit::{CircuitSubject, CircuitUnderTest, Part};
use crate::limiter::{Hint, LimiterSpec, LimiterSubject, LimiterUnderTest};
use crate::time::{ClockKind, Nanos};
use core::time::Duration;
use fusebox_core as core_;
use fusebox_core::{
    Breaker, BreakerConfig, BreakerPolicy, BucketPolicy, Circuit, CircuitPolicy, Instant, Jitter, Permit, Rate, State,
    Ticket, TokenBucket, Tokens, Wait,
};

/// Fusebox, with any clock.
#[derive(Debug)]
pub(crate) struct Fusebox;

/// A breaker and its policy.
#[derive(Debug)]
pub(crate) struct OwnBreaker {
    breaker: Breaker,
    policy: BreakerPolicy,
}

impl BreakerSubject for Fusebox {
    type Breaker = OwnBreaker;

    fn clock(&self) -> ClockKind {
        ClockKind::Any
    }

    fn build(&self, spec: &BreakerSpec) -> Result<OwnBreaker, String> {
        Ok(OwnBreaker { breaker: Breaker::new(), policy: breaker_policy(spec)? })
    }
}

impl BreakerUnderTest for OwnBreaker {
    type Ticket = Ticket;

    fn admit(&self, now: Nanos) -> Option<Ticket> {
        self.breaker.admit(&self.policy, at(now)).ok().map(|(ticket, _)| ticket)
    }

    fn settle(&self, now: Nanos, ticket: Ticket, outcome: Outcome) {
        let _ = self.breaker.settle(&self.policy, at(now), ticket, own(outcome));
    }

    fn is_open(&self, now: Nanos) -> bool {
        let snapshot = self.breaker.snapshot(&self.policy, at(now));
        snapshot.state == State::Open && snapshot.refusal.is_some()
    }

    fn change(&mut self, _now: Nanos, spec: &BreakerSpec) -> bool {
        breaker_policy(spec).map(|policy| self.policy = policy).is_ok()
    }

    fn can_be_forgotten(&self, now: Nanos) -> Option<bool> {
        let snapshot = |breaker: &Breaker| breaker.snapshot(&self.policy, at(now));
        Some(snapshot(&self.breaker) == snapshot(&Breaker::new()))
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
    type Wait = ();

    fn try_acquire(&self, now: Nanos, cost: u32) -> Result<(), Hint> {
        self.bucket.try_acquire(&self.policy, at(now), tokens(cost)).map_err(|wait| match wait {
            Wait::Nanos(nanos) => Hint::After(nanos),
            Wait::Never => Hint::Never,
            Wait::Release => Hint::Unknown,
        })
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
        Some(self.bucket.peek(&self.policy, at(now)) == self.policy.burst())
    }
}

/// A circuit of both, and its policy.
#[derive(Debug)]
pub(crate) struct OwnCircuit {
    circuit: Circuit,
    policy: CircuitPolicy,
}

impl CircuitSubject for Fusebox {
    type Circuit = OwnCircuit;

    fn build(&self, breaker: &BreakerSpec, limiter: &LimiterSpec) -> Result<OwnCircuit, String> {
        let policy = CircuitPolicy {
            breaker: Some(breaker_policy(breaker)?),
            bucket: Some(bucket_policy(limiter)?),
            ..CircuitPolicy::UNLIMITED
        };
        Ok(OwnCircuit { circuit: Circuit::new(), policy })
    }
}

impl CircuitUnderTest for OwnCircuit {
    type Ticket = Permit;

    fn admit(&self, now: Nanos) -> Result<Permit, Part> {
        match self.circuit.admit(&self.policy, at(now), Tokens::ONE) {
            Ok((permit, _)) => Ok(permit),
            Err(refused) if refused.by == core_::Part::Breaker => Err(Part::Breaker),
            Err(_) => Err(Part::Limiter),
        }
    }

    fn settle(&self, now: Nanos, ticket: Permit, outcome: Outcome) {
        let _ = self.circuit.settle(&self.policy, at(now), ticket, own(outcome));
    }
}

fn breaker_policy(spec: &BreakerSpec) -> Result<BreakerPolicy, String> {
    let Trip::Consecutive(failures) = spec.trip else {
        return Err("windows are not part of this breaker".to_owned());
    };
    let config = BreakerConfig {
        trip: core_::Trip::Consecutive(failures),
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
    BucketPolicy::new(rate, tokens(spec.burst)).map_err(|error| error.to_string())
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
