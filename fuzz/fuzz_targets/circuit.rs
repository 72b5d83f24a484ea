//! The circuit against its parts' oracles put together: who refuses and for how long, that a refusal changes nothing,
//! and that everything comes back.
#![no_main]

use arbitrary::Arbitrary;
use fusebox_core::*;
use fusebox_fuzz::breaker::{Answer, Call, Model};
use fusebox_fuzz::bucket::Ledger;
use fusebox_fuzz::clock::{Hands, Move};
use fusebox_fuzz::shapes::{AnyBreaker, AnyBucket, End};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    breaker: AnyBreaker,
    max_in_flight: u8,
    bucket: AnyBucket,
    /// Which parts the two policies have that take turns.
    parts: [Parts; 2],
    start: u64,
    only_ahead: bool,
    operations: Vec<(Move, Operation)>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Parts {
    breaker: bool,
    bulkhead: bool,
    bucket: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    /// A call that costs so many hundredths of the burst and leaves as many.
    Admit {
        cost: u8,
        leave: u8,
    },
    /// Settles one of the calls under way.
    Settle(u8, End),
    SettleLast(End),
    Spend(u8),
    /// A call in a guard that is dropped.
    Guarded {
        cost: u8,
    },
    SwapPolicy,
    Force(bool),
    Reset,
}

/// What a permit holds.
struct Held {
    call: Option<Call>,
    slot: bool,
    tokens: Option<Tokens>,
}

struct World {
    circuit: Circuit,
    model: Model,
    ledger: Ledger,
    in_flight: u64,
    permits: Vec<(Permit, Held)>,
    /// The latest reading that any part has seen.
    latest: u64,
}

struct At(Instant);

impl Clock for At {
    fn now(&self) -> Instant {
        self.0
    }
}

impl World {
    /// Who should refuse the call, and for how long.
    fn expected(&self, policy: &CircuitPolicy, now: u64, demand: Demand) -> Option<(Part, Wait)> {
        if let Some(wait) = policy.breaker.and_then(|breaker| self.model.refusal(now, &breaker)) {
            return Some((Part::Breaker, wait));
        }
        if policy.bulkhead.is_some_and(|bulkhead| self.in_flight >= bulkhead.max_in_flight().into()) {
            return Some((Part::Bulkhead, Wait::Release));
        }
        let answer = policy.bucket.map(|_| self.ledger.ask(demand, now)).filter(|answer| !answer.granted)?;
        let wait = answer.wait.map_or(Wait::Never, |wait| Wait::Nanos(u64::try_from(wait).unwrap_or(u64::MAX)));
        Some((Part::Bucket, wait))
    }

    /// When the call should be admitted by time alone.
    fn next_change(&self, policy: &CircuitPolicy, now: u64, demand: Demand) -> Option<u64> {
        let mut latest = None;
        if let Some(breaker) = &policy.breaker
            && self.model.refusal(now, breaker).is_some()
        {
            latest = Some(self.model.next_change(now, breaker)?);
        }
        if policy.bulkhead.is_some_and(|bulkhead| self.in_flight >= bulkhead.max_in_flight().into()) {
            return None;
        }
        let answer = policy.bucket.map(|_| self.ledger.ask(demand, now)).filter(|answer| !answer.granted);
        if let Some(answer) = answer {
            let then = u64::try_from(u128::from(now) + answer.wait?).ok()?;
            latest = latest.max(Some(then));
        }
        latest
    }

    fn admit(&mut self, policy: &CircuitPolicy, demand: Demand, hands: &mut Hands) -> bool {
        let (now, before) = (hands.reading(), format!("{:?}", self.circuit));
        let expected = self.expected(policy, hands.now, demand);
        let next = self.circuit.next_change(policy, now, demand).map(Instant::as_nanos);
        assert_eq!(next, self.next_change(policy, hands.now, demand));
        let given = self.circuit.admit(policy, now, demand);
        let refused = given.as_ref().err().map(|rejection| (rejection.by, rejection.wait));
        match (refused, expected) {
            // a time that the clock will never show
            (Some((Part::Bucket, Wait::Nanos(given))), Some((Part::Bucket, Wait::Nanos(expected))))
                if hands.now.checked_add(expected).is_none() =>
            {
                assert!(given >= expected);
            }
            _ => assert_eq!(refused, expected),
        }
        match given {
            Ok((permit, transition)) => {
                assert_eq!(permit.issued(), now);
                let call =
                    policy.breaker.and_then(|breaker| self.model.admit(Answer::Goes(transition), hands.now, &breaker));
                let slot = policy.bulkhead.is_some();
                self.in_flight += u64::from(slot);
                let tokens = policy.bucket.map(|_| demand.cost);
                if tokens.is_some() {
                    self.ledger.take(demand.cost, hands.now);
                }
                assert_eq!(permit.tokens(), tokens.unwrap_or_default());
                self.permits.push((permit, Held { call, slot, tokens }));
                true
            }
            Err(rejection) => {
                hands.told(rejection.wait);
                match (rejection.by, &policy.breaker) {
                    (Part::Breaker, Some(breaker)) => {
                        self.model.admit(Answer::Refused(rejection.wait), hands.now, breaker);
                    }
                    (Part::Bucket, _) => self.ledger.deny(hands.now, self.ledger.ask(demand, hands.now)),
                    _ => {}
                }
                if hands.now >= self.latest {
                    assert_eq!(format!("{:?}", self.circuit), before, "F1: a refusal has changed a part");
                }
                false
            }
        }
    }

    fn settle(&mut self, policy: &CircuitPolicy, permit: usize, outcome: Outcome, now: u64) {
        if self.permits.is_empty() {
            return;
        }
        let (permit, held) = self.permits.remove(permit % self.permits.len());
        let unspent = permit.tokens();
        let transition = self.circuit.settle(policy, Instant::from_nanos(now), permit, outcome);
        let expected = match (held.call, &policy.breaker) {
            (Some(call), Some(breaker)) => self.model.settle(call, outcome, now, breaker),
            _ => None,
        };
        assert_eq!(transition, expected);
        self.in_flight -= u64::from(held.slot);
        if policy.bucket.is_some() && held.tokens.is_some() && matches!(outcome, Outcome::Ignored | Outcome::Cancelled)
        {
            self.ledger.refund(unspent, now);
        }
    }

    fn check(&mut self, breaker: &BreakerPolicy, bucket: &BucketPolicy, now: Instant) {
        self.model.observe(&self.circuit.breaker().snapshot(breaker, now));
        assert_eq!(self.circuit.bulkhead().in_flight(), self.in_flight);
        let (least, most) = self.ledger.level(now.as_nanos());
        assert_eq!(least, most);
        assert_eq!(self.circuit.bucket().peek(bucket, now).as_milli(), least);
    }
}

fn run(input: Input) {
    let Input { breaker, max_in_flight, bucket: AnyBucket(bucket), parts, start, only_ahead, operations } = input;
    let config = BreakerConfig { jitter: Jitter::None, open_wait_factor_milli: 3_000, ..*breaker.0.config() };
    let breaker = BreakerPolicy::new(config).expect("still in range");
    let bulkhead = BulkheadPolicy::new(u32::from(max_in_flight) % 8 + 1).expect("at least 1");
    let [mut policy, mut other] = parts.map(|parts| CircuitPolicy {
        breaker: parts.breaker.then_some(breaker),
        bulkhead: parts.bulkhead.then_some(bulkhead),
        bucket: parts.bucket.then_some(bucket),
    });
    let mut world = World {
        circuit: Circuit::new(),
        model: Model::restored(&BreakerSnapshot::default()),
        ledger: Ledger::full(&bucket),
        in_flight: 0,
        permits: Vec::new(),
        latest: start,
    };
    if world.ledger.slack() > 0 {
        return; // a rate that is rounded; `bucket` has those
    }
    let mut hands = Hands::at(start, only_ahead);
    let tokens = |share: u8| Tokens::milli((bucket.burst().as_milli() * u64::from(share)).div_ceil(100));
    for (by, operation) in operations.into_iter().take(120) {
        let now = hands.turn(by);
        if world.ledger.beyond_telling(hands.now) || world.model.generation > 250 {
            break;
        }
        match operation {
            Operation::Admit { cost, leave } => {
                world.admit(&policy, Demand { cost: tokens(cost), leave: tokens(leave % 101) }, &mut hands);
            }
            Operation::Settle(permit, end) => world.settle(&policy, permit.into(), end.into(), hands.now),
            Operation::SettleLast(end) => {
                world.settle(&policy, world.permits.len().saturating_sub(1), end.into(), hands.now);
            }
            Operation::Spend(permit) if !world.permits.is_empty() => {
                let permit = usize::from(permit) % world.permits.len();
                world.permits[permit].0.spend();
                assert_eq!(world.permits[permit].0.tokens(), Tokens::ZERO);
            }
            Operation::Spend(_) => {}
            Operation::Guarded { cost } => {
                // the same twice: first in a guard that is dropped, then as the oracle knows it
                if world.expected(&policy, hands.now, tokens(cost).into()).is_none() {
                    let guard = world.circuit.enter(&policy, At(now), tokens(cost));
                    let (guard, transition) = guard.expect("nobody refuses");
                    let call = policy
                        .breaker
                        .and_then(|breaker| world.model.admit(Answer::Goes(transition), hands.now, &breaker));
                    if policy.bucket.is_some() {
                        world.ledger.take(tokens(cost), hands.now);
                        world.ledger.refund(tokens(cost), hands.now);
                    }
                    if let (Some(call), Some(breaker)) = (call, &policy.breaker) {
                        let _ = world.model.settle(call, Outcome::Cancelled, hands.now, breaker);
                    }
                    drop(guard);
                }
            }
            Operation::SwapPolicy => core::mem::swap(&mut policy, &mut other),
            Operation::Force(open) => {
                let forced = if open { Forced::Open } else { Forced::Closed };
                assert_eq!(world.circuit.breaker().force(forced), world.model.force(forced));
            }
            Operation::Reset => assert_eq!(world.circuit.breaker().reset(), world.model.reset()),
        }
        world.latest = world.latest.max(hands.now);
        world.check(&breaker, &bucket, now);
    }
    for (permit, _) in world.permits.drain(..) {
        let _ = world.circuit.settle(&policy, hands.reading(), permit, Outcome::Cancelled);
    }
    assert_eq!(world.circuit.bulkhead().in_flight(), 0, "a slot has leaked");
}

fuzz_target!(|input: Input| run(input));
